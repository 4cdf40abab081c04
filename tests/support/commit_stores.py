"""Stores for `check_commit`: some keep to the contract, and each of the others breaks it once."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import datetime
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from chatkit_reducer import Settlement, Write
from chatkit_reducer.events import Json
from chatkit_reducer.testing import examples as x


class Rows:
    """A store without a fault: SQLite, one row for each item."""

    SQL = (
        "INSERT INTO items (id, item) VALUES (?, ?)"
        " ON CONFLICT (id) DO UPDATE SET item = excluded.item"
    )
    LAST = "UPDATE items SET place = (SELECT max(place) + 1 FROM items) WHERE id = ?"

    def __init__(self) -> None:
        self.database = sqlite3.connect(":memory:")
        self.database.execute(
            "CREATE TABLE items (place INTEGER PRIMARY KEY, id TEXT UNIQUE, item TEXT)"
        )

    def put(self, items: list[Json]) -> None:
        with self.database:
            self.database.executemany(self.SQL, [(it["id"], json.dumps(it)) for it in items])

    def commit(self, settlement: Settlement) -> Any:
        with self.database:
            for write in settlement.writes:
                self.write(write)

    def write(self, write: Write) -> None:
        self.database.execute(self.SQL, (write.item["id"], json.dumps(write.item)))
        if write.before is not None:
            self.database.execute(self.LAST, (write.before,))

    def items(self) -> list[Json]:
        rows = self.database.execute("SELECT item FROM items ORDER BY place")
        return [json.loads(item) for (item,) in rows]


@contextmanager
def rows(kind: type[Rows] = Rows) -> Iterator[Rows]:
    store = kind()
    with closing(store.database):
        yield store


class Memory:
    """A store without a fault: a list. It waits before each write."""

    def __init__(self) -> None:
        self.held: list[Json] = []

    async def put(self, items: list[Json]) -> None:
        self.held = list(items)

    async def items(self) -> list[Json]:
        await checkpoint()
        return self.held

    def place_of(self, item_id: str) -> int:
        ids = [item["id"] for item in self.held]
        return ids.index(item_id) if item_id in ids else len(ids)

    def write(self, item: Json) -> None:
        place = self.place_of(item["id"])
        self.held[place : place + 1] = [item]

    def to_end(self, item_id: str | None) -> None:
        self.held.sort(key=lambda item: item["id"] == item_id)

    async def commit(self, settlement: Settlement) -> None:
        for write in settlement.writes:
            await checkpoint()
            self.write(write.item)
            self.to_end(write.before)


async def made_later() -> Memory:
    await checkpoint()
    return Memory()


@asynccontextmanager
async def lent() -> AsyncIterator[Memory]:
    yield Memory()


class Transacted(Memory):
    """It writes to a copy, which takes the place of the other in one step."""

    async def commit(self, settlement: Settlement) -> None:
        before = self.held
        self.held = list(before)
        try:
            await super().commit(settlement)
        except BaseException:
            self.held = before
            raise


class Apart(Transacted):
    """It has a way for what is new, and another one for what it has."""

    def write(self, item: Json) -> None:
        raise NotImplementedError

    def add(self, item: Json) -> None:
        if self.place_of(item["id"]) == len(self.held):
            self.held.append(item)

    def save(self, item: Json) -> None:
        self.held[self.place_of(item["id"])] = item

    async def commit(self, settlement: Settlement) -> None:
        before = self.held
        self.held = list(before)
        try:
            for write in settlement.writes:
                await checkpoint()
                {"add": self.add, "save": self.save}[write.op](write.item)
                self.to_end(write.before)
        except BaseException:
            self.held = before
            raise


class ByTime(Transacted):
    """It knows no places, and puts items in order by their times."""

    async def items(self) -> list[Json]:
        return sorted(self.held, key=lambda item: datetime.fromisoformat(item["created_at"]))


class Threaded(Rows):
    """Its thread goes on when the task that waits for it is cancelled."""

    def __init__(self) -> None:
        self.database = sqlite3.connect(":memory:", check_same_thread=False)
        self.database.execute(
            "CREATE TABLE items (place INTEGER PRIMARY KEY, id TEXT UNIQUE, item TEXT)"
        )

    def commit(self, settlement: Settlement) -> Any:
        return asyncio.to_thread(self.insert, settlement)

    def insert(self, settlement: Settlement) -> None:
        with self.database:
            for write in settlement.writes:
                self.write(write)
                time.sleep(0.001)


class Locked(Transacted):
    """Its lock outlives no commit, whatever becomes of that."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = asyncio.Lock()

    async def commit(self, settlement: Settlement) -> None:
        async with self.lock:
            await super().commit(settlement)


class LockedByAnyio(Locked):
    """To take its lock it gives way to others, and nothing can raise there."""

    def __init__(self) -> None:
        super().__init__()
        self.lock: Any = anyio.Lock()


