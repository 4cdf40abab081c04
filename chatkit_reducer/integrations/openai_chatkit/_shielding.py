"""Work that a cancellation does not cut off."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable

import anyio

__all__ = ["run_to_its_end"]


async def run_to_its_end(work: Callable[[], Awaitable[None]], limit: float | None) -> None:
    """Await `work()` in a task of its own; a cancellation is raised when that is done.

    Context variables that it sets are set in this task, too.

    Args:
        work: the work that is not cut off.
        limit: how long it may take after a cancellation, in seconds.

    Raises:
        CancelledError: a cancellation arrived meanwhile; an error of the work is its cause.
        Exception: the error of the work.
    """
    inside = contextvars.Context()

    async def run() -> None:
        nonlocal inside
        try:
            await work()
        finally:
            inside = contextvars.copy_context()

    task = asyncio.create_task(run())
    cancellation: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):  # a scope would cancel at every turn
        cancellation = await _outlast(task, limit)
    for variable, value in inside.items():
        if variable.get(None) is not value:
            variable.set(value)
    if cancellation is None:
        return task.result()
    error = task.exception() if task.done() and not task.cancelled() else None
    raise cancellation from error


async def _outlast(task: asyncio.Task[None], limit: float | None) -> asyncio.CancelledError | None:
    """Wait until a task is done, or `limit` seconds after a cancellation; return that."""
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            done, _ = await asyncio.wait({task}, timeout=limit if cancellation else None)
        except asyncio.CancelledError as error:
            cancellation = cancellation or error
        else:
            if not done:
                task.cancel()
                break
    return cancellation
