"""Texts that are no events, and events that are no text: docs/semantics.md, "On the wire"."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given

from chatkit_reducer import decode, encode, fold
from chatkit_reducer.core.codec import encode_checked, from_json
from chatkit_reducer.errors import ChatKitReducerError, DecodeError, EncodeError
from chatkit_reducer.events import (
    DEFAULTS,
    UPDATE_TYPES,
    Event,
    Json,
    Notice,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemUpdated,
    UnknownEvent,
    UnknownUpdate,
)
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import item, message, text_delta, updated, value_delta


def problem_of(data: Any) -> str:
    """What `decode` says is wrong with a text."""
    with pytest.raises(DecodeError) as caught:
        decode(data)
    return str(caught.value)


def with_update(update: object) -> Json:
    return {"type": "thread.item.updated", "item_id": "m", "update": update}


# --- no JSON --------------------------------------------------------------------------------------

NO_JSON: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "too early"),
    "white space": (b"  \n ", "too early"),
    "cut": (b'{"type":"notice","level":"in', "too early"),
    "trailing text": (b'{"type":"x"} {"type":"y"}', "malformed"),
    "trailing comma": (b'{"type":"x",}', "malformed"),
    "single quotes": (b"{'type':'x'}", "malformed"),
    "no JSON": (b"hello", "malformed"),
    "NaN": (b'{"type":"x","a":NaN}', "malformed"),
    "Infinity": (b'{"type":"x","a":Infinity}', "malformed"),
    "-Infinity": (b'{"type":"x","a":-Infinity}', "malformed"),
    "number too large": (b'{"type":"x","a":1e999}', "out of range"),
    "not UTF-8": (b'{"type":"x","a":"\xff"}', "UTF-8"),
    "UTF-16": ('{"type":"x"}'.encode("utf-16"), ""),
    "byte order mark": (b'\xef\xbb\xbf{"type":"x"}', "malformed"),
    "control character": (b'{"type":"x","a":"\n"}', ""),
    "encoded surrogate": (b'{"type":"x","a":"\xed\xa0\x80"}', "UTF-8"),
    "brackets": (b"[" * 100_000, "nested too deeply"),
    "100,000 levels": (b'{"type":"x","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
    "100,000 levels in an item": (
        b'{"type":"thread.item.added","item":{"id":"m","a":'
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}}",
        "nested too deeply",
    ),
}


@pytest.mark.parametrize(("data", "problem"), NO_JSON.values(), ids=NO_JSON)
@pytest.mark.parametrize("known", [False, True], ids=["unknown type", "known type"])
def test_a_text_that_is_no_json_is_a_decode_error(data: bytes, problem: str, known: bool) -> None:
    if known:
        data = data.replace(b'{"type":"x",', b'{"type":"client_effect","name":"n",')

    assert problem in problem_of(data)


@pytest.mark.parametrize(
    "text", ['{"type":"\ud800', '{"type":"notice","level":"\udc00"}', "\ud800"]
)
def test_a_lone_surrogate_in_a_str_excuses_nothing_else(text: str) -> None:
    problem_of(text)


def test_text_may_come_as_bytes_or_str() -> None:
    text = '{"type":"notice","level":"info","message":"Grüße 😀"}'
    expected = Notice("info", "Grüße 😀")

    for data in (text, text.encode(), bytearray(text.encode()), memoryview(text.encode())):
        assert decode(data) == expected


def test_escaped_surrogate_pairs_and_null_characters_are_text() -> None:
    event = decode(b'{"type":"notice","level":"info","message":"\\ud83d\\ude00\\u0000"}')

    assert event == Notice("info", "😀\0")
    assert decode(encode(event)) == event


# --- no event -------------------------------------------------------------------------------------

NO_EVENT: dict[str, tuple[object, str]] = {
    "null": (None, "`$`"),
    "array": ([{"type": "x"}], "`$`"),
    "string": ("notice", "`$`"),
    "number": (3, "`$`"),
    "fraction": (1.5, "`$`"),
    "boolean": (True, "`$`"),
    "no type": ({}, "`$`"),
    "type null": ({"type": None}, "`$`"),
    "type number": ({"type": 3}, "`$`"),
    "update without type": (with_update({}), "`$.update`"),
    "update is an array": (with_update([]), "`$.update`"),
    "update is null": (with_update(None), "`$.update`"),
}


@pytest.mark.parametrize(("value", "path"), NO_EVENT.values(), ids=NO_EVENT)
def test_json_that_is_no_event_is_a_decode_error_with_the_path(value: object, path: str) -> None:
    assert problem_of(json.dumps(value)).endswith(path)


# --- known types with a field missing or wrong ----------------------------------------------------

# type: {field: a value that it cannot have}
EVENT_FIELDS: dict[str, dict[str, object]] = {
    "thread.created": {"thread": None},
    "thread.updated": {"thread": []},
    "thread.item.added": {"item": "m"},
    "thread.item.updated": {"item_id": None, "update": 3},
    "thread.item.done": {"item": None},
    "thread.item.removed": {"item_id": 7},
    "thread.item.replaced": {"item": 7},
    "stream_options": {"stream_options": None},
    "progress_update": {"text": None},
    "client_effect": {"name": None},
    "notice": {"level": 3, "message": None},
}
UPDATE_FIELDS: dict[str, dict[str, object]] = {
    "assistant_message.content_part.added": {"content_index": "0", "content": "text"},
    "assistant_message.content_part.text_delta": {"content_index": None, "delta": None},
    "assistant_message.content_part.annotation_added": {
        "content_index": 1.5,
        "annotation_index": True,
        "annotation": None,
    },
    "assistant_message.content_part.done": {"content_index": [], "content": None},
    "widget.streaming_text.value_delta": {"component_id": None, "delta": 3, "done": 1},
    "widget.component.updated": {"component_id": 3, "component": []},
    "widget.root.updated": {"widget": []},
    "workflow.task.added": {"task_index": "0", "task": None},
    "workflow.task.updated": {"task_index": 0.5, "task": "A"},
    "generated_image.updated": {"image": None},
}
OPTIONAL_FIELDS: dict[str, dict[str, object]] = {
    "progress_update": {"icon": 3},
    "client_effect": {"data": []},
    "error": {"code": 3, "message": 3, "allow_retry": "yes"},
    "notice": {"title": 3},
    "generated_image.updated": {"progress": "half"},
}

OBJECTS = ("annotation", "component", "content", "image", "item", "stream_options", "task")
TEXTS = ("component_id", "delta", "item_id", "level", "message", "name", "text")
INDEXES = ("annotation_index", "content_index", "task_index")
SOUND: dict[str, object] = {
    **{name: {"id": "m"} for name in (*OBJECTS, "thread", "widget")},
    **dict.fromkeys(TEXTS, "m"),
    **dict.fromkeys(INDEXES, 0),
    "done": False,
    "update": {"type": "new"},
}

FIELDS = [
    pytest.param(kind, name, wrong, id=f"{kind} {name}")
    for fields in (EVENT_FIELDS, UPDATE_FIELDS)
    for kind, required in fields.items()
    for name, wrong in required.items()
]
OPTIONAL = [
    pytest.param(kind, name, wrong, id=f"{kind} {name}")
    for kind, fields in OPTIONAL_FIELDS.items()
    for name, wrong in fields.items()
]


def sound(kind: str) -> Json:
    """The JSON of an event or update of this type with all its required fields."""
    fields = {**EVENT_FIELDS, **UPDATE_FIELDS, "error": {}}[kind]
    return {"type": kind, **{name: SOUND[name] for name in fields}}


def as_event(kind: str, plain: Json) -> tuple[Json, str]:
    """The event that carries it, if it is an update, and the JSON path to it."""
    return (with_update(plain), "$.update") if kind in UPDATE_FIELDS else (plain, "$")


def may_lack(kind: str, name: str) -> bool:
    """Whether an update without this field is folded all the same, with an anomaly."""
    cls = UPDATE_TYPES.get(kind)
    return cls is not None and name in DEFAULTS.get(cls, {})


REQUIRED = [field for field in FIELDS if not may_lack(*map(str, field.values[:2]))]
MAY_BE_MISSING = [field for field in FIELDS if may_lack(*map(str, field.values[:2]))]


def problem_without(kind: str, name: str) -> tuple[str, str]:
    """What is said of an event or update without this field, and the JSON path to it."""
    plain = sound(kind)
    del plain[name]
    event, path = as_event(kind, plain)
    return problem_of(json.dumps(event)), path


@pytest.mark.parametrize(("kind", "name", "_wrong"), REQUIRED)
def test_a_known_type_without_a_field_is_a_decode_error_that_names_it(
    kind: str, name: str, _wrong: object
) -> None:
    problem, _ = problem_without(kind, name)

    assert name in problem


@pytest.mark.parametrize(("kind", "name", "_wrong"), REQUIRED)
def test_a_known_type_without_a_field_is_a_decode_error_with_the_path(
    kind: str, name: str, _wrong: object
) -> None:
    problem, path = problem_without(kind, name)

    assert f"`{path}" in problem


@pytest.mark.parametrize(("kind", "name", "_wrong"), MAY_BE_MISSING)
def test_an_update_without_a_field_that_has_a_default_comes_back_as_it_came(
    kind: str, name: str, _wrong: object
) -> None:
    plain = {**sound(kind), "new_field": 1}
    del plain[name]
    event = decode(json.dumps(with_update(plain)))

    assert isinstance(event, ThreadItemUpdated)
    assert isinstance(event.update, UnknownUpdate)
    assert json.loads(encode(event)) == with_update(plain)
    assert decode(encode(event)) == event


@pytest.mark.parametrize(("kind", "name", "_wrong"), MAY_BE_MISSING)
def test_what_else_is_wrong_with_such_an_update_is_an_error(
    kind: str, name: str, _wrong: object
) -> None:
    plain = sound(kind)
    del plain[name]
    other = next(field for field in plain if field != "type")

    problem = problem_of(json.dumps(with_update({**plain, other: None})))

    assert problem.endswith(f"`$.update.{other}`")


@pytest.mark.parametrize(("kind", "name", "wrong"), FIELDS + OPTIONAL)
def test_a_known_type_with_a_field_of_another_kind_is_a_decode_error_with_the_path(
    kind: str, name: str, wrong: object
) -> None:
    event, path = as_event(kind, {**sound(kind), name: wrong})

    assert problem_of(json.dumps(event)).endswith(f"`{path}.{name}`")


@pytest.mark.parametrize(("kind", "name", "wrong"), FIELDS + OPTIONAL)
def test_an_unknown_field_beside_it_changes_nothing_about_that(
    kind: str, name: str, wrong: object
) -> None:
    event, path = as_event(kind, {**sound(kind), "new_field": 1, name: wrong})

    assert problem_of(json.dumps(event)).endswith(f"`{path}.{name}`")


@pytest.mark.parametrize("kind", [*EVENT_FIELDS, *UPDATE_FIELDS, "error"])
def test_a_known_type_with_all_its_fields_is_no_error(kind: str) -> None:
    event, _ = as_event(kind, sound(kind))

    assert json.loads(encode(decode(json.dumps(event)))) == event


def test_a_decode_error_is_a_value_error_of_this_package() -> None:
    assert issubclass(DecodeError, ValueError)
    assert issubclass(DecodeError, ChatKitReducerError)


@pytest.mark.parametrize("value", [None, 3, [], "notice", {}, {"type": 3}, with_update(None)])
def test_plain_python_data_that_is_no_event_is_a_decode_error_as_well(value: object) -> None:
    with pytest.raises(DecodeError):
        from_json(value)


# --- events that JSON cannot say ------------------------------------------------------------------


def nested(levels: int) -> object:
    value: object = None
    for _ in range(levels):
        value = [value]
    return value


UNSAYABLE: dict[str, object] = {
    "NaN": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "NaN beside null": [None, {"a": (math.nan,)}],
    "object": object(),
    "100,000 levels": nested(100_000),
}


@pytest.mark.parametrize("value", UNSAYABLE.values(), ids=UNSAYABLE)
def test_an_event_that_json_cannot_say_is_an_encode_error(value: object) -> None:
    for event in (
        ThreadItemAdded({**message("m", "a"), "new_field": value}),
        UnknownEvent({"type": "new", "new_field": value}),
        from_json({"type": "notice", "level": "info", "message": "", "new_field": value}),
        updated("m", from_json_update({"type": "new", "new_field": value})),
    ):
        with pytest.raises(EncodeError, match="cannot be written as JSON"):
            encode(event)


def from_json_update(update: Json) -> Any:
    event: Any = from_json(with_update(update))
    return event.update


def test_an_encode_error_is_a_value_error_of_this_package() -> None:
    assert issubclass(EncodeError, ValueError)
    assert issubclass(EncodeError, ChatKitReducerError)


def test_null_is_written_as_null() -> None:
    event = UnknownEvent({"type": "new", "nothing": None, "list": [None, 0.0]})

    assert encode(event) == b'{"type":"new","nothing":null,"list":[null,0.0]}'


@pytest.mark.parametrize(
    "event",
    [
        Notice("info", "line\nbreak \u2028 \0 😀"),
        UnknownEvent({"type": "new", "large": 2**70, "small": 5e-324, "minus": -0.0}),
    ],
)
def test_what_json_can_say_comes_back(event: Event) -> None:
    text = encode(event)

    assert decode(text) == event
    assert b"\n" not in text


# --- the words of an error ------------------------------------------------------------------------


WRONG_ROOT: Json = {
    "type": "thread.item.updated",
    "item_id": "m",
    "update": {"type": "widget.root.updated", "widget": 1},
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[]", "expected a JSON object, got an array - at `$`"),
        (b'"a"', "expected a JSON object, got a string - at `$`"),
        (b"true", "expected a JSON object, got a boolean - at `$`"),
        (b"1", "expected a JSON object, got a number - at `$`"),
        (b"1.5", "expected a JSON object, got a number - at `$`"),
        (b"null", "expected a JSON object, got null - at `$`"),
        (b"{}", "expected a string `type` - at `$`"),
        (
            b'{"type":"thread.item.updated","item_id":"m","update":[]}',
            "expected a JSON object, got an array - at `$.update`",
        ),
        (b'{"type":"thread.item.updated","item_id":1}', "expected a string - at `$.item_id`"),
        (json.dumps(WRONG_ROOT), "Expected `object`, got `int` - at `$.update.widget`"),
        (
            b'{"type":"thread.item.removed"}',
            "Object missing required field `item_id` - at `$`",
        ),
        ('{"type', "the JSON ends too early"),
        (memoryview(b'{"type'), "the JSON ends too early"),
        (bytearray(b'"\\ud800"'), "expected a JSON object, got a string - at `$`"),
        (memoryview(b'"\\ud800'), "the JSON ends too early"),
        (b'{"type":"x","y":"\xe2\x82', "the JSON ends too early"),
        (b"[" * 100_000, "the JSON is nested too deeply"),
    ],
)
def test_what_is_wrong_with_a_text(text: Any, words: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(text)

    assert str(caught.value) == words


def test_a_text_that_is_not_utf_8_is_said_to_be_none() -> None:
    with pytest.raises(DecodeError, match=r"^the text is not UTF-8: "):
        decode(b'{"type":"x","a":"\xff"}')


def test_what_is_no_event_is_said_to_be_none() -> None:
    odd: Any = "text"

    with pytest.raises(TypeError, match=r"^expected an event or an update, got str: plain "):
        encode(odd)
    with pytest.raises(TypeError) as caught:
        fold([odd])
    assert str(caught.value) == (
        "str is not an event: decode JSON text with `decode`, "
        "and plain mappings with `from_json`, before folding them"
    )


@pytest.mark.parametrize("value", [b"1", {1, 2}, float("nan"), object()])
def test_what_json_cannot_say_is_not_written_as_something_else(value: Any) -> None:
    with pytest.raises(EncodeError):
        encode(ThreadItemDone(item("x", "new", value=value)))


# --- the short way to encode ----------------------------------------------------------------------


@given(event=chatkit.events())
def test_an_event_is_encoded_as_with_all_checks(event: Event) -> None:
    assert encode(event) == encode_checked(event)


@pytest.mark.parametrize(
    "event",
    [
        text_delta("m", "\ud83d"),
        text_delta("m", 'a "quote"\n'),
        text_delta("m", "x", 3),
        value_delta("w", "c", "x"),
    ],
)
def test_a_delta_is_encoded_as_with_all_checks(event: Event) -> None:
    assert encode(event) == encode_checked(event)
