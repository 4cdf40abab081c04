"""Links, images and sources: the addresses of a log, of which a page follows few and loads none."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from chatkit_reducer.view.drawing.fields import mapping, string
from chatkit_reducer.view.drawing.place import Place
from chatkit_reducer.view.drawing.tree import Child, Element, element, shown

__all__ = ["IMAGE_DATA", "LINK", "citation", "link", "picture", "source"]

LINK = re.compile(r"(?:https?|mailto):[^\x00-\x20\x7f]+", re.IGNORECASE)
"""The addresses that a link may have."""

IMAGE_DATA = re.compile(r"data:image/(?:png|jpeg|gif|webp|avif);base64,[A-Za-z0-9+/=]+")
"""The images that a page shows: those that bring their data."""

_LONG = 60


def link(address: str, *children: Child | None) -> Element:
    """Draw a link, if it leads to where links may lead; else the same as text."""
    address = address.strip()
    if LINK.fullmatch(address) is None:
        return element("span.nolink", *children, title=f"not a link: {address[:200]}")
    return element("a", *children, href=address, title=address[:300])


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def picture(
    address: str, description: str, place: Place, *, big: bool = False, **css: Any
) -> Element:
    """Draw an image that brings its data; of any other the frame, since a page asks nobody.

    Args:
        address: the address, or the data.
        description: the text for people who do not see it.
        place: where it stands, which says how large it may be.
        big: whether it stands alone, as an item.
        css: the properties of its style.
    """
    size = ".big" if big else ""
    is_image = IMAGE_DATA.fullmatch(address) is not None
    if is_image and len(address) <= place.largest_image:
        return element(f"img.pic{size}", src=address, alt=description or "image", **css)
    kind, label = address[:_LONG], description or "image, not loaded"
    if is_image:
        kind = f"{address[: address.index(',')]}, {len(address):,} characters"
    elif len(address) > _LONG:
        kind += "\u2026"
    return element(
        f"span.noimg{size}",
        element("span.noimg-i", "\u25a8"),
        element("span", label),
        element("code", kind) if kind else None,
        title=address[:300],
        **css,
    )


_KINDS = {"url": "web", "file": "file", "entity": "entity"}


def source(value: Any, _: Place) -> Element:
    """Draw the source of a citation or of a task."""
    kind, title, address = string(value, "type"), string(value, "title"), string(value, "url")
    where = _host(address) or string(value, "filename") or string(value, "id")
    name = title or where or "(no title)"
    return element(
        "span.src",
        element("b.kind", _KINDS.get(kind, kind or "?")),
        link(address, name) if address else element("span", name),
        element("small", where) if where and where != name else None,
    )


def citation(value: Any, place: Place) -> Element:
    """Draw the line of a citation below its message."""
    if not isinstance(value, dict):
        return element("li", element("code", shown(value, most=200)))
    return element("li", source(mapping(value, "source") or value, place))
