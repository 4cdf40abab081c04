"""`chatkit-reducer check`: what is wrong with a log."""

from __future__ import annotations

from collections.abc import Sequence

import click

from chatkit_reducer.anomalies import FaultKind
from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import FAULTY, PROGRAM
from chatkit_reducer.cli.findings import Checking, Finding
from chatkit_reducer.cli.output import people_console, print_json_lines
from chatkit_reducer.cli.reading import (
    log_of,
    reading,
    rubbish,
    stored_thread,
    thread_id_of,
)
from chatkit_reducer.logs import read_records
from chatkit_reducer.logs.threads import by_thread

__all__ = ["check"]

_ADVICE = (
    "An item that the thread does not have may be one of an earlier response: give what was stored "
    "before this log with --stored."
)

_EPILOG = f"""
A finding is one of these:

\b
  - what cannot be read, or does not fit the thread (its kind is that of an
    anomaly, such as `unreadable` or `item_not_found`);
  - an item whose updates do not add up to its `thread.item.done`: whoever
    read along saw something else than what was stored (`difference`);
  - a sequence number that does not follow the last one (`sequence_gap`,
    `sequence_repeated`).

Examples:

\b
  {PROGRAM} check session.sse
  {PROGRAM} check session.sse --stored thread.json
  {PROGRAM} check session.jsonl.zst --json | jq -r .kind | sort
  curl -sN -d @request.json $URL | {PROGRAM} check -
"""


@click.command(epilog=_EPILOG)
@options.log
@options.stored
@options.max_event_bytes
@options.as_json
@click.pass_context
def check(
    context: click.Context,
    *,
    log: str,
    stored: str | None,
    max_event_bytes: int,
    as_json: bool,
) -> None:
    """Find what is wrong with LOG. The exit status is 1 if there is anything.

    The number of an event says how many came before it: so `replay --until` with that number stops
    right in front of it.
    """
    checking = _checked(log, stored, max_event_bytes)
    findings = checking.findings()
    unreadable = next((finding for finding in findings if finding.line is not None), None)
    if unreadable is not None and checking.events == 0:
        raise rubbish(log, unreadable.line, unreadable.problem)
    if as_json:
        print_json_lines(finding.to_json() for finding in findings)
    else:
        _show(findings, checking.events, stored=stored is not None)
    context.exit(FAULTY if findings else 0)


def _checked(name: str, stored: str | None, max_event_bytes: int) -> Checking:
    before = None if stored is None else stored_thread(stored)
    thread = None if before is None else thread_id_of(before)
    checking = Checking(before, thread)
    with reading(name) as bar:
        records = read_records(
            log_of(name), max_event_bytes=max_event_bytes, on_progress=bar.advance
        )
        checking.take(by_thread(records) if before is None else ((thread, r) for r in records))
    return checking


def _show(findings: Sequence[Finding], events: int, *, stored: bool) -> None:
    from rich.text import Text

    from chatkit_reducer.cli.findings_list import findings_list
    from chatkit_reducer.cli.layout import indented

    console = people_console()
    threads = {finding.thread for finding in findings}
    for block in findings_list(findings, name_threads=len(threads) > 1):
        console.print(block)
        console.print()
    if not stored and any(finding.kind == FaultKind.ITEM_NOT_FOUND.value for finding in findings):
        console.print(indented(Text(_ADVICE, "dim"), 0))
        console.print()
    found = "no findings" if not findings else _count(len(findings), "finding")
    style = "bold red" if findings else "bold green"
    console.print(Text(f"{found} in {_count(events, 'event')}", style))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
