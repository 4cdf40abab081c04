"""Pages as axe-core sees them."""

from __future__ import annotations

from importlib.resources import files

from tests.support.chromium import Tab

__all__ = ["DARK", "LIGHT", "axe_violations"]

AXE = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
LIGHT = {"prefers-color-scheme": "light"}
DARK = {"prefers-color-scheme": "dark"}


def axe_violations(tab: Tab) -> list[str]:
    tab.evaluate(f"{AXE}; 0")
    found = tab.evaluate("axe.run().then((result) => result.violations)")
    return [
        f"{each['id']}: {node['html'][:120]} {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]
