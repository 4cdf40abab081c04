"""Stores that write something else than they were given, elsewhere, or not at all."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from chatkit.types import ThreadItem, ThreadMetadata

from tests.support.misbehaving_stores.sound import Row, SoundStore, Table, place_of

__all__ = [
    "ByTimeStore",
    "CopyingStore",
    "DuplicateError",
    "FieldDroppingStore",
    "IgnoringAddStore",
    "MovingSaveStore",
    "NewestTimeStore",
    "NulCutStore",
    "NulRefusingStore",
    "OwnTimesStore",
    "PrimaryKeyStore",
    "SilentSaveStore",
    "StrictSaveStore",
    "TimestampStore",
    "TombstoneStore",
    "TruncatingStore",
    "UuidObjectStore",
    "UuidStore",
]


class DuplicateError(Exception):
    """What a database raises when a primary key is there already."""


class PrimaryKeyStore(SoundStore):
    """Refuse to add an item whose id it has."""

    def add_row(self, table: Table, row: Row) -> None:
        if place_of(row.id, table.rows) is not None:
            raise DuplicateError(f"UNIQUE constraint failed: items.id: {row.id}")
        table.rows.append(row)


class IgnoringAddStore(SoundStore):
    """Leave an item as it is when it is added again, as INSERT OR IGNORE does."""

    def add_row(self, table: Table, row: Row) -> None:
        if place_of(row.id, table.rows) is None:
            table.rows.append(row)


class CopyingStore(SoundStore):
    """Add an item again beside the one that has its id: then there are two."""

    def add_row(self, table: Table, row: Row) -> None:
        table.rows.append(row)


class StrictSaveStore(PrimaryKeyStore):
    """Refuse to save an item that it does not have."""

    def save_row(self, table: Table, row: Row) -> None:
        place = place_of(row.id, table.rows)
        if place is None:
            raise LookupError(f"item {row.id} cannot be updated: there is none")
        table.rows[place] = row


class SilentSaveStore(PrimaryKeyStore):
    """Save with a plain UPDATE: of an item that it does not have, nothing is kept, nor said."""

    def save_row(self, table: Table, row: Row) -> None:
        place = place_of(row.id, table.rows)
        if place is not None:
            table.rows[place] = row


class MovingSaveStore(SoundStore):
    """Save by deleting and inserting, as INSERT OR REPLACE does: the item moves to the end."""

    def save_row(self, table: Table, row: Row) -> None:
        self.delete_row(table, row.id)
        table.rows.append(row)


class TombstoneStore(SoundStore):
    """Mark a deleted item and keep its row: its id can never be used again."""

    def __init__(self) -> None:
        super().__init__()
        self.deleted: set[str] = set()

    def delete_row(self, table: Table, item_id: str) -> None:
        super().delete_row(table, item_id)
        self.deleted.add(item_id)

    def save_row(self, table: Table, row: Row) -> None:
        if row.id in self.deleted:
            raise DuplicateError(f"UNIQUE constraint failed: items.id: {row.id}")
        super().save_row(table, row)


class ByTimeStore(SoundStore):
    """Put items in the order of `created_at`, and equal times in the order of first writing."""

    def ordered(self, rows: list[Row]) -> list[Row]:
        return sorted(rows, key=lambda row: row.created_at)


class NewestTimeStore(ByTimeStore):
    """Set the time anew at each write, and order by it: a save moves the item to the end."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def to_row(self, item: ThreadItem) -> Row:
        self.writes += 1
        row = super().to_row(item)
        return Row(row.id, datetime.fromtimestamp(self.writes, UTC), row.held)


class TruncatingStore(SoundStore):
    """Cut texts off at 4,000 characters without a word, as a column of MySQL may."""

    def to_row(self, item: ThreadItem) -> Row:
        row = super().to_row(item)
        return Row(row.id, row.created_at, json.dumps(_cut(json.loads(row.held))))


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value[:4_000]
    if isinstance(value, list):
        return [_cut(each) for each in value]
    return {key: _cut(each) for key, each in value.items()} if isinstance(value, dict) else value


class TimestampStore(SoundStore):
    """Give each `created_at` in UTC and without its microseconds."""

    def from_row(self, row: Row) -> ThreadItem:
        item = super().from_row(row)
        item.created_at = item.created_at.replace(microsecond=0, tzinfo=UTC)
        return item


class OwnTimesStore(SoundStore):
    """Set `created_at` itself, as a column with a default does."""

    def to_row(self, item: ThreadItem) -> Row:
        return super().to_row(item.model_copy(update={"created_at": datetime(2020, 1, 1)}))  # noqa: DTZ001


class FieldDroppingStore(SoundStore):
    """Keep the columns that somebody thought of, and drop all else."""

    def to_row(self, item: ThreadItem) -> Row:
        row = super().to_row(item)
        plain = json.loads(row.held)
        for name in ("copy_text", "quoted_text", "output"):
            plain.pop(name, None)
        for part in plain.get("content") or ():
            if isinstance(part, dict) and "annotations" in part:
                part["annotations"] = []
        return Row(row.id, row.created_at, json.dumps(plain))


class UuidStore(SoundStore):
    """Take ids that are UUIDs, as a column of that type does, and make such."""

    def generate_thread_id(self, context: Any) -> str:
        return str(uuid.uuid4())

    def generate_item_id(self, item_type: Any, thread: ThreadMetadata, context: Any) -> str:
        return str(uuid.uuid4())

    def to_row(self, item: ThreadItem) -> Row:
        uuid.UUID(item.id)
        return super().to_row(item)

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        uuid.UUID(item_id)
        return await super().load_item(thread_id, item_id, context)


class UuidObjectStore(UuidStore):
    """Give ids that are `UUID` objects, and not texts."""

    def generate_item_id(self, item_type: Any, thread: ThreadMetadata, context: Any) -> str:
        return uuid.uuid4()  # type: ignore[return-value]  # that is what it does wrong


class NulRefusingStore(SoundStore):
    """Refuse a text that holds a NUL, as PostgreSQL does."""

    def to_row(self, item: ThreadItem) -> Row:
        row = super().to_row(item)
        if "\\u0000" in row.held:
            raise ValueError("a text must not hold the character NUL")
        return row


class NulCutStore(SoundStore):
    """End a text at the first NUL, as C does."""

    def to_row(self, item: ThreadItem) -> Row:
        row = super().to_row(item)
        return Row(row.id, row.created_at, json.dumps(_up_to_nul(json.loads(row.held))))


def _up_to_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.partition("\0")[0]
    if isinstance(value, list):
        return [_up_to_nul(each) for each in value]
    if isinstance(value, dict):
        return {key: _up_to_nul(each) for key, each in value.items()}
    return value
