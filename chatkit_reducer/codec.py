"""JSON text to event and back, nothing lost.

The way of nearly every event is one typed msgspec call. An event with anything unknown in it fails
that call and takes a second way, through plain mappings: slower, and it keeps everything. Known
input pays nothing for the unknown.

    bytes --decode--> Event --encode--> bytes         one JSON text
    mapping --from_json--> Event --to_json--> mapping  plain Python data, as other libraries hold it
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from chatkit_reducer.errors import DecodeError, EncodeError
from chatkit_reducer.events import (
    EVENT_TYPES,
    UPDATE_TYPES,
    Event,
    Extra,
    Json,
    KnownEvent,
    ThreadItemUpdated,
    UnknownEvent,
    UnknownUpdate,
    Update,
)

__all__ = ["MALFORMED", "decode", "decode_json", "encode", "from_json", "to_json"]

_KNOWN = frozenset([*EVENT_TYPES.values(), *UPDATE_TYPES.values()])

_event = msgspec.json.Decoder(KnownEvent)
_anything = msgspec.json.Decoder(Any)

MALFORMED = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What msgspec raises for a text that it cannot decode (100,000 brackets: `RecursionError`)."""


def decode(data: bytes | bytearray | memoryview | str) -> Event:
    """One JSON text to the event it holds.

    An event of an unknown type comes back as `UnknownEvent`; unknown fields are kept in `extra`.

    Raises:
        DecodeError: no JSON, no object, no `type`, or a known type with a field missing or of
            another kind than it must be. The message ends with the path, as `$.item_id`.
    """
    try:
        event: Event = _event.decode(data)
    except MALFORMED:  # an unknown type or field is such an error too: the second way tells
        event = from_json(decode_json(data))
    return event


def decode_json(data: bytes | bytearray | memoryview | str) -> Any:
    """One JSON text to plain Python data, by the rules of `decode`.

    Raises:
        DecodeError: it is no JSON.
    """
    try:
        return _anything.decode(data)
    except RecursionError:
        raise DecodeError("the JSON is nested too deeply") from None
    except UnicodeError as error:  # of bytes that are no UTF-8, or a str that cannot become it
        raise DecodeError(f"the text is not UTF-8: {error}") from None
    except msgspec.MsgspecError as error:
        raise DecodeError(_reason(str(error), data)) from None


def _reason(message: str, data: bytes | bytearray | memoryview | str) -> str:
    if not message.startswith("Input data was truncated"):
        return message
    # msgspec says so of half a surrogate pair as well, which the standard library accepts.
    try:
        json.loads(data if isinstance(data, (str, bytes, bytearray)) else bytes(data))
    except (ValueError, RecursionError):
        return "the JSON ends too early"
    return "the text holds half of a surrogate pair"


def from_json(value: object) -> Event:
    """A plain mapping, as any JSON library makes it, to the event it describes.

    The event shares the mappings inside `value`; do not change them afterwards.

    Raises:
        DecodeError: as in `decode`.
    """
    fields = _tagged(value, "$")
    cls = EVENT_TYPES.get(fields["type"])
    if cls is None:
        return UnknownEvent(fields)
    if cls is ThreadItemUpdated:
        return _item_updated(fields)
    return _known(cls, fields, "$")  # type: ignore[no-any-return]


def _item_updated(fields: Json) -> ThreadItemUpdated:
    item_id = fields.get("item_id")
    if not isinstance(item_id, str):
        raise DecodeError("expected a string - at `$.item_id`")
    update = _update_from_json(fields.get("update"))
    extra = _extra(ThreadItemUpdated, fields)
    return ThreadItemUpdated(item_id, update, extra=extra)


def _update_from_json(value: object) -> Update:
    fields = _tagged(value, "$.update")
    cls = UPDATE_TYPES.get(fields["type"])
    if cls is None:
        return UnknownUpdate(fields)
    return _known(cls, fields, "$.update")  # type: ignore[no-any-return]


def _tagged(value: object, path: str) -> Json:
    if not isinstance(value, dict):
        raise DecodeError(f"expected a JSON object, got {_kind(value)} - at `{path}`")
    if not isinstance(value.get("type"), str):
        raise DecodeError(f"`type` is missing or no string - at `{path}`")
    return value


def _known(cls: type[Any], fields: Json, path: str) -> Any:
    names = cls.__struct_fields__
    try:
        known = msgspec.convert(
            {k: v for k, v in fields.items() if k in names and k != "extra"}, cls
        )
    except (msgspec.ValidationError, RecursionError) as error:
        reason = str(error)
        if "`$" in reason:
            raise DecodeError(reason.replace("`$", f"`{path}")) from None
        raise DecodeError(f"{reason} - at `{path}`") from None
    extra = _extra(cls, fields)
    return known if extra is msgspec.UNSET else msgspec.structs.replace(known, extra=extra)


def _extra(cls: type[Any], fields: Json) -> Extra | msgspec.UnsetType:
    known = {"type", *cls.__struct_fields__} - {"extra"}
    return Extra({k: v for k, v in fields.items() if k not in known}) or msgspec.UNSET


def _kind(value: object) -> str:
    names: dict[type, str] = {list: "an array", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def to_json(event: Event | Update) -> Json:
    """The plain mapping of an event or update, unknown fields included. It shares its insides."""
    if isinstance(event, (UnknownEvent, UnknownUpdate)):
        return event.json
    if type(event) not in _KNOWN:
        raise TypeError(f"{type(event).__name__} is no event, and no update")
    out: Json = {"type": event.__struct_config__.tag}
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if name == "update":
            out[name] = to_json(value)
        elif name == "extra":
            out.update({} if value is msgspec.UNSET else value)
        elif value is not msgspec.UNSET:
            out[name] = value
    return out


def encode(event: Event) -> bytes:
    """An event to one JSON text in UTF-8, without a newline. `decode` is its inverse.

    Raises:
        EncodeError: the event holds NaN, an infinity or a lone surrogate, which JSON cannot say.
        TypeError: it is none of this package's events.
    """
    plain = to_json(event)
    try:
        text = msgspec.json.encode(plain)
    except (UnicodeEncodeError, TypeError, RecursionError) as error:
        raise EncodeError(f"the event cannot be written as JSON: {error}") from error
    if not _is_json(plain):
        raise EncodeError("the event cannot be written as JSON: it holds NaN, infinity or bytes")
    return text


def _is_json(value: object) -> bool:
    """Whether JSON can say this, where msgspec would write something else without a word."""
    todo = [value]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            todo.extend(value.values())
        elif isinstance(value, (list, tuple)):
            todo.extend(value)
        elif isinstance(value, float):
            if not math.isfinite(value):
                return False
        elif value is not None and not isinstance(value, (str, int)):
            return False
    return True
