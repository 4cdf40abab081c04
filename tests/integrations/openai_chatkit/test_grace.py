"""A time of grace: a client that comes back in time has never left, and else it was a stop."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from chatkit import types as sdk
from chatkit.store import NotFoundError
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer.core.codec import encode
from chatkit_reducer.integrations.openai_chatkit import event_from_sdk
from chatkit_reducer.journal import Header, Journal, JournalError, MemoryJournal
from chatkit_reducer.testing.examples import message
from tests.support.clocks import move_on, run_with_clock
from tests.support.journaled import (
    JOURNALS,
    Client,
    Private,
    Writing,
    journal_in,
    listed,
    shown,
)
from tests.support.sdk_servers import (
    FOREVER,
    NOW,
    REQUEST,
    added,
    delta,
    done,
    event,
    progress,
    steps,
    updated,
)

over_all = pytest.mark.parametrize("kind", JOURNALS)

GRACE = 3600.0
FIRST = 2
"""How many frames come before those of the response: the user's message, the stream options."""


def replaced(item: Any) -> Any:
    return event(type="thread.item.replaced", item=item)


def removed(item_id: str) -> Any:
    return event(type="thread.item.removed", item_id=item_id)


def titled(title: str) -> Callable[[sdk.ThreadMetadata], None]:
    def change(thread: sdk.ThreadMetadata) -> None:
        thread.title = title

    return change


def task(title: str) -> Any:
    return {"type": "custom", "title": title}


SCRIPT: list[Any] = [
    added(message("m")),
    delta("m", "one "),
    delta("m", "two"),
    done(message("m", "one two")),
    updated("old", type="workflow.task.added", task_index=0, task=task("first")),
    titled("The moon"),
    replaced(message("said", "changed")),
    removed("gone"),
    added(message("n")),
    delta("n", "three "),
    updated("old", type="workflow.task.added", task_index=1, task=task("second")),
    delta("n", "four"),
    done(message("n", "three four")),
    added(message("k")),
    delta("k", "five"),
]
"""Ends with an item pending."""
EVENTS = sum(not callable(step) for step in SCRIPT)


ANEW = ("user_message", "sdk_hidden_context")
"""Items that have another id and time in each run."""


class Inserting(Private):
    """A store whose add is a plain INSERT; it keeps the order of all writes."""

    def __init__(self, *items: sdk.ThreadItem) -> None:
        super().__init__(*items)
        self.title: str | None = None

    async def add_thread_item(self, thread_id: str, item: sdk.ThreadItem, context: Any) -> None:
        if any(item.id == other.id for other in self.items):
            raise ValueError(f"there is an item {item.id}")
        await super().add_thread_item(thread_id, item, context)

    async def save_thread(self, thread: sdk.ThreadMetadata, context: Any) -> None:
        self.title = thread.title

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        await super().delete_thread_item(thread_id, item_id, context)
        self.log.append(("delete", item_id))

    @property
    def contents(self) -> Any:
        """All that a user would find, without ids and times that are made anew each time."""
        return [
            item.model_dump(exclude={"id", "created_at"} if item.type in ANEW else set())
            for item in self.items
        ]

    @property
    def writes(self) -> list[tuple[str, str]]:
        """All writes in their order."""
        anew = {one.id: one.type for one in self.items if one.type in ANEW}
        return [(op, anew.get(one, one)) for op, one in self.log if op != "load"]


class Paced(Writing):
    """Makes an event when it is permitted."""

    permits: asyncio.Semaphore
    permitted = 0
    made = 0

    async def respond(self, thread: Any, input_user_message: Any, context: Any) -> Any:
        for step in self.script:
            if callable(step):
                step(thread)
                continue
            await self.permits.acquire()
            self.made += 1
            yield step


def stored() -> list[sdk.ThreadItem]:
    return [
        done(steps()).item.model_copy(update={"id": "old"}),
        done(message("said", "as it was")).item,
        done(message("gone", "not for long")).item,
    ]


def paced(journal: Journal, on_leave: Any, store: Any = None) -> tuple[Any, Inserting]:
    store = store or Inserting(*stored())
    server = Paced(store)
    server.script = SCRIPT
    server.permits = asyncio.Semaphore(0)
    server.journal, server.on_leave = journal, on_leave
    return server, store


