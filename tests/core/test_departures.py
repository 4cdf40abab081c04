"""Where folding departs from openai-chatkit 1.6.5, and what 1.6.5 does instead.

Each test runs the real SDK. What its server has folded when a stream is cut is what it hands to
`ChatKitServer.handle_stream_cancelled`, so that is where these tests read it.
"""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, get_args

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it warns of its own widgets
    pytest.importorskip("chatkit")
    from chatkit import server as sdk_server
    from chatkit import types as sdk
    from chatkit.agents import AgentContext, stream_agent_response
    from chatkit.store import NotFoundError, Store
    from chatkit.widgets import DynamicWidgetRoot
    from pydantic import TypeAdapter, ValidationError

from chatkit_reducer import AnomalyKind, ThreadState, decode, encode, fold
from chatkit_reducer.core.codec import from_json, to_json
from chatkit_reducer.core.items import HIDDEN_TYPES
from chatkit_reducer.events import (
    EVENT_TYPES,
    UPDATE_TYPES,
    Event,
    Json,
    ThreadItemUpdated,
    ThreadUpdated,
    wire_type,
)
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    component_updated,
    done,
    image,
    image_updated,
    item,
    message,
    part,
    part_added,
    part_done,
    removed,
    replaced,
    root_updated,
    task,
    task_added,
    task_updated,
    text_delta,
    user_message,
    value_delta,
    widget,
    workflow,
)

pytestmark = [
    pytest.mark.skipif(
        version("openai-chatkit") != "1.6.5", reason="the departures are those from 1.6.5"
    ),
    pytest.mark.filterwarnings("ignore:Direct usage of named widget classes:DeprecationWarning"),
]

_sdk_events: TypeAdapter[Any] = TypeAdapter(sdk.ThreadStreamEvent)
_sdk_items: TypeAdapter[Any] = TypeAdapter(sdk.ThreadItem)

Respond = Callable[["Server"], AsyncIterator[Any]]


# --- a server of the SDK --------------------------------------------------------------------------


class MemoryStore(Store[None]):
    """The part of a store that these tests need. It notes every call that writes an item."""

    def __init__(self, items: Iterable[Json]) -> None:
        parsed = [_sdk_items.validate_python(item) for item in items]
        self.items = {item.id: item for item in parsed}
        self.writes: list[tuple[str, str]] = []

    async def load_thread(self, thread_id: str, context: None) -> Any:
        return thread()

    async def save_thread(self, thread: Any, context: None) -> None:
        pass

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: None
    ) -> Any:
        items = list(self.items.values())
        data = (items[::-1] if order == "desc" else items)[:limit]
        return sdk.Page(data=[item.model_copy(deep=True) for item in data])

    async def load_item(self, thread_id: str, item_id: str, context: None) -> Any:
        if item_id not in self.items:
            raise NotFoundError
        return self.items[item_id]

    async def add_thread_item(self, thread_id: str, item: Any, context: None) -> None:
        self.writes.append(("add", item.id))
        self.items[item.id] = item.model_copy(deep=True)

    async def save_item(self, thread_id: str, item: Any, context: None) -> None:
        self.writes.append(("save", item.id))
        self.items[item.id] = item.model_copy(deep=True)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: None) -> None:
        self.writes.append(("delete", item_id))
        self.items.pop(item_id, None)

    async def load_threads(self, *args: Any) -> Any:
        raise NotImplementedError

    async def delete_thread(self, *args: Any) -> None:
        raise NotImplementedError

    async def save_attachment(self, *args: Any) -> None:
        raise NotImplementedError

    async def load_attachment(self, *args: Any) -> Any:
        raise NotImplementedError

    async def delete_attachment(self, *args: Any) -> None:
        raise NotImplementedError


