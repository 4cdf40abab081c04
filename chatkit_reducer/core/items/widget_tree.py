"""The components of one widget, each changed without rebuilding the tree around it.

A component is any JSON object, of a type known or not; `children` is a list, one object, or
nothing. Each has a *key*, which stays when another component takes its place: so a change does not
touch the components above it, however deep it is. A component holds its JSON as it came. The
`children` in there may be stale, and only reading the tree (`json_at`) puts them right.

A component is found by its `id`; of several with one id, the first in document order counts. As
long as every id stands for one component, that order is not needed. It is made at the first use:
each component gets an interval of whole numbers, inside of that of its parent, and components that
take its place later divide that interval. (Two neighbours have 2**1024 numbers between them. If
they are used up, all are numbered anew.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from operator import is_
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import force_setattr, replace

from chatkit_reducer.core.errors import EncodeError
from chatkit_reducer.core.items.text import Text
from chatkit_reducer.core.json_values import json_copy
from chatkit_reducer.core.persistent import Map
from chatkit_reducer.core.vector import Vector
from chatkit_reducer.events import Json

__all__ = ["ROOT", "Component", "Components", "is_text"]

ROOT = 0
"""The key of the root."""

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


class Component(Struct, frozen=True, gc=False):
    """One component, and what streamed into it."""

    json: Json
    """The component as it came."""
    children: tuple[int, ...]
    """The keys of the components among its children, in their order."""
    text: Text | None = None
    """Its streamed `value` so far, the value it came with included; None before the first delta."""
    finished: bool = False
    """Whether it says `streaming: true`, and something said that this is over."""

    def with_delta(self, delta: str, *, done: bool) -> Component:
        """Return this component, which has a text `value`, with more of it."""
        finished = self.finished or (done and self.json.get("streaming") is True)
        text = self.text
        if delta:
            text = (Text.of(self.json["value"]) if text is None else text).append(delta)
        elif finished == self.finished:
            return self
        return Component(self.json, self.children, text, finished)

    @property
    def characters(self) -> int:
        """How many characters of text it shows."""
        if not is_text(self.json):
            return 0
        if self.text is not None:
            return self.text.characters
        value = self.json.get("value")
        return len(value) if isinstance(value, str) else 0

    @property
    def shows(self) -> bool:
        """Whether it shows anything of its own.

        A text shows something unless it is blank. A frame (a component with a place for children)
        shows these and its own status and buttons. All others, unknown types included, are taken to
        show something.
        """
        if is_text(self.json):
            if self.text is not None:
                return not self.text.is_blank
            value = self.json.get("value")
            return isinstance(value, str) and bool(value.strip())
        if "children" in self.json or _is_frame(self.json):
            return any(self.json.get(name) is not None for name in ("status", "confirm", "cancel"))
        return True

    @property
    def half(self) -> str:
        """The first half of a character with which its text ends; empty if it does not."""
        return "" if self.text is None else self.text.half

    def without_half(self) -> Component:
        """Return this component, whose text ends with such a half, without it."""
        assert self.text is not None
        return Component(self.json, self.children, self.text.without_half(), self.finished)

    def with_half_mended(self) -> Component:
        """Return this component, whose text ends with such a half, with U+FFFD in its place."""
        return Component(self.json, self.children, Text.of(str(self.text)), self.finished)

    def with_half(self) -> Component:
        """Return this component with such a half in its JSON; itself if it has none."""
        if not self.half:
            return self
        assert self.text is not None
        json = {**self.json, "value": self.text.with_half}
        return Component(json, self.children, None, self.finished)

    def json_view(self) -> Json:
        """Return the component as JSON, but for its children: they may be old."""
        if self.text is None and not self.finished:
            return self.json
        plain = self.json.copy()
        if self.text is not None:
            plain["value"] = str(self.text)
        if self.finished:
            plain["streaming"] = False
        return plain


def is_text(json: Json) -> bool:
    """Whether the `value` of a component is text that people read."""
    kind = json.get("type")
    return type(kind) is str and kind in _TEXTS


def _is_frame(json: Json) -> bool:
    kind = json.get("type")
    return type(kind) is str and kind in _FRAMES


_Nodes: TypeAlias = dict[int, Component]
"""Components by their keys, in document order."""
_Place: TypeAlias = "int | Vector[int]"
"""The key of the only component with an id, or the keys of all that have it, in document order."""
_Interval: TypeAlias = tuple[int, int]
_Amount: TypeAlias = tuple[int, int]

_GAP = 1024  # bits
_DEEP = 500


class Components(Struct, frozen=True, gc=False):
    """All components of one widget."""

    nodes: Map[int, Component]
    ids: Map[str, _Place]
    next_key: int
    _amount: _Amount | None = None
    _order: Map[int, _Interval] | None = None

    @classmethod
    def of(cls, root: Json) -> Components:
        """Take a tree apart."""
        nodes = _subtree(root, ROOT, ROOT + 1)
        ids: dict[str, Any] = {}
        several: dict[str, list[int]] = {}
        for key, component in nodes.items():
            component_id = component.json.get("id")
            if type(component_id) is str:
                if component_id in ids:
                    several.setdefault(component_id, []).append(key)
                else:
                    ids[component_id] = key
        for component_id, others in several.items():
            ids[component_id] = Vector.of([ids[component_id], *others])
        return cls(Map.of(nodes), Map.of(ids), len(nodes))

    @property
    def amount(self) -> _Amount:
        """How many characters are in its texts, and how many components show something."""
        if self._amount is None:
            force_setattr(self, "_amount", _amount_of(self.nodes.values()))
        return self._amount  # type: ignore[return-value]  # it was set just now

    def _amount_after(self, old: Iterable[Component], new: Iterable[Component]) -> _Amount | None:
        """Return the amount after components took the place of others; None if it is not known."""
        if self._amount is None:
            return None
        (characters, shown), (lost, hidden), (gained, seen) = (
            self._amount,
            _amount_of(old),
            _amount_of(new),
        )
        return characters - lost + gained, shown - hidden + seen

    def key_of(self, component_id: str) -> int | None:
        """Return the key of the first component with this id, or None."""
        place = self.ids.get(component_id)
        return place[0] if type(place) is Vector else place

    def at(self, key: int) -> Component:
        """Return the component with this key, which there is."""
        component = self.nodes.get(key)
        assert component is not None
        return component

    def keys_below(self, key: int) -> Iterable[int]:
        """Return the keys of a component and of all below it."""
        return self._below(key)

    def json_at(self, key: int) -> Json:
        """Return the component with this key and all below it, as JSON."""
        made: dict[int, Json] = {}
        for inner, component in reversed(self._below(key).items()):  # children before parents
            children = [made.pop(child) for child in component.children]
            made[inner] = _with_children(component.json_view(), children)
        return made[key]

    def with_component(self, key: int, old: Component, new: Component) -> Components:
        """Return these components with another in one's place: with the same id and children."""
        amount = self._amount_after([old], [new])
        nodes = self.nodes.set(key, new)
        return Components(nodes, self.ids, self.next_key, amount, self._order)

    def updated(self, changes: Mapping[int, Component]) -> Components:
        """Return these components with others that have the same ids and the same children."""
        amount = self._amount_after(map(self.at, changes), changes.values())
        nodes = self.nodes.updated(changes)
        return Components(nodes, self.ids, self.next_key, amount, self._order)

    def replaced(self, key: int, json: Json) -> Components:
        """Return these components with another one, and all that is below it, in one's place."""
        old, new = self._below(key), _subtree(json, key, self.next_key)
        changes: dict[int, Component | None] = {**dict.fromkeys(old), **new}
        ids = self.ids.updated(_ids_without(self, old))
        after = Components(
            self.nodes.updated(changes),
            ids,
            self.next_key + len(new) - 1,
            self._amount_after(old.values(), new.values()),
            self._divided(key, old, new),
        )
        named = _ids_with(after, new)
        after = replace(after, ids=ids.updated(named)) if named else after
        overtaken = _overtaken(ids, after, named)
        return after.updated(overtaken) if overtaken else after

    def halves(self) -> dict[str, str]:
        """Return the first halves of characters with which texts end, by component id."""
        waiting = [component for component in self.nodes.values() if component.half]
        return dict(sorted((component.json["id"], component.half) for component in waiting))

    def waits_below(self, key: int) -> bool:
        """Whether a text in the component with this key, or below it, ends with such a half."""
        return any(component.half for component in self._below(key).values())

    def without_halves(self) -> Components:
        """Return these components with no such half; itself if there is none."""
        waiting = {key: component for key, component in self.nodes.items() if component.half}
        whole = {key: component.without_half() for key, component in waiting.items()}
        return self.updated(whole) if whole else self

    def with_halves(self) -> Components:
        """Return these components with such halves in their JSON; itself if there is none."""
        waiting = {key: component for key, component in self.nodes.items() if component.half}
        halved = {key: component.with_half() for key, component in waiting.items()}
        return self.updated(halved) if halved else self

    def sealed(self) -> Components:
        """Return these components with none that says `streaming: true`; itself if none does."""
        streaming = {
            key: component.with_delta("", done=True)
            for key, component in self.nodes.items()
            if component.json.get("streaming") is True and not component.finished
        }
        return self.updated(streaming) if streaming else self

    @property
    def order(self) -> Map[int, _Interval]:
        """An interval for each key; they are in document order."""
        if self._order is None:
            nodes = self._below(ROOT)
            every = (0, len(nodes) << _GAP)
            force_setattr(self, "_order", Map.of(_intervals(nodes, every)))
        return self._order  # type: ignore[return-value]  # it was set just now

    def _divided(self, key: int, old: _Nodes, new: _Nodes) -> Map[int, _Interval] | None:
        """Return the order after components took the place of others; None if not made yet."""
        if self._order is None:
            return None
        interval = self._order.get(key)
        assert interval is not None
        if interval[1] - interval[0] < len(new):
            return None
        return self._order.updated({**dict.fromkeys(old), **_intervals(new, interval)})

    def _below(self, key: int) -> _Nodes:
        """Return the component with this key and all below it, in document order."""
        found: _Nodes = {}
        todo = [key]
        while todo:
            inner = todo.pop()
            component = found[inner] = self.at(inner)
            todo.extend(reversed(component.children))
        return found