async def permit(server: Any, count: int) -> None:
    """Let the response make so many events, as far as it has them, and all be done with them."""
    for _ in range(count):
        server.permits.release()
    server.permitted = min(server.permitted + count, EVENTS)
    await until(lambda: server.made == server.permitted)
    await progress()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0)


async def read(server: Any, count: int) -> Client:
    """A client that asks, and reads all up to the n-th event of the response."""
    client = Client()
    await client.ask(server, REQUEST)
    await client.until(FIRST)
    await permit(server, count)
    return client


async def ended(journal: Journal) -> None:
    async with asyncio.timeout(10):
        while await journal.find():
            await asyncio.sleep(0.001)
    await progress()


# --- the laws -------------------------------------------------------------------------------------


async def nobody(server: Any) -> None:
    move_on(GRACE + 1)


async def next_message(server: Any) -> None:
    server.script = []
    client = Client()
    await client.ask(server, REQUEST)
    await client.finish()


async def stop(server: Any) -> None:
    assert await server.stop_responses("thr_1") == 1


async def shutdown(server: Any) -> None:
    assert await server.stop_responses() == 1


@attrs.frozen
class Run:
    """One run of the script."""

    contents: Any
    writes: Any
    title: Any

    @classmethod
    def of(cls, store: Inserting) -> Run:
        return cls(store.contents, store.writes, store.title)


@functools.cache
def stopped(left: int, *, is_asked_again: bool = False) -> Run:
    """The run of a server that stops when its client leaves after so many events."""

    async def body() -> Run:
        journal = MemoryJournal()
        server, store = paced(journal, "stop")
        client = await read(server, left)
        await client.leave()
        await ended(journal)
        if is_asked_again:
            await next_message(server)
        return Run.of(store)

    return run_with_clock(body())


@functools.cache
def watched(count: int = EVENTS) -> Run:
    """The run of a client that does not leave, up to so many events."""

    async def body() -> Run:
        journal = MemoryJournal()
        server, store = paced(journal, "stop")
        await read(server, count)
        if count >= EVENTS:
            await ended(journal)
        return Run.of(store)

    return run_with_clock(body())


def run(kind: str, body: Callable[[Journal], Awaitable[None]]) -> None:
    """Run it with a journal in a new place."""

    async def inside(folder: Path) -> None:
        journal = journal_in(kind, folder)
        await body(journal)
        await journal.aclose()

    with tempfile.TemporaryDirectory() as folder:
        run_with_clock(inside(Path(folder)))


@over_all
@pytest.mark.law
@given(
    left=st.integers(0, EVENTS - 1),
    ahead=st.integers(0, EVENTS),
    then=st.sampled_from([nobody, next_message, stop, shutdown]),
)
def test_grace_and_nobody_comes_is_a_stop_at_the_leaving(
    kind: str, left: int, ahead: int, then: Any
) -> None:
    at_leaving, expected = watched(left), stopped(left, is_asked_again=then is next_message)

    async def body(journal: Journal) -> None:
        server, store = paced(journal, GRACE)
        client = await read(server, left)
        await client.leave()
        await permit(server, ahead)
        assert await journal.find() != []
        assert store.writes == at_leaving.writes
        await then(server)
        await ended(journal)
        assert Run.of(store) == expected

    run(kind, body)


async def by_page(server: Any) -> None:
    await shown(server)


async def by_items(server: Any) -> None:
    await listed(server, limit=50)


async def by_following(server: Any) -> None:
    client = Client()
    rest = server.resume("thr_1", None)
    if await rest.begin():  # else it has ended meanwhile
        client.read(aiter(rest))
    following.append(client)


following: list[Any] = []
"""Keeps clients and tasks."""