class Server(sdk_server.ChatKitServer[None]):
    """A server that answers once, and keeps what was pending when the answer was cut."""

    def __init__(self, respond: Respond, stored: Iterable[Json] = ()) -> None:
        self.memory = MemoryStore(stored)
        super().__init__(self.memory)
        self.thread = thread()
        self.sent: list[bytes] = []
        self.pending: dict[str, Json] = {}
        self._respond = respond

    def respond(self, *args: Any) -> AsyncIterator[Any]:
        return self._respond(self)

    async def handle_stream_cancelled(
        self, thread: Any, pending_items: list[Any], context: None
    ) -> None:
        self.pending = {item.id: item.model_dump(mode="json") for item in pending_items}

    async def _answer(self) -> None:
        stream = self._process_events(self.thread, None, self.respond)
        async for event in stream:
            self.sent.append(self._serialize(event))

    def run(self) -> Server:
        """Answers, and is done when the answer is over or was cut."""

        async def run() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._answer()

        asyncio.run(run())
        return self

    def received(self) -> list[Event]:
        """The events that a client got, without the stream options, which always come first."""
        return [decode(text) for text in self.sent[1:]]


def thread() -> Any:
    return sdk.ThreadMetadata(id="thr_1", created_at=datetime(2025, 1, 1, tzinfo=UTC))


def sdk_event(event: Event) -> Any:
    """An event of this package as one of the SDK."""
    return _sdk_events.validate_python(to_json(event))


def answering(*events: Event, cut: bool = False) -> Respond:
    """A responder that yields these events, and is then cancelled or returns."""

    async def respond(server: Server) -> AsyncIterator[Any]:
        for event in events:
            yield sdk_event(event)
        if cut:
            raise asyncio.CancelledError

    return respond


def sdk_pending(*events: Event, stored: Iterable[Json] = ()) -> dict[str, Json]:
    """What the SDK holds as pending after these events."""
    return Server(answering(*events, cut=True), stored).run().pending


def our_state(*events: Event, stored: Iterable[Json] = ()) -> ThreadState:
    return fold(events, ThreadState.from_items(stored))


def content(item: Any) -> Any:
    """The parts of a message, the SDK's or ours."""
    return (item if isinstance(item, dict) else item.to_json())["content"]


def titles(item: Any) -> list[str]:
    """The titles of the tasks of a workflow, the SDK's or ours."""
    plain = item if isinstance(item, dict) else item.to_json()
    return [task["title"] for task in plain["workflow"]["tasks"]]


def cited(part: Json) -> list[str]:
    """The titles of what a part cites."""
    return [annotation["source"]["title"] for annotation in part["annotations"]]


def wire_type_of(event: Event) -> str:
    return wire_type(event.update if isinstance(event, ThreadItemUpdated) else event)


# --- the ground that both stand on ----------------------------------------------------------------


def test_the_vocabulary_is_that_of_the_sdk() -> None:
    def types_of(union: Any) -> set[str]:
        return {cls.model_fields["type"].default for cls in get_args(union)}

    assert types_of(get_args(sdk.ThreadStreamEvent)[0]) == set(EVENT_TYPES)
    assert types_of(sdk.ThreadItemUpdate) == set(UPDATE_TYPES)
    assert len(types_of(get_args(sdk.ThreadItem)[0])) == 11


@pytest.mark.parametrize(
    "event",
    [
        added(message("m", "a", "b")),
        added(item("m", "assistant_message", content=[part("a", citation("A", at=1))])),
        added(workflow("w", "A")),
        added(widget("g", {"type": "Card", "children": []})),
        done(image("i")),
        done(image("i", "https://example.com/1.png")),
        done(user_message("u", "hi")),
        replaced(item("h", "hidden_context_item", content=1)),
        removed("m"),
        part_added("m", part("a")),
        text_delta("m", "a"),
        annotation_added("m", citation("A"), 0),
        part_done("m", part("a")),
        task_added("w", task("A"), 0),
        task_updated("w", task("A", status="loading"), 0),
        value_delta("g", "t", "a"),
        component_updated("g", "t", {"type": "Text", "value": "a"}),
        root_updated("g", {"type": "Card", "children": []}),
        image_updated("i", "https://example.com/1.png", 0.5),
    ],
    ids=wire_type_of,
)
def test_the_examples_are_events_of_the_sdk(event: Event) -> None:
    assert sdk_event(event).type == to_json(event)["type"]


