"""The peer: openai-chatkit's own decoding and its own fold of pending items."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chatkit.server import ChatKitServer
from chatkit.types import ThreadItemAddedEvent, ThreadItemUpdatedEvent, ThreadStreamEvent
from pydantic import TypeAdapter

__all__ = ["decode_and_fold"]


class _Server(ChatKitServer[Any]):
    def __init__(self) -> None:
        """Have no store: nothing here reads or writes one."""

    def respond(self, *_: Any) -> AsyncIterator[ThreadStreamEvent]:
        raise NotImplementedError


def decode_and_fold(log: bytes) -> int:
    """Do as `ChatKitServer._process_events` with each event, less the store and the sending."""
    adapter: TypeAdapter[Any] = TypeAdapter(ThreadStreamEvent)
    server, pending = _Server(), {}
    for line in log.splitlines():
        event = adapter.validate_json(line)
        if isinstance(event, ThreadItemAddedEvent):
            pending[event.item.id] = event.item.model_copy(deep=True)
        elif isinstance(event, ThreadItemUpdatedEvent):
            server._update_pending_items(pending, event)  # noqa: SLF001  # a method of the SDK
    return len(pending)
