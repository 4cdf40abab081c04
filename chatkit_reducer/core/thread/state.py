"""`ThreadState`: a thread as the events so far have made it.

A state is immutable and cheap to keep, because it shares all that an event did not change with the
state before it. A text delta has to be cheapest, since most events are one. So the newest changes
are kept outside of the structures that they belong to, in two steps:

    contents         every item of the thread; the streaming item is in it as it was when it began
      streaming      the streaming item itself; its growing text is in it as it was when it began
        pieces       all pieces of the growing text, in a list that newer states append to

A delta for the growing text appends one piece and makes one small object, however many items the
thread has and however long the text is. Reading puts the parts together, once for each state:
`streaming_item()` puts the text into the item, `contents()` the item into the contents.

Only this file touches the fields; the methods below `--- for the engine` are the interface for the
other files of the core.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec.structs import force_setattr, replace

from chatkit_reducer.core.anomalies import STORED_ITEM, Anomaly, AnomalyKind, AnomalyList, Fault
from chatkit_reducer.core.by_content import ByContent
from chatkit_reducer.core.codec import own_copy
from chatkit_reducer.core.described import described, drawn
from chatkit_reducer.core.halves import mended_json
from chatkit_reducer.core.items import GrowingText, ItemState, parse_item
from chatkit_reducer.core.json_values import json_copy, json_equal
from chatkit_reducer.core.persistent import Map
from chatkit_reducer.core.thread.contents import Entry, Progress, ThreadContents, phase_of
from chatkit_reducer.core.thread.lifecycle import Phase

if TYPE_CHECKING:
    from chatkit_reducer.events import ErrorEvent, Json

__all__ = ["Items", "ThreadState", "metadata_of", "with_anomalies"]


class Items(Mapping[str, ItemState]):
    """The items of a thread by id, in thread order; read-only."""

    __slots__ = ("_entries", "_ordered")

    def __init__(self, entries: Map[str, Entry]) -> None:
        self._entries = entries
        self._ordered: dict[str, Entry] | None = None

    @property
    def by_id(self) -> Map[str, Entry]:
        """The items with their phases and bases, in no order."""
        return self._entries

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


class ThreadState(ByContent, frozen=True, gc=False, eq=False, repr_omit_defaults=True):
    """A thread as the events so far have made it. `ThreadState()` is the empty one.

    Two states are equal when they hold the same: items in order with their phases and bases,
    anomalies, thread metadata, error, progress and stream options. How many events it took
    (`position`) is not part of that.
    """

    _contents: ThreadContents = ThreadContents()
    _streaming_id: str | None = None
    """The id of the streaming item, or None. In `_contents` only its phase is current."""
    _streaming: ItemState | None = None
    """The streaming item; stale in the part at `_part_index`, while there is one."""
    _part_index: int | None = None
    """The index of the part that is receiving text, or None."""
    _pieces: Any = None
    """The pieces of that text; those past `_piece_count` belong to newer states."""
    _piece_count: int = 0
    position: int = 0
    """How many events were folded. `reduce` does not count one that changes nothing."""
    _item_cache: ItemState | None = None
    """The result of `streaming_item`, filled at the first call."""
    _items_cache: Items | None = None
    """The result of `items`, filled at the first access."""

    @classmethod
    def from_items(
        cls, items: Iterable[Mapping[str, Any]], *, thread: Mapping[str, Any] | None = None
    ) -> ThreadState:
        """Make the state of a stored thread: its items in order, and its metadata if known.

        The mappings are plain ChatKit JSON, from any store. They are copied. One without an `id`
        is left out, of two with one id the later counts, and each such fault is an anomaly.

        Raises:
            EncodeError: an item or the thread contains itself.
            TypeError: an item, or the thread, is not a mapping.
        """
        _require_mappings(items, thread)
        metadata = None if thread is None else json_copy(metadata_of(dict(thread)))
        contents = ThreadContents(thread=mended_json(metadata))
        faults: list[Anomaly] = []
        for json in items:
            if not isinstance(json, Mapping):
                raise TypeError(
                    f"expected each item as a mapping of its JSON, got {type(json).__name__}"
                )
            item, fault = parse_item(mended_json(json_copy(dict(json))))
            if fault is not None:
                faults.append(_of_store(fault, None if item is None else item.id))
            if item is None:
                continue
            if item.id in contents.entries:
                faults.append(_of_store(_STORED_TWICE, item.id))
            contents = contents.with_phase(item.id, Phase.STORED, item)
        return cls(contents.with_fields(anomalies=with_anomalies(contents.anomalies, faults)))

    @property
    def items(self) -> Items:
        """All items by id, in thread order; hidden ones too."""
        if self._items_cache is None:
            force_setattr(self, "_items_cache", Items(self.contents().entries))
        return self._items_cache  # type: ignore[return-value]  # it was set just now

    @property
    def pending(self) -> tuple[str, ...]:
        """The ids of the items that are not done, in thread order."""
        return tuple([item_id for item_id, _ in sorted(self._contents.pending.items(), key=_place)])

    @property
    def bases(self) -> Mapping[str, ItemState]:
        """The stored copies of the items that are pending over one, by id, in thread order."""
        entries = ((item_id, self._contents.entries.get(item_id)) for item_id in self.pending)
        bases = {item_id: entry.base for item_id, entry in entries if entry and entry.base}
        return MappingProxyType(bases)

    @property
    def stored(self) -> Mapping[str, ItemState]:
        """The items that a store has by now, by id, in thread order: of a pending item its base."""
        copies = {item_id: entry.stored_copy for item_id, entry in self.items.entries.items()}
        return MappingProxyType({i: item for i, item in copies.items() if item is not None})

    @property
    def thread_id(self) -> str | None:
        """The id of the thread, as its metadata or one of its newest items says it."""
        return self._contents.thread_id()

    def phase(self, item_id: str) -> Phase:
        """Where the item with this id is in its life."""
        return phase_of(self._contents.entry(item_id))

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """The faults in the data, in the order of the events: the first 10,000."""
        return tuple(self._contents.anomalies)

    @property
    def unlisted_anomalies(self) -> int:
        """How many anomalies there were behind those in `anomalies`."""
        return self._contents.anomalies.unlisted

    @property
    def thread(self) -> Json | None:
        """The metadata of the thread, without its items; None where no event brought it."""
        return None if self._contents.thread is None else json_copy(self._contents.thread)

    @property
    def error(self) -> ErrorEvent | None:
        """The newest `error` event; with one, the stream has failed."""
        return None if self._contents.error is None else own_copy(self._contents.error)

    @property
    def progress(self) -> Progress | None:
        """The progress that clients show until the next item event."""
        return self._contents.progress

    @property
    def stream_options(self) -> Json | None:
        """The newest options of the stream."""
        options = self._contents.stream_options
        return None if options is None else json_copy(options)

    # --- for the engine --------------------------------------------------------------------------

    @property
    def anomaly_list(self) -> AnomalyList:
        """The anomalies, with the count of those that are not listed."""
        return self._contents.anomalies

    @property
    def lagging_contents(self) -> ThreadContents:
        """The contents, in which the streaming item is as it was when it began to stream."""
        return self._contents

    def contents(self, superseding: str | None = None) -> ThreadContents:
        """Return the contents, with the streaming item as it is now.

        Args:
            superseding: the id of the item that the caller replaces. If that is the streaming item,
                it is left as it was.
        """
        streaming_id = self._streaming_id
        if streaming_id is None or streaming_id == superseding:
            return self._contents
        if self._items_cache is not None:
            return replace(self._contents, entries=self._items_cache.by_id)
        return self._contents.with_item(streaming_id, self.streaming_item())

    @property
    def streaming_id(self) -> str | None:
        """The id of the streaming item; None while there is none."""
        return self._streaming_id

    @property
    def streaming_type(self) -> type[ItemState] | None:
        """The class of the streaming item; None while there is none."""
        return None if self._streaming is None else type(self._streaming)

    def streaming_item(self) -> ItemState:
        """Return the streaming item with all of its text; the state must have one."""
        item, index = self._streaming, self._part_index
        assert item is not None
        if index is None:
            return item
        if self._item_cache is None:
            whole = item.with_growing_text(index, self._pieces, self._piece_count)
            force_setattr(self, "_item_cache", whole)
        return self._item_cache  # type: ignore[return-value]  # it was set just now

    def with_text_delta(
        self, item_id: str, index: Any, delta: Any, position: int | None
    ) -> ThreadState | None:
        """Return the state with more of the growing text; None if the delta is for another text.

        This is `append_text` of an assistant message by hand, for speed. An event that code has
        made may hold anything (None, True), so all but a plain delta for the growing text is left
        to the reducers.
        """
        growing = self._part_index
        if (
            item_id != self._streaming_id
            or growing is None
            or (index is not growing and (index != growing or type(index) is not int))
            or type(delta) is not str
        ):
            return None
        if not delta:
            return self
        pieces, count = self._pieces, self._piece_count
        if len(pieces) != count:
            pieces = [*pieces[:count], delta]
        else:
            pieces.append(delta)  # as `persistent.append_shared`
            if pieces[count] is not delta:  # another thread was faster
                pieces = [*pieces[:count], delta]
        return ThreadState(
            self._contents,
            self._streaming_id,
            self._streaming,
            growing,
            pieces,
            count + 1,
            (self.position if position is None else position) + 1,
        )

    @classmethod
    def of(cls, contents: ThreadContents, position: int) -> ThreadState:
        """Return a state without a streaming item."""
        return cls(contents, position=position)

    @classmethod
    def of_streaming(
        cls, contents: ThreadContents, item: ItemState, position: int, text: GrowingText | None
    ) -> ThreadState:
        """Return a state in which an item of `contents` streams, with the text that is growing."""
        if text is None:
            return cls(contents, item.id, item, position=position)
        return cls(contents, item.id, item, text.place, text.pieces, text.piece_count, position)

    def with_contents(self, contents: ThreadContents, position: int) -> ThreadState:
        """Return the state with other contents, and with the same streaming item and text."""
        # Both states give out the same object for the streaming item.
        whole = None if self._part_index is None else self.streaming_item()
        return ThreadState(
            contents,
            self._streaming_id,
            self._streaming,
            self._part_index,
            self._pieces,
            self._piece_count,
            position,
            whole,
        )

    def with_item_put_together(self, contents: ThreadContents, position: int) -> ThreadState:
        """Return the state with other contents, and no text outside of the streaming item."""
        if self._part_index is None:
            return self.with_contents(contents, position)
        return self.of_streaming(contents, self.streaming_item(), position, None)

    # --- comparing -------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ThreadState):
            return NotImplemented
        return self is other or self._equals(other)

    def _equals(self, other: ThreadState) -> bool:
        mine, theirs = self.items.entries, other.items.entries
        return (
            list(mine) == list(theirs)
            and all(_same_entry(entry, theirs[item_id]) for item_id, entry in mine.items())
            and _same_surroundings(self.lagging_contents, other.lagging_contents)
        )

    def __repr__(self) -> str:
        return described(
            self,
            lambda: {
                "thread": self.thread_id,
                "items": len(self.items),
                "pending": self.pending,
                "anomalies": len(self._contents.anomalies),  # those that are only counted too
                "error": None if self.error is None else self.error.code or "(no code)",
            },
        )

    def _repr_html_(self) -> str | None:
        return drawn(self)


def _require_mappings(items: object, thread: object) -> None:
    """Refuse arguments that are wrong at first sight."""
    if not isinstance(items, Iterable) or isinstance(items, Mapping):
        raise TypeError(
            f"expected the items as mappings in a list, got {type(items).__name__}: "
            "ThreadState() is the thread without items"
        )
    if thread is not None and not isinstance(thread, Mapping):
        raise TypeError(
            f"expected `thread` as a mapping of its metadata, got {type(thread).__name__}: "
            "leave it out if there is none"
        )


_STORED_TWICE = Fault(
    AnomalyKind.ITEM_ALREADY_PRESENT, "the store has two items with this id", "the later one counts"
)


def _of_store(fault: Fault, item_id: str | None) -> Anomaly:
    instead = "the item was left out" if item_id is None else fault.instead
    return Anomaly(
        kind=fault.kind,
        event=STORED_ITEM,
        item_id=item_id,
        problem=fault.problem,
        instead=instead,
        position=0,
    )


def with_anomalies(noted: AnomalyList, more: Iterable[Anomaly]) -> AnomalyList:
    """Return a list of anomalies with more of them."""
    for anomaly in more:
        noted = noted.append(anomaly)
    return noted


def metadata_of(thread: Json) -> Json:
    """Return a thread without its items."""
    return {name: value for name, value in thread.items() if name != "items"}


def _same_entry(one: Entry, other: Entry) -> bool:
    return one.phase is other.phase and one.item == other.item and one.base == other.base


def _same_surroundings(one: ThreadContents, other: ThreadContents) -> bool:
    """Return whether all but the items is equal."""
    return (
        json_equal(one.thread, other.thread)
        and json_equal(one.stream_options, other.stream_options)
        and one.anomalies == other.anomalies
        and one.error == other.error
        and one.progress == other.progress
    )
