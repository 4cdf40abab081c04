"""`ReducerChatKitServer`: many responses at once, the next question, and who is asking."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import anyio
import pytest
from chatkit.server import StreamingResult

from chatkit_reducer.errors import CommitError
from chatkit_reducer.testing.examples import message
from tests.support.sdk_servers import (
    BEGUN,
    FOREVER,
    REQUEST,
    Server,
    Shelf,
    added,
    delta,
    done,
    make,
    progress,
    receive,
    stop,
)


class Slow(Shelf):
    """A store whose writes take their time, but for what the user says."""

    seconds = 0.1
    at_once = 0
    most_at_once = 0

    async def _writing(self, op: str, item_id: str) -> None:
        if not item_id.startswith("msg_"):
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await asyncio.sleep(self.seconds)
            finally:
                self.at_once -= 1
        await super()._writing(op, item_id)


def each_its_own(server: Any) -> None:
    """Each response has a message of its own, by the context of its request."""

    async def respond(thread: Any, input_user_message: Any, context: Any) -> AsyncIterator[Any]:
        yield added(message(f"m{context}"))
        yield delta(f"m{context}", f"text {context}")
        await asyncio.sleep(FOREVER)

    server.respond = respond


async def frames_of(server: Any, context: Any, count: int) -> Any:
    """A client that has read so many frames, and reads no more."""
    result = await server.process(REQUEST, context)
    assert isinstance(result, StreamingResult)
    frames: Any = aiter(result)
    for _ in range(count):
        await anext(frames)
    return frames


# --- stop_responses -------------------------------------------------------------------------------


def test_clients_that_do_not_read_are_settled_all_at_once() -> None:
    async def body() -> None:
        clients = [await frames_of(server, number, 4) for number in range(100)]
        assert await server.stop_responses() == 100
        for client in clients:
            await client.aclose()

    store = Slow()
    server, shelf = make([], store=store)
    each_its_own(server)
    asyncio.run(body())
    assert len(shelf.markers) == 100
    assert {shelf.text(f"m{number}") for number in range(100)} == {
        f"text {number}" for number in range(100)
    }
    assert store.most_at_once > 50


@pytest.mark.parametrize("fault", ["settle", "hook", "hangs"])
def test_one_that_cannot_be_settled_does_not_keep_the_others_back(
    fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class StrictFailure(Server):
        commit_timeout = 0.3

        async def handle_stream_cancelled(self, thread: Any, pending: Any, context: Any) -> None:
            if context == 1 and fault == "hook":
                raise BaseExceptionGroup("closing", [GeneratorExit()])

    class Faulted(Shelf):
        async def load_item(self, thread_id: str, item_id: str, context: Any) -> Any:
            if context == 1 and fault == "hangs":
                await asyncio.sleep(FOREVER)
            if context == 1 and fault == "settle":
                raise BaseExceptionGroup("closing", [GeneratorExit()])
            return await super().load_item(thread_id, item_id, context)

    async def body() -> None:
        clients = [await frames_of(server, number, 4) for number in range(3)]
        assert await server.stop_responses() == 3
        assert shelf.text("m0") == "text 0"
        assert shelf.text("m2") == "text 2"
        for client in clients:
            await client.aclose()

    server, shelf = make([], kind=StrictFailure, store=Faulted())
    server.load_timeout = 0.1
    each_its_own(server)
    asyncio.run(body())
    assert shelf.text("m1") == "text 1"


def test_a_producer_that_yields_inside_a_task_group() -> None:
    class Grouped(Server):
        async def respond(self, *_: Any) -> AsyncIterator[Any]:
            async with asyncio.TaskGroup():
                for step in BEGUN:
                    yield step
                await asyncio.sleep(FOREVER)

    async def body(server: Any) -> None:
        frames = await frames_of(server, None, 5)
        assert await server.stop_responses() == 1
        await frames.aclose()

    server, shelf = make([], kind=Grouped)
    asyncio.run(body(server))
    assert shelf.text("m") == "one two "
    server, shelf = make([], kind=Grouped)
    asyncio.run(receive(server, leave_after=5))
    assert shelf.text("m") == "one two "
    assert len(shelf.markers) == 1


@pytest.mark.parametrize("is_nested", [False, True])
@pytest.mark.parametrize("ends", ["stopped", "late"])
def test_a_scope_of_anyio_in_a_task_of_its_own(ends: str, is_nested: bool) -> None:
    """Whoever settles, the client that does not read is not cancelled."""

    class Grouped(Server):
        own_task = True

        async def respond(self, *arguments: Any) -> AsyncIterator[Any]:
            if is_nested:
                async for event in self.answer():
                    yield event
                return
            async with anyio.create_task_group():
                for step in BEGUN:
                    yield step
                await asyncio.sleep(FOREVER)

        async def answer(self) -> AsyncIterator[Any]:
            async with anyio.create_task_group():
                for step in BEGUN:
                    yield step
                await asyncio.sleep(FOREVER)

    async def body() -> None:
        frames = await frames_of(server, None, 5)
        if ends == "stopped":
            assert await server.stop_responses() == 1
        await asyncio.sleep(0.1)  # a cancellation would arrive here
        assert shelf.text("m") == "one two "
        await frames.aclose()

    server, shelf = make([], kind=Grouped)
    server.stream_timeout = 0.05 if ends == "late" else None
    asyncio.run(body())


# --- the next question ----------------------------------------------------------------------------


def test_the_next_question_stands_behind_the_answer_that_was_stopped() -> None:
    async def body() -> None:
        reading = asyncio.create_task(receive(server))
        await progress()
        reading.cancel()
        await asyncio.sleep(0)  # the connection is lost, and the answer is being written
        server.script = [done(message("next", "Yes?"))]
        await receive(server)
        await asyncio.wait([reading])

    server, shelf = make([*BEGUN, FOREVER], store=Slow())
    asyncio.run(body())
    assert [item.type for item in shelf.items] == [
        "user_message",
        "assistant_message",
        "sdk_hidden_context",
        "user_message",
        "assistant_message",
    ]


def test_it_waits_for_an_answer_whose_frames_were_dropped() -> None:
    """As by a server that does not close them: each generator of the SDK is closed in its turn."""

    async def body() -> None:
        frames = await frames_of(server, None, 5)
        del frames
        server.script = [done(message("next", "Yes?"))]
        await receive(server)

    server, shelf = make([*BEGUN, FOREVER], store=Slow())
    asyncio.run(body())
    assert [item.type for item in shelf.items][1:4] == [
        "assistant_message",
        "sdk_hidden_context",
        "user_message",
    ]


def test_it_waits_for_a_stop_button_too() -> None:
    async def body() -> None:
        reading = asyncio.create_task(receive(server))
        await progress()
        stopping = asyncio.create_task(server.stop_responses("thr_1"))
        await asyncio.sleep(0)
        server.script = [done(message("next", "Yes?"))]
        await receive(server)
        await asyncio.wait([reading, stopping])

    server, shelf = make([*BEGUN, FOREVER], store=Slow())
    asyncio.run(body())
    assert [item.type for item in shelf.items][1:4] == [
        "assistant_message",
        "sdk_hidden_context",
        "user_message",
    ]


def test_it_does_not_wait_for_other_threads_nor_for_answers_that_go_on() -> None:
    async def body() -> None:
        going_on = asyncio.create_task(receive(server))
        await progress()
        other = REQUEST.replace("thr_1", "thr_2")
        stopped = asyncio.create_task(_read(server, other))
        await progress()
        stopped.cancel()
        await asyncio.sleep(0)
        server.script = [done(message("next", "Yes?"))]
        async with asyncio.timeout(1.0):
            await receive(server)
        going_on.cancel()
        await asyncio.wait([going_on, stopped])

    server, shelf = make([*BEGUN, FOREVER], store=Slow())
    shelf.seconds = 0.01
    asyncio.run(body())


async def _read(server: Any, request: str) -> None:
    async for _ in await server.process(request, None):
        pass


def test_it_does_not_wait_for_ever() -> None:
    class Stuck(Shelf):
        async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
            if item.id == "m":
                await asyncio.sleep(FOREVER)
            await super().add_thread_item(thread_id, item, context)

    async def body() -> None:
        reading = asyncio.create_task(receive(server))
        await progress()
        reading.cancel()
        await asyncio.sleep(0)
        server.script = [done(message("next", "Yes?"))]
        async with asyncio.timeout(5.0):
            await receive(server)
        await asyncio.wait([reading])

    server, shelf = make([*BEGUN, FOREVER], store=Stuck())
    server.commit_timeout = 0.2
    asyncio.run(body())
    assert shelf.text("next") == "Yes?"


# --- who is asking --------------------------------------------------------------------------------

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


def test_all_that_is_called_at_the_end_runs_as_the_one_who_asked() -> None:
    seen: dict[str, set[str]] = {}

    def note(what: str) -> None:
        seen.setdefault(what, set()).add(tenant.get())

    class Noting(Shelf):
        async def _writing(self, op: str, item_id: str) -> None:
            note("write")
            await super()._writing(op, item_id)
            if item_id == "m":
                raise ConnectionError

        async def load_item(self, *arguments: Any, **options: Any) -> Any:
            note("load")
            return await super().load_item(*arguments, **options)

    class Told(Server):
        commit_timeout = 1.0

        async def commit_failed(self, failure: CommitError) -> None:
            note("failed")

        async def handle_stream_cancelled(self, *_: Any) -> None:
            note("hook")

    async def ask() -> Any:
        tenant.set("the one who asked")
        return await frames_of(server, None, 5)

    async def body() -> None:
        tenant.set("the one who stops")
        frames = await asyncio.create_task(ask())
        seen.clear()
        await server.stop_responses()
        await frames.aclose()

    server, _ = make([*BEGUN, FOREVER], kind=Told, store=Noting())
    asyncio.run(body())
    assert set(seen) == {"load", "write", "failed", "hook"}
    assert set().union(*seen.values()) == {"the one who asked"}


# --- the user's own message -----------------------------------------------------------------------


class SlowToListen(Shelf):
    """A store that takes its time for what the user says."""

    async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
        tenant.set("of the store")
        await asyncio.sleep(0.02)
        await super().add_thread_item(thread_id, item, context)


def create() -> str:
    request = json.loads(REQUEST)
    request["type"] = "threads.create"
    del request["params"]["thread_id"]
    return json.dumps(request)


@pytest.mark.parametrize("request_", [REQUEST, create()])
def test_a_client_that_leaves_while_its_message_is_written(request_: str) -> None:
    async def body() -> None:
        task = asyncio.create_task(_read(server, request_))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    server, shelf = make([*BEGUN, FOREVER], store=SlowToListen())
    asyncio.run(body())
    assert [item.type for item in shelf.items] == ["user_message"]


def test_what_the_store_sets_while_it_writes_the_message_is_set() -> None:
    seen = []

    class Asking(Server):
        async def respond(self, *_: Any) -> AsyncIterator[Any]:
            seen.append(tenant.get())
            yield done(message("m"))

    server, _ = make([], kind=Asking, store=SlowToListen())
    asyncio.run(receive(server))
    assert seen == ["of the store"]


def test_a_message_that_cannot_be_written_fails_as_it_did() -> None:
    class Full(Shelf):
        async def add_thread_item(self, *_: Any, **__: Any) -> None:
            raise OSError("the disk is full")

    server, _ = make(BEGUN, store=Full())
    with pytest.raises(OSError, match="the disk is full"):
        asyncio.run(receive(server))


def test_a_message_that_is_never_written_is_given_up() -> None:
    class Stuck(Shelf):
        async def add_thread_item(self, *_: Any, **__: Any) -> None:
            await asyncio.sleep(FOREVER)

    server, shelf = make(BEGUN, store=Stuck())
    server.commit_timeout = 0.05
    asyncio.run(stop(server))
    assert shelf.items == []


def test_a_response_that_is_stopped_before_its_first_event_does_not_begin() -> None:
    """The client has the options of the stream, and does not read on before it is stopped."""

    async def body() -> list[Any]:
        frames: Any = aiter(await server.process(REQUEST, None))
        while json.loads((await anext(frames)).removeprefix(b"data: "))["type"] != "stream_options":
            pass
        assert await server.stop_responses() == 1
        return [frame async for frame in frames]

    server, shelf = make([*BEGUN, done(message("m", "one two "))])
    assert asyncio.run(asyncio.wait_for(body(), 10)) == []
    assert len(shelf.markers) == 1
    assert [item.type for item in shelf.items] == ["user_message", "sdk_hidden_context"]
