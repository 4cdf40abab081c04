"""The action by which the official client gets the rest of a response that runs.

    chatkit.sendCustomAction({type: "chatkit_reducer.follow"})

It is a `threads.custom_action`, and its answer streams like any other. It is answered before the
SDK sees it: so it is neither a response of its own, nor in the journal, nor settled.

The client shows a part of the items already (`_overlay`), and cannot say how much. So each item of
the response comes as a whole first, as `thread.item.replaced`, and then the deltas. If nothing runs
any more, the client may have loaded the thread just before the end: it gets the thread, for its
title, and the items behind the last message of the user.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from chatkit.types import ThreadsCustomActionReq, UserMessageItem

from chatkit_reducer.core.items import HIDDEN_TYPES
from chatkit_reducer.events import Event, ThreadItemReplaced
from chatkit_reducer.integrations.openai_chatkit._conversion import readable_item
from chatkit_reducer.integrations.openai_chatkit._public import public_item
from chatkit_reducer.integrations.openai_chatkit._resume import (
    ResumableServer,
    Resumed,
    updated_thread,
)
from chatkit_reducer.integrations.openai_chatkit._store_access import PAGE
from chatkit_reducer.logs import encode_sse

__all__ = ["FOLLOW", "followed", "is_follow"]

FOLLOW = "chatkit_reducer.follow"
"""The type of the action."""


def is_follow(request: object) -> bool:
    """Whether a request is this action."""
    return isinstance(request, ThreadsCustomActionReq) and request.params.action.type == FOLLOW


async def followed(
    server: ResumableServer, request: ThreadsCustomActionReq, context: Any
) -> AsyncGenerator[bytes, None]:
    """Yield frames as the SDK does, without an `id`."""
    thread_id = request.params.thread_id
    rest = Resumed(server, thread_id, context, as_snapshot=True)
    if not await rest.begin():
        thread = await server.store.load_thread(thread_id, context=context)
        for event in [updated_thread(server, thread), *await _newest(server, thread_id, context)]:
            yield encode_sse(event)
        return
    async with aclosing(rest.events()) as pairs:  # type: ignore[type-var]  # a generator
        async for _, event in pairs:
            yield encode_sse(event)


async def _newest(server: ResumableServer, thread_id: str, context: Any) -> list[Event]:
    """Return the items behind the last message of the user, as the store has them."""
    page = await server.store.load_thread_items(thread_id, None, PAGE, "desc", context)
    newest: list[Event] = []
    for item in page.data:
        if isinstance(item, UserMessageItem):
            break
        if item.type not in HIDDEN_TYPES:
            newest.insert(0, ThreadItemReplaced(public_item(readable_item(item))))
    return newest
