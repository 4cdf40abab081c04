"""`chatkit-reducer policy`: the tables that decide what survives."""

from __future__ import annotations

import sys

import click

from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import PROGRAM
from chatkit_reducer.cli.output import people_console, print_json_lines
from chatkit_reducer.cli.policies import find_policy
from chatkit_reducer.cli.policy_table import policy_blocks, policy_json, policy_markdown
from chatkit_reducer.policies import PRESETS
from chatkit_reducer.policy import Policy

__all__ = ["policy"]

_EPILOG = f"""
With --json, each policy is one object:

\b
  {{"name": ..., "about": ...,
   "rows": [{{"item", "origin", "content", "cause", "decision", "reason"}}],
   "marker": {{"type", "content", "causes"}} or null}}

Examples:

\b
  {PROGRAM} policy
  {PROGRAM} policy keep
  {PROGRAM} policy mine.toml
  {PROGRAM} policy keep --markdown
"""


@click.command(epilog=_EPILOG, short_help="Show the tables that decide what survives.")
@click.argument("policy", metavar="[NAME|FILE]", required=False)
@click.option("--markdown", is_flag=True, help="Print Markdown, for a document.")
@options.as_json
def policy(*, policy: str | None, markdown: bool, as_json: bool) -> None:
    """Show a policy, a preset or one in a file of TOML; all presets if none is named.

    The first row that matches an item decides what becomes of it. A file that is no policy is
    refused, with all that is wrong with it: so this command also checks one.
    """
    if markdown and as_json:
        raise click.UsageError("give --markdown or --json, not both")
    shown = tuple(PRESETS.values()) if policy is None else (find_policy(policy),)
    if as_json:
        print_json_lines(policy_json(each) for each in shown)
    elif markdown:
        # As it is, in whatever encoding the terminal has: this is for a document.
        text = "\n".join([policy_markdown(each) for each in shown])
        sys.stdout.buffer.write(text.encode())
    else:
        _show(shown)


def _show(shown: tuple[Policy, ...]) -> None:
    from chatkit_reducer.cli.layout import indented

    console = people_console()
    for number, each in enumerate(shown):
        if number:
            console.print()
            console.print()
        for block in policy_blocks(each):
            console.print(indented(block, 0))
