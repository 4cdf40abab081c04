"""`RedisJournal`, against a Redis that is killed, and whose connections are."""

from __future__ import annotations

import asyncio
import runpy
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as LostConnection

from chatkit_reducer.journal import redis
from chatkit_reducer.journal.protocol import JournalError
from chatkit_reducer.journal.redis import RedisJournal
from tests.journal.on_a_server import (
    ADDED,
    CLOSED,
    DELTA,
    OnAServer,
    contents,
    eventually,
    followed,
    header,
    hears,
    run,
)
from tests.journal.servers import RedisServer, running_redis


class Place:
    """A Redis with an append-only file."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.kill = server.kill
        self.start = server.start

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[Any]:
        async with Redis(port=self.server.port, **options) as client:
            yield client

    @asynccontextmanager
    async def journal(self, name: str, **options: Any) -> AsyncIterator[RedisJournal]:
        async with self.client() as client:
            journal = RedisJournal(client, name=name, **options)
            try:
                yield journal
            finally:
                await journal.aclose()

    async def kill_connections(self) -> None:
        async with self.client() as client:
            await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def script(self, name: str) -> str:
        return (
            "from redis.asyncio import Redis\n"
            "from chatkit_reducer.journal.redis import RedisJournal\n"
            f"def make(): return RedisJournal(Redis(port={self.server.port}), name={name!r})"
        )

    async def trim(self, name: str, response: str) -> None:
        async with self.client() as client:
            assert await client.xdel(f"{{{name}}}:records:{response}", "1-1") == 1

    def lose_the_next_answer(self, journal: RedisJournal) -> None:
        client = journal._client
        evalsha = client.evalsha

        async def lost(*arguments: Any) -> Any:
            await evalsha(*arguments)
            client.evalsha = evalsha
            raise LostConnection("the connection is lost")

        client.evalsha = lost

    @asynccontextmanager
    async def block(self, name: str) -> AsyncIterator[None]:
        async with self.client() as client:
            await client.client_pause(100_000, all=False)
            try:
                yield
            finally:
                await client.client_unpause()

    @asynccontextmanager
    async def fill(self, name: str) -> AsyncIterator[None]:
        async with self.client() as client:
            await client.config_set("maxmemory", 1)
            try:
                yield
            finally:
                await client.config_set("maxmemory", 0)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with running_redis("--appendonly", "yes", "--appendfsync", "everysec") as server:
        yield Place(server)


class TestRedis(OnAServer):
    """All that both servers have in common."""

    def test_a_server_that_is_killed_keeps_what_it_acknowledged(self, place: Any) -> None:
        """With `everysec` it may not: Redis answers before it writes, while a sync is under way."""
        del place
        with running_redis("--appendonly", "yes", "--appendfsync", "always") as server:
            super().test_a_server_that_is_killed_keeps_what_it_acknowledged(Place(server))


@pytest.fixture(scope="module")
def forgetful() -> Iterator[Place]:
    with running_redis("--appendonly", "no") as server:
        yield Place(server)


def test_a_server_that_keeps_nothing_is_refused(forgetful: Place) -> None:
    async def body() -> None:
        async with forgetful.journal("j", require_aof=False) as journal:
            await journal.begin(header())
            await journal.append("r", 0, [ADDED])
            assert await contents(journal) == [ADDED]
        # It knows the scripts by now, and is asked all the same.
        async with forgetful.journal("j") as journal:
            for attempt in (
                journal.begin(header("r2")),
                journal.append("r", 1, [ADDED]),
                journal.find(),
            ):
                with pytest.raises(JournalError, match=r"--appendonly yes.*require_aof=False"):
                    await attempt

    run(body)


@pytest.mark.parametrize("file", ["yes", "no"])
def test_where_config_is_kept_from_users_the_server_is_asked_otherwise(
    file: str,
) -> None:
    async def body() -> None:
        async with Place(server).journal("j") as journal:
            if file == "yes":
                await journal.begin(header())
            else:
                with pytest.raises(JournalError, match="append-only file"):
                    await journal.begin(header())

    with running_redis("--appendonly", file, "--rename-command", "CONFIG", "") as server:
        run(body)


def test_a_server_that_comes_back_without_its_file_is_refused() -> None:
    async def body() -> None:
        async with Place(server).journal("j") as journal:
            await journal.begin(header())
            server.kill()
            server._settings = ("--appendonly", "no")
            await asyncio.to_thread(server.start)
            with pytest.raises(JournalError, match="append-only file"):
                await journal.begin(header("r2"))

    with running_redis("--appendonly", "yes") as server:
        run(body)


@pytest.mark.parametrize(
    "options",
    [
        {"decode_responses": True},
        {"protocol": 3},
        {"protocol": 2},
        {"socket_timeout": 0.4},
        {"socket_timeout": None},
    ],
    ids=str,
)
def test_whichever_way_the_client_is_set(place: Place, options: dict[str, Any]) -> None:
    """With a short `socket_timeout`, too, the reader that waits waits without an error."""

    async def body() -> None:
        name = f"client {options}"
        async with place.client(**options) as client, place.journal(name) as other:
            journal = RedisJournal(client, name=name)
            await journal.begin(header())
            reader = asyncio.create_task(followed(journal))
            await eventually(lambda: _hears(journal))
            connections = await count_connections(other)
            await asyncio.sleep(0.6)
            assert await count_connections(other) == connections, "one was lost, and made anew"
            await other.append("r", 0, ['{"text":"\N{SNOWMAN}"}'.encode(), ADDED])
            await other.append("r", 2, [CLOSED])
            assert len(await reader) == 3
            assert await contents(journal) == await contents(other)
            assert len(await journal.find(thread="t")) == 0
            await journal.stop("r")
            assert await journal.forget(thread="t") == 1
            await journal.aclose()

    run(body)


def test_a_batch_is_one_entry_and_a_group_one_trip(place: Place) -> None:
    async def body() -> None:
        async with place.journal("batches", lag=1000) as journal, place.client() as client:
            for response in "abc":
                await journal.begin(header(response))
                for at in range(50):
                    await journal.append(response, at, [DELTA])
            await client.config_resetstat()
            await journal.append("a", 50, [CLOSED])
            for response in "abc":
                assert await client.xlen(f"{{batches}}:records:{response}") == 1
            statistics = await client.info("commandstats")
            assert statistics["cmdstat_evalsha"]["calls"] == 1

    run(body)


def test_one_connection_waits_for_all_readers_and_goes_when_they_do(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is woken when there is one reader more; to wait until it wakes by itself takes too long.
    monkeypatch.setattr(redis, "LONGEST_BLOCK", 1000.0)

    async def waiting(client: Any) -> int:
        return sum(one["cmd"] == "xread" for one in await client.client_list())

    async def body() -> None:
        async with place.client(socket_timeout=None) as own, place.client() as client:
            journal = RedisJournal(own, name="readers")
            before = await waiting(client)
            readers = []
            for number in range(20):
                await journal.begin(header(f"r{number}"))
                reads = [_read_to_the_end(journal, f"r{number}") for _ in range(3)]
                readers += [asyncio.create_task(read) for read in reads]
            await eventually(lambda: _awaits(journal, 20))
            assert await waiting(client) <= before + 1
            for number in range(20):
                await journal.append(f"r{number}", 0, [CLOSED])
            assert await asyncio.gather(*readers) == [1] * 60
            for _ in range(2):  # it waits for one more hint, which comes from none
                if journal._listener._id is not None:
                    await client.client_unblock(journal._listener._id)
            await eventually(lambda: _is_done(journal))
            await journal.aclose()

    run(body)


def test_an_entry_that_the_header_does_not_know_is_a_fence_of_its_own(place: Place) -> None:
    async def body() -> None:
        async with place.journal("entries") as journal, place.client() as client:
            await journal.begin(header())
            await client.xadd("{entries}:records:r", {"text": "{}"}, id="5-1")
            with pytest.raises(JournalError, match="an entry above it"):
                await journal.append("r", 0, [ADDED])

    run(body)


def test_a_server_that_cannot_be_reached() -> None:
    async def body() -> None:
        async with Redis(port=1) as client:
            journal = RedisJournal(client, timeout=2.0)
            with pytest.raises(JournalError, match="see that the server runs"):
                await journal.begin(header())
            await journal.aclose()

    run(body)


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(ImportError, match=r"pip install 'chatkit-reducer\[redis\]'"):
        runpy.run_path(redis.__file__)


async def count_connections(journal: Any) -> int:
    return int((await journal._client.info("stats"))["total_connections_received"])


async def _hears(journal: Any) -> bool:
    return hears(journal)


async def _awaits(journal: RedisJournal, count: int) -> bool:
    return len(journal._listener._awaited) == count


async def _is_done(journal: RedisJournal) -> bool:
    task = journal._listener._task
    return task is not None and task.done()


async def _read_to_the_end(journal: RedisJournal, response: str) -> int:
    return len([pair async for pair in journal.read(response)])
