"""`chatkit-reducer replay`: a thread as a log makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import click

from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import PROGRAM
from chatkit_reducer.cli.inputs import Log, Logs
from chatkit_reducer.cli.limits import Limits
from chatkit_reducer.cli.output import Pages
from chatkit_reducer.cli.stored import stored_thread
from chatkit_reducer.cli.threads import fold_log
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Json

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["replay"]

Threads: TypeAlias = Mapping[str | None, ThreadState]

_EPILOG = f"""
With --json, each thread is one object:

\b
  {{"thread": id or null, "items": [...], "pending": [ids],
   "anomalies": [...], "error": the newest error event or null}}

Of more than 10,000 anomalies the first are listed, and the others counted
in "unlisted_anomalies". What is not part of an event and was left out is
counted in "left_out", if there is any.

Images, charts and forms of widgets are drawn by `{PROGRAM} view`, as people
saw them after any event.

Examples:

\b
  {PROGRAM} replay session.sse
  {PROGRAM} replay session.jsonl.gz --until 120
  {PROGRAM} replay session.sse --stored thread.json
  {PROGRAM} replay logs/ other.sse
  {PROGRAM} replay session.sse --json | jq '.items[-1]'
  curl -sN -d @request.json $URL | {PROGRAM} replay -
"""


@click.command(cls=options.Command, epilog=_EPILOG)
@options.logs
@options.until
@options.stored
@click.option("--strict", is_flag=True, help="End at the first fault in the data, with status 1.")
@options.limits
@options.as_json
@click.pass_context
def replay(
    context: click.Context,
    *,
    logs: tuple[str, ...],
    until: int | None,
    stored: str | None,
    strict: bool,
    limits: Limits,
    as_json: bool,
) -> None:
    """Show each thread in LOG as its events leave it, or as the first N of them do.

    LOG is a file, a folder of logs, or - for standard input. Pending items are marked. Faults in
    the data are listed at the end, with the remedy of the fold. "after event 6" is the state that
    --until 6 shows, and `cancel --at 6` settles.
    """
    before = stored_thread(stored)
    named = Logs(logs, limits)
    pages = Pages(named)

    def show_one(log: Log) -> int:
        threads, _, left_out = fold_log(log, before, limits, until=until, strict=strict)
        if as_json:
            pages.print_json(
                log, ({**_to_json(*pair), **left_out.json} for pair in threads.items())
            )
        else:
            console = pages.console(log)
            _show(console, threads, until)
            left_out.show(console)
        return 0

    context.exit(named.each(show_one))


def _to_json(thread: str | None, state: ThreadState) -> Json:
    json: Json = {
        "thread": thread,
        "items": [item.json_view() for item in state.items.values()],
        "pending": state.pending,
        "anomalies": [{**one.to_json(), "position": one.at} for one in state.anomalies],
        "error": None if state.error is None else to_json(state.error),
    }
    if state.unlisted_anomalies:
        json["unlisted_anomalies"] = state.unlisted_anomalies
    return json


def _show(console: Console, threads: Threads, until: int | None) -> None:
    from chatkit_reducer.cli.render.thread import show_thread

    for number, (thread, state) in enumerate(threads.items()):
        if number:
            console.print()
        show_thread(console, state, thread_id=thread, until=until)
