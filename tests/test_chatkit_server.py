"""`ReducerChatKitServer`: what differs from the SDK's server, and that nothing else does."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from importlib.metadata import version
from typing import Any, cast, get_args

import pytest
from chatkit import types as sdk
from chatkit import widgets
from chatkit.errors import CustomStreamError
from chatkit.server import ChatKitServer, StreamingResult
from chatkit.store import NotFoundError, Store
from hypothesis import given, reject
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from chatkit_reducer import Cause, policies
from chatkit_reducer.integrations.openai_chatkit import (
    ReducerChatKitServer,
    event_from_sdk,
    event_to_sdk,
    item_from_sdk,
    item_to_sdk,
    items_to_sdk,
    state_from_sdk,
)
from chatkit_reducer.policy import Content, Decision, Marker, Policy, Row
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import message, task, workflow

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)

# Older releases have fewer items: no images before 1.4.1, no structured input before 1.6.4.
ITEM_TYPES = {
    get_args(model.model_fields["type"].annotation)[0]
    for model in get_args(get_args(sdk.ThreadItem)[0])
}
NOW = datetime(2026, 1, 1)  # noqa: DTZ001  # as the SDK's are


class Shelf(Store[Any]):
    """A store in memory: an add appends, so that a second one would be seen."""

    def __init__(self, *items: sdk.ThreadItem) -> None:
        self.items = list(items)
        self.log: list[tuple[str, str]] = []
        self.refuses: Callable[[str], bool] = lambda _: False

    async def load_thread(self, thread_id: str, context: Any) -> sdk.ThreadMetadata:
        return sdk.ThreadMetadata(id=thread_id, created_at=NOW)

    async def save_thread(self, thread: sdk.ThreadMetadata, context: Any) -> None: ...

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> sdk.Page[sdk.ThreadItem]:
        return sdk.Page(data=list(self.items))

    async def add_thread_item(self, thread_id: str, item: sdk.ThreadItem, context: Any) -> None:
        await self._writing("add", item.id)
        self.items.append(item.model_copy(deep=True))

    async def save_item(self, thread_id: str, item: sdk.ThreadItem, context: Any) -> None:
        await self._writing("save", item.id)
        self.items = [item.model_copy(deep=True) if i.id == item.id else i for i in self.items]

    async def _writing(self, op: str, item_id: str) -> None:
        await asyncio.sleep(0)
        if self.refuses(item_id):
            raise ConnectionError(f"no {op} of {item_id}")
        self.log.append((op, item_id))

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> sdk.ThreadItem:
        await asyncio.sleep(0)
        self.log.append(("load", item_id))
        for item in self.items:
            if item.id == item_id:
                return item.model_copy(deep=True)
        raise NotFoundError(item_id)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        await asyncio.sleep(0)
        self.items = [item for item in self.items if item.id != item_id]

    async def save_attachment(self, *_: Any, **__: Any) -> None: ...
    async def load_attachment(self, *_: Any, **__: Any) -> Any: ...
    async def delete_attachment(self, *_: Any, **__: Any) -> None: ...
    async def load_threads(self, *_: Any, **__: Any) -> Any: ...
    async def delete_thread(self, *_: Any, **__: Any) -> None: ...

    def plain(self) -> dict[str, Any]:
        """Item id to its content, without what every item has."""
        return {item.id: item for item in self.items if item.type != "user_message"}

    def text(self, item_id: str) -> str:
        found = self.plain()[item_id]
        assert isinstance(found, sdk.AssistantMessageItem)
        return "".join(part.text for part in found.content)

    @property
    def markers(self) -> list[sdk.SDKHiddenContextItem]:
        return [item for item in self.items if isinstance(item, sdk.SDKHiddenContextItem)]


class Scripted:
    """A response of events; a number is a pause of so many seconds, an exception is raised."""

    script: Iterable[Any] = ()

    async def respond(
        self, thread: sdk.ThreadMetadata, input_user_message: Any, context: Any
    ) -> AsyncIterator[Any]:
        for step in self.script:
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, Exception):
                raise step
            else:
                yield step


class Server(Scripted, ReducerChatKitServer[Any]):
    policy = policies.KEEP


def make(script: Iterable[Any], *stored: sdk.ThreadItem, kind: Any = Server) -> tuple[Any, Shelf]:
    shelf = Shelf(*stored)
    server = kind(shelf)
    server.script = list(script)
    return server, shelf


REQUEST = json.dumps(
    {
        "type": "threads.add_user_message",
        "params": {
            "thread_id": "thr_1",
            "input": {
                "content": [{"type": "input_text", "text": "?"}],
                "attachments": [],
                "inference_options": {},
            },
        },
    }
)


async def receive(server: Any, *, leave_after: int | None = None) -> list[Any]:
    """What a client receives that leaves after so many frames."""
    result = await server.process(REQUEST, None)
    assert isinstance(result, StreamingResult)
    frames: Any = aiter(result)
    events = []
    async for frame in frames:
        events.append(json.loads(frame.removeprefix(b"data: ")))
        if len(events) == leave_after:
            break
    await frames.aclose()
    return events


async def progress() -> None:
    """Lets everything go on until it waits for ever: without a clock, however slow."""
    for _ in range(500):
        await asyncio.sleep(0)


async def stop(server: Any) -> None:
    """A client whose task is cancelled."""
    task = asyncio.create_task(receive(server))
    await progress()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def event(**fields: Any) -> Any:
    return TypeAdapter(sdk.ThreadStreamEvent).validate_python(fields)


def added(item: Any) -> Any:
    return event(type="thread.item.added", item=item)


def done(item: Any) -> Any:
    return event(type="thread.item.done", item=item)


def updated(item_id: str, **update: Any) -> Any:
    return event(type="thread.item.updated", item_id=item_id, update=update)


def delta(item_id: str, text: str) -> Any:
    kind = "assistant_message.content_part.text_delta"
    return updated(item_id, type=kind, content_index=0, delta=text)


BEGUN = [added(message("m")), delta("m", "one "), delta("m", "two ")]
FOREVER = 3600.0


# --- every end ------------------------------------------------------------------------------------


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
        assert events[-1]["type"] == "thread.item.updated"
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


# --- items of earlier responses -------------------------------------------------------------------


def steps(*tasks: Any) -> Any:
    return {**workflow("w"), "workflow": {"type": "custom", "tasks": [*tasks], "expanded": False}}


def sdk_item(plain: Any) -> Any:
    return item_to_sdk(plain)


def test_a_continued_workflow_is_saved_and_not_added_twice() -> None:
    before = steps(task("a", status="complete"))
    after = steps(task("a", status="complete"), task("b"))
    script = [
        updated("w", type="workflow.task.added", task_index=1, task=task("b")),
        done(after),
    ]
    server, shelf = make(script, sdk_item(before))
    asyncio.run(receive(server))
    assert [entry for entry in shelf.log if entry[1] == "w"] == [("load", "w"), ("save", "w")]
    assert [item.id for item in shelf.items].count("w") == 1


def test_a_workflow_that_is_only_closed_is_saved_too() -> None:
    before = steps(task("a"))
    server, shelf = make([done(before)], sdk_item(before))
    asyncio.run(receive(server))
    assert ("save", "w") in shelf.log
    assert ("add", "w") not in shelf.log


def test_a_new_workflow_is_added_and_looked_for_at_most_once() -> None:
    server, shelf = make([done(workflow("v")), added(workflow("w")), done(workflow("w"))])
    asyncio.run(receive(server))
    assert [e for e in shelf.log if e[1] in "vw"] == [("load", "v"), ("add", "v"), ("add", "w")]


def test_an_item_that_is_done_twice_is_added_once_and_saved_once() -> None:
    server, shelf = make([*BEGUN, done(message("m", "one ")), done(message("m", "two "))])
    asyncio.run(receive(server))
    assert [op for op, item_id in shelf.log if item_id == "m"] == ["add", "save"]
    assert shelf.text("m") == "two "


@pytest.mark.parametrize(
    ("adds_what_is_not_there", "expected"),
    [(True, ["save", "load", "save"]), (False, ["save", "load", "add"])],
)
def test_an_item_that_was_replaced_and_is_done_is_there_once(
    adds_what_is_not_there: bool, expected: list[str]
) -> None:
    class Upserting(Shelf):
        async def save_item(self, thread_id: str, item: sdk.ThreadItem, context: Any) -> None:
            await super().save_item(thread_id, item, context)
            if adds_what_is_not_there and item.id not in [known.id for known in self.items]:
                self.items.append(item)

    shelf = Upserting()
    server = Server(shelf)
    replacement = event(type="thread.item.replaced", item=message("m", "one "))
    server.script = [*BEGUN, replacement, done(message("m", "two "))]
    asyncio.run(receive(server))
    assert [op for op, item_id in shelf.log if item_id == "m"] == expected
    assert [item.id for item in shelf.items].count("m") == 1
    assert shelf.text("m") == "two "


def test_an_item_that_was_removed_and_is_done_again_is_added_again() -> None:
    before = steps(task("a", status="complete"))
    script = [
        updated("w", type="workflow.task.added", task_index=1, task=task("b")),
        event(type="thread.item.removed", item_id="w"),
        done(before),
    ]
    server, shelf = make(script, sdk_item(before))
    asyncio.run(receive(server))
    assert [op for op, item_id in shelf.log if item_id == "w"] == ["load", "add"]
    assert [item.id for item in shelf.items].count("w") == 1


def test_a_continued_workflow_that_is_stopped_is_saved() -> None:
    before = steps(task("a", status="complete"))
    new = task("b", status="loading")
    script = [updated("w", type="workflow.task.added", task_index=1, task=new), FOREVER]
    server, shelf = make(script, sdk_item(before))
    asyncio.run(stop(server))
    (stored,) = [item for item in shelf.items if item.id == "w"]
    assert isinstance(stored, sdk.WorkflowItem)
    assert [step.status_indicator for step in stored.workflow.tasks] == ["complete", "none"]


def card(text: str, *, streaming: bool = False) -> Any:
    return widgets.Card(
        id="c", children=[widgets.Text(id="t", value=text, streaming=streaming or None)]
    )


def widget_item(text: str, **options: Any) -> sdk.WidgetItem:
    return sdk.WidgetItem(id="w", thread_id="thr_1", created_at=NOW, widget=card(text, **options))


def value(text: str, *, end: bool = False) -> Any:
    kind = "widget.streaming_text.value_delta"
    return updated("w", type=kind, component_id="t", delta=text, done=end)


def test_a_widget_of_an_earlier_response_is_loaded_once_and_saved() -> None:
    server, shelf = make([value("b"), value("c"), FOREVER], widget_item("a"))
    asyncio.run(stop(server))
    assert [entry for entry in shelf.log if entry[1] == "w"] == [("load", "w"), ("save", "w")]
    assert shelf.plain()["w"].widget == card("abc")


def test_a_widget_of_an_earlier_response_under_the_policy_of_the_sdk() -> None:
    server, shelf = make([value("b"), FOREVER], widget_item("a"))
    server.policy = policies.SDK
    asyncio.run(stop(server))
    assert shelf.plain()["w"].widget == card("a")


def test_a_base_that_the_store_does_not_have(caplog: pytest.LogCaptureFixture) -> None:
    server, shelf = make([value("b"), *BEGUN, FOREVER])
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert "Item w is updated, but the store does not have it" in caplog.text


# --- the hook -------------------------------------------------------------------------------------


class Told(Server):
    """Keeps what the hook was told."""

    def __init__(self, store: Store[Any]) -> None:
        super().__init__(store)
        self.told: list[list[sdk.ThreadItem]] = []

    async def handle_stream_cancelled(
        self, thread: sdk.ThreadMetadata, pending_items: list[sdk.ThreadItem], context: Any
    ) -> None:
        assert thread.id == "thr_1"
        for _ in range(3):
            await asyncio.sleep(0.001)
        self.told.append(pending_items)
        await super().handle_stream_cancelled(thread, pending_items, context)


def test_the_hook_is_told_of_pending_items_with_their_updates() -> None:
    script = [*BEGUN, added(widget_item("a", streaming=True)), value("b"), FOREVER]
    server, shelf = make(script, kind=Told)
    asyncio.run(stop(server))
    ((text, shown),) = server.told
    assert isinstance(text, sdk.AssistantMessageItem)
    assert text.content[0].text == "one two "
    assert isinstance(shown, sdk.WidgetItem)
    assert shown.widget == card("ab", streaming=True)
    assert [op for op, item_id in shelf.log if item_id == "m"] == ["add"]


@pytest.mark.skipif("generated_image" not in ITEM_TYPES, reason="an SDK without images")
def test_the_hook_is_told_of_pending_images() -> None:
    image = {"id": "i_1", "url": "https://example.com/1"}
    script = [
        added({"type": "generated_image", "id": "g", "thread_id": "thr_1", "created_at": NOW}),
        updated("g", type="generated_image.updated", image=image, progress=0.5),
        FOREVER,
    ]
    server, _ = make(script, kind=Told)
    asyncio.run(stop(server))
    ((picture,),) = server.told
    assert picture.image.url == "https://example.com/1"


@pytest.mark.parametrize("script", [BEGUN, [*BEGUN, ValueError("model")]])
def test_the_hook_is_for_cancellations(script: list[Any]) -> None:
    server, _ = make(script, kind=Told)
    asyncio.run(receive(server))
    assert server.told == []


def test_the_hook_is_called_once_whoever_closes() -> None:
    server, _ = make([*BEGUN, FOREVER], kind=Told)
    asyncio.run(receive(server, leave_after=4))
    assert len(server.told) == 1


def test_a_hook_that_fails_comes_after_all_was_written(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Server):
        async def handle_stream_cancelled(self, *_: Any) -> None:
            raise ZeroDivisionError

    server, shelf = make([*BEGUN, FOREVER], kind=Broken)
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert len(shelf.markers) == 1
    assert "handle_stream_cancelled failed; all was written before." in caplog.text


def test_a_hook_that_hangs_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    class Hanging(Server):
        commit_timeout = 0.05

        async def handle_stream_cancelled(self, *_: Any) -> None:
            await asyncio.sleep(FOREVER)

    server, shelf = make([*BEGUN, FOREVER], kind=Hanging)
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert "handle_stream_cancelled failed" in caplog.text


def test_a_hook_that_is_no_coroutine_is_called() -> None:
    called = []

    class Plain(Server):
        def handle_stream_cancelled(self, *arguments: Any) -> None:  # type: ignore[override]
            called.append(arguments)

    server, _ = make([*BEGUN, FOREVER], kind=Plain)
    asyncio.run(stop(server))
    assert len(called) == 1


def test_a_hook_with_another_signature_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match=r"must take \(self, thread, pending_items, context\)"):

        class Wrong(Server):
            async def handle_stream_cancelled(self, thread: Any) -> None: ...  # type: ignore[override]


# --- mixed in -------------------------------------------------------------------------------------


class Existing(Scripted, ChatKitServer[Any]):
    """A server of somebody's that knows nothing of this package."""

    def __init__(self, store: Store[Any]) -> None:
        super().__init__(store)
        self.told: list[Any] = []
        self.passed = 0

    async def handle_stream_cancelled(
        self, thread: sdk.ThreadMetadata, pending_items: list[sdk.ThreadItem], context: Any
    ) -> None:
        self.told.append(pending_items)

    async def _process_events(self, thread: Any, context: Any, stream: Any) -> AsyncIterator[Any]:
        async for one in super()._process_events(thread, context, stream):
            self.passed += 1
            yield one


