"""How a value is shown to the people who look at it: a line in a debugger, HTML in a notebook.

`described` makes the line. It says the most telling fields and not all of them, is bounded in
length, and makes no error of a value that has errors itself. The HTML is drawn by a room that the
core does not know: the top of the package names it with `draw_with`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from reprlib import Repr
from typing import Any

__all__ = ["described", "draw_with", "drawn"]

_MOST_CHARACTERS = 120
"""Of one field."""

_REPR = Repr()
_REPR.maxstring = _REPR.maxother = 80
_REPR.maxlevel = 3


def described(owner: object, fields: Callable[[], Mapping[str, object]]) -> str:
    """Return the name of the class of a value, and its fields: `Write(op='add', id='m')`.

    Args:
        owner: the value.
        fields: a function that returns the fields; those that are None are left out.
    """
    name = type(owner).__name__
    try:
        shown = {key: value for key, value in fields().items() if value is not None}
    except Exception:  # noqa: BLE001  # a value that code has made, with anything in it
        return f"<{name} that cannot be described>"
    return f"{name}({', '.join([f'{key}={_shown(value)}' for key, value in shown.items()])})"


def _shown(value: object) -> str:
    try:
        text = _REPR.repr(value).replace("\n", " ")
    except Exception:  # noqa: BLE001  # the same
        return f"<{type(value).__name__}>"
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 3]}..."


_DRAWINGS: list[Callable[[Any], str]] = []


def draw_with(drawing: Callable[[Any], str]) -> None:
    """Take a function that returns a state, a settlement or a policy as HTML."""
    _DRAWINGS[:] = [drawing]


def drawn(value: object) -> str | None:
    """Return a value as HTML; None if it cannot be drawn: a notebook then shows its `repr`."""
    try:
        return _DRAWINGS[0](value)
    except Exception:  # noqa: BLE001  # the same
        return None
