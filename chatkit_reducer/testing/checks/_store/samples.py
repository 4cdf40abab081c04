"""Items of every type that the installed SDK knows, made from its own schema.

No type is named here. So a release that adds one, or a field, is covered without a change.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias

from chatkit.types import ThreadItem
from pydantic import TypeAdapter, ValidationError

from chatkit_reducer.core.json_values import json_copy
from chatkit_reducer.events import Json

Schema: TypeAlias = Mapping[str, Any]

# Every string has characters of one, two, three and four bytes, and some that are often escaped.
_TEXT = 'Grüße, 世界 😀 "it\'s" \\ 100%\n'
_MOST_NESTED = 6
"""How deep objects have all their fields: widgets nest without end."""
_MOST_SHOWN = 4
"""How deep a list holds one of each alternative."""


@cache
def adapter() -> TypeAdapter[Any]:
    """Read and write any item that the SDK knows."""
    return TypeAdapter(ThreadItem)


@cache
def _schema() -> Schema:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of defaults that JSON cannot say
        return adapter().json_schema()


def item_types() -> dict[str, Schema]:
    """List the types of the SDK's union, each with its schema."""
    return {str(schema["properties"]["type"]["const"]): schema for schema in _choices(_schema())}


def sample_items(item_type: str) -> list[Json]:
    """Make items of a type: one with all there is, one for each alternative, and one bare.

    They are plain JSON, without `id`, `thread_id` and `created_at`.
    """
    schema = item_types()[item_type]
    made = [*_variants(schema, 0, "", levels=2), _object(schema, _MOST_NESTED)]
    items = [{name: each[name] for name in each if name not in _SET_LATER} for each in made]
    distinct = [item for place, item in enumerate(items) if item not in items[:place]]
    return [item for item in distinct if _is_valid(item)]


_SET_LATER = ("id", "thread_id", "created_at")


def _is_valid(plain: Json) -> bool:
    whole = {**plain, "id": "i", "thread_id": "t", "created_at": "2025-01-01T00:00:00"}
    try:
        adapter().validate_python(whole)
    except ValidationError:
        return False
    return True


# --- values for a schema --------------------------------------------------------------------------


def _variants(schema: Schema, depth: int, name: str, levels: int) -> list[Any]:
    """Make a value for each alternative of a schema, and of the fields some levels below it."""
    made = []
    for choice in _choices(schema):
        first = _value(choice, depth, name)
        if first is _NONE:
            continue
        made.append(first)
        if isinstance(first, dict) and levels:
            for field, inner in choice.get("properties", {}).items():
                if field in first:
                    others = _variants(inner, depth + 1, field, levels - 1)[1:]
                    made += [{**first, field: other} for other in others]
    return made


def _value(schema: Schema, depth: int, name: str) -> Any:
    """Make one value, the first that is possible; `_NONE` if none is."""
    for choice in _choices(schema):
        made = _of_one_kind(choice, depth, name)
        if made is not _NONE:
            return made
    return _NONE


def _of_one_kind(schema: Schema, depth: int, name: str) -> Any:
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[-1])
    match schema.get("type"):
        case "object" if "properties" in schema:
            return _object(schema, depth)
        case "array":
            return _list(schema.get("items", {}), depth + 1, name)
        case "string":
            return _string(schema, name)
        case "null":
            return _NONE
        case kind:
            return json_copy(_PLAIN.get(kind, _TEXT))


def _object(schema: Schema, depth: int) -> Json:
    required, is_whole = schema.get("required", ()), depth < _MOST_NESTED
    made: Json = {}
    for name, field in schema["properties"].items():
        if name == "type" or name in required or (is_whole and name not in _LEFT_OUT):
            value = _value(field, depth + 1, name)
            if value is not _NONE:
                made[name] = value
    if is_whole and schema.get("additionalProperties") is True:
        made["unknown_field"] = json_copy(_PLAIN["object"])
    return made


def _list(schema: Schema, depth: int, name: str) -> list[Any]:
    """Make one of each alternative, each with all its fields."""
    if depth > _MOST_NESTED:
        return []
    choices = _choices(schema)
    if len(choices) == 1:
        return _variants(schema, depth, name, levels=1)
    shown = choices if depth <= _MOST_SHOWN else choices[:2]
    return [value for choice in shown if (value := _value(choice, depth, name)) is not _NONE]


def _string(schema: Schema, name: str) -> Any:
    if "pattern" in schema:
        return _NONE
    text = f"{name}_1" if name in _SIMPLE else _TEXT
    return _FORMATS.get(str(schema.get("format")), text)


_NONE = object()
_LEFT_OUT = ("upload_descriptor",)
"""Optional fields that the SDK itself removes before it stores an item."""
_SIMPLE = ("id", "call_id", "type", "mime_type")
_PLAIN: Mapping[Any, Any] = {
    "boolean": True,
    "integer": 3,
    "number": 1.5,
    "object": {"text": _TEXT, "number": 1.5, "list": [1, False, {"deep": ""}]},
}
_FORMATS = {
    "date-time": "2025-01-01T00:00:00.250000",
    "uri": "https://example.com/a?b=%20c",
    "date": "2025-01-01",
}


def _choices(schema: Schema) -> list[Schema]:
    """List the alternatives of a schema, those of its alternatives too."""
    if "$ref" in schema:
        return _choices(_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return [each for choice in schema[key] for each in _choices(choice)]
    if not {"type", "const", "enum"} & schema.keys():  # anything at all
        return [{"type": "object"}, {"type": "string"}]
    return [schema]
