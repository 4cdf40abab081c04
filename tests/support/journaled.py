"""Servers of the SDK with a journal, and clients that come back."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

from chatkit import types as sdk
from chatkit.server import NonStreamingResult, StreamingResult
from chatkit.store import NotFoundError

from chatkit_reducer import ThreadState, decode, fold
from chatkit_reducer.events import Event
from chatkit_reducer.integrations.openai_chatkit import ReducerChatKitServer, event_from_sdk
from chatkit_reducer.journal import FileJournal, Journal, JournalWriter, MemoryJournal
from tests.support.sdk_servers import NOW, Server, Shelf

__all__ = [
    "HAS_JOURNAL",
    "JOURNALS",
    "Client",
    "Gated",
    "Private",
    "Writing",
    "asked",
    "asynchronous",
    "items_of",
    "journal_in",
    "listed",
    "make_journaled",
    "shown",
]

JOURNALS: dict[str, Callable[[Path], Journal]] = {
    "memory": lambda _: MemoryJournal(),
    "files": FileJournal,
}


def asynchronous(test: Callable[..., Any]) -> Callable[..., None]:
    """A test that runs in an event loop of its own."""

    @functools.wraps(test)
    def run(*arguments: Any, **options: Any) -> None:
        async def inside() -> None:
            await asyncio.wait_for(test(*arguments, **options), 30)

        asyncio.run(inside())

    return run


def journal_in(kind: str, folder: Path) -> Journal:
    return JOURNALS[kind](folder)


class Private(Shelf):
    """A store in which each user sees the threads of its own: the context is the user."""

    def __init__(self, *items: sdk.ThreadItem, owner: Any = None) -> None:
        super().__init__(*items)
        self.owner = owner

    async def load_thread(self, thread_id: str, context: Any) -> sdk.ThreadMetadata:
        if context != self.owner:
            raise NotFoundError(thread_id)
        return sdk.ThreadMetadata(id=thread_id, created_at=NOW)


class Gated(Server):
    """Answers with a script in which an event of asyncio is a gate to wait at."""

    async def respond(self, thread: Any, input_user_message: Any, context: Any) -> Any:
        for step in self.script:
            if isinstance(step, asyncio.Event):
                await step.wait()
            elif isinstance(step, Exception):
                raise step
            elif callable(step):
                await step()
            else:
                yield step


HAS_JOURNAL = "journal" in inspect.signature(ReducerChatKitServer.__init__).parameters


class Writing(Gated):
    """Writes its answers to its journal: by hand where the server itself does not."""

    async def respond(self, thread: Any, input_user_message: Any, context: Any) -> Any:
        events = super().respond(thread, input_user_message, context)
        if HAS_JOURNAL or self.journal is None:
            async for event in events:
                yield event
            return
        writer = JournalWriter(self.journal, thread=thread.id)
        await writer.begin()
        try:
            async for event in events:
                await writer.append(event_from_sdk(event))
                yield event
        finally:
            await writer.closed()


def make_journaled(
    script: Iterable[Any],
    *stored: sdk.ThreadItem,
    journal: Journal | None,
    on_leave: Any = None,
    kind: Any = Writing,
) -> tuple[Any, Private]:
    """A server with a scripted response, a journal and a store."""
    store = Private(*stored)
    server = kind(store)
    server.script = list(script)
    server.journal = journal
    server.on_leave = on_leave
    return server, store


async def asked(server: Any, request_type: str, context: Any = None, **params: Any) -> Any:
    """The answer to a request that does not stream."""
    body = json.dumps({"type": request_type, "params": {"thread_id": "thr_1", **params}})
    result = await server.process(body, context)
    assert isinstance(result, NonStreamingResult)
    return json.loads(result.json)


async def shown(server: Any, context: Any = None) -> list[dict[str, Any]]:
    """The items that a client gets that loads the thread: the first page."""
    thread = await asked(server, "threads.get_by_id", context)
    items: list[dict[str, Any]] = thread["items"]["data"]
    return items


async def listed(server: Any, *, limit: int = 3, order: str = "asc", context: Any = None) -> Any:
    """All pages of a thread, each as its items."""
    pages = []
    after = None
    while True:
        more: dict[str, Any] = {} if after is None else {"after": after}
        page = await asked(server, "items.list", context, limit=limit, order=order, **more)
        pages.append(page["data"])
        if not page["has_more"]:
            return pages
        after = page["after"]


def items_of(state: ThreadState) -> list[dict[str, Any]]:
    """The items of a state, as JSON."""
    return [item.to_json() for item in state.items.values()]


class Client:
    """A client that reads frames in a task of its own, leaves, and comes back."""

    def __init__(self, known: ThreadState | None = None) -> None:
        self.events: list[Event] = []
        self.ids: list[str] = []
        self._before = known or ThreadState()
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> ThreadState:
        return fold(self.events, self._before)

    @property
    def cursor(self) -> str | None:
        return self.ids[-1] if self.ids else None

    def read(self, frames: AsyncIterator[bytes]) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._read(frames))

    async def _read(self, frames: AsyncIterator[bytes]) -> None:
        async for frame in frames:
            for line in frame.splitlines():
                if line.startswith(b"id: "):
                    self.ids.append(line[4:].decode())
                elif line.startswith(b"data: "):
                    self.events.append(decode(line[6:]))

    async def ask(self, server: Any, body: str, context: Any = None) -> None:
        """Send a request whose answer streams, and begin to read."""
        result = await server.process(body, context)
        assert isinstance(result, StreamingResult)
        self.read(aiter(result))

    async def until(self, count: int) -> None:
        """Wait for so many events."""
        async with asyncio.timeout(5):
            while len(self.events) < count:
                await asyncio.sleep(0)

    async def shows(self, items: list[Any]) -> None:
        """Wait until it has exactly these items."""
        try:
            async with asyncio.timeout(5):
                while items_of(self.state) != items:
                    await asyncio.sleep(0.001)
        except TimeoutError:
            assert items_of(self.state) == items  # to say what is different

    async def finish(self) -> ThreadState:
        """Read to the end."""
        assert self._task is not None
        await asyncio.wait_for(self._task, 5)
        return self.state

    async def leave(self) -> None:
        """Leave: the server cancels the task of the request."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
