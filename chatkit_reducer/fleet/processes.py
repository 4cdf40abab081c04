"""Rows of many log files, made by several processes of one machine.

In two passes: the files are dealt out to partitions, each of which has whole threads; then the
threads of one partition after the other are folded. So a thread may be spread over any files, and
the memory is that of a partition, while the disk needs room for the logs once more, uncompressed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from chatkit_reducer.errors import LogError
from chatkit_reducer.events import Unreadable
from chatkit_reducer.fleet.arrivals import Arrival, in_order
from chatkit_reducer.fleet.rows import Row, RowMaker
from chatkit_reducer.fleet.spills import Spill, arrivals_of, partition_files, read_partition
from chatkit_reducer.logs import DEFAULT_MAX_EVENT_BYTES, DEFAULT_MAX_EXPANSION, read_records
from chatkit_reducer.logs.reading import OnProgress
from chatkit_reducer.logs.threads import by_thread

__all__ = ["BrokenLog", "FileFold", "NoMemoryError", "Progress"]

_PARTITION = 8 * 1024 * 1024
_MOST_PARTITIONS = 1024
_EXPANSION = 10
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
_PARQUET = b"PAR1"
_LOOK = 0.2  # seconds between two looks at the progress
_AHEAD = 2  # tasks for each process that wait

Progress: TypeAlias = Callable[[float], None]
"""Called with the share of the work that is done, from 0 to 1."""


class NoMemoryError(MemoryError):
    """A process has died, most likely for want of memory."""


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
        self._processes = processes or len(os.sched_getaffinity(0))
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
        sizes = [_size_of(path) for path in self._paths]
        count = _partitions_for(sum(sizes))
        processes = min(self._processes, max(len(self._paths), count))
        with (
            tempfile.TemporaryDirectory(prefix="fleet-", dir=self._folder) as folder,
            _workers(processes) as workers,
        ):
            dealing = _Dealing(Path(folder), count, self._limits)
            tasks = [(dealing, path, number) for number, path in enumerate(self._paths)]
            share = _Share(self._on_progress, sum(sizes), count)
            for dealt in workers.each(_deal, _largest_first(tasks, sizes), share.read):
                self.broken += () if dealt is None else (dealt,)
            self.broken = tuple(sorted(self.broken, key=lambda each: each.path))
            left_out = {each.path for each in self.broken}
            folding = _Folding(Path(folder), self._maker, tuple(self._paths), frozenset(left_out))
            parts = [(folding, partition) for partition in range(count)]
            for done, rows in enumerate(workers.each(_fold, parts, None), 1):
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


def _size_of(path: str) -> int:
    """Return how many bytes of events a file may hold; 0 where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            is_compressed = file.read(4).startswith(_COMPRESSED)
            size = os.fstat(file.fileno()).st_size
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return 0
    return size * _EXPANSION if is_compressed else size


def _partitions_for(size: int) -> int:
    return min(size // _PARTITION + 1, _MOST_PARTITIONS)


def _largest_first(tasks: Sequence[Any], sizes: Sequence[int]) -> list[Any]:
    """Return the tasks in an order in which all processes end at about the same time."""
    return [tasks[at] for at in sorted(range(len(tasks)), key=sizes.__getitem__, reverse=True)]


# --- the work of a process ------------------------------------------------------------------------


@attrs.frozen
class _Dealing:
    """Deals the entries of one file after the other out to the partitions."""

    folder: Path
    partitions: int
    limits: _Limits

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
        Spill(self.folder, self.partitions, str(os.getpid())).take(arrivals)
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

    def fold(self, partition: int) -> list[Row]:
        """Return the rows of a partition, and delete its files."""
        files = partition_files(self.folder, partition)
        threads: dict[tuple[str | None, int], list[Arrival]] = {}
        for one in read_partition(files):
            if self.paths[one.source] not in self.left_out:
                key = (one.thread, 0) if one.thread is not None else (None, one.source)
                threads.setdefault(key, []).append(one)
        for file in files:
            file.unlink()
        named = sorted(threads, key=lambda key: (key[0] or "", key[1]))
        return [self._row(key[0], threads.pop(key)) for key in named]

    def _row(self, thread: str | None, arrivals: list[Arrival]) -> Row:
        ordered = in_order(arrivals)
        places = [(self.paths[one.source], one.position) for one in ordered]
        return self.maker.row([one.event for one in ordered], thread, places=places)


_read: Any = None
"""How many bytes all processes have read together."""


def _deal(dealing: _Dealing, path: str, number: int) -> BrokenLog | None:
    before = 0

    def advance(size: int) -> None:
        nonlocal before
        more, before = size - before, size
        if _read is not None:
            with _read.get_lock():
                _read.value += more

    return dealing.deal(path, number, advance)


def _fold(folding: _Folding, partition: int) -> list[Row]:
    return folding.fold(partition)


# --- the processes --------------------------------------------------------------------------------


class _Workers:
    """Does tasks one after the other in this process, or in several."""

    def __init__(self, pool: ProcessPoolExecutor | None, count: int) -> None:
        self._pool = pool
        self._count = count

    def each(
        self, work: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], on_read: OnProgress | None
    ) -> Iterator[Any]:
        """Yield the results in the order of the tasks."""
        if self._pool is None:
            for task in tasks:
                yield work(*task)
                _tell(on_read)
            return
        waiting = iter(tasks)
        running: deque[Future[Any]] = deque()
        submit = self._pool.submit
        running.extend(submit(work, *task) for task in islice(waiting, self._count * _AHEAD))
        while running:
            yield _result(running[0], on_read)
            running.popleft()
            running.extend(submit(work, *task) for task in islice(waiting, 1))


def _result(future: Future[Any], on_read: OnProgress | None) -> Any:
    try:
        while not wait([future], timeout=_LOOK).done:
            _tell(on_read)
        return future.result()
    except BrokenProcessPool:
        raise NoMemoryError(
            "a process was killed, most likely for want of memory: use fewer processes"
        ) from None


def _tell(on_read: OnProgress | None) -> None:
    if on_read is not None and _read is not None:
        on_read(_read.value)


@contextmanager
def _workers(count: int) -> Iterator[_Workers]:
    global _read  # noqa: PLW0603  # a child process inherits it, and there is no other way to it
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    if count == 1:
        _read = counter
        yield _Workers(None, 1)
        return
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(counter,))
    _read = counter
    try:
        with _no_interrupts():
            pool.submit(_nothing)  # the first task starts all processes
        yield _Workers(pool, count)
    except BaseException:  # the caller wants no more rows: an interrupt, most likely
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(counter: Any) -> None:
    global _read  # noqa: PLW0603
    _read = counter
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent was killed, and cannot end it any more."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _nothing() -> None:
    """Do nothing."""


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Hold interrupts back; processes started meanwhile get none at all: their parent ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
