"""The responses of one server: begun in order, stopped by their thread, settled at a shutdown."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextvars import Context
from functools import partial
from typing import Any, TypeAlias

import anyio
import attrs

from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.errors import CommitError
from chatkit_reducer.events import Event, Json
from chatkit_reducer.journal.heartbeat import Heartbeat, ask_to_stop
from chatkit_reducer.journal.protocol import Header, Journal
from chatkit_reducer.journal.recovery import Recovery
from chatkit_reducer.journal.writer import JournalWriter
from chatkit_reducer.serving.store import (
    CommitThread,
    Delete,
    LoadItem,
    Save,
    Store,
    StoredThread,
    check_function,
    check_thread_id,
)
from chatkit_reducer.serving.stream import ResponseStream, Surroundings
from chatkit_reducer.serving.telling import telling
from chatkit_reducer.supervise import MarkerFields, Watcher, supervise
from chatkit_reducer.supervise.commit.reporting import OnFailure
from chatkit_reducer.supervise.tasks import event_loop

__all__ = ["OnThreadFailure", "Responses"]

OnThreadFailure: TypeAlias = Callable[[str, CommitError], object]
"""Called with the id of the thread, and the error of a failed commit; it may be asynchronous."""

logger: logging.Logger = logging.getLogger("chatkit_reducer.serving")

_PATIENCE = 15.0
"""How long a response waits for those that are ending in its thread, in seconds."""


class Responses:
    """The responses of one server, for any transport.

    Make one for each process, and stream each answer through it. All of its methods are for one
    event loop, asyncio or Trio. Each time is in seconds; None means no limit.

    Args:
        save: `save(thread_id, items)` adds items, or replaces those that are there: all or none,
            and twice is as good as once. A coroutine function, or a plain one, which runs in a
            worker thread.
        delete: `delete(thread_id, item_id)` deletes an item, if it is there.
        policy: what survives the end of a stream.
        load: `load(thread_id, item_id)` finds the store's copy of an item, as plain ChatKit JSON,
            or None. With it, what others change or delete meanwhile stays so.
        commit: `commit(thread_id, settlement)` writes a settlement in the place of `save`. It is
            for a store that orders items by insertion, if client tools are used: it gets
            `Write.before`, and `save` does not.
        on_failure: called with the thread's id and the `CommitError` of a commit that failed; it is
            logged if left out.
        journal: where each response is written, so that it survives this process; see `run`.
        marker: the fields of the marker that the policy does not give.
        timeout: how long a stream may take in all, the consumer included.
        idle_timeout: how long the producer may take for one event.
        commit_timeout: how long one write of an event may take, and all attempts of a commit.
        own_task: run each producer in a task of its own; see `supervise`.
        watcher: a tool that watches streams, in development.

    Raises:
        TypeError: one of the functions is none, or takes other arguments.
    """

    def __init__(
        self,
        save: Save,
        delete: Delete,
        *,
        policy: Policy,
        load: LoadItem | None = None,
        commit: CommitThread | None = None,
        on_failure: OnThreadFailure | None = None,
        journal: Journal | None = None,
        marker: MarkerFields | None = None,
        timeout: float | None = None,
        idle_timeout: float | None = None,
        commit_timeout: float | None = 10.0,
        own_task: bool = False,
        watcher: Watcher | None = None,
    ) -> None:
        if on_failure is not None:
            check_function("on_failure", on_failure)
        self._store = Store(save, delete, load, commit)
        self._on_failure = on_failure
        self._policy = policy
        self._marker = marker or MarkerFields()
        self._journal = journal
        self._options: dict[str, Any] = {
            "timeout": timeout,
            "idle_timeout": idle_timeout,
            "commit_timeout": commit_timeout,
            "own_task": own_task,
            "watcher": watcher,
        }
        self._running: dict[ResponseStream, None] = {}
        self._heartbeat = Heartbeat(lambda: journal)
        self._surroundings = Surroundings(
            write_timeout=commit_timeout,
            entered=self._entered,
            settled=self._settled,
            left=self._left,
        )
        self.stream("", _no_events())  # a wrong argument raises here, and not at the first answer

    def stream(
        self,
        thread_id: str,
        events: AsyncIterable[Any],
        *,
        state: ThreadState | None = None,
        response: str | None = None,
        meta: Json | None = None,
    ) -> ResponseStream:
        """Return a response, to be entered with `async with` and then iterated.

        A producer or a store that raises is logged. The client gets an `error` then, and the events
        that bring it in line with the store.

        Args:
            thread_id: the thread of the answer.
            events: the producer of its events: of this package, of the SDK, or JSON.
            state: the thread before these events; the empty one if left out.
            response: its id in the journal, for those who follow; a uuid4 if left out.
            meta: JSON for the journal.

        Raises:
            TypeError: the id is not a string, or the producer is not an async iterable.
        """
        check_thread_id(thread_id)
        thread, writer = StoredThread(self._store, thread_id), None
        if self._journal is not None:
            writer = JournalWriter(self._journal, response, thread=thread_id, meta=meta)
            events = telling(events, lambda error: one.log_break(error))  # noqa: PLW0108  # `one` is made below
        supervised = supervise(
            events,
            thread.commit,
            policy=self._policy,
            state=state,
            load=self._store.load_of(thread_id),
            marker=attrs.evolve(self._marker, thread_id=thread_id),
            on_failure=self._on_failure_of(thread_id),
            journal=writer,
            **self._options,
        )
        one = ResponseStream(
            thread,
            supervised,
            self._surroundings,
            None if writer is None else writer.response,
        )
        return one

    async def stop(self, thread_id: str) -> int:
        """End the responses of a thread, for a stop button; return how many.

        Those of this process are settled when it returns. Those of other processes, which a journal
        shows, are asked to stop, and do so within a second.
        """
        ours = [one for one in self._running if one.thread_id == thread_id and not one.is_ending]
        for one in ours:
            one.stop()
        others = await self._ask_others(thread_id, ours)
        await _end_all(ours)
        return len(ours) + len(others)

    async def aclose(self) -> None:
        """End all responses at once, and return when they are settled: at a shutdown."""
        await _end_all(list(self._running))

    async def run(self, *, every: float = 5.0) -> None:
        """Settle the responses of processes that have died, again and again, until cancelled.

        Args:
            every: how long to wait between two looks at the journal, in seconds.

        Raises:
            RuntimeError: there is no journal.
        """
        if self._journal is None:
            raise RuntimeError("expected a journal to recover from, got none: pass `journal`")
        await self._recovery(self._journal, every=every).run()

    def _recovery(self, journal: Journal, **options: Any) -> Recovery:
        def load_of(header: Header) -> Any:
            return self._store.load_of(header.thread)

        return Recovery(
            journal,
            lambda header: partial(self._store.commit, header.thread),
            policy=self._policy,
            load_of=None if self._store.load_of("") is None else load_of,
            marker=self._marker,
            **options,
        )

    def _on_failure_of(self, thread_id: str) -> OnFailure | None:
        return None if self._on_failure is None else partial(self._on_failure, thread_id)

    async def _ask_others(self, thread_id: str, ours: Iterable[ResponseStream]) -> list[str]:
        if self._journal is None:
            return []
        here = [one.response for one in self._running if one.response is not None]
        try:
            return await ask_to_stop(self._journal, thread_id, here)
        except Exception:
            logger.exception(
                "The responses of thread %s in other processes were not asked to stop: see below.",
                thread_id,
            )
            return []

    # --- the life of one response ----------------------------------------------------------------

    async def _entered(self, one: ResponseStream) -> None:
        """Register a response; then wait, not for ever, until its thread is settled."""
        before = [other for other in self._running if other.thread_id == one.thread_id]
        self._running[one] = None
        with anyio.move_on_after(_PATIENCE):
            await _end_all([other for other in before if other.is_ending])
            if self._journal is not None:
                await self._recover(self._journal, one.thread_id)
        if one.response is not None and not one.is_ending:
            self._heartbeat.add(one.response, partial(_end_soon, one))

    async def _recover(self, journal: Journal, thread_id: str) -> None:
        """Settle the responses of a thread whose process died: they stand before the new one."""
        try:
            await self._recovery(journal).once(thread=thread_id)
        except Exception as error:  # noqa: BLE001  # of a driver: the answer goes on
            logger.error(  # noqa: TRY400  # a driver's traceback says no more
                "The journal of thread %s cannot be looked through for orphans: %s",
                thread_id,
                type(error).__name__,
            )

    def _settled(self, one: ResponseStream) -> None:
        if one.response is not None:
            self._heartbeat.discard(one.response)

    def _left(self, one: ResponseStream) -> None:
        self._running.pop(one, None)


async def _end_all(streams: Iterable[ResponseStream]) -> None:
    """End responses, all at once; log an error of one, which does not stop the others."""

    async def end(one: ResponseStream) -> None:
        try:
            await one.aclose(Cause.CANCELLED)
        except Exception:
            logger.exception(
                "A response in thread %s was stopped, and ended with an error: see below.",
                one.thread_id,
            )

    async with anyio.create_task_group() as group:
        for one in streams:
            group.start_soon(end, one)


def _end_soon(one: ResponseStream) -> None:
    """End a response in a task of its own: its consumer may be sending for long."""
    if not one.is_ending:
        one.stop()
        event_loop().spawn(lambda: _end_all([one]), Context(), "chatkit_reducer stop")


async def _no_events() -> AsyncIterator[Event]:
    nothing: tuple[Event, ...] = ()
    for event in nothing:
        yield event
