"""Tracks: texts that grow, with the steps at which they did."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["Texts", "Track", "units"]


def units(text: str) -> int:
    """Return how many UTF-16 units a text has, as JavaScript counts."""
    return len(text) if text.isascii() else len(text) + sum(char > "\uffff" for char in text)


class Track:
    """A text that only grows at its end.

    Args:
        step: the step at which it begins.
    """

    __slots__ = ("_begun", "_gained", "_pieces", "_runs")

    def __init__(self, step: int) -> None:
        self._begun = step
        self._pieces: list[str] = []
        self._gained: list[int] = []
        """For each step at which it grew, by how many UTF-16 units."""
        self._runs: list[list[int]] = []
        """Those steps: the first and the number of each run."""

    @property
    def text(self) -> str:
        """All of it."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def grow(self, step: int, *pieces: str) -> None:
        """Append pieces, none of them empty: the first at this step, each other one step later."""
        self._pieces.extend(pieces)
        self._gained.extend(map(units, pieces))
        last = self._runs[-1] if self._runs else None
        if last is not None and last[0] + last[1] == step:
            last[1] += len(pieces)
        else:
            self._runs.append([step, len(pieces)])

    def data(self) -> dict[str, Any]:
        """Return the track as the data of a page have it."""
        return {"t": self.text, "s": [run.copy() for run in self._runs], "m": self._gained.copy()}

    def since(self, step: int) -> dict[str, Any] | None:
        """Return what it gained after a step; None if that is nothing, and it was there before."""
        runs = self._runs
        first = max(0, bisect_right(runs, step, key=_start) - 1)
        later = [_behind(run, step) for run in runs[first:]]
        later = [run for run in later if run[1]]
        count = sum(run[1] for run in later)
        if not count:
            return {"t": "", "s": [], "m": []} if self._begun > step else None
        gained = self._gained[-count:]
        return {"t": _last_units(self.text, sum(gained)), "s": later, "m": gained}


class Texts:
    """The texts of some tracks, to find a track by its text.

    A text is looked at again only after it has grown.

    Args:
        tracks: all tracks, by their numbers.
    """

    __slots__ = ("_grown", "_known", "_numbers", "_tracks")

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._tracks = tracks
        self._grown: set[int] = set()
        self._known: dict[int, str] = {}
        self._numbers: dict[str, int] = {}

    def note(self, numbers: Iterable[int]) -> None:
        """Note that these tracks are new, or have grown."""
        self._grown.update(numbers)

    def numbers(self) -> Mapping[str, int]:
        """Return all texts as they are now, each with the number of its track."""
        for number in sorted(self._grown):
            before, text = self._known.get(number), self._tracks[number].text
            if before is not None and self._numbers.get(before) == number:
                del self._numbers[before]
            self._known[number] = text
            self._numbers[text] = number
        self._grown.clear()
        return self._numbers


def _start(run: list[int]) -> int:
    return run[0]


def _behind(run: list[int], step: int) -> list[int]:
    """Return the steps of a run that come after a step."""
    first = max(run[0], step + 1)
    return [first, max(0, run[0] + run[1] - first)]


def _last_units(text: str, count: int) -> str:
    if not count:
        return ""
    if text.isascii():
        return text[-count:]
    return text.encode("utf-16-le")[-2 * count :].decode("utf-16-le")
