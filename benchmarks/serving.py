"""What supervision adds to one event of a server of the official SDK."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import (
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
)

from chatkit_reducer.integrations.openai_chatkit import ReducerChatKitServer
from chatkit_reducer.journal import Journal

__all__ = ["EVENTS", "bare", "journaled", "supervised", "written"]

EVENTS = 5_000
"""How many events a response has."""

_AT = datetime(2026, 1, 1)  # noqa: DTZ001  # as the SDK's are
_REQUEST = json.dumps(
    {
        "type": "threads.add_user_message",
        "params": {
            "thread_id": "thr_1",
            "input": {
                "content": [{"type": "input_text", "text": "Tell me"}],
                "attachments": [],
                "inference_options": {},
            },
        },
    }
)


class _Nowhere(Store[Any]):
    """A store that keeps nothing and takes no time: only the server is measured."""

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        return ThreadMetadata(id=thread_id, created_at=_AT)

    async def _nothing(self, *_: Any, **__: Any) -> Any: ...

    add_thread_item = save_item = load_item = delete_thread_item = _nothing
    save_thread = load_threads = delete_thread = load_thread_items = _nothing
    save_attachment = load_attachment = delete_attachment = _nothing


class _Answer:
    async def respond(self, thread: ThreadMetadata, *_: Any) -> AsyncIterator[Any]:
        item = AssistantMessageItem(id="msg_1", thread_id=thread.id, created_at=_AT, content=[])
        yield ThreadItemAddedEvent(item=item)
        for number in range(EVENTS):
            delta = AssistantMessageContentPartTextDelta(content_index=0, delta=f" {number}")
            yield ThreadItemUpdatedEvent(item_id="msg_1", update=delta)
        yield ThreadItemDoneEvent(item=item)


class _Bare(_Answer, ChatKitServer[Any]):
    pass


class _Supervised(_Answer, ReducerChatKitServer[Any]):
    pass


def _served(runner: asyncio.Runner, server: ChatKitServer[Any]) -> Callable[[], None]:
    return lambda: runner.run(_answered(server))


async def _answered(server: ChatKitServer[Any]) -> None:
    async for _ in await server.process(_REQUEST, None):  # type: ignore[union-attr]  # a stream
        pass


def bare(runner: asyncio.Runner) -> Callable[[], None]:
    """Return one response of the SDK's own server, from the request to the last byte."""
    return _served(runner, _Bare(_Nowhere()))


def supervised(runner: asyncio.Runner) -> Callable[[], None]:
    """Return the same with `ReducerChatKitServer`."""
    return _served(runner, _Supervised(_Nowhere()))


def journaled(
    runner: asyncio.Runner, opened: Callable[[], AbstractAsyncContextManager[Journal]]
) -> Callable[[], None]:
    """Return the same with a journal, too, which is opened once and stays open."""
    journal = runner.run(opened().__aenter__())
    return _served(runner, _Supervised(_Nowhere(), journal=journal))


def written(directory: str) -> Callable[[], None]:
    """Return as many plain writes of a record to a file: no journal of files can cost less."""
    record = b'{"seq":4321,"time":1764430000.123,"event":{"type":"thread.item.updated","item_id":'
    record += b'"msg_1","update":{"type":"assistant_message.content_part.text_delta",'
    record += b'"content_index":0,"delta":" 4321"}}}\n'

    def write() -> None:
        descriptor = os.open(Path(directory) / "plain", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        for _ in range(EVENTS):
            os.write(descriptor, record)
        os.close(descriptor)

    return write
