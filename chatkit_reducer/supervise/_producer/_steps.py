"""Run one coroutine of the producer in the caller's task, and stay in control of it (asyncio).

A coroutine that is awaited the usual way belongs to the event loop whenever it suspends: a timeout
can only cancel the task, and hope. Here each suspension passes through one `yield` of ours. That
buys four things, at the price of a plain `await`:

* A cancellation that we asked for is taken back where it arrives, before the producer sees it. No
  producer can swallow it and leave `Task.cancelling()` at 1 (Python 3.13 acts on that later).
* A cancellation from elsewhere is told from ours by its number, counted from the beginning of the
  wait, as `asyncio.timeout` does.
* A shield is put around the suspension, and taken away before the producer runs again. A scope that
  the producer opened in one call and leaves in another (a task group around a `yield`) is never
  left while a younger one of ours is open.
* A coroutine that ignores every cancellation is given up: nothing but this `yield` resumes it.
"""

from __future__ import annotations

import asyncio
import math
import types
from collections.abc import Awaitable, Generator
from contextlib import AbstractContextManager, nullcontext
from enum import IntEnum
from typing import Any

import anyio

__all__ = ["GaveUp", "Order", "Steps", "steps_of"]


class Order(IntEnum):
    """An order to a coroutine."""

    NONE = 0
    END = 1
    """To come to its end: it gets a `CancelledError`, and may clean up."""
    GIVE_UP = 2
    """It did not come to its end in time: it gets a `GeneratorExit`, and is left behind."""


class GaveUp(Exception):  # noqa: N818  # not an error of the caller
    """The coroutine did not end in time, and was given up."""


def steps_of(awaitable: Awaitable[Any]) -> Generator[Any, Any, Any]:
    """Return the iterator that `await` runs, with the methods `send` and `throw`."""
    try:
        steps: Any = awaitable.__await__()
        _ = steps.send, steps.throw  # an iterator may lack them
    except AttributeError:
        steps = _await(awaitable).__await__()
    return steps  # type: ignore[no-any-return]  # it has all of a generator that is needed


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


class Steps:
    """One coroutine, run step by step.

    Args:
        steps: the coroutine, as `steps_of` returns it.
        patience: how long it may take to end once it was told to, in seconds; None for no limit.
        is_shielded: whether to keep out a cancel scope of anyio that is cancelled already.
    """

    def __init__(
        self, steps: Generator[Any, Any, Any], patience: float | None, *, is_shielded: bool = False
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._steps = steps
        self._patience = patience
        self._is_shielded = is_shielded
        self._cancelling_before = self._cancelling_at_wait = task.cancelling()
        self._is_waiting = False
        self._is_roused = False
        self._order = Order.NONE
        self._obeyed = Order.NONE
        self._overdue: asyncio.TimerHandle | None = None

    @property
    def is_cancelled(self) -> bool:
        """Whether the task was cancelled from elsewhere since this began, and still is."""
        return self._task.cancelling() > self._cancelling_before

    @property
    def was_told(self) -> bool:
        """Whether it was told to end."""
        return self._order is not Order.NONE

    def tell(self, order: Order) -> None:
        """Tell the coroutine to end, or give it up; it happens when the event loop comes by."""
        if order > self._order:
            self._order = order
            self._rouse()

    def _rouse(self) -> None:
        # Where the number has grown, a cancellation is under way, and wakes the task just as well.
        # A second one would replace its message, by which anyio tells its own from others.
        if self._is_waiting and self._task.cancelling() == self._cancelling_at_wait:
            self._is_roused = True
            self._task.cancel()

    @types.coroutine
    def end(self, waits_for: Any) -> Generator[Any, Any, Any]:
        """Do the same as `run`, to be awaited."""
        return (yield from self.run(waits_for))

    def run(self, waits_for: Any) -> Generator[Any, Any, Any]:
        """Run the coroutine to its end, from where it first suspended, waiting for this."""
        error: BaseException | None = None
        try:
            while True:
                value, error = yield from self._suspend(waits_for)
                if self._order is Order.GIVE_UP:
                    return self._give_up()
                waits_for = self._steps.send(value) if error is None else self._steps.throw(error)
                if isinstance(error, asyncio.CancelledError):
                    self._expect_end()
        except StopIteration as stop:
            return stop.value
        finally:
            del error  # else a cycle: error, traceback, this frame
            if self._overdue is not None:
                self._overdue.cancel()

    def _suspend(self, waits_for: Any) -> Generator[Any, Any, tuple[Any, BaseException | None]]:
        """Let the event loop wait; return its value or error, without a cancellation of ours."""
        self._is_waiting = True
        self._cancelling_at_wait = self._task.cancelling()
        # A cancellation from elsewhere would do it. But the producer may have taken that for one of
        # its own timeouts, and then it is not there any more.
        if self._order > self._obeyed and not self.is_cancelled:
            self._rouse()
        value, error = None, None
        try:
            with self._shield():
                try:
                    value = yield waits_for
                except BaseException as raised:  # noqa: BLE001  # it is for the coroutine
                    error = raised
            return value, self._without_ours(error)
        finally:
            self._is_waiting = False
            del error

    def _shield(self) -> AbstractContextManager[object]:
        if self._is_shielded and anyio.current_effective_deadline() == -math.inf:
            return anyio.CancelScope(shield=True)
        return nullcontext()

    def _without_ours(self, error: BaseException | None) -> BaseException | None:
        if self._is_roused:
            self._is_roused = False
            self._task.uncancel()
            self._obeyed = self._order
            return error or asyncio.CancelledError()
        return error

    def _expect_end(self) -> None:
        """Start a timer: the coroutine was cancelled and goes on, to clean up or for ever."""
        if self._overdue is None and self._patience is not None:
            loop = asyncio.get_running_loop()
            self._overdue = loop.call_later(self._patience, self._give_up_if_overdue)

    def _give_up_if_overdue(self) -> None:
        self._overdue = None
        # A timeout of the producer's own is a cancellation as well, which it has taken back since.
        if self._order is Order.END or self.is_cancelled:
            self.tell(Order.GIVE_UP)

    def _give_up(self) -> Any:
        try:
            self._steps.throw(GeneratorExit())
        except StopIteration as stop:
            return stop.value
        except GeneratorExit:
            pass
        raise GaveUp
