"""Access to the store of the SDK for the items of one thread, with a time limit for each read.

Half of all stores do not raise `NotFoundError` for an unknown id: they return None, or raise an
error of their framework. So None means "not found". Any other exception says nothing: then the
newest items of the thread are read. If the thread has no more, an item that is not among them is
not in the store.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

from chatkit.store import NotFoundError, Store
from chatkit.types import Page, ThreadItem
from msgspec import UNSET, UnsetType
from pydantic import BaseModel

from chatkit_reducer.events import Json
from chatkit_reducer.integrations.openai_chatkit._conversion import readable_item

__all__ = ["PAGE", "NoAnswerError", "ThreadStore"]

T = TypeVar("T")

logger: logging.Logger = logging.getLogger("chatkit_reducer.integrations.openai_chatkit")

PAGE = 20
"""How many items the SDK reads at once (1.6.5, `chatkit/server.py`, `DEFAULT_PAGE_SIZE`)."""

_NEWEST = 50
"""How many of the newest items are read to find one of them."""


class NoAnswerError(Exception):
    """The store did not say whether it has an item."""


class ThreadStore:
    """The items that a store has of one thread, for one request."""

    def __init__(
        self, store: Store[Any], thread_id: str, context: Any, load_timeout: float | None
    ) -> None:
        self._store = store
        self._thread_id = thread_id
        self._context = context
        self._load_timeout = load_timeout
        self._answers: dict[str, bool | None] = {}

    @property
    def kind(self) -> type:
        """The class of the store."""
        return type(self._store)

    def answer_about(self, item_id: str) -> bool | None:
        """Return whether the store had an item when it was asked last; None if it did not say."""
        return self._answers.get(item_id)

    def was_asked_about(self, item_id: str) -> bool:
        """Return whether the store was asked for an item."""
        return item_id in self._answers

    async def find(self, item_id: str) -> ThreadItem | None:
        """Return the store's copy of an item, or None if it has none.

        Raises:
            NoAnswerError: the store did not say so, or took too long.
        """
        self._answers[item_id] = None
        try:
            item = await self._in_time(lambda: self._load(item_id))
        except Exception as error:
            raise NoAnswerError(f"the store did not say whether it has item {item_id}") from error
        self._answers[item_id] = item is not None
        return item

    async def find_json(self, item_id: str) -> Json | UnsetType | None:
        """Return the store's copy of an item as JSON, or None if it has none; UNSET if unknown."""
        try:
            item = await self.find(item_id)
        except NoAnswerError:
            return UNSET
        return None if item is None else readable_item(item)

    async def _load(self, item_id: str) -> ThreadItem | None:
        try:
            item: Any = await self._store.load_item(self._thread_id, item_id, context=self._context)
        except NotFoundError:
            return None
        except Exception:  # noqa: BLE001  # any error of the application's framework
            return await self._find_in_page(item_id)
        found = _something_else(item, item_id)
        if found:
            logger.error(
                "load_item of %s returned %s for item %s, which counts as no answer: expected the "
                "item of the SDK with this id, or NotFoundError.",
                self.kind.__name__,
                found,
                item_id,
            )
            raise TypeError(f"load_item returned {found}")
        return cast("ThreadItem | None", item)

    async def _find_in_page(self, item_id: str) -> ThreadItem | None:
        page = await self._page(_NEWEST)
        for item in page.data:
            if item.id == item_id:
                return item
        if page.has_more:
            raise LookupError(f"item {item_id} is not one of the newest")
        return None

    async def newest(self, count: int = 1) -> Sequence[ThreadItem]:
        """Return the newest items of the thread, the newest first, as the SDK asks for them.

        Raises:
            Exception: an error of the store.
            TimeoutError: it took too long.
        """
        page = await self._in_time(lambda: self._page(count))
        return page.data

    async def _page(self, count: int) -> Page[ThreadItem]:
        # By position, as the SDK does it: the parameters of a store may have other names.
        return await self._store.load_thread_items(
            self._thread_id, None, count, "desc", self._context
        )

    async def add(self, item: ThreadItem) -> None:
        """Add an item."""
        await self._store.add_thread_item(self._thread_id, item, context=self._context)

    async def save(self, item: ThreadItem) -> None:
        """Save an item."""
        await self._store.save_item(self._thread_id, item, context=self._context)

    async def delete(self, item_id: str) -> None:
        """Delete an item."""
        await self._store.delete_thread_item(self._thread_id, item_id, context=self._context)

    async def _in_time(self, read: Callable[[], Awaitable[T]]) -> T:
        async with asyncio.timeout(self._load_timeout):
            return await read()


def _something_else(answer: object, item_id: str) -> str:
    """Say what `load_item` answered instead of the item or None; empty if it was one of them."""
    if answer is None:
        return ""
    kind = type(answer).__name__
    if not isinstance(answer, BaseModel):
        return kind
    found = getattr(answer, "id", None)
    return "" if found == item_id else f"{kind} {found!r}"
