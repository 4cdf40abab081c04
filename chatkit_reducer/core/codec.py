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
import re
from typing import Any, TypeVar

import msgspec

from chatkit_reducer.core.errors import DecodeError, EncodeError
from chatkit_reducer.core.event_forms import PLAIN, misformed, wrong_extra
from chatkit_reducer.core.halves import mended, mended_delta, mended_struct
from chatkit_reducer.core.json_values import json_copy
from chatkit_reducer.events import (
    DEFAULTS,
    EVENT_TYPES,
    UPDATE_TYPES,
    AssistantMessageContentPartTextDelta,
    Event,
    Extra,
    Json,
    KnownEvent,
    ThreadItemUpdated,
    UnknownEvent,
    UnknownUpdate,
    Update,
    WidgetStreamingTextValueDelta,
)

__all__ = ["MALFORMED", "decode", "decode_json", "encode", "from_json", "own_copy", "to_json"]

W = TypeVar("W", bound=msgspec.Struct)

_KNOWN = frozenset([*EVENT_TYPES.values(), *UPDATE_TYPES.values()])

_event = msgspec.json.Decoder(KnownEvent)
_anything = msgspec.json.Decoder(Any)

MALFORMED = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What msgspec raises for a text that it cannot decode (100,000 brackets: `RecursionError`)."""


def decode(data: bytes | bytearray | memoryview | str) -> Event:
    """One JSON text to the event it holds.

    An event of an unknown type comes back as `UnknownEvent`; unknown fields are kept in `extra`. An
    update without a field that has an obvious value is kept as it came, too (`UnknownUpdate`).

    Raises:
        DecodeError: no JSON, no object, no `type`, or a known type with a field missing or of
            another kind than it must be. The message ends with the path, as `$.item_id`.
        TypeError: `data` is not text.
    """
    try:
        event: Event = _event.decode(data)
    except MALFORMED:  # an unknown type or field is such an error too: the second way tells
        event = from_json(decode_json(data))
    except TypeError:
        raise TypeError(
            f"expected JSON text as str or bytes, got {type(data).__name__}: "
            "plain mappings become events with from_json"
        ) from None
    return event


def decode_json(data: bytes | bytearray | memoryview | str) -> Any:
    """One JSON text to plain Python data, by the rules of `decode`.

    Raises:
        DecodeError: it is not JSON.
    """
    try:
        return _anything.decode(data)
    except RecursionError:
        raise DecodeError("the JSON is nested too deeply") from None
    except (UnicodeError, msgspec.MsgspecError) as error:
        text = _text_of(data)
        if not _may_hold_halves(text):
            raise DecodeError(_reason(error)) from None
    return _decode_halves(text)


def _reason(error: Exception) -> str:
    message = str(error)
    return "the JSON ends too early" if message.startswith("Input data was trunc") else message


# A pair of halves is one character to every decoder. What msgspec refuses, and the standard library
# takes, is a half that stands alone: in an escape, or in a `str` as a lone surrogate.
_ESCAPE = re.compile(r"\\(?:(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL)


def _text_of(data: bytes | bytearray | memoryview | str) -> str:
    try:
        return data if isinstance(data, str) else bytes(data).decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":  # cut off within a character
            raise DecodeError("the JSON ends too early") from None
        raise DecodeError(f"the text is not UTF-8: {error}") from None


def _may_hold_halves(text: str) -> bool:
    return mended(text) is not text or any(found[1] for found in _ESCAPE.finditer(text))


def _decode_halves(text: str) -> Any:
    """One JSON text that holds halves to plain Python data; else by the rules of msgspec."""
    whole = _ESCAPE.sub(lambda found: "\\ufffd" if found[1] else found[0], mended(text))
    try:
        _anything.decode(whole)
        return json.loads(text)
    except RecursionError:
        raise DecodeError("the JSON is nested too deeply") from None
    except msgspec.MsgspecError as error:
        raise DecodeError(_reason(error)) from None


def from_json(value: object) -> Event:
    """Turn a plain mapping, as any JSON library makes it, into the event it describes.

    The event shares the mappings inside `value`; do not change them afterwards.

    Raises:
        DecodeError: as in `decode`.
    """
    fields = _tagged(value, "$")
    cls = EVENT_TYPES.get(fields["type"])
    if cls is None:
        return UnknownEvent(fields)
    event = _item_updated(fields) if cls is ThreadItemUpdated else _known(cls, fields, "$")
    return mended_struct(event)


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
    missing = {k: v for k, v in DEFAULTS.get(cls, {}).items() if k not in fields}
    if missing:
        _known(cls, {**fields, **missing}, "$.update")  # or it says what else is wrong
        return UnknownUpdate(fields)
    if isinstance(fields.get("delta"), str):
        fields = {**fields, "delta": mended_delta(fields["delta"])}
    return _known(cls, fields, "$.update")  # type: ignore[no-any-return]


def _tagged(value: object, path: str) -> Json:
    if not isinstance(value, dict):
        raise DecodeError(f"expected a JSON object, got {_kind(value)} - at `{path}`")
    if not isinstance(value.get("type"), str):
        raise DecodeError(f"expected a string `type` - at `{path}`")
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


def _not_an_event(value: object) -> TypeError:
    return TypeError(
        f"expected an event or an update, got {type(value).__name__}: "
        "plain mappings become events with from_json"
    )


def to_json(event: Event | Update) -> Json:
    """Return an event or update as a plain mapping, which shares its insides."""
    if isinstance(event, (UnknownEvent, UnknownUpdate)):
        return event.json
    if type(event) not in _KNOWN:
        raise _not_an_event(event)
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


def own_copy(value: W) -> W:
    """Return an equal event or update with JSON of its own; the same object if it has none."""
    fields = {name: getattr(value, name) for name in value.__struct_fields__}
    copies = {name: _value_copy(inner) for name, inner in fields.items() if isinstance(inner, dict)}
    return msgspec.structs.replace(value, **copies) if copies else value


def _value_copy(value: Json) -> Json:
    copy = json_copy(value)
    return Extra(copy) if isinstance(value, Extra) else copy


def encode(event: Event) -> bytes:
    r"""Turn an event into one JSON text in UTF-8, without a newline. `decode` is its inverse.

    Half of a character is an escape such as `\ud83d`.

    Raises:
        EncodeError: the event holds what JSON cannot say, such as NaN or an infinity; or a field of
            it is of another kind than it must be, so that `decode` would refuse the text.
        TypeError: it is none of this package's events.
    """
    if type(event) is ThreadItemUpdated and _is_plain_delta(event):
        try:
            return msgspec.json.encode(event)
        except UnicodeEncodeError:  # half of a character
            pass
    return encode_checked(event)


def _is_plain_delta(event: ThreadItemUpdated) -> bool:
    """Return whether an event is a text delta with nothing to check: nearly all events are."""
    update: Any = event.update
    kind = type(update)
    return (
        (kind is AssistantMessageContentPartTextDelta or kind is WidgetStreamingTextValueDelta)
        and PLAIN[kind](update)
        and type(event.item_id) is str
        and update.extra is event.extra is msgspec.UNSET
    )


def encode_checked(event: Event) -> bytes:
    """Encode an event as `encode` does, by way of plain mappings and with all checks."""
    if type(event) not in _KNOWN and not isinstance(event, (UnknownEvent, UnknownUpdate)):
        raise _not_an_event(event)
    problem = misformed(event) or wrong_extra(event)
    if problem is None and isinstance(event, ThreadItemUpdated):
        problem = wrong_extra(event.update)
    if problem is not None:
        raise EncodeError(f"the event cannot be written as JSON: {problem}")
    plain = to_json(event)
    try:
        text = _encode(plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise EncodeError(f"the event cannot be written as JSON: {error}") from error
    if not _is_json(plain):
        raise EncodeError("the event cannot be written as JSON: it holds NaN, infinity or bytes")
    if _is_disguised(event):
        _check_readable(plain)
    return text


def _is_disguised(event: Event) -> bool:
    """Whether it counts as unknown, and has a type that is known."""
    if isinstance(event, UnknownEvent):
        return event.type in EVENT_TYPES
    update = event.update if isinstance(event, ThreadItemUpdated) else None
    return isinstance(update, UnknownUpdate) and update.type in UPDATE_TYPES


def _check_readable(plain: Json) -> None:
    try:
        from_json(plain)
    except DecodeError as error:
        raise EncodeError(f"the event cannot be written as JSON: {error}") from error


def _encode(plain: Json) -> bytes:
    try:
        return msgspec.json.encode(plain)
    except UnicodeEncodeError:
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode("utf-8", "backslashreplace")  # each half as the escape for it


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
