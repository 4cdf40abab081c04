"""Background tasks and timers, on asyncio and on Trio.

anyio has neither: each of its tasks belongs to a group that another task holds open. The tasks here
outlive the task that began them.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable
from contextvars import Context
from functools import partial
from typing import Protocol, TypeAlias

import anyio

__all__ = ["EventLoop", "await_if_needed", "event_loop", "on_asyncio"]

Work: TypeAlias = Callable[[], Awaitable[object]]
Cancel: TypeAlias = Callable[[], object]

# An event loop does not keep its tasks alive.
_running: set[asyncio.Task[None]] = set()


def on_asyncio() -> bool:
    """Return whether this is a task of asyncio, and not of Trio."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


async def await_if_needed(value: object) -> object:
    """Return a value, or the result of awaiting it, if it can be awaited."""
    return await value if inspect.isawaitable(value) else value


class EventLoop(Protocol):
    """The operations of an event loop that supervision needs; its callbacks may use it, too."""

    def now(self) -> float:
        """Return the time, by its clock."""
        ...

    def current_task(self) -> object:
        """Return the task that is running; None in a callback."""
        ...

    def spawn(
        self,
        work: Work,
        context: Context,
        name: str,
        *,
        ended: Callable[[], object] | None = None,
    ) -> Cancel:
        """Run work in a task of its own, in a copy of this context; return a function to cancel it.

        It should not raise: its exception is lost.

        Args:
            work: the coroutine function to run.
            context: the context to copy for it.
            name: the name of the task.
            ended: called when it has ended, also if it was cancelled before it began.

        Raises:
            RuntimeError: the event loop is about to end, and takes no more tasks (Trio).
        """
        ...

    def call_later(self, seconds: float, do: Callable[[], object], context: Context) -> Cancel:
        """Call it later, in a copy of this context; return a function to cancel that."""
        ...


def event_loop() -> EventLoop:
    """Return the event loop of the task that is running."""
    return _Asyncio() if on_asyncio() else _Trio()


class _Asyncio:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self.current_task = partial(asyncio.current_task, self._loop)

    def spawn(
        self,
        work: Work,
        context: Context,
        name: str,
        *,
        ended: Callable[[], object] | None = None,
    ) -> Cancel:
        task = self._loop.create_task(_run(work), name=name, context=context.copy())
        _running.add(task)
        task.add_done_callback(_running.discard)
        if ended is not None:
            task.add_done_callback(lambda _: ended())
        return task.cancel

    def call_later(self, seconds: float, do: Callable[[], object], context: Context) -> Cancel:
        return self._loop.call_later(seconds, do, context=context.copy()).cancel


async def _run(work: Work) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await work()


class _Trio:
    """System tasks of Trio, which no nursery of the application owns.

    They are cancelled when the main task has ended; Trio waits for one that is behind a shield. An
    exception of one of them would end the program.
    """

    def __init__(self) -> None:
        from trio import current_time
        from trio.lowlevel import current_task, spawn_system_task

        self.now = current_time
        self.current_task = current_task
        self._spawn: Callable[..., object] = spawn_system_task

    def spawn(
        self,
        work: Work,
        context: Context,
        name: str,
        *,
        ended: Callable[[], object] | None = None,
    ) -> Cancel:
        scope = anyio.CancelScope()

        async def run() -> None:
            try:
                with scope:
                    await work()
            finally:
                if ended is not None:
                    ended()

        self._spawn(run, name=name, context=context.copy())
        return scope.cancel

    def call_later(self, seconds: float, do: Callable[[], object], context: Context) -> Cancel:
        async def wait() -> None:
            await anyio.sleep(seconds)
            do()

        return self.spawn(wait, context, "chatkit_reducer timer")
