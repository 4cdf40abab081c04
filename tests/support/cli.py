"""The command line, run in this process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from chatkit_reducer import encode
from chatkit_reducer.cli.program import program
from chatkit_reducer.core.codec import from_json
from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing.examples import added, done, message, text_delta

NAME = "chatkit-reducer: "
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""A character that a terminal may obey."""


def run(*arguments: str | Path, stdin: bytes | None = None, columns: int = 80) -> Result:
    """Run the program."""
    env = {"COLUMNS": str(columns), "NO_COLOR": None, "FORCE_COLOR": None}
    return CliRunner().invoke(program, [str(each) for each in arguments], input=stdin, env=env)


def spawn(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the program in a process of its own."""
    command = [sys.executable, "-m", "chatkit_reducer", *arguments]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8"}
    env |= options.pop("env", {})
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60, **options}
    return subprocess.run(command, check=False, env=env, **options)


def shown(*arguments: str | Path, stdin: bytes | None = None, columns: int = 80) -> str:
    """The text that a run without a failure prints."""
    result = run(*arguments, stdin=stdin, columns=columns)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def printed(*arguments: str | Path, stdin: bytes | None = None) -> list[Json]:
    """The lines that a command prints with `--json`."""
    result = run(*arguments, "--json", stdin=stdin)
    assert (result.exit_code, result.stderr) == (0, "")
    return lines_of(result)


def failed(*arguments: str | Path, stdin: bytes | None = None, status: int = 2) -> str:
    """The one line on standard error with which a run fails, without the name of the program."""
    result = run(*arguments, stdin=stdin)
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.startswith(NAME)
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith("\n")
    return result.stderr.removeprefix(NAME).removesuffix("\n")


def lines_of(result: Result) -> list[Json]:
    """The lines of JSON on standard output."""
    return [json.loads(line) for line in result.stdout_bytes.splitlines()]


def log_of(*events: Event) -> bytes:
    """A log of JSON lines."""
    return b"".join(encode(event) + b"\n" for event in events)


def thread_event(**fields: Any) -> Event:
    """`thread.created`."""
    thread = {"id": "thr_1", "created_at": "2025-01-01T00:00:00", "items": {"data": []}, **fields}
    return from_json({"type": "thread.created", "thread": thread})


LOG = log_of(
    thread_event(),
    added(message("m", "")),
    text_delta("m", "Once "),
    text_delta("m", "upon"),
    done(message("m", "Once upon a time")),
)
