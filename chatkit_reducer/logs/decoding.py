"""Bytes to events, incrementally.

A format says where frames end (`Framing`), a buffer holds what is not complete yet; the decoder
makes events of the rest, and goes on behind what cannot be read. Bytes in pieces of any size give
the same records.

Most blocks take the fast way: all frames as the elements of one JSON array, which one msgspec call
decodes. It counts only if it gives what reading frame by frame gives (see `Framing.as_array`);
every other block is read frame by frame.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from chatkit_reducer.codec import MALFORMED, decode_json, from_json
from chatkit_reducer.errors import DecodeError
from chatkit_reducer.events import Event, Json, KnownEvent, Unreadable
from chatkit_reducer.logs.buffering import Block, FrameBuffer, TooLarge
from chatkit_reducer.logs.detection import detect
from chatkit_reducer.logs.framing import Frame, Framing

__all__ = ["DEFAULT_MAX_EVENT_BYTES", "LogDecoder", "Record"]

DEFAULT_MAX_EVENT_BYTES = 64 * 1024 * 1024
"""How large one event may be, in bytes."""

_BOM = b"\xef\xbb\xbf"
_EXCERPT = 80


class Record(Struct, frozen=True, gc=False):
    """One entry of a log: an event, or what is none, with what the log says of it."""

    event: Event | Unreadable
    thread: str | None = None
    """The id of the thread, from an envelope."""
    sequence: int | str | None = None
    """The sequence number, from an envelope, or the `id` of a server-sent event."""
    time: int | float | str | None = None
    """When it was recorded, as the envelope says it."""


class _Envelope(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    event: KnownEvent
    seq: int | str | None = None
    time: int | float | str | None = None
    thread: str | None = None


_one = msgspec.json.Decoder(KnownEvent)
_bare = msgspec.json.Decoder(list[KnownEvent])
_enveloped = msgspec.json.Decoder(list[_Envelope])


class LogDecoder:
    r"""Bytes of a log in, records out; no I/O.

    >>> from chatkit_reducer.logs import LogDecoder
    >>> decoder = LogDecoder()
    >>> decoder.feed(b'data: {"type": "thread.item.rem')
    []
    >>> [record.event for record in decoder.feed(b'oved", "item_id": "msg_1"}\n\n')]
    [ThreadItemRemoved(item_id='msg_1', extra=UNSET)]
    >>> decoder.close()
    []

    Args:
        framing: the format, `SSE` or `JSON_LINES`; found by looking if left out.
        max_event_bytes: a larger event is skipped, and a record says so.

    Raises:
        ValueError: `max_event_bytes` is less than 1.
    """

    def __init__(
        self, framing: Framing | None = None, *, max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES
    ) -> None:
        if max_event_bytes < 1:
            raise ValueError(f"max_event_bytes must be at least 1, not {max_event_bytes}")
        self._framing = framing
        self._limit = max_event_bytes
        self._head: bytes | None = b""
        self._looked_at = 0
        self._buffer: FrameBuffer | None = None
        self._offset = 0
        self._line = 1
        self._in_envelopes = False

    def feed(self, data: bytes) -> list[Record]:
        """The records that these bytes complete."""
        return [record for block in self.blocks(data) for record in self.records(block)]

    def close(self) -> list[Record]:
        """The records in what is left at the end: a last frame that nothing ends."""
        return [record for block in self.last_blocks() for record in self.records(block)]

    # The rest is for this package: blocks can be decoded faster than records.

    def blocks(self, data: bytes) -> list[Block]:
        """What these bytes complete."""
        if self._buffer is None:
            return self._begin(data, final=False)
        return self._buffer.push(data)

    def last_blocks(self) -> list[Block]:
        """What is left at the end."""
        out = self._begin(b"", final=True) if self._buffer is None else []
        return out if self._buffer is None else [*out, *self._buffer.rest()]

    def _begin(self, data: bytes, *, final: bool) -> list[Block]:
        """Holds the first bytes back until they say what this is."""
        self._head = head = (self._head or b"") + data
        if len(head) < len(_BOM) and not final:
            return []
        # A longer look only when there is twice as much to see, for bytes that come one by one.
        framing = self._framing
        if framing is None and (final or len(head) >= 2 * self._looked_at):
            self._looked_at = len(head)
            framing = detect(head, final=final)
        if framing is None:
            return []
        self._framing, self._buffer, self._head = framing, FrameBuffer(framing, self._limit), None
        if head.startswith(_BOM):
            self._offset = len(_BOM)
            head = head[len(_BOM) :]
        return self._buffer.push(head)

    def records(self, block: Block) -> list[Record]:
        """The records of a block."""
        if isinstance(block, TooLarge):
            return [self._dropped(block)]
        values = self.decoded(block, _enveloped if self._in_envelopes else _bare)
        if values is None:
            return self._one_by_one(block)
        if self._in_envelopes:
            return [Record(e.event, e.thread, e.seq, e.time) for e in values]
        return [Record(event) for event in values]

    def events(self, block: Block) -> list[Event | Unreadable]:
        """The events of a block, without what the log says of them."""
        if isinstance(block, TooLarge):
            return [self._dropped(block).event]
        values = self.decoded(block, _enveloped if self._in_envelopes else _bare)
        if values is None:
            return [record.event for record in self._one_by_one(block)]
        return [envelope.event for envelope in values] if self._in_envelopes else values

    def decoded(self, block: bytes, elements: msgspec.json.Decoder[Any]) -> list[Any] | None:
        """The fast way: the frames of a block with this decoder for arrays of them, or None."""
        array = (
            self._framing.as_array(block) if self._framing and len(block) <= self._limit else None
        )
        if array is None:
            return None
        text, frames, lines = array
        try:
            values: list[Any] = elements.decode(text)
        except MALFORMED:
            return None
        if len(values) != frames:
            return None
        self._offset += len(block)
        self._line += lines
        return values

    def unreadable(self, reason: str) -> Unreadable:
        """What is wrong with the log at the place that was reached."""
        return self._unreadable(b"", 0, 0, reason)

    def _one_by_one(self, block: bytes) -> list[Record]:
        assert self._framing is not None  # there is a block, so the format is known
        records = [
            self._record(block, frame)
            for frame in self._framing.frames(block)
            if frame.payload or frame.size > self._limit
        ]
        self._offset += len(block)
        self._line += self._framing.count_lines(block)
        return records

    def _record(self, block: bytes, frame: Frame) -> Record:
        if frame.size > self._limit:
            return Record(self._too_large(block, frame))
        try:
            return self._read(frame)
        except DecodeError as error:
            fault = self._unreadable(frame.payload, frame.offset, frame.line, str(error))
            return Record(fault, sequence=frame.sequence)

    def _read(self, frame: Frame) -> Record:
        try:
            record = Record(_one.decode(frame.payload), sequence=frame.sequence)
        except MALFORMED:
            value = decode_json(frame.payload)
            self._in_envelopes = _is_envelope(value)
            if self._in_envelopes:
                return _from_envelope(value)
            return Record(from_json(value), sequence=frame.sequence)
        self._in_envelopes = False
        return record

    @property
    def _limit_reason(self) -> str:
        return f"the event is larger than {self._limit} bytes"

    def _dropped(self, block: TooLarge) -> Record:
        assert self._framing is not None  # there is a block, so the format is known
        fault = self._too_large(block.head, next(iter(self._framing.frames(block.head))))
        self._offset += block.size
        self._line += block.lines
        return Record(fault)

    def _too_large(self, block: bytes, frame: Frame) -> Unreadable:
        raw = block[frame.offset : frame.offset + self._limit]  # a frame that was dropped has that
        return self._unreadable(raw, frame.offset, frame.line, self._limit_reason)

    def _unreadable(self, raw: bytes, offset: int, line: int, reason: str) -> Unreadable:
        return Unreadable(self._offset + offset, self._line + line, reason, _excerpt(raw))


def _excerpt(raw: bytes) -> str:
    """The beginning of what could not be read, safe to print on a terminal."""
    text = raw[: 4 * _EXCERPT].decode("utf-8", "replace")
    shown = "".join([c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text])
    return shown[:_EXCERPT] + "\N{HORIZONTAL ELLIPSIS}" if len(shown) > _EXCERPT else shown


def _is_envelope(value: Any) -> bool:
    if not isinstance(value, dict) or isinstance(value.get("type"), str):
        return False  # what has a type is an event, perhaps one that nobody knows yet
    event = value.get("event")
    return isinstance(event, dict) and isinstance(event.get("type"), str)


def _from_envelope(envelope: Json) -> Record:
    thread = _first(envelope, str, "thread", "thread_id")
    sequence = _first(envelope, (int, str), "seq", "sequence", "sequence_number")
    time = _first(envelope, (int, float, str), "time", "timestamp", "ts")
    return Record(from_json(envelope["event"]), thread, sequence, time)


def _first(envelope: Json, kind: Any, *names: str) -> Any:
    return next((envelope[name] for name in names if isinstance(envelope.get(name), kind)), None)
