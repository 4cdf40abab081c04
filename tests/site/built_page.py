"""The addresses and anchors in a page of HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

__all__ = ["BuiltPage", "addresses_in_css"]

_LOADED = {"src", "srcset", "poster", "data", "background"}
_LINKS_THAT_LOAD = {
    "stylesheet",
    "icon",
    "shortcut",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
    "manifest",
}
_URL = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")


def addresses_in_css(text: str) -> list[str]:
    return [url or imported for url, imported in _URL.findall(text)]


class BuiltPage(HTMLParser):
    """What a page loads when it is opened, where it leads to, and the anchors that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self._in_style = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        self.loads += [given[name] for name in _LOADED & given.keys()]
        self.loads += addresses_in_css(given.get("style", ""))
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "link":
            loads = _LINKS_THAT_LOAD & set(given.get("rel", "").split())
            (self.loads if loads else self.links).append(given.get("href", ""))
        elif tag in {"a", "area"} and "href" in given:
            self.links.append(given["href"])

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.loads += addresses_in_css(data)
