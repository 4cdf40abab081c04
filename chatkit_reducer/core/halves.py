r"""Halves of characters: a surrogate pair that was cut in two.

JavaScript counts in UTF-16, so a server written in it can cut a text in the middle of a character.
It then writes `"hi \ud83d"` in one delta and `"\ude00 there"` in the next one. Python can hold such
a half in a `str` (a *lone surrogate*), but cannot write it as UTF-8, and nor can any store.

Two halves that follow each other are one character, and a half that stays alone is U+FFFD, as for
every decoder of UTF-16. Only the end of a text that still grows is open: the second half may come.
So the pieces of a growing text keep their halves, and reading the text mends it. All else is mended
when it enters a state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

__all__ = ["first_half_at_end", "mended", "mended_delta", "mended_json", "mended_struct"]

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

_encoder = msgspec.json.Encoder()


def mended(text: str) -> str:
    r"""Return the text without lone halves; the same object where it has none.

    >>> mended("\ud83d\ude00 \ud83d")
    '😀 �'
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def first_half_at_end(text: str) -> str:
    """Return the first half of a character with which the text ends; empty if it does not."""
    return text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""


def mended_delta(text: str) -> str:
    """Return a piece of a growing text, mended except at its ends: the other halves may come."""
    whole = mended(text)
    if whole is text:
        return text
    first = text[0] if "\udc00" <= text[0] <= "\udfff" else ""
    last = first_half_at_end(text)
    return first + mended(text[len(first) : len(text) - len(last)]) + last


def mended_json(value: T) -> T:
    """Return plain JSON data without lone halves, in keys too; the same object if it has none."""
    return _rebuilt(value) if _may_hold_halves(value) else value


def mended_struct(value: S) -> S:
    """Return an event or update without lone halves; the same object if it has none.

    The text of a delta stays unchanged, for it may go on; so do unknown events.
    """
    if not _may_hold_halves(value) or not isinstance(value, msgspec.Struct):
        return value
    changed: dict[str, Any] = {}
    for name in value.__struct_fields__:
        if name in _LEFT_ALONE:
            continue
        before = getattr(value, name)
        is_inside = isinstance(before, msgspec.Struct)
        after = mended_struct(before) if is_inside else mended_json(before)
        if after is not before:
            changed[name] = after
    return msgspec.structs.replace(value, **changed) if changed else value


_LEFT_ALONE = frozenset({"delta", "extra", "json"})


def _may_hold_halves(value: Any) -> bool:
    try:
        _encoder.encode(value)
    except UnicodeEncodeError:
        return True
    except (msgspec.MsgspecError, OverflowError, RecursionError, TypeError, ValueError):
        return True  # what msgspec cannot write is looked at the slow way
    return False


def _rebuilt(value: Any) -> Any:
    """Mend data of any depth; the same object if there is nothing to mend."""
    if isinstance(value, str):
        return mended(value)
    containers = list(_containers(value))
    if not any(map(_holds_halves, containers)):
        return value
    copies = {id(one): type(one)() for one in containers}
    for one in containers:
        copy = copies[id(one)]
        if isinstance(one, dict):
            copy.update((_mended_in(key, copies), _mended_in(v, copies)) for key, v in one.items())
        else:
            copy.extend(_mended_in(inner, copies) for inner in one)
    return copies[id(value)]


def _containers(value: Any) -> Iterator[Any]:
    """Return the objects and arrays in a value, each once."""
    seen: set[int] = set()
    todo = [value]
    while todo:
        value = todo.pop()
        if isinstance(value, (dict, list)) and id(value) not in seen:
            seen.add(id(value))
            yield value
            todo.extend(value.values() if isinstance(value, dict) else value)


def _holds_halves(container: Any) -> bool:
    values = [*container, *container.values()] if isinstance(container, dict) else container
    return any(isinstance(value, str) and mended(value) is not value for value in values)


def _mended_in(value: Any, copies: dict[int, Any]) -> Any:
    return mended(value) if isinstance(value, str) else copies.get(id(value), value)
