"""What the SDK's tests import as `helpers.mock_store`; its source distribution leaves it out.

It refuses what a database refuses, as the one does that the SDK's tests were written for: an item
whose id is there already, in whatever thread; and it writes no item that is not there when it is to
be saved. Items stand in the order of `created_at`.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from chatkit.store import NotFoundError, Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata
from pydantic import TypeAdapter

_attachment: TypeAdapter[Attachment] = TypeAdapter(Attachment)
_item: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS {kind}
        (id TEXT PRIMARY KEY, user TEXT NOT NULL, thread TEXT, time TEXT, json TEXT NOT NULL)
"""


class SQLiteStore(Store[Any]):
    """Threads, items and attachments of the user that `context.user_id` names."""

    def __init__(self, db_path: str = ":memory:") -> None:
        # The tests open other stores on the same path.
        self.db_path = db_path
        self._db = sqlite3.connect(db_path, uri=True, isolation_level=None)
        for kind in ("thread", "item", "attachment"):
            self._db.execute(_SCHEMA.format(kind=kind))

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        json = self._load("thread", {"id": thread_id, "user": context.user_id})
        return ThreadMetadata.model_validate_json(json)

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        # A stream hands over a `Thread`; its items are not metadata.
        json = ThreadMetadata(**thread.model_dump()).model_dump_json()
        self._delete("thread", {"id": thread.id, "user": context.user_id})
        self._insert(
            "thread", thread.id, context.user_id, None, thread.created_at.isoformat(), json
        )

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Any
    ) -> Page[ThreadMetadata]:
        found, rest = self._page("thread", {"user": context.user_id}, after, limit, order)
        threads = [ThreadMetadata.model_validate_json(json) for json in found]
        return Page(data=threads, has_more=rest, after=threads[-1].id if rest else None)

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        self._delete("thread", {"id": thread_id, "user": context.user_id})
        self._delete("item", {"thread": thread_id, "user": context.user_id})

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        where = {"thread": thread_id, "user": context.user_id}
        found, rest = self._page("item", where, after, limit, order)
        items = [_item.validate_json(json) for json in found]
        return Page(data=items, has_more=rest, after=items[-1].id if rest else None)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        time, json = item.created_at.isoformat(), _item.dump_json(item).decode()
        self._insert("item", item.id, context.user_id, thread_id, time, json)

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        self._db.execute(
            "UPDATE item SET json = ? WHERE id = ? AND thread = ? AND user = ?",
            (_item.dump_json(item).decode(), item.id, thread_id, context.user_id),
        )

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        where = {"id": item_id, "thread": thread_id, "user": context.user_id}
        return _item.validate_json(self._load("item", where))

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        self._delete("item", {"id": item_id, "thread": thread_id, "user": context.user_id})

    async def save_attachment(self, attachment: Attachment, context: Any) -> None:
        # Whoever has an attachment of that id, it is this user's from now on.
        self._delete("attachment", {"id": attachment.id})
        json = _attachment.dump_json(attachment).decode()
        self._insert("attachment", attachment.id, context.user_id, None, None, json)

    async def load_attachment(self, attachment_id: str, context: Any) -> Attachment:
        return _attachment.validate_json(self._load("attachment", {"id": attachment_id}))

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        self._delete("attachment", {"id": attachment_id, "user": context.user_id})

    def _insert(self, kind: str, *row: str | None) -> None:
        self._db.execute(f"INSERT INTO {kind} VALUES (?, ?, ?, ?, ?)", row)

    def _load(self, kind: str, where: dict[str, str]) -> str:
        for (json,) in self._query(f"SELECT json FROM {kind}", where):
            return str(json)
        raise NotFoundError(f"{kind.capitalize()} {where['id']} not found")

    def _delete(self, kind: str, where: dict[str, str]) -> None:
        self._query(f"DELETE FROM {kind}", where)

    def _page(
        self, kind: str, where: dict[str, str], after: str | None, limit: int, order: str
    ) -> tuple[list[str], bool]:
        """The JSON of up to `limit` objects, and whether there are more."""
        direction = "DESC" if order == "desc" else "ASC"
        rows = self._query(f"SELECT id, json FROM {kind}", where, f"ORDER BY time {direction}")
        if after is not None:
            ids = [name for name, _ in rows]
            if after not in ids:
                raise NotFoundError(f"{kind.capitalize()} {after} not found")
            rows = rows[ids.index(after) + 1 :]
        return [json for _, json in rows[:limit]], len(rows) > limit

    def _query(self, sql: str, where: dict[str, str], rest: str = "") -> list[Any]:
        condition = " AND ".join(f"{name} = ?" for name in where)
        values: Sequence[str] = tuple(where.values())
        return self._db.execute(f"{sql} WHERE {condition} {rest}", values).fetchall()
