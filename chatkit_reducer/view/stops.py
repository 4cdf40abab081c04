"""What a stop at the end of a stream, or at its worst place, keeps, leaves stale and loses.

Read from the data of a page. Between two versions of items content only grows, so the stop with
the most of anything is the last growth before a version begins or the stream ends.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from chatkit_reducer.events import Json
from chatkit_reducer.view.reading import Reader

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


def stop_at_end(block: Json, policy: Json, cause: int) -> Stop:
    """Return what becomes of the items that are in flight at the end."""
    return _Stops(block, policy, cause).at(block["n"])


def worst_stop(block: Json, policy: Json, cause: int) -> Stop | None:
    """Return the first stop at which most is lost; where nothing ever is, most is stale.

    None if all is kept at any stop.
    """
    stops = list(_Stops(block, policy, cause).candidates())
    for fate in (2, 1):
        worst = max(stops, key=lambda stop: (stop.amounts[fate], -stop.step), default=None)
        if worst is not None and any(worst.amounts[fate]):
            return worst
    return None


class _Stops:
    """The stops of a thread under one policy and one cause."""

    def __init__(self, block: Json, policy: Json, cause: int) -> None:
        self._block = block
        self._policy = policy
        self._cause = cause
        self._tracks: dict[int, _Track] = {}

    def at(self, step: int) -> Stop:
        """Return one stop."""
        versions = [version for _, version in Reader(self._block).items(step)]
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
        counted = [self._track(number) for version in versions for number in version[8]]
        return {begin, *(max(begin, track.last_growth(end - 1)) for track in counted)}

    def _stop(self, step: int, versions: Sequence[Any]) -> Stop:
        sums = [[0, 0, 0, 0] for _ in FATES]
        for version in versions:
            amounts = sums[self._fate(version)]
            for kind, amount in enumerate(version[7]):
                amounts[kind] += amount
            for number in version[8]:
                track = self._track(number)
                amounts[0] += track.points(step) - track.points(version[0])
        kept, stale, lost = ((a, b, c, d) for a, b, c, d in sums)
        return Stop(step, (kept, stale, lost))

    def _fate(self, version: Any) -> int:
        row = self._policy["d"][version[6]][self._cause]
        return 0 if row < 0 else _FATES_OF_DECISIONS[self._policy["rows"][row][4]]

    def _track(self, number: int) -> _Track:
        if number not in self._tracks:
            self._tracks[number] = _Track(self._block["tracks"][number])
        return self._tracks[number]


class _Track:
    """A text that grows: the steps at which it did, and its characters after each."""

    def __init__(self, track: Json) -> None:
        self._steps = [step for first, n in track["s"] for step in range(first, first + n)]
        self._points = _in_points(track["t"], list(accumulate(track["m"])))

    def points(self, step: int) -> int:
        place = bisect_right(self._steps, step)
        return self._points[place - 1] if place else 0

    def last_growth(self, step: int) -> int:
        """Return the last step up to this one at which it grew; 0 if there is none."""
        place = bisect_right(self._steps, step)
        return self._steps[place - 1] if place else 0


def _in_points(text: str, units: list[int]) -> list[int]:
    """Return lengths that are in UTF-16 units as numbers of characters."""
    if not units or units[-1] == len(text):
        return units
    encoded = text.encode("utf-16-le", "surrogatepass")
    ends = [0, *units]
    pieces = [encoded[2 * a : 2 * b] for a, b in zip(ends, units, strict=False)]
    return list(accumulate(len(piece.decode("utf-16-le", "surrogatepass")) for piece in pieces))
