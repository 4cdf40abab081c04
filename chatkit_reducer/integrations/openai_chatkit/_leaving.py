"""A response that goes on when its client leaves.

    the response's own task: respond ──▶ journal ──▶ store ──▶ hand over ─┐
    the request: ◀────────────────────────────────────────────────────────┘  detached when it ends

A disconnect is a cancellation of the request's task, or its generators are closed. So the response
runs in a task of its own, and the request only reads. The official client cannot tell a stop from
a reload: both are the same disconnect. `on_leave` says which of them it is taken for, at once or
after a time of grace (`_grace`).

Two rules:

1. While the request reads, the response goes on only when the request asks for the next event: so
   an event in the journal says that the one before it was stored and sent, and a slow client slows
   the response down, as without this.
2. The task has a copy of the request's context variables, but not the list of the responses that
   end with the request (`_frames`).
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any, Literal, Protocol, TypeAlias

from chatkit.types import ThreadMetadata, ThreadStreamEvent

from chatkit_reducer.integrations.openai_chatkit._frames import collecting, register
from chatkit_reducer.integrations.openai_chatkit._watch import Watch, watch_here

__all__ = ["LeftServer", "OnLeave", "OwnTask", "goes_on"]

OnLeave: TypeAlias = Literal["stop", "go_on"] | float
"""The fate of a response whose client leaves; a number is a time of grace, in seconds."""

Events: TypeAlias = AsyncIterator[ThreadStreamEvent]

logger: logging.Logger = logging.getLogger("chatkit_reducer.integrations.openai_chatkit")

_is_inside: ContextVar[bool] = ContextVar("chatkit_reducer response in its own task", default=False)

_tasks: set[asyncio.Task[None]] = set()
"""The tasks of responses: the event loop keeps weak references only."""


class LeftServer(Protocol):
    """The settings of a server that decide about a client that leaves."""

    on_leave: OnLeave | None

    @property
    def journal(self) -> Any:
        """The journal of the server."""
        ...


def goes_on(server: LeftServer, thread: ThreadMetadata, context: Any) -> bool:
    """Whether a response that begins here gets a task of its own, and outlives its request.

    By default it does where the client has no stop button: then a disconnect is a lost connection.
    """
    if _is_inside.get() or server.on_leave == "stop":
        return False
    if server.on_leave is not None:
        return True
    options: Any = getattr(server, "get_stream_options", None)  # older releases have none
    if server.journal is None or options is None:
        return False
    return not options(thread, context).allow_cancel


class OwnTask:
    """A response in a task of its own.

    Args:
        thread_id: its thread.
        make: makes its events; called in the task.
        watch: the clients that watch it, if it has a time of grace.
    """

    def __init__(
        self, thread_id: str, make: Callable[[], Events], watch: Watch | None = None
    ) -> None:
        self._thread_id = thread_id
        self._make = make
        self._watch = watch
        self._is_read = True
        self._error: BaseException | None = None
        self._event: ThreadStreamEvent | None = None
        self._is_asked = asyncio.Event()
        self._is_there = asyncio.Event()

    async def events(self) -> AsyncGenerator[ThreadStreamEvent, None]:
        """Start the response, and yield its events; it goes on when this is closed."""
        register(self)
        context = contextvars.copy_context()
        task = asyncio.get_running_loop().create_task(self._run(), context=context)
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        if self._watch is not None:
            self._watch.begin(task)
        try:
            while (event := await self._next()) is not None:
                yield event
        finally:
            self._detach()

    async def end(self) -> None:
        """Detach the response from its request, which has ended."""
        self._detach()

    def _detach(self) -> None:
        if self._is_read and self._watch is not None:
            self._watch.leave()
        self._is_read = False
        self._is_asked.set()

    # --- in the request's task ------------------------------------------------------------------

    async def _next(self) -> ThreadStreamEvent | None:
        self._is_asked.set()
        await self._is_there.wait()
        self._is_there.clear()
        event, self._event = self._event, None
        if event is None and self._error is not None:
            raise self._error
        return event

    # --- in the response's task -----------------------------------------------------------------

    async def _run(self) -> None:
        _is_inside.set(True)
        watch_here.set(self._watch)
        try:
            with collecting() as responses:
                events = self._make()
                try:
                    async for event in events:
                        await self._hand_over(event)
                finally:
                    for response in responses:
                        await response.end()
                    close: Any = getattr(events, "aclose", None)
                    if close is not None:
                        await close()
        except BaseException as error:
            self._error = error
            if not self._is_read and isinstance(error, Exception):
                logger.exception(
                    "A response in thread %s failed after its client had left: see below.",
                    self._thread_id,
                )
            if not isinstance(error, Exception):
                raise
        finally:
            self._is_there.set()

    async def _hand_over(self, event: ThreadStreamEvent) -> None:
        if self._is_read:
            self._is_asked.clear()
            self._event = event
            self._is_there.set()
            await self._is_asked.wait()
