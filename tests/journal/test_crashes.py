"""A process is killed at every step of an exchange, and others recover it.

The exchange runs in a forked child with a journal, and with a store and a client in files. The
child dies at its n-th step, or takes the server of the journal down at it. Then two children
recover at once, the first of which may die at a step of its own; at last this process recovers
whatever is left.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from chatkit_reducer import Settlement, fold, policies, settle
from chatkit_reducer.core.codec import decode, encode
from chatkit_reducer.core.policy.table import Cause, Marker
from chatkit_reducer.events import Event, ThreadItemDone, ThreadItemReplaced, ThreadItemUpdated
from chatkit_reducer.journal import JournalError, JournalWriter, recover
from chatkit_reducer.journal.reading import records_of
from chatkit_reducer.journal.records import (
    CLOSED,
    LEFT,
    RETURNED,
    SETTLED,
    decode_records,
    is_own,
    recovered,
)
from chatkit_reducer.supervise import MarkerFields, supervise
from chatkit_reducer.supervise.commit.lookups import Load
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    done,
    message,
    part,
    part_added,
    replaced,
    text_delta,
    user_message,
)
from tests.journal.backends import BACKENDS, Backend
from tests.journal.dying import DIED, Steps, count_steps, die, in_child, status_of
from tests.support.effort import others_slow

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)

ANSWER = {**message("m"), "content": [part("The moon is far.", citation("Moon"))]}
EVENTS: list[Event] = [
    done(user_message("u", "How far is the moon?")),
    added(message("m")),
    part_added("m", part("")),
    text_delta("m", "The moon"),
    text_delta("m", " is far."),
    annotation_added("m", citation("Moon"), 0),
    done(ANSWER),
    replaced(message("old", "changed")),
    added(message("n")),
    part_added("n", part("")),
    text_delta("n", "And it is"),
    text_delta("n", " cold"),
]
SHORT = [EVENTS[n] for n in (1, 2, 3, 6, 8, 9, 10)]
"""Structural events, deltas, a message that is done, and one that is not."""

PAUSES_BEHIND = EVENTS[3]
LEAVES_BEHIND, BACK_BEFORE = EVENTS[2], EVENTS[8]
"""Where a client leaves, and is back, only to leave again; messages that are done lie between."""
OLD = message("old", "as it was")

POLICY = attrs.evolve(
    policies.KEEP, marker=Marker(content="The answer was cut off.", causes=[Cause.CRASHED])
)
"""Its markers tell the settlements of two recoveries apart."""

KILLED_SERVERS = 4
"""In an exchange, at steps that are evenly spread."""

HEAD_START = 0.02
"""In seconds. Two that recover at once have connected by then, and so really compete."""

LAG = 0.004
"""In seconds. The producer pauses for longer in the middle of a text, so that a timer is a step."""


@attrs.frozen
class Exchange:
    """An answer, and how it is given."""

    backend: str
    by: str
    events: list[Event] = SHORT
    lag: float = 0

    def __str__(self) -> str:
        return f"{self.backend} {self.by}{' lag' if self.lag else ''}"


# --- a store and a client that outlive the process -----------------------------------------------


class Place:
    """A store and a client in a directory, and a response in a journal."""

    def __init__(self, directory: Path, exchange: Exchange, backend: Backend) -> None:
        directory.mkdir()
        self.backend = backend
        self.response = uuid.uuid4().hex
        self.lag = exchange.lag
        self.load: Load | None = None
        """How a recovery finds an item in the store; None if it does not look there."""
        self.begins: float = 0
        """When recoveries begin, by the clock that all processes share."""
        self._exchange = exchange
        self._store = directory / "store.json"
        self._lock = directory / "lock"
        self._client = directory / "client"
        self._acknowledged = directory / "acknowledged"
        self.save({"old": OLD})
        self._client.touch()

    # --- the store and the client ----------------------------------------------------------------

    def stored(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._store.read_text())
        return found

    def save(self, items: dict[str, Any]) -> None:
        path = self._store.with_suffix(f".{os.getpid()}")
        path.write_text(json.dumps(items))
        path.replace(self._store)

    def put(self, item: Any) -> None:
        """Write an item as a database does: the write of another process comes before or after."""
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.save({**self.stored(), item["id"]: item})

    def keep(self, event: Event) -> None:
        if isinstance(event, ThreadItemDone | ThreadItemReplaced):
            self.put(event.item)

    def send(self, event: Event) -> None:
        with self._client.open("ab") as client:
            client.write(encode(event) + b"\n")

    def seen(self) -> list[Event]:
        return [decode(line) for line in self._client.read_bytes().splitlines()]

    async def find(self, item_id: str) -> Any:
        return self.stored().get(item_id)

    async def commit(self, steps: Steps, settlement: Settlement) -> None:
        for write in settlement.writes:
            steps.pass_by()
            self.put(write.item)
            await asyncio.sleep(0)
        steps.pass_by()

    # --- processes -------------------------------------------------------------------------------

    async def run(self, steps: Steps) -> None:
        """One exchange."""
        ways = {"hand": self._by_hand, "supervise": self._supervised, "absence": self._absent}
        await ways[self._exchange.by](steps)

    async def _by_hand(self, steps: Steps) -> None:
        async with self.backend.journal(lag=self.lag) as journal:
            writer = JournalWriter(journal, self.response, thread="t")
            await writer.begin([OLD])
            async for event in self.produce(steps):
                await writer.append(event)
                steps.pass_by()
                self.keep(event)
                steps.pass_by()
                self.send(event)
            state = fold(self._exchange.events, fold([done(OLD)]))
            settlement = settle(state, policy=POLICY, cause="cancelled")
            assert await writer.settled(settlement)
            await self.commit(steps, settlement)
            await writer.closed()

    async def _supervised(self, steps: Steps) -> None:
        async def load(item_id: str) -> Any:
            steps.pass_by()
            return await self.find(item_id)

        async with self.backend.journal(lag=self.lag) as journal:
            stream = supervise(
                self.produce(steps),
                lambda settlement: self.commit(steps, settlement),
                policy=POLICY,
                state=fold([done(OLD)]),
                load=load,
                journal=JournalWriter(journal, self.response, thread="t"),
            )
            async with stream:
                async for event in stream:
                    steps.pass_by()
                    self.keep(event)
                    steps.pass_by()
                    self.send(event)

    async def _absent(self, steps: Steps) -> None:
        """By `supervise`, of a client that leaves, is back, and leaves for good."""

        async def produce() -> AsyncIterator[Event]:
            async for event in self.produce(steps):
                if event is BACK_BEFORE:
                    await stream.release()
                yield event
            stream.stop()  # the time of grace is over

        async with self.backend.journal(lag=self.lag) as journal:
            stream = supervise(
                produce(),
                lambda settlement: self.commit(steps, settlement),
                policy=POLICY,
                state=fold([done(OLD)]),
                load=self.find,
                own_task=True,
                journal=JournalWriter(journal, self.response, thread="t"),
            )
            async with stream:
                async for event in stream:
                    self.keep(event)
                    steps.pass_by()
                    self.send(event)
                    if event is LEAVES_BEHIND or encode(event) == encode(BACK_BEFORE):
                        stream.hold(15.0)

    async def produce(self, steps: Steps) -> AsyncIterator[Event]:
        for event in self._exchange.events:
            await asyncio.sleep(0)
            steps.pass_by()
            yield event
            if event is PAUSES_BEHIND:
                await asyncio.sleep(2 * self.lag)

    async def recover(self, steps: Steps) -> None:
        async with self.backend.journal(lag=self.lag) as journal:
            await journal.find()  # it connects
            time.sleep(max(0.0, self.begins - time.monotonic()))  # noqa: ASYNC251  # it is alone
            await recover(
                journal,
                lambda settlement: self.commit(steps, settlement),
                policy=POLICY,
                orphan=self.response,
                load=self.load,
                marker=MarkerFields(new_id=lambda: f"marker_{os.getpid()}"),
            )

    async def dies_in_mid_answer(self, steps: Steps) -> None:
        """Die between the last event's way to the journal and that to the client."""

        def send(event: Event) -> None:
            if event is self._exchange.events[-1]:
                die()
            Place.send(self, event)

        self.send = send  # type: ignore[method-assign]
        await self.run(steps)

    def kill_server(self) -> None:
        """Kill the server of the journal, and note how much of it the client has."""
        self._acknowledged.write_text(str(len(self.seen())))
        self.backend.kill()

    def acknowledged(self) -> list[Event]:
        """All events that were in the journal, as it said, when its server was killed."""
        return self._exchange.events[: int(self._acknowledged.read_text())]

    # --- the journal -----------------------------------------------------------------------------

    async def records(self) -> list[bytes] | None:
        """All records; None if the response never began."""
        async with self.backend.journal(lag=0) as journal:
            try:
                return await records_of(journal, self.response)
            except JournalError:
                return None


