"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import click

from chatkit_reducer.logs import DEFAULT_MAX_EVENT_BYTES

__all__ = ["as_json", "log", "max_event_bytes", "stored", "until"]


def _number(
    what: str, at_least: int
) -> Callable[[click.Context, click.Parameter, str | None], int | None]:
    """What makes a number of an option, or says what to give."""

    def convert(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
        if value is None:
            return None
        try:
            number = int(value)
        except ValueError:
            number = at_least - 1
        if number < at_least:
            raise click.BadParameter(f"give {what}, {at_least} or more, not {value!r}")
        return number

    return convert


_Option: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

log: _Option = click.argument("log", metavar="LOG")

as_json: _Option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for machines, one object a line."
)

until: _Option = click.option(
    "--until",
    callback=_number("a number of events", at_least=0),
    metavar="N",
    help="Fold no more than the first N events of the log.",
)

max_event_bytes: _Option = click.option(
    "--max-event-bytes",
    callback=_number("a number of bytes", at_least=1),
    metavar="N",
    default=str(DEFAULT_MAX_EVENT_BYTES),
    help=f"Skip an event that is larger; {DEFAULT_MAX_EVENT_BYTES:,} if left out.",
)

stored: _Option = click.option(
    "--stored",
    metavar="FILE",
    help="What the store held before the log begins: a JSON list of items, or an object with "
    "`items` and perhaps `thread`. The log is then taken as one of that thread alone.",
)
