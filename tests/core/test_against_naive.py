"""The engine, compared with the naive model after every event of any stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from chatkit_reducer import ThreadState, fold, reduce
from chatkit_reducer import events as e
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.items.assistant_message import MAX_PADDING
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.conformance import reference_model as naive
from chatkit_reducer.testing.conformance.reference_model import NaiveThread

SOUND = st.one_of(
    chatkit.streams(),
    chatkit.streams(types=["assistant_message"], max_updates=16),
    chatkit.streams(types=["widget"], max_items=2, max_updates=16),
)
HOSTILE = chatkit.adversarial_streams(max_events=20)


def text(value: Any) -> str:
    """JSON text, so that `True` is not 1 and 1 is not 1.0."""
    return json.dumps(value, sort_keys=True)


def assert_same(state: ThreadState, model: NaiveThread) -> None:
    assert list(state.items) == list(model.items)
    for item_id, item in state.items.items():
        assert text(item.to_json()) == text(model.items[item_id])
    assert state.pending == tuple([i for i in model.items if i in model.pending])
    assert set(state.bases) == set(model.bases)
    for item_id, base in state.bases.items():
        assert text(base.to_json()) == text(model.bases[item_id])
    assert [(a.position, a.kind.value, a.item_id) for a in state.anomalies] == model.faults
    assert text(state.thread) == text(model.thread)
    assert text(state.stream_options) == text(model.stream_options)
    assert text(None if state.error is None else to_json(state.error)) == text(model.error)
    assert progress_of(state) == model.progress


def progress_of(state: ThreadState) -> dict[str, Any] | None:
    progress = state.progress
    if progress is None:
        return None
    if progress.item_id is None:
        return {"text": progress.text, "icon": progress.icon}
    return {"item_id": progress.item_id, "fraction": progress.fraction}


def assert_same_at_every_step(events: list[e.Event], looks: list[bool]) -> None:
    """`looks` says after which events somebody reads the state: that may change how it goes on.

    And what a fold makes of the events until there: at the end of a sound stream, all is as the
    last events say, whatever was folded before.
    """
    state, model = ThreadState(), NaiveThread()
    for position, event in enumerate(events):
        state = reduce(state, event, position=position)
        model.apply(to_json(event))
        if looks and looks[position % len(looks)]:
            assert_same(state, model)
            assert_same(fold(events[: position + 1]), model)
    assert_same(state, model)
    assert_same(fold(events), model)


@given(SOUND, st.lists(st.booleans(), max_size=7))
def test_sound_streams(events: list[e.Event], looks: list[bool]) -> None:
    assert_same_at_every_step(events, looks)


@given(HOSTILE, st.lists(st.booleans(), max_size=7))
def test_hostile_streams(events: list[e.Event], looks: list[bool]) -> None:
    assert_same_at_every_step(events, looks)


@given(st.lists(chatkit.events(), max_size=12))
def test_events_that_know_nothing_of_each_other(events: list[e.Event]) -> None:
    assert_same_at_every_step(events, [True])


@given(st.lists(chatkit.items(), max_size=4), st.data())
def test_over_stored_items(stored: list[dict[str, Any]], data: st.DataObject) -> None:
    by_id = {item["id"]: item for item in stored}  # ids are unique in a store
    events = data.draw(
        st.one_of(chatkit.streams(stored=by_id.values(), max_items=1), HOSTILE), label="events"
    )
    model = NaiveThread(by_id.values())
    for event in events:
        model.apply(to_json(event))
    assert_same(fold(events, ThreadState.from_items(by_id.values())), model)


@given(SOUND)
def test_a_sound_stream_leaves_no_anomaly_and_nothing_pending(events: list[e.Event]) -> None:
    model = NaiveThread()
    for event in events:
        model.apply(to_json(event))
    assert model.faults == []
    assert model.pending == set()
    state = fold(events)
    assert state.anomalies == ()
    assert state.pending == ()


@given(SOUND)
def test_a_sound_item_is_done_with_what_its_updates_add_up_to(events: list[e.Event]) -> None:
    state = ThreadState()
    for event in events:
        if isinstance(event, e.ThreadItemDone) and event.item["id"] in state.pending:
            assert text(state.items[event.item["id"]].to_json()) == text(event.item)
        state = reduce(state, event)


def test_both_allow_the_same_padding() -> None:
    assert naive.MAX_PADDING == MAX_PADDING
    message = {"id": "m", "type": "assistant_message", "content": [{"type": "x"}]}
    for index in (MAX_PADDING + 1, MAX_PADDING + 2):
        delta = e.AssistantMessageContentPartTextDelta(index, "x")
        events: list[e.Event] = [e.ThreadItemAdded(message), e.ThreadItemUpdated("m", delta)]
        assert_same_at_every_step(events, [True])


def _padding(jump: int, kind: int, text: str) -> Callable[[int], e.Update]:
    """An update of a part so far past the end, given where the end is."""
    content = {"type": "output_text", "text": text, "annotations": []}
    makers: list[Callable[[int], e.Update]] = [
        lambda end: e.AssistantMessageContentPartTextDelta(end + jump, text),
        lambda end: e.AssistantMessageContentPartAdded(end + jump, content),
        lambda end: e.AssistantMessageContentPartDone(end + jump, content),
        lambda end: e.AssistantMessageContentPartAnnotationAdded(end + jump, 0, {"n": 1}),
    ]
    return makers[kind]


JUMPS = st.sampled_from([-1, 0, 1, 2, 511, 512, 1022, 1023, 1024, 1025])
PADDINGS = st.builds(_padding, JUMPS, st.integers(0, 3), st.sampled_from(["", " ", "a"]))


@settings(max_examples=30)
@given(st.lists(PADDINGS, min_size=1, max_size=6))
def test_both_bound_the_padding_of_a_message(updates: list[Callable[[int], e.Update]]) -> None:
    model = NaiveThread([{"id": "m", "type": "assistant_message", "content": []}])
    before = state = ThreadState.from_items(model.items.values())
    events: list[e.Event] = []
    for number, update in enumerate(updates):
        event = e.ThreadItemUpdated("m", update(len(model.items["m"]["content"])))
        events.append(event)
        model.apply(to_json(event))
        state = reduce(state, event, position=number)
    assert_same(state, model)
    assert fold(events, before) == state
    assert sum(part["text"] == "" for part in model.items["m"]["content"]) <= MAX_PADDING + 6


def widget(root: dict[str, Any]) -> e.ThreadItemAdded:
    return e.ThreadItemAdded({"id": "w", "type": "widget", "widget": root})


def value_delta(component_id: str, delta: str, *, done: bool = False) -> e.ThreadItemUpdated:
    update = e.WidgetStreamingTextValueDelta(component_id, delta, done)
    return e.ThreadItemUpdated("w", update)


def put(component_id: str, **component: Any) -> e.ThreadItemUpdated:
    return e.ThreadItemUpdated("w", e.WidgetComponentUpdated(component_id, component))


TEXT = {"type": "Text", "id": "t", "value": ""}
CARD = {"type": "Card", "id": "r", "value": "", "children": [TEXT]}


BEGUN = [widget(CARD), value_delta("r", "x")]


@pytest.mark.parametrize(
    "events",
    [
        [*BEGUN, value_delta("t", "y")],
        [widget(CARD), value_delta("t", "y"), value_delta("r", "x")],
        [*BEGUN, put("t", type="Text", id="t")],
        [*BEGUN, value_delta("t", "y"), put("r", **CARD)],
        [widget(CARD), value_delta("t", "y"), put("r", **CARD)],
    ],
)
def test_a_component_with_both_a_text_and_children(events: list[e.Event]) -> None:
    assert_same_at_every_step(events, [True])


def page(*stored: Any) -> e.ThreadCreated:
    return e.ThreadCreated({"id": "thread_1", "items": {"data": list(stored)}})


MESSAGE = {"id": "m", "type": "assistant_message", "content": []}


@pytest.mark.parametrize(
    "thread",
    [
        page({**MESSAGE, "content": None}),
        page(None, "x", MESSAGE, {"type": "task"}),
        page(MESSAGE, {**MESSAGE, "content": [{"type": "output_text", "text": "x"}]}),
        e.ThreadCreated({"id": "thread_1", "items": {"data": None}}),
        e.ThreadCreated({"id": "thread_1", "items": None}),
        e.ThreadCreated({}),
    ],
)
def test_pages_of_all_kinds(thread: e.ThreadCreated) -> None:
    delta = e.ThreadItemUpdated("m", e.AssistantMessageContentPartTextDelta(0, "x"))
    assert_same_at_every_step([e.ProgressUpdate("x"), thread, delta, thread], [True])


# --- the strategies themselves --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "arguments"),
    [
        (chatkit.json_values, {"max_leaves": 0}),
        (chatkit.items, {"types": []}),
        (chatkit.items, {"types": "widget"}),
        (chatkit.items, {"types": ["gadget"]}),
        (chatkit.items, {"types": 5}),
        (chatkit.items, {"ids": "item_1"}),
        (chatkit.items, {"unknown": 1}),
        (chatkit.widgets, {"max_depth": -1}),
        (chatkit.widgets, {"unknown": None}),
        (chatkit.updates, {"unknown": "yes"}),
        (chatkit.events, {"ids": ["item_1"]}),
        (chatkit.events, {"unknown": 0}),
        (chatkit.streams, {"types": ["gadget"]}),
        (chatkit.streams, {"stored": 5}),
        (chatkit.streams, {"stored": [5]}),
        (chatkit.streams, {"stored": [{"type": "task"}]}),
        (chatkit.streams, {"max_items": -1}),
        (chatkit.streams, {"max_updates": True}),
        (chatkit.streams, {"unknown": None}),
        (chatkit.streams, {"sdk_differences": None}),
        (chatkit.adversarial_streams, {"max_events": "3"}),
        (chatkit.adversarial_streams, {"unknown": None}),
    ],
)
def test_a_wrong_argument_is_refused_at_once(strategy: Any, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(arguments))):
        strategy(**arguments)


@given(st.data())
def test_arguments_are_obeyed(data: st.DataObject) -> None:
    item = data.draw(chatkit.items(types=["task", "widget"], ids=st.just("my_id")))
    assert item["type"] in ("task", "widget")
    assert item["id"] == "my_id"
    assert data.draw(chatkit.streams(max_items=0, unknown=False, max_updates=0)) is not None
    events = data.draw(chatkit.streams(types=["workflow"], max_items=2, max_updates=3))
    assert {item.type for item in fold(events).items.values()} <= {"workflow"}
    assert len(fold(events).items) <= 2
    started = [event for event in events if isinstance(event, e.ThreadItemUpdated)]
    assert len(started) <= 2 * 2 * 3  # items, rounds, updates


@pytest.mark.slow
def test_a_failing_stream_shrinks_to_what_matters() -> None:
    def has_two_deltas(events: list[e.Event]) -> bool:
        updates = [event.update for event in events if isinstance(event, e.ThreadItemUpdated)]
        return sum(isinstance(u, e.AssistantMessageContentPartTextDelta) for u in updates) > 1

    thorough = settings(database=None, max_examples=100, phases=list(Phase))
    streams = chatkit.streams(types=["assistant_message"], max_items=2, unknown=False)
    events = find(streams, has_two_deltas, settings=thorough, random=Random(0))
    first, *updated, last = events
    assert isinstance(first, e.ThreadItemAdded | e.ThreadCreated | e.ThreadItemDone)
    assert len(updated) == 2
    assert isinstance(last, e.ThreadItemDone)
