"""The form of a log, found by looking at its whole lines, from the first on.

The first line that tells decides. A line that is an event, or a frame of server-sent events as the
standard has them, means a plain log: nothing in it is ever unwrapped, even where its texts look
like logs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeAlias

import attrs

from chatkit_reducer.logs._detection import detect
from chatkit_reducer.logs._framing import Framing
from chatkit_reducer.logs._json_lines import JSON_LINES
from chatkit_reducer.logs._sse import SSE
from chatkit_reducer.logs.formats._csv_rows import CsvRows, delimiter_of
from chatkit_reducer.logs.formats._finder import begins_as_event, holds_event
from chatkit_reducer.logs.formats._har import Har, is_har
from chatkit_reducer.logs.formats._json_array import JsonArray
from chatkit_reducer.logs.formats._lines import Lines
from chatkit_reducer.logs.formats._mixed_lines import MixedLines, longest_line
from chatkit_reducer.logs.formats._prefixed import candidates, strip_colours
from chatkit_reducer.logs.formats._wrapped import Path, find, values_at
from chatkit_reducer.logs.formats.texts import (
    MISSING,
    Container,
    is_event,
    is_foreign,
    is_known,
    is_logged,
    parse,
    split_event,
)

__all__ = ["LOOK_AT", "recognise"]

LOOK_AT = 512 * 1024
"""How many bytes at the start of a log may tell nothing; then it is JSON lines.

