"""Widgets: an open tree of JSON components, some of whose texts stream.

A component is any JSON object, of a type known or not; `children` is a list, one object, or
nothing. A component is found by its `id`, the root included; of several with one id, the first in
document order counts. openai-chatkit 1.6.5 applies none of these updates on the server
(`chatkit/server.py`, `ChatKitServer._update_pending_items`).

Streaming text must not rebuild the tree at every delta. So a state is a tree that does not change,
and beside it the *edits*: by id, the components whose text has grown since, or which were replaced
by another leaf of the same id. Reading the item puts them into the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from chatkit_reducer.anomalies import Fault, FaultKind
from chatkit_reducer.events import (
    Json,
    ThreadItemUpdated,
    Update,
    WidgetComponentUpdated,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
)
from chatkit_reducer.items.base import END, Events, ItemState, Reducers, Seen, Taken
from chatkit_reducer.items.widget_updates import updates_between
from chatkit_reducer.json_values import same_json
from chatkit_reducer.persistent import EMPTY_MAP, Map, SharedList

__all__ = [
    "REDUCERS",
    "Tree",
    "Widget",
    "WidgetDraft",
    "append_value",
    "set_component",
    "set_root",
]


_TEXTS = frozenset({"Caption", "Label", "Markdown", "Text", "Title"})
_FRAMES = frozenset(
    {
        "Basic",
        "Box",
        "Card",
        "Col",
        "Form",
        "ListView",
        "ListViewItem",
        "Row",
        "Spacer",
        "Transition",
    }
)


class _Node(Struct, frozen=True, gc=False):
    json: Json
    number: int
    """Its place in document order, from 0."""
    parent: int
    """The number of the parent node; -1 for the root."""
    place: int | None
    """The index among the children of the parent; None for an only child that is in no list."""


class Tree:
    """One widget root, with its components numbered in document order and found by id.

    The numbering is made when somebody first asks for it: many roots come and go unasked.
    """

    __slots__ = ("_by_id", "_nodes", "root")

    def __init__(self, root: Json) -> None:
        self.root: Json = root
        self._nodes: list[_Node] | None = None
        self._by_id: dict[str, _Node] | None = None

    @property
    def nodes(self) -> list[_Node]:
        """All components in document order, parents before their children."""
        if self._nodes is None:
            self._nodes = list(_walk(self.root))
        return self._nodes

    @property
    def by_id(self) -> dict[str, _Node]:
        """The first component with each id."""
        if self._by_id is None:
            by_id: dict[str, _Node] = {}
            for node in self.nodes:
                component_id = node.json.get("id")
                if type(component_id) is str:
                    by_id.setdefault(component_id, node)
            self._by_id = by_id
        return self._by_id

    def with_components(self, changed: dict[int, Json], replaced: int | None = None) -> Json:
        """The root with other components at these numbers.

        Each is the component that was there, with the same children, but for the one at `replaced`:
        what changed below that one went with it.
        """
        if not changed:
            return self.root
        changed = dict(changed)
        new_children: dict[int, dict[int | None, Json]] = {}
        for number in reversed(range(len(self.nodes))):  # children before their parents
            node = self.nodes[number]
            if number in new_children and number != replaced:
                component = changed.get(number, node.json)
                changed[number] = _with_children(component, new_children[number])
            if number in changed:
                new_children.setdefault(node.parent, {})[node.place] = changed[number]
        return changed[0]


def _walk(root: Json) -> Iterator[_Node]:
    # No recursion: a widget may be nested more deeply than Python's stack.
    todo: list[tuple[Json, int, int | None]] = [(root, -1, None)]
    number = 0
    while todo:
        json, parent, place = todo.pop()
        yield _Node(json, number, parent, place)
        children = json.get("children")
        if type(children) is dict:
            todo.append((children, number, None))
        elif type(children) is list:
            places = range(len(children) - 1, -1, -1)
            todo.extend((children[i], number, i) for i in places if type(children[i]) is dict)
        number += 1


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
    """Whether it says `streaming: true`, and a delta said that this is over."""

    def grown(self, value: str, delta: str, *, done: bool) -> _Edit:
        """This edit with more text; `value` is what the component came with."""
        finished = self.finished or (done and self.json.get("streaming") is True)
        if not delta:
            return self if finished == self.finished else _Edit(self.json, self.text, finished)
        text = SharedList.of([value]) if self.text is None else self.text
        return _Edit(self.json, text.append(delta), finished)

    def plain(self) -> Json:
        component = self.json
        if self.text is not None:
            component = {**component, "value": "".join(self.text)}
        if self.finished:
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

    @property
    def is_empty(self) -> bool:
        """Whether no component in it shows anything; see `_shows`."""
        return not any(_shows(node.json) for node in Tree(self.root).nodes)

    @property
    def seen(self) -> Seen:
        """One widget, unless it is empty, and the characters of its texts."""
        components = [node.json for node in Tree(self.root).nodes]
        characters = sum(len(_text_of(component)) for component in components)
        return Seen(characters=characters, widgets=1 if any(map(_shows, components)) else 0)

    def sealed(self) -> Widget:
        """Components that say `streaming: true` say `false`."""
        tree = Tree(self.root)
        streaming = {
            node.number: {**node.json, "streaming": False}
            for node in tree.nodes
            if node.json.get("streaming") is True
        }
        return Widget(self.json, Tree(tree.with_components(streaming))) if streaming else self

    def updates_to(self, other: ItemState) -> list[Update] | None:
        """Text where it grew, components where they can be found by their id, else the root."""
        if not isinstance(other, Widget):
            return None
        if not same_json({**self.json, "widget": None}, {**other.json, "widget": None}):
            return None
        after = other.root
        updates = updates_between(self.root, after)
        return updates if _leads_to(self, updates, after) else [WidgetRootUpdated(after)]

    def plain(self) -> Json:
        """The item as plain JSON data that shares its insides with the state."""
        return {**self.json, "widget": self.root}

    def edit_of(self, component_id: str) -> _Edit | None:
        """The component with this id as it is now, or None."""
        edit = self.edits.get(component_id)
        if edit is not None:
            return edit
        node = self.tree.by_id.get(component_id)
        return None if node is None else _Edit(node.json)

    def _edited(self) -> dict[int, Json]:
        by_id = self.tree.by_id
        return {by_id[key].number: edit.plain() for key, edit in self.edits.items()}


def _leads_to(item: Widget, updates: list[Update], root: Json) -> bool:
    """Whether these updates make this root; an id that stands twice can lead them astray."""
    state: Any = item
    for update in updates:
        state = REDUCERS[type(update)](state, update)
        if type(state) is Fault:
            return False
    return same_json(state.root, root)


def _is_one_of(component: Json, types: frozenset[str]) -> bool:
    kind = component.get("type")
    return isinstance(kind, str) and kind in types


def _text_of(component: Json) -> str:
    value = component.get("value")
    return value if _is_one_of(component, _TEXTS) and isinstance(value, str) else ""


def _shows(component: Json) -> bool:
    """Whether a component shows anything of its own.

    A text shows what is not blank; a frame, which is whatever has a place for children, shows these
    and its own status and buttons. Of all else, and of every type that nobody knows, it is taken
    for granted that it shows something.
    """
    if _is_one_of(component, _TEXTS):
        return bool(_text_of(component).strip())
    if _is_one_of(component, _FRAMES) or "children" in component:
        return any(component.get(name) is not None for name in ("status", "confirm", "cancel"))
    return True


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
    longer = edit.grown(value, update.delta, done=update.done)
    if longer is edit:
        return item
    return Widget(item.json, item.tree, item.edits.set(update.component_id, longer))


def _not_found(component_id: str) -> Fault:
    return Fault(FaultKind.COMPONENT_NOT_FOUND, f"the widget has no component {component_id!r}")


def set_component(item: Widget, update: WidgetComponentUpdated) -> Widget | Fault:
    """`widget.component.updated`: replaces the component with that id."""
    node, new = item.tree.by_id.get(update.component_id), update.component
    if node is None:
        return _not_found(update.component_id)
    if _same_leaf(node.json, new, update.component_id):
        edit = item.edits.get(update.component_id)
        if same_json(node.json if edit is None else edit.plain(), new):
            return item
        edits = item.edits.set(update.component_id, _Edit(new))
        return Widget(item.json, item.tree, edits)
    edited = item._edited()
    root = item.tree.with_components({**edited, node.number: new}, node.number)
    before = item.tree.with_components(edited)
    return item if same_json(before, root) else Widget(item.json, Tree(root))


def _same_leaf(old: Json, new: Json, component_id: str) -> bool:
    """Whether the tree stays as it is but for this component."""
    return "children" not in old and "children" not in new and new.get("id") == component_id


def set_root(item: Widget, update: WidgetRootUpdated) -> Widget:
    """`widget.root.updated`: replaces the whole tree."""
    if not item.edits and same_json(item.tree.root, update.widget):
        return item
    return Widget(item.json, Tree(update.widget))


class WidgetDraft:
    """A widget that changes in place while a fold lasts; see `items.base.ItemDraft`.

    Updates make of it what `append_value` and `set_component` make of it, one by one. It does not
    take what does more than edit: an update that finds no component, or replaces one that is no
    leaf. Texts may stream side by side, so each component collects its own pieces.
    """

    __slots__ = ("_by_id", "_edits", "_finished", "_item", "_pieces")

    def __init__(self, item: Widget) -> None:
        self._item = item
        self._by_id = item.tree.by_id
        self._edits: dict[str, _Edit] = {}
        self._pieces: dict[str, list[str]] = {}
        self._finished: set[str] = set()

    def take(self, item_id: str, first: ThreadItemUpdated, events: Events) -> Taken:
        """Takes `first`, and of `events` as many as it can; the loop is that of messages."""
        count = 0
        event: Any = first
        while type(event) is ThreadItemUpdated and event.item_id == item_id:
            update = event.update
            if type(update) is not WidgetStreamingTextValueDelta:
                if not self._takes_component(update):
                    break
                count += 1
                event = next(events, END)
                continue
            component_id = update.component_id
            pieces = self._pieces_of(component_id)
            if pieces is None:
                break
            append, before, done = pieces.append, len(pieces), update.done
            append(update.delta)
            for event in events:
                if type(event) is not ThreadItemUpdated or event.item_id != item_id:
                    break
                update = event.update
                if (
                    type(update) is not WidgetStreamingTextValueDelta
                    or update.component_id != component_id
                ):
                    break
                append(update.delta)
                if update.done:
                    done = True
            else:
                event = END
            count += len(pieces) - before
            if done:
                self._finished.add(component_id)
        return event, count

    def _takes_component(self, update: Update) -> bool:
        if type(update) is not WidgetComponentUpdated:
            return False
        component_id, new = update.component_id, update.component
        node = self._by_id.get(component_id)
        if node is None or not _same_leaf(node.json, new, component_id):
            return False
        self._pieces.pop(component_id, None)
        self._finished.discard(component_id)
        self._edits[component_id] = _Edit(new)
        return True

    def _pieces_of(self, component_id: str) -> list[str] | None:
        """What collects the text of this component; None where it has none to append to."""
        pieces = self._pieces.get(component_id)
        if pieces is None:
            edit = self._edit(component_id)
            if edit is None or type(edit.json.get("value")) is not str:
                return None
            pieces = self._pieces[component_id] = []
        return pieces

    def _edit(self, component_id: str) -> _Edit | None:
        return self._edits.get(component_id) or self._item.edit_of(component_id)

    def item(self) -> Widget:
        """The widget after all that was taken; the same object if nothing changed."""
        edits, item = self._edits.copy(), self._item
        for component_id, pieces in self._pieces.items():
            edit = self._edit(component_id)
            assert edit is not None  # for what is not there `_pieces_of` collects nothing
            done = component_id in self._finished
            edits[component_id] = edit.grown(edit.json["value"], "".join(pieces), done=done)
        changed = {key: edit for key, edit in edits.items() if _differs(item.edit_of(key), edit)}
        return Widget(item.json, item.tree, item.edits.updated(changed)) if changed else item


def _differs(before: _Edit | None, after: _Edit) -> bool:
    assert before is not None
    if after.text is not None and after.text is not before.text:
        return True
    return not same_json(before.plain(), after.plain())


REDUCERS: Reducers = {
    WidgetStreamingTextValueDelta: append_value,
    WidgetComponentUpdated: set_component,
    WidgetRootUpdated: set_root,
}
