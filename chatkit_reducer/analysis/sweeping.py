"""Stop a stream, or each thread of a log, at each of its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from chatkit_reducer.analysis._sources import LogOrEvents, Routed, events_of, route
from chatkit_reducer.analysis._stops import Flight, StopPoint
from chatkit_reducer.analysis.sweeper import Sweeper, require_policies
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.logs import DEFAULT_MAX_EVENT_BYTES, DEFAULT_MAX_EXPANSION
from chatkit_reducer.logs.reading import OnProgress, OnSkipped
from chatkit_reducer.logs.threads import PerThread

__all__ = ["ThreadSweep", "sweep", "sweep_threads"]


def sweep(
    log: LogOrEvents,
    policies: Iterable[Policy],
    cause: Cause | str,
    state: ThreadState | None = None,
) -> Iterator[StopPoint]:
    """Stop a stream before its first event and after each, and yield the outcome at each stop.

    At each stop the figures are those that `settle` comes to. One pass, made while the caller takes
    the stops; a piece that could not be read does not count as an event. A log is taken as one
    thread; `sweep_threads` takes a log of several apart.

    >>> from chatkit_reducer.analysis import sweep
    >>> from chatkit_reducer import policies
    >>> from chatkit_reducer.testing.examples import added, message, text_delta
    >>> events = [added(message("m", "")), text_delta("m", "Once"), text_delta("m", " upon")]
    >>> stops = sweep(events, [policies.KEEP, policies.DROP], "cancelled")
    >>> [(stop.at, *[fate.lost.characters for fate in stop.fates]) for stop in stops]
    [(0, 0, 0), (1, 0, 0), (2, 0, 4), (3, 0, 9)]

    Args:
        log: a path, a file open for reading bytes, or events in order.
        policies: the tables to compare.
        cause: how the stream would have ended.
        state: the thread before the events; the empty one if left out.

    Raises:
        ValueError: `cause` is not a Cause.
        TypeError: an argument is of another type.
    """
    sweeper = Sweeper(policies, cause, state)
    return _with_first(sweeper, events_of(log))


def _with_first(sweeper: Sweeper, events: Iterable[Event | Unreadable]) -> Iterator[StopPoint]:
    yield sweeper.stop()
    yield from sweeper.take(events)


class ThreadSweep(NamedTuple):
    """The sweep of one thread of a log."""

    stops: list[StopPoint]
    """In order; the first is before all events of the thread."""
    state: ThreadState
    """The thread after the log."""
    flights: tuple[Flight, ...]
    """When items were in flight, in the order in which they began."""


def sweep_threads(
    log: LogOrEvents,
    policies: Iterable[Policy],
    cause: Cause | str,
    stored: ThreadState | None = None,
    *,
    max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
    max_expansion: int | None = DEFAULT_MAX_EXPANSION,
    on_progress: OnProgress | None = None,
    on_skipped: OnSkipped | None = None,
) -> dict[str | None, ThreadSweep]:
    """Sweep each thread of a log; return the sweeps by id, in the order in which they appear.

    The positions of all stops count the events of the whole log. A log without events is one thread
    with one stop.

    Args:
        log: as in `sweep`.
        policies: the tables to compare.
        cause: how the stream would have ended.
        stored: the thread before the log; the log is then taken as one of that thread alone.
        max_event_bytes: a larger event of a log is skipped, with an anomaly.
        max_expansion: how many bytes a compressed log may give for each of its own, as in `read`.
        on_progress: called with the number of bytes read so far.
        on_skipped: as in `read`.

    Raises:
        OSError: the file cannot be opened or read.
        LogError: it is compressed with zstd, and the library for that is not installed.
        ValueError: `cause` is not a Cause.
        TypeError: an argument is of another type.
    """
    sweepers = _Sweepers(require_policies(policies), Cause(cause), stored)
    options = {"max_event_bytes": max_event_bytes, "max_expansion": max_expansion}
    sweepers.take(route(log, stored, on_progress=on_progress, on_skipped=on_skipped, **options))
    return sweepers.sweeps()


class _Sweepers:
    """One sweeper for each thread of a log, and the stops so far."""

    def __init__(
        self, policies: tuple[Policy, ...], cause: Cause, stored: ThreadState | None
    ) -> None:
        self._policies = policies
        self._cause = cause
        self._stored = stored
        self._position = 0
        self._threads = PerThread(self._new)

    def _new(self) -> tuple[Sweeper, list[StopPoint]]:
        sweeper = Sweeper(self._policies, self._cause, self._stored, position=self._position)
        return sweeper, [sweeper.stop()]

    def take(self, records: Iterable[Routed]) -> None:
        for thread, run in groupby(records, key=_thread):
            sweeper, stops = self._threads[thread]
            events = (record.event for _, record in run)
            stops.extend(sweeper.take(events, position=self._position))
            self._position = sweeper.position

    def sweeps(self) -> dict[str | None, ThreadSweep]:
        if not self._threads:
            self._threads[None if self._stored is None else self._stored.thread_id]
        return {
            thread: ThreadSweep(stops, sweeper.state, sweeper.flights)
            for thread, (sweeper, stops) in self._threads.items()
        }


def _thread(routed: Routed) -> str | None:
    return routed[0]
