"""The JSON of an item to draw, in which what stays the same is the same object.

A drawing takes over what it has drawn of the same object (`drawing.place`). Long lists are vectors
here, so that two versions of one are compared at the cost of what is new, and so is the item
sealed: as it is written if it is kept, with nothing in it that claims to be running.
"""

from __future__ import annotations

from typing import Protocol

from chatkit_reducer.core.items import AssistantMessage, ItemState, Widget, Workflow
from chatkit_reducer.core.items.workflow import finished_task
from chatkit_reducer.core.vector import EMPTY_VECTOR, Vector
from chatkit_reducer.events import Json
from chatkit_reducer.view.drawing.content import Content
from chatkit_reducer.view.lasting_widget import LastingComponents

__all__ = ["Lasting", "lasting"]


class Lasting(Protocol):
    """Makes the JSON of one item, from one version of it to the next."""

    def json(self, item: ItemState) -> Json:
        """Return the JSON of the item to draw."""
        ...

    def sealed(self, item: ItemState) -> Json | None:
        """Return the JSON of the item sealed; None if that is the item as it is.

        Args:
            item: the item of which `json` was asked last.
        """
        ...


def lasting(item: ItemState) -> Lasting:
    """Return what makes the JSON of an item."""
    if isinstance(item, AssistantMessage):
        return _OfMessage()
    if isinstance(item, Workflow):
        return _OfWorkflow()
    return _OfWidget() if isinstance(item, Widget) else _OfWhole()


class _OfWhole:
    """Of an item without long lists."""

    def json(self, item: ItemState) -> Json:
        return item.json_view()

    def sealed(self, item: ItemState) -> Json | None:
        rest = item.sealed()
        return None if rest is item else rest.json_view()


class _OfMessage:
    def __init__(self) -> None:
        self._content = Content()

    def json(self, item: ItemState) -> Json:
        assert isinstance(item, AssistantMessage)
        self._content = self._content.after(item.parts)
        return {**item.json, "content": self._content}

    def sealed(self, item: ItemState) -> Json | None:
        return None


class _OfWorkflow:
    def __init__(self) -> None:
        self._tasks: Vector[Json] = EMPTY_VECTOR
        self._rested: Vector[Json] = EMPTY_VECTOR
        self._running: int = 0
        """How many tasks are not as they would be written."""

    def json(self, item: ItemState) -> Json:
        assert isinstance(item, Workflow)
        tasks = item.sequence
        front, back = self._tasks.same_ends(tasks)
        end = len(self._tasks) - back
        self._running -= self._count_running(front, end)
        rested = [finished_task(tasks[index]) for index in range(front, len(tasks) - back)]
        self._tasks, self._rested = tasks, self._rested.spliced(front, end, rested)
        self._running += self._count_running(front, len(tasks) - back)
        return _with_tasks(item, tasks)

    def _count_running(self, first: int, end: int) -> int:
        places = range(first, end)
        return sum(self._tasks[index] is not self._rested[index] for index in places)

    def sealed(self, item: ItemState) -> Json | None:
        assert isinstance(item, Workflow)
        return _with_tasks(item, self._rested) if self._running else None


def _with_tasks(item: Workflow, tasks: Vector[Json]) -> Json:
    return {**item.json, "workflow": {**item.json["workflow"], "tasks": tasks}}


class _OfWidget:
    def __init__(self) -> None:
        self._components = LastingComponents()

    def json(self, item: ItemState) -> Json:
        assert isinstance(item, Widget)
        return {**item.json, "widget": self._components.after(item.components).json}

    def sealed(self, item: ItemState) -> Json | None:
        root = self._components.root
        return None if root.sealed is root.json else {**item.json, "widget": root.sealed}
