"""`view --follow`: what the terminal says about the log that is followed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.cli import run


@pytest.mark.parametrize(
    ("names", "is_told"), [(["a.sse"], True), (["a.sse", "r.jsonl"], False), ([], False)]
)
def test_a_folder_of_other_logs_is_told(
    names: list[str], is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in names:
        (tmp_path / name).touch()

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    result = run("view", "--follow", tmp_path, "--no-open")

    assert result.stdout.startswith("http://127.0.0.1:")
    assert ("has no answer of a FileJournal yet" in result.stderr) is is_told
