"""A table whose rows end in a sentence: beside the other cells, or below on a narrow terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.rule import Rule
from rich.text import Text

from chatkit_reducer.cli.render.layout import Prefixed, indented

__all__ = ["SentenceTable"]

_GAP = 2
_ROOM = 30  # for the sentences, to stand beside the rest


class SentenceTable:
    """Rows of short cells, each with a sentence.

    Args:
        titles: of the columns; the last one is that of the sentences.
        rows: the cells of each row, the sentence last.
    """

    def __init__(self, titles: Sequence[str], rows: Iterable[Sequence[Text]]) -> None:
        self._titles = [Text(title, "dim") for title in titles]
        self._rows = [list(row) for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = list(zip(self._titles, *self._rows, strict=True))[:-1]
        widths = [max(cell.cell_len for cell in column) + _GAP for column in columns]
        beside = options.max_width - sum(widths) >= _ROOM
        if beside:
            yield Prefixed(_line(self._titles[:-1], widths), self._titles[-1])
        else:
            yield _line(self._titles[:-1], widths)
        yield Rule(style="dim")
        for *cells, sentence in self._rows:
            line = _line(cells, widths)
            if beside:
                yield Prefixed(line, sentence)
            else:
                line.rstrip()
                yield line
                yield indented(sentence)


def _line(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    for cell, width in zip(cells, widths, strict=True):
        line.append_text(cell).append(" " * (width - cell.cell_len))
    return line
