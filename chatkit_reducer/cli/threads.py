"""A log folded to its threads, for the commands that show states."""

from __future__ import annotations

from typing import NamedTuple

from chatkit_reducer.cli.errors import StrictFailure
from chatkit_reducer.cli.inputs import Log
from chatkit_reducer.cli.left_out import LeftOut
from chatkit_reducer.cli.limits import Limits
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.errors import AnomalyError
from chatkit_reducer.logs import replay_threads

__all__ = ["FoldedLog", "fold_log"]


class FoldedLog(NamedTuple):
    """The threads of a log."""

    threads: dict[str | None, ThreadState]
    """The state of each thread by its id; a log without events has one thread."""
    events: int
    """How many events were folded."""
    left_out: LeftOut


def fold_log(
    log: Log,
    stored: ThreadState | None,
    limits: Limits,
    *,
    until: int | None = None,
    strict: bool = False,
) -> FoldedLog:
    """Fold the threads of a log, or of its first `until` events.

    Raises:
        InputError: the log cannot be read, or nothing in it is an event.
        StrictFailure: in strict mode, at the first anomaly.
    """
    with log.open(limits) as source:
        try:
            threads = replay_threads(
                source.file, stored, until=until, strict=strict, **source.options
            )
        except AnomalyError as error:
            raise StrictFailure(str(error)) from None
    states = threads.values()
    events = max([state.position for state in states], default=0)
    source.require_events(events, (anomaly for state in states for anomaly in state.anomalies))
    return FoldedLog(threads or {None: ThreadState()}, events, source.left_out)
