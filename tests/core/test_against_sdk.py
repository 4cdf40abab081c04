"""The official SDK as an oracle: openai-chatkit 1.6.5, at every prefix of random streams.

What it folds on the server (assistant messages and workflows) is compared with `ChatKitServer`'s
own methods; what it only streams (widgets) with the widgets that were given to `stream_widget`. The
departures that docs/semantics.md explains do not occur in these streams (`sdk_differences=False`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from chatkit import types as sdk
from chatkit.server import ChatKitServer, stream_widget
from chatkit.widgets import WidgetRoot
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter

from chatkit_reducer import ThreadState, fold, reduce
from chatkit_reducer import events as e
from chatkit_reducer.core.codec import from_json, to_json
from chatkit_reducer.testing import strategies as chatkit

FOLDED = ["assistant_message", "workflow"]
"""The item types whose updates 1.6.5 applies to its pending items."""

_event: TypeAdapter[Any] = TypeAdapter(sdk.ThreadStreamEvent)
_item: TypeAdapter[Any] = TypeAdapter(sdk.ThreadItem)
_root: TypeAdapter[Any] = TypeAdapter(WidgetRoot)


def plain(model: BaseModel) -> dict[str, Any]:
    """A model as the SDK writes it (1.6.5: `ChatKitServer._serialize`)."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def normal(item: dict[str, Any]) -> dict[str, Any]:
    """An item of ours, with the defaults that the SDK fills in and without nulls."""
    return plain(_item.validate_python(item))


# --- the fold of the server -----------------------------------------------------------------------


class Server(ChatKitServer[None]):
    """The SDK's server, and the pending items that its `_process_events` keeps."""

    def __init__(self) -> None:
        self.pending: dict[str, sdk.ThreadItem] = {}

    def respond(
        self,
        thread: sdk.ThreadMetadata,
        input_user_message: sdk.UserMessageItem | None,
        context: None,
    ) -> AsyncIterator[sdk.ThreadStreamEvent]:
        raise NotImplementedError

    def process_event(self, event: sdk.ThreadStreamEvent) -> None:
        """What 1.6.5 does with an event, less its store: `ChatKitServer._process_events`."""
        # It keeps what an event brings and changes it later: an event is handed over as a copy.
        event = deepcopy(event)
        match event:
            case sdk.ThreadItemAddedEvent(item=item):
                self.pending[item.id] = item.model_copy(deep=True)
            case sdk.ThreadItemDoneEvent(item=item) | sdk.ThreadItemReplacedEvent(item=item):
                self.pending.pop(item.id, None)
            case sdk.ThreadItemRemovedEvent(item_id=item_id):
                self.pending.pop(item_id, None)
            case sdk.ThreadItemUpdatedEvent():
                self._update_pending_items(self.pending, event)


def assert_same_pending(state: ThreadState, server: Server) -> None:
    # The SDK never looks at an item that this stream did not add: what is pending over a stored
    # item is pending for us alone.
    ours = [item_id for item_id in state.pending if item_id not in state.bases]
    assert ours == [item_id for item_id in state.items if item_id in server.pending]
    assert len(ours) == len(server.pending)
    for item_id in ours:
        theirs = server.pending[item_id]
        if theirs.type in FOLDED:
            assert normal(state.items[item_id].to_json()) == plain(theirs)


def assert_same_at_every_prefix(events: list[e.Event]) -> None:
    server, state = Server(), ThreadState()
    for count, event in enumerate(events, 1):
        server.process_event(_event.validate_python(to_json(event)))
        state = reduce(state, event)
        assert_same_pending(state, server)
        assert_same_pending(fold(events[:count]), server)


@given(chatkit.streams(types=FOLDED, max_updates=16, unknown=False, sdk_differences=False))
def test_messages_and_workflows(events: list[e.Event]) -> None:
    assert_same_at_every_prefix(events)


@given(chatkit.streams(unknown=False, sdk_differences=False))
def test_all_item_types_side_by_side(events: list[e.Event]) -> None:
    assert_same_at_every_prefix(events)


@given(chatkit.streams(unknown=False))
def test_what_is_stored_at_the_end(events: list[e.Event]) -> None:
    """Of every item, the SDK's store has what the last event with the whole item brought."""
    stored: dict[str, Any] = {}
    for event in events:
        match _event.validate_python(to_json(event)):
            case sdk.ThreadItemDoneEvent(item=item) | sdk.ThreadItemReplacedEvent(item=item):
                stored[item.id] = plain(item)
            case sdk.ThreadItemRemovedEvent(item_id=item_id):
                stored.pop(item_id, None)
            case sdk.ThreadCreatedEvent(thread=thread):
                stored |= {item.id: plain(item) for item in thread.items.data}
    ours = {item_id: normal(item.to_json()) for item_id, item in fold(events).items.items()}
    assert ours == stored


