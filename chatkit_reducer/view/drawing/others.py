"""Images, tool calls, questions, and items of types that this release does not know."""

from __future__ import annotations

from typing import Any

from chatkit_reducer.view.drawing.fields import mapping, objects, string, strings
from chatkit_reducer.view.drawing.links import picture
from chatkit_reducer.view.drawing.place import Place
from chatkit_reducer.view.drawing.tree import Child, Element, element, shown

__all__ = ["client_tool_call", "generated_image", "other", "structured_input"]


def generated_image(item: Any, place: Place) -> list[Child]:
    """Draw an image that the model made, or the frame where it will be."""
    image = mapping(item, "image")
    if image:
        return [picture(string(image, "url"), "generated image", place, big=True)]
    return [
        element("div.noimg.big", element("span.noimg-i", "\u25a8"), element("span", "no image yet"))
    ]


def client_tool_call(item: Any, _: Place) -> list[Child]:
    """Draw a call of a tool of the client, and its output."""
    output = item.get("output")
    call = element(
        "div.call",
        element("code.fn", string(item, "name") or "(no name)"),
        element("span.badge", string(item, "status") or "pending"),
    )
    arguments = element("pre.json", shown(item.get("arguments"), indent=1))
    if output is None:
        return [call, arguments]
    return [call, arguments, element("pre.json.out", f"\u2192 {shown(output)}")]


def structured_input(item: Any, _: Place) -> list[Child]:
    """Draw questions to the user, and the answers."""
    questions = [_question(one) for one in objects(item, "inputs")]
    return [
        element("ol.questions", *questions),
        element("span.badge", string(item, "status") or "pending"),
    ]


def _question(question: Any) -> Element:
    answer = question.get("answer")
    values = strings(answer, "values")
    options = [string(one, "value") for one in objects(question, "options")]
    rows = [element(f"span.opt{'.on' if one in values else ''}", one) for one in options]
    rows += [element("span.free", value) for value in values if value not in options]
    is_skipped = isinstance(answer, dict) and bool(answer.get("skipped"))
    description = string(question, "description")
    return element(
        "li",
        element("div.q", string(question, "question")),
        element("small", description) if description else None,
        element("div.opts", *rows) if rows else None,
        None if values else element("small", "skipped" if is_skipped else "no answer"),
    )


def other(item: Any, _: Place) -> list[Child]:
    """Draw an item of any type: its JSON."""
    return [
        element("div.tag", string(item, "type") or "no type"),
        element("pre.json", shown(item, indent=1)),
    ]
