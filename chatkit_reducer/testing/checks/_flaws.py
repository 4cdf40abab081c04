"""What may be wrong with a stream of events."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import attrs

__all__ = ["ADVICE", "Flaw", "Found"]


class Flaw(StrEnum):
    """A kind of thing that is wrong with a stream."""

    NO_EVENT = "no event"
    """Something came that is no ChatKit event."""
    DOES_NOT_FIT = "does not fit"
    """An event is about something that is not there: an item, a part, a task, a component."""
    NOT_UNIQUE = "not unique"
    """Something came a second time: an item, its id for another one, the end of an item, a task at
    its very place."""
    OUT_OF_ORDER = "out of order"
    """An index leaves a gap, is negative, or begins a part again that is not blank."""
    DOES_NOT_ADD_UP = "does not add up"
    """The updates of an item make something else than its `done` says, or that of its part. What
    `replaced` says may be anything: it is the change itself."""
    CHANGED_LATER = "changed later"
    """An event was changed after it had been sent."""
    FAILED = "failed"
    """There is an `error` event."""
    LEFT_PENDING = "left pending"
    """The stream ended, and an item was not done."""


ADVICE: Mapping[Flaw, str] = MappingProxyType(
    {
        Flaw.NO_EVENT: (
            "Yield events of chatkit.types or chatkit_reducer.events, JSON mappings, or JSON text."
        ),
        Flaw.DOES_NOT_FIT: (
            "Add an item before you update it, and count parts and tasks from 0. If the item is "
            "one of an earlier response, pass it: check_producer(..., stored=[item])."
        ),
        Flaw.NOT_UNIQUE: (
            "Send it once, and give each item an id of its own: a store may hold both. If a task "
            "came twice, the item was put into a queue and changed before it was sent: wait "
            "between the two calls, or put in a copy."
        ),
        Flaw.OUT_OF_ORDER: "Count parts, citations and tasks from 0, and leave no number out.",
        Flaw.DOES_NOT_ADD_UP: (
            "Send an update for each change. People see what the updates say until the item is "
            "done, and that is what is kept if the answer is stopped."
        ),
        Flaw.CHANGED_LATER: (
            "Send a copy: model_copy(deep=True), or copy.deepcopy. Whoever still has the event, in "
            "a queue or in a log, has another one now."
        ),
        Flaw.FAILED: "See the log of the server for the exception behind it.",
        Flaw.LEFT_PENDING: (
            "Send `thread.item.done` with the whole item, or `thread.item.removed`. Until then a "
            "client shows it as still being written, and no store has it."
        ),
    }
)
"""What to do about each."""


@attrs.frozen(kw_only=True)
class Found:
    """One thing that is wrong with a stream."""

    flaw: Flaw
    position: int
    """How many events came before the one that it is about."""
    problem: str
    """In words."""
    details: tuple[str, ...] = ()
    """More of it, a line each."""
