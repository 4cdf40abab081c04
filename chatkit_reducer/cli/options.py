"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from chatkit_reducer.cli.limits import Limits
from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.logs import DEFAULT_MAX_EVENT_BYTES, DEFAULT_MAX_EXPANSION
from chatkit_reducer.policies import PRESETS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = [
    "Command",
    "as_json",
    "cause",
    "complete_cause",
    "complete_file",
    "complete_policy",
    "limits",
    "log",
    "logs",
    "number",
    "several_causes",
    "stored",
    "until",
    "words_of",
]


class Command(click.Command):
    """A command that counts the surplus arguments, where click lists them all."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options and arguments.

        Raises:
            UsageError: there are too many arguments.
        """
        rest = super().parse_args(ctx, args)
        # Where a shell asks for a word, the line is not whole yet: click hands back all of it.
        if rest and not ctx.resilient_parsing:
            wanted = sum(isinstance(each, click.Argument) for each in self.params)
            plural = "argument" if wanted == 1 else "arguments"
            found = wanted + len(rest)
            raise click.UsageError(f"too many arguments: expected {wanted} {plural}, got {found}")
        return rest


def number(
    what: str, at_least: int
) -> Callable[[click.Context, click.Parameter, str | None], int | None]:
    """Return a callback that makes a number of an option, or says which number to give."""

    def convert(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
        if value is None:
            return None
        try:
            found = int(value)
        except ValueError:
            found = at_least - 1
        if found < at_least:
            raise click.BadParameter(f"give {what}, {at_least} or more, not {value!r}")
        return found

    return convert


_Option: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]


def complete_file(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell complete the name of a file."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def complete_policy(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell complete the name of a preset, or that of a file."""
    from click.shell_completion import CompletionItem

    presets = [CompletionItem(name) for name in PRESETS if name.startswith(incomplete)]
    # The file is first, because bash forgets the words in front of one; and its name is not empty,
    # because zsh drops an empty word, and takes the next one for it.
    return [CompletionItem(incomplete or "./", type="file"), *presets]


log: _Option = click.argument("log", metavar="LOG", shell_complete=complete_file)

logs: _Option = click.argument(
    "logs", metavar="LOG...", nargs=-1, required=True, shell_complete=complete_file
)

as_json: _Option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for machines, one object a line."
)

until: _Option = click.option(
    "--until",
    callback=number("a number of events", at_least=0),
    metavar="N",
    help="Fold no more than the first N events of the log.",
)

_max_event_bytes: _Option = click.option(
    "--max-event-bytes",
    callback=number("a number of bytes", at_least=1),
    metavar="N",
    default=str(DEFAULT_MAX_EVENT_BYTES),
    help=f"Skip an event that is larger; {DEFAULT_MAX_EVENT_BYTES:,} if left out.",
)

_max_expansion: _Option = click.option(
    "--max-expansion",
    callback=number("a number of bytes", at_least=1),
    metavar="N",
    default=str(DEFAULT_MAX_EXPANSION),
    help="How many bytes a compressed log may give for each of its own; "
    f"{DEFAULT_MAX_EXPANSION} if left out. Reading stops where it gives more.",
)


def limits(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that bound what is read of a log; the command gets them as `limits`."""

    @wraps(command)
    def bounded(*args: Any, max_event_bytes: int, max_expansion: int, **options: Any) -> Any:
        return command(*args, limits=Limits(max_event_bytes, max_expansion), **options)

    return _max_event_bytes(_max_expansion(bounded))


stored: _Option = click.option(
    "--stored",
    metavar="FILE",
    shell_complete=complete_file,
    help="What the store held before the log begins: a JSON list of items, or an object with "
    "`items` and perhaps `thread`. The log is then taken as one of that thread alone.",
)


def several_causes(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> tuple[Cause, ...]:
    """Make causes of the values of an option, each once; `cancelled` if there are none.

    Raises:
        BadParameter: a value is not a cause.
    """
    found = [_cause(context, option, value) for value in values]
    return tuple(dict.fromkeys(found)) or (Cause.CANCELLED,)


def _cause(context: click.Context, option: click.Parameter, value: str) -> Cause:
    name = value.replace("-", "_")
    if name not in list(Cause):
        raise click.BadParameter(f"give one of {', '.join(Cause)}, not {value!r}")
    return Cause(name)


def complete_cause(context: click.Context, option: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a cause."""
    return [cause.value for cause in Cause if cause.value.startswith(incomplete)]


cause: _Option = click.option(
    "--cause",
    callback=_cause,
    metavar="NAME",
    shell_complete=complete_cause,
    default=Cause.CANCELLED.value,
    help=f"How the stream ended: one of {', '.join(Cause)}; cancelled if left out.",
)


def words_of(ending: Cause = Cause.CANCELLED, stored: str | None = None) -> list[str]:
    """Return the words that tell another command the same; none for a default."""
    words = [] if ending is Cause.CANCELLED else ["--cause", ending.value]
    return words if stored is None else [*words, "--stored", stored]
