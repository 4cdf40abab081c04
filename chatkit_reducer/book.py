"""The items of a thread and all else that is known of it: the inside of a `ThreadState`.

`Book` does not change: its methods return another book. `Draft` has the same methods and changes in
place, for `fold`, while nobody else can see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from chatkit_reducer.anomalies import Anomaly
from chatkit_reducer.items import ItemState
from chatkit_reducer.lifecycle import Phase
from chatkit_reducer.persistent import EMPTY_LIST, EMPTY_MAP, Map, SharedList

if TYPE_CHECKING:
    from chatkit_reducer.events import ErrorEvent, Json

__all__ = ["Book", "Draft", "Entry", "Progress", "phase_of"]


class Entry(Struct, frozen=True, gc=False):
    """One item of a thread, and where it is in its life."""

    item: ItemState
    order: int
    phase: Phase
    base: ItemState | None = None
    """The stored copy, for an item that is pending over one."""


class Progress(Struct, frozen=True, gc=False):
    """What goes on right now, for the eye only: gone with the next item event.

    From a `progress_update`: `text` and `icon`. From a `generated_image.updated`: `item_id` and
    `fraction`, from 0 to 1.
    """

    text: str | None = None
    icon: str | None = None
    item_id: str | None = None
    fraction: float | None = None


class Book(Struct, frozen=True, gc=False):
    """All of a thread but what is streaming right now.

    The methods that change something return another book. A `Draft` has the same methods, and
    changes itself.
    """

    entries: Map[str, Entry] = EMPTY_MAP
    pending: Map[str, int] = EMPTY_MAP
    """The ids that are not done, each with its place in the thread."""
    next_order: int = 0
    anomalies: SharedList[Anomaly] = EMPTY_LIST
    thread: Json | None = None
    error: ErrorEvent | None = None
    progress: Progress | None = None
    stream_options: Json | None = None

    def entry(self, item_id: str) -> Entry | None:
        """The item with this id, or None."""
        return self.entries.get(item_id)

    def moved(self, item_id: str, to: Phase, item: ItemState) -> Book:
        """This book with the item in a phase, not that of absence, and with this content."""
        entry = moved(self.entries.get(item_id), to, item, self.next_order)
        pending = (
            self.pending.without(item_id)
            if to is Phase.STORED
            else self.pending.set(item_id, entry.order)
        )
        return replace(
            self,
            entries=self.entries.set(item_id, entry),
            pending=pending,
            next_order=max(self.next_order, entry.order + 1),
        )

    def without(self, item_id: str) -> Book:
        """This book without the item."""
        entries, pending = self.entries.without(item_id), self.pending.without(item_id)
        return replace(self, entries=entries, pending=pending)

    def holding(self, item_id: str, item: ItemState) -> Book:
        """This book with another content for an item that it has, in the phase it is in."""
        entry = self.entries.get(item_id)
        assert entry is not None
        if entry.item is item:
            return self
        entry = Entry(item, entry.order, entry.phase, entry.base)
        return replace(self, entries=self.entries.set(item_id, entry))

    def noting(self, **news: Any) -> Book:
        """This book with other values for what is not about items."""
        return replace(self, **news)


_UNTOUCHED: Any = object()


class Draft:
    """A book that changes in place, while nobody else can see it: what `fold` writes in."""

    __slots__ = (
        "_base",
        "_entries",
        "_pending",
        "anomalies",
        "error",
        "next_order",
        "progress",
        "stream_options",
        "thread",
    )

    def __init__(self, book: Book) -> None:
        self._base = book
        self._entries: dict[str, Entry | None] = {}
        self._pending: dict[str, int | None] = {}
        self.next_order: int = book.next_order
        self.anomalies: SharedList[Anomaly] = book.anomalies
        self.thread: Json | None = book.thread
        self.error: ErrorEvent | None = book.error
        self.progress: Progress | None = book.progress
        self.stream_options: Json | None = book.stream_options

    def entry(self, item_id: str) -> Entry | None:
        """The item with this id, or None."""
        entry = self._entries.get(item_id, _UNTOUCHED)
        return self._base.entries.get(item_id) if entry is _UNTOUCHED else entry

    def moved(self, item_id: str, to: Phase, item: ItemState) -> Draft:
        """As `Book.moved`."""
        entry = moved(self.entry(item_id), to, item, self.next_order)
        order = entry.order
        self._entries[item_id] = entry
        self._pending[item_id] = None if to is Phase.STORED else order
        if order == self.next_order:
            self.next_order = order + 1
        return self

    def without(self, item_id: str) -> Draft:
        """As `Book.without`."""
        if item_id in self._base.entries:
            self._entries[item_id] = self._pending[item_id] = None
        else:  # it came and went: nothing to remember, however many such items there are
            self._entries.pop(item_id, None)
            self._pending.pop(item_id, None)
        return self

    def holding(self, item_id: str, item: ItemState) -> Draft:
        """As `Book.holding`."""
        entry = self.entry(item_id)
        assert entry is not None
        self._entries[item_id] = Entry(item, entry.order, entry.phase, entry.base)
        return self

    def noting(self, **news: Any) -> Draft:
        """As `Book.noting`."""
        for name, value in news.items():
            setattr(self, name, value)
        return self

    def book(self) -> Book:
        """What was written, as a book that does not change any more."""
        return Book(
            self._base.entries.updated(self._entries),
            self._base.pending.updated(self._pending),
            self.next_order,
            self.anomalies,
            self.thread,
            self.error,
            self.progress,
            self.stream_options,
        )


def moved(entry: Entry | None, to: Phase, item: ItemState, next_order: int) -> Entry:
    """The entry of an item that moves to another phase; `entry` is the one it had, if any."""
    if entry is None:
        return Entry(item, next_order, to)
    base = (entry.base or entry.item) if to is Phase.PENDING_OVER_BASE else None
    return Entry(item, entry.order, to, base)


def phase_of(entry: Entry | None) -> Phase:
    """Where an item with this entry is in its life."""
    return Phase.ABSENT if entry is None else entry.phase
