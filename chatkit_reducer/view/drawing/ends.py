"""Parts of lists: what two of them have in common at their ends, and what lies between."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from typing import Any, TypeAlias

from chatkit_reducer.core.vector import Vector

__all__ = ["Values", "part_of", "same_ends"]


Values: TypeAlias = "Sequence[Any] | Vector[Any]"
"""A list to draw."""


def same_ends(before: Values, now: Values) -> tuple[int, int]:
    """Return how many values at the front are the same objects, and how many others at the back.

    Two vectors are compared at the cost of what they do not share.

    >>> from chatkit_reducer.view.drawing.ends import same_ends
    >>> same_ends("abcd", "axcd")
    (1, 2)
    >>> same_ends("aaa", "aa")
    (2, 0)
    """
    if isinstance(before, Vector) and isinstance(now, Vector):
        return before.same_ends(now)
    front = _same(list(map(is_, before, now)))
    if front == len(before) or front == len(now):
        return front, 0
    return front, min(
        _same(list(map(is_, reversed(before), reversed(now)))),
        len(before) - front,
        len(now) - front,
    )


def part_of(values: Values, first: int, end: int) -> Sequence[Any]:
    """Return the values of a list from one place to another."""
    if not isinstance(values, Vector):
        return values[first:end]
    if 4 * (end - first) > len(values):  # then walking through all costs less
        return list(values)[first:end]
    return [values[index] for index in range(first, end)]


def _same(pairs: list[bool]) -> int:
    return pairs.index(False) if False in pairs else len(pairs)
