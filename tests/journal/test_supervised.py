"""`supervise` with a journal: written ahead, settled once, and never harmed by its journal."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_reducer import Settlement, ThreadState, fold, policies, settle
from chatkit_reducer.core.codec import encode
from chatkit_reducer.events import Event, ThreadItemDone, ThreadItemReplaced, UnknownEvent
from chatkit_reducer.journal import (
    FileJournal,
    Header,
    JournalError,
    JournalWriter,
    MemoryJournal,
    recover,
)
from chatkit_reducer.journal.reading import records_of
from chatkit_reducer.journal.records import (
    Entry,
    closed_record,
    decode_records,
    recovered,
)
from chatkit_reducer.supervise import MarkerFields, supervise
from chatkit_reducer.testing.examples import added, done, message, removed, replaced, text_delta
from tests.support.supervised import LOOPS, run_on

WHOLE: list[Event] = [added(message("m")), text_delta("m", "one "), done(message("m", "one "))]
BEGUN: list[Event] = [
    *WHOLE,
    added(message("n")),
    text_delta("n", "two "),
    text_delta("n", "three"),
]


HEADER = Header(response="r", thread="t", started=datetime.now(UTC))


@attrs.define
class Exchange:
    """A producer, a store and a client around one supervised stream."""

    script: list[Any]
    leave_after: int | None = None
    fails: int = 0
    store: dict[str, Any] = attrs.field(factory=dict)
    got: list[Event] = attrs.field(factory=list)
    commits: list[Settlement] = attrs.field(factory=list)
    state: ThreadState | None = None
    asked: int = 0

    async def produce(self) -> AsyncIterator[Event]:
        for step in self.script:
            self.asked += 1
            await anyio.lowlevel.checkpoint()
            if isinstance(step, Exception):
                raise step
            yield step

    async def commit(self, settlement: Settlement) -> None:
        await anyio.lowlevel.checkpoint()
        if len(self.commits) < self.fails:
            self.commits.append(settlement)
            raise ConnectionError("no store")
        self.commits.append(settlement)
        self.store.update({write.item["id"]: write.item for write in settlement.writes})

    async def load(self, item_id: str) -> Any:
        await anyio.lowlevel.checkpoint()
        return self.store.get(item_id)

    async def run(self, writer: JournalWriter | None, **options: Any) -> None:
        stream = supervise(
            self.produce(),
            self.commit,
            policy=policies.KEEP,
            state=self.state,
            load=self.load,
            marker=MarkerFields(new_id=lambda: "marker", now=lambda: "2026-01-01", thread_id="t"),
            journal=writer,
            **{"commit_attempts": 1, **options},
        )
        async with stream:
            try:
                async for event in stream:
                    if isinstance(event, ThreadItemDone | ThreadItemReplaced):
                        self.store[event.item["id"]] = event.item
                    self.got.append(event)
                    if len(self.got) == self.leave_after:
                        break
            except ValueError as error:
                assert str(error) == "model"  # noqa: PT017  # the producer's own

    @property
    def outcome(self) -> Any:
        return self.store, self.got, [settlement.to_json() for settlement in self.commits]


async def entries_of(journal: Any, response: str) -> list[Entry]:
    return decode_records(await records_of(journal, response))


def kinds(entries: Iterable[Entry]) -> list[str]:
    return [entry.type or type(entry.event).__name__ for entry in entries]


# --- the order ------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
def test_an_event_is_in_the_journal_before_the_consumer_has_it(loop: str) -> None:
    async def body() -> None:
        journal = MemoryJournal()
        writer = JournalWriter(journal, "r", thread="t")
        exchange = Exchange(BEGUN)
        seen: list[int] = []
        stream = supervise(
            exchange.produce(), exchange.commit, policy=policies.KEEP, journal=writer
        )
        async for event in stream:
            entries = await entries_of(journal, "r")
            assert entries[-1].event == event
            seen.append(exchange.asked)
            assert len(entries) == exchange.asked  # it does not read ahead
            await anyio.lowlevel.checkpoint()
        assert seen == list(range(1, len(BEGUN) + 1))

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_the_settlement_is_recorded_before_the_commit_and_closed_behind_it(loop: str) -> None:
    async def body() -> None:
        journal = MemoryJournal()
        writer = JournalWriter(journal, "r", thread="t")
        at_commit: list[str] = []

        async def commit(settlement: Settlement) -> None:
            entries = await entries_of(journal, "r")
            at_commit.extend(kinds(entries)[-2:])
            found = recovered(await records_of(journal, "r"))
            assert found.settlement == settlement

        stream = supervise(Exchange(BEGUN).produce(), commit, policy=policies.KEEP, journal=writer)
        async with stream:
            async for _ in stream:
                pass
        assert at_commit == ["ThreadItemUpdated", "journal.settled"]
        assert kinds(await entries_of(journal, "r"))[-2:] == ["journal.settled", "journal.closed"]

    run_on(loop, body)


def test_an_end_with_nothing_to_write_is_one_record() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        await Exchange(WHOLE).run(JournalWriter(journal, "r", thread="t"))
        assert kinds(await entries_of(journal, "r"))[-2:] == ["ThreadItemDone", "journal.closed"]

    run_on("asyncio", body)


def test_an_event_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[Event] = []

    def counting(event: Event) -> bytes:
        times.append(event)
        return encode(event)

    monkeypatch.setattr("chatkit_reducer.journal.writer.encode", counting)
    converted: list[Event] = []

    def convert(event: Event) -> Event:
        converted.append(event)
        return event

    async def body() -> None:
        exchange = Exchange(BEGUN)
        await exchange.run(JournalWriter(MemoryJournal(), "r", thread="t"), convert=convert)

    run_on("asyncio", body)
    assert times == converted == BEGUN


def test_stored_items_are_base_records_before_the_events_that_mention_them() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        old, other = message("old", "as it was"), message("other", "in the store")
        exchange = Exchange(
            [text_delta("old", "!"), text_delta("other", "!"), text_delta("old", "?")],
            state=fold([done(old), done(message("untouched"))]),
            store={"old": old, "other": other},
        )
        writer = JournalWriter(journal, "r", thread="t")
        await exchange.run(writer)
        entries = (await entries_of(journal, "r"))[:5]
        assert [entry.base for entry in entries] == [True, False, True, False, False]
        found = recovered(await records_of(journal, "r"))
        assert found.base.items["old"].to_json() == old
        assert found.base.items["other"].to_json() == other
        assert "untouched" not in found.base.items

    run_on("asyncio", body)


def test_items_that_were_pending_before_are_settled_by_a_recovery() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        before = fold([added(message("m")), text_delta("m", "seen before")])
        exchange = Exchange([added(message("n"))], state=before)
        stream = supervise(
            exchange.produce(),
            exchange.commit,
            policy=policies.KEEP,
            state=before,
            journal=JournalWriter(journal, "r", thread="t"),
        )
        await anext(aiter(stream))
        found = recovered(await records_of(journal, "r"))
        assert found.state.items["m"] == before.items["m"]
        assert set(found.state.pending) == {"m", "n"}
        await stream.aclose()

    run_on("asyncio", body)


# --- the outbox -----------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("script", [BEGUN, WHOLE])
def test_a_commit_that_failed_is_left_to_a_recovery(loop: str, script: list[Event]) -> None:
    async def body() -> None:
        journal = MemoryJournal()
        exchange = Exchange(script, fails=1, leave_after=len(script))
        await exchange.run(JournalWriter(journal, "r", thread="t"))
        assert [header.response for header in await journal.find(orphaned=True)] == ["r"]
        again = await recover(journal, exchange.commit, policy=policies.DROP, orphan="r")
        first, second = exchange.commits
        assert again == first == second  # its policy, its cause, and its marker's id
        assert await journal.find() == []

    run_on(loop, body)


def test_a_commit_of_nothing_that_failed_keeps_its_cause() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        exchange = Exchange(WHOLE, fails=1)
        await exchange.run(JournalWriter(journal, "r", thread="t"))
        await recover(journal, exchange.commit, policy=policies.KEEP, orphan="r")
        assert [each.cause for each in exchange.commits] == ["ended", "ended"]

    run_on("asyncio", body)


# --- taken over -----------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("at", range(len(BEGUN) + 1))
def test_a_stream_that_is_taken_over_ends_and_commits_nothing(
    loop: str, at: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        journal = MemoryJournal()
        exchange = Exchange(BEGUN)
        stream = supervise(
            exchange.produce(),
            exchange.commit,
            policy=policies.KEEP,
            journal=JournalWriter(journal, "r", thread="t"),
        )
        got = []
        async with stream:
            events = aiter(stream)
            if not at:
                await journal.begin(HEADER)
            got += [await anext(events) for _ in range(at)]
            if at:
                await journal.append("r", at, [closed_record(at + 1)])
            got += [event async for event in events]
        assert got == BEGUN[:at]
        assert exchange.commits == []
        assert stream.corrections == ()
        assert exchange.asked <= at + 1

    run_on(loop, body)
    assert len([r for r in caplog.records if "taken over" in r.message]) == 1
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


# --- law 9: a broken net changes nothing ----------------------------------------------------------


class Failing(MemoryJournal):
    """It raises at its k-th call, before or after its work, and then again or not."""

    def __init__(self, at: int, *, works: bool, again: bool, suspends: bool) -> None:
        super().__init__()
        self._at = at
        self._works = works
        self._again = again
        self._suspends = suspends
        self.calls = 0

    async def _call(self, work: Callable[[], Any]) -> None:
        self.calls += 1
        due = self.calls == self._at or (self._again and self.calls > self._at)
        if self._suspends:
            await anyio.lowlevel.checkpoint()
        if not due or self._works:
            await work()
        if due:
            raise JournalError("disk full")

    async def begin(self, header: Header) -> None:
        begin = super().begin
        await self._call(lambda: begin(header))

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        append = super().append
        await self._call(lambda: append(response, at, records))

    async def release(self, response: str) -> None:
        release = super().release
        await self._call(lambda: release(response))


ENDINGS: list[dict[str, Any]] = [
    {"script": WHOLE},
    {"script": BEGUN},
    {"script": [*BEGUN, ValueError("model")]},
    {"script": BEGUN, "leave_after": 5},
    {"script": BEGUN, "fails": 1},
    {"script": [text_delta("old", "!")], "store": {"old": message("old", "as it was")}},
    {"script": [replaced(message("old", "new"))], "state": fold([done(message("old", "x"))])},
]


def fresh(ending: dict[str, Any]) -> Exchange:
    return Exchange(**{**ending, "store": dict(ending.get("store", {}))})


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("suspends", [False, True])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("works", [False, True])
def test_a_journal_that_fails_changes_nothing(
    loop: str,
    works: bool,
    again: bool,
    suspends: bool,  # parameters
) -> None:
    async def body() -> None:
        for ending in ENDINGS:
            without = fresh(ending)
            await without.run(None)
            calls = at = 1
            while at <= calls + 1:
                journal = Failing(at, works=works, again=again, suspends=suspends)
                exchange = fresh(ending)
                await exchange.run(JournalWriter(journal, "r", thread="t"))
                assert exchange.outcome == without.outcome
                calls, at = max(calls, journal.calls), at + 1
            assert calls > len(ending["script"])

    run_on(loop, body)


@settings(max_examples=60)
@given(data=st.data())
def test_any_journal_that_fails_changes_nothing(data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(BEGUN)))
    leave = data.draw(st.none() | st.integers(1, len(BEGUN)))
    ending = {"script": BEGUN[:length], "leave_after": leave, "fails": data.draw(st.integers(0, 1))}
    bad = data.draw(st.frozensets(st.integers(1, 20)))

    class Anyhow(Failing):
        async def _call(self, work: Callable[[], Any]) -> None:
            self._at = self.calls + 1 if self.calls + 1 in bad else 0
            await super()._call(work)

    async def body() -> None:
        without, exchange = fresh(ending), fresh(ending)
        await without.run(None)
        journal = Anyhow(0, works=data.draw(st.booleans()), again=False, suspends=True)
        await exchange.run(JournalWriter(journal, "r", thread="t"))
        assert exchange.outcome == without.outcome

    run_on("asyncio", body)


class Hanging(Failing):
    """It hangs at its k-th call, before or after its work, and then again or not."""

    async def _call(self, work: Callable[[], Any]) -> None:
        self.calls += 1
        due = self.calls == self._at or (self._again and self.calls > self._at)
        if not due or self._works:
            await work()
        if due:
            with anyio.fail_after(60):  # a limit of its own, as drivers have
                await anyio.sleep_forever()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("works", [False, True])
def test_a_journal_that_hangs_changes_nothing(
    loop: str, works: bool, again: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Law 9, for a journal that hangs at its k-th call, for every k."""

    async def stream_with(journal: Hanging, ending: dict[str, Any]) -> Any:
        exchange = fresh(ending)
        writer = JournalWriter(journal, "r", thread="t")
        with anyio.fail_after(10):
            await exchange.run(writer, journal_timeout=0.01)
        return exchange.outcome, writer

    async def body() -> None:
        for ending in ENDINGS[:1] + ENDINGS[3:4]:
            without = fresh(ending)
            await without.run(None)
            _, writer = await stream_with(journal := Hanging(99, **kind), ending)
            assert not writer.failed
            for at in range(1, journal.calls + 1):
                caplog.clear()
                outcome, writer = await stream_with(journal := Hanging(at, **kind), ending)
                assert outcome == without.outcome
                assert writer.failed
                assert journal.calls <= at + 1 + again  # then the end, to mark it as given up
                [record] = caplog.records
                assert "The answer goes on" in record.getMessage()
                assert "it took longer than 0.01 seconds" in record.getMessage()

    kind = {"works": works, "again": again, "suspends": True}
    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("limit", [None, 30])
