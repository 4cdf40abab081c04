"""Workflows: a list of tasks, each replaced as a whole.

Reference: openai-chatkit 1.6.5, `chatkit/server.py`, `ChatKitServer._update_pending_items`.
"""

from __future__ import annotations

from chatkit_reducer.anomalies import Fault, FaultKind
from chatkit_reducer.events import Json, WorkflowTaskAdded, WorkflowTaskUpdated
from chatkit_reducer.items.base import ItemState, field_of, negative_index
from chatkit_reducer.persistent import Map

__all__ = ["REDUCERS", "Workflow", "add_task", "update_task"]


class Workflow(ItemState, frozen=True, gc=False, eq=False):
    """A workflow. Its tasks are kept by index, so that replacing one copies a few, not all."""

    by_index: Map[int, Json]

    @classmethod
    def parse(cls, json: Json) -> Workflow | None:
        """The state of an item mapping; None where there is no list of tasks in it."""
        workflow = field_of(json, "workflow", dict)
        tasks = field_of(workflow, "tasks", list) if workflow is not None else None
        if tasks is None or not all(isinstance(task, dict) for task in tasks):
            return None
        return cls(json, _numbered(tasks))

    @property
    def tasks(self) -> list[Json]:
        """The tasks in order: read, never write."""
        return _in_order(self.by_index)

    def plain(self) -> Json:
        """The item as plain JSON data that shares its insides with the state."""
        return {**self.json, "workflow": {**self.json["workflow"], "tasks": self.tasks}}


def _numbered(tasks: list[Json]) -> Map[int, Json]:
    return Map.of(dict(enumerate(tasks)))


def _in_order(tasks: Map[int, Json]) -> list[Json]:
    return [task for _, task in sorted(tasks.items(), key=_index)]


def _index(numbered: tuple[int, Json]) -> int:
    return numbered[0]


def add_task(item: Workflow, update: WorkflowTaskAdded) -> Workflow | Fault:
    """`workflow.task.added`: inserts the task at its index; past the end it appends, with a fault.

    Departs from 1.6.5, which appends whatever the index says. Its own producer serialises the
    added item by reference (`AgentContext.add_workflow_task`), so two quick calls send the second
    task twice: an equal task at that very index is the same task, and nothing changes.
    """
    index, tasks = update.task_index, item.by_index
    if index < 0:
        return negative_index("task_index", index)
    if index >= len(tasks):
        longer = Workflow(item.json, tasks.set(len(tasks), update.task))
        return longer if index == len(tasks) else _past_the_end(index, longer)
    if tasks.get(index) == update.task:
        return item
    ordered = _in_order(tasks)
    ordered.insert(index, update.task)
    return Workflow(item.json, _numbered(ordered))


def _past_the_end(index: int, longer: Workflow) -> Fault:
    count = len(longer.by_index) - 1
    problem = f"task_index {index} is past the end of {count} tasks"
    return Fault(FaultKind.INDEX_OUT_OF_RANGE, problem, "the task was appended", longer)


def update_task(item: Workflow, update: WorkflowTaskUpdated) -> Workflow | Fault:
    """`workflow.task.updated`: replaces the task at its index.

    Departs from 1.6.5, which raises `IndexError` for an index out of range (and so ends the whole
    response), and edits a task counted from the end for a negative one.
    """
    index = update.task_index
    if index < 0:
        return negative_index("task_index", index)
    task = item.by_index.get(index)
    if task is None:
        problem = f"task_index {index} is past the end of {len(item.by_index)} tasks"
        return Fault(FaultKind.INDEX_OUT_OF_RANGE, problem)
    return item if task == update.task else Workflow(item.json, item.by_index.set(index, update.task))


REDUCERS = {WorkflowTaskAdded: add_task, WorkflowTaskUpdated: update_task}
