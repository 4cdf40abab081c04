"""`chatkit-reducer sweep`: what survives, wherever the stream ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import msgspec

from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import PROGRAM, InputError
from chatkit_reducer.cli.output import people_console, print_json_lines
from chatkit_reducer.cli.policies import cause as cause_option
from chatkit_reducer.cli.policies import find_policy
from chatkit_reducer.cli.reading import stored_thread, thread_id_of
from chatkit_reducer.cli.swept import Swept
from chatkit_reducer.cli.threads import LogOfThreads
from chatkit_reducer.events import Json
from chatkit_reducer.policies import PRESETS
from chatkit_reducer.policy import Cause, Policy
from chatkit_reducer.state import ThreadState
from chatkit_reducer.sweep import Stop, Sweeping

__all__ = ["sweep"]

_EPILOG = f"""
With --json, each stop is one object, where each "..." is
{{"characters": n, "tasks": n, "widgets": n, "images": n}}:

\b
  {{"thread": id or null, "at": events before it, "seen": ...,
   "policies": {{NAME: {{"kept": ..., "lost": ..., "stale": ...}}}}}}

Examples:

\b
  {PROGRAM} sweep session.sse
  {PROGRAM} sweep session.sse --policy keep --policy mine.toml
  {PROGRAM} sweep session.sse.gz --svg sweep.svg
  {PROGRAM} sweep session.sse --json | jq .policies.sdk.lost
"""


@click.command(epilog=_EPILOG, short_help="Show what survives, wherever the stream of LOG ends.")
@options.log
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME|FILE",
    help=f"A table to try, a preset or a file of TOML; may be given several times. "
    f"{', '.join(PRESETS)} if left out.",
)
@cause_option
@click.option("--svg", metavar="FILE", help="Write the chart to this file, instead of showing it.")
@options.stored
@options.max_event_bytes
@options.as_json
def sweep(
    *,
    log: str,
    policies: tuple[str, ...],
    cause: Cause,
    svg: str | None,
    stored: str | None,
    max_event_bytes: int,
    as_json: bool,
) -> None:
    """Stop the stream of LOG at each of its events, on paper, and show what survives.

    For each policy: how much of what people see of the items in flight is kept, how much is lost,
    and how much is stale: on the screen, and not in the store. What is stored is never at stake.
    """
    tables = _policies(policies)
    before = None if stored is None else stored_thread(stored)
    threads = LogOfThreads(log, before, max_event_bytes=max_event_bytes)
    swept = _swept(threads, tables, cause, before)
    if svg is not None:
        _write_svg(svg, swept, cause, log)
    if as_json:
        print_json_lines(line for thread in swept for line in _to_json(thread))
    elif svg is None:
        _show(swept, cause)


def _policies(names: Sequence[str]) -> list[Policy]:
    tables = [find_policy(name) for name in names] or list(PRESETS.values())
    name, count = Counter(table.name for table in tables).most_common(1)[0]
    if count > 1:
        raise click.UsageError(f"{count} of the policies have the name {name!r}: give each once")
    return tables


def _swept(
    threads: LogOfThreads, tables: Sequence[Policy], cause: Cause, before: ThreadState | None
) -> list[Swept]:
    sweeps: dict[str | None, tuple[Sweeping, list[Stop]]] = {}
    for thread, run in threads.runs():
        if None in sweeps and thread is not None:
            sweeps[thread] = sweeps.pop(None)
        if thread not in sweeps:
            sweeps[thread] = _begun(tables, cause, before, threads.events)
        sweeping, stops = sweeps[thread]
        sweeping.position = threads.events
        stops.extend(sweeping.take(run))
    if not sweeps:
        sweeps[None] = _begun(tables, cause, before, 0)
    names = [table.name for table in tables]
    stored = None if before is None else thread_id_of(before)
    return [
        Swept(stored if thread is None else thread, names, stops)
        for thread, (_, stops) in sweeps.items()
    ]


def _begun(
    tables: Sequence[Policy], cause: Cause, before: ThreadState | None, position: int
) -> tuple[Sweeping, list[Stop]]:
    sweeping = Sweeping(tables, cause, before)
    sweeping.position = position
    return sweeping, [sweeping.stop()]


def _to_json(swept: Swept) -> Iterator[Json]:
    for stop in swept.stops:
        fates = zip(swept.names, stop.fates, strict=True)
        yield {
            "thread": swept.thread,
            "at": stop.at,
            "seen": msgspec.structs.asdict(stop.seen),
            "policies": {
                name: {
                    "kept": msgspec.structs.asdict(fate.kept),
                    "lost": msgspec.structs.asdict(fate.lost),
                    "stale": msgspec.structs.asdict(fate.stale),
                }
                for name, fate in fates
            },
        }


def _write_svg(name: str, swept: Sequence[Swept], cause: Cause, log: str) -> None:
    from chatkit_reducer.cli.svg import sweep_svg

    title = "standard input" if log == "-" else Path(log).name
    try:
        Path(name).write_text(sweep_svg(swept, cause, title), encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {name!r}: {error.strerror or error}") from None


def _show(swept: Sequence[Swept], cause: Cause) -> None:
    from chatkit_reducer.cli.charts import show_sweep

    console = people_console()
    for number, thread in enumerate(swept):
        if number:
            console.print()
        show_sweep(console, thread, cause)
