"""`chatkit-reducer compact`: a log in fewer events."""

from __future__ import annotations

import sys

import click

from chatkit_reducer.analysis.compaction import compact_records
from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import PROGRAM, notice
from chatkit_reducer.cli.inputs import Log, Logs
from chatkit_reducer.cli.left_out import LeftOut
from chatkit_reducer.cli.limits import Limits
from chatkit_reducer.cli.output import Pages
from chatkit_reducer.cli.stored import stored_thread
from chatkit_reducer.cli.targets import Target
from chatkit_reducer.core.fold.folder import fold
from chatkit_reducer.events import Unreadable
from chatkit_reducer.logs import JSON_LINES, Framing, Record
from chatkit_reducer.logs.block_decoding import BlockDecoder
from chatkit_reducer.logs.blocks import LogStart
from chatkit_reducer.logs.reading import blocks

__all__ = ["compact"]

_EPILOG = f"""
With --json, what it saved is one object:

\b
  {{"events": n, "compacted": n, "bytes": n, "compacted_bytes": n}}

Examples:

\b
  {PROGRAM} compact session.sse > short.sse
  {PROGRAM} compact session.jsonl -o session.jsonl
  {PROGRAM} compact session.sse -o session.jsonl.zst
  {PROGRAM} compact logs/ -o shorter/
  {PROGRAM} compact session.sse --json
"""


@click.command(cls=options.Command, epilog=_EPILOG)
@options.logs
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER",
    shell_complete=options.complete_file,
    help="Write to this file; by its suffix SSE (.sse) or JSON lines (.jsonl), compressed or not. "
    "It may be LOG itself. For several logs a folder, in which each keeps its name.",
)
@options.stored
@options.limits
@options.as_json
@click.pass_context
def compact(
    context: click.Context,
    *,
    logs: tuple[str, ...],
    output: str | None,
    stored: str | None,
    limits: Limits,
    as_json: bool,
) -> None:
    """Write LOG with all deltas of a text in one: fewer events that make the same thread.

    LOG is a file, a folder of logs, or - for standard input. The result is in the format of LOG,
    uncompressed, on standard output. Pieces that cannot be read are left out. Bytes are counted
    without compression.
    """
    before = stored_thread(stored)
    named = Logs(logs, limits, leave_out=output)
    target = Target(output, named, as_json=as_json)
    pages = Pages(named)

    def compact_one(log: Log) -> int:
        source = _Source(log, limits)
        records = compact_records(source.records, before)
        text, count = target.write(log, records, source.framing)
        figures = {
            "events": source.events,
            "compacted": count,
            "bytes": source.bytes,
            "compacted_bytes": len(text),
        }
        if as_json:
            pages.print_json(log, [{**figures, **source.left_out.json}])
        else:
            sys.stdout.flush()
            faults = len(source.records) - source.events
            about = f"{log.title}: " if named.several else ""
            notice(f"{about}{_in_words(figures, faults)}")
            source.left_out.tell(log)
        return 0

    context.exit(named.each(compact_one))


def _in_words(figures: dict[str, int], faults: int) -> str:
    said = (
        f"{figures['events']:,} events in {figures['bytes']:,} bytes became "
        f"{figures['compacted']:,} in {figures['compacted_bytes']:,}"
    )
    return f"{said}; {faults:,} that could not be read left out" if faults else said


class _Source:
    """A log that the user named: its records, its framing, and its size without compression."""

    def __init__(self, log: Log, limits: Limits) -> None:
        self.bytes: int = 0
        self.records: list[Record] = []
        self.framing: Framing = JSON_LINES
        decoder = BlockDecoder(limits.max_event_bytes)
        with log.open(limits) as source:
            for block in blocks(source.file, **source.options):
                self.records += decoder.records(block)
                self.bytes += len(block) if isinstance(block, bytes) else block.size
                if isinstance(block, LogStart):
                    self.framing = block.framing or JSON_LINES
        self.left_out: LeftOut = source.left_out
        faults = [one.event for one in self.records if isinstance(one.event, Unreadable)]
        self.events: int = len(self.records) - len(faults)
        source.require_events(self.events, fold(faults[:1]).anomalies)