def _subtree(root: Json, key: int, next_key: int) -> _Nodes:
    """Take a component and all below it apart, with fresh keys for all but the topmost."""
    found: _Nodes = {}
    depth, checked = 0, False
    todo = [(key, root, depth)]  # no recursion: widgets may be nested more deeply than the stack
    while todo:
        key_of_it, json, depth = todo.pop()
        if depth > _DEEP and not checked:
            checked = True
            if _contains_itself(root):  # then its inside is never searched
                return {key: Component(root, ())}
        children = json.get("children")
        if type(children) is dict:
            inside = [children]
        elif type(children) is list:
            inside = [child for child in children if type(child) is dict]
        else:
            found[key_of_it] = Component(json, ())
            continue
        keys = tuple(range(next_key, next_key + len(inside)))
        next_key += len(inside)
        found[key_of_it] = Component(json, keys)
        todo.extend([(keys[i], inside[i], depth + 1) for i in range(len(inside) - 1, -1, -1)])
    return found


def _contains_itself(root: Json) -> bool:
    try:
        json_copy(root)
    except EncodeError:
        return True
    return False


def _with_children(component: Json, children: list[Json]) -> Json:
    """Return the component with other children; itself if it has these already."""
    if not children:
        return component
    before = component["children"]
    if type(before) is dict:
        return component if children[0] is before else {**component, "children": children[0]}
    if all(map(is_, [child for child in before if type(child) is dict], children)):
        return component
    new = iter(children)
    every = [next(new) if type(child) is dict else child for child in before]
    return {**component, "children": every}


