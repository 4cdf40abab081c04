"""Lists that only grow at their ends, and know at which step each value came."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

__all__ = ["Appended", "Numbered", "Runs"]

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class Appended(Generic[T]):
    """A list of values, each with its step."""

    __slots__ = ("_steps", "values")

    def __init__(self) -> None:
        self.values: list[T] = []
        self._steps: list[int] = []

    def append(self, step: int, value: T) -> None:
        """Append a value; no step is less than the one before it."""
        self.values.append(value)
        self._steps.append(step)

    def first_after(self, step: int) -> int:
        """Return the number of the first value that came after a step."""
        return bisect_right(self._steps, step)

    def since(self, step: int) -> list[T]:
        """Return the values that came after a step."""
        return self.values[self.first_after(step) :]


class Numbered(Generic[K]):
    """Values that are there once each, by numbers."""

    __slots__ = ("_numbers", "appended")

    def __init__(self) -> None:
        self._numbers: dict[K, int] = {}
        self.appended: Appended[Any] = Appended()

    def number(self, step: int, key: K, value: object) -> int:
        """Return the number of a value, which is appended if its key is new."""
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.appended.values)
            self.appended.append(step, value)
        return found

    def __contains__(self, key: K) -> bool:
        return key in self._numbers


class Runs:
    """Numbers that mostly follow each other: the first and the count of each run, and the rest.

    The runs are `[first, count, *rest]`; one is continued if the rest is the same.
    """

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: list[list[Any]] = []

    def add(self, number: int, *rest: Any, count: int = 1) -> None:
        """Add a number, or so many that follow each other."""
        last = self.values[-1] if self.values else None
        if last is not None and last[0] + last[1] == number and last[2:] == [*rest]:
            last[1] += count
        else:
            self.values.append([number, count, *rest])

    def since(self, number: int) -> list[list[Any]]:
        """Return the runs that have a number greater than this one, from their beginnings."""
        first = bisect_right(self.values, number, key=_last)
        return self.values[first:]

    def count_to(self, number: int) -> int:
        """Return how many numbers up to this one there are."""
        total = 0
        for first, count, *_ in self.values:
            if first > number:
                break
            total += min(count, number - first + 1)
        return total

    def copy(self) -> list[list[Any]]:
        """Return the runs as lists of their own."""
        return [run.copy() for run in self.values]


def _last(run: list[Any]) -> int:
    last: int = run[0] + run[1] - 1
    return last
