"""What the SDK's tests import as `helpers.mock_store`; its source distribution leaves it out."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from chatkit.store import NotFoundError, Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata
from pydantic import TypeAdapter

_attachment: TypeAdapter[Attachment] = TypeAdapter(Attachment)
_item: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)

# A row keeps its place when it is written again, and so `rowid` is the order of first writing.
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS objects
        (kind TEXT, user TEXT, thread TEXT, id TEXT, json TEXT, UNIQUE (kind, user, thread, id))
"""
# The tests of structured input want that an item stays as it is when it is added once more.
_ADD = "INSERT OR IGNORE INTO objects VALUES (?, ?, ?, ?, ?)"
_SAVE = """
    INSERT INTO objects VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (kind, user, thread, id) DO UPDATE SET json = excluded.json
"""
_ONE = "kind = ? AND user = ? AND thread = ? AND id = ?"


class SQLiteStore(Store[Any]):
    """Threads, items and attachments of the user that `context.user_id` names.

    What belongs to no thread is stored under the thread `""`.
    """

    def __init__(self, db_path: str = ":memory:") -> None:
        # The tests open other stores on the same path.
        self.db_path = db_path
        self._db = sqlite3.connect(db_path, uri=True, isolation_level=None)
        self._db.execute(_SCHEMA)

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        return ThreadMetadata.model_validate_json(self._load("thread", "", thread_id, context))

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        # A stream hands over a `Thread`; its items are not metadata.
        json = ThreadMetadata(**thread.model_dump()).model_dump_json()
        self._save("thread", "", thread.id, json, context)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Any
    ) -> Page[ThreadMetadata]:
        found, rest = self._page("thread", "", context, after=after, limit=limit, order=order)
        threads = [ThreadMetadata.model_validate_json(json) for json in found]
        return Page(data=threads, has_more=rest, after=threads[-1].id if rest else None)

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        self._delete("thread", "", thread_id, context)
        self._db.execute(
            "DELETE FROM objects WHERE kind = 'item' AND user = ? AND thread = ?",
            (context.user_id, thread_id),
        )

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        found, rest = self._page("item", thread_id, context, after=after, limit=limit, order=order)
        items = [_item.validate_json(json) for json in found]
        return Page(data=items, has_more=rest, after=items[-1].id if rest else None)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        json = _item.dump_json(item).decode()
        self._db.execute(_ADD, ("item", context.user_id, thread_id, item.id, json))

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        self._save("item", thread_id, item.id, _item.dump_json(item).decode(), context)

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        return _item.validate_json(self._load("item", thread_id, item_id, context))

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        self._delete("item", thread_id, item_id, context)

    async def save_attachment(self, attachment: Attachment, context: Any) -> None:
        json = _attachment.dump_json(attachment).decode()
        self._save("attachment", "", attachment.id, json, context)

    async def load_attachment(self, attachment_id: str, context: Any) -> Attachment:
        return _attachment.validate_json(self._load("attachment", "", attachment_id, context))

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        self._delete("attachment", "", attachment_id, context)

    def _save(self, kind: str, thread: str, name: str, json: str, context: Any) -> None:
        self._db.execute(_SAVE, (kind, context.user_id, thread, name, json))

    def _load(self, kind: str, thread: str, name: str, context: Any) -> str:
        for (json,) in self._query(
            f"SELECT json FROM objects WHERE {_ONE}", (kind, context.user_id, thread, name)
        ):
            return str(json)
        raise NotFoundError(f"{kind.capitalize()} {name} not found")

    def _delete(self, kind: str, thread: str, name: str, context: Any) -> None:
        self._db.execute(f"DELETE FROM objects WHERE {_ONE}", (kind, context.user_id, thread, name))

    def _page(
        self, kind: str, thread: str, context: Any, *, after: str | None, limit: int, order: str
    ) -> tuple[list[str], bool]:
        """The JSON of up to `limit` objects, and whether there are more."""
        rows = self._query(
            "SELECT id, json FROM objects WHERE kind = ? AND user = ? AND thread = ?"
            f" ORDER BY rowid {'DESC' if order == 'desc' else 'ASC'}",
            (kind, context.user_id, thread),
        )
        if after is not None:
            rows = rows[[name for name, _ in rows].index(after) + 1 :]
        return [json for _, json in rows[:limit]], len(rows) > limit

    def _query(self, sql: str, values: Sequence[str]) -> list[Any]:
        return self._db.execute(sql, values).fetchall()
