"""A stream under supervision: passes events on, and notices every way of ending.

Four ways of ending look alike from inside, and none of them waits: a task is cancelled; a cancel
scope is cancelled, which is delivered again at every await; the generator is closed; the generator
is dropped, and closed by the event loop later. So the settlement runs shielded (`shield`). The
table in `life` says which task settles, and which ones wait for it.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
)
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any, Generic, TypeVar

from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.errors import CommitError
from chatkit_reducer.events import Event, Json, ThreadItemUpdated
from chatkit_reducer.supervise._absence import Absence
from chatkit_reducer.supervise._consumer import Consumer
from chatkit_reducer.supervise._ending import Ending
from chatkit_reducer.supervise._interruptions import (
    cancel_again,
    is_cancellation,
    is_failure,
    raise_if,
)
from chatkit_reducer.supervise._iteration import Iteration
from chatkit_reducer.supervise._journaling import Journaling
from chatkit_reducer.supervise._life import Action, Effect, Life, Stage
from chatkit_reducer.supervise._options import Limits
from chatkit_reducer.supervise._producer.choice import make_producer
from chatkit_reducer.supervise._producer.protocol import Interrupted
from chatkit_reducer.supervise._tracker import Tracker
from chatkit_reducer.supervise._watching import Watching
from chatkit_reducer.supervise.commit.committer import Committer
from chatkit_reducer.supervise.commit.lookups import Lookup, look_up
from chatkit_reducer.supervise.tasks import event_loop, on_asyncio

__all__ = ["Supervised"]

E = TypeVar("E")

logger: logging.Logger = logging.getLogger("chatkit_reducer.supervise")


class Supervised(Generic[E]):
    """A stream under supervision, to be iterated once; `supervise` makes it."""

    def __init__(
        self,
        events: AsyncIterable[E],
        tracker: Tracker[E],
        committer: Committer,
        limits: Limits,
        deliver: Callable[[Event], E] | None,
        *,
        own_task: bool,
        journal: Journaling | None,
        watching: Watching | None,
    ) -> None:
        self._source = aiter(events)
        self._tracker = tracker
        self._committer = committer
        self._limits = limits
        self._deliver = deliver
        self._journal = journal
        self._watching = watching
        self._own_task = own_task
        self._life = Life()
        self._ending = Ending(self._life, committer, tracker)
        self._context = copy_context()
        self._cause: Cause | None = None
        """The cause that the first call of `stop` has given."""
        self._iteration: Iteration[E] | None = None
        self._lookup: Lookup | None = None
        self._grace: float | None = None
        """How long a client that has left may take to come back, in seconds; else None."""
        # Weak: a loop that is left with `break` drops the generator, and the event loop closes it.
        # In an `async with` block its end does that, and so the generator is kept until then.
        self._generator: weakref.ref[AsyncGenerator[E, None]] | None = None
        self._kept: AsyncGenerator[E, None] | None = None
        self._in_block = False
        self._is_late = False
        self._withheld: Event | None = None
        """The event that is being written to the journal: the consumer does not have it yet."""
        self.on_abandoned: Callable[[Cause], Coroutine[Any, Any, None]] = self.aclose
        """Called in a task of its own to end the stream when the consumer does not: its task was
        cancelled or has failed while it sent an event, or it still sends one at the deadline."""

    @property
    def state(self) -> ThreadState:
        """The thread after all events so far."""
        return self._tracker.states()[0]

    @property
    def settlement(self) -> Settlement | None:
        """The decisions made at the end; None before."""
        return self._committer.settlement

    @property
    def failure(self) -> CommitError | None:
        """The reason why the commit failed; None if it did not, or not yet."""
        return self._committer.failure

    @property
    def corrections(self) -> tuple[Event, ...]:
        """Events that bring a client in line with the store.

        Empty before the commit, and if it failed.
        """
        settlement = self.settlement
        if settlement is None or self.failure is not None or not self._is_settled:
            return ()
        withheld = self._tracker.correction_for(self._withheld)
        return settlement.events if withheld is None else (withheld, *settlement.events)

    @property
    def _is_settled(self) -> bool:
        return self._life.stage is Stage.SETTLED

    @property
    def is_ending(self) -> bool:
        """Whether the stream is being settled, or is settled."""
        return self._life.stage in (Stage.SETTLING, Stage.SETTLED)

    def refused(self, item_id: str) -> None:
        """Say that the store has refused the `done` or `replaced` of an item, with an error.

        The copy that the store has of it stays as it is. If `load` says that the store has none,
        the item is in doubt, and the policy decides. If the store was not asked, or did not answer,
        nothing of the item is written.
        """
        if not isinstance(item_id, str):
            raise TypeError(f"item_id must be a string, got {type(item_id).__name__}")
        self._tracker.refuse(item_id)

    def hold(self, grace: float) -> None:
        """Hold all events back from the consumer from now on: its client has left.

        The producer goes on, and its events go to the journal. If the stream is ended meanwhile, it
        is settled as of now, without them.

        Args:
            grace: how long the client may take to come back, in seconds: it is on record.

        Raises:
            RuntimeError: the producer is not in a task of its own: pass `own_task=True`.
        """
        self._grace = grace
        if self._iteration is not None and not self.is_ending:
            self._hold_back(self._iteration, grace)

    def _hold_back(self, iteration: Iteration[E], grace: float) -> None:
        if iteration.held is None:
            raise RuntimeError(
                "expected a producer in a task of its own, to hold its events back: pass "
                "own_task=True to `supervise`"
            )
        iteration.held.hold(Absence(self._tracker, self._journal, self._find, grace))

    async def release(self) -> None:
        """Let the consumer have all events that were held back, in order, and those to come.

        It returns when the consumer is done with those that were held back; at once if there is
        none.
        """
        self._grace = None
        if self._iteration is not None and self._iteration.held is not None:
            await self._iteration.held.release()

    def stop(self, cause: Cause | str = Cause.CANCELLED) -> None:
        """End the stream from elsewhere: from another task, for a stop button.

        The consumer sees the stream end, after the commit. Other threads call it by way of
        `loop.call_soon_threadsafe`, or `trio.from_thread.run_sync`.
        """
        cause = Cause(cause)
        if self._life.act(Action.STOP) is not Effect.INTERRUPT:
            return
        if self._cause is None:
            self._cause = cause
        if self._iteration is not None:
            self._iteration.producer.interrupt(self._cause)
        if self._lookup is not None:
            self._lookup.give_up()

    def __aiter__(self) -> AsyncIterator[E]:
        """Return the events.

        Raises:
            RuntimeError: it was called before.
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
            await self._end(Cause.CANCELLED, self._ending.join)
        except BaseException as interruption:
            if error is None or not is_cancellation(interruption):
                raise
            # The caller of the block sees its error; the cancellation is delivered again.
            cancel_again()
        finally:
            self._kept = None

    async def aclose(self, cause: Cause | str = Cause.CANCELLED) -> None:
        """End the stream if it has not ended, and return when it is settled.

        Called from within the settlement (by the commit, or a hook) it returns at once.

        Args:
            cause: how it ended, if not by itself, and if `stop` was not called before.
        """
        await self._end(Cause(cause), self._ending.wait)

    async def _end(self, cause: Cause, join: Callable[[], Awaitable[object]]) -> None:
        self.stop(cause)
        if self._ending.is_running_here:
            return
        effect = self._life.act(Action.CLOSE)
        try:
            if effect is Effect.SETTLE:
                await self._settle(self._cause or cause)
            elif effect is Effect.JOIN:
                await join()
        finally:
            await self._close_generator()

    async def _close_generator(self) -> None:
        """Close the generator of a settled stream, unless it is running."""
        generator: Any = None if self._generator is None else self._generator()
        if generator is None or generator.ag_running or not self._is_settled:
            return
        # A consumer in another task may come back, and learns then how the stream has ended. But
        # Trio complains of generators that are dropped: there it is closed, except at the deadline.
        iteration = self._iteration
        may_come_back = iteration is not None and iteration.consumer.may_come_back
        if not may_come_back or not (on_asyncio() or self._is_late):
            await generator.aclose()

    # --- the iteration ----------------------------------------------------------------------------

    async def _events(self) -> AsyncGenerator[E, None]:
        error: BaseException | None = None
        life, tracker = self._life, self._tracker
        is_told = self._journal is not None or self._watching is not None
        waiting, sending = Stage.WAITING, Stage.SENDING  # looking them up would cost as much again
        try:
            if life.act(Action.ASK) is Effect.NOTHING:
                next_event, current_task, consumer = await self._begin()
                task = None
                while life.stage is waiting:
                    now = current_task()
                    if now is not task:
                        task = consumer.change(now)
                    event = await next_event()
                    of_stored_item = tracker.take(event)
                    is_ready = of_stored_item is None and not is_told
                    if not is_ready and (rest := self._prepare(of_stored_item)) is not None:
                        await rest
                    life.stage = sending  # see `life`, rule 1
                    yield event
                    if life.stage is sending:
                        life.stage = waiting
                        tracker.note_delivery()
            cause = self._cause or Cause.CANCELLED
        except BaseException as raised:
            end = self._classify_end(raised)
            if end is None:
                await self._leave_with(raised)
                raise
            cause, error = end
        await self._leave(cause)
        for event in self._converted_corrections():
            yield event
        if cause is Cause.TIMED_OUT:
            raise TimeoutError("the stream took too long")
        try:
            raise_if(error)
        finally:
            del error  # else a cycle: error, traceback, this frame

    def _classify_end(self, raised: BaseException) -> tuple[Cause, BaseException | None] | None:
        """Return how the stream ended, and the error to raise; None if the consumer left it."""
        if isinstance(raised, StopAsyncIteration):
            return self._tracker.cause_of_end(), None
        if isinstance(raised, Interrupted):
            return raised.cause, None
        if self._life.stage is not Stage.WAITING or not is_failure(raised):
            return None
        # An error that the producer raises because its consumer was cancelled is not a failure.
        if self._iteration is not None and self._iteration.producer.was_cancelled:
            return None
        return Cause.FAILED, raised

    async def _begin(self) -> tuple[Callable[[], Awaitable[E]], Callable[[], object], Consumer]:
        """Begin the iteration, in the task and in the context of the consumer."""
        self._iteration = iteration = Iteration(
            self._source,
            self._limits,
            own_task=self._own_task,
            on_late=self._end_late,
            on_gone=lambda: self._close_elsewhere(Cause.CANCELLED),
        )
        self._context = iteration.context
        if self._cause is not None:
            iteration.producer.interrupt(self._cause)
        if self._journal is not None:
            await self._journal.begin()
        if self._grace is not None:
            self._hold_back(iteration, self._grace)
        return iteration.producer.next, iteration.loop.current_task, iteration.consumer

    def _prepare(self, of_stored_item: ThreadItemUpdated | None) -> Awaitable[None] | None:
        """Find the item that an event is for, and write the event to the journal; tell a watcher.

        Returns:
            The rest of that, to be awaited; None if it is done, as nearly always.
        """
        assert self._iteration is not None
        is_noted = self._iteration.producer.gave_held
        if of_stored_item is not None:
            return self._find_and_write(of_stored_item, is_noted=is_noted)
        if self._watching is not None:
            self._watching.take(self._tracker.latest)
        journal = self._journal
        if is_noted or journal is None:
            return None
        rest = journal.write(self._tracker.latest)
        if rest is None and self._cause is None and not journal.writer.taken_over:
            return None
        return self._finish_write(journal, rest)

    async def _find_and_write(self, event: ThreadItemUpdated, *, is_noted: bool) -> None:
        item = await self._find(event, self._tracker, is_noted=is_noted)
        if self._watching is not None:
            self._watching.take_found(item)
            self._watching.take(event)
        if self._journal is not None and not is_noted:
            await self._finish_write(self._journal, self._journal.write(self._tracker.latest))

    async def _finish_write(self, journal: Journaling, rest: Awaitable[None] | None) -> None:
        self._withheld = self._tracker.latest
        if rest is not None:
            await rest
        if self._cause is not None or journal.writer.taken_over:
            raise Interrupted(self._cause or Cause.CANCELLED)
        self._withheld = None

    async def _find(
        self, event: ThreadItemUpdated, tracker: Tracker[E], *, is_noted: bool = False
    ) -> Json | None:
        """Find the stored item that an update is for, and fold it; journal it if it is not yet.

        Returns:
            The item; None if the store does not have it, or does not say.
        """
        self._lookup = lookup = self._committer.lookup(event.item_id)
        try:
            await look_up(lookup, self._limits.load, self._context)
        finally:
            self._lookup = None
        if self._cause is not None and not is_noted:
            raise Interrupted(self._cause)
        if self._journal is not None and lookup.item is not None and not is_noted:
            await self._journal.write_found(lookup.item)
        tracker.take_found(event, lookup.item, is_known=lookup.is_known)
        return lookup.item

    def _converted_corrections(self) -> Iterator[E]:
        if self._deliver is not None:
            for event in self.corrections:
                try:
                    corrected = self._deliver(event)
                except Exception:
                    logger.exception("`deliver` failed: the client is not told what is stored.")
                    return
                yield corrected

    # --- the end ----------------------------------------------------------------------------------

    def _end_late(self) -> None:
        """End the stream at its deadline: the consumer settles if it waits, else another task."""
        held = None if self._iteration is None else self._iteration.held
        if held is not None and held.is_away:
            held.end(Cause.TIMED_OUT)  # which is held back, too
            return
        self._is_late = True
        self.stop(Cause.TIMED_OUT)
        if self._life.stage is Stage.SENDING:
            self._close_elsewhere(Cause.TIMED_OUT)

    def _close_elsewhere(self, cause: Cause) -> None:
        assert self._iteration is not None
        self._iteration.close_elsewhere(self.on_abandoned, cause)

    async def _leave_with(self, error: BaseException) -> None:
        """Settle for a consumer that left with this error, which is the one that it sees."""
        try:
            await self._leave(Cause.CANCELLED)
        except BaseException as interruption:
            if not isinstance(error, Exception) or not is_cancellation(interruption):
                raise
            cancel_again()

    async def _leave(self, cause: Cause) -> None:
        effect = self._life.act(Action.LEAVE)
        if effect is Effect.SETTLE:
            await self._settle(cause)
        elif effect is Effect.JOIN and not self._ending.is_running_here:
            await self._ending.join()

    def _take_released(self) -> None:
        """Take the events that a client has, from the journal, and the consumer has not."""
        held = None if self._iteration is None else self._iteration.held
        for event in () if held is None else held.released():
            update = self._tracker.take(event)
            if update is not None:
                self._tracker.take_found(update, None, is_known=False)
            if self._watching is not None:
                self._watching.take(self._tracker.latest)

    async def _settle(self, cause: Cause) -> None:
        self._take_released()
        try:
            await self._ending.settle(self._close_producer, cause, self._context.copy())
        finally:
            if self._watching is not None:
                self._watching.finish(self.settlement, self.failure)

    async def _close_producer(self, context: Context) -> BaseException | None:
        """Close the producer; one of a stream that was never iterated is made for that."""
        iteration = self._iteration
        if iteration is None:
            limit, own_task = self._limits.closing, self._own_task
            unused = make_producer(
                self._source, limit, self._context, event_loop(), own_task=own_task
            )
            return await unused.close(context, is_consumer=True)
        iteration.end_watch()
        return await iteration.producer.close(context, is_consumer=iteration.consumer.is_here)
