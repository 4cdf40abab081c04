"""`EventStream` of Starlette and Django: settled before the response is over, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

import pytest
from django.conf import settings

from chatkit_reducer import fold, policies
from chatkit_reducer.integrations.django import EventStream as DjangoStream
from chatkit_reducer.integrations.starlette import EventStream as StarletteStream
from chatkit_reducer.logs import read
from chatkit_reducer.testing.examples import message
from tests.serving.test_responses_laws import Exchange
from tests.support.supervised import BEGUN, WHOLE

if not settings.configured:
    settings.configure()

Send = Callable[[bytes], Awaitable[None]]


def assert_sent_at_once(headers: Any) -> None:
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"


async def by_starlette(exchange: Exchange, send: Send) -> None:
    exchange.stream = exchange.responses(policies.KEEP).stream("t", exchange.produce())
    response = StarletteStream(exchange.stream)
    assert_sent_at_once(response.headers)

    async def receive() -> Any:
        await asyncio.sleep(3600)

    async def send_part(part: Any) -> None:
        if part["type"] == "http.response.body" and part["body"]:
            await send(part["body"])

    await response({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send_part)


async def by_django(exchange: Exchange, send: Send) -> None:
    exchange.stream = exchange.responses(policies.KEEP).stream("t", exchange.produce())
    response = DjangoStream(exchange.stream)
    assert_sent_at_once(response.headers)
    parts = aiter(response)
    try:
        async for part in parts:
            await send(part)
    finally:  # as `ASGIHandler.send_response` does it, with `aclosing`
        await parts.aclose()


SERVERS = pytest.mark.parametrize("serve", [by_starlette, by_django])


@SERVERS
def test_a_whole_answer(serve: Any) -> None:
    exchange = Exchange(WHOLE)
    sent: list[bytes] = []

    async def send(part: bytes) -> None:
        sent.append(part)

    asyncio.run(serve(exchange, send))
    assert fold(read(BytesIO(b"".join(sent)))) == fold(WHOLE)


@SERVERS
def test_a_connection_that_breaks_while_it_sends(serve: Any) -> None:
    exchange = Exchange([*BEGUN, 3600.0])
    sent: list[bytes] = []

    async def send(part: bytes) -> None:
        sent.append(part)
        if len(sent) == 3:
            raise OSError("the connection is broken")

    async def body() -> None:
        try:
            await serve(exchange, send)
        except Exception:  # noqa: BLE001  # `ClientDisconnect` of Starlette, or the error itself
            assert exchange.store["m"] == message("m", "one two ")
        else:
            pytest.fail("the error was lost")

    asyncio.run(body())


@SERVERS
def test_a_client_that_leaves_while_the_model_is_silent(serve: Any) -> None:
    exchange = Exchange([*BEGUN, 3600.0])
    sent: list[bytes] = []
    has_three = asyncio.Event()

    async def send(part: bytes) -> None:
        sent.append(part)
        if len(sent) == 3:
            has_three.set()

    async def body() -> None:
        request = asyncio.create_task(serve(exchange, send))
        await has_three.wait()
        request.cancel()
        await asyncio.wait([request])
        assert exchange.store["m"] == message("m", "one two ")

    asyncio.run(body())


def test_other_headers_take_the_place_of_the_usual_ones() -> None:
    events = Exchange(WHOLE).responses(policies.KEEP).stream("t", Exchange(WHOLE).produce())
    response = StarletteStream(events, headers={"Cache-Control": "no-store", "X-Answer": "1"})
    assert response.headers.getlist("cache-control") == ["no-store"]
    assert response.headers["x-answer"] == "1"
