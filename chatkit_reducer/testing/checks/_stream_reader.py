"""Read a stream as a client does, event by event, and note its flaws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chatkit_reducer.analysis.comparison import Difference, compare_items, path_text
from chatkit_reducer.analysis.inspection import Mistake, MistakeKind, mistakes
from chatkit_reducer.core.anomalies import Anomaly, AnomalyKind, Fault
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.items import AssistantMessage, Workflow
from chatkit_reducer.core.items.assistant_message import part_at
from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.core.thread.reduce import reduce
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    ErrorEvent,
    Event,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    UnknownUpdate,
    WorkflowTaskAdded,
)
from chatkit_reducer.testing._text import in_short, two_sides
from chatkit_reducer.testing.checks._findings import Flaw, Found

_PARTS = (
    AssistantMessageContentPartAdded
    | AssistantMessageContentPartAnnotationAdded
    | AssistantMessageContentPartDone
    | AssistantMessageContentPartTextDelta
)

_FLAWS = {
    AnomalyKind.ITEM_ALREADY_PRESENT: Flaw.NOT_UNIQUE,
    AnomalyKind.INDEX_OUT_OF_RANGE: Flaw.OUT_OF_ORDER,
}
"""The flaw for a kind of anomaly; all others are `DOES_NOT_FIT`."""

_FLAWS_OF_MISTAKES = {
    MistakeKind.UPDATE_AS_EVENT: Flaw.UPDATE_AS_EVENT,
    MistakeKind.HIDDEN_ITEM: Flaw.HIDDEN_ITEM,
    MistakeKind.PLACEHOLDER_ID: Flaw.PLACEHOLDER_ID,
}
"""The flaw for a kind of mistake; a difference is described with both sides."""


class StreamReader:
    """A stream so far, and its flaws."""

    def __init__(self, stored: Iterable[Mapping[str, Any]] = ()) -> None:
        self.events: list[Event] = []
        self._state = ThreadState.from_items(stored)
        self._found: list[Found] = []
        self._shown: set[str] = set()
        """Items with content or updates: these must add up to the item that is done."""
        self._finished: dict[str, int] = {}
        """Items that were done, and had no updates since; with the place of that event."""
        self._reopened: dict[str, int] = {}
        """Items that were done, and had updates since; with the place of the first of these."""

    def note(self, flaw: Flaw, problem: str, *details: str) -> None:
        """Note a flaw of the next event."""
        self._found.append(Found(flaw=flaw, position=self._next, problem=problem, details=details))

    @property
    def _next(self) -> int:
        """The number of the next event, counted from 1."""
        return len(self.events) + 1

    def take(self, event: Event) -> None:
        """Read one more event."""
        match event:
            case ThreadItemAdded():
                self._begin(event)
            case ThreadItemUpdated():
                self._update(event)
            case ThreadItemDone() | ThreadItemReplaced():
                self._finish(event)
            case ThreadItemRemoved():
                self._forget(event.item_id)
            case ErrorEvent():
                self.note(Flaw.FAILED, f"the stream has failed: {in_short(to_json(event))}")
            case _:
                pass
        for mistake in mistakes(self._state, event):
            self._note_mistake(event, mistake)
        noted = len(self._state.anomalies)
        self._state = reduce(self._state, event, position=len(self.events))
        for anomaly in self._state.anomalies[noted:]:
            self._note_anomaly(anomaly)
        self.events.append(event)

    def found(self) -> list[Found]:
        """List all flaws, as if the stream ended here."""
        return [*self._found, *map(self._left_pending, self._state.pending)]

    def _left_pending(self, item_id: str) -> Found:
        kind = self._state.items[item_id].type
        problem = f"{kind} {item_id} is not done when the stream ends"
        if item_id in self._reopened:
            place = self._reopened[item_id]
            problem = f"{kind} {item_id} was done, updated by event {place}, and not done again"
        return Found(flaw=Flaw.LEFT_PENDING, position=self._next, problem=problem)

    def _note_mistake(self, event: Event, mistake: Mistake) -> None:
        if mistake.difference is not None:
            self._note_difference(mistake.difference)
        elif mistake.kind is MistakeKind.HIDDEN_ITEM and isinstance(event, ThreadItemDone):
            pass  # 1.6.5, `chatkit/server.py`: `_process_events` holds this one event back
        else:
            self.note(_FLAWS_OF_MISTAKES[mistake.kind], mistake.problem)

    def _note_anomaly(self, anomaly: Anomaly) -> None:
        flaw = _FLAWS.get(anomaly.kind, Flaw.DOES_NOT_FIT)
        if anomaly.event == "workflow.task.updated":
            flaw = Flaw.DOES_NOT_FIT  # the task does not exist
        self.note(flaw, anomaly.problem)

    # --- the life of an item ----------------------------------------------------------------------

    def _begin(self, event: ThreadItemAdded) -> None:
        item_id = str(event.item.get("id"))
        self._forget(item_id)
        state = reduce(ThreadState(), event)
        if any(not item.is_empty for item in state.items.values()):
            self._shown.add(item_id)

    def _forget(self, item_id: str) -> None:
        self._shown.discard(item_id)
        self._finished.pop(item_id, None)
        self._reopened.pop(item_id, None)

    def _update(self, event: ThreadItemUpdated) -> None:
        item = self._state.items.get(event.item_id)
        if self._finished.pop(event.item_id, None) is not None:
            self._reopened[event.item_id] = self._next
        if isinstance(event.update, UnknownUpdate):
            self._shown.discard(event.item_id)  # its effect is unknown
        else:
            self._shown.add(event.item_id)
        if isinstance(item, AssistantMessage) and isinstance(event.update, _PARTS):
            self._check_part(item, event.update)
        elif isinstance(item, Workflow) and isinstance(event.update, WorkflowTaskAdded):
            self._check_task(item, event.update)

    def _finish(self, event: ThreadItemDone | ThreadItemReplaced) -> None:
        item_id = str(event.item.get("id"))
        before = self._finished.get(item_id)
        known = self._state.items.get(item_id)
        if isinstance(event, ThreadItemDone) and before is not None:
            self.note(Flaw.NOT_UNIQUE, f"the item was done already by event {before}")
        elif isinstance(event, ThreadItemDone) and known and known.type != event.item.get("type"):
            self.note(Flaw.NOT_UNIQUE, f"{item_id} is the id of an item of type {known.type}")
            self._shown.discard(item_id)  # the difference between these two does not matter
        # `replaced` is a change itself, as a guardrail makes it: only a `done` has to add up.
        ends = isinstance(event, ThreadItemDone) and self._is_pending(item_id)
        if ends and item_id in self._shown:
            for each in compare_items(self._state.items[item_id].json_view(), event.item):
                self._note_difference(each)
        self._forget(item_id)
        self._finished[item_id] = self._next

    def _is_pending(self, item_id: str) -> bool:
        return self._state.phase(item_id) in {Phase.PENDING, Phase.PENDING_OVER_BASE}

    def _note_difference(self, difference: Difference) -> None:
        before, after = difference.before, difference.after
        updates, whole = two_sides(before, after)
        details = [f"the updates say: {updates}", f"this event says: {whole}"]
        if isinstance(before, str) and isinstance(after, str) and after and before.endswith(after):
            details.append("a delta is what is new since the one before, and not all that there is")
        problem = f"{path_text(difference.path)} is not what the updates add up to"
        self.note(Flaw.MISMATCH, problem, *details)

    # --- indices ----------------------------------------------------------------------------------

    def _check_part(self, item: AssistantMessage, update: Any) -> None:
        index, parts = update.content_index, item.parts
        if len(parts) < index and not isinstance(part_at(item, index), Fault):
            self.note(Flaw.OUT_OF_ORDER, f"content_index is {index}, of {len(parts)} parts")
        elif isinstance(update, AssistantMessageContentPartAdded):
            if 0 <= index < len(parts) and not parts[index].is_blank:
                self.note(Flaw.OUT_OF_ORDER, f"part {index} is there already, and begins again")
        elif isinstance(update, AssistantMessageContentPartAnnotationAdded):
            part = parts[index] if 0 <= index < len(parts) else None
            cited = 0 if part is None or part.annotations is None else len(part.annotations)
            if update.annotation_index > cited:
                place = update.annotation_index
                self.note(Flaw.OUT_OF_ORDER, f"annotation_index is {place}, of {cited} annotations")

    def _check_task(self, item: Workflow, update: WorkflowTaskAdded) -> None:
        index, tasks = update.task_index, item.sequence
        if 0 <= index < len(tasks) and json_equal(tasks[index], update.task):
            self.note(Flaw.NOT_UNIQUE, f"the workflow has this very task at task_index {index}")
