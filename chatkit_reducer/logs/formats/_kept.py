"""The pieces of one text, kept until it is complete."""

from __future__ import annotations

__all__ = ["Kept"]

_LONGEST_HEAD = 1024
"""How much is kept of a text that is too long, in bytes."""


class Kept:
    """The pieces of one text; of a text longer than `limit` bytes only its beginning."""

    __slots__ = ("_is_dropping", "_limit", "_pieces", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._is_dropping = False
        self.size: int = 0
        """How long the text is so far, with what was dropped."""

    def add(self, piece: bytes) -> None:
        """Add a piece at the end."""
        self.size += len(piece)
        if self._is_dropping or not piece:
            return
        self._pieces.append(piece)
        if self.size > self._limit:
            self._pieces = [b"".join(self._pieces)[:_LONGEST_HEAD]]
            self._is_dropping = True

    def take(self) -> tuple[bytes, bool]:
        """Return the text, and whether it is only the beginning; begin the next one."""
        taken = b"".join(self._pieces), self._is_dropping
        self._pieces, self.size, self._is_dropping = [], 0, False
        return taken
