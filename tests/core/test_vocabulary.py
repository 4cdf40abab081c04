"""What this release knows, and what becomes of the rest: docs/semantics.md, "The vocabulary"."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatkit_reducer import AnomalyKind, ThreadState, decode, encode, fold, reduce
from chatkit_reducer.core.codec import from_json, to_json
from chatkit_reducer.core.items import ITEM_TYPES, OpaqueItem
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.events import (
    EVENT_TYPES,
    UPDATE_TYPES,
    Json,
    Notice,
    Redelivered,
    ThreadItemUpdated,
    UnknownEvent,
    UnknownUpdate,
    Unreadable,
    wire_type,
)
from chatkit_reducer.testing.examples import (
    added,
    citation,
    done,
    image,
    item,
    message,
    part,
    removed,
    replaced,
    state_after,
    task,
    text_delta,
    updated,
    widget,
    workflow,
)

TEXT = {"type": "Text", "id": "t", "value": ""}

# One of each, with every field that openai-chatkit 1.6.5 requires.
EVENTS: dict[str, Json] = {
    "thread.created": {"thread": {"id": "thr_1"}},
    "thread.updated": {"thread": {"id": "thr_1"}},
    "thread.item.added": {"item": message("m", "a")},
    "thread.item.updated": {
        "item_id": "w",
        "update": {"type": "widget.root.updated", "widget": {}},
    },
    "thread.item.done": {"item": message("m", "a")},
    "thread.item.removed": {"item_id": "m"},
    "thread.item.replaced": {"item": message("m", "a")},
    "stream_options": {"stream_options": {"allow_cancel": True}},
    "progress_update": {"text": "Searching"},
    "client_effect": {"name": "beep"},
    "error": {},
    "notice": {"level": "info", "message": "Hello"},
}

UPDATES: dict[str, Json] = {
    "assistant_message.content_part.added": {"content_index": 0, "content": part("a")},
    "assistant_message.content_part.text_delta": {"content_index": 0, "delta": "a"},
    "assistant_message.content_part.annotation_added": {
        "content_index": 0,
        "annotation_index": 0,
        "annotation": citation("A"),
    },
    "assistant_message.content_part.done": {"content_index": 0, "content": part("a")},
    "widget.streaming_text.value_delta": {"component_id": "t", "delta": "a", "done": False},
    "widget.component.updated": {"component_id": "t", "component": TEXT},
    "widget.root.updated": {"widget": TEXT},
    "workflow.task.added": {"task_index": 0, "task": task("A")},
    "workflow.task.updated": {"task_index": 0, "task": task("A")},
    "generated_image.updated": {"image": {"id": "img_1", "url": "u"}},
}

ITEMS: dict[str, Json] = {
    "user_message": {"content": [], "attachments": [], "inference_options": {}},
    "assistant_message": {"content": []},
    "client_tool_call": {"status": "pending", "call_id": "c", "name": "n", "arguments": {}},
    "widget": {"widget": TEXT},
    "generated_image": {"image": None},
    "structured_input": {"status": "pending", "inputs": []},
    "task": {"task": task("A")},
    "workflow": {"workflow": {"type": "custom", "tasks": []}},
    "end_of_turn": {},
    "hidden_context_item": {"content": {"any": ["thing"]}},
    "sdk_hidden_context": {"content": "text"},
}


def event_json(event_type: str, **more: Any) -> Json:
    return {"type": event_type, **EVENTS[event_type], **more}


def update_json(update_type: str, **more: Any) -> Json:
    update = {"type": update_type, **UPDATES[update_type], **more}
    return {"type": "thread.item.updated", "item_id": "x", "update": update}


# --- what is known --------------------------------------------------------------------------------


def test_there_are_12_events_10_updates_and_11_items() -> None:
    assert list(EVENTS) == list(EVENT_TYPES)
    assert set(UPDATES) == set(UPDATE_TYPES)
    assert set(ITEMS) > set(ITEM_TYPES)
    assert (len(EVENTS), len(UPDATES), len(ITEMS)) == (12, 10, 11)


@pytest.mark.parametrize("event_type", EVENTS)
def test_each_event_is_read_as_its_class_and_written_as_it_came(event_type: str) -> None:
    plain = event_json(event_type)

    event = decode(json.dumps(plain))

    assert type(event) is EVENT_TYPES[event_type]
    assert wire_type(event) == event_type
    assert json.loads(encode(event)) == to_json(event) == plain
    assert from_json(plain) == event


@pytest.mark.parametrize("update_type", UPDATES)
def test_each_update_is_read_as_its_class_and_written_as_it_came(update_type: str) -> None:
    plain = update_json(update_type)

    event = decode(json.dumps(plain))

    assert isinstance(event, ThreadItemUpdated)
    assert type(event.update) is UPDATE_TYPES[update_type]
    assert wire_type(event.update) == update_type
    assert json.loads(encode(event)) == to_json(event) == plain
    assert from_json(plain) == event


@pytest.mark.parametrize("item_type", ITEMS)
@pytest.mark.parametrize("begin", [added, done, replaced])
def test_each_item_is_held_and_written_as_it_came(item_type: str, begin: Any) -> None:
    plain = item("x", item_type, **ITEMS[item_type])

    state = state_after(begin(plain))

    assert state.items["x"].type == item_type
    assert state.items["x"].to_json() == plain
    assert state.anomalies == ()


def test_optional_fields_come_back_as_they_were_absent_null_or_set() -> None:
    for fields in ({}, {"icon": None}, {"icon": "search"}):
        plain = event_json("progress_update", **fields)
        assert json.loads(encode(decode(json.dumps(plain)))) == plain


# --- unknown events -------------------------------------------------------------------------------

STRANGE = {"type": "thread.item.sung", "item_id": "m", "notes": ["c", None, 4.0, {"d": True}]}


def test_an_unknown_event_is_kept_whole() -> None:
    event = decode(json.dumps(STRANGE))

    assert event == UnknownEvent(STRANGE)
    assert wire_type(event) == "thread.item.sung"
    assert json.loads(encode(event)) == to_json(event) == STRANGE


def test_an_unknown_event_changes_nothing_and_is_no_anomaly() -> None:
    state = fold([added(message("m", "a"))])

    assert reduce(state, UnknownEvent(STRANGE)) is state
    assert reduce(state, UnknownEvent(STRANGE), strict=True) is state


def test_an_unknown_event_between_text_deltas_loses_no_text() -> None:
    state = state_after(
        added(message("m", "")), text_delta("m", "a"), UnknownEvent(STRANGE), text_delta("m", "b")
    )

    assert state.items["m"].to_json() == message("m", "ab")


# --- unknown updates ------------------------------------------------------------------------------

STRANGE_UPDATE = {"type": "assistant_message.reaction_added", "emoji": "+1", "by": [1, None]}


def test_an_unknown_update_is_kept_whole() -> None:
    plain = {"type": "thread.item.updated", "item_id": "m", "update": STRANGE_UPDATE}

    event = decode(json.dumps(plain))

    assert event == updated("m", UnknownUpdate(STRANGE_UPDATE))
    assert json.loads(encode(event)) == to_json(event) == plain


def test_an_unknown_update_to_a_pending_item_changes_nothing() -> None:
    state = fold([added(message("m", "")), text_delta("m", "a")])

    assert reduce(state, updated("m", UnknownUpdate(STRANGE_UPDATE))) is state


def test_an_unknown_update_to_a_stored_item_makes_it_pending_and_keeps_its_content() -> None:
    """Something about the item changes, if not in a way that can be seen here."""
    state = state_after(updated("m", UnknownUpdate(STRANGE_UPDATE)), stored=[message("m", "a")])

    assert state.phase("m") is Phase.PENDING_OVER_BASE
    assert state.items["m"] == state.bases["m"]
    assert state.anomalies == ()


def test_an_unknown_update_to_an_item_that_is_not_there_is_an_anomaly_like_any_other() -> None:
    state = state_after(updated("nobody", UnknownUpdate(STRANGE_UPDATE)))

    assert [anomaly.kind for anomaly in state.anomalies] == [AnomalyKind.ITEM_NOT_FOUND]
    assert state.anomalies[0].event == "assistant_message.reaction_added"


# --- unknown items --------------------------------------------------------------------------------

STRANGE_ITEM = item("x", "hologram", depth=3, layers=[{"type": "light", "on": None}])


def test_an_unknown_item_lives_like_any_other() -> None:
    newer = {**STRANGE_ITEM, "depth": 4}

    assert state_after(added(STRANGE_ITEM)).items["x"].to_json() == STRANGE_ITEM
    assert state_after(added(STRANGE_ITEM)).pending == ("x",)
    assert state_after(added(STRANGE_ITEM), done(newer)).items["x"].to_json() == newer
    assert state_after(added(STRANGE_ITEM), done(newer)).pending == ()
    assert state_after(replaced(newer), stored=[STRANGE_ITEM]).items["x"].to_json() == newer
    assert len(state_after(removed("x"), stored=[STRANGE_ITEM]).items) == 0


def test_an_item_without_a_type_lives_like_any_other() -> None:
    state = state_after(added({"id": "x", "content": [1]}))

    assert state.items["x"].to_json() == {"id": "x", "content": [1]}
    assert state.items["x"].type == ""
    assert state.anomalies == ()


@pytest.mark.parametrize("update_type", UPDATES)
def test_no_known_update_fits_an_unknown_item(update_type: str) -> None:
    state = state_after(added(STRANGE_ITEM), from_json(update_json(update_type)))

    assert [anomaly.kind for anomaly in state.anomalies] == [AnomalyKind.UPDATE_MISFIT]
    assert state.items["x"].to_json() == STRANGE_ITEM


def test_an_unknown_update_to_an_unknown_item_changes_nothing() -> None:
    state = fold([added(STRANGE_ITEM)])

    assert fold([updated("x", UnknownUpdate(STRANGE_UPDATE))], state).items == state.items


# --- unknown fields -------------------------------------------------------------------------------

NEWS = {"new_field": {"deep": [None, 1.5, "x"]}, "extra": 1, "(extra)": 2, "json": 3}


@pytest.mark.parametrize("event_type", EVENTS)
def test_unknown_fields_of_an_event_come_back(event_type: str) -> None:
    plain = event_json(event_type, **NEWS)

    event = decode(json.dumps(plain))

    assert type(event) is EVENT_TYPES[event_type]
    assert json.loads(encode(event)) == to_json(event) == plain
    assert from_json(plain) == event


@pytest.mark.parametrize("update_type", UPDATES)
def test_unknown_fields_of_an_update_come_back(update_type: str) -> None:
    plain = update_json(update_type, **NEWS)

    event = decode(json.dumps(plain))

    assert isinstance(event, ThreadItemUpdated)
    assert type(event.update) is UPDATE_TYPES[update_type]
    assert json.loads(encode(event)) == to_json(event) == plain
    assert from_json(plain) == event


def test_unknown_fields_do_not_change_what_an_event_does() -> None:
    plain = update_json("assistant_message.content_part.text_delta", **NEWS)
    start = [added(message("x", ""))]

    state = state_after(*start, from_json(plain), from_json(plain))

    assert state == state_after(*start, text_delta("x", "aa"))


@pytest.mark.parametrize(
    "given",
    [message("x", "z"), workflow("x", "Z"), widget("x", {**TEXT, "value": "z"}), image("x", "z")],
    ids=["message", "workflow", "widget", "image"],
)
def test_unknown_fields_of_an_item_outlive_every_update(given: Json) -> None:
    events = [from_json(update_json(update_type)) for update_type in UPDATES]

    after = fold(events, ThreadState.from_items([{**given, **NEWS}])).items["x"].to_json()

    assert after != {**given, **NEWS}
    assert {name: after[name] for name in NEWS} == NEWS


def test_unknown_fields_of_a_task_a_part_and_a_component_are_kept() -> None:
    state = state_after(
        added(item("m", "assistant_message", content=[{**part("a"), **NEWS}])),
        added(item("w", "workflow", workflow={"tasks": [{**task("A"), **NEWS}, task("B")]})),
        added(widget("g", {**TEXT, **NEWS})),
        text_delta("m", "b"),
        from_json({**update_json("workflow.task.updated", task_index=1), "item_id": "w"}),
        from_json({**update_json("widget.streaming_text.value_delta"), "item_id": "g"}),
    )

    assert state.items["m"].to_json()["content"] == [{**part("ab"), **NEWS}]
    assert state.items["w"].to_json()["workflow"]["tasks"] == [{**task("A"), **NEWS}, task("A")]
    assert state.items["g"].to_json()["widget"] == {**TEXT, **NEWS, "value": "a"}


# --- known types with content that is none --------------------------------------------------------

MALFORMED: dict[str, Json] = {
    "message without content": item("x", "assistant_message"),
    "message with text for content": item("x", "assistant_message", content="hello"),
    "message with a part that is none": item("x", "assistant_message", content=[part("a"), "b"]),
    "workflow without workflow": item("x", "workflow"),
    "workflow without tasks": item("x", "workflow", workflow={"type": "custom"}),
    "workflow with a task that is none": item("x", "workflow", workflow={"tasks": [None]}),
    "widget without root": item("x", "widget"),
    "widget with a list for root": item("x", "widget", widget=[TEXT]),
}


@pytest.mark.parametrize("given", MALFORMED.values(), ids=MALFORMED)
def test_an_item_with_content_that_is_none_is_kept_with_an_anomaly_and_takes_no_updates(
    given: Json,
) -> None:
    events = [from_json(update_json(update_type)) for update_type in UPDATES]

    state = state_after(added(given), *events)

    assert isinstance(state.items["x"], OpaqueItem)
    assert state.items["x"].to_json() == given
    kinds = [anomaly.kind for anomaly in state.anomalies]
    assert kinds == [AnomalyKind.ITEM_MALFORMED, *[AnomalyKind.UPDATE_MISFIT] * len(events)]


def test_fields_that_no_reducer_reads_may_hold_anything() -> None:
    """Whether an item is valid ChatKit is not this library's question."""
    bare = {"id": "x", "type": "client_tool_call", "arguments": "all of them"}

    state = state_after(done(bare), Notice("shout", ""))

    assert state.items["x"].to_json() == bare
    assert state.anomalies == ()


def test_what_came_again_and_what_cannot_be_read_has_a_name() -> None:
    again = Redelivered(offset=0, line=1, reason="again", excerpt="", event=Notice("info", "x"))

    assert wire_type(again) == "notice"
    assert wire_type(Unreadable(0, 1, "torn", "")) == "unreadable"
