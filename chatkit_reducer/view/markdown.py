"""Markdown as HTML for a notebook, where markdown-it-py is installed; rich brings it along.

HTML and images in a text stay text, and a link leads where the links of a page may lead.
"""

from __future__ import annotations

from collections.abc import Callable

from chatkit_reducer.view.drawing.links import LINK

__all__ = ["markdown_html"]


def markdown_html() -> Callable[[str], str] | None:
    """Return a function from a text to its HTML; None if the library is not installed."""
    try:
        from markdown_it import MarkdownIt
    except ModuleNotFoundError:
        return None
    parser = MarkdownIt("commonmark", {"html": False})
    parser.enable(["strikethrough", "table"]).disable(["image"])
    parser.validateLink = _is_safe  # type: ignore[method-assign]  # as its docs say
    return parser.render


def _is_safe(url: str) -> bool:
    return LINK.fullmatch(url) is not None
