"""The task that consumes a stream: notice when it is gone for good."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable

from chatkit_reducer.supervise.tasks import EventLoop

__all__ = ["Consumer"]


class Consumer:
    """The task that asked for the newest event.

    A consumer that is cancelled while it sends, or whose sending raises, never comes back, and says
    nothing. Its generator should be dropped then, but the exception may hold the generator in a
    cycle until garbage is collected: for ever, on a quiet server. (Starlette 1.10 under anyio 4.16:
    exception, traceback, frames, in `task_done` of `TaskGroup._spawn`.) So the end of the task is
    watched. On Trio that is not possible.

    Args:
        loop: the event loop.
        gone: called when it has ended with an exception.
    """

    def __init__(self, loop: EventLoop, gone: Callable[[], object]) -> None:
        self._loop = loop
        self._gone = gone
        self._watched: asyncio.Task[object] | None = None
        # Weak: to keep the stream must not keep the task and its exception.
        self._task: weakref.ref[object] | None = None

    def change(self, task: object) -> object:
        """Watch another task as the consumer, and return it."""
        self.forget()
        self._task = weakref.ref(task)
        if isinstance(task, asyncio.Task):
            self._watched = task
            task.add_done_callback(self._done)
        return task

    @property
    def is_here(self) -> bool:
        """Whether the task that is running is the consumer."""
        task = None if self._task is None else self._task()
        return task is not None and task is self._loop.current_task()

    @property
    def may_come_back(self) -> bool:
        """Whether it may ask for another event: it is not the running task, and has not ended."""
        task = None if self._task is None else self._task()
        has_ended = task is None or (isinstance(task, asyncio.Task) and task.done())
        return not has_ended and not self.is_here

    def forget(self) -> None:
        """Stop watching the task."""
        if self._watched is not None:
            self._watched.remove_done_callback(self._done)
        self._watched = None

    def _done(self, task: asyncio.Task[object]) -> None:
        # A task that returned may have handed the stream on: each wait in a task of its own.
        # `task.exception()` would count as looking at it, and the event loop would not log it.
        if task.cancelled() or getattr(task, "_exception", None) is not None:
            self._gone()
