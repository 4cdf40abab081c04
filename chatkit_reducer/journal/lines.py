"""Whole lines of a file that may be growing, by `pread`: nothing is read that could be cut off."""

from __future__ import annotations

import os
from collections.abc import Iterator

import attrs

__all__ = ["Scan", "last_line", "lines_from", "scan"]

_BLOCK = 256 * 1024
_TAIL = 4096


@attrs.frozen
class Scan:
    """A file, looked through once."""

    count: int
    """How many whole lines it has."""
    size: int
    """Where the last of them ends, in bytes."""
    first: bytes
    last: bytes


def lines_from(descriptor: int, offset: int) -> Iterator[tuple[bytes, int]]:
    """Yield each whole line from an offset on, without its break, and where the next begins."""
    size = _BLOCK
    while block := os.pread(descriptor, size, offset):
        end = block.rfind(b"\n")
        if end < 0:
            if len(block) < size:
                return
            size *= 2  # a line that is longer than a block
            continue
        for line in block[:end].split(b"\n"):
            offset += len(line) + 1
            yield line, offset


def scan(descriptor: int) -> Scan:
    """Look through a file."""
    count = size = 0
    first = last = b""
    for count, (last, behind) in enumerate(lines_from(descriptor, 0), 1):
        first = first if count > 1 else last
        size = behind
    return Scan(count, size, first, last)


def last_line(descriptor: int) -> bytes:
    """Return the last whole line of a file; an empty one where it has none."""
    end = os.fstat(descriptor).st_size
    size = _TAIL
    while True:
        start = max(0, end - size)
        lines = os.pread(descriptor, end - start, start).split(b"\n")[:-1]
        if len(lines) > 1 or start == 0:
            return lines[-1] if lines else b""
        size *= 8
