"""Try an operation of a store again, which may fail for a while."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar

__all__ = ["persist"]

PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""How long to wait before each further attempt, in seconds, before `_vary`."""

FAULTS = (TypeError, ValueError, LookupError, AttributeError, AssertionError, NotImplementedError)
"""Errors that hardly go away by themselves; they get only one more attempt."""


T = TypeVar("T")


async def persist(attempt: Callable[[], Awaitable[T]]) -> T:
    """Await `attempt()` until it succeeds, with pauses that grow.

    Raises:
        Exception: the error of the last attempt.
    """
    for number in count():
        try:
            return await _refuse_cancellation_by_store(attempt)
        except (Exception, BaseExceptionGroup) as error:
            allowed = 1 if isinstance(error, FAULTS) else len(PAUSES)
            if number >= allowed:
                raise
            await asyncio.sleep(_vary(PAUSES[number]))
    raise AssertionError("the last attempt returns or raises")


def _vary(pause: float) -> float:
    """Vary a pause: many that failed together, because they conflict, must not meet again."""
    return pause * random.uniform(0.5, 1.5)  # noqa: S311  # no secret depends on it


async def _refuse_cancellation_by_store(attempt: Callable[[], Awaitable[T]]) -> T:
    """Raise a RuntimeError for a CancelledError of the store that is not one of this task."""
    try:
        return await attempt()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise RuntimeError(
            "the store raised CancelledError, but this task was not cancelled"
        ) from error
