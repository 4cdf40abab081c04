"""A PostgreSQL of one's own, and a store over it that can be interfered with."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from chatkit.store import NotFoundError, Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata
from psycopg import AsyncConnection
from pydantic import TypeAdapter

__all__ = ["PostgresStore", "running_postgres"]

DEADLINE = 60.0
"""How long starting and stopping may take, in seconds."""


# --- the server -----------------------------------------------------------------------------------


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a server in a folder of its own, and give what psycopg connects to.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
    """
    programs = _programs()
    # A socket has a short path, and the server a user of its own.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    account = "postgres" if os.geteuid() == 0 else None
    if account is not None:
        shutil.chown(folder, account)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(name: str, *options: str) -> None:
        data = ("-D", str(folder / "data"))
        with (folder / "log").open("ab") as log:
            subprocess.run(
                [programs / name, *data, *options],
                user=account,
                cwd=folder,
                stdout=log,
                stderr=log,
                timeout=DEADLINE,
                check=True,
            )

    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
    try:
        run("initdb", "-U", "tester", "-A", "trust", "--no-sync")
        run("pg_ctl", "-w", "-o", options, "start")
        try:
            yield f"host=127.0.0.1 port={port} user=tester dbname=postgres"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """The folder of the programs; Debian keeps them off the path."""
    on_path = shutil.which("pg_ctl")
    if on_path is not None:
        return Path(on_path).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not installed:
        raise FileNotFoundError("this machine has no pg_ctl, and so no PostgreSQL")
    return installed[-1].parent


# --- the store ------------------------------------------------------------------------------------

Interference = Callable[[str, int], Awaitable[None]]
"""Called with the name of a step of a write, and the id of the database process behind it."""

_item: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)

_SCHEMA = """
    CREATE TABLE threads (id text PRIMARY KEY, json text NOT NULL);
    CREATE TABLE items (
        thread_id text, id text, place bigint NOT NULL, json text NOT NULL,
        PRIMARY KEY (thread_id, id)
    );
"""


class PostgresStore(Store[Any]):
    """Items in a table, with a primary key and a place that each write computes for itself."""

    def __init__(self, dsn: str, *, connections: int = 10) -> None:
        self._dsn = dsn
        self.free = asyncio.Semaphore(connections)
        self.patience = 0.1
        """How long to wait for a connection, in seconds."""
        self.interfere: Interference | None = None

    async def create(self) -> None:
        """Begin anew."""
        async with await AsyncConnection.connect(self._dsn, autocommit=True) as connection:
            await connection.execute("DROP TABLE IF EXISTS threads, items")
            await connection.execute(_SCHEMA)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction, which is committed at the end."""
        async with asyncio.timeout(self.patience):
            await self.free.acquire()
        try:
            connection = await AsyncConnection.connect(self._dsn)
            try:
                await connection.set_isolation_level(psycopg.IsolationLevel.SERIALIZABLE)
                yield connection
                await self._step("before the commit", connection)
                await connection.commit()
                await self._step("after the commit", connection)
            finally:
                await connection.close()
        finally:
            self.free.release()

    async def _step(self, name: str, connection: AsyncConnection) -> None:
        if self.interfere is not None:
            await self.interfere(name, connection.info.backend_pid)
            await connection.execute("SELECT 1")  # a connection that is lost is noticed here

    async def kill(self, process: int) -> None:
        """End the process behind a connection, and wait until it has ended."""
        async with await AsyncConnection.connect(self._dsn, autocommit=True) as connection:
            await connection.execute("SELECT pg_terminate_backend(%s, 5000)", (process,))

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        async with self.connection() as connection:
            await self._step("before the write", connection)
            await connection.execute(
                "INSERT INTO items SELECT %s, %s, coalesce(max(place), 0) + 1, %s FROM items",
                (thread_id, item.id, _item.dump_json(item).decode()),
            )

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        async with self.connection() as connection:
            await connection.execute(
                "UPDATE items SET json = %s WHERE thread_id = %s AND id = %s",
                (_item.dump_json(item).decode(), thread_id, item.id),
            )

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        items = await self._items("thread_id = %s AND id = %s", (thread_id, item_id))
        if not items:
            raise NotFoundError(item_id)
        return items[0]

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        items = await self._items("thread_id = %s ORDER BY place", (thread_id,))
        if order == "desc":
            items.reverse()
        return Page(data=items[:limit], has_more=len(items) > limit)

    async def _items(self, where: Any, values: tuple[str, ...]) -> list[ThreadItem]:
        async with self.connection() as connection:
            cursor = await connection.execute(f"SELECT json FROM items WHERE {where}", values)
            return [_item.validate_json(json) for (json,) in await cursor.fetchall()]

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        async with self.connection() as connection:
            await connection.execute(
                "DELETE FROM items WHERE thread_id = %s AND id = %s", (thread_id, item_id)
            )

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        return ThreadMetadata.model_validate({"id": thread_id, "created_at": "2026-01-01T00:00:00"})

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        """Nothing: each thread is there."""

    async def load_threads(self, *_: Any, **__: Any) -> Page[ThreadMetadata]:
        raise NotImplementedError("nobody lists threads")

    async def delete_thread(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("nobody deletes threads")

    async def save_attachment(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("nobody attaches anything")

    async def load_attachment(self, *_: Any, **__: Any) -> Attachment:
        raise NotImplementedError("nobody attaches anything")

    async def delete_attachment(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("nobody attaches anything")
