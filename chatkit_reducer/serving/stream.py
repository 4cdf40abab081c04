"""One response on its way: each event is stored, if it lasts, before the consumer gets it.

    producer ──▶ supervise ──▶ store, if it lasts ──▶ filter ──▶ consumer ──▶ comes back: delivered
                    └── the end: settle and commit ──▶ `error`, if it failed ──▶ the corrections

Two tasks never write to the store at once. A write goes on when its task is cancelled, and the
cancellation follows behind it; a stop from elsewhere waits for it before it settles.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar, copy_context
from functools import partial
from types import TracebackType
from typing import Any, Self

import anyio
import attrs
from anyio.lowlevel import checkpoint_if_cancelled

from chatkit_reducer.core.policy.disclosure import texts_of
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.core.policy.verdict import Write
from chatkit_reducer.errors import CommitError
from chatkit_reducer.events import ErrorEvent, Event, ThreadItemRemoved
from chatkit_reducer.serving.store import StoredThread, lasts
from chatkit_reducer.serving.visibility import Visibility
from chatkit_reducer.supervise import Supervised, as_event
from chatkit_reducer.supervise.commit.reporting import log_error
from chatkit_reducer.supervise.shield import run_shielded

__all__ = ["ResponseStream", "Surroundings"]

logger: logging.Logger = logging.getLogger("chatkit_reducer.serving")

_writes_for: ContextVar[object] = ContextVar(
    "chatkit_reducer response whose item is being stored", default=None
)


@attrs.frozen(kw_only=True)
class Surroundings:
    """What a response needs of its server."""

    write_timeout: float | None
    """How long one write may take, in seconds; None for no limit."""
    entered: Callable[[ResponseStream], Awaitable[object]]
    """Called before the response begins."""
    settled: Callable[[ResponseStream], object]
    """Called when it is settled; perhaps more than once."""
    left: Callable[[ResponseStream], object]
    """Called when its block is left."""


class ResponseStream:
    """The events of one response for its client; `Responses.stream` makes it.

        async with responses.stream(thread_id, answer()) as events:
            async for event in events:
                await send(event)

    An event counts as delivered when the consumer comes back for the next one. What the consumer
    raises leaves the block unchanged, behind the settlement.
    """

    def __init__(
        self,
        thread: StoredThread,
        supervised: Supervised[Any],
        surroundings: Surroundings,
        response: str | None = None,
    ) -> None:
        self.thread_id: str = thread.id
        self._thread = thread
        self.response = response
        """The id of the response in the journal; None without a journal."""
        self._supervised = supervised
        self._around = surroundings
        self._visibility = Visibility()
        self._iterator: Any = None
        self._rest: Iterator[Event] | None = None
        """The events that are left behind the settlement."""
        self._unsent: Event | None = None
        """The event that is being stored, as the client may see it."""
        self._written: anyio.Event | None = None
        """Set when the write that is going on is through."""
        self._was_stopped = False
        self._is_settled = False
        supervised.on_abandoned = self.aclose

    @property
    def settlement(self) -> Settlement | None:
        """The decisions made at the end; None before."""
        return self._supervised.settlement

    @property
    def failure(self) -> CommitError | None:
        """The reason why the commit failed; None if it did not, or not yet."""
        return self._supervised.failure

    @property
    def corrections(self) -> tuple[Event, ...]:
        """The events that bring a client in line with the store; the consumer gets them, too."""
        settlement = self.settlement
        if settlement is None or self.failure is not None or not self._is_settled:
            return ()
        gone = self._visibility.gone(settlement)
        unsent = [self._unsent] if isinstance(self._unsent, ThreadItemRemoved) else []
        return (*unsent, *gone, *self._supervised.corrections)

    @property
    def is_ending(self) -> bool:
        """Whether it was stopped, or is being settled, or is settled."""
        return self._was_stopped or self._supervised.is_ending

    def stop(self, cause: Cause | str = Cause.CANCELLED) -> None:
        """End it from elsewhere: the consumer gets the corrections, and then the end."""
        self._was_stopped = True
        self._supervised.stop(cause)

    async def aclose(self, cause: Cause | str = Cause.CANCELLED) -> None:
        """End it from elsewhere, and return when it is settled.

        Called by the store itself, while it writes for this response, it returns at once.
        """
        self.stop(cause)
        if _writes_for.get() is self:
            return
        if self._written is not None:
            await self._written.wait()
        await self._supervised.aclose(cause)
        self._note_settled()

    async def __aenter__(self) -> Self:
        if self._iterator is not None:
            raise RuntimeError("a response can be streamed once only: make another one")
        await self._supervised.__aenter__()
        self._iterator = aiter(self._supervised)
        try:
            await self._around.entered(self)
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._supervised.__aexit__(kind, error, trace)
        finally:
            self._note_settled()
            self._around.left(self)

    def _note_settled(self) -> None:
        self._is_settled = True
        self._around.settled(self)

    def __aiter__(self) -> ResponseStream:
        return self

    async def __anext__(self) -> Event:
        """Return the next event that the client may see.

        Raises:
            RuntimeError: the stream is used outside of its `async with` block.
        """
        if self._iterator is None:
            raise RuntimeError(
                "expected a response in its block, got one outside: use `async with ... as events`"
            )
        while self._rest is None:
            event = await self._live()
            if event is not None:
                return event
        for event in self._rest:
            return event
        raise StopAsyncIteration

    async def _live(self) -> Event | None:
        """Return the next event of the producer, stored; None for a hidden one, and at the end."""
        try:
            value = await anext(self._iterator)
        except StopAsyncIteration:
            self._end([])
            return None
        except Exception as error:
            settlement = self.settlement
            if settlement is not None and settlement.cause is Cause.CANCELLED:
                raise  # of a producer that was cancelled with its consumer
            self._broke_off(error)
            return None
        event = _event_or_none(value)
        return None if event is None else await self._stored(event)

    async def _stored(self, event: Event) -> Event | None:
        shown = self._visibility.of(event)
        if not lasts(event):
            return shown
        self._unsent = shown
        error = await self._write(event)
        if error is None:
            self._unsent = None
            return shown
        await self._supervised.aclose(Cause.FAILED)
        self._broke_off(error, event)
        return None

    async def _write(self, event: Event) -> Exception | None:
        """Write to the store, in spite of any cancellation; return the error of the store."""
        context = copy_context()
        context.run(_writes_for.set, self)
        self._written = written = anyio.Event()
        limit = self._around.write_timeout
        try:
            outcome = await run_shielded(partial(self._thread.write, event), limit, context=context)
        finally:
            self._written = None
            written.set()
        if outcome.cancelled:
            raise asyncio.CancelledError
        await checkpoint_if_cancelled()
        if outcome.error is not None and not isinstance(outcome.error, Exception):
            raise outcome.error
        return outcome.error

    def _broke_off(self, error: Exception, event: Event | None = None) -> None:
        """Have the client told that the answer broke off."""
        self.log_break(error, event)
        self._end([ErrorEvent(code="stream.error", allow_retry=True)])

    def log_break(self, error: Exception, event: Event | None = None) -> None:
        """Log why the answer broke off, without words of the conversation."""
        items = [Write("add", item.to_json()) for item in self._supervised.state.items.values()]
        if event is not None:
            items.append(Write("add", getattr(event, "item", {})))
        said = f"A response in thread {self.thread_id} broke off."
        log_error(said, error, texts_of(self.settlement, items))

    def _end(self, first: list[Event]) -> None:
        self._note_settled()
        self._rest = iter([*first, *self.corrections])


def _event_or_none(value: object) -> Event | None:
    """Return the event that a producer made; None if it is not one, which is in the log by now."""
    try:
        return as_event(value)
    except Exception:  # noqa: BLE001  # `supervise` has logged it
        return None
