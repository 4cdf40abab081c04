"""The events of a thread as its client may see them: those that the SDK itself would send.

The SDK keeps two things from a client (1.6.5, `chatkit/server.py`): hidden items, which it swallows
in `ChatKitServer._process_events`, and the metadata of attachments, which `_serialize` leaves out.
"""

from __future__ import annotations

from chatkit_reducer.core.items import HIDDEN_TYPES
from chatkit_reducer.events import (
    Event,
    Json,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
)

__all__ = ["PublicEvents", "public_item"]


class PublicEvents:
    """A filter for the events of one stream; it remembers which items are hidden."""

    def __init__(self) -> None:
        self._hidden: set[str] = set()

    def of(self, event: Event) -> Event | None:
        """Return an event as a client may see it; None if it is about a hidden item."""
        if isinstance(event, ThreadItemUpdated | ThreadItemRemoved):
            return None if event.item_id in self._hidden else event
        if not isinstance(event, ThreadItemAdded | ThreadItemDone | ThreadItemReplaced):
            return event
        item_id = str(event.item.get("id"))
        if event.item.get("type") in HIDDEN_TYPES:
            self._hidden.add(item_id)
            return None
        self._hidden.discard(item_id)
        item = public_item(event.item)
        return event if item is event.item else type(event)(item)


def public_item(item: Json) -> Json:
    """Return an item without the metadata of its attachments."""
    attachments = item.get("attachments")
    if not isinstance(attachments, list) or not attachments:
        return item
    return {**item, "attachments": [_without_metadata(one) for one in attachments]}


def _without_metadata(attachment: Json) -> Json:
    return {key: value for key, value in attachment.items() if key != "metadata"}
