"""Pages of a thread with the items of the responses that run in it, as they are now.

    items = [s1 s2 s3]                          in the store
    journal = [s3 with an update, m pending]    of a response that runs
    shown = [s1 s2 s3 with its update, m]

`threads.get_by_id` and `items.list` alone see it, by way of a proxy of the server (`proxies`) whose
store is this one. `respond`, which reads the server's own store, never does.

* A pending item stands behind all that is stored: on the last page in ascending order, and on the
  first page in descending order. So these pages may have more items than were asked for: the
  cursors for the next page are those of the store, which does not know the pending items.
* Each item is shown once, over all pages, though the response goes on meanwhile. So the journal is
  read first, then the store is asked for each item, and then for the page: an item that is not
  stored when it is asked for, and is not on the page, is on none. The first page in descending
  order is loaded again if an item was stored meanwhile: a newer one may have pushed it to the next
  page. And the journal is read again at the end, because it is written before the store: it has
  each item at least as new as the page.
* Nothing about a thread that `load_thread` refuses is shown. And where the journal fails, the page
  of the store is shown as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from chatkit.types import ItemsListReq, Page, ThreadItem, ThreadsGetByIdReq

from chatkit_reducer.core.items import ItemState
from chatkit_reducer.integrations.openai_chatkit._conversion import item_to_sdk
from chatkit_reducer.integrations.openai_chatkit._faults import Faults
from chatkit_reducer.integrations.openai_chatkit._journaling import open_responses
from chatkit_reducer.integrations.openai_chatkit._proxies import ServerProxy
from chatkit_reducer.integrations.openai_chatkit._store_access import NoAnswerError, ThreadStore
from chatkit_reducer.journal import Journal, JournalError
from chatkit_reducer.journal.reading import read_whole
from chatkit_reducer.journal.records import Recovered

__all__ = ["OverlaidServer", "OverlaidStore", "shows_items"]

logger: logging.Logger = logging.getLogger("chatkit_reducer.integrations.openai_chatkit")

_faults = Faults()

_MOST_LOADS = 20
"""How often a page is loaded, at the most, while items are stored faster than it is read."""


def shows_items(request: object) -> bool:
    """Whether a request shows the items of a thread."""
    return isinstance(request, ThreadsGetByIdReq | ItemsListReq)


class OverlaidServer(ServerProxy):
    """The server for one request that shows items."""

    def _load_full_thread(self, *args: Any, **options: Any) -> Any:
        """Load the thread as the SDK does, or as the application does, from the other store."""
        server = self.__dict__["_server"]
        return server._load_full_thread.__func__(self, *args, **options)  # noqa: SLF001


class OverlaidStore:
    """The store for one request that shows items."""

    def __init__(self, store: Any, journal: Journal, load_timeout: float | None) -> None:
        self._store = store
        self._journal = journal
        self._load_timeout = load_timeout

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        """Load a page, with the items of the journal over it."""
        running = await self._running(thread_id, context)
        if not running:
            return await self._page(thread_id, after, limit, order, context)
        before = await self._unfinished(running)
        store = ThreadStore(self._store, thread_id, context, self._load_timeout)
        new_ones = [item_id for item_id, is_new in before.items() if is_new]

        async def load() -> Page[ThreadItem]:
            return await self._page(thread_id, after, limit, order, context)

        may_push_off = order == "desc" and after is None
        page, unstored = await _load(load, store, new_ones, may_push_off=may_push_off)
        there = {item.id for item in page.data}
        now = {item.id: item for one in running for item in await self._items_of(one)}
        unfinished = {*before, *await self._unfinished(running)}
        shown = [
            (item.id in unfinished and item.id in now and _as_sdk(now[item.id])) or item
            for item in page.data
        ]
        is_end = after is None if order == "desc" else not page.has_more
        if is_end:
            new = [now[one] for one in unstored if one in now and one not in there]
            pending = [item for state in new if (item := _as_sdk(state)) is not None]
            shown = [*reversed(pending), *shown] if order == "desc" else [*shown, *pending]
        return Page(data=shown, has_more=page.has_more, after=page.after)

    async def _page(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        page: Page[ThreadItem] = await self._store.load_thread_items(
            thread_id, after=after, limit=limit, order=order, context=context
        )
        return page

    async def _running(self, thread_id: str, context: Any) -> list[str]:
        """Return the responses that run in a thread, if the request may see them."""
        found = await open_responses(self._journal, thread_id)
        if not found:
            return []
        try:
            await self._store.load_thread(thread_id, context=context)
        except Exception:  # noqa: BLE001  # the store's own answer to the request says it
            return []
        return found

    async def _unfinished(self, responses: list[str]) -> dict[str, bool]:
        """Return the items that are pending, or may not be stored yet, in thread order.

        All events but the last are stored (see `journal.records`). So an item that is not in the
        store, and was done before the last event, was deleted meanwhile.

        Returns:
            The id of each, and whether the item is new: not one that the store had before.
        """
        found: dict[str, bool] = {}
        for response in responses:
            one = await self._read(response)
            if one is not None:
                stored = one.delivered.stored
                pending, bases = {*one.state.pending}, one.state.bases
                for item_id in one.state.items:
                    if item_id in pending or item_id not in stored:
                        found[item_id] = item_id not in bases
        return found

    async def _items_of(self, response: str) -> list[ItemState]:
        one = await self._read(response)
        return [] if one is None else list(one.final.items.values())

    async def _read(self, response: str) -> Recovered | None:
        try:
            found = await read_whole(self._journal, response)
        except JournalError as error:
            if _faults.is_new(self._journal, response):
                logger.warning("The items of response %s cannot be shown: %s", response, error)
            return None
        _faults.end(self._journal, response)
        return found


async def _load(
    load: Callable[[], Awaitable[Page[ThreadItem]]],
    store: ThreadStore,
    new_ones: list[str],
    *,
    may_push_off: bool,
) -> tuple[Page[ThreadItem], list[str]]:
    """Load a page, and return with it the new items that are on no page.

    Args:
        load: loads the page.
        store: the store of its thread.
        new_ones: the items of the journal that the store did not have before.
        may_push_off: whether an item that is stored may push an older one to the next page.
    """
    loads = 0
    while True:
        unstored = [one for one in new_ones if not await _has(store, one)]
        page = await load()
        loads += 1
        if loads == _MOST_LOADS or not (may_push_off and page.has_more):
            return page, unstored
        there = {item.id for item in page.data}
        if not any([one not in there and await _has(store, one) for one in unstored]):
            return page, unstored


async def _has(store: ThreadStore, item_id: str) -> bool:
    """Return whether the store has an item; False where it does not say, as for one that is new."""
    try:
        return await store.find(item_id) is not None
    except NoAnswerError:
        return False


def _as_sdk(state: ItemState) -> ThreadItem | None:
    try:
        return item_to_sdk(state)
    except ValueError:
        logger.warning("The installed SDK does not know item %s, which is not shown.", state.id)
        return None
