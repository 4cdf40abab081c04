"""What can go wrong in a run of the program, and its exit status.

    0    all is well
    1    the data has a fault, and somebody asked for faults (`check`, `--strict`)
    2    wrong usage, or input that cannot be read
    130  interrupted from the keyboard
    141  whoever read the output has gone

Each failure is one line on standard error, never a traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import click

from chatkit_reducer.cli.text import one_line

__all__ = ["FAULTY", "PROGRAM", "Faulty", "InputError", "fail", "guarded"]

PROGRAM = "chatkit-reducer"

FAULTY = 1
_FAILED = 2
_INTERRUPTED = 130
_NO_READER = 141  # 128 and the number of SIGPIPE: what the status of `cat` would be


class InputError(click.ClickException):
    """The input cannot be read."""

    exit_code = _FAILED


class Faulty(click.ClickException):
    """The data has a fault, and strict mode ends there."""

    exit_code = FAULTY


def fail(error: click.ClickException) -> int:
    """Say what is wrong, in one line; returns the exit status."""
    message = one_line(error.format_message())
    if isinstance(error, click.UsageError):
        message = f"{_as_clause(message)} (see '{_path(error.ctx)} --help')"
    click.echo(f"{PROGRAM}: {message}", err=True)
    return error.exit_code


def _as_clause(message: str) -> str:
    """The errors of click are sentences: "No such option '--x'."."""
    return message[:1].lower() + message[1:].removesuffix(".")


def _path(context: click.Context | None) -> str:
    return PROGRAM if context is None else context.command_path


@contextmanager
def guarded() -> Iterator[None]:
    """Run a command: what ends it from outside becomes an exit status."""
    stdout: TextIO | None = sys.stdout
    if stdout is None:
        raise InputError("cannot write the output: standard output is closed")
    try:
        try:
            yield
        finally:
            stdout.flush()
    except KeyboardInterrupt:
        raise click.exceptions.Exit(_INTERRUPTED) from None
    except BrokenPipeError:
        _close_output()
        raise click.exceptions.Exit(_NO_READER) from None
    except RecursionError:
        raise InputError("the data is nested too deeply") from None
    except OSError as error:
        _close_output()
        raise InputError(f"cannot write the output: {error.strerror or error}") from None


def _close_output() -> None:
    """Send what is still in the buffer nowhere, or Python would complain about it at its exit."""
    with suppress(OSError, ValueError):  # there is no file behind it in tests
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
