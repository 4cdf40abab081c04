"""A commit that is cut off in the middle."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum, StrEnum, auto
from functools import partial
from itertools import count
from threading import Lock
from typing import Any, NamedTuple, TypeAlias

import attrs

from chatkit_reducer.settlement import Settlement, Write

__all__ = ["Commits", "Cut", "CutKind", "Raised", "TookTooLong", "Waiting"]

Commit: TypeAlias = Callable[[Settlement], Any]


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
    """What it waits for raises, when it has come to its end. Where it gives way to others and waits
    for nothing, as in `asyncio.sleep(0)` or to take a lock of anyio, nothing can raise."""
    CANCELLATION = "was cancelled at await"
    """Its task is cancelled while it waits."""


class Cut(NamedTuple):
    """Where a commit is cut off."""

    kind: CutKind
    number: int
    """Which write, or which time that it waits; from 1."""

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class Waiting(Enum):
    """What a commit waits for."""

    A_TURN = auto()
    """For nothing but its turn: only a cancellation can come there."""
    FOR_SOMETHING = auto()


class Then(Enum):
    """How a commit that waits goes on."""

    GO_ON = auto()
    FAIL = auto()
    BE_CANCELLED = auto()


AtWait: TypeAlias = Callable[[int, Waiting], Then]


class Raised(Exception):  # noqa: N818  # what happened, like the others
    """A commit raises something: the store does, and not what calls it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class TookTooLong(BaseException):
    """A commit, or what else is asked of a store, does not come to its end.

    No `Exception`, because a store may raise a `TimeoutError` of its own; and because Hypothesis
    would look for a smaller example, for as long each time.
    """


class Commits:
    """Calls a `commit`, in the event loop that runs."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._use_new_threads()

    def _use_new_threads(self) -> None:
        """The event loop waits for its threads when it is closed, however long: not for others."""
        self._threads = _Threads()
        asyncio.get_running_loop().set_default_executor(self._threads)

    def close(self) -> None:
        """Lets the event loop close, whatever goes on in threads."""
        if self._threads.at_work():
            self._use_new_threads()

    async def in_time(self, call: Callable[[], Any]) -> Any:
        """Calls something else of the store, in this task; what that gives, now or later.

        Raises:
            TookTooLong: it does not come to its end.
            Exception: what it raises.
        """
        limit = asyncio.timeout(self._patience)
        try:
            async with limit:
                value = call()
                return await value if inspect.isawaitable(value) else value
        except BaseException:
            if not limit.expired():  # a TimeoutError may be one of the store
                raise
            self._use_new_threads()
            raise TookTooLong from None

    async def whole(self, commit: Commit, settlement: Settlement) -> list[Waiting]:
        """Commits; each time that it waited, what it waited for.

        Raises:
            TookTooLong: it does not come to its end.
            Raised: it raises something.
        """
        waited: list[Waiting] = []

        def note(_: int, waiting: Waiting) -> Then:
            waited.append(waiting)
            return Then.GO_ON

        await self._ended(commit, settlement, note)
        return waited

    async def cut_off(self, commit: Commit, settlement: Settlement, cut: Cut) -> bool:
        """Commits, and is cut off; whether it told so, by raising something.

        Raises:
            TookTooLong: it does not come to its end.
        """
        tasks, threads = asyncio.all_tasks(), self._threads.at_work()
        told = False
        try:
            await self._ended(commit, _cut_settlement(settlement, cut), partial(_cut_at, cut))
        except Raised:
            told = True
        await self._left_behind(tasks, threads)
        return told

    async def _ended(self, commit: Commit, settlement: Settlement, at_wait: AtWait) -> None:
        try:
            result = commit(settlement)
        except Exception as error:
            raise Raised(error) from error
        if not inspect.isawaitable(result):
            return
        task = asyncio.create_task(_stepwise(result, at_wait))
        # Not awaited itself: a cancellation is for that task alone.
        await asyncio.wait({task}, timeout=self._patience)
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_TASKS_TAKE)
            _asked_for(task)
            self._use_new_threads()
            raise TookTooLong
        try:
            task.result()
        except (Exception, asyncio.CancelledError) as error:
            raise Raised(error) from error

    async def _left_behind(
        self, tasks_before: set[asyncio.Task[Any]], threads_before: set[Future[Any]]
    ) -> None:
        """Waits for what goes on after it: a thread does not end when its task does."""
        tasks = asyncio.all_tasks() - tasks_before
        if tasks:
            await asyncio.wait(tasks, timeout=_TASKS_TAKE)
        begun = self._threads.at_work() - threads_before
        threads = [asyncio.wrap_future(future) for future in begun]
        if threads:
            _, at_work = await asyncio.wait(threads, timeout=self._patience)
            for thread in threads:
                _asked_for(thread)
            if at_work:
                self._use_new_threads()
                raise TookTooLong


def _asked_for(future: asyncio.Future[Any]) -> None:
    """Asks for what it raised, or else asyncio logs that nobody did."""
    if future.done() and not future.cancelled():
        future.exception()


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


def _cut_at(cut: Cut, number: int, waiting: Waiting) -> Then:
    if number == cut.number and cut.kind is CutKind.CANCELLATION:
        return Then.BE_CANCELLED
    if number == cut.number and cut.kind is CutKind.EXCEPTION and waiting is Waiting.FOR_SOMETHING:
        return Then.FAIL
    return Then.GO_ON


class _Stepwise:
    """Awaits something, and asks each time that this waits how to go on.

    Where it is to fail, what it waits for comes to its end before: so does a thread that still
    writes, and an answer of the database that gets lost on the way.
    """

    def __init__(self, awaitable: Awaitable[Any], at_wait: AtWait) -> None:
        self._awaitable = awaitable
        self._at_wait = at_wait

    def __await__(self) -> Generator[Any, Any, None]:
        inner = _awaited(self._awaitable).__await__()
        step: Callable[[Any], Any] = inner.send
        given: Any = None
        for number in count(1):
            try:
                waits_for = step(given)
            except StopIteration:
                return
            finally:
                given = None  # an error in a frame that it went through is a cycle
            waiting = Waiting.A_TURN if waits_for is None else Waiting.FOR_SOMETHING
            then = self._at_wait(number, waiting)
            task = asyncio.current_task()
            if then is Then.BE_CANCELLED and task is not None:
                task.cancel()  # before the event loop sees it: so it is cancelled while it waits
            try:
                step, given = inner.send, (yield waits_for)
            except BaseException as error:  # noqa: BLE001  # it is for the store
                step, given = inner.throw, error
            else:
                if then is Then.FAIL:
                    step, given = inner.throw, Interrupted("the connection was lost")


async def _stepwise(awaitable: Awaitable[Any], at_wait: AtWait) -> None:
    await _Stepwise(awaitable, at_wait)


async def _awaited(awaitable: Awaitable[Any]) -> None:
    await awaitable


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
