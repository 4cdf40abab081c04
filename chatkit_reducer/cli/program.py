"""The program: its commands, and how it ends.

A new command is one file in `commands`, and one line in `COMMANDS`. A command is imported when it
is run: the program itself needs no more than click.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from chatkit_reducer import __version__
from chatkit_reducer.cli.errors import INTERRUPTED, PROGRAM, fail, guarded, internal_error

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["COMMANDS", "program"]

COMMANDS = {
    "replay": "Show the threads in each LOG.",
    "cancel": "Show what survives if the stream of LOG ends here.",
    "sweep": "Show what survives, wherever the stream of each LOG ends.",
    "check": "Find the faults of each LOG.",
    "policy": "Show the tables that decide what survives.",
    "compact": "Write each LOG in fewer events.",
    "fleet": "Show how much each policy would have lost in many logs.",
    "completion": "Print a script that lets a shell complete commands.",
    "view": "Write a page that shows the stream of LOG at each event.",
}
"""Each command, with its line in the help of the program."""


class _Program(click.Group):
    """A group of commands whose failures are one line each."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"chatkit_reducer.cli.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a line.

        Raises:
            UsageError: there is no such command; it names the nearest one, or all.
        """
        name = args[0]
        if name in COMMANDS or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        near = get_close_matches(name, COMMANDS, n=1)
        said = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(sorted(COMMANDS))}"
        raise click.UsageError(f"no such command {name!r}: {said}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of the commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the commands and the options of the program, without importing the commands."""
        from click.shell_completion import CompletionItem

        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        offered = [CompletionItem(name, help=COMMANDS[name]) for name in names]
        return offered + click.Command.shell_complete(self, ctx, incomplete)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command and exit with its status."""
        options["standalone_mode"] = False
        try:
            status = super().main(*args, **options)
        except click.ClickException as error:
            status = fail(error)
        except click.Abort:  # interrupted before a command began
            status = INTERRUPTED
        except Exception as error:  # noqa: BLE001  # people get one line, and never a traceback
            status = fail(internal_error(error))
        sys.exit(status)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Read the options of the program; `--help` and `--version` print and end it."""
        with guarded():
            return super().make_context(*args, **options)

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
        click.echo(f"{PROGRAM} {__version__}")
        context.exit()


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
