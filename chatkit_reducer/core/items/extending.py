"""Whether one item shows all that another shows, and perhaps more: `ItemState.extends`.

`extends` compares the visible content. A text extends each of its prefixes; a list of parts, tasks
or components extends each list that it begins with; a state of rest extends one that claims to run.
Every relation here is reflexive and transitive.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chatkit_reducer.core.halves import first_half_at_end
from chatkit_reducer.core.json_values import equal_ignoring_nulls
from chatkit_reducer.events import Json

__all__ = [
    "children_of",
    "component_extends",
    "is_subsequence",
    "lists_begin_alike",
    "says_as_much",
    "task_extends",
    "text_extends",
]

_LONG_TEXTS = frozenset({"title", "content"})
_RANKS = {"loading": 0, "none": 1, None: 1, "complete": 2}


def task_extends(newer: Json, older: Json) -> bool:
    """Whether a task of a workflow shows all that another shows.

    Its texts may be longer, its lists of sources and queries too, and a loading task may have come
    to rest or be complete. All else is equal.
    """
    return _status_extends(newer.get("status_indicator"), older.get("status_indicator")) and all(
        _field_extends(name, newer.get(name), value)
        for name, value in older.items()
        if name != "status_indicator" and value is not None
    )


def _status_extends(newer: Any, older: Any) -> bool:
    if equal_ignoring_nulls(newer, older):
        return True
    ranks = [_RANKS.get(one) if isinstance(one, str | None) else None for one in (newer, older)]
    return None not in ranks and ranks[0] >= ranks[1]  # type: ignore[operator]  # no None is left


def _field_extends(name: str, newer: Any, older: Any) -> bool:
    if name in _LONG_TEXTS and isinstance(newer, str) and isinstance(older, str):
        return newer.startswith(older)
    if isinstance(newer, list) and isinstance(older, list):
        return lists_begin_alike(newer, older)
    return equal_ignoring_nulls(newer, older)


def text_extends(newer: str, older: str) -> bool:
    """Whether a text begins with all of another.

    The half of a character with which the older one may end is extended by that character, and by
    the U+FFFD that a half becomes to which no other comes.
    """
    if newer.startswith(older):
        return True
    half = first_half_at_end(older)
    if not half or not newer.startswith(older[:-1]):
        return False
    character = newer[len(older) - 1 : len(older)]
    return character == "\ufffd" or character.encode("utf-16-le", "surrogatepass")[
        :2
    ] == half.encode("utf-16-le", "surrogatepass")


def lists_begin_alike(newer: list[Any], older: list[Any]) -> bool:
    """Whether a list begins with all of another."""
    return equal_ignoring_nulls(newer[: len(older)], older)


def is_subsequence(newer: Iterable[Any], older: Iterable[Any]) -> bool:
    """Whether a sequence has all values of another, in the same order."""
    candidates = iter(newer)
    return all(any(equal_ignoring_nulls(one, value) for one in candidates) for value in older)


def component_extends(newer: Json, older: Json) -> bool:
    """Whether a widget component shows all that another shows, with everything inside of it.

    Values may be longer, there may be more children at the end of each list, and a stream may have
    ended. All other fields of the older one are in the newer one.
    """
    todo: list[tuple[Any, Any]] = [(newer, older)]
    while todo:  # no recursion: a widget may be nested more deeply than Python's stack
        one, other = todo.pop()
        if not isinstance(one, dict) or not isinstance(other, dict):
            if not equal_ignoring_nulls(one, other):
                return False
            continue
        mine, theirs = children_of(one), children_of(other)
        if len(mine) < len(theirs) or not says_as_much(one, other):
            return False
        todo.extend(zip(mine, theirs, strict=False))
    return True


def children_of(component: Json) -> list[Any]:
    """Return the children of a widget component, whether they are components or not."""
    children = component.get("children")
    if isinstance(children, list):
        return children
    return [] if children is None else [children]


def says_as_much(newer: Json, older: Json) -> bool:
    """Return whether a component has all that another has, apart from their children."""
    if newer.get("streaming") is True and older.get("streaming") is not True:
        return False
    return all(
        _value_extends(name, newer.get(name), value)
        for name, value in older.items()
        if name not in ("children", "streaming") and value is not None
    )


def _value_extends(name: str, newer: Any, older: Any) -> bool:
    if name == "value" and isinstance(newer, str) and isinstance(older, str):
        return text_extends(newer, older)
    return equal_ignoring_nulls(newer, older)
