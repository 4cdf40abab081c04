"""The functions of an application that write to its store, as coroutine functions.

A plain function may block, and so it runs in a worker thread. A plain function that returns an
awaitable is not blocked either: its result is awaited on the event loop.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import anyio.to_thread

from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.events import (
    Event,
    Json,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
)
from chatkit_reducer.supervise.checks import unfit_signature
from chatkit_reducer.supervise.tasks import await_if_needed

__all__ = [
    "CommitThread",
    "Delete",
    "LoadItem",
    "Save",
    "Store",
    "StoredThread",
    "check_function",
    "check_thread_id",
    "items_to_save",
    "lasts",
]

logger: logging.Logger = logging.getLogger("chatkit_reducer.serving")

Save: TypeAlias = Callable[[str, Sequence[Json]], object]
"""Adds the items to a thread, or replaces those that are there: all or none, and twice is as good
as once. It is a coroutine function, or a plain one."""
Delete: TypeAlias = Callable[[str, str], object]
"""Deletes an item of a thread, if it is there."""
LoadItem: TypeAlias = Callable[[str, str], object]
"""Thread id and item id to the store's copy as plain ChatKit JSON; None if it has none."""
CommitThread: TypeAlias = Callable[[str, Settlement], object]
"""Carries the settlement of a stream out, for a thread."""


class Store:
    """The store of an application.

    Args:
        save: adds or replaces items.
        delete: deletes an item.
        load: finds an item; None if the store is not asked.
        commit: carries a settlement out in the place of `save`.

    Raises:
        TypeError: one of them is not a function of two arguments.
    """

    def __init__(
        self,
        save: Save,
        delete: Delete,
        load: LoadItem | None = None,
        commit: CommitThread | None = None,
    ) -> None:
        check_function("save", save)
        check_function("delete", delete)
        if load is not None:
            check_function("load", load)
        if commit is not None:
            check_function("commit", commit)
        self._save = save
        self._delete = delete
        self._load = load
        self._commit = commit

    async def write(self, thread_id: str, event: Event) -> None:
        """Do to the store what an event did to the thread."""
        if isinstance(event, ThreadItemDone | ThreadItemReplaced):
            await _call(self._save, thread_id, [event.item])
        elif isinstance(event, ThreadItemRemoved):
            await _call(self._delete, thread_id, event.item_id)

    async def commit(self, thread_id: str, settlement: Settlement) -> None:
        """Write a settlement."""
        if self._commit is not None:
            await _call(self._commit, thread_id, settlement)
        elif items := items_to_save(settlement):
            await _call(self._save, thread_id, items)

    def load_of(
        self, thread_id: str
    ) -> Callable[[str], Awaitable[Mapping[str, Any] | None]] | None:
        """Return the look-up for a thread; None if the store is not asked."""
        if self._load is None:
            return None
        load: Any = self._load

        async def find(item_id: str) -> Mapping[str, Any] | None:
            found: Any = await _call(load, thread_id, item_id)
            return found  # type: ignore[no-any-return]  # `supervise` checks it

        return find


class StoredThread:
    """The store of one response's thread. A removal that failed is made with the commit.

    Args:
        store: the store of the application.
        thread_id: the id of the thread.
    """

    def __init__(self, store: Store, thread_id: str) -> None:
        self._store = store
        self.id = thread_id
        self._failed_removal: ThreadItemRemoved | None = None

    async def write(self, event: Event) -> None:
        """Do to the store what an event did to the thread."""
        if isinstance(event, ThreadItemRemoved):
            self._failed_removal = event
        await self._store.write(self.id, event)
        self._failed_removal = None

    async def commit(self, settlement: Settlement) -> None:
        """Make a removal that failed, which no settlement repeats; then write the settlement."""
        if self._failed_removal is not None:
            await self._store.write(self.id, self._failed_removal)
        await self._store.commit(self.id, settlement)


def lasts(event: Event) -> bool:
    """Return whether an event changes the store. An item without an id is none, as for `reduce`."""
    if isinstance(event, ThreadItemDone | ThreadItemReplaced):
        return isinstance(event.item.get("id"), str)
    return isinstance(event, ThreadItemRemoved)


async def _call(function: Callable[..., object], *arguments: object) -> object:
    if _is_async(function):
        return await await_if_needed(function(*arguments))
    return await await_if_needed(await anyio.to_thread.run_sync(partial(function, *arguments)))


def _is_async(function: Callable[..., object]) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004  # of an object, such as Django's
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def items_to_save(settlement: Settlement) -> list[Json]:
    """Return the items that a settlement writes; log those whose place `save` is not told."""
    for write in settlement.writes:
        if write.before is not None:
            logger.warning(
                "Item %s has to stand in front of %s, a client tool call that waits for its "
                "output. `save` is not told that: pass `commit`, unless the store orders by time.",
                write.item.get("id"),
                write.before,
            )
    return [write.item for write in settlement.writes]


def check_thread_id(value: object) -> None:
    """Refuse an id of a thread that is not a text: JSON and a journal need one.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, str):
        raise TypeError(
            f"expected thread_id to be a string, got {type(value).__name__} {value!r}: pass the "
            "thread's id, with str() if it is a UUID or a number"
        )


def check_function(name: str, value: object) -> None:
    """Refuse a value that cannot be called with two arguments.

    Raises:
        TypeError: it is such a one.
    """
    if not callable(value):
        raise TypeError(
            f"expected {name} to be a function, got {type(value).__name__} {value!r}: pass the "
            "function itself, without calling it"
        )
    unfit = unfit_signature(value, 2)
    if unfit is not None:
        raise TypeError(
            f"expected {name} to be a function of 2 arguments, got {value!r}, which takes "
            f"{unfit}: the first is the id of the thread"
        )
