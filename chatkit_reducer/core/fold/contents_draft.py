"""The contents of a thread, changed in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatkit_reducer.core.anomalies import AnomalyList
from chatkit_reducer.core.items import ItemState
from chatkit_reducer.core.thread.contents import (
    Entry,
    Progress,
    ThreadContents,
    entry_in_phase,
    with_added,
)
from chatkit_reducer.core.thread.lifecycle import Phase

if TYPE_CHECKING:
    from chatkit_reducer.events import ErrorEvent, Json

__all__ = ["ContentsDraft"]

_UNTOUCHED: Any = object()


class ContentsDraft:
    """The contents of a thread that `fold` changes in place, and hands out only when it is done."""

    __slots__ = (
        "_added",
        "_base",
        "_entries",
        "_pending",
        "anomalies",
        "error",
        "next_order",
        "progress",
        "stream_options",
        "thread",
    )

    def __init__(self, contents: ThreadContents) -> None:
        self._base = contents
        self._entries: dict[str, Entry | None] = {}
        self._pending: dict[str, int | None] = {}
        self.next_order: int = contents.next_order
        self._added: list[str] = []
        self.anomalies: AnomalyList = contents.anomalies
        self.thread: Json | None = contents.thread
        self.error: ErrorEvent | None = contents.error
        self.progress: Progress | None = contents.progress
        self.stream_options: Json | None = contents.stream_options

    def entry(self, item_id: str) -> Entry | None:
        """Return the item with this id, or None."""
        entry = self._entries.get(item_id, _UNTOUCHED)
        return self._base.entries.get(item_id) if entry is _UNTOUCHED else entry

    def with_phase(self, item_id: str, to: Phase, item: ItemState) -> ContentsDraft:
        """As `ThreadContents.with_phase`."""
        entry = entry_in_phase(self.entry(item_id), to, item, self.next_order)
        order = entry.order
        self._entries[item_id] = entry
        self._pending[item_id] = None if to is Phase.STORED else order
        if order == self.next_order:
            self.next_order = order + 1
            self._added.append(item_id)
        return self

    def without(self, item_id: str) -> ContentsDraft:
        """As `ThreadContents.without`."""
        if self._added and self._added[-1] == item_id:
            self._added.pop()
        if item_id in self._base.entries:
            self._entries[item_id] = self._pending[item_id] = None
        else:  # it came and went: nothing to remember, however many such items there are
            self._entries.pop(item_id, None)
            self._pending.pop(item_id, None)
        return self

    def with_item(self, item_id: str, item: ItemState) -> ContentsDraft:
        """As `ThreadContents.with_item`."""
        entry = self.entry(item_id)
        assert entry is not None
        self._entries[item_id] = Entry(item, entry.order, entry.phase, entry.base)
        return self

    def with_fields(self, **news: Any) -> ContentsDraft:
        """As `ThreadContents.with_fields`."""
        for name, value in news.items():
            setattr(self, name, value)
        return self

    def finish(self) -> ThreadContents:
        """Return the contents with all changes, immutable."""
        entries = self._base.entries.updated(self._entries)
        return ThreadContents(
            entries,
            self._base.pending.updated(self._pending),
            self.next_order,
            self.anomalies,
            self.thread,
            self.error,
            self.progress,
            self.stream_options,
            with_added(self._base.added, self._added, entries),
        )