@pytest.mark.parametrize(
    "events",
    [
        [text_delta("m", "Hel"), text_delta("m", "lo")],
        [text_delta("m", "third", 2)],
        [part_added("m", part("x"), 1), text_delta("m", "y", 1)],
        [part_added("m", part("x", citation("A")))],
        [annotation_added("m", citation("A"), 0, 1), annotation_added("m", citation("B"), 0, 1)],
        [annotation_added("m", citation("A"), 9), annotation_added("m", citation("B"), 1)],
        [annotation_added("m", citation("late", at=9), 0), annotation_added("m", citation("B"), 0)],
        [part_done("m", part("x", citation("A")), 1)],
        [text_delta("m", "lost"), added(message("m", "again"))],
    ],
)
def test_messages_fold_as_they_do_there_where_nothing_is_said_to_the_contrary(
    events: Sequence[Event],
) -> None:
    start = added(message("m", ""))

    assert same_parts(our_state(start, *events).items["m"], sdk_pending(start, *events)["m"])


def same_parts(ours: Any, theirs: Any) -> bool:
    """Whether two messages have the same content, whatever the fields with default values."""
    parts: TypeAdapter[Any] = TypeAdapter(list[sdk.AssistantMessageContent])
    same: bool = parts.validate_python(content(ours)) == parts.validate_python(content(theirs))
    return same


def test_tasks_fold_as_they_do_there_as_long_as_they_come_at_the_end() -> None:
    events: list[Event] = [
        added(workflow("w")),
        task_added("w", task("A"), 0),
        task_added("w", task("B"), 1),
        task_updated("w", task("b"), 1),
    ]

    assert titles(sdk_pending(*events)["w"]) == titles(our_state(*events).items["w"]) == ["A", "b"]


# --- the life of an item --------------------------------------------------------------------------


def test_an_update_to_an_item_that_this_stream_did_not_add_is_ignored_there() -> None:
    stored = [workflow("w", "A")]
    update = task_updated("w", task("B"), 0)

    assert sdk_pending(update, stored=stored) == {}
    assert titles(our_state(update, stored=stored).items["w"]) == ["B"]
    assert titles(our_state(update, stored=stored).bases["w"]) == ["A"]


def test_the_producer_of_the_sdk_sends_such_updates_itself() -> None:
    """`stream_agent_response` continues the workflow that is the thread's last item."""

    async def continue_workflow(server: Server) -> AsyncIterator[Any]:
        context = agent_context(server)

        async def model() -> AsyncIterator[Any]:
            await context.update_workflow_task(sdk.CustomTask(title="B"), 0)
            await asyncio.sleep(0)
            yield SimpleNamespace(type="nothing")

        async for event in stream_agent_response(context, running(model())):
            yield event

    stored = [workflow("w", "A")]
    server = Server(continue_workflow, stored).run()

    (update,) = server.received()
    assert (wire_type_of(update), update.item_id) == ("workflow.task.updated", "w")  # type: ignore[union-attr]
    assert titles(our_state(update, stored=stored).items["w"]) == ["B"]


def test_an_item_added_twice_is_started_again_there_in_silence() -> None:
    events: list[Event] = [
        added(message("m", "")),
        text_delta("m", "lost"),
        added(message("m", "again")),
    ]

    assert same_parts(sdk_pending(*events)["m"], our_state(*events).items["m"])
    assert [anomaly.kind for anomaly in our_state(*events).anomalies] == [
        AnomalyKind.ITEM_ALREADY_PRESENT
    ]


def test_the_end_of_a_stored_item_is_a_second_add_there() -> None:
    server = Server(answering(done(message("m", "new"))), [message("m", "old")]).run()

    assert server.memory.writes == [("add", "m")]


def test_thread_updated_brings_an_empty_page_of_items() -> None:
    stored = [user_message("u", "hi"), message("m", "hello")]

    async def rename(server: Server) -> AsyncIterator[Any]:
        server.thread.title = "renamed"
        yield sdk.NoticeEvent(level="info", message="Hello")

    _, event = Server(rename, stored).run().received()

    assert isinstance(event, ThreadUpdated)
    assert event.thread["items"]["data"] == []
    assert list(our_state(event, stored=stored).items) == ["u", "m"]


@pytest.mark.parametrize("hidden", sorted(HIDDEN_TYPES))
def test_hidden_items_are_held_back_there_when_they_are_done_and_only_then(hidden: str) -> None:
    context = item("h", hidden, content="The user is in Oslo.")

    server = Server(answering(added(context), done(context), replaced(context))).run()

    assert server.received() == [decode(encode(added(context))), decode(encode(replaced(context)))]


