"""`python -m benchmarks.journaling`: the cost of an event that is appended to a journal.

One stream flat out, and fifty at once, each with a structural record now and then. The yardstick is
a plain `write()` of the same record to a file. Servers are started on free ports of this machine.

When not to believe it: the server shares the cores with its client here, and a network would add
its trip to each strict append. A row with a lag says nothing about the time at which a record is
durable. Compare rows of one run only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from chatkit_reducer.journal.postgres import PostgresJournal
from chatkit_reducer.journal.protocol import Header, Journal
from chatkit_reducer.journal.redis import RedisJournal
from tests.journal.servers import running_postgres, running_redis

_DELTA = (
    b'{"seq":17,"time":1764430000.123,"event":{"type":"thread.item.updated","item_id":"msg_1","update"'
    b':{"type":"assistant_message.content_part.text_delta","content_index":0,"delta":" moon"}}}'
)
_ADDED = (
    b'{"seq":1,"time":1764430000.123,"event":{"type":"thread.item.added","item":{"id":"msg_1"}}}'
)
_EVERY = 100
"""Every so many records one is structural."""

Opened = AbstractAsyncContextManager[Journal]


def main() -> None:
    """Print a row for each journal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.journaling", description=__doc__)
    parser.add_argument("--events", type=int, default=2_000, help="how many a stream (2,000)")
    parser.add_argument("--streams", type=int, default=50, help="how many at once (50)")
    options = parser.parse_args()
    print(f"{'us an event, wall / cpu':<32}{'1 stream':>18}{f'{options.streams} streams':>18}")
    _print("write() to a file", [_write_to_a_file(options.events)])
    with running_postgres() as postgres, running_redis("--appendonly", "yes") as redis:
        for name, opened in _journals(postgres.conninfo, redis.port).items():
            one = asyncio.run(_measured(opened, 1, options.events))
            many = asyncio.run(_measured(opened, options.streams, options.events // 10))
            _print(name, [one, many])


def _print(name: str, cells: list[tuple[float, float]]) -> None:
    print(f"{name:<32}" + "".join(f"{f'{wall:.1f} / {cpu:.1f}':>18}" for wall, cpu in cells))


def _write_to_a_file(events: int) -> tuple[float, float]:
    with tempfile.TemporaryFile(buffering=0) as file:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(events):
            os.write(file.fileno(), _DELTA)
        return _each(wall, cpu, events)


def _each(wall: float, cpu: float, events: int) -> tuple[float, float]:
    """Microseconds an event, since then."""
    scale = 1e6 / events
    return (time.perf_counter() - wall) * scale, (time.process_time() - cpu) * scale


def _journals(conninfo: str, port: int) -> dict[str, Callable[[], Opened]]:
    found: dict[str, Callable[[], Opened]] = {}
    if (files := _file_journal()) is not None:
        found["FileJournal"] = partial(_over_files, files)
    for lag in 0, 0.05:
        found[f"PostgresJournal, lag {lag:g}"] = partial(_over_postgres, conninfo, lag)
        found[f"RedisJournal, lag {lag:g}"] = partial(_over_redis, port, lag)
    return found


def _file_journal() -> Any:
    try:
        from chatkit_reducer.journal import FileJournal  # type: ignore[attr-defined, unused-ignore]
    except ImportError:
        return None
    return FileJournal


@asynccontextmanager
async def _over_files(make: Any) -> AsyncIterator[Journal]:
    with tempfile.TemporaryDirectory() as folder:
        journal = make(Path(folder))
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


async def _measured(opened: Callable[[], Opened], streams: int, events: int) -> tuple[float, float]:
    async with opened() as journal:
        responses = [uuid.uuid4().hex for _ in range(streams)]
        for response in responses:
            now = datetime.now(UTC)
            await journal.begin(Header(response=response, thread="thr_1", started=now))
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(_stream(journal, response, events) for response in responses))
        return _each(wall, cpu, events * streams)


async def _stream(journal: Journal, response: str, events: int) -> None:
    """Append records; the last one is structural, so that all of them are written by then."""
    for at in range(events):
        is_structural = at % _EVERY == 0 or at == events - 1
        await journal.append(response, at, [_ADDED if is_structural else _DELTA])


if __name__ == "__main__":
    main()
