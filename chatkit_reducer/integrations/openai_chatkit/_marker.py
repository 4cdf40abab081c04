"""Take out a marker that the store cannot read back: it makes its whole thread unreadable.

The SDK writes its own marker, an item of a type that a store may not know, only if it is not
cancelled a second time: hardly ever, with real servers (see `docs/cancellation.md`). So such a
store works until a marker is written for certain.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import attrs
import msgspec
from chatkit.types import ThreadMetadata
from msgspec import UNSET

from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.integrations.openai_chatkit._persistence import persist
from chatkit_reducer.integrations.openai_chatkit._store_access import PAGE, ThreadStore
from chatkit_reducer.supervise import MarkerFields

__all__ = ["is_unreadable", "policy_and_marker", "remove_unreadable"]

logger: logging.Logger = logging.getLogger("chatkit_reducer.integrations.openai_chatkit")

_unreadable: WeakKeyDictionary[type, set[str]] = WeakKeyDictionary()
"""The item types of markers that a class of stores could not read back."""

_PAUSES = (0.1, 0.4)
"""How long to wait before reading a thread again, in seconds."""


class MarkingServer(Protocol):
    """The settings of a server that decide about its marker."""

    policy: Policy

    @property
    def store(self) -> Any:
        """The store of the server."""
        ...

    def marker_content(self, thread: ThreadMetadata, context: Any) -> Any:
        """Return the content of the marker."""
        ...


def is_unreadable(store_class: type, item_type: str) -> bool:
    """Return whether stores of this class are known not to read back such markers."""
    return item_type in _unreadable.get(store_class, ())


async def remove_unreadable(store: ThreadStore, marker_id: str, item_type: str) -> None:
    """Read back a marker that was just written, and delete it if the store cannot read it."""
    error = await _why_unreadable(store, marker_id)
    if error is None:
        return
    try:
        await persist(lambda: store.delete(marker_id))
    except Exception:
        logger.exception(
            "The thread of a stopped response cannot be read since its marker was written, and "
            "marker %s cannot be deleted: delete it from the store, and see below.",
            marker_id,
        )
    if await _why_unreadable(store, marker_id) is None:
        _remember(store.kind, item_type, error)
    else:
        logger.error(
            "The thread of a stopped response cannot be read, with its marker %s or without: see "
            "below.",
            marker_id,
            exc_info=error,
        )


def _remember(store_class: type, item_type: str, error: Exception) -> None:
    if is_unreadable(store_class, item_type):
        return
    _unreadable.setdefault(store_class, set()).add(item_type)
    logger.error(
        "%s cannot read an item of type %s: with the marker of a stopped response in it, a thread "
        "cannot be read any more. So the marker was deleted, and no other will be written. Teach "
        "the store that type (items are chatkit.types.ThreadItem), or choose a policy without a "
        "marker: `policy = attrs.evolve(policies.KEEP, marker=None)`. See below.",
        store_class.__qualname__,
        item_type,
        exc_info=error,
    )


async def _why_unreadable(store: ThreadStore, marker_id: str) -> Exception | None:
    """Return the error that the store raises each time the thread is read; None if it can.

    A store that cannot be reached, or takes too long, says nothing about the marker.
    """
    for pause in (*_PAUSES, None):
        try:
            newest = await store.newest()
            if newest and newest[0].id != marker_id:
                await store.newest(PAGE)
        except OSError:  # TimeoutError is one
            return None
        except Exception as error:  # noqa: BLE001  # it may be gone in a moment
            if pause is None:
                return error
            await asyncio.sleep(pause)
        else:
            return None
    raise AssertionError("the last round returns")


def _json_content(server: Any, thread: ThreadMetadata, context: Any) -> Any:
    """Return the application's content for a marker, or UNSET if that cannot be written."""
    try:
        content = server.marker_content(thread, context)
        if inspect.iscoroutine(content):
            content.close()  # it is never awaited, and Python would complain
        return msgspec.json.decode(msgspec.json.encode(content))
    except Exception:
        logger.exception(
            "The marker of a stopped response has no content that can be written, and is left out: "
            "%s.marker_content failed, or what it returned is not JSON: see below.",
            type(server).__qualname__,
        )
        return UNSET


def policy_and_marker(
    server: MarkingServer, thread: ThreadMetadata, context: Any
) -> tuple[Policy, MarkerFields]:
    """Return the policy, without a marker that cannot be made or read; and the marker's fields."""
    policy, store = server.policy, server.store
    marker = policy.marker
    if marker is None or marker.content is not None:
        content: Any = UNSET
    else:
        content = _json_content(server, thread, context)
        marker = None if content is UNSET else marker
    if marker is not None and is_unreadable(type(store), marker.item):
        marker = None

    def new_id() -> str:
        made: Any = store.generate_item_id("sdk_hidden_context", thread, context)
        return "" if made is None else str(made)  # the marker is left out without an id

    fields = MarkerFields(new_id=new_id, content=content, thread_id=thread.id)
    return (policy if marker is policy.marker else attrs.evolve(policy, marker=marker)), fields
