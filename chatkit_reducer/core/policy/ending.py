"""A thread at the end of its stream: the items in flight, and the call that may wait at its end.

`settle` decides about the items. This module finds them, at a cost that does not grow with the
thread: pending items are in a map of their own, the items that changed since the last delivered
event are where two maps do not share their nodes, and the newest items are at the end of a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import attrs

from chatkit_reducer.core.items import ItemState
from chatkit_reducer.core.policy.store_rows import InFlight
from chatkit_reducer.core.policy.table import Content
from chatkit_reducer.core.policy.verdict import Verdict
from chatkit_reducer.core.thread.contents import Entry, ThreadContents
from chatkit_reducer.core.thread.lifecycle import Phase

__all__ = ["Call", "Ending"]


class _Left(NamedTuple):
    """An item that stays in the thread."""

    order: int
    item: ItemState
    is_added: bool


class Call(NamedTuple):
    """A client tool call without an output, and whether it is known to wait for that."""

    id: str | None
    waits: bool


def _order(found: _Left) -> int:
    return found.order


@attrs.frozen(kw_only=True)
class Ending:
    """A thread at the end of its stream, with the knowledge about its store."""

    now: ThreadContents
    before: ThreadContents
    """The thread as the store is known to have it."""
    held: Mapping[str, ItemState | None]
    refused: frozenset[str]

    def in_flight(self) -> list[Entry]:
        """Return the items that are pending, in doubt or refused, in thread order."""
        ids = {item_id for item_id, _ in self.now.pending.items()}
        ids.update(self.refused)
        if self.before is not self.now:
            ids.update(self.now.entries.changed_keys(self.before.entries))
        entries = [self.now.entries.get(item_id) for item_id in ids]
        found = [entry for entry in entries if entry is not None and self._is_in_flight(entry)]
        return sorted(found, key=lambda entry: entry.order)

    def _is_in_flight(self, entry: Entry) -> bool:
        if entry.phase is not Phase.STORED or entry.item.id in self.refused:
            return True
        known = self.before.entries.get(entry.item.id)
        return known is None or known.phase is not Phase.STORED or known.item is not entry.item

    def describe(self, entry: Entry) -> InFlight:
        """Describe an item in flight, apart from the copy that the store has now."""
        known = self.before.entries.get(entry.item.id)
        content = Content.COMPLETE
        if entry.phase is not Phase.STORED:
            content = Content.EMPTY if entry.item.is_empty else Content.PARTIAL
        was_refused = entry.item.id in self.refused
        # A store that refused this very copy does not have it.
        is_new = known is None or (was_refused and known.item is entry.item)
        return InFlight(
            item=entry.item,
            content=content,
            base=entry.base,
            delivered=None if known is None or is_new else known.stored_copy,
            came_again=known is not None and known.order != entry.order,
            was_refused=was_refused,
        )

    def waiting_call(self, verdicts: list[Verdict]) -> Call:
        """Return the client tool call that waits for its output, and that nothing may stand behind.

        The SDK looks at the newest item alone when the output arrives (1.6.5, `chatkit/server.py`,
        `ChatKitServer._process_streaming_impl`, `ThreadsAddClientToolOutputReq`): with anything
        behind the call, the thread could never go on. A call that was removed stays if that is in
        doubt.

        New items behind such a call can be put in front of it. But only if it does wait: no event
        says that the output has come, so the items behind may be the answer to that. It waits if
        the store says so, or if it is in flight itself.
        """
        left = [*self._left(verdicts), *self._removed()]
        newest = max(left, key=_order, default=None)
        if newest is not None and _waits(newest.item):
            return Call(newest.item.id, waits=True)
        there = [found for found in left if not found.is_added or _waits(found.item)]
        last = max(there, key=_order, default=None)
        if last is None or not _waits(last.item):
            return Call(None, waits=False)
        in_flight = any(verdict.item.id == last.item.id for verdict in verdicts)
        return Call(last.item.id, waits=in_flight or last.item.id in self.held)

    def _left(self, verdicts: list[Verdict]) -> Iterator[_Left]:
        """Return the newest items that stay, down to the first that the store is known to have."""
        settled = {verdict.item.id: verdict for verdict in verdicts}
        for entry in self.now.newest_first():
            verdict = settled.get(entry.item.id)
            item = self.held.get(entry.item.id, entry.item) if verdict is None else verdict.left
            if item is not None:
                is_added = verdict is not None and verdict.is_added
                yield _Left(entry.order, item, is_added)
                if not is_added:
                    return

    def _removed(self) -> Iterator[_Left]:
        """Return the items that were removed, and that the store may still have."""
        if self.before is self.now:
            return
        for item_id in self.now.entries.changed_keys(self.before.entries):
            entry = self.before.entries.get(item_id)
            if entry is not None and item_id not in self.now.entries:
                item = self.held.get(item_id, entry.stored_copy)
                if item is not None:
                    yield _Left(entry.order, item, is_added=False)


def _waits(item: ItemState) -> bool:
    """Whether it is a client tool call without an output yet."""
    return item.type == "client_tool_call" and item.json.get("status", "pending") == "pending"
