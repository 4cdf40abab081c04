"""Records: the entries of a log, bare or in an envelope `{"seq", "time", "thread", "event"}`."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from chatkit_reducer.core.codec import from_json
from chatkit_reducer.core.halves import mended_json
from chatkit_reducer.events import Event, Json, KnownEvent, Unreadable

__all__ = ["Envelope", "Record", "from_envelope"]


class Record(Struct, frozen=True, gc=False):
    """One entry of a log: an event or an `Unreadable`, with the fields that stand beside it."""

    event: Event | Unreadable
    thread: str | None = None
    """The id of the thread, from an envelope."""
    sequence: int | str | None = None
    """The sequence number, from an envelope, or the `id` of a server-sent event."""
    time: int | float | str | None = None
    """When it was recorded, as the envelope says it."""


class Envelope(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An envelope as `write` writes it, around an event that this release knows."""

    event: KnownEvent
    seq: int | str | None = None
    time: int | float | str | None = None
    thread: str | None = None

    def record(self) -> Record:
        """Return the entry of the log."""
        return Record(self.event, self.thread, self.seq, self.time)


def from_envelope(envelope: Json) -> Record:
    """Return the record in an envelope of any recorder.

    Raises:
        DecodeError: the event in it cannot be read.
    """
    event = from_json(envelope["event"])
    envelope = mended_json({name: v for name, v in envelope.items() if name != "event"})
    thread = _first(envelope, str, "thread", "thread_id")
    sequence = _first(envelope, (int, str), "seq", "sequence", "sequence_number")
    time = _first(envelope, (int, float, str), "time", "timestamp", "ts")
    return Record(event, thread, sequence, time)


def _first(envelope: Json, kind: Any, *names: str) -> Any:
    return next((envelope[name] for name in names if isinstance(envelope.get(name), kind)), None)
