"""`chatkit-reducer compact`: a log in fewer events."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

import click

from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import PROGRAM, InputError
from chatkit_reducer.cli.output import print_json_lines
from chatkit_reducer.cli.reading import log_of, reading, rubbish, stored_thread
from chatkit_reducer.compact import compact as compacted
from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.folding import fold
from chatkit_reducer.logs import JSON_LINES, SSE, Framing, LogDecoder, Record, write
from chatkit_reducer.logs.reading import blocks
from chatkit_reducer.logs.threads import by_thread
from chatkit_reducer.state import ThreadState

__all__ = ["compact"]

_STANDARD_OUTPUT = "-"

_EPILOG = f"""
With --json, what it saved is one object:

\b
  {{"events": n, "compacted": n, "bytes": n, "compacted_bytes": n}}

Examples:

\b
  {PROGRAM} compact session.sse > short.sse
  {PROGRAM} compact session.jsonl -o session.jsonl
  {PROGRAM} compact session.sse -o session.jsonl.zst
  {PROGRAM} compact session.sse --json
"""

_Routed: TypeAlias = "tuple[str | None, Record]"


@click.command(epilog=_EPILOG, short_help="Write LOG in fewer events.")
@options.log
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write to this file; by its suffix SSE (.sse) or JSON lines (.jsonl), compressed or not. "
    "It may be LOG itself.",
)
@options.stored
@options.max_event_bytes
@options.as_json
def compact(
    *, log: str, output: str | None, stored: str | None, max_event_bytes: int, as_json: bool
) -> None:
    """Write LOG with all deltas of a text in one: fewer events that make the same thread.

    The result is in the format of LOG, uncompressed, on standard output. What could not be read is
    left out. Bytes are counted without compression.
    """
    before = None if stored is None else stored_thread(stored)
    source = _Source(log, before, max_event_bytes)
    records = _compacted(source.records, before)
    framing = _framing(output, source.framing)
    text = io.BytesIO()
    count = write(text, records, framing=framing)
    if output is not None and output != _STANDARD_OUTPUT:
        _write_file(output, records, framing)
    elif not as_json:
        sys.stdout.buffer.write(text.getvalue())
    figures = {
        "events": source.events,
        "compacted": count,
        "bytes": source.bytes,
        "compacted_bytes": len(text.getvalue()),
    }
    if as_json:
        print_json_lines([figures])
    else:
        left_out = len(source.records) - source.events
        sys.stdout.flush()
        click.echo(f"{PROGRAM}: {_in_words(figures, left_out)}", err=True)


def _in_words(figures: dict[str, int], left_out: int) -> str:
    said = (
        f"{figures['events']:,} events in {figures['bytes']:,} bytes became "
        f"{figures['compacted']:,} in {figures['compacted_bytes']:,}"
    )
    return f"{said}; {left_out:,} that could not be read left out" if left_out else said


class _Source:
    """The log that the user named: its records, and what they were made of."""

    def __init__(self, name: str, before: ThreadState | None, max_event_bytes: int) -> None:
        self.bytes: int = 0
        decoder = LogDecoder(max_event_bytes=max_event_bytes)
        records: list[Record] = []
        with reading(name) as bar:
            for block in blocks(log_of(name), decoder, bar.advance):
                if isinstance(block, Unreadable):
                    records.append(Record(block))
                else:
                    self.bytes += len(block) if isinstance(block, bytes) else block.size
                    records += decoder.records(block)
        self.framing: Framing = decoder._framing or JSON_LINES
        self.records: list[_Routed] = (
            list(by_thread(records)) if before is None else [(None, r) for r in records]
        )
        faults = [r.event for r in records if isinstance(r.event, Unreadable)]
        self.events: int = len(records) - len(faults)
        if faults and not self.events:
            fault = faults[0]
            problem = f"{fault.reason}: {fault.excerpt}" if fault.excerpt else fault.reason
            raise rubbish(name, fault.line, problem)


# --- the events -----------------------------------------------------------------------------------


def _compacted(routed: Sequence[_Routed], before: ThreadState | None) -> list[Record]:
    """The records that remain, in order. One that stands for several is about the first of them."""
    states: dict[str | None, ThreadState] = {}
    kept: list[tuple[int, Record]] = []
    for thread, places in _stretches(routed):
        records = [routed[place][1] for place in places]
        state = states.get(thread, before or ThreadState())
        events = [record.event for record in records]
        for at, event in _placed(events, compacted(events, state)):
            old = records[at]
            new = old if old.event is event else _about(event, old)
            kept.append((places[at], new))
        states[thread] = fold(events, state)
    return [record for _, record in sorted(kept, key=lambda pair: pair[0])]


def _about(event: Event | Unreadable, old: Record) -> Record:
    return Record(event, old.thread, old.sequence, old.time)


def _stretches(routed: Sequence[_Routed]) -> Iterator[tuple[str | None, list[int]]]:
    """For each thread the places of its records.

    Where a record itself does not say its thread, the one before it may tell (`logs.by_thread`):
    so there the threads must go on taking turns as they did.
    """
    if all(record.thread is not None for _, record in routed):
        places: dict[str | None, list[int]] = {}
        for place, (thread, _) in enumerate(routed):
            places.setdefault(thread, []).append(place)
        yield from places.items()
        return
    for thread, stretch in groupby(range(len(routed)), key=lambda place: routed[place][0]):
        yield thread, list(stretch)


def _placed(
    before: Sequence[Event | Unreadable], after: Sequence[Event | Unreadable]
) -> Iterator[tuple[int, Event | Unreadable]]:
    """Where each event that remains stood before; one made of several stands for the first.

    An event that is not among those before was made of deltas for one text, and the first of them
    is the next one about that text: runs end all together.
    """
    known = {id(event) for event in before}
    at = 0
    for event in after:
        if id(event) in known:
            while before[at] is not event:
                at += 1
        else:
            while _text_of(before[at]) != _text_of(event):
                at += 1
        yield at, event
        at += 1


def _text_of(event: object) -> tuple[object, ...]:
    update = getattr(event, "update", None)
    place = getattr(update, "content_index", None), getattr(update, "component_id", None)
    return type(update), getattr(event, "item_id", None), place


# --- the output -----------------------------------------------------------------------------------


def _framing(output: str | None, of_source: Framing) -> Framing:
    suffixes = Path(output or "").suffixes
    if ".sse" in suffixes:
        return SSE
    return JSON_LINES if {".jsonl", ".ndjson", ".json"} & set(suffixes) else of_source


def _write_file(name: str, records: Sequence[Record], framing: Framing) -> None:
    """Write a file that is there complete or not at all, even if it is the one that was read."""
    try:
        path = Path(name).resolve()
        if path.exists() and not path.is_file():  # a device, or a pipe
            write(path, records, framing=framing)
            return
        beside = path.with_name(f".{os.getpid()}-{path.name}")
        try:
            write(beside, records, framing=framing)
            if path.exists():
                shutil.copymode(path, beside)
            beside.replace(path)
        finally:
            with suppress(OSError):
                beside.unlink()
    except OSError as error:
        raise InputError(f"cannot write {name!r}: {error.strerror or error}") from None