# --- messages -------------------------------------------------------------------------------------


def test_a_part_that_was_sent_changes_afterwards_there() -> None:
    """`_apply_assistant_message_update` keeps the event's own part, and writes to it."""
    sent = sdk_event(part_added("m", part("")))
    server = Server(answering())
    pending = {"m": sdk_event(added(message("m"))).item}

    server._update_pending_items(pending, sent)
    server._update_pending_items(pending, sdk_event(text_delta("m", "more")))

    assert sent.update.content.text == "more"

    ours = part_added("m", part(""))
    our_state(added(message("m")), ours, text_delta("m", "more"))
    assert to_json(ours)["update"]["content"] == part("")


def test_the_end_of_a_part_loses_the_streamed_citations_there() -> None:
    events: list[Event] = [
        added(message("m", "")),
        annotation_added("m", citation("A"), 0),
        part_done("m", part("final")),
    ]

    assert [cited(part) for part in content(sdk_pending(*events)["m"])] == [[]]
    assert [cited(part) for part in content(our_state(*events).items["m"])] == [["A"]]


def test_the_producer_of_the_sdk_never_sends_citations_with_the_end_of_a_part() -> None:
    annotation = {"type": "file_citation", "file_id": "f", "filename": "A", "index": 0}

    async def model() -> AsyncIterator[Any]:
        common = {"item_id": "m", "content_index": 0}
        yield raw("response.output_text.annotation.added", annotation=annotation, **common)
        yield raw("response.output_text.done", text="final", **common)

    async def respond(server: Server) -> AsyncIterator[Any]:
        async for event in stream_agent_response(agent_context(server), running(model())):
            yield event

    cite, end = Server(respond).run().received()

    assert cited({"annotations": [to_json(cite)["update"]["annotation"]]}) == ["A"]
    assert to_json(end)["update"]["content"]["annotations"] == []


def test_a_content_index_pads_without_bound_there() -> None:
    far = text_delta("m", "x", 5000)

    assert len(content(sdk_pending(added(message("m")), far)["m"])) == 5001

    state = our_state(added(message("m")), far)
    assert content(state.items["m"]) == []
    assert [anomaly.kind for anomaly in state.anomalies] == [AnomalyKind.INDEX_OUT_OF_RANGE]


def test_a_negative_content_index_edits_the_last_part_there() -> None:
    events: list[Event] = [added(message("m", "a", "b")), text_delta("m", "!", -1)]

    assert [part["text"] for part in content(sdk_pending(*events)["m"])] == ["a", "b!"]
    assert content(our_state(*events).items["m"]) == [part("a"), part("b")]


def test_a_negative_content_index_ends_the_response_there_if_there_is_no_part() -> None:
    assert the_response_ends_there(added(message("m")), text_delta("m", "!", -1))


def test_a_negative_annotation_index_inserts_before_the_last_there() -> None:
    given = item("m", "assistant_message", content=[part("", citation("A"), citation("B"))])
    events: list[Event] = [added(given), annotation_added("m", citation("x"), -1)]

    assert cited(content(sdk_pending(*events)["m"])[0]) == ["A", "x", "B"]
    assert cited(content(our_state(*events).items["m"])[0]) == ["A", "B"]


# --- workflows ------------------------------------------------------------------------------------


def test_a_task_is_appended_there_whatever_its_index_says() -> None:
    events: list[Event] = [added(workflow("w", "A", "B")), task_added("w", task("x"), 0)]

    assert titles(sdk_pending(*events)["w"]) == ["A", "B", "x"]
    assert titles(our_state(*events).items["w"]) == ["x", "A", "B"]


@pytest.mark.parametrize("index", [-1, 7])
def test_a_task_added_out_of_range_is_appended_there_in_silence(index: int) -> None:
    events: list[Event] = [added(workflow("w", "A")), task_added("w", task("x"), index)]

    assert titles(sdk_pending(*events)["w"]) == ["A", "x"]
    assert [anomaly.kind for anomaly in our_state(*events).anomalies] == [
        AnomalyKind.INDEX_OUT_OF_RANGE
    ]


