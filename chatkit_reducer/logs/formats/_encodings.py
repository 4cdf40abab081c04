"""UTF-16 and UTF-32, as a redirect in PowerShell writes them, with a byte order mark or without."""

from __future__ import annotations

import codecs

__all__ = ["LONGEST_MARK", "Transcoder", "encoding_of"]

# UTF-32 first: its mark begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# Where the zero bytes of an ASCII character are.
_ZEROS: dict[tuple[bool, ...], str] = {
    (False, True, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
}
LONGEST_MARK = 4
"""How many bytes tell the encoding."""


def encoding_of(head: bytes) -> str | None:
    """Return the encoding of a log that begins with these four bytes, if it is not UTF-8."""
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    return _ZEROS.get(tuple([byte == 0 for byte in head]))


class Transcoder:
    """Translates bytes in an encoding to UTF-8; they may be cut at any place.

    Bytes that are not a character become U+FFFD. Half a character at the end is dropped: the log
    was cut.
    """

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._begun = False

    def push(self, data: bytes) -> bytes:
        """Return the same text in UTF-8, without its byte order mark."""
        text = self._decoder.decode(data)
        if text and not self._begun:
            self._begun = True
            text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
        return text.encode()
