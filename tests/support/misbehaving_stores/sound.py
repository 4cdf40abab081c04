"""A store that breaks no promise. Each of the others is this one, with one promise broken."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from chatkit.store import NotFoundError, Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata
from pydantic import TypeAdapter

__all__ = ["Row", "SoundStore"]


@dataclass
class Row:
    """One stored item."""

    id: str
    created_at: datetime
    held: Any
    """The JSON text of the item, or whatever else a store keeps."""


@dataclass
class Table:
    """One thread."""

    thread: ThreadMetadata | None = None
    rows: list[Row] = field(default_factory=list)


class SoundStore(Store[Any]):
    """Keep threads in memory, as JSON text, and wait before and after each change.

    Items stand in the order of their first writing. Both `add_thread_item` and `save_item` write an
    item in the place of the one with its id, and at the end if there is none.
    """

    adapter: ClassVar[TypeAdapter[Any]] = TypeAdapter(ThreadItem)

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self.calls: list[tuple[str, str]] = []
        """Each write that was tried: `add`, `save` or `delete`, and the id of the item."""

    # --- what the other stores change ---------------------------------------------------------

    async def wait(self, call: str) -> None:
        """Wait, as for a database: before and after the change."""
        await asyncio.sleep(0)

    def to_row(self, item: ThreadItem) -> Row:
        return Row(item.id, item.created_at, self.adapter.dump_json(item).decode())

    def from_row(self, row: Row) -> ThreadItem:
        item: ThreadItem = self.adapter.validate_json(row.held)
        return item

    def unknown(self, item_id: str) -> ThreadItem:
        """Answer `load_item` for an id that the thread does not have."""
        raise NotFoundError(f"item {item_id} is not in the thread")

    def ordered(self, rows: list[Row]) -> list[Row]:
        return rows

    def add_row(self, table: Table, row: Row) -> None:
        self.save_row(table, row)

    def save_row(self, table: Table, row: Row) -> None:
        place = place_of(row.id, table.rows)
        if place is None:
            table.rows.append(row)
        else:
            table.rows[place] = row

    def delete_row(self, table: Table, item_id: str) -> None:
        table.rows = [row for row in table.rows if row.id != item_id]

    # --- items --------------------------------------------------------------------------------

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        self.calls.append(("add", item.id))
        row = self.to_row(item)
        await self.wait("add")
        self.add_row(self.table(thread_id), row)
        await self.wait("add")

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        self.calls.append(("save", item.id))
        row = self.to_row(item)
        await self.wait("save")
        self.save_row(self.table(thread_id), row)
        await self.wait("save")

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        self.calls.append(("delete", item_id))
        await self.wait("delete")
        self.delete_row(self.table(thread_id), item_id)
        await self.wait("delete")

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        await self.wait("load")
        rows = self.table(thread_id).rows
        place = place_of(item_id, rows)
        return self.unknown(item_id) if place is None else self.from_row(rows[place])

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        await self.wait("list")
        rows = self.ordered(list(self.table(thread_id).rows))
        if order == "desc":
            rows.reverse()
        return self.page(rows, after, limit)

    def page(self, rows: list[Row], after: str | None, limit: int) -> Page[ThreadItem]:
        start = 0 if after is None else 1 + next(i for i, row in enumerate(rows) if row.id == after)
        items = [self.from_row(row) for row in rows[start : start + limit]]
        has_more = start + limit < len(rows)
        return Page(data=items, has_more=has_more, after=items[-1].id if has_more else None)

    def table(self, thread_id: str) -> Table:
        return self.tables.setdefault(thread_id, Table())

    def ids(self, thread_id: str) -> list[str]:
        """The ids in order, read past everything that this store does wrong."""
        return [row.id for row in self.ordered(list(self.table(thread_id).rows))]

    # --- threads and attachments --------------------------------------------------------------

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        await self.wait("thread")
        thread = self.table(thread_id).thread
        if thread is None:
            raise NotFoundError(f"there is not a thread {thread_id}")
        return thread.model_copy(deep=True)

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        await self.wait("thread")
        self.table(thread.id).thread = ThreadMetadata(**thread.model_dump())

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Any
    ) -> Page[ThreadMetadata]:
        await self.wait("thread")
        threads = [table.thread for table in self.tables.values() if table.thread is not None]
        return Page(data=threads[:limit])

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        await self.wait("thread")
        self.tables.pop(thread_id, None)

    async def save_attachment(self, attachment: Attachment, context: Any) -> None:
        raise NotImplementedError

    async def load_attachment(self, attachment_id: str, context: Any) -> Attachment:
        raise NotFoundError(attachment_id)

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        raise NotImplementedError


def place_of(item_id: str, rows: Sequence[Row]) -> int | None:
    return next((place for place, row in enumerate(rows) if row.id == item_id), None)
