"""Updates to widgets: docs/semantics.md, "Widgets"."""

from __future__ import annotations

from typing import Any

import pytest

from chatkit_reducer import AnomalyKind, ThreadState, fold, reduce
from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing.examples import (
    added,
    component_updated,
    root_updated,
    state_after,
    value_delta,
    widget,
)
from tests.support.in_doubles import in_doubles
from tests.support.widgets import TEXT
from tests.support.widgets import card as bare_card


def text(component_id: str, value: str = "", **fields: Any) -> Json:
    return {"type": "Text", "id": component_id, "value": value, **fields}


def card(*children: Json, **fields: Any) -> Json:
    return {"type": "Card", "id": "card", "children": list(children), **fields}


def root_of(state: ThreadState) -> Json:
    root: Json = state.items["w"].to_json()["widget"]
    return root


def root_after(given: Json, *events: Event) -> Json:
    """The root of the widget `w` that began as `given` after these updates."""
    state = state_after(added(widget("w", given)), *events)
    assert state.anomalies == ()
    return root_of(state)


def kinds_of(state: ThreadState) -> list[AnomalyKind]:
    return [anomaly.kind for anomaly in state.anomalies]


# --- value delta: where the component is ----------------------------------------------------------


def test_value_delta_appends_to_the_value_of_the_component() -> None:
    root = root_after(
        card(text("t", "Hel")), value_delta("w", "t", "l"), value_delta("w", "t", "o")
    )

    assert root == card(text("t", "Hello"))


def test_value_delta_finds_the_root() -> None:
    assert root_after(text("t"), value_delta("w", "t", "Hello")) == text("t", "Hello")


def test_value_delta_finds_a_component_deep_down() -> None:
    def page(value: str) -> Json:
        row = {"type": "Row", "children": [{"type": "Box", "children": [text("t", value)]}]}
        return card(text("other"), row)

    assert root_after(page(""), value_delta("w", "t", "deep")) == page("deep")


def test_children_may_be_one_object() -> None:
    def page(value: str) -> Json:
        return card({"type": "Transition", "children": text("t", value)})

    assert root_after(page(""), value_delta("w", "t", "x")) == page("x")


@pytest.mark.parametrize("children", [None, [], "none", 3, [None, "text", 7]])
def test_children_may_be_anything_else_and_are_kept(children: object) -> None:
    def page(value: str) -> Json:
        return card({"type": "Box", "children": children}, text("t", value))

    assert root_after(page(""), value_delta("w", "t", "x")) == page("x")


def test_of_several_components_with_one_id_the_first_in_document_order_counts() -> None:
    def page(value: str) -> Json:
        return card({"type": "Box", "children": [text("t", value)]}, text("t", "second"))

    assert root_after(page("first"), value_delta("w", "t", "!")) == page("first!")


def test_the_root_comes_before_its_children() -> None:
    def page(value: str) -> Json:
        return {**text("t", value), "children": [text("t", "child")]}

    assert root_after(page("root"), value_delta("w", "t", "!")) == page("root!")


def test_value_delta_is_for_any_component_with_a_value_known_or_not() -> None:
    strange = {"type": "Hologram", "id": "h", "value": "a", "depth": 3}

    assert root_after(strange, value_delta("w", "h", "b")) == {**strange, "value": "ab"}


def test_value_deltas_of_several_components_may_alternate() -> None:
    deltas = [value_delta("w", component, letter) for letter in "123" for component in ("a", "b")]

    assert root_after(card(text("a"), text("b")), *deltas) == card(
        text("a", "123"), text("b", "123")
    )


def test_a_component_that_is_not_there_is_an_anomaly_and_changes_nothing() -> None:
    state = state_after(added(widget("w", card(text("t", "a")))), value_delta("w", "nobody", "x"))

    assert kinds_of(state) == [AnomalyKind.COMPONENT_NOT_FOUND]
    assert root_of(state) == card(text("t", "a"))


