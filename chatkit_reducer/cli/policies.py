"""Which policy, which cause: the options that name them, and what the names stand for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import click

from chatkit_reducer.cli.errors import InputError
from chatkit_reducer.errors import PolicyError
from chatkit_reducer.policies import PRESETS
from chatkit_reducer.policy import Cause, Policy
from chatkit_reducer.policy_files import policy_from_toml

__all__ = ["cause", "find_policy"]

_Option: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

_PRESETS = ", ".join(PRESETS)


def _cause(context: click.Context, option: click.Parameter, value: str) -> Cause:
    name = value.replace("-", "_")
    if name not in list(Cause):
        raise click.BadParameter(f"give one of {', '.join(Cause)}, not {value!r}")
    return Cause(name)


cause: _Option = click.option(
    "--cause",
    callback=_cause,
    metavar="NAME",
    default=Cause.CANCELLED.value,
    help=f"How the stream ended: one of {', '.join(Cause)}; cancelled if left out.",
)


def find_policy(name: str) -> Policy:
    """The preset of this name, or the policy in this file of TOML.

    Raises:
        InputError: there is neither, or the file cannot be read, or is no policy. All that is wrong
            with it is in the message.
    """
    preset = PRESETS.get(name)
    if preset is not None:
        return preset
    try:
        text = Path(name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{name!r} is neither a preset ({_PRESETS}) nor a file") from None
    except UnicodeDecodeError:
        raise InputError(f"{name!r} is no policy: this is no TOML: it is not UTF-8") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read {name!r}: {why}") from None
    try:
        return policy_from_toml(text)
    except PolicyError as error:
        raise InputError(f"{name!r} is no policy: {'; '.join(str(error).splitlines())}") from None
