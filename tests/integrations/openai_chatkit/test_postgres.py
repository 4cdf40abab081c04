"""`ReducerChatKitServer` over a PostgreSQL whose connections are killed in mid-commit."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
import pytest

from tests.support.postgres import PostgresStore, running_postgres
from tests.support.sdk_servers import BEGUN, FOREVER, REQUEST, Server

STEPS = ["before the write", "before the commit", "after the commit"]
ANSWERED = ["user_message", "assistant_message", "sdk_hidden_context"]


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    """A PostgreSQL that runs as long as these tests."""
    with ExitStack() as stack:
        try:
            address = stack.enter_context(running_postgres())
        except FileNotFoundError as error:
            # CI must not pass for want of a database.
            (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
        yield address


def run(dsn: str, body: Callable[[Any, PostgresStore], Coroutine[Any, Any, None]]) -> None:
    async def in_time() -> None:
        store = PostgresStore(dsn)
        await store.create()
        server = Server(store)
        server.script = [*BEGUN, FOREVER]
        async with asyncio.timeout(60.0):
            await body(server, store)

    asyncio.run(in_time())


async def reading(server: Any, thread_id: str = "thr_1") -> asyncio.Task[None]:
    """A client that has read all there is, and waits."""
    read_all = asyncio.Event()

    async def read() -> None:
        async for frame in await server.process(REQUEST.replace("thr_1", thread_id), None):
            if b"two " in frame:
                read_all.set()

    client = asyncio.create_task(read())
    await read_all.wait()
    return client


async def leave(client: asyncio.Task[None]) -> None:
    client.cancel()
    with suppress(asyncio.CancelledError):
        await client


async def stored(store: PostgresStore, thread_id: str = "thr_1") -> list[str]:
    """The types of the items, if the answer is whole."""
    store.interfere = None
    page = await store.load_thread_items(thread_id, None, 100, "asc", None)
    for item in page.data:
        if item.type == "assistant_message":
            assert [part.text for part in item.content] == ["one two "]
    return [item.type for item in page.data]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("times", [1, 2])
def test_a_connection_that_is_killed(dsn: str, step: str, times: int) -> None:
    async def body(server: Any, store: PostgresStore) -> None:
        left = times

        async def kill(name: str, process: int) -> None:
            nonlocal left
            if name == step and left > 0:
                left -= 1
                await store.kill(process)

        client = await reading(server)
        store.interfere = kill
        await leave(client)
        assert left == 0
        assert await stored(store) == ANSWERED

    run(dsn, body)


def test_a_write_that_conflicts_with_another(dsn: str) -> None:
    """Both compute the next place: PostgreSQL lets one of them commit."""

    async def body(server: Any, store: PostgresStore) -> None:
        other = PostgresStore(dsn)
        failures: list[str] = []
        left = 2

        async def write_elsewhere(name: str, process: int) -> None:
            nonlocal left
            if name == "before the commit" and left > 0:
                left -= 1
                marker = item.model_copy(update={"id": f"elsewhere_{left}"})
                await other.add_thread_item("thr_2", marker, None)

        client = await reading(server)
        (item,) = (await store.load_thread_items("thr_1", None, 1, "asc", None)).data
        add = store.add_thread_item

        async def with_fields(*arguments: Any, **options: Any) -> None:
            try:
                await add(*arguments, **options)
            except psycopg.errors.SerializationFailure as error:
                failures.append(type(error).__name__)
                raise

        store.add_thread_item = with_fields  # type: ignore[method-assign]
        store.interfere = write_elsewhere
        await leave(client)
        assert failures
        assert await stored(store) == ANSWERED

    run(dsn, body)


def test_a_pool_without_a_free_connection(dsn: str) -> None:
    async def body(server: Any, store: PostgresStore) -> None:
        client = await reading(server)
        store.free = asyncio.Semaphore(0)
        asyncio.get_running_loop().call_later(0.5, store.free.release)
        await leave(client)
        assert await stored(store) == ANSWERED

    run(dsn, body)


def test_an_id_that_is_taken_stays(dsn: str) -> None:
    async def body(server: Any, store: PostgresStore) -> None:
        for _ in range(2):  # the second answer has the id of the first
            client = await reading(server)
            await leave(client)
        types = await stored(store)
        assert types.count("assistant_message") == 1
        assert types.count("sdk_hidden_context") == 2

    run(dsn, body)


def test_while_connections_are_killed_all_the_time(dsn: str) -> None:
    """Fifteen answers are stopped at once; every third step of a write costs a connection."""

    async def body(server: Any, store: PostgresStore) -> None:
        chance = random.Random(0)
        killed = 0

        async def kill(name: str, process: int) -> None:
            nonlocal killed
            if killed < 30 and chance.random() < 1 / 3:
                killed += 1
                await store.kill(process)

        threads = [f"thr_{number}" for number in range(15)]
        clients = [await reading(server, thread_id) for thread_id in threads]
        store.patience = 10.0
        store.interfere = kill
        await server.stop_responses()
        await asyncio.gather(*clients)
        assert killed == 30
        for thread_id in threads:
            assert await stored(store, thread_id) == ANSWERED

    run(dsn, body)