@pytest.mark.parametrize("fields", [{}, {"value": None}, {"value": 3}, {"value": ["a"]}])
def test_a_component_without_a_text_value_is_an_anomaly_and_changes_nothing(fields: Json) -> None:
    given = card({"type": "Input", "id": "t", **fields})

    state = state_after(added(widget("w", given)), value_delta("w", "t", "x"))

    assert kinds_of(state) == [AnomalyKind.UPDATE_MISFIT]
    assert root_of(state) == given


def test_an_anomaly_between_value_deltas_loses_no_text() -> None:
    state = state_after(
        added(widget("w", card(text("t")))),
        value_delta("w", "t", "a"),
        value_delta("w", "nobody", "x"),
        value_delta("w", "t", "b"),
    )

    assert root_of(state) == card(text("t", "ab"))
    assert [anomaly.position for anomaly in state.anomalies] == [2]


# --- value delta: done ----------------------------------------------------------------------------


def test_done_turns_streaming_true_into_false() -> None:
    root = root_after(
        text("t", streaming=True), value_delta("w", "t", "a"), value_delta("w", "t", "b", done=True)
    )

    assert root == text("t", "ab", streaming=False)


def test_done_may_bring_no_text() -> None:
    root = root_after(text("t", "a", streaming=True), value_delta("w", "t", "", done=True))

    assert root == text("t", "a", streaming=False)


def test_streaming_stays_true_until_done() -> None:
    root = root_after(text("t", streaming=True), value_delta("w", "t", "a"))

    assert root == text("t", "a", streaming=True)


@pytest.mark.parametrize("fields", [{}, {"streaming": False}, {"streaming": None}])
def test_done_adds_no_key_and_changes_no_other_value(fields: Json) -> None:
    root = root_after(text("t", **fields), value_delta("w", "t", "a", done=True))

    assert root == text("t", "a", **fields)


def test_text_may_follow_done() -> None:
    root = root_after(
        text("t", streaming=True), value_delta("w", "t", "a", done=True), value_delta("w", "t", "b")
    )

    assert root == text("t", "ab", streaming=False)


# --- component updated ----------------------------------------------------------------------------


def test_component_updated_replaces_the_whole_component() -> None:
    given = card(text("a", "A", color="red"), text("b", "B"))

    root = root_after(
        given, component_updated("w", "a", {"type": "Badge", "id": "a", "label": "x"})
    )

    assert root == card({"type": "Badge", "id": "a", "label": "x"}, text("b", "B"))


def test_component_updated_may_replace_the_root() -> None:
    root = root_after(card(text("t")), component_updated("w", "card", {"type": "Basic", "id": "b"}))

    assert root == {"type": "Basic", "id": "b"}


def test_component_updated_replaces_the_only_child() -> None:
    def page(child: Json) -> Json:
        return card({"type": "Transition", "children": child})

    assert root_after(page(text("t")), component_updated("w", "t", text("u", "new"))) == page(
        text("u", "new")
    )


def test_component_updated_replaces_the_first_of_several_with_one_id() -> None:
    root = root_after(
        card(text("t", "1"), text("t", "2")), component_updated("w", "t", text("t", "new"))
    )

    assert root == card(text("t", "new"), text("t", "2"))


def test_once_the_first_of_several_is_renamed_the_second_is_found() -> None:
    root = root_after(
        card(text("t", "1"), text("t", "2")),
        component_updated("w", "t", text("renamed", "1")),
        value_delta("w", "t", "!"),
    )

    assert root == card(text("renamed", "1"), text("t", "2!"))


def test_the_children_that_a_component_brings_are_found() -> None:
    root = root_after(
        card({"type": "Box", "id": "box"}),
        component_updated("w", "box", {"type": "Box", "id": "box", "children": [text("t")]}),
        value_delta("w", "t", "x"),
    )

    assert root == card({"type": "Box", "id": "box", "children": [text("t", "x")]})


