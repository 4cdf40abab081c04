"""The updates that turn one widget into another."""

from __future__ import annotations

import pytest

from chatkit_reducer.core.items.widget_updates import diff_widget
from chatkit_reducer.events import Json, WidgetComponentUpdated, WidgetRootUpdated
from tests.support.widgets import TEXT, card


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (card(TEXT, {"type": "Text", "value": "b"}), card(TEXT, {"type": "Text", "value": "c"})),
        (
            card({**TEXT}, {"type": "Text", "value": "b"}),
            card({**TEXT, "value": "ab"}, {"type": "Text", "value": "c"}),
        ),
        ({"type": "Text", "value": "a"}, {"type": "Text", "value": "ab"}),
        (
            card({"type": "Text", "value": "a"}, id="r", value="a"),
            card({"type": "Text", "value": "b"}, id="r", value="ab"),
        ),
        (card("a", TEXT), card("b", TEXT)),
        (card("a", TEXT), card({"type": "Text"}, TEXT)),
        (card({"type": "Text"}, TEXT), card("a", TEXT)),
        (
            card(card(TEXT), id="r", value="a"),
            card(card({**TEXT, "value": "b"}), id="r", value="ab"),
        ),
        (
            card({"type": "Divider"}, TEXT, id="r", value="a"),
            card({"type": "Divider"}, {**TEXT, "value": "b"}, id="r", value="ab"),
        ),
        (card(TEXT), card(TEXT, TEXT)),
        (card(TEXT), {"type": "Card", "children": TEXT}),
    ],
)
def test_what_nothing_with_an_id_is_around_is_said_by_the_root(before: Json, after: Json) -> None:
    assert diff_widget(before, after) == [WidgetRootUpdated(after)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TEXT, {**TEXT, "value": "b"}),
        (card(TEXT), card({**TEXT, "value": "b"})),
    ],
)
def test_a_component_that_grew_around_another_change_is_said_as_a_whole(
    before: Json, after: Json
) -> None:
    divider = {"type": "Divider"}
    old = card(divider, before, id="c", value="a")
    new = card(divider, after, id="c", value="ab")

    assert diff_widget(card(old), card(new)) == [WidgetComponentUpdated("c", new)]


def test_a_text_that_is_gone_is_said_by_its_component() -> None:
    before, after = ({"type": "Text", "id": "t", **more} for more in ({"value": "a"}, {}))

    assert diff_widget(card(before, id="c"), card(after, id="c")) == [
        WidgetComponentUpdated("t", after)
    ]
