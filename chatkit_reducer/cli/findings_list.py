"""Findings as people read them: where, what event, what was wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from chatkit_reducer.cli.findings import Finding, two_sides
from chatkit_reducer.cli.layout import Hanging, label
from chatkit_reducer.cli.text import compact_json, one_line, safe
from chatkit_reducer.comparison import Difference, path_text

__all__ = ["findings_list"]

_VALUE_LIMIT = 300


def findings_list(
    findings: Sequence[Finding], *, name_threads: bool = False
) -> Iterator[RenderableType]:
    """One block for each finding: the place on the left, what was found beside it."""
    places = [_place(finding) for finding in findings]
    width = max(map(len, places), default=0) + 2
    for place, finding in zip(places, findings, strict=True):
        lines = _lines(finding, name_thread=name_threads)
        yield Hanging(Text(place.ljust(width), "yellow"), Group(*lines))


def _place(finding: Finding) -> str:
    return f"event {finding.position}" if finding.line is None else f"line {finding.line}"


def _lines(finding: Finding, *, name_thread: bool) -> Iterator[RenderableType]:
    head = label(finding.event, "bold")
    for name in (finding.item_id, finding.thread if name_thread else None):
        if name is not None:
            head.append(f"  {one_line(name)}", "dim")
    yield head
    if finding.difference is None:
        yield Text(safe(finding.problem))
    else:
        yield from _difference(finding.difference, finding.event.rpartition(".")[2])
    if finding.instead is not None:
        yield Hanging(Text("\u2192 ", "dim"), label(finding.instead, "dim"))


def _difference(difference: Difference, whole: str) -> Iterator[RenderableType]:
    sides = two_sides(difference)
    common = sides.get("common", 0)
    yield label(path_text(difference.path), "cyan")
    if common:
        yield Text(f"{_characters(common)} the same, then", "dim")
    nothing = "(no more)" if common else "(nothing)"
    width = max(len("updates"), len(whole))
    for sign, name, value, style in (
        ("-", "updates", sides["updates"], "red"),
        ("+", whole, sides["done"], "green"),
    ):
        shown = nothing if value is None or value == "" else compact_json(value, _VALUE_LIMIT)
        yield Hanging(Text(f"{sign} {name:{width}}  ", style), Text(shown, style))


def _characters(count: int) -> str:
    return "the first character is" if count == 1 else f"the first {count:,} characters are"
