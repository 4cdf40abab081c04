"""The frames that a client gets for one request: when they end, the response is settled."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Protocol

from chatkit.server import StreamingResult

__all__ = ["ClosedResult", "ResponseFrames", "collecting", "register"]


class Response(Protocol):
    """A response that ends with its request."""

    async def end(self) -> None:
        """Settle the response if that has not happened."""
        ...


_of_this_request: ContextVar[list[Response] | None] = ContextVar(
    "chatkit_reducer streams of this request", default=None
)


def register(stream: Response) -> None:
    """Have a response end with the request in which this is called."""
    request = _of_this_request.get()
    if request is not None:
        request.append(stream)


@contextmanager
def collecting() -> Iterator[list[Response]]:
    """Collect the responses that are registered in this context, in place of the request's."""
    responses: list[Response] = []
    token = _of_this_request.set(responses)
    try:
        yield responses
    finally:
        _of_this_request.reset(token)


class ResponseFrames(AsyncGenerator[bytes, None]):
    """The SDK's frames; when they are closed, the responses in them are settled.

    The SDK drops generators that are not at their end, and only the event loop closes them, some
    time later. This is not a generator function, because that would cost each frame another
    generator.
    """

    def __init__(
        self, frames: AsyncGenerator[bytes, None], prepare: Callable[[], Awaitable[None]]
    ) -> None:
        """Wrap the frames of the SDK.

        Args:
            frames: those of the SDK.
            prepare: awaited before the first of them.
        """
        self._frames = frames
        self._prepare: Callable[[], Awaitable[None]] | None = prepare
        self._streams: list[Response] = []
        self._advance: Callable[[], Awaitable[bytes]] = self._advance_to_response

    def __anext__(self) -> Awaitable[bytes]:  # type: ignore[override]  # a coroutine costs a frame
        return self._advance()

    async def _advance_to_response(self) -> bytes:
        """Return the next frame, up to and including the first one of the response."""
        if self._prepare is not None:
            prepare, self._prepare = self._prepare, None
            await prepare()
        token = _of_this_request.set(self._streams)
        try:
            return await anext(self._frames)
        finally:
            _of_this_request.reset(token)
            if self._streams:
                self._advance = self._frames.__anext__

    async def asend(self, value: None) -> bytes:
        """Return the next frame."""
        return await self._advance()

    async def athrow(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        trace: TracebackType | None = None,
    ) -> bytes:
        """Raise an exception where the SDK yields its frames."""
        arguments: Any = (kind, value, trace) if isinstance(kind, type) else (kind,)
        return await self._frames.athrow(*arguments)

    async def aclose(self) -> None:
        """End the responses, and close the frames."""
        try:
            for stream in self._streams:
                await stream.end()
        finally:
            await self._frames.aclose()


class ClosedResult(StreamingResult):
    """A stream of frames; closing it returns when the response is settled.

    The SDK's own result drops the generator that it reads from, and does not close it.
    """

    def __aiter__(self) -> AsyncGenerator[bytes, None]:  # noqa: PYI058  # as that of the SDK
        return self.json_events
