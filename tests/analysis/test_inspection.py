"""Mistakes of a producer that the fold can live with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import ThreadState, fold
from chatkit_reducer.analysis.comparison import Difference
from chatkit_reducer.analysis.inspection import PLACEHOLDER_IDS, MistakeKind, mistakes
from chatkit_reducer.core.codec import from_json
from chatkit_reducer.events import UPDATE_TYPES, Event
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import (
    added,
    done,
    item,
    message,
    part,
    part_added,
    part_done,
    removed,
    replaced,
    text_delta,
    workflow,
)


def found(*events: Event) -> list[tuple[MistakeKind, str | None]]:
    """The mistakes in the last of these events."""
    *before, last = events
    return [(each.kind, each.item_id) for each in mistakes(fold(before), last)]


# --- an update as an event ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(UPDATE_TYPES))
def test_an_update_that_is_sent_as_an_event(kind: str) -> None:
    (mistake,) = mistakes(ThreadState(), from_json({"type": kind, "item_id": "m", "delta": "a"}))

    assert (mistake.kind, mistake.item_id) == ("update_as_event", "m")
    assert mistake.problem.startswith(f"{kind} is an update, and was sent as an event: ")


def test_an_update_as_an_event_may_be_about_nothing() -> None:
    event = from_json({"type": "workflow.task.added", "item_id": 3})

    assert found(event) == [(MistakeKind.UPDATE_AS_EVENT, None)]


def test_an_unknown_event_is_not_a_mistake() -> None:
    assert found(from_json({"type": "thread.item.shared", "item_id": "m"})) == []


# --- hidden items ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["hidden_context_item", "sdk_hidden_context"])
@pytest.mark.parametrize("send", [added, done, replaced])
def test_a_hidden_item_that_a_client_can_read(send: Any, kind: str) -> None:
    assert found(send(item("h", kind, content="secret"))) == [(MistakeKind.HIDDEN_ITEM, "h")]


@pytest.mark.parametrize("event", ["thread.created", "thread.updated"])
def test_a_hidden_item_of_a_thread(event: str) -> None:
    items = [message("m", "a"), item("h", "hidden_context_item", content="secret"), "odd"]
    bare = {"type": "sdk_hidden_context", "content": "no id"}
    thread = {"id": "thr_1", "items": {"data": [*items, bare]}}

    assert found(from_json({"type": event, "thread": thread})) == [
        (MistakeKind.HIDDEN_ITEM, "h"),
        (MistakeKind.HIDDEN_ITEM, None),
    ]


@pytest.mark.parametrize("items", [None, [], {}, {"data": None}, {"data": [[]]}])
def test_a_thread_without_items(items: Any) -> None:
    thread = {"id": "thr_1", "items": items}

    assert found(from_json({"type": "thread.updated", "thread": thread})) == []


def test_an_item_of_no_type_is_not_hidden() -> None:
    assert found(done({"id": "x", "type": ["hidden_context_item"]})) == []


# --- ids ------------------------------------------------------------------------------------------


def test_the_placeholder_is_that_of_the_sdk() -> None:
    fake_id = pytest.importorskip("agents.models.fake_id")

    assert fake_id.FAKE_RESPONSES_ID in PLACEHOLDER_IDS


@pytest.mark.parametrize("item_id", list(PLACEHOLDER_IDS))
@pytest.mark.parametrize("send", [added, done, replaced])
def test_a_placeholder_for_an_id(send: Any, item_id: str) -> None:
    (mistake,) = mistakes(ThreadState(), send(message(item_id, "a")))

    assert (mistake.kind, mistake.item_id) == ("placeholder_id", item_id)


def test_a_placeholder_is_told_once() -> None:
    begun: list[Event] = [added(message("__fake_id__", "")), text_delta("__fake_id__", "a")]

    assert found(*begun, done(message("__fake_id__", "a"))) == []
    assert found(*begun, removed("__fake_id__"), added(message("__fake_id__", ""))) != []


def test_an_item_without_an_id_is_an_anomaly_and_no_mistake() -> None:
    assert found(done({"type": "hidden_context_item"})) == []


# --- the end of a part ----------------------------------------------------------------------------


def test_a_part_that_is_done_with_another_text() -> None:
    state = fold([added(message("m", "")), text_delta("m", "Once "), text_delta("m", "upon")])

    (mistake,) = mistakes(state, part_done("m", part("Once up")))

    assert mistake.kind == "difference"
    assert mistake.difference == Difference(("content", 0, "text"), "Once upon", "Once up")
    assert mistake.problem == "content[0].text is not what the deltas built"


@pytest.mark.parametrize(
    "events",
    [
        [part_done("m", part("all of it"))],
        [text_delta("m", " "), part_done("m", part("all of it"))],
        [text_delta("m", "a"), part_done("m", part("a"))],
        [text_delta("m", "a"), part_done("m", part("b"), 1)],
        [text_delta("m", "a"), part_done("m", part("b"), -1)],
        [text_delta("m", "a"), part_done("x", part("b"))],
        [part_added("m", {"type": "odd"}, 1), part_done("m", part("b"), 1)],
        [added(workflow("w")), part_done("w", part("b"))],
    ],
)
def test_a_part_that_is_not_another(events: list[Event]) -> None:
    assert found(added(message("m", "")), *events) == []


@given(chatkit.streams(max_items=4, max_updates=12))
def test_sound_streams_have_no_mistakes_but_hidden_items(events: list[Event]) -> None:
    for place in range(len(events)):
        assert {kind for kind, _ in found(*events[: place + 1])} <= {MistakeKind.HIDDEN_ITEM}


@given(chatkit.adversarial_streams(max_events=12), st.data())
def test_it_looks_at_any_event(events: list[Event], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(events)))
    for event in events[place:]:
        list(mistakes(fold(events[:place]), event))
