"""Two containers that are cheap to change without changing.

A reducer returns a new state for every event, and old states stay valid. Copying a dict or a tuple
for each event would make the cost of an event grow with the history behind it, so states are built
from two structures that share their unchanged parts:

* `AppendList`: many values of one list that all read a prefix of it. Appending to the newest value
  appends to the list itself; appending to an older one copies. O(1) for a stream, which only ever
  appends to its newest state.
* `Map`: a hash trie of small dicts. Setting a key copies one dict of at most 32 entries and the
  few tuples above it, at any size of the map.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeAlias, TypeVar

from chatkit_reducer.core.by_content import ByContent

__all__ = ["EMPTY_LIST", "EMPTY_MAP", "AppendList", "Map", "append_shared"]

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")


def append_shared(cells: list[T], count: int, value: T) -> list[T]:
    """Return a list that holds the first `count` of `cells`, and then `value`.

    It is `cells` itself where its end is at `count`, else a copy. Two threads may extend the same
    list at the same time, so the cell is checked after the append: only one of them can own it,
    the other copies. (Checked by identity; should both append the very same object, both are
    right.)
    """
    if len(cells) == count:
        cells.append(value)
        if cells[count] is value:
            return cells
    return [*cells[:count], value]


class AppendList(ByContent, Generic[T], frozen=True, gc=False, eq=False):
    """An immutable sequence: the first `count` of `cells`; the rest belongs to newer lists."""

    cells: list[T]
    count: int

    @classmethod
    def of(cls, values: Iterable[T]) -> AppendList[T]:
        """Return a sequence of these values, sharing nothing with anyone."""
        cells = list(values)
        return cls(cells, len(cells))

    def append(self, value: T) -> AppendList[T]:
        """Return this sequence and one more value at its end; O(1) for the newest of its line."""
        if self.count == 0:  # the empty sequence is shared by everyone, and its list stays empty
            return AppendList([value], 1)
        return AppendList(append_shared(self.cells, self.count, value), self.count + 1)

    def insert(self, index: int, value: T) -> AppendList[T]:
        """Insert `value` before `index`, counted from 0; O(1) at the end, else O(n)."""
        if index == self.count:
            return self.append(value)
        cells = self.cells[: self.count]
        cells.insert(index, value)
        return AppendList(cells, self.count + 1)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[T]:
        return iter(self.cells[: self.count])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AppendList):
            return NotImplemented
        if self.count == other.count and self.cells is other.cells:
            return True
        return list(self) == list(other)


_BITS = 5
_MASK = (1 << _BITS) - 1
_LEAF = 1 << _BITS
_LAST_SHIFT = 60  # a hash has no more bits: keys that agree on all of them share one large leaf

_Node: TypeAlias = "dict[Any, Any] | tuple[Any, ...]"


class Map(ByContent, Generic[K, V], frozen=True, gc=False, eq=False):
    """An immutable mapping. Iteration order is arbitrary: what needs order keeps a number."""

    root: _Node
    count: int

    @classmethod
    def of(cls, values: dict[K, V]) -> Map[K, V]:
        """Return a map of these values, sharing nothing with anyone."""
        return cls(_node(values.copy(), 0), len(values))

    def get(self, key: K) -> V | None:
        """Return the value of `key`, or None."""
        node = self.root
        if type(node) is not dict:
            bits = hash(key)
            while type(node) is tuple:
                node = node[bits & _MASK]
                bits >>= _BITS
        return node.get(key)  # type: ignore[union-attr]  # the loop ends at a dict

    def set(self, key: K, value: V) -> Map[K, V]:
        """Return this map with `value` at `key`."""
        if type(self.root) is dict:  # most maps are small
            values = {**self.root, key: value}
            return Map(_node(values, 0), len(values))
        added = 0 if key in self else 1
        return Map(_put(self.root, key, value, hash(key), 0), self.count + added)

    def without(self, key: K) -> Map[K, V]:
        """Return this map without `key`; itself where it has none."""
        if key not in self:
            return self
        return Map(_drop(self.root, key, hash(key)), self.count - 1)

    def updated(self, changes: Mapping[K, V | None]) -> Map[K, V]:
        """Return this map with these values; a key whose value is None is dropped."""
        # Making it anew costs less than many changes one by one.
        if len(changes) > 1 and len(changes) * 8 > self.count:
            merged = {**dict(self.items()), **changes}
            return Map.of({key: value for key, value in merged.items() if value is not None})
        out = self
        for key, value in changes.items():
            out = out.without(key) if value is None else out.set(key, value)
        return out

    def __contains__(self, key: K) -> bool:
        return self.get(key) is not None

    def __len__(self) -> int:
        return self.count

    def items(self) -> Iterator[tuple[K, V]]:
        """All pairs, in no particular order."""
        return _pairs(self.root)

    def changed_keys(self, other: Map[K, V]) -> Iterator[K]:
        """Return the keys whose value is not the same object in both maps, in no particular order.

        Shared nodes are skipped, so the cost is that of the changes between the two.
        """
        todo: list[tuple[_Node, _Node]] = [(self.root, other.root)]
        while todo:
            mine, theirs = todo.pop()
            if mine is theirs:
                continue
            if isinstance(mine, tuple) and isinstance(theirs, tuple):
                todo.extend(zip(mine, theirs, strict=True))
                continue
            one, two = dict(_pairs(mine)), dict(_pairs(theirs))
            yield from [key for key in {**one, **two} if one.get(key) is not two.get(key)]

    def values(self) -> Iterator[V]:
        """All values, in no particular order."""
        return (value for _, value in self.items())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Map):
            return NotImplemented
        return self.root is other.root or dict(self.items()) == dict(other.items())


def _pairs(root: _Node) -> Iterator[tuple[Any, Any]]:
    nodes: list[_Node] = [root]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            yield from node.items()
        else:
            nodes.extend(node)


def _put(node: _Node, key: Any, value: Any, bits: int, shift: int) -> _Node:
    if isinstance(node, dict):
        return _node({**node, key: value}, shift)
    slot = bits & _MASK
    child = _put(node[slot], key, value, bits >> _BITS, shift + _BITS)
    return (*node[:slot], child, *node[slot + 1 :])


def _node(values: dict[Any, Any], shift: int) -> _Node:
    if len(values) <= _LEAF or shift > _LAST_SHIFT:
        return values
    children: list[dict[Any, Any]] = [{} for _ in range(_LEAF)]
    for key, value in values.items():
        children[(hash(key) >> shift) & _MASK][key] = value
    return tuple([_node(child, shift + _BITS) for child in children])


def _drop(node: _Node, key: Any, bits: int) -> _Node:
    if isinstance(node, dict):
        return {k: v for k, v in node.items() if k != key}
    slot = bits & _MASK
    return (*node[:slot], _drop(node[slot], key, bits >> _BITS), *node[slot + 1 :])


EMPTY_MAP: Map[Any, Any] = Map({}, 0)
EMPTY_LIST: AppendList[Any] = AppendList([], 0)
