"""Each link in a page leads to a file that exists, and to a heading in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import chatkit_reducer

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "tests").rglob("*.md")),
]
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")


def text_of(page: Path) -> str:
    """The page without its code."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ +(.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[tuple[str, str]]:
    """The paths and the anchors of the links of a page; code may look like one."""
    return LINK.findall(re.sub(r"`[^`\n]+`", "", text_of(page)))


def target_of(page: Path, path: str) -> Path:
    """The file behind a link; the package may be installed elsewhere than the pages."""
    target = (page.parent / path).resolve() if path else page
    if target.is_relative_to(ROOT / "chatkit_reducer"):
        return Path(chatkit_reducer.__file__).parent / target.relative_to(ROOT / "chatkit_reducer")
    return target


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [
        f"{path}#{anchor}" if anchor else path
        for path, anchor in links(page)
        if not (target := target_of(page, path)).exists()
        or (anchor and anchor not in anchors(target))
    ]

    assert not broken
