"""The life of an item, as a table.

An item is in one of four phases:

* absent: the thread does not have it;
* pending: this stream added it, and it is not done; no store has it;
* stored: it is done, or was there before the stream began;
* pending over a base: a stored item that this stream is changing; the stored copy is its *base*,
  and stays reachable until the item is done.

Three rules for this file:

1. `TRANSITIONS` alone decides which phase follows which. Its rows are the cells of the table in
   docs/semantics.md, and a test compares the two.
2. It knows item events, and nothing of item types: `core.items` defines the effect of updates.
3. Every cell is filled. A step that should not happen has a row too, with the fault that it leaves.

Two rules are not in the table: an update that does not fit its item is a fault, and the phase
stays; and when a stream ends, pending items are settled (see `core.policy`).

An update to an item that this stream did not add is not a fault. openai-chatkit 1.6.5 itself
continues the workflow of an earlier response (`chatkit/agents.py`, `stream_agent_response`), though
its own server then ignores the update (`chatkit/server.py`, `ChatKitServer._update_pending_items`).
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from chatkit_reducer.core.anomalies import AnomalyKind, Fault
from chatkit_reducer.events import (
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
)

__all__ = ["TRANSITIONS", "ItemEvent", "Phase", "Transition"]

ItemEvent: TypeAlias = (
    ThreadItemAdded | ThreadItemUpdated | ThreadItemDone | ThreadItemRemoved | ThreadItemReplaced
)


class Phase(StrEnum):  # strings, because the hash of a plain member is a Python function
    """Where an item is in its life. Snapshots hold the values."""

    ABSENT = "absent"
    PENDING = "pending"
    STORED = "stored"
    PENDING_OVER_BASE = "pending_over_base"

    @property
    def label(self) -> str:
        """The words for people."""
        return _LABELS.get(self, self.value)


_LABELS = {Phase.PENDING: "pending, new", Phase.PENDING_OVER_BASE: "pending over a base"}


class Transition(NamedTuple):
    """The next phase, and the fault that it leaves, if any."""

    to: Phase
    fault: Fault | None = None


_ABSENT, _PENDING, _STORED, _OVER_BASE = Phase

_NOT_THERE = Fault(AnomalyKind.ITEM_NOT_FOUND, "the thread has no such item")
_ADDED_TWICE = Fault(
    AnomalyKind.ITEM_ALREADY_PRESENT,
    "the item is added, and it is pending already",
    "it was started again from this event",
)
_ADDED_OVER_STORED = Fault(
    AnomalyKind.ITEM_ALREADY_PRESENT,
    "the item is added, and it is stored already",
    "it is pending again, over its stored copy",
)

TRANSITIONS: MappingProxyType[tuple[Phase, type[ItemEvent]], Transition] = MappingProxyType(
    {
        (_ABSENT, ThreadItemAdded): Transition(_PENDING),
        (_ABSENT, ThreadItemUpdated): Transition(_ABSENT, _NOT_THERE),
        (_ABSENT, ThreadItemDone): Transition(_STORED),
        (_ABSENT, ThreadItemReplaced): Transition(_STORED),
        (_ABSENT, ThreadItemRemoved): Transition(_ABSENT, _NOT_THERE),
        #
        (_PENDING, ThreadItemAdded): Transition(_PENDING, _ADDED_TWICE),
        (_PENDING, ThreadItemUpdated): Transition(_PENDING),
        (_PENDING, ThreadItemDone): Transition(_STORED),
        (_PENDING, ThreadItemReplaced): Transition(_STORED),
        (_PENDING, ThreadItemRemoved): Transition(_ABSENT),
        #
        (_STORED, ThreadItemAdded): Transition(_OVER_BASE, _ADDED_OVER_STORED),
        (_STORED, ThreadItemUpdated): Transition(_OVER_BASE),
        (_STORED, ThreadItemDone): Transition(_STORED),
        (_STORED, ThreadItemReplaced): Transition(_STORED),
        (_STORED, ThreadItemRemoved): Transition(_ABSENT),
        #
        (_OVER_BASE, ThreadItemAdded): Transition(_OVER_BASE, _ADDED_TWICE),
        (_OVER_BASE, ThreadItemUpdated): Transition(_OVER_BASE),
        (_OVER_BASE, ThreadItemDone): Transition(_STORED),
        (_OVER_BASE, ThreadItemReplaced): Transition(_STORED),
        (_OVER_BASE, ThreadItemRemoved): Transition(_ABSENT),
    }
)
"""(phase, item event) to the step that follows."""
