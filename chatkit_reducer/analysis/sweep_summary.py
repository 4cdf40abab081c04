"""A thread that was stopped at each of its events, in columns for a chart, and summed up."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from chatkit_reducer.analysis._stops import FATES, Flight, Outcome, StopPoint
from chatkit_reducer.core.items.base import VisibleContent

__all__ = ["KINDS", "Amount", "Summary", "SweepResult", "amount_text", "share_text"]

KINDS = ("characters", "tasks", "widgets", "images")
"""The kinds of content that are counted: the fields of `VisibleContent`."""


class Amount(NamedTuple):
    """How much of one kind is kept, stale and lost at one stop."""

    kept: int
    stale: int
    lost: int

    @property
    def all(self) -> int:
        """How much there was."""
        return self.kept + self.stale + self.lost


class Summary(NamedTuple):
    """The effect of one policy on a thread, over all stops."""

    worst: StopPoint | None
    """The stop at which most is lost; where nothing ever is, most is stale. The first of several,
    None if all is kept."""
    fate: str | None
    """The worst fate there is: `lost`, `stale`, or None."""
    amount: VisibleContent
    """How much of it there is at the worst stop."""
    mean_share: float
    """The share that is lost, from 0 to 1, as the mean over the stops with something at stake."""
    losing: int
    """How many stops there are at which something is lost."""
    stale: int
    """How many at which something is stale."""
    fates: tuple[str, ...]
    """All fates that there are, from the best to the worst."""

    @property
    def verdict(self) -> str:
        """The worst that happens, in words."""
        if self.worst is None:
            return "all kept"
        stale = f"stale at {self.stale:,} {'stop' if self.stale == 1 else 'stops'}"
        facts = [f"{share_text(self.mean_share)} lost on average"] if self.losing else []
        facts += [stale] if self.stale else []
        facts += [] if self.losing else ["nothing lost"]
        return ", ".join([*facts, f"worst after event {self.worst.at}"])


def share_text(share: float) -> str:
    """Return a share in per cent: 0% means nothing, and 100% all."""
    if 0 < share < 0.005:
        return "under 1%"
    return "over 99%" if 0.995 <= share < 1 else f"{share:.0%}"


class SweepResult:
    """All the stops of one thread.

    Args:
        thread: its id, None where nothing told it.
        names: of the policies, in order.
        stops: in order; there is at least one.
        title: the name of the log, if there are several.
        commands: for each policy the words of the command that shows a stop, with None where the
            number of the stop belongs.
        flights: when items were in flight.
    """

    def __init__(
        self,
        thread: str | None,
        names: Sequence[str],
        stops: Sequence[StopPoint],
        *,
        title: str | None = None,
        commands: Sequence[Sequence[str | None]] = (),
        flights: Sequence[Flight] = (),
    ) -> None:
        self.thread = thread
        self.title = title
        self.names: tuple[str, ...] = tuple(names)
        self.stops = stops
        self._commands = commands
        self._flights = flights
        most = _sum_of([max(getattr(stop.seen, kind) for stop in stops) for kind in KINDS])
        self.most: VisibleContent = most
        """The most of each kind that is at stake at any stop."""
        self.kinds: tuple[str, ...] = tuple([kind for kind in KINDS if getattr(most, kind)])
        """The kinds of content in this thread."""

    def columns(self, kind: str, policy: int, count: int) -> list[Amount]:
        """Return the thread in so many columns: of the stops in each the one with most to see."""
        picked = self._picked(kind, count)
        fates = [stop.fates[policy] for stop in picked]
        return [
            Amount(getattr(fate.kept, kind), getattr(fate.stale, kind), getattr(fate.lost, kind))
            for fate in fates
        ]

    @property
    def types(self) -> tuple[str, ...]:
        """The types of the items that were in flight, in the order in which they began."""
        return tuple(dict.fromkeys([flight.type for flight in self._flights]))

    def lanes(self, count: int) -> dict[str, list[bool | None]]:
        """Return when items were in flight, in so many columns, for each item type.

        A column is None if no item of the type is in flight there, and True where one begins.
        """
        ats, total = [stop.at for stop in self.stops], len(self.stops)
        lanes: dict[str, list[bool | None]] = {}
        for flight in self._flights:
            lane = lanes.setdefault(flight.type, [None] * count)
            end = ats[-1] + 1 if flight.end is None else flight.end
            first, _ = _columns_of(bisect_left(ats, flight.begin), count, total)
            _, last = _columns_of(bisect_left(ats, end) - 1, count, total)
            lane[first] = True
            for column in range(first + 1, last + 1):
                lane[column] = lane[column] or False
        return lanes

    def _picked(self, kind: str, count: int) -> list[StopPoint]:
        stops, total = self.stops, len(self.stops)
        edges = [column * total // count for column in range(count + 1)]
        return [
            max(stops[begin : max(end, begin + 1)], key=lambda stop: getattr(stop.seen, kind))
            for begin, end in pairwise(edges)
        ]

    @cached_property
    def summaries(self) -> tuple[Summary, ...]:
        """The effect of each policy on the thread, in one pass over the stops."""
        sums = [_Sum() for _ in self.names]
        for stop in self.stops:
            seen = stop.seen
            for total, outcome in zip(sums, stop.fates, strict=True):
                total.add(stop, outcome, seen)
        return tuple([total.summary() for total in sums])

    def place_of(self, stop: StopPoint, count: int) -> int:
        """Return the column of a stop, of so many; if it fills several, the one in the middle."""
        index = next(place for place, each in enumerate(self.stops) if each.at == stop.at)
        return (2 * index + 1) * count // (2 * len(self.stops))

    @property
    def fates(self) -> tuple[str, ...]:
        """The fates that there are, under any of the policies, from the best to the worst."""
        return tuple([fate for fate in FATES if any(fate in each.fates for each in self.summaries)])

    def command(self, policy: int, at: int) -> list[str]:
        """Return the words of the command that shows this stop under the policy of this number."""
        words = self._commands[policy] if self._commands else ()
        return [str(at) if word is None else word for word in words]


def _columns_of(index: int, count: int, total: int) -> tuple[int, int]:
    """Return the first and the last column of the stop with this index; see `_picked`."""
    last = ((index + 1) * count - 1) // total
    return min(-(-index * count // total), last), last


class _Sum:
    """The effect of one policy, added up stop by stop."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(FATES, 0)
        self._worst: dict[str, tuple[VisibleContent, StopPoint | None]] = dict.fromkeys(
            FATES, (VisibleContent(), None)
        )
        self._shares = 0.0
        self._at_stake = 0

    def add(self, stop: StopPoint, outcome: Outcome, seen: VisibleContent) -> None:
        share = _share(outcome, seen)
        if share is None:
            return
        self._shares += share
        self._at_stake += 1
        for fate in FATES:
            amount = getattr(outcome, fate)
            values = _values(amount)
            self._counts[fate] += any(values)
            if values > _values(self._worst[fate][0]):
                self._worst[fate] = (amount, stop)

    def summary(self) -> Summary:
        fates = tuple([fate for fate, count in self._counts.items() if count])
        fate = next((fate for fate in ("lost", "stale") if fate in fates), None)
        amount, worst = (VisibleContent(), None) if fate is None else self._worst[fate]
        mean = self._shares / self._at_stake if self._at_stake else 0.0
        counts = self._counts["lost"], self._counts["stale"]
        return Summary(worst, fate, amount, mean, *counts, fates)


def _values(seen: VisibleContent) -> tuple[int, ...]:
    return seen.characters, seen.tasks, seen.widgets, seen.images


def _sum_of(values: Sequence[int]) -> VisibleContent:
    return VisibleContent(*values)


def _share(fate: Outcome, seen: VisibleContent) -> float | None:
    """Return the share that is lost: of each kind that there is, and then the mean of those."""
    pairs = zip(_values(fate.lost), _values(seen), strict=True)
    shares = [lost / there for lost, there in pairs if there]
    return sum(shares) / len(shares) if shares else None


def amount_text(seen: VisibleContent) -> str:
    """Say how much it is, in words."""
    amounts = [(getattr(seen, kind), kind) for kind in KINDS]
    words = [f"{n:,} {kind[:-1] if n == 1 else kind}" for n, kind in amounts if n]
    return ", ".join(words) or "nothing"
