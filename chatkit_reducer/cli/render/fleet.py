"""The answer about a fleet, in a terminal: figures with bars, and the worst threads."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from chatkit_reducer.cli.render.fleet_report import FleetReport, OutcomeLine
from chatkit_reducer.cli.render.layout import indented, label, show_command
from chatkit_reducer.cli.render.text import id_text
from chatkit_reducer.palette import FATES

__all__ = ["show_fleet"]

_BAR = 16
_NARROW = 6
_SHOWN = 5
"""So many of the worst threads of each policy are shown."""


def show_fleet(console: Console, report: FleetReport) -> None:
    """Print a report.

    Args:
        console: where to.
        report: the figures.
    """
    console.print(indented(label(report.title, "bold"), 0))
    console.print(indented(Rule(style="dim"), 0))
    for fact in report.facts:
        console.print(indented(Text(fact, "dim"), 0))
    if not any(line.tally.at_stake for line in report.by_policy):
        console.print()
        console.print("At the end of each log, nothing is at stake: all items are done.")
    else:
        _show_outcomes(console, "cause", report.by_policy)
        _show_outcomes(console, "item type", report.by_type)
    if report.stops:
        _show_stops(console, report)
    _show_worst(console, report)


def _show_outcomes(console: Console, about: str, lines: Sequence[OutcomeLine]) -> None:
    counted = [] if lines[0].threads is None else ["threads"]
    table = _table("policy", about, numbers=[*FATES, *counted], others=["", "lost content"])
    for line in lines:
        counts = [Text(f"{count:,}", _style(fate)) for fate, count in line.counts]
        counts += [] if line.threads is None else [Text(f"{line.threads:,}")]
        words = [id_text(line.policy), line.about]
        table.add_row(*words, *counts, _Bar(line.counts), Text(line.lost))
    console.print()
    console.print(Text(f"Items in flight at the end of the logs, by {about}", "bold"))
    console.print(indented(table, 0))


def _show_stops(console: Console, report: FleetReport) -> None:
    table = _table("policy", "cause", numbers=["stops", "losing", "lost on average"], others=[])
    for line in report.by_stop:
        words = [id_text(line.policy), line.cause, f"{line.tally.at_stake:,}"]
        table.add_row(*words, line.losing, line.mean)
    console.print()
    console.print(Text("Stopped at each event with something at stake", "bold"))
    console.print(indented(table, 0))


def _table(*words: str, numbers: Sequence[str], others: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in words:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for name in others:
        table.add_column(name)
    return table


class _Bar:
    """The shares of the fates, as cells."""

    def __init__(self, counts: Sequence[tuple[str, int]]) -> None:
        self._counts = counts

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(_NARROW, _BAR)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        is_plain = options.ascii_only or console.is_dumb_terminal
        bar = Text(no_wrap=True)
        for fate, cells in _cells(self._counts, min(_BAR, options.max_width)):
            sign = FATES[fate].ascii if is_plain else FATES[fate].block
            bar.append(sign * cells, _style(fate))
        yield bar


def _cells(counts: Sequence[tuple[str, int]], width: int) -> list[tuple[str, int]]:
    """Return how many cells each fate has: one at least if there is any of it."""
    total = sum(count for _, count in counts)
    cells = {fate: max(1, round(width * n / total)) if n else 0 for fate, n in counts}
    if total:
        largest = max(cells, key=cells.__getitem__)
        cells[largest] += width - sum(cells.values())
    return list(cells.items())


def _show_worst(console: Console, report: FleetReport) -> None:
    lines = [
        line
        for policy in report.policies
        for line in [line for line in report.worst if line.policy == policy][:_SHOWN]
    ]
    if lines:
        console.print()
        console.print(Text("The threads that lose most", "bold"))
    for line in lines:
        thread = "no id" if line.thread is None else id_text(line.thread)
        console.print(indented(Text(f"{id_text(line.policy)}: {thread}, {line.lost}"), 0))
        if line.command:
            show_command(console, line.command)


def _style(fate: str) -> str:
    return f"fate.{fate}"