The first line may be longer. Of lines that could have told something 10,000 are enough."""

Form: TypeAlias = Framing | Container

_SPACE = b" \t\r\n\x0c\x1e"
# Only these bytes are looked at: there may be as many such lines as there is room for.
_TWO_LINES = re.compile(rb"[^\r\n]*+[ \t\r\n\x0c\x1e]*+([^\r\n]*+)")
_LINE_ENDS = re.compile(rb"[\r\n]+")
_MARK = re.compile(rb"[ \t]*[\x0c\x1e]")
_FIELD = re.compile(rb"(?:id|event|retry)?:")
# Lines that stand around a plain log: HTTP headers, a fence, cells copied one below another.
_AROUND = re.compile(rb"HTTP/\d|```|~~~|message\Z|\d\d:\d\d:\d\d[.,]\d{3}\Z")
_HAR = re.compile(rb'\{\s*"log"\s*:\s*\{')
_ARRAY = re.compile(rb'\[\s*(?:[{"\[\]]|\Z)')
_MEMBER = re.compile(rb'\s*["}]')
_OBJECT_ON_LINES = re.compile(rb'\{\s*(?:\Z|".*[{\[,:]\s*\Z|"[^{}]*\Z)')
# A telling line has one of these: a log may begin with any number of other lines.
_TELLING = re.compile(rb"[{\[:~`]|HTTP/|message")
_MOST_LINES = 10_000
_LONG = 65536
_LONGEST_LINE = 16 * 1024 * 1024
_json = json.JSONDecoder()


class _WaitingError(Exception):
    """More of the log is needed."""


def recognise(head: bytes, *, final: bool, limit: int) -> Form | None:
    """Return how a log that begins with these bytes is read; None where more of them are needed.

    Args:
        head: the log from its start, in UTF-8.
        final: `head` is all of it.
        limit: how large one event may be, in bytes.
    """
    end = _end_of_look(head, limit)
    is_enough = final or end is not None
    look = _Look(head[:end], is_enough, limit)
    try:
        form = look.form()
    except _WaitingError:
        return None
    if form is not None or not look.is_enough:
        return form
    return look.guess or detect(head, final=True)


def _end_of_look(head: bytes, limit: int) -> int | None:
    """Return how much of a log tells its form; None where that is not there yet.

    At least one whole line, unless it is very long. In which pieces the bytes come makes no
    difference.
    """
    if len(head) < LOOK_AT:
        return None
    found = _LINE_ENDS.search(head)
    most = max(LOOK_AT, min(longest_line(limit), _LONGEST_LINE))
    if found is not None and found.start() < most:
        return max(LOOK_AT, found.start() + 1)
    return most if len(head) >= most else None


@attrs.define
class _Look:
    head: bytes
    is_enough: bool
    limit: int
    guess: Form | None = None
    """The form if no line tells: that of the first line with an event of any type in it."""
    _has_text_around: bool = False
    _looked: int = 0

    def form(self) -> Form | None:
        """Return the form that the first telling line has."""
        for start, line in islice(self._telling_lines(), _MOST_LINES):
            form = self._of_line(start, line)
            if form is not None:
                return form
            self._looked += 1
        self.is_enough = self.is_enough or self._looked == _MOST_LINES
        return None

    def _telling_lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines that may tell something; the others are passed over at once."""
        at = 0
        while found := _TELLING.search(self.head, at):
            before = found.start()
            start = 1 + max(self.head.rfind(end, at, before) for end in (b"\n", b"\r"))
            start = start or at
            behind = _LINE_ENDS.search(self.head, before)
            if behind is None and not self.is_enough:
                return
            at = len(self.head) if behind is None else behind.end()
            yield start, self.head[start:at].rstrip(b"\r\n")

    def _lines(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield the lines that are complete, or will not become so, from one at `start` on."""
        lines = Lines(len(self.head) + 1)
        for line in lines.push(self.head[start:] if start else self.head):
            yield start + line.place.offset, line.text
        if self.is_enough:
            for line in lines.rest():
                yield start + line.place.offset, line.text

    def _of_line(self, start: int, line: bytes) -> Form | None:
        text = strip_colours(line).strip(_SPACE)
        if text.startswith(b"data:"):
            return self._of_data(start, text[5:].strip())
        if text.startswith(b"{"):
            form = self._of_object(start, text)
            # JSON lines have no marks between the records, as RFC 7464 has them.
            return MixedLines(self.limit) if form is JSON_LINES and _MARK.match(line) else form
        if _AROUND.match(text):
            self._has_text_around = True
        if not text or (_FIELD.match(text) and b"{" not in text) or _AROUND.match(text):
            return None
        form = self._of_array(start, text) if _ARRAY.match(text) else None
        return form or self._of_other(text)

    # --- data: ------------------------------------------------------------------------------------

    def _of_data(self, start: int, value: bytes) -> Form | None:
        json = parse(value)
        if json is MISSING and value.startswith(b"{"):
            _, behind = split_event(value)
            return MixedLines(self.limit) if behind else SSE
        if not is_event(json):
            path = _path_in(json)
            self._may_be(SSE)
            return None if path is None else MixedLines(self.limit, path)
        lines = self._lines(start)
        next(lines)
        for _, line in lines:
            if not line:
                return SSE
            if line.startswith(b"data:"):
                return MixedLines(self.limit)
        if self.is_enough:
            return SSE
        raise _WaitingError

    # --- { ----------------------------------------------------------------------------------------

    def _of_object(self, start: int, text: bytes) -> Form | None:
        json = parse(text)
        if json is not MISSING:
            form = self._of_value(json)
            return (
                MixedLines(self.limit) if form is JSON_LINES and self._ends_in_cr(start) else form
            )
        bare = text.rstrip(b",;] \t")
        json = parse(bare) if bare != text else MISSING
        if json is not MISSING:
            return MixedLines(self.limit, None if is_event(json) else _path_in(json))
        return self._of_long_object(start, text)

    def _ends_in_cr(self, start: int) -> bool:
        """Return whether the line ends with a carriage return alone: JSON lines do not."""
        found = _LINE_ENDS.search(self.head, start)
        if found is None or b"\n" in found[0]:
            return False
        if found.end() == len(self.head) and not self.is_enough:
            raise _WaitingError
        return True

    def _of_value(self, json: Any) -> Form | None:
        if is_har(json):
            return JsonArray(self.limit)
        if is_logged(json):
            return MixedLines(self.limit)
        if is_known(json) or (is_event(json) and self._is_unwrapped(json)):
            return None if is_foreign(json) else self._plain()
        path = _path_in(json)
        if path is not None and not is_event(json):
            return MixedLines(self.limit, path)
        path = path or _path_in(json, is_weak=True)
        self._may_be(None if path is None else MixedLines(self.limit, path))
        return None

    def _is_unwrapped(self, json: Any) -> bool:
        """Return whether an object with an unknown type is an event, and not a message around one.

        Such a message has a short type of its own, and an event in it. It is taken for one only if
        no line of the log is an event that this release knows.
        """
        if "." in json["type"]:
            return True
        if _path_in(json) is not None:
            return False
        path = _path_in(json, is_weak=True)
        is_text = path is not None and isinstance(values_at(json, path)[0], str)
        return not is_text and self.guess is None

    def _plain(self) -> Form:
        return MixedLines(self.limit) if self._has_text_around else JSON_LINES

    def _of_long_object(self, start: int, text: bytes) -> Form | None:
        """Decide about an object that is not one line: several, a part of one, or torn."""
        if len(text) >= LOOK_AT and _HAR.match(text):
            return Har(self.limit)  # to decode so large an object would take longer than to read it
        first = self._first_of_several(text)
        if first is not MISSING:
            is_first = is_event(first) and not is_foreign(first)
            return JsonArray(self.limit) if is_first else self._of_other(text)
        lines = self._two_lines(start)
        if _HAR.match(lines):
            return Har(self.limit)
        end = _LINE_ENDS.search(lines)
        if _OBJECT_ON_LINES.match(text) and end is not None and _MEMBER.match(lines, end.end()):
            return JsonArray(self.limit)
        is_cut = len(self.head) >= LOOK_AT and self.head.endswith(text[-80:])
        if is_cut and self._has_text_around:
            self._may_be(MixedLines(self.limit))
        elif is_cut and not begins_as_event(text):
            self._may_be(JsonArray(self.limit))
        return None

    def _first_of_several(self, text: bytes) -> Any:
        """Return the JSON value with which a line begins that has something else behind it."""
        try:
            value, end = _json.raw_decode(text.decode())
        except (ValueError, RecursionError):
            return MISSING
        return value if text.decode()[end:].strip(" \t,\r") else MISSING

    def _two_lines(self, start: int) -> bytes:
        """Return the line that begins there and the next that is not blank, with all between.

        Of a line that is very long, the beginning.
        """
        found = _TWO_LINES.match(self.head, start)
        assert found is not None  # it matches anything
        is_there = bool(found[1]) and found.end() < len(self.head)
        if not (is_there or self.is_enough):
            raise _WaitingError
        end = min(found.end(), found.start(1) + _LONG)
        return self.head[start:end].lstrip(_SPACE)

    # --- [ ----------------------------------------------------------------------------------------

    def _of_array(self, start: int, text: bytes) -> Form | None:
        json = parse(text)
        if json is MISSING:
            if text == b"[":
                lines = self._two_lines(start)
                return JsonArray(self.limit) if _ARRAY.match(lines) else None
            return JsonArray(self.limit) if re.match(rb'\[\s*[{"\[]', text) else None
        path = _path_in(json)
        if path is None:
            self._may_be(JsonArray(self.limit))
            return None
        return JsonArray(self.limit, path[1:] or None)

    # --- any other line ---------------------------------------------------------------------------

    def _of_other(self, text: bytes) -> Form | None:
        delimiter = delimiter_of(text) if b'""' in text else None
        if delimiter is not None:
            return CsvRows(self.limit, delimiter)
        if b"{" not in text:
            return None
        if holds_event(text):
            return MixedLines(self.limit)
        marked = (one for one in candidates(text) if one.is_marked) if b"data:" in text else ()
        if any(is_event(parse(one.text)) for one in marked):
            self._may_be(MixedLines(self.limit))
        return None

    def _may_be(self, form: Form | None) -> None:
        self.guess = self.guess or form


def _path_in(json: Any, *, is_weak: bool = False) -> Path | None:
    if not isinstance(json, (dict, list)):
        return None
    return find(json, lambda text: holds_event(text, 1), is_weak=is_weak)
