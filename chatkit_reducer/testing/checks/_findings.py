"""The flaws that a stream of events may have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import attrs

from chatkit_reducer.testing._text import Labelled, members_of


class Flaw(Labelled):
    """A kind of flaw."""

    NO_EVENT = "no_event"
    """The producer sent a value that is not a ChatKit event."""
    DOES_NOT_FIT = "does_not_fit"
    """An event names an item, a part, a task or a component that is not there."""
    NOT_UNIQUE = "not_unique"
    """An item, its id for another one, the end of an item, or a task at its very place came a
    second time."""
    OUT_OF_ORDER = "out_of_order"
    """An index leaves a gap, is negative, or begins a part again that is not blank."""
    MISMATCH = "mismatch"
    """The updates of an item do not add up to its `done`, or to that of its part. A `replaced` may
    bring any content: it is the change itself."""
    CHANGED_LATER = "changed_later"
    """An event was changed after it had been sent."""
    FAILED = "failed"
    """There is an `error` event."""
    LEFT_PENDING = "left_pending"
    """The stream ended, and an item was not done."""
    UPDATE_AS_EVENT = "update_as_event"
    """An update is sent as an event of its own, and not in a `thread.item.updated`."""
    HIDDEN_ITEM = "hidden_item"
    """A client can read an item that only the model should read."""
    PLACEHOLDER_ID = "placeholder_id"
    """An item has an id that other items have as well, such as `__fake_id__`."""


def flaws_of(named: Iterable[Flaw | str] | str) -> set[Flaw]:
    """Look up flaws by their names, or the one.

    Raises:
        ValueError: a flaw is unknown.
    """
    return set(members_of(Flaw, named, "flaw"))


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
        Flaw.MISMATCH: (
            "Send an update for each change. People see what the updates say until the item is "
            "done, and that is what is kept if the answer is stopped."
        ),
        Flaw.CHANGED_LATER: (
            "Send a copy: model_copy(deep=True), or copy.deepcopy. A queue or a log that still has "
            "the event has another one now."
        ),
        Flaw.FAILED: "See the log of the server for the exception behind it.",
        Flaw.LEFT_PENDING: (
            "Send `thread.item.done` with the whole item, or `thread.item.removed`. Until then a "
            "client shows it as still being written, and no store has it."
        ),
        Flaw.UPDATE_AS_EVENT: (
            "Yield ThreadItemUpdatedEvent(item_id=..., update=...): a client ignores an event that "
            "it does not know."
        ),
        Flaw.HIDDEN_ITEM: (
            "Send nothing but the `thread.item.done` of a hidden item: the SDK stores it and holds "
            "that event back, and sends all others to the client."
        ),
        Flaw.PLACEHOLDER_ID: (
            "Give the item an id of its own before you send it, such as "
            "store.generate_item_id(...): a store overwrites or refuses the second item."
        ),
    }
)
"""The advice for each flaw."""


@attrs.frozen(kw_only=True)
class Found:
    """One flaw of a stream."""

    flaw: Flaw
    position: int
    """The number of its event, counted from 1; for the end one more than that of the last."""
    problem: str
    """The flaw in words."""
    details: tuple[str, ...] = ()
    """Details, a line each."""
