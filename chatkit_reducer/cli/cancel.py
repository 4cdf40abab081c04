"""`chatkit-reducer cancel`: what survives if the stream ends here."""

from __future__ import annotations

import click

from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import PROGRAM
from chatkit_reducer.cli.options import _number
from chatkit_reducer.cli.output import people_console, print_json_lines
from chatkit_reducer.cli.policies import cause as cause_option
from chatkit_reducer.cli.policies import find_policy
from chatkit_reducer.cli.policy_table import marker_json
from chatkit_reducer.cli.reading import stored_thread
from chatkit_reducer.cli.threads import LogOfThreads
from chatkit_reducer.codec import to_json
from chatkit_reducer.events import Json
from chatkit_reducer.policies import PRESETS, SDK
from chatkit_reducer.policy import Cause
from chatkit_reducer.settlement import Settlement, settle

__all__ = ["cancel"]

_EPILOG = f"""
With --json, each thread is one object:

\b
  {{"thread": id or null, "at": events folded,
   "writes": [{{"op": "add" or "save", "item": {{...}}}}],
   "persist": [ids], "discard": [ids], "stale": [ids],
   "marker": {{"type", "content", "causes"}} or null,
   "events": [what brings a client in line with the store]}}

Examples:

\b
  {PROGRAM} cancel session.sse
  {PROGRAM} cancel session.sse --at 120 --policy keep
  {PROGRAM} cancel session.sse --policy mine.toml --cause timed-out
  {PROGRAM} cancel session.sse --at 120 --json | jq .writes
"""


@click.command(epilog=_EPILOG, short_help="Show what survives if the stream of LOG ends here.")
@options.log
@click.option(
    "--at",
    callback=_number("a number of events", at_least=0),
    metavar="N",
    help="Stop behind the first N events; behind all of them if left out.",
)
@click.option(
    "--policy",
    metavar="NAME|FILE",
    default=SDK.name,
    help=f"The table that decides: {', '.join(PRESETS)}, or a file of TOML; sdk if left out.",
)
@cause_option
@options.stored
@options.max_event_bytes
@options.as_json
def cancel(
    *,
    log: str,
    at: int | None,
    policy: str,
    cause: Cause,
    stored: str | None,
    max_event_bytes: int,
    as_json: bool,
) -> None:
    """Show what becomes of the items in flight if the stream of LOG ends here, on paper.

    For each item that is not done: what the policy decides, and why. Then what a store has to
    write, what is noted for the model, and what a client would see change. Nothing is written.
    """
    table = find_policy(policy)
    before = None if stored is None else stored_thread(stored)
    threads = LogOfThreads(log, before, until=at, max_event_bytes=max_event_bytes)
    states = threads.states()
    settled = {
        thread: (state, settle(state, policy=table, cause=cause))
        for thread, state in states.items()
    }
    if as_json:
        print_json_lines(
            _to_json(thread, settlement, threads.events)
            for thread, (_, settlement) in settled.items()
        )
        return
    from chatkit_reducer.cli.show_settlement import show_settlement

    console = people_console()
    for number, (thread, (state, settlement)) in enumerate(settled.items()):
        if number:
            console.print()
        show_settlement(console, state, settlement, thread_id=thread, at=threads.events)


def _to_json(thread: str | None, settlement: Settlement, at: int) -> Json:
    return {
        "thread": thread,
        "at": at,
        "writes": [{"op": write.op, "item": write.item} for write in settlement.writes],
        "persist": [item.id for item in settlement.persist],
        "discard": [item.id for item in settlement.discard],
        "stale": [item.id for item in settlement.stale],
        "marker": marker_json(settlement.marker),
        "events": [to_json(event) for event in settlement.events],
    }