@pytest.mark.parametrize(
    "bases", [(Existing, ReducerChatKitServer), (ReducerChatKitServer, Existing)]
)
def test_mixed_in_before_or_behind_a_server_that_exists(bases: tuple[type, ...]) -> None:
    kind = type("Safe", bases, {"policy": policies.KEEP})
    server, shelf = make([*BEGUN, FOREVER], kind=kind)
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert len(shelf.markers) == 1
    assert len(server.told) == 1
    assert server.passed == 4


def test_the_view_of_the_loop_is_the_server_in_everything_else() -> None:
    class Custom(Existing):
        def get_stream_options(self, thread: Any, context: Any) -> sdk.StreamOptions:
            self.asked = True
            assert isinstance(self, Custom)
            return super().get_stream_options(thread, context)

    server, _ = make(BEGUN, kind=type("Safe", (Custom, ReducerChatKitServer), {}))
    asyncio.run(receive(server))
    assert server.asked


# --- a store that fails ---------------------------------------------------------------------------


def test_a_store_that_refuses_one_item_gets_the_others(caplog: pytest.LogCaptureFixture) -> None:
    second = [added(message("n")), delta("n", "three")]
    server, shelf = make([*BEGUN, *second, FOREVER])
    shelf.refuses = lambda item_id: item_id == "m"
    asyncio.run(stop(server))
    assert shelf.text("n") == "three"
    assert len(shelf.markers) == 1
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.__dict__["settlement"].persist[0].id == "m"
    assert "add m" in record.getMessage()


