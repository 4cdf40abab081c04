"""Write the manual page of the program: `python docs/man/make.py` writes it into this folder.

It has the words of `--help`. A test asks whether the file is current, and the wheel installs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from chatkit_reducer import __version__
from chatkit_reducer.cli.errors import PROGRAM
from chatkit_reducer.cli.program import COMMANDS, program

FILE = Path(__file__).with_name(f"{PROGRAM}.1")

_SUMMARY = "fold ChatKit streams, stop them at any point, find their faults"


def manual() -> str:
    """Return the page in the macros of man(7)."""
    context = click.Context(program, info_name=PROGRAM, help_option_names=["-h", "--help"])
    return "\n".join(
        [
            f'.TH {PROGRAM.upper()} 1 "" "{PROGRAM} {__version__}" "User Commands"',
            ".SH NAME",
            rf"{_text(PROGRAM)} \- {_SUMMARY}",
            ".SH SYNOPSIS",
            rf"\fB{_text(PROGRAM)}\fR \fICOMMAND\fR [\fIOPTION\fR]... [\fIARGUMENT\fR]...",
            ".SH DESCRIPTION",
            *_paragraphs(program.help or ""),
            ".SH OPTIONS",
            *_options(program, context),
            ".SH COMMANDS",
            *(line for name in sorted(COMMANDS) for line in _command(name, context)),
            ".SH SEE ALSO",
            "https://github.com/chatkit-reducer/chatkit-reducer",
            "",
        ]
    )


def _command(name: str, parent: click.Context) -> Iterator[str]:
    command = program.get_command(parent, name)
    assert command is not None
    context = click.Context(command, info_name=name, parent=parent)
    yield f'.SS "{_text(PROGRAM)} {name} {_text(" ".join(command.collect_usage_pieces(context)))}"'
    yield from _paragraphs(command.help or "")
    yield from _options(command, context)
    yield from _paragraphs(command.epilog or "")


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for option in command.get_params(context):
        if isinstance(option, click.Option) and (record := option.get_help_record(context)):
            yield from (".TP", rf"\fB{_text(record[0])}\fR", _text(record[1]))


def _paragraphs(text: str) -> Iterator[str]:
    r"""Yield the paragraphs of a help text; one behind a `\b` keeps its lines."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in paragraph.splitlines()]
        if lines[0] == "\b":
            yield from (".PP", ".nf", *map(_text, lines[1:]), ".fi")
        else:
            yield from (".PP", _text(" ".join(lines)))


def _text(text: str) -> str:
    """Return a text that no character of is a request to the formatter."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    FILE.write_text(manual(), encoding="utf-8")
