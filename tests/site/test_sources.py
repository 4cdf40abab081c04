"""The parts of the site that need no build: links, and the list of the public modules."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from tests.support.paths import ROOT

pytest.importorskip("sphinx", reason="`nox -s site` installs Sphinx and runs these tests")


@pytest.mark.parametrize(
    ("page", "link", "target"),
    [
        ("policy.md", "embedding/README.md", "embedding/README.md"),
        ("policy.md", "recordings", "recordings/README.md"),
        ("embedding/django.md", "../../README.md#the-eight-laws", "../overview.md#the-eight-laws"),
        ("policy.md", "README.md", "index.md"),
        (
            "policy.md",
            "../tests",
            "https://github.com/chatkit-reducer/chatkit-reducer/tree/main/tests",
        ),
        ("overview.md", "https://pypi.org/", "https://pypi.org/"),
    ],
)
def test_a_link_leads_to_the_same_place_on_the_site(page: str, link: str, target: str) -> None:
    from _site.pages import DOCS, site_text

    assert site_text(DOCS / page, f"[x]({link})") == f"[x]({target})"


def test_code_is_not_touched() -> None:
    from _site.pages import DOCS, site_text

    code = "```md\n[x](../README.md)\n```"
    assert site_text(DOCS / "policy.md", code) == code


def test_a_page_above_the_folder_is_on_the_site() -> None:
    from _site.pages import DOCS, site_text

    text = site_text(DOCS / "overview.md", "<!-- the page README.md -->")
    assert "# chatkit-reducer" in text
    assert "(glossary.md)" not in text or "<picture>" not in text
    assert "](compatibility.md)" in text


def test_the_reference_has_the_public_modules() -> None:
    from _site.public_names import MODULES

    text = (ROOT / "docs/compatibility.md").read_text(encoding="utf-8")
    listed, _, _ = text.partition("Their signatures")
    names = re.findall(r"`([a-z][a-z_.]+)`", listed)
    assert len(names) > 10
    public = {name if name == "chatkit_reducer" else f"chatkit_reducer.{name}" for name in names}
    assert public - set(MODULES) == {"chatkit_reducer.testing"}  # only its modules have names


def test_each_listed_module_is_on_a_page() -> None:
    from _site.public_names import MODULES

    pages = "".join(path.read_text("utf-8") for path in (ROOT / "docs/reference").glob("*.rst"))
    placed = re.findall(r"^\.\. public-names:: (\S+)$", pages, re.MULTILINE)
    assert sorted(placed) == sorted(MODULES)
    assert all(import_module(module).__all__ for module in MODULES)


def test_a_docstring_keeps_its_code() -> None:
    from _site.docstrings import as_rest

    assert as_rest("Do it:\n\n    x = 1\n\nDone.") == "Do it:\n\n::\n\n    x = 1\n\nDone."
    assert as_rest("* a\n\n    b") == "* a\n\n    b"


def test_a_docstring_links_to_pages() -> None:
    from _site.docstrings import as_rest

    assert as_rest("See `docs/journal.md`.") == "See :doc:`/journal`."
    assert as_rest("docs/embedding/django.md") == ":doc:`/embedding/django`"
