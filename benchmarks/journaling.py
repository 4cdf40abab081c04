"""What a journal costs: an event of a server, an append when many streams run, and a catching up.

When not to believe it: the database shares the cores with its client here, and a network would add
its trip to each strict append. A row with a lag says nothing about the time at which a record is
durable. Servers are started on free ports of this machine.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial

from redis.asyncio import Redis

from benchmarks.measuring import measure
from benchmarks.serving import bare, journaled, written
from chatkit_reducer.journal import FileJournal, PostgresJournal, RedisJournal
from chatkit_reducer.journal.following import follow
from chatkit_reducer.journal.protocol import Header, Journal
from tests.journal.servers import running_postgres, running_redis

__all__ = ["append_times", "catching_up", "server_ratios"]

_DELTA = (
    b'{"seq":%d,"time":1764430000.123,"event":{"type":"thread.item.updated","item_id":"msg_1","update"'
    b':{"type":"assistant_message.content_part.text_delta","content_index":0,"delta":" moon"}}}'
)
_ADDED = (
    b'{"seq":%d,"time":1764430000.123,"event":{"type":"thread.item.added","item":{"id":"msg_1",'
    b'"thread_id":"thr_1","created_at":"2026-01-01T00:00:00","type":"assistant_message","content":'
    b"[]}}}"
)
_LAG = 0.05
_STREAMS = 50
_EVENTS = 200
"""How many events each of the streams has; the last of a hundred is structural."""
_MISSED = 200_000

Opened = Callable[[], AbstractAsyncContextManager[Journal]]


def server_ratios(rounds: int) -> Mapping[str, float]:
    """Return the time of an event with each journal, in that of the SDK's own server."""
    with _all_journals(_LAG) as journals, asyncio.Runner() as runner:
        cases = {name: journaled(runner, opened) for name, opened in journals.items()}
        with tempfile.TemporaryDirectory() as place:
            plain = {"bare": bare(runner), "write()": written(place)}
            times = measure({**plain, **cases}, rounds)
        return {name: times.ratio(name, "bare") for name in ("write()", *cases)}


def append_times() -> Mapping[str, float]:
    """Return the microseconds of a strict append, where 50 streams run at once."""
    with _all_journals(0) as journals:
        return {name: asyncio.run(_appended(opened)) for name, opened in journals.items()}


async def _appended(opened: Opened) -> float:
    async with opened() as journal:
        responses = [await _begun(journal) for _ in range(_STREAMS)]
        start = time.perf_counter()
        await asyncio.gather(*(_append_one_by_one(journal, each) for each in responses))
        return (time.perf_counter() - start) * 1e6 / (_STREAMS * _EVENTS)


async def _begun(journal: Journal) -> str:
    response = uuid.uuid4().hex
    await journal.begin(Header(response=response, thread="thr_1", started=datetime.now(UTC)))
    return response


async def _append_one_by_one(journal: Journal, response: str) -> None:
    for at in range(_EVENTS):
        await journal.append(response, at, [(_DELTA if at % 100 else _ADDED) % (at + 1)])


def catching_up() -> float:
    """Return the microseconds of an event that `follow` gives a client from files."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_caught_up(FileJournal(folder)))


async def _caught_up(journal: FileJournal) -> float:
    response = await _begun(journal)
    await journal.append(response, 0, [_ADDED % 1])
    await journal.append(response, 1, [_DELTA % (at + 2) for at in range(_MISSED)])
    times = [await _followed(journal, response) for _ in range(5)]
    return min(times) * 1e6 / _MISSED


async def _followed(journal: Journal, response: str) -> float:
    start = time.perf_counter()
    events = follow(journal, response, after=f"{response}:1")
    for _ in range(_MISSED):
        await anext(events)
    return time.perf_counter() - start


@contextmanager
def _all_journals(lag: float) -> Iterator[dict[str, Opened]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres() as postgres,
        running_redis("--appendonly", "yes") as redis,
    ):
        yield {
            "FileJournal": partial(_over_files, folder),
            "PostgresJournal": partial(_over_postgres, postgres.conninfo, lag),
            "RedisJournal": partial(_over_redis, redis.port, lag),
        }


@asynccontextmanager
async def _over_files(folder: str) -> AsyncIterator[Journal]:
    journal = FileJournal(folder)
    yield journal
    await journal.aclose()


@asynccontextmanager
async def _over_postgres(conninfo: str, lag: float) -> AsyncIterator[Journal]:
    journal = PostgresJournal(conninfo, lag=lag)
    await journal.create_tables()
    yield journal
    await journal.aclose()


@asynccontextmanager
async def _over_redis(port: int, lag: float) -> AsyncIterator[Journal]:
    async with Redis(port=port) as client:
        journal = RedisJournal(client, lag=lag)
        yield journal
        await journal.aclose()
