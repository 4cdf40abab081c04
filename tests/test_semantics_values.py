"""States are values: docs/semantics.md, "States are values"."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chatkit_reducer import ThreadState, encode, fold, reduce
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
    task,
    task_added,
    task_updated,
    text_delta,
    updated,
    value_delta,
    widget,
    workflow,
)

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
