"""Live viewers of recordings, in the pages that talk about them.

In a page, a comment of its own paragraph is the place of a viewer:

    <!-- view: NAME at=N a=POLICY b=POLICY -->      the recording NAME, open after N events
    <!-- view each -->                              below a table: each recording that it names

What follows NAME goes to the address of the viewer. The pages of the viewers are written behind the
pages of the site, in `viewers`.
"""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.util.display import status_iterator

from _site.pages import DOCS
from chatkit_reducer import ThreadState
from chatkit_reducer.view import view

__all__ = ["FOLDER", "RECORDINGS", "setup"]

FOLDER = "viewers"
RECORDINGS = DOCS / "recordings"

_ONE = re.compile(r"^<!-- view: (\S+)(.*?) -->$", re.MULTILINE)
_EACH = re.compile(r"(?P<table>(?:^\|.*\n)+)\n<!-- view each -->$", re.MULTILINE)
_NAME = re.compile(r"^\| `([a-z-]+)` \|", re.MULTILINE)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.add_directive("viewer", Viewer)
    app.connect("source-read", _read, priority=200)
    app.connect("build-finished", _write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    text = _EACH.sub(lambda found: found["table"] + _folded(found["table"]), source[0])
    source[0] = _ONE.sub(lambda found: _directive(found[1], found[2]), text)


def _folded(table: str) -> str:
    return "".join(f"\n{_directive(name, '', folded=True)}\n" for name in _NAME.findall(table))


def _directive(name: str, place: str, *, folded: bool = False) -> str:
    option = ":folded:\n" if folded else ""
    return f"```{{viewer}} {name}{place}\n{option}```"


class Viewer(Directive):
    """A frame with the viewer of a recording."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"folded": lambda given: True}  # noqa: RUF012  # as docutils declares it

    def run(self) -> list[nodes.Node]:
        """Return the frame.

        Raises:
            DirectiveError: there is no such recording.
        """
        name, *place = self.arguments[0].split()
        if not (RECORDINGS / f"{name}.sse").is_file():
            raise self.error(f"there is no recording {name!r} in docs/recordings")
        document = self.state.document.settings.env.docname
        page = f"{'../' * document.count('/')}{FOLDER}/{name}.html#{'&'.join(place)}"
        html = _frame(name, page, folded="folded" in self.options)
        return [nodes.raw("", html, format="html")]


def _frame(name: str, page: str, *, folded: bool) -> str:
    page, name = escape(page), escape(name)
    embedded = page + ("embed=1" if page.endswith("#") else "&amp;embed=1")
    frame = (
        f'<iframe class="viewer" sandbox="allow-scripts" loading="lazy" src="{embedded}" '
        f'title="The viewer, with the recording {name}"></iframe>'
    )
    whole = f'<a href="{page}">The whole viewer of <code>{name}</code></a>'
    if folded:
        summary = f"<summary>See <code>{name}</code></summary>"
        return f'<details class="viewer">{summary}{frame}<p>{whole}</p></details>'
    return f'<figure class="viewer">{frame}<figcaption>{whole}</figcaption></figure>'


def _write_pages(app: Sphinx, failure: Exception | None) -> None:
    if failure is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir) / FOLDER
    folder.mkdir(exist_ok=True)
    for log in status_iterator(sorted(RECORDINGS.glob("*.sse")), "writing viewers... "):
        page = folder / f"{log.stem}.html"
        if not page.exists():
            view(log, _stored_before(log)).save(page)


def _stored_before(log: Path) -> ThreadState | None:
    before = log.with_suffix(".before.json")
    if not before.is_file():
        return None
    stored = json.loads(before.read_text(encoding="utf-8"))
    return ThreadState.from_items(stored["items"], thread=stored["thread"])
