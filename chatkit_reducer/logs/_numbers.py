"""The memory of the numbers in a log, by which an event that comes again is recognised.

`Ascending` is the quick way of nearly every log: numbers that only grow cannot repeat, so it keeps
the bytes of the newest blocks, and nothing is computed. `Memory` takes over at the first number
that does not grow: it holds a digest of each event with its number.

Both are bounded. `Ascending` keeps the newest `KEPT_BYTES` of the log. `Memory` keeps two
generations of at most `KEPT_EVENTS` digests and drops the older one when the newer one is full: so
it always knows at least the last `KEPT_EVENTS` events with a number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import lt
from typing import Any, TypeAlias

import msgspec

from chatkit_reducer.core.codec import encode
from chatkit_reducer.errors import EncodeError

__all__ = ["KEPT_BYTES", "KEPT_EVENTS", "Ascending", "Memory", "Number", "Row"]

Number: TypeAlias = int | str

Row: TypeAlias = tuple[str | None, Any, Any]
"""A thread, a number and the event that came with it."""

KEPT_EVENTS = 65_536
KEPT_BYTES = 8 * 1024 * 1024

_LOWEST = float("-inf")
_NOT_WRITTEN = (OverflowError, RecursionError, TypeError, UnicodeEncodeError)
_encoder = msgspec.json.Encoder(order="deterministic")  # a database may reorder the keys


class Ascending:
    """Follows numbers that only grow: in the whole log, or else in each of its threads.

    An id that Python can read as an integer is one here: two that grow are never the same id.
    """

    def __init__(self, rows_of: Callable[[Any], list[Row]]) -> None:
        self._rows_of = rows_of
        self._top: float = _LOWEST
        self._by_thread: dict[str | None, int] | None = None
        self._kept: deque[tuple[Any, int]] = deque()
        self._size = 0

    def feed(self, numbers: Sequence[Any], rows: Callable[[], list[Row]]) -> bool:
        """Return whether these numbers grow. After a False, `kept` gives the rows before them.

        Args:
            numbers: those of some more entries of the log.
            rows: makes the rows of these entries, should they be needed.
        """
        if self._by_thread is None and self._grow(numbers):
            return True
        return self._grow_by_thread(rows())

    def feed_one(self, row: Row) -> bool:
        """Do as `feed` does, for one entry."""
        try:
            number = int(row[1])
        except ValueError:
            return False
        if number <= self._top or self._by_thread is not None:
            return self._grow_by_thread([row])
        self._top = number
        return True

    def keep(self, entries: Any, size: int) -> None:
        """Keep what `rows_of` can make rows of; it is so many bytes of the log."""
        self._kept.append((entries, size))
        self._size += size
        while self._size > KEPT_BYTES and len(self._kept) > 1:
            self._size -= self._kept.popleft()[1]

    def kept(self) -> Iterator[list[Row]]:
        """Yield the rows of the kept entries, oldest first."""
        return (self._rows_of(entries) for entries, _ in self._kept)

    def _grow(self, numbers: Sequence[Any]) -> bool:
        try:
            if type(numbers[0]) is not int:
                numbers = list(map(int, numbers))
            grow = numbers[0] > self._top and all(map(lt, numbers, islice(numbers, 1, None)))
        except (TypeError, ValueError):  # they are not all integers
            return False
        if grow:
            self._top = numbers[-1]
        return grow

    def _grow_by_thread(self, rows: list[Row]) -> bool:
        newest = self._by_thread
        if newest is None:
            newest = {thread: int(number) for rows in self.kept() for thread, number, _ in rows}
        for thread, text, _ in rows:
            try:
                number = int(text)
            except ValueError:
                return False
            if number <= newest.get(thread, _LOWEST):
                return False
            newest[thread] = number
        if len(newest) > 2 * KEPT_EVENTS:
            newest = dict(islice(newest.items(), KEPT_EVENTS, None))
        self._by_thread = newest
        return True


class Memory:
    """Digests of events with their numbers, and the numbers of each stream."""

    def __init__(self) -> None:
        self._count = 0
        self._keys: tuple[set[int], set[int]] = (set(), set())
        self._numbers: tuple[set[tuple[int, Number]], ...] = (set(), set())

    @staticmethod
    def key(thread: str | None, number: Number, event: Any) -> int | None:
        """Return a digest of an event and its number; None if the event cannot be compared."""
        try:
            return hash(_encoder.encode((thread, number, event)))
        except _NOT_WRITTEN:
            pass
        try:
            return hash((thread, number, encode(event)))
        except EncodeError:
            return None

    @staticmethod
    def keys(rows: Sequence[Row]) -> list[int] | None:
        """Return the keys of many events at once; None where one of them takes longer."""
        try:
            return list(map(hash, _encoder.encode_lines(rows).split(b"\n")[:-1]))
        except _NOT_WRITTEN:
            return None

    def has_event(self, key: int) -> bool:
        """Return whether this event came before, with this number."""
        return key in self._keys[0] or key in self._keys[1]

    def has_number(self, stream: int, number: Number) -> bool:
        """Return whether this number came before, in this stream."""
        return any((stream, number) in numbers for numbers in self._numbers)

    def remember_number(self, stream: int, number: Number) -> None:
        """Remember that the stream has this number."""
        self._numbers[0].add((stream, number))

    def remember(self, stream: int, number: Number, key: int) -> None:
        """Remember one more event."""
        if self._count == KEPT_EVENTS:
            self._count = 0
            self._keys = (set(), self._keys[0])
            self._numbers = (set(), self._numbers[0])
        self._count += 1
        self._keys[0].add(key)
        self.remember_number(stream, number)

    def remember_all(self, numbers: Iterable[tuple[int, Number]], keys: Sequence[int]) -> bool:
        """Remember many events at once, if all of them and their numbers are new and there is room.

        Returns:
            Whether they were; if not, nothing is remembered.
        """
        pairs = set(numbers)
        if not len(pairs) == len(set(keys)) == len(keys) <= KEPT_EVENTS - self._count:
            return False
        are_new = all(old.isdisjoint(keys) for old in self._keys)
        if not are_new or not all(old.isdisjoint(pairs) for old in self._numbers):
            return False
        self._count += len(keys)
        self._keys[0].update(keys)
        self._numbers[0].update(pairs)
        return True
