"""A tree as HTML text, for a page without scripts and for notebooks; safe by construction.

Tags and attributes are those listed here, whatever a tree says. A text is escaped, always. A link
leads to `http`, `https` or `mailto`, and an image brings its data, or the attribute is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

from chatkit_reducer.view.drawing.links import IMAGE_DATA, LINK
from chatkit_reducer.view.drawing.styles import CSS_VALUE

__all__ = ["ATTRIBUTES", "TAGS", "html"]

TAGS = frozenset(
    [
        "a",
        "b",
        "blockquote",
        "code",
        "div",
        "hr",
        "i",
        "img",
        "li",
        "ol",
        "pre",
        "small",
        "span",
        "ul",
        "svg:path",
        "svg:rect",
        "svg:svg",
    ]
)
"""The tags that a tree may have; `svg:` is before those of SVG."""

ATTRIBUTES = frozenset(
    [
        "alt",
        "aria-label",
        "d",
        "fill",
        "height",
        "href",
        "opacity",
        "role",
        "rx",
        "src",
        "stroke",
        "stroke-width",
        "title",
        "viewBox",
        "width",
        "x",
        "y",
    ]
)
"""The attributes that an element may have, besides its classes and `css`."""

_VOID = frozenset({"hr", "img"})
_CLASS = re.compile(r"[a-zA-Z0-9_-]+")
_PROPERTY = re.compile(r"-?[a-z]+(?:-[a-z]+)*")
_CHECKED: dict[str, Callable[[str], object]] = {"href": LINK.fullmatch, "src": IMAGE_DATA.fullmatch}


def html(tree: Any, *, styled: bool = True, markdown: Callable[[str], str] | None = None) -> str:
    """Return a tree as HTML.

    Args:
        tree: in the form that the data of a page has, with texts in place of all references.
        styled: whether `css` becomes a `style`, which a strict page does not allow.
        markdown: returns the safe HTML of a Markdown text; its source is shown if left out.

    Raises:
        ValueError: a tag is none of those a tree may have.
    """
    out: list[str] = []
    todo: list[Any] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, _End):
            out.append(node.text)
        elif isinstance(node, str):
            out.append(escape(node))
        elif node[0] == "md" and markdown is not None:
            out.append(f'<div class="md segment">{markdown(node[1])}</div>')
        elif node[0] == "md":
            out.append('<div class="md-source">')
            todo += [_End("</div>"), node[1]]
        elif node[0] == "":
            todo += reversed(node[2:])
        else:
            tag = _tag_of(node[0])
            out.append(_opening(tag, node, styled=styled))
            if tag not in _VOID:
                todo += [_End(f"</{tag}>"), *reversed(node[2:])]
    return "".join(out)


class _End:
    """The end of an element, which stands behind its children."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _tag_of(name: str) -> str:
    tag = name.partition(".")[0]
    if tag not in TAGS:
        raise ValueError(f"expected a tag of `markup.TAGS`, got {tag!r}")
    return tag.removeprefix("svg:")


def _opening(tag: str, node: list[Any], *, styled: bool) -> str:
    classes = [name for name in node[0].split(".")[1:] if _CLASS.fullmatch(name)]
    attributes = [f' class="{" ".join(classes)}"'] if classes else []
    for name, value in (node[1] or {}).items():
        if name == "css":
            attributes += [_style(value)] if styled and value else []
        elif name in ATTRIBUTES and _CHECKED.get(name, bool)(value):
            attributes.append(f' {name}="{escape(value)}"')
    if tag == "a":
        attributes.append(' rel="noopener noreferrer nofollow" target="_blank"')
    return f"<{tag}{''.join(attributes)}>"


def _style(css: dict[str, str]) -> str:
    rules = [
        f"{name}: {value}"
        for name, value in css.items()
        if _PROPERTY.fullmatch(name) and CSS_VALUE.fullmatch(value)
    ]
    return f' style="{escape("; ".join(rules))}"' if rules else ""
