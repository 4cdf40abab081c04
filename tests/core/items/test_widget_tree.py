"""The components of a widget, compared with a tree that is changed in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_reducer import ThreadState, fold, reduce, restore, snapshot
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.items import Widget, widget_tree
from chatkit_reducer.core.items.widget_tree import ROOT, Components
from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing.conformance.reference_model import NaiveThread, components
from chatkit_reducer.testing.examples import (
    added,
    component_updated,
    root_updated,
    value_delta,
    widget,
)

IDS = st.sampled_from("abc")  # few: most stand for several components
TYPES = st.sampled_from(["Text", "Col", "Card", "Badge", 5])


@st.composite
def leaves(draw: st.DrawFn) -> Json:
    leaf = {"type": draw(TYPES), "value": draw(st.sampled_from(["", " ", "a", 1]))}
    leaf |= draw(st.sampled_from([{}, {"streaming": True}, {"status": "s"}, {"children": None}]))
    return {**leaf, "id": draw(IDS)} if draw(st.booleans()) else leaf


def with_children(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    lists = st.lists(inner | st.sampled_from([None, "text"]), max_size=4)
    return st.builds(lambda json, children: {**json, "children": children}, leaves(), inner | lists)


TREES = st.recursive(leaves(), with_children, max_leaves=8)
UPDATES = st.one_of(
    st.builds(lambda key, tree: component_updated("w", key, tree), IDS, TREES),
    st.builds(
        lambda key, d, done: value_delta("w", key, d, done=done),
        IDS,
        st.text("x ", max_size=2),
        st.booleans(),
    ),
    st.builds(lambda tree: root_updated("w", tree), TREES),
)


def amount(root: Json) -> tuple[int, int]:
    return Components.of(root).amount


def item_of(state: ThreadState) -> Widget:
    item = state.items["w"]
    assert isinstance(item, Widget)
    return item


CARD = {"type": "Card", "children": [{"id": "a"}, {"id": "b"}, {"id": "a", "value": "x"}]}


@example(CARD, [component_updated("w", "a", {"id": "b"}), value_delta("w", "a", "y")])
@example(
    CARD,
    [
        component_updated("w", "b", {"children": [{"id": "a", "value": "1"}]}),
        component_updated("w", "a", {"id": "c"}),
        value_delta("w", "a", "2"),
    ],
)
@given(TREES, st.lists(UPDATES, max_size=12))
def test_updates_change_a_widget_as_they_change_a_plain_tree(
    root: Json, updates: list[Event]
) -> None:
    events = [added(widget("w", root)), *updates]
    model, state = NaiveThread(), ThreadState()
    for event in events:
        model.apply(to_json(event))
        state = reduce(state, event)
        item, expected = item_of(state), model.items["w"]
        assert json_equal(item.json_view(), expected)
        # The first time it is counted, and from then on kept up to date.
        assert item.components.amount == amount(expected["widget"])
        assert dict(found(item.components)) == dict(firsts(expected["widget"]))
    assert fold(events) == state
    assert fold(updates, restore(snapshot(fold(events[:1])))) == state


def firsts(root: Json) -> Iterator[tuple[str, Json]]:
    """For each id the component that it means."""
    seen = set()
    for component in components(root):
        component_id = component.get("id")
        if isinstance(component_id, str) and component_id not in seen:
            seen.add(component_id)
            yield component_id, component


def found(real: Components) -> Iterator[tuple[str, Json]]:
    for component_id in "abc":
        key = real.key_of(component_id)
        if key is not None:
            yield component_id, real.json_at(key)


@given(TREES, st.lists(UPDATES, max_size=12))
def test_the_order_may_be_used_up_at_any_time(root: Json, updates: list[Event]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(widget_tree, "_GAP", 1)
        state, model = ThreadState(), NaiveThread()
        for event in [added(widget("w", root)), *updates]:
            state = reduce(state, event)
            model.apply(to_json(event))
        for component_id, component in firsts(model.items["w"]["widget"]):
            key = item_of(state).components.key_of(component_id)
            assert key is not None
            assert json_equal(item_of(state).components.json_at(key), component)


def deeper(events: int) -> list[Event]:
    """Each component inside of the one before, so deep that nothing may recurse."""
    start: list[Event] = [added(widget("w", {"type": "Col", "id": "0"}))]
    for n in range(events):
        child = {"type": "Text", "id": str(n + 1), "value": "x"}
        start.append(component_updated("w", str(n), {"type": "Col", "children": [child]}))
    return start


def test_components_may_grow_inside_of_each_other_without_end() -> None:
    state = ThreadState()
    for event in deeper(3_000):
        state = reduce(state, event)

    assert state.anomalies == ()
    assert state == fold(deeper(3_000))
    assert restore(snapshot(state)) == state
    assert item_of(state).seen.characters == 1
    assert item_of(state).sealed() is item_of(state)


@pytest.mark.parametrize("ids", [["x"], ["x", "y"]])
@pytest.mark.parametrize("gap", [0, 3, 1024])  # so the order is used up always, often, or never
def test_a_component_of_an_id_that_many_have_is_found_in_an_order_that_is_kept(
    ids: list[str], gap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each update takes the first, and puts two of the same ids deeper into the tree."""
    monkeypatch.setattr(widget_tree, "_GAP", gap)
    root: Json = {"type": "Col", "id": "x", "children": [{"id": "x"}, {"id": "y"}]}
    state, model = reduce(ThreadState(), added(widget("w", root))), NaiveThread([widget("w", root)])
    for n in range(200):
        inside = [{"id": ids[n % len(ids)], "n": n}, {"id": "x", "children": {"id": "y"}}]
        update = component_updated("w", ids[n % len(ids)], {"n": n, "children": inside})
        state = reduce(state, update)
        model.apply(to_json(update))
    assert json_equal(item_of(state).json_view(), model.items["w"])


def test_components_that_take_the_place_of_one_stand_before_those_behind_it() -> None:
    root: Json = {"type": "Col", "children": [{"id": "a"}, {"id": "t"}, {"id": "t"}]}
    grown = [{"id": "a", "children": [{"id": "t"}] * number} for number in (1, 4)]
    state, model = reduce(ThreadState(), added(widget("w", root))), NaiveThread([widget("w", root)])
    for update in (
        *[component_updated("w", "a", one) for one in grown],
        *[component_updated("w", "t", {"id": "z", "n": number}) for number in range(6)],
    ):
        state = reduce(state, update)
        model.apply(to_json(update))
        assert json_equal(item_of(state).json_view(), model.items["w"])


def test_a_component_that_contains_itself_is_not_looked_into() -> None:
    root: dict[str, Any] = {"type": "Col", "id": "r"}
    root["children"] = [{"type": "Text", "id": "t", "value": "x"}, root]

    real = Components.of(root)

    assert real.key_of("r") == ROOT
    assert real.key_of("t") is None
    assert real.amount == (0, 0)
    state = reduce(reduce(ThreadState(), added(widget("w", root))), value_delta("w", "t", "y"))
    assert [anomaly.kind for anomaly in state.anomalies] == ["component_not_found"]
