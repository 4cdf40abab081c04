"""Servers of the SDK with scripted responses, a store in memory, and clients that leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import Any, get_args

import pytest
from chatkit import types as sdk
from chatkit import widgets
from chatkit.server import StreamingResult
from chatkit.store import NotFoundError, Store
from pydantic import TypeAdapter

from chatkit_reducer import policies
from chatkit_reducer.integrations.openai_chatkit import ReducerChatKitServer
from chatkit_reducer.testing.examples import message, workflow

__all__ = [
    "BEGUN",
    "FOREVER",
    "ITEM_TYPES",
    "NOW",
    "REQUEST",
    "Scripted",
    "Server",
    "Shelf",
    "Told",
    "added",
    "card",
    "delta",
    "done",
    "event",
    "make",
    "progress",
    "receive",
    "steps",
    "stop",
    "updated",
    "value",
    "widget_item",
]

# Older releases have fewer items: no images before 1.4.1, no structured input before 1.6.4.
ITEM_TYPES = {
    get_args(model.model_fields["type"].annotation)[0]
    for model in get_args(get_args(sdk.ThreadItem)[0])
}
NOW = datetime(2026, 1, 1)  # noqa: DTZ001  # as the SDK's are


class Shelf(Store[Any]):
    """A store in memory: an add appends, so that a second one would be seen."""

    def __init__(self, *items: sdk.ThreadItem) -> None:
        self.items = list(items)
        self.log: list[tuple[str, str]] = []
        self.refuses: Callable[[str], bool] = lambda _: False

    async def load_thread(self, thread_id: str, context: Any) -> sdk.ThreadMetadata:
        return sdk.ThreadMetadata(id=thread_id, created_at=NOW)

    async def save_thread(self, thread: sdk.ThreadMetadata, context: Any) -> None: ...

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> sdk.Page[sdk.ThreadItem]:
        items = self.items[::-1] if order == "desc" else self.items
        start = 1 + [item.id for item in items].index(after) if after else 0
        page = [item.model_copy(deep=True) for item in items[start : start + limit]]
        more = len(items) > start + limit
        return sdk.Page(data=page, has_more=more, after=page[-1].id if more else None)

    async def add_thread_item(self, thread_id: str, item: sdk.ThreadItem, context: Any) -> None:
        await self._writing("add", item.id)
        self.items.append(item.model_copy(deep=True))

    async def save_item(self, thread_id: str, item: sdk.ThreadItem, context: Any) -> None:
        await self._writing("save", item.id)
        self.items = [item.model_copy(deep=True) if i.id == item.id else i for i in self.items]

    async def _writing(self, op: str, item_id: str) -> None:
        await asyncio.sleep(0)
        if self.refuses(item_id):
            raise ConnectionError(f"no {op} of {item_id}")
        self.log.append((op, item_id))

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> sdk.ThreadItem:
        await asyncio.sleep(0)
        self.log.append(("load", item_id))
        for item in self.items:
            if item.id == item_id:
                return item.model_copy(deep=True)
        raise NotFoundError(item_id)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        await asyncio.sleep(0)
        self.items = [item for item in self.items if item.id != item_id]

    async def save_attachment(self, *_: Any, **__: Any) -> None: ...
    async def load_attachment(self, *_: Any, **__: Any) -> Any: ...
    async def delete_attachment(self, *_: Any, **__: Any) -> None: ...
    async def load_threads(self, *_: Any, **__: Any) -> Any: ...
    async def delete_thread(self, *_: Any, **__: Any) -> None: ...

    def plain(self) -> dict[str, Any]:
        """Item id to its content, without what every item has."""
        return {item.id: item for item in self.items if item.type != "user_message"}

    def text(self, item_id: str) -> str:
        found = self.plain()[item_id]
        assert isinstance(found, sdk.AssistantMessageItem)
        return "".join(part.text for part in found.content)

    @property
    def markers(self) -> list[sdk.SDKHiddenContextItem]:
        return [item for item in self.items if isinstance(item, sdk.SDKHiddenContextItem)]


class Scripted:
    """A response of events; a number is a pause of so many seconds, an exception is raised."""

    script: Iterable[Any] = ()

    async def respond(
        self, thread: sdk.ThreadMetadata, input_user_message: Any, context: Any
    ) -> AsyncIterator[Any]:
        for step in self.script:
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, Exception):
                raise step
            else:
                yield step


class Server(Scripted, ReducerChatKitServer[Any]):
    policy = policies.KEEP


class Told(Server):
    """Keeps what the hook was told."""

    def __init__(self, store: Store[Any]) -> None:
        super().__init__(store)
        self.told: list[list[sdk.ThreadItem]] = []

    async def handle_stream_cancelled(
        self, thread: sdk.ThreadMetadata, pending_items: list[sdk.ThreadItem], context: Any
    ) -> None:
        assert thread.id == "thr_1"
        for _ in range(3):
            await asyncio.sleep(0.001)
        self.told.append(pending_items)
        await super().handle_stream_cancelled(thread, pending_items, context)


def make(
    script: Iterable[Any],
    *stored: sdk.ThreadItem,
    kind: Any = Server,
    store: Shelf | None = None,
) -> tuple[Any, Any]:
    """A server with a scripted response, and its store."""
    shelf = Shelf(*stored) if store is None else store
    server = kind(shelf)
    server.script = list(script)
    return server, shelf


REQUEST = json.dumps(
    {
        "type": "threads.add_user_message",
        "params": {
            "thread_id": "thr_1",
            "input": {
                "content": [{"type": "input_text", "text": "?"}],
                "attachments": [],
                "inference_options": {},
            },
        },
    }
)


async def receive(server: Any, *, leave_after: int | None = None) -> list[Any]:
    """What a client receives that leaves after so many frames."""
    result = await server.process(REQUEST, None)
    assert isinstance(result, StreamingResult)
    frames: Any = aiter(result)
    events = []
    async for frame in frames:
        events.append(json.loads(frame.removeprefix(b"data: ")))
        if len(events) == leave_after:
            break
    await frames.aclose()
    return events


async def progress() -> None:
    """Lets everything go on until it waits for ever: without a clock, however slow."""
    for _ in range(500):
        await asyncio.sleep(0)


async def stop(server: Any, *, seconds: float = 0.0) -> None:
    """A client whose task is cancelled, when it waits for ever, or after so many seconds."""
    task = asyncio.create_task(receive(server))
    await progress()
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def event(**fields: Any) -> Any:
    return TypeAdapter(sdk.ThreadStreamEvent).validate_python(fields)


def added(item: Any) -> Any:
    return event(type="thread.item.added", item=item)


def done(item: Any) -> Any:
    return event(type="thread.item.done", item=item)


def updated(item_id: str, **update: Any) -> Any:
    return event(type="thread.item.updated", item_id=item_id, update=update)


def delta(item_id: str, text: str) -> Any:
    kind = "assistant_message.content_part.text_delta"
    return updated(item_id, type=kind, content_index=0, delta=text)


BEGUN = [added(message("m")), delta("m", "one "), delta("m", "two ")]
FOREVER = 3600.0


def steps(*tasks: Any) -> Any:
    return {**workflow("w"), "workflow": {"type": "custom", "tasks": [*tasks], "expanded": False}}


def card(text: str, *, streaming: bool = False) -> Any:
    return widgets.Card(
        id="c", children=[widgets.Text(id="t", value=text, streaming=streaming or None)]
    )


def widget_item(text: str, **options: Any) -> sdk.WidgetItem:
    return sdk.WidgetItem(id="w", thread_id="thr_1", created_at=NOW, widget=card(text, **options))


def value(text: str, *, end: bool = False) -> Any:
    kind = "widget.streaming_text.value_delta"
    return updated("w", type=kind, component_id="t", delta=text, done=end)
