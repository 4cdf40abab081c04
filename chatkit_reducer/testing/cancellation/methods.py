"""The ways in which an exchange is stopped."""

from __future__ import annotations

from collections.abc import Iterable

from chatkit_reducer.testing._text import Labelled, members_of

__all__ = ["ASYNCIO_ONLY", "AT_A_FRAME", "AT_A_POINT", "Way", "ways_of"]


class Way(Labelled):
    """How an exchange is stopped."""

    NOT_STOPPED = "not_stopped"
    """It runs to its end, once."""
    TASK_CANCEL = "task_cancel"
    """`asyncio.Task.cancel`, once."""
    REPEATED_CANCEL = "repeated_cancel"
    """`asyncio.Task.cancel`, and again at every point from there on."""
    SCOPE_CANCEL = "scope_cancel"
    """`anyio.CancelScope.cancel`, which is delivered at every await, as Starlette does it."""
    SHUTDOWN = "shutdown"
    """All tasks are cancelled, once, as `asyncio.run` does it at its end: at each turn of the event
    loop in turn, and so in the middle of other tasks, too."""
    STOP = "stop"
    """`Exchange.stop`: another request presses the stop button."""
    ACLOSE = "aclose"
    """The client closes the iterator, behind each frame in turn."""
    BREAK = "break"
    """The client drops the iterator, and the event loop closes it some time later."""
    EXCEPTION = "exception"
    """Sending a frame on raises."""
    PRODUCER_EXCEPTION = "producer_exception"
    """The producer raises (`Exchange.fail_at`)."""


AT_A_POINT = (Way.TASK_CANCEL, Way.REPEATED_CANCEL, Way.SCOPE_CANCEL, Way.STOP)
AT_A_FRAME = (Way.ACLOSE, Way.BREAK, Way.EXCEPTION)
ASYNCIO_ONLY = (Way.TASK_CANCEL, Way.REPEATED_CANCEL, Way.SHUTDOWN)


def ways_of(named: Iterable[Way | str] | str) -> list[Way]:
    """Look up ways by their names, or the one; a report has them with spaces.

    Raises:
        ValueError: a way is unknown, or none is named.
    """
    given = [named] if isinstance(named, str) else list(named)
    if not given:
        raise ValueError(f"ways={named!r} names none, and nothing would be tried: leave it out")
    return members_of(Way, given, "way")
