"""A client that leaves in mid-answer: the response is stopped, or goes on; and it comes back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from chatkit import types as sdk

from chatkit_reducer import ThreadState
from chatkit_reducer.journal import FileJournal, Journal, MemoryJournal
from chatkit_reducer.testing.examples import message
from tests.support.journaled import (
    JOURNALS,
    Client,
    Private,
    Writing,
    asked,
    asynchronous,
    items_of,
    journal_in,
    make_journaled,
    shown,
)
from tests.support.sdk_servers import BEGUN, REQUEST, added, delta, done, progress

over_all = pytest.mark.parametrize("kind", JOURNALS)

WHOLE = message("m", "one two three")
AT_FIRST = 5
"""The user's message, the stream options, and `BEGUN`."""


def answer(gate: asyncio.Event) -> list[Any]:
    return [*BEGUN, gate, delta("m", "three"), done(WHOLE)]


async def left(server: Any, *, after: int = AT_FIRST) -> Client:
    """A client that leaves after so many events."""
    client = Client()
    await client.ask(server, REQUEST)
    await client.until(after)
    await progress()
    await client.leave()
    await progress()
    return client


class NoStopButton(Writing):
    def get_stream_options(self, thread: Any, context: Any) -> sdk.StreamOptions:
        return sdk.StreamOptions(allow_cancel=False)


# --- stop ----------------------------------------------------------------------------------------


@over_all
@pytest.mark.parametrize("on_leave", ["stop", None])
def test_a_response_stops_where_the_client_has_a_stop_button(
    kind: str, on_leave: str | None, tmp_path: Path
) -> None:
    async def body() -> None:
        gate = asyncio.Event()
        journal = journal_in(kind, tmp_path)
        server, store = make_journaled(answer(gate), journal=journal, on_leave=on_leave)
        await left(server)
        assert store.text("m") == "one two "
        assert len(store.markers) == 1
        gate.set()
        await progress()
        assert store.text("m") == "one two "
        await journal.aclose()

    asyncio.run(body())


@asynchronous
async def test_without_a_journal_a_response_stops_whatever_the_client_may_do() -> None:
    server, store = make_journaled(answer(asyncio.Event()), journal=None, kind=NoStopButton)
    await left(server)
    assert store.text("m") == "one two "


# --- go on ---------------------------------------------------------------------------------------


@over_all
@pytest.mark.parametrize(("on_leave", "server_kind"), [("go_on", Writing), (None, NoStopButton)])
@pytest.mark.parametrize("after", [1, 2, 3, AT_FIRST])
def test_a_response_goes_on_without_its_client(
    kind: str, on_leave: Any, server_kind: Any, after: int, tmp_path: Path
) -> None:
    async def body() -> None:
        gate = asyncio.Event()
        journal = journal_in(kind, tmp_path)
        server, store = make_journaled(
            answer(gate), journal=journal, on_leave=on_leave, kind=server_kind
        )
        await left(server, after=after)
        assert "m" not in store.plain()
        gate.set()
        await until(lambda: "m" in store.plain())
        await progress()
        assert store.text("m") == "one two three"
        assert store.markers == []
        assert [item.type for item in store.items] == ["user_message", "assistant_message"]
        assert await journal.find() == []
        await journal.aclose()

    asyncio.run(body())


async def until(holds: Any) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.001)


@over_all
def test_a_client_reloads_and_gets_the_rest(kind: str, tmp_path: Path) -> None:
    async def body() -> None:
        gate = asyncio.Event()
        journal = journal_in(kind, tmp_path)
        server, store = make_journaled(answer(gate), journal=journal, on_leave="go_on")
        await left(server)
        # It reloads the page, and sees the answer so far.
        items = await shown(server)
        assert [item["type"] for item in items] == ["user_message", "assistant_message"]
        assert items[1]["content"][0]["text"] == "one two "
        # Two tabs get the rest.
        known = ThreadState.from_items(items)
        tabs = [Client(known), Client(known)]
        for tab in tabs:
            tab.read(aiter(server.resume("thr_1", None, known=items)))
            await tab.until(2)
        gate.set()
        for tab in tabs:
            await tab.finish()
            assert items_of(tab.state) == [items[0], WHOLE]
        assert store.text("m") == "one two three"
        assert not await server.resume("thr_1", None, tabs[0].cursor).begin()
        assert await shown(server) == [items[0], WHOLE]
        await journal.aclose()

    asyncio.run(body())


@over_all
def test_a_detached_response_is_stopped(kind: str, tmp_path: Path) -> None:
    async def body() -> None:
        journal = journal_in(kind, tmp_path)
        server, store = make_journaled(answer(asyncio.Event()), journal=journal, on_leave="go_on")
        await left(server)
        follower = Client()
        follower.read(aiter(server.resume("thr_1", None)))
        await follower.until(3)
        assert await server.stop_responses("thr_2") == 0
        assert await server.stop_responses("thr_1") == 1
        assert store.text("m") == "one two "
        assert len(store.markers) == 1
        await follower.finish()
        assert await server.stop_responses("thr_1") == 0
        await journal.aclose()

    asyncio.run(body())


