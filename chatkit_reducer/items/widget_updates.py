"""The updates that turn one widget root into another: what `widget.py` folds, the other way round.

openai-chatkit 1.6.5 has a `diff_widget` for the same (`chatkit/server.py`). It never looks at texts
without an id, nor below a single child that is in no list, so what grows there is lost. It raises
where a component gains or loses a field that its class does not declare. Whatever else is not
growth, it says by the root. Here, what no delta can say is said by the nearest component around it
that has an id, and in the end by the root.
"""

from __future__ import annotations

from typing import Any

from chatkit_reducer.events import (
    Json,
    Update,
    WidgetComponentUpdated,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
)
from chatkit_reducer.json_values import same_json

__all__ = ["updates_between"]


def updates_between(before: Json, after: Json) -> list[Update]:
    """The updates that turn `before` into `after`, both widget roots; none if they are the same.

    They are right if every id stands once in `before`, and at most once in any tree on the way.
    """
    pairs = _pairs(before, after)
    # What the updates below each pair say; None where they cannot say it, and the pair has to.
    said: list[list[Update] | None] = [[] for _ in pairs]
    for number in range(len(pairs) - 1, 0, -1):  # children before their parents
        old, new, parent = pairs[number]
        updates, others = _updates(old, new, said[number]), said[parent]
        said[parent] = None if updates is None or others is None else [*updates, *others]
    updates = said[0]
    if updates is None or not _same_but_children(before, after):
        growing = updates == [] and _is_named(before, after) and _is_growth(before, after)
        return [_delta(before, after)] if growing else [WidgetRootUpdated(after)]
    return updates


def _updates(old: Json, new: Json, below: list[Update] | None) -> list[Update] | None:
    if below is not None and _same_but_children(old, new):
        return below
    if not _is_named(old, new):
        return None
    return [_delta(old, new) if _is_growth(old, new) else WidgetComponentUpdated(old["id"], new)]


def _pairs(before: Json, after: Json) -> list[tuple[Json, Json, int]]:
    """The components of both trees side by side, each with the number of its parent's pair."""
    pairs = [(before, after, -1)]
    for number, (old, new, _) in enumerate(pairs):  # it grows while it is walked
        children = _paired_children(old, new) or []
        pairs.extend((one, other, number) for one, other in children)
    return pairs


def _paired_children(old: Json, new: Json) -> list[tuple[Json, Json]] | None:
    """The children of two components side by side; None if they are not held alike."""
    mine, theirs = old.get("children"), new.get("children")
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return [(mine, theirs)]
    if not isinstance(mine, list) or not isinstance(theirs, list) or len(mine) != len(theirs):
        return None
    both = list(zip(mine, theirs, strict=True))
    return both if all(isinstance(a, dict) and isinstance(b, dict) for a, b in both) else None


def _same_but_children(old: Json, new: Json) -> bool:
    if _paired_children(old, new) is None:
        return same_json(old, new)
    return same_json({**old, "children": None}, {**new, "children": None})


def _is_named(old: Json, new: Json) -> bool:
    return isinstance(old.get("id"), str) and old["id"] == new.get("id")


def _is_growth(old: Json, new: Json) -> bool:
    """Whether a value delta can say the difference: more text, the end of streaming, or both."""
    text, longer = old.get("value"), new.get("value")
    if not isinstance(text, str) or not isinstance(longer, str) or not longer.startswith(text):
        return False
    changed: dict[str, Any] = {"value": longer}
    if _is_finished(old, new):
        changed["streaming"] = False
    return same_json({**old, **changed}, new)


def _is_finished(old: Json, new: Json) -> bool:
    return old.get("streaming") is True and new.get("streaming") is False


def _delta(old: Json, new: Json) -> Update:
    more = new["value"][len(old["value"]) :]
    return WidgetStreamingTextValueDelta(old["id"], more, _is_finished(old, new))
