"""Which events of a thread its client may see: all but those of hidden items."""

from __future__ import annotations

from chatkit_reducer.core.items import HIDDEN_TYPES
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.events import (
    Event,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
)

__all__ = ["Visibility"]


class Visibility:
    """A filter for the events of one stream; it remembers which items the client sees."""

    def __init__(self) -> None:
        self._hidden: set[str] = set()
        self._shown: set[str] = set()

    def of(self, event: Event) -> Event | None:
        """Return an event as a client may see it; None if it is about a hidden item.

        An item that becomes a hidden one is removed from the client that sees it.
        """
        if isinstance(event, ThreadItemUpdated | ThreadItemRemoved):
            return None if event.item_id in self._hidden else event
        if not isinstance(event, ThreadItemAdded | ThreadItemDone | ThreadItemReplaced):
            return event
        item_id = str(event.item.get("id"))
        if event.item.get("type") not in HIDDEN_TYPES:
            self._hidden.discard(item_id)
            self._shown.add(item_id)
            return event
        self._hidden.add(item_id)
        was_shown = item_id in self._shown
        self._shown.discard(item_id)
        return ThreadItemRemoved(item_id) if was_shown else None

    def gone(self, settlement: Settlement) -> list[Event]:
        """Return the removals of items that the client sees, and that are hidden in the store."""
        verdicts = [verdict for verdict in settlement.verdicts if verdict.item.id in self._shown]
        return [
            ThreadItemRemoved(verdict.item.id)
            for verdict in verdicts
            if verdict.left is not None
            and verdict.left.type in HIDDEN_TYPES
            and verdict.event is None
        ]
