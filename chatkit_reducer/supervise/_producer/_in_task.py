"""A producer that runs in the task of the consumer (asyncio)."""

from __future__ import annotations

import asyncio
import inspect
import types
from collections.abc import AsyncIterator, Callable, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar

from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.supervise._interruptions import fatal_part, is_cancellation
from chatkit_reducer.supervise._producer._steps import GaveUp, Order, Steps, steps_of
from chatkit_reducer.supervise._producer.closing import (
    close_method_of,
    note_failure,
    note_left_behind,
    note_slow,
)
from chatkit_reducer.supervise._producer.protocol import Interrupted
from chatkit_reducer.supervise.shield import run_shielded
from chatkit_reducer.supervise.tasks import await_if_needed

__all__ = ["InTask"]

E = TypeVar("E")

_GRACE = 1.0
"""How long closing may take to notice that its time is over, in seconds."""


class InTask(Generic[E]):
    """Asks a producer for its events in the task that awaits them.

    Args:
        source: the producer.
        seconds: how long it may take to close, and to end when it is interrupted; None for no
            limit.
    """

    def __init__(self, source: AsyncIterator[E], seconds: float | None) -> None:
        self.waiting_since: float | None = None
        self.was_cancelled: bool = False
        self.gave_held: bool = False
        # The awaitable of an async generator has `send` and `throw` itself.
        is_generator = isinstance(source, types.AsyncGeneratorType)
        advance: Any = source.__anext__
        self._advance: Callable[[], Generator[Any, Any, E]] = (
            advance if is_generator else lambda: steps_of(advance())
        )
        self._source: Any = source
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._steps: Steps | None = None
        self._cause: Cause | None = None

    @types.coroutine
    def next(self) -> Generator[Any, Any, E]:
        """Return the next event."""
        if self._cause is not None:
            raise Interrupted(self._cause)
        steps = self._advance()
        try:
            waits_for = steps.send(None)
        except StopIteration as stop:
            event: E = stop.value
            return event
        return (yield from self._suspend(steps, waits_for))

    def _suspend(self, steps: Generator[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, E]:
        self._steps = running = Steps(steps, self._seconds)
        self.waiting_since = self._loop.time()
        if self._cause is not None:  # the producer itself called `stop`
            running.tell(Order.END)
        try:
            event: E = yield from running.run(waits_for)
        except GaveUp:
            note_left_behind()
        except BaseException as error:
            if self._cause is None or running.is_cancelled or fatal_part(error) is not None:
                raise
            note_failure(error)  # the producer's reaction to the interruption
        else:
            if self._cause is None:
                return event  # otherwise it made an event although it was told to end
        finally:
            self._steps = self.waiting_since = None
            self.was_cancelled = running.is_cancelled
        if self._cause is None or self.was_cancelled:
            raise asyncio.CancelledError
        raise Interrupted(self._cause)

    def interrupt(self, cause: Cause) -> None:
        """End the wait that goes on, or else the next one before it begins."""
        if self._cause is None:
            self._cause = cause
            if self._steps is not None:
                self._steps.tell(Order.END)

    async def close(self, context: Context, *, is_consumer: bool) -> BaseException | None:
        """Close the producer; log a fault that it raises."""
        close = close_method_of(self._source)
        if close is None:
            return None
        if is_consumer:
            return await self._close_here(close)
        outcome = await run_shielded(
            lambda: await_if_needed(close()), self._seconds, context=context
        )
        fatal = None
        if outcome.overran:
            note_slow()
        elif outcome.error is not None:
            fatal = note_failure(outcome.error)
        return fatal or (asyncio.CancelledError() if outcome.cancelled else None)

    async def _close_here(self, close: Callable[[], object]) -> BaseException | None:
        """Close it in the task that it ran in: it may hold scopes that belong to it."""
        running: Steps | None = None
        timer: asyncio.TimerHandle | None = None
        try:
            closing = close()
            if not inspect.isawaitable(closing):
                return None
            steps = steps_of(closing)
            waits_for = steps.send(None)
            running = Steps(steps, _GRACE, is_shielded=True)
            if self._seconds is not None:
                timer = self._loop.call_later(self._seconds, running.tell, Order.END)
            await running.end(waits_for)
        except (StopIteration, GaveUp):
            pass
        except BaseException as error:  # noqa: BLE001  # it is returned if it must be raised
            fatal = note_failure(error)
            if fatal is not None:
                return fatal
            if running is not None and running.is_cancelled and is_cancellation(error):
                return error
        finally:
            if timer is not None:
                timer.cancel()
        if running is None:
            return None
        if running.was_told:
            note_slow()
        return asyncio.CancelledError() if running.is_cancelled else None
