"""Reading a journal: records as they come, and a response as a whole.

Readers are closed when they are left, and not when they are collected.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.journal.protocol import Journal
from chatkit_reducer.journal.records import Recovered, recovered

__all__ = ["read_whole", "reader", "records_of"]


@asynccontextmanager
async def reader(
    journal: Journal, response: str, after: int = 0, *, follow: bool = True
) -> AsyncIterator[AsyncIterator[tuple[int, bytes]]]:
    """Read a response, and close the reader, if it can be closed."""
    records = journal.read(response, after, follow=follow)
    try:
        yield records
    finally:
        close = getattr(records, "aclose", None)
        if close is not None:
            await close()


async def read_whole(
    journal: Journal, response: str, known: ThreadState | None = None
) -> Recovered:
    """Read a response up to its end; see `records.recovered`.

    Raises:
        JournalError: it is not there, or cannot be read.
    """
    return recovered(await records_of(journal, response), known)


async def records_of(journal: Journal, response: str, after: int = 0) -> list[bytes]:
    """Return the records behind a position, up to the end."""
    async with reader(journal, response, after, follow=False) as records:
        return [record async for _, record in records]
