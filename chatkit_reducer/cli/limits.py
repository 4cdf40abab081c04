"""How much of a log is read: the options of all commands that read one."""

from __future__ import annotations

from typing import TypedDict

import attrs

__all__ = ["Bounds", "Limits"]


class Bounds(TypedDict):
    """The arguments with these names of the functions that read a log."""

    max_event_bytes: int
    max_expansion: int


@attrs.frozen
class Limits:
    """How large an event may be, and how much a compressed log may give."""

    max_event_bytes: int
    max_expansion: int

    @property
    def arguments(self) -> Bounds:
        """Both as arguments of the functions that read a log."""
        return {"max_event_bytes": self.max_event_bytes, "max_expansion": self.max_expansion}
