"""What two lists have in common at their ends: the same objects."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_

__all__ = ["same_ends"]


def same_ends(before: Sequence[object], now: Sequence[object]) -> tuple[int, int]:
    """Return how many values at the front are the same objects, and how many others at the back.

    >>> from chatkit_reducer.view.drawing.ends import same_ends
    >>> same_ends("abcd", "axcd")
    (1, 2)
    >>> same_ends("aaa", "aa")
    (2, 0)
    """
    front = _same(list(map(is_, before, now)))
    if front == len(before) or front == len(now):
        return front, 0
    return front, min(
        _same(list(map(is_, reversed(before), reversed(now)))),
        len(before) - front,
        len(now) - front,
    )


def _same(pairs: list[bool]) -> int:
    return pairs.index(False) if False in pairs else len(pairs)
