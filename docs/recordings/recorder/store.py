"""The store behind the recorded server: the SDK's `Store`, in memory.

It behaves like a database: what goes in and what comes out are copies, and every write suspends.
A write delay of zero means that no call suspends at all, which no real database does, but most
examples do.

The SDK calls `add_thread_item` for the `done` of an item that is already stored. This store then
replaces the stored item where it stands. A store that only inserts would have failed, or held the
item twice.
"""

import asyncio
from collections import defaultdict
from typing import Any

from chatkit.store import NotFoundError, Store, StoreItemType
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata

JsonObject = dict[str, Any]

ID_PREFIXES: dict[StoreItemType, str] = {
    "thread": "thr",
    "message": "msg",
    "tool_call": "tc",
    "workflow": "wf",
    "task": "tsk",
    "attachment": "atc",
    "sdk_hidden_context": "shcx",
}


class MemoryStore(Store[None]):
    """Threads, and their items in the order of their first adding. Ids are counted by type."""

    def __init__(self, *, write_delay: float) -> None:
        self._write_delay = write_delay
        self._threads: dict[str, ThreadMetadata] = {}
        self._items: defaultdict[str, dict[str, ThreadItem]] = defaultdict(dict)
        self._ids: defaultdict[StoreItemType, int] = defaultdict(int)

    def snapshot(self, thread_id: str) -> JsonObject:
        """All that is stored for a thread, hidden items included, as plain JSON."""
        return {
            "thread": _to_json(self._threads[thread_id]),
            "items": [_to_json(item) for item in self._items[thread_id].values()],
        }

    def generate_thread_id(self, context: None) -> str:
        return self._next_id("thread")

    def generate_item_id(
        self, item_type: StoreItemType, thread: ThreadMetadata, context: None
    ) -> str:
        return self._next_id(item_type)

    async def load_thread(self, thread_id: str, context: None) -> ThreadMetadata:
        if thread_id not in self._threads:
            raise NotFoundError(f"no thread {thread_id}")
        return self._threads[thread_id].model_copy(deep=True)

    async def save_thread(self, thread: ThreadMetadata, context: None) -> None:
        await self._write()
        # The SDK also passes a Thread, with a page of items that is always empty.
        self._threads[thread.id] = ThreadMetadata(**thread.model_dump(exclude={"items"}))

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: None
    ) -> Page[ThreadMetadata]:
        return Page(data=[thread.model_copy(deep=True) for thread in self._threads.values()])

    async def delete_thread(self, thread_id: str, context: None) -> None:
        await self._write()
        self._threads.pop(thread_id, None)
        self._items.pop(thread_id, None)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: None
    ) -> Page[ThreadItem]:
        items = list(self._items[thread_id].values())
        if order == "desc":
            items.reverse()
        if after is not None:
            items = items[[item.id for item in items].index(after) + 1 :]
        page = [item.model_copy(deep=True) for item in items[:limit]]
        has_more = len(items) > limit
        return Page(data=page, has_more=has_more, after=page[-1].id if has_more else None)

    async def load_item(self, thread_id: str, item_id: str, context: None) -> ThreadItem:
        if item_id not in self._items[thread_id]:
            raise NotFoundError(f"no item {item_id} in thread {thread_id}")
        return self._items[thread_id][item_id].model_copy(deep=True)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: None) -> None:
        await self._write()
        self._items[thread_id][item.id] = item.model_copy(deep=True)

    async def save_item(self, thread_id: str, item: ThreadItem, context: None) -> None:
        await self.add_thread_item(thread_id, item, context)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: None) -> None:
        await self._write()
        self._items[thread_id].pop(item_id, None)

    async def save_attachment(self, attachment: Attachment, context: None) -> None:
        raise NotImplementedError("no scenario has attachments")

    async def load_attachment(self, attachment_id: str, context: None) -> Attachment:
        raise NotImplementedError("no scenario has attachments")

    async def delete_attachment(self, attachment_id: str, context: None) -> None:
        raise NotImplementedError("no scenario has attachments")

    async def _write(self) -> None:
        if self._write_delay:
            await asyncio.sleep(self._write_delay)

    def _next_id(self, item_type: StoreItemType) -> str:
        self._ids[item_type] += 1
        return f"{ID_PREFIXES[item_type]}_{self._ids[item_type]}"


def _to_json(stored: ThreadMetadata | ThreadItem) -> JsonObject:
    return stored.model_dump(mode="json", by_alias=True, exclude_none=True)
