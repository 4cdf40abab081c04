"""Keep a client tool call that waits for its output the newest item of its thread.

When the output arrives, the SDK looks at the newest item alone (1.6.5, `chatkit/server.py`,
`ChatKitServer._process_streaming_impl`, `ThreadsAddClientToolOutputReq`). An item that is added at
the settlement stands in front of the call where the store orders by `created_at`. Where it orders
by insertion it stands behind it, and the call has to be moved: deleted, and added again.

A store that only marks its items as deleted refuses to add one of them again. So that is tried with
the newest of the other items first: the call must not be lost.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TypeAlias

from chatkit.store import NotFoundError
from chatkit.types import ClientToolCallItem, ThreadItem

from chatkit_reducer.integrations.openai_chatkit._persistence import persist
from chatkit_reducer.integrations.openai_chatkit._store_access import NoAnswerError, ThreadStore

__all__ = ["Lost", "keep_call_newest"]

logger: logging.Logger = logging.getLogger("chatkit_reducer.integrations.openai_chatkit")

Lost: TypeAlias = list[tuple[ThreadItem, Exception]]


async def keep_call_newest(store: ThreadStore, call_id: str, added: Sequence[ThreadItem]) -> Lost:
    """Move the call behind items that were added, if they stand behind it.

    Do not cut it off: between two steps the call is in memory only.

    Args:
        store: the items of the thread.
        call_id: the call that waits.
        added: the items that must not stand behind it, in order.

    Returns:
        The items that the store has no more, and why: it deleted them, and refused to add them.
    """
    newest_ids = {item.id for item in await persist(store.newest)}
    newest = next((item for item in added if item.id in newest_ids), None)
    if newest is None:
        return []  # the call is the newest, or the thread has gone on
    call = await store.find(call_id)
    if not isinstance(call, ClientToolCallItem) or call.status != "pending":
        return []
    try:
        await persist(lambda: _delete(store, newest.id))
    except Exception:
        logger.exception(
            "Item %s stands behind client tool call %s, which waits for its output, and the store "
            "does not delete: the thread cannot go on before the item is deleted.",
            newest.id,
            call_id,
        )
        return []
    return await _add_in_order(store, call, newest, [i for i in added if i.id != newest.id])


async def _add_in_order(
    store: ThreadStore, call: ThreadItem, newest: ThreadItem, others: Sequence[ThreadItem]
) -> Lost:
    """Add the item that was deleted, and move the call behind it."""
    try:
        await persist(lambda: _add_again(store, newest))
    except Exception as error:  # noqa: BLE001  # it is reported with the item
        for item in others:
            await persist(lambda item=item: _delete(store, item.id))  # type: ignore[misc]  # bound now
        return [(item, error) for item in (*others, newest)]
    try:
        await persist(lambda: _delete(store, call.id))
        await persist(lambda: _add_again(store, call))
    except Exception as error:  # noqa: BLE001  # likewise
        return [(call, error)]
    return []


async def _delete(store: ThreadStore, item_id: str) -> None:
    try:
        await store.delete(item_id)
    except NotFoundError:
        return
    except Exception:
        if not await _is_gone(store, item_id):
            raise


async def _add_again(store: ThreadStore, item: ThreadItem) -> None:
    try:
        await store.add(item)
    except Exception:
        if await _is_gone(store, item.id):
            raise


async def _is_gone(store: ThreadStore, item_id: str) -> bool:
    """Return whether the store says that it does not have an item."""
    try:
        return await store.find(item_id) is None
    except NoAnswerError:
        return False
