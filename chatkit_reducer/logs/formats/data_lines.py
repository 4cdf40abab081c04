"""Server-sent events whose blank lines were lost: `data:` lines, each an event on its own."""

from __future__ import annotations

from chatkit_reducer.logs.formats.texts import MISSING, Place, Text, is_typed, parse, too_large

__all__ = ["DONE", "DataLines", "is_terminator", "split_joined"]

DONE = b"[DONE]"
"""The last data of a stream from some servers: it ends the stream, and is not an event."""


def is_terminator(payload: bytes) -> bool:
    """Return whether a frame or line ends a stream; a line of JSON lines may have its `data:`."""
    return payload.strip().removeprefix(b"data:").lstrip() == DONE


class DataLines:
    """Collect the lines of one frame after another.

    A line that is an event on its own is a frame; the next line does not matter. Other lines of
    data are one event together, up to a blank line, as the standard says.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: list[bytes] = []
        self._size = 0
        self._place = Place(0, 0)
        self._is_whole = False
        self._id: str | None = None
        self._id_comes_first: bool | None = None
        self.skipped: int = 0
        """How many lines of data were not JSON."""

    @property
    def is_open(self) -> bool:
        """Whether the frame lacks lines yet."""
        return bool(self._values) and not self._is_whole

    @property
    def has_lines(self) -> bool:
        """Whether a frame has begun."""
        return bool(self._values)

    def data(self, value: bytes, place: Place) -> list[Text]:
        """Take one line of data; return the events that are complete now."""
        if value.strip() == DONE:
            return self.end()
        is_whole = value.lstrip().startswith(b"{") and is_typed(_unwrap(parse(value)))
        before = self.end() if self._is_whole or is_whole else []
        if not self._values:
            self._place, self._is_whole = place, is_whole
        if self._size <= self._limit:
            self._values.append(value)
        self._size += len(value) + 1
        return before

    def id(self, value: bytes) -> list[Text]:
        """Take an `id`: of the frame that is open, or, where ids come first, of the next."""
        if self._id_comes_first is None:
            self._id_comes_first = not self._values
        before = self.end() if self._is_whole and self._id_comes_first else []
        self._id = value.decode("utf-8", "replace")
        return before

    def end(self) -> list[Text]:
        """End the frame, as a blank line does."""
        if not self._values:
            return []
        texts = self._texts()
        self._values, self._size, self._is_whole, self._id = [], 0, False, None
        return texts

    def _texts(self) -> list[Text]:
        if self._size > self._limit + 1:
            return [Text(self._values[0][:1024], self._place, self._id, too_large(self._limit))]
        whole = b"\n".join(self._values)
        if len(self._values) > 1 and parse(whole) is MISSING:
            events = [value for value in self._values if value.lstrip().startswith(b"{")]
            self.skipped += len(self._values) - len(events)
            return [Text(value, self._place, self._id) for value in events]
        if not whole.lstrip().startswith(b"{"):
            self.skipped += 1
            return []
        return [Text(whole, self._place, self._id)]


def split_joined(payload: bytes) -> list[bytes]:
    """Return the events in the data of a frame that should have been several; [] if it is one."""
    values = payload.split(b"\n")
    if len(values) < 2 or not all(is_typed(_unwrap(parse(value))) for value in values):
        return []
    return values


def _unwrap(value: object) -> object:
    event = value.get("event") if isinstance(value, dict) and not is_typed(value) else None
    return value if event is None else event
