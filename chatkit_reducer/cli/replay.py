"""`chatkit-reducer replay`: a thread as a log makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import click

from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import PROGRAM, Faulty
from chatkit_reducer.cli.output import people_console, print_json_lines
from chatkit_reducer.cli.reading import (
    log_of,
    reading,
    rubbish,
    stored_thread,
    thread_id_of,
)
from chatkit_reducer.codec import to_json
from chatkit_reducer.errors import AnomalyError
from chatkit_reducer.events import Json
from chatkit_reducer.logs import replay as replay_log
from chatkit_reducer.logs import replay_threads
from chatkit_reducer.state import ThreadState

__all__ = ["replay"]

Threads: TypeAlias = Mapping[str | None, ThreadState]

_EPILOG = f"""
With --json, each thread is one object:

\b
  {{"thread": id or null, "items": [...], "pending": [ids],
   "anomalies": [...], "error": the newest error event or null}}

Examples:

\b
  {PROGRAM} replay session.sse
  {PROGRAM} replay session.jsonl.gz --until 120
  {PROGRAM} replay session.sse --stored thread.json
  {PROGRAM} replay session.sse --json | jq '.items[-1]'
  curl -sN -d @request.json $URL | {PROGRAM} replay -
"""


@click.command(epilog=_EPILOG, short_help="Show the threads in LOG.")
@options.log
@options.until
@options.stored
@click.option("--strict", is_flag=True, help="End at the first fault in the data, with status 1.")
@options.max_event_bytes
@options.as_json
def replay(
    *,
    log: str,
    until: int | None,
    stored: str | None,
    strict: bool,
    max_event_bytes: int,
    as_json: bool,
) -> None:
    """Show each thread in LOG as its events leave it, or as the first N of them do.

    What is not done yet is marked as pending. What was wrong with the data is listed at the end,
    with what was done instead. The number of an event says how many came before it: so --until with
    that number stops right in front of it.
    """
    before = None if stored is None else stored_thread(stored)
    threads = _replayed(log, before, until=until, strict=strict, max_event_bytes=max_event_bytes)
    _refuse_rubbish(log, threads, before)
    if as_json:
        print_json_lines(_to_json(thread, state) for thread, state in threads.items())
    else:
        _show(threads, until)


def _replayed(name: str, before: ThreadState | None, **how: Any) -> Threads:
    with reading(name) as bar:
        log = log_of(name)
        try:
            if before is None:
                threads: Threads = replay_threads(log, on_progress=bar.advance, **how)
                return threads or {None: ThreadState()}
            state = replay_log(log, before, on_progress=bar.advance, **how)
        except AnomalyError as error:
            raise Faulty(str(error)) from None
    return {thread_id_of(state): state}


def _refuse_rubbish(name: str, threads: Threads, before: ThreadState | None) -> None:
    """Refuse a log in which there is something, and nothing of it is an event."""
    (thread, state), *others = threads.items()
    known = 0 if before is None else len(before.anomalies)
    of_log = state.anomalies[known:]
    is_named = before is None and thread is not None
    if of_log and state.position == 0 and not is_named and not others:
        raise rubbish(name, of_log[0].line, of_log[0].problem)


def _to_json(thread: str | None, state: ThreadState) -> Json:
    return {
        "thread": thread,
        "items": [item.plain() for item in state.items.values()],
        "pending": state.pending,
        "anomalies": [anomaly.to_json() for anomaly in state.anomalies],
        "error": None if state.error is None else to_json(state.error),
    }


def _show(threads: Threads, until: int | None) -> None:
    from chatkit_reducer.cli.show import show_thread

    console = people_console()
    for number, (thread, state) in enumerate(threads.items()):
        if number:
            console.print()
        show_thread(console, state, thread_id=thread, until=until)
