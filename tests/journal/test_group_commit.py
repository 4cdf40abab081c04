"""Group commit: who is written with whom, who waits, and what a failure takes with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer.journal._batches import Batch, Records
from chatkit_reducer.journal.group_commit import GroupCommit
from chatkit_reducer.journal.protocol import Conflict, JournalError

ADDED = b'{"type":"thread.item.added"}'
DELTA = b'{"seq":7,"event":{"type":"thread.item.updated"}}'
CLOSED = b'{"type":"journal.closed"}'
AN_HOUR = 3600.0


class Server:
    """Where batches go: it answers when it is told to, or at once."""

    def __init__(self, *, open_: bool = True) -> None:
        self.trips: list[list[tuple[str, int, list[bytes]]]] = []
        self.records: dict[str, list[bytes]] = {}
        self.gate = asyncio.Event()
        if open_:
            self.gate.set()
        self.failure: BaseException | None = None

    async def write(self, batches: Sequence[Batch]) -> Sequence[JournalError | None]:
        self.trips.append([(batch.response, batch.at, list(batch.records)) for batch in batches])
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return [self._add(batch) for batch in batches]

    def _add(self, batch: Batch) -> JournalError | None:
        there = self.records.setdefault(batch.response, [])
        if batch.at != len(there):
            return Conflict(f"expected {batch.at}, got {len(there)}")
        there += batch.records
        return None


def run(body: Callable[[], Awaitable[Any]]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(60):
            await body()

    asyncio.run(in_time())


async def idle() -> None:
    """Let all go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_the_first_is_written_at_once_and_those_that_come_meanwhile_together() -> None:
    async def body() -> None:
        server = Server(open_=False)
        group = GroupCommit(server.write, lag=0)
        names = [f"r{number}" for number in range(5)]
        for name in names:
            group.begun(name)
        first = asyncio.create_task(group.append("r0", 0, [ADDED]))
        await idle()
        others = [asyncio.create_task(group.append(name, 0, [DELTA])) for name in names[1:]]
        await idle()
        assert [len(trip) for trip in server.trips] == [1]
        server.gate.set()
        await asyncio.gather(first, *others)
        assert [len(trip) for trip in server.trips] == [1, 4]

    run(body)


def test_deltas_run_ahead_and_go_with_the_next_structural_record() -> None:
    async def body() -> None:
        server = Server()
        group = GroupCommit(server.write, lag=AN_HOUR)
        group.begun("r")
        for at in range(9):
            await group.append("r", at, [DELTA])
        assert server.trips == []
        await group.append("r", 9, [ADDED])
        assert server.trips == [[("r", 0, [*[DELTA] * 9, ADDED])]]

    run(body)


def test_deltas_are_written_within_the_lag() -> None:
    async def body() -> None:
        server = Server()
        group = GroupCommit(server.write, lag=0.01)
        group.begun("r")
        await group.append("r", 0, [DELTA])
        while not server.records:
            await asyncio.sleep(0.001)

    run(body)


def test_without_a_lag_each_waits() -> None:
    async def body() -> None:
        server = Server()
        group = GroupCommit(server.write, lag=0)
        group.begun("r")
        for at in range(3):
            await group.append("r", at, [DELTA])
            assert len(server.trips) == at + 1

    run(body)


def test_a_stream_waits_while_its_records_are_older_than_the_lag() -> None:
    async def body() -> None:
        server = Server(open_=False)
        group = GroupCommit(server.write, lag=0.01)
        group.begun("r")
        at = 0
        while True:  # deltas are taken until the first one is too old
            append = asyncio.create_task(group.append("r", at, [DELTA]))
            at += 1
            await asyncio.sleep(0.002)
            if not append.done():
                break
        assert server.records == {}
        server.gate.set()
        await append
        assert server.records["r"]
        await group.flush()
        assert len(server.records["r"]) == at

    run(body)


@pytest.mark.parametrize("failure", [JournalError("gone"), ValueError("a bug")])
@pytest.mark.parametrize("record", [DELTA, ADDED])
def test_a_group_that_fails_fails_the_next_append_of_each_stream(
    failure: Exception, record: bytes
) -> None:
    async def body() -> None:
        server = Server(open_=False)
        group = GroupCommit(server.write, lag=AN_HOUR)
        for name in "ab":
            group.begun(name)
            await group.append(name, 0, [DELTA])
        waiting = asyncio.create_task(group.append("a", 1, [ADDED]))
        await idle()
        await group.append("b", 1, [DELTA])  # for the next trip
        behind = asyncio.create_task(group.append("a", 2, [ADDED]))
        await idle()
        server.failure = failure
        server.gate.set()
        for task in waiting, behind:
            with pytest.raises(JournalError, match=r"gone|a bug"):
                await task
        assert len(server.trips) == 1
        server.failure = None
        with pytest.raises(JournalError, match=r"gone|a bug"):  # none has heard of it yet
            await group.append("b", 2, [record])
        for name in "ab":
            for at in 1, 2, 3:
                with pytest.raises(Conflict):
                    await group.append(name, at, [record])
        await group.flush()
        assert list(filter(None, server.records.values())) == [], "nothing stands behind a hole"

        # Who has read where the response ends goes on from there.
        await group.append("b", 0, [ADDED])
        await group.append("b", 1, [CLOSED])
        assert server.records["b"] == [ADDED, CLOSED]

    run(body)


