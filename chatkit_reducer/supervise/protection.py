"""Running something to its end, whatever is cancelled around it, but not for ever.

A cancel scope (anyio, and so Starlette) cancels again at every await, until the code has left it: a
shielded scope keeps that out. A task of asyncio can be cancelled directly, shielded or not, once by
a server that shuts down and again by `asyncio.run`: so there the work is a task of its own, and who
waits for it keeps waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio
import attrs

from chatkit_reducer.supervise.waiting import on_asyncio

__all__ = ["Outcome", "protected"]

Work: TypeAlias = Callable[[], Awaitable[object]]

_GRACE = 1.0
"""How long what overran may take to notice that it was cancelled, in seconds."""


@attrs.frozen
class Outcome:
    """How it went."""

    error: BaseException | None = None
    """What it raised; a `TimeoutError` if it took too long."""
    cancelled: bool = False
    """Whether a cancellation of the waiting task was kept out: the caller has to raise it."""


async def protected(work: Work, seconds: float) -> Outcome:
    """Runs it to its end, in spite of any cancellation.

    Args:
        work: called once; a second time if somebody cancelled it directly, as `asyncio.run` does
            with all tasks when it ends. So it has to be idempotent.
        seconds: how long it may take in all.
    """
    if on_asyncio():
        with anyio.CancelScope(shield=True):
            return await _in_task_of_its_own(work, seconds)
    return await _in_scope(work, seconds)


async def _in_scope(work: Work, seconds: float) -> Outcome:
    with anyio.move_on_after(seconds, shield=True) as scope:
        try:
            await work()
        except Exception as error:  # noqa: BLE001  # whatever it is, the caller reports it
            return Outcome(error)
    return Outcome(_overrun(seconds) if scope.cancelled_caught else None)


async def _in_task_of_its_own(work: Work, seconds: float) -> Outcome:
    end = asyncio.get_running_loop().time() + seconds
    task, cancelled = await _outlasted(_started(work), end)
    if task.done() and task.cancelled():
        task, again = await _outlasted(_started(work), end)
        cancelled = cancelled or again
    if not task.done():
        task.cancel()
        task, again = await _outlasted(task, asyncio.get_running_loop().time() + _GRACE)
        return Outcome(_overrun(seconds), cancelled or again)
    if task.cancelled():
        return Outcome(asyncio.CancelledError("it was cancelled from elsewhere, twice"), cancelled)
    error = task.exception()
    if error is not None and not isinstance(error, Exception):
        raise error  # KeyboardInterrupt, SystemExit: not for us
    return Outcome(error, cancelled)


def _started(work: Work) -> asyncio.Task[object]:
    async def run() -> object:
        return await work()

    return asyncio.get_running_loop().create_task(run(), name="chatkit_reducer commit")


async def _outlasted(task: asyncio.Task[object], end: float) -> tuple[asyncio.Task[object], bool]:
    """Waits for a task until it ends or the time is over; whether the waiting was cancelled."""
    loop = asyncio.get_running_loop()
    cancelled = False
    while not task.done() and loop.time() < end:
        try:
            await asyncio.wait({task}, timeout=end - loop.time())
        except asyncio.CancelledError:
            cancelled = True
    return task, cancelled


def _overrun(seconds: float) -> TimeoutError:
    return TimeoutError(f"it took longer than {seconds:g} seconds")
