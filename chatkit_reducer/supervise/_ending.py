"""The end of a stream: one task closes the producer and settles, the others wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, TypeAlias

import anyio

from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.supervise._interruptions import fatal_part, is_cancellation, raise_if
from chatkit_reducer.supervise._life import Action, Life
from chatkit_reducer.supervise._producer.closing import note_failure
from chatkit_reducer.supervise._reentry import (
    is_within_settlement_of,
    mark_context,
    within_settlement_of,
)
from chatkit_reducer.supervise._tracker import Tracker
from chatkit_reducer.supervise.commit.committer import Committer
from chatkit_reducer.supervise.shield import run_shielded

__all__ = ["CloseProducer", "Ending"]

CloseProducer: TypeAlias = Callable[[Context], Awaitable[BaseException | None]]
"""Closes the producer; returns an exception that has to be raised after the commit."""


class Ending:
    """The end of one stream, which happens once.

    Args:
        life: the life of the stream, which this ends.
        committer: settles the stream, and has that committed.
        tracker: the events of the stream.
    """

    def __init__(self, life: Life, committer: Committer, tracker: Tracker[Any]) -> None:
        self._life = life
        self._committer = committer
        self._tracker = tracker
        self._settled = anyio.Event()

    @property
    def is_running_here(self) -> bool:
        """Whether it runs the calling code, such as the commit or a hook."""
        return is_within_settlement_of(self)

    async def wait(self) -> None:
        """Wait until the stream is settled."""
        await self._settled.wait()

    async def join(self) -> None:
        """Wait until another task has settled the stream, in spite of any cancellation."""
        outcome = await run_shielded(self._settled.wait, None)
        if outcome.cancelled:
            raise asyncio.CancelledError

    async def settle(self, close_producer: CloseProducer, cause: Cause, context: Context) -> None:
        """Close the producer, settle and commit; then raise an exception that was kept back."""
        mark_context(context, self)
        try:
            interruptions = [
                await self._close(close_producer, context),
                await self._committer.settle(self._tracker, cause, context),
            ]
        finally:
            self._life.act(Action.FINISH)
            self._settled.set()
        raised = [error for error in interruptions if error is not None]
        fatal = [error for error in raised if fatal_part(error) is not None]
        raise_if(next(iter([*fatal, *raised]), None))

    async def _close(self, close_producer: CloseProducer, context: Context) -> BaseException | None:
        with within_settlement_of(self):  # the producer may close its own stream while it closes
            try:
                return await close_producer(context)
            except GeneratorExit:
                raise  # the event loop is gone
            except BaseException as error:  # noqa: BLE001  # the commit comes first, in any case
                return note_failure(error) or (error if is_cancellation(error) else None)
