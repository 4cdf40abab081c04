"""pyarrow, imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["pyarrow"]


def pyarrow(module: str = "pyarrow") -> Any:
    """Import pyarrow, or a module of it.

    Raises:
        ImportError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"expected pyarrow to be installed, got {error}: "
            "install it with pip install 'chatkit-reducer[fleet]'"
        ) from error
