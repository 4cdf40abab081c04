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
    click.echo(_mended_for_fish(text) if shell == "fish" else text)


def _mended_for_fish(script: str) -> str:
    """Keep what stands behind a comma in a description, and complete names that begin with `~`.

    So it is with click 8.2 to 8.5. A release that words it otherwise is left as it is.
    """
    files = "complete -C '__fish_no_such_command '(commandline -ct)"
    whole = script.replace('string split ","', 'string split --max 1 ","')
    return whole.replace("__fish_complete_path $metadata[2]", files)


def _variable() -> str:
    """Return the variable by which the script asks the program; click reads the same."""
    return f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE"
