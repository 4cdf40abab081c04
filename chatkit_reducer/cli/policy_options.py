"""Find the policy that a user named: a preset, or a file of TOML."""

from __future__ import annotations

from chatkit_reducer.cli.errors import InputError
from chatkit_reducer.cli.files import read_whole
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.core.policy.toml import from_toml
from chatkit_reducer.errors import PolicyError
from chatkit_reducer.policies import PRESETS

__all__ = ["find_policy"]

_PRESETS = ", ".join(PRESETS)
_LARGEST = 1024 * 1024


def find_policy(name: str) -> Policy:
    """Return the preset of this name, or the policy in this file of TOML.

    Raises:
        InputError: there is neither, or the file cannot be read, or is not a policy; the message
            lists its faults.
    """
    preset = PRESETS.get(name)
    if preset is not None:
        return preset
    try:
        text = read_whole(name, _LARGEST).decode()
    except InputError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise InputError(f"{name!r} is neither a preset ({_PRESETS}) nor a file") from None
        raise
    except UnicodeDecodeError:
        raise InputError(f"{name!r} is not a policy file: not valid UTF-8") from None
    try:
        return from_toml(text)
    except PolicyError as error:
        faults = "; ".join(str(error).splitlines())
        raise InputError(f"{name!r} is not a policy file: {faults}") from None
