"""Closing a producer: the method to call, and the log of a producer that does not close."""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio

from chatkit_reducer.supervise._interruptions import fatal_part, leaves

__all__ = ["close_method_of", "note_failure", "note_left_behind", "note_slow"]

logger: logging.Logger = logging.getLogger("chatkit_reducer.supervise")


def close_method_of(source: object) -> Callable[[], object] | None:
    """Return the method that closes a producer: `aclose`, or `close` if it has only that."""
    for name in ("aclose", "close"):
        close: Callable[[], object] | None = getattr(source, name, None)
        if callable(close):
            return close
    return None


def note_failure(error: BaseException) -> BaseException | None:
    """Log an exception of closing if it is a fault; return the part to raise after the commit.

    A task group or nursery that is left by `GeneratorExit` raises it in a group, together with the
    exceptions of its children. A cancellation is not a fault either: the task that closes the
    producer knows of it.
    """
    expected = (GeneratorExit, StopAsyncIteration, anyio.get_cancelled_exc_class())
    fatal = fatal_part(error)
    if any(leaf is not fatal and not isinstance(leaf, expected) for leaf in leaves(error)):
        logger.error(
            "A producer failed to close. Its stream is settled all the same.", exc_info=error
        )
    return fatal


def note_slow() -> None:
    """Log that a producer did not close in time."""
    logger.error("A producer did not close in time. Its stream is settled all the same.")


def note_left_behind() -> None:
    """Log that a producer ignored its end."""
    logger.error("A producer did not stop in time, and is left behind.")
