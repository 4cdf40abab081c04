"""`supervise`: the function that an application calls."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from typing import TypeVar

from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Event
from chatkit_reducer.journal.writer import JournalWriter
from chatkit_reducer.supervise._journaling import Journaling
from chatkit_reducer.supervise._options import check_types, limits_of
from chatkit_reducer.supervise._stream import Supervised
from chatkit_reducer.supervise._tracker import Tracker, as_event
from chatkit_reducer.supervise._watching import Watcher, Watching
from chatkit_reducer.supervise.commit.attempts import Commit
from chatkit_reducer.supervise.commit.committer import Committer, Hooks
from chatkit_reducer.supervise.commit.lookups import Load
from chatkit_reducer.supervise.commit.marker import MarkerFields
from chatkit_reducer.supervise.commit.reporting import OnFailure

__all__ = ["supervise"]

E = TypeVar("E")


def supervise(
    events: AsyncIterable[E],
    commit: Commit,
    *,
    policy: Policy,
    state: ThreadState | None = None,
    load: Load | None = None,
    convert: Callable[[E], Event] = as_event,
    deliver: Callable[[Event], E] | None = None,
    timeout: float | None = None,
    idle_timeout: float | None = None,
    close_timeout: float | None = 5.0,
    load_timeout: float | None = 2.0,
    commit_timeout: float | None = 10.0,
    commit_attempts: int = 4,
    own_task: bool = False,
    marker: MarkerFields | None = None,
    on_failure: OnFailure | None = None,
    journal: JournalWriter | None = None,
    journal_timeout: float | None = 5.0,
    watcher: Watcher | None = None,
) -> Supervised[E]:
    """Return a stream that gives the same events, and is settled exactly once however it ends.

        async with supervise(answer(), commit, policy=policies.KEEP) as stream:
            async for event in stream:
                await send(event)

    An event counts as delivered when the consumer comes back for the next one. A consumer that
    stores the items that are done must do so before that: an item whose write was cut off is then
    in doubt, and comes once more in the settlement. If the write raised an error, report that with
    `Supervised.refused`.

    `commit`, `load`, `on_failure` and the functions of `marker` run in a copy of the context
    (`contextvars`) in which the iteration began, no matter which task ends the stream. Each time is
    in seconds; None means no limit.

    Args:
        events: the producer. If it has `aclose` or `close`, it is closed before the commit.
        commit: called with the settlement, in spite of any cancellation, in a task of its own. If
            it raises, or is cancelled directly, as `asyncio.run` does with all tasks at its end,
            it is called again. It may raise `WriteErrors` to say which writes it could not do. A
            plain function that returns nothing to await has done its work.
        policy: the table that decides which items survive.
        state: the thread before these events; the empty one if left out.
        load: returns the store's copy of an item: during the stream, of an item that is updated, if
            neither `state` nor these events have it; at the settlement, of each item that is
            pending, in doubt or refused. If it raises, or takes too long, the copy is unknown.
        convert: converts an event of the producer to one of this package.
        deliver: converts an event of this package to one for the consumer. With it, a consumer that
            is still there gets `corrections` after the commit, before the stream ends.
        timeout: how long the stream may take in all, the consumer included.
        idle_timeout: how long the producer may take for one event.
        close_timeout: how long the producer may take to close, or to end when it is interrupted.
        load_timeout: how long a look-up may take; at the settlement, all of them together.
        commit_timeout: how long all attempts of the commit may take together, and as long again
            `on_failure`.
        commit_attempts: how often the commit is tried, with growing pauses.
        own_task: run the producer in a task of its own, for one that holds a task group or a cancel
            scope open across a `yield`. On Trio that is always done. On asyncio it costs two turns
            of the event loop for each event.
        marker: the fields of the marker that the policy does not give.
        on_failure: called with the error when the commit failed or took too long; it may be
            asynchronous. If left out, the error is logged.
        journal: writes each event to a journal before the consumer gets it, so that a recovery can
            settle the stream if this process dies; see `docs/journal.md`. The settlement is
            written before the commit, and a failed commit is left to a recovery. A journal that
            fails changes nothing. If another writer has taken the response over, the stream ends
            and nothing is committed.
        journal_timeout: how long a write to the journal may take, and the consumer wait for it.
            After that the journal has failed. It is for a server that neither answers nor breaks
            the connection: all other faults are noticed at once.
        watcher: told of each event, and of the settlement: for a tool such as
            `chatkit_reducer.view.watching.Watcher`, in development. One that raises is logged and
            changes nothing.

    Raises:
        TypeError: an argument has another type.
        ValueError: a time is negative or NaN, or the policy leaves the content of its marker to
            the caller, and `marker` has none.
    """
    check_types(
        events=events,
        commit=commit,
        state=state,
        load=load,
        convert=convert,
        deliver=deliver,
        own_task=own_task,
        marker=marker,
        on_failure=on_failure,
        journal=journal,
        watcher=watcher,
    )
    limits = limits_of(
        timeout=timeout,
        idle_timeout=idle_timeout,
        close_timeout=close_timeout,
        load_timeout=load_timeout,
        commit_timeout=commit_timeout,
        commit_attempts=commit_attempts,
        journal_timeout=journal_timeout,
    )
    start = ThreadState() if state is None else state
    hooks = Hooks(commit=commit, load=load, on_failure=on_failure, marker=marker or MarkerFields())
    journaling = None if journal is None else Journaling(journal, start, limits.journal)
    committer = Committer(hooks, policy, limits, journaling)
    committer.check(start)
    tracker = Tracker(start, convert, can_look_up=load is not None)
    watching = None if watcher is None else Watching(watcher, start, policy)
    return Supervised(
        events,
        tracker,
        committer,
        limits,
        deliver,
        own_task=own_task,
        journal=journaling,
        watching=watching,
    )