def applied(settlement: Settlement | None, items: dict[str, Any]) -> dict[str, Any]:
    writes = () if settlement is None else settlement.writes
    return {**items, **{write.item["id"]: write.item for write in writes}}


# --- the laws ------------------------------------------------------------------------------------


def assert_recovered(place: Place, records: list[bytes]) -> None:
    place.backend.assert_whole(place.response)
    found = recovered(records)
    entries = list(decode_records(records))
    kinds = [entry.type for entry in entries]
    assert kinds.count(SETTLED) == kinds.count(CLOSED) == 1
    assert kinds[-2:] == [SETTLED, CLOSED]
    written: list[Any] = [e.event for e in entries if not (e.base or is_own(e.event))]
    in_both = assert_seen_is_written(place, written)
    # What is held back from a client that has not come back is not there.
    changes = [place for place, kind in enumerate(kinds) if kind in (LEFT, RETURNED)]
    if changes and kinds[changes[-1]] == LEFT:
        assert found.state == recovered(records[: changes[-1]]).state
    # The store is what was stored at each `done`, and what the settlement says.
    before = {
        item_id: item.to_json()
        for item_id, item in found.delivered.items.items()
        if item_id not in found.delivered.pending
    }
    stored = place.stored()
    assert stored == applied(found.settlement, {"old": OLD, **before})
    # What was complete has stayed complete, and what was seen is there.
    if "m" in found.state.items and "m" not in found.state.pending:
        assert stored["m"] == ANSWER
    for item_id, item in fold(in_both).items.items():
        if item_id == "old":  # it was replaced, not continued
            continue
        texts = [each.get("text", "") for each in item.to_json()["content"]]
        kept = [each.get("text", "") for each in stored.get(item_id, {"content": []})["content"]]
        assert all(there.startswith(text) for text, there in zip(texts, kept, strict=False))
        assert not any(texts) or item_id in stored


