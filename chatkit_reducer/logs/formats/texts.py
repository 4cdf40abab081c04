"""The texts that a container finds, which should be events, each with its place in the log."""

from __future__ import annotations

import json
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from chatkit_reducer.core.codec import MALFORMED
from chatkit_reducer.events import EVENT_TYPES

__all__ = [
    "MISSING",
    "STRONG_STEMS",
    "Container",
    "Place",
    "Text",
    "Texts",
    "is_envelope",
    "is_event",
    "is_foreign",
    "is_known",
    "is_logged",
    "is_strong",
    "is_typed",
    "parse",
    "split_event",
    "too_large",
]


_decoder = json.JSONDecoder()


class Place(Struct, frozen=True, gc=False):
    """Where something stands in a log: bytes before it, and lines that ended before it."""

    offset: int
    line: int


class Text(Struct, frozen=True, gc=False):
    """One text that should be an event."""

    payload: bytes
    place: Place
    sequence: str | None = None
    """The `id` of a server-sent event."""
    reason: str | None = None
    """Why the container could not read it, if it could not."""


class Texts(Struct, frozen=True, gc=False):
    """The texts in some bytes of a log, and how many bytes those were."""

    texts: list[Text]
    size: int


class Container(Protocol):
    """A form of log in which other text stands around the events."""

    @property
    def name(self) -> str:
        """The name of the form."""
        ...

    @property
    def skipped(self) -> int:
        """How many pieces of the log were left out because they are not part of an event."""
        ...

    def push(self, data: bytes) -> list[Texts]:
        """Return the texts that these bytes complete."""
        ...

    def rest(self) -> list[Texts]:
        """Return the texts at the end, which nothing followed."""
        ...


MISSING: Final = object()
_anything = msgspec.json.Decoder(Any)

# An event of these types looks like an entry of any other program's log.
_COMMON = frozenset({"error", "notice"})
_STRONG = frozenset(EVENT_TYPES) - _COMMON
STRONG_STEMS: Final = sorted({name.partition(".")[0].encode() for name in _STRONG})
"""How the types begin that only ChatKit uses."""
# The requests of the protocol (1.6.5, `chatkit/types.py`): `threads.create`, `items.list`, ...
_ITEM = {"id", "thread_id", "created_at"}
_REQUESTS = ("threads.", "items.", "attachments.", "input.")


def split_event(text: bytes) -> tuple[bytes, bytes]:
    """Return the event with which a text begins, and what is behind it; else all of the text."""
    whole = text.decode("utf-8", "replace")
    try:
        value, end = _decoder.raw_decode(whole)
    except (ValueError, RecursionError):
        return text, b""
    if not is_event(value):
        return text, b""
    return whole[:end].encode(), whole[end:].encode()


def parse(text: bytes | str) -> Any:
    """Return the JSON value that a text is, or MISSING."""
    try:
        return _anything.decode(text)
    except MALFORMED:
        return MISSING


def is_typed(value: object) -> bool:
    """Return whether a value is a JSON object with a `type`, as each event is."""
    return isinstance(value, dict) and isinstance(value.get("type"), str)


def is_envelope(value: object) -> bool:
    """Return whether a value is an object around an event: `{"seq": 1, "event": {...}}`."""
    # An object with a type is an event, perhaps one of a later release.
    return isinstance(value, dict) and not is_typed(value) and is_typed(value.get("event"))


def is_event(value: object) -> bool:
    """Return whether a value is an event, of any type, or an envelope around one."""
    return is_typed(value) or is_envelope(value)


def is_known(value: Any) -> bool:
    """Return whether a value is an event of a type that this release knows, or an envelope."""
    return is_envelope(value) or (is_typed(value) and value["type"] in EVENT_TYPES)


def is_logged(value: Any) -> bool:
    """Return whether a value is a logger's entry, with an event of ChatKit in the field `event`.

    The envelope of a recorder has nothing but its own fields, or at least a number or a thread.
    """
    if not is_strong(value) or not is_envelope(value):
        return False
    names = value.keys() - {"event", "time"}
    return bool(names) and not ({"seq", "thread"} & names)


def is_strong(value: Any) -> bool:
    """Return whether a value is an event, or an envelope, of a type that only ChatKit uses."""
    event = value["event"] if is_envelope(value) else value
    return is_typed(event) and event["type"] in _STRONG


def is_foreign(value: Any) -> bool:
    """Return whether a value with a type is of ChatKit, but not an event: a request, an item."""
    return is_typed(value) and (value["type"].startswith(_REQUESTS) or value.keys() >= _ITEM)


def too_large(limit: int) -> str:
    """Return the reason why an event of more than `limit` bytes is not read."""
    return f"the event is larger than {limit} bytes"
