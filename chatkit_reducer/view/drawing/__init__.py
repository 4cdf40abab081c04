"""An item as a tree of elements, one module a family of items.

Drawing is total: any JSON is drawn, what this release does not know as its JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatkit_reducer.view.drawing import messages, others, tasks, widgets
from chatkit_reducer.view.drawing.place import Place
from chatkit_reducer.view.drawing.tree import Child, Element, element, plain

__all__ = ["draw", "draw_item"]

_ITEMS: dict[str, Callable[[Any, Place], list[Child]]] = {
    "assistant_message": messages.assistant_message,
    "client_tool_call": others.client_tool_call,
    "end_of_turn": messages.end_of_turn,
    "generated_image": others.generated_image,
    "hidden_context_item": messages.hidden,
    "sdk_hidden_context": messages.hidden,
    "structured_input": others.structured_input,
    "task": tasks.task,
    "user_message": messages.user_message,
    "widget": widgets.widget,
    "workflow": tasks.workflow,
}


def draw_item(item: Any, place: Place) -> Element:
    """Draw an item.

    Args:
        item: its JSON.
        place: the elements of an earlier drawing of it, which are taken over where they are right.
    """
    kind = item.get("type")
    if not isinstance(kind, str) or kind not in _ITEMS:
        return element("div.it.it-other", *others.other(item, place))
    return element(f"div.it.it-{kind}", *_ITEMS[kind](item, place))


def draw(item: Any) -> Any:
    """Return the tree of an item in the form that the data of a page has, with all of its text."""
    return plain(draw_item(item, Place()))