@over_all
@pytest.mark.law
@given(
    left=st.integers(0, EVENTS - 1),
    ahead=st.integers(0, EVENTS),
    back=st.sampled_from([by_page, by_items, by_following]),
    waited=st.sampled_from([0.0, GRACE - 60]),
)
def test_grace_and_a_return_in_time_is_never_having_left(
    kind: str, left: int, ahead: int, back: Any, waited: float
) -> None:
    at_return, at_end = watched(left + ahead), watched()

    async def body(journal: Journal) -> None:
        server, store = paced(journal, GRACE)
        client = await read(server, left)
        await client.leave()
        await permit(server, ahead)
        move_on(waited)
        await progress()
        await back(server)
        await progress()
        # The response has changed the thread itself already: that is saved with the first event.
        assert (store.contents, store.writes) == (at_return.contents, at_return.writes)
        move_on(GRACE + 1)
        await permit(server, EVENTS)
        await ended(journal)
        following.clear()
        assert Run.of(store) == at_end

    run(kind, body)


@over_all
@pytest.mark.law
@given(
    left=st.integers(0, EVENTS - 1),
    ahead=st.integers(0, EVENTS),
    back=st.sampled_from([by_page, by_items]),
    early=st.sampled_from([0.0, GRACE - 60]),
)
def test_grace_and_a_return_before_the_leaving_is_never_having_left(
    kind: str, left: int, ahead: int, back: Any, early: float
) -> None:
    """A server may notice late that a connection is gone: then the reloaded page is there first."""
    at_end = watched()

    async def body(journal: Journal) -> None:
        server, store = paced(journal, GRACE)
        client = await read(server, left)
        await back(server)
        move_on(early)
        await progress()
        await client.leave()
        await permit(server, ahead)
        move_on(GRACE + 1)
        await permit(server, EVENTS)
        await ended(journal)
        assert Run.of(store) == at_end

    run(kind, body)


# --- who is back, and who is not ------------------------------------------------------------------


async def read_and_leave(server: Any, left: int) -> None:
    client = await read(server, left)
    await client.leave()


async def away(server: Any, left: int, ahead: int) -> None:
    """A client that has left, and a response that has gone on."""
    await read_and_leave(server, left)
    await permit(server, ahead)


def texts(store: Inserting) -> dict[str, str]:
    return {item_id: store.text(item_id) for item_id in ("m", "n", "k") if item_id in store.plain()}


def test_a_client_that_leaves_again_has_a_new_time_of_grace() -> None:
    expected = stopped(10)

    async def body(journal: Journal) -> None:
        server, store = paced(journal, GRACE)
        await away(server, 2, 5)
        move_on(GRACE - 60)
        follower = Client()
        follower.read(aiter(server.resume("thr_1", None)))
        await follower.until(1)
        await permit(server, 3)
        await follower.leave()
        await permit(server, 2)
        move_on(GRACE - 60)
        await progress()
        assert await journal.find() != []
        move_on(61)
        await ended(journal)
        assert Run.of(store) == expected

    run("memory", body)


def test_a_second_tab_keeps_the_response_watched() -> None:
    at_end = watched()

    async def body(journal: Journal) -> None:
        server, store = paced(journal, GRACE)
        first, tab = await read(server, 2), Client()
        tab.read(aiter(server.resume("thr_1", None)))
        await tab.until(1)
        await first.leave()
        move_on(GRACE + 1)
        await permit(server, EVENTS)
        await tab.finish()
        await ended(journal)
        assert Run.of(store) == at_end

    run("memory", body)


def test_a_page_that_was_loaded_long_before_the_leaving_does_not_count() -> None:
    expected = stopped(3)

    async def body(journal: Journal) -> None:
        server, store = paced(journal, GRACE)
        client = await read(server, 3)
        await shown(server)
        move_on(GRACE + 1)
        await client.leave()
        await permit(server, 2)
        move_on(GRACE + 1)
        await ended(journal)
        assert Run.of(store) == expected

    run("memory", body)


def test_a_client_that_loads_the_thread_and_then_follows_is_one_client() -> None:
    expected = stopped(5)

    async def body(journal: Journal) -> None:
        server, store = paced(journal, GRACE)
        client, follower = await read(server, 3), Client()
        await shown(server)
        follower.read(aiter(server.resume("thr_1", None)))
        await follower.until(1)
        await client.leave()
        await permit(server, 2)
        await follower.leave()
        await permit(server, 2)
        move_on(GRACE + 1)
        await ended(journal)
        assert Run.of(store) == expected

    run("memory", body)


