"""`chatkit-reducer cancel`: what survives if the stream ends here."""

from __future__ import annotations

import click

from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import PROGRAM, notice
from chatkit_reducer.cli.inputs import Log
from chatkit_reducer.cli.limits import Limits
from chatkit_reducer.cli.output import people_console, print_json_lines
from chatkit_reducer.cli.policy_options import find_policy
from chatkit_reducer.cli.render.policy import marker_json
from chatkit_reducer.cli.stored import stored_thread
from chatkit_reducer.cli.threads import fold_log
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.policy.settle import settle
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.events import Json
from chatkit_reducer.policies import PRESETS, SDK

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


@click.command(cls=options.Command, epilog=_EPILOG)
@options.log
@click.option(
    "--at",
    callback=options.number("a number of events", at_least=0),
    metavar="N",
    help="Stop behind the first N events; behind all of them if left out.",
)
@click.option(
    "--policy",
    metavar="NAME|FILE",
    shell_complete=options.complete_policy,
    default=SDK.name,
    help=f"The table that decides: {', '.join(PRESETS)}, or a file of TOML; sdk if left out.",
)
@options.cause
@options.stored
@options.limits
@options.as_json
def cancel(
    *,
    log: str,
    at: int | None,
    policy: str,
    cause: Cause,
    stored: str | None,
    limits: Limits,
    as_json: bool,
) -> None:
    """Show what becomes of the items in flight if the stream of LOG ends here: a dry run.

    For each item that is not done: the decision of the policy, and its reason. Then the writes to
    the store, the note for the model, and the changes that a client would see. Nothing is written.
    """
    table, source = find_policy(policy), Log.single(log)
    folded = fold_log(source, stored_thread(stored), limits, until=at)
    settled = {
        thread: (state, settle(state, policy=table, cause=cause))
        for thread, state in folded.threads.items()
    }
    if as_json:
        print_json_lines(
            {**_to_json(thread, settlement, folded.events), **folded.left_out.json}
            for thread, (_, settlement) in settled.items()
        )
        return
    from chatkit_reducer.cli.render.layout import show_view
    from chatkit_reducer.cli.render.settlement import show_settlement

    if at is not None and at > folded.events:
        last = f"the last of {folded.events:,} events"
        notice(f"--at {at:,} is beyond {last}: the stream is stopped behind that")
    console = people_console()
    for number, (thread, (state, settlement)) in enumerate(settled.items()):
        if number:
            console.print()
        show_settlement(console, state, settlement, thread_id=thread, at=folded.events)
    folded.left_out.show(console)
    words = ["--policy", policy, *options.words_of(cause, stored)]
    show_view(console, source.as_argument, folded.events, *words)


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
