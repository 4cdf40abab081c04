"""How the test kit writes for people: counts, items, events and values, each on one line.

The checks, the laws and the cancellation reports all show streams. An event is put into words here
and nowhere else; they differ in how they arrange the words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import zip_longest
from textwrap import fill
from typing import Any, NamedTuple, TypeVar

from chatkit_reducer.analysis.comparison import common_prefix
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.events import (
    Event,
    Json,
    ThreadCreated,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemReplaced,
    ThreadItemUpdated,
    ThreadUpdated,
    Unreadable,
    wire_type,
)

_WIDTH = 100
_MOST_EVENTS = 24
_MOST_CHARACTERS = 60
_CONTEXT = 10
_OF_EVERY_ITEM = ("id", "type", "thread_id", "created_at")


class Labelled(StrEnum):
    """Identifiers that people store and type, each with a label that they read."""

    @property
    def label(self) -> str:
        """The identifier in words: `task cancel` for `task_cancel`."""
        return self.value.replace("_", " ")


_L = TypeVar("_L", bound=Labelled)


def members_of(kinds: type[_L], named: Iterable[_L | str] | str, noun: str) -> list[_L]:
    """Look up members by their identifiers or labels, or the one.

    Raises:
        ValueError: there is none of that name.
    """
    names = [named] if isinstance(named, str) else list(named)
    known = {name: kind for kind in kinds for name in (kind.value, kind.label)}
    for name in names:
        if name not in known:
            raise ValueError(f"there is no {noun} {name!r}: the {noun}s are {', '.join(kinds)}")
    return [known[name] for name in names]


def counted(number: int, noun: str) -> str:
    """Write `1 event`, `2 events`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def message(*sections: str | Iterable[str]) -> str:
    """Join sections, each a text or lines, with an empty line between them."""
    texts = [each if isinstance(each, str) else "\n".join(each) for each in sections]
    return printable("\n\n".join(text for text in texts if text))


def printable(text: str) -> str:
    """Escape lone surrogates, which would make the text itself unprintable."""
    return text.encode("utf-8", "backslashreplace").decode()


def advice(text: str, indent: str = "") -> str:
    """Mark a text as the thing to do next, and wrap it."""
    return fill(text, _WIDTH, initial_indent=f"{indent}-> ", subsequent_indent=f"{indent}   ")


# --- values ---------------------------------------------------------------------------------------


def clipped(line: str, most: int = _MOST_CHARACTERS) -> str:
    """Cut a line off where it is long."""
    return line if len(line) <= most else f"{line[: most - 4]} ..."


def in_short(value: Any) -> str:
    """Write a JSON value on one line, cut off where it is long."""
    return clipped(_json_line(value))


def _json_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)


def two_sides(before: Any, after: Any) -> tuple[str, str]:
    """Write two values that differ, each on one line; of two long texts the parts that differ."""
    if isinstance(before, str) and isinstance(after, str):
        common = max(0, common_prefix(before, after) - _CONTEXT)
        if common > _CONTEXT:
            return f"...{in_short(before[common:])}", f"...{in_short(after[common:])}"
    return in_short(before), in_short(after)


def item_line(item: Mapping[str, Any]) -> str:
    """Write an item on one line: its type, its id and its content."""
    carried = _fields(item, leave_out=_OF_EVERY_ITEM)
    return _item_text(item.get("type"), item.get("id"), carried)


def _item_text(item_type: Any, item_id: Any, carried: list[Carried]) -> str:
    fields = ", ".join(field.clipped for field in carried)
    return f"{item_type} {item_id}" + (f": {fields}" if fields else "")


# --- events ---------------------------------------------------------------------------------------


class Carried(NamedTuple):
    """A field that an event carries, or a note about it."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name} {self.value}"

    @property
    def clipped(self) -> str:
        """The field with its value cut off where that is long."""
        return f"{self.name} {clipped(self.value)}"


class EventWords(NamedTuple):
    """An event, taken apart for a line of text."""

    kind: str
    """Its `type`, or that of the update it carries."""
    item_id: str | None
    item_type: str | None
    """The type of the item, for an event that brings a whole one."""
    carried: list[Carried]


def event_words(event: Event | Unreadable) -> EventWords:
    """Take an event apart: its kind, its item, and the fields that it carries besides."""
    if isinstance(event, Unreadable):
        return EventWords(wire_type(event), None, None, [Carried(event.reason, event.excerpt)])
    fields = {name: value for name, value in to_json(event).items() if name != "type"}
    kind, item_id, item_type = wire_type(event), fields.pop("item_id", None), None
    carried: list[Carried] = []
    if isinstance(event, ThreadItemUpdated):
        kind = wire_type(event.update)
        carried = _fields(fields.pop("update"), leave_out=("type",))
    elif isinstance(event, ThreadItemAdded | ThreadItemDone | ThreadItemReplaced):
        item = fields.pop("item")
        item_id, item_type = str(item.get("id", "")), str(item.get("type", "of no type"))
        carried = _fields(item, leave_out=_OF_EVERY_ITEM)
    elif isinstance(event, ThreadCreated | ThreadUpdated):
        thread = fields.pop("thread")
        carried = [*_page(thread), *_fields(thread, leave_out=("items", "created_at"))]
    return EventWords(kind, item_id, item_type, [*carried, *_fields(fields)])


def _fields(fields: Mapping[str, Any], leave_out: tuple[str, ...] = ()) -> list[Carried]:
    return [
        Carried(name, _json_line(value)) for name, value in fields.items() if name not in leave_out
    ]


def _page(thread: Json) -> list[Carried]:
    """List the ids of the items that a thread brings: their content is seen in the state."""
    page = thread.get("items")
    listed = page.get("data") if isinstance(page, dict) else None
    items = listed if isinstance(listed, list) else []
    ids = [item.get("id") if isinstance(item, dict) else item for item in items]
    return [Carried("with", ", ".join(map(str, ids)))] if ids else []


def event_name(event: Event) -> str:
    """Name an event by its type, its item and the type of its update, without any content."""
    item, update = getattr(event, "item", None), getattr(event, "update", None)
    item_id = item.get("id") if isinstance(item, dict) else getattr(event, "item_id", None)
    words = (wire_type(event), item_id, None if update is None else wire_type(update))
    return " ".join(str(word) for word in words if word is not None)


def event_lines(events: Sequence[Event]) -> list[str]:
    """Write events on a numbered line each: the kind, and the item with the fields."""
    return numbered([_event_row(event) for event in events], _MOST_EVENTS)


def _event_row(event: Event) -> tuple[str, str]:
    words = event_words(event)
    if words.item_type is not None:
        return words.kind, _item_text(words.item_type, words.item_id, words.carried)
    ids = [] if words.item_id is None else [words.item_id]
    return words.kind, ", ".join([*ids, *(field.clipped for field in words.carried)])


def numbered(rows: Sequence[tuple[str, ...]], most: int) -> list[str]:
    """Align rows under each other, numbered from 1; of very many, show the first and the last."""
    cells = [(str(number), *row) for number, row in enumerate(rows, 1)]
    widths = [max(map(len, column)) for column in zip_longest(*cells, fillvalue="")]
    lines = [_aligned(row, widths) for row in cells]
    half = most // 2
    if len(lines) > most:
        lines = [*lines[:half], f"  ({len(lines) - 2 * half} more)", *lines[-half:]]
    return lines


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    number, *cells = row
    padded = [cell.ljust(width) for cell, width in zip(cells, widths[1:], strict=True)]
    return f"  {number.rjust(widths[0])}  {'  '.join(padded)}".rstrip()