@given(chatkit.events(unknown=False))
def test_the_sdk_reads_every_event_without_unknown_content(event: e.Event) -> None:
    theirs = _event.validate_python(to_json(event))
    assert theirs.type == e.wire_type(event)


@given(chatkit.events(unknown=False))
def test_an_event_that_the_sdk_wrote_comes_back(event: e.Event) -> None:
    written = plain(_event.validate_python(to_json(event)))
    assert to_json(from_json(written)) == written


# --- streamed widgets -----------------------------------------------------------------------------

IDS = ("t1", "t2", "t3", "t4")
CONTAINERS = ("Row", "Col", "Box")
words = st.text(st.characters(codec="utf-8"), max_size=5)


@cache
def texts_with(component_id: str) -> st.SearchStrategy[dict[str, Any]]:
    known = {"type": st.sampled_from(["Text", "Markdown"]), "value": words}
    more = {"streaming": st.booleans(), "key": words}
    return st.fixed_dictionaries({**known, "id": st.just(component_id)}, optional=more)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """A Card of rows, columns and texts.

    Each text has an id of its own, because 1.6.5's `diff_widget` drops text that has none, and
    takes the last of two components with one id. All children are in lists, because it looks into
    nothing else.
    """
    ids = draw(st.lists(st.sampled_from(IDS), unique=True, max_size=len(IDS)))
    children: list[dict[str, Any]] = [draw(texts_with(component_id)) for component_id in ids]
    for one, other, kind in draw(st.lists(_GROUPS, max_size=3)):
        start, end = sorted([one % (len(children) + 1), other % (len(children) + 1)])
        children[start:end] = [{"type": kind, "children": children[start:end]}]
    return {"type": "Card", "children": children}


_GROUPS = st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from(CONTAINERS))


def texts_in(component: dict[str, Any]) -> list[dict[str, Any]]:
    found = [component] if "value" in component else []
    return found + [text for child in component.get("children", []) for text in texts_in(child)]


@st.composite
def growing_roots(draw: st.DrawFn) -> list[BaseModel]:
    """The same widget again and again, each time with more text, or changed in another way."""
    tree = draw(trees())
    roots = [_root.validate_python(tree)]
    for _ in range(draw(st.integers(0, 6))):
        tree = deepcopy(tree)
        for text in texts_in(tree):
            text["value"] += draw(words)
        change = draw(st.sampled_from(["grow", "grow", "finish", "more", "other"]))
        if change == "finish":
            for text in texts_in(tree):
                text["streaming"] = False
        elif change == "more":
            tree["children"].append({"type": "Title", "value": draw(words)})
        elif change == "other":
            tree = draw(trees())
        roots.append(_root.validate_python(tree))
    return roots


def streamed(roots: list[BaseModel]) -> tuple[ThreadState, list[e.Event]]:
    """The roots by way of `stream_widget` and the fold, compared whenever a diff is complete."""
    state, events = ThreadState(), list[e.Event]()

    async def given_to_the_sdk() -> AsyncGenerator[Any, None]:
        for root in roots:
            yield root.model_copy(deep=True)
            # It asks for the next root when all events for this one have been folded.
            assert widget_of(state) == plain(root)

    async def stream() -> None:
        nonlocal state
        thread = sdk.ThreadMetadata(id="thread_1", created_at=datetime.now(UTC))
        async for theirs in stream_widget(thread, given_to_the_sdk(), generate_id=lambda kind: "w"):
            event = from_json(plain(theirs))
            events.append(event)
            state = reduce(state, event)

    asyncio.run(stream())
    return state, events


def widget_of(state: ThreadState) -> Any:
    return state.items["w"].to_json()["widget"]


@given(growing_roots())
def test_streamed_widgets(roots: list[BaseModel]) -> None:
    state, events = streamed(roots)
    done = events[-1]
    assert isinstance(done, e.ThreadItemDone)
    before = fold(events[:-1])
    assert before.pending == ("w",)
    assert before.anomalies == ()
    assert before.items["w"].to_json() == done.item
    assert widget_of(state) == plain(roots[-1])


@pytest.mark.parametrize("streaming", [True, False, None])
def test_the_flag_of_a_streamed_text(streaming: bool | None) -> None:
    """Each root has more text than the last and the same flag: 1.6.5 sends deltas, and no root."""
    text = {"type": "Text", "id": "t1", "value": "", "streaming": streaming}
    values = ["", "a", "ab", "abc"]
    roots = [
        _root.validate_python({"type": "Card", "children": [{**text, "value": value}]})
        for value in values
    ]
    state, events = streamed(roots)
    updates = [event.update for event in events if isinstance(event, e.ThreadItemUpdated)]
    done = not streaming
    assert updates == [e.WidgetStreamingTextValueDelta("t1", letter, done) for letter in "abc"]
    assert widget_of(state) == plain(roots[-1])
