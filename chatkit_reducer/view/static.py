"""The part of a page that is there where no script runs: the end of the stream, and the table.

A browser shows it when JavaScript is off, or a server forbids it (the default of Jenkins).
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from chatkit_reducer.core.visible import id_text
from chatkit_reducer.events import Json
from chatkit_reducer.view import markup
from chatkit_reducer.view.reading import Reader
from chatkit_reducer.view.stops import FATES, Stop, stop_at_end, worst_stop

__all__ = ["static_html"]

_MOST_ITEMS = 200
_LONGEST_TEXT = 20_000
_KINDS = ("character", "task", "widget", "image", "item")
"""What is counted, and items of which nothing is."""
_PHASES = {0: "pending", 1: "pending over a stored copy"}


def static_html(data: Json) -> str:
    """Return the HTML of the static part."""
    parts = [f"<h1>{escape(data['log'])}</h1>"]
    for block in data["threads"]:
        parts += _thread(block)
    return "\n".join(parts)


def _thread(block: Json) -> Iterator[str]:
    name = f" of thread {id_text(block['thread'])}" if block["thread"] else ""
    yield (
        f"<p>{block['n']:,} events{escape(name)}. Where scripts may run, this page shows every "
        "moment of the stream; here is its end.</p>"
    )
    yield from _policies(block)
    yield from _findings(block["findings"])
    yield "<h2>What people see at the end</h2>"
    reader, last = Reader(block), block["n"]
    shown = [each for each in reader.items(last) if not each[0]["hidden"]]
    if len(shown) > _MOST_ITEMS:
        yield f"<p>{len(shown) - _MOST_ITEMS:,} items above</p>"
    for item, version in shown[-_MOST_ITEMS:]:
        phase = _PHASES.get(version[1])
        state = f" ({phase})" if phase else ""
        yield f"<h3>{escape(item['type'])} <code>{escape(id_text(item['id']))}</code>{state}</h3>"
        yield markup.html(_cut(reader.tree(version[2], last)), styled=False)


def _cut(tree: Any) -> Any:
    """Return a tree in which long texts are cut."""
    if isinstance(tree, str):
        surplus = len(tree) - _LONGEST_TEXT
        return f"{tree[:_LONGEST_TEXT]}\u2026 {surplus:,} characters more" if surplus > 0 else tree
    if tree[0] == "md":
        return ["md", _cut(tree[1])]
    return [*tree[:2], *map(_cut, tree[2:])]


def _policies(block: Json) -> Iterator[str]:
    cause = block["causes"].index("cancelled")
    yield "<h2>If it is cancelled</h2>"
    yield "<table><tr><th>policy</th><th>at the end</th><th>at the worst stop</th></tr>"
    for policy in block["policies"]:
        end, worst = stop_at_end(block, policy, cause), worst_stop(block, policy, cause)
        after = (
            "all is kept at any stop" if worst is None else f"after {worst.step:,}: {_said(worst)}"
        )
        yield f"<tr><td>{escape(policy['name'])}</td><td>{_said(end)}</td><td>{after}</td></tr>"
    yield "</table>"


def _said(stop: Stop) -> str:
    said = [
        f"{fate} {words}"
        for fate, amounts, uncounted in zip(FATES, stop.amounts, stop.uncounted, strict=True)
        if (words := _amount_text((*amounts, uncounted)))
    ]
    return "; ".join(said) or "nothing is at stake"


def _amount_text(amounts: tuple[int, ...]) -> str:
    pairs = zip(amounts, _KINDS, strict=True)
    return ", ".join(f"{n:,} {kind}{'' if n == 1 else 's'}" for n, kind in pairs if n)


def _findings(findings: list[Json]) -> Iterator[str]:
    if not findings:
        return
    yield "<h2>Findings</h2>"
    yield "<table><tr><th>after event</th><th>finding</th><th>item</th><th>problem</th></tr>"
    for finding in findings[:_MOST_ITEMS]:
        cells = (
            finding["step"],
            finding["kind"],
            id_text(finding.get("item_id") or ""),
            finding["problem"],
        )
        yield f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in cells)}</tr>"
    yield "</table>"
