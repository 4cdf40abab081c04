"""The absence of a client: the events of its stream go to the journal alone.

They are folded in a branch of the tracker, which knows by that for which of them the stored item
has to be found. The tracker itself stays as of the position at which the client left. So a stop
settles as of there; and if the client comes back, it takes the events as they go to the consumer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.events import ThreadItemUpdated
from chatkit_reducer.supervise._journaling import Journaling
from chatkit_reducer.supervise._producer.protocol import Interrupted
from chatkit_reducer.supervise._tracker import Tracker

__all__ = ["Absence", "Find"]

E = TypeVar("E")
Find = Callable[[ThreadItemUpdated, Tracker[E]], Awaitable[object]]
"""Finds the stored item that an update is for, and has the tracker fold it."""


class Absence(Generic[E]):
    """One absence of a client.

    Args:
        tracker: the events up to the absence.
        journal: where the events go; None without a journal.
        find: finds a stored item.
        grace: how long the client may take to come back, in seconds.
    """

    def __init__(
        self, tracker: Tracker[E], journal: Journaling | None, find: Find[E], grace: float
    ) -> None:
        self._tracker = tracker
        self._journal = journal
        self._find = find
        self._grace = grace

    async def left(self) -> None:
        """Note that the client has left."""
        self._tracker = self._tracker.branch()
        if self._journal is not None:
            await self._journal.left(self._grace)

    async def take(self, event: E) -> None:
        """Write an event to the journal, behind the stored item that it is for.

        Raises:
            Interrupted: another writer has taken the response over.
        """
        if self._journal is None:
            return
        of_stored_item = self._tracker.take(event)
        if of_stored_item is not None:
            await self._find(of_stored_item, self._tracker)
        rest = self._journal.write(self._tracker.latest)
        if rest is not None:
            await rest
        if self._journal.writer.taken_over:
            raise Interrupted(Cause.CANCELLED)

    async def returned(self) -> None:
        """Note that a client has come back."""
        if self._journal is not None:
            await self._journal.returned()
