"""What is wrong with a stream, as values.

Three things are: anomalies of the fold; items whose updates do not add up to them; and sequence
numbers that do not follow each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import attrs

from chatkit_reducer.anomalies import Anomaly
from chatkit_reducer.cli.sequences import Break, Sequences
from chatkit_reducer.comparison import Difference, common_prefix, compare_items, path_text
from chatkit_reducer.events import (
    Event,
    Json,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    UnknownUpdate,
    Unreadable,
    wire_type,
)
from chatkit_reducer.lifecycle import Phase
from chatkit_reducer.logs import Record
from chatkit_reducer.state import ThreadState
from chatkit_reducer.thread import reduce

__all__ = ["Checking", "Finding", "Routed", "two_sides"]

Routed: TypeAlias = tuple[str | None, Record]
"""A record, and the id of the thread it belongs to."""

_PIECE = 60


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that is wrong with a stream."""

    kind: str
    """`difference`, `sequence_gap`, `sequence_repeated`, or the kind of an anomaly."""
    thread: str | None = None
    event: str
    """The `type` of the event, or of the update it carries."""
    item_id: str | None = None
    problem: str
    instead: str | None = None
    """What was done instead; None where nothing had to be."""
    position: int
    """How many events of the log came before this one."""
    line: int | None = None
    """The line of the log, for what could not be read."""
    difference: Difference | None = None

    @classmethod
    def of(cls, anomaly: Anomaly, thread: str | None = None) -> Finding:
        """An anomaly of the fold as a finding."""
        return cls(
            kind=anomaly.kind.value,
            thread=thread,
            event=anomaly.event,
            item_id=anomaly.item_id,
            problem=anomaly.problem,
            instead=anomaly.instead,
            position=anomaly.position,
            line=anomaly.line,
        )

    @property
    def place(self) -> tuple[int, bool]:
        """Where it stands among others: what is no event stands before the event behind it."""
        return (self.position, self.line is None)

    def to_json(self) -> Json:
        """The finding as a plain mapping."""
        names = ["kind", "thread", "event", "item_id", "problem", "instead", "position", "line"]
        json: Json = {name: getattr(self, name) for name in names}
        if self.difference is not None:
            json["path"] = path_text(self.difference.path)
            json |= two_sides(self.difference)
        return json


def two_sides(difference: Difference) -> Json:
    """What updates and `done` say; of two texts only the beginning of what differs, and where."""
    before, after = difference.before, difference.after
    if not (isinstance(before, str) and isinstance(after, str)):
        return {"updates": before, "done": after}
    common = common_prefix(before, after)
    return {
        "common": common,
        "updates": before[common : common + _PIECE],
        "done": after[common : common + _PIECE],
    }


class Checking:
    """Folds a log event by event, and notes what is wrong with it.

    Args:
        stored: the thread before the log, if its store is known.
        thread: the id of that thread.
    """

    def __init__(self, stored: ThreadState | None = None, thread: str | None = None) -> None:
        self.events: int = 0
        """How many events were read."""
        self._states: dict[str | None, ThreadState] = {} if stored is None else {thread: stored}
        self._noted: list[Finding] = []
        self._comparable: dict[tuple[str | None, str], bool] = {}
        self._sequences = Sequences()
        self._first_thread: str | None = None

    def take(self, records: Iterable[Routed]) -> None:
        """Folds these records."""
        for thread, record in records:
            if self._first_thread is None and thread is not None:
                self._name_first_thread(thread)
            self._sequences.take(thread, record, self.events)
            self._fold(thread, record.event)

    def _name_first_thread(self, thread: str) -> None:
        """What came before any thread was named belongs to the first (as in `replay_threads`)."""
        self._first_thread = thread
        if None in self._states:
            self._states[thread] = self._states.pop(None)
        for _, item_id in list(self._comparable):
            self._comparable[thread, item_id] = self._comparable.pop((None, item_id))

    def _fold(self, thread: str | None, event: Event | Unreadable) -> None:
        before = self._states.get(thread, ThreadState())
        if isinstance(event, (ThreadItemDone, ThreadItemReplaced)):
            self._compare(thread, before, event)
        elif isinstance(event, (ThreadItemUpdated, ThreadItemAdded, ThreadItemRemoved)):
            self._follow(thread, event)
        self._states[thread] = reduce(before, event, position=self.events)
        self.events += not isinstance(event, Unreadable)

    def _follow(
        self, thread: str | None, event: ThreadItemUpdated | ThreadItemAdded | ThreadItemRemoved
    ) -> None:
        """Notes which items had updates, and whether this release understands all of them."""
        if isinstance(event, ThreadItemUpdated):
            key = (thread, event.item_id)
            known = not isinstance(event.update, UnknownUpdate)
            self._comparable[key] = self._comparable.get(key, True) and known
        elif isinstance(event, ThreadItemRemoved):
            self._comparable.pop((thread, event.item_id), None)
        else:
            self._comparable.pop((thread, str(event.item.get("id"))), None)

    def _compare(
        self, thread: str | None, state: ThreadState, event: ThreadItemDone | ThreadItemReplaced
    ) -> None:
        item_id = event.item.get("id")
        if not isinstance(item_id, str):
            return
        comparable = self._comparable.pop((thread, item_id), False)
        if comparable and state.phase(item_id) in {Phase.PENDING, Phase.PENDING_OVER_BASE}:
            found = compare_items(state.items[item_id].plain(), event.item)
            self._noted += [self._differing(thread, event, item_id, each) for each in found]

    def _differing(
        self, thread: str | None, event: Event, item_id: str, difference: Difference
    ) -> Finding:
        return Finding(
            kind="difference",
            thread=thread,
            event=wire_type(event),
            item_id=item_id,
            problem=f"{path_text(difference.path)} is not what the updates built",
            position=self.events,
            difference=difference,
        )

    def findings(self) -> list[Finding]:
        """All that was found so far, in the order of the log."""
        found = [
            Finding.of(anomaly, thread)
            for thread, state in self._states.items()
            for anomaly in state.anomalies
        ]
        found += [attrs.evolve(each, thread=self._thread_of(each)) for each in self._noted]
        found += [_out_of_sequence(each, self._first_thread) for each in self._sequences.breaks()]
        return sorted(found, key=lambda finding: finding.place)

    def _thread_of(self, finding: Finding) -> str | None:
        return self._first_thread if finding.thread is None else finding.thread


def _out_of_sequence(found: Break, first_thread: str | None) -> Finding:
    lost = found.number - found.last - 1
    if lost > 0:
        kind, what = "sequence_gap", f"{lost:,} between them {'is' if lost == 1 else 'are'} missing"
    else:
        kind, what = "sequence_repeated", "an event was recorded twice, or out of order"
    return Finding(
        kind=kind,
        thread=first_thread if found.thread is None else found.thread,
        event=found.event,
        problem=f"sequence number {found.number} comes after {found.last}: {what}",
        position=found.position,
    )
