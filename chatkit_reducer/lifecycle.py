"""The life of an item, as a table.

An item is in one of four phases:

* absent: the thread does not have it;
* pending: this stream added it, and it is not done; no store has it;
* stored: it is done, or was there before the stream began;
* pending over a base: a stored item that this stream is changing; the stored copy is its *base*,
  and stays reachable until the item is done.

Three rules for this file:

1. Everything that decides which phase follows which is in `LIFE`, and nowhere else. The rows are
   the cells of the table in docs/semantics.md, and a test compares the two.
2. It knows item events, and nothing of item types: what an update does to an item is the business
   of `items`.
3. Every cell is filled. What should not happen has a row as well, with the fault that it leaves.

What the table cannot say: an update that does not fit its item is a fault and leaves the item in
the phase it was in; and when a stream ends, what is pending is settled (see `policy`).

An update to an item that this stream did not add is no fault. openai-chatkit 1.6.5 itself continues
the workflow of an earlier response (`chatkit/agents.py`, `stream_agent_response`), though its own
server then ignores the update (`chatkit/server.py`, `ChatKitServer._update_pending_items`).
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from chatkit_reducer.anomalies import Fault, FaultKind
from chatkit_reducer.events import (
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
)

__all__ = ["LIFE", "ItemEvent", "Phase", "Step"]

ItemEvent: TypeAlias = (
    ThreadItemAdded | ThreadItemUpdated | ThreadItemDone | ThreadItemRemoved | ThreadItemReplaced
)


class Phase(StrEnum):  # strings, because the hash of a plain member is a Python function
    """Where an item is in its life."""

    ABSENT = "absent"
    PENDING = "pending, new"
    STORED = "stored"
    PENDING_OVER_BASE = "pending over a base"


class Step(NamedTuple):
    """What follows, and the fault that it leaves, if any."""

    to: Phase
    fault: Fault | None = None


_ABSENT, _PENDING, _STORED, _OVER_BASE = Phase

_NOT_THERE = Fault(FaultKind.ITEM_NOT_FOUND, "the thread has no such item")
_ADDED_TWICE = Fault(
    FaultKind.ITEM_ALREADY_PRESENT,
    "the item is added, and it is pending already",
    "it was started again from this event",
)
_ADDED_OVER_STORED = Fault(
    FaultKind.ITEM_ALREADY_PRESENT,
    "the item is added, and it is stored already",
    "it is pending again, over its stored copy",
)

LIFE: MappingProxyType[tuple[Phase, type[ItemEvent]], Step] = MappingProxyType(
    {
        (_ABSENT, ThreadItemAdded): Step(_PENDING),
        (_ABSENT, ThreadItemUpdated): Step(_ABSENT, _NOT_THERE),
        (_ABSENT, ThreadItemDone): Step(_STORED),
        (_ABSENT, ThreadItemReplaced): Step(_STORED),
        (_ABSENT, ThreadItemRemoved): Step(_ABSENT, _NOT_THERE),
        #
        (_PENDING, ThreadItemAdded): Step(_PENDING, _ADDED_TWICE),
        (_PENDING, ThreadItemUpdated): Step(_PENDING),
        (_PENDING, ThreadItemDone): Step(_STORED),
        (_PENDING, ThreadItemReplaced): Step(_STORED),
        (_PENDING, ThreadItemRemoved): Step(_ABSENT),
        #
        (_STORED, ThreadItemAdded): Step(_OVER_BASE, _ADDED_OVER_STORED),
        (_STORED, ThreadItemUpdated): Step(_OVER_BASE),
        (_STORED, ThreadItemDone): Step(_STORED),
        (_STORED, ThreadItemReplaced): Step(_STORED),
        (_STORED, ThreadItemRemoved): Step(_ABSENT),
        #
        (_OVER_BASE, ThreadItemAdded): Step(_OVER_BASE, _ADDED_TWICE),
        (_OVER_BASE, ThreadItemUpdated): Step(_OVER_BASE),
        (_OVER_BASE, ThreadItemDone): Step(_STORED),
        (_OVER_BASE, ThreadItemReplaced): Step(_STORED),
        (_OVER_BASE, ThreadItemRemoved): Step(_ABSENT),
    }
)
"""(phase, item event) to the step that follows."""
