"""Read the data of a page at any step, as its script does: for the part of it that is static."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate, chain, pairwise
from typing import Any

__all__ = ["ReadTrack", "Reader", "numbers_in"]

_GONE = 3


class Reader:
    """One block of data, to be read at any step.

    Args:
        block: of a thread, as `recording` describes it.
    """

    def __init__(self, block: dict[str, Any]) -> None:
        self.block: dict[str, Any] = block
        self._tracks: dict[int, ReadTrack] = {}

    def track(self, number: int) -> ReadTrack:
        """Return a track."""
        found = self._tracks.get(number)
        if found is None:
            found = self._tracks[number] = ReadTrack(self.block["tracks"][number])
        return found

    def text(self, track: int, step: int) -> str:
        """Return the text of a track at a step."""
        return self.track(track).text(step)

    def tree(self, number: int, step: int) -> Any:
        """Return a tree at a step, with texts and trees in place of all references."""
        return self._whole(self.block["trees"][number], step)

    def _whole(self, node: Any, step: int) -> Any:
        if isinstance(node, dict):
            return self.tree(node["r"], step) if "r" in node else self.text(node["t"], step)
        if not isinstance(node, list):
            return node
        if node[0] == "md":
            marks = [self._marks(node[2])] if len(node) > 2 else []
            return ["md", self._whole(node[1], step), *marks]
        children: list[Any] = []
        for child in node[2:]:
            whole = self._whole(child, step)
            is_fragment = isinstance(whole, list) and whole[0] == ""
            children += whole[2:] if is_fragment else [whole]
        return [node[0], node[1], *children]

    def _marks(self, marks: list[Any]) -> list[Any]:
        """Return the marks of citations, with those of fragments in place of references."""
        trees = self.block["trees"]
        return [
            mark
            for one in marks
            for mark in (self._marks(trees[one["r"]][2:]) if isinstance(one, dict) else [one])
        ]

    def items(self, step: int) -> list[tuple[dict[str, Any], list[Any]]]:
        """Return the items at a step with their versions, in thread order."""
        found = []
        for item in self.block["items"]:
            number = bisect_right(item["v"], step, key=_from)
            version = item["v"][number - 1] if number else None
            if version is not None and version[1] != _GONE:
                found.append((item, version))
        return sorted(found, key=lambda pair: pair[1][9])

    def stage(self, step: int) -> dict[str, Any]:
        """Return what is not about items, at a step."""
        stages = self.block["stage"]
        found: dict[str, Any] = stages[bisect_right(stages, step, key=_from) - 1][1]
        return found

    def seen(self, version: list[Any], step: int) -> list[int]:
        """Return how much there is to see in a version that is pending, at a step of it."""
        characters, *others = version[7]
        tracks = map(self.track, numbers_in(version[8]))
        gained = sum(track.points(step) - track.points(version[0]) for track in tracks)
        return [characters + gained, *others]

    def row(self, policy: int, version: list[Any], cause: int) -> int:
        """Return the number of the row that decides on a version, by numbers; -1 for `no_news`."""
        found: int = self.block["policies"][policy]["d"][version[6]][cause]
        return found

    def leaves_marker(self, policy: int, cause: int, step: int) -> bool:
        """Whether a stop at this step leaves a marker."""
        table = self.block["policies"][policy]
        if table["marker"] is None or cause not in table["marker"]["causes"]:
            return False
        return not any(
            first <= step and (to is None or step < to) for first, to in table["held"][cause]
        )

    @cached_property
    def _event_steps(self) -> list[int]:
        return [run[0] for run in self.block["events"]]

    def event(self, step: int) -> list[Any]:
        """Return the run of the event that led to a step."""
        found: list[Any] = self.block["events"][bisect_right(self._event_steps, step) - 1]
        return found

    def raw(self, step: int) -> Any:
        """Return the JSON of the event that led to a step; a text, if it is nested deeply."""
        top = [self.block["raws"][self.event(step)[4]]]
        todo: list[Any] = [top]
        while todo:
            container = todo.pop()
            pairs = container.items() if isinstance(container, dict) else enumerate(container)
            for key, value in list(pairs):
                container[key] = inner = self._referred(value, step)
                if isinstance(inner, (dict, list)):
                    todo.append(inner)
        return top[0]

    def _referred(self, value: Any, step: int) -> Any:
        """Return a text for a reference to a track, and a copy of any other container."""
        if isinstance(value, list):
            return value.copy()
        if not isinstance(value, dict):
            return value
        if value.keys() == {"'"}:
            return value["'"].copy()
        if value.keys() == {"="}:
            return self.text(value["="], step)
        if value.keys() == {"+"}:
            track = value["+"]
            return self.text(track, step)[len(self.text(track, step - 1)) :]
        return value.copy()


class ReadTrack:
    """A text that grows: how much of it there is at a step.

    Args:
        track: as the data of a page have it.
    """

    def __init__(self, track: dict[str, Any]) -> None:
        self._whole: str = track["t"]
        self._steps = [step for first, n in track["s"] for step in range(first, first + n)]
        self._units = list(accumulate(track["m"]))

    def text(self, step: int) -> str:
        """Return the text at a step."""
        return self._encoded[: 2 * self._at(self._units, step)].decode("utf-16-le")

    def points(self, step: int) -> int:
        """Return how many characters (code points) there are at a step."""
        return self._at(self._points, step)

    def last_growth(self, step: int) -> int:
        """Return the last step up to this one at which it grew; 0 if there is none."""
        return self._at(self._steps, step)

    def _at(self, values: list[int], step: int) -> int:
        grown = bisect_right(self._steps, step)
        return values[grown - 1] if grown else 0

    @cached_property
    def _encoded(self) -> bytes:
        return self._whole.encode("utf-16-le")

    @cached_property
    def _points(self) -> list[int]:
        if not self._units or self._units[-1] == len(self._whole):
            return self._units
        ends = pairwise([0, *self._units])
        pieces = (self._encoded[2 * begin : 2 * end] for begin, end in ends)
        return list(accumulate(len(piece.decode("utf-16-le")) for piece in pieces))


def numbers_in(runs: list[list[int]]) -> Iterator[int]:
    """Yield the numbers in runs: the first and the count of each."""
    return chain.from_iterable(range(first, first + count) for first, count in runs)


def _from(entry: list[Any]) -> int:
    first: int = entry[0]
    return first
