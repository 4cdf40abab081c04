"""A log of several threads, taken apart.

Servers write the events of all their threads into one log, as they come. To take up another thread
costs more than to fold an event, so events are put aside by thread, and a pile is folded at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice, repeat
from typing import Any, TypeAlias, TypeVar

from chatkit_reducer.core.fold.folder import Folder
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    Event,
    Redelivered,
    ThreadCreated,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    ThreadUpdated,
    Unreadable,
)
from chatkit_reducer.logs._compression import DEFAULT_MAX_EXPANSION
from chatkit_reducer.logs._decoding import DEFAULT_MAX_EVENT_BYTES
from chatkit_reducer.logs._records import Record
from chatkit_reducer.logs._replaying import replay
from chatkit_reducer.logs.block_decoding import BlockDecoder
from chatkit_reducer.logs.blocks import Block
from chatkit_reducer.logs.reading import Log, OnProgress, OnSkipped, blocks, first, read_records

__all__ = ["PerThread", "by_thread", "replay_threads"]

T = TypeVar("T")

_Batch: TypeAlias = "tuple[Sequence[Event | Unreadable], Iterable[str | None], int]"
"""Events, the thread that the log names for each, and about how many bytes of the log they are."""

# How much of the log is put aside. A little is faster, as long as it is enough events a pile.
_LITTLE = 256 * 1024
_ENOUGH = 16
_MOST = 8 * 1024 * 1024
_MOST_FOLDERS = 2_000  # threads that are folded on; of the others there is only the state
_BATCH = 500
_TYPICAL = 200  # bytes of an event

_EMPTY = ThreadState()


class PerThread(dict["str | None", T]):
    """One value for each thread of a log, by the id of the thread.

    Events before the first named thread belong to it: their value, under None, becomes its value.

    Args:
        new: makes the value of a thread that is met for the first time.
    """

    def __init__(self, new: Callable[[], T]) -> None:
        super().__init__()
        self._new = new
        self.first: str | None = None
        """The first thread that was named, if any was."""

    def __missing__(self, thread: str | None) -> T:
        self.first = thread if self.first is None else self.first
        value = self[thread] = self.pop(None) if None in self else self._new()
        return value


def replay_threads(
    log: Log,
    stored: ThreadState | None = None,
    *,
    until: int | None = None,
    strict: bool = False,
    max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
    max_expansion: int | None = DEFAULT_MAX_EXPANSION,
    on_progress: OnProgress | None = None,
    on_skipped: OnSkipped | None = None,
) -> dict[str | None, ThreadState]:
    """Return the state of each thread in a log, by its id, in the order in which they appear.

    Which thread an event belongs to is said by its envelope; without one by the thread or the item
    that it brings, or the item that it is about; else it belongs to the thread of the event before.
    A log that names no thread at all is one thread, under None.

    Args and errors are those of `replay`; `until` counts the events of the whole log, and so do the
    positions of anomalies. With a thread in `stored`, the log is taken as one of that thread alone.
    """
    options: dict[str, Any] = {
        "max_event_bytes": max_event_bytes,
        "max_expansion": max_expansion,
        "on_progress": on_progress,
        "on_skipped": on_skipped,
    }
    if stored is not None:
        state = replay(log, stored, until=until, strict=strict, **options)
        return {state.thread_id: state}
    if until is None and not strict:
        decoder = BlockDecoder(max_event_bytes)
        return _fold_piles(_batches(blocks(log, **options), decoder))
    records = read_records(log, **options)
    if until is not None:
        records = first(records, until)
    return _one_after_another(records) if strict else _fold_piles(_batches_of(records))


def _one_after_another(records: Iterable[Record]) -> dict[str | None, ThreadState]:
    """Return the states, folded in the order of the log, so that its first anomaly is raised."""
    states = PerThread(ThreadState)
    position = 0
    for thread, run in groupby(by_thread(records), key=_thread):
        folder = Folder(states[thread], strict=True, position=position)
        folder.feed(record.event for _, record in run)
        states[thread], position = folder.state(), folder.position
    return states


def _thread(routed: tuple[str | None, Record]) -> str | None:
    return routed[0]


def _batches(blocks: Iterable[Block], decoder: BlockDecoder) -> Iterator[_Batch]:
    for block in blocks:
        events, threads = decoder.events_and_threads(block)
        size = len(block) if isinstance(block, bytes) else 0
        yield events, repeat(None) if threads is None else threads, size


def _batches_of(records: Iterable[Record]) -> Iterator[_Batch]:
    records = iter(records)
    while batch := list(islice(records, _BATCH)):
        yield [one.event for one in batch], [one.thread for one in batch], _BATCH * _TYPICAL


def _fold_piles(batches: Iterable[_Batch]) -> dict[str | None, ThreadState]:
    piles = _Piles()
    for batch in batches:
        piles.feed(*batch)
    return piles.states()


class _Pile:
    """Events of one thread that are put aside, each with its position in the log."""

    __slots__ = ("events", "positions", "put", "put_position")

    def __init__(self) -> None:
        self.events: list[Event | Unreadable] = []
        self.positions: list[int] = []
        self.put = self.events.append
        self.put_position = self.positions.append


_NO_PILE = _Pile()


def _no_folder() -> None:
    return None


class _Piles:
    """Folds events in the order of their threads, and in each thread in the order of the log."""

    def __init__(self) -> None:
        self._router = _Router()
        self._states = PerThread(ThreadState)
        self._folders: PerThread[Folder | None] = PerThread(_no_folder)
        self._piles = PerThread(_Pile)
        self._position = 0
        self._size = 0
        self._events = 0

    def feed(
        self, events: Sequence[Event | Unreadable], threads: Iterable[str | None], size: int
    ) -> None:
        """Put events aside; fold the piles when they are large."""
        router, position = self._router, self._position
        piles, current = self._piles, router.current
        last: object = _EMPTY  # no thread
        put, put_position = _NO_PILE.put, _NO_PILE.put_position
        for event, named in zip(events, threads, strict=False):
            if named is not None and type(event) is ThreadItemUpdated:
                thread: str | None = named  # as `thread_of` says it, and nearly all are such
                current = named
                following = position + 1
            else:
                router.current = current
                thread, current = router.thread_of(event, named), router.current
                following = position + (not isinstance(event, Unreadable))
            if thread != last:
                pile = piles[thread]
                last, put, put_position = thread, pile.put, pile.put_position
            put(event)
            put_position(position)
            position = following
        router.current, self._position = current, position
        self._size += size
        self._events += len(events)
        enough = self._events >= _ENOUGH * len(self._piles)
        if self._size > (_LITTLE if enough else _MOST):
            self._fold_all()

    def _fold_all(self) -> None:
        folders = self._folders
        for thread, pile in self._piles.items():
            state = self._states[thread]
            folder = folders[thread] or Folder(state, decoded=True)
            del folders[thread]
            folder.feed_at(pile.events, pile.positions)
            folders[thread] = folder  # behind those that were not used
        self._piles.clear()
        self._size = self._events = 0
        if len(folders) > _MOST_FOLDERS:
            self._finish(list(folders)[: len(folders) - _MOST_FOLDERS // 2])

    def _finish(self, threads: Iterable[str | None]) -> None:
        for thread in threads:
            folder = self._folders.pop(thread)
            if folder is not None:
                self._states[thread] = folder.state()

    def states(self) -> dict[str | None, ThreadState]:
        """Return the state of each thread, after all events."""
        self._fold_all()
        self._finish(list(self._folders))
        return self._states


class _Router:
    """Tells to which thread each event of a log belongs, one after another."""

    __slots__ = ("current", "of_item")

    def __init__(self) -> None:
        self.current: str | None = None
        self.of_item: dict[str, str] = {}

    def thread_of(self, event: Event | Unreadable, named: str | None) -> str | None:
        """Return the thread of the next event; None until the first is named.

        Args:
            event: the event.
            named: the thread that the log names for it.
        """
        if type(event) is ThreadItemUpdated:
            if named is None:
                named = self.of_item.get(event.item_id)
            if named is not None:
                self.current = named
            return self.current
        if isinstance(event, Redelivered):  # it does not change the current thread
            return named or self._told_by(event.event) or self.current
        told = named or self._told_by(event)
        if told is not None:
            self.current = told
        if isinstance(event, _WHOLE):
            item_id = event.item.get("id")
            if isinstance(item_id, str) and self.current is not None:
                self.of_item[item_id] = self.current
        return self.current

    def _told_by(self, event: Event | Unreadable) -> str | None:
        told: object = None
        if isinstance(event, (ThreadItemUpdated, ThreadItemRemoved)):
            told = self.of_item.get(event.item_id)
        elif isinstance(event, _WHOLE):
            told = event.item.get("thread_id")
        elif isinstance(event, (ThreadCreated, ThreadUpdated)):
            told = event.thread.get("id")
        return told if isinstance(told, str) else None


_WHOLE = (ThreadItemAdded, ThreadItemDone, ThreadItemReplaced)


def by_thread(records: Iterable[Record]) -> Iterator[tuple[str | None, Record]]:
    """Yield each record with the id of its thread; None until the first is named."""
    router = _Router()
    for record in records:
        yield router.thread_of(record.event, record.thread), record
