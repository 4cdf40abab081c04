"""The answer about a fleet as one page of HTML, which needs no script and asks no server.

The names in it (of policies, types, threads and files) come from logs: each is escaped, and stands
in an element of its own, so that it does not change the direction of the text around it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from string import Template

from chatkit_reducer.cli.render.fleet_report import FleetReport, OutcomeLine, WorstLine
from chatkit_reducer.cli.render.text import one_line
from chatkit_reducer.palette import DARK, FATES, LIGHT, Shade
from chatkit_reducer.view.page import security_policy

__all__ = ["fleet_page"]

_WIDTH = 200
"""Of a bar, in the units of its drawing."""


def fleet_page(report: FleetReport) -> str:
    """Return the page of a report."""
    css = _style_sheet()
    return Template(_asset("fleet.html")).substitute(
        policy=security_policy(css),
        css=css,
        title=_text(report.title),
        facts="".join(f"<p>{_text(fact)}</p>" for fact in report.facts),
        legend=_legend(),
        sections="".join(_sections(report)),
    )


def _sections(report: FleetReport) -> Iterator[str]:
    if any(line.tally.at_stake for line in report.by_policy):
        yield _section("Items in flight at the end of the logs, by cause", _by_cause(report))
        if report.by_type:
            yield _section("By item type", _by_type(report))
    else:
        yield _section(
            "At the end of the logs",
            "<p>Nothing is at stake there: all items are done, under any policy.</p>",
        )
    if report.stops:
        yield _section("Stopped at each event with something at stake", _by_stop(report))
    if report.worst:
        yield _section("The threads that lose most", _worst(report.worst))


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>"


def _by_cause(report: FleetReport) -> str:
    heads = [
        "policy",
        "cause",
        "",
        *[f"#{fate}" for fate in FATES],
        "#threads that lose",
        "lost content",
    ]
    rows = [
        _outcome(line, [_number("" if line.threads is None else f"{line.threads:,}")])
        for line in report.by_policy
    ]
    return _table(heads, rows)


def _by_type(report: FleetReport) -> str:
    heads = ["policy", "item type", "", *[f"#{fate}" for fate in FATES], "lost content"]
    return _table(heads, [_outcome(line, []) for line in report.by_type])


def _outcome(line: OutcomeLine, more: Sequence[str]) -> str:
    words = f'<td class="policy">{_text(line.policy)}</td><td>{_text(line.about)}</td>'
    counts = "".join(_number(f"{n:,}", fate if n else "zero") for fate, n in line.counts)
    bar = f'<td class="bar">{_bar(line.counts)}</td>'
    return f"{words}{bar}{counts}{''.join(more)}<td>{_text(line.lost)}</td>"


def _by_stop(report: FleetReport) -> str:
    heads = ["policy", "cause", "", "#stops", "#something is lost", "#lost on average"]
    rows = []
    for line in report.by_stop:
        losing, stake = line.tally.losing, line.tally.at_stake
        bar = _bar([("lost", losing)], stake)
        cells = [_number(f"{stake:,}"), _number(line.losing), _number(line.mean)]
        words = f'<td class="policy">{_text(line.policy)}</td><td>{_text(line.cause)}</td>'
        rows.append(f'{words}<td class="bar">{bar}</td>{"".join(cells)}')
    return _table(heads, rows)


def _worst(lines: Iterable[WorstLine]) -> str:
    rows = []
    for line in lines:
        thread = "no id" if line.thread is None else line.thread
        command = f"<code>{_text(shlex.join(line.command))}</code>" if line.command else ""
        words = f'<td class="policy">{_text(line.policy)}</td><td>{_text(thread)}{command}</td>'
        rows.append(f"{words}<td>{_text(line.lost)}</td>")
    return _table(["policy", "thread, and the command that shows it", "lost"], rows)


def _table(heads: Iterable[str], rows: Iterable[str]) -> str:
    """Make a table; a head with `#` in front is that of a column of numbers."""
    cells = [_head(head) for head in heads]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table><thead><tr>{''.join(cells)}</tr></thead><tbody>{body}</tbody></table>"


def _head(head: str) -> str:
    if head[:1] == "#":
        return f'<th scope="col" class="n">{head[1:]}</th>'
    return f'<th scope="col">{head}</th>'


def _number(text: str, kind: str = "") -> str:
    return f'<td class="{f"n {kind}".rstrip()}">{text}</td>'


def _bar(counts: Sequence[tuple[str, int]], of: int | None = None) -> str:
    total = sum(count for _, count in counts) if of is None else of
    said = ", ".join(f"{count:,} {fate}" for fate, count in counts if count) or "nothing"
    parts, left = [], 0.0
    for fate, count in counts:
        width = _WIDTH * count / total if total else 0
        if width:
            place = f'x="{left:.2f}" width="{width:.2f}" height="14"'
            parts.append(f'<rect class="{_fill(fate)}" {place}/>')
        left += width
    view = f'viewBox="0 0 {_WIDTH} 14" preserveAspectRatio="none"'
    return f'<svg role="img" aria-label="{said}" {view}>{"".join(parts)}</svg>'


def _fill(fate: str) -> str:
    return FATES[fate].hatching or fate


def _legend() -> str:
    return f'<ul class="legend">{"".join(map(_entry, FATES.values()))}</ul>'


def _entry(shade: Shade) -> str:
    sign = f'<rect class="{_fill(shade.name)}" width="14" height="14"/>'
    drawing = f'<svg aria-hidden="true" viewBox="0 0 14 14">{sign}</svg>'
    return f"<li>{drawing}{_text(shade.meaning)}</li>"


def _text(text: str) -> str:
    """Return a text of a log for HTML."""
    return f"<bdi>{escape(one_line(text))}</bdi>"


@cache
def _asset(name: str) -> str:
    return files("chatkit_reducer.cli.render").joinpath("assets", name).read_text("utf-8")


@cache
def _style_sheet() -> str:
    colours = [f"--{name}: light-dark({LIGHT[name]}, {DARK[name]});" for name in LIGHT]
    return f":root {{ {' '.join(colours)} }}\n{_asset('fleet.css')}"
