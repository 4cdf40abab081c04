"""A policy as a table: for a terminal, as Markdown, as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from chatkit_reducer.cli.render.text import one_line, safe
from chatkit_reducer.core.policy.table import ANY, Cause, Marker, Policy, Row
from chatkit_reducer.events import Json

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "columns_of",
    "ends_text",
    "marker_json",
    "policy_blocks",
    "policy_json",
    "policy_markdown",
]

_COLUMNS = tuple(field.name for field in attrs.fields(Row))

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&])")


def columns_of(policy: Policy) -> tuple[str, ...]:
    """Return the columns of its rows, in order: item, origin, content, cause, decision, reason.

    `id` comes behind `item` where a row looks at it: most tables do not.
    """
    return tuple(name for name in _COLUMNS if name != "id" or policy.names_ids)


def _cells(row: Row, columns: tuple[str, ...]) -> list[str]:
    return [str(getattr(row, name)) for name in columns]


def _causes(marker: Marker) -> list[str]:
    return [cause.value for cause in Cause if cause in marker.causes]


# --- for people -----------------------------------------------------------------------------------


def policy_blocks(policy: Policy) -> Iterator[RenderableType]:
    """Yield the policy for a terminal: its purpose, its rows, and its marker."""
    from rich.text import Text

    from chatkit_reducer.cli.render.layout import label
    from chatkit_reducer.cli.render.sentence_table import SentenceTable
    from chatkit_reducer.cli.render.styles import DECISION_STYLES

    yield label(policy.name, "bold")
    if policy.about:
        yield Text(safe(policy.about), "dim")
    yield Text()
    rows, columns = [], columns_of(policy)
    for row in policy.rows:
        *where, decision, reason = _cells(row, columns)
        cells = [label(cell, "dim" if cell == ANY else "") for cell in where]
        rows.append([*cells, Text(decision, DECISION_STYLES[row.decision]), Text(safe(reason))])
    yield SentenceTable(columns, rows)
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
    """Name the ends that a marker is written for, of which there is one at least."""
    *others, last = [_VERBS[cause] for cause in _causes(marker)]
    return f"{', '.join(others)} or {last}" if others else last


# --- Markdown -------------------------------------------------------------------------------------


def policy_markdown(policy: Policy) -> str:
    """Return the policy as Markdown: its purpose, the table, the marker as a sentence."""
    about, columns = f": {_escaped(policy.about)}" if policy.about else "", columns_of(policy)
    lines = [
        f"**{_escaped(policy.name)}**{about}",
        "",
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
    ]
    for row in policy.rows:
        *where, reason = _cells(row, columns)
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
    """Return the policy as plain JSON data."""
    columns = columns_of(policy)
    return {
        "name": policy.name,
        "about": policy.about,
        "rows": [dict(zip(columns, _cells(row, columns), strict=True)) for row in policy.rows],
        "marker": marker_json(policy.marker),
    }


def marker_json(marker: Marker | None) -> Json | None:
    """Return the marker as plain JSON data; a content of null is made by the application."""
    if marker is None:
        return None
    return {"type": marker.item, "content": marker.content, "causes": _causes(marker)}
