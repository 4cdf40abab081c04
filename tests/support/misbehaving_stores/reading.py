"""Stores that answer wrongly when they are asked, or with more than they should."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, ClassVar, Union, get_args

from chatkit.types import Page, SDKHiddenContextItem, ThreadItem
from pydantic import TypeAdapter

from tests.support.misbehaving_stores.sound import Row, SoundStore

__all__ = [
    "AliasingStore",
    "KeyErrorStore",
    "LosesEqualTimesStore",
    "NoHiddenContextStore",
    "NoneStore",
    "NotMirroredStore",
    "OneOrderStore",
    "OnePageStore",
    "OwnErrorStore",
    "ReadsHalfCharactersAsErrorsStore",
    "ValueErrorStore",
]

_ALL_TYPES: tuple[Any, ...] = get_args(get_args(ThreadItem)[0])
_KNOWN_TYPES: Any = Union[tuple(kind for kind in _ALL_TYPES if kind is not SDKHiddenContextItem)]  # noqa: UP007


class NoHiddenContextStore(SoundStore):
    """Write a `sdk_hidden_context` and then fail to read it, and each page that holds it.

    The application wrote down a union of item types of its own, and left that one out.
    """

    adapter: ClassVar[TypeAdapter[Any]] = TypeAdapter(_KNOWN_TYPES)

    def to_row(self, item: ThreadItem) -> Row:
        return Row(item.id, item.created_at, item.model_dump_json())


class KeyErrorStore(SoundStore):
    """Raise KeyError for an unknown id, as a dict does."""

    def unknown(self, item_id: str) -> ThreadItem:
        raise KeyError(item_id)


class ValueErrorStore(SoundStore):
    """Raise ValueError for an unknown id, as many servers do."""

    def unknown(self, item_id: str) -> ThreadItem:
        raise ValueError(f"Item {item_id} not found")


class RowNotFound(Exception):  # noqa: N818  # as frameworks name it
    """The application's own, or its framework's."""


class OwnErrorStore(SoundStore):
    """Raise an error of the application's framework for an unknown id."""

    def unknown(self, item_id: str) -> ThreadItem:
        raise RowNotFound(item_id)


class NoneStore(SoundStore):
    """Return None for an unknown id, as `session.get` does."""

    def unknown(self, item_id: str) -> ThreadItem:
        return None  # type: ignore[return-value]  # that is what it does wrong


class AliasingStore(SoundStore):
    """Hold the very objects that it was given, and give them to whoever asks."""

    def to_row(self, item: ThreadItem) -> Row:
        return Row(item.id, item.created_at, item)

    def from_row(self, row: Row) -> ThreadItem:
        held: ThreadItem = row.held
        return held


class LosesEqualTimesStore(SoundStore):
    """Page by `created_at > that of the cursor`: of equal times, those behind a page are lost."""

    def ordered(self, rows: list[Row]) -> list[Row]:
        return sorted(rows, key=lambda row: row.created_at)

    def page(self, rows: list[Row], after: str | None, limit: int) -> Page[ThreadItem]:
        times = {row.id: row.created_at for row in rows}
        if after is not None:
            is_descending = len(rows) > 1 and times[rows[0].id] > times[rows[-1].id]
            rows = [row for row in rows if _is_behind(row, times[after], descending=is_descending)]
        items = [self.from_row(row) for row in rows[:limit]]
        has_more = limit < len(rows)
        return Page(data=items, has_more=has_more, after=items[-1].id if has_more else None)


def _is_behind(row: Row, time: datetime, *, descending: bool) -> bool:
    return row.created_at < time if descending else row.created_at > time


class NotMirroredStore(SoundStore):
    """Leave equal times in the order of insertion, in ascending and in descending order."""

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        await self.wait("list")
        rows = sorted(
            self.table(thread_id).rows, key=lambda row: row.created_at, reverse=order == "desc"
        )
        return self.page(rows, after, limit)


class OneOrderStore(SoundStore):
    """Ignore `order`: what is asked for as the newest item is the oldest one."""

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        return await super().load_thread_items(thread_id, after, limit, "asc", context)


class OnePageStore(SoundStore):
    """Give the first page whatever the cursor, and say that nothing follows."""

    def page(self, rows: list[Row], after: str | None, limit: int) -> Page[ThreadItem]:
        page = super().page(rows, None, limit)
        return Page(data=page.data)


class ReadsHalfCharactersAsErrorsStore(SoundStore):
    """Write half a character as a JSON escape, which pydantic refuses to read: the page is lost."""

    def to_row(self, item: ThreadItem) -> Row:
        return Row(item.id, item.created_at, json.dumps(item.model_dump(mode="json")))
