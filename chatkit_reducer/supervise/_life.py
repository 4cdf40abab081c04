"""The life of a supervised stream, as a table.

A stream is in one of five stages:

* created: no event was asked for yet;
* waiting: the consumer has asked, and waits for the producer (or for the look-up of an item);
* sending: the consumer has an event, and works with it for as long as it likes;
* settling: one task closes the producer, settles the stream, and has the settlement committed;
* settled: that is done, and the outcome will not change.

Three rules for this file:

1. Every decision about which task settles, and which tasks wait for it, is in `TRANSITIONS`. The
   one exception is the loop of `Supervised`, which makes the two steps of each event (sending,
   waiting) without the table, because a look-up would cost as much as the rest of the loop. A test
   compares the two.
2. It knows no task, no event loop and no time: `stream` knows which task acts.
3. A step that is not in the table cannot happen, and raises. An event is only given to a consumer
   that waits; and while it waits, no other task settles: the consumer is interrupted, and settles.

`SETTLE` is the effect of exactly one step of each life: the one that leads to settling. So there is
one settlement, by the first that comes: the consumer that sees the end, the consumer that leaves,
the deadline, or `aclose` from elsewhere. The later ones join: they wait until the first is through.

The table does not cover a consumer that does nothing more. If it dropped the stream, the event loop
closes the generator; if its task has ended, `consumer` notices that. A stream that is dropped
before it was iterated is never settled, because it had no events.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["TRANSITIONS", "Action", "Effect", "Life", "Stage", "Transition"]


class Stage(StrEnum):  # strings, because the hash of a plain member is a Python function
    """Where a stream is in its life."""

    CREATED = "created"
    WAITING = "waiting"
    SENDING = "sending"
    SETTLING = "settling"
    SETTLED = "settled"


class Action(StrEnum):
    """An action on a stream."""

    ASK = "ask"
    """The consumer asks for an event: the first, or the next one."""
    GIVE = "give"
    """The consumer is given the event."""
    STOP = "stop"
    """A task calls `stop`."""
    CLOSE = "close"
    """A task calls `aclose`: at the end of the block, at the deadline, or from elsewhere."""
    LEAVE = "leave"
    """The iteration is over: the producer ended, or raised, or the consumer left it."""
    FINISH = "finish"
    """The task that settles is through."""


class Effect(StrEnum):
    """The duty of the task that acts."""

    NOTHING = "nothing"
    INTERRUPT = "interrupt"
    """End the wait for the producer, or the next one before it begins."""
    SETTLE = "settle"
    """Close the producer, settle, commit; then finish."""
    JOIN = "join"
    """Wait until another task has settled the stream."""


class Transition(NamedTuple):
    """The next stage, and the duty of the task that acts."""

    to: Stage
    effect: Effect = Effect.NOTHING


_CREATED, _WAITING, _SENDING, _SETTLING, _SETTLED = Stage

TRANSITIONS: MappingProxyType[tuple[Stage, Action], Transition] = MappingProxyType(
    {
        (_CREATED, Action.ASK): Transition(_WAITING),
        (_CREATED, Action.STOP): Transition(_CREATED, Effect.INTERRUPT),
        (_CREATED, Action.CLOSE): Transition(_SETTLING, Effect.SETTLE),
        #
        (_WAITING, Action.GIVE): Transition(_SENDING),
        (_WAITING, Action.STOP): Transition(_WAITING, Effect.INTERRUPT),
        (_WAITING, Action.CLOSE): Transition(_WAITING, Effect.JOIN),
        (_WAITING, Action.LEAVE): Transition(_SETTLING, Effect.SETTLE),
        #
        (_SENDING, Action.ASK): Transition(_WAITING),
        (_SENDING, Action.STOP): Transition(_SENDING, Effect.INTERRUPT),
        (_SENDING, Action.CLOSE): Transition(_SETTLING, Effect.SETTLE),
        (_SENDING, Action.LEAVE): Transition(_SETTLING, Effect.SETTLE),
        #
        (_SETTLING, Action.ASK): Transition(_SETTLING, Effect.JOIN),
        (_SETTLING, Action.STOP): Transition(_SETTLING),
        (_SETTLING, Action.CLOSE): Transition(_SETTLING, Effect.JOIN),
        (_SETTLING, Action.LEAVE): Transition(_SETTLING, Effect.JOIN),
        (_SETTLING, Action.FINISH): Transition(_SETTLED),
        #
        (_SETTLED, Action.ASK): Transition(_SETTLED, Effect.JOIN),
        (_SETTLED, Action.STOP): Transition(_SETTLED),
        (_SETTLED, Action.CLOSE): Transition(_SETTLED),
        (_SETTLED, Action.LEAVE): Transition(_SETTLED),
    }
)
"""(stage, action) to the transition."""


class Life:
    """The life of one stream."""

    __slots__ = ("stage",)

    def __init__(self) -> None:
        self.stage: Stage = Stage.CREATED

    def act(self, action: Action) -> Effect:
        """Make the step, and return the duty of the task that acts.

        Raises:
            RuntimeError: the table has no such step.
        """
        step = TRANSITIONS.get((self.stage, action))
        if step is None:
            raise RuntimeError(f"a stream that is {self.stage} cannot {action}")
        self.stage = step.to
        return step.effect
