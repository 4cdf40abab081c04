"""Plain JSON data in Python: copying and comparing it.

Both go as deep as the data goes. A decoder that accepts a deeply nested text leaves little room on
Python's stack for whoever touches it later, so what msgspec refuses to follow is followed here.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

__all__ = ["Json", "json_copy", "same_json"]

Json: TypeAlias = dict[str, Any]
"""A JSON object."""


def json_copy(value: Json) -> Json:
    """A deep copy: whoever gets it may change it."""
    try:
        copy: Json = msgspec.to_builtins(value)
    except RecursionError:
        copy = _deep_copy(value)
    return copy


def _deep_copy(value: Json) -> Json:
    top: list[Any] = [value]
    todo: list[Any] = [top]
    while todo:  # of containers that are copies, but what they hold is not yet
        container = todo.pop()
        pairs = container.items() if isinstance(container, dict) else enumerate(container)
        for key, inner in list(pairs):
            if isinstance(inner, (dict, list)):
                container[key] = inner.copy()
                todo.append(container[key])
    copy: Json = top[0]
    return copy


def same_json(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON; the order of keys makes no difference.

    Python's `==` comes first, because it is quick, but it takes `true` for `1` and `1` for `1.0`.
    """
    if one is other:
        return True
    try:
        if one != other:
            return False
        written = [msgspec.json.encode(value, order="sorted") for value in (one, other)]
    except (RecursionError, UnicodeEncodeError, TypeError):
        return _deeply_same(one, other)
    return written[0] == written[1]


def _deeply_same(one: Any, other: Any) -> bool:
    todo = [(one, other)]
    while todo:
        one, other = todo.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, dict):
            if one.keys() != other.keys():
                return False
            todo.extend((value, other[key]) for key, value in one.items())
        elif isinstance(one, list):
            if len(one) != len(other):
                return False
            todo.extend(zip(one, other, strict=True))
        elif one != other:
            return False
    return True
