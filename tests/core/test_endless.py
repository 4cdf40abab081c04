"""JSON that contains itself, which no text can say: nobody follows it for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatkit_reducer import (
    ThreadState,
    compact,
    diff,
    encode,
    fold,
    policies,
    reduce,
    restore,
    settle,
    snapshot,
)
from chatkit_reducer.analysis import sweep
from chatkit_reducer.core.json_values import json_copy, json_equal, only_json
from chatkit_reducer.errors import EncodeError
from chatkit_reducer.events import (
    Event,
    Json,
    StreamOptions,
    ThreadCreated,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemReplaced,
    ThreadItemUpdated,
    ThreadUpdated,
    WidgetComponentUpdated,
    WidgetRootUpdated,
    WorkflowTaskAdded,
)
from chatkit_reducer.testing.examples import (
    added,
    component_updated,
    done,
    message,
    part_done,
    task_added,
    text_delta,
    value_delta,
    widget,
    workflow,
)


def in_an_object() -> Json:
    value: dict[str, Any] = {"type": "Card", "id": "c"}
    value["x"] = {"y": [value]}
    return value


def in_a_list() -> Json:
    value: list[Any] = [1]
    value.append(value)
    return {"type": "Card", "id": "c", "x": value}


def in_children() -> Json:
    value: dict[str, Any] = {"type": "Card", "id": "c"}
    value["children"] = [{"type": "Text", "id": "t", "value": ""}, value]
    return value


def in_a_child() -> Json:
    value: dict[str, Any] = {"type": "Row"}
    value["children"] = value
    return {"type": "Card", "id": "c", "children": [{"type": "Text", "id": "t"}, value]}


MADE = [in_an_object, in_a_list, in_children, in_a_child]


@pytest.fixture(params=MADE)
def endless(request: pytest.FixtureRequest) -> Callable[[], Json]:
    """Makes an object that contains itself, each time another one."""
    make: Callable[[], Json] = request.param
    return make


def test_it_cannot_be_copied(endless: Callable[[], Json]) -> None:
    with pytest.raises(EncodeError, match=r"got a value that contains itself$"):
        json_copy(endless())


def test_it_equals_itself_alone(endless: Callable[[], Json]) -> None:
    one = endless()
    assert json_equal(one, one)
    assert not json_equal(one, endless())
    assert not json_equal(one, {**one, "x": 1})


def test_one_object_in_two_places_is_no_such_thing() -> None:
    shared: Json = {"a": [1]}
    deep: Any = shared
    for _ in range(3_000):
        deep = [deep, {"b": shared}]
    copy = json_copy({"d": deep, "e": deep})
    assert json_equal(copy, {"d": deep, "e": deep})


def test_a_store_that_gives_it_is_refused(endless: Callable[[], Json]) -> None:
    with pytest.raises(EncodeError, match="contains itself"):
        ThreadState.from_items([message("a"), {**message("m"), "x": endless()}])
    with pytest.raises(EncodeError, match="contains itself"):
        ThreadState.from_items([], thread={"id": "t", "x": endless()})


def test_a_snapshot_of_it_is_refused(endless: Callable[[], Json]) -> None:
    with pytest.raises(EncodeError, match="contains itself"):
        restore({**snapshot(ThreadState()), "thread": endless()})


def events_with(endless: Callable[[], Json]) -> list[Event]:
    """Every event and update that can hold it, each item updated behind it."""
    item = {**message("m", "a"), "x": endless()}
    return [
        ThreadCreated({"id": "t", "x": endless(), "items": {"data": [item]}}),
        ThreadUpdated({"id": "t", "x": endless()}),
        ThreadUpdated({"id": "t", "x": endless()}),
        StreamOptions({"x": endless()}),
        StreamOptions({"x": endless()}),
        ThreadItemAdded(item),
        ThreadItemAdded({**item, "x": endless()}),
        text_delta("m", "x"),
        part_done("m", {"type": "output_text", "text": "b", "x": endless()}),
        part_done("m", {"type": "output_text", "text": "b", "x": endless()}),
        ThreadItemDone(item),
        ThreadItemReplaced({**item, "x": endless()}),
        added(workflow("w")),
        ThreadItemUpdated("w", WorkflowTaskAdded(0, endless())),
        task_added("w", endless(), 0),
        added(widget("g", endless())),
        value_delta("g", "t", "x"),
        component_updated("g", "c", endless()),
        ThreadItemUpdated("g", WidgetComponentUpdated("c", endless())),
        ThreadItemUpdated("g", WidgetRootUpdated(endless())),
        value_delta("g", "t", "x"),
        done(message("z", "the end")),
    ]


def test_a_fold_goes_on_behind_it(endless: Callable[[], Json]) -> None:
    events = events_with(endless)
    one_by_one = ThreadState()
    for event in events:
        one_by_one = reduce(one_by_one, event)
    for state in (one_by_one, fold(events)):
        assert list(state.items) == ["m", "w", "g", "z"]
        assert state.items["z"].to_json() == message("z", "the end")
    assert len(list(sweep(events, [policies.KEEP], "ended"))) == len(events) + 1
    assert len(compact(events)) == len(events)
    assert len(settle(one_by_one, policy=policies.KEEP, cause="ended").verdicts) == 2


def test_whoever_reads_it_is_told(endless: Callable[[], Json]) -> None:
    state = fold(events_with(endless))
    for item_id in ("m", "w", "g"):
        with pytest.raises(EncodeError, match="contains itself"):
            state.items[item_id].to_json()
    reads: list[Callable[[], object]] = [
        lambda: state.thread,
        lambda: state.stream_options,
        lambda: snapshot(state),
        lambda: diff(ThreadState(), state),
    ]
    for read in reads:
        with pytest.raises(EncodeError, match="contains itself"):
            read()


def test_it_cannot_be_written(endless: Callable[[], Json]) -> None:
    events = events_with(endless)
    refused = []
    for event in events:
        try:
            encode(event)
        except EncodeError:
            refused.append(event)
    assert len(events) - len(refused) == 5  # three deltas, a new workflow, and the last item


def test_a_copy_of_only_json_ends_where_a_value_would_hold_itself() -> None:
    endless: dict[str, Any] = {"x": [1], "twice": [2]}
    endless["x"].append(endless)
    endless["again"] = endless["twice"]

    assert only_json(endless) == {"x": [1, None], "twice": [2], "again": [2]}
