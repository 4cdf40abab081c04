"""The elements of a list, in fragments, from one drawing of it to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chatkit_reducer.view.drawing.ends import same_ends
from chatkit_reducer.view.drawing.tree import FRAGMENT, Element

__all__ = ["Listing"]

_WIDE = 32
"""How many children a fragment has at the most."""


class Listing:
    """The elements of a list, in fragments.

    A value keeps its element as long as it is the same object, wherever others come or go: so the
    cost of another drawing is that of the values that are new, and of the fragments they are in.

    Args:
        new_drawer: makes a drawer of one value, which gives the same element for the same object.
        beside: the same list in another drawing; what that has drawn right is taken.
    """

    __slots__ = ("_beside", "_drawers", "_new_drawer", "elements", "fragments", "values")

    def __init__(
        self, new_drawer: Callable[[], Callable[[Any], Element]], beside: Listing | None = None
    ) -> None:
        self._new_drawer = new_drawer
        self._beside = beside
        self._drawers: list[Callable[[Any], Element]] = []
        self.values: list[Any] = []
        """The values that were drawn last."""
        self.elements: list[Element] = []
        """The element of each, as this drawing has it."""
        self.fragments: list[Element] = []
        """The fragments that have the elements."""

    def draw(self, values: Sequence[Any]) -> list[Element]:
        """Draw the values of the list; return the fragments that have their elements, in order."""
        front, back = same_ends(self.values, values)
        if front < len(values) or front < len(self.values):
            sizes = self._sizes(len(values), front, back)
            self._draw_between(values, front, back)
            self.values = [*values]
            self.fragments = self._in_fragments(sizes)
        return [*self.fragments]

    def _draw_between(self, values: Sequence[Any], front: int, back: int) -> None:
        """Draw the values that are neither of the first nor of the last ones that stay."""
        between = slice(front, len(self.values) - back)
        there, wanted = self._drawers[between], values[front : len(values) - back]
        new = [self._new_drawer() for _ in range(len(wanted) - len(there))]
        drawers = [*there[: len(wanted)], *new]
        self._drawers[between] = drawers
        self.elements[between] = [draw(value) for draw, value in zip(drawers, wanted, strict=True)]

    def _sizes(self, count: int, front: int, back: int) -> list[int]:
        """Return how many of the values each fragment is to have, so that most are as before."""
        if self._beside is not None and len(self._beside.values) == count:
            return [len(fragment.children) for fragment in self._beside.fragments]
        sizes = [len(fragment.children) for fragment in self.fragments]
        head = _whole(sizes, front)
        tail = _whole(sizes[len(head) :][::-1], back)[::-1]
        between = count - sum(head) - sum(tail)
        if head and head[-1] + between <= _WIDE:
            between += head.pop()
        if tail and tail[0] + between <= _WIDE:
            between += tail.pop(0)
        return [*head, *_even(between), *tail]

    def _in_fragments(self, sizes: Sequence[int]) -> list[Element]:
        """Put the elements into fragments; those that have the same ones are taken over."""
        others = self.fragments if self._beside is None else self._beside.fragments
        known = {id(each.children[0]): each for each in [*self.fragments, *others]}
        fragments, first = [], 0
        for size in sizes:
            children = self._best(first, first + size)
            found = known.get(id(children[0]))
            is_same = found is not None and _are_same(found.children, children)
            fragments.append(found if is_same and found else Element(FRAGMENT, {}, [*children]))
            first += size
        return fragments

    def _best(self, first: int, end: int) -> Sequence[Element]:
        """Return elements of values; those of the other drawing where it has the same values."""
        mine, beside = self.elements[first:end], self._beside
        if beside is None:
            return mine
        pairs = zip(self.values[first:end], beside.values[first:end], strict=False)
        taken = [
            beside.elements[first + i] if value is other else mine[i]
            for i, (value, other) in enumerate(pairs)
        ]
        return [*taken, *mine[len(taken) :]]


def _whole(sizes: Sequence[int], count: int) -> list[int]:
    """Return the first sizes that add up to so many at the most."""
    found: list[int] = []
    for size in sizes:
        count -= size
        if count < 0:
            break
        found.append(size)
    return found


def _even(count: int) -> list[int]:
    """Divide a number into as few sizes as there may be, which differ by one at the most."""
    pieces = -(-count // _WIDE)
    return [count // pieces + (i < count % pieces) for i in range(pieces)]


def _are_same(one: Sequence[object], other: Sequence[object]) -> bool:
    return len(one) == len(other) == same_ends(one, other)[0]
