"""Find the row that decides a case, the rows that never do, and the open cases, without trying all.

A row speaks for a type of items (or all), for an id or all that begin alike (or all), and for some
combinations of the rest, which are bits of a mask. Whether it is dead, the earlier rows say that
have the same type or `*`, and the same ids, a shorter beginning of them, or `*`. No others can take
all from it: among the ids that a row speaks for there is always one that no narrower pattern names,
and among the types that `*` speaks for one that no row names. For the same reason a table is total
exactly if its rows for all types and all ids are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["RowIndex", "matches_id"]

_ANY = "*"


def matches_id(pattern: str, item_id: str) -> bool:
    """Whether a pattern speaks for an id: it is the id, or its beginning and `*`."""
    if pattern.endswith(_ANY):
        return item_id.startswith(pattern[:-1])
    return item_id == pattern


class RowIndex:
    """The rows of a table by type and id.

    Args:
        rows: for each its type, its pattern of ids, and a bit for each combination of the rest.
    """

    __slots__ = ("_lengths", "_rows", "covered", "dead")

    def __init__(self, rows: Sequence[tuple[str, str, int]]) -> None:
        self._rows: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._lengths: set[int] = set()
        self.dead: list[int] = []
        """The numbers of the rows that can never match, from 0."""
        taken: dict[tuple[str, str], int] = {}
        for number, (item, pattern, mask) in enumerate(rows):
            key = item, pattern
            if pattern != _ANY and pattern.endswith(_ANY):
                self._lengths.add(len(pattern) - 1)
            before = 0
            for including in self._keys(item, pattern.removesuffix(_ANY), pattern):
                before |= taken.get(including, 0)
            if not mask & ~before:
                self.dead.append(number)
            taken[key] = taken.get(key, 0) | mask
            self._rows.setdefault(key, []).append((number, mask))
        self.covered: int = taken.get((_ANY, _ANY), 0)
        """The combinations that are decided for every type and id."""

    def first(self, item: str, item_id: str, bit: int) -> int | None:
        """Return the number of the first row that speaks for an item; None if none does."""
        found = (self._first_at(key, bit) for key in self._keys(item, item_id, item_id))
        return min((number for number in found if number is not None), default=None)

    def _first_at(self, key: tuple[str, str], bit: int) -> int | None:
        return next((number for number, mask in self._rows.get(key, ()) if mask & bit), None)

    def _keys(self, item: str, beginning: str, exact: str) -> Iterator[tuple[str, str]]:
        """Where the rows are that speak for a type and for all ids with this beginning."""
        patterns = {exact, _ANY}
        patterns.update(
            f"{beginning[:length]}{_ANY}" for length in self._lengths if length <= len(beginning)
        )
        for kind in {item, _ANY}:
            for pattern in patterns:
                yield kind, pattern
