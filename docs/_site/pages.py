"""The pages of the repository as pages of the site.

A page is written to be read on GitHub. Three things are different on the site:

* a page whose text is `<!-- the page NAME -->` stands for a page above this folder, such as
  README.md;
* a link to a page above this folder leads to the page that stands for it, and a link to any other
  file leads to GitHub;
* a picture of the viewer is a viewer.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

__all__ = ["ABOVE", "DOCS", "ROOT", "setup", "site_text"]

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent

ABOVE = {
    "README.md": "overview.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "docs/README.md": "index.md",
}
"""Pages that are elsewhere on the site, by their paths in the repository."""

_REPOSITORY = "https://github.com/chatkit-reducer/chatkit-reducer"
_STANDS_FOR = re.compile(r"<!-- the page (\S+) -->")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")
_PICTURE = re.compile(r"<picture>.*?</picture>", re.DOTALL)
_VIEWER = "<!-- view: streamed-widget at=10 a=sdk b=keep -->"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("source-read", _read, priority=100)
    return {"parallel_read_safe": True}


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    path = app.env.doc2path(name)
    if path.suffix == ".md":
        source[0] = site_text(path, source[0])


def site_text(page: Path, text: str) -> str:
    """Return the text that a page has on the site.

    Args:
        page: the file below `docs`.
        text: its text.
    """
    origin = page
    if found := _STANDS_FOR.search(text):
        origin = ROOT / found[1]
        text = origin.read_text(encoding="utf-8")
    pieces = []
    end = 0
    for fence in _FENCE.finditer(text):
        pieces += [_prose(text[end : fence.start()], origin, page), fence[0]]
        end = fence.end()
    return "".join([*pieces, _prose(text[end:], origin, page)])


def _prose(text: str, origin: Path, page: Path) -> str:
    text = _PICTURE.sub(_VIEWER, text)
    return _LINK.sub(lambda found: _target(found[1], origin, page), text)


def _target(link: str, origin: Path, page: Path) -> str:
    """Return the target of a link of `origin` as `page` writes it."""
    path = (origin.parent / link).resolve()
    name = path.relative_to(ROOT).as_posix()
    if name in ABOVE:
        path = DOCS / ABOVE[name]
    elif path.is_dir() and (path / "README.md").is_file() and path.is_relative_to(DOCS):
        path /= "README.md"
    elif not (path.is_relative_to(DOCS) and path.suffix in {".md", ".rst"}):
        return f"{_REPOSITORY}/{'tree' if path.is_dir() else 'blob'}/main/{name}"
    return Path(os.path.relpath(path, page.parent)).as_posix()
