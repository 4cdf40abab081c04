"""Connections to PostgreSQL for single statements, and the meaning of their errors.

Every statement of the journal may be repeated. So one whose connection broke, as when a server is
restarted or an administrator ends the process behind it, is run once more over a new connection.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from chatkit_reducer.journal.protocol import JournalError

try:
    import psycopg
    from psycopg import AsyncConnection
    from psycopg.sql import SQL, Identifier
except ImportError as _error:  # an extra
    raise ImportError(
        "expected psycopg 3 for a journal in PostgreSQL, got none: "
        "pip install 'chatkit-reducer[postgres]'"
    ) from _error

__all__ = ["Connections", "Pool", "Row", "Statement"]

Statement = bytes

Row = tuple[Any, ...]

AT_ONCE = 3
"""How many connections a journal opens, besides the one that listens."""

_CLASHES = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


class Pool(Protocol):
    """The part of an `AsyncConnectionPool` of psycopg_pool that a journal needs."""

    def connection(
        self,
        timeout: float | None = None,  # psycopg_pool's name
    ) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
        """Lend a connection."""
        ...


class Connections:
    """Some connections, of its own or of a pool, that run one statement at a time."""

    def __init__(self, source: str | Pool, *, timeout: float) -> None:
        self._source = source
        self._timeout = timeout
        self._idle: list[AsyncConnection[Row]] = []
        self._is_closed = False
        self._free = asyncio.Semaphore(AT_ONCE)

    async def run(self, statements: Sequence[Statement], values: Mapping[str, Any]) -> list[Row]:
        """Run statements in one transaction; return the rows of the last one.

        Each finds the rows of the one before it as a list of their first columns, `found`.

        Raises:
            JournalError: the server is gone, is full, refuses, or does not answer.
        """
        try:
            try:
                return await self._attempt(statements, values)
            except psycopg.Error as error:
                if not _may_pass(error):
                    raise
                await self._close_idle()  # a server that is restarted has ended them all
                return await self._attempt(statements, values)
        except (psycopg.Error, OSError) as error:
            raise self._problem(error) from error

    async def listen(self, channel: str) -> AsyncGenerator[str, None]:
        """Yield an empty text once a connection listens, and then the payload of each hint.

        Raises:
            JournalError: the connection broke.
        """
        try:
            async with self._lent() as connection:
                try:
                    await connection.execute(SQL("LISTEN {}").format(Identifier(channel)))
                    yield ""
                    async for notification in connection.notifies():
                        yield notification.payload
                finally:
                    await connection.close()  # a pool would lend it on as it is
        except (psycopg.Error, OSError) as error:
            raise self._problem(error) from error

    async def aclose(self) -> None:
        """Close the connections, those in use when they come back; a pool is the caller's."""
        self._is_closed = True
        await self._close_idle()

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    # --- statements -------------------------------------------------------------------------------

    async def _attempt(
        self, statements: Sequence[Statement], values: Mapping[str, Any]
    ) -> list[Row]:
        async with self._free, self._connection() as connection, self._in_time(connection):
            if len(statements) == 1:
                return await _rows(connection, statements[0], values)
            rows: list[Row] = []
            async with connection.transaction():
                for statement in statements:
                    found = [row[0] for row in rows]
                    rows = await _rows(connection, statement, {**values, "found": found})
            return rows

    @asynccontextmanager
    async def _in_time(self, connection: AsyncConnection[Row]) -> AsyncIterator[None]:
        """Break a connection that does not answer: a server that hangs hears no other wish."""
        late = False

        def cut() -> None:
            nonlocal late
            late = True
            with socket.socket(fileno=os.dup(connection.fileno())) as same:
                same.shutdown(socket.SHUT_RDWR)

        timer = asyncio.get_running_loop().call_later(self._timeout, cut)
        try:
            yield
        except psycopg.Error as error:
            if late:
                raise TimeoutError(f"no answer within {self._timeout:g} s") from error
            raise
        finally:
            timer.cancel()

    # --- connections ------------------------------------------------------------------------------

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[Row]]:
        """Lend the kept connection; it stays unless something went wrong with it."""
        if not isinstance(self._source, str):
            async with self._lent() as lent:
                yield lent
            return
        connection = self._idle.pop() if self._idle else await self._connect(self._source)
        try:
            yield connection
        except BaseException:
            await connection.close()
            raise
        if self._is_closed:
            await connection.close()
        else:
            self._idle.append(connection)

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[AsyncConnection[Row]]:
        """Lend a connection in which each statement is a transaction."""
        if isinstance(self._source, str):
            connection = await self._connect(self._source)
            try:
                yield connection
            finally:
                await connection.close()
            return
        async with self._source.connection(self._timeout) as lent:
            before = lent.autocommit
            await lent.set_autocommit(True)
            try:
                yield lent
            finally:
                if not lent.closed:
                    await lent.set_autocommit(before)

    async def _connect(self, conninfo: str) -> AsyncConnection[Row]:
        async with asyncio.timeout(self._timeout):
            return await AsyncConnection.connect(conninfo, autocommit=True)

    def _problem(self, error: Exception) -> JournalError:
        if isinstance(error, psycopg.errors.UndefinedTable):
            return JournalError(
                f"expected the tables of the journal in PostgreSQL, got {_sentence(error)}: "
                "await journal.create_tables() once"
            )
        return JournalError(
            f"expected PostgreSQL to keep the journal, got {_sentence(error)}: see that the server "
            "runs, has room and lets this user in; what was not written stays unwritten"
        )


async def _rows(
    connection: AsyncConnection[Row], statement: Statement, values: Mapping[str, Any]
) -> list[Row]:
    cursor = await connection.execute(statement, values)
    return await cursor.fetchall() if cursor.description else []


def _may_pass(error: psycopg.Error) -> bool:
    """Whether another attempt may go well at once."""
    if isinstance(error, _CLASHES):
        return True
    broken = error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))
    return isinstance(error, psycopg.OperationalError) and broken


def _sentence(error: Exception) -> str:
    first = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
