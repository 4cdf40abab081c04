"""`Vector`: a list that is cheap to change anywhere without changing.

It is a tree whose leaves hold up to 32 values, and whose branches know how many values are below
each child. Setting, inserting or removing a value copies one leaf and the few branches above it,
at any length: O(log n). (`persistent.AppendList` is cheaper where values are only ever
appended to the newest list.)
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate, takewhile
from operator import is_
from typing import Any, Generic, TypeAlias, TypeVar, final

from msgspec import Struct
from msgspec.structs import force_setattr

from chatkit_reducer.core.by_content import ByContent

__all__ = ["EMPTY_VECTOR", "Vector"]

T = TypeVar("T")

_WIDTH = 32

_Measure: TypeAlias = "Callable[[Any], Any]"


@final
class _Leaf(Struct, frozen=True, gc=False):
    values: tuple[Any, ...]
    total: Any = None
    """The sum of a measure over all values, filled at the first `Vector.total`."""

    @property
    def size(self) -> int:
        return len(self.values)


@final
class _Branch(Struct, frozen=True, gc=False):
    children: tuple[_Node, ...]
    ends: tuple[int, ...]
    """For each child, how many values are in it and in those before it."""
    total: Any = None

    @property
    def size(self) -> int:
        return self.ends[-1]


_Node: TypeAlias = "_Leaf | _Branch"


@final
class Vector(ByContent, Generic[T], frozen=True, gc=False, eq=False):
    """An immutable list. Indexes count from 0, and must not be negative."""

    root: _Node
    count: int

    @classmethod
    def of(cls, values: Iterable[T]) -> Vector[T]:
        """Make a vector of these values."""
        every = tuple(values)
        if not every:
            return EMPTY_VECTOR
        if len(every) <= _WIDTH:
            return cls(_Leaf(every), len(every))
        nodes: list[_Node] = [_Leaf(part) for part in _slices(every)]
        while len(nodes) > 1:
            nodes = [_branch(part) for part in _slices(tuple(nodes))]
        return cls(nodes[0], len(every))

    def __getitem__(self, index: int) -> T:
        if not 0 <= index < self.count:
            raise IndexError(f"expected an index from 0 to {self.count - 1}, got {index}")
        node = self.root
        while type(node) is _Branch:
            node, index = _child(node, index)[1:]
        value: T = node.values[index]
        return value

    def set(self, index: int, value: T) -> Vector[T]:
        """Return this vector with `value` at an index that it has."""
        root = self.root
        if type(root) is _Leaf:  # most vectors are short
            return Vector(
                _Leaf((*root.values[:index], value, *root.values[index + 1 :])), self.count
            )
        return Vector(_put(root, index, index + 1, (value,))[0], self.count)

    def insert(self, index: int, value: T) -> Vector[T]:
        """Return this vector with `value` before the one at `index`; at the end for its length."""
        root, count = self.root, self.count
        if type(root) is _Leaf and count < _WIDTH:  # most vectors are short
            values = root.values
            if index == count:
                return Vector(_Leaf((*values, value)), count + 1)
            return Vector(_Leaf((*values[:index], value, *values[index:])), count + 1)
        nodes = _put(root, index, index, (value,))
        return Vector(nodes[0] if len(nodes) == 1 else _branch(nodes), count + 1)

    def append(self, value: T) -> Vector[T]:
        """Return this vector with `value` behind all others."""
        return self.insert(self.count, value)

    def append_shared(self, values: list[T]) -> Vector[T]:
        """Return this vector with these values behind its own."""
        if len(values) * 8 > self.count:  # then making it anew costs less
            return Vector.of([*self, *values] if self.count else values)
        out = self
        for value in values:
            out = out.append(value)
        return out

    def without(self, index: int) -> Vector[T]:
        """Return this vector without the value at `index`."""
        nodes = _put(self.root, index, index + 1, ())
        return Vector(nodes[0] if nodes else _Leaf(()), self.count - 1)

    def updated(self, changes: Mapping[int, T]) -> Vector[T]:
        """Return this vector with other values at these indexes.

        Indexes from its length on are appended; without a gap between them.
        """
        if len(changes) * 8 > self.count:  # then making it anew costs less than change by change
            values = {**dict(enumerate(self)), **changes}
            return Vector.of([values[index] for index in range(len(values))])
        out = self
        for index in sorted(changes):
            value = changes[index]
            out = out.set(index, value) if index < out.count else out.append(value)
        return out

    def total(self, measure: _Measure, nothing: Any) -> Any:
        """Return the sum of `measure(value)` over all values, beginning with `nothing`.

        The sums are remembered in the nodes: after a change only those above it are made anew. So
        one kind of vector must always be asked with the same measure.
        """
        return _total(self.root, measure, nothing) if self.count else nothing

    def total_before(self, index: int, measure: _Measure, nothing: Any) -> Any:
        """Return the sum of `measure(value)` over the values before an index; see `total`."""
        node, total = self.root, nothing
        while type(node) is _Branch and index:
            place, child, inner = _child(node, index)
            for other in node.children[:place]:
                total += _total(other, measure, nothing)
            node, index = child, inner
        if type(node) is _Leaf:
            for value in node.values[:index]:
                total += measure(value)
        return total

    def spliced(self, start: int, stop: int, values: list[T]) -> Vector[T]:
        """Return this vector with these values in the place of those from `start` to `stop`."""
        if (stop - start + len(values)) * 8 > self.count:  # then making it anew costs less
            every = list(self)
            return Vector.of([*every[:start], *values, *every[stop:]])
        out = self
        for index, value in enumerate(values, start):
            out = out.set(index, value) if index < stop else out.insert(index, value)
        for _ in range(start + len(values), stop):
            out = out.without(start + len(values))
        return out

    def same_ends(self, other: Vector[T]) -> tuple[int, int]:
        """Return how many values at the front are the same objects, and how many at the back.

        No value of the other vector counts twice. What both share is skipped, so the cost is that
        of the nodes above the first and the last change.
        """
        least = min(self.count, other.count)
        front = _same_at_end(self.root, other.root, 1)
        if front == least:
            return front, 0
        return front, min(_same_at_end(self.root, other.root, -1), least - front)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[T]:
        nodes: list[_Node] = [self.root]
        while nodes:
            node = nodes.pop()
            if type(node) is _Branch:
                nodes.extend(reversed(node.children))
            else:
                yield from node.values

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vector):
            return NotImplemented
        return self.root is other.root or list(self) == list(other)


def _slices(values: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(values), _WIDTH):
        yield values[start : start + _WIDTH]


def _branch(children: tuple[_Node, ...]) -> _Branch:
    return _Branch(children, tuple(accumulate([child.size for child in children])))


def _child(node: _Branch, index: int) -> tuple[int, _Node, int]:
    """Return the place of the child with the value at `index`, the child, and the index in it."""
    place = min(bisect_right(node.ends, index), len(node.ends) - 1)  # the end is in the last one
    start = node.ends[place - 1] if place else 0
    return place, node.children[place], index - start


def _put(node: _Node, start: int, stop: int, values: tuple[Any, ...]) -> tuple[_Node, ...]:
    """Return the nodes that take the place of this one: none, one or two.

    In them, `values` (at most one) stands in the place of those from `start` to `stop` (at most
    one).
    """
    if type(node) is _Leaf:
        inside = (*node.values[:start], *values, *node.values[stop:])
        return tuple([_Leaf(part) for part in _halves(inside, at_end=start == node.size)])
    assert type(node) is _Branch
    place, child, inner = _child(node, start)
    below = _put(child, inner, inner + stop - start, values)
    children = (*node.children[:place], *below, *node.children[place + 1 :])
    at_end = place == len(node.children) - 1
    return tuple([_branch(part) for part in _halves(children, at_end=at_end)])


def _halves(values: tuple[Any, ...], *, at_end: bool) -> Iterator[tuple[Any, ...]]:
    """Return the values in as many pieces as nodes must hold them."""
    if len(values) > _WIDTH:
        half = _WIDTH if at_end else _WIDTH // 2  # what grows at its end has full nodes
        yield values[:half]
        yield values[half:]
    elif values:
        yield values


def _same_at_end(one: _Node, other: _Node, way: int) -> int:
    """Return how many values are the same objects, from the front (1) or from the back (-1)."""
    same, mine, theirs = 0, [one], [other]
    while mine and theirs:
        node, its = mine.pop(), theirs.pop()
        if node is its:
            same += node.size
        elif type(node) is _Leaf and type(its) is _Leaf:
            values, others = node.values[::way], its.values[::way]
            count = sum(takewhile(bool, map(is_, values, others)))
            same += count
            if count < min(len(values), len(others)):
                break
            mine.append(_Leaf(values[count:][::way]))
            theirs.append(_Leaf(others[count:][::way]))
            _drop_empty(mine)
            _drop_empty(theirs)
        else:
            _open(mine, node, way)
            _open(theirs, its, way)
    return same


def _drop_empty(nodes: list[_Node]) -> None:
    if not nodes[-1].size:
        nodes.pop()


def _open(nodes: list[_Node], node: _Node, way: int) -> None:
    """Put the children of a node on a stack, the next one on top; a leaf as it is."""
    nodes.extend(node.children[::-way] if type(node) is _Branch else (node,))


def _total(node: _Node, measure: _Measure, nothing: Any) -> Any:
    if node.total is None:
        total = nothing
        if type(node) is _Branch:
            for child in node.children:
                total += _total(child, measure, nothing)
        else:
            for value in node.values:
                total += measure(value)
        force_setattr(node, "total", total)
    return node.total


EMPTY_VECTOR: Vector[Any] = Vector(_Leaf(()), 0)
