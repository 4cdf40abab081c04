"""How the checks speak: counts, items and events in a line each, and messages in sections."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from textwrap import fill
from typing import Any

from chatkit_reducer.codec import to_json
from chatkit_reducer.comparison import common_prefix
from chatkit_reducer.events import (
    Event,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemReplaced,
    ThreadItemUpdated,
    wire_type,
)

__all__ = ["advice", "counted", "event_lines", "in_short", "item_line", "message", "two_sides"]

_WIDTH = 100
_MOST_EVENTS = 24
_MOST_CARRIED = 60
_CONTEXT = 10
_OF_EVERY_ITEM = ("id", "type", "thread_id", "created_at")


def counted(number: int, what: str) -> str:
    """`1 event`, `2 events`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def message(*sections: str | Iterable[str]) -> str:
    """Sections with an empty line between them; each a text, or lines."""
    texts = [each if isinstance(each, str) else "\n".join(each) for each in sections]
    # Half of a surrogate pair would make the message itself unprintable.
    return "\n\n".join(text for text in texts if text).encode("utf-8", "backslashreplace").decode()


def advice(text: str, indent: str = "") -> str:
    """What to do about it."""
    return fill(text, _WIDTH, initial_indent=f"{indent}-> ", subsequent_indent=f"{indent}   ")


def in_short(value: Any, most: int = _MOST_CARRIED) -> str:
    """A JSON value on one line, cut off where it is long."""
    line = json.dumps(value, ensure_ascii=False, default=repr)
    return line if len(line) <= most else f"{line[: most - 4]} ..."


def two_sides(before: Any, after: Any) -> tuple[str, str]:
    """Two values that differ, each on one line; of two long texts the parts that differ."""
    if isinstance(before, str) and isinstance(after, str):
        common = max(0, common_prefix(before, after) - _CONTEXT)
        if common > _CONTEXT:
            return f"...{in_short(before[common:])}", f"...{in_short(after[common:])}"
    return in_short(before), in_short(after)


def item_line(item: Mapping[str, Any]) -> str:
    """An item on one line: its type, its id, and what it holds."""
    rest = [f"{name} {in_short(item[name])}" for name in item if name not in _OF_EVERY_ITEM]
    return f"{item.get('type')} {item.get('id')}" + (f": {', '.join(rest)}" if rest else "")


def event_lines(events: Sequence[Event]) -> list[str]:
    """The events, numbered from 0, one line each; of very many the first and the last ones."""
    rows = [(str(number), *_row(event)) for number, event in enumerate(events)]
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    lines = [
        f"  {number.rjust(widths[0])}  {kind.ljust(widths[1])}  {rest}".rstrip()
        for number, kind, rest in rows
    ]
    half = _MOST_EVENTS // 2
    if len(lines) > _MOST_EVENTS:
        lines = [*lines[:half], f"  ({len(lines) - 2 * half} more)", *lines[-half:]]
    return lines


def _row(event: Event) -> tuple[str, str]:
    fields = {name: value for name, value in to_json(event).items() if name != "type"}
    if isinstance(event, ThreadItemUpdated):
        update = fields.pop("update")
        words = [f"{name} {in_short(value)}" for name, value in update.items() if name != "type"]
        return wire_type(event.update), ", ".join([event.item_id, *words])
    if isinstance(event, ThreadItemAdded | ThreadItemDone | ThreadItemReplaced):
        return wire_type(event), item_line(event.item)
    return wire_type(event), ", ".join(f"{name} {in_short(fields[name])}" for name in fields)
