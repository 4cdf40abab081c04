"""A thread that was stopped at each of its events: what is drawn of it, and summed up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from chatkit_reducer.items.base import Seen
from chatkit_reducer.sweep import Fate, Stop

__all__ = ["KINDS", "Amount", "Summary", "Swept", "amount_text"]

KINDS = ("characters", "tasks", "widgets", "images")
"""What is counted: the fields of `Seen`."""


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
    """What one policy does to a thread, over all stops."""

    worst: Stop | None
    """The stop at which most is lost, the first of several; None if nothing ever is."""
    lost: Seen
    """What is lost there."""
    mean_share: float
    """The share that is lost, from 0 to 1, as the mean over the stops with something at stake."""
    losing: int
    """How many stops there are at which something is lost."""
    stale: int
    """How many at which something is stale."""


class Swept:
    """All the stops of one thread.

    Args:
        thread: its id, None where nothing told it.
        names: of the policies, in order.
        stops: in order; there is at least one.
    """

    def __init__(self, thread: str | None, names: Sequence[str], stops: Sequence[Stop]) -> None:
        self.thread = thread
        self.names: tuple[str, ...] = tuple(names)
        self.stops = stops
        most = _sum_of([max(getattr(stop.seen, kind) for stop in stops) for kind in KINDS])
        self.most: Seen = most
        """The most of each kind that is at stake at any stop."""
        self.kinds: tuple[str, ...] = tuple([kind for kind in KINDS if getattr(most, kind)])
        """What there is to count in this thread."""

    def columns(self, kind: str, policy: int, count: int) -> list[Amount]:
        """The thread in so many columns: of the stops in each the one with most to see."""
        picked = self._picked(kind, count)
        fates = [stop.fates[policy] for stop in picked]
        return [
            Amount(getattr(fate.kept, kind), getattr(fate.stale, kind), getattr(fate.lost, kind))
            for fate in fates
        ]

    def _picked(self, kind: str, count: int) -> list[Stop]:
        stops, total = self.stops, len(self.stops)
        edges = [column * total // count for column in range(count + 1)]
        return [
            max(stops[begin : max(end, begin + 1)], key=lambda stop: getattr(stop.seen, kind))
            for begin, end in pairwise(edges)
        ]

    def summary(self, policy: int) -> Summary:
        """What the policy of this number does to the thread."""
        worst, most = None, Seen()
        shares: list[float] = []
        losing = stale = 0
        for stop in self.stops:
            fate = stop.fates[policy]
            share = _share(fate, stop.seen)
            if share is not None:
                shares.append(share)
            if any(_values(fate.lost)):
                losing += 1
                if _values(fate.lost) > _values(most):
                    worst, most = stop, fate.lost
            stale += any(_values(fate.stale))
        mean = sum(shares) / len(shares) if shares else 0.0
        return Summary(worst, most, mean, losing, stale)


def _values(seen: Seen) -> tuple[int, ...]:
    return seen.characters, seen.tasks, seen.widgets, seen.images


def _sum_of(values: Sequence[int]) -> Seen:
    return Seen(*values)


def _share(fate: Fate, seen: Seen) -> float | None:
    """The share that is lost: of each kind that there is, and then the mean of those."""
    pairs = zip(_values(fate.lost), _values(seen), strict=True)
    shares = [lost / there for lost, there in pairs if there]
    return sum(shares) / len(shares) if shares else None


def amount_text(seen: Seen) -> str:
    """How much, in words."""
    amounts = [(getattr(seen, kind), kind) for kind in KINDS]
    words = [f"{n:,} {kind[:-1] if n == 1 else kind}" for n, kind in amounts if n]
    return ", ".join(words) or "nothing"