def assert_seen_is_written(place: Place, written: list[Event]) -> list[Event]:
    """All that the client saw is in the journal, but for deltas that the lag lets run ahead."""
    seen = place.seen()
    common = min(len(seen), len(written))
    assert list(map(encode, seen[:common])) == list(map(encode, written[:common]))
    ahead = seen[common:]
    assert not ahead or place.lag
    assert all(isinstance(event, ThreadItemUpdated) for event in ahead)
    return seen[:common]


def recover_by_two(place: Place, deadly: int | None = None) -> None:
    first, second = recover_at_once(place, deadly)
    assert second == 0
    assert first in {0, DIED if deadly else 0}
    records = asyncio.run(recovered_records(place))
    if records is None:  # it died before the client saw anything
        assert place.seen() == []
        assert place.stored() == {"old": OLD}
    else:
        assert_recovered(place, records)


def recover_at_once(place: Place, deadly: int | None = None) -> tuple[int, int]:
    """Recover in two processes, of which the first may die; return their statuses."""
    place.begins = time.monotonic() + HEAD_START
    first = in_child(place.recover, Steps(deadly))
    second = in_child(place.recover, Steps())
    return status_of(first), status_of(second)


async def recovered_records(place: Place) -> list[bytes] | None:
    """The records when all is recovered: one process may have left it to the one that died."""
    records = await place.records()
    if records is None or recovered(records).closed:
        return records
    await place.recover(Steps())
    return await place.records()


# --- processes that die --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Begin a backend when it is first needed."""
    with ExitStack() as stack:

        @cache
        def begin(name: str) -> Backend:
            return stack.enter_context(BACKENDS[name](tmp_path_factory.mktemp(name)))

        yield begin


def steps_of(make: Callable[[Path], Place], directory: Path) -> int:
    """How many steps an exchange has with a server that knows its scripts."""
    assert status_of(in_child(make(directory / "first").run, Steps())) == 0
    return count_steps(make(directory / "whole").run)


