"""Workflows: a list of tasks, each replaced as a whole.

Reference: openai-chatkit 1.6.5, `chatkit/server.py`, `ChatKitServer._update_pending_items`.
"""

from __future__ import annotations

from operator import is_

from msgspec.structs import force_setattr

from chatkit_reducer.core.anomalies import AnomalyKind, Fault
from chatkit_reducer.core.items.base import (
    ItemState,
    MissingValue,
    Reducers,
    UpdateType,
    VisibleContent,
    field_of,
    is_list_of_objects,
    negative_index,
)
from chatkit_reducer.core.items.extending import task_extends
from chatkit_reducer.core.json_values import equal_ignoring_nulls, json_equal
from chatkit_reducer.core.vector import Vector
from chatkit_reducer.events import (
    Json,
    Update,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)

__all__ = ["REDUCERS", "Workflow", "add_task", "update_task"]


_UNCLEAR = Fault(AnomalyKind.FIELD_MISSING, "`task_index` is missing, and there are several tasks")


class Workflow(ItemState, frozen=True, gc=False, eq=False):
    """A workflow: its tasks in order."""

    _tasks: Vector[Json] | None = None
    """None while the workflow is as it came."""
    _came_with: Vector[Json] | None = None
    """The tasks of a workflow without updates, filled at the first access."""

    @classmethod
    def parse(cls, json: Json) -> Workflow | None:
        """Return the state of an item mapping; None if it has not a list of tasks."""
        workflow = json.get("workflow")
        if type(workflow) is dict and is_list_of_objects(workflow.get("tasks")):
            return cls(json)
        return None

    @property
    def sequence(self) -> Vector[Json]:
        """The tasks in order; they are not to be changed."""
        if self._tasks is not None:
            return self._tasks
        if self._came_with is None:
            force_setattr(self, "_came_with", Vector.of(self.json["workflow"]["tasks"]))
        return self._came_with  # type: ignore[return-value]  # it was set just now

    @property
    def tasks(self) -> list[Json]:
        """The tasks in order: a new list of the tasks themselves, which are not to be changed."""
        return list(self.sequence)

    @property
    def is_empty(self) -> bool:
        """Whether it has no tasks, and no summary either."""
        return not self.sequence and self.json["workflow"].get("summary") is None

    @property
    def seen(self) -> VisibleContent:
        """Its tasks."""
        return VisibleContent(tasks=len(self.sequence))

    def sealed(self) -> Workflow:
        """Tasks that say `loading` say `none`."""
        tasks = self.tasks
        rested = [finished_task(task) for task in tasks]
        if all(map(is_, tasks, rested)):
            return self
        return Workflow(self.json, Vector.of(rested))

    def missing_value(
        self, update_type: UpdateType, name: str, known: Json
    ) -> MissingValue | Fault | None:
        """Return the place behind the others for a new task, the only task for an update."""
        count = len(self.sequence)
        if name != "task_index":
            return None
        if update_type is WorkflowTaskAdded:
            return MissingValue(count, "the task was added behind the others")
        return MissingValue(0, "the only task was taken") if count <= 1 else _UNCLEAR

    def telling(self) -> Json:
        """Return how many tasks it has, and the newest one."""
        newest = next(reversed(self.tasks), {})
        return {"tasks": len(self.sequence), "newest": newest.get("title") or newest.get("content")}

    @staticmethod
    def updatable_part(json: Json) -> Json:
        """Return the tasks; `summary` and `expanded` come with the `done` alone."""
        return {"workflow": field_of(json.get("workflow"), "tasks")}

    def diff_to(self, other: ItemState) -> list[Update] | None:
        """Tasks replaced and added; none can be taken away, and the rest cannot be updated."""
        if not isinstance(other, Workflow) or not json_equal(self.shell, other.shell):
            return None
        before, after = self.tasks, other.tasks
        if len(before) > len(after):
            return None
        updates: list[Update] = [
            WorkflowTaskUpdated(index, task)
            for index, task in enumerate(after[: len(before)])
            if not json_equal(before[index], task)
        ]
        updates += [WorkflowTaskAdded(i, task) for i, task in enumerate(after) if i >= len(before)]
        return updates

    def extends(self, older: ItemState) -> bool:
        """Whether each task of the other is in this workflow, with its summary if it has one."""
        return (
            isinstance(older, Workflow)
            and len(self.sequence) >= len(older.sequence)
            and shell_extends(self, older)
            and all(map(task_extends, self.tasks, older.tasks))
        )

    @property
    def shell(self) -> Json:
        """The item without the tasks: no update changes it."""
        return {**self.json, "workflow": {**self.json["workflow"], "tasks": []}}

    def json_view(self) -> Json:
        """Return the item as plain JSON data that shares its insides with the state."""
        if self._tasks is None:
            return self.json
        return {**self.json, "workflow": {**self.json["workflow"], "tasks": self.tasks}}


