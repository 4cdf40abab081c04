"""The rows of many threads, added up: how much each policy would have lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from heapq import nlargest
from typing import NamedTuple, Self, TypeAlias

import attrs

from chatkit_reducer.core.items.base import VisibleContent
from chatkit_reducer.fleet.rows import EMPTY, FATES, Row

__all__ = ["Asked", "StopTally", "Tally", "Totals", "WorstThread"]

_NOTHING = VisibleContent()
_WORST = 10
_SLACK = 1_000


class Asked(NamedTuple):
    """One of the cases that a row answers for."""

    policy: str
    cause: str


@attrs.define
class Tally:
    """How many items, and how much of them, had which fate."""

    items: Counter[str] = attrs.Factory(Counter)
    seen: dict[str, VisibleContent] = attrs.Factory(lambda: dict.fromkeys(FATES, _NOTHING))

    def add(self, outcome: Row) -> None:
        """Add one outcome of a row."""
        self.items[EMPTY] += outcome[f"items_{EMPTY}"]
        for fate in FATES:
            self.items[fate] += outcome[f"items_{fate}"]
            self.seen[fate] += VisibleContent(**outcome[fate])

    def __add__(self, other: Tally) -> Tally:
        seen = {fate: self.seen[fate] + other.seen[fate] for fate in FATES}
        return Tally(self.items + other.items, seen)

    @property
    def at_stake(self) -> int:
        """How many items there are with something to see."""
        return sum(self.items[fate] for fate in FATES)


@attrs.define
class StopTally:
    """The outcome of a stop at each event."""

    stops: int = 0
    at_stake: int = 0
    """Stops at which users had seen something that was not stored."""
    losing: int = 0
    stale_at: int = 0
    shares: float = 0.0
    """The sum, over the stops with something at stake, of the share that is lost."""

    def add(self, stops: Row) -> None:
        """Add the stops of a row."""
        self.stops += stops["stops"]
        self.at_stake += stops["at_stake"]
        self.losing += stops["losing"]
        self.stale_at += stops["stale_at"]
        self.shares += stops["mean_share"] * stops["at_stake"]

    @property
    def mean_share(self) -> float:
        """The share that is lost at a stop, from 0 to 1, where something is at stake."""
        return self.shares / self.at_stake if self.at_stake else 0.0


@attrs.frozen
class WorstThread:
    """A thread that loses much, and where its log shows that."""

    asked: Asked
    thread: str | None
    lost: VisibleContent
    source: str | None
    position: int | None

    @property
    def rank(self) -> tuple[tuple[int, ...], str, str]:
        """A key: the more is lost, the larger. Of equal losses the ids decide."""
        lost = self.lost
        amounts = lost.characters, lost.tasks, lost.widgets, lost.images
        return amounts, self.thread or "", self.source or ""


_Outcomes: TypeAlias = dict[Asked, dict[str, Tally]]


class Totals:
    """The sums of any number of rows; they take a few kilobytes.

    >>> from chatkit_reducer.fleet import Totals, row
    >>> from chatkit_reducer.testing.examples import added, message, text_delta
    >>> events = [added(message("m", "")), text_delta("m", "Once")]
    >>> totals = Totals.of([row(events, ["keep", "drop"], ["cancelled"])])
    >>> [totals.tally(asked).seen["lost"].characters for asked in totals.asked]
    [0, 4]
    """

    def __init__(self) -> None:
        self.threads: int = 0
        self.events: int = 0
        self.items: int = 0
        self.anomalies: int = 0
        self.pending_threads: int = 0
        self.endings: Counter[str] = Counter()
        self.losing_threads: Counter[Asked] = Counter()
        """How many threads lose something at the ends of their logs."""
        self.stops: dict[Asked, StopTally] = {}
        self._outcomes: _Outcomes = {}
        self._worst: dict[str, list[WorstThread]] = {}

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Self:
        """Add rows up."""
        totals = cls()
        for row in rows:
            totals.add(row)
        return totals

    @property
    def asked(self) -> tuple[Asked, ...]:
        """The cases with something at stake, in the order of the rows."""
        return tuple(dict.fromkeys([*self._outcomes, *self.stops]))

    def by_type(self, asked: Asked) -> Mapping[str, Tally]:
        """Return a tally for each type of items, by the names of the types."""
        return dict(sorted(self._outcomes.get(asked, {}).items()))

    def tally(self, asked: Asked) -> Tally:
        """Return the tally of all items at the ends of the logs."""
        return sum(self._outcomes.get(asked, {}).values(), Tally())

    def worst(self, policy: str) -> list[WorstThread]:
        """Return the threads that lose most under a policy, the worst first."""
        return nlargest(_WORST, self._worst.get(policy, []), key=lambda each: each.rank)

    def add(self, row: Row) -> None:
        """Add one row."""
        self.threads += 1
        self.events += row["events"]
        self.items += row["items"]
        self.anomalies += row["anomalies"]
        self.pending_threads += row["pending"] > 0
        self.endings[row["ended"]] += 1
        lost = self._add_outcomes(row["outcomes"])
        self.losing_threads.update(asked for asked, amount in lost.items() if amount != _NOTHING)
        places = dict.fromkeys(lost, row)
        for stops in row["stops"]:
            asked = Asked(stops["policy"], stops["cause"])
            self.stops.setdefault(asked, StopTally()).add(stops)
            amount = stops["amount"] if stops["fate"] == "lost" else {}
            lost[asked], places[asked] = VisibleContent(**amount), stops
        self._note_losses(row, lost, places)

    def _add_outcomes(self, outcomes: Iterable[Row]) -> dict[Asked, VisibleContent]:
        """Add the outcomes of a row; return how much of it is lost."""
        lost: dict[Asked, VisibleContent] = {}
        for outcome in outcomes:
            asked = Asked(outcome["policy"], outcome["cause"])
            tallies = self._outcomes.setdefault(asked, {})
            tallies.setdefault(outcome["type"], Tally()).add(outcome)
            lost[asked] = lost.get(asked, _NOTHING) + VisibleContent(**outcome["lost"])
        return lost

    def _note_losses(
        self, row: Row, lost: Mapping[Asked, VisibleContent], places: Mapping[Asked, Row]
    ) -> None:
        noted: set[str] = set()
        for asked, amount in lost.items():
            if amount == _NOTHING:
                continue
            if asked.policy not in noted:  # one line for a thread and not one for each cause
                noted.add(asked.policy)
                place = places[asked]["source"], places[asked]["position"]
                self._note_worst(WorstThread(asked, row["thread"], amount, *place))

    def _note_worst(self, worst: WorstThread) -> None:
        found = self._worst.setdefault(worst.asked.policy, [])
        found.append(worst)
        if len(found) > _SLACK:
            found[:] = self.worst(worst.asked.policy)
