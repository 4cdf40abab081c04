"""`ReducerChatKitServer`: the SDK's server, and nothing lost however a stream ends.

It changes what happens at the end of a stream, and nothing else. The SDK's own loop
(`ChatKitServer._process_events`) still makes and stores everything. It runs over a supervised
stream of events, and sees the server through a view (`one_stream`) that takes two things out of its
hands: what to do about a cancellation, which it would do unshielded and with items that lack their
updates; and whether an item that is done is a new one.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from chatkit.server import ChatKitServer
from chatkit.store import AttachmentStore, Store
from chatkit.types import ErrorEvent, ThreadItem, ThreadMetadata, ThreadStreamEvent
from msgspec import UNSET
from typing_extensions import TypeVar

from chatkit_reducer import policies
from chatkit_reducer.integrations.openai_chatkit.one_stream import OneStream, Respond
from chatkit_reducer.policy import Cause, Policy

__all__ = ["ReducerChatKitServer"]

TContext = TypeVar("TContext", default=Any)

_of_this_request: ContextVar[list[OneStream] | None] = ContextVar(
    "chatkit_reducer streams of this request", default=None
)


class ReducerChatKitServer(ChatKitServer[TContext]):
    """Inherit from it instead of `ChatKitServer`, and choose a policy.

        class MyServer(ReducerChatKitServer[Context]):
            policy = policies.KEEP

    It is mixed in behind a server class that exists: `class Safe(MyServer, ReducerChatKitServer)`.

    However a response ends, what is in flight is settled by the policy and written to the server's
    store, exactly once, in spite of any cancellation: a stop, a lost connection, an exception, a
    timeout, a response that returns with items pending, a closed generator, a server that shuts
    down.

    Two more things differ from `ChatKitServer`. An item that continues one of an earlier response
    is saved, and not added a second time. And `handle_stream_cancelled` is a hook with nothing in
    it: it is called after all was written, shielded, with pending items that have their updates,
    those of widgets and images too.

    Args:
        store: as in `ChatKitServer`.
        attachment_store: as in `ChatKitServer`.
        policy: what survives; that of the class if left out.
    """

    policy: Policy = policies.SDK
    """What survives the end of a stream."""
    stream_timeout: float | None = None
    """How long a response may take in all, in seconds."""
    event_timeout: float | None = None
    """How long a response may take for one event, in seconds."""
    commit_timeout: float = 10.0
    """How long writing at the end may take, and as long again the hook, in seconds."""

    def __init__(
        self,
        store: Store[TContext],
        attachment_store: AttachmentStore[TContext] | None = None,
        *,
        policy: Policy | None = None,
    ) -> None:
        # A class behind this one, where it is mixed in, may take no more than a store.
        if attachment_store is None:
            super().__init__(store)
        else:
            super().__init__(store, attachment_store)
        if policy is not None:
            self.policy = policy

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        hook = cls.__dict__.get("handle_stream_cancelled")
        if inspect.isfunction(hook):
            _check_hook(cls, hook)

    def marker_content(self, thread: ThreadMetadata, context: TContext) -> Any:
        """The content of the marker, for a policy that leaves it to the application."""
        return UNSET

    async def stop_responses(self, thread_id: str | None = None) -> int:
        """Ends responses that stream right now in this process, and waits until they are settled.

        For a stop button, with the thread; and without, in the shutdown of an application's
        lifespan: uvicorn, after `--timeout-graceful-shutdown`, cancels what runs and does not wait.

        Args:
            thread_id: of this thread only.

        Returns:
            How many there were. Their clients see the end of the stream.
        """
        streams = [one for one in _streams_of(self) if thread_id in (None, one.thread.id)]
        for one in streams:
            one.stop()
        for one in streams:
            await one.end()
        return len(streams)

    async def handle_stream_cancelled(
        self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: TContext
    ) -> None:
        """For clean-up of your own, such as to stop the model; what is stored, the policy decides.

        Called after a cancellation, when everything is written.

        Args:
            thread: the thread.
            pending_items: what was not done, as people saw it last.
            context: that of the request.
        """
        following = super().handle_stream_cancelled
        # Where this class is mixed in before another, that one may have a hook. The SDK's own would
        # write what is written already.
        if getattr(following, "__func__", None) is not ChatKitServer.handle_stream_cancelled:
            await following(thread, pending_items, context)

    async def _process_streaming(
        self, request: Any, context: TContext
    ) -> AsyncGenerator[bytes, None]:
        """As the SDK's; and when it is closed, the streams in it are settled before that returns.

        The SDK drops generators that are not at their end, and only the event loop closes them,
        some time later.
        """
        mine: list[OneStream] = []
        frames = super()._process_streaming(request, context)
        try:
            while not mine:
                token = _of_this_request.set(mine)
                try:
                    frame = await anext(frames, None)
                finally:
                    _of_this_request.reset(token)
                if frame is None:
                    return
                yield frame
            async for frame in frames:
                yield frame
        finally:
            try:
                for one in mine:
                    await one.end()
            finally:
                await frames.aclose()

    async def _process_events(
        self, thread: ThreadMetadata, context: TContext, stream: Respond
    ) -> AsyncIterator[ThreadStreamEvent]:
        one = OneStream(self, thread, context, stream)
        request = _of_this_request.get()
        if request is not None:
            request.append(one)
        _streams_of(self).add(one)
        # The loop of the SDK, or of a class between that and this one, with a view for its `self`.
        loop = super()._process_events.__func__  # type: ignore[attr-defined]  # it is a method
        events = loop(one.view, thread, context, one.respond)
        try:
            async for event in events:
                if isinstance(event, ErrorEvent):
                    await one.failed()
                yield event
            one.cause = Cause.ENDED
        finally:
            try:
                await one.end()
            finally:
                _streams_of(self).discard(one)
                await events.aclose()


def _streams_of(server: ReducerChatKitServer[Any]) -> WeakSet[OneStream]:
    streams: WeakSet[OneStream] = vars(server).setdefault("_reducer_streams", WeakSet())
    return streams


def _check_hook(cls: type, hook: Callable[..., Any]) -> None:
    try:
        inspect.signature(hook).bind(None, None, None, None)
    except TypeError:
        raise TypeError(
            f"{cls.__qualname__}.handle_stream_cancelled must take (self, thread, pending_items, "
            f"context), as the SDK calls it, and takes {inspect.signature(hook)}"
        ) from None
