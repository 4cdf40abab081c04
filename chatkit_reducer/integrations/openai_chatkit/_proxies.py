"""Proxies of the server and its store, for the SDK's own methods while they run one response.

`ReducerChatKitServer` calls a method of the SDK as a function, with a proxy of the server as its
`self`. So the SDK's code runs as it is, over another store, and the server itself is not changed.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from chatkit.store import NotFoundError
from chatkit.types import ThreadItem, UserMessageItem

from chatkit_reducer.integrations.openai_chatkit._shielding import run_to_its_end

__all__ = ["LoopProxy", "MessageStoreProxy", "ServerProxy", "StoreProxy"]


class ServerProxy:
    """The server with another store: the `self` of the SDK's methods.

    All other attributes are those of the server, and `super()` works on it.
    """

    def __init__(self, server: Any, store: Any) -> None:
        self.__dict__.update(_server=server, store=store)

    @property  # type: ignore[misc]  # `super()` and `isinstance` ask for it
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride]  # read-only
        return type(self.__dict__["_server"])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_server"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_server"], name, value)


class LoopProxy(ServerProxy):
    """The server for the SDK's event loop, without the parts that settle a stopped response."""

    async def handle_stream_cancelled(self, *_: Any) -> None:
        """Do nothing: the stream is settled when it has ended."""

    def _update_pending_items(self, pending_items: Any, event: Any) -> None:
        """Do nothing: the events are folded already."""


class StoredItems(Protocol):
    """What a response knows of the items in its store."""

    async def is_stored(self, item: ThreadItem, *, was_saved: bool) -> bool:
        """Return whether the store has an item that is done."""
        ...

    async def is_partly_stored(self, item: ThreadItem) -> bool:
        """Return whether the store has an item that this one goes on with."""
        ...

    async def is_replaced_in_store(self, item: ThreadItem) -> bool | None:
        """Return whether the store has an item that is replaced; None if it does not say."""
        ...

    async def is_gone(self, item_id: str) -> bool:
        """Return whether the store says that it does not have an item."""
        ...

    def note_refusal(self, item_id: str, *, of_save: bool) -> None:
        """Note that the store refused to write an item."""
        ...


class StoreProxy:
    """The store for the SDK's event loop: adds new items, and saves those that it has."""

    def __init__(self, stream: StoredItems, store: Any) -> None:
        self._stream = stream
        self._store = store
        self._has: dict[str, bool] = {}
        """Whether the store has the items that this stream has added or deleted."""
        self._saved: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Add an item that is done, or save it if the store has one with its id.

        The store has it if it belongs to an earlier response, is done for the second time, or was
        replaced before it was done.
        """
        known = self._has.get(item.id)
        if known is None:
            known = await self._stream.is_stored(item, was_saved=item.id in self._saved)
        if known:
            await self._write(self._save, thread_id, item, context)
        else:
            await self._write(self._add, thread_id, item, context)
        self._has[item.id] = True

    async def _add(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Add an item, or save it if the store refuses that and has a part of it already.

        The store has a part of it if the application has stored it while it was streamed.
        """
        try:
            await self._store.add_thread_item(thread_id, item, context=context)
        except Exception:
            if _is_cancelled() or not await self._stream.is_partly_stored(item):
                raise
            await self._store.save_item(thread_id, item, context=context)

    async def _save(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        await self._store.save_item(thread_id, item, context=context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Save an item that is replaced, or add it if it is new and the store does not have it.

        A store may ignore or refuse to save an item that it does not have.
        """
        known = self._has.get(item.id)
        if known is None and item.id not in self._saved:
            known = await self._stream.is_replaced_in_store(item)
        if known is False:
            await self._write(self._add, thread_id, item, context)
            self._has[item.id] = True
        else:
            await self._write(self._save, thread_id, item, context)
        self._saved.add(item.id)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        """Delete an item that is removed; the store may not have it, if it was not done yet."""
        try:
            await self._store.delete_thread_item(thread_id, item_id, context=context)
        except NotFoundError:
            pass
        except Exception:
            if _is_cancelled() or not await self._stream.is_gone(item_id):
                raise
        self._has[item_id] = False

    async def _write(self, write: Any, thread_id: str, item: ThreadItem, context: Any) -> None:
        try:
            await write(thread_id, item, context=context)
        except Exception:
            # Drivers turn a cancellation into errors of their own: then the write was cut off.
            if not _is_cancelled():
                self._stream.note_refusal(item.id, of_save=write == self._save)
            raise


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class MessageStoreProxy:
    """The store while the SDK writes the user's message.

    If the client leaves meanwhile, its message is written all the same.
    """

    def __init__(self, store: Any, message: UserMessageItem, limit: float | None) -> None:
        self._store = store
        self._message = message
        self._limit = limit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Add an item; if it is the message, raise a cancellation only after that."""
        if item is not self._message:
            await self._store.add_thread_item(thread_id, item, context=context)
            return
        await run_to_its_end(
            lambda: self._store.add_thread_item(thread_id, item, context=context), self._limit
        )
