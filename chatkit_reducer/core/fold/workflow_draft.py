"""A draft of a workflow."""

from __future__ import annotations

from itertools import chain
from typing import Any

from chatkit_reducer.core.fold.draft import EXHAUSTED, Events, Mend, Misfits, RunResult
from chatkit_reducer.core.halves import mended_json
from chatkit_reducer.core.items.workflow import Workflow, is_next
from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.events import Json, ThreadItemUpdated, WorkflowTaskAdded, WorkflowTaskUpdated

__all__ = ["WorkflowDraft"]


class WorkflowDraft:
    """A workflow that changes in place while a fold lasts; see `core.fold.draft.ItemDraft`.

    It leaves these to the reducers: a task that is added anywhere but at the end, or an update for
    a task that the workflow does not have.
    """

    __slots__ = ("_before", "_changed", "_item", "_mend", "_size", "misfits")

    def __init__(self, item: Workflow, mend: Mend = mended_json) -> None:
        self.misfits: Misfits = ()
        self._item = item
        self._mend = mend
        self._before = item.sequence
        self._changed: dict[int, Json] = {}
        self._size = len(self._before)

    def apply_run(self, item_id: str, first: ThreadItemUpdated, events: Events) -> RunResult:
        """Take `first`, and as many of `events` as possible."""
        changed, size, taken = self._changed, self._size, 0
        event: Any = EXHAUSTED
        for event in chain((first,), events):
            if type(event) is not ThreadItemUpdated or event.item_id != item_id:
                break
            update: Any = event.update
            kind = type(update)
            if kind is WorkflowTaskUpdated:
                index = update.task_index
                if type(index) is not int or not 0 <= index < size or type(update.task) is not dict:
                    break
            elif kind is WorkflowTaskAdded and is_next(update, size):
                index, size = size, size + 1
            else:
                break
            changed[index] = update.task
            taken += 1
        else:
            event = EXHAUSTED
        self._size = size
        return event, taken

    def finish(self) -> Workflow:
        """Return the workflow after all that was taken; the same object if nothing changed."""
        before, mend = self._before, self._mend
        tasks = {index: mend(task) for index, task in self._changed.items()}
        changed = {
            index: task
            for index, task in tasks.items()
            if index >= len(before) or not json_equal(before[index], task)
        }
        return Workflow(self._item.json, before.updated(changed)) if changed else self._item
