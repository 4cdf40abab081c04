"""States are values: docs/semantics.md, "States are values"."""

from __future__ import annotations

import json
from collections.abc import Callable
from unittest.mock import ANY

import pytest
from msgspec.structs import force_setattr

from chatkit_reducer import ThreadState, encode, fold, reduce
from chatkit_reducer.core.items import AssistantMessage
from chatkit_reducer.core.items.assistant_message import Part
from chatkit_reducer.core.persistent import EMPTY_LIST
from chatkit_reducer.events import (
    ClientEffect,
    ErrorEvent,
    Event,
    Json,
    Notice,
    ProgressUpdate,
    StreamOptions,
    ThreadCreated,
    ThreadUpdated,
    UnknownEvent,
    UnknownUpdate,
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
    state_after,
    task,
    task_added,
    task_updated,
    text_delta,
    updated,
    value_delta,
    widget,
    workflow,
)
from tests.support.raced import Raced
from tests.support.widgets import TEXT as STILL_TEXT
from tests.support.widgets import card

TEXT = {"type": "Text", "id": "t", "value": "a", "streaming": True}
STORED: list[Json] = [
    item("m", "assistant_message", content=[part("a", citation("A")), part("b")]),
    workflow("w", "A", "B"),
    widget("g", {"type": "Card", "id": "c", "children": [TEXT]}),
    image("i", "u"),
]

CHANGES: dict[str, Event] = {
    "thread.created": ThreadCreated({"id": "thr_1", "items": {"data": [message("n", "x")]}}),
    "thread.updated": ThreadUpdated({"id": "thr_1", "title": "x"}),
    "item added": added(message("n", "x")),
    "item added again": added(message("m", "x")),
    "item done": done(message("m", "x")),
    "item replaced": replaced(message("m", "x")),
    "item removed": removed("m"),
    "part added": part_added("m", part("x"), 0),
    "part added behind": part_added("m", part("x"), 4),
    "text delta": text_delta("m", "x", 0),
    "text delta to the other part": text_delta("m", "x", 1),
    "annotation added": annotation_added("m", citation("x"), 0),
    "part done": part_done("m", part("x")),
    "task added": task_added("w", task("x"), 1),
    "task added behind": task_added("w", task("x"), 2),
    "task updated": task_updated("w", task("x"), 0),
    "value delta": value_delta("g", "t", "x", done=True),
    "component updated": component_updated("g", "t", {"type": "Badge", "id": "t"}),
    "root updated": root_updated("g", {"type": "Card"}),
    "image updated": image_updated("i", "x", 0.5),
    "unknown update": updated("m", UnknownUpdate({"type": "new"})),
    "stream options": StreamOptions({"allow_cancel": True}),
    "progress": ProgressUpdate("x", "search"),
    "error": ErrorEvent("custom", "x"),
    "anomaly": removed("nobody"),
}

NO_CHANGES: dict[str, Event] = {
    "client effect": ClientEffect("beep", {"times": 3}),
    "notice": Notice("info", "x"),
    "unknown event": UnknownEvent({"type": "new"}),
    "done as it is": done(STORED[1]),
    "replaced as it is": replaced(STORED[1]),
    "empty text delta": text_delta("m", "", 1),
    "part as it is": part_added("m", part("b!"), 1),
    "part done as it is": part_done("m", part("b!"), 1),
    "unknown update": updated("m", UnknownUpdate({"type": "new"})),
    "the same thread": ThreadUpdated({"id": "thr_1"}),
    "the same options": StreamOptions({"allow_cancel": False}),
}


def states() -> dict[str, ThreadState]:
    """The stored thread, and the same with each of its items streaming."""
    stored = ThreadState.from_items(STORED, thread={"id": "thr_1"})
    stored = reduce(stored, StreamOptions({"allow_cancel": False}))
    return {
        "stored": stored,
        "text streams": reduce(stored, text_delta("m", "!", 1)),
        "tasks stream": reduce(stored, task_updated("w", task("!"), 1)),
        "widget streams": reduce(stored, value_delta("g", "t", "!")),
        "image streams": reduce(stored, image_updated("i", "!", 0.1)),
    }


def shown(state: ThreadState) -> list[object]:
    """All that can be seen of a state, as text, which tells `true` from `1`."""
    return [
        json.dumps([item.to_json() for item in state.items.values()]),
        json.dumps([item.to_json() for item in state.bases.values()]),
        [(item_id, state.phase(item_id)) for item_id in state.items],
        state.pending,
        json.dumps(state.thread),
        json.dumps(state.stream_options),
        state.progress,
        state.error,
        [str(anomaly) for anomaly in state.anomalies],
        state.position,
    ]


@pytest.mark.parametrize("start", states())
@pytest.mark.parametrize("event", CHANGES.values(), ids=CHANGES)
def test_folding_changes_neither_the_state_nor_the_event(event: Event, start: str) -> None:
    state = states()[start]
    before, text = shown(state), encode(event)

    after = reduce(state, event)
    later = fold([text_delta("m", "y", 1), value_delta("g", "t", "y"), event], after)

    assert shown(state) == before
    assert encode(event) == text
    assert shown(later) != before


