"""Pages as axe-core sees them."""

from __future__ import annotations

import json
from importlib.resources import files

from tests.support.chromium import Tab

__all__ = ["DARK", "LIGHT", "OF_COLOURS", "axe_violations"]

AXE = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
LIGHT = {"prefers-color-scheme": "light"}
DARK = {"prefers-color-scheme": "dark"}
OF_COLOURS = ("color-contrast", "link-in-text-block")
"""The rules that may find something else in another theme."""


def axe_violations(tab: Tab, *rules: str) -> list[str]:
    """Return what axe finds on the page: by all of its rules, or by those that are named."""
    options = json.dumps({"runOnly": rules} if rules else {})
    tab.evaluate(f"{AXE}; 0")
    found = tab.evaluate(f"axe.run({options}).then((result) => result.violations)")
    return [
        f"{each['id']}: {node['html'][:120]} {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]
