"""The records of a response: lines of this package's log format, and their meaning at a recovery.

    {"seq": 0, "time": ..., "thread": "t", "event": {"type": "journal.opened", "response": ...}}
    {"seq": 1, "time": ..., "base": true, "event": {"type": "thread.item.done", ...}}
    {"seq": 2, "time": ..., "event": {"type": "thread.item.added", ...}}
    {"seq": 3, "time": ..., "event": {"type": "journal.settled", "settlement": {...}}}
    {"seq": 4, "time": ..., "event": {"type": "journal.closed"}}

The first line is the header; a backend keeps it as a line or in a form of its own. `seq` is the
position. A record marked `base` is an item that the store had, which an update needs. The journal's
own events are of types that a fold does not know, so that a journal is a log as it stands.

The consumer of a stream asks for the next event when it has stored and sent the last one. So an
event in the journal proves that the event before it was stored, and the last one alone is in doubt:
`delivered` is the fold of all events but the last.

Where a response goes on for a time of grace, two more records say who sees its events:

    {"seq": 5, "time": ..., "event": {"type": "journal.left", "grace": 15.0}}
    {"seq": 6, "time": ..., "event": {"type": "thread.item.done", ...}}
    {"seq": 7, "time": ..., "event": {"type": "journal.returned"}}

The events behind `left` are held back: the client and the store do not have them. They count from
`returned` on, and are in doubt together, until the next record says that they are stored. Without
it they never count, and the settlement is that of the thread as of the position of `left`.
"""

from __future__ import annotations

import time as clock
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import msgspec
from msgspec import Struct

from chatkit_reducer.core.codec import MALFORMED, decode_json, encode, from_json
from chatkit_reducer.core.fold.folder import fold
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.errors import ChatKitReducerError, DecodeError
from chatkit_reducer.events import (
    Event,
    Json,
    KnownEvent,
    ThreadItemDone,
    UnknownEvent,
    Unreadable,
)
from chatkit_reducer.journal.protocol import FORMAT, Header, JournalError

__all__ = [
    "CLOSED",
    "LEFT",
    "OPENED",
    "OWN",
    "RETURNED",
    "SETTLED",
    "Entry",
    "Recovered",
    "base_record",
    "closed_record",
    "decode_record",
    "decode_records",
    "event_record",
    "header_line",
    "header_of",
    "is_closing",
    "is_own",
    "left_record",
    "may_become_header",
    "recovered",
    "require_known_format",
    "returned_record",
    "settled_record",
    "settlement_of",
    "time_of",
]

OWN = "journal."
"""The types of the events of the journal itself begin so."""
OPENED = "journal.opened"
LEFT = "journal.left"
RETURNED = "journal.returned"
SETTLED = "journal.settled"
CLOSED = "journal.closed"

_CLOSING = b'"event":{"type":"journal.closed"'
_CLOSING_AT_MOST = 160
_BEGINNING = b'{"seq":0,"time":'
_EVENT = b'"event":'
_OPENING = _EVENT + b'{"type":"journal.opened"'
_EXCERPT = 80
_AT_ONCE = 512


# --- writing ------------------------------------------------------------------------------------


def header_line(header: Header) -> bytes:
    """Return the header as the line that a log of the response begins with."""
    about = {
        "type": OPENED,
        "response": header.response,
        "started": header.started.isoformat(),
        "meta": header.meta,
        "format": header.format,
        "protocol": header.protocol,
    }
    envelope = {"seq": 0, "time": header.started.timestamp(), "thread": header.thread}
    return msgspec.json.encode({**envelope, "event": about})


def event_record(position: int, encoded: bytes) -> bytes:
    """Return the record of an event that is encoded already."""
    return b'{"seq":%d,"time":%.3f,"event":%b}' % (position, clock.time(), encoded)


def base_record(position: int, item: Json) -> bytes:
    """Return the record of an item that the store had before the events that follow."""
    encoded = encode(ThreadItemDone(item))
    return b'{"seq":%d,"time":%.3f,"base":true,"event":%b}' % (position, clock.time(), encoded)


def settled_record(position: int, settlement: Settlement) -> bytes:
    """Return the record of a settlement that is decided and not committed yet."""
    event = UnknownEvent({"type": SETTLED, "settlement": settlement.to_json()})
    return event_record(position, encode(event))


def left_record(position: int, grace: float) -> bytes:
    """Return the record that the client has left, and has so many seconds to come back."""
    return event_record(position, encode(UnknownEvent({"type": LEFT, "grace": grace})))


def returned_record(position: int) -> bytes:
    """Return the record that a client has come back in time."""
    return event_record(position, encode(UnknownEvent({"type": RETURNED})))


