"""How things are set on the page: text, and blocks that hang behind a prefix."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from chatkit_reducer.cli.errors import PROGRAM, STANDARD_INPUT
from chatkit_reducer.cli.render.text import command_lines, compact_json, one_line

__all__ = [
    "Prefixed",
    "indented",
    "json_text",
    "label",
    "link",
    "position_text",
    "show_command",
    "show_view",
]

_NARROWEST = 10
_JSON_LIMIT = 2000


class Prefixed:
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


def indented(body: RenderableType, by: int = 2) -> Prefixed:
    """Move a block some columns to the right."""
    return Prefixed(" " * by, body)


def label(text: str, style: str | None = None) -> Text:
    """Make a short text on one line. Text appended to it has a style of its own."""
    return Text().append(one_line(text), style)


def link(text: str) -> Text:
    """Make a text that is cut at the end of its line."""
    return Text(text, "cyan", no_wrap=True, overflow="ellipsis")


def json_text(value: object, style: str = "") -> Text:
    """Make the text of a JSON value, cut if it is very long."""
    return Text(compact_json(value, _JSON_LIMIT), style)


def show_command(console: Console, words: Sequence[str]) -> None:
    """Print a command so that it can be copied: a line too long is left to the terminal."""
    for line in command_lines(words, console.width):
        console.print(Text(line), soft_wrap=True)


def show_view(console: Console, log: str, at: int, *options: str) -> None:
    """Print the command that shows a place of a log as people saw it.

    Args:
        console: where to.
        log: the log as an argument. Standard input cannot be read again: nothing is printed.
        at: how many events come before the place.
        options: more words of the command.
    """
    if log == STANDARD_INPUT:
        return
    words = [PROGRAM, "view", log, "--at", str(at), *options]
    line, *more = command_lines(words, console.width - len(_SEE_IT))
    console.print()
    if more:
        console.print(Text(_SEE_IT, "dim"))
        show_command(console, words)
    else:
        console.print(Text.assemble((_SEE_IT, "dim"), line[1:]), soft_wrap=True)


_SEE_IT = "see it:"


def position_text(at: int, option: str = "--at") -> str:
    """Name a place of a log, with the option that leads there: `after event 6 (--at 6)`."""
    return f"{f'after event {at:,}' if at else 'before event 1'} ({option} {at})"
