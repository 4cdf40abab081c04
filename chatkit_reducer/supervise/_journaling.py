"""The journal of one stream: each event is written before it is stored and sent.

    event ──▶ journal ──▶ consumer (store, then client)
    end   ──▶ `settled` ──▶ commit ──▶ `closed`, or the lease is given back

The consumer asks for the next event when it is done with the last one. So an event in the journal
proves that the consumer has stored and sent the event before it.

A commit that failed leaves the response open, with its settlement on record: a recovery commits
that later. Where another writer has the response, that one settles, and this one commits nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from typing import Any

from chatkit_reducer.core.items import ItemState
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Event, Json, ThreadItemAdded
from chatkit_reducer.journal.writer import JournalWriter
from chatkit_reducer.supervise._write_limit import Begin, limited
from chatkit_reducer.supervise.shield import run_shielded

__all__ = ["Journaling"]


class Journaling:
    """Write a stream to its journal; a journal that fails changes nothing for the stream.

    Args:
        writer: the way to the journal.
        state: the thread before the stream.
        limit: how long a write may take before the journal has failed, in seconds; None for ever.
    """

    def __init__(self, writer: JournalWriter, state: ThreadState, limit: float | None) -> None:
        self.writer: JournalWriter = writer
        self._append: Callable[[Event], Coroutine[Any, Any, None]] = writer.append
        self._limit = limit
        self._begin_write: Begin
        self._pending = [state.items[item_id] for item_id in state.pending]
        self._stored: dict[str, ItemState] = {
            item_id: item for item_id, item in state.items.items() if item_id not in state.pending
        }
        if self._stored:
            self._append = self._append_behind_copy

    async def begin(self) -> None:
        """Begin the response, before its producer is asked for an event."""
        self._begin_write = limited(self._limit, self._note_overrun)
        await self._whole(self.writer.begin())
        for item in self._pending:
            await self._whole(self.writer.append(ThreadItemAdded(item.to_json())))

    def write(self, event: Event | None) -> Awaitable[None] | None:
        """Write an event, behind the stored copy of an item that it is the first to mention.

        Returns:
            The rest of the write, to be awaited; None if it is done.
        """
        return None if event is None else self._begin_write(self._append(event))

    async def _append_behind_copy(self, event: Event) -> None:
        item = self._stored.pop(_item_id_of(event), None)
        if item is not None:
            await self.writer.base([item.to_json()])
        await self.writer.append(event)

    async def write_found(self, item: Json) -> None:
        """Write the store's copy of an item that is about to be updated."""
        await self._whole(self.writer.base([item]))

    async def _whole(self, write: Coroutine[Any, Any, None]) -> None:
        rest = self._begin_write(write)
        if rest is not None:
            await rest

    def _note_overrun(self) -> None:
        if self.writer.is_writing:
            self.writer.fail(TimeoutError(f"it took longer than {self._limit:g} seconds"))

    async def left(self, grace: float) -> None:
        """Write that the client has left, and how long it may take to come back, in seconds."""
        await self._whole(self.writer.left(grace))

    async def returned(self) -> None:
        """Write that a client has come back in time."""
        await self._whole(self.writer.returned())

    async def record(self, settlement: Settlement, context: Context) -> bool:
        """Write a settlement before it is committed; return whether a cancellation was kept out.

        An end with nothing to write needs no record, unless its commit fails.
        """
        if not (settlement.verdicts or settlement.writes):
            return False
        return await self._shielded(lambda: self.writer.settled(settlement), context)

    async def finish(
        self, settlement: Settlement | None, context: Context, *, committed: bool
    ) -> bool:
        """End the response, or leave it to a recovery; return whether a cancellation was kept out.

        Args:
            settlement: the settlement; None if it could not be made.
            context: the context to run in.
            committed: whether the store has all of it.
        """
        if committed:
            return await self._shielded(self.writer.closed, context)

        async def leave() -> None:
            if settlement is not None:
                await self.writer.settled(settlement)
            await self.writer.release()

        return await self._shielded(leave, context)

    async def _shielded(self, work: Callable[[], Awaitable[object]], context: Context) -> bool:
        outcome = await run_shielded(work, self._limit, context=context)
        if outcome.error is not None and not self.writer.failed:
            self.writer.fail(outcome.error)
        return outcome.cancelled


def _item_id_of(event: Event) -> str:
    """Return the id of the item that an event is about; empty where it is about none."""
    item = getattr(event, "item", None)
    item_id = item.get("id") if isinstance(item, dict) else getattr(event, "item_id", None)
    return item_id if isinstance(item_id, str) else ""
