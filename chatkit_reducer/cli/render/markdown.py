"""Markdown for a terminal: rich's, apart from what would hide text or take the colours of fates.

It is imported when the first Markdown is drawn, for it takes a while.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.segment import Segment
from rich.text import Text

__all__ = ["markdown"]


class _Heading(Heading):
    """A heading of any level, on the left."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.text


class _Code(CodeBlock):
    """A block of code below its language; a background would only suit dark terminals."""

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> _Code:
        """Keep all that stands behind the fence."""
        return cls(token.info, "")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.lexer_name:
            yield Text(f"  {self.lexer_name}", "dim")
        lines = self.text.plain.rstrip().split("\n")
        yield Text("\n".join([f"  {line}" for line in lines]), "cyan")


class _Markdown(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
    }


class _Tight:
    """Markdown with one blank line between blocks, and none around them."""

    def __init__(self, drawn: Markdown) -> None:
        self._drawn = drawn

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        gap: list[Segment] = []
        has_begun = False
        for line in console.render_lines(self._drawn, options.update(height=None), pad=False):
            if not "".join([segment.text for segment in line]).strip():
                gap = [Segment.line()] if has_begun else []
                continue
            yield from [*gap, *line, Segment.line()]
            gap, has_begun = [], True


_PARSER = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["strikethrough", "table"])
    .disable(["image", "reference"])
)
_DEEPEST = 18
"""Levels of blocks; the parser leaves out everything below 20."""
_ROOM = 10
"""In columns, for the text of the innermost block."""


def markdown(text: str, style: str, width: int) -> RenderableType:
    """Draw a text of Markdown in so many columns.

    Nothing is lost: HTML, images and footnotes stay text, and so does the whole if its blocks are
    nested too deeply to be drawn.
    """
    tokens = _PARSER.parse(text)
    if max([token.level for token in tokens], default=0) >= _DEEPEST:
        return Text(text, style)
    if _indent_of(tokens) + _ROOM > width:
        return Text(text, style)
    drawn = _Markdown("", style=style or "none", hyperlinks=False)
    drawn.parsed = tokens
    return _Tight(drawn)


def _indent_of(tokens: Iterable[Token]) -> int:
    """Return how many columns stand at most to the left of a block."""
    most, indents = 0, [0]
    for token in tokens:
        if token.type in ("blockquote_open", "list_item_open"):
            indents.append(indents[-1] + 4 + len(token.info))
            most = max(most, indents[-1])
        elif token.type in ("blockquote_close", "list_item_close"):
            indents.pop()
    return most
