"""Time limits of a stream: for all of it, and for one event."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context

from chatkit_reducer.supervise._producer.protocol import Producer
from chatkit_reducer.supervise.tasks import EventLoop

__all__ = ["Deadlines"]


class Deadlines:
    """Timers of one stream, from the first event that is asked for.

    Args:
        loop: whose timers they are.
        producer: the producer that the consumer waits for.
        passed: called once, when a time is over.
        context: the context to call it in.
        stream: how long the stream may take in all, in seconds; None for no limit.
        event: how long the producer may take for one event.
    """

    def __init__(
        self,
        loop: EventLoop,
        producer: Producer[object],
        passed: Callable[[], object],
        context: Context,
        *,
        stream: float | None,
        event: float | None,
    ) -> None:
        self._loop = loop
        self._producer = producer
        self._event = event
        self._passed = passed
        self._context = context
        self._timers: list[Callable[[], object]] = []
        if stream is not None:
            self._timers.append(loop.call_later(stream, passed, context))
        if event is not None:
            self._timers.append(loop.call_later(event, self._check, context))

    def _check(self) -> None:
        """Check how long the awaited event has taken: one timer serves all events."""
        assert self._event is not None
        since = self._producer.waiting_since
        left = self._event if since is None else since + self._event - self._loop.now()
        if left <= 0:
            self._passed()
        else:
            self._timers[-1] = self._loop.call_later(left, self._check, self._context)

    def cancel(self) -> None:
        """Cancel the timers."""
        for cancel in self._timers:
            cancel()
        self._timers.clear()
