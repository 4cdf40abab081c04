"""The output of `check`: the findings of a log, advice about them, and the figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from chatkit_reducer.analysis.finding import Finding
from chatkit_reducer.analysis.log_checker import LEFT_PENDING, CheckResult
from chatkit_reducer.core.anomalies import AnomalyKind

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Totals", "show_first", "show_result", "show_totals"]

_ADVICE = {
    AnomalyKind.ITEM_NOT_FOUND.value: (
        "An item that the thread does not have may be one of an earlier response: give the items "
        "that were stored before this log with --stored."
    ),
    LEFT_PENDING: (
        "A log does not tell whether its stream ended by itself or was stopped. If it was "
        "stopped, say so with --stopped."
    ),
}


@attrs.define
class Totals:
    """The figures of all logs."""

    logs: int = 0
    faulty: int = 0
    findings: int = 0
    events: int = 0
    kinds: set[str] = attrs.field(factory=set)

    def add(self, result: CheckResult) -> None:
        """Add those of one log."""
        self.logs += 1
        self.faulty += bool(result.findings)
        self.findings += len(result.findings)
        self.events += result.events
        self.kinds.update(finding.kind for finding in result.findings)


def show_result(console: Console, result: CheckResult, advise: set[str] | None) -> None:
    """Print the findings of one log, and how many there are.

    Args:
        console: where to.
        result: the findings.
        advise: the kinds of findings to give advice about.
    """
    _show_findings(console, result.findings)
    _show_advice(console, advise or set())
    _show_count(console, len(result.findings), f"in {_count(result.events, 'event')}")


def show_first(console: Console, result: CheckResult, log: str, *options: str) -> None:
    """Print the command that shows the first finding, if that has a place.

    Args:
        console: where to.
        result: the findings.
        log: the log as an argument.
        options: more words of the command.
    """
    from chatkit_reducer.cli.render.layout import show_view

    at = next((finding.position for finding in result.findings if finding.position), None)
    if at is not None:
        show_view(console, log, at, *options)


def show_totals(console: Console, totals: Totals, advise: set[str]) -> None:
    """Print the figures of all logs, with advice about these kinds of findings."""
    if totals.faulty:
        console.print()
    _show_advice(console, advise)
    logs = _count(totals.logs, "log")
    where = f"in {totals.faulty:,} of {logs}" if totals.faulty else f"in {logs}"
    _show_count(console, totals.findings, f"{where}, {_count(totals.events, 'event')}")


def _show_findings(console: Console, findings: Sequence[Finding]) -> None:
    from chatkit_reducer.cli.render.findings import findings_list

    threads = {finding.thread for finding in findings}
    for block in findings_list(findings, name_threads=len(threads) > 1):
        console.print(block)
        console.print()


def _show_advice(console: Console, kinds: set[str]) -> None:
    from rich.text import Text

    from chatkit_reducer.cli.render.layout import indented

    for kind, advice in _ADVICE.items():
        if kind in kinds:
            console.print(indented(Text(advice, "dim"), 0))
            console.print()


def _show_count(console: Console, findings: int, where: str) -> None:
    from rich.text import Text

    found = _count(findings, "finding") if findings else "no findings"
    console.print(Text(f"{found} {where}", "bold red" if findings else "bold green"))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