def test_two_quick_tasks_make_three_there() -> None:
    """`AgentContext.add_workflow_task` queues the workflow itself, not a copy of it.

    When it is sent it holds both tasks already, and then the second one is sent once more.
    """

    async def respond(server: Server) -> AsyncIterator[Any]:
        context = agent_context(server)
        await context.add_workflow_task(sdk.CustomTask(title="A"))
        await context.add_workflow_task(sdk.CustomTask(title="B"))
        async for event in stream_agent_response(context, running(nothing())):
            yield event
        raise asyncio.CancelledError

    server = Server(respond).run()

    start, more = server.received()
    assert titles(to_json(start)["item"]) == ["A", "B"]
    assert to_json(more)["update"]["task_index"] == 1
    assert [titles(item) for item in server.pending.values()] == [["A", "B", "B"]]

    state = our_state(start, more)
    assert [titles(item) for item in state.items.values()] == [["A", "B"]]
    assert state.anomalies == ()


@pytest.mark.parametrize("index", [1, 7, -2])
def test_a_task_updated_out_of_range_ends_the_response_there(index: int) -> None:
    events: list[Event] = [added(workflow("w", "A")), task_updated("w", task("x"), index)]

    assert the_response_ends_there(*events)

    state = our_state(*events)
    assert titles(state.items["w"]) == ["A"]
    assert [anomaly.kind for anomaly in state.anomalies] == [AnomalyKind.INDEX_OUT_OF_RANGE]


def test_a_negative_task_index_edits_the_last_task_there() -> None:
    events: list[Event] = [added(workflow("w", "A", "B")), task_updated("w", task("x"), -1)]

    assert titles(sdk_pending(*events)["w"]) == ["A", "x"]
    assert titles(our_state(*events).items["w"]) == ["A", "B"]


# --- widgets and images ---------------------------------------------------------------------------

TEXT = {"type": "Text", "id": "t", "value": ""}
NEW_TEXT = {"type": "Text", "id": "t", "value": "new"}


@pytest.mark.parametrize(
    "update",
    [
        value_delta("g", "t", "new"),
        component_updated("g", "t", NEW_TEXT),
        root_updated("g", {"type": "Card", "children": [NEW_TEXT]}),
    ],
    ids=wire_type_of,
)
def test_updates_to_widgets_are_not_applied_there(update: Event) -> None:
    events = added(widget("g", {"type": "Card", "children": [TEXT]})), update

    assert sdk_pending(*events)["g"]["widget"]["children"][0]["value"] == ""
    assert our_state(*events).items["g"].to_json()["widget"]["children"] == [NEW_TEXT]


def test_updates_to_images_are_not_applied_there() -> None:
    events = added(image("i")), image_updated("i", "https://example.com/1.png", 0.5)

    assert sdk_pending(*events)["i"]["image"] is None
    assert our_state(*events).items["i"].to_json() == image("i", "https://example.com/1.png")


def test_there_is_no_field_for_progress_in_an_image() -> None:
    assert set(sdk.GeneratedImageItem.model_fields) == {
        "id", "thread_id", "created_at", "type", "image",
    }  # fmt: skip
    assert set(sdk.GeneratedImage.model_fields) == {"id", "url"}


def streamed(*roots: Json) -> list[Event]:
    """The events with which the SDK streams a widget that goes through these roots."""

    async def states() -> Any:
        for root in roots:
            yield DynamicWidgetRoot.model_validate(root)

    async def respond(server: Server) -> AsyncIterator[Any]:
        async for event in sdk_server.stream_widget(server.thread, states()):
            yield event

    return Server(respond).run().received()


def growing(value: str, **fields: Any) -> Json:
    return {"type": "Card", "children": [{"type": "Text", "value": value, **fields}]}


def test_a_widget_streamed_by_the_sdk_has_arrived_before_it_is_done() -> None:
    """The updates of its producer are applied, and `done` adds no key to the component."""
    start, *updates, end = streamed(*[growing("Hello"[:length], id="t") for length in range(6)])

    assert len(updates) == 5
    before, after = our_state(start, *updates), our_state(start, *updates, end)
    assert before.pending != ()
    assert list(before.items.values()) == list(after.items.values())


