"""Choose the task that a producer runs in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextvars import Context
from typing import TypeVar

from chatkit_reducer.supervise._producer._in_task import InTask
from chatkit_reducer.supervise._producer._own_task import OwnTask
from chatkit_reducer.supervise._producer.held import Held
from chatkit_reducer.supervise._producer.protocol import Producer
from chatkit_reducer.supervise.tasks import EventLoop, on_asyncio

__all__ = ["make_producer"]

E = TypeVar("E")


def make_producer(
    source: AsyncIterator[E],
    close_timeout: float | None,
    context: Context,
    loop: EventLoop,
    *,
    own_task: bool,
) -> Producer[E]:
    """Return a producer in a task of its own on Trio and on request, else in the caller's task."""
    if own_task or not on_asyncio():
        return Held(OwnTask(source, close_timeout, context, loop))
    return InTask(source, close_timeout)
