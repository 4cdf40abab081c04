"""Track whether an item shows more than its stored copy, update by update.

`ItemState.adds_nothing_to` compares two whole items. Asking that after every event, as `sweep`
does, would look at a long item as often as it is updated. So here each place of an item (a part, a
task, a component) is compared by itself, and after an update only the place that it touched.
"""

from __future__ import annotations

from typing import Any, Protocol

from chatkit_reducer.core.items.assistant_message import AssistantMessage
from chatkit_reducer.core.items.base import ItemState
from chatkit_reducer.core.items.extending import children_of, says_as_much, task_extends
from chatkit_reducer.core.items.message_parts import EMPTY_PART, Part
from chatkit_reducer.core.items.widget import Widget
from chatkit_reducer.core.items.widget_tree import ROOT, Component, Components
from chatkit_reducer.core.items.workflow import Workflow, finished_task, shell_extends
from chatkit_reducer.core.json_values import equal_ignoring_nulls
from chatkit_reducer.core.vector import EMPTY_VECTOR
from chatkit_reducer.events import (
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartTextDelta,
    Json,
    Update,
    WidgetComponentUpdated,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)

__all__ = ["News", "news_of"]


class News(Protocol):
    """The content of an item that its stored copy does not show."""

    @property
    def is_none(self) -> bool:
        """Whether there is none, as `item.sealed().adds_nothing_to(base)` says."""
        ...

    def update(self, item: ItemState, update: Update) -> None:
        """Take note of the item after one more update that fits it.

        A task that was added is one even where its place did not fit.
        """
        ...


def news_of(item: ItemState, base: ItemState) -> News:
    """Compare an item with its stored copy."""
    if isinstance(item, AssistantMessage) and isinstance(base, AssistantMessage):
        return _OfMessage(item, base)
    if isinstance(item, Workflow) and isinstance(base, Workflow):
        return _OfWorkflow(item, base)
    if isinstance(item, Widget) and isinstance(base, Widget):
        return _OfWidget(item, base)
    return _OfWhole(item, base)


class _OfWhole:
    """Of an item that is compared as a whole: it has one place only, or none at all."""

    def __init__(self, item: ItemState, base: ItemState) -> None:
        self._base = base
        self.is_none: bool = item.sealed().adds_nothing_to(base)

    def update(self, item: ItemState, update: Update) -> None:
        self.is_none = item.sealed().adds_nothing_to(self._base)


class _OfMessage:
    def __init__(self, item: AssistantMessage, base: AssistantMessage) -> None:
        self._base = base.parts
        self._citations: dict[int, int] = {}
        """For parts that are shown: behind which of the stored citations the newest one stands."""
        self._hidden = {
            index for index, part in enumerate(item.parts) if not self._stored(index).extends(part)
        }

    @property
    def is_none(self) -> bool:
        return not self._hidden

    def update(self, item: ItemState, update: Any) -> None:
        assert isinstance(item, AssistantMessage)
        index = getattr(update, "content_index", -1)
        if not 0 <= index < len(item.parts):
            return
        if self._is_shown(index, item.parts[index], update):
            self._hidden.discard(index)
        else:
            self._hidden.add(index)
            self._citations.pop(index, None)

    def _stored(self, index: int) -> Part:
        return self._base[index] if index < len(self._base) else EMPTY_PART

    def _is_shown(self, index: int, part: Part, update: Any) -> bool:
        if type(update) is AssistantMessageContentPartTextDelta and part.text is not None:
            if index in self._hidden:
                return False  # more text makes it no more like the stored one
            before = part.text.characters - len(update.delta)
            if before and not part.text.is_cut:
                return str(self._stored(index).text).startswith(update.delta, before)
        elif type(update) is AssistantMessageContentPartAnnotationAdded:
            return self._is_cited(index, part, update.annotation_index)
        else:
            self._citations.pop(index, None)
        return self._stored(index).extends(part)

    def _is_cited(self, index: int, part: Part, at: int) -> bool:
        """Whether the part is shown now that it has one more citation."""
        citations, stored = part.annotations or EMPTY_VECTOR, self._stored(index)
        place = self._citations.get(index)
        if place is None or at < len(citations) - 1:
            if not stored.extends(part):
                return False
            place, new = 0, list(citations)
        else:
            new = [citations[len(citations) - 1]]
        every = stored.annotations or EMPTY_VECTOR
        for citation in new:
            while place < len(every) and not equal_ignoring_nulls(every[place], citation):
                place += 1
            place += 1
        self._citations[index] = place
        return place <= len(every)


