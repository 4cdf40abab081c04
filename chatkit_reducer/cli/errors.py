"""The failures of a run of the program, and its exit status.

    0    all is well
    1    the data has a fault, and the user asked for faults (`check`, `--strict`)
    2    wrong usage, or input that cannot be read
    130  interrupted from the keyboard
    141  the reader of the output has gone

Each failure is one line on standard error, never a traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import click

from chatkit_reducer.cli.render.text import one_line

__all__ = [
    "FAULTY",
    "INTERRUPTED",
    "PROGRAM",
    "STANDARD_INPUT",
    "InputError",
    "StrictFailure",
    "cannot_read",
    "fail",
    "guarded",
    "internal_error",
    "notice",
]

PROGRAM = "chatkit-reducer"
STANDARD_INPUT = "-"

FAULTY = 1
_FAILED = 2
INTERRUPTED = 130
_NO_READER = 141  # 128 and the number of SIGPIPE, as `cat` would exit with


class InputError(click.ClickException):
    """The input cannot be read."""

    exit_code = _FAILED


class StrictFailure(click.ClickException):
    """The data has a fault, and strict mode ends there."""

    exit_code = FAULTY


def cannot_read(name: str, why: str) -> InputError:
    """Make the error for an input that cannot be read."""
    shown = "standard input" if name == STANDARD_INPUT else repr(name)
    return InputError(f"cannot read {shown}: {why}")


def fail(error: click.ClickException) -> int:
    """Print the error on one line; return the exit status."""
    message = error.format_message()
    if isinstance(error, click.MissingParameter):  # click lists choices one below the other
        message = " ".join(message.split())
    if isinstance(error, click.UsageError):
        message = f"{_as_clause(message)} (see '{_path(error.ctx)} --help')"
    notice(message)
    return error.exit_code


def notice(message: str) -> None:
    """Print one line on standard error."""
    try:
        click.echo(f"{PROGRAM}: {one_line(message)}", err=True)
    except OSError:  # the exit status has to say it
        _discard(sys.stderr)


def internal_error(error: Exception) -> InputError:
    """Make one line of an unexpected exception; it says where it was raised."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return InputError(
        f"internal error{where}: {type(error).__name__}: {error}; please report it, with the log"
    )


def _as_clause(message: str) -> str:
    """Make a clause of an error of click, which is a sentence: "No such option '--x'."."""
    return message[:1].lower() + message[1:].removesuffix(".")


def _path(context: click.Context | None) -> str:
    return PROGRAM if context is None else context.command_path


@contextmanager
def guarded() -> Iterator[None]:
    """Run a command: an interrupt or a closed output becomes an exit status."""
    stdout: TextIO | None = sys.stdout
    if stdout is None:
        raise InputError("cannot write the output: standard output is closed")
    try:
        try:
            yield
        finally:
            stdout.flush()
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        _discard(stdout)
        raise click.exceptions.Exit(_NO_READER) from None
    except RecursionError:
        raise InputError("the data is nested too deeply") from None
    except OSError as error:
        _discard(stdout)
        raise InputError(f"cannot write the output: {error.strerror or error}") from None


def _discard(file: TextIO) -> None:
    """Send the rest of the buffer to the null device, or Python would complain about it at exit."""
    with suppress(OSError, ValueError):  # in tests it is not a file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file.fileno())
        os.close(nowhere)
