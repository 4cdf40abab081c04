"""One exchange, stopped at one point, and awaited until none of its tasks runs any more."""

from __future__ import annotations

import asyncio
import gc
import inspect
import io
from collections.abc import AsyncIterable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio

from chatkit_reducer.events import Event, Json, Unreadable
from chatkit_reducer.logs import read
from chatkit_reducer.supervise import as_event
from chatkit_reducer.testing._await_points import AwaitPoints
from chatkit_reducer.testing.cancellation.event_loops import (
    AsyncioLoop,
    Backend,
    EventLoop,
    TrioLoop,
    complaints_of_python,
    generators_begun,
)
from chatkit_reducer.testing.cancellation.exchange import Exchange
from chatkit_reducer.testing.cancellation.methods import AT_A_FRAME, AT_A_POINT, Way

__all__ = ["ConsumerError", "Run", "Trial", "events_of"]


class Trial:
    """One exchange, and the observations about it."""

    def __init__(self, exchange: Exchange, way: Way, point: int, before: list[Json]) -> None:
        self.exchange = exchange
        self.way = way
        self.point = point
        self.before = before
        self.after: list[Json] = []
        self.received: list[Event] = []
        self.was_stopped: bool = way is Way.NOT_STOPPED
        self.received_at_stop: int | None = None
        self.error: BaseException | None = None
        self.was_cancelled: bool = False
        self.complaints: list[str] = []
        self.left_over: list[str] = []

    def note_stop(self) -> None:
        """Note that it is being stopped, just now."""
        if not self.was_stopped:
            self.was_stopped = True
            self.received_at_stop = len(self.received)


class ConsumerError(Exception):
    """The exception of a client that fails to send a frame on."""


class Run:
    """One run of an exchange: the client, its stop, and the wait for all tasks."""

    def __init__(self, trial: Trial, backend: Backend, timeout: float) -> None:
        self._trial = trial
        self._timeout = timeout
        self._loop: EventLoop = AsyncioLoop() if backend == "asyncio" else TrioLoop()
        self._scope: anyio.CancelScope | None = None

    async def run(self) -> None:
        """Run it to its end, or to the point of its stop."""
        trial = self._trial
        if trial.way is Way.PRODUCER_EXCEPTION:
            assert trial.exchange.fail_at is not None
            trial.exchange.fail_at(trial.point)
        with complaints_of_python(trial.complaints), self._loop.complaints(trial.complaints):
            with generators_begun() as opened:
                if not await self._conduct():
                    trial.left_over.append("the client itself has not come to its end")
                trial.left_over += await self._until_idle()
                if not trial.left_over and any(_is_open(generator) for generator in opened):
                    gc.collect(1)  # a young cycle keeps it alive, such as an error and its frames
                    trial.left_over += await self._until_idle()
            self._loop.clear()

    async def _conduct(self) -> bool:
        """Run the client; return whether it came to its end in time."""
        if self._trial.way is not Way.SHUTDOWN:
            return await self._loop.conduct(self._client(), self._timeout)
        return await self._loop.conduct(self._client(), self._timeout, self._at_turn)

    def _at_turn(self, number: int) -> None:
        if number == self._trial.point:
            self._trial.note_stop()
            self._loop.cancel_all()

    async def _client(self) -> None:
        trial = self._trial
        at_points = trial.way in AT_A_POINT
        try:
            with anyio.CancelScope() as self._scope:
                await (self._watched() if at_points else self._receive_all())
        except asyncio.CancelledError:  # the last thing that this task does
            trial.was_cancelled = True
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  # it is looked at later
            trial.error = error.with_traceback(None)  # which would keep the generators alive

    def _watched(self) -> AwaitPoints:
        return AwaitPoints(self._receive_all(), self._at_point)

    def _at_point(self, number: int, _: Any) -> None:
        trial = self._trial
        again = trial.way is Way.REPEATED_CANCEL and number > trial.point
        if number != trial.point and not again:
            return
        trial.note_stop()
        match trial.way:
            case Way.SCOPE_CANCEL:
                assert self._scope is not None
                self._scope.cancel()
            case Way.STOP:
                assert trial.exchange.stop is not None
                trial.exchange.stop()
            case _:
                self._loop.cancel_client()

    async def _receive_all(self) -> None:
        stream = self._trial.exchange.events()
        if inspect.isawaitable(stream):
            stream = await stream
        if isinstance(stream, AbstractAsyncContextManager):
            async with stream as entered:
                await self._receive(entered)
        else:
            await self._receive(stream)

    async def _receive(self, stream: AsyncIterable[Any]) -> None:
        trial, frames_received = self._trial, 0
        frames = aiter(stream)
        async for frame in frames:
            trial.received += events_of(frame)
            frames_received += 1
            is_last = trial.way in AT_A_FRAME and frames_received == trial.point
            if is_last:
                trial.note_stop()
                if trial.way is Way.EXCEPTION:
                    raise ConsumerError
            await trial.exchange.send(frame)
            if is_last:
                if trial.way is Way.ACLOSE:
                    await _close(frames)
                return

    async def _until_idle(self) -> list[str]:
        """Wait until no task runs; return the names of those that run nevertheless."""
        end = anyio.current_time() + self._timeout
        quiet = turns = 0
        while quiet < _QUIET_TURNS:
            running = self._loop.running()
            if running and anyio.current_time() > end:
                return running
            quiet = 0 if running else quiet + 1
            turns += 1
            await anyio.sleep(0 if turns < _QUICK_TURNS else 0.001)
        return []


_QUIET_TURNS = 8
"""Turns of the event loop without a task. It takes some turns from a generator that is dropped to
the task that closes it, and as many again for each generator inside of it."""

_QUICK_TURNS = 500


def _is_open(generator: Any) -> bool:
    return generator.ag_frame is not None


async def _close(frames: Any) -> None:
    close = getattr(frames, "aclose", None)
    if close is not None:
        await close()


def events_of(frame: Any) -> list[Event]:
    """Read the events that a client received: one event in any form, or server-sent events."""
    if not isinstance(frame, bytes | bytearray | str):
        return [as_event(frame)]
    data = frame.encode() if isinstance(frame, str) else bytes(frame)
    if data.startswith(b"{"):
        return [as_event(data)]
    if data.startswith(b"data: {") and data.endswith(b"}\n\n") and data.count(b"\n") == 2:
        return [as_event(data[6:])]
    events: list[Event] = []
    for event in read(io.BytesIO(data)):
        if isinstance(event, Unreadable):
            raise TypeError(f"{data!r} is neither an event nor a frame of server-sent events")
        events.append(event)
    return events
