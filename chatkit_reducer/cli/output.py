"""The output of a command: lines of JSON for machines, and a console for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from chatkit_reducer.events import Json

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["people_console", "print_json_lines"]


def print_json_lines(values: Iterable[Json]) -> None:
    """Print each value as one line of JSON."""
    for value in values:
        sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")


def people_console() -> Console:
    """A console on standard output. It has colours only on a terminal, and reads no markup."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            """Leave it to `errors.guarded`: rich itself would exit with status 1."""
            raise BrokenPipeError

    # What a legacy encoding does not have is shown as a question mark.
    with suppress(AttributeError, ValueError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    return Output(markup=False, emoji=False, highlight=False)
