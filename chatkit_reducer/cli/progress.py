"""The progress bar of a command that reads logs."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["ReadingBar", "ShareBar"]

_LONG = 5_000_000
_SLOW = 0.5


class ReadingBar:
    """A progress bar on standard error: for files that are long, or take long, on a terminal.

    It is taken down between two files, so that the output about one stands where it belongs.

    Args:
        size: of all files together, in bytes; None if it is not known.
    """

    def __init__(self, size: int | None = None) -> None:
        self._size = size
        self._before = 0
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

    def add(self, size: int) -> None:
        """Count a file of so many bytes as done."""
        self._before += size

    def advance(self, size: int) -> None:
        """Show that so many bytes of the file were read."""
        if self._bar is None and self._size is not None and self._is_worth_it(self._size):
            self._bar = _bar(self._size) if os.isatty(2) else None
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._before + size)

    def _is_worth_it(self, size: int) -> bool:
        return size > _LONG or time.monotonic() - self._begun > _SLOW


def _bar(size: int) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = ("reading", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task("", total=size)
    bar.start()
    return bar


class ShareBar:
    """A progress bar on standard error for work of which the share that is done is known.

    It comes up on a terminal only, and not for work that takes no time.
    """

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
        if self._bar is not None:
            self._bar.stop()

    def advance(self, share: float) -> None:
        """Show that so much is done, from 0 to 1."""
        if self._bar is None and time.monotonic() - self._begun > _SLOW and os.isatty(2):
            self._bar = _share_bar()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=share)


def _share_bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    columns = ("folding", BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task("", total=1.0)
    bar.start()
    return bar
