"""How much an item shows, and which items show nothing."""

from __future__ import annotations

import pytest

from chatkit_reducer import fold
from chatkit_reducer.core.items import (
    Widget,
    parse_item,
)
from chatkit_reducer.core.items.base import VisibleContent
from chatkit_reducer.events import Json
from chatkit_reducer.testing.examples import (
    added,
    image,
    item,
    message,
    part,
    task,
    user_message,
    widget,
    workflow,
)
from tests.support.widgets import TEXT, card


@pytest.mark.parametrize(
    ("json", "seen"),
    [
        (message("x", "ab", "c"), VisibleContent(characters=3)),
        (
            item("x", "assistant_message", content=[{"type": "new"}, part("ab")]),
            VisibleContent(characters=2),
        ),
        (workflow("x", "one", "two"), VisibleContent(tasks=2)),
        (image("x"), VisibleContent()),
        (image("x", "u"), VisibleContent(images=1)),
        (item("x", "task", task=task("t")), VisibleContent(tasks=1)),
        (user_message("x", "a"), VisibleContent()),
        (
            widget("x", card(TEXT, {"type": "Text", "value": 5})),
            VisibleContent(characters=1, widgets=1),
        ),
        (
            widget("x", card(TEXT, {"type": "Button", "value": "b"})),
            VisibleContent(characters=1, widgets=1),
        ),
        (widget("x", card({**TEXT, "value": " "})), VisibleContent(characters=1)),
        (widget("x", card({"type": "Image"})), VisibleContent(widgets=1)),
    ],
)
def test_how_much_there_is_to_see(json: Json, seen: VisibleContent) -> None:
    parsed = parse_item(json).item

    assert parsed is not None
    assert parsed.seen == seen


@pytest.mark.parametrize("name", ["status", "confirm", "cancel"])
def test_a_frame_without_children_shows_what_it_has_of_its_own(name: str) -> None:
    shown = parse_item(widget("w", card(**{name: {"label": "x"}}))).item
    empty = parse_item(widget("w", card(**{name: None}))).item

    assert isinstance(shown, Widget)
    assert isinstance(empty, Widget)
    assert (shown.is_empty, empty.is_empty) == (False, True)


@pytest.mark.parametrize("kind", ["Caption", "Label", "Markdown", "Text", "Title"])
def test_of_a_text_people_see_its_value(kind: str) -> None:
    empty, shown = (
        parse_item(widget("w", {"type": kind, "value": text})).item for text in (" ", "ab")
    )

    assert isinstance(empty, Widget)
    assert isinstance(shown, Widget)
    assert (empty.is_empty, empty.seen) == (True, VisibleContent(characters=1))
    assert (shown.is_empty, shown.seen) == (False, VisibleContent(characters=2, widgets=1))


@pytest.mark.parametrize(
    "kind",
    [
        *("Basic", "Box", "Card", "Col", "Form"),
        *("ListView", "ListViewItem", "Row", "Spacer", "Transition"),
    ],
)
def test_of_a_frame_people_see_what_is_in_it(kind: str) -> None:
    empty, shown = (
        parse_item(widget("w", {"type": kind, **more})).item for more in ({}, {"children": TEXT})
    )

    assert isinstance(empty, Widget)
    assert isinstance(shown, Widget)
    assert (empty.is_empty, shown.is_empty) == (True, False)


def test_what_has_a_place_for_children_is_a_frame_whatever_its_type() -> None:
    frame = parse_item(widget("w", {"type": "new.frame", "children": []})).item

    assert isinstance(frame, Widget)
    assert frame.is_empty


EMPTY_CARD: Json = {"type": "Card", "children": []}


@pytest.mark.parametrize(
    ("root", "is_empty"),
    [
        (EMPTY_CARD, True),
        ({**EMPTY_CARD, "status": {"text": "Working on it"}}, False),
        ({**EMPTY_CARD, "confirm": {"label": "OK"}}, False),
        ({"type": "ListView", "children": [], "status": {"text": "Loading"}}, False),
        ({"type": "Card", "children": [{"type": "Transition"}]}, True),
        ({"type": "Card", "children": [{"type": "Spacer"}]}, True),
        ({"type": "Card", "children": [{"type": "Label", "value": " "}]}, True),
        ({"type": "Card", "children": [{"type": "Button"}]}, False),
        ({"type": ["no type"]}, False),
    ],
)
def test_what_a_widget_shows(root: Json, is_empty: bool) -> None:
    state = fold([added(widget("w", root))])

    assert state.items["w"].is_empty is is_empty
