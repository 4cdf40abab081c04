"""Where a command writes the logs that it makes."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from chatkit_reducer.cli.errors import STANDARD_INPUT, InputError
from chatkit_reducer.cli.files import new_folder, writing
from chatkit_reducer.cli.inputs import Log, Logs
from chatkit_reducer.cli.render.text import escaped_log
from chatkit_reducer.errors import EncodeError
from chatkit_reducer.logs import JSON_LINES, SSE, Framing, Record, write
from chatkit_reducer.logs.writing import compressing

__all__ = ["Target"]


class Target:
    """The place of the results: standard output, a file, or a folder.

    Args:
        output: the file or folder that the user named, if any.
        logs: all logs that the user named.
        as_json: standard output is for figures.

    Raises:
        UsageError: the results of several logs would go to one place.
        InputError: the folder cannot be made.
    """

    def __init__(self, output: str | None, logs: Logs, *, as_json: bool) -> None:
        self._output = None if output == STANDARD_INPUT else output
        self._prints = not as_json and self._output is None
        self._is_folder = output is not None and (logs.several or Path(output).is_dir())
        self._written: dict[str, Log] = {}
        if logs.several and self._prints:
            raise click.UsageError("several logs need a folder: give one with -o")
        if self._is_folder and any(log.name == STANDARD_INPUT for log in logs.all):
            raise click.UsageError("standard input has no name for a file in a folder")
        if self._is_folder and output is not None:
            new_folder(output)

    def write(self, log: Log, records: Sequence[Record], framing: Framing) -> tuple[bytes, int]:
        """Write the result of one log; return it without compression, and its number of events."""
        name = self._name(log)
        framing = _framing(name, framing)
        text = io.BytesIO()
        try:
            count = write(text, records, framing=framing)
        except EncodeError as error:
            raise InputError(f"cannot write the events of {log.name!r}: {error}") from None
        if name is not None:
            with writing(name) as raw, compressing(raw, Path(name).suffix) as file:
                file.write(text.getvalue())
        elif self._prints:
            shown = text.getvalue()
            sys.stdout.buffer.write(escaped_log(shown) if _is_a_terminal() else shown)
        return text.getvalue(), count

    def _name(self, log: Log) -> str | None:
        if not self._is_folder or self._output is None:
            return self._output
        path = Path(self._output, log.place)
        other = self._written.setdefault(str(path), log)
        if other is not log:
            raise InputError(f"{log.name!r} and {other.name!r} would both be {str(path)!r}")
        new_folder(str(path.parent))
        return str(path)


def _is_a_terminal() -> bool:
    return sys.stdout.isatty()


def _framing(output: str | None, of_source: Framing) -> Framing:
    suffixes = Path(output or "").suffixes
    if ".sse" in suffixes:
        return SSE
    return JSON_LINES if {".jsonl", ".ndjson", ".json"} & set(suffixes) else of_source
