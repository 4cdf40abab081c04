"""The laws of a journal, over the journals of this package, with Hypothesis."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import Cause, ThreadState, fold, policies, replay, settle
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.events import Event, ThreadItemDone
from chatkit_reducer.journal import (
    Conflict,
    FileJournal,
    Header,
    Journal,
    JournalError,
    JournalWriter,
    MemoryJournal,
    follow,
    recover,
)
from chatkit_reducer.journal.records import event_record, recovered
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import added, done, message
from chatkit_reducer.testing.strategies import StoppedStream

Make = Callable[[Path], Journal]

JOURNALS: dict[str, Make] = {
    "memory": lambda _: MemoryJournal(),
    "files": lambda directory: FileJournal(directory),  # noqa: PLW0108  # a path, not a str
}


over_all = pytest.mark.parametrize("make", JOURNALS.values(), ids=JOURNALS)


def run_with(make: Make, body: Callable[[Journal], Any]) -> Any:
    with tempfile.TemporaryDirectory() as directory:

        async def run() -> Any:
            journal = make(Path(directory))
            try:
                return await body(journal)
            finally:
                await journal.aclose()

        return asyncio.run(run())


def header(response: str = "r", thread: str = "t") -> Header:
    return Header(response=response, thread=thread, started=datetime.now(UTC))


def record(position: int, text: str = "") -> bytes:
    return b'{"seq":%d,"event":{"type":"progress_update","text":"%b"}}' % (position, text.encode())


def shown(state: ThreadState) -> dict[str, Any]:
    return {item_id: item.to_json() for item_id, item in state.items.items()}


# --- laws 1 to 5 ---------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.integers(-1, 2), st.integers(0, 3), st.sampled_from("ab")), max_size=20
)


@over_all
@pytest.mark.law
@given(steps=STEPS)
def test_it_is_a_list_that_only_grows_at_its_end(make: Make, steps: list[Any]) -> None:
    async def body(journal: Journal) -> None:
        await journal.begin(header())
        written: list[bytes] = []
        for offset, count, text in steps:
            at = max(0, len(written) + offset)
            records = [record(at + place, text) for place in range(1, count + 1)]
            there = bool(records) and written[at : at + count] == records
            try:
                await journal.append("r", at, records)
            except Conflict:
                assert at != len(written)
                assert not there
            else:
                assert at == len(written) or there
                written += [] if there else records
            for after in {0, len(written) // 2, len(written)}:
                found = [each async for each in journal.read("r", after, follow=False)]
                assert found == list(enumerate(written[after:], after + 1))
            with pytest.raises(JournalError):
                async for _ in journal.read("r", len(written) + 1, follow=False):
                    pass

    run_with(make, body)


@over_all
@pytest.mark.law
@given(batches=st.lists(st.integers(1, 3), max_size=6), afters=st.lists(st.integers(0, 9)))
def test_readers_get_each_record_once(make: Make, batches: list[int], afters: list[int]) -> None:
    async def body(journal: Journal) -> None:
        await journal.begin(header())
        writer = JournalWriter(journal, "r", thread="t")
        writer.began = True
        readers: list[tuple[int, asyncio.Task[list[tuple[int, bytes]]]]] = []

        async def read(after: int) -> list[tuple[int, bytes]]:
            return [found async for found in journal.read("r", after)]

        for step, count in enumerate([*batches, 0]):
            after = min(writer.position, afters[step] if step < len(afters) else 0)
            readers.append((after, asyncio.create_task(read(after))))
            await asyncio.sleep(0)
            for _ in range(count):
                await writer.append(ThreadItemDone({"id": "m", "type": "x"}))
        assert not any(reader.done() for _, reader in readers)
        await writer.closed()
        for after, reader in readers:
            found = await asyncio.wait_for(reader, 5)
            assert [position for position, _ in found] == list(
                range(after + 1, writer.position + 1)
            )

    run_with(make, body)


# --- what the records mean -----------------------------------------------------------------------


async def written(
    journal: Journal, events: Sequence[Event], base: Sequence[dict[str, Any]] = ()
) -> JournalWriter:
    writer = JournalWriter(journal, "r", thread="t")
    await writer.begin(base)
    for event in events:
        await writer.append(event)
    assert not writer.failed
    return writer


async def records_of(journal: Journal) -> list[bytes]:
    return [line async for _, line in journal.read("r", follow=False)]


@over_all
@pytest.mark.law
@given(events=chatkit.streams(), base=st.lists(chatkit.items(), max_size=2))
def test_what_is_recovered_is_the_fold(make: Make, events: list[Event], base: list[Any]) -> None:
    async def body(journal: Journal) -> None:
        writer = await written(journal, events, base)
        found = recovered(await records_of(journal))
        before = fold([ThreadItemDone(item) for item in base])
        assert found.base == before
        assert found.delivered == fold(events[:-1], before)
        assert found.state == fold(events, before)
        assert found.settlement is None
        assert not found.closed
        settlement = settle(found.state, policy=policies.KEEP, cause=Cause.CANCELLED)
        assert await writer.settled(settlement)
        found = recovered(await records_of(journal))
        assert found.settlement == settlement
        assert found.state == fold(events, before)
        await writer.closed()
        assert recovered(await records_of(journal)).closed

    run_with(make, body)


@over_all
def test_an_item_of_the_store_is_never_in_doubt(make: Make) -> None:
    async def body(journal: Journal) -> None:
        events: list[Event] = [done(message("m", "new")), done(message("n", "new"))]
        writer = await written(journal, events)
        await writer.base([message("old", "text")])
        found = recovered(await records_of(journal))
        assert list(found.delivered.items) == ["m", "old"]
        settlement = settle(
            found.state, policy=policies.KEEP, cause="crashed", delivered=found.delivered
        )
        assert [write.item["id"] for write in settlement.writes] == ["n"]

    run_with(make, body)


@given(events=chatkit.adversarial_streams())
def test_hostile_events_are_written_and_read(events: list[Event]) -> None:
    async def body(journal: Journal) -> None:
        await written(journal, events)
        recovered(await records_of(journal))

    run_with(JOURNALS["memory"], body)


@given(events=chatkit.streams())
def test_a_file_is_a_log(events: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as directory:

        async def body() -> None:
            journal = FileJournal(directory)
            writer = await written(journal, events)
            await writer.closed()

        asyncio.run(body())
        [path] = Path(directory).iterdir()
        assert replay(path) == fold(events)
        torn = path.read_bytes()[:-10]
        assert shown(replay(BytesIO(torn))) == shown(fold(events))


# --- law 8: resume -------------------------------------------------------------------------------


async def followed(journal: Journal, **options: Any) -> list[tuple[str | None, Event]]:
    return [found async for found in follow(journal, "r", **options)]


@over_all
@pytest.mark.law
@given(stop=chatkit.stops(), data=st.data())
def test_resume_is_never_having_left(make: Make, stop: StoppedStream, data: Any) -> None:
    settlement = settle(stop.state, policy=policies.KEEP, cause=stop.cause)

    async def body(journal: Journal) -> None:
        writer = await written(journal, stop.events)
        live = asyncio.create_task(followed(journal, after="r:0"))
        await asyncio.sleep(0)
        await writer.settled(settlement)
        await writer.closed()
        seen = await asyncio.wait_for(live, 5)
        expected = [*stop.events, *settlement.events]
        assert [to_json(event) for _, event in seen] == [to_json(event) for event in expected]
        cut = data.draw(st.integers(0, len(seen)))
        cursor = "r:0" if cut == 0 else seen[cut - 1][0]
        rest = await followed(journal, after=cursor)
        assert rest == seen[cut:]
        # From what a client shows, however it came to that.
        known = ThreadState.from_items(shown(fold([event for _, event in seen[:cut]])).values())
        for foreign in (None, "r:9999", "s:1", "r:", "-1", "r:-1", "r:1.x", "r:0.1"):
            caught_up = await followed(journal, after=foreign, known=known)
            state = fold([event for _, event in caught_up], known)
            assert shown(state) == shown(fold(expected, known))
            if caught_up:
                assert caught_up[-1][0] == f"r:{writer.position}"
                assert await followed(journal, after=caught_up[-1][0]) == []

    run_with(make, body)


@over_all
def test_each_event_of_a_settlement_has_a_cursor(make: Make) -> None:
    events: list[Event] = [added(message("m", "a")), added(message("n", "b"))]
    settlement = settle(fold(events), policy=policies.KEEP, cause=Cause.CRASHED)

    async def body(journal: Journal) -> None:
        writer = await written(journal, events)
        await writer.settled(settlement)
        await writer.closed()
        seen = await followed(journal, after="r:0")
        assert [cursor for cursor, _ in seen] == ["r:1", "r:2", "r:4.1", "r:4.2"]
        for cut in range(1, 5):
            assert await followed(journal, after=seen[cut - 1][0]) == seen[cut:]
        assert await followed(journal, after="r:3") == seen[2:]  # the settlement is behind it
        assert await followed(journal, after="r:4") == []

    run_with(make, body)


@over_all
def test_the_items_that_a_client_has_from_before_stay(make: Make) -> None:
    known = ThreadState.from_items([message("before", "x"), message("m", "a")])

    async def body(journal: Journal) -> None:
        writer = await written(journal, [added(message("m", "a")), added(message("n", "b"))])
        caught_up = asyncio.create_task(followed(journal, after="s:1", known=known))
        await asyncio.sleep(0.01)
        await writer.closed()
        state = fold([event for _, event in await caught_up], known)
        assert list(state.items) == ["before", "m", "n"]

    run_with(make, body)


@given(events=chatkit.streams(), data=st.data())
def test_a_late_joiner_is_caught_up_and_tails(events: list[Event], data: Any) -> None:
    cut = data.draw(st.integers(0, len(events)))

    async def body(journal: Journal) -> None:
        writer = await written(journal, events[:cut])
        late = asyncio.create_task(followed(journal))
        await asyncio.sleep(0.001)
        for event in events[cut:]:
            await writer.append(event)
        await writer.closed()
        found = await asyncio.wait_for(late, 5)
        state = fold([event for _, event in found])
        assert shown(state) == shown(fold(events))

    run_with(JOURNALS["memory"], body)


@over_all
def test_a_response_that_was_given_up_is_not_taken_for_a_whole_one(make: Make) -> None:
    async def body(journal: Journal) -> None:
        writer = await written(journal, [])
        writer.failed = True
        await writer.closed()
        for options in ({}, {"after": "r:0"}):
            with pytest.raises(JournalError, match="load the thread from the store"):
                await followed(journal, **options)
        with pytest.raises(JournalError):
            [found async for found in follow(journal, "another")]

    run_with(make, body)


def test_a_record_of_an_event_is_a_line_of_a_log() -> None:
    line = event_record(7, b'{"type":"progress_update","text":"x"}')
    state = replay(BytesIO(line + b"\n"))
    assert state.progress is not None
    assert state.progress.text == "x"


@over_all
def test_it_works_on_trio(make: Make, tmp_path: Path) -> None:
    async def body() -> None:
        journal = make(tmp_path)
        writer = await written(journal, [])
        cursors = []

        async def read() -> None:
            cursors.extend([cursor async for cursor, _ in follow(journal, "r", after="r:0")])

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await writer.append(done(message("m", "x")))
            await anyio.sleep(0.01)
            await writer.append(added(message("n", "y")))
            await writer.release()
            settlement = await recover(journal, lambda _: None, policy=policies.KEEP, orphan="r")
        assert settlement is not None
        assert cursors == ["r:1", "r:2", "r:4.1"]

    anyio.run(body, backend="trio")