def closed_record(position: int, *, abandoned: bool = False, reason: str = "") -> bytes:
    """Return the record that ends a response.

    Args:
        position: its position.
        abandoned: the journal failed in the middle, and events are missing before this record.
        reason: why it ends without a settlement, in a word such as `thread_not_found`.
    """
    mark = b',"abandoned":true' if abandoned else b""
    if reason:
        mark += b',"reason":%b' % msgspec.json.encode(reason)
    return event_record(position, b'{"type":"journal.closed"%b}' % mark)


# --- reading ------------------------------------------------------------------------------------


if TYPE_CHECKING:
    _Decoded: TypeAlias = Event | Unreadable
else:  # msgspec cannot decode a union of tagged and untagged classes, and need not
    _Decoded = KnownEvent


class Entry(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One record, decoded."""

    event: _Decoded
    seq: int | None = None
    time: float | str | None = None
    thread: str | None = None
    base: bool = False

    @property
    def type(self) -> str:
        """The type of an event that is not one of the ChatKit protocol; else empty."""
        return self.event.type if isinstance(self.event, UnknownEvent) else ""


_one = msgspec.json.Decoder(Entry)
_all = msgspec.json.Decoder(list[Entry])


def decode_records(records: Sequence[bytes], after: int = 0) -> list[Entry]:
    """Decode the records behind position `after`.

    Raises:
        JournalError: one of them is not a record; it is damaged.
    """
    entries: list[Entry] = []
    for start in range(0, len(records), _AT_ONCE):
        entries += _decode_block(records[start : start + _AT_ONCE], after + start)
    return entries


def _decode_block(records: Sequence[bytes], after: int) -> list[Entry]:
    try:
        entries = _all.decode(b"[%b]" % b",".join(records))
        if len(entries) == len(records):
            return entries
    except MALFORMED:  # an event of a type that is not known is such an error, too
        pass
    return [decode_record(record, place) for place, record in enumerate(records, after + 1)]


def decode_record(record: bytes, position: int) -> Entry:
    """Decode one record; an event that is not one of ChatKit becomes an `Unreadable`.

    Raises:
        JournalError: it is not a record; it is damaged.
    """
    try:
        return _one.decode(record)
    except MALFORMED:
        return _decode_slowly(record, position)


def _decode_slowly(record: bytes, position: int) -> Entry:
    envelope = _envelope(record, position)
    event: Any
    try:
        event = from_json(envelope["event"])
    except (DecodeError, RecursionError) as error:
        excerpt = record[:_EXCERPT].decode("utf-8", "replace")
        event = Unreadable(0, position, str(error), excerpt)
    return Entry(event, envelope.get("seq"), base=envelope.get("base") is True)


def _envelope(record: bytes, position: int) -> Json:
    try:
        envelope = decode_json(record)
    except DecodeError as error:
        raise JournalError(f"{_expected(position)}, got damaged JSON: {error}") from None
    if not isinstance(envelope, dict) or not isinstance(envelope.get("event"), dict):
        raise JournalError(f"{_expected(position)}, got JSON without an `event` in it")
    return envelope


def _expected(position: int) -> str:
    return f"expected the record of a journal at position {position}"


def is_own(event: Event | Unreadable) -> bool:
    """Whether an event is of a type that belongs to the journal, and not to a stream."""
    return isinstance(event, UnknownEvent) and event.type.startswith(OWN)


def is_closing(record: bytes) -> bool:
    """Whether a record ends its response. Only a short one is decoded to find out."""
    if len(record) > _CLOSING_AT_MOST or _CLOSING not in record:
        return False
    try:
        return decode_record(record, 0).type == CLOSED
    except JournalError:
        return False


def time_of(record: bytes) -> datetime | None:
    """Return the time in the envelope of a record, in UTC; None where it has none."""
    seconds = _envelope(record, 0).get("time")
    if not isinstance(seconds, int | float):
        return None
    return datetime.fromtimestamp(seconds, UTC)


def header_of(line: bytes) -> Header:
    """Read a header, of any format: further fields of a newer one are passed over.

    Raises:
        JournalError: it is not a header.
    """
    envelope = _envelope(line, 0)
    event = envelope["event"]
    if event.get("type") != OPENED:
        raise JournalError(f"expected {OPENED} in the first line, got {event.get('type')!r}")
    try:
        return Header(
            response=event["response"],
            thread=envelope["thread"],
            started=datetime.fromisoformat(event["started"]),
            meta=event.get("meta", {}),
            format=event["format"],
            protocol=event.get("protocol", ""),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(
            f"expected a response's first line, of type {OPENED}, got {error}"
        ) from None


def may_become_header(line: bytes) -> bool:
    """Whether a line without its end may be the beginning of a header that a writer died in."""
    if not line.startswith(_BEGINNING):
        return _BEGINNING.startswith(line)
    at = line.find(_EVENT)
    rest = line[at:]
    return at < 0 or rest.startswith(_OPENING) or _OPENING.startswith(rest)


def require_known_format(header: Header) -> None:
    """Check that this release can read and write the records of a response.

    Raises:
        JournalError: a newer release began it.
    """
    if header.format > FORMAT:
        raise JournalError(
            f"response {header.response} is in format {header.format} of the journal, and this "
            f"release knows formats up to {FORMAT}: it is left alone; update chatkit-reducer to "
            "recover it"
        )


# --- meaning ------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Recovered:
    """The meaning of the records of a response."""

    position: int
    """The end of the response."""
    seen: int
    """The position up to which clients see it: before the events that are held back now, if any."""
    base: ThreadState
    """The items that the store had."""
    delivered: ThreadState
    """The thread after all that is certain to be stored: all events but the last, as a rule."""
    state: ThreadState
    """The thread after all events that count, without those of the settlement."""
    settlement: Settlement | None
    """The settlement that was decided, if one is recorded."""
    closed: bool
    abandoned: bool
    """Whether the journal failed in the middle, so that events are missing."""

    @property
    def is_away(self) -> bool:
        """Whether the client has left, and its events are held back."""
        return self.seen < self.position

    @property
    def final(self) -> ThreadState:
        """The thread as clients see it: with the settlement once that is committed."""
        if self.settlement is None or not self.closed:
            return self.state
        return fold(self.settlement.events, self.state)


def recovered(records: Sequence[bytes], before: ThreadState | None = None) -> Recovered:
    """Read the records of a response from its beginning to its end.

    Args:
        records: all of them.
        before: the thread that they are folded over; the empty one if left out.

    Raises:
        JournalError: a record is damaged, or is a settlement of a newer release.
    """
    entries = decode_records(records)
    own = [(place, one) for place, one in enumerate(entries) if _is_of_journal(one)]
    settled = next((entry for _, entry in own if entry.type == SETTLED), None)
    closing = next((entry for _, entry in own if entry.type == CLOSED), None)
    left = _left_at(own)
    stream, certain = _sorted(entries if left is None else entries[: left + 1])
    had = [entry.event for entry in stream[certain:] if entry.base]
    last = [entry.event for entry in stream[certain:] if not entry.base]
    delivered = fold([entry.event for entry in stream[:certain]] + had, before or ThreadState())
    return Recovered(
        position=len(records),
        seen=len(records) if left is None or closing is not None else left,
        base=fold([entry.event for entry in stream if entry.base]),
        delivered=delivered,
        state=fold(last, delivered),
        settlement=None if settled is None else settlement_of(settled),
        closed=closing is not None,
        abandoned=closing is not None and is_abandoned(closing),
    )


def _is_of_journal(entry: Entry) -> bool:
    return type(entry.event) is UnknownEvent and is_own(entry.event)


def _left_at(own: list[tuple[int, Entry]]) -> int | None:
    """Return the position at which the client left, if none has come back since."""
    changes = [(place, entry.type) for place, entry in own if entry.type in (LEFT, RETURNED)]
    place, last = changes[-1] if changes else (0, RETURNED)
    return place if last == LEFT else None


def _sorted(entries: list[Entry]) -> tuple[list[Entry], int]:
    """Return the records of events and of stored items, and how many are certain to be stored."""
    stream: list[Entry] = []
    certain = 0
    is_held = False
    for entry in entries:
        if type(entry.event) is UnknownEvent and is_own(entry.event):
            if entry.type == LEFT:
                certain, is_held = len(stream), True
            elif entry.type == RETURNED:
                is_held = False
            continue
        if not (entry.base or is_held):
            certain = len(stream)
        stream.append(entry)
    return stream, certain


def is_abandoned(closing: Entry) -> bool:
    """Whether the journal failed before this closing record."""
    event: Any = closing.event
    return event.json.get("abandoned") is True


def settlement_of(entry: Entry) -> Settlement:
    """Return the settlement in a record.

    Raises:
        JournalError: it is of a version that this release does not know, or damaged.
    """
    event: Any = entry.event
    try:
        return Settlement.from_json(event.json["settlement"])
    except (ChatKitReducerError, KeyError) as error:
        raise JournalError(
            f"the settlement at position {entry.seq} cannot be read: {error}; the response is left "
            "alone"
        ) from error
