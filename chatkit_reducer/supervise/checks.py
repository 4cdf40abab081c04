"""Checks of single values; an error has the expectation, the value, and a remedy."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

__all__ = [
    "check_bool",
    "check_json",
    "check_no_argument",
    "check_one_argument",
    "check_seconds",
    "check_watcher",
    "unfit_signature",
]


_MOST_SECONDS = 1e9
"""Thirty years: a longer time is taken for no limit, because some event loops refuse it."""


def check_seconds(name: str, value: object, *, positive: bool = False) -> float | None:
    """Return a number of seconds; None for no limit.

    Raises:
        TypeError: it is not a number.
        ValueError: it is negative or NaN, or 0 where it has to be positive.
    """
    if value is None:
        return None
    wanted = "a positive number of seconds" if positive else "a number of seconds, 0 or more"
    expected = f"expected {name} to be {wanted}, or None for no limit"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{expected}, got {type(value).__name__} {value!r}: pass a float")
    if not value >= 0 or (positive and value == 0):
        raise ValueError(f"{expected}, got {value!r}")
    return None if value > _MOST_SECONDS else float(value)


def check_bool(name: str, value: object, advice: str = "pass a bool") -> None:
    """Refuse a value that is not True or False.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, bool):
        raise TypeError(
            f"expected {name} to be True or False, got {type(value).__name__} {value!r}: {advice}"
        )


def check_one_argument(name: str, value: object, *, is_sync: bool = False) -> None:
    """Refuse a value that cannot be called with one argument, or whose call does nothing.

    Raises:
        TypeError: it cannot be called with one argument; it is a class or a generator function,
            which a call only prepares; or it is an `async def` where a plain function is needed.
    """
    _check_call(name, value, 1)
    if (inspect.isclass(value) and not is_sync) or inspect.isgeneratorfunction(value):
        kind = "class" if inspect.isclass(value) else "generator function"
        raise TypeError(f"{name} must be a function, got the {kind} {value!r}: pass a function")
    if inspect.isasyncgenfunction(value):
        raise TypeError(
            f"{name} must be a function, got the async generator function {value!r}: "
            "pass one without `yield`"
        )
    if is_sync and inspect.iscoroutinefunction(value):
        raise TypeError(f"{name} must be a plain function, got {value!r}: remove the `async`")


def check_no_argument(name: str, value: object) -> None:
    """Refuse a value that cannot be called without an argument, or does not return at once.

    Raises:
        TypeError: it cannot be called without an argument, or it is an `async def`.
    """
    _check_call(name, value, 0)
    if inspect.iscoroutinefunction(value) or inspect.isasyncgenfunction(value):
        raise TypeError(f"{name} must be a plain function, got {value!r}: remove the `async`")


def _check_call(name: str, value: object, number: int) -> None:
    if not callable(value):
        raise TypeError(
            f"{name} must be a function, got {type(value).__name__} {value!r}: "
            "pass the function itself, without calling it"
        )
    unfit = unfit_signature(value, number)
    if unfit is not None:
        wanted = ("no argument", "one argument")[number]
        raise TypeError(
            f"{name} must be a function of {wanted}, got {value!r}, which takes {unfit}"
        )


def unfit_signature(function: Callable[..., object], number: int) -> inspect.Signature | None:
    """Return the signature of a function that cannot be called with so many arguments.

    Args:
        function: the function.
        number: of positional arguments.

    Returns:
        None if it can be called so, or does not tell, as some builtins do not.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*[None] * number)
    except TypeError:
        return signature
    return None


def check_json(name: str, value: Any) -> None:
    """Refuse a value that is not plain JSON.

    Raises:
        TypeError: a value in it is of a type that JSON does not have.
        ValueError: it holds NaN, infinity, or half a surrogate pair.
    """
    todo: list[tuple[str, Any]] = [(name, value)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                if not isinstance(key, str):
                    raise TypeError(f"{path} must have strings as keys, got {key!r}")
                todo.append((f"{path}.{key}", inner))
        elif isinstance(value, list):
            todo.extend((f"{path}[{index}]", inner) for index, inner in enumerate(value))
        else:
            _check_scalar(path, value)


def _check_scalar(path: str, value: object) -> None:
    if not (value is None or isinstance(value, str | int | float)):
        raise TypeError(
            f"{path} must be plain JSON, got {type(value).__name__}: convert it first, for "
            "example with `.model_dump(mode='json')` or `str()`"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{path} must be plain JSON, got {value!r}: JSON has only finite numbers")
    if isinstance(value, str) and not _is_unicode(value):
        raise ValueError(f"{path} must be plain JSON, got half of a surrogate pair")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_watcher(name: str, value: object, advice: str = "") -> None:
    """Refuse a watcher that cannot watch.

    Raises:
        TypeError: it is such a one.
    """
    if value is not None and not callable(getattr(value, "watch", None)):
        raise TypeError(
            f"expected {name} to be a chatkit_reducer.view.watching.Watcher or None, got "
            f"{type(value).__name__}{advice}"
        )
