"""The row of a thread: the figures that every engine of this room computes in the same way.

`row` is pure, and all else calls it: a row depends on the events of its thread and on nothing else.
Its fields are those of `schema.row_schema`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import attrs
import msgspec

from chatkit_reducer.analysis.sweep_summary import Summary, SweepResult
from chatkit_reducer.analysis.sweeper import Sweeper, require_policies
from chatkit_reducer.core.fold.folder import Folder
from chatkit_reducer.core.items.base import ItemState, VisibleContent
from chatkit_reducer.core.json_values import json_or_shown
from chatkit_reducer.core.policy.settle import settle
from chatkit_reducer.core.policy.store_rows import NO_NEWS
from chatkit_reducer.core.policy.table import Cause, Content, Decision, Policy
from chatkit_reducer.core.policy.verdict import Verdict
from chatkit_reducer.core.thread.arguments import iterate
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.fleet.endings import UNKNOWN, ending_of
from chatkit_reducer.fleet.privacy import Privacy
from chatkit_reducer.policies import PRESETS

__all__ = ["EMPTY", "FATES", "Place", "Row", "RowMaker", "Stops", "row", "unnamed_row"]

Row: TypeAlias = dict[str, Any]
"""The figures of one thread, as plain values."""

Stops: TypeAlias = Literal["end", "all"]
"""Where a stream is stopped: at the end of its log, or also at each of its events."""

Place: TypeAlias = tuple[str, int]
"""A log, and how many events of it come before an event."""

FATES = ("kept", "stale", "lost")
_NO_PLACES: tuple[Place, ...] = ()
EMPTY = "empty"
"""In the place of a fate, for an item in which there was nothing to see: it cannot be lost."""

_NOTHING = VisibleContent()
_OF_DECISION = {
    Decision.PERSIST: "kept",
    Decision.DISCARD: "lost",
    Decision.STALE: "stale",
}


def row(
    events: Iterable[Event | Unreadable],
    policies: Iterable[Policy | str],
    causes: Iterable[Cause | str],
    *,
    thread: str | None = None,
    stops: Stops = "end",
    items: bool = False,
    privacy: Privacy | None = None,
) -> Row:
    """Return the figures of one thread.

    >>> from chatkit_reducer.fleet import row
    >>> from chatkit_reducer.testing.examples import added, message, text_delta
    >>> events = [added(message("m", "")), text_delta("m", "Once")]
    >>> found = row(events, ["keep", "drop"], ["cancelled"])
    >>> found["pending"], [one["lost"]["characters"] for one in found["outcomes"]]
    (1, [0, 4])

    Args:
        events: those of the thread, in order, each once.
        policies: the tables to compare, or the names of presets.
        causes: how the stream would have ended: each is tried.
        thread: the id of the thread.
        stops: `"all"` adds the outcome of a stop at each event, under `stops`.
        items: whether the row has the items of the thread.
        privacy: the content that a row may have; all of it if left out.

    Raises:
        TypeError: an argument is of another type.
        ValueError: there are no policies or causes, one of them is unknown, or two policies have
            one name.
    """
    maker = RowMaker.of(policies, causes, stops=stops, items=items, privacy=privacy)
    return maker.row(list(iterate(events)), thread)


def unnamed_row(events: int) -> Row:
    """Return the row that counts events of which nothing tells the thread: each is an anomaly."""
    return _row(thread=None, events=events, anomalies=events, ended=UNKNOWN)


def _row(**fields: Any) -> Row:
    none: Row = {"source": None, "position": None, "items": 0, "pending": 0}
    return none | {"outcomes": [], "stops": [], "contents": []} | fields


@attrs.frozen
class RowMaker:
    """Makes rows that answer one question; it can be sent to another process.

    Make one with `RowMaker.of`, which checks the arguments: those of `row`.
    """

    policies: tuple[Policy, ...]
    causes: tuple[Cause, ...]
    stops: Stops
    items: bool
    privacy: Privacy

    @classmethod
    def of(
        cls,
        policies: Iterable[Policy | str],
        causes: Iterable[Cause | str],
        *,
        stops: Stops = "end",
        items: bool = False,
        privacy: Privacy | None = None,
    ) -> RowMaker:
        """Check the arguments of `row`, and return a maker of such rows."""
        if stops not in ("end", "all"):
            raise ValueError(f"expected stops to be 'end' or 'all', got {stops!r}")
        return cls(_policies(policies), _causes(causes), stops, items, privacy or Privacy())

    def row(
        self,
        events: Sequence[Event | Unreadable],
        thread: str | None = None,
        *,
        places: Sequence[Place] = _NO_PLACES,
    ) -> Row:
        """Return the figures of one thread.

        Args:
            events: those of the thread, in order, each once.
            thread: its id.
            places: where in its log each event stands, if that is to be in the row.
        """
        folder = Folder(ThreadState())
        folder.feed(events)
        state = folder.state()
        pending = len(state.pending)
        return _row(
            thread=self.privacy.id_of(thread),
            events=sum(not isinstance(event, Unreadable) for event in events),
            items=len(state.items),
            pending=pending,
            anomalies=len(state.anomalies),
            ended=ending_of(events, state),
            outcomes=self._outcomes(state) if pending else [],
            stops=self._all_stops(events, places) if self.stops == "all" else [],
            contents=self._contents(state) if self.items else [],
            **self._place(places, -1),
        )

    def _outcomes(self, state: ThreadState) -> list[Row]:
        return [
            {"policy": policy.name, "cause": cause.value, "type": kind, **outcome.fields()}
            for policy in self.policies
            for cause in self.causes
            for kind, outcome in _by_type(settle(state, policy=policy, cause=cause).verdicts)
        ]

    def _all_stops(
        self, events: Sequence[Event | Unreadable], places: Sequence[Place]
    ) -> list[Row]:
        names = [policy.name for policy in self.policies]
        found: list[Row] = []
        for cause in self.causes:
            sweeper = Sweeper(self.policies, cause)
            swept = SweepResult(None, names, [sweeper.stop(), *sweeper.take(events)])
            at_stake = sum(stop.seen != _NOTHING for stop in swept.stops)
            for name, summary in zip(names, swept.summaries, strict=True):
                about = {"policy": name, "cause": cause.value, "stops": len(swept.stops)}
                place = self._place_of(summary, events, places)
                found.append({**about, "at_stake": at_stake, **_summary_fields(summary), **place})
        return found

    def _place_of(
        self, summary: Summary, events: Sequence[Event | Unreadable], places: Sequence[Place]
    ) -> Row:
        if summary.worst is None or not summary.worst.at or not places:
            return self._place(_NO_PLACES, 0)
        readable = [at for at, each in enumerate(events) if not isinstance(each, Unreadable)]
        return self._place(places, readable[summary.worst.at - 1])

    def _place(self, places: Sequence[Place], at: int) -> Row:
        """Return the log of an event, and how many events of it there are up to that one."""
        if not places or not self.privacy.shows_sources:
            return {"source": None, "position": None}
        return {"source": places[at][0], "position": places[at][1] + 1}

    def _contents(self, state: ThreadState) -> list[Row]:
        pending = frozenset(state.pending)
        return [self._content(item, item.id in pending) for item in state.items.values()]

    def _content(self, item: ItemState, is_pending: bool) -> Row:  # noqa: FBT001
        json = None
        if self.privacy.shows_texts:
            json = msgspec.json.encode(json_or_shown(item.json_view())[0]).decode()
        about = {"id": self.privacy.id_of(item.id), "type": item.type, "pending": is_pending}
        return {**about, "seen": _amount(item.seen), "json": json}


@attrs.define
class _Outcome:
    """The fate of the items of one type, under one policy."""

    items: dict[str, int] = attrs.Factory(lambda: dict.fromkeys((*FATES, EMPTY), 0))
    seen: dict[str, VisibleContent] = attrs.Factory(lambda: dict.fromkeys(FATES, _NOTHING))

    def add(self, verdict: Verdict) -> None:
        fate = "kept" if verdict.row is NO_NEWS else _OF_DECISION[verdict.decision]
        self.items[EMPTY if verdict.case.content is Content.EMPTY else fate] += 1
        self.seen[fate] += verdict.item.seen

    def fields(self) -> Row:
        counts = {f"items_{fate}": count for fate, count in self.items.items()}
        return counts | {fate: _amount(seen) for fate, seen in self.seen.items()}


def _by_type(verdicts: Iterable[Verdict]) -> list[tuple[str, _Outcome]]:
    found: dict[str, _Outcome] = {}
    for verdict in verdicts:
        found.setdefault(verdict.item.type, _Outcome()).add(verdict)
    return sorted(found.items())


def _summary_fields(summary: Summary) -> Row:
    return {
        "losing": summary.losing,
        "stale_at": summary.stale,
        "mean_share": summary.mean_share,
        "at": None if summary.worst is None else summary.worst.at,
        "fate": summary.fate,
        "amount": _amount(summary.amount),
    }


def _amount(seen: VisibleContent) -> dict[str, int]:
    return msgspec.structs.asdict(seen)


def _policies(given: Iterable[Policy | str]) -> tuple[Policy, ...]:
    if isinstance(given, str):
        raise TypeError(f"expected policies in a list, got {given!r}: pass [{given!r}]")
    several = require_policies([_policy(each) for each in given])
    names = [policy.name for policy in several]
    if not names:
        raise ValueError("expected policies, got none: pass some of chatkit_reducer.policies")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"expected policies with different names, got {twice!r} twice: rename one")
    return several


def _policy(given: Policy | str) -> Policy:
    if not isinstance(given, str):
        return given
    if given not in PRESETS:
        raise ValueError(
            f"expected the name of a preset ({', '.join(PRESETS)}), got {given!r}: "
            "pass the policy itself if it is one of your own"
        )
    return PRESETS[given]


def _causes(given: Iterable[Cause | str]) -> tuple[Cause, ...]:
    if isinstance(given, str):
        raise TypeError(f"expected causes in a list, got {given!r}: pass [{given!r}]")
    several = tuple(dict.fromkeys(Cause(each) for each in given))
    if not several:
        raise ValueError(f"expected causes, got none: pass some of {', '.join(Cause)}")
    return several
