"""The content of a message of the assistant: its parts, and their citations with numbers.

A message may have thousands of both. So they are vectors, and the content after an event is made
of the one before it, at the cost of what is new.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import attrs

from chatkit_reducer.core.items.assistant_message import Part
from chatkit_reducer.core.vector import EMPTY_VECTOR, Vector
from chatkit_reducer.events import Json
from chatkit_reducer.view.drawing.ends import part_of
from chatkit_reducer.view.drawing.fields import whole_number

__all__ = ["Cited", "Content"]


@attrs.frozen(eq=False)
class Cited:
    """A part, and its citations."""

    part: Part
    citations: Vector[Any]
    """Those that are objects. A part that has no text has none."""
    first: int = 0
    """The number of the first of them; 0 if there are none."""
    marks: Vector[list[int]] = EMPTY_VECTOR
    """The places in the text that citations have, each with the number of the citation."""

    def numbered(self, first: int) -> Cited:
        """Return this part with another number for its first citation."""
        return Cited(self.part, self.citations, first, Vector.of(_marks(self.citations, 0, first)))


@attrs.frozen(eq=False)
class Content:
    """The parts of a message, and what they cite."""

    source: Vector[Part] = EMPTY_VECTOR
    """The parts as the state of the item has them."""
    parts: Vector[Cited] = EMPTY_VECTOR
    citations: Vector[Any] = EMPTY_VECTOR
    """Those of all parts, in order."""

    @classmethod
    def of(cls, parts: list[Json]) -> Content:
        """Return the content that consists of these parts."""
        return cls().after(Vector.of(map(Part.parse, parts)))

    def after(self, parts: Vector[Part]) -> Content:
        """Return the content that consists of these parts, of which most are in this one."""
        front, back = self.source.same_ends(parts)
        end, stop = len(self.source) - back, len(parts) - back
        before = [self.parts[index] for index in range(front, end)]
        number = first = 1 + self.parts.total_before(front, _count, 0)
        now = list[Cited]()
        for index in range(front, stop):
            known = before[index - front] if index < end else None
            now.append(_cited(parts[index], known, number))
            number += len(now[-1].citations)
        last = first + sum(map(_count, before))
        after = Content(
            parts,
            self.parts.spliced(front, end, now),
            _with_citations(self.citations, (first - 1, last - 1), before, now),
        )
        return after if number == last else after.numbered_from(stop, number)

    def numbered_from(self, index: int, number: int) -> Content:
        """Return this content, with other numbers for the citations of the parts from an index on.

        Args:
            index: that of the part.
            number: that of its first citation.
        """
        parts = self.parts
        while index < len(parts) and number <= len(self.citations):
            cited = parts[index]
            if cited.first:
                parts = parts.set(index, cited.numbered(number))
                number += len(cited.citations)
            index += 1
        return attrs.evolve(self, parts=parts)


def _count(cited: Cited) -> int:
    return len(cited.citations)


def _cited(part: Part, known: Cited | None, number: int) -> Cited:
    every = part.annotations if part.text is not None else None
    if not every:
        return Cited(part, EMPTY_VECTOR)
    citations = _objects(every, known)
    if not citations:
        return Cited(part, citations)
    if known is None or known.first != number:
        return Cited(part, citations, number, Vector.of(_marks(citations, 0, number)))
    same, _ = known.citations.same_ends(citations)
    marks, stay = known.marks, _count_below(known.marks, number + same)
    marks = marks.spliced(stay, len(marks), _marks(citations, same, number))
    return Cited(part, citations, number, marks)


def _count_below(marks: Vector[list[int]], number: int) -> int:
    """Return how many marks are of citations whose numbers are less than this one."""
    return bisect_left(range(len(marks)), number, key=lambda at: marks[at][1])


def _marks(citations: Vector[Any], first: int, number: int) -> list[list[int]]:
    """Return the marks of the citations from one on; `number` is that of the very first."""
    indexes = (whole_number(one.get("index")) for one in part_of(citations, first, len(citations)))
    return [
        [index, at]
        for at, index in enumerate(indexes, number + first)
        if index is not None and index >= 0
    ]


def _objects(every: Vector[Any], known: Cited | None) -> Vector[Any]:
    """Return the annotations that are objects; all of them are, unless a server is at fault."""
    first, end = 0, len(every)
    if known is not None and known.citations.root is _root(known.part.annotations):
        front, back = known.citations.same_ends(every)
        first, end = front, end - back
    if all(isinstance(every[index], dict) for index in range(first, end)):
        return every
    return Vector.of([one for one in every if isinstance(one, dict)])


def _root(values: Vector[Any] | None) -> object:
    return None if values is None else values.root


def _with_citations(
    every: Vector[Any], place: tuple[int, int], before: list[Cited], now: list[Cited]
) -> Vector[Any]:
    """Return all citations, with those of some parts in the place of those of others."""
    begin, end = place
    if len(before) == len(now) == 1:
        new = now[0].citations
        front, back = before[0].citations.same_ends(new)
        more = [new[index] for index in range(front, len(new) - back)]
        return every.spliced(begin + front, end - back, more)
    return every.spliced(begin, end, [one for cited in now for one in cited.citations])
