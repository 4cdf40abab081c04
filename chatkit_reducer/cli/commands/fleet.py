"""`chatkit-reducer fleet`: how much each policy would have lost in many logs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import attrs
import click

from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import PROGRAM, STANDARD_INPUT, InputError, cannot_read, fail
from chatkit_reducer.cli.files import read_whole, writing
from chatkit_reducer.cli.inputs import Logs
from chatkit_reducer.cli.limits import Limits
from chatkit_reducer.cli.output import people_console, print_json_lines
from chatkit_reducer.cli.policy_options import find_policy
from chatkit_reducer.cli.progress import ShareBar
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.policies import PRESETS

if TYPE_CHECKING:
    from chatkit_reducer.cli.render.fleet_report import FleetReport
    from chatkit_reducer.fleet.processes import FileFold
    from chatkit_reducer.fleet.rows import Row, RowMaker
    from chatkit_reducer.fleet.totals import Totals

__all__ = ["fleet"]

_ROW_FILES = (".parquet", ".jsonl")
_LONGEST_KEY = 64

_EPILOG = f"""
A thread may be spread over any of the files: their order does not matter, and neither does an
event that was delivered twice with its number. docs/fleet.md shows the same on DuckDB, Polars,
Dask and Spark.

With --json, one object has the totals: "threads", "events", "outcomes" by policy and cause, and
the "worst" threads.

Examples:

\b
  {PROGRAM} fleet logs/
  {PROGRAM} fleet logs/ --policy sdk --policy mine.toml --page a.html
  {PROGRAM} fleet logs/ --cause crashed --cause failed -o rows.jsonl
  {PROGRAM} fleet logs/ --stops all --hash-ids -o rows.parquet
