"""Leases that are given back before they run out, and responses that are given up."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Protocol, runtime_checkable

from chatkit_reducer.journal.protocol import Journal, JournalError

__all__ = ["Discarding", "Releasing", "discard", "release"]

logger: logging.Logger = logging.getLogger("chatkit_reducer.journal")


@runtime_checkable
class Releasing(Protocol):
    """A journal that can give a lease back. Without that, a lease has to run out by a clock."""

    def release(self, response: str) -> Awaitable[None]:
        """Give a lease back: the response is orphaned, unless it is closed."""
        ...


@runtime_checkable
class Discarding(Protocol):
    """A journal that can delete one response. Without that, its lease has to run out."""

    def discard(self, response: str) -> Awaitable[None]:
        """Delete a response whose lease this journal holds; its readers get a `JournalError`."""
        ...


async def release(journal: Journal, response: str) -> None:
    """Give a lease back, if the journal can. Never raises a `JournalError`."""
    if isinstance(journal, Releasing):
        try:
            await journal.release(response)
        except JournalError as error:
            logger.warning("The lease of response %s was not given back: %s", response, error)


async def discard(journal: Journal, response: str) -> None:
    """Delete a response whose end cannot be written, if the journal can.

    Raises:
        JournalError: it cannot be deleted either.
    """
    if isinstance(journal, Discarding):
        await journal.discard(response)