def test_the_children_that_a_component_loses_are_gone() -> None:
    state = state_after(
        added(widget("w", card({"type": "Box", "id": "box", "children": [text("t")]}))),
        value_delta("w", "t", "x"),
        component_updated("w", "box", {"type": "Box", "id": "box"}),
        value_delta("w", "t", "y"),
    )

    assert root_of(state) == card({"type": "Box", "id": "box"})
    assert kinds_of(state) == [AnomalyKind.COMPONENT_NOT_FOUND]


def test_component_updated_replaces_the_text_that_was_streamed_into_it() -> None:
    root = root_after(
        card(text("t")), value_delta("w", "t", "old"), component_updated("w", "t", text("t", "new"))
    )

    assert root == card(text("t", "new"))


def test_component_updated_resets_a_streamed_text_to_what_the_component_was() -> None:
    root = root_after(
        card(text("t")), value_delta("w", "t", "streamed"), component_updated("w", "t", text("t"))
    )

    assert root == card(text("t"))


def test_component_updated_replaces_the_texts_that_were_streamed_below_it() -> None:
    """Also where the component comes exactly as it was before they were streamed."""
    root = root_after(
        card(text("t")),
        value_delta("w", "t", "streamed"),
        component_updated("w", "card", card(text("t"))),
    )

    assert root == card(text("t"))


def test_component_updated_keeps_the_texts_that_were_streamed_beside_it() -> None:
    root = root_after(
        card(text("a"), {"type": "Box", "id": "box", "children": []}),
        value_delta("w", "a", "streamed"),
        component_updated("w", "box", {"type": "Row", "id": "box", "children": []}),
        value_delta("w", "a", "!"),
    )

    assert root == card(text("a", "streamed!"), {"type": "Row", "id": "box", "children": []})


def test_text_streams_into_a_component_that_was_replaced() -> None:
    root = root_after(
        card(text("t")), component_updated("w", "t", text("t", "new")), value_delta("w", "t", "er")
    )

    assert root == card(text("t", "newer"))


def test_component_updated_for_one_that_is_not_there_is_an_anomaly() -> None:
    state = state_after(added(widget("w", card())), component_updated("w", "nobody", text("t")))

    assert kinds_of(state) == [AnomalyKind.COMPONENT_NOT_FOUND]
    assert root_of(state) == card()


# --- root updated ---------------------------------------------------------------------------------


def test_root_updated_replaces_the_whole_tree() -> None:
    root = root_after(card(text("t", "old")), root_updated("w", text("u", "new")))

    assert root == text("u", "new")


def test_root_updated_replaces_the_texts_that_were_streamed() -> None:
    root = root_after(
        card(text("t")), value_delta("w", "t", "x"), root_updated("w", card(text("t")))
    )

    assert root == card(text("t"))


def test_components_are_found_in_the_new_root_only() -> None:
    state = state_after(
        added(widget("w", card(text("old")))),
        root_updated("w", card(text("new"))),
        value_delta("w", "new", "x"),
        value_delta("w", "old", "y"),
    )

    assert root_of(state) == card(text("new", "x"))
    assert kinds_of(state) == [AnomalyKind.COMPONENT_NOT_FOUND]


# --- all of them ----------------------------------------------------------------------------------


def test_updates_leave_the_rest_of_the_item_alone() -> None:
    given = {**widget("w", card(text("t"))), "copy_text": "copy me", "new_field": [1]}

    state = state_after(
        added(given),
        value_delta("w", "t", "a"),
        root_updated("w", text("u")),
        component_updated("w", "u", text("u", "b")),
    )

    assert state.items["w"].to_json() == {**given, "widget": text("u", "b")}


def test_a_widget_may_be_nested_more_deeply_than_the_stack() -> None:
    root = text("t")
    for _ in range(5000):
        root = {"type": "Box", "children": [root]}

    state = fold([added(widget("w", root)), value_delta("w", "t", "x")])

    component: Any = state.items["w"].json_view()["widget"]
    while component["type"] == "Box":
        (component,) = component["children"]
    assert component == text("t", "x")


