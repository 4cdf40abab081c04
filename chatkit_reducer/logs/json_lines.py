"""JSON lines: one event a line, bare or in an envelope `{"seq", "time", "thread", "event"}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from chatkit_reducer.codec import encode
from chatkit_reducer.logs.framing import Frame

if TYPE_CHECKING:
    from chatkit_reducer.events import Event

__all__ = ["JSON_LINES", "JsonLinesFraming", "encode_json_line"]


class JsonLinesFraming:
    """Frames are lines. Blank ones are skipped; a carriage return before the newline is space."""

    name = "JSON lines"

    def last_end(self, data: bytes) -> int:
        """Where the last complete line in `data` ends, in bytes; -1 if none does."""
        return data.rfind(b"\n") + 1 or -1

    def first_end(self, data: bytes) -> int:
        """Where the first line in `data` ends, in bytes; -1 if it does not."""
        return data.find(b"\n") + 1 or -1

    def as_array(self, block: bytes) -> tuple[bytes, int, int] | None:
        """The lines as the elements of one JSON array.

        A newline inside of a JSON value becomes a comma there, and the array does not decode; but
        for one that stands in the place of a comma, and then there are fewer elements than lines.
        (Known limit: a line that holds two values with a comma between them, and elsewhere in the
        same block a newline in the place of a comma, make good for each other, and are accepted.)
        The replacement has another length, so that the number of lines comes with it.
        """
        torn = not block.endswith(b"\n")
        if torn:
            block += b"\n"
        elements = block.replace(b"\n", b",\n")
        count = len(elements) - len(block)
        return b"".join((b"[", memoryview(elements)[:-2], b"]")), count, count - torn

    def frames(self, block: bytes) -> Iterator[Frame]:
        """The lines that are not empty; a blank one has no payload."""
        offset = 0
        for number, line in enumerate(block.split(b"\n")):
            if line:
                yield Frame(b"" if line.isspace() else line, offset, number, len(line))
            offset += len(line) + 1

    def count_lines(self, block: bytes) -> int:
        """How many lines end in the block."""
        return block.count(b"\n")


JSON_LINES = JsonLinesFraming()


def encode_json_line(
    event: Event,
    *,
    sequence: int | str | None = None,
    time: float | str | None = None,
    thread: str | None = None,
) -> bytes:
    """One event as a line, newline included; in an envelope if there is anything for one."""
    text = encode(event)
    if sequence is None and time is None and thread is None:
        return text + b"\n"
    envelope = {"seq": sequence, "time": time, "thread": thread}
    known = {name: value for name, value in envelope.items() if value is not None}
    return msgspec.json.encode({**known, "event": msgspec.Raw(text)}) + b"\n"
