"""`chatkit-reducer view`: a page that shows the stream at each of its events."""

from __future__ import annotations

import re
import sys
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import PROGRAM, STANDARD_INPUT, InputError, notice
from chatkit_reducer.cli.files import writing
from chatkit_reducer.cli.following import follow as serve
from chatkit_reducer.cli.inputs import Log
from chatkit_reducer.cli.limits import Limits
from chatkit_reducer.cli.output import people_console
from chatkit_reducer.cli.policy_options import find_policy
from chatkit_reducer.cli.render.text import file_name, size_text
from chatkit_reducer.cli.stored import stored_thread
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Json
from chatkit_reducer.policies import PRESETS

if TYPE_CHECKING:
    from chatkit_reducer.cli.left_out import LeftOut
    from chatkit_reducer.view.growing import Growing
    from chatkit_reducer.view.page import Arguments, Start

__all__ = ["view"]

_LARGE = 5 * 1000 * 1000
_SUFFIXES = {".gz", ".json", ".jsonl", ".log", ".ndjson", ".sse", ".txt", ".zst"}
_WARNING = "It holds the whole chat: whoever has the file can read it."

_EPILOG = f"""
The page is one file that needs no network and no server. Its keys: press ? in it.

Examples:

\b
  {PROGRAM} view session.sse
  {PROGRAM} view session.sse --at 120 --policy sdk --policy mine.toml
  {PROGRAM} view session.sse.gz -o page.html --open
  {PROGRAM} view session.sse -o - > page.html
  {PROGRAM} view --follow session.sse
"""


@click.command(cls=options.Command, epilog=_EPILOG)
@options.log
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=options.complete_file,
    help="Where the page goes; - is standard output. LOG.html, in the folder that you are in, if "
    "left out.",
)
@click.option("--force", is_flag=True, help="Replace FILE even if it is not such a page.")
@click.option(
    "--open/--no-open",
    "opens",
    default=None,
    help="Show the page in the browser, or do not; shown if standard output is a terminal.",
)
@click.option(
    "--at",
    callback=options.number("a number of events", at_least=0),
    metavar="N",
    help="Open the page behind the first N events; behind all of them if left out.",
)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME|FILE",
    shell_complete=options.complete_policy,
    help="A table to show, a preset or a file of TOML; may be given several times. The first two "
    f"have the columns, and {', '.join(PRESETS)} come after those that are given.",
)
@options.cause
@options.stored
@click.option("--thread", metavar="ID", help="Show this thread alone, of a log of several.")
@click.option("--images", is_flag=True, help="Keep images that are larger than 256 kB.")
@click.option(
    "--follow",
    is_flag=True,
    help="Serve the page on this machine, and let it grow while LOG is being written. LOG may be "
    "the folder of a FileJournal.",
)
@click.option(
    "--port",
    callback=options.number("a number of a port", at_least=0),
    metavar="P",
    help="With --follow, listen on this port; on one that is free if left out.",
)
@options.limits
def view(
    *,
    log: str,
    output: str | None,
    force: bool,
    opens: bool | None,
    at: int | None,
    policies: tuple[str, ...],
    cause: Cause,
    stored: str | None,
    thread: str | None,
    images: bool,
    follow: bool,
    port: int | None,
    limits: Limits,
) -> None:
    """Write a page that shows the stream of LOG at each of its events, and the effect of a stop.

    What people see is beside what a reload would show under two policies, with the row of the table
    that decides. The page is one file that asks no server for anything.
    """
    from chatkit_reducer.view.page import Page, Start

    tables = _policies(policies)
    start = Start(at, cause, _arguments(log, tables, policies, stored))
    if follow:
        _refuse_with_follow(output=output, force=force, at=at, thread=thread)
        make = _growing(tables, stored_thread(stored), start, images=images)
        shows = sys.stdout.isatty() if opens is None else opens
        serve(log, make, limits, port=port or 0, opens=shows)
        return
    if port is not None:
        raise click.UsageError("--port needs --follow")
    if output == STANDARD_INPUT and opens:
        raise click.UsageError("--open needs a file: give -o FILE, or leave out --open")
    named = Log.single(log)
    target = _target(named, output, force=force)
    data, left_out = _data(named, tables, stored_thread(stored), limits, images=images)
    _tell_beyond(at, data)
    data = _only(data, thread, named)
    html = str(Page(data, start))
    size = len(html.encode())
    if size > _LARGE:
        notice(_too_large(data, size, images=images))
    _write(target, html)
    if target is None:
        notice(_WARNING)
        left_out.tell(named)
        return
    console = people_console()
    console.print(f"{file_name(target)}  {size_text(size)}")
    console.print(_WARNING)
    left_out.show(console)
    if sys.stdout.isatty() if opens is None else opens:
        webbrowser.open(Path(target).absolute().as_uri())


def _refuse_with_follow(**given: object) -> None:
    """Refuse options that say something about a file, or about the end of a log.

    Raises:
        UsageError: one of them is given.
    """
    for name, value in given.items():
        if value not in (None, False):
            raise click.UsageError(f"--{name} does not go with --follow")


def _growing(
    policies: Sequence[Policy], stored: ThreadState | None, start: Start, *, images: bool
) -> Callable[[str], Growing]:
    from chatkit_reducer.view.growing import Growing
    from chatkit_reducer.view.recording import Recording

    return lambda name: Growing(name, lambda: Recording(stored, policies, images=images), start)


