"""The clients that watch a response with a time of grace, from its beginning to its end.

    watched ──▶ away ──▶ watched    in time: all goes on as if the client had never left
                 └─────▶ cut        it is stopped, as of the position at which the client left

A server may notice late that a connection is gone: then the client is back before it has left. So a
thread that was loaded no longer than the time of grace before that is in time, too.

While it is away, its events go to the journal alone: the SDK's loop, which stores and sends them,
is not given any (`supervise`, `Supervised.hold`). So the store has nothing to take back.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
from contextvars import ContextVar
from typing import Protocol

import anyio

from chatkit_reducer.journal.protocol import Journal
from chatkit_reducer.journal.returns import recalled

__all__ = ["ASK_EVERY", "Watch", "watch_here"]

logger: logging.Logger = logging.getLogger("chatkit_reducer.integrations.openai_chatkit")

ASK_EVERY = 0.5
"""How often the journal is asked whether a client has come back elsewhere, in seconds."""
_AT_MOST = 5.0
"""How long a client that is back waits for the store and the journal, in seconds."""


class Holding(Protocol):
    """A stream whose events can be held back."""

    def hold(self, grace: float) -> None:
        """Hold events back from now on."""
        ...

    async def release(self) -> None:
        """Let the consumer have the events that were held back."""
        ...


class Watch:
    """The clients that watch one response, which has a time of grace.

    Args:
        thread_id: its thread.
        grace: how long it waits for a client that has left, in seconds.
        journal: where other processes say that a client has come back to them.
    """

    def __init__(self, thread_id: str, grace: float, journal: Journal) -> None:
        self.thread_id: str = thread_id
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.is_away: bool = False
        """Whether no client watches, and none has come back."""
        self.is_cut: bool = False
        """Whether the response was stopped because no client watches it."""
        self._grace = grace
        self._journal = journal
        self.responses: list[str] = []
        """The ids of the response in the journal."""
        self._watchers = 1
        self._loaded = -math.inf
        """When a client loaded the thread that does not follow, on the clock of the loop."""
        self._streams: list[Holding] = []
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._is_silent = False

    # --- the response ---------------------------------------------------------------------------

    def begin(self, task: asyncio.Task[None]) -> None:
        """Begin with the response, which runs in this task until all of it is stored."""
        self._task = task
        task.add_done_callback(lambda _: self._end_timer())

    @property
    def has_ended(self) -> bool:
        """Whether the response has ended, and all of it is stored."""
        return self._task is not None and self._task.done()

    async def wait_for_end(self) -> None:
        """Wait until the response has ended, and all of it is stored."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def add(self, stream: Holding, response: str | None) -> None:
        """Hold the events of a stream back whenever no client watches.

        Args:
            stream: the stream.
            response: its id in the journal; None if it has no journal.
        """
        self._streams.append(stream)
        if response is not None:
            self.responses.append(response)
        if self.is_away:
            stream.hold(self._grace)

    # --- its clients ----------------------------------------------------------------------------

    async def enter(self) -> None:
        """Take a client in, until it leaves."""
        self._watchers += 1
        self._loaded = -math.inf  # by this client, which is missed if it leaves
        await self._return()

    def let_go(self) -> None:
        """Let a client go that has not left: its answer has ended before the response."""
        self._watchers -= 1

    def leave(self) -> None:
        """Let a client go that has left; if it was the last one, its time of grace begins."""
        self.let_go()
        is_back = self.loop.time() - self._loaded <= self._grace
        if self._watchers or is_back or self.is_away or self.has_ended:
            return
        self.is_away = True
        for stream in self._streams:
            stream.hold(self._grace)
        # The context of a request must not outlive it.
        self._timer = self.loop.create_task(
            self._wait(), name="chatkit_reducer grace", context=contextvars.Context()
        )

    async def come_back(self) -> None:
        """Let the response go on for a client that loads its thread, and is not missed later."""
        self._loaded = self.loop.time()
        await self._return()

    async def _return(self) -> None:
        """Let the response go on as if its client had never left, if it is not cut yet."""
        if not self.is_away or self.is_cut:
            return
        self.is_away = False
        self._end_timer()
        with anyio.move_on_after(_AT_MOST):  # a store that hangs does not hold its client up
            for stream in self._streams:
                await stream.release()

    def cut(self) -> None:
        """Stop the response if no client watches it, as of the position at which it left."""
        if self.is_away and not self.is_cut and self._task is not None:
            self.is_cut = True
            self._task.cancel()

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    async def _wait(self) -> None:
        """Wait for a client that comes back in another process; without one, stop the response."""
        end = anyio.current_time() + self._grace
        await self._was_recalled()  # before the leaving: who is there now says it again
        while (left := end - anyio.current_time()) > 0:
            await anyio.sleep(min(left, ASK_EVERY))
            if await self._was_recalled():
                self._timer = None
                await self.come_back()
                return
        self.cut()

    async def _was_recalled(self) -> bool:
        try:
            with anyio.fail_after(_AT_MOST):
                return bool(await recalled(self._journal, self.responses))
        except Exception as error:  # noqa: BLE001  # of a driver
            if not self._is_silent:
                logger.warning(
                    "Whether a client of thread %s has come back in another process is not known: "
                    "%s: %s",
                    self.thread_id,
                    type(error).__name__,
                    error,
                )
            self._is_silent = True
            return False


watch_here: ContextVar[Watch | None] = ContextVar("chatkit_reducer watch", default=None)
"""The watch of the response that runs in this context."""
