"""Threads out of a store: docs/semantics.md, "What was stored before"."""

from __future__ import annotations

from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest

from chatkit_reducer import AnomalyKind, ThreadState, fold
from chatkit_reducer.core.items import OpaqueItem
from chatkit_reducer.core.json_values import json_copy
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.events import Json
from chatkit_reducer.testing.examples import (
    image,
    item,
    message,
    state_after,
    task,
    text_delta,
    user_message,
    widget,
    workflow,
)

ITEMS = [
    user_message("u", "hi"),
    item("h", "hidden_context_item", content={"any": ["thing"]}),
    workflow("w", "A", "B"),
    {**message("m", "a"), "new_field": [None, {"deep": 1.5}]},
    widget("g", {"type": "Card", "children": []}),
    image("i"),
    item("x", "hologram", depth=3),
]


def test_stored_items_come_back_as_they_were_and_in_order() -> None:
    state = ThreadState.from_items(ITEMS)

    assert [item.to_json() for item in state.items.values()] == ITEMS
    assert list(state.items) == ["u", "h", "w", "m", "g", "i", "x"]


def test_stored_items_are_stored_and_nothing_is_pending() -> None:
    state = ThreadState.from_items(ITEMS)

    assert {state.phase(item_id) for item_id in state.items} == {Phase.STORED}
    assert state.pending == ()
    assert dict(state.bases) == {}
    assert state.anomalies == ()
    assert state.position == 0


def test_no_items_make_the_empty_state() -> None:
    assert ThreadState.from_items([]) == ThreadState()


def test_items_may_come_from_a_generator_and_as_any_mapping() -> None:
    mappings = [MappingProxyType(ITEMS[0]), OrderedDict(ITEMS[1])]

    state = ThreadState.from_items(mapping for mapping in mappings)

    assert [item.to_json() for item in state.items.values()] == ITEMS[:2]


def test_stored_items_are_copied() -> None:
    given = [workflow("w", "A"), message("m", "a")]
    copies = json_copy({"items": given})["items"]

    state = ThreadState.from_items(given)
    given[0]["workflow"]["tasks"].append(task("B"))
    given[1]["content"][0]["text"] = "changed"
    given.clear()

    assert [item.to_json() for item in state.items.values()] == copies


def test_what_a_state_gives_away_is_a_copy() -> None:
    state = ThreadState.from_items([message("m", "a")], thread={"id": "thr_1", "metadata": {}})

    state.items["m"].to_json()["content"][0]["text"] = "changed"
    assert state.thread is not None
    state.thread["metadata"]["changed"] = True

    assert state.items["m"].to_json() == message("m", "a")
    assert state.thread == {"id": "thr_1", "metadata": {}}


def test_the_metadata_of_the_thread_is_copied() -> None:
    thread: dict[str, Any] = {"id": "thr_1", "metadata": {}}

    state = ThreadState.from_items([], thread=thread)
    thread["metadata"]["changed"] = True

    assert state.thread == {"id": "thr_1", "metadata": {}}
    assert ThreadState.from_items([]).thread is None


def test_the_metadata_of_the_thread_is_without_its_items() -> None:
    """As in `thread.created` and `thread.updated`."""
    page = {"data": [message("m", "a")], "has_more": False}

    state = ThreadState.from_items([], thread={"id": "thr_1", "items": page})

    assert state.thread == {"id": "thr_1"}


# --- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{}, {"id": None}, {"id": 7}])
def test_an_item_without_an_id_is_left_out_with_an_anomaly(fields: dict[str, Any]) -> None:
    nameless = {"type": "end_of_turn", **fields}

    state = ThreadState.from_items([message("a", ""), nameless, message("b", "")])

    assert list(state.items) == ["a", "b"]
    (anomaly,) = state.anomalies
    assert (anomaly.kind, anomaly.item_id) == (AnomalyKind.ITEM_WITHOUT_ID, None)
    assert anomaly.instead == "the item was left out"


def test_of_two_items_with_one_id_the_later_counts_with_an_anomaly() -> None:
    state = ThreadState.from_items([message("m", "1"), message("n", ""), message("m", "2")])

    assert list(state.items) == ["m", "n"]
    assert state.items["m"].to_json() == message("m", "2")
    (anomaly,) = state.anomalies
    assert (anomaly.kind, anomaly.item_id) == (AnomalyKind.ITEM_ALREADY_PRESENT, "m")
    assert anomaly.instead == "the later one counts"


@pytest.mark.parametrize(
    "broken",
    [
        item("m", "assistant_message", content="hello"),
        item("m", "assistant_message", content=["hello"]),
        item("m", "workflow", workflow=["hello"]),
        item("m", "workflow", workflow={"tasks": {}}),
        item("m", "workflow", workflow={"tasks": ["hello"]}),
        item("m", "widget", widget="hello"),
    ],
)
def test_a_malformed_item_is_kept_as_it_came_with_an_anomaly(broken: Json) -> None:
    state = ThreadState.from_items([broken])

    assert isinstance(state.items["m"], OpaqueItem)
    assert state.items["m"].to_json() == broken
    (anomaly,) = state.anomalies
    assert (anomaly.kind, anomaly.item_id) == (AnomalyKind.ITEM_MALFORMED, "m")
    assert "kept as it came" in anomaly.instead


def test_the_anomalies_of_a_store_name_it_and_come_before_those_of_the_stream() -> None:
    state = fold([text_delta("nobody", "x")], ThreadState.from_items([{"type": "end_of_turn"}]))

    assert [anomaly.event for anomaly in state.anomalies] == [
        "stored_item",
        "assistant_message.content_part.text_delta",
    ]
    assert [anomaly.position for anomaly in state.anomalies] == [0, 0]


def test_a_malformed_item_can_be_replaced_by_a_sound_one() -> None:
    broken = item("m", "assistant_message", content="hello")

    state = state_after(text_delta("m", "x"), stored=[broken])
    assert state.phase("m") is Phase.STORED
    assert state.items["m"].to_json() == broken
