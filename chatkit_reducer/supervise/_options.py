"""The arguments of `supervise`, checked before the first event."""

from __future__ import annotations

import inspect
from typing import Any

import attrs

from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.journal.writer import JournalWriter
from chatkit_reducer.supervise.checks import (
    check_bool,
    check_one_argument,
    check_seconds,
    check_watcher,
)
from chatkit_reducer.supervise.commit.marker import MarkerFields

__all__ = ["Limits", "check_types", "limits_of"]


@attrs.frozen(kw_only=True)
class Limits:
    """Limits of time, in seconds, and of attempts; None for no limit."""

    stream: float | None
    event: float | None
    closing: float | None
    load: float | None
    commit: float | None
    attempts: int
    journal: float | None


def limits_of(
    *,
    timeout: object,
    idle_timeout: object,
    close_timeout: object,
    load_timeout: object,
    commit_timeout: object,
    commit_attempts: object,
    journal_timeout: object,
) -> Limits:
    """Return the limits that the arguments of `supervise` set.

    Raises:
        TypeError: one is not a number.
        ValueError: one is negative or NaN, or 0 where that leaves no time or attempt.
    """
    if isinstance(commit_attempts, bool) or not isinstance(commit_attempts, int):
        raise TypeError(
            f"commit_attempts must be an int, got {type(commit_attempts).__name__} "
            f"{commit_attempts!r}: 1 means once"
        )
    if commit_attempts < 1:
        raise ValueError(f"commit_attempts must be 1 or more, got {commit_attempts}: 1 means once")
    return Limits(
        stream=check_seconds("timeout", timeout),
        event=check_seconds("idle_timeout", idle_timeout),
        closing=check_seconds("close_timeout", close_timeout),
        load=check_seconds("load_timeout", load_timeout, positive=True),
        commit=check_seconds("commit_timeout", commit_timeout, positive=True),
        attempts=commit_attempts,
        journal=check_seconds("journal_timeout", journal_timeout, positive=True),
    )


def check_types(**given: Any) -> None:
    """Refuse arguments of `supervise` that are of other types than it declares.

    Raises:
        TypeError: one is not.
    """
    _check_async_iterable(given["events"])
    check_one_argument("commit", given["commit"])
    check_one_argument("convert", given["convert"], is_sync=True)
    for name, is_sync in (("load", False), ("on_failure", False), ("deliver", True)):
        if given[name] is not None:
            check_one_argument(name, given[name], is_sync=is_sync)
    if not isinstance(given["state"], ThreadState | None):
        raise TypeError(
            f"state must be a ThreadState, got {type(given['state']).__name__}: make one of stored "
            "items with ThreadState.from_items"
        )
    check_bool("own_task", given["own_task"])
    if not isinstance(given["marker"], MarkerFields | None):
        raise TypeError(f"marker must be MarkerFields, got {type(given['marker']).__name__}")
    if not isinstance(given["journal"], JournalWriter | None):
        raise TypeError(
            f"expected journal to be a JournalWriter, got {type(given['journal']).__name__}: make "
            "one with JournalWriter(journal, thread=...)"
        )
    check_watcher("watcher", given["watcher"])


def _check_async_iterable(value: object) -> None:
    if hasattr(type(value), "__aiter__"):
        return
    advice = "call the generator function, without `await`"
    if inspect.isawaitable(value):
        advice = "await it first"
    elif hasattr(value, "__iter__"):
        advice = "make an async generator of it"
    raise TypeError(f"events must be an async iterable, not {type(value).__name__}: {advice}")
