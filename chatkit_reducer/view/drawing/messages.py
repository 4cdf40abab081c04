"""Messages: of the user, of the assistant, and those that no client is shown."""

from __future__ import annotations

from typing import Any

from chatkit_reducer.view.drawing.fields import objects, string, whole_number
from chatkit_reducer.view.drawing.links import citation
from chatkit_reducer.view.drawing.place import Place
from chatkit_reducer.view.drawing.tree import (
    Child,
    Element,
    Growing,
    Markdown,
    element,
    shown,
    text,
)

__all__ = ["assistant_message", "end_of_turn", "hidden", "user_message"]


def user_message(item: Any, _: Place) -> list[Child]:
    """Draw a message of the user."""
    quoted = string(item, "quoted_text")
    return [
        element(
            "div.bubble",
            element("blockquote.quoted", quoted) if quoted else None,
            *map(_user_part, objects(item, "content")),
            *map(_attachment, objects(item, "attachments")),
        )
    ]


def _user_part(part: Any) -> Element:
    if string(part, "type") == "input_tag":
        return element("span.usertag", "@", text(part.get("text")))
    if isinstance(part.get("text"), str):
        return element("span.utext", string(part, "text"))
    return element("pre.json", shown(part))


def _attachment(attachment: Any) -> Element:
    return element(
        "div.attach",
        element("span.attach-i", "\u25a4"),
        string(attachment, "name") or string(attachment, "id"),
        element("small", string(attachment, "mime_type")),
    )


def assistant_message(item: Any, place: Place) -> list[Child]:
    """Draw a message of the assistant: its parts, and a list of what they cite."""
    parts: list[Child] = []
    citations: list[Any] = []
    for index, part in enumerate(objects(item, "content")):
        parts.append(place.at(("part", index)).draw(_part, part, len(citations) + 1))
        citations += _citations(part)
    lines = place.draw_all("citations", citation, citations)
    return [*parts, element("ol.sources", *lines)] if lines else parts


def _citations(part: Any) -> list[Any]:
    has_text = isinstance(part.get("text"), str)
    return objects(part, "annotations") if has_text else []


def _part(part: Any, _: Place, first: int) -> Element:
    """Draw a part, whose citations have the numbers from `first` on."""
    if not isinstance(part.get("text"), str):
        return element("pre.json", shown(part))
    marks = [
        [index, number]
        for number, one in enumerate(_citations(part), first)
        if (index := whole_number(one.get("index"))) is not None and index >= 0
    ]
    return element("div.part", Markdown(Growing(part["text"], is_counted=True), marks))


def hidden(item: Any, _: Place) -> list[Child]:
    """Draw an item that only the model is told."""
    content = text(item.get("content"))
    return [element("div.hid", element("span.badge", "hidden"), element("span", content))]


def end_of_turn(_: Any, __: Place) -> list[Child]:
    """Draw the end of a turn."""
    return [element("div.eot", "end of turn")]
