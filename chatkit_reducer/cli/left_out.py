"""How much of a log was left out, because it is not part of an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

from chatkit_reducer.cli.errors import notice
from chatkit_reducer.events import Json

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["LeftOut"]


class _Log(Protocol):
    @property
    def title(self) -> str:
        """The name of the log for people."""
        ...


@attrs.define
class LeftOut:
    """The lines, requests, rows or elements of a log that are not part of an event."""

    pieces: int = 0

    def take(self, pieces: int) -> None:
        """Note how many there are, at the end of the log."""
        self.pieces = pieces

    @property
    def json(self) -> Json:
        """A field for the object about the log; none if nothing was left out."""
        return {"left_out": self.pieces} if self.pieces else {}

    def show(self, console: Console) -> None:
        """Say it below the output about the log, for people."""
        if self.pieces:
            from rich.text import Text

            console.print()
            console.print(Text(self._in_words, "dim"))

    def tell(self, log: _Log) -> None:
        """Say it on standard error: standard output is for something else."""
        if self.pieces:
            notice(f"{log.title}: {self._in_words}")

    @property
    def _in_words(self) -> str:
        if self.pieces == 1:
            return "1 piece that is not part of an event was left out"
        return f"{self.pieces:,} pieces that are not part of an event were left out"
