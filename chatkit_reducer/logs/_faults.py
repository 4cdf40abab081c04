"""The faults of a log: each with its place, the first 10,000 with an excerpt."""

from __future__ import annotations

import re

from chatkit_reducer.core.anomalies import MAX_ANOMALIES
from chatkit_reducer.events import Unreadable

__all__ = ["Faults", "may_be_event"]

_EXCERPT = 80
# The name may be spelled with escapes, and the lines of an event in SSE begin with `data:`.
_TYPE = re.compile(
    rb'"(?:t|\\u0074)(?:y|\\u0079)(?:p|\\u0070)(?:e|\\u0065)"(?:\s|data:)*+:(?:\s|data:)*+"'
)


class Faults:
    """Makes the faults of a log, counts them, and follows the place that was reached."""

    def __init__(self) -> None:
        self.offset: int = 0
        """How many bytes of the log were decoded."""
        self.line: int = 1
        """The line that is next, counted from 1."""
        self._count = 0

    @property
    def are_listed(self) -> bool:
        """Whether the next fault is one of those that are told one by one."""
        return self._count < MAX_ANOMALIES

    def move(self, size: int, lines: int) -> None:
        """Move the place by so many bytes and lines."""
        self.offset += size
        self.line += lines

    def unreadable(self, raw: bytes, offset: int, line: int, reason: str) -> Unreadable:
        """Return one more fault.

        Args:
            raw: the text that cannot be read.
            offset: where it stands, in bytes from the place that was reached.
            line: likewise, in lines.
            reason: why it cannot be read.
        """
        is_listed = self.are_listed
        self._count += 1
        excerpt = _excerpt(raw) if is_listed else ""
        place = self.offset + offset, self.line + line
        return Unreadable(*place, reason, excerpt, 0 if is_listed else 1)

    def unlisted(self, count: int) -> Unreadable:
        """Return one fault that stands for so many texts, none of which is an event."""
        return Unreadable(self.offset, self.line, "nothing here is an event", "", count)


def may_be_event(text: bytes) -> bool:
    """Return whether there may be an event in a text: it has a `type` that is a text."""
    return _TYPE.search(text) is not None


def _excerpt(raw: bytes) -> str:
    """Return the beginning of an unreadable text, safe to print on a terminal."""
    text = raw[: 4 * _EXCERPT].decode("utf-8", "replace")
    shown = "".join([c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text])
    return shown[:_EXCERPT] + "\N{HORIZONTAL ELLIPSIS}" if len(shown) > _EXCERPT else shown