class _OfWorkflow:
    def __init__(self, item: Workflow, base: Workflow) -> None:
        self._base = base.sequence
        self._size = 0
        self._hidden: set[int] = set()
        self._is_another = not shell_extends(base, item)
        """Whether it shows something that no update of a task takes back."""
        self._compare(item)

    @property
    def is_none(self) -> bool:
        return not self._hidden and not self._is_another

    def _compare(self, item: Workflow) -> None:
        self._size = len(item.sequence)
        self._is_another = self._is_another or self._size > len(self._base)
        if not self._is_another:
            self._hidden = {
                index for index, task in enumerate(item.sequence) if not self._shows(index, task)
            }

    def _shows(self, index: int, task: Json) -> bool:
        return task_extends(self._base[index], finished_task(task))

    def update(self, item: ItemState, update: Update) -> None:
        assert isinstance(item, Workflow)
        if self._is_another:
            return
        tasks, size = item.sequence, self._size
        index = update.task_index if isinstance(update, WorkflowTaskUpdated) else size
        if isinstance(update, WorkflowTaskAdded) and len(tasks) > size:
            self._size = size + 1
            if update.task_index < size or size == len(self._base):
                self._compare(item)  # all behind it have another place now
                return
        if not 0 <= index < len(tasks):
            return
        if self._shows(index, tasks[index]):
            self._hidden.discard(index)
        else:
            self._hidden.add(index)


class _OfWidget:
    def __init__(self, item: Widget, base: Widget) -> None:
        self._base = base.components
        self._compare(item.components)

    @property
    def is_none(self) -> bool:
        return not self._hidden

    def _compare(self, components: Components) -> None:
        self._now = components
        self._stored: dict[int, int] = {}
        """The keys of components, with those of the stored ones in the same places."""
        self._hidden: set[int] = set()
        self._compare_at(ROOT, ROOT)

    def _compare_at(self, key: int, stored: int) -> None:
        todo = [(key, stored)]
        while todo:
            key, stored = todo.pop()
            self._stored[key] = stored
            one, other = self._base.at(stored), self._now.at(key)
            if _shows(one, other):
                todo.extend(zip(other.children, one.children, strict=True))
            else:
                self._hidden.add(key)

    def update(self, item: ItemState, update: Update) -> None:
        assert isinstance(item, Widget)
        before, now = self._now, item.components
        if isinstance(update, WidgetRootUpdated):
            self._compare(now)
            return
        self._now = now
        if now is before or not isinstance(
            update, WidgetComponentUpdated | WidgetStreamingTextValueDelta
        ):
            return
        key = before.key_of(update.component_id)
        stored = None if key is None else self._stored.get(key)
        if key is None or stored is None:  # it is below one that is hidden
            return
        if isinstance(update, WidgetComponentUpdated):
            for old in before.keys_below(key):
                self._stored.pop(old, None)
                self._hidden.discard(old)
            self._compare_at(key, stored)
        elif key not in self._hidden and not self._shows_text(key, stored, update.delta):
            self._hidden.add(key)

    def _shows_text(self, key: int, stored: int, delta: str) -> bool:
        text, value = self._now.at(key).text, self._base.at(stored).json_view().get("value")
        before = 0 if text is None else text.characters - len(delta)
        if before and isinstance(value, str) and not (text and text.is_cut):
            return value.startswith(delta, before)
        return _shows(self._base.at(stored), self._now.at(key))


def _shows(stored: Component, component: Component) -> bool:
    """Whether a stored component shows all of another, and has children in the same places."""
    newer, older = stored.with_half().json_view(), component.with_half().json_view()
    if older.get("streaming") is True:
        older = {**older, "streaming": False}  # as it is once it is sealed
    mine, theirs = children_of(newer), children_of(older)
    if len(mine) < len(theirs) or len(stored.children) != len(component.children):
        return False
    others = [
        (one, other)
        for one, other in zip(mine, theirs, strict=False)
        if not (isinstance(one, dict) and isinstance(other, dict))
    ]
    return says_as_much(newer, older) and all(equal_ignoring_nulls(*pair) for pair in others)
