"""The built site asks no other host for anything, and each of its links leads somewhere."""

from __future__ import annotations

import zlib
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from chatkit_reducer import Cause, policies
from chatkit_reducer.analysis import sweep
from tests.site.built_page import BuiltPage, addresses_in_css
from tests.support.paths import ROOT

pytest.importorskip("sphinx", reason="`nox -s site` installs Sphinx and runs these tests")


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[Path, BuiltPage]:
    return {path: BuiltPage(path) for path in sorted(site.rglob("*.html"))}


def is_elsewhere(address: str) -> bool:
    """Whether an address is neither in the site nor in the page itself."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in {"", "data"}


def test_no_page_loads_anything_from_another_host(pages: dict[Path, BuiltPage]) -> None:
    assert len(pages) > 80
    found = {
        path: [each for each in page.loads if is_elsewhere(each)] for path, page in pages.items()
    }
    assert {path: loads for path, loads in found.items() if loads} == {}


def test_no_style_sheet_loads_anything_from_another_host(site: Path) -> None:
    sheets = list(site.rglob("*.css"))
    assert sheets
    addresses = {each for sheet in sheets for each in addresses_in_css(sheet.read_text("utf-8"))}
    assert [each for each in addresses if is_elsewhere(each)] == []


def test_no_script_asks_another_host(site: Path) -> None:
    scripts = [path for path in site.rglob("*.js") if path.name != "searchindex.js"]
    assert scripts
    asking = ("fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon", "importScripts")
    texts = {path.name: path.read_text("utf-8") for path in scripts}
    found = {name for name, text in texts.items() if any(word in text for word in asking)}
    assert found <= {"searchtools.js"}, "it fetches the pages of the site, to show where a word is"


def test_each_link_leads_to_a_page_and_an_anchor(site: Path, pages: dict[Path, BuiltPage]) -> None:
    broken = [
        f"{path.relative_to(site)}: {address}"
        for path, page in pages.items()
        if path.parent.name != "viewers"
        for address in [*page.links, *page.loads]
        if not is_elsewhere(address) and not leads_somewhere(path, address, pages)
    ]
    assert broken == []


def leads_somewhere(path: Path, address: str, pages: dict[Path, BuiltPage]) -> bool:
    parts = urlsplit(address)
    if parts.scheme == "data":
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file():
        return False
    is_place = not parts.fragment or target.parent.name == "viewers" or target not in pages
    return is_place or unquote(parts.fragment) in pages[target].anchors


def test_each_recording_shows_its_viewer_in_place(site: Path, pages: dict[Path, BuiltPage]) -> None:
    recordings = {path.stem for path in (ROOT / "docs/recordings").glob("*.sse")}
    shown = pages[site / "recordings/README.html"].loads
    viewers = {Path(urlsplit(each).path).stem for each in shown if "/viewers/" in each}
    assert viewers == recordings


def test_home_is_at_the_worst_stop(site: Path, pages: dict[Path, BuiltPage]) -> None:
    log = ROOT / "docs/recordings/streamed-widget.sse"
    stops = sweep(log, [policies.SDK], Cause.CANCELLED)
    worst = max(stops, key=lambda stop: stop.fates[0].lost.characters)
    (viewer,) = [each for each in pages[site / "index.html"].loads if "viewers/" in each]
    assert f"at={worst.at}&a=sdk&b=keep" in viewer


def test_each_public_name_has_an_entry(site: Path) -> None:
    from _site.public_names import MODULES

    entries = names_in(site / "objects.inv")
    missing = [
        f"{module}.{name}"
        for module in MODULES
        for name in import_module(module).__all__
        if not entries & set(places_of(module, name))
    ]
    assert missing == []


def places_of(module: str, name: str) -> list[str]:
    from _site.public_names import home_of

    value = getattr(import_module(module), name)
    if hasattr(value, "__path__") or hasattr(value, "__file__"):  # a module
        return [value.__name__]
    return [f"{home_of(module, name)}.{name}"]


def names_in(inventory: Path) -> set[str]:
    """Read the names that a site of Sphinx tells other sites about."""
    packed = inventory.read_bytes().split(b"\n", 4)[4]
    return {line.split(" ", 1)[0] for line in zlib.decompress(packed).decode().splitlines()}