EXCHANGES = [
    *((Exchange("files", by, EVENTS), 1) for by in ("hand", "supervise", "absence")),
    *((Exchange(name, "supervise"), 3) for name in ("redis", "postgres")),
    *(
        pytest.param(Exchange(name, "supervise", lag=lag), 1, marks=pytest.mark.slow)
        for name in ("redis", "postgres")
        for lag in (0, LAG)
    ),
]
"""Each with how many steps it is from one death to the next."""


@pytest.mark.parametrize(("exchange", "every"), EXCHANGES, ids=str)
def test_killed_at_its_steps_and_recovered_by_two(
    backends: Any, tmp_path: Path, exchange: Exchange, every: int
) -> None:
    make = partial(Place, exchange=exchange, backend=backends(exchange.backend))
    count = steps_of(make, tmp_path)
    assert count > 80
    deaths = []
    for deadly in range(1, count + 1, every):
        killed = make(tmp_path / str(deadly))
        status = status_of(in_child(killed.run, Steps(deadly)))
        assert status in {0, DIED}
        deaths.append(status == DIED)
        recover_by_two(killed)
    # An answer of a server may come in one piece more or less than when they were counted.
    died = deaths.count(True)
    assert died == len(deaths) or (died > 0.9 * len(deaths) and exchange.backend != "files")


@pytest.mark.parametrize("name", others_slow("files", "redis", "postgres"))
def test_recoveries_are_killed_at_every_step(backends: Any, tmp_path: Path, name: str) -> None:
    exchange = Exchange(name, "supervise")

    def killed_in_mid_answer(label: str) -> Place:
        place = Place(tmp_path / label, exchange, backends(name))
        assert status_of(in_child(place.dies_in_mid_answer, Steps())) == DIED
        assert len(place.seen()) == len(SHORT) - 1
        return place

    count = count_steps(killed_in_mid_answer("whole").recover)
    assert count > 10
    for deadly in range(1, count + 1):
        recover_by_two(killed_in_mid_answer(str(deadly)), deadly)


# --- servers that die ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "exchange",
    [
        Exchange(backend, "supervise", lag=lag)
        for backend in ("redis always", "postgres")
        for lag in (0, LAG)
    ],
    ids=str,
)
def test_the_server_is_killed_in_mid_answer(
    backends: Any, tmp_path: Path, exchange: Exchange
) -> None:
    """The answer goes on, and the journal keeps all that it had acknowledged."""
    backend = backends(exchange.backend)
    make = partial(Place, exchange=exchange, backend=backend)
    count = steps_of(make, tmp_path)
    for step in range(KILLED_SERVERS):
        place = make(tmp_path / str(step))
        deadly = (step + 1) * count // (KILLED_SERVERS + 2)
        status = status_of(in_child(place.run, Steps(deadly, place.kill_server)))
        backend.restart()
        assert status == 0
        assert place.seen() == exchange.events
        stored = place.stored()
        assert_answered(stored)
        there = asyncio.run(place.records())
        assert_acknowledged(place, there or [])
        place.load = place.find
        assert recover_at_once(place) == (0, 0)
        records = asyncio.run(recovered_records(place))
        assert records is None or recovered(records).closed
        assert without_marker(place.stored()) == stored


def assert_answered(stored: dict[str, Any]) -> None:
    """The store has what it has without a journal."""
    state = fold(SHORT, fold([done(OLD)]))
    settlement = settle(state, policy=POLICY, cause="ended", delivered=state)
    assert stored == applied(settlement, {"old": OLD, "m": ANSWER})


def assert_acknowledged(place: Place, records: list[bytes]) -> None:
    """All that the client had when the server was killed is there, but perhaps its last deltas."""
    entries = list(decode_records(records))
    assert CLOSED not in [entry.type for entry in entries], "the server was not killed"
    written: list[Any] = [entry.event for entry in entries if entry.type != SETTLED]
    acknowledged = place.acknowledged()
    common = min(len(written), len(acknowledged))
    assert list(map(encode, written[:common])) == list(map(encode, acknowledged[:common]))
    lost = acknowledged[common:]
    assert not lost or place.lag or place.backend.loses_deltas
    assert all(isinstance(event, ThreadItemUpdated) for event in lost)


def without_marker(items: dict[str, Any]) -> dict[str, Any]:
    """A recovery cannot know that the answer came to its end, and says that it did not."""
    markers = [item for item, value in items.items() if value["type"] == "sdk_hidden_context"]
    assert len(markers) <= 1
    return {item: value for item, value in items.items() if item not in markers}
