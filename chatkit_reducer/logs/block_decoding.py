"""Blocks to records, or to events alone.

Most blocks take the fast way (see `arrays`). Every other block is decoded frame by frame, and
decoding goes on behind a frame that cannot be read. An event that was delivered twice becomes a
`Redelivered` (see `deliveries`).
"""

from __future__ import annotations

from contextlib import suppress
from itertools import groupby
from typing import Any

import msgspec
from msgspec import structs

from chatkit_reducer.core.codec import MALFORMED, decode_json, from_json
from chatkit_reducer.errors import DecodeError
from chatkit_reducer.events import Event, KnownEvent, Unreadable
from chatkit_reducer.logs._arrays import (
    Entries,
    decode_array,
    decode_entries,
    decode_frames,
    decode_rows,
)
from chatkit_reducer.logs._deliveries import Deliveries
from chatkit_reducer.logs._faults import Faults, may_be_event
from chatkit_reducer.logs._framing import Frame, Framing
from chatkit_reducer.logs._json_lines import JSON_LINES
from chatkit_reducer.logs._numbers import Row
from chatkit_reducer.logs._records import Envelope, Record, from_envelope
from chatkit_reducer.logs._sse import SSE
from chatkit_reducer.logs.blocks import Block, LogEnd, LogStart, TooLarge
from chatkit_reducer.logs.formats.data_lines import DONE, is_terminator, split_joined
from chatkit_reducer.logs.formats.texts import Text, Texts, is_envelope, too_large

__all__ = ["BlockDecoder"]

_SHORT = 4096
_one = msgspec.json.Decoder(KnownEvent)
_one_enveloped = msgspec.json.Decoder(Envelope)


