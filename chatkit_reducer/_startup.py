"""Ctrl-C before the program has begun ends it quietly.

Python imports this package before the first line of the command line can run, and that takes most
of the time until then. So `__init__` imports this module first. It does nothing in a process that
only uses the library: a program owns its signals, a library does not.
"""

from __future__ import annotations

# `signal` imports `enum`, and Ctrl-C would show a traceback meanwhile.
import _signal as signal  # type: ignore[import-not-found]
import os
import sys

__all__ = ["INTERRUPTED", "begun", "ended", "is_program", "until_begun"]

INTERRUPTED = 130
"""The exit status of a program that was interrupted from the keyboard: 128 and SIGINT."""


def is_program(argv: list[str], orig_argv: list[str]) -> bool:
    """Whether this process was started as `chatkit-reducer` or `python -m chatkit_reducer`."""
    first = argv[0] if argv else ""
    if first == "-m":  # while Python looks for the module
        place = orig_argv.index("-m") + 1 if "-m" in orig_argv else len(orig_argv)
        return orig_argv[place : place + 1] == ["chatkit_reducer"]
    name = first.replace("\\", "/").rpartition("/")[2]
    return name.removesuffix(".exe").removesuffix("-script.py") == "chatkit-reducer"


def _quiet(number: int, frame: object) -> None:
    os._exit(INTERRUPTED)  # nothing was read or written yet, and no exception could get lost


def until_begun() -> None:
    """End quietly at Ctrl-C, until `begun` is called."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _quiet)


def begun() -> None:
    """Make Ctrl-C a `KeyboardInterrupt` again, which the program now handles."""
    if signal.getsignal(signal.SIGINT) is _quiet:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def ended() -> None:
    """Ignore Ctrl-C from now on: the exit status is decided, and Python only tidies up."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if is_program(sys.argv, sys.orig_argv):
    until_begun()
