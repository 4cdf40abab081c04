"""A plain log, told by its first line alone. Nearly every log is one; no other form is loaded."""

from __future__ import annotations

from typing import Any

from chatkit_reducer.events import EVENT_TYPES
from chatkit_reducer.logs._framing import Framing
from chatkit_reducer.logs._json_lines import JSON_LINES
from chatkit_reducer.logs._sse import SSE
from chatkit_reducer.logs.formats.texts import is_event, is_foreign, is_typed, parse

__all__ = ["plain_form"]

_LONGEST = 65536
"""How long the first line may be, in bytes."""
_AROUND = frozenset({"event", "log"})
"""Fields in which another program puts an event."""


def plain_form(head: bytes) -> Framing | None:
    """Return the form of a log that begins with an event; None where it takes a closer look.

    Where it tells, `recognise` would tell the same.

    Args:
        head: the log from its start, in UTF-8.
    """
    end = head.find(b"\n", 0, _LONGEST)
    line = head[: max(end, 0)]
    if b"\r" in line:
        return None
    if line.startswith(b"{"):
        return JSON_LINES if _is_bare_event(parse(line)) else None
    if line.startswith(b"data: {") and head[end + 1 : end + 2] == b"\n":
        return SSE if is_event(parse(line[len(b"data: ") :])) else None
    return None


def _is_bare_event(json: Any) -> bool:
    is_known = is_typed(json) and json["type"] in EVENT_TYPES
    return is_known and not is_foreign(json) and _AROUND.isdisjoint(json)
