"""Sequence numbers that do not follow each other: an event that was lost, or recorded twice.

A recorder may count for the whole log, or for each thread: whichever explains the log better holds.
A recorder that begins again with the number it began with records another response.
"""

from __future__ import annotations

import attrs

from chatkit_reducer.events import Unreadable, wire_type
from chatkit_reducer.logs import Record

__all__ = ["Break", "Sequences"]


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

    first: int | None = None
    last: int = 0
    unreadable: int = 0
    """How many pieces since the last number could not be read: they account for missing numbers."""

    def follows(self, number: int) -> bool:
        """Whether this number may come next; it counts as the last one from now on."""
        first, expected, unreadable = self.first, self.last + 1, self.unreadable
        self.last, self.unreadable = number, 0
        if first is None:
            self.first = number
            return True
        begins_again = number == first and expected > first + 1
        return begins_again or expected <= number <= expected + unreadable


class Sequences:
    """Follows the integer sequence numbers of envelopes."""

    def __init__(self) -> None:
        self._of_log = _Counter()
        self._of_threads: dict[str | None, _Counter] = {}
        self._in_log: list[Break] = []
        self._in_threads: list[Break] = []

    def take(self, thread: str | None, record: Record, position: int) -> None:
        """Follows one more record; `position` is how many events came before it."""
        of_thread = self._counter_of(thread)
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

    def _counter_of(self, thread: str | None) -> _Counter:
        if thread is not None and None in self._of_threads:  # now it has a name
            self._of_threads[thread] = self._of_threads.pop(None)
        return self._of_threads.setdefault(thread, _Counter())

    def breaks(self) -> list[Break]:
        """Where the numbers do not follow each other.

        To count for each thread explains every number that opens a thread, even one behind a gap.
        So those do not tell which way the recorder counts.
        """
        telling = [found for found in self._in_log if not found.opens_thread]
        return self._in_threads if len(self._in_threads) < len(telling) else self._in_log
