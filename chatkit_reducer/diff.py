"""`diff`: the way back, from two states of a thread to the events between them.

One function catches up a late joiner (from the empty thread, or from what the client has), corrects
a client after a settlement, and streams a widget.
"""

from __future__ import annotations

from collections.abc import Iterator

from chatkit_reducer.book import Entry
from chatkit_reducer.events import (
    Event,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    ThreadUpdated,
)
from chatkit_reducer.items import ItemState
from chatkit_reducer.json_values import same_json
from chatkit_reducer.lifecycle import Phase
from chatkit_reducer.state import ThreadState

__all__ = ["diff"]


def diff(before: ThreadState, after: ThreadState) -> list[Event]:
    """The events that turn one thread into another: none if nothing differs.

    `fold(diff(before, after), before)` has the items of `after`, in order. What deltas can say is
    said by deltas, so that a text that grew is one delta; the rest is said by whole items. A thread
    only grows at its end: where the order differs, items from there on are removed and sent again.

    Where it can be said without repeating an item as a fault, an item that is pending in `after` is
    pending afterwards, and one that is done is done. Metadata of the thread comes along; progress,
    errors and stream options are of the stream and not of the thread, and do not.

    Args:
        before: what somebody has.
        after: what they should have.
    """
    old, new = before.items.entries, after.items.entries
    staying = _staying(list(old), list(new))
    events: list[Event] = []
    thread = after.thread
    if thread is not None and not same_json(before.thread, thread):
        events.append(ThreadUpdated(thread))
    events += [ThreadItemRemoved(item_id) for item_id in old if item_id not in staying]
    for item_id, entry in new.items():
        known = old[item_id] if item_id in staying else None
        events += _changed(known, entry) if known else _brought(entry)
    return events


def _staying(old: list[str], new: list[str]) -> set[str]:
    """The ids that need not move: what `new` begins with, as far as `old` has it in this order."""
    place = {item_id: index for index, item_id in enumerate(old)}
    staying: set[str] = set()
    last = -1
    for item_id in new:
        if place.get(item_id, -1) <= last:
            break
        last = place[item_id]
        staying.add(item_id)
    return staying


def _brought(entry: Entry) -> Iterator[Event]:
    """An item that is not there."""
    if entry.phase is Phase.PENDING:
        yield ThreadItemAdded(entry.item.to_json())
    elif entry.base is None:
        yield ThreadItemDone(entry.item.to_json())
    else:
        yield ThreadItemDone(entry.base.to_json())
        yield from _updated(entry.base, entry.item)


def _changed(old: Entry, new: Entry) -> Iterator[Event]:
    """An item that is there, and may be another."""
    same = old.item == new.item
    if new.phase is Phase.STORED:
        if old.phase is not Phase.STORED:
            yield ThreadItemDone(new.item.to_json())
        elif not same:
            yield ThreadItemReplaced(new.item.to_json())
    elif not same:
        yield from _updated(old.item, new.item)


def _updated(old: ItemState, new: ItemState) -> Iterator[Event]:
    """An item that is streaming: deltas if there are any for this, else the whole of it."""
    updates = old.updates_to(new)
    if updates is None:
        yield ThreadItemReplaced(new.to_json())
    else:
        for update in updates:
            yield ThreadItemUpdated(old.id, update)
