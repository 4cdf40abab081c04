"""The programs on a page, written into a folder, and its commands, run there.

A comment above a code block says what it is:

    <!-- file: NAME -->   a file; a later block of the same name replaces it
    <!-- run -->          commands as typed at a `$`, and what they print; `...` stands for anything
    <!-- install -->      not run: the tests have it all
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT

__all__ = ["Block", "Command", "blocks", "commands", "matches", "play"]

BLOCK = re.compile(
    r"^<!-- (?P<mark>install|run|file: (?P<name>\S+)) -->\n```[a-z]*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    mark: str
    name: str | None
    text: str


class Command(NamedTuple):
    line: str
    output: str


def blocks(page: Path) -> list[Block]:
    return [Block(**found.groupdict()) for found in BLOCK.finditer(page.read_text("utf-8"))]


def commands(text: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        yield Command(line, output)


def matches(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed, but for spaces and for what `...` stands for."""
    parts = [r"\s+".join(map(re.escape, part.split())) for part in shown.split("...")]
    pattern = r"\s*" + r".*?".join(rf"{part}\s*" for part in parts)
    return re.fullmatch(pattern, printed, re.DOTALL) is not None


def play(page: Path, folder: Path, changes: Mapping[str, str] | None = None) -> None:
    """Write the files of a page, run its commands, and compare what they print.

    Args:
        page: the page.
        folder: an empty folder.
        changes: texts in the files to replace, such as an address.
    """
    for block in blocks(page):
        if block.name is not None:
            (folder / block.name).write_text(_changed(block.text, changes or {}), encoding="utf-8")
        elif block.mark == "run":
            for command in commands(block.text):
                _run(command, folder)


def _changed(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def _run(command: Command, folder: Path) -> None:
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONDONTWRITEBYTECODE": "1",  # a file that is replaced within a second is read again
        "COLUMNS": "80",
    }
    done = subprocess.run(
        ["bash", "-c", command.line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert matches(command.output, done.stdout), (
        f"$ {command.line}\n{done.stdout}\n{done.stderr}\nthe page shows:\n{command.output}"
    )


def page(name: str) -> Path:
    return ROOT / "docs" / "how-to" / name
