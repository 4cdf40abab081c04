"""Waiting for the next event of a stream, so that a timeout or a `stop()` can end the wait.

The obvious way is a cancel scope around every wait. It costs 2.5 microseconds an event on asyncio,
a quarter of what a ChatKit server spends on one; and a scope around the whole stream is not
allowed, because a generator must not hold one across a `yield`. So asyncio is interrupted as
`asyncio.timeout` does it: the task is cancelled, and the cancellation taken back where it arrives.
Elsewhere, which is Trio, it is a scope.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import anyio

from chatkit_reducer.policy import Cause

__all__ = ["Interrupted", "Waiting", "on_asyncio", "waiting"]

T = TypeVar("T")


class Interrupted(Exception):  # noqa: N818  # no error: it says why a wait was given up
    """The wait was given up."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause


class Waiting(Protocol):
    """Waits for one thing after another."""

    async def wait(self, advance: Callable[[], Awaitable[T]]) -> T:
        """What `advance` gives.

        Raises:
            Interrupted: by a timeout or by `interrupt`, before or while it waited.
        """
        ...

    def interrupt(self, cause: Cause) -> None:
        """Ends the wait that goes on, or else the next one before it begins."""
        ...

    def close(self) -> None:
        """No more waits."""
        ...


def on_asyncio() -> bool:
    """Whether this is a task of asyncio, and not of Trio."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


def waiting(
    timeout: float | None, idle_timeout: float | None, abandoned: Callable[[], object]
) -> Waiting:
    """What waits, for the event loop that is running.

    Args:
        timeout: how long all waits may take together with what happens between them, in seconds.
        idle_timeout: how long a single wait may take.
        abandoned: called when the task that waited last was cancelled between two waits; asyncio
            only.
    """
    if on_asyncio():
        return _AsyncioWaiting(timeout, idle_timeout, abandoned)
    return _ScopedWaiting(timeout, idle_timeout)


class _AsyncioWaiting:
    def __init__(
        self,
        timeout: float | None,
        idle_timeout: float | None,
        abandoned: Callable[[], object],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._abandoned = abandoned
        self._consumer: asyncio.Task[object] | None = None
        self._task: asyncio.Task[object] | None = None
        self._cause: Cause | None = None
        self._cancels_before: int | None = None
        self._idle = idle_timeout
        self._since = 0.0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        if timeout is not None:
            self._timers["all"] = self._loop.call_later(timeout, self.interrupt, Cause.TIMED_OUT)
        if idle_timeout is not None:
            self._timers["idle"] = self._loop.call_later(idle_timeout, self._check, idle_timeout)

    async def wait(self, advance: Callable[[], Awaitable[T]]) -> T:
        if self._cause is not None:
            raise Interrupted(self._cause)
        self._task = task = asyncio.current_task()
        if task is not self._consumer:
            self._watch(task)
        if self._idle is not None:
            self._since = self._loop.time()
        try:
            return await advance()
        except BaseException as error:
            if self._is_ours(task, error):
                assert self._cause is not None  # it cancelled the task
                raise Interrupted(self._cause) from error
            raise
        finally:
            self._task = None

    def _is_ours(self, task: asyncio.Task[object] | None, error: BaseException) -> bool:
        """Takes the cancellation back, if there was one; whether nobody else cancelled as well."""
        if task is None or self._cancels_before is None:
            return False
        others = task.uncancel() > self._cancels_before
        self._cancels_before = None
        return isinstance(error, asyncio.CancelledError | StopAsyncIteration) and not others

    def interrupt(self, cause: Cause) -> None:
        if self._cause is None:
            self._cause = cause
            if self._task is not None:
                self._cancels_before = self._task.cancelling()
                self._task.cancel()

    def _check(self, idle: float) -> None:
        """One timer for all waits: it looks how long the one that goes on has taken."""
        left = idle if self._task is None else self._since + idle - self._loop.time()
        if left <= 0:
            self.interrupt(Cause.TIMED_OUT)
        else:
            self._timers["idle"] = self._loop.call_later(left, self._check, idle)

    def _watch(self, task: asyncio.Task[object] | None) -> None:
        """A consumer that is cancelled while it sends never comes back, and says nothing.

        Its generator should be dropped then, but what cancelled it may hold that in a cycle, until
        there is garbage to collect: for ever, on a quiet server. (Starlette 1.10 under anyio 4.16:
        exception, traceback, frames, in `task_done` of `TaskGroup._spawn`.)
        """
        if self._consumer is not None:
            self._consumer.remove_done_callback(self._consumer_done)
        if task is not None:
            task.add_done_callback(self._consumer_done)
        self._consumer = task

    def _consumer_done(self, task: asyncio.Task[object]) -> None:
        # One that came to its end may have handed the stream on: each wait a task of its own.
        if task.cancelled():
            self._abandoned()

    def close(self) -> None:
        self._watch(None)
        for timer in self._timers.values():
            timer.cancel()


class _ScopedWaiting:
    def __init__(self, timeout: float | None, idle_timeout: float | None) -> None:
        self._end = math.inf if timeout is None else anyio.current_time() + timeout
        self._idle = math.inf if idle_timeout is None else idle_timeout
        self._cause: Cause | None = None
        self._scope: anyio.CancelScope | None = None

    async def wait(self, advance: Callable[[], Awaitable[T]]) -> T:
        now = anyio.current_time()
        if self._cause is not None or now >= self._end:
            raise Interrupted(self._stopped_by())
        with anyio.CancelScope(deadline=min(self._end, now + self._idle)) as scope:
            self._scope = scope
            try:
                return await advance()
            finally:
                self._scope = None
        raise Interrupted(self._stopped_by())

    def _stopped_by(self) -> Cause:
        return Cause.TIMED_OUT if self._cause is None else self._cause

    def interrupt(self, cause: Cause) -> None:
        if self._cause is None:
            self._cause = cause
            if self._scope is not None:
                self._scope.cancel()

    def close(self) -> None:
        """Nothing is left to end."""
