"""The output of a command: lines of JSON for machines, and a console for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from chatkit_reducer.cli.text import safe
from chatkit_reducer.events import Json

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

__all__ = ["people_console", "print_json_lines"]


def print_json_lines(values: Iterable[Json]) -> None:
    """Print each value as one line of JSON."""
    for value in values:
        sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")


def people_console() -> Console:
    """A console on standard output. It has colours only on a terminal, and reads no markup."""
    from rich.console import Console
    from rich.segment import Segment

    class Output(Console):
        def on_broken_pipe(self) -> None:
            """Leave it to `errors.guarded`: rich itself would exit with status 1."""
            raise BrokenPipeError

        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            """Whoever forgets `safe` finds it here: no text gets to the terminal without it."""
            for segment in super().render(renderable, options):
                yield Segment(safe(segment.text), *segment[1:])

    # What a legacy encoding does not have is shown as a question mark.
    with suppress(AttributeError, ValueError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    return Output(markup=False, emoji=False, highlight=False)
