"""Updates to workflows: docs/semantics.md, "Workflows"."""

from __future__ import annotations

from typing import Any

import pytest

from chatkit_reducer import AnomalyKind, ThreadState, reduce
from chatkit_reducer.core.items import Workflow, parse_item
from chatkit_reducer.events import Json
from chatkit_reducer.testing.examples import (
    added,
    item,
    state_after,
    task,
    task_added,
    task_updated,
    workflow,
)
from tests.support.in_doubles import in_doubles


def tasks_of(state: ThreadState) -> list[Json]:
    tasks: list[Json] = state.items["w"].to_json()["workflow"]["tasks"]
    return tasks


def titles_of(state: ThreadState) -> list[str]:
    return [task["title"] for task in tasks_of(state)]


def kinds_of(state: ThreadState) -> list[AnomalyKind]:
    return [anomaly.kind for anomaly in state.anomalies]


# --- task added -----------------------------------------------------------------------------------


def test_task_added_at_the_end_appends() -> None:
    state = state_after(
        added(workflow("w")), task_added("w", task("A"), 0), task_added("w", task("B"), 1)
    )

    assert titles_of(state) == ["A", "B"]
    assert state.anomalies == ()


@pytest.mark.parametrize(
    ("index", "titles"),
    [(0, ["x", "A", "B"]), (1, ["A", "x", "B"]), (2, ["A", "B", "x"])],
)
def test_task_added_inserts_at_its_index(index: int, titles: list[str]) -> None:
    state = state_after(added(workflow("w", "A", "B")), task_added("w", task("x"), index))

    assert titles_of(state) == titles
    assert state.anomalies == ()


def test_the_task_that_is_there_already_is_not_added_twice() -> None:
    """What two quick calls of `AgentContext.add_workflow_task` (1.6.5) put on the wire."""
    state = state_after(added(workflow("w", "A", "B")), task_added("w", task("B"), 1))

    assert titles_of(state) == ["A", "B"]
    assert state.anomalies == ()


def test_an_equal_task_at_another_index_is_another_task() -> None:
    state = state_after(
        added(workflow("w", "A", "B")), task_added("w", task("A"), 1), task_added("w", task("B"), 3)
    )

    assert titles_of(state) == ["A", "A", "B", "B"]


def test_a_task_that_differs_in_anything_is_another_task() -> None:
    state = state_after(added(workflow("w", "A")), task_added("w", task("A", status="loading"), 0))

    assert tasks_of(state) == [task("A", status="loading"), task("A")]


@pytest.mark.parametrize("index", [3, 10**6, 10**30])
def test_a_task_added_past_the_end_is_appended_with_an_anomaly(index: int) -> None:
    state = state_after(added(workflow("w", "A", "B")), task_added("w", task("x"), index))

    assert titles_of(state) == ["A", "B", "x"]
    assert kinds_of(state) == [AnomalyKind.INDEX_OUT_OF_RANGE]
    assert state.anomalies[0].instead == "the task was appended"


def test_a_task_added_past_the_end_of_a_stored_workflow_makes_it_pending() -> None:
    state = state_after(task_added("w", task("x"), 9), stored=[workflow("w", "A")])

    assert titles_of(state) == ["A", "x"]
    assert state.pending == ("w",)
    assert state.bases["w"].to_json() == workflow("w", "A")


@pytest.mark.parametrize("index", [-1, -2, -9])
def test_a_task_added_at_a_negative_index_is_an_anomaly_and_changes_nothing(index: int) -> None:
    state = state_after(added(workflow("w", "A", "B")), task_added("w", task("x"), index))

    assert titles_of(state) == ["A", "B"]
    assert kinds_of(state) == [AnomalyKind.INDEX_OUT_OF_RANGE]


# --- task updated ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("index", "titles"), [(0, ["x", "B"]), (1, ["A", "x"])])
def test_task_updated_replaces_the_task_at_its_index(index: int, titles: list[str]) -> None:
    state = state_after(added(workflow("w", "A", "B")), task_updated("w", task("x"), index))

    assert titles_of(state) == titles
    assert state.anomalies == ()


def test_task_updated_replaces_the_whole_task() -> None:
    before = item("w", "workflow", workflow={"type": "custom", "tasks": [{**task("A"), "icon": 1}]})

    state = state_after(added(before), task_updated("w", task("A"), 0))

    assert tasks_of(state) == [task("A")]


@pytest.mark.parametrize("index", [2, 3, 10**30, -1, -2, -3])
def test_task_updated_out_of_range_or_negative_is_an_anomaly_and_changes_nothing(
    index: int,
) -> None:
    state = state_after(added(workflow("w", "A", "B")), task_updated("w", task("x"), index))

    assert titles_of(state) == ["A", "B"]
    assert kinds_of(state) == [AnomalyKind.INDEX_OUT_OF_RANGE]
    assert state.anomalies[0].instead == "nothing changed"


