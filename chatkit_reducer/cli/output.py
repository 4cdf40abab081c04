"""The output of a command: lines of JSON for machines, and a console for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from chatkit_reducer.cli.render.styles import terminal_styles
from chatkit_reducer.cli.render.text import json_line, safe
from chatkit_reducer.events import Json

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    from chatkit_reducer.cli.inputs import Log, Logs

__all__ = ["Pages", "people_console", "print_json_lines"]


class Pages:
    """The output about several logs, one behind the other; about a single one it has no headings.

    Args:
        logs: all logs that the user named.
    """

    def __init__(self, logs: Logs) -> None:
        self._several = logs.several
        self._console: Console | None = None

    def print_json(self, log: Log, values: Iterable[Json]) -> None:
        """Print values about a log as lines of JSON, for machines."""
        print_json_lines(values, log.exact if self._several else None)

    def console(self, log: Log) -> Console:
        """Return a console for the output about a log, below a heading."""
        is_first, self._console = self._console is None, self._console or people_console()
        if self._several:
            from chatkit_reducer.cli.render.layout import label

            if not is_first:
                self._console.print()
            self._console.print(label(f"==> {log.title} <==", "bold"))
            self._console.print()
        return self._console


def print_json_lines(values: Iterable[Json], file: str | None = None) -> None:
    """Print each value as one line of JSON; with the log it is about, if there are several."""
    about = {} if file is None else {"file": file}
    for value in values:
        sys.stdout.buffer.write(json_line({**about, **value}) + b"\n")


def people_console() -> Console:
    """Make a console on standard output. It has colours only on a terminal, and reads no markup."""
    from rich.console import Console
    from rich.segment import Segment
    from rich.theme import Theme

    class Output(Console):
        def on_broken_pipe(self) -> None:
            """Leave it to `errors.guarded`: rich itself would exit with status 1."""
            raise BrokenPipeError

        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            """Make all text safe, even where a caller forgot it."""
            for segment in super().render(renderable, options):
                yield Segment(safe(segment.text), *segment[1:])

    # A character that a legacy encoding does not have is shown as a question mark.
    with suppress(AttributeError, ValueError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    console = Output(markup=False, emoji=False, highlight=False)
    console.push_theme(Theme(terminal_styles(console.color_system)))
    return console
