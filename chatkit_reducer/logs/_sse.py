"""Server-sent events, as captured off the wire.

Reference: the WHATWG HTML standard, section 9.2.6, "Interpreting an event stream". Departures: a
last frame without its blank line is read too, because a capture may be cut there; an event without
data is skipped; the event's name makes no difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from chatkit_reducer.core.codec import encode
from chatkit_reducer.core.halves import mended
from chatkit_reducer.logs._framing import Frame

if TYPE_CHECKING:
    from chatkit_reducer.events import Event

__all__ = ["SSE", "SseFraming", "encode_sse"]

# A carriage return at the very end of the data does not count yet: an LF may follow.
_EOL = rb"(?:\r\n|\n|\r(?!\n|\Z))"
_BLANK_LINE = re.compile(_EOL + _EOL)
_NOT_IN_AN_ID = re.compile(r"[\0\r\n]")
_LINE_AND_ENDS = re.compile(rb"([^\r\n]+)([\r\n]*)")
_ONE_END = (b"\n", b"\r\n", b"\r", b"")


class SseFraming:
    """Frames end at a blank line, after a CR LF, an LF or a CR."""

    name = "server-sent events"

    def last_end(self, data: bytes) -> int:
        """Return where the last complete frame in `data` ends, in bytes; -1 if none does."""
        if b"\r" not in data:
            end = data.rfind(b"\n\n")
            return -1 if end < 0 else end + 2
        if data.count(b"\r", 0, -1) == data.count(b"\r\n"):  # none but those of a CR LF
            ends = (b"\n\n", b"\n\r\n")
            return max((data.rfind(end) + len(end) for end in ends if end in data), default=-1)
        end = -1
        for found in _BLANK_LINE.finditer(data):
            end = found.end()
        return end

    def first_end(self, data: bytes) -> int:
        """Return where the first frame in `data` ends, in bytes; -1 if it does not."""
        found = _BLANK_LINE.search(data)
        return -1 if found is None else found.end()

    def as_array(self, block: bytes) -> tuple[bytes, int, int] | None:
        """Return the payloads as the elements of one JSON array; each frame is `data: ` and LF LF.

        Any other line leaves a newline behind, and then the frames are read one by one. Bytes are
        replaced by as many others, which is twice as fast as a change of length.
        """
        if not block.startswith(b"data: ") or not block.endswith(b"\n\n") or b"\r" in block:
            return None
        elements = block[6:-2].replace(b"\n\ndata: ", b"       ,")
        if b"\n" in elements:
            return None
        lines = len(block) - len(block.replace(b"\n", b""))
        return b"[%b]" % elements, lines // 2, lines

    def as_numbered_array(self, block: bytes) -> tuple[bytes, list[str]] | None:
        """Return an array likewise, and the ids; each frame is `id: `, LF, `data: ` and LF LF.

        There are three lines for each id.
        """
        if not block.startswith(b"id: ") or not block.endswith(b"\n\n") or b"\r" in block:
            return None
        frames = [frame.partition(b"\ndata: ") for frame in block[4:-2].split(b"\n\nid: ")]
        elements = b",".join([frame[2] for frame in frames])
        ids = b"\n".join([frame[0] for frame in frames])
        if b"\n" in elements or b"\0" in ids:
            return None
        numbers = ids.decode("utf-8", "replace").split("\n")
        return (b"[%b]" % elements, numbers) if len(numbers) == len(frames) else None

    def frames(self, block: bytes, *, blank: bool = False) -> Iterator[Frame]:
        """Yield the frames; one of comments has no payload."""
        lines: list[bytes] = []
        start = line = 0
        for found in _LINE_AND_ENDS.finditer(block):
            if not lines:
                line += self.count_lines(block[start : found.start()])
                start = found.start()
            lines.append(found[1])
            if found[2] in _ONE_END and found.end() < len(block):
                continue
            yield _frame(lines, start, line, found.end(1))
            line += len(lines) - 1
            lines, start = [], found.end(1)
        # Blank lines are never looked at one by one: there may be a gigabyte of them.

    def count_frames(self, block: bytes) -> int:
        """Count the frames of the block that have data."""
        return sum(1 for frame in self.frames(block) if frame.payload)

    def count_lines(self, block: bytes) -> int:
        """Count the lines that end in the block."""
        if b"\r" not in block:
            return block.count(b"\n")
        return block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n")


def _frame(lines: list[bytes], start: int, line: int, end: int) -> Frame:
    data: list[bytes] = []
    sequence: str | None = None
    for text in lines:
        name, _, value = text.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"id" and b"\0" not in value:
            sequence = value.decode("utf-8", "replace")
    payload = b"\n".join(data) if any(data) else b""
    return Frame(payload, start, line, end - start, sequence)


SSE = SseFraming()


def encode_sse(event: Event, *, event_id: str | None = None) -> bytes:
    """Return one event as a frame of the SDK (1.6.5: `ChatKitServer._process_streaming`).

    Args:
        event: the event.
        event_id: the `id` field before the data, if any; one line.

    Raises:
        TypeError: `event_id` is not a text.
        ValueError: `event_id` has a line end or a NUL in it: a client would see another frame
            there, or no id.
    """
    if event_id is not None and not isinstance(event_id, str):
        raise TypeError(
            f"expected event_id to be a str, got {type(event_id).__name__}: pass str(event_id)"
        )
    if event_id is not None and _NOT_IN_AN_ID.search(event_id):
        raise ValueError(
            f"expected event_id to be one line without NUL, got {event_id!r}: "
            "leave it out, or encode it"
        )
    head = b"" if event_id is None else b"id: %b\n" % mended(event_id).encode()
    return b"%bdata: %b\n\n" % (head, encode(event))
