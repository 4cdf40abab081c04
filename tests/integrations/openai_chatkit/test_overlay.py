"""Pages of a thread while a response runs in it: its items as they are, each of them once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from chatkit.store import NotFoundError
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_reducer import ThreadState, fold
from chatkit_reducer.events import Event, Json, ThreadItemDone, ThreadItemRemoved
from chatkit_reducer.integrations.openai_chatkit import item_from_sdk, item_to_sdk
from chatkit_reducer.journal import Journal, JournalError, JournalWriter, MemoryJournal
from chatkit_reducer.testing.examples import (
    added,
    done,
    item,
    message,
    part,
    part_added,
    removed,
    task,
    task_added,
    text_delta,
    user_message,
    workflow,
)
from tests.support.journaled import (
    JOURNALS,
    Private,
    Writing,
    asynchronous,
    items_of,
    journal_in,
    listed,
    shown,
)

over_all = pytest.mark.parametrize("kind", JOURNALS)

HALF: list[Event] = [added(message("m")), part_added("m", part("")), text_delta("m", "The moon")]


async def writing(journal: Journal, events: Sequence[Event], base: Any = ()) -> JournalWriter:
    writer = JournalWriter(journal, thread="thr_1")
    await writer.begin(base)
    for event in events:
        await writer.append(event)
    return writer


def server_of(journal: Journal | None, *items: Json, owner: Any = None) -> Any:
    server = Writing(Private(*[item_to_sdk(one) for one in items], owner=owner))
    server.journal = journal
    return server


def many(count: int) -> list[Json]:
    return [user_message(f"i{number}", "x") for number in range(count)]


# --- law 11 --------------------------------------------------------------------------------------

OPERATIONS = st.sampled_from(["add", "write", "done", "remove", "continue"])


class Response:
    """A response that is journaled, and stored behind that, as the SDK's loop does it."""

    def __init__(self, journal: Journal, store: Private) -> None:
        self._store = store
        self._writer = JournalWriter(journal, thread="thr_1")
        self._state = ThreadState()
        self._unstored: Event | None = None
        self._count = 0

    async def step(self, operation: str, *, stores: bool = True) -> None:
        """Go on by one event; the last one need not be stored yet."""
        await self._write_to_store()
        event = self._event(operation)
        if event is None:
            return
        if not self._writer.began:
            await self._writer.begin([item_from_sdk(one) for one in self._store.items[-1:]])
            self._state = ThreadState.from_items(
                [item_from_sdk(one) for one in self._store.items[-1:]]
            )
        await self._writer.append(event)
        self._state = fold([event], self._state)
        self._unstored = event
        if stores:
            await self._write_to_store()

    def _event(self, operation: str) -> Event | None:
        pending = [one for one in self._state.pending if one.startswith("m")]
        if operation == "add":
            self._count += 1
            return added(message(f"m{self._count}", ""))
        if operation == "continue":
            continues = self._store.items[-1].id == "w"
            return task_added("w", task(f"t{self._count}"), 0) if continues else None
        if not pending:
            return None
        if operation == "write":
            return text_delta(pending[0], "text ")
        if operation == "done":
            return done(self._state.items[pending[0]].to_json())
        return removed(pending[-1])

    async def _write_to_store(self) -> None:
        event, self._unstored = self._unstored, None
        if isinstance(event, ThreadItemDone):
            self._store.items.append(item_to_sdk(event.item))
        elif isinstance(event, ThreadItemRemoved):
            await self._store.delete_thread_item("thr_1", event.item_id, None)

    @property
    def state(self) -> ThreadState:
        return self._state


