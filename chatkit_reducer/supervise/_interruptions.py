"""Exceptions that end a stream: cancellations, faults, and the end of the program.

Each may come alone or in an exception group.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator

import anyio

from chatkit_reducer.supervise.tasks import on_asyncio

__all__ = [
    "cancel_again",
    "fatal_part",
    "is_cancellation",
    "is_failure",
    "leaves",
    "raise_if",
]


def fatal_part(error: BaseException) -> BaseException | None:
    """Return the exception in it that ends the program, if there is one."""
    fatal = (KeyboardInterrupt, SystemExit)
    return next((leaf for leaf in leaves(error) if isinstance(leaf, fatal)), None)


def is_cancellation(error: BaseException) -> bool:
    """Return whether it contains a cancellation."""
    cancelled = anyio.get_cancelled_exc_class()
    return any(isinstance(leaf, cancelled) for leaf in leaves(error))


def is_failure(error: BaseException) -> bool:
    """Return whether it is a fault of the producer alone.

    It is not if it contains a cancellation, or the end of the generator or of the program.
    """
    no_faults = (GeneratorExit, KeyboardInterrupt, SystemExit, anyio.get_cancelled_exc_class())
    return not any(isinstance(leaf, no_faults) for leaf in leaves(error))


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions in a group and in its groups, or the one exception."""
    todo = [error]
    while todo:
        error = todo.pop()
        if isinstance(error, BaseExceptionGroup):
            todo.extend(error.exceptions)
        else:
            yield error


def raise_if(error: BaseException | None) -> None:
    """Raise an error, if there is one."""
    if error is not None:
        raise error


def cancel_again() -> None:
    """Deliver a cancellation that was kept out once more, where the task waits next.

    A cancel scope that is cancelled does so by itself, and on Trio there is nothing else. It must
    not happen at once: a block that the task leaves before it waits (`asyncio.timeout`) takes its
    cancellation back, and before Python 3.13 `uncancel` does not take back one that is still to be
    delivered.
    """
    if on_asyncio() and anyio.current_effective_deadline() != -math.inf:
        asyncio.get_running_loop().call_soon(_deliver_again, asyncio.current_task())


def _deliver_again(task: asyncio.Task[object] | None) -> None:
    if task is not None and task.cancelling():
        task.uncancel()
        task.cancel()
