"""Server-sent events with Starlette and FastAPI: a response that is settled before it is over.

    return EventStream(responses.stream(thread_id, answer()))

This module needs Starlette, and no other module imports it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from chatkit_reducer.integrations._server_sent_events import HEADERS
from chatkit_reducer.logs import encode_sse
from chatkit_reducer.serving import ResponseStream

__all__ = ["EventStream"]


class EventStream(StreamingResponse):
    """The events of a response as server-sent events.

    Its block is held open around all of the sending. Starlette drops the generator of a body when
    the connection breaks while it sends, and a block inside of that would end at some later time.

    Args:
        events: the response.
        headers: more headers, or others than the usual ones.
    """

    def __init__(self, events: ResponseStream, headers: Mapping[str, str] | None = None) -> None:
        self._events = events
        others = {name.lower(): value for name, value in (headers or {}).items()}
        super().__init__(
            self._frames(),
            media_type="text/event-stream",
            headers={**HEADERS, **others},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, and settle the response."""
        async with self._events:
            await super().__call__(scope, receive, send)

    async def _frames(self) -> AsyncIterator[bytes]:
        async for event in self._events:
            yield encode_sse(event)
