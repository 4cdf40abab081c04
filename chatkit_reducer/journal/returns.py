"""Clients that come back to a response which runs in another process: its writer is told."""

from __future__ import annotations

from collections.abc import Awaitable, Collection
from typing import Protocol, runtime_checkable

from chatkit_reducer.journal.protocol import Journal

__all__ = ["Recalling", "recall", "recalled"]


@runtime_checkable
class Recalling(Protocol):
    """A journal that can tell the writer of a response that a client has come back.

    Without that, a client comes back only in the process that runs the response.
    """

    def recall(self, response: str) -> Awaitable[None]:
        """Say that a client of a response has come back."""
        ...

    def recalled(self, responses: Collection[str]) -> Awaitable[Collection[str]]:
        """Return those of which that was said since the last call."""
        ...


async def recall(journal: Journal, response: str) -> bool:
    """Say that a client of a response has come back; return whether the journal can say that.

    Raises:
        JournalError: the journal cannot be reached.
    """
    if not isinstance(journal, Recalling):
        return False
    await journal.recall(response)
    return True


async def recalled(journal: Journal, responses: Collection[str]) -> Collection[str]:
    """Return the responses to which clients have come back since the last call.

    Raises:
        JournalError: the journal cannot be reached.
    """
    if not (responses and isinstance(journal, Recalling)):
        return ()
    return await journal.recalled(responses)
