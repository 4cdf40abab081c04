"""Widgets: an open tree of JSON components, some of whose texts stream.

A component is any JSON object, of a type known or not; `children` is a list, one object, or nothing.
A component is found by its `id`, the root included; of several with one id, the first in document
order counts. openai-chatkit 1.6.5 applies none of these updates on the server
(`chatkit/server.py`, `ChatKitServer._update_pending_items`).

Streaming text must not rebuild the tree at every delta. So a state is a tree that does not change,
and beside it the *edits*: by id, the components whose text has grown since, or which were replaced
by another leaf of the same id. Reading the item puts them into the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from msgspec import Struct

from chatkit_reducer.anomalies import Fault, FaultKind
from chatkit_reducer.events import (
    Json,
    WidgetComponentUpdated,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
)
from chatkit_reducer.items.base import ItemState
from chatkit_reducer.persistent import EMPTY_MAP, Map, SharedList


__all__ = ["REDUCERS", "Tree", "Widget", "append_value", "set_component", "set_root"]


class _Node(Struct, frozen=True, gc=False):
    json: Json
    parent: int
    """The number of the parent node; -1 for the root."""
    place: int | None
    """The index among the children of the parent; None where it is the only child, not in a list."""


class Tree:
    """One widget root, with its components numbered in document order and found by id.

    The numbering is made when somebody first asks for it: many roots come and go unasked.
    """

    __slots__ = ("_by_id", "_nodes", "root")

    def __init__(self, root: Json) -> None:
        self.root = root
        self._nodes: list[_Node] | None = None
        self._by_id: dict[str, int] = {}

    @property
    def nodes(self) -> list[_Node]:
        """All components in document order, parents before their children."""
        if self._nodes is None:
            nodes = list(_walk(self.root))
            for number in reversed(range(len(nodes))):
                component_id = nodes[number].json.get("id")
                if isinstance(component_id, str):
                    self._by_id[component_id] = number
            self._nodes = nodes
        return self._nodes

    def number_of(self, component_id: str) -> int | None:
        """The number of the first component with this id, or None."""
        return self._by_id.get(component_id) if self.nodes else None

    def find(self, component_id: str) -> Json | None:
        """The first component with this id, or None."""
        number = self.number_of(component_id)
        return None if number is None else self.nodes[number].json

    def with_components(self, changed: dict[int, Json]) -> Json:
        """The root with other components at these numbers; a parent goes before its children."""
        if not changed:
            return self.root
        changed = dict(changed)
        new_children: dict[int, dict[int | None, Json]] = {}
        for number in reversed(range(len(self.nodes))):
            node = self.nodes[number]
            if number not in changed and number in new_children:
                changed[number] = _with_children(node.json, new_children[number])
            if number in changed:
                new_children.setdefault(node.parent, {})[node.place] = changed[number]
        return changed[0]


def _walk(root: Json) -> Iterator[_Node]:
    # No recursion: a widget may be nested more deeply than Python's stack.
    todo = [_Node(root, -1, None)]
    number = -1
    while todo:
        node = todo.pop()
        number += 1
        yield node
        children = node.json.get("children")
        if isinstance(children, dict):
            todo.append(_Node(children, number, None))
        elif isinstance(children, list):
            places = reversed(list(enumerate(children)))
            todo.extend(_Node(child, number, i) for i, child in places if isinstance(child, dict))


def _with_children(component: Json, new: dict[int | None, Json]) -> Json:
    if None in new:
        return {**component, "children": new[None]}
    children = [new.get(place, child) for place, child in enumerate(component["children"])]
    return {**component, "children": children}


class _Edit(Struct, frozen=True, gc=False):
    json: Json
    """The component as it came."""
    text: SharedList[str] | None = None
    """Its streamed `value` so far, the value it came with included; None before the first delta."""
    finished: bool = False
    """Whether a delta said that the streaming is over."""

    def plain(self) -> Json:
        component = self.json
        if self.text is not None:
            component = {**component, "value": "".join(self.text)}
        if self.finished and component.get("streaming") is True:
            component = {**component, "streaming": False}
        return component


class Widget(ItemState, frozen=True, gc=False, eq=False):
    """A widget: its tree, and the edits that are not in the tree yet."""

    tree: Tree
    edits: Map[str, _Edit] = EMPTY_MAP

    @classmethod
    def parse(cls, json: Json) -> Widget | None:
        """The state of an item mapping; None where its root is no object."""
        root = json.get("widget")
        return cls(json, Tree(root)) if isinstance(root, dict) else None

    @property
    def root(self) -> Json:
        """The root component, edits included: read, never write."""
        return self.tree.with_components(self._edited())

    def plain(self) -> Json:
        """The item as plain JSON data that shares its insides with the state."""
        return {**self.json, "widget": self.root}

    def edit_of(self, component_id: str) -> _Edit | None:
        """The component with this id as it is now, or None."""
        edit = self.edits.get(component_id)
        if edit is not None:
            return edit
        component = self.tree.find(component_id)
        return None if component is None else _Edit(component)

    def streams_into(self, component_id: str) -> bool:
        """Whether there is such a component, with a text to append to."""
        edit = self.edit_of(component_id)
        return edit is not None and isinstance(edit.json.get("value"), str)

    def _edited(self) -> dict[int, Json]:
        numbered = ((self.tree.number_of(key), edit) for key, edit in self.edits.items())
        return {number: edit.plain() for number, edit in numbered if number is not None}


def append_value(item: Widget, update: WidgetStreamingTextValueDelta) -> Widget | Fault:
    """`widget.streaming_text.value_delta`: appends to the `value` of the component.

    `done` turns `streaming: true` into `false`; where there is no such key it adds none.
    """
    edit = item.edit_of(update.component_id)
    if edit is None:
        return _not_found(update.component_id)
    value = edit.json.get("value")
    if not isinstance(value, str):
        problem = f"component {update.component_id!r} has no text `value` to append to"
        return Fault(FaultKind.UPDATE_MISFIT, problem)
    finished = edit.finished or (update.done and edit.json.get("streaming") is True)
    if not update.delta and finished == edit.finished:
        return item
    text = SharedList.of([value]) if edit.text is None else edit.text
    longer = text.append(update.delta) if update.delta else text
    edits = item.edits.set(update.component_id, _Edit(edit.json, longer, finished))
    return Widget(item.json, item.tree, edits)


def _not_found(component_id: str) -> Fault:
    return Fault(FaultKind.COMPONENT_NOT_FOUND, f"the widget has no component {component_id!r}")


def set_component(item: Widget, update: WidgetComponentUpdated) -> Widget | Fault:
    """`widget.component.updated`: replaces the component with that id."""
    edit = item.edit_of(update.component_id)
    number = item.tree.number_of(update.component_id)
    if edit is None or number is None:
        return _not_found(update.component_id)
    old, new = item.tree.nodes[number].json, update.component
    if edit.plain() == new:
        return item
    if _is_leaf(old) and _is_leaf(new) and new.get("id") == update.component_id:
        edits = item.edits.set(update.component_id, _Edit(new))
        return Widget(item.json, item.tree, edits)
    root = item.tree.with_components({**item._edited(), number: new})
    return Widget(item.json, Tree(root))


def _is_leaf(component: Json) -> bool:
    return "children" not in component


def set_root(item: Widget, update: WidgetRootUpdated) -> Widget:
    """`widget.root.updated`: replaces the whole tree."""
    if not item.edits and item.tree.root == update.widget:
        return item
    return Widget(item.json, Tree(update.widget))


REDUCERS = {
    WidgetStreamingTextValueDelta: append_value,
    WidgetComponentUpdated: set_component,
    WidgetRootUpdated: set_root,
}
