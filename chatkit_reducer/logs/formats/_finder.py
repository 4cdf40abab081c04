"""The events in a piece of text: a line, a field of a logger, the body of a response.

Each piece is looked at by itself, from the outside in. An event is taken whole, and nothing inside
of it is looked at: so a message that quotes a log stays a message.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from chatkit_reducer.logs.formats._devtools import row_of
from chatkit_reducer.logs.formats._partial import PartialText, cri_line
from chatkit_reducer.logs.formats._prefixed import (
    Candidate,
    candidates,
    python_dict,
    strip_colours,
)
from chatkit_reducer.logs.formats._wrapped import Path, find, text_of, values_at
from chatkit_reducer.logs.formats.data_lines import DONE, DataLines
from chatkit_reducer.logs.formats.texts import (
    MISSING,
    STRONG_STEMS,
    Place,
    Text,
    is_event,
    is_foreign,
    is_known,
    is_strong,
    is_typed,
    parse,
    split_event,
    too_large,
)

__all__ = ["Finder", "begins_as_event", "holds_event"]

_FIELD = re.compile(rb"(data|id|event|retry)?:")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BLANK = b" \t\r\n\x0c\x1e"
_PUNCTUATION = re.compile(rb"[^\w{}]*")
_EVENT_BEGINS = re.compile(rb'\{\s*"(?:type"\s*:\s*"thread\.|(?:item_id|item|update|thread)"\s*:)')
_TORN_EVENT = re.compile(rb'\{\s*"type"\s*:\s*"thread\.')
# Types that only ChatKit uses, or letters that are spelled as escapes, in JSON or in Python.
_MAY_BE_OF_CHATKIT = re.compile(rb"%b|\\[uUxN0-7]" % b"|".join(map(re.escape, STRONG_STEMS)))
_DEEPEST = 4
_MOST_PATHS = 4


def holds_event(text: bytes | str, depth: int = 0) -> bool:
    """Return whether a text holds an event of a type that only ChatKit uses, or its start."""
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if depth >= _DEEPEST or not _MAY_BE_OF_CHATKIT.search(data) or b"type" not in data:
        return False
    finder = Finder(len(data) + 1, depth=depth)
    finder.text(data, Place(0, 0))
    return any(_is_of_chatkit(text.payload) for text in finder.end())


def _is_of_chatkit(text: bytes) -> bool:
    value = parse(text)
    return _TORN_EVENT.match(text) is not None if value is MISSING else is_strong(value)


def begins_as_event(text: bytes) -> bool:
    """Return whether the beginning of an object looks like that of an event."""
    return _EVENT_BEGINS.match(text) is not None


class Finder:
    """Find the events in one piece of text after another; `texts` are those found so far.

    Args:
        limit: how large one event may be, in bytes.
        path: where in a JSON object the text of the log is, if that is known.
    """

    def __init__(self, limit: int, path: Path | None = None, *, depth: int = 0) -> None:
        self._limit = limit
        self._paths: dict[int, list[Path]] = {} if path is None else {depth: [path]}
        self._depth = depth
        self._frames = DataLines(limit)
        self._column: int | None = None
        self._row_id: str | None = None
        self._partial = PartialText(limit)
        self.texts: list[Text] = []

    def pop(self) -> list[Text]:
        """Return the texts found so far, and forget them."""
        texts, self.texts = self.texts, []
        return texts

    def end(self) -> list[Text]:
        """Return the texts that are left when nothing follows."""
        if self._partial.text:
            self._lines(self._partial.pop(), self._partial.place)
        self.texts += self._frames.end()
        return self.pop()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is open: no frame, and no text that a recorder cut."""
        return not (self._frames.has_lines or self._partial.text)

    @property
    def skipped(self) -> int:
        """How many lines of data were not JSON."""
        return self._frames.skipped

    def _add(self, payload: bytes, place: Place, sequence: str | None = None) -> None:
        self.texts += self._frames.end()
        reason = too_large(self._limit) if len(payload) > self._limit else None
        self.texts.append(Text(payload, place, sequence, reason))

    # --- one line ---------------------------------------------------------------------------------

    def line(self, text: bytes, place: Place) -> bool:
        """Take a line; return whether it is part of an event, or punctuation between events."""
        cri = cri_line(text)
        if cri is not None:
            return self._part(cri.text, place, is_last=cri.is_last)
        text = strip_colours(text).strip(_BLANK)
        if not text:
            self.texts += self._frames.end()
            return True
        field = _FIELD.match(text)
        if field is not None and not (field[1] == b"event" and b"{" in text):
            return self._field(field[1] or b"", text[field.end() :], place)
        if text == DONE or _PUNCTUATION.fullmatch(text):
            return True
        if text.startswith((b"{", b"[")):
            value = parse(text)
            if value is MISSING and text.startswith(b"{"):
                text = text.rstrip(b",;] \t")
                value = parse(text)
            if value is not MISSING:
                return self.value(value, text, place)
        return self._other_line(text, place)

    def _field(self, name: bytes, value: bytes, place: Place) -> bool:
        value = value.removeprefix(b" ")
        if name == b"id":
            self.texts += self._frames.id(value)
        return name != b"data" or self._data(value, place)

    def _data(self, value: bytes, place: Place) -> bool:
        if not self._frames.is_open and value.startswith((b"{", b'"')):
            json = parse(value)
            if json is not MISSING and not is_event(json) and self.value(json, value, place):
                return True
            if json is MISSING:
                event, behind = split_event(value)
                if b"{" in behind:  # perhaps another event
                    return self._other_line(b"data: " + value, place)
                value = event
        self._column = 0
        self.texts += self._frames.data(value, place)
        return True

    def _other_line(self, text: bytes, place: Place) -> bool:
        row = row_of(text)
        if row is not None:
            # A browser repeats the last id where an event has none of its own.
            is_own = row[1] != self._row_id
            self._row_id = row[1]
            self._add(row[0], place, row[1] if is_own else None)
            return True
        if self._frames.is_open and self._column and text[self._column :].startswith(b"data:"):
            return self._field(b"data", text[self._column + 5 :], place)
        return _any_of([self._candidate(one, text, place) for one in self._of_interest(text)])

    def _of_interest(self, text: bytes) -> list[Candidate]:
        if b"{" not in text and DONE not in text:
            return []
        printed = python_dict(text)
        if printed is not None:
            return [Candidate(msgspec.json.encode(printed))]
        found: list[Candidate] = []
        for candidate in candidates(text):
            if found and not candidate.is_complete:
                break  # the rest of the line is the end of the first candidate
            found.append(candidate)
            if not candidate.is_complete and begins_as_event(candidate.text):
                break  # an object in a torn event is not another event
        return found

    def _candidate(self, one: Candidate, line: bytes, place: Place) -> bool:
        if one.text == DONE:
            return True
        if one.is_quoted:
            return self._depth < _DEEPEST and self._inner(one.text, place)
        value = parse(one.text)
        if not one.is_complete or value is MISSING:
            return self._incomplete(one, line, place)
        if is_event(value):
            if is_foreign(value) or not (is_strong(value) or one.is_clean or one.is_marked):
                return False
            self._add(one.text, place)
            return True
        return one.is_clean and self.value(value, one.text, place)

    def _incomplete(self, one: Candidate, line: bytes, place: Place) -> bool:
        """Take an object that is not JSON: the first line of data of several, or a torn event."""
        if one.is_marked and not begins_as_event(one.text):
            self._column = line.index(b"data:")
            self.texts += self._frames.data(one.text, place)
            return True
        if begins_as_event(one.text):
            self._add(one.text, place)
            return True
        return False

    # --- one JSON value ---------------------------------------------------------------------------

    def value(self, value: Any, text: bytes, place: Place) -> bool:
        """Take a JSON value and its text; return whether there is an event in it."""
        inner = self._inside(value) if isinstance(value, (dict, list)) else []
        if inner:
            return _any_of([self._piece(one, place) for one in inner])
        if is_event(value) and not is_foreign(value):
            self._add(text, place)
            return True
        if isinstance(value, str) and "{" in value:
            return self._inner(value.encode("utf-8", "replace"), place)
        return False

    def _inside(self, value: Any) -> list[Any]:
        """Return the values that hold the events in a value that is not one itself."""
        if is_known(value) or self._depth >= _DEEPEST:
            return []
        paths = self._paths.setdefault(self._depth, [])
        for known in paths:
            inner = values_at(value, known)
            if inner:
                return inner
        if is_typed(value):
            return []
        path = find(value, lambda text: holds_event(text, self._depth + 1))
        if path is None:
            return []
        if len(paths) < _MOST_PATHS:
            paths.append(path)
        return values_at(value, path)

    def _piece(self, piece: Any, place: Place) -> bool:
        text = text_of(piece)
        if text is not None:
            return self._part(text.encode("utf-8", "replace"), place)
        if is_event(piece) and not is_foreign(piece):
            self._add(msgspec.json.encode(piece), place)
            return True
        return False

    # --- text in a field or in quotes -------------------------------------------------------------

    def _part(self, text: bytes, place: Place, *, is_last: bool | None = None) -> bool:
        """Take the text of a field, which may be a part of a line that the recorder cut."""
        is_whole = is_last is None and self._is_whole(text)
        if self._partial.text and is_whole:
            self._lines(self._partial.pop(), self._partial.place)
        if not is_whole and self._partial.add(text, place, is_last=is_last):
            return True
        if not is_whole:
            text, place = self._partial.pop(), self._partial.place
        return self._inner(text, place)

    def _is_whole(self, text: bytes) -> bool:
        start = text.lstrip()
        return start.startswith((b"{", b"data:")) and is_event(parse(start.removeprefix(b"data:")))

    def _inner(self, text: bytes, place: Place) -> bool:
        self._depth += 1
        try:
            return self.text(text, place)
        finally:
            self._depth -= 1

    def text(self, text: bytes, place: Place) -> bool:
        """Take a text of any number of lines; return whether there is an event in it."""
        start = text.strip(_BLANK)
        if start.startswith(b"{"):
            value = parse(start)
            if value is not MISSING:
                return self.value(value, start, place)
        return self._lines(text, place)

    def _lines(self, text: bytes, place: Place) -> bool:
        lines = _LINE_END.split(text)
        if len(lines) > 1 and not lines[-1]:
            del lines[-1]
        return _any_of([self.line(line, place) for line in lines])


def _any_of(found: list[bool]) -> bool:
    """Return whether any piece is part of an event; the caller has looked at all of them."""
    return any(found)