def test_a_store_that_refuses_an_item_that_is_done_has_failed_the_stream() -> None:
    server, shelf = make([*BEGUN, done(message("m", "one two ")), added(message("n"))])
    refused = []

    def refuses(item_id: str) -> bool:
        refused.append(item_id)
        return item_id == "m" and refused.count("m") == 1

    shelf.refuses = refuses
    events = asyncio.run(receive(server))
    assert events[-1]["type"] == "error"
    assert shelf.text("m") == "one two "  # it was in doubt, and was written again
    assert shelf.markers == []


def test_a_store_that_cannot_say_what_it_has(caplog: pytest.LogCaptureFixture) -> None:
    class Silent(Shelf):
        async def load_item(self, thread_id: str, item_id: str, context: Any) -> Any:
            raise ConnectionError

    shelf = Silent()
    server = Server(shelf)
    server.script = [done(workflow("w"))]
    asyncio.run(receive(server))
    assert ("add", "w") in shelf.log
    assert "whether it is a new one cannot be found out" in caplog.text


def test_an_item_that_is_done_twice_in_doubt_is_not_added_twice() -> None:
    """The write had happened, and only its answer was cut off."""

    class Slow(Shelf):
        async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
            await super().add_thread_item(thread_id, item, context)
            if item.id == "m":
                await asyncio.sleep(FOREVER)

    shelf = Slow()
    server = Server(shelf)
    server.script = [*BEGUN, done(message("m", "one two "))]
    asyncio.run(stop(server))
    assert [op for op, item_id in shelf.log if item_id == "m"] == ["add", "load", "save"]
    assert shelf.text("m") == "one two "


