"""`diff`: the inverse of `fold`, from two states of a thread to the events between them.

One function catches up a late joiner (from the empty thread, or from the client's state), corrects
a client after a settlement, and streams a widget.
"""

from __future__ import annotations

from collections.abc import Iterator

from chatkit_reducer.core.codec import own_copy
from chatkit_reducer.core.items import ItemState
from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.core.thread.arguments import require_state
from chatkit_reducer.core.thread.contents import Entry
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    Event,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    ThreadUpdated,
)

__all__ = ["diff"]


def diff(before: ThreadState, after: ThreadState) -> list[Event]:
    """Return the events that turn one thread into another: none if nothing differs.

    `fold(diff(before, after), before)` has the items of `after`, in order. What deltas can say is
    said by deltas, so that a text that grew is one delta; the rest is said by whole items. A thread
    only grows at its end: where the order differs, items from there on are removed and sent again.

    Where it can be said without repeating an item as a fault, an item that is pending in `after` is
    pending afterwards, and one that is done is done. Metadata of the thread comes along; progress,
    errors and stream options are of the stream and not of the thread, and do not.

    Args:
        before: the state that a client has.
        after: the state that it should have.

    Raises:
        TypeError: one of them is not a ThreadState.
    """
    old = require_state(before, "before").items.entries
    new = require_state(after, "after").items.entries
    unmoved = _unmoved(list(old), list(new))
    events: list[Event] = []
    thread = after.thread
    if thread is not None and not json_equal(before.thread, thread):
        events.append(ThreadUpdated(thread))
    events += [ThreadItemRemoved(item_id) for item_id in old if item_id not in unmoved]
    for item_id, entry in new.items():
        known = old[item_id] if item_id in unmoved else None
        events += _change(known, entry) if known else _add(entry)
    return events


def _unmoved(old: list[str], new: list[str]) -> set[str]:
    """Return the ids that need not move: the longest beginning of `new` that `old` has in order."""
    place = {item_id: index for index, item_id in enumerate(old)}
    unmoved: set[str] = set()
    last = -1
    for item_id in new:
        if place.get(item_id, -1) <= last:
            break
        last = place[item_id]
        unmoved.add(item_id)
    return unmoved


def _add(entry: Entry) -> Iterator[Event]:
    """Return the events that add an item."""
    if entry.phase is Phase.PENDING:
        yield ThreadItemAdded(entry.item.without_halves().to_json())
        yield from _halves(entry.item)
    elif entry.base is None:
        yield ThreadItemDone(entry.item.to_json())
    else:
        yield ThreadItemDone(entry.base.to_json())
        yield from _update(entry.base, entry.item)


def _change(old: Entry, new: Entry) -> Iterator[Event]:
    """Return the events that change an item into another; none if they are equal."""
    same = old.item == new.item
    if new.phase is Phase.STORED:
        if old.phase is not Phase.STORED:
            yield ThreadItemDone(new.item.to_json())
        elif not same:
            yield ThreadItemReplaced(new.item.to_json())
    elif not same:
        yield from _update(old.item, new.item)


def _update(old: ItemState, new: ItemState) -> Iterator[Event]:
    """Return the events for an item that is streaming: deltas if they can express it."""
    updates = old.diff_to(new)
    if updates is None:
        yield ThreadItemReplaced(new.without_halves().to_json())
        yield from _halves(new)
    else:
        for update in updates:
            yield ThreadItemUpdated(old.id, own_copy(update))


def _halves(item: ItemState) -> Iterator[Event]:
    """Return the first halves of characters with which texts of the item end."""
    for update in item.halves():
        yield ThreadItemUpdated(item.id, update)
