"""`python -m chatkit_reducer`."""

from __future__ import annotations

import runpy
import sys

import pytest


def test_the_package_is_a_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["chatkit-reducer", "--help"])

    with pytest.raises(SystemExit) as ended:
        runpy.run_module("chatkit_reducer", run_name="__main__")

    assert ended.value.code == 0
    assert "sweep" in capsys.readouterr().out


def test_to_import_the_program_does_not_run_it() -> None:
    assert "main" in runpy.run_module("chatkit_reducer.__main__", run_name="something else")
