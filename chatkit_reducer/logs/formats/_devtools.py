"""Rows copied from a table of messages: Id, Type, Data and Time in Chrome's EventStream tab."""

from __future__ import annotations

import re

from chatkit_reducer.logs.formats.texts import is_event, parse

__all__ = ["row_of"]

_MOST_CELLS = 12
_TIME = re.compile(rb"\d\d:\d\d:\d\d(?:[.,]\d+)?")


def row_of(line: bytes) -> tuple[bytes, str | None] | None:
    """Return the event in a row of cells parted by tabs, and its id, if the row has one.

    A row of another table has no id: the first cell of a log is often a time.
    """
    cells = line.split(b"\t", _MOST_CELLS)
    if len(cells) < 2:
        return None
    for number, cell in enumerate(cells):
        if cell.startswith(b"{") and is_event(parse(cell)):
            is_chromes = number == 2 and len(cells) == 4 and _TIME.fullmatch(cells[3].strip())
            return cell, (cells[0].decode("utf-8", "replace") or None) if is_chromes else None
    return None
