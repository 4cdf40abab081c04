"""JSON lines: one event a line, bare or in an envelope `{"seq", "time", "thread", "event"}`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from chatkit_reducer.core.codec import encode
from chatkit_reducer.core.halves import mended_json
from chatkit_reducer.logs._framing import Frame

if TYPE_CHECKING:
    from chatkit_reducer.events import Event

__all__ = ["JSON_LINES", "JsonLinesFraming", "encode_json_line"]


_NOT_BLANK = re.compile(rb"\S[^\n]*")
_NOT_EMPTY = re.compile(rb"[^\n]+")
_NEWLINE = 0x0A


class JsonLinesFraming:
    """Frames are lines. Blank ones are skipped; a carriage return before the newline is space."""

    name = "JSON lines"

    def last_end(self, data: bytes) -> int:
        """Return where the last complete line in `data` ends, in bytes; -1 if none does."""
        return data.rfind(b"\n") + 1 or -1

    def first_end(self, data: bytes) -> int:
        """Return where the first line in `data` ends, in bytes; -1 if it does not."""
        return data.find(b"\n") + 1 or -1

    def as_array(self, block: bytes) -> tuple[bytes, int, int] | None:
        """Return the lines as the elements of one JSON array.

        A newline inside of a JSON value becomes a comma, and the array does not decode; unless the
        newline stands where a comma is missing, and then there are fewer elements than lines.
        (Known limit: if one line holds two values with a comma between them, and another value of
        the same block is split so across two lines, the counts cancel out and both are accepted.)
        A newline and its replacement differ in length, which gives the number of lines.
        """
        torn = not block.endswith(b"\n")
        if torn:
            block += b"\n"
        elements = block.replace(b"\n", b",\n")
        count = len(elements) - len(block)
        return b"".join((b"[", memoryview(elements)[:-2], b"]")), count, count - torn

    def frames(self, block: bytes, *, blank: bool = False) -> Iterator[Frame]:
        """Yield the lines that are not blank. A gigabyte of blank ones is passed over at once."""
        number = behind = 0
        for found in (_NOT_EMPTY if blank else _NOT_BLANK).finditer(block):
            start = found.start()
            if start > behind and block[start - 1] != _NEWLINE:  # the line begins with space
                start = max(behind, block.rfind(b"\n", 0, start) + 1)
            number += block.count(b"\n", behind, start)
            behind = found.end()
            line = block[start:behind]
            yield Frame(b"" if blank and line.isspace() else line, start, number, behind - start)

    def count_frames(self, block: bytes) -> int:
        """Count the lines of the block that are not blank."""
        return sum(map(bool, map(bytes.strip, block.split(b"\n"))))

    def count_lines(self, block: bytes) -> int:
        """Count the lines that end in the block."""
        return block.count(b"\n")


JSON_LINES = JsonLinesFraming()


def encode_json_line(
    event: Event,
    *,
    sequence: int | str | None = None,
    time: float | str | None = None,
    thread: str | None = None,
) -> bytes:
    """Return one event as a line, newline included; in an envelope if it has anything to hold."""
    text = encode(event)
    if sequence is None and time is None and thread is None:
        return text + b"\n"
    envelope = {"seq": sequence, "time": time, "thread": thread}
    known = mended_json({name: value for name, value in envelope.items() if value is not None})
    return msgspec.json.encode({**known, "event": msgspec.Raw(text)}) + b"\n"
