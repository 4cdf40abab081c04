"""`ReducerChatKitServer` over stores and responses that do not do what the SDK expects of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from chatkit import types as sdk
from chatkit.store import NotFoundError

from chatkit_reducer.integrations.openai_chatkit import item_to_sdk
from chatkit_reducer.testing.examples import message, task, workflow
from tests.support.sdk_servers import (
    BEGUN,
    FOREVER,
    NOW,
    Server,
    Shelf,
    added,
    card,
    delta,
    done,
    event,
    make,
    receive,
    steps,
    stop,
    updated,
    value,
    widget_item,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)


class PrimaryKey(Shelf):
    """A store that refuses to add an item with an id that it has."""

    async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
        if item.id in [known.id for known in self.items]:
            await asyncio.sleep(0)
            raise RuntimeError(f"duplicate key: {item.id}")
        await super().add_thread_item(thread_id, item, context)


def ids(shelf: Shelf) -> list[str]:
    return [item.id for item in shelf.items]


# --- a store that cannot read the marker ----------------------------------------------------------


def narrow() -> type[Shelf]:
    """A class of its own each time: the server remembers it."""

    class Narrow(Shelf):
        """Its union of items was written before there was `sdk_hidden_context`."""

        def check(self, items: list[Any]) -> None:
            if any(item.type == "sdk_hidden_context" for item in items):
                raise TypeError("unknown item type: sdk_hidden_context")

        async def load_item(self, thread_id: str, item_id: str, context: Any) -> Any:
            found = await super().load_item(thread_id, item_id, context)
            self.check([found])
            return found

        async def load_thread_items(self, *arguments: Any, **options: Any) -> Any:
            page = await super().load_thread_items(*arguments, **options)
            self.check(page.data)
            return page

    return Narrow


def test_a_marker_that_cannot_be_read_back_is_deleted(caplog: pytest.LogCaptureFixture) -> None:
    kind = narrow()
    for _ in range(3):
        server, shelf = make([*BEGUN, FOREVER], store=kind())
        asyncio.run(stop(server))
        assert shelf.text("m") == "one two "
        assert shelf.markers == []
    (record,) = caplog.records
    assert "cannot read an item of type sdk_hidden_context" in record.getMessage()
    assert "marker=None" in record.getMessage()


def test_after_the_first_such_marker_no_other_is_written() -> None:
    kind = narrow()
    written = []
    for _ in range(2):
        server, shelf = make([*BEGUN, FOREVER], store=kind())
        asyncio.run(stop(server))
        written.append([op for op, _ in shelf.log].count("add"))
    assert written == [3, 2]  # the message of the user, the answer, and the marker


def test_a_store_that_cannot_be_read_for_a_moment_keeps_its_marker() -> None:
    class Moody(Shelf):
        reads = 0

        async def load_thread_items(self, *arguments: Any, **options: Any) -> Any:
            self.reads += self.markers != []
            if self.reads == 1:
                raise RuntimeError("the replica restarts")
            return await super().load_thread_items(*arguments, **options)

    server, shelf = make([*BEGUN, FOREVER], store=Moody())
    asyncio.run(stop(server))
    assert len(shelf.markers) == 1


def test_a_store_that_cannot_be_reached_says_nothing_about_its_marker() -> None:
    class Gone(Shelf):
        async def load_thread_items(self, *arguments: Any, **options: Any) -> Any:
            if self.markers:
                raise ConnectionError
            return await super().load_thread_items(*arguments, **options)

    server, shelf = make([*BEGUN, FOREVER], store=Gone())
    asyncio.run(stop(server))
    assert len(shelf.markers) == 1


def test_a_store_that_neither_reads_its_marker_nor_deletes_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stubborn(narrow()):  # type: ignore[misc]  # it is a class
        async def delete_thread_item(self, *_: Any, **__: Any) -> None:
            raise NotImplementedError

    server, shelf = make([*BEGUN, FOREVER], store=Stubborn())
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    (marker,) = shelf.markers
    assert f"marker {marker.id} cannot be deleted" in caplog.text


# --- an item that the application stores itself ---------------------------------------------------


class StoresItself(Server):
    """What `stream_agent_response` does with a workflow that is open before a client tool call."""

    async def respond(
        self, thread: sdk.ThreadMetadata, input_user_message: Any, context: Any
    ) -> AsyncIterator[Any]:
        async for step in super().respond(thread, input_user_message, context):
            if isinstance(step, Callable):  # type: ignore[arg-type]  # a step of its own
                await step(self.store)
            else:
                yield step


def stores(item: Any, *, op: str = "add_thread_item") -> Any:
    async def step(store: Any) -> None:
        await getattr(store, op)("thr_1", item, None)

    return step


CALL = {
    "type": "client_tool_call",
    "id": "c",
    "thread_id": "thr_1",
    "created_at": "2099-01-01T00:00:00",
    "status": "pending",
    "call_id": "call_1",
    "name": "confirm",
    "arguments": {},
}


@pytest.mark.parametrize("kind", [Shelf, PrimaryKey])
def test_an_item_that_the_application_stored_is_there_once(kind: Any) -> None:
    open_flow = item_to_sdk(steps(task("a", status="complete")))
    new = task("a", status="complete")
    script = [
        added(workflow("w")),
        updated("w", type="workflow.task.added", task_index=0, task=new),
        stores(open_flow),
        done(CALL),
    ]
    server, shelf = make(script, kind=StoresItself, store=kind())
    events = asyncio.run(receive(server))
    assert not [e for e in events if e["type"] == "error"]
    assert ids(shelf)[1:] == ["w", "c"]
    assert [op for op, item_id in shelf.log if item_id == "w"].count("add") == 1


@pytest.mark.parametrize("kind", [Shelf, PrimaryKey])
def test_what_came_after_the_application_stored_it_is_saved(kind: Any) -> None:
    early = item_to_sdk({**message("m"), "content": [{"type": "output_text", "text": "one "}]})
    script = [*BEGUN[:2], stores(early), *BEGUN[2:], FOREVER]
    server, shelf = make(script, kind=StoresItself, store=kind())
    asyncio.run(stop(server))
    assert ids(shelf).count("m") == 1
    assert shelf.text("m") == "one two "
    assert len(shelf.markers) == 1


class Ignoring(Shelf):
    """A store that adds with INSERT OR IGNORE, and saves with a plain UPDATE."""

    async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
        if item.id not in ids(self):
            await super().add_thread_item(thread_id, item, context)


class Strict(PrimaryKey):
    """A store that refuses to save what it does not have."""

    async def save_item(self, thread_id: str, item: Any, context: Any) -> None:
        if item.id not in ids(self):
            raise RuntimeError(f"no row: {item.id}")
        await super().save_item(thread_id, item, context)


def test_what_is_done_after_the_application_stored_it_is_saved() -> None:
    early = item_to_sdk({**message("m"), "content": [{"type": "output_text", "text": "one "}]})
    script = [*BEGUN[:2], stores(early), BEGUN[2], done(message("m", "one two "))]
    server, shelf = make(script, kind=StoresItself, store=PrimaryKey())
    assert asyncio.run(receive(server))[-1]["type"] == "thread.item.done"
    assert ids(shelf).count("m") == 1
    assert shelf.text("m") == "one two "


REPLACED = event(type="thread.item.replaced", item=message("m", "one two "))


@pytest.mark.parametrize("kind", [Shelf, PrimaryKey, Ignoring, Strict])
@pytest.mark.parametrize("after", [[], [delta("m", "three")]])
def test_an_item_that_is_replaced_before_it_is_done_is_kept(kind: Any, after: list[Any]) -> None:
    """The SDK saves it, and the store does not have it."""
    server, shelf = make([*BEGUN, REPLACED, *after, FOREVER], store=kind())
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two " + "three" * len(after)
    assert len(shelf.markers) == 1


def test_one_that_is_replaced_twice_is_looked_up_once() -> None:
    server, shelf = make([*BEGUN, REPLACED, REPLACED, done(message("m", "one two "))])
    asyncio.run(receive(server))
    assert [op for op, item_id in shelf.log if item_id == "m"] == ["load", "add", "save", "save"]


def test_an_item_of_before_that_was_deleted_is_not_brought_back_by_a_replacement() -> None:
    async def delete(store: Any) -> None:
        await store.delete_thread_item("thr_1", "w", None)

    new = event(type="thread.item.replaced", item=widget_item("b").model_dump())
    server, shelf = make([delete, new, FOREVER], widget_item("a"), kind=StoresItself)
    asyncio.run(stop(server))
    assert "w" not in shelf.plain()


@pytest.mark.parametrize("error", [NotFoundError("m"), KeyError("m")])
def test_an_item_that_is_removed_before_it_is_done_may_be_unknown(error: Exception) -> None:
    class Exact(Shelf):
        async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
            if item_id not in ids(self):
                raise error
            await super().delete_thread_item(thread_id, item_id, context)

    removed = event(type="thread.item.removed", item_id="m")
    server, shelf = make([*BEGUN, removed, done(message("n", "three"))], store=Exact())
    events = asyncio.run(receive(server))
    assert [e["type"] for e in events[-2:]] == ["thread.item.removed", "thread.item.done"]
    assert ids(shelf)[1:] == ["n"]


def test_a_removal_that_fails_is_an_error() -> None:
    class Never(Shelf):
        async def delete_thread_item(self, *_: Any, **__: Any) -> None:
            raise NotImplementedError

    first = item_to_sdk(message("m", "First"))
    script = [event(type="thread.item.removed", item_id="m")]
    server, shelf = make(script, store=Never(first))
    assert asyncio.run(receive(server))[-1]["type"] == "error"
    assert shelf.text("m") == "First"


def test_a_base_that_the_application_saved_meanwhile_stays() -> None:
    newer = widget_item("a newer one")
    script = [value("b"), stores(newer, op="save_item"), FOREVER]
    server, shelf = make(script, widget_item("a"), kind=StoresItself)
    asyncio.run(stop(server))
    assert shelf.plain()["w"].widget == card("a newer one")


def test_a_base_that_the_application_deleted_is_gone() -> None:
    async def delete(store: Any) -> None:
        await store.delete_thread_item("thr_1", "w", None)

    server, shelf = make([value("b"), delete, FOREVER], widget_item("a"), kind=StoresItself)
    asyncio.run(stop(server))
    assert "w" not in shelf.plain()


@pytest.mark.parametrize("error", [KeyError("w"), RuntimeError("no row")])
def test_it_is_gone_too_for_a_store_with_errors_of_its_own(error: Exception) -> None:
    """The thread is short enough to be read."""

    class Own(Shelf):
        async def load_item(self, thread_id: str, item_id: str, context: Any) -> Any:
            try:
                return await super().load_item(thread_id, item_id, context)
            except NotFoundError:
                raise error from None

    async def delete(store: Any) -> None:
        await store.delete_thread_item("thr_1", "w", None)

    script = [value("b"), delete, FOREVER]
    server, shelf = make(script, kind=StoresItself, store=Own(widget_item("a")))
    asyncio.run(stop(server))
    assert "w" not in shelf.plain()
    assert [op for op, item_id in shelf.log if op == "save"] == []


def test_an_item_is_found_in_a_store_that_does_not_load_items() -> None:
    class Never(Shelf):
        async def load_item(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

    server, shelf = make([value("b"), FOREVER], store=Never(widget_item("a")))
    asyncio.run(stop(server))
    assert shelf.plain()["w"].widget == card("ab")


def test_an_item_that_nobody_can_find_is_written_and_stays_if_that_is_refused() -> None:
    """`load_item` fails, and the thread has more items than are read."""

    class Long(PrimaryKey):
        async def load_item(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("it fails for all")

    others = [item_to_sdk(message(f"o{number}", "old")) for number in range(60)]
    first = item_to_sdk(message("m", "First"))
    for stored, text in (([first, *others], "First"), (others, "one two ")):
        server, shelf = make([*BEGUN, FOREVER], store=Long(*stored))
        asyncio.run(stop(server))
        assert shelf.text("m") == text
        assert ids(shelf).count("m") == 1


# --- a store that refuses -------------------------------------------------------------------------


def test_an_answer_with_the_id_of_another_does_not_overwrite_it() -> None:
    """Chat Completions models have one id for all messages."""
    server, shelf = make([*BEGUN, done(message("m", "First"))], store=PrimaryKey())
    asyncio.run(receive(server))
    server.script = [added(message("m")), delta("m", "Second"), done(message("m", "Second"))]
    assert asyncio.run(receive(server))[-1]["type"] == "error"
    assert shelf.text("m") == "First"


@pytest.mark.parametrize("kind", [Shelf, PrimaryKey])
def test_nor_does_one_that_is_stopped(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    server, shelf = make([*BEGUN, done(message("m", "First"))], store=kind())
    asyncio.run(receive(server))
    server.script = [added(message("m")), delta("m", "Second"), FOREVER]
    asyncio.run(stop(server))
    assert shelf.text("m") == "First"
    assert ids(shelf).count("m") == 1
    [warning] = [record for record in caplog.records if record.levelname == "WARNING"]
    said = warning.getMessage()
    assert "under the id of a new one" in said
    assert "'m'" in said
    assert "generate_item_id" in said
    assert "Second" not in caplog.text
    assert "First" not in caplog.text


def test_a_refused_answer_with_the_id_of_another_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, _ = make([*BEGUN, done(message("m", "First"))], store=PrimaryKey())
    asyncio.run(receive(server))
    server.script = [added(message("m")), done(message("m", "Second"))]
    asyncio.run(receive(server))
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert ["under the id of a new one" in record.getMessage() for record in warnings] == [True]


def test_a_stopped_item_that_goes_on_with_the_stored_one_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, shelf = make([*BEGUN, FOREVER], store=PrimaryKey(item_to_sdk(message("m", "one"))))
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert caplog.records == []


def test_a_replacement_that_is_refused_leaves_what_is_there() -> None:
    class Frozen(Shelf):
        async def save_item(self, *_: Any, **__: Any) -> None:
            raise PermissionError("read only")

    first = item_to_sdk(message("m", "First"))
    server, shelf = make(
        [event(type="thread.item.replaced", item=message("m", "Second"))], store=Frozen(first)
    )
    assert asyncio.run(receive(server))[-1]["type"] == "error"
    assert shelf.text("m") == "First"


def test_an_error_of_a_write_that_was_cancelled_is_no_refusal() -> None:
    """Some drivers raise an error of their own when they are cancelled."""

    class Driver(Shelf):
        async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
            if item.id == "m" and not self.cancelled:
                self.cancelled = True
                try:
                    await asyncio.sleep(FOREVER)
                except asyncio.CancelledError:
                    raise RuntimeError("the operation was interrupted") from None
            await super().add_thread_item(thread_id, item, context)

        cancelled = False

    async def body() -> None:
        task_ = asyncio.create_task(receive(server))
        for _ in range(500):
            await asyncio.sleep(0)
        task_.cancel()
        await asyncio.wait([task_])
        assert task_.cancelled() or task_.exception() is None

    server, shelf = make([*BEGUN, done(message("m", "one two "))], store=Driver())
    asyncio.run(body())
    assert shelf.text("m") == "one two "


# --- a store that does not say what it has --------------------------------------------------------


async def hangs(*_: Any) -> Any:
    await asyncio.sleep(FOREVER)


async def knows_nothing(*_: Any) -> None:
    return None


def raises(error: Exception) -> Any:
    async def load_item(*_: Any) -> Any:
        raise error

    return load_item


ANSWERS = {
    "its own error": raises(RuntimeError("no row")),
    "KeyError": raises(KeyError("m")),
    "ValueError": raises(ValueError("no such item")),
    "not there": raises(NotFoundError("m")),
    "None": knows_nothing,
    "nothing": hangs,
}


def store_that_says(answer: str, base: type[Shelf]) -> Any:
    async def load_item(self: Any, thread_id: str, item_id: str, context: Any) -> Any:
        if item_id in [item.id for item in self.items]:
            return await base.load_item(self, thread_id, item_id, context)
        return await ANSWERS[answer]()

    return type("Says", (base,), {"load_item": load_item})()


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("kind", [Shelf, PrimaryKey])
def test_a_complete_answer_whose_write_was_cut_off(
    answer: str, kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store = store_that_says(answer, kind)
    slow = True
    add = store.add_thread_item

    async def add_slowly(thread_id: str, item: Any, context: Any) -> None:
        nonlocal slow
        if item.id == "m" and slow:
            slow = False
            await asyncio.sleep(FOREVER)
        await add(thread_id, item, context)

    store.add_thread_item = add_slowly
    script = [*BEGUN, done(message("m", "one two three"))]
    server, shelf = make(script, store=store)
    server.load_timeout = 0.05
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two three"
    assert len(shelf.markers) == 1
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_workflow_that_is_done_is_added(answer: str, caplog: pytest.LogCaptureFixture) -> None:
    server, shelf = make([done(workflow("w"))], store=store_that_says(answer, PrimaryKey))
    server.load_timeout = 0.05
    asyncio.run(receive(server))
    assert "w" in shelf.plain()
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_update_of_an_item_that_is_not_there(answer: str, caplog: Any) -> None:
    server, shelf = make([value("b"), *BEGUN, FOREVER], store=store_that_says(answer, Shelf))
    server.load_timeout = 0.05
    asyncio.run(stop(server, seconds=0.2))
    assert shelf.text("m") == "one two "
    assert "w" not in shelf.plain()
    assert not [record for record in caplog.records if record.exc_info]


# --- a client tool call that waits ----------------------------------------------------------------

OUTPUT = json.dumps(
    {
        "type": "threads.add_client_tool_output",
        "params": {"thread_id": "thr_1", "result": {"confirmed": True}},
    }
)
CALLED = [*BEGUN, done(CALL)]
"""A message is pending, and a call waits behind it."""


class ByTime(Shelf):
    """A store that orders by `created_at`."""

    async def load_thread_items(self, *arguments: Any, **options: Any) -> Any:
        self.items.sort(key=lambda item: item.created_at.replace(tzinfo=None))
        return await super().load_thread_items(*arguments, **options)


class OnlyMarksDeleted(PrimaryKey):
    """A store that keeps the ids of what was deleted."""

    def __init__(self, *items: Any) -> None:
        super().__init__(*items)
        self.deleted: set[str] = set()

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        await super().delete_thread_item(thread_id, item_id, context)
        self.deleted.add(item_id)

    async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
        if item.id in self.deleted:
            raise RuntimeError(f"duplicate key: {item.id}")
        await super().add_thread_item(thread_id, item, context)


async def go_on(server: Any) -> list[Any]:
    """The output of the tool arrives."""
    server.script = [done(message("next", "Thank you."))]
    return [json.loads(f.removeprefix(b"data: ")) async for f in await server.process(OUTPUT, None)]


@pytest.mark.parametrize("kind", [Shelf, PrimaryKey, ByTime])
def test_the_thread_goes_on_and_the_text_is_kept(kind: Any) -> None:
    async def body() -> None:
        await receive(server)
        assert ids(shelf).index("m") < ids(shelf).index("c") == len(shelf.items) - 1
        assert shelf.text("m") == "one two "
        events = await go_on(server)
        assert events[-1]["item"]["id"] == "next"
        assert shelf.plain()["c"].output == {"confirmed": True}

    server, shelf = make(CALLED, store=kind())
    asyncio.run(body())
    assert shelf.markers == []


def test_a_store_that_orders_by_time_is_not_written_to_again() -> None:
    server, shelf = make(CALLED, store=ByTime())
    asyncio.run(receive(server))
    assert [op for op, item_id in shelf.log if item_id == "c" and op != "load"] == ["add"]


def test_two_messages_in_front_of_a_call_keep_their_order() -> None:
    script = [*BEGUN, added(message("n")), delta("n", "three"), done(CALL)]
    server, shelf = make(script, store=PrimaryKey())
    asyncio.run(receive(server))
    assert ids(shelf)[1:] == ["m", "n", "c"]


def test_a_store_that_adds_nothing_again_keeps_its_call(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        await receive(server)
        assert ids(shelf)[1:] == ["c"]
        assert (await go_on(server))[-1]["item"]["id"] == "next"

    server, shelf = make(CALLED, store=OnlyMarksDeleted())
    asyncio.run(body())
    (failure,) = [r.failure for r in caplog.records if hasattr(r, "failure")]
    (lost,) = failure.unwritten  # the text is not lost: it can be written from here
    assert lost.item["content"][0]["text"] == "one two "


def test_a_store_that_does_not_delete_keeps_both(caplog: pytest.LogCaptureFixture) -> None:
    class Never(Shelf):
        async def delete_thread_item(self, *_: Any, **__: Any) -> None:
            raise NotImplementedError

    server, shelf = make(CALLED, store=Never())
    asyncio.run(receive(server))
    assert ids(shelf)[1:] == ["c", "m"]
    assert "Item m stands behind client tool call c" in caplog.text


FAILURES = [
    *[("delete_thread_item", number) for number in range(3)],
    *[("add_thread_item", number) for number in range(1, 6)],  # 0 is the message of the user
    ("load_item", 0),
    ("load_thread_items", 0),
]


@pytest.mark.parametrize(("op", "number"), FAILURES)
@pytest.mark.parametrize("happens", [False, True])
def test_the_call_is_not_lost_over_one_failure(op: str, number: int, happens: bool) -> None:
    """One operation fails, after it has happened or before."""
    seen = -1

    async def fails(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal seen
        # openai-chatkit 1.4.0 reads the thread for each question, too.
        seen += op != "load_thread_items" or "c" in ids(self)
        here = seen == number
        result = None
        if happens or not here:
            result = await getattr(PrimaryKey, op)(self, *arguments, **options)
        if here:
            raise ConnectionError
        return result

    server, shelf = make(CALLED, store=type("Failing", (PrimaryKey,), {op: fails})())
    asyncio.run(receive(server))
    assert ids(shelf)[1:] == ["m", "c"]


def test_the_call_is_not_lost_when_the_time_is_up() -> None:
    class Slow(PrimaryKey):
        async def delete_thread_item(self, *arguments: Any, **options: Any) -> None:
            await super().delete_thread_item(*arguments, **options)
            await asyncio.sleep(0.2)

    server, shelf = make(CALLED, store=Slow())
    server.commit_timeout = 0.1
    asyncio.run(receive(server))
    assert ids(shelf)[1:] == ["m", "c"]


def test_a_thread_that_has_gone_on_is_left_alone() -> None:
    class Busy(Shelf):
        async def load_thread_items(self, *arguments: Any, **options: Any) -> Any:
            if "c" in ids(self) and "later" not in ids(self):
                self.items.append(item_to_sdk(message("later", "an answer elsewhere")))
            return await super().load_thread_items(*arguments, **options)

    server, shelf = make(CALLED, store=Busy())
    asyncio.run(receive(server))
    assert ids(shelf)[1:] == ["c", "m", "later"]


# --- an item that holds a value that is not JSON --------------------------------------------------


class Opaque:
    """A value that a model of the SDK takes, and that no JSON is made of."""

    def __repr__(self) -> str:
        return "<opaque>"


class AsJson(Shelf):
    """A store that writes items as JSON, as nearly all do."""

    async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
        item.model_dump_json()
        await super().add_thread_item(thread_id, item, context)


def test_a_call_that_is_not_json_is_kept_as_python_shows_it_and_the_others_are_written() -> None:
    call = sdk.ClientToolCallItem(
        id="call",
        thread_id="thr_1",
        created_at=NOW,
        call_id="c",
        name="ask",
        arguments={"at": Opaque(), "n": float("nan")},
    )
    server, shelf = make([*BEGUN, sdk.ThreadItemAddedEvent(item=call), FOREVER], store=AsJson())
    with pytest.raises(ValueError, match="Unable to serialize"):  # the SDK's frame for the client
        asyncio.run(receive(server))
    assert shelf.text("m") == "one two "
    assert shelf.plain()["call"].arguments == {"at": "<opaque>", "n": None}
