"""Findings for people: the place, the event, the fault."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from chatkit_reducer.analysis.comparison import Difference, path_text
from chatkit_reducer.analysis.finding import Finding, two_sides
from chatkit_reducer.cli.render.layout import Prefixed, indented, label
from chatkit_reducer.cli.render.text import compact_json, id_text, safe

__all__ = ["findings_list"]

_VALUE_LIMIT = 300
_ROOM = 30


def findings_list(
    findings: Sequence[Finding], *, name_threads: bool = False
) -> Iterator[RenderableType]:
    """Yield one block for each finding: the place on the left, the fault beside it."""
    places = [_place(finding) for finding in findings]
    width = max(map(len, places), default=0) + 2
    for place, finding in zip(places, findings, strict=True):
        lines = _lines(finding, name_thread=name_threads)
        yield _Block(place, width, Group(*lines))


class _Block:
    """A finding: its place on the left, or above it where there is little room."""

    def __init__(self, place: str, width: int, body: Group) -> None:
        self._place = place
        self._width = width
        self._body = body

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width - self._width >= _ROOM:
            yield Prefixed(Text(self._place.ljust(self._width), "bold"), self._body)
        else:
            yield Text(self._place, "bold")
            yield indented(self._body)


def _place(finding: Finding) -> str:
    return f"after event {finding.position}" if finding.line is None else f"line {finding.line}"


def _lines(finding: Finding, *, name_thread: bool) -> Iterator[RenderableType]:
    head = label(finding.event or "the end of the log", "bold")
    for name in (finding.item_id, finding.thread if name_thread else None):
        if name is not None:
            head.append(f"  {id_text(name)}", "dim")
    yield head
    if finding.difference is None:
        yield Text(safe(finding.problem))
    else:
        yield from _difference(finding.difference, (finding.event or "").rpartition(".")[2])
    if finding.instead is not None:
        yield Prefixed(Text("\u2192 ", "dim"), label(finding.instead, "dim"))


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
        yield Prefixed(Text(f"{sign} {name:{width}}  ", style), Text(shown, style))


def _characters(count: int) -> str:
    return "the first character is" if count == 1 else f"the first {count:,} characters are"
