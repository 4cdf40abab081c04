"""`chatkit-reducer policy`: the tables that decide what survives."""

from __future__ import annotations

import sys

import click

from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import PROGRAM
from chatkit_reducer.cli.output import people_console, print_json_lines
from chatkit_reducer.cli.policy_options import find_policy
from chatkit_reducer.cli.render.policy import policy_blocks, policy_json, policy_markdown
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.policies import PRESETS

__all__ = ["policy"]

_EPILOG = f"""
With --json, each policy is one object:

\b
  {{"name": ..., "about": ...,
   "rows": [{{"item", "origin", "content", "cause", "decision", "reason"}}],
   "marker": {{"type", "content", "causes"}} or null}}

A row has an "id" as well if any row of its policy looks at it.

Examples:

\b
  {PROGRAM} policy
  {PROGRAM} policy keep
  {PROGRAM} policy mine.toml
  {PROGRAM} policy keep --markdown
"""


@click.command(cls=options.Command, epilog=_EPILOG)
@click.argument(
    "policy", metavar="[NAME|FILE]", required=False, shell_complete=options.complete_policy
)
@click.option("--markdown", is_flag=True, help="Print Markdown, for a document.")
@options.as_json
def policy(*, policy: str | None, markdown: bool, as_json: bool) -> None:
    """Show a policy, a preset or one in a file of TOML; all presets if none is named.

    The first row that matches an item decides what becomes of it. A file that is not a policy
    is refused, with a list of its faults: so this command also checks one.
    """
    if markdown and as_json:
        raise click.UsageError("give --markdown or --json, not both")
    shown = tuple(PRESETS.values()) if policy is None else (find_policy(policy),)
    if as_json:
        print_json_lines(policy_json(each) for each in shown)
    elif markdown:
        # In UTF-8 even if the terminal has another encoding: this is for a document.
        text = "\n".join([policy_markdown(each) for each in shown])
        sys.stdout.buffer.write(text.encode())
    else:
        _show(shown)


def _show(shown: tuple[Policy, ...]) -> None:
    from chatkit_reducer.cli.render.layout import indented

    console = people_console()
    for number, each in enumerate(shown):
        if number:
            console.print()
            console.print()
        for block in policy_blocks(each):
            console.print(indented(block, 0))
