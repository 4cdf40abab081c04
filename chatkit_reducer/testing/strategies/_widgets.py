"""Widgets: trees of JSON components, of which there is no complete list."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Literal, overload

from hypothesis import strategies as st

from chatkit_reducer.testing.strategies._forms import Form, check_form, in_form, widget_to_sdk
from chatkit_reducer.testing.strategies._json import (
    JsonObjects,
    check_bool,
    check_size,
    json_of,
    nullable,
    objects,
    texts,
    unknown_names,
    weighted,
)
from chatkit_reducer.testing.strategies._published import published

COMPONENT_IDS = ("a", "b", "c", "d", "e")
"""The ids of components: few, so that two components often have the same one."""

_ROOTS = ("Card", "ListView", "Basic")
_CONTAINERS = ("Row", "Col", "Box", "Form", "ListViewItem", "Transition", "Card")
_TEXTS = ("Text", "Markdown")


@overload
def widgets(
    *, max_depth: int = ..., unknown: bool = ..., form: Literal["json"] = ...
) -> JsonObjects: ...
@overload
def widgets(
    *, max_depth: int = ..., unknown: bool = ..., form: Literal["sdk"]
) -> st.SearchStrategy[Any]: ...
@published
def widgets(
    *, max_depth: int = 3, unknown: bool = True, form: Form = "json"
) -> st.SearchStrategy[Any]:
    """Generate widget roots: components of known and unknown types, nested as in the hosted client.

    `children` is a list, one object, null or not there; the `id` of a component may be missing, and
    two components may have the same one.

    >>> from hypothesis import given
    >>> from chatkit_reducer.testing import strategies as chatkit
    >>> @given(chatkit.widgets(max_depth=1))
    ... def test_every_component_says_what_it_is(widget):
    ...     assert isinstance(widget["type"], str)
    >>> test_every_component_says_what_it_is()

    Args:
        max_depth: how many levels there are at most below the root.
        unknown: also content that openai-chatkit 1.6.5 refuses: roots of other types, ids that are
            not text, children that are not objects. Never in the form of the SDK.
        form: `"json"`, plain mappings, or `"sdk"`, the models of openai-chatkit.

    Raises:
        InvalidArgument: an argument has a wrong value.
        ImportError: the form is that of the SDK, and the SDK is not installed.
    """
    check_size("max_depth", max_depth)
    check_bool("unknown", unknown)
    check_form(form, "json", "sdk")
    return in_form(roots(max_depth, unknown=unknown and form != "sdk"), form, sdk=widget_to_sdk)


@lru_cache
def roots(max_depth: int, *, unknown: bool) -> JsonObjects:
    """Generate roots with at most so many levels below them."""
    known = _components_with_children(st.sampled_from(_ROOTS), max_depth, unknown=unknown)
    return known | components_of_depth(max_depth, unknown=unknown) if unknown else known


@cache
def components_of_depth(max_depth: int, *, unknown: bool) -> JsonObjects:
    """Generate components with at most so many levels below them."""
    types = st.sampled_from(_CONTAINERS)
    if unknown:
        types = types | unknown_names("New.")
    leaves = _leaves(unknown=unknown)
    if not max_depth:
        return leaves
    return leaves | _components_with_children(types, max_depth, unknown=unknown)


def _leaves(*, unknown: bool) -> JsonObjects:
    streaming = nullable(st.booleans()) if unknown else st.booleans()
    streamed = _components(
        {"type": st.sampled_from(_TEXTS), "value": texts()},
        {"streaming": streaming, "size": st.just("sm")},
        unknown=unknown,
    )
    title = _components({"type": st.just("Title"), "value": texts()}, {}, unknown=unknown)
    button = _components({"type": st.just("Button"), "label": texts()}, {}, unknown=unknown)
    divider = _components({"type": st.just("Divider")}, {}, unknown=unknown)
    if not unknown:
        return weighted((4, streamed), (1, title), (1, button), (1, divider))
    fields = {"type": unknown_names("Gauge."), "value": json_of(3)}
    gauge = _components(fields, {}, unknown=True)
    return weighted((4, streamed), (1, title), (1, button), (1, divider), (1, gauge))


def _components_with_children(
    types: st.SearchStrategy[str], max_depth: int, *, unknown: bool
) -> JsonObjects:
    child = components_of_depth(max(0, max_depth - 1), unknown=unknown)
    element = weighted((8, child), (1, st.none()), (1, texts(max_size=2))) if unknown else child
    listed = st.lists(element, max_size=3)
    # No container of 1.6.5 has a text of its own: its models drop one, and a delta then finds no
    # text to add to. The hosted client takes any field.
    text = {"value": texts(max_size=3), "streaming": st.booleans()} if unknown else {}
    children = weighted((4, listed), (2, child), (1, st.none()))
    return _components({"type": types, "children": children}, text, unknown=unknown)


def _components(
    required: dict[str, st.SearchStrategy[Any]],
    optional: dict[str, st.SearchStrategy[Any]],
    *,
    unknown: bool,
) -> JsonObjects:
    """Generate components that mostly have an id: without one, no update finds them."""
    named = {"id": st.sampled_from(COMPONENT_IDS)}
    odd = {"id": st.one_of(st.none(), st.integers(0, 2))} if unknown else {}
    with_id = objects({**required, **named}, optional, unknown=unknown)
    without = objects(required, {**optional, **odd}, unknown=unknown)
    return weighted((3, with_id), (1, without))
