"""Task items: one task that stands alone in a thread. No update touches it."""

from __future__ import annotations

from chatkit_reducer.core.items.base import ItemState, Reducers, VisibleContent
from chatkit_reducer.core.items.extending import task_extends
from chatkit_reducer.core.items.workflow import finished_task
from chatkit_reducer.core.json_values import equal_ignoring_nulls
from chatkit_reducer.events import Json

__all__ = ["REDUCERS", "Task"]


class Task(ItemState, frozen=True, gc=False, eq=False):
    """A task that stands alone."""

    @classmethod
    def parse(cls, json: Json) -> Task:
        """Return the state of an item mapping; any mapping will do."""
        return cls(json)

    @property
    def seen(self) -> VisibleContent:
        """One task."""
        return VisibleContent(tasks=1)

    def extends(self, older: ItemState) -> bool:
        """Whether its task shows all that the other's shows, and the rest is the same."""
        mine, theirs = self.json.get("task"), older.json.get("task")
        if not (isinstance(mine, dict) and isinstance(theirs, dict)):
            return super().extends(older)
        rest, other_rest = (
            {name: value for name, value in one.json.items() if name not in ("created_at", "task")}
            for one in (self, older)
        )
        return equal_ignoring_nulls(rest, other_rest) and task_extends(mine, theirs)

    def sealed(self) -> Task:
        """Return this item, in which a task that says `loading` says `none`."""
        task = self.json.get("task")
        if not isinstance(task, dict):
            return self
        rested = finished_task(task)
        return self if rested is task else Task({**self.json, "task": rested})


REDUCERS: Reducers = {}
