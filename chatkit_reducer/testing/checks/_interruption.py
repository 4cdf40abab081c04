"""Calls of a store that are interrupted in the middle."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum, StrEnum, auto
from functools import partial
from threading import Lock
from typing import Any, NamedTuple, TypeAlias

import attrs

from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.verdict import Write
from chatkit_reducer.testing._await_points import AtPoint, AwaitPoints

Commit: TypeAlias = Callable[[Settlement], Any]


class Interrupted(Exception):  # noqa: N818  # named after the event, like `Raised`
    """The stand-in for an exception of a database."""


class CutKind(StrEnum):
    """How a commit is cut off; the values continue "a commit that"."""

    FAILING_WRITE = "failed at write"
    """`Settlement.writes` raises instead of giving this write: no event loop is needed for it."""
    REFUSED_WRITE = "met an id that no database takes in write"
    """This write has an id that cannot be stored as UTF-8, which the database finds out. So it also
    fails for a store that reads all writes before it begins."""
    EXCEPTION = "failed at await"
    """The awaited object raises when it has come to its end. A commit that only yields to the event
    loop, as in `asyncio.sleep(0)` or to take a free lock of anyio, cannot fail there."""
    CANCELLATION = "was cancelled at await"
    """Its task is cancelled while it waits."""


class Cut(NamedTuple):
    """Where a commit is cut off."""

    kind: CutKind
    number: int
    """The number of the write or of the await; from 1."""

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class AwaitKind(Enum):
    """The two kinds of await in a commit."""

    A_TURN = auto()
    """It yields to the event loop and waits for nothing: only a cancellation can come there."""
    FOR_SOMETHING = auto()
    """It waits for a future, which may fail."""

    @classmethod
    def of(cls, waits_for: Any) -> AwaitKind:
        """Tell the kind by the object that is awaited."""
        return cls.A_TURN if waits_for is None else cls.FOR_SOMETHING


class Raised(Exception):  # noqa: N818  # named after the event, like `Interrupted`
    """The store raised an exception: no fault of the check."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class TookTooLong(BaseException):
    """A call of the store does not come to its end.

    Not an `Exception`, because a store may raise a `TimeoutError` of its own, and because
    Hypothesis would look for a smaller example, for as long each time.
    """


