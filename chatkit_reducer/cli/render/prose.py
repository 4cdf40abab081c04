"""Texts that people read: their Markdown is drawn on a terminal, and plain anywhere else.

A half-finished answer has half-finished Markdown, and what cannot be drawn is shown as it is: HTML,
images, links that lead nowhere. Of a long text a terminal shows the end, for the rest would push
everything else off the screen; a pipe or a file gets all of it.
"""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from chatkit_reducer.cli.render.text import safe

__all__ = ["Prose"]

_MOST_LINES = 20
_MOST_CHARACTERS = 20_000
"""Drawn at most: more of it than any screen has room for."""
_FENCE = "```"


class Prose:
    """A text of any length.

    Args:
        text: of a log, not safe yet.
        style: of all of it.
        is_markdown: whether clients draw it as Markdown.
    """

    def __init__(self, text: str, style: str = "", *, is_markdown: bool = False) -> None:
        self._text = safe(text)
        self._style = style
        self._is_markdown = is_markdown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.is_terminal and console.file.isatty():
            yield from self._end(console, options)
        else:
            yield self._drawn(self._text, options)

    def _drawn(self, text: str, options: ConsoleOptions) -> RenderableType:
        if not (self._is_markdown and options.is_terminal):
            return Text(text, self._style)
        from chatkit_reducer.cli.render.markdown import markdown

        return markdown(text, self._style, options.max_width)

    def _end(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the last lines; of more than that with a note above them."""
        end = _end_of(self._text)
        drawn = self._drawn(end, options)
        lines = console.render_lines(drawn, options.update(height=None), pad=False)
        if len(lines) > _MOST_LINES or len(end) < len(self._text):
            size = f"{len(self._text):,} characters"
            yield Text(f"\u2026 the end of {size}: a pipe gets all of it", "dim")
        for line in lines[-_MOST_LINES:]:
            yield from line
            yield Segment.line()


def _end_of(text: str) -> str:
    """Return the end of a text: whole lines if there are any, and the fence of a block of code."""
    if len(text) <= _MOST_CHARACTERS:
        return text
    _, newline, rest = text[-_MOST_CHARACTERS:].partition("\n")
    end = rest if newline else text[-_MOST_CHARACTERS:]
    fences = [line for line in text[: -len(end)].splitlines() if line.startswith(_FENCE)]
    return f"{_FENCE}\n{end}" if len(fences) % 2 else end
