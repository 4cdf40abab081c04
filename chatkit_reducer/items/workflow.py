"""Workflows: a list of tasks, each replaced as a whole.

Reference: openai-chatkit 1.6.5, `chatkit/server.py`, `ChatKitServer._update_pending_items`.
"""

from __future__ import annotations

from itertools import chain
from operator import is_
from typing import Any

from chatkit_reducer.anomalies import Fault, FaultKind
from chatkit_reducer.events import (
    Json,
    ThreadItemUpdated,
    Update,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)
from chatkit_reducer.items.base import (
    END,
    Events,
    ItemState,
    Reducers,
    Seen,
    Taken,
    is_list_of_objects,
    negative_index,
)
from chatkit_reducer.json_values import same_json
from chatkit_reducer.persistent import Map

__all__ = ["REDUCERS", "Workflow", "WorkflowDraft", "add_task", "update_task"]


class Workflow(ItemState, frozen=True, gc=False, eq=False):
    """A workflow: its tasks in order."""

    _by_index: Map[int, Json] | None = None
    """The tasks by index, so that replacing one copies a few, not all. None while the workflow is
    as it came."""

    @classmethod
    def parse(cls, json: Json) -> Workflow | None:
        """The state of an item mapping; None where there is no list of tasks in it."""
        workflow = json.get("workflow")
        if type(workflow) is dict and is_list_of_objects(workflow.get("tasks")):
            return cls(json)
        return None

    @classmethod
    def of(cls, json: Json, tasks: list[Json]) -> Workflow:
        """The workflow that is `json`, but with these tasks."""
        return cls(json, Map.of(dict(enumerate(tasks))))

    @property
    def by_index(self) -> Map[int, Json]:
        """The tasks by index, from 0 without a gap."""
        if self._by_index is None:
            return Map.of(dict(enumerate(self.json["workflow"]["tasks"])))
        return self._by_index

    @property
    def tasks(self) -> list[Json]:
        """The tasks in order: a new list of the tasks themselves, which are not to be changed."""
        if self._by_index is None:
            return list(self.json["workflow"]["tasks"])
        return [task for _, task in sorted(self._by_index.items())]

    @property
    def is_empty(self) -> bool:
        """Whether it has no tasks, and no summary either."""
        return not self.by_index.count and self.json["workflow"].get("summary") is None

    @property
    def seen(self) -> Seen:
        """Its tasks."""
        return Seen(tasks=len(self.by_index))

    def sealed(self) -> Workflow:
        """Tasks that say `loading` say `none`."""
        tasks = self.tasks
        rested = [at_rest(task) for task in tasks]
        if all(map(is_, tasks, rested)):
            return self
        return Workflow.of(self.json, rested)

    def updates_to(self, other: ItemState) -> list[Update] | None:
        """Tasks replaced and added; none can be taken away, and the rest cannot be updated."""
        if not isinstance(other, Workflow) or not same_json(self._shell, other._shell):
            return None
        before, after = self.tasks, other.tasks
        if len(before) > len(after):
            return None
        updates: list[Update] = [
            WorkflowTaskUpdated(index, task)
            for index, task in enumerate(after[: len(before)])
            if not same_json(before[index], task)
        ]
        updates += [WorkflowTaskAdded(i, task) for i, task in enumerate(after) if i >= len(before)]
        return updates

    @property
    def _shell(self) -> Json:
        """What no update can change."""
        return {**self.json, "workflow": {**self.json["workflow"], "tasks": []}}

    def plain(self) -> Json:
        """The item as plain JSON data that shares its insides with the state."""
        if self._by_index is None:
            return self.json
        return {**self.json, "workflow": {**self.json["workflow"], "tasks": self.tasks}}


def at_rest(task: Json) -> Json:
    """The task, but with the status `none` where it says that it is loading."""
    return (
        {**task, "status_indicator": "none"} if task.get("status_indicator") == "loading" else task
    )


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
    if same_json(tasks.get(index), update.task):
        return item
    ordered = item.tasks
    ordered.insert(index, update.task)
    return Workflow.of(item.json, ordered)


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
    tasks = item.by_index
    if index >= len(tasks):
        problem = f"task_index {index} is past the end of {len(tasks)} tasks"
        return Fault(FaultKind.INDEX_OUT_OF_RANGE, problem)
    if same_json(tasks.get(index), update.task):
        return item
    return Workflow(item.json, tasks.set(index, update.task))


class WorkflowDraft:
    """A workflow that changes in place while a fold lasts; see `items.base.ItemDraft`.

    Updates make of it what `add_task` and `update_task` make of it, one by one. It does not take
    what is not plain: a task that is added anywhere but at the end, or an update for one that is
    not there.
    """

    __slots__ = ("_by_index", "_changed", "_item", "_size")

    def __init__(self, item: Workflow) -> None:
        self._item = item
        self._by_index = item.by_index
        self._changed: dict[int, Json | None] = {}
        self._size = len(self._by_index)

    def take(self, item_id: str, first: ThreadItemUpdated, events: Events) -> Taken:
        """Takes `first`, and of `events` as many as it can."""
        changed, size, taken = self._changed, self._size, 0
        event: Any = END
        for event in chain((first,), events):
            if type(event) is not ThreadItemUpdated or event.item_id != item_id:
                break
            update = event.update
            if type(update) is WorkflowTaskUpdated and 0 <= update.task_index < size:
                changed[update.task_index] = update.task
            elif type(update) is WorkflowTaskAdded and update.task_index == size:
                changed[size] = update.task
                size += 1
            else:
                break
            taken += 1
        else:
            event = END
        self._size = size
        return event, taken

    def item(self) -> Workflow:
        """The workflow after all that was taken; the same object if nothing changed."""
        before = self._by_index
        changed = {i: t for i, t in self._changed.items() if not same_json(before.get(i), t)}
        return Workflow(self._item.json, before.updated(changed)) if changed else self._item


REDUCERS: Reducers = {WorkflowTaskAdded: add_task, WorkflowTaskUpdated: update_task}
