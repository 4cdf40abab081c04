"""The input of a command: a log or standard input, and the items that were stored before it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TextIO

from chatkit_reducer.cli.errors import InputError
from chatkit_reducer.cli.text import shortened
from chatkit_reducer.codec import decode_json
from chatkit_reducer.errors import DecodeError, LogError
from chatkit_reducer.events import Json
from chatkit_reducer.items.base import is_list_of_objects
from chatkit_reducer.state import ThreadState

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["ReadingBar", "log_of", "reading", "rubbish", "stored_thread", "thread_id_of"]

_STANDARD_INPUT = "-"
_LONG = 5_000_000
_SLOW = 0.5


def log_of(name: str) -> str | BinaryIO:
    """The log that the user named; `-` is standard input.

    Raises:
        InputError: standard input is closed.
    """
    if name != _STANDARD_INPUT:
        return name
    stdin: TextIO | None = sys.stdin
    if stdin is None:
        raise _cannot_read(name, "it is closed")
    return stdin.buffer


@contextmanager
def reading(name: str) -> Iterator[ReadingBar]:
    """Read the log that the user named, with a progress bar if it takes long.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with ReadingBar(_size(name)) as bar:
            yield bar
    except LogError as error:
        raise _cannot_read(name, str(error)) from None
    except OSError as error:
        raise _cannot_read(name, error.strerror or str(error)) from None


def _cannot_read(name: str, why: str) -> InputError:
    shown = "standard input" if name == _STANDARD_INPUT else repr(name)
    return InputError(f"cannot read {shown}: {why}")


def _size(name: str) -> int | None:
    if name == _STANDARD_INPUT:
        return None
    with suppress(OSError):
        return Path(name).stat().st_size or None
    return None


def rubbish(name: str, line: int | None, problem: str) -> InputError:
    """The error for a log in which nothing is an event; what is wrong with it, and where."""
    what = f"line {line}: {shortened(problem, 160)}"
    return _cannot_read(name, f"nothing in it is a ChatKit event ({what})")


class ReadingBar:
    """A progress bar on standard error: for a file that is long, or takes long, on a terminal."""

    def __init__(self, size: int | None) -> None:
        self._size = size
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

    def advance(self, size: int) -> None:
        """So many bytes of the file were read."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=size)
        elif self._size is not None and self._is_worth_it(self._size) and os.isatty(2):
            self._bar = _bar(self._size)

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


# --- what was stored before ----------------------------------------------------------------------


def stored_thread(name: str) -> ThreadState:
    """The thread in a file: a JSON list of items, or an object with `items` and maybe `thread`.

    A line that `replay --json` printed is such an object.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    with reading(name):
        data = Path(name).read_bytes()
    try:
        value = decode_json(data)
    except DecodeError as error:
        raise _cannot_read(name, str(error)) from None
    items, thread = _items_and_thread(value)
    if not is_list_of_objects(items):
        raise _cannot_read(name, "it is neither a list of items, nor an object with `items`")
    return ThreadState.from_items(items, thread=thread)


def _items_and_thread(value: Any) -> tuple[Any, Json | None]:
    if not isinstance(value, dict):
        return value, None
    items, thread = value.get("items"), value.get("thread")
    if isinstance(items, dict):  # a page, as in a ChatKit thread
        items = items.get("data")
    if isinstance(thread, dict):
        return items, {name: field for name, field in thread.items() if name != "items"}
    if isinstance(thread, str):
        return items, {"id": thread}
    metadata = {name: field for name, field in value.items() if name not in ("items", "thread")}
    return items, metadata if isinstance(metadata.get("id"), str) else None


def thread_id_of(state: ThreadState) -> str | None:
    """The id of the thread, as its metadata or its first item says it."""
    sources = [(state.thread or {}).get("id")]
    sources += [item.json.get("thread_id") for item in state.items.values()]
    return next((source for source in sources if isinstance(source, str)), None)
