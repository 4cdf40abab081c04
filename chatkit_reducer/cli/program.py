"""The program: its commands, and how it ends.

A new command is one file in this folder, and one line in `COMMANDS`.
"""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Any

import click

from chatkit_reducer.cli.cancel import cancel
from chatkit_reducer.cli.check import check
from chatkit_reducer.cli.compact import compact
from chatkit_reducer.cli.errors import PROGRAM, fail, guarded
from chatkit_reducer.cli.policy import policy
from chatkit_reducer.cli.replay import replay
from chatkit_reducer.cli.sweep import sweep

__all__ = ["COMMANDS", "program"]

COMMANDS: tuple[click.Command, ...] = (
    replay,
    cancel,
    sweep,
    check,
    policy,
    compact,
)


class _Program(click.Group):
    """A group of commands whose failures are one line each."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command and exit with its status."""
        options["standalone_mode"] = False
        try:
            status = super().main(*args, **options)
        except click.ClickException as error:
            status = fail(error)
        sys.exit(status)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            with guarded():
                return super().invoke(ctx)
        except click.UsageError as error:
            if error.ctx is None:  # click forgets it for some of them
                error.ctx = click.Context(self, ctx, info_name=ctx.invoked_subcommand)
            raise


def _show_version(context: click.Context, option: click.Parameter, value: object) -> None:
    if value:
        click.echo(f"{PROGRAM} {_version()}")
        context.exit()


def _version() -> str:
    try:
        return importlib.metadata.version(PROGRAM)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


_EXAMPLES = f"""
Examples:

\b
  {PROGRAM} replay session.sse.gz
  {PROGRAM} check session.sse.gz
  {PROGRAM} sweep session.sse.gz --policy sdk --policy keep
  {PROGRAM} replay --help
"""


@click.group(
    PROGRAM,
    cls=_Program,
    commands=COMMANDS,
    epilog=_EXAMPLES,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def program() -> None:
    """Look at recorded ChatKit streams, stop them at any point, and find what is wrong with them.

    A log is a file of server-sent events as captured off the wire, or of JSON lines, bare or in an
    envelope; plain, or compressed with gzip or zstd. All of that is found by looking. `-` is
    standard input.

    Exit status: 0 if all is well; 1 if `check` or `--strict` found a fault; 2 for wrong usage, or
    if the input cannot be read.
    """
