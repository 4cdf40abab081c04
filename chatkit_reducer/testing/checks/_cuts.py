"""A commit that is cut off in the middle."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from enum import StrEnum
from functools import partial
from threading import Lock
from typing import Any, NamedTuple, TypeAlias

import attrs

from chatkit_reducer.settlement import Settlement, Write
from chatkit_reducer.testing.cancellation.running import Watched

__all__ = ["Commits", "Cut", "CutKind", "TookTooLong"]

Commit: TypeAlias = Callable[[Settlement], Any]
AtPoint: TypeAlias = Callable[[int], BaseException | None]


class Interrupted(Exception):  # noqa: N818  # the name of what happens to the store
    """Stands for whatever a database raises."""


class CutKind(StrEnum):
    """How a commit is cut off."""

    FAILING_WRITE = "failed at write"
    """`Settlement.writes` raises instead of giving this write: no event loop is needed for it."""
    REFUSED_WRITE = "met an id that no database takes in write"
    """This write has an id that cannot be stored as UTF-8, which the database finds out. So it also
    fails for a store that reads all writes before it begins."""
    EXCEPTION = "failed at await"
    """What it waits for raises."""
    CANCELLATION = "was cancelled at await"
    """Its task is cancelled while it waits."""


class Cut(NamedTuple):
    """Where a commit is cut off."""

    kind: CutKind
    number: int
    """Which write, or which time that it waits; from 1."""

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class TookTooLong(BaseException):
    """A commit does not come to its end.

    No `Exception`, because a store may raise a `TimeoutError` of its own; and because Hypothesis
    would look for a smaller example, for as long each time.
    """


class Commits:
    """Calls a `commit`, in the event loop that runs."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._threads = _Threads()
        asyncio.get_running_loop().set_default_executor(self._threads)

    async def whole(self, commit: Commit, settlement: Settlement) -> int:
        """Commits; how often it waited for something.

        Raises:
            TookTooLong: it does not come to its end.
            Exception: what it raises.
        """
        waited = 0

        def count(number: int) -> None:
            nonlocal waited
            waited = number

        result = commit(settlement)
        if inspect.isawaitable(result):
            await self._ended(_watched(result, count))
        return waited

    async def cut_off(self, commit: Commit, settlement: Settlement, cut: Cut) -> bool:
        """Commits, and is cut off; whether it told so, by raising something.

        Raises:
            TookTooLong: it does not come to its end.
        """
        before = asyncio.all_tasks()
        told = False
        try:
            result = commit(_cut_settlement(settlement, cut))
            if inspect.isawaitable(result):
                await self._ended(_watched(result, partial(_cut_at, cut)))
        except (Exception, asyncio.CancelledError):  # noqa: BLE001  # whatever a store makes of it
            told = True
        await self._left_behind(before)
        return told

    async def _ended(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        # Not awaited itself: a cancellation is for that task alone.
        await asyncio.wait({task}, timeout=self._patience)
        if not task.done():
            task.cancel()
            raise TookTooLong
        task.result()

    async def _left_behind(self, before: set[asyncio.Task[Any]]) -> None:
        """Waits for what goes on after it: a thread does not end when its task does."""
        tasks = asyncio.all_tasks() - before
        if tasks:
            await asyncio.wait(tasks, timeout=_TASKS_TAKE)
        threads = [asyncio.wrap_future(future) for future in self._threads.at_work()]
        if threads:
            await asyncio.wait(threads, timeout=self._patience)
            for thread in threads:
                if thread.done() and not thread.cancelled():
                    thread.exception()  # or asyncio logs that nobody asked for it


_TASKS_TAKE = 0.2
"""How long a task that a commit has begun may go on, in seconds. One that goes on for good, such as
that of a pool of connections, is none of its work."""


class _Threads(ThreadPoolExecutor):
    """The threads of `asyncio.to_thread`, of which one knows whether they are at work."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()  # what is done is noted in the thread that has done it
        self._at_work: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Begins something."""
        future = super().submit(fn, *args, **kwargs)
        with self._lock:
            self._at_work.add(future)
        future.add_done_callback(self._done)  # at once, if it is
        return future

    def _done(self, future: Future[Any]) -> None:
        with self._lock:
            self._at_work.discard(future)

    def at_work(self) -> set[Future[Any]]:
        """What they do just now."""
        with self._lock:
            return set(self._at_work)


# --- what fails -----------------------------------------------------------------------------------


def _cut_settlement(settlement: Settlement, cut: Cut) -> Settlement:
    if cut.kind not in (CutKind.FAILING_WRITE, CutKind.REFUSED_WRITE):
        return settlement
    return _CutSettlement(**attrs.asdict(settlement, recurse=False), cut=cut)


def _cut_at(cut: Cut, number: int) -> BaseException | None:
    if number != cut.number:
        return None
    if cut.kind is CutKind.EXCEPTION:
        return Interrupted("the connection was lost")
    task = asyncio.current_task()
    if cut.kind is CutKind.CANCELLATION and task is not None:
        task.cancel()
    return None


async def _watched(awaitable: Awaitable[Any], at_point: AtPoint) -> None:
    async def awaited() -> None:
        await awaitable

    await Watched(awaited(), at_point)


class _FailingWrites(tuple[Write, ...]):
    """Writes of which one cannot be had."""

    fails_at: int

    def __iter__(self) -> Iterator[Write]:
        for number, write in enumerate(super().__iter__(), 1):
            if number == self.fails_at:
                raise Interrupted("the connection was lost")
            yield write


@attrs.frozen(kw_only=True)
class _CutSettlement(Settlement):
    """A settlement that cannot be read, or cannot be written, to its end."""

    cut: Cut

    @property
    def writes(self) -> tuple[Write, ...]:
        """As far as they can be had."""
        writes = list(Settlement.writes.__get__(self))
        if self.cut.kind is CutKind.REFUSED_WRITE:
            place = self.cut.number - 1
            # Half of a surrogate pair: legal in JSON and in Python, and no UTF-8 is made of it.
            writes[place] = Write(writes[place].op, {**writes[place].item, "id": "\ud800"})
            return tuple(writes)
        failing = _FailingWrites(writes)
        failing.fails_at = self.cut.number
        return failing
