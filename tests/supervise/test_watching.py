"""A watcher is told of each event that the consumer gets, once, and of the settlement."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from chatkit_reducer import Policy, Settlement, ThreadState
from chatkit_reducer.errors import CommitError
from chatkit_reducer.events import Event, Json, ThreadItemDone
from chatkit_reducer.journal import JournalWriter, MemoryJournal
from chatkit_reducer.supervise import supervise
from chatkit_reducer.testing.examples import message, text_delta
from tests.support.supervised import BEGUN, LOOPS, NO_MARKER, WHOLE, run_on


class Notes:
    """A watcher of one stream that keeps what it is told."""

    def __init__(self) -> None:
        self.begun: list[tuple[ThreadState, Policy]] = []
        self.events: list[Event] = []
        self.ends: list[tuple[Settlement | None, CommitError | None]] = []

    def watch(self, state: ThreadState, policy: Policy, /) -> Notes:
        self.begun.append((state, policy))
        return self

    def take(self, event: Event, /) -> None:
        self.events.append(event)

    def finish(self, settlement: Settlement | None, failure: CommitError | None, /) -> None:
        self.ends.append((settlement, failure))


async def produced(events: list[Any]) -> AsyncIterator[Any]:
    for event in events:
        yield event


@pytest.mark.parametrize("journaled", [False, True])
@pytest.mark.parametrize("loop", LOOPS)
def test_it_is_told_before_the_consumer_and_of_the_settlement(loop: str, journaled: bool) -> None:
    async def body() -> None:
        notes, settled = Notes(), list[Settlement]()
        journal = JournalWriter(MemoryJournal(), "r", thread="t") if journaled else None
        stream = supervise(
            produced([*WHOLE, object()]),
            settled.append,
            policy=NO_MARKER,
            watcher=notes,
            journal=journal,
        )
        got = 0
        async for _ in stream:
            got = min(got + 1, len(WHOLE))
            assert notes.events == WHOLE[:got]
            assert notes.ends == []
        assert notes.events == WHOLE
        assert notes.begun == [(ThreadState(), NO_MARKER)]
        assert notes.ends == [(settled[0], None)]

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_it_is_told_of_the_stored_copy_that_an_update_is_for(loop: str) -> None:
    async def body() -> None:
        notes, copy = Notes(), message("old", "Once")

        async def load(item_id: str) -> Json | None:
            return copy if item_id == "old" else None

        stream = supervise(
            produced([text_delta("old", " upon"), text_delta("old", " a")]),
            lambda _: None,
            policy=NO_MARKER,
            load=load,
            watcher=notes,
        )
        async for _ in stream:
            pass
        assert notes.events == [
            ThreadItemDone(copy),
            text_delta("old", " upon"),
            text_delta("old", " a"),
        ]

    run_on(loop, body)


@pytest.mark.parametrize(("comes_back", "leaves"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("loop", LOOPS)
def test_events_that_are_held_back_are_told_once_and_only_if_they_are_released(
    loop: str, comes_back: bool, leaves: bool
) -> None:
    async def body() -> None:
        notes, is_made = Notes(), anyio.Event()

        async def produce() -> AsyncIterator[Event]:
            for event in WHOLE:
                yield event
            is_made.set()
            await anyio.sleep_forever()

        stream = supervise(
            produce(),
            lambda _: None,
            policy=NO_MARKER,
            own_task=True,
            journal=JournalWriter(MemoryJournal(), "r", thread="t"),
            watcher=notes,
        )

        async def consume() -> None:
            async with stream as events:
                async for _ in events:
                    if len(notes.events) == 1:
                        events.hold(15.0)
                    elif leaves:
                        break  # and the rest of the released events is told at the end

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consume)
            await is_made.wait()
            await anyio.wait_all_tasks_blocked()
            assert notes.events == WHOLE[:1]
            if comes_back:
                await stream.release()
                await anyio.wait_all_tasks_blocked()
            stream.stop()
        assert notes.events == (WHOLE if comes_back else WHOLE[:1])

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_it_is_told_of_the_end_of_a_consumer_that_leaves(loop: str) -> None:
    async def body() -> None:
        notes = Notes()
        async with supervise(
            produced(BEGUN), lambda _: None, policy=NO_MARKER, watcher=notes
        ) as stream:
            async for _ in stream:
                break
        ((settlement, failure),) = notes.ends
        assert settlement is not None
        assert (settlement.cause, failure) == ("cancelled", None)

    run_on(loop, body)
