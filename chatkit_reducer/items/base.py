"""What every item state has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from msgspec import Struct

from chatkit_reducer.anomalies import Fault, FaultKind
from chatkit_reducer.json_values import json_copy, same_json

if TYPE_CHECKING:
    from chatkit_reducer.events import Event, Json, ThreadItemUpdated, Unreadable, Update

__all__ = [
    "END",
    "Events",
    "ItemDraft",
    "ItemState",
    "Reducers",
    "Seen",
    "Taken",
    "is_list_of_objects",
    "misfit",
    "negative_index",
]


Events: TypeAlias = "Iterator[Event | Unreadable]"
"""A stream that is being folded."""

END: Any = object()
"""What stands for the next event where there is none."""

Taken: TypeAlias = "tuple[Any, int]"
"""The first event that was not taken, or `END`, and how many were."""


Reducers: TypeAlias = "dict[type[Any], Callable[[Any, Any], ItemState | Fault]]"
"""Update class: what it does to an item of the one type that it is for."""


class ItemDraft(Protocol):
    """An item that changes in place while a fold lasts, where updates come in crowds.

    A file of this folder has one if folding its updates one by one is too slow; nothing else
    depends on it. It takes the plain cases in a tight loop and leaves the rest to the reducers,
    faults above all. What it makes of events equals what the reducers make of them.
    """

    def __init__(self, item: Any) -> None: ...

    def take(self, item_id: str, first: ThreadItemUpdated, events: Events) -> Taken:
        """Takes `first`, an update of this item, and of `events` as many as it can."""
        ...

    def item(self) -> ItemState:
        """The item after all that was taken; the same object if nothing changed."""
        ...


class Seen(Struct, frozen=True, gc=False):
    """How much of an item, or of several, people have before their eyes."""

    characters: int = 0
    """Of the assistant's text, in messages and in widgets."""
    tasks: int = 0
    widgets: int = 0
    images: int = 0

    def __add__(self, other: Seen) -> Seen:
        return Seen(
            self.characters + other.characters,
            self.tasks + other.tasks,
            self.widgets + other.widgets,
            self.images + other.images,
        )

    def __sub__(self, other: Seen) -> Seen:
        return Seen(
            self.characters - other.characters,
            self.tasks - other.tasks,
            self.widgets - other.widgets,
            self.images - other.images,
        )


class ItemState(Struct, frozen=True, gc=False, eq=False):
    """One item of a thread, as it is now.

    `json` is the item as an event or a store brought it, unknown fields included. A subclass holds
    what updates change in fields of its own, which then count instead; `plain` puts both together.
    """

    json: Json

    @property
    def id(self) -> str:
        """The item's id."""
        return str(self.json["id"])

    @property
    def type(self) -> str:
        """The item's type on the wire, such as `"assistant_message"`; `""` where it has none."""
        kind = self.json.get("type")
        return kind if isinstance(kind, str) else ""

    def plain(self) -> Json:
        """The item as plain JSON data that shares its insides with the state: read, never write."""
        return self.json

    def to_json(self) -> Json:
        """The plain ChatKit JSON mapping of the item, yours to change."""
        return json_copy(self.plain())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see in it. Of a type that nobody knows, nobody can tell."""
        return False

    @property
    def seen(self) -> Seen:
        """How much there is to see in it."""
        return Seen()

    def sealed(self) -> ItemState:
        """This item with nothing in it that claims to be running; itself if nothing does."""
        return self

    def updates_to(self, other: ItemState) -> list[Update] | None:
        """The updates that turn this item into another of its type; None if none can."""
        return None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ItemState):
            return NotImplemented
        return self is other or (
            type(self) is type(other) and same_json(self.plain(), other.plain())
        )

    def __ne__(self, other: object) -> bool:
        # A Struct without an equality of its own brings an inequality, which is that of identity.
        return not self == other


def misfit(state: ItemState, update: Update) -> Fault:
    """The fault of an update that is for another type of item."""
    what = type(update).__name__
    return Fault(FaultKind.UPDATE_MISFIT, f"{what} is not for an item of type {state.type!r}")


def negative_index(name: str, index: int) -> Fault:
    """The fault of an index below 0 (Python would count it from the end, as the SDK does)."""
    return Fault(FaultKind.INDEX_OUT_OF_RANGE, f"{name} {index} is negative")


def is_list_of_objects(value: object) -> bool:
    """Whether a JSON value is a list, and all in it are objects."""
    if type(value) is not list:
        return False
    for element in value:  # noqa: SIM110  # `all` with a generator takes three times as long
        if type(element) is not dict:
            return False
    return True
