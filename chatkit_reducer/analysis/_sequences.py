"""Sequence numbers that do not follow each other: an event was lost, or recorded out of order.

A recorder may count for the whole log, or for each thread: the way that explains the log better
holds.
A recorder that begins again with the number it began with records another response, and so does one
that uses a number of its thread again: the same event under the same number is a `Redelivered`,
which the log itself tells (`chatkit_reducer.logs._deliveries`), and does not count here.
"""

from __future__ import annotations

import attrs

from chatkit_reducer.events import Redelivered, Unreadable, wire_type
from chatkit_reducer.logs import Record
from chatkit_reducer.logs.threads import PerThread

__all__ = ["Break", "Sequences"]

_REMEMBERED = 1_000


@attrs.frozen
class Break:
    """A sequence number that does not follow the last one."""

    thread: str | None
    event: str
    position: int
    last: int
    number: int
    opens_thread: bool
    """Whether it is the first number of its thread."""


@attrs.define
class _Counter:
    """One row of numbers."""

    of_thread: bool
    first: int | None = None
    last: int = 0
    missing: set[int] = attrs.Factory(set)
    """Numbers that were passed over, as far as they are remembered: they may come late."""
    unreadable: int = 0
    """How many pieces since the last number could not be read: they account for missing numbers."""

    def follows(self, number: int) -> bool:
        """Whether this number may come next; it counts as the last one from now on."""
        first, expected, unreadable = self.first, self.last + 1, self.unreadable
        self.last, self.unreadable = number, 0
        if first is None:
            self.first = number
            return True
        if self.of_thread and first <= number < expected and number not in self.missing:
            self.first = number
            self.missing.clear()
            return True
        if number in self.missing:
            self.missing.discard(number)
            self.last = expected - 1
            return False
        if len(self.missing) + number - expected < _REMEMBERED:
            self.missing.update(range(expected, number))
        begins_again = number == first and expected > first + 1
        return begins_again or expected <= number <= expected + unreadable


class Sequences:
    """Follows the integer sequence numbers of envelopes."""

    def __init__(self) -> None:
        self._of_log = _Counter(of_thread=False)
        self._of_threads = PerThread(lambda: _Counter(of_thread=True))
        self._in_log: list[Break] = []
        self._in_threads: list[Break] = []

    def take(self, thread: str | None, record: Record, position: int) -> None:
        """Follow one more record; `position` counts the events up to it, and it as well."""
        if isinstance(record.event, Redelivered):
            return
        of_thread = self._of_threads[thread]
        if isinstance(record.event, Unreadable):
            self._of_log.unreadable += 1
            of_thread.unreadable += 1
            return
        number = record.sequence
        if not isinstance(number, int) or isinstance(number, bool):
            return
        opens = of_thread.first is None
        for counter, breaks in ((self._of_log, self._in_log), (of_thread, self._in_threads)):
            last = counter.last
            if not counter.follows(number):
                event = wire_type(record.event)
                breaks.append(Break(thread, event, position, last, number, opens))

    def breaks(self) -> list[Break]:
        """Return the places where the numbers do not follow each other.

        Counting for each thread accepts any first number, so first numbers are not evidence for
        either way of counting and are ignored.
        """
        telling = [found for found in self._in_log if not found.opens_thread]
        return self._in_threads if len(self._in_threads) < len(telling) else self._in_log