@over_all
@pytest.mark.law
@given(
    stored=st.integers(0, 7),
    continues=st.booleans(),
    before=st.lists(OPERATIONS, max_size=9),
    stores=st.booleans(),
    limit=st.integers(1, 5),
    order=st.sampled_from(["asc", "desc"]),
)
def test_each_item_is_shown_once_as_it_is(  # noqa: PLR0917  # Hypothesis passes them by name
    kind: str,
    stored: int,
    continues: bool,
    before: list[str],
    stores: bool,
    limit: int,
    order: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    items = [*many(stored), *([workflow("w", "one")] if continues or not stored else [])]

    async def body() -> None:
        journal = journal_in(kind, tmp_path_factory.mktemp("journal"))
        server = server_of(journal, *items)
        response = Response(journal, server.store)
        for operation in before:
            await response.step(operation, stores=stores)
        pages = await listed(server, limit=limit, order=order)
        seen = [one for page in pages for one in page]
        expected = {one["id"]: one for one in items}
        expected |= {one["id"]: one for one in items_of(response.state)}
        assert sorted(one["id"] for one in seen) == sorted(expected)
        assert {one["id"]: one for one in seen} == expected
        for one in pages[:-1] if order == "asc" else pages[1:]:
            assert len(one) <= limit
        # Pending items are at the newer end.
        new = [one["id"] for one in (seen if order == "asc" else reversed(seen))]
        waiting = [one for one in response.state.pending if one != "w"]
        assert new[len(new) - len(waiting) :] == waiting or not stores
        # The model sees what is stored.
        page = await server.store.load_thread_items("thr_1", None, 50, order, None)
        assert not {one.id for one in page.data} & {*waiting}
        await journal.aclose()

    asyncio.run(body())


DONE = ["add", "done", "done"]
"""Two items are stored between two reads, so that the newer pushes the other off a page of one."""


@over_all
@pytest.mark.law
@given(
    steps=st.lists(st.lists(OPERATIONS, max_size=3), min_size=1, max_size=12),
    stored=st.integers(1, 7),
    limit=st.integers(1, 3),
    order=st.sampled_from(["asc", "desc"]),
)
@example(
    steps=[["add", "add", "add"], ["add"], [], ["add", "add"], ["add", "add", "add"], [], DONE],
    stored=1,
    limit=1,
    order="desc",
)
def test_no_item_is_shown_twice_while_the_response_goes_on(  # noqa: PLR0917  # the same
    kind: str,
    steps: list[list[str]],
    stored: int,
    limit: int,
    order: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """It goes on at each read of the store, and between the pages."""

    async def body() -> None:
        journal = journal_in(kind, tmp_path_factory.mktemp("journal"))
        server = server_of(journal, *many(stored))
        response = Response(journal, server.store)
        await response.step("add")
        await response.step("write")
        rest = iter(steps)

        async def go_on() -> None:
            for operation in next(rest, []):
                await response.step(operation)

        goes_on_at(server.store, "load_thread_items", go_on)
        goes_on_at(server.store, "load_item", go_on)
        goes_on_at(server.store, "load_thread", go_on)
        seen = [
            one["id"] for page in await listed(server, limit=limit, order=order) for one in page
        ]
        assert len(seen) == len({*seen})
        assert {one["id"] for one in many(stored)} <= {*seen}
        if "m1" in response.state.items:
            assert "m1" in seen
        await journal.aclose()

    asyncio.run(body())


def goes_on_at(store: Any, name: str, go_on: Callable[[], Any]) -> None:
    """Have the response go on before and after a call of the store."""
    called = getattr(store, name)

    async def calling(*arguments: Any, **options: Any) -> Any:
        await go_on()
        try:
            return await called(*arguments, **options)
        finally:
            await go_on()

    setattr(store, name, calling)


# --- the first page ------------------------------------------------------------------------------


@over_all
def test_a_reload_shows_the_answer_so_far(kind: str, tmp_path: Path) -> None:
    async def body() -> None:
        journal = journal_in(kind, tmp_path)
        question = user_message("q", "How far?")
        server = server_of(journal, question)
        writer = await writing(journal, HALF)
        assert await shown(server) == [question, *items_of(fold(HALF))]
        await writer.append(text_delta("m", " is far."))
        assert (await shown(server))[1]["content"][0]["text"] == "The moon is far."
        assert [item.id for item in server.store.items] == ["q"]
        await writer.closed()
        assert await shown(server) == [question]
        await journal.aclose()

    asyncio.run(body())


@asynchronous
async def test_pending_items_are_not_on_the_first_page_of_a_long_thread() -> None:
    journal = MemoryJournal()
    server = server_of(journal, *many(25))
    await writing(journal, HALF)
    first = await shown(server)
    assert [one["id"] for one in first] == [f"i{number}" for number in range(20)]
    pages = await listed(server, limit=20)
    assert [one["id"] for one in pages[1]][-2:] == ["i24", "m"]


@asynchronous
async def test_hidden_items_stay_hidden() -> None:
    journal = MemoryJournal()
    server = server_of(journal)
    await writing(journal, [added(item("h", "hidden_context_item", content="secret")), *HALF])
    assert [one["id"] for one in await shown(server)] == ["m"]
    assert [[one["id"] for one in page] for page in await listed(server)] == [["m"]]


@asynchronous
async def test_the_store_decides_who_may_see_it() -> None:
    journal = MemoryJournal()
    server = server_of(journal, owner="ada")
    await writing(journal, HALF)
    with pytest.raises(NotFoundError):
        await shown(server, "eve")
    assert await listed(server, context="eve") == [[]]  # this store does not refuse it
    assert [one["id"] for one in await shown(server, "ada")] == ["m"]


@asynchronous
async def test_an_item_that_was_deleted_meanwhile_is_not_shown() -> None:
    journal = MemoryJournal()
    server = server_of(journal)
    await writing(journal, [done(message("gone", "x")), *HALF])
    assert [one["id"] for one in await shown(server)] == ["m"]


@asynchronous
async def test_a_stored_item_that_was_changed_meanwhile_is_shown_as_it_is_stored() -> None:
    journal = MemoryJournal()
    server = server_of(journal, message("d", "changed"))
    await writing(journal, [done(message("d", "x")), *HALF])
    assert (await shown(server))[0]["content"][0]["text"] == "changed"


@asynchronous
async def test_a_journal_that_fails_shows_the_page_of_the_store(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(MemoryJournal):
        async def find(self, **options: Any) -> Any:
            if calls[0] == "find":
                raise JournalError("gone")
            return await super().find(**options)

        def read(self, *arguments: Any, **options: Any) -> Any:
            if calls[0] == "read":
                raise JournalError("gone")
            return super().read(*arguments, **options)

    calls = [""]
    journal = Failing()
    server = server_of(journal, user_message("q", "?"))
    await writing(journal, HALF)
    for calls[0] in ("find", "read"):
        assert [one["id"] for one in await shown(server)] == ["q"]
    assert caplog.text.count("gone") >= 2
