"""Lines of any program, with an event in some of them."""

from __future__ import annotations

import re

from chatkit_reducer.logs.formats._finder import Finder
from chatkit_reducer.logs.formats._lines import Line, Lines
from chatkit_reducer.logs.formats._looking import LIKELY, Looks
from chatkit_reducer.logs.formats._wrapped import Path
from chatkit_reducer.logs.formats.texts import Text, Texts, too_large

__all__ = ["MixedLines", "longest_line"]


# A line with none of these is not part of an event, unless a frame or a torn text is open.
_TELLING = re.compile(rb"[{:\[\x1b]")


def longest_line(limit: int) -> int:
    """Return how large a line around an event of `limit` bytes may be: JSON in JSON is longer."""
    return 2 * limit + 65536


class MixedLines:
    """Find the event in each line: behind a prefix, in quotes, in a field of other JSON.

    Keeps at most one line, of twice the size that an event may have.
    """

    name = "lines with other text around the events"

    def __init__(self, limit: int, path: Path | None = None) -> None:
        self._limit = limit
        self._lines = Lines(longest_line(limit), self._wanted)
        self._finder = Finder(limit, path)
        self._looks = Looks()
        self._skipped = 0

    @property
    def skipped(self) -> int:
        """How many lines are not part of an event."""
        return self._skipped + self._lines.passed + self._finder.skipped

    def push(self, data: bytes) -> list[Texts]:
        """Return the texts that these bytes complete."""
        for line in self._lines.push(data):
            self._feed(line)
        return [Texts(self._finder.pop(), len(data))]

    def rest(self) -> list[Texts]:
        """Return the texts at the end, which nothing followed."""
        for line in self._lines.rest():
            self._feed(line)
        return [Texts(self._finder.end(), 0)]

    def _feed(self, line: Line) -> None:
        if line.too_long:
            self._finder.texts.append(Text(line.text, line.place, None, too_large(self._limit)))
            return
        if self._lines.passes_over(line):
            return
        before = len(self._finder.texts)
        self._skipped += not self._finder.line(line.text, line.place)
        self._looks.count(found=len(self._finder.texts) > before)

    def _wanted(self) -> re.Pattern[bytes] | None:
        if not self._finder.is_idle:
            return None
        return LIKELY if self._looks.are_spent else _TELLING
