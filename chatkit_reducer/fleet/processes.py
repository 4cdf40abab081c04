"""Rows of many log files, made by several processes of one machine.

In two passes: the files are dealt out to partitions, each of which has whole threads; then the
threads of one partition after the other are folded. So a thread may be spread over any files, and
the memory is that of a partition, while the disk needs room for the logs once more, uncompressed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import attrs

from chatkit_reducer.errors import LogError
from chatkit_reducer.events import Unreadable
from chatkit_reducer.fleet.arrivals import Arrival, in_order
from chatkit_reducer.fleet.rows import Row, RowMaker
from chatkit_reducer.fleet.spills import (
    Spill,
    arrivals_of,
    partition_files,
    read_partition,
    thread_key,
)
from chatkit_reducer.fleet.workers import cores, count_read, workers
from chatkit_reducer.logs import DEFAULT_MAX_EVENT_BYTES, DEFAULT_MAX_EXPANSION, read_records
from chatkit_reducer.logs.reading import OnProgress
from chatkit_reducer.logs.threads import by_thread

__all__ = ["BrokenLog", "FileFold", "Progress"]

_PARTITION = 8 * 1024 * 1024
_MOST_PARTITIONS = 1024
_EXPANSION = 10
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
_PARQUET = b"PAR1"

Progress: TypeAlias = Callable[[float], None]
"""Called with the share of the work that is done, from 0 to 1."""


@attrs.frozen
class BrokenLog:
    """A log that was left out, and the reason."""

    path: str
    reason: str


@attrs.frozen
class _Limits:
    max_event_bytes: int
    max_expansion: int | None

    @property
    def arguments(self) -> dict[str, Any]:
        return attrs.asdict(self)


class FileFold:
    """Makes the rows of the threads in many files.

    The rows come in the order of a hash of their threads: the same for any order of the files and
    any number of processes.

    Args:
        paths: the files; each counts once, and in the order of their names.
        maker: makes the rows.
        apart: whether the threads of each file are others, also where their ids are equal: for logs
            of servers that give the same ids.
        processes: how many work; one for each core if left out.
        folder: where the partitions are put for the time being; the system's folder for such if
            left out.
        on_progress: told now and then how much is done.
        max_event_bytes: as in `logs.read`.
        max_expansion: as in `logs.read`.

    Raises:
        ValueError: `processes` is less than 1.
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]],
        maker: RowMaker,
        *,
        apart: bool = False,
        processes: int | None = None,
        folder: str | os.PathLike[str] | None = None,
        on_progress: Progress | None = None,
        max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
        max_expansion: int | None = DEFAULT_MAX_EXPANSION,
    ) -> None:
        if processes is not None and processes < 1:
            raise ValueError(f"expected at least 1 process, got {processes}")
        self._paths = sorted({os.fspath(path) for path in paths})
        self._maker = maker
        self._apart = apart
        self._processes = processes or cores()
        self._folder = folder
        self._on_progress = on_progress
        self._limits = _Limits(max_event_bytes, max_expansion)
        self.broken: tuple[BrokenLog, ...] = ()
        """The logs that were left out, in the order of their names; known with the first row."""

    def rows(self) -> Iterator[list[Row]]:
        """Yield the rows, those of one partition after the other.

        Raises:
            NoMemoryError: a process has died.
            SpillError: there is no room for the partitions.
        """
        self.broken = ()
        sizes = [_size_of(path) for path in self._paths]
        count = _partitions_for(sum(each.expanded for each in sizes))
        processes = min(self._processes, max(len(self._paths), count))
        with (
            tempfile.TemporaryDirectory(prefix="fleet-", dir=self._folder) as folder,
            workers(processes) as working,
        ):
            dealing = _Dealing(Path(folder), count, self._limits, self._apart)
            tasks = [(dealing, path, number) for number, path in enumerate(self._paths)]
            share = _Share(self._on_progress, sum(each.stored for each in sizes), count)
            for dealt in working.each(_deal, _largest_first(tasks, sizes), share.read):
                self.broken += () if dealt is None else (dealt,)
            self.broken = tuple(sorted(self.broken, key=lambda each: each.path))
            left_out = {each.path for each in self.broken}
            folding = _Folding(
                Path(folder), self._maker, tuple(self._paths), frozenset(left_out), self._apart
            )
            parts = [(folding, partition) for partition in range(count)]
            for done, rows in enumerate(working.each(_fold, parts), 1):
                share.fold(done)
                if rows:
                    yield rows


