"""`chatkit-reducer completion`: a script that lets a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from chatkit_reducer.cli import options
from chatkit_reducer.cli.errors import PROGRAM

__all__ = ["SHELLS", "completion"]

SHELLS = ("bash", "fish", "zsh")
"""The shells that there is a script for."""

_EPILOG = f"""
The line for your shell belongs into the file that it reads when it starts; in zsh behind
`autoload -Uz compinit; compinit`.

Examples:

\b
  eval "$({PROGRAM} completion bash)"
  eval "$({PROGRAM} completion zsh)"
  {PROGRAM} completion fish | source
"""


@click.command(cls=options.Command, epilog=_EPILOG)
@click.argument("shell", metavar="|".join(SHELLS), type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that lets a shell complete commands, options and files."""
    script = get_completion_class(shell)
    assert script is not None, "click knows these shells"
    program = context.find_root().command
    text = script(program, {}, PROGRAM, _variable()).source()
    for old, new in _MENDED.get(shell, []):
        text = text.replace(old, new)
    click.echo(text)


_MENDED = {
    "fish": [
        # What stands behind a comma in a description is a part of it.
        ('string split ","', 'string split --max 1 ","'),
        # Names of files may begin with `~`.
        (
            "__fish_complete_path $metadata[2]",
            "complete -C '__fish_no_such_command '(commandline -ct)",
        ),
        # The word may be an option with the beginning of its value.
        (
            "echo $metadata[2]",
            "echo (string match -r -- '^--[^=]+=' (commandline -ct); or echo)$metadata[2]",
        ),
    ],
    "zsh": [
        # The same: the value would take the place of the option, too.
        ("    for type key descr in", "    compset -P '--*='\n    for type key descr in"),
        ("compadd -U -V", 'compadd -U -P "$IPREFIX" -V'),
    ],
}
"""The faults of the scripts of click 8.2 to 8.5. A release that has other words keeps them."""


def _variable() -> str:
    """Return the variable by which the script asks the program; click reads the same."""
    return f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE"