def _amount_of(components: Iterable[Component]) -> _Amount:
    characters = shown = 0
    for component in components:
        characters += component.characters
        shown += component.shows
    return characters, shown


def _intervals(nodes: _Nodes, whole: _Interval) -> dict[int, _Interval]:
    """Divide the interval among these nodes, of which the first is above all others."""
    start, end = whole
    step = (end - start) // len(nodes)
    sizes: dict[int, int] = {}
    for key, component in reversed(nodes.items()):
        sizes[key] = 1 + sum([sizes[child] for child in component.children])
    out = {
        key: (start + number * step, start + (number + sizes[key]) * step)
        for number, key in enumerate(nodes)
    }
    out[next(iter(nodes))] = whole
    return out


def _ids_without(components: Components, gone: _Nodes) -> dict[str, _Place | None]:
    """Return the ids of components that go, each with its next place; None for none."""
    changes: dict[str, _Place | None] = {}
    for key, component_id in _named(gone):
        place = changes.get(component_id, components.ids.get(component_id))
        changes[component_id] = _without(components, place, key)
    return changes


def _ids_with(components: Components, new: _Nodes) -> dict[str, _Place | None]:
    """Return the ids of new components, each with all of its places."""
    changes: dict[str, _Place | None] = {}
    for key, component_id in _named(new):
        place = changes.get(component_id, components.ids.get(component_id))
        changes[component_id] = _with(components, place, key)
    return changes


def _overtaken(
    before: Map[str, _Place], components: Components, ids: Iterable[str]
) -> dict[int, Component]:
    """Return the components that were the first with one of these ids, and are no longer.

    Only those whose text ends with half of a character: no delta brings the other half now.
    """
    changes: dict[int, Component] = {}
    for component_id in ids:
        place = before.get(component_id)
        key = place[0] if type(place) is Vector else place
        if key is not None and key != components.key_of(component_id):
            component = components.at(key)
            if component.half:
                changes[key] = component.with_half_mended()
    return changes


def _named(nodes: _Nodes) -> list[tuple[int, str]]:
    return [
        (key, component_id)
        for key, component in nodes.items()
        if type(component_id := component.json.get("id")) is str
    ]


def _start(components: Components, key: int) -> int:
    interval = components.order.get(key)
    assert interval is not None
    return interval[0]


def _without(components: Components, place: _Place | None, key: int) -> _Place | None:
    if not isinstance(place, Vector):
        return None
    keys: Vector[int] = place
    at = bisect_left(keys, _start(components, key), key=lambda other: _start(components, other))
    keys = keys.without(at)
    return keys if len(keys) > 1 else keys[0]


def _with(components: Components, place: _Place | None, key: int) -> _Place:
    if place is None:
        return key
    keys = place if isinstance(place, Vector) else Vector.of([place])
    at = bisect_left(keys, _start(components, key), key=lambda other: _start(components, other))
    return keys.insert(at, key)