"""


@attrs.frozen(kw_only=True)
class _Outputs:
    """The files to write."""

    rows: str | None
    page: str | None


class _Kept(NamedTuple):
    """The content of the rows."""

    items: bool
    counts_only: bool
    hash_ids: bool
    key: str | None


def _row_file(context: click.Context, option: click.Parameter, name: str | None) -> str | None:
    if name is not None and Path(name).suffix.lower() not in _ROW_FILES:
        raise click.BadParameter(f"give a name that ends with {' or '.join(_ROW_FILES)}")
    return name


@click.command(cls=options.Command, epilog=_EPILOG)
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, shell_complete=options.complete_file
)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME|FILE",
    shell_complete=options.complete_policy,
    help="A table to try, a preset or a file of TOML; may be given several times. "
    f"{', '.join(PRESETS)} if left out.",
)
@click.option(
    "--cause",
    "causes",
    callback=options.several_causes,
    shell_complete=options.complete_cause,
    multiple=True,
    metavar="NAME",
    help=f"How the streams ended: one of {', '.join(Cause)}; may be given several times. cancelled "
    "if left out.",
)
@click.option(
    "--stops",
    type=click.Choice(["end", "all"]),
    default="end",
    help="Stop each stream at the end of its log, or also at each of its events.",
)
@click.option(
    "-o",
    "--output",
    callback=_row_file,
    metavar="FILE",
    shell_complete=options.complete_file,
    help="Write a row for each thread; the name ends with .parquet or .jsonl.",
)
@click.option(
    "--page",
    metavar="FILE",
    shell_complete=options.complete_file,
    help="Write the answer as a page of HTML.",
)
@click.option("--items", is_flag=True, help="Put the items of each thread into its row.")
@click.option("--counts-only", is_flag=True, help="With --items, leave out all that they say.")
@click.option(
    "--hash-ids",
    is_flag=True,
    help="Put a keyed hash in the place of each id, and no file names; of items, counts only.",
)
@click.option(
    "--key",
    metavar="FILE",
    shell_complete=options.complete_file,
    help=f"With --hash-ids, the secret: a file of 1 to {_LONGEST_KEY} bytes. The same key gives "
    "the same hashes. A new one for each run if left out.",
)
@click.option(
    "--apart",
    is_flag=True,
    help="The threads of each file are others, also where their ids are equal.",
)
@click.option(
    "--processes",
    callback=options.number("a number of processes", at_least=1),
    metavar="N",
    help="How many processes work; one for each core if left out.",
)
@options.limits
@options.as_json
@click.pass_context
def fleet(
    context: click.Context,
    *,
    paths: tuple[str, ...],
    policies: tuple[str, ...],
    causes: tuple[Cause, ...],
    stops: str,
    output: str | None,
    page: str | None,
    items: bool,
    counts_only: bool,
    hash_ids: bool,
    key: str | None,
    apart: bool,
    processes: int | None,
    limits: Limits,
    as_json: bool,
) -> None:
    """Answer how much each policy would have lost in all the logs of PATH: files and folders.

    By policy, by cause and by type of items, with the threads that lose most. Memory is needed for
    a part of the logs only, however many there are; the folder for temporary files needs room for
    all of them, uncompressed.
    """
    from chatkit_reducer.cli.render.fleet_report import FleetReport
    from chatkit_reducer.fleet.processes import FileFold

    if STANDARD_INPUT in paths:
        raise click.UsageError("expected files or folders, got '-': save the log to a file first")
    names = policies or tuple(PRESETS)
    tables = [find_policy(name) for name in names]
    maker = _maker(tables, causes, stops, _Kept(items, counts_only, hash_ids, key))
    logs = Logs(paths, limits)
    status = logs.tell_failures()
    files = [log.name for log in logs.all]
    with ShareBar() as bar:
        fold = FileFold(
            files,
            maker,
            apart=apart,
            processes=processes,
            on_progress=bar.advance,
            **limits.arguments,
        )
        totals = _folded(fold, output)
    status = max([status, *[fail(cannot_read(one.path, one.reason)) for one in fold.broken]])
    report = FleetReport(
        totals=totals,
        files=len(files) - len(fold.broken),
        broken=len(fold.broken),
        policies={table.name: name for table, name in zip(tables, names, strict=True)},
        causes=causes,
        stops=stops == "all",
    )
    if report.files:
        _tell(report, page, as_json=as_json)
    context.exit(status)


def _maker(tables: Sequence[Policy], causes: Sequence[Cause], stops: str, kept: _Kept) -> RowMaker:
    from chatkit_reducer.fleet.privacy import Privacy
    from chatkit_reducer.fleet.rows import RowMaker

    if kept.key is not None and not kept.hash_ids:
        raise click.UsageError("--key needs --hash-ids")
    if kept.counts_only and not kept.items:
        raise click.UsageError("--counts-only needs --items")
    privacy = Privacy(texts=not kept.counts_only, id_key=_key(kept.key) if kept.hash_ids else None)
    where: Literal["end", "all"] = "all" if stops == "all" else "end"
    try:
        return RowMaker.of(tables, causes, stops=where, items=kept.items, privacy=privacy)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _key(name: str | None) -> bytes:
    if name is None:
        return secrets.token_bytes()
    key = read_whole(name, _LONGEST_KEY)
    if not key:
        raise InputError(f"expected a key in {name!r}, got an empty file")
    return key


def _folded(fold: FileFold, output: str | None) -> Totals:
    """Fold all files; write the rows, and return the totals."""
    from chatkit_reducer.fleet.spills import SpillError
    from chatkit_reducer.fleet.totals import Totals

    totals = Totals()
    try:
        with _output(output) as write:
            for rows in fold.rows():
                write(rows)
                for row in rows:
                    totals.add(row)
    except SpillError as error:
        raise InputError(str(error)) from None
    except MemoryError as error:
        reason = str(error) or "use fewer processes (--processes 1)"
        raise InputError(f"there is too little memory: {reason}") from None
    return totals


@contextmanager
def _output(name: str | None) -> Iterator[Callable[[Sequence[Row]], None]]:
    """Give a function that writes rows: into the file, if one is named."""
    from chatkit_reducer.fleet.output import rows_into

    if name is None:
        yield _nowhere
        return
    with ExitStack() as stack:
        try:
            write = stack.enter_context(rows_into(stack.enter_context(writing(name)), name))
        except ImportError as error:
            raise InputError(str(error)) from None
        yield write


def _nowhere(rows: Iterable[Row]) -> None:
    """Write no row."""


def _tell(report: FleetReport, page: str | None, *, as_json: bool) -> None:
    if page is not None:
        from chatkit_reducer.cli.render.fleet_page import fleet_page

        with writing(page) as file:
            file.write(fleet_page(report).encode("utf-8", "replace"))
    if as_json:
        print_json_lines([report.to_json()])
    else:
        from chatkit_reducer.cli.render.fleet import show_fleet

        show_fleet(people_console(), report)
