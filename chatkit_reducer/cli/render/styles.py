"""The palette as styles of a terminal."""

from __future__ import annotations

from types import MappingProxyType

from chatkit_reducer.core.policy.table import Decision
from chatkit_reducer.palette import FATES

__all__ = ["DECISION_STYLES", "terminal_styles"]

DECISION_STYLES: MappingProxyType[Decision, str] = MappingProxyType(
    {
        Decision.PERSIST: "fate.kept.bold",
        Decision.DISCARD: "fate.lost.bold",
        Decision.STALE: "fate.stale.bold",
    }
)
"""The style of each decision."""


def terminal_styles(color_system: str | None) -> dict[str, str]:
    """Name styles for a console: of the fates (`fate.lost`, `fate.lost.bold`), and of Markdown."""
    styles = {}
    for name, shade in FATES.items():
        has_many = color_system in ("256", "truecolor")
        colour = f"color({shade.terminal})" if has_many else shade.basic
        styles[f"fate.{name}"] = colour
        styles[f"fate.{name}.bold"] = f"bold {colour}"
    return styles | _MARKDOWN


_MARKDOWN = {
    "markdown.block_quote": "italic",
    "markdown.code": "cyan",
    "markdown.h1": "bold underline",
    "markdown.h2": "bold underline",
    "markdown.h3": "bold",
    "markdown.h4": "bold",
    "markdown.h5": "bold",
    "markdown.h6": "bold",
    "markdown.item.bullet": "none",
    "markdown.item.number": "none",
    "markdown.link": "underline",
    "markdown.link_url": "cyan",
    "markdown.hr": "dim",
    "markdown.table.border": "dim",
    "markdown.table.header": "bold",
}
"""Markdown without the colours of the fates, and without a background."""
