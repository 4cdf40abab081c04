"""States, settlements and policies as a notebook shows them: HTML and a style sheet, no script.

`html_of` is their `_repr_html_`; the top of the package hands it to the core, which imports no
room. The style sheet stands in each output, scoped below one class, because a notebook runs no
script that could put it somewhere once. Where a notebook does not trust an output it takes the
style away, and the `repr` in a `<pre>` is left. All text is escaped, as on the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from chatkit_reducer.core.anomalies import Anomaly
from chatkit_reducer.core.items import HIDDEN_TYPES, ItemState
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import ANY, Decision, Marker, Policy, Row
from chatkit_reducer.core.policy.verdict import Verdict
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.core.visible import id_text
from chatkit_reducer.palette import DARK, LIGHT
from chatkit_reducer.view import markup
from chatkit_reducer.view.drawing import draw
from chatkit_reducer.view.markdown import markdown_html

__all__ = ["html_of"]

_CLASS = "chatkit-reducer"
_MOST_ITEMS = 50
_MOST_ANOMALIES = 20
_LONGEST_TEXT = 20_000

_PHASES = {Phase.PENDING: "pending", Phase.PENDING_OVER_BASE: "pending over a stored copy"}
_FATES = {Decision.PERSIST: "kept", Decision.STALE: "stale", Decision.DISCARD: "lost"}
_MEANINGS = {
    "kept": "written to the store",
    "stale": "on the screen, not in the store",
    "lost": "not in the store any more",
}


def html_of(value: ThreadState | Settlement | Policy) -> str:
    """Return a value as HTML that a notebook can show."""
    if isinstance(value, ThreadState):
        parts = _state(value)
    elif isinstance(value, Settlement):
        parts = _settlement(value)
    else:
        parts = _policy(value)
    return (
        f"<style>{_style_sheet()}</style>"
        f'<pre class="{_CLASS}-text">{escape(repr(value))}</pre>'
        f'<div class="{_CLASS}" style="display: none">{"".join(parts)}</div>'
    )


# --- a thread -------------------------------------------------------------------------------------


def _state(state: ThreadState) -> Iterator[str]:
    title = (state.thread or {}).get("title")
    facts = [id_text(state.thread_id or "") or "no id", _count(len(state.items), "item")]
    facts += [f"{len(state.pending):,} pending"] if state.pending else []
    yield _head(title if isinstance(title, str) else "untitled thread", facts)
    yield '<div class="chat">'
    entries = list(state.items.values())
    if len(entries) > _MOST_ITEMS:
        yield _none(f"{len(entries) - _MOST_ITEMS:,} items above")
    for item in entries[-_MOST_ITEMS:]:
        yield _item(item, _PHASES.get(state.phase(item.id)))
    yield "" if entries else _none("no items")
    yield "</div>"
    if state.error is not None:
        said = [one for one in (state.error.code, state.error.message) if isinstance(one, str)]
        yield f'<div class="end bad">{_text(": ".join(["the stream failed", *said]))}</div>'
    if state.anomalies:
        yield from _anomalies(state.anomalies, state.unlisted_anomalies)


def _item(item: ItemState, phase: str | None, reason: str = "") -> str:
    kind = item.type.replace("_", " ") or "item without a type"
    facts = [f"<b>{_text(kind)}</b>", f"<code>{_text(id_text(item.id))}</code>"]
    facts += [f'<span class="phase">{phase}</span>'] if phase else []
    facts += ["<span>no client is shown this</span>"] if item.type in HIDDEN_TYPES else []
    why = f'<p class="why">{_text(reason)}</p>' if reason else ""
    name = "slot pending" if phase else "slot"
    return f'<div class="{name}"><div class="who">{" ".join(facts)}</div>{why}{_drawn(item)}</div>'


def _drawn(item: ItemState) -> str:
    return markup.html(_cut(draw(item.json_view())), markdown=markdown_html())


def _cut(tree: Any) -> Any:
    """Return a tree whose long texts are cut, with the numbers of citations in its Markdown."""
    if isinstance(tree, str):
        more = len(tree) - _LONGEST_TEXT
        return f"{tree[:_LONGEST_TEXT]}\u2026 {more:,} characters more" if more > 0 else tree
    if tree[0] == "md":
        return ["md", _cut(_with_numbers(tree[1], tree[2] if len(tree) > 2 else []))]
    return [*tree[:2], *map(_cut, tree[2:])]


def _with_numbers(text: str, citations: Iterable[list[int]]) -> str:
    for place, number in sorted(citations, reverse=True):
        text = f"{text[:place]}[{number}]{text[place:]}"
    return text


def _anomalies(anomalies: Sequence[Anomaly], unlisted: int) -> Iterator[str]:
    count = len(anomalies) + unlisted
    listed = anomalies[:_MOST_ANOMALIES]
    lines = [f"after event {one.at}: {one.kind.value}: {one.problem}" for one in listed]
    lines += [f"and {count - len(listed):,} more"] if count > len(listed) else []
    yield f'<details class="end"><summary>{_count(count, "anomal", "y", "ies")}</summary><ul>'
    yield from (f"<li>{_text(line)}</li>" for line in lines)
    yield "</ul></details>"


# --- a settlement ---------------------------------------------------------------------------------


def _settlement(settlement: Settlement) -> Iterator[str]:
    count = _count(len(settlement.verdicts), "item") + " in flight"
    yield _head(settlement.cause.value, [f"policy {settlement.policy.name}", count])
    yield '<div class="fates">'
    for decision, fate in _FATES.items():
        verdicts = [each for each in settlement.verdicts if each.decision is decision]
        yield f'<div class="fate {fate}"><div class="name"><b>{fate}</b> {_MEANINGS[fate]}</div>'
        yield '<div class="chat">'
        yield "".join(map(_verdict, verdicts[:_MOST_ITEMS])) or _none("nothing")
        more = len(verdicts) - _MOST_ITEMS
        yield _none(f"{more:,} items more") if more > 0 else ""
        yield "</div></div>"
    yield "</div>"
    yield _note("The model is told", settlement.marker)


def _verdict(verdict: Verdict) -> str:
    is_kept = verdict.decision is Decision.PERSIST
    return _item(verdict.sealed if is_kept else verdict.item, None, verdict.row.reason)


# --- a policy -------------------------------------------------------------------------------------


def _policy(policy: Policy) -> Iterator[str]:
    columns = ["item", "id", "origin", "content", "cause"]
    columns = [name for name in columns if name != "id" or policy.names_ids]
    yield _head(policy.name, [policy.about])
    yield '<div class="rows"><table><thead><tr>'
    yield from (f"<th>{name}</th>" for name in [*columns, "decision", "reason"])
    yield "</tr></thead><tbody>"
    yield from (_row(row, columns) for row in policy.rows)
    yield "</tbody></table></div>"
    causes = sorted(policy.marker.causes) if policy.marker is not None else []
    yield _note(f"The model is told ({', '.join(causes) or 'never'})", policy.marker)


def _row(row: Row, columns: Iterable[str]) -> str:
    values = [str(getattr(row, name)) for name in columns]
    cells = [f"<td{' class=any' if one == ANY else ''}>{_text(one)}</td>" for one in values]
    decision = f'<td class="decision {_FATES[row.decision]}">{row.decision.value}</td>'
    return f"<tr>{''.join(cells)}{decision}<td>{_text(row.reason)}</td></tr>"


def _note(told: str, marker: Marker | None) -> str:
    if marker is None:
        return '<div class="end">The model is told nothing.</div>'
    content = "the application makes the content" if marker.content is None else marker.content
    return f'<div class="end">{_text(told)}, as {marker.item}: {_text(content)}</div>'


# --- parts ----------------------------------------------------------------------------------------


def _head(title: str, facts: Iterable[str]) -> str:
    spans = [f"<span>{_text(fact)}</span>" for fact in facts]
    return f'<div class="head"><b>{_text(title)}</b>{"".join(spans)}</div>'


def _none(text: str) -> str:
    return f'<p class="none">{text}</p>'


def _text(value: object) -> str:
    return escape(value if isinstance(value, str) else str(value))


def _count(number: int, noun: str, one: str = "", many: str = "s") -> str:
    return f"{number:,} {noun}{one if number == 1 else many}"


# --- the style sheet ------------------------------------------------------------------------------

_DARK_PLACES = (
    'body[data-jp-theme-light="false"]',
    "body.vscode-dark",
    "html[theme=dark]",
    "html[data-theme=dark]",
    "body[data-theme=dark]",
)
_LIGHT_PLACES = (
    'body[data-jp-theme-light="true"]',
    "body.vscode-light",
    "html[theme=light]",
    "html[data-theme=light]",
    "body[data-theme=light]",
)
_ITEM_STYLES = re.compile(r"/\* --- items --- \*/(.*)/\* --- narrower --- \*/", re.DOTALL)
_VARIABLES = re.compile(r":root \{(.*?)\}", re.DOTALL)


@cache
def _style_sheet() -> str:
    """Return the styles of items on the page and those of a notebook, below one class."""
    page, own = _asset("page.css"), _asset("notebook.css")
    (variables,), (items,) = _VARIABLES.findall(page)[:1], _ITEM_STYLES.findall(page)
    fates = "".join(f"--{name}: light-dark({LIGHT[name]}, {DARK[name]}); " for name in LIGHT)
    return "\n".join(
        [
            f".{_CLASS}-text {{ display: none }}",
            f".{_CLASS} {{ {variables} {fates} }}",
            f".{_CLASS} {{ {items} {own} }}",
            f"{_below(_LIGHT_PLACES)} {{ color-scheme: light }}",
            f"{_below(_DARK_PLACES)} {{ color-scheme: dark }}",
        ]
    )


def _below(places: Iterable[str]) -> str:
    return ", ".join(f"{place} .{_CLASS}" for place in places)


def _asset(name: str) -> str:
    return (files("chatkit_reducer.view") / "assets" / name).read_text(encoding="utf-8")
