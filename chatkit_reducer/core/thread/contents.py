"""The items of a thread, their phases and its metadata: the inside of a `ThreadState`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from chatkit_reducer.core.anomalies import NO_ANOMALIES, AnomalyList
from chatkit_reducer.core.items import ItemState
from chatkit_reducer.core.persistent import EMPTY_LIST, EMPTY_MAP, AppendList, Map
from chatkit_reducer.core.thread.lifecycle import Phase

if TYPE_CHECKING:
    from chatkit_reducer.events import ErrorEvent, Json

__all__ = ["Entry", "Progress", "ThreadContents", "entry_in_phase", "phase_of", "with_added"]


_FEW = 100
"""How many items are asked for the id of their thread."""


class Entry(Struct, frozen=True, gc=False):
    """One item of a thread, and where it is in its life."""

    item: ItemState
    order: int
    phase: Phase
    base: ItemState | None = None
    """The stored copy, for an item that is pending over one."""

    @property
    def stored_copy(self) -> ItemState | None:
        """The item as a store has it by now; None for one that is new."""
        return self.item if self.phase is Phase.STORED else self.base


class Progress(Struct, frozen=True, gc=False):
    """A line or a fraction that clients show until the next item event.

    From a `progress_update`: `text` and `icon`. From a `generated_image.updated`: `item_id` and
    `fraction`, from 0 to 1.
    """

    text: str | None = None
    icon: str | None = None
    item_id: str | None = None
    fraction: float | None = None


class ThreadContents(Struct, frozen=True, gc=False):
    """All items of a thread with their phases, its metadata, its anomalies.

    The methods return a copy with a change. `core.fold.contents_draft` has the same methods, and
    changes in place.
    """

    entries: Map[str, Entry] = EMPTY_MAP
    pending: Map[str, int] = EMPTY_MAP
    """The ids that are not done, each with its place in the thread."""
    next_order: int = 0
    anomalies: AnomalyList = NO_ANOMALIES
    thread: Json | None = None
    error: ErrorEvent | None = None
    progress: Progress | None = None
    stream_options: Json | None = None
    added: AppendList[str] = EMPTY_LIST
    """The ids in the order in which they came; some of them may be gone, or have come again."""

    def entry(self, item_id: str) -> Entry | None:
        """Return the item with this id, or None."""
        return self.entries.get(item_id)

    def newest_first(self) -> Iterator[Entry]:
        """Yield the items of the thread from its end; the cost is that of the items taken."""
        before = self.next_order
        for number in range(self.added.count - 1, -1, -1):
            entry = self.entries.get(self.added.cells[number])
            if entry is not None and entry.order < before:  # one that came again is further on
                before = entry.order
                yield entry

    def thread_id(self) -> str | None:
        """Return the id of the thread, as its metadata or one of its newest items says it."""
        places: list[Json] = [] if self.thread is None else [self.thread]
        found = [place.get("id") for place in places]
        found += [entry.item.json.get("thread_id") for entry in islice(self.newest_first(), _FEW)]
        return next((thread_id for thread_id in found if isinstance(thread_id, str)), None)

    def with_phase(self, item_id: str, to: Phase, item: ItemState) -> ThreadContents:
        """Return a copy in which the item has this phase (not ABSENT) and this content."""
        entry = entry_in_phase(self.entries.get(item_id), to, item, self.next_order)
        pending = (
            self.pending.without(item_id)
            if to is Phase.STORED
            else self.pending.set(item_id, entry.order)
        )
        is_new = entry.order == self.next_order
        entries = self.entries.set(item_id, entry)
        return replace(
            self,
            entries=entries,
            pending=pending,
            next_order=self.next_order + is_new,
            added=with_added(self.added, [item_id], entries) if is_new else self.added,
        )

    def without(self, item_id: str) -> ThreadContents:
        """Return a copy without the item."""
        entries, pending = self.entries.without(item_id), self.pending.without(item_id)
        return replace(self, entries=entries, pending=pending)

    def with_item(self, item_id: str, item: ItemState) -> ThreadContents:
        """Return a copy with another content for an item, which keeps its phase."""
        entry = self.entries.get(item_id)
        assert entry is not None
        if entry.item is item:
            return self
        entry = Entry(item, entry.order, entry.phase, entry.base)
        return replace(self, entries=self.entries.set(item_id, entry))

    def with_fields(self, **news: Any) -> ThreadContents:
        """Return a copy with other values for fields that are not about items."""
        return replace(self, **news)


_MOST_GONE = 64
"""How many ids of items that are gone a short list may hold before it is made anew."""


def with_added(
    added: AppendList[str], more: list[str], entries: Map[str, Entry]
) -> AppendList[str]:
    """Return the ids in the order in which they came, and a few ids of items that have gone."""
    for item_id in more:
        added = added.append(item_id)
    if added.count > 2 * len(entries) + _MOST_GONE:
        in_order = sorted(entries.items(), key=lambda pair: pair[1].order)
        return AppendList.of([item_id for item_id, _ in in_order])
    return added


def entry_in_phase(entry: Entry | None, to: Phase, item: ItemState, next_order: int) -> Entry:
    """Return the entry of an item that moves to another phase; `entry` is its old one, if any."""
    if entry is None:
        return Entry(item, next_order, to)
    base = (entry.base or entry.item) if to is Phase.PENDING_OVER_BASE else None
    return Entry(item, entry.order, to, base)


def phase_of(entry: Entry | None) -> Phase:
    """Where an item with this entry is in its life."""
    return Phase.ABSENT if entry is None else entry.phase
