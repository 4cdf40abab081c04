"""`ReducerChatKitServer`: every way in which a response ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from chatkit import types as sdk
from chatkit.errors import CustomStreamError
from chatkit.server import ChatKitServer

from chatkit_reducer import Cause, policies
from chatkit_reducer.core.policy.table import Content, Decision, Policy, Row
from chatkit_reducer.testing.examples import message
from tests.support.sdk_servers import (
    BEGUN,
    FOREVER,
    REQUEST,
    Scripted,
    Server,
    Shelf,
    Told,
    added,
    delta,
    done,
    make,
    progress,
    receive,
    stop,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)


def test_a_response_that_ends_is_what_the_sdk_makes_of_it() -> None:
    server, shelf = make([*BEGUN, done(message("m", "one two "))])
    bare, bare_shelf = make(server.script, kind=type("Bare", (Scripted, ChatKitServer), {}))
    ours, theirs = asyncio.run(receive(server)), asyncio.run(receive(bare))
    assert [e["type"] for e in ours] == [e["type"] for e in theirs]
    assert ours[-1] == theirs[-1]
    assert [op for op, _ in shelf.log] == [op for op, _ in bare_shelf.log] == ["add", "add"]


def test_a_cancelled_task() -> None:
    server, shelf = make([*BEGUN, FOREVER])
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert len(shelf.markers) == 1


def test_a_client_that_leaves() -> None:
    server, shelf = make([*BEGUN, FOREVER])
    asyncio.run(receive(server, leave_after=4))  # the message, options, the item, a delta
    assert shelf.text("m") == "one "
    assert len(shelf.markers) == 1


def test_a_client_that_leaves_before_the_response_begins() -> None:
    server, shelf = make([*BEGUN, FOREVER])
    asyncio.run(receive(server, leave_after=2))
    assert list(shelf.plain()) == [shelf.markers[0].id]


def test_a_response_that_raises() -> None:
    server, shelf = make([*BEGUN, ValueError("model")])
    events = asyncio.run(receive(server))
    assert events[-1]["type"] == "error"
    assert shelf.text("m") == "one two "
    assert shelf.markers == []


def test_a_response_that_raises_an_error_for_people() -> None:
    server, shelf = make([*BEGUN, CustomStreamError("No more.", allow_retry=False)])
    events = asyncio.run(receive(server))
    assert events[-1]["message"] == "No more."
    assert shelf.text("m") == "one two "


def test_a_response_that_returns_early() -> None:
    server, shelf = make(BEGUN)
    asyncio.run(receive(server))
    assert shelf.text("m") == "one two "
    assert shelf.markers == []


def test_a_response_that_takes_too_long_for_one_event() -> None:
    server, shelf = make([*BEGUN, FOREVER])
    server.event_timeout = 0.02
    events = asyncio.run(receive(server))
    assert events[-1] == {"type": "error", "code": "stream.error", "allow_retry": True}
    assert shelf.text("m") == "one two "


def test_a_response_that_takes_too_long_in_all() -> None:
    server, shelf = make([BEGUN[0], *[step for _ in range(100) for step in (BEGUN[1], 0.005)]])
    server.stream_timeout = 0.05
    assert asyncio.run(receive(server))[-1]["type"] == "error"
    assert shelf.text("m").startswith("one one ")


def test_a_stop_button() -> None:
    async def body() -> None:
        reading = asyncio.create_task(receive(server))
        await progress()
        assert await server.stop_responses("another") == 0
        assert await server.stop_responses("thr_1") == 1
        assert shelf.text("m") == "one two "
        events = await reading
        assert events[-1]["type"] == "thread.item.done"  # what is stored
        assert await server.stop_responses("thr_1") == 0

    server, shelf = make([*BEGUN, FOREVER])
    asyncio.run(body())
    assert shelf.text("m") == "one two "
    assert len(shelf.markers) == 1


def test_a_server_that_shuts_down() -> None:
    """uvicorn cancels what runs, does not wait for it, and then ends the application."""

    async def body() -> None:
        clients = [asyncio.create_task(receive(server)) for _ in range(3)]
        await progress()
        for client in clients:
            client.cancel()
        assert await server.stop_responses() == 3
        assert len(shelf.markers) == 3
        assert len(server.told) == 3

    server, shelf = make([*BEGUN, FOREVER], kind=Told)
    asyncio.run(body())


def test_the_causes_have_their_own_rows() -> None:
    rows = [
        Row(content=Content.COMPLETE, decision=Decision.PERSIST, reason="done"),
        Row(cause=Cause.FAILED, decision=Decision.DISCARD, reason="a retry is offered"),
        Row(decision=Decision.PERSIST, reason="seen"),
    ]
    for script, kept in (([*BEGUN, ValueError("model")], False), (BEGUN, True)):
        server, shelf = make(script)
        server.policy = Policy(name="mine", about="", rows=rows)
        asyncio.run(receive(server))
        assert ("m" in shelf.plain()) is kept


def test_the_policy_as_an_argument() -> None:
    assert Server(Shelf()).policy is policies.KEEP
    assert Server(Shelf(), policy=policies.DROP).policy is policies.DROP


def test_many_responses_at_once_do_not_mix() -> None:
    class Many(Server):
        async def respond(
            self, thread: sdk.ThreadMetadata, input_user_message: Any, context: Any
        ) -> AsyncIterator[Any]:
            name = f"m{context}"
            yield added(message(name))
            for _ in range(context):
                await asyncio.sleep(0)
                yield delta(name, f"{context} ")
            await asyncio.sleep(FOREVER)

    async def body() -> None:
        received: list[list[bytes]] = [[] for _ in range(20)]

        async def one(number: int) -> None:
            async for frame in await server.process(REQUEST, number):
                if b"delta" in frame:
                    received[number].append(frame)

        tasks = [asyncio.create_task(one(number)) for number in range(1, 20)]
        while sum(map(len, received)) < sum(range(1, 20)):
            await asyncio.sleep(0.001)
        for task_ in tasks:
            task_.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    server, shelf = make([], kind=Many)
    asyncio.run(body())
    for number in range(1, 20):
        assert shelf.text(f"m{number}") == f"{number} " * number
    assert len(shelf.markers) == 19
