"""A response without an event loop: stored while it is sent, and settled however it ends.

It does the work of `Responses` for code that is never cancelled in the middle of an `await`: WSGI,
a script, a job. A consumer that leaves closes the generator. Ctrl-C in the middle of a write or of
the commit has it made once more, and is raised behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import attrs

from chatkit_reducer.core.policy.disclosure import texts_of, writes_of
from chatkit_reducer.core.policy.settle import settle
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.core.policy.verdict import Write
from chatkit_reducer.core.thread.reduce import reduce
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.errors import CommitError, EncodeError, WriteErrors
from chatkit_reducer.events import (
    ErrorEvent,
    Event,
    Json,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
)
from chatkit_reducer.serving.store import (
    CommitThread,
    Delete,
    LoadItem,
    Save,
    check_function,
    check_thread_id,
    items_to_save,
    lasts,
)
from chatkit_reducer.serving.visibility import Visibility
from chatkit_reducer.supervise import MarkerFields, as_event
from chatkit_reducer.supervise.commit.reporting import log_error, log_failure

__all__ = ["stream_sync"]

_FIRST_PAUSE = 0.1
"""How long to wait before the second attempt of a commit, in seconds; twice as long each time."""


def stream_sync(
    thread_id: str,
    events: Iterable[Any],
    save: Save,
    delete: Delete,
    *,
    policy: Policy,
    state: ThreadState | None = None,
    load: LoadItem | None = None,
    commit: CommitThread | None = None,
    commit_attempts: int = 4,
    marker: MarkerFields | None = None,
    on_failure: Callable[[str, CommitError], object] | None = None,
) -> Generator[Event, None, None]:
    """Yield the events of a response that its client may see, each stored first if it lasts.

        with closing(stream_sync("thr_1", answer(), save, delete, policy=policies.KEEP)) as events:
            for event in events:
                send(event)

    An event counts as delivered when the consumer comes back for the next one. A producer or a
    store that raises is logged; the client gets an `error` then, and the events that bring it in
    line with the store. The cause of the end is `timed_out` if a `TimeoutError` was raised.

    Close it, and do not leave that to the garbage collector. It has no time limit: the client of
    the model has one, or its server.

    Args:
        thread_id: the thread of the answer.
        events: the producer of its events, which is closed at the end if it can be.
        save: as for `Responses`, a plain function.
        delete: as for `Responses`, a plain function.
        policy: what survives the end of the stream.
        state: the thread before these events; the empty one if left out.
        load: finds the store's copy of an item; see `Responses`.
        commit: writes a settlement in the place of `save`; see `Responses`.
        commit_attempts: how often the commit is tried, with growing pauses.
        marker: the fields of the marker that the policy does not give.
        on_failure: called with the thread's id and the `CommitError`; it is logged if left out.

    Raises:
        TypeError: the id is not a string, or one of the functions is none, or takes other
            arguments.
    """
    check_thread_id(thread_id)
    functions = {"save": save, "delete": delete, "load": load, "commit": commit}
    for name, function in {**functions, "on_failure": on_failure}.items():
        if function is not None or name in ("save", "delete"):
            check_function(name, function)
    store = _Store(thread_id, save, delete, load, commit)
    fields = attrs.evolve(marker or MarkerFields(), thread_id=thread_id)
    settler = _Settler(store, policy, fields, commit_attempts, on_failure)
    return _Stream(store, settler, state or ThreadState()).run(iter(events))


@attrs.define
class _Store:
    """The store of one thread. A removal that failed is made with the commit."""

    thread_id: str
    save: Save
    delete: Delete
    find: LoadItem | None
    carry_out: CommitThread | None
    failed_removal: str | None = None

    def write(self, event: Event) -> None:
        """Do to the store what an event did to the thread."""
        if isinstance(event, ThreadItemDone | ThreadItemReplaced):
            self.save(self.thread_id, [event.item])
        elif isinstance(event, ThreadItemRemoved):
            self.failed_removal = event.item_id
            self._remove()

    def _remove(self) -> None:
        if self.failed_removal is not None:
            self.delete(self.thread_id, self.failed_removal)
            self.failed_removal = None

    def load(self, ids: Iterable[str]) -> dict[str, Json | None]:
        """Return the copies that the store is known to have, or not to have."""
        found: dict[str, Json | None] = {}
        for item_id in ids if self.find is not None else ():
            try:
                item: Any = self.find(self.thread_id, item_id)  # type: ignore[misc]
                found[item_id] = None if item is None else dict(item)
            except Exception as error:  # noqa: BLE001  # then the copy is unknown
                log_error(f"Item {item_id}: loading it failed.", error, ())
        return found

    def commit(self, settlement: Settlement) -> None:
        """Write a settlement; say then which writes no store can do.

        Raises:
            WriteErrors: there are some of those.
        """
        self._remove()
        if self.carry_out is not None:
            self.carry_out(self.thread_id, settlement)
        elif items := items_to_save(settlement):
            self.save(self.thread_id, items)
        if settlement.unwritable:
            failed = [(write, EncodeError(write.problem)) for write in settlement.unwritable]
            raise WriteErrors(failed, retry=False)


@attrs.define
class _Settler:
    """Settles a stream and has that committed, in spite of Ctrl-C."""

    store: _Store
    policy: Policy
    marker: MarkerFields
    attempts: int
    on_failure: Callable[[str, CommitError], object] | None
    settlement: Settlement | None = None
    failure: CommitError | None = None
    interruption: BaseException | None = None
    """The Ctrl-C that was kept back."""

    def settle(self, state: ThreadState, delivered: ThreadState, cause: Cause) -> None:
        """Settle, commit, and report a failure.

        Raises:
            BaseException: a Ctrl-C that was kept back.
        """
        self.settlement = settlement = self._decide(state, delivered, cause)
        error = self._commit(settlement)
        if error is not None:
            self._report(settlement, error)
        if self.interruption is not None:
            raise self.interruption

    def _decide(self, state: ThreadState, delivered: ThreadState, cause: Cause) -> Settlement:
        facts: dict[str, Any] = {
            "policy": self.policy,
            "cause": cause,
            "delivered": delivered,
            "marker_content": self.marker.content,
            "thread_id": self.marker.thread_id,
        }
        first = settle(state, **facts)
        if self.store.find is not None and first.look_up:
            facts["stored"] = self.store.load(first.look_up)
        if first.marker is not None:
            facts["marker_id"], facts["marker_time"] = self.marker.id_and_time()
        return settle(state, **facts)

    def _commit(self, settlement: Settlement) -> Exception | None:
        """Commit until it succeeds; return the error of the last attempt."""
        error: Exception | None = None
        for number in range(self.attempts):
            try:
                self.store.commit(settlement)
            except WriteErrors as failed:
                error = failed
                if not failed.retry:
                    break
            except Exception as failed:  # noqa: BLE001  # it is tried again, and reported
                error = failed
            except BaseException as interruption:  # noqa: BLE001  # it is raised behind the commit
                self.interruption = interruption
                error = error or InterruptedError("the commit was interrupted each time")
                continue
            else:
                return None
            if number + 1 < self.attempts:
                self._pause(_FIRST_PAUSE * 2**number)
        return error

    def _pause(self, seconds: float) -> None:
        try:
            time.sleep(seconds)
        except BaseException as interruption:  # noqa: BLE001  # the same
            self.interruption = interruption

    def _report(self, settlement: Settlement, error: Exception) -> None:
        writes = error.writes if isinstance(error, WriteErrors) else writes_of(settlement)
        self.failure = failure = CommitError(settlement, writes)
        failure.__cause__ = error
        if self.on_failure is None:
            log_failure(failure)
            return
        try:
            self.on_failure(self.store.thread_id, failure)
        except Exception as raised:  # noqa: BLE001  # both are in the log
            log_error("`on_failure` failed itself.", raised, texts_of(settlement, writes))
            log_failure(failure)


class _Stream:
    def __init__(self, store: _Store, settler: _Settler, state: ThreadState) -> None:
        self._store = store
        self._settler = settler
        self._state = self._delivered = state
        self._visibility = Visibility()
        self._unsent: Event | None = None
        self._is_sending = False

    def run(self, events: Iterator[Any]) -> Generator[Event, None, None]:
        """Yield the events; then, behind the settlement, the corrections."""
        error: Exception | None = None
        try:
            yield from self._live(events)
        except Exception as raised:
            if self._is_sending:  # thrown in by the consumer
                self._settle(events, Cause.CANCELLED)
                raise
            error = raised
        except BaseException:
            self._settle(events, Cause.CANCELLED)
            raise
        self._settle(events, self._cause_of(error))
        if error is not None:
            self._log(error)
            yield ErrorEvent(code="stream.error", allow_retry=True)
        yield from self._corrections()

    def _live(self, events: Iterator[Any]) -> Generator[Event, None, None]:
        for value in events:
            event = as_event(value)
            self._find(event)
            self._state = reduce(self._state, event)
            self._unsent = shown = self._visibility.of(event)
            if lasts(event):
                self._store.write(event)
            self._unsent = None
            if shown is not None:
                self._is_sending = True
                yield shown
                self._is_sending = False
            self._delivered = self._state

    def _find(self, event: Event) -> None:
        """Find the stored item that an update is for, if neither state nor stream have it."""
        if not isinstance(event, ThreadItemUpdated) or event.item_id in self._state.items:
            return
        item = self._store.load([event.item_id]).get(event.item_id)
        if item is not None:
            self._state = self._delivered = reduce(self._state, ThreadItemDone(item))

    def _cause_of(self, error: Exception | None) -> Cause:
        if error is None:
            return Cause.FAILED if self._state.error else Cause.ENDED
        return Cause.TIMED_OUT if isinstance(error, TimeoutError) else Cause.FAILED

    def _settle(self, events: Iterator[Any], cause: Cause) -> None:
        """Close the producer, then settle and commit."""
        try:
            close = getattr(events, "close", None)
            if close is not None:
                close()
        except Exception as error:  # noqa: BLE001  # the commit comes first
            log_error("The producer failed while it closed.", error, ())
        except BaseException as interruption:  # noqa: BLE001  # the same
            self._settler.interruption = interruption
        self._settler.settle(self._state, self._delivered, cause)

    def _log(self, error: Exception) -> None:
        items = [Write("add", item.to_json()) for item in self._state.items.values()]
        said = f"A response in thread {self._store.thread_id} broke off."
        log_error(said, error, texts_of(self._settler.settlement, items))

    def _corrections(self) -> Iterator[Event]:
        settlement = self._settler.settlement
        if settlement is not None and self._settler.failure is None:
            if isinstance(self._unsent, ThreadItemRemoved):
                yield self._unsent
            yield from self._visibility.gone(settlement)
            yield from settlement.events
