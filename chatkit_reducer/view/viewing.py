"""A log to a page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from chatkit_reducer.analysis.sweeper import require_policies
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.core.thread.arguments import iterate, require_state
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.logs import Log, Record, read_records
from chatkit_reducer.policies import PRESETS
from chatkit_reducer.view.page import Arguments, Page, Start
from chatkit_reducer.view.recording import Recording

__all__ = ["LogOrEvents", "view", "with_presets"]

LogOrEvents: TypeAlias = Log | Iterable[Event | Unreadable]
"""A path, a file open for reading bytes, or events in order."""


def view(
    log: LogOrEvents,
    stored: ThreadState | None = None,
    *,
    policies: Sequence[Policy] = (),
    at: int | None = None,
    cause: Cause | str = Cause.CANCELLED,
    images: bool = False,
    name: str | None = None,
) -> Page:
    """Make a page that shows a stream at each of its events, and what a stop there would keep.

    >>> from chatkit_reducer.testing.examples import added, message, text_delta
    >>> from chatkit_reducer.view import view
    >>> page = view([added(message("m", "")), text_delta("m", "Once")], name="session")
    >>> str(page).startswith("<!doctype html>")
    True

    Args:
        log: a path, a file open for reading bytes, or events in order.
        stored: the thread before the log; the log is then taken as one of that thread alone.
        policies: tables to compare, in front of the presets; the first two have the columns.
        at: the number of events after which the page opens; all of them if left out.
        cause: the ending for which it opens.
        images: whether images are in the page however large they are.
        name: the title; that of the file if left out.

    Raises:
        OSError: the file cannot be opened or read.
        ValueError: `cause` is not a Cause, `at` is negative, or two policies have one name.
        TypeError: an argument is of another type.
    """
    _check_at(at)
    if name is not None and not isinstance(name, str):
        raise TypeError(
            f"expected name to be a str, got {type(name).__name__} {name!r}: pass the title of the "
            "page, or None for the name of the file"
        )
    if stored is not None:
        require_state(stored, "stored")
    tables = with_presets(policies)
    start = Start(at, Cause(cause), _arguments(log, stored, tables))
    recording = Recording(stored, tables, images=images)
    for record in _records(log):
        recording.take_record(record)
    return Page(recording.data(_name(log) if name is None else name), start)


def _check_at(at: object) -> None:
    if at is None:
        return
    if isinstance(at, bool) or not isinstance(at, int):
        raise TypeError(
            f"expected at to be a number of events, got {type(at).__name__} {at!r}: pass an int, "
            "or None for all events"
        )
    if at < 0:
        raise ValueError(f"expected at to be 0 or more, got {at}: pass None for all events")


def with_presets(policies: Sequence[Policy]) -> tuple[Policy, ...]:
    """Return these policies and behind them the presets that are not among them.

    Raises:
        TypeError: one of them is no policy.
        ValueError: two of them have one name.
    """
    policies = require_policies(policies)
    names = [policy.name for policy in policies]
    if len(set(names)) < len(names):
        raise ValueError(f"the names of policies must differ, got {', '.join(names)}")
    return (*policies, *(each for name, each in PRESETS.items() if name not in names))


def _arguments(
    log: LogOrEvents, stored: ThreadState | None, policies: Iterable[Policy]
) -> Arguments | None:
    """Return what a command takes for this page; None if it cannot be told."""
    path = os.fspath(log) if isinstance(log, (str, os.PathLike)) else None
    if not isinstance(path, str) or path.startswith("-") or stored is not None:
        return None
    names = [policy.name for policy in policies if policy == PRESETS.get(policy.name)]
    return Arguments(path, {name: name for name in names})


def _records(log: LogOrEvents) -> Iterator[Record]:
    if _is_log(log):
        return read_records(log)  # type: ignore[arg-type]
    events: Iterator[Event | Unreadable] = iterate(log)  # type: ignore[arg-type]
    return (Record(event) for event in events)


def _is_log(value: object) -> bool:
    return isinstance(value, (str, os.PathLike)) or hasattr(value, "read")


def _name(log: LogOrEvents) -> str:
    path = getattr(log, "name", None) if hasattr(log, "read") else log
    return Path(path).name if isinstance(path, (str, os.PathLike)) else "events"
