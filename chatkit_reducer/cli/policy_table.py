"""A policy as a table: for a terminal, as Markdown, as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from chatkit_reducer.cli.text import one_line, safe
from chatkit_reducer.events import Json
from chatkit_reducer.policy import ANY, Cause, Marker, Policy, Row

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["COLUMNS", "ends_text", "marker_json", "policy_blocks", "policy_json", "policy_markdown"]

COLUMNS = tuple(field.name for field in attrs.fields(Row))
"""What a row says, in order: item, origin, content, cause, decision, reason."""

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&])")


def _cells(row: Row) -> list[str]:
    return [str(getattr(row, name)) for name in COLUMNS]


def _causes(marker: Marker) -> list[str]:
    return [cause.value for cause in Cause if cause in marker.causes]


# --- for people -----------------------------------------------------------------------------------


def policy_blocks(policy: Policy) -> Iterator[RenderableType]:
    """The policy for a terminal: what it is for, its rows, and its marker."""
    from rich.text import Text

    from chatkit_reducer.cli.layout import label
    from chatkit_reducer.cli.ledger import Ledger
    from chatkit_reducer.cli.show_settlement import DECISION_STYLES

    yield label(policy.name, "bold")
    if policy.about:
        yield Text(safe(policy.about), "dim")
    yield Text()
    rows = []
    for row in policy.rows:
        *where, decision, reason = _cells(row)
        cells = [label(cell, "dim" if cell == ANY else "") for cell in where]
        rows.append([*cells, Text(decision, DECISION_STYLES[row.decision]), Text(safe(reason))])
    yield Ledger(COLUMNS, rows)
    yield Text()
    yield Text(safe(_sentence(policy.marker)), "" if policy.marker else "dim")


def _sentence(marker: Marker | None) -> str:
    if marker is None:
        return "Nothing is noted for the model."
    what = "the content is made by the application"
    if marker.content is not None:
        what = f"\u201c{marker.content}\u201d"
    if not marker.causes:
        return f"A marker of type {marker.item} is never written: {what}"
    return f"Noted for the model when the stream {ends_text(marker)}, as {marker.item}: {what}"


_VERBS = {
    "ended": "ended with items left behind",
    "cancelled": "was cancelled",
    "failed": "failed",
    "timed_out": "timed out",
    "crashed": "crashed",
}


def ends_text(marker: Marker) -> str:
    """The ends that a marker is written for, of which there is one at least."""
    *others, last = [_VERBS[cause] for cause in _causes(marker)]
    return f"{', '.join(others)} or {last}" if others else last


# --- Markdown -------------------------------------------------------------------------------------


def policy_markdown(policy: Policy) -> str:
    """The policy as Markdown: a line of what it is for, the table, the marker as a sentence."""
    about = f": {_escaped(policy.about)}" if policy.about else ""
    lines = [
        f"**{_escaped(policy.name)}**{about}",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
    ]
    for row in policy.rows:
        *where, reason = _cells(row)
        cells = [*map(_code, where), _escaped(reason)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", _escaped(_sentence(policy.marker)), ""])


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", one_line(text))


def _code(text: str) -> str:
    if "`" in text:  # then a code span would need a longer fence
        return _escaped(text)
    return "`" + one_line(text).replace("|", "\\|") + "`"


# --- JSON -----------------------------------------------------------------------------------------


def policy_json(policy: Policy) -> Json:
    """The policy as plain JSON data."""
    return {
        "name": policy.name,
        "about": policy.about,
        "rows": [dict(zip(COLUMNS, _cells(row), strict=True)) for row in policy.rows],
        "marker": marker_json(policy.marker),
    }


def marker_json(marker: Marker | None) -> Json | None:
    """The marker as plain JSON data; a content of null is made by the application."""
    if marker is None:
        return None
    return {"type": marker.item, "content": marker.content, "causes": _causes(marker)}
