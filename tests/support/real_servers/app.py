"""The app that `tests/integrations/openai_chatkit/test_real_servers.py` runs under real servers.

Its answers go on for long: whoever talks to it leaves in mid-answer. Its store is a journal, a file
of JSON lines that can be read when the process is gone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

from chatkit.server import ChatKitServer, StreamingResult, stream_widget
from chatkit.store import NotFoundError, Store, StoreItemType
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    Attachment,
    CustomTask,
    Page,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)
from chatkit.widgets import Card, Text, WidgetRoot
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from chatkit_reducer import policies
from chatkit_reducer.integrations.openai_chatkit import ReducerChatKitServer

ROUNDS = 1000
"""How often an answer begins anew. It is never meant to come to its end."""


@dataclass(frozen=True)
class Plan:
    """How one request is answered: the context of the SDK, out of the query of the request."""

    thread_id: str
    write_seconds: float = 0.0
    """How long the store takes for a write. With 0 it does not suspend at all."""
    pause: float = 0.0
    """How long the model takes for a word."""
    size: int = 0
    """How many more characters a word of a message has."""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Plan:
        return cls(
            thread_id=query["thread"],
            write_seconds=float(query.get("write_seconds", 0)),
            pause=float(query.get("pause", 0)),
            size=int(query.get("size", 0)),
        )


# --- the store ------------------------------------------------------------------------------------


class Journal:
    """Lines that are in the file when `note` returns, whatever happens to the process then."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, what: str, thread_id: str, **details: Any) -> None:
        line = {"what": what, "thread": thread_id, **details}
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


class JournalStore(Store[Plan]):
    """Threads and items in memory, and in the journal when each write begins and when it ends.

    It is like a database: what goes in and comes out are copies, a write that is cancelled has not
    happened, and an item keeps its place.
    """

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self._threads: dict[str, ThreadMetadata] = {}
        self._items: defaultdict[str, dict[str, ThreadItem]] = defaultdict(dict)

    def forget(self, thread_id: str) -> None:
        """Frees the memory: the journal has it all."""
        self._threads.pop(thread_id, None)
        self._items.pop(thread_id, None)

    def note(self, what: str, thread_id: str, **details: Any) -> None:
        if self._journal is not None:
            self._journal.note(what, thread_id, **details)

    def generate_thread_id(self, context: Plan) -> str:
        return context.thread_id

    def generate_item_id(
        self, item_type: StoreItemType, thread: ThreadMetadata, context: Plan
    ) -> str:
        return f"{item_type}_{uuid4().hex[:12]}"

    async def load_thread(self, thread_id: str, context: Plan) -> ThreadMetadata:
        if thread_id not in self._threads:
            raise NotFoundError(f"no thread {thread_id}")
        return self._threads[thread_id].model_copy(deep=True)

    async def save_thread(self, thread: ThreadMetadata, context: Plan) -> None:
        await self._take_time(context)
        self._threads[thread.id] = ThreadMetadata(**thread.model_dump(exclude={"items"}))

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Plan
    ) -> Page[ThreadMetadata]:
        raise NotImplementedError("nobody lists threads")

    async def delete_thread(self, thread_id: str, context: Plan) -> None:
        raise NotImplementedError("nobody deletes threads")

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Plan
    ) -> Page[ThreadItem]:
        items = list(self._items[thread_id].values())
        return Page(data=[item.model_copy(deep=True) for item in items])

    async def load_item(self, thread_id: str, item_id: str, context: Plan) -> ThreadItem:
        if item_id not in self._items[thread_id]:
            raise NotFoundError(f"no item {item_id} in thread {thread_id}")
        return self._items[thread_id][item_id].model_copy(deep=True)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Plan) -> None:
        await self._write("add", thread_id, item, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: Plan) -> None:
        await self._write("save", thread_id, item, context)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Plan) -> None:
        raise NotImplementedError("nobody deletes items")

    async def save_attachment(self, attachment: Attachment, context: Plan) -> None:
        raise NotImplementedError("nobody attaches anything")

    async def load_attachment(self, attachment_id: str, context: Plan) -> Attachment:
        raise NotImplementedError("nobody attaches anything")

    async def delete_attachment(self, attachment_id: str, context: Plan) -> None:
        raise NotImplementedError("nobody attaches anything")

    async def _write(self, op: str, thread_id: str, item: ThreadItem, context: Plan) -> None:
        copy = item.model_copy(deep=True)
        self.note("begin", thread_id, op=op, item_id=item.id)
        await self._take_time(context)
        self._items[thread_id][item.id] = copy
        plain = copy.model_dump(mode="json", by_alias=True, exclude_none=True)
        self.note("end", thread_id, op=op, item=plain)

    async def _take_time(self, context: Plan) -> None:
        if context.write_seconds:
            await asyncio.sleep(context.write_seconds)


# --- the servers ----------------------------------------------------------------------------------


