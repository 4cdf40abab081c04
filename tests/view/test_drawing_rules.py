"""Each rule of drawing as an example: the pairs in `drawings.json` were read by eye."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chatkit_reducer.events import Json
from chatkit_reducer.testing.examples import widget
from chatkit_reducer.view.drawing import draw
from chatkit_reducer.view.markup import html

DRAWINGS = json.loads(Path(__file__).with_name("drawings.json").read_text(encoding="utf-8"))


def style_of(component: Json) -> Any:
    """The style of a widget that has only this component."""
    (drawn,) = draw(widget("g", component))[2:]
    return (drawn[1] or {}).get("css", {})


@pytest.mark.parametrize(("fields", "style"), DRAWINGS["boxes"])
def test_the_style_of_a_box(fields: Json, style: Json) -> None:
    assert style_of({"type": "Box", **fields}) == style


@pytest.mark.parametrize(("fields", "style"), DRAWINGS["texts"])
def test_the_style_of_a_text(fields: Json, style: Json) -> None:
    assert style_of({"type": "Text", "value": "x", **fields}) == style


@pytest.mark.parametrize(("component", "drawn"), DRAWINGS["components"])
def test_a_component(component: Json, drawn: str) -> None:
    assert html(draw(widget("g", component))) == f'<div class="it it-widget">{drawn}</div>'


@pytest.mark.parametrize(("item", "drawn"), DRAWINGS["items"])
def test_an_item(item: Json, drawn: str) -> None:
    assert html(draw(item)) == drawn


def test_a_citation_has_a_place_from_the_first_character_on() -> None:
    annotations = [{"type": "annotation", "index": index} for index in (0, -1, True, 9)]
    part = {"type": "output_text", "text": "Hi", "annotations": annotations}
    (drawn, _) = draw({"id": "m", "type": "assistant_message", "content": [part]})[2:]
    assert drawn == ["div.part", 0, ["md", "Hi", [[0, 1], [9, 4]]]]