class _Share:
    """The share of the work that is done: reading is one half, and folding the other."""

    def __init__(self, tell: Progress | None, size: int, partitions: int) -> None:
        self._tell = tell
        self._size = max(size, 1)
        self._partitions = partitions

    def read(self, size: int) -> None:
        """So many bytes were read."""
        if self._tell is not None:
            self._tell(min(size / self._size, 1.0) / 2)

    def fold(self, partitions: int) -> None:
        """So many partitions were folded."""
        if self._tell is not None:
            self._tell(0.5 + partitions / self._partitions / 2)


class _Size(NamedTuple):
    """The size of a file, in bytes."""

    expanded: int = 0
    """About how many bytes of events it holds."""
    stored: int = 0


def _size_of(path: str) -> _Size:
    """Return the size of a file; nothing where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            is_compressed = file.read(4).startswith(_COMPRESSED)
            size = os.fstat(file.fileno()).st_size
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return _Size()
    return _Size(size * _EXPANSION if is_compressed else size, size)


def _partitions_for(size: int) -> int:
    return min(size // _PARTITION + 1, _MOST_PARTITIONS)


def _largest_first(tasks: Sequence[Any], sizes: Sequence[_Size]) -> list[Any]:
    """Return the tasks in an order in which all processes end at about the same time."""
    return [tasks[at] for at in sorted(range(len(tasks)), key=sizes.__getitem__, reverse=True)]


# --- the work of a process ------------------------------------------------------------------------


@attrs.frozen
class _Dealing:
    """Deals the entries of one file after the other out to the partitions."""

    folder: Path
    partitions: int
    limits: _Limits
    apart: bool

    def deal(self, path: str, number: int, on_progress: OnProgress) -> BrokenLog | None:
        """Deal out one file; return the reason if it is broken."""
        try:
            return self._deal(path, number, on_progress)
        except LogError as error:
            return BrokenLog(path, str(error))
        except RecursionError:
            return BrokenLog(path, "the data is nested too deeply")
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            return BrokenLog(path, getattr(error, "strerror", None) or str(error))

    def _deal(self, path: str, number: int, on_progress: OnProgress) -> BrokenLog | None:
        reason = _no_log(path)
        if reason is not None:
            return BrokenLog(path, reason)
        options = self.limits.arguments
        named = by_thread(read_records(path, **options))
        first = next((thread for thread, _ in named if thread is not None), None)
        records = read_records(path, on_progress=on_progress, **options)
        fault = _Fault()
        arrivals = fault.watch(arrivals_of(records, number, first))
        spill = Spill(self.folder, self.partitions, str(os.getpid()), apart=self.apart)
        spill.take(arrivals)
        return None if fault.reason is None else BrokenLog(path, fault.reason)


def _no_log(path: str) -> str | None:
    """Return why a file cannot be a log, if its kind says so."""
    if Path(path).is_dir():
        return "it is a folder"
    if not Path(path).is_file():
        return None
    with Path(path).open("rb") as file:
        if file.read(len(_PARQUET)) == _PARQUET:
            return "it is a Parquet file: DuckDB, Polars, Dask or Spark can fold it (docs/fleet.md)"
    return None


class _Fault:
    """The first fault of a log in which nothing is an event."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def watch(self, arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
        """Pass the entries on, and find out whether one of them is an event."""
        arrivals = iter(arrivals)
        for one in arrivals:
            yield one
            if not isinstance(one.event, Unreadable):
                self.reason = None
                break
            fault = f"nothing in it is a ChatKit event (line {one.event.line}: {one.event.reason})"
            self.reason = self.reason or fault
        yield from arrivals


@attrs.frozen
class _Folding:
    """Folds the threads of one partition after the other."""

    folder: Path
    maker: RowMaker
    paths: tuple[str, ...]
    left_out: frozenset[str]
    apart: bool

    def fold(self, partition: int) -> list[Row]:
        """Return the rows of a partition, and delete its files."""
        files = partition_files(self.folder, partition)
        threads: dict[tuple[str | None, int], list[Arrival]] = {}
        for one in read_partition(files):
            if self.paths[one.source] not in self.left_out:
                threads.setdefault(thread_key(one, apart=self.apart), []).append(one)
        for file in files:
            file.unlink()
        named = sorted(threads, key=lambda key: (key[0] or "", key[1]))
        return [self._row(key[0], threads.pop(key)) for key in named]

    def _row(self, thread: str | None, arrivals: list[Arrival]) -> Row:
        ordered = in_order(arrivals)
        places = [(self.paths[one.source], one.position) for one in ordered]
        return self.maker.row([one.event for one in ordered], thread, places=places)


def _deal(dealing: _Dealing, path: str, number: int) -> BrokenLog | None:
    before = 0

    def advance(size: int) -> None:
        nonlocal before
        more, before = size - before, size
        count_read(more)

    return dealing.deal(path, number, advance)


def _fold(folding: _Folding, partition: int) -> list[Row]:
    return folding.fold(partition)
