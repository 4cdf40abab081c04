"""What a stop at the end of a stream, or at its worst place, keeps, leaves stale and loses.

Read from the data of a page. Between two versions of items content only grows, so the stop with
the most of anything is the last growth before a version begins or the stream ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from chatkit_reducer.events import Json
from chatkit_reducer.view.reading import Reader, numbers_in

__all__ = ["FATES", "Stop", "stop_at_end", "worst_stop"]

FATES = ("kept", "stale", "lost")
"""From the best to the worst."""

_FATES_OF_DECISIONS = {"persist": 0, "stale": 1, "discard": 2}
_STORED = 2

_Amount = tuple[int, int, int, int]


class Stop(NamedTuple):
    """A stop after a step, and how much of each kind (characters, tasks, widgets, images)."""

    step: int
    amounts: tuple[_Amount, _Amount, _Amount]
    """For each fate."""
    uncounted: tuple[int, ...]
    """For each fate how many items have something to see, of which nothing is counted."""


def stop_at_end(block: Json, policy: Json, cause: int) -> Stop:
    """Return what becomes of the items that are in flight at the end."""
    return _Stops(block, policy, cause).at(block["n"])


def worst_stop(block: Json, policy: Json, cause: int) -> Stop | None:
    """Return the first stop at which most is lost; where nothing ever is, most is stale.

    None if all is kept at any stop.
    """
    stops = list(_Stops(block, policy, cause).candidates())
    for fate in (2, 1):
        worst = max(stops, key=partial(_badness, fate), default=None)
        if worst is not None and any((*worst.amounts[fate], worst.uncounted[fate])):
            return worst
    return None


def _badness(fate: int, stop: Stop) -> tuple[_Amount, int, int]:
    return stop.amounts[fate], stop.uncounted[fate], -stop.step


class _Stops:
    """The stops of a thread under one policy and one cause."""

    def __init__(self, block: Json, policy: Json, cause: int) -> None:
        self._block = block
        self._policy = policy
        self._cause = cause
        self._reader = Reader(block)

    def at(self, step: int) -> Stop:
        """Return one stop."""
        versions = [version for _, version in self._reader.items(step)]
        return self._stop(step, [version for version in versions if version[1] < _STORED])

    def candidates(self) -> Iterator[Stop]:
        """Yield the stops of which one has the most of anything."""
        in_flight: dict[int, list[Any]] = {}
        changes = sorted(
            (version[0], number, version)
            for number, item in enumerate(self._block["items"])
            for version in item["v"]
        )
        for place, (begin, number, version) in enumerate(changes):
            in_flight[number] = version
            if version[1] >= _STORED:
                del in_flight[number]
            end = changes[place + 1][0] if place + 1 < len(changes) else self._block["n"] + 1
            if begin < end and in_flight:
                versions = list(in_flight.values())
                for step in self._growing_last(versions, begin, end):
                    yield self._stop(step, versions)

    def _growing_last(self, versions: Sequence[Any], begin: int, end: int) -> set[int]:
        """Return the first step of an interval, and the last at which each text grew."""
        counted = [
            self._reader.track(number) for version in versions for number in numbers_in(version[8])
        ]
        return {begin, *(max(begin, track.last_growth(end - 1)) for track in counted)}

    def _stop(self, step: int, versions: Sequence[Any]) -> Stop:
        sums, uncounted = [[0, 0, 0, 0] for _ in FATES], [0, 0, 0]
        for version in versions:
            fate, seen = self._fate(version), self._reader.seen(version, step)
            for kind, amount in enumerate(seen):
                sums[fate][kind] += amount
            uncounted[fate] += version[5] and not any(seen)
        kept, stale, lost = ((a, b, c, d) for a, b, c, d in sums)
        return Stop(step, (kept, stale, lost), (*uncounted,))

    def _fate(self, version: Any) -> int:
        row = self._policy["d"][version[6]][self._cause]
        return 0 if row < 0 else _FATES_OF_DECISIONS[self._policy["rows"][row][4]]
