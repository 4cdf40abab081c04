"""The interface of drafts, and the parts that they share.

A draft is a mutable copy of one item. `fold` feeds it runs of updates, and takes the item back when
another event comes. A draft and the reducers of `core.items` have the same result: that is law 2,
and its test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from msgspec.structs import replace

from chatkit_reducer.core.halves import mended_json
from chatkit_reducer.core.items import ItemState
from chatkit_reducer.events import Event, ThreadItemUpdated, Unreadable, Update

__all__ = [
    "EXHAUSTED",
    "Events",
    "ItemDraft",
    "Mend",
    "Misfits",
    "RunResult",
    "misfits_in",
    "text_in",
]

Events: TypeAlias = "Iterator[Event | Unreadable]"
"""A stream that is being folded."""

EXHAUSTED: Any = object()
"""Stands for the next event at the end of a stream."""

RunResult: TypeAlias = "tuple[Any, int]"
"""The first event that was not taken, or `EXHAUSTED`, and how many were."""


Misfits: TypeAlias = "Sequence[tuple[int, Update]]"
"""Updates that say nothing, because code put something else than text into them; each with how many
events of those that were taken came before it."""


Mend: TypeAlias = Callable[[Any], Any]
"""Applied to the JSON of an update: `mended_json`, or nothing if the caller did that."""


class ItemDraft(Protocol):
    """An item that changes in place while a fold lasts, where updates come in crowds.

    An item type has one if folding its updates one by one is too slow; nothing else depends on it.
    It applies the plain cases in a tight loop, and leaves the others to the reducers, faults above
    all.
    """

    misfits: Misfits
    """The applied events that say nothing; the reader empties the list."""

    def __init__(self, item: Any, mend: Mend = mended_json) -> None: ...

    def apply_run(self, item_id: str, first: ThreadItemUpdated, events: Events) -> RunResult:
        """Take `first`, an update of this item, and as many of `events` as possible."""
        ...

    def finish(self) -> ItemState:
        """Return the item after all that was taken; the same object if nothing changed."""
        ...


def text_in(pieces: list[Any]) -> str:
    """Return the text among the pieces that a run of deltas brought."""
    return "".join([piece for piece in pieces if isinstance(piece, str)])


def misfits_in(pieces: list[Any], like: Update, before: int, others: Sequence[int] = ()) -> Misfits:
    """Return the deltas of a run that brought no text.

    Args:
        pieces: the value that each brought.
        like: an update of the same kind, for one text.
        before: how many events were taken before the run.
        others: for each event of the run that brought something else, how many pieces came before.
    """
    return [
        (before + number + sum(other <= number for other in others), replace(like, delta=piece))
        for number, piece in enumerate(pieces)
        if not isinstance(piece, str)
    ]
