"""Refuse wrong arguments, with a `TypeError` that names the right one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from msgspec import Struct

from chatkit_reducer.core.thread.state import ThreadState

__all__ = ["iterate", "not_a_state", "require_state"]

T = TypeVar("T")


def require_state(value: Any, name: str = "state") -> ThreadState:
    """Return `value` if it is a ThreadState.

    Raises:
        TypeError: it is something else; `name` is the argument.
    """
    if not isinstance(value, ThreadState):
        raise not_a_state(value, name)
    return value


def not_a_state(value: Any, name: str = "state") -> TypeError:
    """Make the error of `require_state`, for code that finds out by itself."""
    return TypeError(
        f"expected a ThreadState as `{name}`, got {type(value).__name__}: begin with "
        "ThreadState(), or make one of stored items with ThreadState.from_items"
    )


def iterate(events: Iterable[T]) -> Iterator[T]:
    """Return an iterator over events.

    Raises:
        TypeError: there is nothing to iterate over.
    """
    try:
        return iter(events)
    except TypeError:
        kind = type(events).__name__
    if isinstance(events, Struct):
        raise TypeError(f"expected several events, got one {kind}: pass it in a list, or to reduce")
    raise TypeError(
        f"expected events to iterate over, got {kind}: pass a list, a generator, "
        "or what logs.read returns"
    )
