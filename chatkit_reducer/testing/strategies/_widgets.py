"""Widgets: trees of JSON components that nobody has a complete list of."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from chatkit_reducer.testing.strategies._json import (
    JsonObjects,
    check_bool,
    check_size,
    foreign_names,
    json_values,
    nullable,
    objects,
    texts,
)

__all__ = ["COMPONENT_IDS", "components_of_depth", "widgets"]

COMPONENT_IDS = ("a", "b", "c", "d", "e")
"""The ids of components: few, so that two components often have the same one."""

_ROOTS = ("Card", "ListView", "Basic")
_CONTAINERS = ("Row", "Col", "Box", "Form", "ListViewItem", "Transition", "Card")
_TEXTS = ("Text", "Markdown")


def widgets(*, max_depth: int = 3, unknown: bool = True) -> JsonObjects:
    """Widget roots: components of known and unknown types, nested as the hosted client allows.

    `children` is a list, one object, null or not there; the `id` of a component may be missing, and
    two components may have the same one.

    Args:
        max_depth: how many levels there are at most below the root.
        unknown: also what openai-chatkit 1.6.5 refuses: roots of other types, ids that are no
            text, children that are no objects.
    """
    check_size("max_depth", max_depth)
    check_bool("unknown", unknown)
    return _roots(max_depth, unknown)


@cache
def _roots(max_depth: int, unknown: bool) -> JsonObjects:
    known = _components_with_children(st.sampled_from(_ROOTS), max_depth, unknown)
    return known | components_of_depth(max_depth, unknown) if unknown else known


@cache
def components_of_depth(max_depth: int, unknown: bool) -> JsonObjects:
    """Components with at most so many levels below them."""
    types = st.sampled_from(_CONTAINERS)
    if unknown:
        types = types | foreign_names("New.")
    leaves = _leaves(unknown)
    return leaves | _components_with_children(types, max_depth, unknown) if max_depth else leaves


def _leaves(unknown: bool) -> JsonObjects:
    identity = _identity(unknown)
    streaming = nullable(st.booleans()) if unknown else st.booleans()
    streamed = objects(
        {"type": st.sampled_from(_TEXTS), "value": texts()},
        {**identity, "streaming": streaming, "size": st.just("sm")},
        unknown=unknown,
    )
    title = objects({"type": st.just("Title"), "value": texts()}, identity, unknown=unknown)
    button = objects({"type": st.just("Button"), "label": texts()}, identity, unknown=unknown)
    divider = objects({"type": st.just("Divider")}, identity, unknown=unknown)
    gauge = objects(
        {"type": foreign_names("Gauge."), "value": json_values(max_leaves=3)}, identity, unknown=True
    )
    return st.one_of(streamed, title, button, divider, *([gauge] if unknown else []))


def _identity(unknown: bool) -> dict[str, st.SearchStrategy[object]]:
    known = st.sampled_from(COMPONENT_IDS)
    return {"id": st.one_of(known, known, st.none(), st.integers(0, 2)) if unknown else known}


def _components_with_children(
    types: st.SearchStrategy[str], max_depth: int, unknown: bool
) -> JsonObjects:
    child = components_of_depth(max_depth - 1, unknown) if max_depth else _leaves(unknown)
    listed = st.lists(child | st.none() | texts(max_size=2) if unknown else child, max_size=3)
    return objects(
        {"type": types},
        {
            **_identity(unknown),
            "children": st.one_of(listed, child, st.none()),
            # No container of 1.6.5 has a text of its own; the hosted client takes any field.
            "value": texts(max_size=3),
            "streaming": st.booleans(),
        },
        unknown=unknown,
    )