class BlockDecoder:
    """Decodes the blocks of one log, in order, each with one of its methods.

    Args:
        max_event_bytes: the size of the largest event, as `LogSplitter` was told.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._limit = max_event_bytes
        self._framing: Framing = JSON_LINES
        self._is_found = True
        self._in_envelopes = False
        self._faults = Faults()
        self._deliveries = Deliveries(self._rows_of)

    def records(self, block: Block) -> list[Record]:
        """Return the records of a block."""
        entries = self._fast(block)
        return self._slow(block) if entries is None else entries.records()

    def events(self, block: Block) -> list[Event | Unreadable]:
        """Return the events of a block, without the fields beside them."""
        entries = self._fast(block)
        if entries is None:
            return [record.event for record in self._slow(block)]
        return entries.events()

    def events_and_threads(
        self, block: Block
    ) -> tuple[list[Event | Unreadable], list[str | None] | None]:
        """Return the events, and the thread that the log names for each; None for no names."""
        entries = self._fast(block)
        if entries is None:
            records = self._slow(block)
            return [one.event for one in records], [one.thread for one in records]
        return entries.events(), entries.threads()

    def values(self, block: Block, elements: msgspec.json.Decoder[Any]) -> list[Any] | None:
        """Decode all frames of a block with a decoder for arrays of them.

        Returns:
            None where that cannot be done; then the block counts as not decoded.
        """
        if self._deliveries.are_waiting or not isinstance(block, bytes) or not self._fits(block):
            return None
        found = decode_frames(self._framing, block, elements)
        if found is None:
            return None
        self._faults.move(len(block), found[1])
        return found[0]

    # --- the fast way -----------------------------------------------------------------------------

    def _fast(self, block: Block) -> Entries | None:
        """Decode a block at once; return None where its frames have to be looked at."""
        if not isinstance(block, bytes) or not self._fits(block):
            return None
        entries = decode_entries(self._framing, block, in_envelopes=self._in_envelopes)
        if entries is None or not self._may_pass(block, entries):
            return None
        self._in_envelopes = entries.in_envelopes
        self._faults.move(len(block), entries.lines)
        return entries

    def _fits(self, block: bytes) -> bool:
        return len(block) <= self._limit and not block.isspace()

    def _may_pass(self, block: bytes, entries: Entries) -> bool:
        numbers = entries.numbers()
        if numbers is None:
            return not self._deliveries.are_waiting
        if (
            entries.ids is not None and "" in numbers
        ):  # an `id` without a value takes the number away
            return False
        return self._deliveries.may_pass(block, numbers, entries.rows)

    def _rows_of(self, block: bytes) -> list[Row]:
        return decode_rows(self._framing, block)

    # --- block by block ---------------------------------------------------------------------------

    def _slow(self, block: Block) -> list[Record]:
        if isinstance(block, bytes):
            return self._one_by_one(block)
        if isinstance(block, Texts):
            return self._of_texts(block)
        if isinstance(block, LogStart):
            return self._begin(block)
        if isinstance(block, LogEnd):
            return self._deliveries.rest()
        if isinstance(block, TooLarge):
            return self._deliver_fault(self._dropped(block))
        return self._deliver_fault(self._faults.unreadable(b"", 0, 0, block.reason))

    def _begin(self, start: LogStart) -> list[Record]:
        self._is_found = start.is_found
        if start.framing is not None:
            self._framing = start.framing
        self._faults.move(start.mark, 0)
        return []

    def _deliver_fault(self, fault: Unreadable) -> list[Record]:
        return self._deliveries.feed(Record(fault), fault.offset, fault.line, 0)

    def _deliver(self, record: Record, offset: int, line: int, size: int) -> list[Record]:
        """Return the records that can be passed on now that this one has come."""
        if record.sequence is None and not self._deliveries.are_waiting:
            return [record]
        place = self._faults.offset + offset, self._faults.line + line
        return self._deliveries.feed(record, *place, size)

    def _dropped(self, block: TooLarge) -> Unreadable:
        fault = self._too_large(block.head, next(self._framing.frames(block.head, blank=True)))
        self._faults.move(block.size, block.lines)
        return fault

    def _too_large(self, block: bytes, frame: Frame) -> Unreadable:
        raw = block[frame.offset : frame.offset + self._limit]  # a frame that was dropped has that
        return self._faults.unreadable(raw, frame.offset, frame.line, too_large(self._limit))

    # --- frame by frame ---------------------------------------------------------------------------

    def _one_by_one(self, block: bytes) -> list[Record]:
        if not self._faults.are_listed and self._fits(block) and DONE not in block:
            if not may_be_event(block):
                return self._unlisted(block)
            middle = self._framing.last_end(block[: len(block) // 2])
            if len(block) > _SHORT and middle > 0:  # one of the halves may hold no event
                return self._one_by_one(block[:middle]) + self._one_by_one(block[middle:])
        records: list[Record] = []
        has_large = len(block) > self._limit
        if has_large or not block.isspace():
            for frame in self._framing.frames(block, blank=has_large):
                if frame.payload or frame.size > self._limit:
                    for record in self._of_frame(block, frame):
                        records += self._deliver(record, frame.offset, frame.line, frame.size)
        self._faults.move(len(block), self._framing.count_lines(block))
        return records

    def _unlisted(self, block: bytes) -> list[Record]:
        """Take a block that has no event, and faults that are counted only."""
        count = self._framing.count_frames(block)
        fault = self._faults.unlisted(count)
        self._faults.move(len(block), self._framing.count_lines(block))
        return self._deliver_fault(fault) if count else []

    def _of_frame(self, block: bytes, frame: Frame) -> list[Record]:
        """Return the records of a frame: one, except where two captures were joined."""
        if self._is_found and frame.size <= self._limit:
            if is_terminator(frame.payload):
                return []
            # The last frame of one capture and the first of another, with no blank line between.
            parts = split_joined(frame.payload) if self._framing is SSE else []
            if parts:
                return [self._read(structs.replace(frame, payload=part)) for part in parts]
        return [self._record(block, frame)]

    def _record(self, block: bytes, frame: Frame) -> Record:
        if frame.size > self._limit:
            return Record(self._too_large(block, frame))
        try:
            return self._read(frame)
        except DecodeError as error:
            place = frame.offset, frame.line
            fault = self._faults.unreadable(frame.payload, *place, str(error))
            return Record(fault, sequence=frame.sequence)

    def _read(self, frame: Frame) -> Record:
        try:
            return self._read_typed(frame)
        except MALFORMED:
            value = decode_json(frame.payload)
            self._in_envelopes = is_envelope(value)
            if self._in_envelopes:
                return from_envelope(value)
            return Record(from_json(value), sequence=frame.sequence)

    def _read_typed(self, frame: Frame) -> Record:
        if self._in_envelopes:
            with suppress(msgspec.MsgspecError):
                return _one_enveloped.decode(frame.payload).record()
        record = Record(_one.decode(frame.payload), sequence=frame.sequence)
        self._in_envelopes = False
        return record

    # --- the texts of a container -----------------------------------------------------------------

    def _of_texts(self, block: Texts) -> list[Record]:
        records: list[Record] = []
        pairs = zip(block.texts, self._unwrap(block.texts), strict=True)
        for is_unlisted, run in groupby(pairs, _is_unlisted):
            for text, record in _as_one(list(run)) if is_unlisted else run:
                place, size = text.place, len(text.payload)
                records += self._deliver(record, place.offset, place.line, size)
        return records

    def _unwrap(self, texts: list[Text]) -> list[Record]:
        if not any(text.reason or text.sequence for text in texts):
            payloads = [text.payload for text in texts]
            records = decode_array(payloads, in_envelopes=self._in_envelopes)
            if records is not None:
                return records
        return [self._of_text(text) for text in texts]

    def _of_text(self, text: Text) -> Record:
        place, reason = text.place, text.reason
        if reason is not None:
            fault = self._faults.unreadable(text.payload, place.offset, place.line, reason)
            return Record(fault, sequence=text.sequence)
        if not self._faults.are_listed and not may_be_event(text.payload):
            fault = self._faults.unreadable(b"", place.offset, place.line, "it is not an event")
            return Record(fault, sequence=text.sequence)
        frame = Frame(text.payload, place.offset, place.line, 0, text.sequence)
        return self._record(text.payload, frame)


def _is_unlisted(pair: tuple[Text, Record]) -> bool:
    """Return whether the record is a fault that is only counted."""
    event = pair[1].event
    return isinstance(event, Unreadable) and event.unlisted > 0 and pair[1].sequence is None


def _as_one(faults: list[tuple[Text, Record]]) -> list[tuple[Text, Record]]:
    """Return one fault that stands for all of these, at the place of the first."""
    text, first = faults[0]
    return [(text, Record(structs.replace(first.event, unlisted=len(faults))))]
