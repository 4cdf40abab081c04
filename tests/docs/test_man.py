"""The manual page is current, and can be shown."""

from __future__ import annotations

import runpy
import shutil
import subprocess

import pytest

from chatkit_reducer.cli.program import COMMANDS
from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "man"
FILE = FOLDER / "chatkit-reducer.1"


def test_the_page_is_current() -> None:
    manual = runpy.run_path(str(FOLDER / "make.py"))["manual"]
    assert FILE.read_text("utf-8") == manual(), "run python docs/man/make.py"


def test_the_page_has_each_command() -> None:
    text = FILE.read_text("utf-8")
    assert [name for name in COMMANDS if f'.SS "chatkit\\-reducer {name} ' not in text] == []


def test_a_formatter_has_no_complaint() -> None:
    if shutil.which("groff") is None:
        pytest.skip("this machine has no groff")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", str(FILE)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
