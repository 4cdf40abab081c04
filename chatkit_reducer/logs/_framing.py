"""The interface of a format: where one event of a log ends and the next begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct

__all__ = ["Frame", "Framing"]


class Frame(Struct, frozen=True, gc=False):
    """One frame of a block: a text that should be an event."""

    payload: bytes
    offset: int
    """Where it starts, in bytes from the start of the block."""
    line: int
    """The line it starts on, counted from 0 at the start of the block."""
    size: int
    """How many bytes of the block it takes, its end not counted."""
    sequence: str | None = None
    """The `id` of a server-sent event."""


class Framing(Protocol):
    """A format of logs. A block is a run of bytes that ends where a frame ends."""

    name: str

    def last_end(self, data: bytes) -> int:
        """Return where the last complete frame in `data` ends, in bytes; -1 if none does."""
        ...

    def first_end(self, data: bytes) -> int:
        """Return where the first frame in `data` ends, in bytes; -1 if it does not."""
        ...

    def as_array(self, block: bytes) -> tuple[bytes, int, int] | None:
        """Return the block as the text of a JSON array, with the number of its frames and lines.

        None if decoding the block as one array could differ from decoding it frame by frame.
        """
        ...

    def frames(self, block: bytes, *, blank: bool = False) -> Iterator[Frame]:
        """Yield the frames of a block. A blank one has no payload.

        Args:
            block: a run of whole frames.
            blank: whether all blank ones are wanted; without it they may be left out.
        """
        ...

    def count_frames(self, block: bytes) -> int:
        """Count the frames of the block that have a payload."""
        ...

    def count_lines(self, block: bytes) -> int:
        """Count the lines that end in the block."""
        ...