def test_an_item_that_holds_what_json_cannot_say_is_written_as_it_was() -> None:
    class Refusing(Shelf):
        async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
            if item.id == "h" and not self.refused:
                self.refused = True
                await asyncio.sleep(FOREVER)
            await super().add_thread_item(thread_id, item, context)

        refused = False

    content = {"at": NOW}
    hidden = sdk.HiddenContextItem(id="h", thread_id="thr_1", created_at=NOW, content=content)
    shelf = Refusing()
    server = Server(shelf)
    server.script = [sdk.ThreadItemDoneEvent(item=hidden)]
    asyncio.run(stop(server))
    assert shelf.plain()["h"].content == content


# --- the marker -----------------------------------------------------------------------------------


def test_a_marker_with_content_of_the_application() -> None:
    class Structured(Server):
        policy = Policy(
            name="structured",
            about="",
            rows=policies.KEEP.rows,
            marker=Marker(item="hidden_context_item", content=None, causes=[Cause.CANCELLED]),
        )

        def marker_content(self, thread: sdk.ThreadMetadata, context: Any) -> Any:
            return {"stopped": thread.id}

    server, shelf = make([*BEGUN, FOREVER], kind=Structured)
    asyncio.run(stop(server))
    (marker,) = [item for item in shelf.items if isinstance(item, sdk.HiddenContextItem)]
    assert marker.content == {"stopped": "thr_1"}