def test_a_stop_after_the_return_keeps_all_that_the_client_has_seen() -> None:
    expected = stopped(9)

    async def body(journal: Journal) -> None:
        server, store = paced(journal, GRACE)
        await away(server, 2, 7)
        await shown(server)
        assert await server.stop_responses("thr_1") == 1
        await ended(journal)
        assert (store.contents, store.writes) == (expected.contents, expected.writes)

    run("memory", body)


def test_a_stranger_neither_comes_back_nor_ends_the_wait() -> None:
    expected = stopped(3)

    async def body(journal: Journal) -> None:
        server, store = paced(journal, GRACE)
        await away(server, 3, 5)
        with pytest.raises(NotFoundError):
            await shown(server, "a stranger")
        with pytest.raises(NotFoundError):
            await server.resume("thr_1", "a stranger").begin()
        asking = Client()
        await asking.ask(server, REQUEST, "a stranger")
        with pytest.raises(NotFoundError):
            await asking.finish()
        assert await journal.find() != []
        assert "m" not in store.plain()
        move_on(GRACE + 1)
        await ended(journal)
        assert Run.of(store) == expected

    run("memory", body)


@over_all
def test_a_client_with_a_cursor_gets_what_it_missed_and_nothing_twice(kind: str) -> None:
    async def body(journal: Journal) -> None:
        server, _ = paced(journal, GRACE)
        await away(server, 3, 6)
        (header,) = await journal.find()
        back = Client()
        back.read(aiter(server.resume("thr_1", None, f"{header.response}:3")))
        await back.until(1)
        await permit(server, EVENTS)
        state = await back.finish()
        made = [encode(event_from_sdk(one)) for one in SCRIPT if not callable(one)]
        of_stream = [encode(one) for one in back.events if encode(one) in made]
        assert of_stream == made[3:]
        assert "k" in state.items

    run(kind, body)


def test_an_item_that_is_changed_after_it_was_sent_is_stored_as_it_was_sent() -> None:
    item = sdk.AssistantMessageItem(id="m", thread_id="thr_1", created_at=NOW, content=[])

    def change(_: Any) -> None:
        item.content.append(sdk.AssistantMessageContent(text="later"))

    async def body(journal: Journal) -> None:
        server, store = paced(journal, GRACE)
        server.script = [added(message("n")), sdk.ThreadItemDoneEvent(item=item), change]
        client = await read(server, 1)
        await client.leave()
        server.permits.release()
        await until(lambda: item.content)
        await progress()
        await shown(server)
        await ended(journal)
        assert store.text("m") == ""

    run("memory", body)


# --- limits of time -------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["event_timeout", "stream_timeout"])
@pytest.mark.parametrize("comes_back", [True, False])
def test_a_limit_of_time_that_is_over_meanwhile_is_for_who_comes_back(
    limit: str, comes_back: bool
) -> None:
    expected = stopped(3)

    async def body(journal: Journal) -> None:
        server, store = paced(journal, GRACE)
        setattr(server, limit, 100.0)
        await away(server, 3, 6)
        move_on(101)
        await progress()
        assert store.markers == []
        if not comes_back:
            move_on(GRACE)
            await ended(journal)
            assert Run.of(store) == expected
            return
        await shown(server)
        await ended(journal)
        assert texts(store) == {"m": "one two", "n": "three "}

    run("memory", body)


def test_an_end_that_is_held_back_is_not_late() -> None:
    at_end = watched()

    async def body(journal: Journal) -> None:
        server, store = paced(journal, GRACE)
        server.stream_timeout = server.event_timeout = 100.0
        await away(server, 3, EVENTS)
        move_on(GRACE - 60)
        await progress()
        await shown(server)
        await ended(journal)
        assert Run.of(store) == at_end

    run("memory", body)


# --- other processes ------------------------------------------------------------------------------


async def idle(seconds: float, count: int = 3) -> None:
    """Let the clock go on, as long as leases are renewed."""
    for _ in range(count):
        move_on(seconds)
        await progress()
        await asyncio.sleep(0.01)


