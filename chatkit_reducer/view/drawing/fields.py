"""Fields of JSON that may be of any kind: each function returns a value of the kind it names."""

from __future__ import annotations

from typing import Any

from chatkit_reducer.core.halves import mended
from chatkit_reducer.events import Json

__all__ = ["mapping", "number", "objects", "string", "strings", "whole_number"]


def string(value: Any, name: str) -> str:
    """Return a text field; "" if it is not a text."""
    found = value.get(name) if isinstance(value, dict) else None
    return mended(found) if isinstance(found, str) else ""


def strings(value: Any, name: str) -> list[str]:
    """Return the texts in a list field."""
    found = value.get(name) if isinstance(value, dict) else None
    return [mended(one) for one in found if isinstance(one, str)] if isinstance(found, list) else []


def mapping(value: Any, name: str) -> Json:
    """Return an object field; an empty one if it is not an object."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def objects(value: Any, name: str) -> list[Json]:
    """Return the objects in a list field."""
    found = value.get(name) if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def whole_number(value: object) -> int | None:
    """Return a whole number of a size that a page can show; None for any other value."""
    is_one = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31
    return value if is_one else None  # type: ignore[return-value]  # it was looked at


_LARGEST = 1e15


def number(value: object) -> float | None:
    """Return a number of a size that a page can show; None for any other value."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < _LARGEST else None