def in_a_transition(value: str) -> Json:
    child = {"type": "Transition", "children": {"type": "Text", "id": "t", "value": value}}
    return {"type": "Card", "children": [child]}


@pytest.mark.parametrize("page", [growing, in_a_transition], ids=["no id", "in a transition"])
def test_diff_widget_says_nothing_of_some_texts_and_done_makes_up_for_it(
    page: Callable[[str], Json],
) -> None:
    start, *updates, end = streamed(page("Hel"), page("Hello"))

    assert updates == []
    (folded,) = our_state(start, *updates).items.values()
    (whole,) = our_state(start, *updates, end).items.values()
    assert folded.to_json() != whole.to_json()
    assert "Hello" in str(whole.to_json())


# --- what does not fit, and what is unknown -------------------------------------------------------


def test_an_update_that_does_not_fit_its_item_is_ignored_there_in_silence() -> None:
    events: list[Event] = [added(message("m", "a")), task_added("m", task("A"), 0)]

    assert same_parts(sdk_pending(*events)["m"], message("m", "a"))
    assert same_parts(our_state(*events).items["m"], message("m", "a"))
    assert [anomaly.kind for anomaly in our_state(*events).anomalies] == [AnomalyKind.UPDATE_MISFIT]


def test_a_removal_of_what_is_not_there_goes_to_the_store_there() -> None:
    assert Server(answering(removed("nobody"))).run().memory.writes == [("delete", "nobody")]
    assert [anomaly.kind for anomaly in our_state(removed("nobody")).anomalies] == [
        AnomalyKind.ITEM_NOT_FOUND
    ]


@pytest.mark.parametrize(
    "plain",
    [
        {"type": "thread.item.sung", "item_id": "m"},
        {"type": "thread.item.updated", "item_id": "m", "update": {"type": "message.sung"}},
        {"type": "thread.item.done", "item": item("x", "hologram")},
    ],
    ids=["event", "update", "item"],
)
def test_an_unknown_type_is_an_error_there(plain: Json) -> None:
    with pytest.raises(ValidationError):
        _sdk_events.validate_python(plain)

    assert to_json(from_json(plain)) == plain


NEWS = {"new_field": 1}


@pytest.mark.parametrize(
    "event",
    [
        done({**message("m", "a"), **NEWS}),
        done(item("m", "assistant_message", content=[{**part("a"), **NEWS}])),
        done(item("w", "workflow", workflow={"type": "custom", "tasks": [{**task("A"), **NEWS}]})),
        done(widget("g", {"type": "Card", "children": [{"type": "Text", "value": "a", **NEWS}]})),
        from_json({**to_json(done(message("m", "a"))), **NEWS}),
    ],
    ids=["item", "part", "task", "component", "event"],
)
def test_unknown_fields_are_dropped_there(event: Event) -> None:
    (sent,) = Server(answering(event)).run().received()

    assert b"new_field" not in encode(sent)
    assert b"new_field" in encode(event)


def test_a_part_without_a_text_cannot_be_read_there() -> None:
    event = part_added("m", {"type": "output_audio", "clip": 1})

    with pytest.raises(ValidationError):
        sdk_event(event)

    assert content(our_state(added(message("m")), event).items["m"]) == [
        {"type": "output_audio", "clip": 1}
    ]


# --- a response of the SDK ------------------------------------------------------------------------


def agent_context(server: Server) -> Any:
    return AgentContext(thread=server.thread, store=server.memory, request_context=None)


def running(events: AsyncIterator[Any]) -> Any:
    """A run of an agent that makes these events."""
    return SimpleNamespace(stream_events=lambda: events)


def raw(event_type: str, **fields: Any) -> Any:
    """An event of the Responses API, as a run of an agent passes it on."""
    data = SimpleNamespace(type=event_type, **fields)
    return SimpleNamespace(type="raw_response_event", data=data)


async def nothing() -> AsyncIterator[Any]:
    for _ in range(0):
        yield


def the_response_ends_there(*events: Event) -> bool:
    """Whether the SDK sends an error instead of the last of these events, and stops."""
    server = Server(answering(*events, text_delta("m", "not sent any more"))).run()
    *sent, last = server.received()
    return sent == list(events[:-1]) and to_json(last)["type"] == "error"
