"""Bytes in pieces of any size to runs of whole frames."""

from __future__ import annotations

from chatkit_reducer.logs._framing import Framing
from chatkit_reducer.logs.blocks import TooLarge

__all__ = ["FrameBuffer"]

_SEAM = 3  # the end of a frame, CR LF CR LF, can begin this many bytes before a piece
_ENDS = 6  # such an end, and a blank line before the frame: they do not count as part of it


class FrameBuffer:
    """Holds back the frame that is not complete yet, and no more than `limit` bytes of it."""

    def __init__(self, framing: Framing, limit: int) -> None:
        self._framing = framing
        self._limit = limit
        self._kept: list[bytes] = []
        self._size = 0
        self._seam = b""
        self._dropped: TooLarge | None = None

    def push(self, data: bytes) -> list[bytes | TooLarge]:
        """Return the blocks that these bytes complete."""
        out: list[bytes | TooLarge] = []
        if self._dropped is not None:
            data = self._drop(self._dropped, data, out)
        end = self._framing.last_end(data)
        if end < 0:  # one may still end across the seam, or with the first bytes of this piece
            end = self._framing.last_end(self._seam + data[:_SEAM]) - len(self._seam)
        if end >= 0 and self._size + end > 0:
            out.append(b"".join([*self._kept, memoryview(data)[:end]]))
            self._kept, self._size, self._seam = [], 0, b""
            data = data[end:]
        self._keep(data)
        return out

    def rest(self) -> list[bytes | TooLarge]:
        """Return the last block: a frame that was not ended."""
        if self._dropped is not None:
            return [self._dropped]
        return [b"".join(self._kept)] if self._size else []

    def _keep(self, data: bytes) -> None:
        self._kept.append(data)
        self._size += len(data)
        self._seam = (self._seam + data[-_SEAM:])[-_SEAM:]
        if self._size > self._limit + _ENDS:
            kept = b"".join(self._kept)
            self._kept, self._size = [], 0
            lines = self._framing.count_lines(kept)
            self._dropped = TooLarge(kept[: 2 * _SEAM + 1024], len(kept), lines)

    def _drop(self, dropped: TooLarge, data: bytes, out: list[bytes | TooLarge]) -> bytes:
        """Drop bytes up to the end of the frame; return those behind it."""
        end = self._framing.first_end(self._seam + data) - len(self._seam)
        found = end >= 0
        gone = data[:end] if found else data
        dropped.size += len(gone)
        # Together with the byte before them: the first may be the second half of a CR LF.
        before = self._seam[-1:]
        count = self._framing.count_lines
        dropped.lines += count(before + gone) - count(before)
        self._seam = b"" if found else (self._seam + gone[-_SEAM:])[-_SEAM:]
        if not found:
            return b""
        out.append(dropped)
        self._dropped = None
        return data[end:]
