"""The records of a log, each with its thread, for functions that take a log or its events."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from chatkit_reducer.core.thread.arguments import iterate
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.logs import Log, Record, read, read_records
from chatkit_reducer.logs.threads import by_thread

__all__ = ["LogOrEvents", "Routed", "events_of", "route"]

LogOrEvents: TypeAlias = Log | Iterable[Event | Unreadable]
"""A path, a file open for reading bytes, or events in order."""

Routed: TypeAlias = "tuple[str | None, Record]"
"""A record, and the id of the thread it belongs to."""


def events_of(log: LogOrEvents) -> Iterator[Event | Unreadable]:
    """Return the events of a log, or an iterator over events.

    Raises:
        TypeError: `log` is neither.
    """
    return read(log) if _is_log(log) else iterate(log)  # type: ignore[arg-type]


def route(log: LogOrEvents, stored: ThreadState | None, **options: Any) -> Iterator[Routed]:
    """Pair each record of a log with its thread; all are of the stored thread if there is one.

    Args:
        log: the log, or events.
        stored: the thread before the log.
        options: those of `read_records`, for a log.
    """
    if _is_log(log):
        records: Iterator[Record] = read_records(log, **options)  # type: ignore[arg-type]
    else:
        records = (Record(event) for event in iterate(log))  # type: ignore[arg-type]
    if stored is None:
        return by_thread(records)
    thread = stored.thread_id
    return ((thread, record) for record in records)


def _is_log(value: object) -> bool:
    return isinstance(value, (str, os.PathLike)) or hasattr(value, "read")
