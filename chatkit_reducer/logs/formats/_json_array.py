"""JSON that is not one value a line: arrays, values over several lines, or one behind another."""

from __future__ import annotations

from typing import Any

from chatkit_reducer.logs.formats import _har as har
from chatkit_reducer.logs.formats._finder import Finder
from chatkit_reducer.logs.formats._json_values import JsonValues, Value
from chatkit_reducer.logs.formats._looking import LIKELY, Looks
from chatkit_reducer.logs.formats._mixed_lines import longest_line
from chatkit_reducer.logs.formats._wrapped import Path
from chatkit_reducer.logs.formats.texts import MISSING, Text, Texts, parse, too_large

__all__ = ["JsonArray"]

_NOTHING = frozenset({b"{}", b'""'})  # there may be any number of them


class JsonArray:
    """Find the events in the elements of an array, or in values that stand one behind another.

    Keeps at most one element, of twice the size that an event may have.
    """

    name = "a JSON array, or JSON over several lines"

    def __init__(self, limit: int, path: Path | None = None) -> None:
        self._limit = limit
        self._values = JsonValues(longest_line(limit))
        self._finder = Finder(limit, path)
        self._looks = Looks()
        self._skipped = 0

    @property
    def skipped(self) -> int:
        """How many elements are not part of an event."""
        return self._skipped + self._values.other + self._values.passed + self._finder.skipped

    def push(self, data: bytes) -> list[Texts]:
        """Return the texts that these bytes complete."""
        for value in self._values.push(data):
            self._feed(value)
        return [Texts(self._finder.pop(), len(data))]

    def rest(self) -> list[Texts]:
        """Return the texts at the end, which nothing followed."""
        for value in self._values.rest():
            self._feed(value)
        return [Texts(self._finder.end(), 0)]

    def _feed(self, value: Value) -> None:
        if value.too_long:
            self._finder.texts.append(Text(value.text, value.place, None, too_large(self._limit)))
            return
        if self._values.passes_over(value):
            return
        before = len(self._finder.texts)
        is_good = self._look(value)
        self._looks.count(found=is_good and len(self._finder.texts) > before)
        self._values.wanted = LIKELY if self._looks.are_spent else None

    def _look(self, value: Value) -> bool:
        """Take the events in a value; return whether it could be read."""
        if not value.is_broken and value.text in _NOTHING:
            self._skipped += 1
            return True
        json: Any = MISSING if value.is_broken else parse(value.text)
        if json is MISSING:
            self._broken(value)
        elif har.is_har(json):
            texts, skipped = har.texts_of(json["log"]["entries"], value.place, self._limit)
            self._finder.texts += texts
            self._skipped += skipped
        else:
            self._skipped += not self._finder.value(json, value.text, value.place)
        return json is not MISSING

    def _broken(self, value: Value) -> None:
        """Take a torn value. Whole lines in it may still be events."""
        first, *lines = value.text.split(b"\n")
        self._finder.texts.append(Text(first if lines else value.text, value.place))
        whole = [line for line in lines if line.lstrip().startswith(b'{"type"')]
        for line in whole:
            self._finder.line(line, value.place)
