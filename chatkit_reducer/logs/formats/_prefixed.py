"""Lines with other text around the event: a logger's time and level, a container's name, quotes."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from chatkit_reducer.core.halves import mended

__all__ = ["Candidate", "candidates", "strip_colours"]

_COLOUR = re.compile(rb"\x1b(?:\[[0-9;:?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
# In the order of the text: a quoted text, the field of a server-sent event, or an object.
_START = re.compile(
    rb"""(?P<literal>b?(?P<quote>["'])(?:(?:id|event):[^"'\\]*\\n)*(?:data: ?)?\{\\?["'])"""
    rb"""|(?<![\w"'\\])data: ?(?=\{|\[DONE\])"""
    rb"""|\{\s*\"""",
)
_LITERALS = {
    b'"': re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL),
    b"'": re.compile(rb"'(?:[^'\\]|\\.)*+'", re.DOTALL),
}
# Characters that may stand behind an event of a type that any program may have: quotes, brackets,
# cells of a table.
_CLEAN_END = re.compile(rb"""(?:[^\S\t]|["'`,;)\]>])*+(?:\t[^\t{}]{0,40}+)*+""")
# Python puts a name in double quotes if there is an apostrophe in it.
_DICT = re.compile(rb"""\{(?:'(?:[^'\\]|\\.)*+'|"[^"']*+'[^"]*+"): """)
_LONGEST_DICT = 1 << 20  # a literal takes a hundred times its size while it is parsed
_MOST = 8
_json = json.JSONDecoder(strict=False)


class Candidate(Struct, frozen=True, gc=False):
    """A part of a line that may be an event."""

    text: bytes
    is_quoted: bool = False
    """Whether it is a text of its own, taken out of quotes."""
    is_marked: bool = False
    """Whether `data:` stands before it."""
    is_clean: bool = True
    """Whether the line ends behind it, or has only brackets and the like there."""
    is_complete: bool = True
    """Whether its brackets are closed."""


def python_dict(line: bytes) -> dict[str, Any] | None:
    """Return the dict at the end of a line as Python prints it, if it looks like an event."""
    found = _DICT.search(line)
    end = line.rfind(b"}") + 1
    if found is None or len(line) > _LONGEST_DICT or not _CLEAN_END.fullmatch(line, end):
        return None
    source = line[found.start() : end]
    try:
        value: object = ast.literal_eval(source.decode())
        msgspec.json.encode(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    return value if isinstance(value, dict) else None


def strip_colours(line: bytes) -> bytes:
    """Return the line without the escape sequences for a terminal."""
    return _COLOUR.sub(b"", line) if b"\x1b" in line else line


def candidates(line: bytes) -> Iterator[Candidate]:
    """Yield the parts of a line that may be events, from the left.

    After a few objects that are not complete, no more are looked for.
    """
    objects, at, torn = _Objects(line), 0, 0
    while torn < _MOST:
        found = _START.search(line, at)
        if found is None:
            return
        candidate, at = _quoted(line, found) or _bare(line, found, objects)
        if candidate.is_quoted and _is_torn(candidate.text):
            # The quotes were put around a text in which the same quotes stand as they are.
            other, end = _bare(line, found, objects)
            if other.is_complete:
                candidate, at = other, end
            torn += not other.is_complete
        torn += not candidate.is_complete
        yield candidate


def _is_torn(text: bytes) -> bool:
    """Return whether there is a part of an object in a text, and not a whole one."""
    start = text.find(b"{")
    try:
        _json.raw_decode(text.decode("utf-8", "replace"), len(text[:start].decode()))
    except (ValueError, RecursionError):
        return True
    return False


class _Objects:
    """The JSON objects in a line, asked for from the left: the line is decoded once."""

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._text: str | None = None
        self._start = self._characters = 0

    def size_at(self, start: int) -> int | None:
        """Return how many bytes the object has that begins there; None if it does not end."""
        if self._text is None:
            self._text = _decoded(self._line)
        between = self._line[min(self._start, start) : max(self._start, start)]
        self._characters += len(_decoded(between)) * (1 if start >= self._start else -1)
        self._start = start
        try:
            end = _json.raw_decode(self._text, self._characters)[1]
        except (ValueError, RecursionError):
            return None
        return len(self._text[self._characters : end].encode("utf-8", "surrogateescape"))


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _bare(line: bytes, found: re.Match[bytes], objects: _Objects) -> tuple[Candidate, int]:
    """Return the JSON object that begins there, and where to look on."""
    is_marked = found[0].startswith(b"data:")
    if is_marked and line.startswith(b"[DONE]", found.end()):
        return Candidate(b"[DONE]", is_marked=True), found.end() + 6
    start = found.end() if is_marked else line.index(b"{", found.start())
    size = objects.size_at(start)
    if size is None:
        return Candidate(line[start:], is_marked=is_marked, is_complete=False), start + 1
    end = start + size
    is_clean = _CLEAN_END.fullmatch(line, end) is not None
    return Candidate(line[start:end], is_marked=is_marked, is_clean=is_clean), end


def _quoted(line: bytes, found: re.Match[bytes]) -> tuple[Candidate, int] | None:
    """Return the text in quotes as Python or JSON writes it, and where it ends."""
    if not found["literal"]:
        return None
    start = found.start("quote")
    whole = _LITERALS[found["quote"]].match(line, start)
    if whole is None:
        return None
    source = line[found.start() : whole.end()]
    try:
        value = ast.literal_eval(source.decode())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    text = value if isinstance(value, bytes) else mended(value).encode()
    return Candidate(text, is_quoted=True), whole.end()
