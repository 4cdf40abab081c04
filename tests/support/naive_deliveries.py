"""Which records of a log were delivered before, worked out slowly: no bounds, nothing kept ready.

The rules are those of `chatkit_reducer.logs._deliveries`, told of a whole log that is in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from chatkit_reducer import encode
from chatkit_reducer.errors import EncodeError
from chatkit_reducer.events import Redelivered, Unreadable
from chatkit_reducer.logs import Record


class Placed(NamedTuple):
    record: Record
    offset: int
    line: int


def without_repeats(log: Sequence[Placed]) -> list[Record]:
    """The records of a log, with a `Redelivered` wherever one was delivered before."""
    records = [placed.record for placed in log]
    for thread in {record.thread for record in records}:
        places = [
            n for n, one in enumerate(records) if one.thread == thread and text_of(one) is not None
        ]
        for n in repeats(places, records):
            records[n] = redelivered(log[n])
    return records


def text_of(record: Record) -> bytes | None:
    if record.sequence in (None, "") or isinstance(record.event, Unreadable):
        return None
    try:
        return encode(record.event)
    except EncodeError:
        return None


def redelivered(placed: Placed) -> Record:
    record = placed.record
    reason = f"the event with the number {record.sequence!r} was delivered before"
    event: Any = record.event
    return replace(record, event=Redelivered(placed.offset, placed.line, reason, "", event=event))


def repeats(places: list[int], records: list[Record]) -> list[int]:
    """Those of the places, all of one thread, at which an event comes again."""
    seen: set[Any] = set()
    stream: list[Any] = []  # the numbers since they began
    held: list[int] = []
    found: list[int] = []
    strikes = 0
    for n in places:
        number = records[n].sequence
        key = (number, type(number), text_of(records[n]))
        if key in seen and (held or number in stream or not follows(stream, number)):
            held.append(n)
            continue
        if number in stream:
            nowhere = (number == stream[-1] and not held) or (
                len(stream) < 3 and value(number) is None
            )
            strikes = strikes + 1 if nowhere else 0
            numbers = [records[one].sequence for one in held]
            if numbers and numbers[0] == stream[0] and leads(numbers, number):
                held, stream = [], numbers
            else:
                stream = []
            found += held
            held = []
            if strikes == 2:
                return found
            before = None if not stream else stream[-1]
        else:
            found += held
            held = []
            before = stream[-1] if stream else None
        seen.add(key)
        stream.append(number)
        if number != (before if before is not None else number) and (
            value(number) is not None or len(stream) >= 3
        ):
            strikes = 0
    return found + held


def follows(stream: list[Any], number: Any) -> bool:
    before, after = value(stream[-1]), value(number)
    return before is not None and after is not None and after == before + 1


def leads(numbers: list[Any], number: Any) -> bool:
    values = [value(one) for one in [*numbers, number]]
    return None in values or values == sorted(set(values))


def value(number: Any) -> Any:
    if isinstance(number, str):
        return int(number) if number.isdecimal() and len(number) < 100 else None
    return number
