"""`ItemState.extends`: whether one item shows all that another shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from chatkit_reducer import Anomaly, fold
from chatkit_reducer import events as e
from chatkit_reducer.core.items import ItemState, parse_item
from chatkit_reducer.events import Json
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import (
    annotation_added,
    citation,
    image,
    item,
    message,
    part,
    task,
    user_message,
    widget,
    workflow,
)


def letter(*parts: Json) -> Json:
    """A message with these parts."""
    return item("m", "assistant_message", content=list(parts))


def state_of(json: Json) -> ItemState:
    found = parse_item(json).item
    assert isinstance(found, ItemState)
    return found


# Few letters and few shapes, so that one often extends another.
TEXTS = st.text("ab", max_size=2)
STATUSES = st.sampled_from([None, "none", "loading", "complete", "odd", 1])
TASKS = st.fixed_dictionaries(
    {"type": st.sampled_from(["custom", "web_search"])},
    optional={
        "title": TEXTS,
        "status_indicator": STATUSES,
        "sources": st.lists(TEXTS, max_size=2),
        "icon": TEXTS,
    },
)
PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["output_text", "odd"])},
    optional={"text": TEXTS, "annotations": st.lists(st.sampled_from("xy"), max_size=2)},
)
COMPONENTS = st.recursive(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["Text", "Card"])},
        optional={"value": TEXTS, "streaming": st.booleans() | st.none(), "id": TEXTS},
    ),
    lambda inner: st.builds(
        lambda children: {"type": "Card", "children": children},
        st.lists(inner, max_size=2) | inner | st.none(),
    ),
    max_leaves=4,
)
SMALL = st.one_of(
    st.builds(lambda parts: {**letter(*parts), "id": "x"}, st.lists(PARTS, max_size=2)),
    st.builds(
        lambda tasks, more: item("x", "workflow", workflow={"type": "t", "tasks": tasks, **more}),
        st.lists(TASKS, max_size=2),
        st.sampled_from([{}, {"summary": None}, {"summary": {"title": "a"}}]),
    ),
    st.builds(lambda root: widget("x", root), COMPONENTS),
    st.builds(lambda task: item("x", "task", task=task), TASKS),
    st.sampled_from([image("x"), image("x", "u"), user_message("x", "a")]),
)
LOADING_TASK: Json = {
    "type": "task",
    "id": "x",
    "thread_id": "t",
    "created_at": "2025-01-01T00:00:00",
    "task": {"type": "custom", "status_indicator": "loading"},
}
ITEMS = st.builds(state_of, SMALL | chatkit.items())


@given(ITEMS)
def test_an_item_extends_itself(one: ItemState) -> None:
    assert one.extends(one)
    assert one.adds_nothing_to(one)
    assert one.extends(state_of({**one.to_json(), "created_at": "another day"}))


@given(ITEMS, ITEMS, ITEMS)
def test_what_extends_an_extension_extends_the_first(
    one: ItemState, other: ItemState, third: ItemState
) -> None:
    three = [one, other, third]
    for newest in three:
        for newer in three:
            for older in three:
                if newest.extends(newer) and newer.extends(older):
                    assert newest.extends(older)


@given(ITEMS, ITEMS)
def test_items_of_two_types_do_not_extend_each_other(one: ItemState, other: ItemState) -> None:
    assume(one.type != other.type)
    assert not one.extends(other)


@given(ITEMS)
@example(state_of(LOADING_TASK))
def test_a_sealed_item_extends_what_claims_to_run(one: ItemState) -> None:
    assert one.sealed().extends(one)


GROWING = (e.AssistantMessageContentPartTextDelta, e.WidgetStreamingTextValueDelta)


@given(chatkit.streams(max_items=3) | chatkit.adversarial_streams(max_events=16))
def test_more_deltas_extend_an_item(events: list[Any]) -> None:
    state = fold([])
    for event in events:
        before, state = state, fold([event], state)
        update = getattr(event, "update", None)
        if type(update) is e.AssistantMessageContentPartAnnotationAdded or type(update) in GROWING:
            for item_id in before.items.keys() & state.items.keys():
                assert state.items[item_id].extends(before.items[item_id])


def texts(json: Any) -> list[str]:
    """All texts of a message or a widget, in order."""
    if isinstance(json, list):
        return [text for one in json for text in texts(one)]
    if not isinstance(json, dict):
        return []
    own = [json[key] for key in ("text", "value") if isinstance(json.get(key), str)]
    return (
        own + texts(json.get("content")) + texts(json.get("widget")) + texts(json.get("children"))
    )


@given(SMALL, SMALL)
def test_every_text_of_the_older_begins_one_of_the_newer(newer: Json, older: Json) -> None:
    if state_of(newer).extends(state_of(older)):
        mine = iter(texts(newer))
        assert all(any(one.startswith(text) for one in mine) for text in texts(older) if text)


def text(value: str, **more: Any) -> Json:
    return {"type": "Text", "id": "t", "value": value, **more}


def card(*children: Any, **more: Any) -> Json:
    return {"type": "Card", "children": list(children), **more}


def alone(**fields: Any) -> Json:
    """An item that is a task with these fields."""
    return item("t", "task", task={"type": "custom", **fields})


CASES: dict[str, tuple[Json, Json, bool]] = {
    "a longer text": (message("m", "Hello"), message("m", "He"), True),
    "another text": (message("m", "Hello"), message("m", "Hx"), False),
    "a shorter text": (message("m", "He"), message("m", "Hello"), False),
    "one more part": (message("m", "a", "b"), message("m", "a"), True),
    "one part less": (message("m", "a"), message("m", "a", "b"), False),
    "padding less": (message("m", "a"), message("m", "a", "", ""), True),
    "one more citation": (
        letter(part("a", citation("1"), citation("2"))),
        letter(part("a", citation("2"))),
        True,
    ),
    "a citation less": (message("m", "a"), letter(part("a", citation("2"))), False),
    "a part of another type": (
        letter({"type": "new", "text": "ab"}),
        letter(part("a")),
        False,
    ),
    "a part without a text": (
        letter({"type": "new", "x": 1, "y": None}),
        letter({"type": "new", "x": 1}),
        True,
    ),
    "a part that lost its text": (letter({"type": "output_text"}), letter(part("a")), False),
    "one more task": (workflow("w", "a", "b"), workflow("w", "a"), True),
    "a task less": (workflow("w", "a"), workflow("w", "a", "b"), False),
    "a task with another title": (workflow("w", "b"), workflow("w", "a"), False),
    "a task with a longer title": (workflow("w", "ab"), workflow("w", "a"), True),
    "one task of two": (
        item("w", "workflow", workflow={"type": "custom", "tasks": [{"title": "b"}, {}]}),
        item("w", "workflow", workflow={"type": "custom", "tasks": [{"title": "a"}]}),
        False,
    ),
    "a title where there was a null": (alone(title="a"), alone(title=None), True),
    "a title that is no text any more": (alone(title=1), alone(title="a"), False),
    "a title where there was a number": (alone(title="a"), alone(title=1), False),
    "a longer content": (alone(content="ab"), alone(content="a"), True),
    "a longer text in a field of another kind": (alone(icon="ab"), alone(icon="a"), False),
    "one more source": (alone(sources=["a", "b"]), alone(sources=["a"]), True),
    "another source": (alone(sources=["b", "a"]), alone(sources=["a"]), False),
    "one source less": (alone(sources=["a"]), alone(sources=["a", "b"]), False),
    "sources that are no list any more": (alone(sources=1), alone(sources=["a"]), False),
    "sources that were no list": (alone(sources=["a"]), alone(sources=1), False),
    "a task item with more beside the task": (
        {**alone(title="a"), "x": 1},
        alone(title="a"),
        False,
    ),
    "a task item that is of another thread": (
        {**alone(title="ab"), "thread_id": "other"},
        alone(title="a"),
        False,
    ),
    "a task that is no object any more": (
        item("t", "task", task="custom"),
        alone(title="a"),
        False,
    ),
    "a task that was no object": (alone(title="a"), item("t", "task", task="custom"), False),
    "another workflow type": (
        item("w", "workflow", workflow={"type": "custom", "tasks": []}),
        item("w", "workflow", workflow={"type": "reasoning", "tasks": []}),
        False,
    ),
    "a summary": (
        item("w", "workflow", workflow={"type": "custom", "tasks": [], "summary": {"title": "a"}}),
        item("w", "workflow", workflow={"type": "custom", "tasks": []}),
        True,
    ),
    "a summary less": (
        item("w", "workflow", workflow={"type": "custom", "tasks": []}),
        item("w", "workflow", workflow={"type": "custom", "tasks": [], "summary": {"title": "a"}}),
        False,
    ),
    "a longer value": (widget("w", card(text("ab"))), widget("w", card(text("a"))), True),
    "one more component": (
        widget("w", card(text("a"), text("b"))),
        widget("w", card(text("a"))),
        True,
    ),
    "a component less": (widget("w", card()), widget("w", card(text("a"))), False),
    "one child, in a list or not": (
        widget("w", card(text("a"))),
        widget("w", {"type": "Card", "children": text("a")}),
        True,
    ),
    "a child that is no object": (
        widget("w", {"type": "Card", "children": ["x", 1]}),
        widget("w", {"type": "Card", "children": ["x", 2]}),
        False,
    ),
    "a child that is no object any more": (
        widget("w", card("x")),
        widget("w", card(text("a"))),
        False,
    ),
    "a child that was no object": (widget("w", card(text("a"))), widget("w", card("x")), False),
    "children where there were none": (
        widget("w", card(text("a"))),
        widget("w", {"type": "Card"}),
        True,
    ),
    "a value where there was a null": (
        widget("w", {"type": "Card", "size": "s"}),
        widget("w", {"type": "Card", "size": None}),
        True,
    ),
    "a text where there was a number": (
        widget("w", text("a")),
        widget("w", {**text(""), "value": 1}),
        False,
    ),
    "a number where there was a text": (
        widget("w", {**text(""), "value": 1}),
        widget("w", text("a")),
        False,
    ),
    "what streamed has ended": (
        widget("w", text("ab", streaming=False)),
        widget("w", text("a", streaming=True)),
        True,
    ),
    "what had ended streams": (
        widget("w", text("ab", streaming=True)),
        widget("w", text("a", streaming=False)),
        False,
    ),
    "another label": (
        widget("w", {"type": "Button", "label": "ab"}),
        widget("w", {"type": "Button", "label": "a"}),
        False,
    ),
    "the first image": (image("i", "a"), image("i"), True),
    "no image any more": (image("i"), image("i", "a"), False),
    "another image": (
        image("i", "b"),
        image("i", "a"),
        False,
    ),
    "an item that changes as a whole": (user_message("u", "ab"), user_message("u", "a"), False),
    "the same, with a null": ({**user_message("u", "a"), "x": None}, user_message("u", "a"), True),
}


@pytest.mark.parametrize("name", CASES)
def test_cases(name: str) -> None:
    newer, older, expected = CASES[name]
    assert state_of(newer).extends(state_of(older)) is expected


@pytest.mark.parametrize(
    ("older", "newer", "expected"),
    [
        ("loading", "loading", True),
        ("loading", "none", True),
        ("loading", None, True),
        ("loading", "complete", True),
        ("none", None, True),
        (None, "none", True),
        ("none", "loading", False),
        ("complete", "none", False),
        ("complete", "complete", True),
        ("odd", "odd", True),
        ("odd", "complete", False),
        ("loading", "odd", False),
        (1, 1, True),
        (1, "complete", False),
        (["none"], ["none"], True),
        (["none"], "complete", False),
    ],
)
def test_the_status_of_a_task(older: Any, newer: Any, expected: bool) -> None:
    def flow(status: Any) -> ItemState:
        tasks = [{**task("a"), "status_indicator": status}]
        return state_of(item("w", "workflow", workflow={"type": "custom", "tasks": tasks}))

    assert flow(newer).extends(flow(older)) is expected


def test_a_widget_that_has_lost_a_component_is_news_for_its_base() -> None:
    base, fewer = state_of(widget("w", card(text("a"), text("b")))), widget("w", card(text("a")))
    assert base.extends(state_of(fewer))
    assert not state_of(fewer).adds_nothing_to(base)
    assert state_of(widget("w", card(text("a"), text("")))).adds_nothing_to(base)
    assert not state_of(widget("w", card(text("a"), text("")))).adds_nothing_to(
        state_of(message("w"))
    )


def test_annotations_extend_an_item() -> None:
    before = fold([e.ThreadItemAdded(letter(part("a", citation("2"))))])
    after = fold([annotation_added("m", citation("1"), 0, 0)], before)
    anomalies: tuple[Anomaly, ...] = after.anomalies
    assert not anomalies
    assert after.items["m"].extends(before.items["m"])


def test_a_task_that_is_no_object_extends_its_equal_alone() -> None:
    odd = item("t", "task", task="search")

    assert state_of(odd).extends(state_of(odd))
    assert not state_of(odd).extends(state_of({**odd, "task": "other"}))
    assert not state_of(odd).extends(state_of({**odd, "task": {"type": "custom"}}))
