"""A race between two threads, which one thread can run."""

from __future__ import annotations


class Raced(list[str]):
    """A list to which another thread appends first."""

    def append(self, value: str, /) -> None:
        super().append("of the other")
        super().append(value)
