"""The docstrings of the package as reStructuredText.

They are written in the style of Google, with the Markdown that editors show: an indented block is
code, and what stands in backticks too (for that, see `default_role` in `conf.py`).
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring

__all__ = ["as_rest", "setup"]

_VALUES = {"attribute", "data", "property"}
_CODE = re.compile(r"(?P<before>^(?![ *>-]).*\n\n)(?=    )", re.MULTILINE)
_PAGE = re.compile(r"`?\bdocs/([\w/-]+)\.md`?")
_CONFIG: Any = Config(napoleon_use_rtype=False, napoleon_use_ivar=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("autodoc-process-docstring", _process, priority=600)
    return {"parallel_read_safe": True}


def _process(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    text = as_rest("\n".join(lines))
    # Of a value napoleon takes the words before a colon for its type.
    kind: Any = "function" if what in _VALUES else what
    lines[:] = GoogleDocstring(text, _CONFIG, app, kind, name, value, options).lines()


def as_rest(text: str) -> str:
    """Return the text of a docstring with its blocks of code marked, and its pages as links."""
    return _CODE.sub(r"\g<before>::\n\n", _PAGE.sub(r":doc:`/\1`", text))