def test_a_slow_journal_that_is_in_time_has_it_all(loop: str, limit: float | None) -> None:
    class Slow(MemoryJournal):
        async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
            await anyio.sleep(0.01)
            await super().append(response, at, records)

    async def body() -> None:
        journal = Slow()
        await Exchange(WHOLE).run(JournalWriter(journal, "r", thread="t"), journal_timeout=limit)
        found = recovered(await records_of(journal, "r"))
        assert found.closed
        assert found.state == fold(WHOLE)
        assert not found.abandoned

    run_on(loop, body)


# --- cancelled ------------------------------------------------------------------------------------


class Slow(MemoryJournal):
    """A write happens, and its answer takes until `goes_on`, or for ever."""

    def __init__(
        self, hang_at: int, hanging: anyio.Event, goes_on: anyio.Event | None = None
    ) -> None:
        super().__init__()
        self.hang_at = hang_at
        self._hanging = hanging
        self._goes_on = goes_on or anyio.Event()
        self._calls = 0

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        await super().append(response, at, records)
        self._calls += 1
        if self._calls == self.hang_at:
            self._hanging.set()
            await self._goes_on.wait()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("at", range(1, len(BEGUN) + 1))
def test_a_write_that_is_cut_off_is_not_taken_for_another_writer(loop: str, at: int) -> None:
    async def body() -> None:
        hanging = anyio.Event()
        journal = Slow(at, hanging)
        writer = JournalWriter(journal, "r", thread="t")
        exchange = Exchange(BEGUN)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exchange.run, writer)
            await hanging.wait()
            tasks.cancel_scope.cancel()
        assert not writer.taken_over
        assert len(exchange.commits) == 1
        assert exchange.got == BEGUN[: at - 1]
        found = recovered(await records_of(journal, "r"))
        assert found.closed
        assert found.settlement in (None, exchange.commits[0])

    run_on(loop, body)


