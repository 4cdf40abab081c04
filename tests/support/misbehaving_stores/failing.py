"""Stores that fail, wait too long, or do not survive being cut off."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from chatkit.types import ThreadItem

from tests.support.misbehaving_stores.sound import SoundStore

__all__ = [
    "DeadConnectionStore",
    "FlakyStore",
    "HalfWritingStore",
    "HangingLoadStore",
    "HangingStore",
    "KilledConnectionStore",
    "LockKeepingStore",
    "LosingUpdatesStore",
    "OneAtATimeStore",
    "SlowStore",
    "TwoStepAddStore",
]


class SlowStore(SoundStore):
    """Take some time for each call."""

    seconds: ClassVar[float] = 0.02

    async def wait(self, call: str) -> None:
        await asyncio.sleep(self.seconds / 2)


class FlakyStore(SoundStore):
    """Refuse the first write of each item, with nothing written; the next one works."""

    def __init__(self) -> None:
        super().__init__()
        self.tried: set[str] = set()

    def fail_first(self, item_id: str) -> None:
        if item_id not in self.tried:
            self.tried.add(item_id)
            raise ConnectionError("could not serialize access due to concurrent update")

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        self.fail_first(item.id)
        await super().add_thread_item(thread_id, item, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        self.fail_first(item.id)
        await super().save_item(thread_id, item, context)


class KilledConnectionStore(SoundStore):
    """Write an item, and lose the connection before it can say so; the next one works."""

    def __init__(self) -> None:
        super().__init__()
        self.tried: set[str] = set()

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        await super().add_thread_item(thread_id, item, context)
        self.lose_answer(item.id)

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        await super().save_item(thread_id, item, context)
        self.lose_answer(item.id)

    def lose_answer(self, item_id: str) -> None:
        if item_id not in self.tried:
            self.tried.add(item_id)
            raise ConnectionError("server closed the connection unexpectedly")


class DeadConnectionStore(SoundStore):
    """Lose the connection once it has written `lives` times, and never get it back."""

    lives: ClassVar[int] = 3

    async def wait(self, call: str) -> None:
        await super().wait(call)
        if len(self.calls) > self.lives:
            raise ConnectionError("the connection is closed")


class HangingStore(SoundStore):
    """Never come back from a write, once it has written `lives` times."""

    lives: ClassVar[int] = 3

    async def wait(self, call: str) -> None:
        await super().wait(call)
        if len(self.calls) > self.lives and call in ("add", "save"):
            await asyncio.Event().wait()


class HangingLoadStore(SoundStore):
    """Never come back from `load_item`."""

    async def wait(self, call: str) -> None:
        await super().wait(call)
        if call == "load":
            await asyncio.Event().wait()


class HalfWritingStore(SoundStore):
    """Save in two steps, a delete and an insert: cut off between them, the item is gone."""

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        self.calls.append(("save", item.id))
        table, row = self.table(thread_id), self.to_row(item)
        place = next((i for i, old in enumerate(table.rows) if old.id == row.id), len(table.rows))
        self.delete_row(table, row.id)
        await self.wait("save")
        table.rows.insert(place, row)


class TwoStepAddStore(SoundStore):
    """Add in two steps, the row and then what it holds: cut off between them, nobody can read."""

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        self.calls.append(("add", item.id))
        row = self.to_row(item)
        text, row.held = row.held, "{"
        self.add_row(self.table(thread_id), row)
        await self.wait("add")
        row.held = text


class LockKeepingStore(SoundStore):
    """Take a lock for each write, and keep it when the write is cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = asyncio.Lock()

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        await self.lock.acquire()
        await super().add_thread_item(thread_id, item, context)
        self.lock.release()

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        await self.lock.acquire()
        await super().save_item(thread_id, item, context)
        self.lock.release()


class LosingUpdatesStore(SoundStore):
    """Read the whole thread, change it, and write it back: of two at once, one is lost."""

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        self.calls.append(("add", item.id))
        table = self.table(thread_id)
        rows = list(table.rows)
        await self.wait("add")
        table.rows = [row for row in rows if row.id != item.id] + [self.to_row(item)]


class OneAtATimeStore(SoundStore):
    """Refuse a second call while one is under way, as a session of SQLAlchemy does."""

    def __init__(self) -> None:
        super().__init__()
        self.busy = False

    async def wait(self, call: str) -> None:
        if self.busy:
            raise RuntimeError("this session is in use by another task")
        self.busy = True
        try:
            await super().wait(call)
        finally:
            self.busy = False
