"""Events inside of other JSON: as objects in a field, or as JSON text, at any depth of fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from chatkit_reducer.logs.formats.texts import is_event, is_strong, is_typed, parse

__all__ = ["Path", "find", "text_of", "values_at"]

Path: TypeAlias = tuple[str | None, ...]
"""The names of the fields from the outside in; None for any element of an array."""

_DEEPEST = 8
# Where loggers and exports have the text that was logged: enough for an event of any type.
_USUAL = frozenset(
    (
        *("log", "message", "msg", "data", "payload", "event", "body", "text", "line", "content"),
        *("MESSAGE", "@message", "textPayload", "jsonPayload"),
        *("json", "raw", "chunk", "frame", "record", "value"),
    )
)


def find(value: Any, holds_event: Callable[[str], bool], *, is_weak: bool = False) -> Path | None:
    """Return where the first event in a JSON value is, in the order of the text.

    An object that has a `type` of another kind is an item, or a part of one. It holds texts that
    people wrote, so it is not looked into.

    Args:
        value: a JSON value that is not an event.
        holds_event: whether there is an event in a text.
        is_weak: also take an object of any type for an event, where loggers have the message.
    """
    todo: list[tuple[Path, Any]] = [((), value)]
    while todo:
        path, inner = todo.pop()
        text = text_of(inner)
        if text is not None:
            if path and _is_text_of_event(path, text, holds_event, is_weak=is_weak):
                return path
        elif path and (is_strong(inner) or (is_weak and is_event(inner) and path[-1] in _USUAL)):
            return path
        elif len(path) < _DEEPEST and not (path and is_typed(inner)):
            todo.extend(reversed(list(_inside(path, inner))))
    return None


def text_of(value: Any) -> str | None:
    """Return the text that a value is; journald writes some as arrays of the bytes."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(type(byte) is int for byte in value):
        try:
            return bytes(value).decode("utf-8", "replace")
        except ValueError:
            return None
    return None


def _is_text_of_event(
    path: Path, text: str, holds_event: Callable[[str], bool], *, is_weak: bool
) -> bool:
    if "{" not in text:
        return False
    if is_weak and path[-1] in _USUAL:
        return is_event(parse(text.strip().removeprefix("data:")))
    return holds_event(text)


def _inside(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*path, name), inner
    elif isinstance(value, list):
        for inner in value:
            yield (*path, None), inner


def values_at(value: Any, path: Path) -> list[Any]:
    """Return the values at a path, in order."""
    values = [value]
    for name in path:
        if name is None:
            values = [inner for outer in values if isinstance(outer, list) for inner in outer]
        else:
            values = [o[name] for o in values if isinstance(o, dict) and name in o]
    return values
