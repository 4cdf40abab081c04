"""The backends that keep a journal when a process dies, each behind the same few methods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from functools import partial
from pathlib import Path
from typing import Protocol

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from chatkit_reducer.journal import FileJournal, Journal
from chatkit_reducer.journal.directory import name_of
from chatkit_reducer.journal.postgres import PostgresJournal
from chatkit_reducer.journal.redis import RedisJournal
from tests.journal.servers import PostgresServer, RedisServer, running_postgres, running_redis

__all__ = ["BACKENDS", "Backend"]

LEASE = 0.0
"""In seconds. Two may recover one response at once, and one that died holds up none."""


class Backend(Protocol):
    """Where journals are kept; all of them see the same responses."""

    loses_deltas: bool
    """Whether a server that is killed may lose the last deltas that it acknowledged."""

    def journal(self, *, lag: float) -> AbstractAsyncContextManager[Journal]:
        """A journal with connections of its own, for the process and the event loop it is in."""

    def assert_whole(self, response: str) -> None:
        """No half of a record is left."""

    def kill(self) -> None:
        """Kill the server, in any process."""

    def restart(self) -> None:
        """Start the server that was killed over the same data, in the process that began it."""


class Files:
    """A directory. There is no server that could be killed."""

    loses_deltas = False

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @asynccontextmanager
    async def journal(self, *, lag: float) -> AsyncIterator[Journal]:
        journal = FileJournal(self._directory)
        try:
            yield journal
        finally:
            await journal.aclose()

    def assert_whole(self, response: str) -> None:
        assert (self._directory / name_of(response)).read_bytes().endswith(b"\n")

    def kill(self) -> None:
        raise NotImplementedError

    restart = kill


class InRedis:
    """A Redis with an append-only file."""

    loses_deltas = False

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self.kill = server.kill

    @asynccontextmanager
    async def journal(self, *, lag: float) -> AsyncIterator[Journal]:
        # Its own three attempts take seconds where nothing listens.
        async with Redis(port=self._server.port, retry=Retry(NoBackoff(), 0)) as client:
            journal = RedisJournal(client, lag=lag, lease=LEASE)
            try:
                yield journal
            finally:
                await journal.aclose()

    def assert_whole(self, response: str) -> None:
        """An entry is whole, or it is not there."""

    def restart(self) -> None:
        self._server.kill()  # and wait for it
        self._server.start()


class InPostgres:
    """A PostgreSQL whose deltas are on the disk as late as possible."""

    loses_deltas = True
    SETTINGS = ("wal_writer_delay=10s",)

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.kill = server.kill

    @asynccontextmanager
    async def journal(self, *, lag: float) -> AsyncIterator[PostgresJournal]:
        journal = PostgresJournal(self._server.conninfo, lag=lag, lease=LEASE)
        try:
            yield journal
        finally:
            await journal.aclose()

    async def create_tables(self) -> None:
        async with self.journal(lag=0) as journal:
            await journal.create_tables()

    def assert_whole(self, response: str) -> None:
        """A row is whole, or it is not there."""

    def restart(self) -> None:
        self._server.start(*self.SETTINGS)


@contextmanager
def files(directory: Path) -> Iterator[Backend]:
    yield Files(directory / "answers")


@contextmanager
def in_redis(_: Path, *, sync: str) -> Iterator[Backend]:
    with running_redis("--appendonly", "yes", "--appendfsync", sync) as server:
        yield InRedis(server)


@contextmanager
def in_postgres(_: Path) -> Iterator[Backend]:
    with running_postgres(*InPostgres.SETTINGS) as server:
        backend = InPostgres(server)
        asyncio.run(backend.create_tables())
        yield backend


BACKENDS: dict[str, Callable[[Path], AbstractContextManager[Backend]]] = {
    "files": files,
    "redis": partial(in_redis, sync="everysec"),
    # With `everysec`, Redis 7.0.15 answers up to two seconds before it writes to its file, while a
    # sync is under way (`aof.c`, `flushAppendOnlyFile`): killed then, it has lost that.
    "redis always": partial(in_redis, sync="always"),
    "postgres": in_postgres,
}
