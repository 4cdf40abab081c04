"""Lines that a recorder cut, because they were long: Docker at 16 KB, and all that follow CRI."""

from __future__ import annotations

import re

from msgspec import Struct

from chatkit_reducer.logs.formats._json_values import JsonValues
from chatkit_reducer.logs.formats.texts import Place

__all__ = ["CriLine", "PartialText", "cri_line"]

# Kubernetes, `kubelet`'s log format: a time, the stream, P for a part of a line or F for its end.
_CRI = re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) ([PF]) ?")
_OBJECT = re.compile(rb'\{\s*(?:"|\Z)')


class CriLine(Struct, frozen=True, gc=False):
    """A line of a container, as Kubernetes keeps it."""

    text: bytes
    is_last: bool


def cri_line(line: bytes) -> CriLine | None:
    """Return the text in a line of Kubernetes' logs, if it is one."""
    found = _CRI.match(line)
    return None if found is None else CriLine(line[found.end() :], found[1] == b"F")


class PartialText:
    """Parts of a text until it is whole: until its line ends, or the object in it does.

    A text that is larger than `limit` is given up, and comes out in its parts.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._values: JsonValues | None = None
        self.place: Place = Place(0, 0)

    @property
    def text(self) -> bool:
        """Whether there are parts."""
        return bool(self._parts)

    def add(self, text: bytes, place: Place, *, is_last: bool | None) -> bool:
        """Add a part; return whether more must follow.

        Args:
            text: the part.
            place: where it stands in the log.
            is_last: whether the line ends with it. None where the recorder does not say so.
        """
        if not self._parts:
            self.place = place
        self._parts.append(text)
        self._size += len(text)
        if self._size > 2 * self._limit:
            return False
        if is_last is not None:
            return not is_last
        return self._is_open(text)

    def _is_open(self, text: bytes) -> bool:
        """Return whether an object has begun and is not over."""
        if text.endswith(b"\n"):
            return False
        if self._values is None:
            found = _OBJECT.search(text)
            if found is None:
                return False
            self._values = JsonValues(2 * self._limit)
            text = text[found.start() :]
        return not any(True for _ in self._values.push(text))

    def pop(self) -> bytes:
        """Return the parts as one text, and forget them."""
        text = b"".join(self._parts)
        self._parts, self._size, self._values = [], 0, None
        return text
