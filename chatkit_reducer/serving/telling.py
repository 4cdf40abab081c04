"""A producer whose failure is an event of its stream, so that those who follow a journal see it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from typing import Any

import anyio

from chatkit_reducer.events import ErrorEvent
from chatkit_reducer.supervise.tasks import await_if_needed

__all__ = ["telling"]


async def telling(
    events: AsyncIterable[Any], broke_off: Callable[[Exception], object]
) -> AsyncGenerator[Any, None]:
    """Yield the events of a producer, and an `error` where it breaks off.

    Args:
        events: the producer, which is closed with this.
        broke_off: called with the exception of the producer.
    """
    iterator = aiter(events)
    try:
        async for event in iterator:
            yield event
    except Exception as error:
        if _comes_of_cancellation(error):
            raise
        broke_off(error)
        yield ErrorEvent(code="stream.error", allow_retry=True)
    finally:
        close = getattr(iterator, "aclose", None) or getattr(iterator, "close", None)
        if close is not None:
            await await_if_needed(close())


def _comes_of_cancellation(error: BaseException) -> bool:
    """Return whether a producer raised it because it was cancelled."""
    cancelled = anyio.get_cancelled_exc_class()
    return any(isinstance(one, cancelled) for one in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
