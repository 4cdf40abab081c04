"""Find the faults of a stream.

There are five sources: anomalies of the fold; items whose updates do not add up to them; mistakes
that the fold can live with (`inspection`); sequence numbers that do not follow each other; and
items that are still pending when the stream has ended. The last is no fault in the journal of a
response that was settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from chatkit_reducer.analysis._sequences import Break, Sequences
from chatkit_reducer.analysis._sources import LogOrEvents, Routed, route
from chatkit_reducer.analysis.comparison import Difference, compare_items, path_text
from chatkit_reducer.analysis.finding import Finding
from chatkit_reducer.analysis.inspection import Mistake, mistakes
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.core.thread.reduce import reduce
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    ErrorEvent,
    Event,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    UnknownEvent,
    UnknownUpdate,
    Unreadable,
    wire_type,
)
from chatkit_reducer.journal.records import CLOSED, OPENED, SETTLED, is_own
from chatkit_reducer.logs import DEFAULT_MAX_EVENT_BYTES, DEFAULT_MAX_EXPANSION, Record
from chatkit_reducer.logs.reading import OnProgress, OnSkipped
from chatkit_reducer.logs.threads import PerThread

__all__ = ["LEFT_PENDING", "UNLISTED", "CheckResult", "LogChecker", "check"]

LEFT_PENDING = "left_pending"
UNLISTED = "unlisted"

_ENDS = frozenset({SETTLED, CLOSED})


@attrs.frozen
class CheckResult:
    """The faults of a log."""

    findings: tuple[Finding, ...]
    """All findings, in the order of the log."""
    events: int
    """How many events were read."""


def check(
    log: LogOrEvents,
    stored: ThreadState | None = None,
    *,
    stopped: bool = False,
    max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
    max_expansion: int | None = DEFAULT_MAX_EXPANSION,
    on_progress: OnProgress | None = None,
    on_skipped: OnSkipped | None = None,
) -> CheckResult:
    """Find the faults of a log, thread by thread.

    >>> from chatkit_reducer.analysis import check
    >>> from chatkit_reducer.testing.examples import added, done, message, text_delta
    >>> events = [added(message("m", "")), text_delta("m", "Once"), done(message("m", "Twice"))]
    >>> [(finding.kind, finding.position, finding.item_id) for finding in check(events).findings]
    [('difference', 3, 'm')]

    Args:
        log: a path, a file open for reading bytes, or events in order.
        stored: the thread before the log; the log is then taken as one of that thread alone.
        stopped: the stream did not end by itself, so that items may be pending at its end.
        max_event_bytes: a larger event of a log is skipped, with a finding.
        max_expansion: how many bytes a compressed log may give for each of its own, as in `read`.
        on_progress: called with the number of bytes read so far.
        on_skipped: as in `read`.

    Raises:
        OSError: the file cannot be opened or read.
        LogError: it is compressed with zstd, and the library for that is not installed.
        TypeError: `log` is neither a log nor events.
    """
    thread = None if stored is None else stored.thread_id
    checker = LogChecker(stored, thread, stopped=stopped)
    options = {"max_event_bytes": max_event_bytes, "max_expansion": max_expansion}
    checker.take(route(log, stored, on_progress=on_progress, on_skipped=on_skipped, **options))
    return CheckResult(tuple(checker.findings()), checker.events)


@attrs.define
class _Thread:
    """One thread of the log, as far as it was read."""

    state: ThreadState = attrs.Factory(ThreadState)
    has_failed: bool = False
    """Whether its last event is an error."""
    is_settled: bool = False
    """Whether the log is a journal, and says that its response has ended, however it did."""
    comparable: dict[str, bool] = attrs.Factory(dict)
    """For each item that had updates whether this release understands all of them."""
    noted: list[Finding] = attrs.Factory(list)
    """The findings besides the anomalies of the state."""


class LogChecker:
    """Fold a log event by event, and note its faults.

    Args:
        stored: the thread before the log, if its store is known.
        thread: the id of that thread.
        stopped: the stream did not end by itself, so that items may be pending at its end.
    """

    def __init__(
        self,
        stored: ThreadState | None = None,
        thread: str | None = None,
        *,
        stopped: bool = False,
    ) -> None:
        self.events: int = 0
        """How many events were read."""
        self.stopped: bool = stopped
        """Whether the stream did not end by itself; a caller that learns it later sets it then."""
        self._cut = False
        """Whether the last piece of the log could not be read: the log itself was cut off."""
        self._threads = PerThread(_Thread)
        if stored is not None:
            self._threads[thread].state = stored
        self._sequences = Sequences()

    def take(self, records: Iterable[Routed]) -> None:
        """Fold these records."""
        record: Record | None = None
        for thread, record in records:
            self._sequences.take(thread, record, self.events + 1)
            self._fold(self._threads[thread], record.event)
        self._cut = record is not None and type(record.event) is Unreadable

    def _fold(self, thread: _Thread, event: Event | Unreadable) -> None:
        before = thread.state
        if isinstance(event, Unreadable):
            thread.state = reduce(before, event, position=self.events)
            return
        found = mistakes(before, event)
        if found:
            thread.noted += [self._mistaken(event, each) for each in found]
        thread.has_failed = isinstance(event, ErrorEvent)
        if isinstance(event, UnknownEvent) and is_own(event):
            thread.is_settled = event.type != OPENED and (thread.is_settled or event.type in _ENDS)
        if isinstance(event, (ThreadItemDone, ThreadItemReplaced)):
            self._compare(thread, event)
        elif isinstance(event, (ThreadItemUpdated, ThreadItemAdded, ThreadItemRemoved)):
            _follow(thread.comparable, event)
        thread.state = reduce(before, event, position=self.events)
        self.events += 1

    def _mistaken(self, event: Event, mistake: Mistake) -> Finding:
        told = event.update if isinstance(event, ThreadItemUpdated) else event
        return Finding(
            kind=mistake.kind.value,
            event=wire_type(told),
            item_id=mistake.item_id,
            problem=mistake.problem,
            position=self.events + 1,
            difference=mistake.difference,
        )

    def _compare(self, thread: _Thread, event: ThreadItemDone | ThreadItemReplaced) -> None:
        item_id = event.item.get("id")
        if not isinstance(item_id, str):
            return
        state, comparable = thread.state, thread.comparable.pop(item_id, False)
        if comparable and state.phase(item_id) in {Phase.PENDING, Phase.PENDING_OVER_BASE}:
            found = compare_items(state.items[item_id].json_view(), event.item)
            thread.noted += [self._differing(event, item_id, each) for each in found]

    def _differing(self, event: Event, item_id: str, difference: Difference) -> Finding:
        return Finding(
            kind="difference",
            event=wire_type(event),
            item_id=item_id,
            problem=f"{path_text(difference.path)} is not what the updates built",
            position=self.events + 1,
            difference=difference,
        )

    def findings(self) -> list[Finding]:
        """Return the findings so far, in the order of the log."""
        found = [
            Finding.of(anomaly, thread)
            for thread, one in self._threads.items()
            for anomaly in one.state.anomalies
        ]
        found += [
            _unlisted(one.state, thread, self.events)
            for thread, one in self._threads.items()
            if one.state.unlisted_anomalies
        ]
        found += [
            attrs.evolve(finding, thread=thread)
            for thread, one in self._threads.items()
            for finding in one.noted
        ]
        found += self._left_pending()
        first = self._threads.first
        found += [_out_of_sequence(each, first) for each in self._sequences.breaks()]
        return sorted(found, key=lambda finding: finding.place)

    def _left_pending(self) -> Iterator[Finding]:
        """Yield the items that a stream left pending if it ended by itself.

        Not if the log was cut, the stream failed, or its journal says that it was settled.
        """
        if self.stopped or self._cut:
            return
        for thread, one in self._threads.items():
            for item_id in () if one.has_failed or one.is_settled else one.state.pending:
                yield Finding(
                    kind=LEFT_PENDING,
                    thread=thread,
                    event=None,
                    item_id=item_id,
                    problem=f"the {one.state.items[item_id].type} is not done when the log ends",
                    position=self.events,
                )


def _follow(
    comparable: dict[str, bool], event: ThreadItemUpdated | ThreadItemAdded | ThreadItemRemoved
) -> None:
    """Note which items had updates, and whether this release understands all of them."""
    if isinstance(event, ThreadItemUpdated):
        known = not isinstance(event.update, UnknownUpdate)
        comparable[event.item_id] = comparable.get(event.item_id, True) and known
    elif isinstance(event, ThreadItemRemoved):
        comparable.pop(event.item_id, None)
    else:
        comparable.pop(str(event.item.get("id")), None)


def _unlisted(state: ThreadState, thread: str | None, events: int) -> Finding:
    return Finding(
        kind=UNLISTED,
        thread=thread,
        event="anomalies",
        problem=f"{state.unlisted_anomalies:,} more anomalies, counted and not listed",
        position=events,
    )


def _out_of_sequence(found: Break, first_thread: str | None) -> Finding:
    lost = found.number - found.last - 1
    if lost > 0:
        kind, what = "sequence_gap", f"{lost:,} between them {'is' if lost == 1 else 'are'} missing"
    else:
        kind, what = "sequence_repeated", "an event was recorded out of order"
    return Finding(
        kind=kind,
        thread=first_thread if found.thread is None else found.thread,
        event=found.event,
        problem=f"sequence number {found.number} comes after {found.last}: {what}",
        position=found.position,
    )
