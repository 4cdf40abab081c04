"""What every item state has in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from msgspec import Struct

from chatkit_reducer.core.anomalies import AnomalyKind, Fault
from chatkit_reducer.core.by_content import ByContent
from chatkit_reducer.core.described import described
from chatkit_reducer.core.json_values import equal_ignoring_nulls, json_copy, json_equal

if TYPE_CHECKING:
    from chatkit_reducer.events import Json, Update

__all__ = [
    "GrowingText",
    "ItemState",
    "MissingValue",
    "Reducers",
    "UpdateType",
    "VisibleContent",
    "field_of",
    "is_list_of_objects",
    "negative_index",
    "wrong_item_type",
]


_OF_EVERY_ITEM = frozenset({"id", "thread_id", "created_at", "type"})
_FIELD = re.compile("[a-z_]{1,40}").fullmatch


Reducers: TypeAlias = "dict[type[Any], Callable[[Any, Any], ItemState | Fault]]"
"""Update class: its reducer, for items of one type."""


UpdateType: TypeAlias = "type[Any]"
"""The class of an update."""


class GrowingText(NamedTuple):
    """The text that an update has lengthened, for `ThreadState` to keep outside of the item."""

    place: int
    """The part of the item that has the text."""
    pieces: list[str]
    piece_count: int
    """The text is the first `piece_count` pieces; see `core.items.text`."""


class MissingValue(NamedTuple):
    """The value of a field that an update lacks, and the remedy in words."""

    value: Any
    instead: str


class VisibleContent(Struct, frozen=True, gc=False):
    """How much of an item, or of several, people have before their eyes."""

    characters: int = 0
    """Of the assistant's text, in messages and in widgets."""
    tasks: int = 0
    widgets: int = 0
    images: int = 0

    def __add__(self, other: VisibleContent) -> VisibleContent:
        return VisibleContent(
            self.characters + other.characters,
            self.tasks + other.tasks,
            self.widgets + other.widgets,
            self.images + other.images,
        )

    def __sub__(self, other: VisibleContent) -> VisibleContent:
        return VisibleContent(
            self.characters - other.characters,
            self.tasks - other.tasks,
            self.widgets - other.widgets,
            self.images - other.images,
        )


class ItemState(ByContent, frozen=True, gc=False, eq=False):
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

    def json_view(self) -> Json:
        """Return the item as JSON that shares its insides with the state: read, never write."""
        return self.json

    def to_json(self) -> Json:
        """Return the plain ChatKit JSON mapping of the item, yours to change."""
        return json_copy(self.json_view())

    @property
    def is_empty(self) -> bool:
        """Whether it shows nothing. An item of an unknown type counts as showing something."""
        return False

    @property
    def seen(self) -> VisibleContent:
        """How much there is to see in it."""
        return VisibleContent()

    def sealed(self) -> ItemState:
        """Return this item with nothing in it that claims to be running; itself if nothing does."""
        return self

    def growing_text(self, update: Update) -> GrowingText | None:
        """Return the text that this update of the item has lengthened; None if it is not text."""
        return None

    def with_growing_text(self, index: int, pieces: list[str], count: int) -> ItemState:
        """Return this item with the text of a part replaced by a longer one; see `growing_text`."""
        raise NotImplementedError

    def progress_of(self, update: Update) -> float | None:
        """Return how far this update says that the item has come, from 0 to 1."""
        return None

    def missing_value(
        self, update_type: UpdateType, name: str, known: Json
    ) -> MissingValue | Fault | None:
        """Return the value of a field that an update for this item lacks; see `items.incomplete`.

        Args:
            update_type: the class of the update.
            name: the field.
            known: the fields of the update, those that were missing before this one included.

        Returns:
            None where the value does not depend on the item; a fault where it cannot be told.
        """
        return None

    @staticmethod
    def updatable_part(json: Json) -> Json:
        """Return the part of an item that its updates build; the item is compared by it.

        For an item type without updates that is nothing.
        """
        return {}

    def halves(self) -> list[Update]:
        """For each text that ends with the first half of a character, the delta that brings it."""
        return []

    def without_halves(self) -> ItemState:
        """Return this item before the deltas that `halves` names; itself if there are none."""
        return self

    def diff_to(self, other: ItemState) -> list[Update] | None:
        """Return the updates that turn this item into another of its type; None if none can."""
        return None

    def extends(self, older: ItemState) -> bool:
        """Whether this item shows all that another of its type shows, and perhaps more.

        Reflexive and transitive; see `items.extending`. An item that changes only as a whole
        extends the same item, whenever it was made (openai-chatkit 1.6.5 reads the clock for
        `thread.item.added` and again for `thread.item.done`).
        """
        mine, theirs = (
            {name: value for name, value in one.json_view().items() if name != "created_at"}
            for one in (self, older)
        )
        return equal_ignoring_nulls(mine, theirs)

    def adds_nothing_to(self, base: ItemState) -> bool:
        """Whether the base shows all of this item, so that writing it could only lose something."""
        return base.extends(self)

    def telling(self) -> Mapping[str, object]:
        """Return what a person wants to know of the item besides its id, by name."""
        names = [name for name in self.json if _FIELD(name) and name not in _OF_EVERY_ITEM]
        return {"type": self.type, **{name: self.json[name] for name in names[:3]}}

    def __repr__(self) -> str:
        return described(self, lambda: {"id": self.id, **self.telling()})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ItemState):
            return NotImplemented
        return self is other or (
            type(self) is type(other)
            and json_equal(self.json_view(), other.json_view())
            and self.halves() == other.halves()
        )


def wrong_item_type(state: ItemState, update: Update) -> Fault:
    """Return the fault of an update that is for another type of item."""
    what = type(update).__name__
    return Fault(AnomalyKind.UPDATE_MISFIT, f"{what} is not for an item of type {state.type!r}")


def negative_index(name: str, index: int) -> Fault:
    """Return the fault of an index below 0 (Python counts it from the end, as the SDK does)."""
    return Fault(AnomalyKind.INDEX_OUT_OF_RANGE, f"{name} {index} is negative")


def field_of(value: Any, name: str) -> Any:
    """Return a mapping with one field of a mapping; a value that is not one stays as it is."""
    return {name: value.get(name)} if isinstance(value, dict) else value


def is_list_of_objects(value: object) -> bool:
    """Whether a JSON value is a list, and all in it are objects."""
    if type(value) is not list:
        return False
    for element in value:  # noqa: SIM110  # `all` with a generator takes three times as long
        if type(element) is not dict:
            return False
    return True