class Commits:
    """Calls a `commit` in the running event loop, to its end or cut off."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._use_new_threads()

    def _use_new_threads(self) -> None:
        """Replace the executor: an event loop that closes waits only for the threads it has."""
        self._threads = _Threads()
        asyncio.get_running_loop().set_default_executor(self._threads)

    def close(self) -> None:
        """Let the event loop close without waiting for threads that still work."""
        if self._threads.at_work():
            self._use_new_threads()

    async def in_time(self, call: Callable[[], Any], *, extra: float = 0) -> Any:
        """Call the store in this task, and await the result if it is awaitable.

        Args:
            call: calls it.
            extra: how much longer it may take than one call of the store, in seconds.

        Raises:
            TookTooLong: it does not come to its end.
            Exception: the store raises it.
        """
        limit = asyncio.timeout(self._timeout + extra)
        try:
            async with limit:
                value = call()
                return await value if inspect.isawaitable(value) else value
        except BaseException:
            if not limit.expired():  # a TimeoutError may be one of the store
                raise
            self._use_new_threads()
            raise TookTooLong from None

    async def whole(self, commit: Commit, settlement: Settlement) -> list[AwaitKind]:
        """Commit to the end, and list the awaits on the way.

        Raises:
            TookTooLong: it does not come to its end.
            Raised: it raises something.
        """
        awaits: list[AwaitKind] = []

        def note(_: int, waits_for: Any) -> None:
            awaits.append(AwaitKind.of(waits_for))

        await self._run(commit, settlement, note)
        return awaits

    async def cut_off(self, commit: Commit, settlement: Settlement, cut: Cut) -> bool:
        """Commit, and be cut off; return whether the commit reported that by an exception.

        Raises:
            TookTooLong: it does not come to its end.
        """
        tasks, threads = asyncio.all_tasks(), self._threads.at_work()
        has_raised = False
        try:
            await self._run(commit, _cut_settlement(settlement, cut), partial(_cut_at, cut))
        except Raised:
            has_raised = True
        await self._wait_for_the_rest(tasks, threads)
        return has_raised

    async def _run(self, commit: Commit, settlement: Settlement, at_point: AtPoint) -> None:
        try:
            result = commit(settlement)
        except Exception as error:
            raise Raised(error) from error
        if not inspect.isawaitable(result):
            return
        task = asyncio.create_task(_run_stepwise(result, at_point))
        # Not awaited itself: a cancellation is for that task alone.
        await asyncio.wait({task}, timeout=self._timeout)
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_TASKS_TAKE)
            _retrieve_exception(task)
            self._use_new_threads()
            raise TookTooLong
        try:
            task.result()
        except (Exception, asyncio.CancelledError) as error:
            raise Raised(error) from error

    async def _wait_for_the_rest(
        self, tasks_before: set[asyncio.Task[Any]], threads_before: set[Future[Any]]
    ) -> None:
        """Wait for tasks and threads that outlive the commit."""
        tasks = asyncio.all_tasks() - tasks_before
        if tasks:
            await asyncio.wait(tasks, timeout=_TASKS_TAKE)
        begun = self._threads.at_work() - threads_before
        threads = [asyncio.wrap_future(future) for future in begun]
        if threads:
            _, at_work = await asyncio.wait(threads, timeout=self._timeout)
            for thread in threads:
                _retrieve_exception(thread)
            if at_work:
                self._use_new_threads()
                raise TookTooLong


def _retrieve_exception(future: asyncio.Future[Any]) -> None:
    """Retrieve the exception: asyncio logs those that are never retrieved."""
    if future.done() and not future.cancelled():
        future.exception()


_TASKS_TAKE = 0.2
"""How long a task that a commit has begun may go on, in seconds. A task that goes on for good, such
as that of a pool of connections, does not belong to the commit."""


class _Threads(ThreadPoolExecutor):
    """The threads of `asyncio.to_thread`; it knows which of them are at work."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()  # `_done` runs in the thread that has finished
        self._at_work: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Begin a call in a thread."""
        future = super().submit(fn, *args, **kwargs)
        with self._lock:
            self._at_work.add(future)
        future.add_done_callback(self._done)  # called at once if the future is done already
        return future

    def _done(self, future: Future[Any]) -> None:
        with self._lock:
            self._at_work.discard(future)

    def at_work(self) -> set[Future[Any]]:
        """List the calls that have not ended."""
        with self._lock:
            return set(self._at_work)


async def _run_stepwise(awaitable: Awaitable[Any], at_point: AtPoint) -> None:
    await AwaitPoints(_await(awaitable), at_point)


async def _await(awaitable: Awaitable[Any]) -> None:
    await awaitable


# --- failures -------------------------------------------------------------------------------------


def _cut_settlement(settlement: Settlement, cut: Cut) -> Settlement:
    if cut.kind not in (CutKind.FAILING_WRITE, CutKind.REFUSED_WRITE):
        return settlement
    fields: dict[str, Any] = {
        str(field.alias): getattr(settlement, field.name) for field in attrs.fields(Settlement)
    }
    return _CutSettlement(**fields, cut=cut)


def _cut_at(cut: Cut, number: int, waits_for: Any) -> BaseException | None:
    if number != cut.number:
        return None
    if cut.kind is CutKind.CANCELLATION:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
    if cut.kind is CutKind.EXCEPTION and AwaitKind.of(waits_for) is AwaitKind.FOR_SOMETHING:
        return Interrupted("the connection was lost")
    return None


class _FailingWrites(tuple[Write, ...]):
    """Writes that raise at one of them."""

    fails_at: int

    def __iter__(self) -> Iterator[Write]:
        for number, write in enumerate(super().__iter__(), 1):
            if number == self.fails_at:
                raise Interrupted("the connection was lost")
            yield write


@attrs.frozen(kw_only=True)
class _CutSettlement(Settlement):
    """A settlement with a write that cannot be read, or cannot be stored."""

    cut: Cut

    @property
    def writes(self) -> tuple[Write, ...]:
        """The writes, one of them broken."""
        writes = list(Settlement.writes.__get__(self))
        if self.cut.kind is CutKind.REFUSED_WRITE:
            place = self.cut.number - 1
            # A lone surrogate: legal in JSON and in Python, and UTF-8 cannot encode it.
            writes[place] = Write(writes[place].op, {**writes[place].item, "id": "\ud800"})
            return tuple(writes)
        failing = _FailingWrites(writes)
        failing.fails_at = self.cut.number
        return failing
