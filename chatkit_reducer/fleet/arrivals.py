"""The events of one thread as they arrived, put into order, each once.

They may come from several files, late, and twice. Rules for this file:

1. Files count in the order of their names, and the entries of a file in the order of the file.
2. Where entries have a time, the times merge the files. Within a file the time counts only for
   entries that have a number as well: a clock may be set back.
3. Numbers are the last word, within one *run* of them: entries are sorted by number. A number that
   comes again with another event begins another run, because a recorder restarted its counter.
4. An event that comes again with its number from another file was delivered twice, and is dropped.
   Within a file the reader has found those; see `logs`.

An id that is not an integer says nothing about the order. An entry without a number stays behind
the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from chatkit_reducer.core.codec import encode
from chatkit_reducer.events import Event, KnownEvent, Unreadable

__all__ = ["Arrival", "in_order", "number_of"]

if TYPE_CHECKING:
    _Decoded: TypeAlias = Event | Unreadable
else:  # msgspec cannot decode a union of tagged and untagged classes, and need not
    _Decoded = KnownEvent

_DIGITS = 18  # of a number that 64 bits hold
_Moment: TypeAlias = tuple[int, Any]
_NEVER: _Moment = (-1, 0)


class Arrival(Struct, frozen=True, gc=False, array_like=True):
    """One entry of a log, with the place at which it stands."""

    thread: str | None
    source: int
    """The number of the file, in the order of the names."""
    position: int
    """How many events of the file come before it."""
    place: int
    """How many entries of the file come before it."""
    number: int | None
    time: int | float | str | None
    event: _Decoded


def number_of(sequence: int | str | None) -> int | None:
    """Return a sequence number as an integer; None for an id that does not count anything."""
    if isinstance(sequence, str):
        return int(sequence) if sequence.isdecimal() and len(sequence) <= _DIGITS else None
    if isinstance(sequence, bool) or sequence is None:
        return None
    return sequence if abs(sequence) < 10**_DIGITS else None


_place = attrgetter("source", "place")


def in_order(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Return the entries of one thread in order, each once."""
    placed = sorted(arrivals, key=_place)
    if _is_plain(placed):
        return placed
    return [one for run in _runs(_merged(placed)) for one in _by_number(run)]


def _is_plain(placed: Sequence[Arrival]) -> bool:
    """Whether the entries are in order as they stand: of one file, and their numbers only grow."""
    if placed[0].source != placed[-1].source:
        return False
    last = -(10**_DIGITS)
    for one in placed:
        if one.number is not None:
            if one.number <= last:
                return False
            last = one.number
    return True


def _merged(placed: Sequence[Arrival]) -> list[Arrival]:
    """Return the entries in the order of their times, where they have some."""
    keys = list(_moments(placed))
    order = sorted(range(len(placed)), key=keys.__getitem__)
    return [placed[at] for at in order]


def _moments(placed: Sequence[Arrival]) -> Iterator[tuple[_Moment, int]]:
    """Yield a key for each entry: its time, and then its number."""
    source, newest, key = -1, _NEVER, (_NEVER, 0)
    for one in placed:
        if one.source != source:
            source, newest, key = one.source, _NEVER, (_NEVER, 0)
        moment = newest if one.time is None else _moment(one.time)
        newest = max(newest, moment)
        # One without a number stays where it is in its file.
        key = (newest, key[1]) if one.number is None else (moment, one.number)
        yield key


def _moment(time: float | str) -> _Moment:
    if not isinstance(time, str):
        return 0, time
    try:
        found = datetime.fromisoformat(time)
    except ValueError:
        return 1, time
    return 0, (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _runs(arrivals: Sequence[Arrival]) -> list[list[Arrival]]:
    """Split the entries where the numbers begin anew, and drop those that were delivered twice."""
    runs: list[list[Arrival]] = [[]]
    numbers: set[int] = set()
    known: dict[tuple[int, bytes], int] = {}
    held: list[Arrival] = []
    last: int | None = None
    for one in arrivals:
        number = one.number
        if number is None or isinstance(one.event, Unreadable):
            runs[-1].append(one)
            continue
        key = number, encode(one.event)
        came_from = known.get(key)
        known[key] = one.source
        is_next = last is not None and number == last + 1 and number not in numbers
        counts_nothing = number == last and came_from == one.source
        if came_from is not None and not is_next and not counts_nothing:
            held.append(one)
            continue
        if number in numbers and (held or number != last):  # the held ones may begin a new run
            runs.append(held)
            numbers = {each.number for each in held if each.number is not None}
        held = []
        runs[-1].append(one)
        numbers.add(number)
        last = number
    return runs


def _by_number(run: Sequence[Arrival]) -> list[Arrival]:
    """Sort a run; one without a number stays behind the one before it."""
    keys: list[int] = []
    last = -(10**_DIGITS)
    for one in run:
        last = last if one.number is None else one.number
        keys.append(last)
    return [run[at] for at in sorted(range(len(run)), key=keys.__getitem__)]
