"""Tables in which a column has the events: CSV with commas, semicolons or tabs."""

from __future__ import annotations

import re

from chatkit_reducer.logs.formats._finder import Finder
from chatkit_reducer.logs.formats._lines import Line, Lines
from chatkit_reducer.logs.formats._mixed_lines import longest_line
from chatkit_reducer.logs.formats.texts import Place, Text, Texts, too_large

__all__ = ["CsvRows", "delimiter_of"]

# A cell in quotes, with doubled quotes in it: `"{""type"":`, perhaps behind a field of SSE.
_CELL = re.compile(rb'(?:\A|([,;\t|]))"[^"]{0,80}\{\s*""\w+""')
_BEHIND = re.compile(rb'""\s*\}\s*"([,;\t|])')


def delimiter_of(line: bytes) -> str | None:
    """Return what parts the cells of a row that has JSON in one; None if it has none."""
    found = _CELL.search(line)
    if found is None:
        return None
    behind = _BEHIND.search(line) if found[1] is None else None
    return (found[1] or (behind[1] if behind else b",")).decode()


class CsvRows:
    """Find the events in the cells of a table.

    Keeps at most one row, of twice the size that an event may have.
    """

    name = "CSV"

    def __init__(self, limit: int, delimiter: str) -> None:
        self._limit = limit
        # Cells in quotes: JSON has quotes, so that no others matter. The `csv` module refuses cells
        # of more than 128 KB, and that limit is one for the whole process.
        parts = re.escape(delimiter).encode()
        self._cells = re.compile(rb'(?:\A|%b)"((?:[^"]|"")*+)"(?=%b|\s*\Z)' % (parts, parts))
        self._lines = Lines(longest_line(limit))
        self._finder = Finder(limit)
        self._row: list[bytes] = []
        self._size = 0
        self._quotes = 0
        self._place = Place(0, 0)
        self._skipped = 0

    @property
    def skipped(self) -> int:
        """How many rows are not part of an event, the names of the columns among them."""
        return self._skipped + self._finder.skipped

    def push(self, data: bytes) -> list[Texts]:
        """Return the texts that these bytes complete."""
        for line in self._lines.push(data):
            self._feed(line)
        return [Texts(self._finder.pop(), len(data))]

    def rest(self) -> list[Texts]:
        """Return the texts at the end, which nothing followed."""
        for line in self._lines.rest():
            self._feed(line)
        if self._row:
            self._end_row()
        return [Texts(self._finder.end(), 0)]

    def _feed(self, line: Line) -> None:
        if not self._row:
            self._place = line.place
        self._row.append(line.text)
        self._size += len(line.text)
        self._quotes += line.text.count(b'"')
        if line.too_long or self._size > longest_line(self._limit):
            head = b"\n".join(self._row)[:1024]
            self._finder.texts.append(Text(head, self._place, None, too_large(self._limit)))
            self._row, self._size, self._quotes = [], 0, 0
        elif self._quotes % 2 == 0:
            self._end_row()

    def _end_row(self) -> None:
        row = b"\n".join(self._row)
        self._row, self._size, self._quotes = [], 0, 0
        if not row.strip():
            return
        cells = [cell for cell in self._cells.findall(row) if b"{" in cell]
        found = [self._finder.text(cell.replace(b'""', b'"'), self._place) for cell in cells]
        self._skipped += not any(found)
