"""One iteration of a stream: the objects that exist once there is an event loop."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import copy_context
from typing import Generic, TypeVar

from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.supervise._consumer import Consumer
from chatkit_reducer.supervise._deadlines import Deadlines
from chatkit_reducer.supervise._options import Limits
from chatkit_reducer.supervise._producer.choice import make_producer
from chatkit_reducer.supervise._producer.held import Held
from chatkit_reducer.supervise._producer.protocol import Producer
from chatkit_reducer.supervise.tasks import event_loop

__all__ = ["Iteration"]

E = TypeVar("E")

logger: logging.Logger = logging.getLogger("chatkit_reducer.supervise")


class Iteration(Generic[E]):
    """The producer, consumer and deadlines of a stream; made in the consumer's task and context.

    Args:
        source: the producer's events.
        limits: the limits of the stream.
        own_task: whether the producer runs in a task of its own.
        on_late: called once, when a time is over.
        on_gone: called when the consumer's task has ended with an exception.
    """

    def __init__(
        self,
        source: AsyncIterator[E],
        limits: Limits,
        *,
        own_task: bool,
        on_late: Callable[[], object],
        on_gone: Callable[[], object],
    ) -> None:
        self.context = copy_context()
        self.loop = event_loop()
        self.producer: Producer[E] = make_producer(
            source, limits.closing, self.context, self.loop, own_task=own_task
        )
        self.consumer = Consumer(self.loop, on_gone)
        self.deadlines = Deadlines(
            self.loop,
            self.producer,
            on_late,
            self.context,
            stream=limits.stream,
            event=limits.event,
        )

    @property
    def held(self) -> Held[E] | None:
        """The producer, if its events can be held back."""
        return self.producer if isinstance(self.producer, Held) else None

    def end_watch(self) -> None:
        """Stop the timers, and stop watching the consumer."""
        self.deadlines.cancel()
        self.consumer.forget()

    def close_elsewhere(self, close: Callable[[Cause], Awaitable[object]], cause: Cause) -> None:
        """Call `close(cause)` in a task of its own, because the consumer does not."""

        async def run() -> None:
            try:
                await close(cause)
            except Exception:
                logger.exception("A stream that was left behind failed to close.")

        self.loop.spawn(run, self.context, "chatkit_reducer close")
