"""Widgets: an open tree of JSON components, some of whose texts stream.

A component is any JSON object, of a type known or not; `children` is a list, one object, or
nothing. A component is found by its `id`, the root included; of several with one id, the first in
document order counts. openai-chatkit 1.6.5 applies none of these updates on the server
(`chatkit/server.py`, `ChatKitServer._update_pending_items`).

Streaming text must not rebuild the tree at every delta, nor must a component that is replaced. So
once a widget is updated its components are apart from each other (`widget_tree.py`), and reading
the item puts them together.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import force_setattr

from chatkit_reducer.core.anomalies import AnomalyKind, Fault
from chatkit_reducer.core.items.base import (
    ItemState,
    Reducers,
    VisibleContent,
)
from chatkit_reducer.core.items.extending import component_extends
from chatkit_reducer.core.items.widget_tree import ROOT, Component, Components
from chatkit_reducer.core.items.widget_updates import diff_widget
from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.events import (
    Json,
    Update,
    WidgetComponentUpdated,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
)

__all__ = [
    "REDUCERS",
    "Widget",
    "append_value",
    "set_component",
    "set_root",
]


class Widget(ItemState, frozen=True, gc=False, eq=False):
    """A widget: its tree, and the edits that are not in the tree yet."""

    base: Json
    """The root as an event or a store brought it."""
    edited: Components | None = None
    """The components as they are now; None while all of them are as they came."""
    _came_with: Components | None = None
    """The components of the base, filled at the first access."""

    @classmethod
    def parse(cls, json: Json) -> Widget | None:
        """Return the state of an item mapping; None if its root is not an object."""
        root = json.get("widget")
        return cls(json, root) if isinstance(root, dict) else None

    @property
    def root(self) -> Json:
        """The root component as it is now: read, never write."""
        return self.base if self.edited is None else self.edited.json_at(ROOT)

    @property
    def components(self) -> Components:
        """All its components as they are now."""
        if self.edited is not None:
            return self.edited
        if self._came_with is None:
            force_setattr(self, "_came_with", Components.of(self.base))
        return self._came_with  # type: ignore[return-value]  # it was set just now

    @property
    def is_empty(self) -> bool:
        """Whether no component in it shows anything; see `widget_tree.Component.shows`."""
        return not self.components.amount[1]

    @property
    def seen(self) -> VisibleContent:
        """One widget, unless it is empty, and the characters of its texts."""
        characters, shown = self.components.amount
        return VisibleContent(characters=characters, widgets=1 if shown else 0)

    def sealed(self) -> Widget:
        """Components that say `streaming: true` say `false`."""
        return self.with_components(self.components.sealed())

    def telling(self) -> Json:
        """Return the type of its root, and how much is in it."""
        characters, _ = self.components.amount
        root = self.components.at(ROOT).json.get("type")
        return {"root": root, "components": len(self.components.nodes), "characters": characters}

    @staticmethod
    def updatable_part(json: Json) -> Json:
        """Return the tree; `copy_text` comes with the `done` alone."""
        return {"widget": json.get("widget")}

    def diff_to(self, other: ItemState) -> list[Update] | None:
        """Text where it grew, components where they can be found by their id, else the root."""
        if not isinstance(other, Widget):
            return None
        if not json_equal({**self.json, "widget": None}, {**other.json, "widget": None}):
            return None
        after, halves = other.without_halves().root, other.halves()
        updates = [*diff_widget(self.root, after), *halves]
        return updates if _leads_to(self, updates, other) else [WidgetRootUpdated(after), *halves]

    def halves(self) -> list[Update]:
        """For each text that ends with the first half of a character, the delta that brings it."""
        halves = {} if self.edited is None else self.edited.halves()
        return [WidgetStreamingTextValueDelta(i, half, done=False) for i, half in halves.items()]

    def without_halves(self) -> Widget:
        """Return this widget before the deltas that `halves` names; itself if there are none."""
        return self.with_components(self.components.without_halves())

    def extends(self, older: ItemState) -> bool:
        """Return whether each component of the other is in this widget, with all of its text."""
        return isinstance(older, Widget) and component_extends(
            self.root_with_halves, older.root_with_halves
        )

    @property
    def root_with_halves(self) -> Json:
        """The root, with the halves of characters at the ends of its texts."""
        return self.root if self.edited is None else self.edited.with_halves().json_at(ROOT)

    def adds_nothing_to(self, base: ItemState) -> bool:
        """Whether the base has the same components, with the same text or more of it.

        A widget without some of the components that it had says something new: they are gone.
        """
        return (
            isinstance(base, Widget)
            and len(base.components.nodes) == len(self.components.nodes)
            and base.extends(self)
        )

    def json_view(self) -> Json:
        """Return the item as plain JSON data that shares its insides with the state."""
        root = self.root
        return self.json if root is self.json["widget"] else {**self.json, "widget": root}

    def with_components(self, components: Components) -> Widget:
        """Return this widget with these components; itself if they are those that it has."""
        if components is self.components:
            return self
        return Widget(self.json, self.base, components)

    def component(self, component_id: str) -> Component | None:
        """Return the component with this id as it is now, or None."""
        key = self.components.key_of(component_id)
        return None if key is None else self.components.at(key)


def _leads_to(item: Widget, updates: list[Update], other: Widget) -> bool:
    """Whether these updates make this widget; an id that stands twice can lead them astray."""
    state: Any = item
    for update in updates:
        state = REDUCERS[type(update)](state, update)
        if type(state) is Fault:
            return False
    return json_equal(state.root, other.root) and bool(state.halves() == other.halves())


def append_value(item: Widget, update: WidgetStreamingTextValueDelta) -> Widget | Fault:
    """`widget.streaming_text.value_delta`: appends to the `value` of the component.

    `done` turns `streaming: true` into `false`; it adds no such key.
    """
    # The property costs more, and most updates are deltas.
    components = item.edited or item.components
    key = components.key_of(update.component_id)
    if key is None:
        return _not_found(update.component_id)
    component = components.at(key)
    if not isinstance(component.json.get("value"), str):
        problem = f"component {update.component_id!r} has no text `value` to append to"
        return Fault(AnomalyKind.UPDATE_MISFIT, problem)
    longer = component.with_delta(update.delta, done=update.done)
    if longer is component:
        return item
    return Widget(item.json, item.base, components.with_component(key, component, longer))


def _not_found(component_id: str) -> Fault:
    return Fault(AnomalyKind.COMPONENT_NOT_FOUND, f"the widget has no component {component_id!r}")


def set_component(item: Widget, update: WidgetComponentUpdated) -> Widget | Fault:
    """`widget.component.updated`: replaces the component with that id."""
    components, new = item.components, update.component
    key = components.key_of(update.component_id)
    if key is None:
        return _not_found(update.component_id)
    if json_equal(components.json_at(key), new) and not components.waits_below(key):
        return item
    old = components.at(key)
    if is_same_leaf(old.json, new, update.component_id):
        replaced = components.with_component(key, old, Component(new, ()))
    else:
        replaced = components.replaced(key, new)
    return Widget(item.json, item.base, replaced)


def is_same_leaf(old: Json, new: Json, component_id: str) -> bool:
    """Whether the tree stays as it is but for this component."""
    return "children" not in old and "children" not in new and new.get("id") == component_id


def set_root(item: Widget, update: WidgetRootUpdated) -> Widget:
    """`widget.root.updated`: replaces the whole tree."""
    if json_equal(item.root, update.widget) and not item.components.waits_below(ROOT):
        return item
    return Widget(item.json, update.widget)


REDUCERS: Reducers = {
    WidgetStreamingTextValueDelta: append_value,
    WidgetComponentUpdated: set_component,
    WidgetRootUpdated: set_root,
}
