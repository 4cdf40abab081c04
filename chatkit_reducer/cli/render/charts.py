"""A sweep for people, in a terminal: a chart for each policy, and the figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from chatkit_reducer.analysis.sweep_summary import (
    Amount,
    Summary,
    SweepResult,
    amount_text,
    share_text,
)
from chatkit_reducer.cli.render.items import type_names
from chatkit_reducer.cli.render.layout import Prefixed, indented, label, show_command
from chatkit_reducer.cli.render.text import id_text
from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.palette import FATES, WORST_FIRST

__all__ = ["show_sweep"]

_HEIGHT = 5
_WIDEST = 160
_NARROWEST = 8
_TABLE = 80
"""Below that the figures are a list: the heads of a table would break inside of words."""


class _Signs(NamedTuple):
    """What charts are drawn with, apart from the fates."""

    wall: str
    floor: str
    corner: str
    worst: str
    begin: str
    """Where an item begins."""


_LINES = _Signs("\u2502", "\u2500", "\u2514", "\u25b2", "\u251c")
_ASCII = _Signs("|", "-", "+", "^", "+")


def show_sweep(console: Console, swept: SweepResult, cause: Cause) -> None:
    """Print the outcome for a thread at each place where its stream may stop.

    Args:
        console: where to.
        swept: the stops.
        cause: how the stream would have ended.
    """
    last = swept.stops[-1].at
    facts = [
        "no id" if swept.thread is None else id_text(swept.thread),
        f"{cause} after any of {last:,} {'event' if last == 1 else 'events'}",
    ]
    console.print(indented(label(" \u00b7 ".join(facts), "bold"), 0))
    console.print(indented(Rule(style="dim"), 0))
    console.print()
    if not swept.kinds:
        console.print(Text("At no stop is there anything to lose.", "dim"))
        return
    console.print(_Charts(swept))
    console.print()
    console.print(_Figures(swept))
    if any(summary.worst for summary in swept.summaries):
        console.print()
        _show_commands(console, swept)


class _Charts:
    """One chart for each policy, one under the other, with one axis for all."""

    def __init__(self, swept: SweepResult) -> None:
        self._swept = swept

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        is_plain = options.ascii_only or console.is_dumb_terminal
        drawing = _Drawing(self._swept, options.max_width, is_plain=is_plain)
        yield indented(drawing.legend(), 0)
        if self._swept.types:
            yield Text()
        for line in drawing.lanes():
            yield indented(line, 0)
        for policy in range(len(self._swept.names)):
            yield Text()
            for line in drawing.chart(policy):
                yield indented(line, 0)
        yield indented(drawing.axis(), 0)


class _Drawing:
    def __init__(self, swept: SweepResult, width: int, *, is_plain: bool) -> None:
        self._swept = swept
        self._signs = _ASCII if is_plain else _LINES
        self._cells = {name: s.ascii if is_plain else s.block for name, s in FATES.items()}
        self._lanes = [kind for kind in swept.kinds if kind != "characters"]
        self._types = type_names(swept.types)
        titles = [f"{swept.most.characters:,}", *self._lanes, *self._types.values()]
        self._margin = max(map(len, titles)) + 3
        self._width = min(_WIDEST, max(_NARROWEST, width - self._margin - 1))

    def legend(self) -> Text:
        """Explain the signs that occur."""
        legend = Text()
        for fate in self._swept.fates:
            legend.append(self._cells[fate] * 2, _style(fate)).append(f" {fate}   ")
        if any(summary.worst for summary in self._swept.summaries):
            legend.append(f"{self._signs.worst} worst stop   ")
        what = "characters in flight" if _is_text(self._swept) else "items in flight"
        return legend.append(what, "dim")

    def lanes(self) -> Iterator[Text]:
        """Draw when items of each type were in flight."""
        signs = {None: " ", True: self._signs.begin, False: self._signs.floor}
        for kind, lane in self._swept.lanes(self._width).items():
            if kind in self._types:
                line = self._begun(self._types[kind], self._signs.wall)
                yield line.append("".join([signs[column] for column in lane]))
        more = len(self._swept.types) - len(self._types)
        if more:
            yield Text(f"and items of {more:,} more types", "dim")

    def chart(self, policy: int) -> Iterator[Text]:
        """Draw the chart of one policy: the characters, and a lane for each other kind."""
        swept = self._swept
        summary = swept.summaries[policy]
        yield label(swept.names[policy], "bold").append(f"  {summary.verdict}", _told(summary))
        floor = self._floor("0" if _is_text(swept) else "", summary)
        if _is_text(swept):
            most = swept.most.characters
            columns = swept.columns("characters", policy, self._width)
            heights = [_heights(amount, most) for amount in columns]
            for row in range(_HEIGHT - 1, -1, -1):
                title = f"{most:,}" if row == _HEIGHT - 1 else ""
                yield self._line(title, [_fate_at(row, tops) for tops in heights])
            yield floor
        for kind in self._lanes:
            amounts = swept.columns(kind, policy, self._width)
            yield self._line(kind, [_worst(amount) for amount in amounts])
        if not _is_text(swept):
            yield floor

    def _line(self, title: str, fates: Sequence[str | None]) -> Text:
        line = self._begun(title, self._signs.wall)
        for fate, run in groupby(fates):
            width = len(list(run))
            if fate is None:
                line.append(" " * width)
            else:
                line.append(self._cells[fate] * width, _style(fate))
        return line

    def _floor(self, title: str, summary: Summary) -> Text:
        line = self._begun(title, self._signs.corner)
        if summary.worst is None:
            return line.append(self._signs.floor * self._width, "dim")
        place = self._swept.place_of(summary.worst, self._width)
        line.append(self._signs.floor * place, "dim")
        line.append(self._signs.worst, _told(summary))
        return line.append(self._signs.floor * (self._width - place - 1), "dim")

    def _begun(self, title: str, wall: str) -> Text:
        # Unstyled at its beginning: such a style would be that of all that is appended.
        return Text().append(f"{title.rjust(self._margin - 1)} {wall}", "dim")

    def axis(self) -> Text:
        """Draw the numbers of the events: as many as there is room for."""
        stops = self._swept.stops
        end = f"{stops[-1].at:,} events"
        line = f"{stops[0].at:,}"
        for index in range(1, len(stops) - 1):
            place = (2 * index + 1) * self._width // (2 * len(stops))
            number = f"{stops[index].at:,}"
            fits = place + len(number) <= self._width - len(end) - 2
            if place >= len(line) + _BETWEEN and fits and stops[index].at % self._step() == 0:
                line = f"{line:{place}}{number}"
        room = self._width - len(line)
        line += end.rjust(max(room, len(end) + 1))
        return Text(" " * (self._margin + 1) + line, "dim")

    def _step(self) -> int:
        """Return the round number of events between two numbers of the axis."""
        stops = self._swept.stops
        least = max(1, (stops[-1].at - stops[0].at) * _APART // self._width)
        unit: int = 10 ** (len(str(least)) - 1)
        return next(unit * part for part in (1, 2, 5, 10) if unit * part >= least)


_BETWEEN = 2
_APART = 12


def _style(fate: str) -> str:
    return f"fate.{fate}"


def _told(summary: Summary) -> str:
    """Return the style of the worst fate under a policy."""
    return _style(summary.fate or "kept")


def _is_text(swept: SweepResult) -> bool:
    return "characters" in swept.kinds


def _heights(amount: Amount, most: int) -> dict[str, int]:
    """Return for each fate the row in which it ends. Any amount is at least one row high."""
    if not amount.all:
        return dict.fromkeys(FATES, 0)
    whole = max(1, round(amount.all / most * _HEIGHT))
    tops, below = {}, 0
    for fate in FATES:
        below += getattr(amount, fate)
        tops[fate] = round(below / amount.all * whole)
    return tops


def _fate_at(row: int, tops: dict[str, int]) -> str | None:
    return next((fate for fate in FATES if row < tops[fate]), None)


def _worst(amount: Amount) -> str | None:
    return next((fate for fate in WORST_FIRST if getattr(amount, fate)), None)


# --- figures --------------------------------------------------------------------------------------


class _Figures:
    """The effect of each policy on the thread: a table, or a list on a narrow terminal."""

    def __init__(self, swept: SweepResult) -> None:
        self._swept = swept

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        pairs = zip(self._swept.names, self._swept.summaries, strict=True)
        if options.max_width >= _TABLE:
            yield indented(_table(pairs), 0)
            return
        for name, summary in pairs:
            yield Prefixed("", _sentence(name, summary))


def _sentence(name: str, summary: Summary) -> Text:
    line = label(name, "bold").append(": ").append(summary.verdict, _told(summary))
    return line if summary.worst is None else line.append(f" ({amount_text(summary.amount)})")


def _table(rows: Iterator[tuple[str, Summary]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("policy", overflow="fold")
    for title in ("mean share lost", "stops with loss", "stops with stale", "worst stop"):
        table.add_column(title, justify="right", overflow="fold")
    table.add_column("there", overflow="fold")
    for name, summary in rows:
        table.add_row(label(name, "bold"), *_cells(summary))
    return table


def _cells(summary: Summary) -> Iterator[Text]:
    lost = _style("lost") if summary.losing else "dim"
    yield Text(share_text(summary.mean_share), lost)
    yield Text(f"{summary.losing:,}", lost)
    yield Text(f"{summary.stale:,}", _style("stale") if summary.stale else "dim")
    yield Text("" if summary.worst is None else f"{summary.worst.at}")
    if summary.fate is None:
        yield Text("nothing lost", "dim")
    else:
        yield Text(f"{amount_text(summary.amount)} {summary.fate}", _told(summary))


# --- commands -------------------------------------------------------------------------------------


def _show_commands(console: Console, swept: SweepResult) -> None:
    console.print(Text("to see the worst stop:", "dim"))
    for policy, summary in enumerate(swept.summaries):
        if summary.worst is not None:
            show_command(console, swept.command(policy, summary.worst.at))
