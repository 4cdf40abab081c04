"""A log of several threads, taken apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from chatkit_reducer.events import (
    ThreadCreated,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    ThreadUpdated,
)
from chatkit_reducer.folding import Folding
from chatkit_reducer.logs.decoding import DEFAULT_MAX_EVENT_BYTES, Record
from chatkit_reducer.logs.reading import Log, OnProgress, first, read_records
from chatkit_reducer.state import ThreadState

__all__ = ["by_thread", "replay_threads"]


def replay_threads(
    log: Log,
    *,
    until: int | None = None,
    strict: bool = False,
    max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
    on_progress: OnProgress | None = None,
) -> dict[str | None, ThreadState]:
    """The state of each thread in a log, by its id, in the order in which they appear.

    Which thread an event belongs to is said by its envelope; without one by the thread or the item
    that it brings, or the item that it is about; else it belongs to the thread of the event before.
    A log that names no thread at all is one thread, under None.

    Args and errors are those of `replay`; `until` counts the events of the whole log, and so do the
    positions of anomalies.
    """
    records = read_records(log, max_event_bytes=max_event_bytes, on_progress=on_progress)
    if until is not None:
        records = first(records, until)
    states: dict[str | None, ThreadState] = {}
    position = 0
    for thread, run in groupby(by_thread(records), key=_thread):
        if None in states:  # what came before any thread was named belongs to the first
            states[thread] = states.pop(None)
        folding = Folding(states.get(thread, _EMPTY), strict=strict, position=position)
        folding.take(record.event for _, record in run)
        states[thread], position = folding.state(), folding.position
    return states


_EMPTY = ThreadState()


def _thread(routed: tuple[str | None, Record]) -> str | None:
    return routed[0]


def by_thread(records: Iterable[Record]) -> Iterator[tuple[str | None, Record]]:
    """Each record with the id of the thread it belongs to; None until the first is named."""
    current: str | None = None
    thread_of_item: dict[str, str] = {}
    for record in records:
        event = record.event
        named: object = None
        if record.thread is not None:
            named = record.thread
        elif isinstance(event, (ThreadItemUpdated, ThreadItemRemoved)):
            named = thread_of_item.get(event.item_id)
        elif isinstance(event, (ThreadItemAdded, ThreadItemDone, ThreadItemReplaced)):
            named = event.item.get("thread_id")
        elif isinstance(event, (ThreadCreated, ThreadUpdated)):
            named = event.thread.get("id")
        if isinstance(named, str):
            current = named
        if isinstance(event, (ThreadItemAdded, ThreadItemDone, ThreadItemReplaced)):
            item_id = event.item.get("id")
            if isinstance(item_id, str) and current is not None:
                thread_of_item[item_id] = current
        yield current, record
