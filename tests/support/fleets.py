"""Logs of many threads, as a fleet of servers leaves them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from hypothesis import strategies as st

from chatkit_reducer.events import Event
from chatkit_reducer.fleet import FileFold, RowMaker
from chatkit_reducer.fleet.rows import Row
from chatkit_reducer.logs import Record, write
from chatkit_reducer.testing import strategies as chatkit

POLICIES = ("sdk", "keep", "drop")
CAUSES = ("cancelled", "crashed")
OF_A_LOG = ("source", "position")

Threads: TypeAlias = dict[str, Sequence[Event]]


def threads(**options: Any) -> st.SearchStrategy[Threads]:
    """Threads whose streams stopped somewhere, by their ids."""
    stopped = chatkit.stops(**options).map(lambda stop: stop.events).filter(bool)
    return st.dictionaries(st.sampled_from(["a", "b", "thr 1", "é"]), stopped, min_size=1)


def numbered(threads: Threads, *, timed: bool = False) -> list[Record]:
    """The events of threads, each with its number in the thread, thread after thread."""
    return [
        Record(event, thread, number, 1000.0 + number if timed else None)
        for thread, events in threads.items()
        for number, event in enumerate(events)
    ]


def write_logs(folder: Path, logs: Mapping[str, Iterable[Record]]) -> list[Path]:
    """Write each log that has a record."""
    paths = []
    for name, records in logs.items():
        kept = list(records)
        if kept:
            paths.append(folder / name)
            with (folder / name).open("wb") as file:
                write(file, kept)
    return paths


def rows_of(paths: Iterable[Path], maker: RowMaker, **options: Any) -> list[Row]:
    """The rows of the threads in some files, in the order of their ids, without the places."""
    options = {"processes": 1, **options}
    fold = FileFold(paths, maker, **options)
    rows = [row for part in fold.rows() for row in part]
    assert fold.broken == ()
    return in_order([without_places(row) for row in rows])


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of their threads."""
    return sorted(rows, key=lambda row: (row["thread"] or "", row["events"]))


def without_places(row: Row) -> Row:
    """A row without the places of its log, which a table does not have."""
    kept = {name: value for name, value in row.items() if name not in OF_A_LOG}
    stops = [{k: v for k, v in one.items() if k not in OF_A_LOG} for one in row["stops"]]
    return {**kept, "stops": stops}
