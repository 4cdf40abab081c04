"""Bytes in pieces of any size to lines, each with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from msgspec import Struct

from chatkit_reducer.logs.formats._kept import Kept
from chatkit_reducer.logs.formats.texts import Place

__all__ = ["Line", "Lines"]

_LINE_END = re.compile(rb"\r\n|\n|\r")
# A line, and its first character that is not blank or punctuation: those tell nothing.
_FIRST_OF_TEXT = re.compile(rb"(?=[^\r\n])[^\w{}\r\n]*+([\w{}]?)[^\r\n]*+")


class Line(Struct, frozen=True, gc=False):
    """One line, without its end."""

    text: bytes
    place: Place
    too_long: bool = False
    """Whether it was dropped: then `text` is its beginning."""


class Lines:
    """Split at LF, CR LF and CR; keep at most one line, of at most `limit` bytes.

    Args:
        limit: the size of the longest line.
        wanted: returns a pattern; lines without a match are passed over at once. None for all.
    """

    def __init__(
        self, limit: int, wanted: Callable[[], re.Pattern[bytes] | None] | None = None
    ) -> None:
        self._wanted = wanted
        self.passed: int = 0
        """How many lines with text in them were passed over."""
        self._kept = Kept(limit)
        self._offset = self._line = 0
        self._behind_cr = False

    def passes_over(self, line: Line) -> bool:
        """Pass over a line that came in several pieces, if it is not wanted."""
        pattern = self._wanted() if self._wanted is not None else None
        if pattern is None or pattern.search(line.text) is not None:
            return False
        self.passed += _with_text(line.text)
        return True

    def push(self, data: bytes) -> Iterator[Line]:
        """Yield the lines that end in these bytes."""
        start = 0
        if self._behind_cr and data:
            self._behind_cr = False
            if data.startswith(b"\n"):  # the second half of a CR LF
                start = 1
                self._offset += 1
        start = self._pass_over(data, start)
        while found := _LINE_END.search(data, start):
            text = data[start : found.start()]
            yield self._end_line(text, len(found[0]))
            start = self._pass_over(data, found.end())
        if start and start == len(data):
            self._behind_cr = data.endswith(b"\r")
        self._kept.add(data[start:])

    def rest(self) -> Iterator[Line]:
        """Yield the last line, if nothing ended it."""
        if self._kept.size:
            yield self._end_line(b"", 0)

    def _pass_over(self, data: bytes, start: int) -> int:
        """Pass over the lines that are not wanted; return where the next one begins."""
        pattern = None if self._wanted is None or self._kept.size else self._wanted()
        if pattern is None:
            return start
        found = pattern.search(data, start)
        stop = len(data) if found is None else found.start()
        end = 1 + max(data.rfind(b"\n", start, stop), data.rfind(b"\r", start, stop))
        if end <= start:
            return start
        run = data[start:end]
        self._offset += len(run)
        self._line += run.count(b"\n") + run.count(b"\r") - run.count(b"\r\n")
        self.passed += _with_text(run)
        return end

    def _end_line(self, text: bytes, end: int) -> Line:
        self._kept.add(text)
        place, size = Place(self._offset, self._line), self._kept.size
        kept, is_too_long = self._kept.take()
        self._offset += size + end
        self._line += 1
        return Line(kept, place, is_too_long)


def _with_text(lines: bytes) -> int:
    """Count the lines that have text in them."""
    return sum(map(bool, _FIRST_OF_TEXT.findall(lines)))
