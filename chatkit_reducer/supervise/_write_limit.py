"""A time limit for the writes to a journal, which costs a write that does not wait next to nothing.

Nearly each write is one of those: a file takes a record at once, and a server takes it to be
written within the lag. So on asyncio a write is begun by hand, and the limit is put around the rest
of it, as the producer's coroutines are run (`_producer._steps`): a cancel scope that the journal
has opened by then does not matter, and a write that ignores its cancellation is given up. On Trio a
scope has to be there from the beginning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

import anyio

from chatkit_reducer.supervise._producer._steps import GaveUp, Order, Steps
from chatkit_reducer.supervise.tasks import on_asyncio

__all__ = ["Begin", "limited"]

Write: TypeAlias = Coroutine[Any, Any, None]
Begin: TypeAlias = Callable[[Write], Awaitable[None] | None]
"""Begins a write; returns the rest of it, to be awaited, or None if there is none."""

_GRACE = 1.0
"""How long a write may take to end once it is cancelled, in seconds."""
_ENDED = object()


def limited(seconds: float | None, overran: Callable[[], object]) -> Begin:
    """Return the way to begin a write in this event loop.

    Args:
        seconds: how long a write may take; None for no limit.
        overran: called when a write took longer, behind its end. It is not raised.
    """
    if seconds is None:
        return _unlimited
    return (_OnAsyncio if on_asyncio() else _OnTrio)(seconds, overran).begin


def _unlimited(write: Write) -> Awaitable[None]:
    return write


class _OnAsyncio:
    def __init__(self, seconds: float, overran: Callable[[], object]) -> None:
        self._seconds = seconds
        self._overran = overran

    def begin(self, write: Write) -> Awaitable[None] | None:
        steps: Any = write.__await__()
        waits_for = next(steps, _ENDED)
        return None if waits_for is _ENDED else self._finish(Steps(steps, _GRACE), waits_for)

    async def _finish(self, running: Steps, waits_for: Any) -> None:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._seconds, running.tell, Order.END)
        try:
            await running.end(waits_for)
        except GaveUp:
            if running.is_cancelled:
                raise asyncio.CancelledError from None
        except asyncio.CancelledError:
            if running.is_cancelled or not running.was_told:
                raise
        finally:
            timer.cancel()
        if running.was_told:
            self._overran()


class _OnTrio:
    def __init__(self, seconds: float, overran: Callable[[], object]) -> None:
        self._seconds = seconds
        self._overran = overran

    async def begin(self, write: Write) -> None:
        with anyio.move_on_after(self._seconds) as scope:
            await write
        if scope.cancelled_caught:
            self._overran()
