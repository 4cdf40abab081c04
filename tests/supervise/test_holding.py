"""Events that are held back from a consumer whose client is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from chatkit_reducer import Settlement
from chatkit_reducer.analysis import check
from chatkit_reducer.core.codec import encode
from chatkit_reducer.events import Event
from chatkit_reducer.journal import JournalWriter, MemoryJournal, follow
from chatkit_reducer.journal.reading import read_whole, records_of
from chatkit_reducer.journal.records import decode_records
from chatkit_reducer.supervise import supervise
from tests.support.supervised import BEGUN, LOOPS, NO_MARKER, WHOLE, run_on


class Absent:
    """A stream whose client leaves behind its first event; `rest` is made when it is away."""

    def __init__(self, rest: list[Event]) -> None:
        self.journal = MemoryJournal()
        self.settled: list[Settlement] = []
        self.got: list[Event] = []
        self.is_made = anyio.Event()
        self._rest = rest
        self.stream = supervise(
            self._produce(),
            self.settled.append,
            policy=NO_MARKER,
            own_task=True,
            journal=JournalWriter(self.journal, "r", thread="t"),
        )

    async def _produce(self) -> AsyncIterator[Event]:
        yield WHOLE[0]
        for event in self._rest:
            yield event
        self.is_made.set()

    async def run(self) -> None:
        async with self.stream as events:
            async for event in events:
                self.got.append(event)
                if len(self.got) == 1:
                    events.hold(15.0)

    async def kinds(self) -> list[str]:
        entries = decode_records(await records_of(self.journal, "r"))
        return [entry.type or "event" for entry in entries]


@pytest.mark.parametrize("loop", LOOPS)
def test_events_that_are_held_back_are_in_the_journal_alone(loop: str) -> None:
    async def body() -> None:
        one = Absent(WHOLE[1:])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.run)
            await one.is_made.wait()
            await anyio.wait_all_tasks_blocked()
            assert one.got == WHOLE[:1]
            assert await one.kinds() == ["event", "journal.left", "event", "event", "event"]
            found = await read_whole(one.journal, "r")
            assert (found.position, found.seen, found.is_away) == (5, 1, True)
            assert found.state.items["m"].to_json()["content"] == []
            await one.stream.release()
            found = await read_whole(one.journal, "r")
            assert not found.is_away
        assert [encode(event) for event in one.got] == [encode(event) for event in WHOLE]
        assert (await one.kinds())[5:] == ["journal.returned", "journal.closed"]
        assert [settlement.writes for settlement in one.settled] == [()]

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_stop_meanwhile_settles_as_of_the_leaving(loop: str) -> None:
    async def body() -> None:
        one = Absent([*BEGUN[1:]])
        followed: list[Any] = []

        async def watch() -> None:
            followed.extend([event async for _, event in follow(one.journal, "r", after="r:0")])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.run)
            await one.is_made.wait()
            tasks.start_soon(watch)
            await anyio.wait_all_tasks_blocked()
            one.stream.stop()
        (settlement,) = one.settled
        assert settlement.cause == "cancelled"
        assert [encode(event) for event in followed] == [
            encode(event) for event in (BEGUN[0], *settlement.events)
        ]
        assert (await one.kinds())[-2:] == ["journal.settled", "journal.closed"]
        found = await read_whole(one.journal, "r")
        assert not found.is_away
        assert found.final.items.keys() == set()  # it was empty when its client left

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_journal_with_an_absence_is_a_log(loop: str) -> None:
    async def body() -> None:
        one = Absent(WHOLE[1:])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.run)
            await one.is_made.wait()
            await one.stream.release()
        events = [entry.event for entry in decode_records(await records_of(one.journal, "r"))]
        assert check(events).findings == ()

    run_on(loop, body)


def test_only_a_producer_in_a_task_of_its_own_can_be_held_back() -> None:
    async def body() -> None:
        async def produce() -> AsyncIterator[Event]:
            yield WHOLE[0]

        async with supervise(produce(), lambda _: None, policy=NO_MARKER) as events:
            async for _ in events:
                with pytest.raises(RuntimeError, match="own_task=True"):
                    events.hold(15.0)

    run_on("asyncio", body)