class Bare(ChatKitServer[Plan]):
    """The SDK's server, with answers that have every type of item that grows."""

    def __init__(self, store: JournalStore) -> None:
        super().__init__(store)
        self._store = store
        self.produced: Counter[str] = Counter()
        """How many events were made for each thread."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Plan
    ) -> AsyncIterator[ThreadStreamEvent]:
        def new_id(item_type: StoreItemType) -> str:
            return self._store.generate_item_id(item_type, thread, context)

        for _ in range(ROUNDS):
            for part in (
                _message(thread, new_id, context),
                _workflow(thread, new_id, context),
                stream_widget(thread, _growing_card(context), generate_id=new_id),
            ):
                async for event in part:
                    self.produced[thread.id] += 1
                    yield event

    async def handle_stream_cancelled(
        self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: Plan
    ) -> None:
        self._store.note("told", thread.id)
        await super().handle_stream_cancelled(thread, pending_items, context)


class Kept(Bare, ReducerChatKitServer[Plan]):
    """What is tested: the same, but for what happens at the end of a stream."""

    policy = policies.KEEP


# --- the answer -----------------------------------------------------------------------------------

NewId: TypeAlias = Callable[[StoreItemType], str]


def _now() -> datetime:
    return datetime.now()  # noqa: DTZ005  # naive, because the SDK's times are


def _word(number: int, plan: Plan) -> str:
    return f"{number}{'.' * plan.size} "


async def _message(
    thread: ThreadMetadata, new_id: NewId, plan: Plan
) -> AsyncIterator[ThreadStreamEvent]:
    item = AssistantMessageItem(
        id=new_id("message"), thread_id=thread.id, created_at=_now(), content=[]
    )
    yield ThreadItemAddedEvent(item=item)
    part = AssistantMessageContentPartAdded(
        content_index=0, content=AssistantMessageContent(text="", annotations=[])
    )
    yield ThreadItemUpdatedEvent(item_id=item.id, update=part)
    words = [_word(number, plan) for number in range(15)]
    for word in words:
        await asyncio.sleep(plan.pause)
        delta = AssistantMessageContentPartTextDelta(content_index=0, delta=word)
        yield ThreadItemUpdatedEvent(item_id=item.id, update=delta)
    content = [AssistantMessageContent(text="".join(words), annotations=[])]
    yield ThreadItemDoneEvent(item=item.model_copy(update={"content": content}))


async def _workflow(
    thread: ThreadMetadata, new_id: NewId, plan: Plan
) -> AsyncIterator[ThreadStreamEvent]:
    item = WorkflowItem(
        id=new_id("workflow"),
        thread_id=thread.id,
        created_at=_now(),
        workflow=Workflow(type="custom", tasks=[]),
    )
    yield ThreadItemAddedEvent(item=item)
    tasks: list[CustomTask] = []
    for index in range(3):
        tasks.append(CustomTask(title=f"task {index}", content="", status_indicator="loading"))
        added = WorkflowTaskAdded(task_index=index, task=tasks[index])
        yield ThreadItemUpdatedEvent(item_id=item.id, update=added)
        content = ""
        for number in range(4):
            await asyncio.sleep(plan.pause)
            content += f"{number} "
            tasks[index] = CustomTask(
                title=f"task {index}",
                content=content,
                status_indicator="loading" if number < 3 else "complete",
            )
            updated = WorkflowTaskUpdated(task_index=index, task=tasks[index])
            yield ThreadItemUpdatedEvent(item_id=item.id, update=updated)
    done = Workflow(type="custom", tasks=list(tasks))
    yield ThreadItemDoneEvent(item=item.model_copy(update={"workflow": done}))


async def _growing_card(plan: Plan) -> AsyncGenerator[WidgetRoot, None]:
    value = ""
    for number in range(12):
        yield Card(children=[Text(id="body", value=value, streaming=True)])
        await asyncio.sleep(plan.pause)
        value += f"{number} "
    yield Card(children=[Text(id="body", value=value, streaming=False)])


# --- the app --------------------------------------------------------------------------------------


class App:
    """The endpoints."""

    def __init__(self, journal: Journal) -> None:
        store = JournalStore(journal)
        self._kept = Kept(store)
        self._servers = {"kept": self._kept, "bare": Bare(store)}
        self._waits = False

    async def chatkit(self, request: Request) -> Response:
        query = request.query_params
        plan = Plan.from_query(query)
        server = self._servers[query.get("by", "kept")]
        result = await server.process(await request.body(), plan)
        assert isinstance(result, StreamingResult)
        self._waits = self._waits or "wait_for" in query
        return StreamingResponse(result, media_type="text/event-stream")

    async def stats(self, request: Request) -> Response:
        tasks = len(asyncio.all_tasks())
        return JSONResponse({"tasks": tasks, "produced": self._kept.produced})

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        # Servers call this when they have cancelled what took too long, and exit when it returns.
        if self._waits:
            await self._kept.stop_responses()


def make_app() -> Starlette:
    # The servers configure their own loggers only. What this package logs is marked by its name.
    logging.basicConfig(format="%(name)s: %(message)s")
    here = App(Journal(Path(os.environ["JOURNAL"])))
    return Starlette(
        routes=[
            Route("/chatkit", here.chatkit, methods=["POST"]),
            Route("/stats", here.stats),
        ],
        lifespan=here.lifespan,
    )


if "JOURNAL" in os.environ:  # a server imports this module; the tests only want the classes
    app = make_app()
