"""`chatkit-reducer sweep`: the outcome of a stop at each event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from chatkit_reducer.analysis.sweep_summary import SweepResult
from chatkit_reducer.analysis.sweeping import sweep_threads
from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import PROGRAM
from chatkit_reducer.cli.files import writing
from chatkit_reducer.cli.inputs import Log, Logs
from chatkit_reducer.cli.limits import Limits
from chatkit_reducer.cli.output import Pages
from chatkit_reducer.cli.policy_options import find_policy
from chatkit_reducer.cli.render.svg_size import NARROWEST, WIDTH
from chatkit_reducer.cli.stored import stored_thread
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.events import Json
from chatkit_reducer.policies import PRESETS

if TYPE_CHECKING:
    from rich.console import Console

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


@click.command(cls=options.Command, epilog=_EPILOG)
@options.logs
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME|FILE",
    shell_complete=options.complete_policy,
    help=f"A table to try, a preset or a file of TOML; may be given several times. "
    f"{', '.join(PRESETS)} if left out.",
)
@options.cause
@click.option(
    "--svg",
    metavar="FILE",
    shell_complete=options.complete_file,
    help="Write the chart to this file, instead of showing it.",
)
@click.option(
    "--width",
    callback=options.number("a number of pixels", at_least=NARROWEST),
    metavar="N",
    default=str(WIDTH),
    help=f"How wide that image is; {WIDTH} if left out, 480 for a narrow column.",
)
@options.stored
@options.limits
@options.as_json
@click.pass_context
def sweep(
    context: click.Context,
    *,
    logs: tuple[str, ...],
    policies: tuple[str, ...],
    cause: Cause,
    svg: str | None,
    width: int,
    stored: str | None,
    limits: Limits,
    as_json: bool,
) -> None:
    """Stop the stream of LOG at each of its events, as a dry run, and show what survives.

    For each policy: how much of the visible content of the items in flight is kept, how much is
    lost, and how much is stale: on the screen, and not in the store. Stored items are never at
    stake.
    """
    tables = _policies(policies)
    before = stored_thread(stored)
    named = Logs(logs, limits)
    pages = Pages(named)
    drawn: list[SweepResult] = []

    def sweep_one(log: Log) -> int:
        with log.open(limits) as source:
            threads = sweep_threads(source.file, tables, cause, before, **source.options)
        source.require_events(
            max(one.stops[-1].at for one in threads.values()),
            (anomaly for one in threads.values() for anomaly in one.state.anomalies),
        )
        commands = [_command(log, name, cause, stored) for name in policies or PRESETS]
        swept = [
            SweepResult(
                thread,
                [table.name for table in tables],
                one.stops,
                title=log.title if named.several else None,
                commands=commands,
                flights=one.flights,
            )
            for thread, one in threads.items()
        ]
        if svg is not None:
            drawn.extend(swept)
        if as_json:
            pages.print_json(log, (line for thread in swept for line in _to_json(thread)))
        elif svg is None:
            console = pages.console(log)
            _show(console, swept, cause)
            source.left_out.show(console)
            words = [word for name in policies for word in ("--policy", name)]
            words += options.words_of(cause, stored)
            _show_worst(console, swept, log, words)
        if as_json or svg is not None:
            source.left_out.tell(log)
        return 0

    status = named.each(sweep_one)
    if svg is not None and drawn:
        _write_svg(svg, drawn, cause, named, width)
    context.exit(status)


def _command(log: Log, policy: str, cause: Cause, stored: str | None) -> list[str | None]:
    """Return the words of the command that shows a stop of this log; None for its number."""
    words = [PROGRAM, "cancel", log.as_argument, "--at", None, "--policy", policy]
    return [*words, *options.words_of(cause, stored)]


def _policies(names: Sequence[str]) -> list[Policy]:
    tables = [find_policy(name) for name in names] or list(PRESETS.values())
    name, count = Counter(table.name for table in tables).most_common(1)[0]
    if count > 1:
        raise click.UsageError(f"{count} of the policies have the name {name!r}: give each once")
    return tables


def _to_json(swept: SweepResult) -> Iterator[Json]:
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


def _write_svg(
    name: str, swept: Sequence[SweepResult], cause: Cause, logs: Logs, width: int
) -> None:
    from chatkit_reducer.cli.render.svg import sweep_svg

    log, *others = logs.all
    title = f"any of {len(logs.all):,} logs" if others else Path(log.title).name
    with writing(name) as file:
        file.write(sweep_svg(swept, cause, title, width).encode())


def _show(console: Console, swept: Sequence[SweepResult], cause: Cause) -> None:
    from chatkit_reducer.cli.render.charts import show_sweep

    for number, thread in enumerate(swept):
        if number:
            console.print()
        show_sweep(console, thread, cause)


def _show_worst(
    console: Console, swept: Sequence[SweepResult], log: Log, words: Sequence[str]
) -> None:
    """Print the command that shows the worst stop, of the first policy and thread that has one."""
    from chatkit_reducer.cli.render.layout import show_view

    summaries = [summary for thread in swept for summary in thread.summaries]
    worst = next((summary.worst for summary in summaries if summary.worst is not None), None)
    if worst is not None:
        show_view(console, log.as_argument, worst.at, *words)