@over_all
@pytest.mark.parametrize("back", [by_page, by_items, by_following])
def test_a_client_comes_back_in_another_process(kind: str, back: Any, tmp_path: Path) -> None:
    at_end = watched()

    async def body() -> None:
        ours = journal_in(kind, tmp_path)
        server, store = paced(ours, GRACE)
        await away(server, 3, 6)
        theirs = ours if kind == "memory" else journal_in(kind, tmp_path)
        other, _ = paced(theirs, GRACE, store)
        coming = asyncio.create_task(back(other))
        await until_noted(server)
        await coming
        assert texts(store) == {"m": "one two"}
        move_on(GRACE + 1)
        await permit(server, EVENTS)
        await ended(ours)
        following.clear()
        assert Run.of(store) == at_end
        await theirs.aclose()

    run_with_clock(body())


async def until_noted(server: Any) -> None:
    """Wait for the process of a response to learn of a client, which takes half a second."""
    (watch,) = vars(server)["_reducer_watches"]
    async with asyncio.timeout(10):
        while watch.is_away:
            await asyncio.sleep(0.01)
    await progress()


@over_all
@pytest.mark.parametrize("back", [by_page, by_items, by_following])
def test_a_client_is_in_another_process_before_the_leaving(
    kind: str, back: Any, tmp_path: Path
) -> None:
    at_end = watched()

    async def body() -> None:
        ours = journal_in(kind, tmp_path)
        server, store = paced(ours, GRACE)
        client = await read(server, 3)
        theirs = ours if kind == "memory" else journal_in(kind, tmp_path)
        other, _ = paced(theirs, GRACE, store)
        await back(other)
        await idle(0.5)
        await client.leave()
        await until_noted(server)
        move_on(GRACE + 1)
        await permit(server, EVENTS)
        await ended(ours)
        following.clear()
        assert Run.of(store) == at_end
        await theirs.aclose()

    run_with_clock(body())


@over_all
@pytest.mark.parametrize("back", [by_page, by_following])
def test_a_client_that_was_in_another_process_long_before_does_not_count(
    kind: str, back: Any, tmp_path: Path
) -> None:
    expected = stopped(3)

    async def body() -> None:
        ours = journal_in(kind, tmp_path)
        server, store = paced(ours, GRACE)
        client = await read(server, 3)
        theirs = ours if kind == "memory" else journal_in(kind, tmp_path)
        other, _ = paced(theirs, GRACE, store)
        await back(other)
        await idle(0.5)
        if back is by_following:
            await following.pop().leave()
        else:
            await idle(GRACE + 1, 1)
        await client.leave()
        await permit(server, 2)
        await idle(0.5)
        move_on(GRACE + 1)
        await ended(ours)
        assert Run.of(store) == expected
        await theirs.aclose()

    run_with_clock(body())


@over_all
@pytest.mark.parametrize("then", [next_message, stop])
def test_another_process_ends_the_wait(kind: str, then: Any, tmp_path: Path) -> None:
    expected = stopped(3, is_asked_again=then is next_message)

    async def body() -> None:
        ours = journal_in(kind, tmp_path)
        server, store = paced(ours, GRACE)
        await away(server, 3, 6)
        theirs = ours if kind == "memory" else journal_in(kind, tmp_path)
        other, _ = paced(theirs, GRACE, store)
        await then(other)
        await ended(ours)
        assert Run.of(store) == expected
        await theirs.aclose()

    run_with_clock(body())


@over_all
def test_a_client_that_is_back_elsewhere_at_the_last_instant_is_in_time(
    kind: str, tmp_path: Path
) -> None:
    async def body(ours: Any) -> None:
        server, _ = paced(ours, GRACE)
        await away(server, 3, 6)
        (watch,) = vars(server)["_reducer_watches"]
        (response,) = watch.responses
        await ours.recall(response)
        move_on(GRACE + 1)
        await until(lambda: not watch.is_away)
        assert not watch.is_cut

    run(kind, body)


@over_all
def test_a_return_elsewhere_does_not_count_for_a_later_leaving(kind: str) -> None:
    async def body(ours: Any) -> None:
        server, _ = paced(ours, GRACE)
        await away(server, 3, 2)
        (watch,) = vars(server)["_reducer_watches"]
        (response,) = watch.responses
        await asyncio.gather(ours.recall(response), shown(server))
        assert not watch.is_away
        follower = Client()
        follower.read(aiter(server.resume("thr_1", None)))
        await follower.until(1)
        await follower.leave()
        await idle(0.6)
        assert watch.is_away
        move_on(GRACE + 1)
        await ended(ours)

    run(kind, body)


