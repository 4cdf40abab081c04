"""How things are set on the page: text, and blocks that hang behind a prefix."""

from __future__ import annotations

import re

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from chatkit_reducer.cli.text import compact_json, one_line, safe

__all__ = ["Hanging", "indented", "json_text", "label", "link", "prose"]

_NARROWEST = 10
_JSON_LIMIT = 2000

# What is Markdown in a text is shown as it came, only brighter: a half-finished answer has
# half-finished Markdown, and people debug what came.
_MARKDOWN = (
    (re.compile(r"(?m)^#{1,6} .*$"), "bold"),
    (re.compile(r"\*\*[^*\n]+\*\*"), "bold"),
    (re.compile(r"`[^`\n]+`"), "cyan"),
)


class Hanging:
    """A block of which the first line stands behind a prefix, and the others below the first."""

    def __init__(self, prefix: Text | str, body: RenderableType) -> None:
        self._prefix = Text(prefix) if isinstance(prefix, str) else prefix
        self._body = body

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = self._prefix.cell_len
        inner = options.update(width=max(_NARROWEST, options.max_width - width), height=None)
        ahead = console.render_lines(self._prefix, options.update(no_wrap=True), pad=False)[0]
        for line in console.render_lines(self._body, inner, pad=False):
            yield from _without_trailing_space([*ahead, *line])
            yield Segment.line()
            ahead = [Segment(" " * width)]


def _without_trailing_space(line: list[Segment]) -> list[Segment]:
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[-1] = Segment(kept[-1].text.rstrip(), *kept[-1][1:])
    return kept


def indented(body: RenderableType, by: int = 2) -> Hanging:
    """A block some columns to the right."""
    return Hanging(" " * by, body)


def label(text: str, style: str | None = None) -> Text:
    """A short text on one line. What is appended to it has a style of its own."""
    return Text().append(one_line(text), style)


def prose(text: str, style: str = "") -> Text:
    """A text of any length, wrapped; what is Markdown in it is brighter."""
    shown = Text(safe(text), style)
    for pattern, brighter in _MARKDOWN:
        shown.highlight_regex(pattern, brighter)
    return shown


def link(text: str) -> Text:
    """A text that is cut at the end of its line."""
    return Text(text, "cyan", no_wrap=True, overflow="ellipsis")


def json_text(value: object, style: str = "") -> Text:
    """A JSON value, cut if it is very long."""
    return Text(compact_json(value, _JSON_LIMIT), style)