def test_another_writer_fences_off_the_first() -> None:
    async def body() -> None:
        server = Server()
        group = GroupCommit(server.write, lag=AN_HOUR)
        group.begun("r")
        await group.append("r", 0, [ADDED])
        server.records["r"] += [DELTA] * 2
        await group.append("r", 1, [DELTA])
        await group.flush()
        with pytest.raises(Conflict):  # at the end, by accident: this writer does not know it
            server.records["r"].pop()
            await group.append("r", 2, [ADDED])
        for at in 1, 3:
            with pytest.raises(Conflict):
                await group.append("r", at, [ADDED])
        assert server.records["r"] == [ADDED, DELTA]

    run(body)


def test_a_wrong_position_does_no_harm_to_the_right_one() -> None:
    async def body() -> None:
        server = Server()
        group = GroupCommit(server.write, lag=AN_HOUR)
        group.begun("r")
        await group.append("r", 0, [DELTA])
        for at in 0, 2:
            with pytest.raises(Conflict):
                await group.append("r", at, [ADDED])
        await group.append("r", 1, [ADDED])
        assert server.records == {"r": [DELTA, ADDED]}

    run(body)


def test_a_caller_that_is_cancelled_leaves_its_records_on_their_way() -> None:
    async def body() -> None:
        server = Server(open_=False)
        group = GroupCommit(server.write, lag=0)
        group.begun("r")
        gone = asyncio.create_task(group.append("r", 0, [ADDED]))
        await idle()
        gone.cancel()
        await asyncio.wait([gone])
        server.gate.set()
        await group.append("r", 1, [ADDED])
        assert server.records == {"r": [ADDED, ADDED]}

    run(body)


def test_a_line_break_and_a_closing_record_in_the_middle_are_misuse() -> None:
    async def body() -> None:
        server = Server()
        group = GroupCommit(server.write, lag=0)
        group.begun("r")
        with pytest.raises(ValueError, match="line breaks"):
            await group.append("r", 0, [b"{}\n"])
        with pytest.raises(ValueError, match="last one"):
            await group.append("r", 0, [CLOSED, ADDED])
        await group.append("r", 0, [])
        assert server.trips == []

    run(body)


@pytest.mark.parametrize(
    ("record", "may_lag"),
    [
        (DELTA, True),
        (b'{"type":"thread.item.updated"}', True),
        (b'{"type":"thread.item.done","item":{"type":"thread.item.updated"}}', False),
        (b'{"event":{"type":"journal.settled","settlement":{}}}', False),
        (b'{"type":"of a later protocol"}', False),
        (b"no JSON", False),
        (b"[]", False),
    ],
)
def test_all_but_deltas_wait(record: bytes, may_lag: bool) -> None:
    assert Records([record]).may_lag is may_lag


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["delta", "added", "pause", "other writer", "fail", "back"]),
        st.sampled_from("ab"),
    ),
    max_size=40,
)


@given(OPERATIONS, st.sampled_from([0, 0.001, AN_HOUR]))
def test_what_is_written_is_a_prefix_of_what_was_appended(  # noqa: C901  # six operations
    operations: list[tuple[str, str]], lag: float
) -> None:
    """And all that an awaited append was told to be written is."""

    async def body() -> None:
        server = Server()
        group = GroupCommit(server.write, lag=lag)
        appended: dict[str, list[bytes]] = {name: [] for name in "ab"}
        acknowledged = dict.fromkeys("ab", 0)
        fenced: set[str] = set()
        failed: set[str] = set()  # a writer stops then
        for name in "ab":
            group.begun(name)
            server.records[name] = []
        for count, (what, name) in enumerate(operations):
            if what in ("delta", "added") and name not in failed:
                type_ = "thread.item.updated" if what == "delta" else "thread.item.added"
                record = b'{"type":"%s","n":%d}' % (type_.encode(), count)
                appended[name].append(record)
                try:
                    await group.append(name, len(appended[name]) - 1, [record])
                except JournalError:
                    failed.add(name)
                    continue
                if what == "added" or not lag:
                    acknowledged[name] = len(appended[name])
            elif what == "pause":
                await asyncio.sleep(0.002)
            elif what == "other writer" and name not in fenced:
                await group.flush()
                server.records[name].append(b"{}")
                fenced.add(name)
            elif what in ("fail", "back"):
                server.failure = JournalError("gone") if what == "fail" else None
        server.failure = None
        await group.flush()
        for name, records in server.records.items():
            own = records[:-1] if name in fenced else records
            assert own == appended[name][: len(own)]
            assert len(own) >= acknowledged[name]

    run(body)
