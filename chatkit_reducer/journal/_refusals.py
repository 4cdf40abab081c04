"""Why a server did not write a batch, asked afterwards: the batch may stand there already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chatkit_reducer.journal._batches import Batch
from chatkit_reducer.journal.protocol import Conflict, JournalError
from chatkit_reducer.journal.tailing import Page

__all__ = ["conflict", "refusal", "taken"]


async def refusal(
    batch: Batch, page_of: Callable[[tuple[str, int]], Awaitable[Page | None]]
) -> JournalError | None:
    """Tell why a batch was not written; None if its records stand where they belong."""
    position = batch.at
    while (page := await page_of((batch.response, position))) is not None:
        if page.end < batch.last:
            return conflict(batch, f"{'a closed' if page.closed else 'an'} end at {page.end}")
        there = page.records[position + 1 - page.first :]
        wanted = batch.records[position - batch.at :]
        common = min(len(there), len(wanted))
        if not common or there[:common] != wanted[:common]:
            return conflict(batch, "other records there")
        position += common
        if position == batch.last:
            return None
    return JournalError(
        f"expected a response with the id {batch.response!r}, got none: begin it first, and stop "
        "to write when its thread is forgotten"
    )


def conflict(batch: Batch, got: str) -> Conflict:
    """Make the error of a writer that was not the first."""
    return Conflict(
        f"expected {batch.response!r} to end at {batch.at}, got {got}: another writer has it; "
        "stop to write, or read it again"
    )


def taken(response: str) -> Conflict:
    """Make the error of a response that was begun before."""
    return Conflict(
        f"expected an id that no response has, got {response!r}, which is taken: make a new one "
        "for each response"
    )
