"""Text of a log, made safe and short enough for a terminal.

What a log holds was written by a model, a user or somebody else's server. A terminal must never
obey it: no escape sequence, no carriage return that hides a line, no change of the direction of
writing. Each such character is shown as a visible one.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

__all__ = ["compact_json", "one_line", "safe", "shortened", "size_text", "url_text"]

_UNSAFE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f"  # control characters, but for tab and newline
    "\x80-\x9f"  # those of 8 bits: 0x9b is an escape sequence of its own
    "\u2028\u2029"  # separators of lines and paragraphs
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # directions of writing
    "\ufeff\ufff9-\ufffb"
    "]"
)
_DELETE = 0x7F
_PICTURES = 0x2400  # U+2400 is the picture of NUL, and so on
_PICTURE_OF_DELETE = "\u2421"
_DATA_URL = re.compile(r"data:(?P<kind>[^,]*),")
_KILO = 1000


def safe(text: str) -> str:
    """The text with nothing in it that a terminal obeys; its lines stay lines."""
    return _UNSAFE.sub(_picture, text.replace("\r\n", "\n"))


def _picture(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < ord(" "):
        return chr(_PICTURES + number)
    return _PICTURE_OF_DELETE if number == _DELETE else "\N{REPLACEMENT CHARACTER}"


def one_line(text: str, limit: int | None = None) -> str:
    """The text as `safe` makes it, on one line, of at most so many characters."""
    line = safe(text).replace("\n", "\u240a").replace("\t", " ")
    return line if limit is None else shortened(line, limit)


def shortened(text: str, limit: int) -> str:
    """The text, cut to so many characters if it is longer."""
    return text if len(text) <= limit else text[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def compact_json(value: Any, limit: int | None = None) -> str:
    """A JSON value on one line, safe, with its size instead of what is over the limit."""
    spaced = msgspec.json.format(msgspec.json.encode(value), indent=0)
    text = one_line(spaced.decode())
    if limit is None or len(text) <= limit:
        return text
    return f"{text[:limit]}\N{HORIZONTAL ELLIPSIS} ({len(text):,} characters)"


def url_text(url: str) -> str:
    """A URL on one line; one that holds its data itself, with the size of the data instead."""
    found = _DATA_URL.match(url)
    if found is None:
        return one_line(url)
    size = len(url) - found.end()
    if found["kind"].endswith(";base64"):
        size = (size - url[-2:].count("=")) * 3 // 4
    return f"data:{one_line(found['kind'], 60)}, {size_text(size)}"


def size_text(size: int) -> str:
    """A number of bytes for people: `812 bytes`, `1.2 kB`, `3.4 MB`."""
    if size < _KILO:
        return f"{size} bytes"
    if size < _KILO * _KILO:
        return f"{size / _KILO:.1f} kB"
    return f"{size / _KILO / _KILO:.1f} MB"