def test_a_page_elsewhere_shows_what_counts_where_the_writer_cannot_be_told() -> None:
    class Silent(MemoryJournal):
        recall: Any = None

    async def body(journal: Journal) -> None:
        server, store = paced(Silent(), GRACE)
        await away(server, 3, 6)
        other, _ = paced(server.journal, GRACE, store)
        ids = [item["id"] for item in await shown(other)]
        assert ids[-1] == "m"
        assert not {"n"} & {*ids}

    run("memory", body)


# --- a follow that ends by itself -----------------------------------------------------------------


class Unwritable(MemoryJournal):
    """Its disk is full."""

    async def begin(self, header: Header) -> None:
        raise JournalError("no space")


def test_a_follow_that_ends_for_want_of_a_journal_is_not_a_leaving() -> None:
    at_end = watched()

    async def body() -> None:
        server, store = paced(Unwritable(), GRACE)
        client = await read(server, 4)
        await client.leave()
        await shown(server)
        async with asyncio.timeout(5):
            async for _ in server.resume("thr_1", None).events():
                pass
        move_on(GRACE + 1)
        await permit(server, EVENTS)
        await until(lambda: "k" in store.plain())
        await progress()
        assert Run.of(store) == at_end

    run_with_clock(body())


# --- in the middle of the way back ----------------------------------------------------------------


@pytest.mark.parametrize("writes", [1, 2])
def test_a_process_that_ends_while_all_is_given_back_stores_what_its_client_saw(
    writes: int,
) -> None:
    """The client that is back has the events from the journal before the store has them."""

    class Slow(Inserting):
        left = writes + 1  # the message of the user comes first

        async def _writing(self, op: str, item_id: str) -> None:
            self.left -= 1
            if not self.left:
                await asyncio.sleep(FOREVER)
            await super()._writing(op, item_id)

    store = Slow(*stored())

    async def body() -> None:
        server, _ = paced(MemoryJournal(), GRACE, store)
        server.script = [*SCRIPT[:4], *SCRIPT[8:10], *SCRIPT[11:]]
        await read_and_leave(server, 3)
        for _ in range(7):
            server.permits.release()
        await progress()
        following.append(asyncio.create_task(shown(server)))
        await until(lambda: not store.left)

    run_with_clock(body())
    following.clear()
    assert texts(store) == {"m": "one two", "n": "three four", "k": "five"}
    assert [item.id for item in store.items].count("m") == 1


# --- at a crash, and in the middle of a frame -----------------------------------------------------


@pytest.mark.parametrize("is_back", [False, True])
def test_a_process_that_dies_leaves_the_thread_as_its_client_knows_it(
    is_back: bool, tmp_path: Path
) -> None:
    async def body() -> None:
        ours, theirs = journal_in("files", tmp_path), journal_in("files", tmp_path)
        server, store = paced(ours, GRACE)
        await away(server, 3, 7)
        if is_back:
            await shown(server)
        await ours.aclose()  # as the kernel does it for a process that is killed
        other, _ = paced(theirs, GRACE, store)
        async with other.recovery(lambda _: None, every=0.01):
            await ended(theirs)
        expected = {"m": "one two", "n": "three "} if is_back else {"m": "one two"}
        assert texts(store) == expected
        assert ("gone" in store.plain()) is not is_back

    run_with_clock(body())


@pytest.mark.parametrize("left", range(1, 7))
@pytest.mark.parametrize("comes_back", [False, True])
def test_a_client_may_leave_while_it_is_sent_an_event(left: int, comes_back: bool) -> None:
    expected = watched() if comes_back else stopped(left)

    async def body(journal: Journal) -> None:
        server, store = paced(journal, GRACE)
        frames = aiter(await server.process(REQUEST, None))
        for _ in range(left):
            server.permits.release()
        for _ in range(FIRST + left):
            await anext(frames)
        await frames.aclose()
        server.permitted = left
        await permit(server, 6)
        if comes_back:
            await shown(server)
            await permit(server, EVENTS)
        else:
            move_on(GRACE + 1)
        await ended(journal)
        assert Run.of(store) == expected

    run("memory", body)
