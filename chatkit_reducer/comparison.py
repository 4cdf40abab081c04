"""Where the updates of an item do not add up to the item that its `done` brings.

`thread.item.done` carries the whole item and wins over whatever was folded. A client that saw only
the updates showed something else until then, and one that left before the `done` keeps it: so a
difference is a bug of the producer.

The rest of an item is no matter of its updates: no update carries the summary of a workflow, and
openai-chatkit 1.6.5 reads the clock for `added` and again for `done`. `UPDATABLE` says which part
of an item is compared, and that is all that says it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, TypeAlias

import attrs

from chatkit_reducer.events import Json

__all__ = [
    "UPDATABLE",
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


# --- which part of an item its updates build -----------------------------------------------------


def _content(item: Json) -> Json:
    """The parts of a message, whole: `content_part.added` and `.done` bring whole parts.

    A part without `annotations` and one with an empty list of them say the same.
    """
    content = item.get("content")
    if isinstance(content, list):
        content = [_without_empty_annotations(part) for part in content]
    return {"content": content}


def _without_empty_annotations(part: Any) -> Any:
    if isinstance(part, dict) and part.get("annotations") == []:
        return {name: value for name, value in part.items() if name != "annotations"}
    return part


def _tasks(item: Json) -> Json:
    """The tasks of a workflow. Its `summary` and `expanded` come with the `done` alone."""
    return {"workflow": _field(item.get("workflow"), "tasks")}


def _widget(item: Json) -> Json:
    """The tree of a widget. The `copy_text` of the item comes with the `done` alone."""
    return {"widget": item.get("widget")}


def _image_id(item: Json) -> Json:
    """The id of an image.

    Its `url` differs in a sound stream: each update brings a partial image, and the final one comes
    with the `done` alone (1.6.5: `chatkit/agents.py`, `stream_agent_response`).
    """
    return {"image": _field(item.get("image"), "id")}


def _field(value: Any, name: str) -> Any:
    return {name: value.get(name)} if isinstance(value, dict) else value


UPDATABLE: MappingProxyType[str, Callable[[Json], Json]] = MappingProxyType(
    {
        "assistant_message": _content,
        "generated_image": _image_id,
        "widget": _widget,
        "workflow": _tasks,
    }
)
"""Item type to the part of an item that its updates build, as a mapping with only that in it."""


def compare_items(folded: Json, final: Json) -> list[Difference]:
    """Where the updates of an item do not add up to it.

    Args:
        folded: the item as its updates have made it.
        final: the item as a `thread.item.done` or `thread.item.replaced` brings it.
    """
    kind = folded.get("type")
    if kind != final.get("type"):
        return [Difference(("type",), kind, final.get("type"))]
    part = UPDATABLE.get(kind) if isinstance(kind, str) else None
    return [] if part is None else differences(part(folded), part(final))


# --- two JSON values -----------------------------------------------------------------------------


def differences(before: Any, after: Any) -> list[Difference]:
    """Where two JSON values differ, in document order. A null and an absent field are equal.

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
        elif not _equal(here.before, here.after):
            found.append(here)
    return found


def _inside(here: Difference) -> Iterator[Difference] | None:
    """The pairs of values to compare inside of two objects or two lists."""
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
    """The elements in pairs; where one list is longer, those that both end with are equal."""
    ahead, behind = _common_ends(before, after) if len(before) != len(after) else (0, 0)
    middle = max(len(before), len(after)) - behind
    for index in range(ahead, middle):
        yield Difference(
            (*path, index),
            before[index] if index < len(before) - behind else None,
            after[index] if index < len(after) - behind else None,
        )


def _common_ends(before: list[Any], after: list[Any]) -> tuple[int, int]:
    shorter = min(len(before), len(after))
    ahead = 0
    while ahead < shorter and _alike(before[ahead], after[ahead]):
        ahead += 1
    behind = 0
    while behind < shorter - ahead and _alike(before[-1 - behind], after[-1 - behind]):
        behind += 1
    return ahead, behind


def _alike(before: Any, after: Any) -> bool:
    """Whether two values do not differ. It looks at no pair twice, whatever lists are inside."""
    todo = [(before, after)]
    while todo:
        one, other = todo.pop()
        if isinstance(one, dict) and isinstance(other, dict):
            todo.extend((one.get(name), other.get(name)) for name in {**one, **other})
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            todo.extend(zip(one, other, strict=True))
        elif not _equal(one, other):
            return False
    return True


def _equal(before: Any, after: Any) -> bool:
    # JSON tells `true` from 1, and Python does not.
    return isinstance(before, bool) is isinstance(after, bool) and bool(before == after)


def common_prefix(before: str, after: str) -> int:
    """How many characters two texts have in common at their beginnings."""
    low, high = 0, min(len(before), len(after))
    while low < high:  # by halves: comparing slices is much faster than comparing characters
        middle = (low + high + 1) // 2
        if before[low:middle] == after[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def path_text(path: Path) -> str:
    """A path as people write it, such as `content[0].text`."""
    steps = [f"[{step}]" if isinstance(step, int) else _name(step) for step in path]
    return "".join(steps).removeprefix(".")


def _name(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{name!r}]"
