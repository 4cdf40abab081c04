"""The app that `tests/integrations/openai_chatkit/test_killed_servers.py` kills in mid-answer.

It answers as `app` does, over a store in SQLite and a journal in files, which outlive it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chatkit.server import StreamingResult
from chatkit.store import NotFoundError
from chatkit.types import Page, ThreadItem, ThreadMetadata
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from chatkit_reducer.journal import FileJournal, Header
from tests.support.real_servers.app import JournalStore, Kept, Plan

__all__ = ["answers_of", "database_of"]

ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)


def database_of(place: Path) -> Path:
    return place.with_suffix(".sqlite")


def answers_of(place: Path) -> Path:
    return place.with_suffix(".answers")


class SqliteStore(JournalStore):
    """Threads and items in a file; an item that is added twice is there twice."""

    def __init__(self, path: Path) -> None:
        super().__init__(None)
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
            "CREATE TABLE IF NOT EXISTS threads (id TEXT PRIMARY KEY, json TEXT);"
            "CREATE TABLE IF NOT EXISTS items (thread TEXT, id TEXT, json TEXT);"
        )

    async def load_thread(self, thread_id: str, context: Plan) -> ThreadMetadata:
        found = self._database.execute("SELECT json FROM threads WHERE id=?", [thread_id])
        for (text,) in found:
            return ThreadMetadata.model_validate_json(text)
        raise NotFoundError(thread_id)

    async def save_thread(self, thread: ThreadMetadata, context: Plan) -> None:
        text = ThreadMetadata(**thread.model_dump(exclude={"items"})).model_dump_json()
        self._database.execute("REPLACE INTO threads VALUES (?, ?)", [thread.id, text])

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Plan
    ) -> Page[ThreadItem]:
        rows = self._database.execute(
            "SELECT json FROM items WHERE thread=? ORDER BY rowid", [thread_id]
        )
        items = [ITEM.validate_json(text) for (text,) in rows]
        return Page(data=items[::-1] if order == "desc" else items)

    async def load_item(self, thread_id: str, item_id: str, context: Plan) -> ThreadItem:
        found = self._database.execute(
            "SELECT json FROM items WHERE thread=? AND id=?", [thread_id, item_id]
        )
        for (text,) in found:
            return ITEM.validate_json(text)
        raise NotFoundError(item_id)

    async def _write(self, op: str, thread_id: str, item: ThreadItem, context: Plan) -> None:
        text = item.model_dump_json(by_alias=True, exclude_none=True)
        await self._take_time(context)
        if op == "add":
            self._database.execute("INSERT INTO items VALUES (?, ?, ?)", [thread_id, item.id, text])
        else:
            self._database.execute(
                "UPDATE items SET json=? WHERE thread=? AND id=?", [text, thread_id, item.id]
            )
        await self._take_time(context)


class Journaled(Kept):
    """What is tested."""

    def journal_meta(self, thread: ThreadMetadata, context: Plan) -> dict[str, Any]:
        return {"thread": context.thread_id, "write_seconds": str(context.write_seconds)}


async def context_of(header: Header) -> Plan:
    return Plan.from_query(header.meta)


def make_app() -> Starlette:
    logging.basicConfig(format="%(name)s: %(message)s")
    place = Path(os.environ["JOURNAL"])
    server = Journaled(SqliteStore(database_of(place)))
    server.journal = FileJournal(answers_of(place))

    async def chatkit(request: Request) -> Response:
        plan = Plan.from_query(request.query_params)
        result = await server.process(await request.body(), plan)
        assert isinstance(result, StreamingResult)
        return StreamingResponse(result, media_type="text/event-stream")

    async def stats(request: Request) -> Response:
        return JSONResponse({"tasks": len(asyncio.all_tasks())})

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with server.recovery(context_of, every=0.1):
            yield

    return Starlette(
        routes=[Route("/chatkit", chatkit, methods=["POST"]), Route("/stats", stats)],
        lifespan=lifespan,
    )


if "JOURNAL" in os.environ:
    app = make_app()