@asynchronous
async def test_while_the_client_reads_the_response_does_not_run_ahead() -> None:
    made: list[int] = []

    class Counting(Writing):
        async def respond(self, *arguments: Any) -> AsyncIterator[Any]:
            async for event in super().respond(*arguments):
                made.append(1)
                yield event

    server, _ = make_journaled(
        [added(message("m")), *[delta("m", "x") for _ in range(9)], done(message("m", "x" * 9))],
        journal=MemoryJournal(),
        on_leave="go_on",
        kind=Counting,
    )
    result = await server.process(REQUEST, None)
    frames = aiter(result)
    for count in range(1, 14):
        await anext(frames)
        await progress()
        assert len(made) <= max(0, count - 1)
    assert [frame async for frame in frames] == []
    assert len(made) == 11


@asynchronous
async def test_closing_the_frames_detaches_too() -> None:
    gate = asyncio.Event()
    server, store = make_journaled(answer(gate), journal=MemoryJournal(), on_leave="go_on")
    result = await server.process(REQUEST, None)
    frames = aiter(result)
    for _ in range(AT_FIRST):
        await anext(frames)
    await frames.aclose()
    gate.set()
    await until(lambda: "m" in store.plain())
    assert store.text("m") == "one two three"


@asynchronous
async def test_an_answer_that_is_read_to_its_end_is_as_ever() -> None:
    gate = asyncio.Event()
    gate.set()
    frames = []
    for on_leave in ("stop", "go_on"):
        server, store = make_journaled(answer(gate), journal=MemoryJournal(), on_leave=on_leave)
        client = Client()
        await client.ask(server, REQUEST)
        await client.finish()
        frames.append(client.events[1:])
        assert store.text("m") == "one two three"
    assert frames[0] == frames[1]


@asynchronous
async def test_a_failure_is_told_to_a_client_that_reads() -> None:
    server, store = make_journaled(
        [*BEGUN, ValueError("model")], journal=MemoryJournal(), on_leave="go_on"
    )
    client = Client()
    await client.ask(server, REQUEST)
    state = await client.finish()
    assert state.error is not None
    assert store.text("m") == "one two "


@asynchronous
async def test_a_message_that_is_refused_is_an_error_of_the_request() -> None:
    server, store = make_journaled(BEGUN, journal=MemoryJournal(), on_leave="go_on")
    store.refuses = lambda _: True
    client = Client()
    await client.ask(server, REQUEST)
    with pytest.raises(ConnectionError):
        await client.finish()


@asynchronous
async def test_a_response_that_fails_when_its_client_has_left_is_settled() -> None:
    gate = asyncio.Event()
    server, store = make_journaled(
        [*BEGUN, gate, ValueError("model")], journal=MemoryJournal(), on_leave="go_on"
    )
    await left(server)
    gate.set()
    await until(lambda: "m" in store.plain())
    assert store.text("m") == "one two "


user: ContextVar[str] = ContextVar("user")


@asynchronous
async def test_the_response_has_the_context_variables_of_its_request() -> None:
    seen: list[str] = []

    async def look() -> None:
        seen.append(user.get())

    gate = asyncio.Event()
    script = [*BEGUN, gate, look, done(WHOLE)]
    server, _ = make_journaled(script, journal=MemoryJournal(), on_leave="go_on")
    user.set("ada")
    await left(server)
    user.set("eve")
    gate.set()
    await until(lambda: seen)
    assert seen == ["ada"]


def test_a_shutdown_settles_a_detached_response() -> None:
    store = Private()

    async def body() -> None:
        server = Writing(store)
        server.script = answer(asyncio.Event())
        server.on_leave = "go_on"
        await left(server)

    asyncio.run(body())  # it cancels all tasks
    assert store.text("m") == "one two "


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (0, ValueError),
        (-1.0, ValueError),
        (math.nan, ValueError),
        (math.inf, ValueError),
        ("goon", ValueError),
        (True, TypeError),
        ([], TypeError),
    ],
)
def test_another_on_leave_is_refused(value: Any, error: type[Exception]) -> None:
    kind = type("Mine", (Writing,), {"on_leave": value, "journal": MemoryJournal()})
    with pytest.raises(error, match=r"on_leave to be \"stop\", \"go_on\", a number of seconds or"):
        kind(Private())


@pytest.mark.parametrize("value", [15.0, 1])
def test_a_time_of_grace_needs_a_journal(value: Any) -> None:
    kind = type("Mine", (Writing,), {"on_leave": value})
    with pytest.raises(ValueError, match=r"expected Mine\.journal to be a journal, got None"):
        kind(Private())
    kind(Private(), journal=MemoryJournal())


def test_a_journal_may_be_that_of_the_class(tmp_path: Path) -> None:
    class Mine(Writing):
        journal: Journal | None = FileJournal(tmp_path)

    assert Mine(Private()).journal is Mine.journal


@asynchronous
async def test_requests_that_show_no_items_are_those_of_the_sdk() -> None:
    server, _ = make_journaled([], journal=MemoryJournal())
    assert (await asked(server, "threads.update", title="New"))["title"] == "New"
