"""What an item shows that its stored copy does not, update by update and compared as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_reducer import ThreadState, reduce
from chatkit_reducer.analysis.news import News, news_of
from chatkit_reducer.core.items import ItemState
from chatkit_reducer.events import Event, Json, UnknownUpdate, WorkflowTaskAdded
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    component_updated,
    image,
    image_updated,
    item,
    message,
    part,
    part_added,
    part_done,
    root_updated,
    task_added,
    task_updated,
    text_delta,
    updated,
    user_message,
    value_delta,
    widget,
    workflow,
)

# Few of everything, so that what a stream says again is often what the store has.
TEXTS = st.sampled_from(["", "a", "ab", "b", " "])
CITATIONS = st.sampled_from([{"n": 1}, {"n": 2}])
PARTS = st.builds(part, TEXTS) | st.sampled_from(
    [part("a", {"n": 1}, {"n": 2}), part("", {"n": 2}), {"type": "odd", "text": "a"}, {"type": "?"}]
)
INDEXES = st.integers(-1, 3)
MESSAGES = st.builds(
    lambda content: item("x", "assistant_message", content=content), st.lists(PARTS, max_size=3)
)
OF_MESSAGES = st.one_of(
    st.builds(lambda text, index: text_delta("x", text, index), TEXTS, INDEXES),
    st.builds(lambda given, index: part_added("x", given, index), PARTS, INDEXES),
    st.builds(lambda given, index: part_done("x", given, index), PARTS, INDEXES),
    st.builds(
        lambda given, at, index: annotation_added("x", given, at, index),
        CITATIONS,
        INDEXES,
        INDEXES,
    ),
)
TASKS = st.builds(
    lambda title, status: {"type": "custom", "title": title, "status_indicator": status},
    TEXTS,
    st.sampled_from(["loading", "complete", None]),
)
WORKFLOWS = st.builds(
    lambda tasks, more: item("x", "workflow", workflow={"type": "custom", "tasks": tasks, **more}),
    st.lists(TASKS, max_size=3),
    st.sampled_from([{}, {}, {"summary": {"title": "s"}}, {"type": "reasoning"}]),
)
OF_WORKFLOWS = st.builds(lambda task, at: task_added("x", task, at), TASKS, INDEXES) | st.builds(
    lambda task, at: task_updated("x", task, at), TASKS, INDEXES
)
LEAVES = st.builds(
    lambda kind, name, more: {"type": kind, "id": name, **more},
    st.sampled_from(["Text", "Col"]),
    st.sampled_from("pq"),
    st.sampled_from([{}, {"value": "a"}, {"value": ""}, {"value": "", "streaming": True}]),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda json, children: {**json, "children": children},
        LEAVES,
        inner | st.lists(inner | st.sampled_from([None, "a"]), max_size=3),
    ),
    max_leaves=4,
)
WIDGETS = st.builds(lambda root: widget("x", root), TREES)
NAMES = st.sampled_from("pqr")
OF_WIDGETS = st.one_of(
    st.builds(
        lambda name, text, done: value_delta("x", name, text, done=done),
        NAMES,
        TEXTS,
        st.booleans(),
    ),
    st.builds(lambda name, tree: component_updated("x", name, tree), NAMES, TREES),
    st.builds(lambda tree: root_updated("x", tree), TREES),
)


def compared(base: Json, updates: list[Event]) -> None:
    """After every update, both ways of asking must agree."""
    state = ThreadState.from_items([base])
    stored = state.items["x"]
    news: News | None = None
    for event in updates:
        faults = len(state.anomalies)
        state = reduce(state, event)
        now: ItemState = state.items["x"]
        update: Any = getattr(event, "update", None)
        if news is None or update is None:
            news = news_of(now, stored)
        elif len(state.anomalies) == faults or isinstance(update, WorkflowTaskAdded):
            news.update(now, update)
        assert news.is_none == now.sealed().adds_nothing_to(stored)


@st.composite
def streams(
    draw: st.DrawFn, items: st.SearchStrategy[Json], updates: st.SearchStrategy[Event]
) -> tuple[Json, list[Event]]:
    base = draw(items)
    begun = draw(st.none() | st.just(base) | items)
    events = draw(st.lists(updates, max_size=12))
    return base, events if begun is None else [added(begun), *events]


@given(streams(MESSAGES, OF_MESSAGES))
def test_of_a_message(stream: tuple[Json, list[Event]]) -> None:
    compared(*stream)


@given(streams(WORKFLOWS, OF_WORKFLOWS))
def test_of_a_workflow(stream: tuple[Json, list[Event]]) -> None:
    compared(*stream)


ROWS = {"type": "Col", "id": "p", "children": [{"id": "q", "value": "ab"}, {"id": "r"}]}


@example((widget("x", ROWS), [component_updated("x", "q", {"id": "q", "value": "a"})]))
@given(streams(WIDGETS, OF_WIDGETS))
def test_of_a_widget(stream: tuple[Json, list[Event]]) -> None:
    compared(*stream)


@given(
    streams(
        st.sampled_from(
            [image("x"), image("x", "u"), user_message("x", "a"), message("x", "a"), workflow("x")]
        ),
        st.builds(lambda url: image_updated("x", url), st.sampled_from("uv"))
        | st.just(updated("x", UnknownUpdate({"type": "new"}))),
    )
)
def test_of_other_items(stream: tuple[Json, list[Event]]) -> None:
    compared(*stream)


@pytest.mark.parametrize(
    "base",
    [message("x", "a b c"), widget("x", {"type": "Text", "id": "p", "value": "a b c"})],
    ids=["message", "widget"],
)
def test_text_that_begins_anew_is_no_news_until_it_is_another(base: Json) -> None:
    is_message = base["type"] == "assistant_message"
    begun = message("x", "") if is_message else widget("x", {**base["widget"], "value": ""})
    state = reduce(ThreadState.from_items([base]), added(begun))
    stored = ThreadState.from_items([base]).items["x"]
    news = news_of(state.items["x"], stored)
    said = []
    for piece in ("a", " b", " c", "!", "?"):
        event = text_delta("x", piece) if is_message else value_delta("x", "p", piece)
        state = reduce(state, event)
        news.update(state.items["x"], event.update)
        said.append(news.is_none)
    assert said == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("cited", "at", "expected"),
    [
        ("ABC", 9, [True, True, True]),
        ("AC", 9, [True, True]),
        ("ACB", 9, [True, True, False]),
        ("AAB", 9, [True, False, False]),
        ("BA", 0, [True, True]),  # each in front of the one before
        ("ABC", 0, [True, False, False]),
    ],
)
def test_citations_that_come_again(cited: str, at: int, expected: list[bool]) -> None:
    base = item("x", "assistant_message", content=[part("a", *[{"n": name} for name in "ABC"])])
    state = reduce(ThreadState.from_items([base]), added(message("x", "a")))
    stored = ThreadState.from_items([base]).items["x"]
    news, said = news_of(state.items["x"], stored), []
    for name in cited:
        event = annotation_added("x", {"n": name}, at)
        state = reduce(state, event)
        news.update(state.items["x"], event.update)
        said.append(news.is_none)
        assert news.is_none == state.items["x"].adds_nothing_to(stored)
    assert said == expected
