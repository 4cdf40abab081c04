"""Run work to its end in spite of any cancellation, but not for ever.

A cancel scope (anyio, and so Starlette) cancels again at every await, until the code has left it: a
shielded scope keeps that out. A task of asyncio can be cancelled directly, shielded or not, once by
a server that shuts down and again by `asyncio.run`. So the work is a task of its own, and the
caller keeps waiting for it. That gives the work a context of its own as well.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from contextvars import Context, copy_context
from typing import TypeAlias

import anyio
import attrs

from chatkit_reducer.supervise.tasks import event_loop, on_asyncio

__all__ = ["Outcome", "run_shielded"]

Work: TypeAlias = Callable[[], Awaitable[object]]

_GRACE = 1.0
"""How long work that overran may take to notice that it was cancelled, in seconds."""


@attrs.frozen
class Outcome:
    """The outcome of shielded work."""

    error: BaseException | None = None
    """The exception that it raised; a `TimeoutError` if it took too long."""
    cancelled: bool = False
    """Whether a cancellation of the waiting task was kept out: the caller has to raise it."""
    overran: bool = False
    """Whether it took too long."""


async def run_shielded(
    work: Work, seconds: float | None, *, context: Context | None = None
) -> Outcome:
    """Run work to its end, in spite of any cancellation, in a task of its own.

    Args:
        work: called once, and again each time that its task is cancelled directly, as
            `asyncio.run` does with all tasks when it ends. So it has to be idempotent.
        seconds: how long it may take in all; None for no limit.
        context: the context to copy for it; that of the caller if left out.
    """
    context = copy_context() if context is None else context
    run = _in_task_of_asyncio if on_asyncio() else _in_task_of_trio
    outcome = Outcome()
    with anyio.CancelScope(shield=True):
        outcome = await run(work, seconds, context)
    return outcome  # noqa: RET504  # a type checker thinks that a scope may swallow it


async def _in_task_of_trio(work: Work, seconds: float | None, context: Context) -> Outcome:
    ended = anyio.Event()
    error: BaseException | None = None
    scope = anyio.CancelScope(shield=True)

    async def run() -> None:
        nonlocal error
        try:
            with scope:
                await work()
            if scope.cancelled_caught and seconds is not None:
                error = _overrun(seconds)
        except BaseException as raised:  # noqa: BLE001  # the caller reports it
            error = raised
        ended.set()

    try:
        event_loop().spawn(run, context, _NAME)
    except RuntimeError:  # Trio closes dropped generators when it takes no more tasks
        if seconds is not None:
            scope.deadline = anyio.current_time() + seconds
        async with anyio.create_task_group() as tasks:
            context.copy().run(lambda: tasks.start_soon(run))
    with anyio.move_on_after(seconds):
        await ended.wait()
    if not ended.is_set() and seconds is not None:
        scope.cancel()
        with anyio.move_on_after(_GRACE):
            await ended.wait()
        return Outcome(_overrun(seconds), overran=True)
    return Outcome(error, overran=scope.cancelled_caught)


async def _in_task_of_asyncio(work: Work, seconds: float | None, context: Context) -> Outcome:
    now = asyncio.get_running_loop().time
    end = math.inf if seconds is None else now() + seconds
    cancelled = False
    tries = 0
    for pause in _pauses():
        task = _start(work, context)
        cancelled |= await _wait_until(task, end)
        tries += 1
        if not task.done():
            assert seconds is not None
            task.cancel()
            cancelled |= await _wait_until(task, now() + _GRACE)
            return Outcome(_overrun(seconds), cancelled, overran=True)
        if not task.cancelled():
            return Outcome(task.exception(), cancelled)
        cancelled |= await _wait_until(_start(lambda: asyncio.sleep(pause), context), end)  # noqa: B023
        if now() >= end:
            break
    error = asyncio.CancelledError(f"it was cancelled from elsewhere, {tries} times")
    return Outcome(error, cancelled)


_NAME = "chatkit_reducer commit"
_MOST_TIMES = 1000
"""How often work is begun that is cancelled from elsewhere, if it has no time limit."""


def _pauses() -> Iterator[float]:
    """Yield how long to wait before each further try of cancelled work, in seconds."""
    for number in range(_MOST_TIMES):
        yield min(0.001 * number, 0.1)


def _start(work: Work, context: Context) -> asyncio.Task[object]:
    async def run() -> object:
        return await work()

    return asyncio.get_running_loop().create_task(run(), name=_NAME, context=context.copy())


async def _wait_until(task: asyncio.Task[object], end: float) -> bool:
    """Wait for a task until it ends or the time is over; return whether the wait was cancelled."""
    loop = asyncio.get_running_loop()
    cancelled = False
    while not task.done() and (left := end - loop.time()) > 0:
        try:
            await asyncio.wait({task}, timeout=None if left == math.inf else left)
        except asyncio.CancelledError:
            cancelled = True
    return cancelled


def _overrun(seconds: float) -> TimeoutError:
    return TimeoutError(f"it took longer than {seconds:g} seconds")
