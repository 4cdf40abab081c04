"""A response with its HTTP headers and its chunks, as captured from the socket."""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["Dechunker", "is_chunked"]

_STATUS = rb"HTTP/\d[\d.]* \d{3}[^\r\n]*\r?\n"
_HEADERS = re.compile(rb"\s*" + _STATUS + rb"(?:[^\r\n]+\r?\n)*\r?\n")
_CHUNKED = re.compile(rb"(?im)^transfer-encoding:[^\r\n]*\bchunked\b")
_SIZE = re.compile(rb"\r?\n?([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_MAY_BE_SIZE = re.compile(rb"[0-9A-Fa-f]*[ \t]*(?:\Z|[;\r])")
_LONGEST_HEAD = 16384
_LONGEST_SIZE = 4096

_State = Literal["headers", "size", "chunk", "plain"]


def is_chunked(head: bytes | bytearray) -> bool | None:
    """Return whether a log begins with the headers of a chunked response, and with its first chunk.

    None where more bytes are needed to tell. Programs that show the headers mostly take the chunks
    apart (`curl -i`): then the chunk is missing.
    """
    start = bytes(head[:_LONGEST_HEAD])
    if not b"HTTP/".startswith(start.lstrip()[:5]):
        return False
    undecided = None if len(start) < _LONGEST_HEAD else False
    headers = _HEADERS.match(start)
    if headers is None:
        return undecided
    if _CHUNKED.search(headers[0]) is None:
        return False
    if _SIZE.match(start, headers.end()) is not None:
        return True
    return undecided if _MAY_BE_SIZE.match(start, headers.end()) else False


class Dechunker:
    """Headers and chunks in, the body out: of one response after another.

    From the first byte that is neither, everything is passed on as it is.
    """

    def __init__(self) -> None:
        self._state: _State = "headers"
        self._kept = b""
        self._left = 0

    def push(self, data: bytes) -> bytes:
        """Return the part of the body that is in these bytes."""
        out: list[bytes] = []
        data = self._kept + data
        at = 0
        while at < len(data):
            end = self._step(data, at, out)
            if end is None:
                break
            at = end
        self._kept = data[at:]
        return b"".join(out)

    def _step(self, data: bytes, at: int, out: list[bytes]) -> int | None:
        """Take one thing; return where it ends, or None if that is not there yet."""
        if self._state == "headers":
            return self._headers(data, at)
        if self._state == "size":
            return self._chunk_size(data, at)
        end = len(data) if self._state == "plain" else min(at + self._left, len(data))
        out.append(data[at:end])
        if self._state == "chunk":
            self._left -= end - at
            self._state = "chunk" if self._left else "size"
        return end

    def _headers(self, data: bytes, at: int) -> int | None:
        found = _HEADERS.match(data, at)
        if found is not None:
            self._state = "size" if _CHUNKED.search(found[0]) else "plain"
            return found.end()
        start = data[at : at + _LONGEST_HEAD].lstrip()
        if b"HTTP/".startswith(start[:5]) and len(data) - at < _LONGEST_HEAD:
            return None
        self._state = "plain"
        return at

    def _chunk_size(self, data: bytes, at: int) -> int | None:
        found = _SIZE.match(data, at)
        if found is not None:
            self._left = int(found[1], 16)
            self._state = "chunk" if self._left else "headers"
            return found.end()
        line = data[at : at + _LONGEST_SIZE].lstrip(b"\r\n")
        if b"\n" in line or len(data) - at > _LONGEST_SIZE or not _MAY_BE_SIZE.match(line):
            self._state = "plain"
            return at
        return None