def test_the_marker_has_an_id_of_the_store() -> None:
    class Numbered(Shelf):
        def generate_item_id(self, item_type: Any, thread: Any, context: Any) -> str:
            return f"{item_type} of {thread.id}"

    shelf = Numbered()
    server = Server(shelf)
    server.script = [*BEGUN, FOREVER]
    asyncio.run(stop(server))
    assert shelf.markers[0].id == "sdk_hidden_context of thr_1"


# --- conversions ----------------------------------------------------------------------------------


def known(convert: Callable[[Any], Any], value: Any) -> Any:
    """What an older release makes of something, if it knows such a thing."""
    try:
        return convert(value)
    except ValidationError:
        if version("openai-chatkit") == "1.6.5":
            raise
        reject()


@given(chatkit.streams(types=ITEM_TYPES, unknown=False))
def test_events_go_to_the_sdk_and_back(events: list[Any]) -> None:
    for one in events:
        theirs = known(event_to_sdk, one)
        assert event_to_sdk(event_from_sdk(theirs)) == theirs


@given(st.data())
def test_items_go_to_the_sdk_and_back(data: st.DataObject) -> None:
    plain = [data.draw(chatkit.items(types=ITEM_TYPES, unknown=False)) for _ in range(3)]
    items = [known(item_to_sdk, item) for item in {item["id"]: item for item in plain}.values()]
    state = state_from_sdk(items)
    assert state.anomalies == ()
    assert items_to_sdk(state) == items
    assert [item_from_sdk(one) for one in items] == [it.to_json() for it in state.items.values()]


def test_a_null_that_the_sdk_requires_is_kept() -> None:
    series = widgets.BarSeries(dataKey="y", label=None)
    chart = widgets.Chart(data=[{"x": "a", "y": 1}], series=[series], xAxis="x")
    item = sdk.WidgetItem(
        id="w", thread_id="thr_1", created_at=NOW, widget=widgets.Card(children=[chart])
    )
    assert item_to_sdk(item_from_sdk(item)) == item


def test_a_thread_with_its_metadata() -> None:
    thread = sdk.ThreadMetadata(id="thr_1", created_at=NOW, title="A title")
    state = state_from_sdk([], thread=thread)
    assert cast(Any, state.thread)["title"] == "A title"


def test_what_a_producer_changes_after_it_was_sent_changes_nothing() -> None:
    item = sdk.WorkflowItem(
        id="w",
        thread_id="thr_1",
        created_at=NOW,
        workflow=sdk.Workflow(type="custom", tasks=[sdk.CustomTask(title="a")]),
    )
    before = event_from_sdk(sdk.ThreadItemAddedEvent(item=item))
    item.workflow.tasks.append(sdk.CustomTask(title="b"))
    assert len(cast(Any, before).item["workflow"]["tasks"]) == 1
