"""An event that was delivered twice: the same number, and the same event.

A reconnect that overlaps, or a queue that delivers at least once, puts an event into a log a second
time. Where the log numbers its events (in envelopes, or by the `id` of server-sent events), the
same number with the same event is that: it becomes a `Redelivered`, and folding it changes nothing.

The same number with another event begins another stream: a recorder restarted its counter, or a
file holds several streams. A new stream may begin with the very events of the one before it (the
stream options, the progress). So an event that came before is *held* until the next new event of
its thread decides. If that event has a number of the running stream, and the held events lead up to
it from the first number on, then another stream has begun, and the held events are part of it. All
later records wait behind the held ones, so that the order stays. Events of earlier streams are
recognised too, unless their numbers are the next ones of the running stream.

Some servers write an `id` that counts nothing: the id of the thread, or of the item. Where streams
keep beginning that get nowhere, the thread's numbers are not looked at any more.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from chatkit_reducer.events import Redelivered, Unreadable
from chatkit_reducer.logs._numbers import KEPT_EVENTS, Ascending, Memory, Number, Row

if TYPE_CHECKING:
    from chatkit_reducer.logs._records import Record

__all__ = ["Deliveries"]

_MOST_WAITING = 1_000
_MOST_BYTES = 4 * 1024 * 1024
_STRIKES = 2  # so often in a row a stream may begin again without having got anywhere
_ANYWHERE = 3  # events


class _WaitingRecord(Struct):
    """A record that cannot be passed on yet."""

    record: Record
    offset: int
    line: int
    size: int
    again: bool | None = None
    """Whether it was delivered twice; None while that is open."""


class _Stream(Struct):
    """The running stream of a thread: its numbers since they began."""

    number: int
    first: Number
    last: Number
    size: int = 0
    held: list[_WaitingRecord] = field(default_factory=list)
    strikes: int = 0
    counts: bool = True
    """Whether a number stands for one event, so that looking at it makes sense."""

    def goes_on_with(self, number: Number) -> bool:
        """Return whether this is the next number: then an earlier stream had the same event too."""
        last, value = _value(self.last), _value(number)
        return last is not None and value is not None and bool(value == last + 1)

    def begins_with(self, number: Number) -> bool:
        """Return whether the held events lead from the first number of a stream up to this one."""
        numbers = [one.record.sequence for one in self.held] + [number]
        values = [_value(number) for number in numbers]
        grows = None in values or all(one < other for one, other in pairwise(values))
        return len(numbers) > 1 and numbers[0] == self.first and grows


class Deliveries:
    """Finds the events of a log that were delivered twice, by their numbers.

    Args:
        rows_of: makes rows of a block once more that was passed before.
    """

    def __init__(self, rows_of: Callable[[bytes], list[Row]]) -> None:
        self._rows_of = rows_of
        self._ascending: Ascending | None = Ascending(self._rows)
        self._memory = Memory()
        self._streams: dict[str | None, _Stream] = {}
        self._stream_count = 0
        self._queue: deque[_WaitingRecord] = deque()
        self._size = 0

    @property
    def are_waiting(self) -> bool:
        """Whether records wait, so that the next ones have to wait behind them."""
        return bool(self._queue)

    def may_pass(self, block: bytes, numbers: Sequence[Any], rows: Callable[[], list[Row]]) -> bool:
        """Return whether all of a block may be passed on as it is.

        Args:
            block: some entries of the log.
            numbers: their numbers, None for an entry that has none.
            rows: makes the rows of the block, should they be needed.
        """
        without = numbers.count(None)
        if without or self._queue:
            return without == len(numbers) and not self._queue
        if self._ascending is not None:
            if self._ascending.feed(numbers, rows):
                self._ascending.keep(block, len(block))
                return True
            self._remember_the_past(self._ascending)
        return self._all_new(rows())

    def feed(self, record: Record, offset: int, line: int, size: int) -> list[Record]:
        """Take one more record; returns those that can be passed on now, in order."""
        number, event = record.sequence, record.event
        if number is None or number == "" or isinstance(event, Unreadable):
            return self._pass(_WaitingRecord(record, offset, line, size))
        row = (record.thread, number, event)
        if self._ascending is not None:
            if self._ascending.feed_one(row):
                self._ascending.keep([row], size)
                return [record]
            self._remember_the_past(self._ascending)
        return self._decide(row, _WaitingRecord(record, offset, line, size))

    def rest(self) -> list[Record]:
        """Return the records that wait at the end of the log: held ones were delivered twice."""
        for stream in self._streams.values():
            self._resolve(stream, again=True)
        return self._ready()

    def _rows(self, entries: bytes | list[Row]) -> list[Row]:
        return self._rows_of(entries) if isinstance(entries, bytes) else entries

    def _remember_the_past(self, ascending: Ascending) -> None:
        self._ascending = None
        for rows in ascending.kept():
            if not self._all_new(rows):
                for row in rows:
                    self._remember(row, Memory.key(*row))

    def _all_new(self, rows: list[Row]) -> bool:
        streams = {thread: self._stream_of(thread, number) for thread, number, _ in rows}
        if not all(stream.counts for stream in streams.values()):
            return not any(stream.counts for stream in streams.values())
        keys = Memory.keys(rows)
        numbers = [(streams[thread].number, number) for thread, number, _ in rows]
        if keys is None or not self._memory.remember_all(numbers, keys):
            return False
        last = {thread: number for thread, number, _ in rows}
        for thread, count in Counter(thread for thread, _, _ in rows).items():
            _go_on(streams[thread], last[thread], count)
        return True

    def _stream_of(self, thread: str | None, number: Number) -> _Stream:
        stream = self._streams.get(thread)
        if stream is None:
            if len(self._streams) >= 2 * KEPT_EVENTS:
                self._forget_streams()
            stream = self._streams[thread] = _Stream(self._next_stream(), number, number)
        return stream

    def _forget_streams(self) -> None:
        newest = list(self._streams.items())[KEPT_EVENTS:]
        with_item = [(thread, one) for thread, one in self._streams.items() if one.held]
        self._streams = dict([*with_item, *newest])

    def _next_stream(self) -> int:
        self._stream_count += 1
        return self._stream_count

    def _decide(self, row: Row, waiting: _WaitingRecord) -> list[Record]:
        thread, number, _ = row
        stream = self._stream_of(thread, number)
        key = Memory.key(*row) if stream.counts else None
        if key is None:
            return self._pass(waiting)
        is_known = self._memory.has_number(stream.number, number)
        came_before = self._memory.has_event(key)
        if came_before and (is_known or stream.held or not stream.goes_on_with(number)):
            stream.held.append(waiting)
            return self._wait(waiting)
        if is_known:
            self._begin_again(stream, number)
        else:
            self._resolve(stream, again=True)
        self._remember(row, key)
        return self._pass(waiting)

    def _remember(self, row: Row, key: int | None) -> None:
        thread, number, _ = row
        if key is not None:
            stream = self._stream_of(thread, number)
            self._memory.remember(stream.number, number, key)
            _go_on(stream, number, 1)

    def _begin_again(self, stream: _Stream, number: Number) -> None:
        """Begin another stream: a number of the running one came with another event."""
        got_nowhere = (number == stream.last and not stream.held) or (
            stream.size < _ANYWHERE and _value(number) is None
        )
        stream.strikes = stream.strikes + 1 if got_nowhere else 0
        stream.counts = stream.strikes < _STRIKES
        stream.number = self._next_stream()
        belonging = stream.held if stream.begins_with(number) else []
        self._resolve(stream, again=not belonging)
        numbers: list[Any] = [one.record.sequence for one in belonging]
        for held in numbers:
            self._memory.remember_number(stream.number, held)
        stream.size = len(numbers)
        if numbers:
            stream.first, stream.last = numbers[0], numbers[-1]
        else:
            stream.first = number

    def _resolve(self, stream: _Stream, *, again: bool) -> None:
        for waiting in stream.held:
            waiting.again = again
        stream.held = []

    def _pass(self, waiting: _WaitingRecord) -> list[Record]:
        if not self._queue:
            return [waiting.record]
        waiting.again = False
        return self._wait(waiting)

    def _wait(self, waiting: _WaitingRecord) -> list[Record]:
        self._queue.append(waiting)
        self._size += waiting.size
        if len(self._queue) > _MOST_WAITING or self._size > _MOST_BYTES:
            self._resolve(self._streams[self._queue[0].record.thread], again=True)
        return self._ready()

    def _ready(self) -> list[Record]:
        out: list[Record] = []
        while self._queue and self._queue[0].again is not None:
            waiting = self._queue.popleft()
            self._size -= waiting.size
            out.append(_as_redelivered(waiting) if waiting.again else waiting.record)
        return out


def _go_on(stream: _Stream, number: Number, count: int) -> None:
    """Count so many new events in the stream, the last one with this number."""
    moves = number != stream.last or count > 1
    if moves and (stream.size + count >= _ANYWHERE or _value(number) is not None):
        stream.strikes = 0
    stream.last = number
    stream.size += count


def _value(number: Any) -> Any:
    """Return a number as an integer; None for an id that is not a number."""
    if isinstance(number, str):
        return int(number) if number.isdecimal() and len(number) < 100 else None
    return number


def _as_redelivered(waiting: _WaitingRecord) -> Record:
    record, number = waiting.record, waiting.record.sequence
    assert not isinstance(record.event, Unreadable)  # that is never held
    reason = f"the event with the number {number!r} was delivered before"
    event = Redelivered(waiting.offset, waiting.line, reason, "", event=record.event)
    return replace(record, event=event)
