"""One page of HTML that holds everything: the data of a log, the style sheet and the script.

The page asks no server for anything, and its policy (CSP) forbids it to. Only the scripts and the
style sheet of this package run: their hashes are in the policy. The data are JSON inside of a
script element, so no character of a log is ever markup; the few texts of a log that stand in the
HTML itself go through `html.escape` or `markup.html`.

The script is packed, which makes the page of a short log smaller by a third; a few lines of
another one (`assets/unpack.js`) unpack it. The data are not: they can be searched in the file.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.core.visible import id_text
from chatkit_reducer.events import Json
from chatkit_reducer.palette import DARK, LIGHT
from chatkit_reducer.view.recording import json_text
from chatkit_reducer.view.static import static_html

__all__ = ["GENERATOR", "Arguments", "Page", "Start", "asset", "security_policy"]

GENERATOR = "chatkit-reducer view"
"""The name in a page by which a later run knows that it made the file."""

_SCRIPTS = (
    "model",
    "figures",
    "markdown",
    "elements",
    "state",
    "text",
    "columns",
    "timeline",
    "side",
    "main",
    "keys",
    "begin",
    "live",
)
"""The parts of the script in the order in which they are joined."""

_STORES = ("a", "b")


class Arguments(NamedTuple):
    """The words with which `chatkit-reducer cancel` reads and decides what a page shows."""

    log: str
    policies: Mapping[str, str]
    """The argument of `--policy` for each policy that has one, by its name."""
    stored: str | None = None
    """The argument of `--stored`."""


class Start(NamedTuple):
    """The place at which a page opens, as long as its address does not say another."""

    at: int | None = None
    """A number of events of the log; None for all."""
    cause: Cause = Cause.CANCELLED
    arguments: Arguments | None = None
    """What the command in the page says; None for no command."""


class Page:
    """A page: `str(page)` is its HTML.

    In a notebook it shows itself, in a frame that may run its script and nothing else.

    Args:
        data: of a log, as `view.recording` describes them; with `live` (`view.growing`), the page
            asks its own server for more.
        start: the place at which it opens; the end if left out.
    """

    def __init__(self, data: Json, start: Start | None = None) -> None:
        self._html = _html_of({**data, "start": _start_data(start or Start(), data["threads"])})
        self._name: str = data["log"]

    def __str__(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return f"<Page of {self._name!r}, {len(self._html):,} characters>"

    def save(self, file: str | Path) -> None:
        """Write the page into a file.

        Raises:
            OSError: the file cannot be written.
        """
        Path(file).write_text(self._html, encoding="utf-8", newline="\n")

    def _repr_html_(self) -> str:
        # In ASCII, because not each page that a notebook becomes says its encoding.
        source = escape(self._html).encode("ascii", "xmlcharrefreplace").decode()
        return (
            '<iframe sandbox="allow-scripts" width="100%" height="720" frameborder="0" '
            f'title="{escape(self._name)}" srcdoc="{source}"></iframe>'
        )


def _start_data(start: Start, threads: Iterable[Json]) -> Json:
    command = _command_data(start.arguments)
    fields: Json = {"at": start.at, "cause": start.cause.value, "command": command}
    if start.at is not None:
        fields["thread"] = _thread_at(threads, start.at)
    return fields


def _command_data(arguments: Arguments | None) -> Json | None:
    """Return the words of the command, without those that would not survive to be copied."""
    if arguments is None or not (arguments.log + (arguments.stored or "")).isprintable():
        return None
    policies = {name: word for name, word in arguments.policies.items() if word.isprintable()}
    return {"log": arguments.log, "policies": policies, "stored": arguments.stored}


def _thread_at(threads: Iterable[Json], at: int) -> Any:
    """Return the id of the thread that has the last one of so many events of the log."""
    return max(threads, key=lambda block: _last_position(block["positions"], at))["thread"]


def _last_position(positions: list[list[int]], at: int) -> int:
    """Return the position of the last event of a thread among so many of the log; 0 for none."""
    place = bisect_right(positions, at, key=lambda run: run[0])
    if not place:
        return 0
    first, count = positions[place - 1]
    return min(at, first + count - 1)


def _html_of(data: Json) -> str:
    css, unpacking = _style_sheet(), _lean(asset("unpack.js"))
    title = escape(data["log"])
    stores = [Template(asset("store.html")).substitute(side=s, letter=s.upper()) for s in _STORES]
    html = Template(asset("page.html")).substitute(
        policy=security_policy(css, unpacking, _script(), is_live="live" in data),
        generator=GENERATOR,
        title=title,
        css=css,
        packed=_packed(_script()),
        unpacking=unpacking,
        static=static_html(data),
        threads=_thread_select(data["threads"]),
        stores="".join(stores),
        data=json_text(data),
    )
    # An id or a file name may hold half of a character, which no file of UTF-8 can.
    return html.encode("utf-8", "replace").decode()


def security_policy(css: str, *scripts: str, is_live: bool = False) -> str:
    """Return the policy (CSP) of a page that has this style sheet and these scripts.

    Args:
        css: the style sheet.
        scripts: all that may run, if any.
        is_live: whether the page may ask its own server for more.
    """
    rules = (
        "default-src 'none'",
        *([f"script-src {' '.join(map(_hash_source, scripts))}"] if scripts else []),
        f"style-src {_hash_source(css)}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        *(["connect-src 'self'"] if is_live else []),
    )
    return "; ".join(rules)


def _hash_source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _thread_select(threads: Iterable[Json]) -> str:
    """Return the control that chooses a thread; nothing for a log of one."""
    ids = [block["thread"] for block in threads]
    names = ["(no thread)" if one is None else id_text(one) for one in ids]
    if len(names) == 1:
        return ""
    options = [f'<option value="{i}">{escape(name)}</option>' for i, name in enumerate(names)]
    return f'<select id="thread" aria-label="thread">{"".join(options)}</select>'


@cache
def asset(name: str) -> str:
    """Return the text of a file of a page: a part of the script, a style sheet, a template."""
    return (files("chatkit_reducer.view") / "assets" / name).read_text(encoding="utf-8")


@cache
def _style_sheet() -> str:
    """Return the style sheet, with the colours of the fates in front."""
    pairs = [f"--{name}: light-dark({colour}, {DARK[name]})" for name, colour in LIGHT.items()]
    return f":root {{ {'; '.join(pairs)} }}\n{_lean(asset('page.css'))}"


@cache
def _script() -> str:
    """Return the script: its parts in one function, so that no name of theirs is global."""
    parts = [_lean(asset(f"{name}.js")) for name in _SCRIPTS]
    return "\n".join(["(() => {", *parts, "})();", ""])


@cache
def _packed(script: str) -> str:
    """Return a script as base64 of zlib, as the page unpacks it."""
    return base64.b64encode(zlib.compress(script.encode(), 9)).decode()


def _lean(code: str) -> str:
    """Return code without indentation, empty lines, and lines that are comments.

    No text in it goes on over a line, and no comment begins behind code and ends further on.
    """
    lines = [line.strip() for line in code.splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/*")))
