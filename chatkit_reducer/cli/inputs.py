"""The logs that a user named: files, folders and standard input, one after the other.

`Log.open` is the one way for a command to open a log. A folder stands for all logs below it. A log
that cannot be read is one line on standard error, and the others are still done; the exit status is
the worst of all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

import attrs
import click

from chatkit_reducer.cli.errors import (
    STANDARD_INPUT,
    InputError,
    StrictFailure,
    cannot_read,
    fail,
    notice,
)
from chatkit_reducer.cli.files import refuse_odd_name
from chatkit_reducer.cli.folders import Folder, is_folder
from chatkit_reducer.cli.left_out import LeftOut
from chatkit_reducer.cli.limits import Bounds, Limits
from chatkit_reducer.cli.progress import ReadingBar
from chatkit_reducer.cli.render.text import file_name, shortened
from chatkit_reducer.errors import LogError
from chatkit_reducer.logs.formats import TRIED
from chatkit_reducer.logs.reading import OnProgress, OnSkipped

__all__ = ["Log", "Logs", "OpenLog", "not_a_log"]


@attrs.frozen
class Log:
    """One log: its name as it is opened, and its name in an output folder."""

    name: str
    """`-` is standard input."""
    place: str
    """The path below the folder that the user named; for a file its last part."""
    bar: ReadingBar = attrs.field(factory=ReadingBar, eq=False)

    @classmethod
    def single(cls, name: str) -> Log:
        """Make the only log of a command."""
        return cls(name, Path(name).name, ReadingBar(_size_of(name)))

    @property
    def as_argument(self) -> str:
        """The name as a command takes it: short, and no option if it begins with a hyphen."""
        name = self.name
        with suppress(OSError, ValueError):  # we are elsewhere, or nowhere any more
            name = str(Path(name).relative_to(Path.cwd()))
        return f"./{name}" if name.startswith("-") and name != STANDARD_INPUT else name

    @property
    def exact(self) -> str:
        """The name for machines; a byte that is not text is escaped."""
        return self.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    @property
    def title(self) -> str:
        """The name for people."""
        return "standard input" if self.name == STANDARD_INPUT else file_name(self.name)

    @contextmanager
    def open(self, limits: Limits) -> Iterator[OpenLog]:
        """Open the log for a function of the library that reads one.

        Raises:
            InputError: it cannot be read.
        """
        try:
            if self.name != STANDARD_INPUT:
                refuse_odd_name(self.name)
            with self.bar:
                yield OpenLog(self.name, _file_of(self.name), limits, self.bar)
        except LogError as error:
            raise cannot_read(self.name, str(error)) from None
        except OSError as error:
            raise cannot_read(self.name, error.strerror or str(error)) from None
        self.bar.add(_size_of(self.name) or 0)


class Fault(Protocol):
    """An anomaly or a finding."""

    @property
    def line(self) -> int | None:
        """The line of a piece that could not be read; None for other faults."""
        ...

    @property
    def problem(self) -> str:
        """The fault in words."""
        ...


class ReadOptions(Bounds):
    """The arguments with these names of the functions that read a log."""

    on_progress: OnProgress
    on_skipped: OnSkipped


class OpenLog:
    """A log that is being read.

    Args:
        name: the log, for messages.
        file: its path, or a binary file.
        limits: how much of it is read.
        bar: the bar that shows the progress.
    """

    def __init__(self, name: str, file: str | BinaryIO, limits: Limits, bar: ReadingBar) -> None:
        self._name = name
        self._limits = limits
        self._bar = bar
        self.file: str | BinaryIO = file
        self.left_out: LeftOut = LeftOut()

    @property
    def options(self) -> ReadOptions:
        """The arguments for a function that reads the log."""
        return {
            **self._limits.arguments,
            "on_progress": self._bar.advance,
            "on_skipped": self.left_out.take,
        }

    def require_events(self, events: int, faults: Iterable[Fault]) -> None:
        """Refuse a log in which there is something, and nothing of it is an event.

        Args:
            events: how many events were read.
            faults: the anomalies or findings of the log, in order.

        Raises:
            InputError: it is such a log.
        """
        unreadable = next((each for each in faults if each.line is not None), None)
        if not events and unreadable is not None:
            raise not_a_log(self._name, unreadable.line, unreadable.problem)


def not_a_log(name: str, line: int | None, problem: str) -> InputError:
    """Make the error for a log in which nothing is an event: the first fault, and its place."""
    fault = f"line {line}: {shortened(problem, 160)}"
    return cannot_read(name, f"nothing in it is a ChatKit event ({fault}); tried {TRIED}")


def _file_of(name: str) -> str | BinaryIO:
    if name != STANDARD_INPUT:
        return name
    stdin: TextIO | None = sys.stdin
    if stdin is None:
        raise cannot_read(name, "it is closed")
    return stdin.buffer


def _size_of(name: str) -> int | None:
    """Return the size of a file in bytes; None if it is not known."""
    if name in (STANDARD_INPUT, ""):
        return None
    with suppress(OSError, ValueError):  # ValueError: a NUL in the name
        return Path(name).stat().st_size or None
    return None


class Logs:
    """The logs of a command that takes several.

    Args:
        names: files, folders, or `-`.
        limits: how much is read of a log in a folder, to find out whether it is one.
        leave_out: a folder to pass over, because the output goes there.

    Raises:
        UsageError: standard input is named twice.
    """

    def __init__(
        self, names: Sequence[str], limits: Limits, *, leave_out: str | None = None
    ) -> None:
        if names.count(STANDARD_INPUT) > 1:
            raise click.UsageError("give '-' once: standard input can be read only once")
        self._failed: list[InputError] = []
        self._limits = limits
        self._leave_out = leave_out
        self.several: bool = len(names) > 1 or any(map(is_folder, names))
        """Whether the output has to say which log it is about."""
        found = [pair for name in names for pair in self._expanded(name)]
        sizes = [_size_of(name) for name, _ in found]
        bar = ReadingBar(sum(size or 0 for size in sizes) or None)
        self.all: list[Log] = [Log(name, place, bar) for name, place in found]

    def _expanded(self, name: str) -> Iterator[tuple[str, str]]:
        if name == STANDARD_INPUT or not is_folder(name):
            yield name, Path(name).name
            return
        folder = Folder(name, self._limits, self._leave_out)
        yield from folder.logs
        self._failed += folder.failed
        if folder.left_out:
            notice(f"{file_name(name)}: left out {folder.left_out}")
        if not folder.logs and not folder.failed:
            self._failed.append(cannot_read(name, "no file in this folder has a ChatKit event"))

    def tell_failures(self) -> int:
        """Print a line for each folder that has no log; return the exit status."""
        return max([fail(error) for error in self._failed], default=0)

    def each(self, work: Callable[[Log], int]) -> int:
        """Do the work for each log; return the worst exit status.

        Raises:
            ClickException: from the work, if there is only one log.
        """
        worst = self.tell_failures()
        for log in self.all:
            with log.bar:
                worst = max(worst, self._done(log, work))
        return worst

    def _done(self, log: Log, work: Callable[[Log], int]) -> int:
        try:
            return work(log)
        except RecursionError:
            error: click.ClickException = cannot_read(log.name, "the data is nested too deeply")
        except click.UsageError:
            raise
        except click.ClickException as found:
            error = found
        if not self.several:
            raise error
        if isinstance(error, StrictFailure):  # it does not name the log
            error = StrictFailure(f"{log.title}: {error.message}")
        log.bar.pause()
        sys.stdout.flush()
        return fail(error)
