"""Names of a package that are imported when they are first used.

A package calls `at_first_use` where type checkers do not look: to them, a module that has a
`__getattr__` has every name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["at_first_use"]


def at_first_use(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package.

    Args:
        package: its full name.
        homes: each name to the module that defines it: a full name, or one inside of the package
            that begins with a dot. The home of a module is the module itself.

    Returns:
        A function that imports a name, and keeps it in the package. It raises an `AttributeError`
        for any other name.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(homes[name], package)
        value = module if module.__name__ == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return get