def test_task_updated_on_a_workflow_without_tasks_is_an_anomaly() -> None:
    state = state_after(added(workflow("w")), task_updated("w", task("x"), 0))

    assert titles_of(state) == []
    assert kinds_of(state) == [AnomalyKind.INDEX_OUT_OF_RANGE]


# --- both -----------------------------------------------------------------------------------------


def test_updates_to_tasks_leave_the_rest_of_the_workflow_alone() -> None:
    fields: dict[str, Any] = {"type": "reasoning", "summary": {"duration": 3}, "expanded": True}
    before = item("w", "workflow", workflow={**fields, "tasks": [], "new_field": 1}, mood="calm")

    state = state_after(
        added(before), task_added("w", task("A"), 0), task_updated("w", task("B"), 0)
    )

    workflow = {**fields, "tasks": [task("B")], "new_field": 1}
    assert state.items["w"].to_json() == item("w", "workflow", workflow=workflow, mood="calm")


def test_tasks_keep_their_order_however_many_there_are() -> None:
    titles = [str(number) for number in range(100)]
    events = [task_added("w", task(title), place) for place, title in enumerate(titles)]

    state = state_after(added(workflow("w")), *events, task_added("w", task("x"), 50))

    assert titles_of(state) == [*titles[:50], "x", *titles[50:]]


def test_tasks_of_unknown_types_are_tasks() -> None:
    strange = {"type": "dance", "steps": [1, 2]}

    state = state_after(added(workflow("w", "A")), task_updated("w", strange, 0))

    assert tasks_of(state) == [strange]


# --- indexes --------------------------------------------------------------------------------------


def test_tasks_of_two_workflows_come_side_by_side() -> None:
    state = in_doubles(
        added(workflow("f")),
        added(workflow("g")),
        task_added("f", task("f0"), 0),
        task_added("f", task("f1"), 1),
        task_added("g", task("g0"), 0),
        task_added("f", task("f2"), 2),
        task_updated("f", task("f0!"), 0),
        task_updated("g", task("g0!"), 0),
        task_added("f", task("f9"), 9),
        task_updated("f", task("f3!"), 3),
    )

    tasks = [
        [task["title"] for task in state.items[name].to_json()["workflow"]["tasks"]]
        for name in "fg"
    ]
    assert tasks == [["f0!", "f1", "f2", "f3!"], ["g0!"]]
    assert [anomaly.problem for anomaly in state.anomalies] == [
        "task_index 9 is past the end of 3 tasks"
    ]


@pytest.mark.parametrize(
    ("index", "titles", "faults"), [(0, "cab", 0), (1, "acb", 0), (2, "abc", 0), (3, "abc", 1)]
)
def test_a_task_comes_where_its_index_says(index: int, titles: str, faults: int) -> None:
    state = in_doubles(
        added(workflow("f")),
        task_added("f", task("a"), 0),
        task_added("f", task("b"), 1),
        task_added("f", task("c"), index),
    )

    tasks = state.items["f"].to_json()["workflow"]["tasks"]
    assert [task["title"] for task in tasks] == list(titles)
    assert len(state.anomalies) == faults


def test_two_tasks_at_one_index_are_two_tasks() -> None:
    state = in_doubles(
        added(workflow("w")), task_added("w", task("1"), 0), task_added("w", task("2"), 0)
    )

    item = state.items["w"]
    assert isinstance(item, Workflow)
    assert item.tasks == [task("2"), task("1")]


def test_a_task_that_has_just_been_added_is_one_more_and_not_two() -> None:
    state = in_doubles(
        added(workflow("w")), task_added("w", task("1"), 0), task_updated("w", task("2"), 1)
    )

    item = state.items["w"]
    assert isinstance(item, Workflow)
    assert item.tasks == [task("1")]
    assert [one.kind for one in state.anomalies] == [AnomalyKind.INDEX_OUT_OF_RANGE]


def test_only_the_tasks_that_load_are_put_to_rest() -> None:
    json = item("f", "workflow", workflow={"tasks": [{"title": "a"}, task("b", status="loading")]})
    loading = parse_item(json).item

    assert isinstance(loading, Workflow)
    rested = loading.sealed()
    assert rested.tasks == [{"title": "a"}, task("b")]
    assert rested.sealed() is rested


def test_a_task_that_comes_as_it_is_changes_nothing() -> None:
    state = state_after(added(workflow("f", "a")))

    assert reduce(state, task_updated("f", task("a"), 0)) is state
