"""Text of a log, made safe and short enough for a terminal.

The content of a log was written by a model, a user or a foreign server. A terminal must never
obey it: no escape sequence, no carriage return that hides a line, no change of the direction of
writing. Each such character is shown as a visible one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from chatkit_reducer.core.visible import escaped, id_text

__all__ = [
    "command_lines",
    "compact_json",
    "escaped_log",
    "file_name",
    "id_text",
    "json_line",
    "one_line",
    "safe",
    "shortened",
    "size_text",
    "url_text",
]

_UNSAFE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f"  # control characters, but for tab and newline
    "\x80-\x9f"  # those of 8 bits: 0x9b is an escape sequence of its own
    "\u2028\u2029"  # separators of lines and paragraphs
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # directions of writing
    "\ufeff\ufff9-\ufffb"
    "\ud800-\udfff"  # halves of characters: no encoding has them
    "]"
)
_DELETE = 0x7F
_PICTURES = 0x2400  # U+2400 is the picture of NUL, and so on
_PICTURE_OF_DELETE = "\u2421"
_DATA_URL = re.compile(r"data:(?P<kind>[^,]*),")
_KILO = 1000


def safe(text: str) -> str:
    """Replace each character of the text that a terminal obeys; its lines stay lines."""
    return _UNSAFE.sub(_picture, text.replace("\r\n", "\n"))


def _picture(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < ord(" "):
        return chr(_PICTURES + number)
    return _PICTURE_OF_DELETE if number == _DELETE else "\N{REPLACEMENT CHARACTER}"


def one_line(text: str, limit: int | None = None) -> str:
    """Make the text safe and put it on one line, of at most so many characters."""
    line = safe(text).replace("\n", "\u240a").replace("\t", " ")
    return line if limit is None else shortened(line, limit)


# --- names ----------------------------------------------------------------------------------------


def file_name(name: str) -> str:
    r"""Show the name of a file on one line; a byte that is not text is `\xff`."""
    return escaped(name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


# --- commands -------------------------------------------------------------------------------------


def command_lines(words: Sequence[str], width: int) -> Iterator[str]:
    """Set a command in lines that a shell joins again, and no option apart from its value."""
    import shlex

    line = " "
    for unit in _units([one_line(shlex.quote(word)) for word in words], width - 7):
        if line.strip() and len(line) + len(unit) + 3 > width:
            yield f"{line} \\"
            line = "   "
        line += f" {unit}"
    if line.strip():
        yield line


def _units(words: Sequence[str], most: int) -> Iterator[str]:
    """Yield words, and options with their values where those are not too long together."""
    rest = iter(words)
    for word in rest:
        value = next(rest, "") if word.startswith("--") else ""
        if value and len(word) + len(value) < most:
            yield f"{word} {value}"
        else:
            yield from filter(None, (word, value))


# --- JSON -----------------------------------------------------------------------------------------

# The same characters in UTF-8, and invisible ones. A JSON text may escape any character.
_HIDDEN_IN_JSON = re.compile(
    rb"\x7f|\xc2[\x80-\x9f\xad]|\xd8\x9c|\xcd\x8f|\xe1\xa0[\x8b-\x8f]|\xe2\x80[\x8b-\x8f\xa8-\xae]"
    rb"|\xe2\x81[\xa0-\xaf]|\xef\xb8[\x80-\x8f]|\xef\xbb\xbf|\xef\xbf[\xb9-\xbb]"
    rb"|\xf3\xa0[\x80-\x87][\x80-\xbf]"
)

# JSON has none of these, but the id of a server-sent event may have them.
_CONTROLS = re.compile(rb"[\x00-\x09\x0b-\x1f]")


def json_line(value: Any) -> bytes:
    """Write a JSON value on one line, with escapes for control and invisible characters."""
    try:
        line = msgspec.json.encode(value)
    except UnicodeEncodeError:  # half of a character, which UTF-8 does not have
        return json.dumps(value, separators=(",", ":")).encode()
    if line.isascii() and b"\x7f" not in line:
        return line
    return _HIDDEN_IN_JSON.sub(_json_escape, line)


def escaped_log(log: bytes) -> bytes:
    """Return a log as a terminal can show it: with escapes for all that it would obey or hide.

    The JSON in it means the same as before.
    """
    return _HIDDEN_IN_JSON.sub(_json_escape, _CONTROLS.sub(_json_escape, log))


def _json_escape(found: re.Match[bytes]) -> bytes:
    units = found[0].decode().encode("utf-16-be")
    return b"".join([b"\\u%02x%02x" % pair for pair in zip(units[::2], units[1::2], strict=True)])


# --- short ----------------------------------------------------------------------------------------


def shortened(text: str, limit: int) -> str:
    """Cut the text to so many characters if it is longer."""
    return text if len(text) <= limit else text[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def compact_json(value: Any, limit: int | None = None) -> str:
    """Write a JSON value on one line, safe, with its size in place of a rest over the limit."""
    spaced = msgspec.json.format(msgspec.json.encode(value), indent=0)
    text = one_line(spaced.decode())
    if limit is None or len(text) <= limit:
        return text
    return f"{text[:limit]}\N{HORIZONTAL ELLIPSIS} ({len(text):,} characters)"


def url_text(url: str) -> str:
    """Show a URL on one line; one that holds its data itself, with the size of the data instead."""
    found = _DATA_URL.match(url)
    if found is None:
        return one_line(url)
    size = len(url) - found.end()
    if found["kind"].endswith(";base64"):
        size = (size - url[-2:].count("=")) * 3 // 4
    return f"data:{one_line(found['kind'], 60)}, {size_text(size)}"


def size_text(size: int) -> str:
    """Write a number of bytes for people: `812 bytes`, `1.2 kB`, `3.4 MB`."""
    if size < _KILO:
        return f"{size} bytes"
    if size < _KILO * _KILO:
        return f"{size / _KILO:.1f} kB"
    return f"{size / _KILO / _KILO:.1f} MB"
