"""Recovery: one settlement, one end, whatever recovers and dies meanwhile."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import Settlement, ThreadState, fold, policies, settle
from chatkit_reducer.events import Event
from chatkit_reducer.journal import (
    Conflict,
    Header,
    JournalError,
    JournalWriter,
    MemoryJournal,
    Recovery,
    recover,
    recover_all,
)
from chatkit_reducer.journal.records import (
    SETTLED,
    closed_record,
    decode_records,
    event_record,
    is_closing,
    recovered,
)
from chatkit_reducer.journal.recovery import close_unsettled
from chatkit_reducer.supervise import MarkerFields
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    done,
    message,
    part,
    part_added,
    text_delta,
)
from chatkit_reducer.testing.strategies import StoppedStream

HALF: list[Event] = [added(message("m")), part_added("m", part("")), text_delta("m", "The moon")]
ANSWER = {**message("m"), "content": [part("The moon is far.", citation("Moon"))]}


class Unleased(MemoryJournal):
    """A journal whose leases are always wrong, and that others come between at each call."""

    def __init__(self, choose: random.Random) -> None:
        super().__init__()
        self._choose = choose

    async def _others(self) -> None:
        for _ in range(self._choose.randint(0, 3)):
            await asyncio.sleep(0)

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        await self._others()
        await super().append(response, at, records)
        await self._others()

    async def read(
        self, response: str, after: int = 0, *, follow: bool = True
    ) -> AsyncIterator[tuple[int, bytes]]:
        await self._others()
        async for found in super().read(response, after, follow=follow):
            yield found

    async def claim(self, response: str) -> bool:
        await self._others()
        return not self._responses[response].closed


async def written(
    journal: MemoryJournal, events: Sequence[Event], response: str = "r", thread: str = "t"
) -> JournalWriter:
    writer = JournalWriter(journal, response, thread=thread, meta={"user": "u"})
    await writer.begin()
    for event in events:
        await writer.append(event)
    return writer


async def records_of(journal: MemoryJournal, response: str = "r") -> list[bytes]:
    return [line async for _, line in journal.read(response, follow=False)]


# --- law 7: once ---------------------------------------------------------------------------------


class Store:
    """Items by id, written one by one, while others come between; it may fail or be cut off."""

    def __init__(self, items: dict[str, Any], choose: random.Random) -> None:
        self.items = items
        self._choose = choose

    async def commit(self, settlement: Settlement) -> None:
        for write in settlement.writes:
            await asyncio.sleep(0)
            if self._choose.random() < 0.15:
                raise ConnectionError("the store is gone")
            self.items[write.item["id"]] = write.item


def marker_fields(choose: random.Random) -> MarkerFields:
    return MarkerFields(new_id=lambda: f"marker_{choose.random()}")


@pytest.mark.law
@given(stop=chatkit.stops(), seed=st.integers(0, 10_000), count=st.integers(1, 4))
def test_there_is_one_settlement_and_one_end(stop: StoppedStream, seed: int, count: int) -> None:
    choose = random.Random(seed)

    async def body() -> None:
        journal = Unleased(choose)
        writer = await written(journal, stop.events)
        delivered = recovered(await records_of(journal)).delivered
        store = Store(stored_items(delivered), choose)

        async def recovering() -> None:
            with suppress(ConnectionError, JournalError):
                await recover(
                    journal,
                    store.commit,
                    policy=policies.KEEP,
                    orphan="r",
                    marker=marker_fields(choose),
                )

        async def zombie() -> None:
            for _ in range(choose.randint(0, 20)):
                await asyncio.sleep(0)
            await writer.append(text_delta("m", "too late"))

        tasks = [asyncio.create_task(recovering()) for _ in range(count)]
        tasks.append(asyncio.create_task(zombie()))
        for _ in range(choose.randint(0, 30)):
            await asyncio.sleep(0)
        choose.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(100):
            await recovering()
        records = await records_of(journal)
        found = recovered(records)
        kinds = [entry.type for entry in decode_records(records)]
        assert kinds.count(SETTLED) == 1
        assert found.closed
        assert kinds[-2:] == [SETTLED, "journal.closed"]
        assert found.settlement is not None
        expected = {**stored_items(delivered)}
        expected.update({write.item["id"]: write.item for write in found.settlement.writes})
        assert store.items == expected

    asyncio.run(body())


def stored_items(state: ThreadState) -> dict[str, Any]:
    contents = state.items
    return {
        item_id: item.to_json()
        for item_id, item in contents.items()
        if item_id not in state.pending
    }


@pytest.mark.parametrize("events", [[*HALF], [*HALF, done(ANSWER)]], ids=["half", "whole"])
def test_a_whole_item_that_is_stored_is_never_replaced_by_a_part(events: list[Event]) -> None:
    """The recipe that stored before it published wrote the part over the whole."""

    async def body() -> None:
        journal = MemoryJournal()
        writer = await written(journal, [*events, annotation_added("m", citation("Moon"), 0)][:-1])
        await writer.release()
        store = {"m": ANSWER}

        async def load(item_id: str) -> Any:
            return store.get(item_id)

        settlement = await recover(
            journal, lambda _: None, policy=policies.KEEP, orphan="r", load=load
        )
        assert settlement is not None
        for write in settlement.writes:
            store[write.item["id"]] = write.item
        assert store["m"] == ANSWER

    asyncio.run(body())


def test_what_was_deleted_meanwhile_is_not_revived() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        writer = JournalWriter(journal, "r", thread="t")
        await writer.begin([message("m", "The")])
        await writer.append(text_delta("m", " moon"))
        await writer.release()

        async def load(item_id: str) -> Any:
            return None

        settlement = await recover(
            journal, lambda _: None, policy=policies.KEEP, orphan="r", load=load
        )
        assert settlement is not None
        assert [write for write in settlement.writes if write.item["id"] == "m"] == []

    asyncio.run(body())


# --- one response --------------------------------------------------------------------------------


def test_what_is_closed_or_alive_or_unknown_is_left_as_it_is() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        writer = await written(journal, HALF)
        commits: list[Settlement] = []
        for orphan in ("r", "unknown"):
            found = await recover(journal, commits.append, policy=policies.KEEP, orphan=orphan)
            assert found is None
        await writer.closed()
        assert await recover(journal, commits.append, policy=policies.KEEP, orphan="r") is None
        assert commits == []

    asyncio.run(body())


def test_a_settlement_that_is_recorded_is_committed_again() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        writer = await written(journal, HALF)
        settlement = settle(
            fold(HALF), policy=policies.DROP, cause="cancelled", marker_id="k", marker_time="now"
        )
        await writer.settled(settlement)
        await writer.release()  # the commit failed
        commits: list[Settlement] = []
        await recover(journal, commits.append, policy=policies.KEEP, orphan="r")
        assert commits == [settlement]
        assert recovered(await records_of(journal)).closed

    asyncio.run(body())


def test_it_settles_as_crashed_with_the_thread_of_the_response() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        await (await written(journal, HALF, thread="thr_7")).release()
        commits: list[Settlement] = []
        settlement = await recover(journal, commits.append, policy=policies.KEEP, orphan="r")
        assert settlement is not None
        assert commits == [settlement]
        assert settlement.cause == "crashed"
        [write] = [write for write in settlement.writes if write.item["id"] == "m"]
        assert write.item["content"][0]["text"] == "The moon"
        markers = [write for write in settlement.writes if write.item["id"] != "m"]
        assert all(write.item["thread_id"] == "thr_7" for write in markers)

    asyncio.run(body())


def test_what_was_recovered_is_logged_without_a_word_of_the_chat(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        journal = MemoryJournal()
        await (await written(journal, HALF)).release()
        for _ in range(2):
            await recover_all(journal, lambda _: lambda _: None, policy=policies.KEEP)

    with caplog.at_level(logging.INFO, "chatkit_reducer.journal"):
        asyncio.run(main())
    said = [record.getMessage() for record in caplog.records]
    settled = "it is settled as crashed (writes to the store: 1)."
    assert said == [f"Response r of thread t was left without an end: {settled}"]


def test_a_commit_that_fails_leaves_an_orphan_with_its_settlement() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        await (await written(journal, HALF)).release()

        def failing(_: Settlement) -> None:
            raise ConnectionError("gone")

        with pytest.raises(ConnectionError):
            await recover(journal, failing, policy=policies.KEEP, orphan="r")
        [header] = await journal.find(orphaned=True)
        assert header.response == "r"
        first = recovered(await records_of(journal)).settlement
        second = await recover(journal, lambda _: None, policy=policies.KEEP, orphan="r")
        assert first == second

    asyncio.run(body())


def test_one_that_comes_too_late_takes_what_the_other_has_recorded() -> None:
    async def body() -> None:
        journal = Unleased(random.Random(0))
        await written(journal, HALF)
        commits: list[str] = []

        async def slow(item_id: str) -> Any:
            await asyncio.sleep(0.01)  # the other recovers it meanwhile
            return None

        def commit(name: str) -> Any:
            return lambda settlement: commits.append(f"{name} {settlement.policy.name}")

        first = recover(journal, commit("slow"), policy=policies.KEEP, orphan="r", load=slow)
        second = recover(journal, commit("fast"), policy=policies.DROP, orphan="r")
        found = await asyncio.gather(first, second)
        assert found[0] is None
        assert found[1] is not None
        assert commits == [f"fast {policies.DROP.name}"]

    asyncio.run(body())


def test_one_commits_once_though_its_end_was_refused() -> None:
    class Refusing(MemoryJournal):
        refused = False

        async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
            if is_closing(records[0]) and not self.refused:
                self.refused = True
                raise Conflict("another recovery wrote")
            await super().append(response, at, records)

    async def body() -> None:
        journal = Refusing()
        await (await written(journal, HALF)).release()
        commits: list[Settlement] = []
        settlement = await recover(journal, commits.append, policy=policies.KEEP, orphan="r")
        assert commits == [settlement]
        assert recovered(await records_of(journal)).closed

    asyncio.run(body())


def test_a_conflict_of_the_commit_is_not_one_of_the_journal() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        await (await written(journal, HALF)).release()

        def failing(_: Settlement) -> None:
            raise Conflict("of another journal")

        with pytest.raises(JournalError, match="the commit failed: of another journal"):
            await recover(journal, failing, policy=policies.KEEP, orphan="r")

    asyncio.run(body())


def test_a_writer_that_goes_on_and_on_is_not_recovered_for_ever() -> None:
    class Alive(MemoryJournal):
        async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
            if b"settled" in records[0]:
                await super().append(response, at, [event_record(at + 1, b'{"type":"x"}')])
            await super().append(response, at, records)

    async def body() -> None:
        journal = Alive()
        await (await written(journal, HALF)).release()
        with pytest.raises(JournalError, match="its writer seems to live"):
            await recover(journal, lambda _: None, policy=policies.KEEP, orphan="r")

    asyncio.run(body())


# --- all of them ---------------------------------------------------------------------------------


async def orphaned(journal: MemoryJournal, *responses: str, **options: Any) -> None:
    for response in responses:
        await (await written(journal, HALF, response, **options)).release()


def test_one_that_fails_does_not_hold_up_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        journal = MemoryJournal()
        await orphaned(journal, "a", "b", "c")
        committed: list[str] = []

        def commit_of(header: Header) -> Any:
            assert header.meta == {"user": "u"}

            def commit(settlement: Settlement) -> None:
                if header.response == "b":
                    raise ValueError("The moon is far")
                committed.append(header.response)

            return commit

        assert await recover_all(journal, commit_of, policy=policies.KEEP) == 2
        assert committed == ["a", "c"]
        assert [header.response for header in await journal.find()] == ["b"]
        assert await recover_all(journal, commit_of, policy=policies.KEEP, thread="other") == 0

    asyncio.run(body())
    [record] = caplog.records
    assert "Response b of thread t was not recovered at attempt 1; the next one is in 1" in (
        record.getMessage()
    )
    assert "moon" not in caplog.text


def test_one_that_hangs_does_not_hold_up_the_others() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        await orphaned(journal, "a", "b")
        committed: list[str] = []

        def commit_of(header: Header) -> Any:
            async def commit(settlement: Settlement) -> None:
                await asyncio.sleep(3600 if header.response == "a" else 0)
                committed.append(header.response)

            return commit

        recovery = Recovery(journal, commit_of, policy=policies.KEEP, timeout=0.1)
        assert await recovery.once() == 1
        assert committed == ["b"]
        [orphan] = await journal.find(orphaned=True)  # its lease is given back
        assert orphan.response == "a"

    asyncio.run(body())


def test_one_that_fails_is_tried_again_with_growing_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr("anyio.current_time", lambda: now)

    async def body() -> None:
        nonlocal now
        journal = MemoryJournal()
        await orphaned(journal, "r")
        attempts: list[float] = []

        def failing(_: Settlement) -> None:
            attempts.append(now)
            raise ConnectionError

        recovery = Recovery(journal, lambda _: failing, policy=policies.KEEP)
        for second in range(700):
            now = float(second)
            await recovery.once(patient=True)
        assert attempts == [0, 1, 3, 7, 15, 31, 63, 127, 255, 511]
        await recovery.once(thread="t")  # the next response of the thread begins
        assert len(attempts) == 11

    asyncio.run(body())


def test_a_fault_that_lasts_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    faults = [ValueError(), ValueError(), KeyError(), KeyError(), ValueError()]

    async def body() -> None:
        journal = MemoryJournal()
        await orphaned(journal, "r")
        left = iter(faults)

        def failing(_: Settlement) -> None:
            raise next(left)

        recovery = Recovery(journal, lambda _: failing, policy=policies.KEEP)
        for _ in faults:
            await recovery.once()

    asyncio.run(body())
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [one.rpartition(": ")[2] for one in said] == ["ValueError", "KeyError", "ValueError"]


def test_it_looks_again_and_again_and_forgets_what_is_old() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        await orphaned(journal, "a")
        recovery = Recovery(journal, lambda _: lambda _: None, policy=policies.KEEP, every=0.001)
        running = asyncio.create_task(recovery.run())
        await asyncio.sleep(0.02)
        assert await journal.find() == []
        assert recovered(await records_of(journal, "a")).closed
        await orphaned(journal, "b")
        await asyncio.sleep(0.05)
        assert recovered(await records_of(journal, "b")).closed
        running.cancel()
        old = datetime.now(UTC) - timedelta(seconds=400)
        line = closed_record(1).replace(b'"time":', b'"time":%d,"was":' % old.timestamp())
        await journal.begin(Header(response="old", thread="t", started=old))
        await journal.append("old", 0, [line])
        running = asyncio.create_task(recovery.run())
        await asyncio.sleep(0.02)
        running.cancel()
        with pytest.raises(JournalError):
            await records_of(journal, "old")
        await records_of(journal, "a")

    asyncio.run(body())


@pytest.mark.parametrize(
    ("error", "said"),
    [(JournalError("the server is gone"), "the server is gone"), (KeyError("driver"), "KeyError")],
)
def test_a_journal_that_is_gone_is_told_once(
    error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Gone(MemoryJournal):
        async def find(self, **_: Any) -> list[Header]:
            raise error

    async def body() -> None:
        recovery = Recovery(Gone(), lambda _: lambda _: None, policy=policies.KEEP, every=0.001)
        running = asyncio.create_task(recovery.run())
        await asyncio.sleep(0.05)
        assert not running.done()
        running.cancel()

    asyncio.run(body())
    assert [record.getMessage() for record in caplog.records] == [
        f"The journal cannot be looked through for orphans: {said}"
    ]


def test_a_newer_format_is_left_alone_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    async def body() -> None:
        journal = MemoryJournal()
        await journal.begin(Header(response="r", thread="t", started=datetime.now(UTC), format=2))
        await journal.append("r", 0, [b'{"seq":1,"event":{"type":"x"}}'])
        await journal.release("r")
        recovery = Recovery(journal, lambda _: lambda _: None, policy=policies.KEEP)
        for _ in range(3):
            assert await recovery.once() == 0
        with pytest.raises(JournalError, match="format 2 of the journal"):
            await recover(journal, lambda _: None, policy=policies.KEEP, orphan="r")
        assert len(await records_of(journal)) == 1

    asyncio.run(body())
    [record] = caplog.records
    assert "is in format 2 of the journal" in record.getMessage()


def test_a_damaged_record_is_an_error_of_the_journal() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        await journal.begin(Header(response="r", thread="t", started=datetime.now(UTC)))
        await journal.append("r", 0, [b'{"event":{"type":"x"}}', b"{damaged"])
        await journal.release("r")
        with pytest.raises(JournalError, match="record of a journal at position 2, got damaged"):
            await recover(journal, lambda _: None, policy=policies.KEEP, orphan="r")

    asyncio.run(body())


def test_a_settlement_of_a_newer_release_is_left_alone() -> None:
    with pytest.raises(JournalError, match="the settlement at position 1 cannot be read"):
        recovered([b'{"seq":1,"event":{"type":"journal.settled","settlement":{"version":99}}}'])


def test_an_event_that_is_not_one_of_chatkit_is_an_anomaly() -> None:
    assert recovered([event_record(1, b'{"type":"thread.item.done"}')]).state.anomalies


def test_only_an_orphan_is_closed_unsettled() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        writer = JournalWriter(journal, "r", thread="t")
        await writer.begin()
        await writer.append(HALF[0])
        assert not await close_unsettled(journal, "r", "thread_not_found")
        assert len(await journal.find()) == 1

        await journal.append("r", 1, [b"damaged"])
        await writer.release()
        assert await close_unsettled(journal, "r", "thread_not_found")
        assert await journal.find() == []
        assert not await close_unsettled(journal, "r", "thread_not_found")

    asyncio.run(body())
