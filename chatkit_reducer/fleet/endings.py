"""How the last stream of a thread ended, as far as its log tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import ErrorEvent, Event, UnknownEvent, Unreadable
from chatkit_reducer.journal.records import SETTLED, is_own

__all__ = ["ENDINGS", "OPEN", "UNKNOWN", "ending_of"]

OPEN = "open"
"""Items are pending at the end of the log, and nothing says why."""
UNKNOWN = "unknown"
"""The ending of events that no thread is named for."""

ENDINGS = (*[cause.value for cause in Cause], OPEN, UNKNOWN)
"""All endings that a row may have."""


def ending_of(events: Sequence[Event | Unreadable], state: ThreadState) -> str:
    """Return how the last stream of a thread ended.

    A journal records the cause. In any other log an error as the last event means `failed`, and
    pending items mean `open`.

    Args:
        events: the events of the thread, in order.
        state: the thread after them.
    """
    recorded: str | None = None
    for event in reversed(events):
        if not is_own(event):
            if recorded is None and isinstance(event, ErrorEvent):
                return Cause.FAILED.value
            break
        recorded = recorded or _recorded_cause(event)
    return recorded or (OPEN if state.pending else Cause.ENDED.value)


def _recorded_cause(event: Event | Unreadable) -> str | None:
    """Return the cause in the record of a settlement; None for other records."""
    if not isinstance(event, UnknownEvent) or event.type != SETTLED:
        return None
    settlement: Any = event.json.get("settlement")
    cause = settlement.get("cause") if isinstance(settlement, dict) else None
    return cause if cause in list(Cause) else None
