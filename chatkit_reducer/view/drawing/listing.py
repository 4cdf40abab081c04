"""The elements of a list, in fragments, from one drawing of it to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from chatkit_reducer.core.vector import Vector
from chatkit_reducer.view.drawing.ends import Values, part_of, same_ends
from chatkit_reducer.view.drawing.tree import FRAGMENT, Child, Element

__all__ = ["Listing"]

_WIDE = 32
"""How many children a fragment has at the most."""


class _Pair(NamedTuple):
    """A fragment of the other drawing, and the one that stands for it here."""

    theirs: Element
    mine: Element
    first: int
    """The place of its first value."""
    left: int
    """How many values there are from that one on."""


class Listing:
    """The elements of a list, in fragments.

    A value keeps its element as long as it is the same object, wherever others come or go: so the
    cost of another drawing is that of the values that are new, and of the fragments they are in.

    Args:
        new_drawer: makes a drawer of one value, which gives the same element for the same object.
        beside: the same list in another drawing; what that has drawn right is taken.
    """

    __slots__ = ("_beside", "_drawers", "_new_drawer", "_pairs", "elements", "fragments", "values")

    def __init__(
        self, new_drawer: Callable[[], Callable[[Any], Element]], beside: Listing | None = None
    ) -> None:
        self._new_drawer = new_drawer
        self._beside = beside
        self._drawers: list[Callable[[Any], Element]] = []
        self._pairs: dict[int, _Pair] = {}
        """By the ids of the fragments of the other drawing."""
        self.values: Values = []
        """The values that were drawn last."""
        self.elements: list[Element] = []
        """The element of each, as this drawing has it."""
        self.fragments: list[Element] = []
        """The fragments that have the elements."""

    def draw(self, values: Values) -> list[Element]:
        """Draw the values of the list; return the fragments that have their elements, in order."""
        front, back = same_ends(self.values, values)
        if front < len(values) or front < len(self.values):
            self._draw_between(values, front, back)
            self.values = values if isinstance(values, Vector) else [*values]
            self._fit(front, back)
        if self._beside is not None and len(self._beside.values) == len(values):
            self.fragments = self._like(self._beside, front, back)
        return [*self.fragments]

    def _draw_between(self, values: Values, front: int, back: int) -> None:
        """Draw the values that are neither of the first nor of the last ones that stay."""
        between = slice(front, len(self.values) - back)
        there, wanted = self._drawers[between], part_of(values, front, len(values) - back)
        new = [self._new_drawer() for _ in range(len(wanted) - len(there))]
        drawers = [*there[: len(wanted)], *new]
        self._drawers[between] = drawers
        self.elements[between] = [draw(value) for draw, value in zip(drawers, wanted, strict=True)]

    def _fit(self, front: int, back: int) -> None:
        """Put the elements into fragments, so that most of these are as they were.

        Args:
            front: how many of the first values stay.
            back: how many of the last ones stay.
        """
        sizes = [len(fragment.children) for fragment in self.fragments]
        head = _whole(sizes, front)
        tail = _whole(sizes[len(head) :][::-1], back)[::-1]
        between = len(self.values) - sum(head) - sum(tail)
        if head and head[-1] + between <= _WIDE:
            between += head.pop()
        if tail and tail[0] + between <= _WIDE:
            between += tail.pop(0)
        first, fragments = sum(head), list[Element]()
        for size in _even(between):
            fragments.append(Element(FRAGMENT, {}, [*self.elements[first : first + size]]))
            first += size
        self.fragments[len(head) : len(sizes) - len(tail)] = fragments

    # --- beside another drawing -------------------------------------------------------------------

    def _like(self, beside: Listing, front: int, back: int) -> list[Element]:
        """Return fragments of the same sizes as those of the other drawing; those, if they can be.

        Args:
            beside: the other drawing.
            front: how many of the first values are the same as in the last drawing.
            back: how many of the last ones are.
        """
        pairs = {}
        first, count = 0, len(self.values)
        for theirs in beside.fragments:
            end = first + len(theirs.children)
            known = self._pairs.get(id(theirs))
            is_in_front = end <= front and known is not None and known.first == first
            is_behind = first >= count - back and known is not None and known.left == count - first
            if known is None or not (is_in_front or is_behind):
                mine = self._fragment_like(theirs, first, end)
                known = _Pair(theirs, mine, first, count - first)
            pairs[id(theirs)] = known._replace(first=first, left=count - first)
            first = end
        self._pairs = pairs
        return [pair.mine for pair in pairs.values()]

    def _fragment_like(self, theirs: Element, first: int, end: int) -> Element:
        children: list[Child] = [*self._best(first, end)]
        if same_ends(children, theirs.children)[0] == len(children):
            return theirs
        return Element(FRAGMENT, {}, children)

    def _best(self, first: int, end: int) -> Iterator[Element]:
        """Yield elements of values; those of the other drawing where it has the same values."""
        assert self._beside is not None
        theirs = part_of(self._beside.values, first, end)
        for i, value in enumerate(part_of(self.values, first, end)):
            yield (self._beside if value is theirs[i] else self).elements[first + i]


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
