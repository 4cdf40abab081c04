"""Server-sent events with Django under ASGI: a response that is settled before it is over.

    return EventStream(responses.stream(thread_id, answer()))

This module needs Django, and no other module imports it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from django.http import StreamingHttpResponse

from chatkit_reducer.integrations._server_sent_events import HEADERS
from chatkit_reducer.logs import encode_sse
from chatkit_reducer.serving import ResponseStream

__all__ = ["EventStream"]


class EventStream(StreamingHttpResponse):
    """The events of a response as server-sent events.

    Its block is inside of `__aiter__`: Django closes the result of that however a request ends, but
    not a generator that it was given.

    Args:
        events: the response.
    """

    def __init__(self, events: ResponseStream) -> None:
        self._events = events
        super().__init__(self._frames(), content_type="text/event-stream", headers=HEADERS)

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        """Yield the parts of the body, and settle the response."""
        async with self._events:
            async for frame in super().__aiter__():
                yield frame

    async def _frames(self) -> AsyncIterator[bytes]:
        async for event in self._events:
            yield encode_sse(event)