# --- texts side by side ---------------------------------------------------------------------------


@pytest.mark.parametrize("odd", [None, 5, ["t"], {"id": "t"}])
def test_an_id_that_is_no_text_names_nothing(odd: Any) -> None:
    root = bare_card({"type": "Text", "id": odd, "value": "x"}, TEXT)

    state = in_doubles(added(widget("w", root)), value_delta("w", "t", "b"))

    assert state.items["w"].to_json()["widget"]["children"][1]["value"] == "ab"


def test_texts_of_two_widgets_with_the_same_ids_stream_side_by_side() -> None:
    state = in_doubles(
        added(widget("v", bare_card(TEXT))),
        added(widget("w", bare_card(TEXT))),
        value_delta("w", "t", "b"),
        value_delta("v", "t", "c"),
        component_updated("v", "t", {**TEXT, "value": "d"}),
        component_updated("w", "t", {**TEXT, "value": "e"}),
        value_delta("w", "t", "f"),
        value_delta("v", "t", "g"),
    )

    values = [state.items[name].to_json()["widget"]["children"][0]["value"] for name in "vw"]
    assert values == ["dg", "ef"]


def test_texts_of_one_widget_stream_side_by_side() -> None:
    state = in_doubles(
        added(widget("w", bare_card(TEXT, {**TEXT, "id": "u"}))),
        value_delta("w", "t", "1"),
        value_delta("w", "u", "2"),
        value_delta("w", "t", "3"),
        value_delta("w", "t", "4"),
        component_updated("w", "u", {**TEXT, "id": "u", "value": "b"}),
        value_delta("w", "u", "5"),
    )

    values = [child["value"] for child in state.items["w"].to_json()["widget"]["children"]]
    assert values == ["a134", "b5"]


def test_a_text_that_is_done_stays_done_while_another_streams() -> None:
    first, second = ({"type": "Text", "id": name, "value": "", "streaming": True} for name in "ab")

    state = in_doubles(
        added(widget("w", bare_card(first, second))),
        value_delta("w", "a", "1", done=True),
        value_delta("w", "b", "2"),
        value_delta("w", "a", "3"),
    )

    done = {**first, "value": "13", "streaming": False}
    assert state.items["w"].to_json()["widget"] == bare_card(done, {**second, "value": "2"})


def test_a_component_that_comes_again_streams_again() -> None:
    streaming = {**TEXT, "streaming": True}

    state = in_doubles(
        added(widget("w", bare_card(streaming))),
        value_delta("w", "t", "b", done=True),
        component_updated("w", "t", streaming),
        value_delta("w", "t", "c"),
    )

    assert state.items["w"].to_json()["widget"] == bare_card({**streaming, "value": "ac"})


def test_a_component_is_found_by_its_id_or_not_at_all() -> None:
    item = state_after(added(widget("w", bare_card(TEXT)))).items["w"]
    found, missing = item.component("t"), item.component("u")  # type: ignore[attr-defined]

    assert (found and found.json, missing) == (TEXT, None)


def test_a_component_replaced_by_the_like_is_no_change() -> None:
    leaf = {"type": "Text", "id": "t", "value": "a"}
    state = state_after(added(widget("w", {"type": "Card", "children": [leaf]})))

    assert reduce(state, component_updated("w", "t", {**leaf})) is state
    assert fold([component_updated("w", "t", {**leaf})], state).items["w"] is state.items["w"]


def test_a_component_that_comes_as_it_is_changes_nothing_beside_a_text_that_grew() -> None:
    inner = {"type": "New", "id": "a", "children": []}
    root = {"type": "Card", "id": "b", "value": "", "children": [inner]}
    state = fold([added(widget("w", root)), value_delta("w", "b", "0")])

    assert reduce(state, component_updated("w", "a", dict(inner))) is state
