"""`chatkit-reducer check`: find the faults of logs."""

from __future__ import annotations

import click

from chatkit_reducer.analysis.log_checker import check as check_log
from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import FAULTY, PROGRAM, cannot_read
from chatkit_reducer.cli.inputs import Log, Logs
from chatkit_reducer.cli.limits import Limits
from chatkit_reducer.cli.output import Pages, people_console
from chatkit_reducer.cli.render.check_report import Totals, show_first, show_result, show_totals
from chatkit_reducer.cli.stored import stored_thread
from chatkit_reducer.core.anomalies import AnomalyKind

__all__ = ["check"]

_EPILOG = f"""
A finding is one of these:

\b
  - a piece that cannot be read, or an event that does not fit the thread (its
    kind is that of an anomaly, such as `unreadable` or `item_not_found`);
  - an item or a part whose updates do not add up to its `done`: people read
    something else than what was stored (`difference`);
  - an update sent as an event of its own (`update_as_event`), an item for the
    model alone that is sent to the client (`hidden_item`), an id that every
    item of the Agents SDK has (`placeholder_id`);
  - an item that is not done when the stream has ended (`left_pending`);
  - a sequence number that does not follow the last one (`sequence_gap`,
    `sequence_repeated`);
  - how many more anomalies of a thread there were behind the first 10,000
    (`unlisted`).

Examples:

\b
  {PROGRAM} check session.sse
  {PROGRAM} check logs/
  {PROGRAM} check session.sse --stored thread.json
  {PROGRAM} check session.jsonl.zst --json | jq -r .kind | sort
  curl -sN -d @request.json $URL | {PROGRAM} check -
"""


@click.command(cls=options.Command, epilog=_EPILOG)
@options.logs
@options.stored
@click.option(
    "--stopped",
    is_flag=True,
    help="Somebody stopped the stream: items that are pending at its end are not findings.",
)
@options.limits
@options.as_json
@click.pass_context
def check(
    context: click.Context,
    *,
    logs: tuple[str, ...],
    stored: str | None,
    stopped: bool,
    limits: Limits,
    as_json: bool,
) -> None:
    """Find the faults of each LOG. The exit status is 1 if there is any.

    LOG is a file, a folder of logs, or - for standard input. "after event 6" is the state that
    `replay --until 6` shows, and `cancel --at 6` settles.
    """
    before = stored_thread(stored)
    named = Logs(logs, limits)
    pages, totals = Pages(named), Totals()
    known = set[str]() if stored is None else {AnomalyKind.ITEM_NOT_FOUND.value}

    def check_one(log: Log) -> int:
        with log.open(limits) as source:
            result = check_log(source.file, before, stopped=stopped, **source.options)
        source.require_events(result.events, result.findings)
        if not result.events:  # what a server that is down sends, too
            raise cannot_read(log.name, "it has no event, so there is nothing to check")
        totals.add(result)
        if as_json:
            pages.print_json(log, (finding.to_json() for finding in result.findings))
            source.left_out.tell(log)
        elif result.findings or not named.several:
            console = pages.console(log)
            show_result(console, result, None if named.several else totals.kinds - known)
            source.left_out.show(console)
            show_first(console, result, log.as_argument, *options.words_of(stored=stored))
        return FAULTY if result.findings else 0

    status = named.each(check_one)
    if named.several and not as_json and totals.logs:
        show_totals(people_console(), totals, totals.kinds - known)
    context.exit(status)
