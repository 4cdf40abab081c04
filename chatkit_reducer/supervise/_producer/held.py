"""A producer whose events can be held back from the consumer for a while, and given to it later.

    watched ──▶ leaving ──▶ away ──▶ returning ──▶ watched
        hold()      noted       release()      noted

The consumer that waits for an event runs this. So all that is noted of the events that it does not
get is noted in its task, between two events, as for those that it gets. While the stream is away it
does not get any: it has each event before, and has come back for the next one.

The producer is in a task of its own: a wait for it is broken off to note a change, and goes on.
"""

from __future__ import annotations

import copy
from collections import deque
from contextvars import Context
from enum import Enum, auto
from typing import Generic, Protocol, TypeVar

import anyio

from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.supervise._interruptions import fatal_part
from chatkit_reducer.supervise._producer._own_task import OwnTask
from chatkit_reducer.supervise._producer.protocol import Interrupted

__all__ = ["Held", "Keeper"]

E = TypeVar("E")
E_contra = TypeVar("E_contra", contravariant=True)


class Keeper(Protocol[E_contra]):
    """Notes what happens while events are held back."""

    async def left(self) -> None:
        """Note that events are held back from now on; the consumer is done with all before."""
        ...

    async def take(self, event: E_contra) -> None:
        """Note an event that is held back."""
        ...

    async def returned(self) -> None:
        """Note that the consumer gets the events that were held back."""
        ...


class _Watch(Enum):
    WATCHED = auto()
    LEAVING = auto()
    AWAY = auto()
    RETURNING = auto()


class Held(Generic[E]):
    """A producer in a task of its own, whose events can be held back.

    Args:
        producer: the producer.
    """

    def __init__(self, producer: OwnTask[E]) -> None:
        self.was_cancelled: bool = False
        self.gave_held: bool = False
        """Whether the last event was held back before, and so is noted."""
        self._producer = producer
        self._watch = _Watch.WATCHED
        self._keeper: Keeper[E] | None = None
        self._leaves_again: Keeper[E] | None = None
        self._events: deque[E] = deque()
        """The events that are held back, or were, and that the consumer does not have yet."""
        self._end: BaseException | None = None
        """The exception behind them, by which the producer ended."""
        self._cause: Cause | None = None
        self._is_closed = False
        self._woken = anyio.Event()
        self._has_all = anyio.Event()

    @property
    def waiting_since(self) -> float | None:
        """The time at which the awaited event was asked for."""
        return self._producer.waiting_since

    @property
    def is_away(self) -> bool:
        """Whether events are held back."""
        return self._watch in (_Watch.AWAY, _Watch.RETURNING)

    # --- from elsewhere ---------------------------------------------------------------------------

    def hold(self, keeper: Keeper[E]) -> None:
        """Hold events back from now on. The consumer gets those first that were released before."""
        if self._watch is _Watch.WATCHED:
            self._watch, self._keeper = _Watch.LEAVING, keeper
            self._wake()
        elif self._watch is _Watch.RETURNING:
            self._leaves_again = keeper

    async def release(self) -> None:
        """Let the consumer have all that was held back; return when it is done with that."""
        self._leaves_again = None
        if self._watch is _Watch.LEAVING:
            self._watch = _Watch.WATCHED
        elif self._watch is _Watch.AWAY:
            self._watch, self._has_all = _Watch.RETURNING, anyio.Event()
            self._wake()
        if (self._watch is _Watch.RETURNING or self._events) and not self._is_closed:
            await self._has_all.wait()

    def end(self, cause: Cause) -> None:
        """End the producer, for a consumer that gets all before; one that is away may not."""
        if self._end is None:
            self._end = Interrupted(cause)
            self._wake()

    def interrupt(self, cause: Cause) -> None:
        """End the wait that goes on, or else the next one before it begins.

        Events that were released come first. Those that are held back are dropped.
        """
        if self._cause is None:
            self._cause = cause
            self._wake()

    def released(self) -> list[E]:
        """Return the events that were released, and that the consumer does not have."""
        return [] if self.is_away else [*self._events]

    async def close(self, context: Context, *, is_consumer: bool) -> BaseException | None:
        """Close the producer; log a fault that it raises."""
        self._is_closed = True
        self._has_all.set()
        return await self._producer.close(context, is_consumer=is_consumer)

    def _wake(self) -> None:
        self._woken.set()
        self._producer.wake()

    # --- in the consumer's task -------------------------------------------------------------------

    async def next(self) -> E:
        """Return the next event, as soon as the consumer may have it."""
        while True:
            self.gave_held = bool(self._events) and not self.is_away
            if self.gave_held:
                return self._events.popleft()
            self._raise_end()
            if await self._note_change():
                continue
            if self._cause is not None:
                raise Interrupted(self._cause)
            if self._end is not None:
                await self._wait_for_return()
            elif not await self._producer.wait():
                pass  # it was woken, to note a change
            elif self._watch is _Watch.WATCHED:
                return self._producer.take()
            elif self._watch is _Watch.AWAY:
                await self._hold_back()

    def _raise_end(self) -> None:
        """Raise the producer's exception, if it has ended and the consumer is to know."""
        if not self.is_away:
            self._has_all.set()
            if self._end is not None:
                raise self._end

    async def _wait_for_return(self) -> None:
        self._woken = anyio.Event()
        await self._woken.wait()

    async def _note_change(self) -> bool:
        """Note that the client has left or returned; return whether it has."""
        if self._keeper is not None and self._watch is _Watch.LEAVING:
            self._watch = _Watch.AWAY
            await self._keeper.left()
        elif self._keeper is not None and self._watch is _Watch.RETURNING:
            await self._keeper.returned()
            self._watch, again = _Watch.WATCHED, self._leaves_again
            self._leaves_again = None
            if again is not None:
                self.hold(again)
        else:
            return False
        return True

    async def _hold_back(self) -> None:
        assert self._keeper is not None
        try:
            event = self._producer.take()
        except BaseException as error:
            if fatal_part(error) is not None:
                raise
            self._end = error
            return
        self._events.append(_copied(event))
        await self._keeper.take(event)


def _copied(event: E) -> E:
    """Return a copy, because producers change an item after they have sent it, if there can be."""
    try:
        return copy.deepcopy(event)
    except Exception:  # noqa: BLE001  # a value in it is not made to be copied
        return event
