"""The updates that turn one widget root into another: the inverse of the reducers in `widget.py`.

openai-chatkit 1.6.5 has a `diff_widget` for the same (`chatkit/server.py`). It never looks at texts
without an id, nor below a single child that is in no list, so what grows there is lost. It raises
where a component gains or loses a field that its class does not declare. All other changes that are
not growth, it expresses by the root. Here, a change that no delta can express replaces the nearest
component around it that has an id, and at last the root.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.events import (
    Json,
    Update,
    WidgetComponentUpdated,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
)

__all__ = ["diff_widget"]


def diff_widget(before: Json, after: Json) -> list[Update]:
    """Return the updates that turn the root `before` into the root `after`, if any.

    They are right if every id stands once in `before`, and at most once in any tree on the way.
    """
    pairs = _pairs(before, after)
    for pair in reversed(pairs[1:]):  # children before their parents
        _say(pair)
        pair.parent = None  # which has it among its children: no work for the garbage collector
    root = pairs[0]
    if root.children_can_say and _same_but_children(before, after):
        return list(_said_below(root))
    if root.same_below and _is_named(before, after) and _is_growth(before, after):
        return [_delta(before, after)]
    return [WidgetRootUpdated(after)]


class _Pair:
    """Two components that stand in the same place, and what says the difference between them."""

    __slots__ = ("children", "children_can_say", "new", "old", "parent", "same_below", "update")

    def __init__(self, old: Json, new: Json, parent: _Pair | None = None) -> None:
        self.old = old
        self.new = new
        self.parent = parent
        self.children: list[_Pair] = []
        self.children_can_say: bool = True
        """Whether updates of the components below can express all changes there."""
        self.same_below: bool = True
        self.update: Update | None = None
        """The update that says the difference; None where that is for the children, or above."""


def _say(pair: _Pair) -> None:
    """Find what says the difference; `pair` has a parent."""
    old, new, parent = pair.old, pair.new, pair.parent
    assert parent is not None
    if pair.children_can_say and _same_but_children(old, new):
        parent.same_below = parent.same_below and pair.same_below
        return
    parent.same_below = False
    if not _is_named(old, new):
        parent.children_can_say = False
    elif pair.same_below and _is_growth(old, new):
        pair.update = _delta(old, new)
    else:
        pair.update = WidgetComponentUpdated(old["id"], new)


def _said_below(root: _Pair) -> Iterator[Update]:
    """Return the updates in document order."""
    todo = root.children[::-1]
    while todo:
        pair = todo.pop()
        if pair.update is not None:
            yield pair.update
        else:
            todo.extend(reversed(pair.children))


def _pairs(before: Json, after: Json) -> list[_Pair]:
    """Pair the components of both trees, parents before their children."""
    pairs = [_Pair(before, after)]
    for pair in pairs:  # it grows while it is walked
        for old, new in _paired_children(pair.old, pair.new) or ():
            pair.children.append(_Pair(old, new, pair))
        pairs.extend(pair.children)
    return pairs


def _paired_children(old: Json, new: Json) -> list[tuple[Json, Json]] | None:
    """Pair the children of two components; None if `children` has another form in one of them."""
    mine, theirs = old.get("children"), new.get("children")
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return [(mine, theirs)]
    if not isinstance(mine, list) or not isinstance(theirs, list) or len(mine) != len(theirs):
        return None
    both = list(zip(mine, theirs, strict=True))
    return both if all(isinstance(a, dict) and isinstance(b, dict) for a, b in both) else None


def _same_but_children(old: Json, new: Json) -> bool:
    if _paired_children(old, new) is None:
        return json_equal(old, new)
    return json_equal({**old, "children": None}, {**new, "children": None})


def _is_named(old: Json, new: Json) -> bool:
    return isinstance(old.get("id"), str) and old["id"] == new.get("id")


def _is_growth(old: Json, new: Json) -> bool:
    """Whether a value delta can say the difference: more text, the end of streaming, or both.

    For components whose children are the same, where both have children side by side.
    """
    text, longer = old.get("value"), new.get("value")
    if not isinstance(text, str) or not isinstance(longer, str) or not longer.startswith(text):
        return False
    changed: dict[str, Any] = {"value": longer}
    if _is_finished(old, new):
        changed["streaming"] = False
    return _same_but_children({**old, **changed}, new)


def _is_finished(old: Json, new: Json) -> bool:
    return old.get("streaming") is True and new.get("streaming") is False


def _delta(old: Json, new: Json) -> Update:
    more = new["value"][len(old["value"]) :]
    return WidgetStreamingTextValueDelta(old["id"], more, _is_finished(old, new))