@pytest.mark.parametrize("start", states())
@pytest.mark.parametrize("event", CHANGES.values(), ids=CHANGES)
def test_a_state_that_nobody_looked_at_is_the_same_state(event: Event, start: str) -> None:
    """Reading puts a state together lazily; it must not matter when."""
    looked_at, not_looked_at = states()[start], states()[start]
    shown(looked_at)

    assert shown(reduce(looked_at, event)) == shown(reduce(not_looked_at, event))


@pytest.mark.parametrize("start", states())
@pytest.mark.parametrize("event", CHANGES.values(), ids=CHANGES)
def test_equal_inputs_give_equal_outputs(event: Event, start: str) -> None:
    one, two = reduce(states()[start], event), reduce(states()[start], event)

    assert one == two
    assert shown(one) == shown(two)


def test_it_does_not_matter_where_a_stream_is_cut() -> None:
    stored = states()["stored"]
    events = [*CHANGES.values(), *NO_CHANGES.values(), *reversed(CHANGES.values())]
    whole = fold(events, stored)

    for cut in range(len(events) + 1):
        in_two = fold(events[cut:], fold(events[:cut], stored))
        assert in_two == whole
        assert shown(in_two)[:-2] == shown(whole)[:-2]  # all but positions, which may differ


@pytest.mark.parametrize("event", NO_CHANGES.values(), ids=NO_CHANGES)
def test_an_event_that_changes_nothing_gives_the_same_object(event: Event) -> None:
    state = states()["text streams"]

    assert reduce(state, event) is state
    assert fold([event, event], state) is state


def test_folding_nothing_gives_the_same_object() -> None:
    state = states()["text streams"]

    assert fold([], state) is state


def test_unchanged_items_keep_their_identity() -> None:
    state = states()["stored"]

    after = fold([text_delta("m", "x", 1), value_delta("g", "t", "x")], state)

    assert after.items["w"] is state.items["w"]
    assert after.items["i"] is state.items["i"]
    assert after.items["m"] is not state.items["m"]


@pytest.mark.parametrize("event", CHANGES.values(), ids=CHANGES)
def test_states_that_differ_are_not_equal(event: Event) -> None:
    state = states()["stored"]

    equal = state == reduce(state, event)

    assert not equal


# --- equality -------------------------------------------------------------------------------------

