"""The processes that do the tasks of a fold, and count the bytes that they have read.

A working process gets no interrupt: its parent ends it. If the parent was killed, it ends itself.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Any

from chatkit_reducer.logs.reading import OnProgress

__all__ = ["NoMemoryError", "Workers", "cores", "count_read", "workers"]

_LOOK = 0.2  # seconds between two looks at the progress
_AHEAD = 2  # tasks for each process that wait


class NoMemoryError(MemoryError):
    """A process has died, most likely for want of memory."""


class _Reading:
    """The bytes that all processes have read together."""

    def __init__(self) -> None:
        self.counter: Any = None
        self.on_read: OnProgress | None = None
        """Told at once, where the reading is done in this process."""


_reading = _Reading()


def cores() -> int:
    """Return how many processes can work at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def count_read(size: int) -> None:
    """Count some more bytes that were read."""
    if _reading.counter is not None:
        with _reading.counter.get_lock():
            _reading.counter.value += size
    _tell(_reading.on_read)


def _tell(on_read: OnProgress | None) -> None:
    if on_read is not None and _reading.counter is not None:
        on_read(_reading.counter.value)


class Workers:
    """Does tasks one after the other in this process, or in several.

    Args:
        pool: the processes; None for this one.
        count: how many there are.
    """

    def __init__(self, pool: ProcessPoolExecutor | None, count: int) -> None:
        self._pool = pool
        self._count = count

    def each(
        self,
        work: Callable[..., Any],
        tasks: Sequence[tuple[Any, ...]],
        on_read: OnProgress | None = None,
    ) -> Iterator[Any]:
        """Yield the results in the order of the tasks.

        Args:
            work: the function, which a process can import.
            tasks: its arguments.
            on_read: told now and then how many bytes were read.

        Raises:
            NoMemoryError: a process has died.
        """
        return (
            self._here(work, tasks, on_read)
            if self._pool is None
            else (self._there(self._pool, work, tasks, on_read))
        )

    def _here(
        self, work: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], on_read: OnProgress | None
    ) -> Iterator[Any]:
        for task in tasks:
            _reading.on_read = on_read
            yield work(*task)
        _reading.on_read = None

    def _there(
        self,
        pool: ProcessPoolExecutor,
        work: Callable[..., Any],
        tasks: Sequence[tuple[Any, ...]],
        on_read: OnProgress | None,
    ) -> Iterator[Any]:
        waiting = iter(tasks)
        running: deque[Future[Any]] = deque()
        running.extend(pool.submit(work, *task) for task in islice(waiting, self._count * _AHEAD))
        while running:
            yield _result(running[0], on_read)
            running.popleft()
            running.extend(pool.submit(work, *task) for task in islice(waiting, 1))


def _result(future: Future[Any], on_read: OnProgress | None) -> Any:
    try:
        while not wait([future], timeout=_LOOK).done:
            _tell(on_read)
        return future.result()
    except BrokenProcessPool:
        raise NoMemoryError(
            "a process was killed, most likely for want of memory: use fewer processes"
        ) from None


@contextmanager
def workers(count: int) -> Iterator[Workers]:
    """Start so many processes; for one, work in this process. They end with the context."""
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    if count == 1:
        _reading.counter = counter
        yield Workers(None, 1)
        return
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(counter,))
    _reading.counter = counter
    try:
        with _no_interrupts():
            pool.submit(_nothing)  # the first task starts all processes
        yield Workers(pool, count)
    except BaseException:  # the caller wants no more rows: an interrupt, most likely
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(counter: Any) -> None:
    _reading.counter = counter
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
