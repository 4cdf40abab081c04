"""Names of a package that are imported when they are first used.

A package calls `at_first_use` where type checkers do not look: to them, a module that has a
`__getattr__` has every name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Any

__all__ = ["at_first_use"]


def at_first_use(
    package: str, homes: Mapping[str, str], modules: Collection[str] = ()
) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package.

    A module of the package must not have the name of something else in it: Python puts each module
    that is imported into its package, under its own name.

    Args:
        package: its full name.
        homes: each name to the module that defines it: a full name, or one inside of the package
            that begins with a dot.
        modules: the modules of the package that can be used without an import of their own.

    Returns:
        A function that imports a name, and keeps it in the package. It raises an `AttributeError`
        for any other name.
    """

    def get(name: str) -> Any:
        if name in modules:
            return import_module(f"{package}.{name}")
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