def shell_extends(newer: Workflow, older: Workflow) -> bool:
    """Whether a workflow shows all that another shows beside its tasks."""
    mine, theirs = newer.json["workflow"], older.json["workflow"]
    return equal_ignoring_nulls(mine.get("type"), theirs.get("type")) and (
        theirs.get("summary") is None or same_summary(mine, theirs)
    )


def same_summary(one: Json, other: Json) -> bool:
    """Whether two workflows sum themselves up in the same way."""
    return equal_ignoring_nulls(one.get("summary"), other.get("summary"))


def finished_task(task: Json) -> Json:
    """Return the task, but with the status `none` where it says that it is loading."""
    return (
        {**task, "status_indicator": "none"} if task.get("status_indicator") == "loading" else task
    )


def add_task(item: Workflow, update: WorkflowTaskAdded) -> Workflow | Fault:
    """`workflow.task.added`: inserts the task at its index; past the end it appends, with a fault.

    Departs from 1.6.5, which appends at any index. Its own producer serialises the
    added item by reference (`AgentContext.add_workflow_task`), so two quick calls send the second
    task twice: an equal task at that very index is the same task, and nothing changes.
    """
    index, tasks = update.task_index, item.sequence
    if index < 0:
        return negative_index("task_index", index)
    if index >= len(tasks):
        longer = Workflow(item.json, tasks.append(update.task))
        return longer if index == len(tasks) else _past_the_end(index, longer)
    if json_equal(tasks[index], update.task):
        return item
    return Workflow(item.json, tasks.insert(index, update.task))


def _past_the_end(index: int, longer: Workflow) -> Fault:
    count = len(longer.sequence) - 1
    problem = f"task_index {index} is past the end of {count} tasks"
    return Fault(AnomalyKind.INDEX_OUT_OF_RANGE, problem, "the task was appended", longer)


def update_task(item: Workflow, update: WorkflowTaskUpdated) -> Workflow | Fault:
    """`workflow.task.updated`: replaces the task at its index.

    Departs from 1.6.5, which raises `IndexError` for an index out of range (and so ends the whole
    response), and edits a task counted from the end for a negative one.
    """
    index = update.task_index
    if index < 0:
        return negative_index("task_index", index)
    tasks = item.sequence
    if index >= len(tasks):
        problem = f"task_index {index} is past the end of {len(tasks)} tasks"
        return Fault(AnomalyKind.INDEX_OUT_OF_RANGE, problem)
    if json_equal(tasks[index], update.task):
        return item
    return Workflow(item.json, tasks.set(index, update.task))


def is_next(update: WorkflowTaskAdded, size: int) -> bool:
    """Whether it adds a task at the end, and there is in it what `decode` would put there."""
    index = update.task_index
    return type(index) is int and index == size and type(update.task) is dict


REDUCERS: Reducers = {WorkflowTaskAdded: add_task, WorkflowTaskUpdated: update_task}
