"""Compare the item that updates have built with the item that its `done` brings.

`thread.item.done` carries the whole item and wins over the folded one. A client that saw only
the updates showed something else until then, and one that left before the `done` keeps it: so a
difference is a bug of the producer.

Updates do not build the rest of an item: none carries the summary of a workflow, and openai-chatkit
1.6.5 reads the clock for `added` and again for `done`. Each item type says which part of an item
is compared (`updatable_part`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import attrs

from chatkit_reducer.core.items import ITEM_TYPES
from chatkit_reducer.core.json_values import equal_ignoring_nulls, is_equal_scalar
from chatkit_reducer.events import Json

__all__ = [
    "Difference",
    "Path",
    "common_prefix",
    "compare_items",
    "differences",
    "path_text",
]

Path: TypeAlias = tuple[str | int, ...]
"""Where a value is inside of another: the names of fields, and indexes into lists."""


@attrs.frozen
class Difference:
    """One place where two JSON values differ. None means that there is nothing, or a null."""

    path: Path
    before: Any
    after: Any


def compare_items(folded: Json, final: Json) -> list[Difference]:
    """Return the places where the updates of an item do not add up to it.

    Args:
        folded: the item as its updates have made it.
        final: the item as a `thread.item.done` or `thread.item.replaced` brings it.
    """
    kind = folded.get("type")
    if kind != final.get("type"):
        return [Difference(("type",), kind, final.get("type"))]
    found = ITEM_TYPES.get(kind) if isinstance(kind, str) else None
    if found is None:
        return []
    part = found[0].updatable_part
    return differences(part(folded), part(final))


# --- two JSON values -----------------------------------------------------------------------------


def differences(before: Any, after: Any) -> list[Difference]:
    """Return the places where two JSON values differ, in document order.

    A null and an absent field are equal; an element of a list is not equal to its absence.

    >>> differences({"a": [1, {"b": 2}], "c": None}, {"a": [1, {"b": 3}]})
    [Difference(path=('a', 1, 'b'), before=2, after=3)]
    """
    found = []
    todo = [Difference((), before, after)]
    while todo:  # no recursion: JSON may be nested more deeply than Python's stack
        here = todo.pop()
        inner = _inside(here)
        if inner is not None:
            todo.extend(reversed(list(inner)))
        elif here.before is _NO_ELEMENT or here.after is _NO_ELEMENT:
            found.append(Difference(here.path, _or_none(here.before), _or_none(here.after)))
        elif not is_equal_scalar(here.before, here.after):
            found.append(here)
    return found


_NO_ELEMENT = object()
"""In the place of an element that only the other list has, and that may be a null."""


def _or_none(value: Any) -> Any:
    return None if value is _NO_ELEMENT else value


def _inside(here: Difference) -> Iterator[Difference] | None:
    """Return the pairs of values to compare inside of two objects or two lists."""
    before, after = here.before, here.after
    if isinstance(before, dict) and isinstance(after, dict):
        return _fields(here.path, before, after)
    if isinstance(before, list) and isinstance(after, list):
        return _elements(here.path, before, after)
    return None


def _fields(path: Path, before: Json, after: Json) -> Iterator[Difference]:
    for name in {**before, **after}:
        yield Difference((*path, name), before.get(name), after.get(name))


def _elements(path: Path, before: list[Any], after: list[Any]) -> Iterator[Difference]:
    """Pair the elements; where one list is longer, those that both end with are equal."""
    ahead, behind = _common_ends(before, after) if len(before) != len(after) else (0, 0)
    middle = max(len(before), len(after)) - behind
    for index in range(ahead, middle):
        yield Difference(
            (*path, index),
            before[index] if index < len(before) - behind else _NO_ELEMENT,
            after[index] if index < len(after) - behind else _NO_ELEMENT,
        )


def _common_ends(before: list[Any], after: list[Any]) -> tuple[int, int]:
    shorter = min(len(before), len(after))
    ahead = 0
    while ahead < shorter and equal_ignoring_nulls(before[ahead], after[ahead]):
        ahead += 1
    behind = 0
    while behind < shorter - ahead and equal_ignoring_nulls(
        before[-1 - behind], after[-1 - behind]
    ):
        behind += 1
    return ahead, behind


def common_prefix(before: str, after: str) -> int:
    """Count the characters that two texts have in common at their beginnings."""
    low, high = 0, min(len(before), len(after))
    while low < high:  # by halves: comparing slices is much faster than comparing characters
        middle = (low + high + 1) // 2
        if before[low:middle] == after[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def path_text(path: Path) -> str:
    """Return a path as people write it, such as `content[0].text`."""
    steps = [f"[{step}]" if isinstance(step, int) else _name(step) for step in path]
    return "".join(steps).removeprefix(".")


def _name(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{name!r}]"
