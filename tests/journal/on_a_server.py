"""What both journals on servers are held to, each against a real server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chatkit_reducer.journal.protocol import Conflict, Header, Journal, JournalError
from chatkit_reducer.journal.tailing import Page
from tests.support.postgres import DEADLINE

__all__ = ["ADDED", "CLOSED", "DELTA", "OnAServer", "Place", "header", "run"]

ADDED = b'{"type":"thread.item.added"}'
DELTA = b'{"type":"thread.item.updated"}'
CLOSED = b'{"type":"journal.closed"}'


class Place(Protocol):
    """A server, and how to get at it."""

    def journal(self, name: str, **options: Any) -> AbstractAsyncContextManager[Any]:
        """A journal of that name, with all that it needs there."""

    async def kill_connections(self) -> None:
        """End all connections of clients."""

    def kill(self) -> None:
        """Kill the server."""

    def start(self) -> None:
        """Start it again, over the same data."""

    def script(self, name: str) -> str:
        """Python that makes `journal`, in a process of its own."""

    async def trim(self, name: str, response: str) -> None:
        """Delete the first batch of a response behind the back of its journal."""

    def lose_the_next_answer(self, journal: Any) -> None:
        """Let the next question be carried out, and its connection break before the answer."""

    def block(self, name: str) -> AbstractAsyncContextManager[None]:
        """Make the server answer nothing that is about a journal."""

    def fill(self, name: str) -> AbstractAsyncContextManager[None]:
        """Leave no room for more."""


def run(body: Callable[[], Awaitable[Any]], patience: float = DEADLINE) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(patience):
            await body()

    asyncio.run(in_time())


def header(response: str = "r", thread: str = "t", **more: Any) -> Header:
    return Header(response=response, thread=thread, started=datetime.now(UTC), **more)


def delta(number: int) -> bytes:
    return b'{"type":"thread.item.updated","n":%d}' % number


async def contents(journal: Journal, response: str = "r", after: int = 0) -> list[bytes]:
    found = [pair async for pair in journal.read(response, after, follow=False)]
    assert [position for position, _ in found] == [
        after + place for place in range(1, len(found) + 1)
    ]
    return [record for _, record in found]


async def eventually(look: Callable[[], Awaitable[Any]]) -> Any:
    while not (seen := await look()):
        await asyncio.sleep(0.02)
    return seen


async def followed(
    journal: Journal, after: int = 0, *, got: list[tuple[int, bytes]] | None = None
) -> list[tuple[int, bytes]]:
    """All that a reader gets that comes back where it was when its connection broke."""
    got = [] if got is None else got
    while True:
        try:
            async for pair in journal.read("r", got[-1][0] if got else after):
                got.append(pair)  # one by one: an error must not lose them
        except JournalError:
            await asyncio.sleep(0.05)
        else:
            return got


STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),  # which journal
        st.sampled_from(["append", "append", "again", "closed"]),
        st.integers(-2, 2),  # where, from the end
        st.integers(1, 3),  # how many records
        st.sampled_from([ADDED, DELTA]),
    ),
    max_size=12,
)
ON_A_SERVER = settings(
    max_examples=15, suppress_health_check=[HealthCheck.differing_executors], deadline=None
)


class Model:
    """A response as it should be."""

    def __init__(self) -> None:
        self.there: list[bytes] = []
        self.done: list[tuple[int, list[bytes]]] = []

    async def step(self, journal: Any, what: str, distance: int, count: int, record: bytes) -> None:
        at, records = max(0, len(self.there) + distance), [record] * count
        if what == "closed":
            records = [*records, CLOSED]
        if what == "again" and self.done:
            at, records = self.done[distance % len(self.done)]
        if at == len(self.there) and CLOSED not in self.there:
            await journal.append("r", at, records)
            self.there += records
            self.done.append((at, records))
        elif self.there[at : at + len(records)] == records:
            await journal.append("r", at, records)
        else:
            with pytest.raises(Conflict):
                await journal.append("r", at, records)
        await journal._group.flush()


class OnAServer:
    """Subclassed by the tests of a journal, with the fixture `place`."""

    # --- positions ----------------------------------------------------------------------------

    @ON_A_SERVER
    @given(steps=STEPS, lag=st.sampled_from([0, 0.05]))
    @example(steps=[(0, "append", 0, 2, DELTA), (0, "again", 0, 1, DELTA)], lag=0.05)
    def test_append_is_a_fence_without_gaps_and_can_be_repeated(
        self, place: Place, steps: list[tuple[int, str, int, int, bytes]], lag: float
    ) -> None:
        # A writer that lags hears later that another one was faster: here it writes alone then.
        if lag:
            steps = [(0, *step[1:]) for step in steps]

        async def body() -> None:
            name = f"j{uuid.uuid4().hex}"
            async with place.journal(name, lag=lag) as one, place.journal(name, lag=0) as other:
                await one.begin(header())
                model = Model()
                for step in steps:
                    await model.step((one, other)[step[0]], *step[1:])
                for after in range(len(model.there) + 1):
                    assert await contents(other, after=after) == model.there[after:]

        run(body)

    def test_of_appends_at_one_position_one_is_accepted(self, place: Place) -> None:
        async def body() -> None:
            async with (
                place.journal("at_once") as one,
                place.journal("at_once") as two,
                place.journal("at_once") as three,
            ):
                await one.begin(header())
                for at in range(10):
                    attempts = [(j, b'{"n":%d}' % n) for n, j in enumerate([one, two, three] * 3)]
                    results = await asyncio.gather(
                        *(journal.append("r", at, [record]) for journal, record in attempts),
                        return_exceptions=True,
                    )
                    accepted = [
                        record
                        for (_, record), result in zip(attempts, results, strict=True)
                        if result is None
                    ]
                    assert len(accepted) == 1
                    assert all(isinstance(r, Conflict) for r in results if r is not None)
                    assert (await contents(two))[at:] == accepted

        run(body)

    def test_a_response_is_begun_once(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("begun") as one, place.journal("begun") as two:
                await one.begin(header())
                for journal in one, two:
                    with pytest.raises(Conflict, match="make a new one"):
                        await journal.begin(header())
                with pytest.raises(JournalError, match="begin it first"):
                    await one.append("another", 0, [ADDED])

        run(body)

    def test_an_answer_that_is_lost_changes_nothing(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("lost_answers", lease=0.001) as one:
                place.lose_the_next_answer(one)
                await one.begin(header())
                place.lose_the_next_answer(one)
                await one.append("r", 0, [ADDED, DELTA])
                await eventually(lambda: one.find(orphaned=True))
                one.lease = 60
                place.lose_the_next_answer(one)
                assert await one.claim("r")
                assert not await one.claim("r")
                await one.append("r", 2, [CLOSED])
                assert await contents(one) == [ADDED, DELTA, CLOSED]

        run(body)

    @ON_A_SERVER
    @given(
        meta=st.dictionaries(st.text(max_size=5), st.text() | st.integers(-5, 5) | st.none()),
        thread=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
        started=st.datetimes(
            datetime(1970, 1, 2),  # noqa: DTZ001  # Hypothesis adds the zone
            datetime(2200, 1, 1),  # noqa: DTZ001
            timezones=st.just(UTC),
        ),
    )
    def test_a_header_comes_back(
        self, place: Place, meta: dict[str, Any], thread: str, started: datetime
    ) -> None:
        async def body() -> None:
            async with place.journal("headers") as journal:
                response = uuid.uuid4().hex
                sent = Header(
                    response=response, thread=thread, started=started, meta=meta, format=7
                )
                await journal.begin(sent)
                assert sent in await journal.find(thread=thread)
                assert await journal.forget(thread=thread) >= 1

        with suppress(UnicodeEncodeError):  # half a surrogate pair is not JSON
            str(meta).encode()
            run(body)

    # --- reading ------------------------------------------------------------------------------

    @ON_A_SERVER
    @given(
        st.lists(st.integers(1, 4), min_size=1, max_size=8),
        st.lists(st.integers(0, 8), max_size=3),
        st.booleans(),
    )
    def test_a_reader_gets_each_record_once_however_appends_fall(
        self, place: Place, sizes: list[int], joins: list[int], here: bool
    ) -> None:
        async def body() -> None:
            name = f"j{uuid.uuid4().hex}"
            async with place.journal(name) as one, place.journal(name) as two:
                await one.begin(header())
                readers: list[asyncio.Task[list[tuple[int, bytes]]]] = []
                at = 0
                for step, size in enumerate(sizes):
                    for after in joins:
                        if after % len(sizes) == step:
                            start = min(after, at)
                            reader = followed(one if here else two, start)
                            readers.append(asyncio.create_task(reader))
                    await one.append("r", at, [delta(at + n) for n in range(size)])
                    at += size
                    await asyncio.sleep(0)
                await one.append("r", at, [CLOSED])
                there = await contents(two)
                assert len(there) == at + 1
                for got in await asyncio.gather(*readers):
                    start = got[0][0] - 1
                    assert [record for _, record in got] == there[start:]

        run(body)

    def test_a_reader_that_begins_behind_an_append_gets_it(self, place: Place) -> None:
        """An answer that is on its way to another reader does not know of it."""

        async def body() -> None:
            async with place.journal("stale", lag=0) as one, place.journal("stale") as two:
                await one.begin(header())
                ask = two._pages._ask
                answers = asyncio.Event()
                go_on = asyncio.Event()

                async def slow(question: Any) -> Page | None:
                    found: Page | None = await ask(question)
                    if not answers.is_set():
                        answers.set()
                        await go_on.wait()
                    return found

                two._pages._ask = slow
                reader = asyncio.create_task(followed(two))
                await answers.wait()
                await one.append("r", 0, [ADDED, CLOSED])
                later = asyncio.create_task(contents(two))
                await asyncio.sleep(0.05)
                go_on.set()
                assert await later == [ADDED, CLOSED]
                assert [record for _, record in await reader] == [ADDED, CLOSED]

        run(body)

    def test_fifty_readers_share_their_questions(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("fifty", lag=0) as one, place.journal("fifty") as two:
                await one.begin(header())
                asked = 0
                ask = two._pages._ask

                async def counted(question: Any) -> Page | None:
                    nonlocal asked
                    asked += 1
                    found: Page | None = await ask(question)
                    return found

                two._pages._ask = counted
                readers = [asyncio.create_task(followed(two)) for _ in range(50)]
                await eventually(lambda: _true(len(two._hints._readers.get("r", ())) == 50))
                for at in range(30):
                    await one.append("r", at, [delta(at)])
                    await asyncio.sleep(0.005)
                await one.append("r", 30, [CLOSED])
                for got in await asyncio.gather(*readers):
                    assert [position for position, _ in got] == list(range(1, 32))
                assert asked < 31 * 50 / 4

        run(body)

    def test_news_comes_by_hints_and_not_by_looking(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def body() -> None:
            async with place.journal("hints") as one, place.journal("hints") as two:
                await one.begin(header())
                got: list[tuple[int, bytes]] = []
                reader = asyncio.create_task(followed(two, got=got))
                await eventually(lambda: _true(hears(two)))
                # From here on none looks by itself for as long as this test may take.
                monkeypatch.setattr(sys.modules[type(two).__module__], "PAUSE_LISTENING", 1000.0)
                await one.append("r", 0, [ADDED])
                await asyncio.sleep(1.2)
                for at, record in enumerate([DELTA, ADDED, DELTA], 1):
                    await one.append("r", at, [record])
                    while len(got) <= at:
                        await asyncio.sleep(0.01)
                await one.append("r", 4, [CLOSED])
                await reader
                assert len(got) == 5

        run(body)

    def test_without_hints_a_reader_looks_by_itself(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def body() -> None:
            async with place.journal("deaf") as one, place.journal("deaf") as two:
                monkeypatch.setattr(two._hints, "wake", lambda _: None)
                monkeypatch.setattr(two._hints, "wake_all", lambda: None)
                await one.begin(header())
                reader = asyncio.create_task(followed(two))
                await one.append("r", 0, [ADDED])
                await asyncio.sleep(0.2)
                await one.append("r", 1, [CLOSED])
                assert len(await reader) == 2

        run(body)

    def test_a_cursor_that_leads_nowhere_is_an_error(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("cursors") as journal:
                await journal.begin(header())
                for at in range(3):
                    await journal.append("r", at, [ADDED])
                for follow in False, True:
                    for after in 4, -1:
                        with pytest.raises(JournalError, match="from 0 to 3"):
                            _ = [pair async for pair in journal.read("r", after, follow=follow)]
                    with pytest.raises(JournalError, match="got none"):
                        _ = [pair async for pair in journal.read("unknown", follow=follow)]
                await place.trim("cursors", "r")
                for after in range(4):
                    if after:
                        assert len(await contents(journal, after=after)) == 3 - after
                    else:
                        with pytest.raises(JournalError, match="trimmed"):
                            await contents(journal)

        run(body)

    def test_a_long_response_is_read_in_pages(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("pages", lag=10) as journal:
                await journal.begin(header())
                records = [delta(number) for number in range(1300)]
                for at in range(0, 1300, 2):
                    await journal.append("r", at, records[at : at + 2])
                    if at % 20 == 0:
                        await journal._group.flush()
                await journal.append("r", 1300, [CLOSED])
                assert await contents(journal) == [*records, CLOSED]
                assert await contents(journal, after=777) == [*records, CLOSED][777:]
                await journal.append("r", 0, records[:700])  # it stands there, over many batches

        run(body)

    # --- leases and requests ------------------------------------------------------------------

    def test_an_orphan_is_claimed_once_and_its_writer_is_fenced_off(self, place: Place) -> None:
        async def body() -> None:
            async with (
                place.journal("claims", lease=0.001) as zombie,
                place.journal("claims", lease=60) as one,
                place.journal("claims", lease=60) as two,
            ):
                for number in range(5):
                    response = f"r{number}"
                    await zombie.begin(header(response))
                    await zombie.append(response, 0, [ADDED, DELTA])
                    await eventually(lambda: one.find(orphaned=True))
                    attempts = [journal.claim(response) for journal in [one, two] * 5]
                    claimed = await asyncio.gather(*attempts)
                    assert claimed.count(True) == 1
                    assert await one.find(orphaned=True) == []
                    winner = [one, two][claimed.index(True) % 2]
                    # A zombie that wakes does not keep what it has lost.
                    winner.lease = 0.001
                    await winner.alive([response])
                    await zombie.append(response, 2, [DELTA])  # it may, until the other wrote
                    await zombie._group.flush()
                    at = len(await contents(one, response))
                    await winner.append(response, at, [ADDED])
                    for record in b'{"by":"the zombie"}', DELTA:
                        for place_ in at, at - 1, at + 2:
                            with pytest.raises(Conflict):
                                await zombie.append(response, place_, [record, record])
                    winner.lease = 60
                    await winner.append(response, at + 1, [CLOSED])
                    assert not await two.claim(response)

        run(body)

    def test_a_lease_is_held_by_signs_of_life(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("leases", lease=0.001) as one, place.journal("leases") as two:
                sent = header()
                await one.begin(sent)
                await eventually(lambda: two.find(orphaned=True))
                assert await two.find(thread="t", orphaned=True) == [sent]
                assert await two.find(thread="another", orphaned=True) == []
                await two.alive(["r"])  # not its own
                assert await two.find(orphaned=True) == [sent]
                one.lease = 60
                await one.alive(["r", "unknown"])
                assert await two.find(orphaned=True) == []
                assert not await two.claim("r")
                assert not await two.claim("unknown")
                assert await two.find() == [sent]
                await two.release("r")  # not its own
                assert await two.find(orphaned=True) == []
                await one.release("r")
                assert await two.find(orphaned=True) == [sent]
                assert await one.claim("r")
                assert await two.find(orphaned=True) == []
                await one.aclose()  # gives it back
                assert await two.find(orphaned=True) == [sent]
                assert await two.claim("r")

        run(body)

    def test_an_append_is_a_sign_of_life(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("appends", lease=0.001) as one:
                await one.begin(header())
                await eventually(lambda: one.find(orphaned=True))
                one.lease = 60
                await one.append("r", 0, [ADDED])
                assert await one.find(orphaned=True) == []

        run(body)

    def test_a_request_to_stop_reaches_the_writer(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("stops") as one, place.journal("stops") as two:
                await one.begin(header("r1"))
                await one.begin(header("r2"))
                assert await one.alive([]) == []
                assert await one.alive(["r1", "r2"]) == []
                await two.stop("r1")
                await two.stop("unknown")
                assert await one.alive(["r1", "r2"]) == ["r1"]
                await one.append("r1", 0, [CLOSED])
                assert await one.alive(["r1", "r2"]) == []
                assert [found.response for found in await one.find()] == ["r2"]

        run(body)

    def test_found_the_oldest_first(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("ages") as journal:
                now = datetime.now(UTC)
                for age in 1, 3, 2:
                    started = now - timedelta(hours=age)
                    await journal.begin(Header(response=str(age), thread="t", started=started))
                assert [found.response for found in await journal.find()] == ["3", "2", "1"]

        run(body)

    def test_what_is_forgotten_is_gone(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("forgotten") as one, place.journal("forgotten") as two:
                for response, thread in ("r", "t"), ("r2", "t"), ("r3", "t3"), ("r4", "t4"):
                    await one.begin(header(response, thread))
                    await one.append(response, 0, [ADDED])
                reader = asyncio.create_task(_read_all(two, "r"))
                await eventually(lambda: _true("r" in two._hints.responses))
                assert await two.forget(thread="t") == 2
                with pytest.raises(JournalError, match="got none"):
                    await reader
                with pytest.raises(JournalError, match="got none"):
                    await contents(one)
                with pytest.raises(JournalError, match="begin it first"):
                    await one.append("r", 1, [ADDED])
                with pytest.raises(TypeError, match="name what to forget"):
                    await one.forget()

                await one.append("r3", 1, [CLOSED])
                now = datetime.now(UTC)
                assert await two.forget(closed_before=now - timedelta(hours=1)) == 0
                assert await two.forget(thread="t4", closed_before=now + timedelta(hours=1)) == 0
                assert await two.forget(closed_before=now + timedelta(hours=1)) == 1
                assert [found.response for found in await one.find()] == ["r4"]
                await one.begin(header("r"))
                assert await contents(one) == []

        run(body)

    # --- what breaks --------------------------------------------------------------------------

    @pytest.mark.parametrize("lag", [0, 0.02])
    def test_connections_that_are_killed_cost_nothing(self, place: Place, lag: float) -> None:
        async def body() -> None:
            name = f"killed_{int(lag * 100)}"
            async with place.journal(name, lag=lag) as one, place.journal(name) as two:
                await one.begin(header())
                reader = asyncio.create_task(followed(two))
                for at in range(120):
                    if at % 20 == 7:
                        await place.kill_connections()
                    await one.append("r", at, [ADDED if at % 10 == 0 else delta(at)])
                await place.kill_connections()
                await one.append("r", 120, [CLOSED])
                there = [ADDED if at % 10 == 0 else delta(at) for at in range(120)] + [CLOSED]
                assert await contents(two) == there
                assert [record for _, record in await reader] == there

        run(body)

    def test_a_server_that_is_killed_keeps_what_it_acknowledged(self, place: Place) -> None:
        async def body() -> None:
            async with (
                place.journal("crashes", lag=0.02, timeout=3.0) as one,
                place.journal("crashes", timeout=3.0) as two,
            ):
                for crash in range(3):
                    response = f"r{crash}"
                    await one.begin(header(response))
                    acknowledged = sent = 0
                    for at in range(55):
                        record = ADDED if at % 10 == 0 else delta(at)
                        await one.append(response, at, [record])
                        sent = at + 1
                        if record == ADDED:
                            acknowledged = sent
                    place.kill()
                    with pytest.raises(JournalError, match="see that the server runs"):
                        await one.append(response, sent, [ADDED])
                    with pytest.raises(JournalError, match="see that the server runs"):
                        await two.find()
                    await asyncio.to_thread(place.start)
                    there = await contents(two, response)
                    assert len(there) >= acknowledged
                    assert there == [
                        ADDED if at % 10 == 0 else delta(at) for at in range(len(there))
                    ]
                    # The writer has a hole in its stream; who reads the end goes on behind it.
                    with pytest.raises(JournalError):
                        await one.append(response, sent, [ADDED])
                    with pytest.raises(Conflict):
                        await two.append(response, len(there) + 1, [ADDED])
                    await two.append(response, len(there), [CLOSED])
                    assert len(await contents(one, response)) == len(there) + 1

        run(body, 3 * DEADLINE)

    def test_a_writer_that_is_killed_lost_nothing_that_it_was_told(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("zombies") as journal:
                for crash in range(3):
                    response = f"r{crash}"
                    program = WRITER.format(make=place.script("zombies"), response=response)
                    writer = spawned(program)
                    try:
                        assert writer.stdout is not None
                        for _ in range(20 + 15 * crash):
                            line = await asyncio.to_thread(writer.stdout.readline)
                            assert line, "the writer ended by itself"
                        os.kill(writer.pid, signal.SIGKILL)
                        rest = await asyncio.to_thread(writer.stdout.read)
                    finally:
                        writer.kill()
                        writer.wait()
                        if writer.stdout is not None:
                            writer.stdout.close()
                    lines = [int(line), *map(int, rest.split(b"\n")[:-1])]
                    there = await contents(journal, response)
                    assert len(there) >= lines[-1]
                    assert there == [b'{"n":%d}' % at for at in range(len(there))]

        run(body)

    def test_a_server_that_does_not_answer_is_not_waited_for(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("hanging", lag=0, timeout=0.5) as journal:
                await journal.begin(header())
                await journal.append("r", 0, [ADDED])
                async with place.block("hanging"):
                    with pytest.raises(JournalError, match=r"no answer within 0\.5 s"):
                        await journal.append("r", 1, [ADDED])
                    with pytest.raises(JournalError, match=r"no answer within 0\.5 s"):
                        await journal.claim("r")

                async def later() -> bool:
                    with suppress(JournalError):
                        await journal.append("r", len(await contents(journal)), [CLOSED])
                        return True
                    return False

                await eventually(later)

        run(body)

    def test_a_server_without_room_says_so(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("full", lag=0.01) as journal:
                await journal.begin(header())
                async with place.fill("full"):
                    for record in ADDED, CLOSED:
                        with pytest.raises(JournalError, match="has room") as caught:
                            await journal.append("r", 0, [record])
                        assert not isinstance(caught.value, Conflict)
                await journal.append("r", 0, [CLOSED])
                assert await contents(journal) == [CLOSED]

        run(body)

    def test_at_the_end_all_that_was_taken_is_written(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("ends") as other:
                async with place.journal("ends", lag=1000) as journal:
                    await journal.begin(header())
                    await journal.append("r", 0, [DELTA])
                    await journal.append("r", 1, [DELTA])
                    assert await contents(other) == []
                    assert await contents(journal) == [DELTA] * 2, "it reads what it wrote"
                    await journal.append("r", 2, [DELTA])
                    assert await contents(other) == [DELTA] * 2
                assert await contents(other) == [DELTA] * 3

        run(body)

    def test_it_is_a_journal(self, place: Place) -> None:
        async def body() -> None:
            async with place.journal("protocol") as journal:
                assert isinstance(journal, Journal)

        run(body)


WRITER = """
import asyncio
from datetime import UTC, datetime
from chatkit_reducer.journal.protocol import Header
{make}

async def main():
    journal = make()
    await journal.begin(
        Header(response={response!r}, thread="t", started=datetime.now(UTC))
    )
    for at in range(1_000_000):
        await journal.append({response!r}, at, [b'{{"n":%d}}' % at])
        print(at + 1, flush=True)

asyncio.run(main())
"""


def spawned(program: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)


def hears(journal: Any) -> bool:
    listener = journal._listener
    return bool(getattr(journal, "_hearing", False) or getattr(listener, "hears", False))


async def _true(value: bool) -> bool:
    return value


async def _read_all(journal: Journal, response: str) -> list[tuple[int, bytes]]:
    return [pair async for pair in journal.read(response)]
