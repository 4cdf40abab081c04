"""`ThreadState`: a thread as the events so far have made it.

A state is immutable, and cheap to keep: it shares all that did not change with the state before it.
What makes it fast is that the item which is streaming right now is held outside the map of items,
and of that item the text which is growing right now outside the item. A text delta then makes one
small object, however many items the thread has and however long the text is. Everything is put
together when somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import force_setattr, replace

from chatkit_reducer.anomalies import Anomaly, Fault, FaultKind
from chatkit_reducer.book import Book, Entry, Progress, phase_of
from chatkit_reducer.items import ItemState, parse_item
from chatkit_reducer.items.assistant_message import AssistantMessage
from chatkit_reducer.json_values import json_copy, same_json
from chatkit_reducer.lifecycle import Phase
from chatkit_reducer.persistent import Map, SharedList

if TYPE_CHECKING:
    from chatkit_reducer.events import ErrorEvent, Json

__all__ = ["Items", "ThreadState", "closed", "metadata_of", "open_item", "with_anomalies"]


class Items(Mapping[str, ItemState]):
    """The items of a thread by id, in thread order; read-only."""

    __slots__ = ("_entries", "_ordered")

    def __init__(self, entries: Map[str, Entry]) -> None:
        self._entries = entries
        self._ordered: dict[str, Entry] | None = None

    @property
    def entries(self) -> dict[str, Entry]:
        """The items with their phases and bases, in thread order: read, never write."""
        if self._ordered is None:
            self._ordered = dict(sorted(self._entries.items(), key=_order))
        return self._ordered

    def __getitem__(self, item_id: str) -> ItemState:
        entry = self._entries.get(item_id)
        if entry is None:
            raise KeyError(item_id)
        return entry.item

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, item_id: object) -> bool:
        return isinstance(item_id, str) and item_id in self._entries

    def __repr__(self) -> str:
        return f"Items({list(self.entries)})"


def _order(pair: tuple[str, Entry]) -> int:
    return pair[1].order


def _place(pair: tuple[str, int]) -> int:
    return pair[1]


class ThreadState(Struct, frozen=True, gc=False, eq=False, repr_omit_defaults=True):
    """A thread as the events so far have made it. `ThreadState()` is the empty one.

    Two states are equal when they hold the same: items in order with their phases and bases,
    anomalies, thread metadata, error, progress and stream options. How many events it took
    (`position`) is not part of that.
    """

    _book: Book = Book()
    _open_id: str | None = None
    _open: ItemState | None = None
    """The item that is streaming, or None. Its phase is in the book, its content there is old."""
    _index: int | None = None
    """The part of it whose text is growing, or None. Its text in `_open` is old then. The ..."""
    _cells: Any = None
    _count: int = 0
    """... new text is the first `_count` cells; see `persistent.SharedList`."""
    position: int = 0
    """How many events were folded. `reduce` does not count one that changes nothing."""
    _whole: ItemState | None = None
    """The item that is streaming with all of its text, once somebody asked for it. ..."""
    _seen: Items | None = None
    """... And all items. Whoever looks twice sees the same objects, and pays once."""

    @classmethod
    def from_items(
        cls, items: Iterable[Mapping[str, Any]], *, thread: Mapping[str, Any] | None = None
    ) -> ThreadState:
        """The state of a thread that was stored: its items in order, its metadata if you have it.

        The mappings are plain ChatKit JSON, from any store. They are copied. One without an `id`
        is left out, of two with one id the later counts, and each such fault is an anomaly.
        """
        book = Book(thread=None if thread is None else json_copy(metadata_of(dict(thread))))
        faults: list[Anomaly] = []
        for json in items:
            if not isinstance(json, Mapping):
                raise TypeError(f"an item is a mapping of its JSON, not {type(json).__name__}")
            parsed = parse_item(json_copy(dict(json)))
            item: ItemState | None = parsed.result if isinstance(parsed, Fault) else parsed
            if isinstance(parsed, Fault):
                faults.append(_of_store(parsed, None if item is None else item.id))
            if item is None:
                continue
            if item.id in book.entries:
                faults.append(_of_store(_STORED_TWICE, item.id))
            book = book.moved(item.id, Phase.STORED, item)
        return cls(book.noting(anomalies=with_anomalies(book.anomalies, faults)))

    @property
    def items(self) -> Items:
        """All items by id, in thread order; hidden ones too."""
        if self._seen is None:
            force_setattr(self, "_seen", Items(closed(self).entries))
        return self._seen  # type: ignore[return-value]  # it was set just now

    @property
    def pending(self) -> tuple[str, ...]:
        """The ids of the items that are not done, in thread order."""
        return tuple([item_id for item_id, _ in sorted(self._book.pending.items(), key=_place)])

    @property
    def bases(self) -> Mapping[str, ItemState]:
        """The stored copies of the items that are pending over one, by id, in thread order."""
        entries = ((item_id, self._book.entries.get(item_id)) for item_id in self.pending)
        bases = {item_id: entry.base for item_id, entry in entries if entry and entry.base}
        return MappingProxyType(bases)

    def phase(self, item_id: str) -> Phase:
        """Where the item with this id is in its life."""
        return phase_of(self._book.entry(item_id))

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """What was wrong with the data, in the order it came."""
        return tuple(self._book.anomalies)

    @property
    def thread(self) -> Json | None:
        """The metadata of the thread, without its items; None where no event brought it."""
        return None if self._book.thread is None else json_copy(self._book.thread)

    @property
    def error(self) -> ErrorEvent | None:
        """The newest `error` event; with one, the stream has failed."""
        return self._book.error

    @property
    def progress(self) -> Progress | None:
        """What goes on right now, for the eye only."""
        return self._book.progress

    @property
    def stream_options(self) -> Json | None:
        """The newest options of the stream."""
        options = self._book.stream_options
        return None if options is None else json_copy(options)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ThreadState):
            return NotImplemented
        return self is other or _same(self, other)

    def __ne__(self, other: object) -> bool:
        # A Struct without an equality of its own brings an inequality, which is that of identity.
        return not self == other

    def __repr__(self) -> str:
        faults = len(self._book.anomalies)
        return f"ThreadState(items={len(self.items)}, pending={self.pending}, anomalies={faults})"


_STORED_TWICE = Fault(
    FaultKind.ITEM_ALREADY_PRESENT, "the store has two items with this id", "the later one counts"
)


def _of_store(fault: Fault, item_id: str | None) -> Anomaly:
    instead = "the item was left out" if item_id is None else fault.instead
    return Anomaly(
        kind=fault.kind,
        event="stored item",
        item_id=item_id,
        problem=fault.problem,
        instead=instead,
        position=0,
    )


def with_anomalies(noted: SharedList[Anomaly], more: Iterable[Anomaly]) -> SharedList[Anomaly]:
    """The anomalies of a book, and more."""
    for anomaly in more:
        noted = noted.append(anomaly)
    return noted


def open_item(state: ThreadState) -> ItemState:
    """The item that is streaming, with all of its text; there must be one."""
    item, index = state._open, state._index
    assert item is not None
    if index is None or not isinstance(item, AssistantMessage):
        return item
    if state._whole is None:
        whole = item.with_text(index, SharedList(state._cells, state._count))
        force_setattr(state, "_whole", whole)
    return state._whole  # type: ignore[return-value]  # it was set just now


def closed(state: ThreadState) -> Book:
    """The book of the state with nothing outside of it."""
    if state._open_id is None:
        return state._book
    if state._seen is not None:  # somebody looked, so this was put together before
        return replace(state._book, entries=state._seen._entries)
    return state._book.holding(state._open_id, open_item(state))


def metadata_of(thread: Json) -> Json:
    """A thread without its items."""
    return {name: value for name, value in thread.items() if name != "items"}


def _same(one: ThreadState, other: ThreadState) -> bool:
    mine, theirs = one.items.entries, other.items.entries
    return (
        list(mine) == list(theirs)
        and all(_same_entry(entry, theirs[item_id]) for item_id, entry in mine.items())
        and all(_same_field(one._book, other._book, name) for name in ("thread", "stream_options"))
        and one._book.anomalies == other._book.anomalies
        and one._book.error == other._book.error
        and one._book.progress == other._book.progress
    )


def _same_entry(one: Entry, other: Entry) -> bool:
    return one.phase is other.phase and one.item == other.item and one.base == other.base


def _same_field(one: Book, other: Book, name: str) -> bool:
    return same_json(getattr(one, name), getattr(other, name))
