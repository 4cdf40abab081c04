"""A stream under supervision: who passes events on, and notices every way of ending.

Four of these look alike from inside, and none of them waits for anybody: a task is cancelled; a
cancel scope is, which is delivered again at every await; the generator is closed; it is dropped,
and closed by the event loop later. So whatever has to be done then is protected (`protection`).
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine
from types import TracebackType
from typing import Any, Generic, TypeVar

import anyio
import attrs

from chatkit_reducer.errors import CommitError
from chatkit_reducer.events import Event
from chatkit_reducer.policy import Cause, Policy
from chatkit_reducer.settlement import Settlement
from chatkit_reducer.state import ThreadState
from chatkit_reducer.supervise.committing import Commit, Committing, MarkerFields
from chatkit_reducer.supervise.tracking import Load, Tracking, as_event
from chatkit_reducer.supervise.waiting import Interrupted, Waiting, waiting

__all__ = ["Supervised", "supervise"]

E = TypeVar("E")

# An event loop does not keep its tasks alive.
_closing: set[asyncio.Task[None]] = set()

logger: logging.Logger = logging.getLogger("chatkit_reducer.supervise")


@attrs.frozen
class _Limits:
    """How long things may take, in seconds; None for as long as they like."""

    stream: float | None
    event: float | None
    closing: float


def supervise(
    events: AsyncIterable[E],
    commit: Commit,
    *,
    policy: Policy,
    state: ThreadState | None = None,
    load: Load | None = None,
    convert: Callable[[E], Event] = as_event,
    timeout: float | None = None,
    idle_timeout: float | None = None,
    close_timeout: float = 5.0,
    commit_timeout: float = 10.0,
    marker: MarkerFields | None = None,
    on_failure: Callable[[CommitError], object] | None = None,
) -> Supervised[E]:
    """A stream that gives the same events, and is settled exactly once however it ends.

        async with supervise(answer(), commit, policy=policies.KEEP) as stream:
            async for event in stream:
                await send(event)

    An event counts as delivered when the consumer comes back for the next one. So who stores the
    items that are done does it before that: one whose write was cut off is then in doubt, and comes
    once more in the settlement.

    Args:
        events: what the producer makes. It is closed at the end, before the commit, if it can be.
        commit: called with the settlement, in spite of any cancellation; with asyncio in a task of
            its own. Once, but for one case: if that task itself is cancelled, as `asyncio.run` does
            with all tasks at its end, it is called again.
        policy: what survives.
        state: the thread before these events; the empty one if left out.
        load: finds the stored item that an update is for, if neither `state` nor these events have
            it. Asked once for each such item.
        convert: makes an event of this package of what the producer makes.
        timeout: how long the stream may take in all, in seconds.
        idle_timeout: how long the producer may take for one event, in seconds.
        close_timeout: how long the producer may take to close, in seconds.
        commit_timeout: how long the commit may take, in seconds.
        marker: what the marker needs that the policy does not say.
        on_failure: told of a commit that failed or took too long, with the settlement; if left out,
            that is logged.

    Raises:
        TypeError: `events` is no async iterable, or `policy` is no `Policy`.
        ValueError: the policy leaves the content of its marker to you, and `marker` has none.
    """
    if not hasattr(events, "__aiter__"):
        raise TypeError(
            f"events must be an async iterable, not {type(events).__name__}: "
            "call the generator function, without `await`"
        )
    start = ThreadState() if state is None else state
    committing = Committing(commit, policy, marker or MarkerFields(), commit_timeout, on_failure)
    committing.check(start)
    limits = _Limits(timeout, idle_timeout, close_timeout)
    return Supervised(events, Tracking(start, convert, load), committing, limits)


class Supervised(Generic[E]):
    """A stream under supervision, to be iterated once; `supervise` makes it."""

    def __init__(
        self,
        events: AsyncIterable[E],
        tracking: Tracking[E],
        committing: Committing,
        limits: _Limits,
    ) -> None:
        self._source = aiter(events)
        self._tracking = tracking
        self._committing = committing
        self._limits = limits
        self._waiting: Waiting | None = None
        self._stopped: Cause | None = None
        # Weak: a loop that is left with `break` drops the generator, and the event loop closes it.
        # In a `with` block that is for its end to do, and so the generator is kept until then.
        self._generator: weakref.ref[AsyncGenerator[E, None]] | None = None
        self._kept: AsyncGenerator[E, None] | None = None
        self._in_block = False
        self._settling = False
        self._settled = anyio.Event()
        self.close_abandoned: Callable[[Cause], Coroutine[Any, Any, None]] = self.aclose
        """Called in a task of its own if the consumer was cancelled and left the stream behind."""

    @property
    def state(self) -> ThreadState:
        """The thread after all events so far."""
        return self._tracking.states()[0]

    @property
    def settlement(self) -> Settlement | None:
        """What was decided at the end; None before."""
        return self._committing.settlement

    @property
    def failure(self) -> CommitError | None:
        """Why the commit failed; None if it did not."""
        return self._committing.failure

    def stop(self, cause: Cause | str = Cause.CANCELLED) -> None:
        """Ends the stream from elsewhere: from another task, for a stop button.

        The consumer sees the stream end, after the commit. Other threads call it by way of
        `loop.call_soon_threadsafe`, or `trio.from_thread.run_sync`.
        """
        self._stopped = self._stopped or Cause(cause)
        if self._waiting is not None:
            self._waiting.interrupt(self._stopped)

    def __aiter__(self) -> AsyncIterator[E]:
        """The events.

        Raises:
            RuntimeError: somebody has asked for them before.
        """
        if self._generator is not None:
            raise RuntimeError("a supervised stream can be iterated once only")
        generator = self._events()
        self._generator = weakref.ref(generator)
        self._kept = generator if self._in_block else None
        return generator

    async def __aenter__(self) -> Supervised[E]:
        self._in_block = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.aclose()
        finally:
            self._kept = None

    async def aclose(self, cause: Cause | str = Cause.CANCELLED) -> None:
        """Ends the stream if it has not ended, and returns when it is settled.

        Args:
            cause: how it ended, if not by itself.
        """
        self.stop(cause)
        generator: Any = None if self._generator is None else self._generator()
        # One that runs is in another task, which `stop` has interrupted: it settles there.
        if generator is None or not generator.ag_running:
            await self._settle(Cause(cause))
            if generator is not None:
                await generator.aclose()
        if not self._settled.is_set():  # no checkpoint where there is nothing to wait for
            await self._settled.wait()

    def _abandoned(self) -> None:
        """The consumer is gone, and nobody closes the stream: it closes itself."""
        task = asyncio.get_running_loop().create_task(self.close_abandoned(Cause.CANCELLED))
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    async def _events(self) -> AsyncGenerator[E, None]:
        self._waiting = waiting(self._limits.stream, self._limits.event, self._abandoned)
        if self._stopped is not None:
            self._waiting.interrupt(self._stopped)
        tracking = self._tracking
        wait, advance = self._waiting.wait, self._source.__anext__
        cause = Cause.CANCELLED  # unless it turns out to be something else
        try:
            while True:
                try:
                    event = await wait(advance)
                    for_stored_item = tracking.take(event)
                    if for_stored_item is not None:
                        await tracking.take_found(for_stored_item)
                except StopAsyncIteration:
                    cause = tracking.cause_of_end()
                    return
                except Interrupted as interruption:
                    cause = interruption.cause
                    if cause is Cause.TIMED_OUT:
                        raise TimeoutError("the stream took too long") from None
                    return
                except Exception:
                    cause = Cause.FAILED
                    raise
                yield event
                tracking.delivered()
        finally:
            await self._settle(cause)

    async def _settle(self, cause: Cause) -> None:
        """Closes the producer and settles; whoever comes second finds it done, or being done."""
        if self._settling:
            return
        self._settling = True
        try:
            if self._waiting is not None:
                self._waiting.close()
            interrupted = await self._close()
            state, delivered = self._tracking.states()
            cancelled = await self._committing.settle(state, delivered, cause)
        finally:
            self._settled.set()
        if interrupted is not None:
            raise interrupted
        if cancelled:
            raise anyio.get_cancelled_exc_class()

    async def _close(self) -> BaseException | None:
        """Closes the producer, in this task: it may hold scopes that belong to it.

        Returns:
            A cancellation that arrived meanwhile, to be raised when all is done.
        """
        close: Any = getattr(self._source, "aclose", None)
        if close is None:
            return None
        scope = anyio.move_on_after(self._limits.closing, shield=True)
        try:
            with scope:
                await close()
        except Exception:
            logger.exception("A producer failed to close. Its stream is settled all the same.")
        except anyio.get_cancelled_exc_class() as error:
            return error
        if scope.cancelled_caught:
            logger.error("A producer did not close in time. Its stream is settled all the same.")
        return None
