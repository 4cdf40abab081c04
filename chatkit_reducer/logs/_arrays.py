"""The fast way: all frames of a block as the elements of one JSON array, decoded by one call.

It counts only if it gives the same events as decoding frame by frame (see `Framing.as_array`).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from chatkit_reducer.core.codec import MALFORMED
from chatkit_reducer.events import Event, KnownEvent, Unreadable
from chatkit_reducer.logs._framing import Framing
from chatkit_reducer.logs._numbers import Row
from chatkit_reducer.logs._records import Envelope, Record
from chatkit_reducer.logs._sse import SSE

__all__ = ["Entries", "decode_array", "decode_entries", "decode_frames", "decode_rows"]

_bare = msgspec.json.Decoder(list[KnownEvent])
_enveloped = msgspec.json.Decoder(list[Envelope])


class Entries(Struct):
    """The entries of a block, and the number of its lines."""

    values: list[Any]
    """Events, or envelopes around them."""
    lines: int
    in_envelopes: bool = False
    ids: list[str] | None = None
    """The `id` of each event, from server-sent events."""

    def records(self) -> list[Record]:
        """Return the entries as records."""
        if self.in_envelopes:
            return [Record(e.event, e.thread, e.seq, e.time) for e in self.values]
        if self.ids is not None:
            pairs = zip(self.values, self.ids, strict=True)
            return [Record(event, None, number) for event, number in pairs]
        return [Record(event) for event in self.values]

    def events(self) -> list[Event | Unreadable]:
        """Return the events alone."""
        return [e.event for e in self.values] if self.in_envelopes else self.values

    def threads(self) -> list[str | None] | None:
        """Return the thread that the log names for each event; None where it names none."""
        return [e.thread for e in self.values] if self.in_envelopes else None

    def numbers(self) -> list[Any] | None:
        """Return the number of each event; None for a log without numbers."""
        return [e.seq for e in self.values] if self.in_envelopes else self.ids

    def rows(self) -> list[Row]:
        """Return the thread, the number and the event of each entry."""
        if self.in_envelopes:
            return [(e.thread, e.seq, e.event) for e in self.values]
        return [(None, *row) for row in zip(self.ids or [], self.values, strict=True)]


def decode_entries(framing: Framing, block: bytes, *, in_envelopes: bool) -> Entries | None:
    """Decode a block; return None where it has to be decoded frame by frame."""
    if framing is SSE and block.startswith(b"id:"):
        return _with_ids(block)
    found = decode_frames(framing, block, _enveloped if in_envelopes else _bare)
    return None if found is None else Entries(*found, in_envelopes)


def decode_frames(
    framing: Framing, block: bytes, elements: msgspec.json.Decoder[Any]
) -> tuple[list[Any], int] | None:
    """Decode the frames of a block with a decoder for arrays; return values and number of lines."""
    array = framing.as_array(block)
    if array is None:
        return None
    text, frames, lines = array
    values = _elements(elements, text, frames)
    return None if values is None else (values, lines)


def _with_ids(block: bytes) -> Entries | None:
    numbered = SSE.as_numbered_array(block)
    if numbered is None:
        return None
    text, ids = numbered
    values = _elements(_bare, text, len(ids))
    return None if values is None else Entries(values, 3 * len(ids), ids=ids)


def decode_rows(framing: Framing, block: bytes) -> list[Row]:
    """Decode once more the rows of a block that was decoded before, and had numbers."""
    in_envelopes = not (framing is SSE and block.startswith(b"id:"))
    entries = decode_entries(framing, block, in_envelopes=in_envelopes)
    assert entries is not None  # it was decoded before
    return entries.rows()


def decode_array(payloads: list[bytes], *, in_envelopes: bool) -> list[Record] | None:
    """Decode texts that should be events; return None where one of them is not."""
    elements = _enveloped if in_envelopes else _bare
    values = _elements(elements, b"[%b]" % b",".join(payloads), len(payloads))
    return None if values is None else Entries(values, 0, in_envelopes).records()


def _elements(decoder: msgspec.json.Decoder[Any], text: bytes, count: int) -> list[Any] | None:
    try:
        values: list[Any] = decoder.decode(text)
    except MALFORMED:
        return None
    return values if len(values) == count else None