class ThreadedByAnyio(Threaded):
    """Its threads are none of asyncio, and its lock is free when they have ended."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = anyio.Lock()

    async def commit(self, settlement: Settlement) -> None:
        async with self.lock:
            await anyio.to_thread.run_sync(self.insert, settlement)


class Shielding(Transacted):
    """It ends what it has begun, in a task of its own."""

    async def commit(self, settlement: Settlement) -> None:
        await asyncio.shield(super().commit(settlement))


class BehindTheCall(Transacted):
    """It adds at the end, and knows of no client tools."""

    def to_end(self, item_id: str | None) -> None:
        pass


class Cutting(Transacted):
    """Its column holds 4,000 characters."""

    def write(self, item: Json) -> None:
        super().write(self.cut(item))

    def cut(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.cut(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.cut(each) for each in value]
        return value[:4_000] if isinstance(value, str) else value


class Popping(Rows):
    """It takes the id out of what it is given, and puts it in again when it is asked."""

    def write(self, write: Write) -> None:
        item_id = write.item.pop("id")
        self.database.execute(self.SQL, (item_id, json.dumps(write.item)))
        if write.before is not None:
            self.database.execute(self.LAST, (write.before,))

    def items(self) -> list[Json]:
        rows = self.database.execute("SELECT id, item FROM items ORDER BY place")
        return [{**json.loads(item), "id": item_id} for item_id, item in rows]


class Replacing(Rows):
    SQL = "INSERT OR REPLACE INTO items (id, item) VALUES (?, ?)"


class Inserting(Rows):
    SQL = "INSERT INTO items (id, item) VALUES (?, ?)"


class Autocommitting(Rows):
    """It has read all writes before it begins; and then there is no transaction."""

    def __init__(self) -> None:
        super().__init__()
        self.database.isolation_level = None

    def commit(self, settlement: Settlement) -> None:
        rows = [(write.item["id"], json.dumps(write.item)) for write in settlement.writes]
        self.database.executemany(self.SQL, rows)


class ForgettingToRollBack(Rows):
    def commit(self, settlement: Settlement) -> None:
        for write in settlement.writes:
            self.database.execute(self.SQL, (write.item["id"], json.dumps(write.item)))
        self.database.commit()


class Once(Transacted):
    """It remembers too early that it has committed."""

    committed = False

    async def commit(self, settlement: Settlement) -> None:
        if not self.committed:
            self.committed = True
            await super().commit(settlement)


class OnceForEachMarker(Apart):
    """It knows a settlement again, and thinks that nobody else writes its items."""

    def __init__(self) -> None:
        super().__init__()
        self.committed: set[str] = set()

    def add(self, item: Json) -> None:
        self.held.append(item)

    async def commit(self, settlement: Settlement) -> None:
        ids = str([write.item["id"] for write in settlement.writes])
        if ids not in self.committed:
            await super().commit(settlement)
            self.committed.add(ids)


class Silent(Memory):
    async def commit(self, settlement: Settlement) -> None:
        try:
            await super().commit(settlement)
        except BaseException:  # noqa: BLE001  # this is the bug
            return


class InTwoSteps(Memory):
    """It takes an item out and puts it in again: between the two the item is lost."""

    async def commit(self, settlement: Settlement) -> None:
        for write in settlement.writes:
            place = self.place_of(write.item["id"])
            if place < len(self.held):
                del self.held[place]
                await checkpoint()
            self.held.insert(place, write.item)


class Overwriting(Memory):
    async def commit(self, settlement: Settlement) -> None:
        self.held = [write.item for write in settlement.writes]


class Backwards(Transacted):
    async def commit(self, settlement: Settlement) -> None:
        for write in reversed(settlement.writes):
            await checkpoint()
            self.write(write.item)


class Sealing(Transacted):
    """It tidies up what is none of its business."""

    async def commit(self, settlement: Settlement) -> None:
        await super().commit(settlement)
        self.held = [self.sealed(item) for item in self.held]

    def sealed(self, item: Json) -> Json:
        return {**item, "task": None} if item["type"] == "task" else item


class Narrow(Transacted):
    """It has a column for each field, and no more."""

    async def put(self, items: list[Json]) -> None:
        self.held = [self.known(item) for item in items]

    def write(self, item: Json) -> None:
        super().write(self.known(item))

    def known(self, item: Json) -> Json:
        return {name: item[name] for name in ("id", "type", "thread_id", "created_at")}


class NarrowWhereItCommits(Narrow):
    async def put(self, items: list[Json]) -> None:
        self.held = list(items)


class Talkative(Transacted):
    async def commit(self, settlement: Settlement) -> None:
        await super().commit(settlement)
        self.write(x.item("note", "hidden_context_item", content="committed"))


class SavingAlone(Apart):
    def add(self, item: Json) -> None:
        pass


class AddingAlone(Apart):
    def save(self, item: Json) -> None:
        pass


class AddingWhatItHas(Apart):
    """It takes a save for an add."""

    def save(self, item: Json) -> None:
        self.held.append(item)


class SavingWhatIsNew(Rows):
    """It takes an add for a save, and does not look how many rows that has changed."""

    def commit(self, settlement: Settlement) -> None:
        with self.database:
            self.database.executemany(
                "UPDATE items SET item = ? WHERE id = ?",
                [(json.dumps(write.item), write.item["id"]) for write in settlement.writes],
            )


class ExpectingSomething(Transacted):
    async def commit(self, settlement: Settlement) -> None:
        settlement.writes[0]
        await super().commit(settlement)


class Impatient(Transacted):
    """It takes its lock, and gives it back when all is well."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = asyncio.Lock()

    async def commit(self, settlement: Settlement) -> None:
        await self.lock.acquire()
        await super().commit(settlement)
        self.lock.release()


class ReadyToBeCancelled(Memory):
    """It takes nothing back when the database raises something."""

    async def commit(self, settlement: Settlement) -> None:
        before = list(self.held)
        items = [write.item for write in settlement.writes]
        try:
            for item in items:
                self.write(item)
                await asyncio.to_thread(json.dumps, item)
        except asyncio.CancelledError:
            self.held = before
            raise


class Unwilling(Transacted):
    async def put(self, items: list[Json]) -> None:
        raise KeyError("thread")


class Binary(Transacted):
    async def items(self) -> Any:
        return [json.dumps(item).encode() for item in self.held]
