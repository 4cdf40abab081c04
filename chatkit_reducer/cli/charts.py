"""A sweep as people read it in a terminal: a chart for each policy, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from chatkit_reducer.cli.layout import indented, label
from chatkit_reducer.cli.swept import Amount, Summary, Swept, amount_text
from chatkit_reducer.policy import Cause

__all__ = ["show_sweep"]

_HEIGHT = 7
_WIDEST = 160
_NARROWEST = 8

# From the bottom of the chart to its top.
_FATES = ("kept", "stale", "lost")
_STYLES: MappingProxyType[str, str] = MappingProxyType(
    {"kept": "green", "stale": "yellow", "lost": "red"}
)


class _Glyphs(NamedTuple):
    """What charts are drawn with. The shades tell without colours what is what."""

    kept: str
    stale: str
    lost: str
    wall: str
    floor: str
    corner: str


_BLOCKS = _Glyphs("\u2588", "\u2592", "\u2591", "\u2502", "\u2500", "\u2514")
_ASCII = _Glyphs("#", "+", ".", "|", "-", "+")


def show_sweep(console: Console, swept: Swept, cause: Cause) -> None:
    """Print what becomes of a thread, wherever its stream stops.

    Args:
        console: where to.
        swept: the stops.
        cause: how the stream would have ended.
    """
    last = swept.stops[-1].at
    facts = [
        "no id" if swept.thread is None else swept.thread,
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
    console.print(indented(_table(swept), 0))


class _Charts:
    """One chart for each policy, one under the other, with one axis for all."""

    def __init__(self, swept: Swept) -> None:
        self._swept = swept

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        is_plain = options.ascii_only or console.is_dumb_terminal
        drawing = _Drawing(self._swept, _ASCII if is_plain else _BLOCKS, options.max_width)
        yield indented(drawing.legend(), 0)
        for policy in range(len(self._swept.names)):
            yield Text()
            for line in drawing.chart(policy):
                yield indented(line, 0)
        yield indented(drawing.axis(), 0)


class _Drawing:
    def __init__(self, swept: Swept, glyphs: _Glyphs, width: int) -> None:
        self._swept = swept
        self._glyphs = glyphs
        self._lanes = [kind for kind in swept.kinds if kind != "characters"]
        self._margin = max(map(len, [f"{swept.most.characters:,}", *self._lanes])) + 3
        self._width = min(_WIDEST, max(_NARROWEST, width - self._margin - 1))

    def legend(self) -> Text:
        """What the shades mean."""
        legend = Text()
        for fate in _FATES:
            legend.append(getattr(self._glyphs, fate) * 2, _STYLES[fate]).append(f" {fate}   ")
        what = "characters in flight" if _is_text(self._swept) else "items in flight"
        return legend.append(what, "dim")

    def chart(self, policy: int) -> Iterator[Text]:
        """The chart of one policy: the characters, and below them a lane for each other kind."""
        swept = self._swept
        yield label(swept.names[policy], "bold")
        if _is_text(swept):
            most = swept.most.characters
            columns = swept.columns("characters", policy, self._width)
            heights = [_heights(amount, most) for amount in columns]
            for row in range(_HEIGHT - 1, -1, -1):
                title = f"{most:,}" if row == _HEIGHT - 1 else ""
                yield self._line(title, [_fate_at(row, tops) for tops in heights])
            yield self._floor("0")
        for kind in self._lanes:
            amounts = swept.columns(kind, policy, self._width)
            yield self._line(kind, [_worst(amount) for amount in amounts])
        if not _is_text(swept):
            yield self._floor("")

    def _line(self, title: str, fates: Sequence[str | None]) -> Text:
        line = Text(title.rjust(self._margin - 1) + " ", "dim")
        line.append(self._glyphs.wall, "dim")
        for fate in fates:
            if fate is None:
                line.append(" ")
            else:
                line.append(getattr(self._glyphs, fate), _STYLES[fate])
        return line

    def _floor(self, title: str) -> Text:
        line = Text(title.rjust(self._margin - 1) + " ", "dim")
        return line.append(self._glyphs.corner + self._glyphs.floor * self._width, "dim")

    def axis(self) -> Text:
        """The numbers of the events."""
        first, last = self._swept.stops[0].at, self._swept.stops[-1].at
        begin, end = f"{first:,}", f"{last:,} events"
        room = self._width - len(begin)
        return Text(" " * (self._margin + 1) + begin + end.rjust(max(room, len(end) + 1)), "dim")


def _is_text(swept: Swept) -> bool:
    return "characters" in swept.kinds


def _heights(amount: Amount, most: int) -> dict[str, int]:
    """For each fate the row in which it ends. What there is at all is at least one row high."""
    if not amount.all:
        return dict.fromkeys(_FATES, 0)
    whole = max(1, round(amount.all / most * _HEIGHT))
    tops, below = {}, 0
    for fate in _FATES:
        below += getattr(amount, fate)
        tops[fate] = round(below / amount.all * whole)
    return tops


def _fate_at(row: int, tops: dict[str, int]) -> str | None:
    return next((fate for fate in _FATES if row < tops[fate]), None)


def _worst(amount: Amount) -> str | None:
    return next((fate for fate in reversed(_FATES) if getattr(amount, fate)), None)


def _table(swept: Swept) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("policy", overflow="fold")
    for title in ("mean share lost", "stops with loss", "stops with stale", "worst stop"):
        table.add_column(title, justify="right", overflow="fold")
    table.add_column("lost there", overflow="fold")
    for number, name in enumerate(swept.names):
        table.add_row(label(name, "bold"), *_figures(swept.summary(number)))
    return table


def _figures(summary: Summary) -> Iterator[Text]:
    bad, odd = ("red" if summary.losing else "green"), ("yellow" if summary.stale else "dim")
    yield Text(f"{summary.mean_share:.0%}", bad)
    yield Text(f"{summary.losing:,}", bad)
    yield Text(f"{summary.stale:,}", odd)
    yield Text("" if summary.worst is None else f"{summary.worst.at:,}")
    yield Text(amount_text(summary.lost), "" if summary.losing else "dim")
