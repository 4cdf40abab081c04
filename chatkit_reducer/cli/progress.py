"""The progress bars of commands that read logs."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

__all__ = ["ReadingBar", "ShareBar"]

_LONG = 5_000_000
_SLOW = 0.5


class _Bar:
    """A progress bar on standard error, on a terminal, once the work has turned out to be long."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.pause()

    def pause(self) -> None:
        """Take the bar off the terminal; `advance` shows it again."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _is_slow(self) -> bool:
        return time.monotonic() - self._begun > _SLOW

    def _show(self, total: float, completed: float, *, is_worth_it: bool) -> None:
        if self._bar is None and is_worth_it and os.isatty(2):
            self._bar = self._new_bar(total)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=completed)

    def _new_bar(self, total: float) -> Progress:
        from rich.console import Console
        from rich.progress import Progress

        bar = Progress(*self._columns(), console=Console(stderr=True), transient=True)
        bar.add_task("", total=total)
        bar.start()
        return bar

    def _columns(self) -> tuple[str | ProgressColumn, ...]:
        raise NotImplementedError


class ReadingBar(_Bar):
    """A progress bar for the reading of files that are long, or take long.

    It is taken down between two files, so that the output about one stands where it belongs.

    Args:
        size: of all files together, in bytes; None if it is not known.
    """

    def __init__(self, size: int | None = None) -> None:
        super().__init__()
        self._size = size
        self._before = 0

    def add(self, size: int) -> None:
        """Count a file of so many bytes as done."""
        self._before += size

    def advance(self, size: int) -> None:
        """Show that so many bytes of the file were read."""
        if self._size is not None:
            is_worth_it = self._size > _LONG or self._is_slow()
            self._show(self._size, self._before + size, is_worth_it=is_worth_it)

    def _columns(self) -> tuple[str | ProgressColumn, ...]:
        from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn

        return "reading", BarColumn(), DownloadColumn(), TimeRemainingColumn()


class ShareBar(_Bar):
    """A progress bar for work of which the share that is done is known, if it takes long."""

    def advance(self, share: float) -> None:
        """Show that so much is done, from 0 to 1."""
        self._show(1.0, share, is_worth_it=self._is_slow())

    def _columns(self) -> tuple[str | ProgressColumn, ...]:
        from rich.progress import BarColumn, TaskProgressColumn, TimeRemainingColumn

        return "folding", BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
