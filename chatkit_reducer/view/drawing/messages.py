"""Messages: of the user, of the assistant, and those that no client is shown."""

from __future__ import annotations

from typing import Any

from chatkit_reducer.core.vector import Vector
from chatkit_reducer.view.drawing.content import Cited, Content
from chatkit_reducer.view.drawing.fields import objects, string
from chatkit_reducer.view.drawing.links import citation
from chatkit_reducer.view.drawing.place import Place
from chatkit_reducer.view.drawing.tree import (
    Child,
    Element,
    Growing,
    Markdown,
    around,
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
    content = item.get("content")
    if not isinstance(content, Content):
        content = Content.of(objects(item, "content"))
    parts = place.draw_all("parts", _part, content.parts)
    if not content.citations:
        return around((), parts)
    return around((), parts, [place.at("sources").draw(_sources, content.citations)])


def _sources(citations: Vector[Any], place: Place) -> Element:
    return element("ol.sources", *place.draw_all("lines", citation, citations))


def _part(cited: Cited, _: Place) -> Element:
    if cited.part.text is None:
        return element("pre.json", shown(cited.part.json_view()))
    source = Growing(str(cited.part.text), is_counted=True)
    return element("div.part", Markdown(source, cited.marks))


def hidden(item: Any, _: Place) -> list[Child]:
    """Draw an item that only the model is told."""
    content = text(item.get("content"))
    return [element("div.hid", element("span.badge", "hidden"), element("span", content))]


def end_of_turn(_: Any, __: Place) -> list[Child]:
    """Draw the end of a turn."""
    return [element("div.eot", "end of turn")]