def _policies(names: Sequence[str]) -> tuple[Policy, ...]:
    from chatkit_reducer.view.viewing import with_presets

    try:
        return with_presets([find_policy(name) for name in names])
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _arguments(
    log: str, tables: Sequence[Policy], policies: Sequence[str], stored: str | None
) -> Arguments | None:
    """Return what `cancel` takes for the same log, stored thread and policies.

    None if it cannot read the log again, as it is standard input, a pipe or a folder.
    """
    from chatkit_reducer.view.page import Arguments

    files = [log] if stored is None else [log, stored]
    if log == STANDARD_INPUT or not all(map(_is_file, files)):
        return None
    words = {table.name: table.name for table in tables}
    words |= {table.name: word for table, word in zip(tables, policies, strict=False)}
    return Arguments(Log.single(log).as_argument, words, stored)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def _target(log: Log, output: str | None, *, force: bool) -> str | None:
    """Return the name of the file to write; None for standard output.

    Raises:
        InputError: there is a file that is not a page.
    """
    if output == STANDARD_INPUT:
        return None
    name = _default_name(log) if output is None else output
    if not force and not _is_ours(name):
        raise InputError(f"{name!r} is there, and is not a page of {PROGRAM}: give --force")
    return name


def _default_name(log: Log) -> str:
    path = Path("standard-input" if log.name == STANDARD_INPUT else log.place)
    while path.suffix.lower() in _SUFFIXES:
        path = path.with_suffix("")
    return f"{path.name}.html"


def _is_ours(name: str) -> bool:
    """Tell whether a page stands there, or nothing; what cannot be read is left to `writing`."""
    from chatkit_reducer.view.page import GENERATOR

    try:
        if not Path(name).is_file():
            return True
        with Path(name).open("rb") as file:
            return f'content="{GENERATOR}"'.encode() in file.read(400)
    except (OSError, ValueError):
        return True


class _Fault(NamedTuple):
    """A finding, as far as it says why a log is not one."""

    line: int | None
    problem: str


def _data(
    log: Log,
    policies: Sequence[Policy],
    stored: ThreadState | None,
    limits: Limits,
    *,
    images: bool,
) -> tuple[Json, LeftOut]:
    from chatkit_reducer.logs import read_records
    from chatkit_reducer.view.recording import Recording

    recording = Recording(stored, policies, images=images)
    with log.open(limits) as source:
        for record in read_records(source.file, **source.options):
            recording.take_record(record)
    data = recording.data(log.title if log.name == STANDARD_INPUT else Path(log.exact).name)
    findings = (finding for block in data["threads"] for finding in block["findings"])
    faults = (_Fault(finding.get("line"), finding["problem"]) for finding in findings)
    source.require_events(recording.n, faults)
    return data, source.left_out


def _tell_beyond(at: int | None, data: Json) -> None:
    """Say that a page opens at the end because the log has fewer events than `--at` names."""
    events = sum(block["n"] for block in data["threads"])
    if at is not None and at > events:
        notice(f"--at {at:,} is beyond the last of {events:,} events: the page opens behind that")


def _only(data: Json, thread: str | None, log: Log) -> Json:
    """Return the data of one thread, if one was named.

    Raises:
        InputError: the log has no such thread.
    """
    if thread is None:
        return data
    blocks = [block for block in data["threads"] if block["thread"] == thread]
    if not blocks:
        there = ", ".join(repr(block["thread"]) for block in data["threads"][:5])
        raise InputError(f"{log.title} has no thread {thread!r}; there is {there}")
    return {**data, "threads": blocks}


def _write(target: str | None, html: str) -> None:
    if target is None:
        sys.stdout.buffer.write(html.encode())
        return
    with writing(target) as file:
        file.write(html.encode())


_PARTS = {
    "tracks": "texts",
    "trees": "drawn items",
    "raws": "events",
    "items": "versions of items",
}
_IMAGES = "images"
_IMAGE = re.compile(rb"data:image/[a-z.+-]+;base64,[A-Za-z0-9+/=]+")


def _too_large(data: Json, size: int, *, images: bool) -> str:
    """Say what makes a page large, and what to do about it."""
    blocks = data["threads"]
    sizes = _sizes(blocks)
    largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:2]
    what = " and ".join(f"{size_text(sizes[words])} of {words}" for words in largest)
    several = "give --thread for one thread alone"
    advice = several if len(blocks) > 1 else _advice(largest[0], images=images)
    return f"the page is large, {size_text(size)}, of which {what}: {advice}"


def _sizes(blocks: Sequence[Json]) -> dict[str, int]:
    """Return how many bytes each part of a page has; images count for themselves, wherever."""
    import msgspec

    sizes = dict.fromkeys([*_PARTS.values(), _IMAGES], 0)
    for block in blocks:
        for name, words in _PARTS.items():
            text = msgspec.json.encode(block[name])
            images = sum(found.end() - found.start() for found in _IMAGE.finditer(text))
            sizes[_IMAGES] += images
            sizes[words] += len(text) - images
    return sizes


def _advice(part: str, *, images: bool) -> str:
    if part == _IMAGES and images:
        return "leave out --images, or cut the log"
    if part in (_IMAGES, "drawn items"):
        return "cut the log"
    return f"cut the log, or merge its deltas with {PROGRAM} compact"
