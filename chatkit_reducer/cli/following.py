"""`view --follow`: serve a page that grows with its log, until the user interrupts it."""

from __future__ import annotations

import time
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from chatkit_reducer.cli.errors import STANDARD_INPUT, InputError, cannot_read, notice
from chatkit_reducer.cli.limits import Limits
from chatkit_reducer.cli.output import people_console
from chatkit_reducer.cli.render.text import file_name
from chatkit_reducer.errors import LogError

if TYPE_CHECKING:
    from chatkit_reducer.view.growing import Growing

__all__ = ["follow"]


def follow(
    name: str, make: Callable[[str], Growing], limits: Limits, *, port: int, opens: bool
) -> None:
    """Follow a log, or the folder of a journal.

    Args:
        name: the path.
        make: makes the pages of a log of this name.
        limits: how much of the log is read.
        port: to listen on; 0 for one that is free.
        opens: whether to show the page in the browser.

    Raises:
        InputError: the log cannot be read, or the port is taken.
    """
    from chatkit_reducer.view.following import PAUSE, Follower, serving

    if name == STANDARD_INPUT:
        raise InputError("cannot follow standard input: write it into a file, and follow that")
    path = Path(name)
    growing = make(path.name or name)
    follower = Follower(path, growing, limits.max_event_bytes)
    _look(follower.look, name)
    with ExitStack() as stack:
        try:
            address = stack.enter_context(serving(growing, port))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise InputError(f"cannot listen on port {port}: {why}") from None
        _show(address, opens=opens)
        _tell_other_folder(path)
        while True:
            time.sleep(PAUSE)
            _look(follower.look, name)


def _show(address: str, *, opens: bool) -> None:
    console = people_console()
    console.print(address, soft_wrap=True)
    console.print("Whoever has this address, on this machine, can read the chat. Ctrl-C ends it.")
    console.file.flush()
    if opens:
        webbrowser.open(address)


def _tell_other_folder(path: Path) -> None:
    """Say that a folder is taken for that of a journal, where it has other files alone."""
    if path.is_dir() and any(path.iterdir()) and not any(path.glob("*.jsonl")):
        notice(
            f"{file_name(str(path))} has no answer of a FileJournal yet, and the page is empty: to "
            "follow another log, name its file"
        )


def _look(look: Callable[[], str | None], name: str) -> None:
    try:
        changed = look()
    except LogError as error:
        raise cannot_read(name, str(error)) from None
    except (OSError, ValueError) as error:
        raise cannot_read(name, getattr(error, "strerror", None) or str(error)) from None
    if changed is not None:
        notice(changed)
