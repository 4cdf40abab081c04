"""The pages in docs/how-to run as they stand there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docs.console import blocks, matches, page, play
from tests.journal.servers import running_postgres, running_redis
from tests.support.paths import ROOT

RECORDINGS = ROOT / "docs" / "recordings"


@pytest.mark.parametrize("name", ["first-bug.md", "stop-button.md", "resume.md"])
def test_a_page(name: str, tmp_path: Path) -> None:
    play(page(name), tmp_path)


def test_own_policy(tmp_path: Path) -> None:
    shutil.copy(RECORDINGS / "image-generation.sse", tmp_path / "image.sse")
    play(page("own-policy.md"), tmp_path)


def test_postgres(tmp_path: Path) -> None:
    with running_postgres() as server:
        play(page("postgres.md"), tmp_path, {"postgresql://localhost/chat": server.conninfo})


def test_redis(tmp_path: Path) -> None:
    with running_redis("--appendonly", "yes") as server:
        play(page("redis.md"), tmp_path, {"port=6379": f"port={server.port}"})


def test_every_page_is_played() -> None:
    played = {"first-bug", "stop-button", "resume", "own-policy", "postgres", "redis"}
    pages = list((ROOT / "docs/how-to").glob("*.md"))
    assert {path.stem for path in pages} == played
    for path in pages:
        fences = path.read_text("utf-8").count("\n```") // 2
        assert len(blocks(path)) == fences, f"a block in {path.name} has no mark"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a  b\n", "a b\n", True),
        ("...\nb\n", "a\n\nb\n", True),
        ("a ...\n", "a b\n", True),
        ("a\n", "b\n", False),
        ("", "b\n", False),
    ],
)
def test_output_is_compared(shown: str, printed: str, same: bool) -> None:
    assert matches(shown, printed) is same
