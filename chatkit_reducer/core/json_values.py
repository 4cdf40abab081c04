"""Plain JSON data in Python: copying and comparing it.

Both go as deep as the data goes. A decoder that accepts a deeply nested text leaves little room on
Python's stack for the functions that touch it later, so values that msgspec refuses to follow are
followed here. A value that contains itself has no end: it cannot be copied, and it equals itself
alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from chatkit_reducer.core.errors import EncodeError
from chatkit_reducer.events import Json

__all__ = [
    "equal_ignoring_nulls",
    "is_equal",
    "is_equal_scalar",
    "json_copy",
    "json_equal",
    "json_or_shown",
    "only_json",
]


def json_copy(value: Json) -> Json:
    """Return a deep copy, which the caller may change.

    A value that is not JSON, which only code can put there, is kept as it is: it must not keep back
    the rest. Writing the copy as JSON reports it.

    Raises:
        EncodeError: the value contains itself.
    """
    try:
        copy: Json = msgspec.to_builtins(value)
    except (RecursionError, TypeError):
        copy = _deep_copy(value)
    return copy


_LEAVE: Any = object()


def _deep_copy(value: Json) -> Json:
    copy: Json = value.copy()
    around: set[int] = set()  # the ids of the containers that the next one is inside of
    todo: list[tuple[Any, int]] = [(copy, id(value))]
    while todo:  # containers that are copies, with insides that are not yet
        container, original = todo.pop()
        if container is _LEAVE:
            around.remove(original)
            continue
        if original in around:
            raise EncodeError("expected JSON, got a value that contains itself")
        around.add(original)
        todo.append((_LEAVE, original))
        pairs = container.items() if isinstance(container, dict) else enumerate(container)
        for key, inner in list(pairs):
            if isinstance(inner, (dict, list)):
                container[key] = inner.copy()
                todo.append((container[key], id(inner)))
    return copy


def json_or_shown(value: Json) -> tuple[Json, str | None]:
    """Return a deep copy that is JSON throughout, and why the value itself is not.

    If msgspec can write a value as JSON (NaN as null, a date as a text), the copy has that, and
    there is no fault. Any other value stands there as its `repr`.
    """
    try:
        copy: Json = msgspec.json.decode(msgspec.json.encode(value))
    except RecursionError:
        return _deep_or_shown(value)
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        return only_json(value), str(error)
    return copy, None


def _deep_or_shown(value: Json) -> tuple[Json, str | None]:
    """Do the same for a value that msgspec cannot follow: nested deeply, or without an end."""
    shown: Json = only_json(value)
    try:
        is_same = json_equal(_deep_copy(value), shown)
    except EncodeError as error:
        return shown, str(error)
    return shown, None if is_same else "expected JSON, got a value that is not, deep inside"


def only_json(value: Any) -> Any:
    """Return a deep copy that holds only values that JSON can express.

    NaN and the infinities become null, as msgspec writes them; half of a surrogate pair becomes
    U+FFFD; of any other value stands what Python shows of it, and null where a container would
    hold itself.
    """
    top: list[Any] = [value]
    around: set[int] = set()  # the ids of the containers that the next one is inside of
    todo: list[tuple[Any, int]] = [(top, id(top))]
    while todo:
        container, original = todo.pop()
        if container is _LEAVE:
            around.remove(original)
            continue
        around.add(original)
        todo.append((_LEAVE, original))
        pairs = container.items() if isinstance(container, dict) else enumerate(container)
        for key, inner in list(pairs):
            copy = container[key] = None if id(inner) in around else _shallow_json(inner)
            if isinstance(copy, (dict, list)):
                todo.append((copy, id(inner)))
    return top[0]


def _shallow_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_plain_text(str(key)): inner for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, str):
        return _plain_text(str(value))
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _plain_text(_shown(value))


def _plain_text(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  # code that nobody here knows
        return f"<{type(value).__name__}>"


def json_equal(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON; the order of keys makes no difference.

    Python's `==` comes first, because it is quick, but it takes `true` for `1` and `1` for `1.0`.
    """
    if one is other:
        return True
    try:
        if one != other:
            return False
        written = [msgspec.json.encode(value, order="sorted") for value in (one, other)]
    except Exception:  # noqa: BLE001  # nested too deeply, or a value that is not JSON
        return _deeply_same(one, other)
    return written[0] == written[1]


def _deeply_same(one: Any, other: Any) -> bool:
    around: set[int] = set()
    todo = [(one, other)]
    while todo:
        one, other = todo.pop()
        if one is _LEAVE:
            around.remove(other)
            continue
        inside = _pairs(one, other)
        if inside is None:
            if type(one) is not type(other) or isinstance(one, (dict, list)):
                return False
            if one is not other and not is_equal(one, other):
                return False
        elif id(one) in around:
            return False
        else:
            around.add(id(one))
            todo.append((_LEAVE, id(one)))
            todo.extend(inside)
    return True


def is_equal(one: Any, other: Any) -> bool:
    """Whether Python takes two values for equal; those that cannot be compared are not.

    An array of numpy, which is not JSON, has more than one answer, and says so with an exception.
    """
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001  # code that nobody here knows
        return one is other


def _pairs(one: Any, other: Any) -> list[tuple[Any, Any]] | None:
    """Pair the values inside of two containers; None if they do not fit together."""
    if type(one) is not type(other):
        return None
    if isinstance(one, dict):
        if one.keys() != other.keys():
            return None
        return [(value, other[key]) for key, value in one.items()]
    if isinstance(one, list) and len(one) == len(other):
        return list(zip(one, other, strict=True))
    return None


def equal_ignoring_nulls(before: Any, after: Any) -> bool:
    """Whether two JSON values do not differ, where a null and an absent field are equal.

    It looks at no pair twice.
    """
    todo = [(before, after)]
    while todo:
        one, other = todo.pop()
        if isinstance(one, dict) and isinstance(other, dict):
            todo.extend((one.get(name), other.get(name)) for name in {**one, **other})
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            todo.extend(zip(one, other, strict=True))
        elif not is_equal_scalar(one, other):
            return False
    return True


def is_equal_scalar(before: Any, after: Any) -> bool:
    """Return whether two values are equal; JSON tells `true` from 1, and Python does not."""
    return isinstance(before, bool) is isinstance(after, bool) and is_equal(before, after)
