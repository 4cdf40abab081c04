"""A producer that runs in a task of its own (Trio, and asyncio where the caller asks for it).

It makes an event only when it is asked for one. All scopes that it keeps open across a `yield` are
left in the task, and in the order, in which they were entered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextvars import Context
from typing import Any, Generic, TypeVar

import anyio

from chatkit_reducer.supervise._producer.closing import (
    close_method_of,
    note_failure,
    note_left_behind,
    note_slow,
)
from chatkit_reducer.supervise.shield import run_shielded
from chatkit_reducer.supervise.tasks import EventLoop, await_if_needed

__all__ = ["OwnTask"]

E = TypeVar("E")

_GRACE = 1.0
"""How long the task may take to notice that its time is over, in seconds."""


class OwnTask(Generic[E]):
    """Asks a producer for its events in a task of its own.

    Args:
        source: the producer.
        seconds: how long it may take to close, and to end when it is interrupted; None for no
            limit.
        context: the context to copy for the task.
        loop: the event loop.
    """

    def __init__(
        self,
        source: AsyncIterator[E],
        seconds: float | None,
        context: Context,
        loop: EventLoop,
    ) -> None:
        self.waiting_since: float | None = None
        self._source: Any = source
        self._seconds = seconds
        self._context = context
        self._loop = loop
        self._scope = anyio.CancelScope()
        self._has_begun = False
        self._has_run = False
        self._is_busy = False
        self._is_closing = False
        self._is_asked = False
        self._is_answered = False
        self._asked = anyio.Event()
        self._given = anyio.Event()
        self._ended = anyio.Event()
        self._event: E | None = None
        self._errors: list[BaseException] = []
        """Its exceptions that the consumer has not seen yet."""

    async def wait(self) -> bool:
        """Wait for the next event, which is asked for once until it is taken.

        Returns:
            Whether it is there, or an exception, to `take`; False after `wake`.
        """
        self._given = given = anyio.Event()
        if not self._is_asked:
            self._is_asked = True
            self.waiting_since = anyio.current_time()
            self._ask()
        if not self._is_answered:
            await given.wait()
        return self._is_answered

    def wake(self) -> None:
        """End the wait that goes on."""
        self._given.set()

    def take(self) -> E:
        """Return the event that is there; or raise the producer's exception."""
        self._is_asked = self._is_answered = False
        if self._errors:
            raise self._errors.pop(0)
        event, self._event = self._event, None
        return event  # type: ignore[return-value]  # there is one, where there is no error

    def _answer(self) -> None:
        self._is_answered = True
        self.waiting_since = None
        self._given.set()

    def _ask(self) -> None:
        if self._ended.is_set():
            self._answer()
        elif self._has_begun:
            self._asked.set()
        else:
            self._has_begun = True
            self._loop.spawn(
                self._run, self._context, "chatkit_reducer producer", ended=self._note_end
            )

    def _note_end(self) -> None:
        if not self._has_run:  # it was cancelled from elsewhere before it began
            self._errors.append(asyncio.CancelledError())
        self._ended.set()
        self._answer()

    # --- in the task of its own -------------------------------------------------------------------

    async def _run(self) -> None:
        self._has_run = True
        try:
            with self._scope:
                await self._make_events()
                await self._close_source()
        except BaseException as error:  # noqa: BLE001  # no other task awaits this one
            self._errors.append(error)

    async def _make_events(self) -> None:
        advance = self._source.__anext__
        try:
            while not self._is_closing:
                self._is_busy = True
                self._event = await advance()
                self._is_busy = False
                self._answer()
                await self._asked.wait()
                self._asked = anyio.Event()
        except BaseException as error:  # noqa: BLE001  # it is for the consumer
            self._errors.append(error)
            self._answer()
        finally:
            self._is_busy = False

    async def _close_source(self) -> None:
        """Close it, without a new scope while its own ones may be open."""
        close = close_method_of(self._source)
        if close is None:
            return
        if not self._was_told():  # there is a deadline now, if there is a limit
            try:
                await await_if_needed(close())
            finally:
                if self._was_told():
                    note_slow()
            return
        with anyio.move_on_after(self._seconds, shield=True) as scope:  # it was made to end
            await await_if_needed(close())
        if scope.cancelled_caught:
            note_slow()

    def _was_told(self) -> bool:
        return self._scope.cancel_called

    # --- in the task that settles -----------------------------------------------------------------

    async def close(self, context: Context, *, is_consumer: bool) -> BaseException | None:
        """Close the producer; log a fault that it raises."""
        if not self._has_begun or (self._ended.is_set() and not self._has_run):
            work, seconds = self._close_source, self._seconds
        else:
            self._is_closing = True
            self._asked.set()
            work, seconds = self._wait_until_ended, None
        outcome = await run_shielded(work, seconds, context=context)
        if outcome.overran:
            note_slow()
        elif outcome.error is not None:
            self._errors.append(outcome.error)
        fatal = [note_failure(error) for error in self._errors]
        self._errors.clear()
        cancelled = asyncio.CancelledError() if outcome.cancelled else None
        return next((error for error in fatal if error is not None), cancelled)

    async def _wait_until_ended(self) -> None:
        if self._is_busy:
            self._scope.cancel()
        elif self._seconds is not None:
            self._scope.deadline = anyio.current_time() + self._seconds
        if self._seconds is None:
            await self._ended.wait()
            return
        with anyio.move_on_after(self._seconds + _GRACE):
            await self._ended.wait()
        if not self._ended.is_set():
            note_left_behind()
