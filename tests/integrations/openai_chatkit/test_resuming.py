"""`resume`: a client that comes back gets all that it lacks, once, and nothing of other threads."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from chatkit.store import NotFoundError
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import ThreadState, fold, policies, settle
from chatkit_reducer.core.codec import encode, to_json
from chatkit_reducer.events import (
    Event,
    StreamOptions,
    ThreadItemDone,
    ThreadItemReplaced,
    ThreadUpdated,
)
from chatkit_reducer.integrations.openai_chatkit import item_to_sdk
from chatkit_reducer.journal import Header, Journal, JournalError, JournalWriter, MemoryJournal
from chatkit_reducer.journal.protocol import FORMAT
from chatkit_reducer.journal.records import event_record
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import (
    added,
    done,
    item,
    message,
    part,
    part_added,
    text_delta,
    user_message,
)
from chatkit_reducer.testing.strategies import StoppedStream
from tests.support.journaled import (
    JOURNALS,
    Client,
    Private,
    Writing,
    asynchronous,
    items_of,
    journal_in,
    make_journaled,
)

over_all = pytest.mark.parametrize("kind", JOURNALS)

HALF: list[Event] = [added(message("m")), part_added("m", part("")), text_delta("m", "The moon")]
REST: list[Event] = [text_delta("m", " is far."), done(message("m", "The moon is far."))]
QUESTION = user_message("q", "How far?")


def run(kind: str, body: Callable[[Journal], Any]) -> Any:
    with tempfile.TemporaryDirectory() as folder:

        async def inside() -> Any:
            journal = journal_in(kind, Path(folder))
            try:
                return await asyncio.wait_for(body(journal), 20)
            finally:
                await journal.aclose()

        return asyncio.run(inside())


async def writing(
    journal: Journal, events: Sequence[Event], thread: str = "thr_1", base: Any = ()
) -> JournalWriter:
    writer = JournalWriter(journal, thread=thread)
    await writer.begin(base)
    for event in events:
        await writer.append(event)
    return writer


def server_of(journal: Journal | None, *items: Any, owner: Any = None) -> Any:
    server = Writing(Private(*[item_to_sdk(one) for one in items], owner=owner))
    server.journal = journal
    return server


async def rest_of(server: Any, *arguments: Any, **options: Any) -> list[tuple[Any, Event]]:
    context = options.pop("context", None)
    rest = server.resume("thr_1", context, *arguments, **options)
    return [pair async for pair in rest.events()]


async def tail(server: Any, *arguments: Any, **options: Any) -> Any:
    """A client that has begun to follow a response that runs."""
    rest = server.resume("thr_1", None, *arguments, **options)
    assert await rest.begin()

    async def read() -> list[tuple[Any, Event]]:
        return [pair async for pair in rest.events()]

    return asyncio.create_task(read())


def of_stream(pairs: list[tuple[Any, Event]]) -> list[tuple[Any, Event]]:
    """Without those that are made anew, which have no cursor."""
    return [pair for pair in pairs if pair[0] is not None]


# --- law 8 ---------------------------------------------------------------------------------------


@over_all
@pytest.mark.law
@given(stop=chatkit.stops(), data=st.data())
def test_resume_is_never_having_left(kind: str, stop: StoppedStream, data: Any) -> None:
    """Where the client left, and where it comes back: before the end, at it, or behind it."""
    settlement = settle(stop.state, policy=policies.KEEP, cause=stop.cause)
    expected = [*stop.events, *settlement.events]

    async def body(journal: Journal) -> None:
        left = data.draw(st.integers(0, len(stop.events)), "left")
        back = data.draw(st.integers(left, len(stop.events)), "back")
        server = server_of(journal)
        writer = await writing(journal, stop.events[:back])
        cursor = f"{writer.response}:{left}"
        known = fold(stop.events[:left])

        live = await tail(server, cursor)
        without = await tail(server)
        foreign = await tail(server, "r:7", known=known)
        for event in stop.events[back:]:
            await writer.append(event)
            await asyncio.sleep(0)
        await writer.settled(settlement)
        await writer.closed()

        seen = of_stream(await live)
        wanted = [to_json(event) for event in _shown(expected[left:])]
        assert [to_json(event) for _, event in seen] == wanted
        final = items_of(fold(expected))
        if not any(map(_is_hidden, expected)):
            assert items_of(fold([event for _, event in await without])) == final
            # An item that no policy kept, and that only the client had, is gone.
            assert items_of(fold([event for _, event in await foreign], known)) == final
        else:
            await without
            await foreign

    run(kind, body)


def _shown(events: list[Event]) -> list[Event]:
    """The events that are about no item which is hidden at that time."""
    shown, hidden = [], dict[Any, bool]()
    for event in events:
        item: Any = getattr(event, "item", None)
        if item is not None:
            hidden[item["id"]] = _is_hidden(event)
        item_id = getattr(event, "item_id", None) if item is None else item["id"]
        if not hidden.get(item_id, False):
            shown.append(event)
    return shown


def _is_hidden(event: Event) -> bool:
    shown: Any = getattr(event, "item", {})
    return shown.get("type") in {"hidden_context_item", "sdk_hidden_context"}


@over_all
def test_each_frame_has_an_id_to_come_back_with(kind: str) -> None:
    async def body(journal: Journal) -> None:
        server = server_of(journal)
        writer = await writing(journal, HALF)
        one = Client()
        one.read(aiter(server.resume("thr_1", None, f"{writer.response}:1")))
        await one.until(4)
        await one.leave()
        assert one.ids == [f"{writer.response}:2", f"{writer.response}:3"]
        for event in REST:
            await writer.append(event)
        await writer.closed()
        # The response is closed, and the client has not seen its end.
        one.read(aiter(server.resume("thr_1", None, one.cursor)))
        await one.finish()
        assert one.ids == [f"{writer.response}:{place}" for place in (2, 3, 4, 5)]
        assert items_of(fold(one.events, fold(HALF[:1]))) == items_of(fold([*HALF, *REST]))
        assert await rest_of(server, one.cursor) == []

    run(kind, body)


@over_all
@pytest.mark.parametrize("place", [None, 0, 2])
def test_nobody_waits_for_a_response_in_a_newer_format(kind: str, place: int | None) -> None:
    """No process of this release reads it or ends it, whether its writer lives or not."""

    async def body(journal: Journal) -> None:
        newer = Header(response="n", thread="thr_1", started=datetime.now(UTC), format=FORMAT + 1)
        await journal.begin(newer)
        records = [event_record(at, encode(event)) for at, event in enumerate(HALF, 1)]
        await journal.append("n", 0, records)
        server = server_of(journal, QUESTION, done(message("a", "Far.")).item)
        cursor = None if place is None else f"n:{place}"
        pairs = await asyncio.wait_for(rest_of(server, cursor), 5)
        assert of_stream(pairs) == []
        assert "m" not in fold(event for _, event in pairs).items

    run(kind, body)


# --- who may read --------------------------------------------------------------------------------


@over_all
def test_the_store_decides_who_may_read(kind: str) -> None:
    async def body(journal: Journal) -> None:
        server = server_of(journal, QUESTION, owner="ada")
        writer = await writing(journal, HALF)
        for after in (None, f"{writer.response}:0"):
            with pytest.raises(NotFoundError):
                await server.resume("thr_1", "eve", after).begin()
            with pytest.raises(NotFoundError):
                await rest_of(server, after, context="eve")
        assert await server.resume("thr_1", "ada").begin()

    run(kind, body)


@over_all
def test_a_cursor_of_another_thread_opens_nothing(kind: str) -> None:
    """Neither while that response runs, nor when it is closed."""

    async def body(journal: Journal) -> None:
        server = server_of(journal, QUESTION, message("old", "x"))
        secret = {**message("s", "secret"), "thread_id": "thr_2"}
        other = await writing(journal, [done(secret)], "thr_2")
        for _ in range(2):
            seen = await rest_of(server, f"{other.response}:0")
            items = [event.item["id"] for _, event in seen if isinstance(event, ThreadItemDone)]
            assert (items, len(seen)) == (["q", "old"], 3)  # and the thread
            await other.closed()

    run(kind, body)


# --- a cursor that does not count ----------------------------------------------------------------

BAD = ["", "x", ":", "-1", "r:1", "r:-1", "{r}:99", "{r}:-1", "{r}:x", "{r}:", "{r}", "{r}:1:2"]
BAD += ["{r}:" + "9" * 40, "{r}:\u0663", "{r}:0.1", "../{r}:1", "{r}\n:1"]


@over_all
@pytest.mark.parametrize("cursor", BAD)
def test_a_bad_cursor_is_never_skipped_in_silence(kind: str, cursor: str) -> None:
    async def body(journal: Journal) -> None:
        before = message("before", "x")
        server = server_of(journal, QUESTION, before)
        writer = await writing(journal, HALF)
        bad = cursor.replace("{r}", writer.response)
        everything = [QUESTION, before, *items_of(fold(HALF))]
        for known in ([], [QUESTION], [QUESTION, before, message("m", "The")], everything):
            client = Client(ThreadState.from_items(known))
            client.read(aiter(server.resume("thr_1", None, bad, known=known)))
            await client.shows(everything)
            await client.leave()
        nothing = Client()
        nothing.read(aiter(server.resume("thr_1", None, bad)))
        await nothing.shows(everything if cursor else everything[2:])
        await nothing.leave()

    run(kind, body)


@over_all
@pytest.mark.parametrize("has_cursor", [False, True])
def test_a_client_that_knows_its_items_learns_how_they_ended(kind: str, has_cursor: bool) -> None:
    """The response ended, and the journal has forgotten it: the store has the rest."""

    async def body(journal: Journal) -> None:
        whole = message("m", "The moon is far.")
        stored = [message(f"i{n}", "x") for n in range(30)]
        server = server_of(journal, *stored, QUESTION, whole)
        cursor = "forgotten:3" if has_cursor else None
        for known in ([QUESTION, message("m", "The")], [*stored[5:], QUESTION, message("m", "a")]):
            seen = await rest_of(server, cursor, known=known)
            assert len(seen) == 2  # the thread comes first
            state = fold([event for _, event in seen], ThreadState.from_items(known))
            assert items_of(state) == [*known[:-1], whole]

    run(kind, body)


# --- nothing runs --------------------------------------------------------------------------------


@over_all
def test_where_nothing_runs_it_ends_at_once(kind: str) -> None:
    async def body(journal: Journal) -> None:
        server = server_of(journal, QUESTION)
        rest = server.resume("thr_1", None)
        assert not await rest.begin()
        assert [frame async for frame in rest] == []
        assert await rest_of(server, known=[QUESTION]) == []

    run(kind, body)


@asynchronous
async def test_a_server_without_a_journal_resumes_nothing() -> None:
    assert not await server_of(None).resume("thr_1", None).begin()


@asynchronous
async def test_a_journal_that_cannot_be_searched_resumes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Gone(MemoryJournal):
        async def find(self, **_: Any) -> Any:
            raise JournalError("gone")

    assert not await server_of(Gone()).resume("thr_1", None).begin()
    assert "cannot be searched" in caplog.text


# --- what is made anew, and what no client sees ---------------------------------------------------


@over_all
def test_a_client_that_missed_the_end_gets_the_title_too(kind: str) -> None:
    """By a cursor, and by its items; one that lacks nothing gets nothing, and asks no more."""

    async def body(journal: Journal) -> None:
        server = server_of(journal, QUESTION, message("m", "The moon is far."))
        writer = await writing(journal, [*HALF, *REST, done(item("h", "sdk_hidden_context"))])
        await writer.closed()

        async def load_titled(thread_id: str, context: Any) -> Any:
            thread = await Private.load_thread(server.store, thread_id, context)
            return thread.model_copy(update={"title": "The moon"})

        server.store.load_thread = load_titled
        for after, known in ((f"{writer.response}:3", None), (None, [QUESTION])):
            seen = [event for _, event in await rest_of(server, after, known=known)]
            titles = [one.thread["title"] for one in seen if isinstance(one, ThreadUpdated)]
            assert titles == ["The moon"]
            assert len(seen) > 1
        # Behind this one, there is only an event that is hidden.
        assert await rest_of(server, f"{writer.response}:5") == []

    run(kind, body)


@asynchronous
async def test_options_and_thread_are_made_anew() -> None:
    journal = MemoryJournal()
    server = server_of(journal)
    writer = await writing(journal, HALF)

    async def load_renamed(thread_id: str, context: Any) -> Any:
        thread = await Private.load_thread(server.store, thread_id, context)
        return thread.model_copy(update={"title": title})

    server.store.load_thread = load_renamed
    title = "Before"
    client = Client()
    client.read(aiter(server.resume("thr_1", None)))
    await client.until(3)
    assert isinstance(client.events[0], StreamOptions)
    assert client.events[0].stream_options == {"allow_cancel": True}
    assert client.state.thread is not None
    assert client.state.thread["title"] == "Before"
    title = "After"
    await writer.closed()
    await client.finish()
    assert isinstance(client.events[-1], ThreadUpdated)
    assert client.state.thread is not None
    assert client.state.thread["title"] == "After"


@over_all
def test_no_client_sees_what_the_sdk_hides(kind: str) -> None:
    async def body(journal: Journal) -> None:
        hidden = item("h", "hidden_context_item", content="secret")
        attachment = {"type": "file", "id": "a", "name": "n", "mime_type": "m"}
        mine = {**QUESTION, "attachments": [{**attachment, "metadata": {"key": "secret"}}]}
        server = server_of(journal, mine, hidden)
        writer = await writing(journal, [done(hidden), done({**mine, "id": "q2"}), *HALF])
        await asyncio.sleep(0)
        closing = asyncio.create_task(writer.closed())
        for seen in (await rest_of(server, "bad:1"), await rest_of(server, known=[])):
            assert "secret" not in json.dumps([to_json(event) for _, event in seen])
        await closing

    run(kind, body)


# --- several responses, and a journal that was given up -------------------------------------------


@over_all
def test_a_response_that_begins_meanwhile_is_followed_too(kind: str) -> None:
    async def body(journal: Journal) -> None:
        server = server_of(journal)
        first = await writing(journal, HALF)
        client = Client()
        client.read(aiter(server.resume("thr_1", None, f"{first.response}:0")))
        second = await writing(journal, [added(message("n"))])
        for event in REST:
            await first.append(event)
        await first.closed()
        await client.until(8)
        await second.append(done(message("n", "Second")))
        await second.closed()
        state = await client.finish()
        assert items_of(state) == [message("m", "The moon is far."), message("n", "Second")]

    run(kind, body)


@over_all
def test_the_store_has_what_a_journal_that_was_given_up_lacks(kind: str) -> None:
    async def body(journal: Journal) -> None:
        whole = message("m", "The moon is far.")
        server = server_of(journal, QUESTION)
        writer = await writing(journal, HALF)
        client = Client()
        client.read(aiter(server.resume("thr_1", None, f"{writer.response}:0")))
        await client.until(5)
        writer.failed = True
        server.store.items.append(item_to_sdk(whole))
        await writer.closed()
        state = await client.finish()
        assert state.items["m"].to_json() == whole

    run(kind, body)


# --- the action of the official client ------------------------------------------------------------


def follow_request(**action: Any) -> str:
    kind = {"type": "chatkit_reducer.follow", "payload": {}, **action}
    params = {"thread_id": "thr_1", "action": kind}
    return json.dumps({"type": "threads.custom_action", "params": params})


@over_all
def test_the_action_streams_the_rest(kind: str) -> None:
    async def body(journal: Journal) -> None:
        server = server_of(journal, QUESTION)
        writer = await writing(journal, HALF)
        client = Client(ThreadState.from_items([QUESTION, message("m", "The")]))
        await client.ask(server, follow_request())
        await client.until(3)
        for event in REST:
            await writer.append(event)
        await writer.closed()
        state = await client.finish()
        assert items_of(state) == [QUESTION, message("m", "The moon is far.")]
        assert not state.anomalies
        assert [type(event) for event in client.events] == [
            StreamOptions,
            ThreadUpdated,
            ThreadItemReplaced,
            type(REST[0]),
            ThreadItemDone,
        ]
        assert client.ids == []
        # It is not a response of its own.
        assert server.store.log == []
        assert await journal.find() == []

    run(kind, body)


@over_all
def test_the_action_of_a_client_that_is_too_late_shows_the_end(kind: str) -> None:
    async def body(journal: Journal) -> None:
        whole = message("m", "The moon is far.")
        hidden = item("h", "sdk_hidden_context", content="secret")
        server = server_of(journal, message("old", "x"), QUESTION, whole, hidden)
        client = Client()
        await client.ask(server, follow_request())
        await client.finish()
        thread, *items = client.events
        assert isinstance(thread, ThreadUpdated)
        assert [to_json(event) for event in items] == [to_json(ThreadItemReplaced(whole))]

    run(kind, body)


@over_all
def test_the_action_is_for_those_who_may_read(kind: str) -> None:
    async def body(journal: Journal) -> None:
        server = server_of(journal, QUESTION, owner="ada")
        await writing(journal, HALF)
        client = Client()
        await client.ask(server, follow_request(), "eve")
        with pytest.raises(NotFoundError):
            await client.finish()

    run(kind, body)


@asynchronous
async def test_other_actions_are_those_of_the_application() -> None:
    server, _ = make_journaled([], journal=MemoryJournal())
    client = Client()
    await client.ask(server, follow_request(type="mine"))
    await client.finish()
    assert [to_json(event)["type"] for event in client.events] == ["stream_options", "error"]