MAKERS: dict[str, Callable[[], object]] = {
    "states": lambda: ThreadState.from_items(STORED),
    "items": lambda: ThreadState.from_items(STORED).items["m"],
    "mappings of items": lambda: ThreadState.from_items(STORED).items,
    "events": lambda: text_delta("m", "x"),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_what_is_equal_is_not_unequal(make: Callable[[], object]) -> None:
    one, two = make(), make()

    assert (one == two, one != two) == (True, False)


def test_what_differs_is_unequal() -> None:
    one, two = ThreadState(), ThreadState.from_items(STORED)

    assert (one == two, one != two) == (False, True)


# --- values that Python finds equal and JSON does not ---------------------------------------------

TRUE, ONE = {"flag": True}, {"flag": 1}

LOOKALIKES: dict[str, tuple[Json, Event, Json]] = {
    "component": (
        widget("x", {"id": "t", **ONE}),
        component_updated("x", "t", {"id": "t", **TRUE}),
        widget("x", {"id": "t", **TRUE}),
    ),
    "root": (widget("x", ONE), root_updated("x", TRUE), widget("x", TRUE)),
    "task": (
        item("x", "workflow", workflow={"tasks": [ONE]}),
        task_updated("x", TRUE, 0),
        item("x", "workflow", workflow={"tasks": [TRUE]}),
    ),
    "another task": (
        item("x", "workflow", workflow={"tasks": [ONE]}),
        task_added("x", TRUE, 0),
        item("x", "workflow", workflow={"tasks": [TRUE, ONE]}),
    ),
    "part": (
        item("x", "assistant_message", content=[{**part("a"), **ONE}]),
        part_added("x", {**part("a"), **TRUE}),
        item("x", "assistant_message", content=[{**part("a"), **TRUE}]),
    ),
    "item": (item("x", "new", **ONE), done(item("x", "new", **TRUE)), item("x", "new", **TRUE)),
}


@pytest.mark.parametrize(("given", "event", "expected"), LOOKALIKES.values(), ids=LOOKALIKES)
def test_true_is_not_the_same_as_1(given: Json, event: Event, expected: Json) -> None:
    state = reduce(ThreadState.from_items([given]), event)

    assert json.dumps(state.items["x"].to_json()) == json.dumps(expected)


# --- an update that changes nothing makes no new object -------------------------------------------


SAME: list[tuple[Json, Event]] = [
    (message("x", "a", "b"), text_delta("x", "", 1)),
    (message("x", "a", "b"), part_added("x", part("b"), 1)),
    (message("x", "a", "b"), part_done("x", part("b"), 1)),
    (workflow("x", "one"), task_updated("x", task("one"), 0)),
    (workflow("x", "one"), task_added("x", task("one"), 0)),
    (widget("x", card(STILL_TEXT)), value_delta("x", "t", "")),
    (widget("x", card(STILL_TEXT)), value_delta("x", "t", "", done=True)),
    (widget("x", card(STILL_TEXT)), component_updated("x", "t", {**STILL_TEXT})),
    (
        widget("x", card(card(STILL_TEXT, id="c"))),
        component_updated("x", "c", card(STILL_TEXT, id="c")),
    ),
    (widget("x", card(STILL_TEXT)), root_updated("x", card(STILL_TEXT))),
    (image("x", "u"), image_updated("x", "u")),
]


@pytest.mark.parametrize(("json", "event"), SAME)
def test_an_update_that_changes_nothing_makes_no_new_item(json: Json, event: Event) -> None:
    before = state_after(added(json))

    assert reduce(before, event) is before
    assert fold([event, event], before).items["x"] is before.items["x"]


@pytest.mark.parametrize(
    "event", [value_delta("w", "t", ""), component_updated("w", "t", {**STILL_TEXT, "value": "ab"})]
)
def test_an_update_that_changes_nothing_of_a_text_that_streamed_makes_no_new_item(
    event: Event,
) -> None:
    before = state_after(added(widget("w", card(STILL_TEXT))), value_delta("w", "t", "b"))

    assert reduce(before, event) is before
    assert fold([event, event], before).items["w"] is before.items["w"]


def test_the_parts_that_did_not_change_are_the_same_objects() -> None:
    before = state_after(added(message("m", "", "b")), text_delta("m", "a"))
    after = fold([text_delta("m", "a"), text_delta("m", "b")], before)
    first, second = before.items["m"], after.items["m"]

    assert isinstance(first, AssistantMessage)
    assert isinstance(second, AssistantMessage)
    assert second.parts[1] is first.parts[1]


def test_a_delta_is_appended_to_the_text_of_the_state_before() -> None:
    one = reduce(state_after(added(message("m", ""))), text_delta("m", "a"))
    two = reduce(one, text_delta("m", "b"))
    three = reduce(two, text_delta("m", "c"))

    assert one._pieces is two._pieces is three._pieces
    assert one._pieces[-3:] == ["a", "b", "c"]


# --- older states, and what all states share ------------------------------------------------------


def test_two_streams_go_on_from_the_same_state() -> None:
    begun = reduce(state_after(added(message("m", "a"))), text_delta("m", "b"))
    older = reduce(begun, text_delta("m", "c"))

    texts = [reduce(reduce(begun, text_delta("m", delta)), text_delta("m", "!")) for delta in "xyz"]

    assert [state.items["m"].to_json()["content"] for state in texts] == [
        [part("abx!")],
        [part("aby!")],
        [part("abz!")],
    ]
    assert older.items["m"].to_json()["content"] == [part("abc")]


def test_the_empty_text_stays_empty_for_all_who_share_it() -> None:
    for _ in range(2):
        state = state_after(added(message("m")))
        for delta in ("", "a", "b"):
            state = reduce(state, text_delta("m", delta))
        assert state.items["m"].to_json()["content"] == [part("ab")]
    assert EMPTY_LIST.cells == []


def test_a_delta_that_loses_the_race_for_a_cell_is_not_lost() -> None:
    state = reduce(state_after(added(message("m", ""))), text_delta("m", "a"))
    force_setattr(state, "_pieces", Raced(state._pieces))

    after = reduce(state, text_delta("m", "b"))

    assert after.items["m"].to_json()["content"] == [part("ab")]
    assert state.items["m"].to_json()["content"] == [part("a")]


# --- equality -------------------------------------------------------------------------------------


def test_what_is_asked_whether_it_is_equal_to_a_stranger_lets_the_stranger_say() -> None:
    state = state_after(added(message("m", "a")))

    assert state == ANY
    assert state.items["m"] == ANY
    assert Part.parse(part("a")) == ANY


def test_a_state_is_equal_to_states_alone() -> None:
    assert ThreadState() != "ThreadState()"
    assert not ThreadState() == None  # noqa: E711, SIM201  # asked of `==` and not of `is`


def test_a_state_says_in_short_what_is_in_it() -> None:
    state = state_after(added(message("m", "")), done(message("n", "")), removed("o"))

    assert repr(state) == "ThreadState(thread='thr_1', items=2, pending=('m',), anomalies=1)"
    assert repr(state.items) == "Items(['m', 'n'])"


def test_an_update_without_effect_gives_the_same_object_for_any_item_in_flight() -> None:
    state = state_after(added(message("m", "a")), added(message("n", "b")))

    for item_id in ("m", "n"):
        assert reduce(state, updated(item_id, UnknownUpdate({"type": "new"}))) is state