STORED = done(message("m", "stored"))
NOTE = done({**message("m"), "type": "hidden_context_item", "content": "a note"})
UNSENT_REMOVALS: list[tuple[list[Event], list[Event], list[Event]]] = [
    # the thread before, what the client gets, and what it is told behind the settlement
    ([], [added(message("m")), text_delta("m", "gone")], [removed("m")]),
    ([STORED], [text_delta("m", ", and more")], [replaced(message("m", "stored"))]),
    ([NOTE], [added(message("m", "shown"))], [removed("m")]),
    ([], [STORED], []),  # the store has it still, and the client shows it
    ([], [added({**message("m"), "type": "hidden_context_item", "content": "a note"})], []),
    ([], [], []),
]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("ends", ["stopped", "cancelled"])
@pytest.mark.parametrize(("before", "sent", "told"), UNSENT_REMOVALS)
def test_a_removal_that_the_client_was_not_sent_is_told_behind_the_settlement(
    loop: str, ends: str, before: list[Event], sent: list[Event], told: list[Event]
) -> None:
    async def body() -> None:
        hanging, goes_on = anyio.Event(), anyio.Event()
        state = fold(before)
        journal = Slow(len(sent) + 1 + bool(before), hanging, goes_on)
        exchange = Exchange([*sent, removed("m")], state=state)
        stream = supervise(
            exchange.produce(),
            exchange.commit,
            policy=policies.KEEP,
            state=state,
            journal=JournalWriter(journal, "r", thread="t"),
            deliver=lambda event: event,
        )

        async def consume() -> None:
            async with stream:
                async for event in stream:
                    exchange.got.append(event)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consume)
            await hanging.wait()
            stream.stop() if ends == "stopped" else tasks.cancel_scope.cancel()
            goes_on.set()
        assert stream.settlement is not None
        assert stream.settlement.verdicts == ()
        assert exchange.got == [*sent, *(told if ends == "stopped" else [])]
        assert list(stream.corrections) == told

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_removal_that_the_consumer_was_given_is_not_taken_back(loop: str) -> None:
    async def body() -> None:
        goes_on = anyio.Event()
        goes_on.set()  # the write takes a turn of the event loop, and no longer
        exchange = Exchange([text_delta("m", ", and more"), removed("m")], state=fold([STORED]))
        stream = supervise(
            exchange.produce(),
            exchange.commit,
            policy=policies.KEEP,
            state=exchange.state,
            journal=JournalWriter(Slow(3, anyio.Event(), goes_on), "r", thread="t"),
        )
        async with stream:
            async for event in stream:
                exchange.got.append(event)
                if event == removed("m"):
                    break
        assert exchange.got == exchange.script
        assert stream.corrections == ()

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_records_whose_write_was_cut_off_are_written_once(loop: str) -> None:
    settlement = settle(fold(BEGUN), policy=policies.KEEP, cause="cancelled")

    async def body() -> None:
        hangs = anyio.Event()
        journal = Slow(1, hangs)
        writer = JournalWriter(journal, "r", thread="t")
        await writer.begin()
        for write in (lambda: writer.settled(settlement), writer.closed):
            with anyio.move_on_after(0.01):
                await write()
            assert await writer.settled(settlement)
            journal.hang_at = 2
        await writer.closed()
        assert kinds(await entries_of(journal, "r")) == ["journal.settled", "journal.closed"]
        assert not writer.failed

    run_on(loop, body)


# --- errors ---------------------------------------------------------------------------------------


def test_anything_but_a_writer_is_refused(tmp_path: Any) -> None:
    with pytest.raises(TypeError, match="expected journal to be a JournalWriter, got FileJournal"):
        supervise(
            Exchange([]).produce(),
            lambda _: None,
            policy=policies.KEEP,
            journal=FileJournal(tmp_path),  # type: ignore[arg-type]
        )


def test_events_of_the_journal_itself_do_not_end_it() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        forged = UnknownEvent({"type": "journal.closed"})
        exchange = Exchange([*BEGUN[:1], forged, *BEGUN[1:]])
        await exchange.run(JournalWriter(journal, "r", thread="t"))
        assert forged in exchange.got
        assert kinds(await entries_of(journal, "r")).count("journal.closed") == 1

    run_on("asyncio", body)
