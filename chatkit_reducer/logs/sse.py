"""Server-sent events, as captured off the wire.

Reference: the WHATWG HTML standard, section 9.2.6, "Interpreting an event stream". Departures: a
last frame without its blank line is read all the same, for a capture that was cut there still holds
what arrived; an event without data is skipped; the event's name makes no difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from chatkit_reducer.codec import encode
from chatkit_reducer.logs.framing import Frame

if TYPE_CHECKING:
    from chatkit_reducer.events import Event

__all__ = ["SSE", "SseFraming", "encode_sse"]

# A carriage return at the very end of the data may be the first half of a CR LF: it is no end yet.
_EOL = rb"(?:\r\n|\n|\r(?!\n|\Z))"
_BLANK_LINE = re.compile(_EOL + _EOL)
_LINE = re.compile(rb"([^\r\n]*)(\r\n|\n|\r|\Z)")


class SseFraming:
    """Frames end at a blank line, after a CR LF, an LF or a CR."""

    name = "server-sent events"

    def last_end(self, data: bytes) -> int:
        """Where the last frame with its blank line in `data` ends, in bytes; -1 if none does."""
        if b"\r" not in data:
            end = data.rfind(b"\n\n")
            return -1 if end < 0 else end + 2
        end = -1
        for found in _BLANK_LINE.finditer(data):
            end = found.end()
        return end

    def first_end(self, data: bytes) -> int:
        """Where the first frame in `data` ends, in bytes; -1 if it does not."""
        found = _BLANK_LINE.search(data)
        return -1 if found is None else found.end()

    def as_array(self, block: bytes) -> tuple[bytes, int, int] | None:
        """The payloads as the elements of one JSON array, where all frames are `data: ` and LF LF.

        Any other line leaves a newline behind, and then the frames are read one by one. The
        replacement has the length of what it replaces, which is twice as fast as any other.
        """
        if not block.startswith(b"data: ") or not block.endswith(b"\n\n") or b"\r" in block:
            return None
        elements = block[6:-2].replace(b"\n\ndata: ", b"       ,")
        if b"\n" in elements:
            return None
        lines = len(block) - len(block.replace(b"\n", b""))
        return b"[%b]" % elements, lines // 2, lines

    def frames(self, block: bytes) -> Iterator[Frame]:
        """The frames one by one; one of comments has no payload."""
        data: list[bytes] = []
        sequence: str | None = None
        start = first_line = end = 0
        for number, found in enumerate(_LINE.finditer(block)):
            line = found[1]
            if not line:
                if end > start:
                    payload = b"\n".join(data) if any(data) else b""
                    yield Frame(payload, start, first_line, end - start, sequence)
                data, sequence = [], None
                start, first_line = found.end(), number + 1
                continue
            end = found.end(1)
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data":
                data.append(value)
            elif name == b"id" and b"\0" not in value:
                sequence = value.decode("utf-8", "replace")

    def count_lines(self, block: bytes) -> int:
        """How many lines end in the block."""
        if b"\r" not in block:
            return block.count(b"\n")
        return len(re.findall(rb"\r\n|\n|\r", block))


SSE = SseFraming()


def encode_sse(event: Event, *, event_id: str | None = None) -> bytes:
    """One event as a frame: as the SDK writes it (1.6.5: `ChatKitServer._process_streaming`).

    Args:
        event: what to write.
        event_id: the `id` field before the data, if any; one line.
    """
    head = b"" if event_id is None else b"id: %b\n" % event_id.encode()
    return b"%bdata: %b\n\n" % (head, encode(event))
