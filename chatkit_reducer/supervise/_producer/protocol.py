"""The interface of a producer: wait for its next event, interrupt that wait, close it.

There are two implementations. On asyncio the producer runs in the task of the consumer (`in_task`):
a task of its own would cost two turns of the event loop for each event, more than the rest of the
supervision together. On Trio, and where the caller asks for it, the producer runs in a task of its
own (`own_task`): if it holds a nursery or a cancel scope open across a `yield`, that scope belongs
to this task, and is left there, no matter which task closes the stream.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextvars import Context
from typing import Protocol, TypeVar

from chatkit_reducer.core.policy.table import Cause

__all__ = ["Interrupted", "Producer"]

E_co = TypeVar("E_co", covariant=True)


class Interrupted(Exception):  # noqa: N818  # not an error: it says why a wait was given up
    """The wait was given up."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause


class Producer(Protocol[E_co]):
    """A producer of events, asked for one after another."""

    @property
    def waiting_since(self) -> float | None:
        """The time at which the awaited event was asked for, by the clock of the event loop."""
        ...

    @property
    def was_cancelled(self) -> bool:
        """Whether the consumer was cancelled while it waited, before `next` raised."""
        ...

    @property
    def gave_held(self) -> bool:
        """Whether the last event was held back before, so that the journal has it."""
        ...

    def next(self) -> Awaitable[E_co]:
        """Return the next event.

        Raises:
            Interrupted: by `interrupt`, before or while it waited.
        """
        ...

    def interrupt(self, cause: Cause) -> None:
        """End the current wait, or else the next one before it begins."""
        ...

    async def close(self, context: Context, *, is_consumer: bool) -> BaseException | None:
        """Close the producer; log a fault that it raises.

        Args:
            context: the context to close it in, if that happens in another task.
            is_consumer: whether this is the task that asked for the events.

        Returns:
            The exception to raise when the stream is settled: a cancellation that arrived
            meanwhile, or one that ends the program.
        """
        ...
