"""The JSON of the components of a widget, in which what stays the same is the same object.

The children of a component are a vector of their JSON. After an update only the components that it
changed, and those around them, have other JSON; and a component that comes again as it was, as most
of them do where the root is replaced, keeps its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import Any

import attrs
import msgspec

from chatkit_reducer.core.items.widget_tree import ROOT, Component, Components
from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.core.vector import EMPTY_VECTOR, Vector
from chatkit_reducer.events import Json
from chatkit_reducer.view.drawing.ends import same_ends

__all__ = ["LastingComponents", "Made"]


@attrs.frozen(eq=False)
class Made:
    """The JSON of a component and of all below it, as it is and sealed.

    Where nothing in it claims to be running, both are the same object.
    """

    own: Json
    """Its fields; its children may be old."""
    own_sealed: Json
    json: Json
    sealed: Json
    keys: tuple[int, ...] = ()
    """The keys of the components among its children."""
    children: Vector[Any] = EMPTY_VECTOR
    """Its children, those that are no components included."""
    children_sealed: Vector[Any] = EMPTY_VECTOR
    running: int = 0
    """How many of its children claim to be running."""

    def with_children(
        self, children: Vector[Any], children_sealed: Vector[Any], running: int
    ) -> Made:
        """Return this with other children."""
        json: Json = {**self.own, "children": children}
        is_at_rest = not running and self.own_sealed is self.own
        sealed = json if is_at_rest else {**self.own_sealed, "children": children_sealed}
        return attrs.evolve(
            self,
            json=json,
            sealed=sealed,
            children=children,
            children_sealed=children_sealed,
            running=running,
        )


class LastingComponents:
    """Makes the JSON of all components, from one version of a widget to the next."""

    def __init__(self) -> None:
        self._components: Components | None = None
        self._made: dict[int, Made] = {}
        self._around: dict[int, tuple[int, int]] = {}
        """For each key that of the component around it, and the place among its children."""

    @property
    def root(self) -> Made:
        """What was made of the root last."""
        return self._made[ROOT]

    def after(self, components: Components) -> Made:
        """Return what is made of the root of these components."""
        before, self._components = self._components, components
        if before is None:
            self._make({key for key, _ in components.nodes.items()})
        elif before is not components:
            self._make(set(components.nodes.changed_keys(before.nodes)))
        return self.root

    def _node(self, key: int) -> Component | None:
        assert self._components is not None
        return self._components.nodes.get(key)

    def _make(self, changed: set[int]) -> None:
        """Make the components that changed, and those around them.

        A component has a greater key than the one around it, so that is made after it.
        """
        known, others = self._known(changed), dict[int, list[int]]()
        todo = [-key for key in changed]
        heapify(todo)
        while todo:
            key = -heappop(todo)
            node = self._node(key)
            if node is None:
                del self._made[key]
                self._around.pop(key, None)
                continue
            before = self._made.get(key)
            if key in changed:
                made = self._made_of(key, node, known.get(key))
            else:
                made = self._made_again(self._made[key], others[key])
            self._made[key] = made
            around = self._around.get(key)
            if around is None or around[0] in changed or made is before:
                continue
            if around[0] not in others:
                heappush(todo, -around[0])
            others.setdefault(around[0], []).append(key)

    def _known(self, changed: set[int]) -> dict[int, Made]:
        """Return what stood in the places of the components that changed."""
        known: dict[int, Made] = {}
        inside: set[int] = set()
        for key in sorted(changed):
            node = self._node(key)
            if node is None:
                continue
            inside.update(node.children)
            before = known.get(key) if key in inside else self._made.get(key)
            if before is None:
                continue
            known[key] = before
            known.update(
                (child, self._made[other])
                for child, other in zip(node.children, before.keys, strict=False)
            )
        return known

    def _made_of(self, key: int, node: Component, known: Made | None) -> Made:
        """Make a component anew, whose children are made; what stood in its place, if it can be."""
        own, own_sealed = _own(node)
        made = Made(own, own_sealed, own, own_sealed)
        if not node.children:
            return known if known is not None and _is_same(known.json, own) else made
        made = attrs.evolve(made, keys=node.children)
        children, sealed = self._children_of(key, node)
        running = sum(one is not other for one, other in zip(children, sealed, strict=True))
        if known is None:
            return made.with_children(Vector.of(children), Vector.of(sealed), running)
        if _is_same(_alone(known.own), _alone(own)) and _are_same(known, children, sealed):
            return attrs.evolve(known, keys=node.children)
        children_now = _spliced(known.children, children)
        return made.with_children(children_now, _spliced(known.children_sealed, sealed), running)

    def _children_of(self, key: int, node: Component) -> tuple[list[Any], list[Any]]:
        """Return the children of a component, as they are and sealed; note where they stand."""
        children = node.json["children"]
        every, sealed, keys = list[Any](), list[Any](), iter(node.children)
        for child in children if type(children) is list else [children]:
            if type(child) is dict:
                inner = next(keys)
                self._around[inner] = key, len(every)
                every.append(self._made[inner].json)
                sealed.append(self._made[inner].sealed)
            elif child is not None:
                every.append(child)
                sealed.append(child)
        return every, sealed

    def _made_again(self, made: Made, keys: list[int]) -> Made:
        """Make a component of which only these children have changed."""
        children, sealed, running = made.children, made.children_sealed, made.running
        for key in keys:
            _, place = self._around[key]
            child = self._made[key]
            running -= children[place] is not sealed[place]
            running += child.json is not child.sealed
            children, sealed = children.set(place, child.json), sealed.set(place, child.sealed)
        return made.with_children(children, sealed, running)


def _own(node: Component) -> tuple[Json, Json]:
    """Return the fields of a component, as they are and sealed."""
    own = node.json_view()
    if node.finished or node.json.get("streaming") is not True:
        return own, own
    return own, node.with_delta("", done=True).json_view()


def _is_same(one: Json, other: Json) -> bool:
    """Whether two components are drawn alike: they are the same JSON, in the same order."""
    if not json_equal(one, other):
        return False
    try:
        return msgspec.json.encode(one) == msgspec.json.encode(other)
    except (RecursionError, TypeError, ValueError):  # not quite JSON, or nested too deeply
        return False


def _alone(own: Json) -> Json:
    return {**own, "children": None} if "children" in own else own


def _are_same(known: Made, children: list[Any], sealed: list[Any]) -> bool:
    pairs = ((known.children, children), (known.children_sealed, sealed))
    return all(len(old) == len(new) == same_ends(list(old), new)[0] for old, new in pairs)


def _spliced(before: Vector[Any], now: Sequence[Any]) -> Vector[Any]:
    """Return these values as a vector that shares with another what it can."""
    front, back = same_ends(list(before), now)
    return before.spliced(front, len(before) - back, list(now[front : len(now) - back]))
