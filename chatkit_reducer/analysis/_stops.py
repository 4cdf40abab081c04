"""The places where a stream might have stopped, and the outcome at each of them, as values."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from chatkit_reducer.core.items.base import VisibleContent
from chatkit_reducer.core.policy.table import Decision

__all__ = ["FATES", "Flight", "Outcome", "StopPoint", "Totals", "with_more"]

FATES = ("kept", "stale", "lost")
"""The fates of content, from the best to the worst: the fields of `Outcome`."""


class Outcome(Struct, frozen=True, gc=False):
    """The fate of the content that users had seen of the items in flight, under one policy."""

    kept: VisibleContent = VisibleContent()
    """Of the items that are persisted, or whose stored copy shows all that users saw."""
    lost: VisibleContent = VisibleContent()
    """Of those that are discarded."""
    stale: VisibleContent = VisibleContent()
    """Of those that stay on the screen, and are not in the store."""


class Totals(Struct, frozen=True, gc=False):
    """The figures between two events that change more than the length of one text."""

    seen: VisibleContent
    fates: tuple[Outcome, ...]
    growing: tuple[Decision, ...] = ()
    """The decision of each policy for the item whose text is growing."""


class Flight(NamedTuple):
    """A stretch of a stream in which one item was in flight."""

    id: str
    """That of the item."""
    type: str
    """Its type, as it began."""
    begin: int
    """The first stop at which it was in flight: how many events of the log came before that."""
    end: int | None
    """The first stop at which it was not any more; None if it was to the end of the log."""


class StopPoint(Struct, frozen=True, gc=False):
    """One place in a log where the stream might have stopped."""

    at: int
    """How many events came before it."""
    _totals: Totals
    _more: int
    """The characters that came since the totals were made, all of them to one text."""

    @property
    def seen(self) -> VisibleContent:
        """How much users had seen of the items in flight."""
        return _add_text(self._totals.seen, self._more) if self._more else self._totals.seen

    @property
    def fates(self) -> tuple[Outcome, ...]:
        """The outcome under each policy, in the order of the policies."""
        totals, more = self._totals, self._more
        if not more:
            return totals.fates
        pairs = zip(totals.fates, totals.growing, strict=True)
        return tuple([_with_text(fate, decision, more) for fate, decision in pairs])


def with_more(fate: Outcome, decision: Decision, more: VisibleContent) -> Outcome:
    """Add content to the outcome, according to the decision for it."""
    if decision is Decision.PERSIST:
        return Outcome(fate.kept + more, fate.lost, fate.stale)
    if decision is Decision.DISCARD:
        return Outcome(fate.kept, fate.lost + more, fate.stale)
    return Outcome(fate.kept, fate.lost, fate.stale + more)


# The same for text alone, at every stop: half the time.
def _with_text(fate: Outcome, decision: Decision, characters: int) -> Outcome:
    if decision is Decision.PERSIST:
        return Outcome(_add_text(fate.kept, characters), fate.lost, fate.stale)
    if decision is Decision.DISCARD:
        return Outcome(fate.kept, _add_text(fate.lost, characters), fate.stale)
    return Outcome(fate.kept, fate.lost, _add_text(fate.stale, characters))


def _add_text(seen: VisibleContent, characters: int) -> VisibleContent:
    return VisibleContent(seen.characters + characters, seen.tasks, seen.widgets, seen.images)
