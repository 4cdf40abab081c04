"""`PostgresJournal`, against a PostgreSQL that is killed, and whose connections are."""

from __future__ import annotations

import asyncio
import runpy
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from chatkit_reducer.journal import _postgres_connections as postgres_connections
from chatkit_reducer.journal.postgres import PostgresJournal
from chatkit_reducer.journal.protocol import JournalError
from tests.journal.on_a_server import ADDED, CLOSED, DELTA, OnAServer, contents, header, run
from tests.journal.servers import PostgresServer, running_postgres


class Place:
    """A PostgreSQL whose deltas are on the disk as late as possible."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.conninfo = server.conninfo
        self.kill = server.kill

    def start(self) -> None:
        self.server.start("wal_writer_delay=10s")

    @asynccontextmanager
    async def journal(self, name: str, **options: Any) -> AsyncIterator[PostgresJournal]:
        journal = PostgresJournal(self.conninfo, name=name, **options)
        await journal.create_tables()
        try:
            yield journal
        finally:
            await journal.aclose()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        async with await AsyncConnection.connect(self.conninfo, autocommit=True) as connection:
            yield connection

    async def ask(self, statement: Any) -> list[Any]:
        async with self.connection() as connection:
            cursor = await connection.execute(statement)
            return await cursor.fetchall() if cursor.description else []

    async def kill_connections(self) -> None:
        await self.ask(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    def script(self, name: str) -> str:
        return (
            "from chatkit_reducer.journal.postgres import PostgresJournal\n"
            f"def make(): return PostgresJournal({self.conninfo!r}, name={name!r})"
        )

    async def trim(self, name: str, response: str) -> None:
        await self.ask(f"DELETE FROM {name}_records WHERE response = '{response}' AND first = 1")

    def lose_the_next_answer(self, journal: PostgresJournal) -> None:
        connections: Any = journal._connections
        attempt = connections._attempt

        async def lost(*arguments: Any) -> Any:
            connections._attempt = attempt
            await attempt(*arguments)
            raise psycopg.OperationalError("the connection is lost")

        connections._attempt = lost

    @asynccontextmanager
    async def block(self, name: str) -> AsyncIterator[None]:
        async with self.connection() as connection, connection.transaction():
            await connection.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
            yield

    @asynccontextmanager
    async def fill(self, name: str) -> AsyncIterator[None]:
        await self.ask(
            f"CREATE FUNCTION {name}_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'; "
            f"END $$; CREATE TRIGGER full_ BEFORE INSERT ON {name}_records FOR EACH ROW "
            f"EXECUTE FUNCTION {name}_full()"
        )
        yield
        await self.ask(f"DROP TRIGGER full_ ON {name}_records")


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with running_postgres("wal_writer_delay=10s") as server:
        yield Place(server)


class TestPostgres(OnAServer):
    """All that both servers have in common."""


def test_deltas_do_not_wait_for_the_disk_and_structural_records_do(place: Place) -> None:
    async def body() -> None:
        async with place.journal("commits", lag=0) as journal:
            # What is in force when the transaction is committed.
            await place.ask(
                "CREATE TABLE modes (number serial, mode text);"
                "CREATE FUNCTION note_mode() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "INSERT INTO modes (mode) VALUES (current_setting('synchronous_commit')); "
                "RETURN NULL; END $$;"
                "CREATE CONSTRAINT TRIGGER note_mode AFTER INSERT ON commits_records "
                "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_mode()"
            )
            await journal.begin(header())
            for at, record in enumerate([ADDED, DELTA, DELTA, CLOSED]):
                await journal.append("r", at, [record])
            modes = await place.ask("SELECT mode FROM modes ORDER BY number")
            assert [mode for (mode,) in modes] == ["on", "off", "off", "on"]

    run(body)


def test_a_batch_is_one_row(place: Place) -> None:
    async def body() -> None:
        async with place.journal("batches", lag=1000) as journal:
            await journal.begin(header())
            for at in range(50):
                await journal.append("r", at, [DELTA])
            await journal.append("r", 50, [CLOSED])
            rows = await place.ask("SELECT response, first FROM batches_records")
            assert rows == [("r", 1)]

    run(body)


def test_a_thread_that_is_forgotten_leaves_no_record_of_an_append_under_way(place: Place) -> None:
    async def body() -> None:
        async with place.journal("races", lag=0) as one, place.journal("races") as two:
            for number in range(20):
                response = f"r{number}"
                await one.begin(header(response))
                await asyncio.gather(
                    one.append(response, 0, [DELTA]),
                    two.forget(thread="t"),
                    return_exceptions=True,
                )
                await two.forget(thread="t")
                assert await place.ask("SELECT * FROM races_records") == []

    run(body)


def test_without_its_tables_it_says_how_to_make_them(place: Place) -> None:
    async def body() -> None:
        journal = PostgresJournal(place.conninfo, name="no_tables")
        with pytest.raises(JournalError, match=r"await journal\.create_tables\(\) once"):
            await journal.begin(header())
        await journal.aclose()

    run(body)


def test_a_server_that_cannot_be_reached() -> None:
    async def body() -> None:
        journal = PostgresJournal("host=127.0.0.1 port=1 user=tester")
        with pytest.raises(JournalError, match="see that the server runs"):
            await journal.begin(header())
        await journal.aclose()

    run(body)


def test_a_statement_that_is_cancelled(place: Place) -> None:
    async def body() -> None:
        options = f"{place.conninfo} options='-c statement_timeout=200'"
        async with place.journal("cancelled"):
            journal = PostgresJournal(options, name="cancelled")
            async with place.block("cancelled"):
                with pytest.raises(JournalError, match="QueryCanceled"):
                    await journal.begin(header())
            await journal.begin(header())
            assert await contents(journal) == []
            await journal.aclose()

    run(body)


def test_tables_are_made_by_many_at_once(place: Place) -> None:
    async def body() -> None:
        journals = [PostgresJournal(place.conninfo, name="many") for _ in range(8)]
        await asyncio.gather(*(journal.create_tables() for journal in journals))
        for journal in journals:
            await journal.aclose()

    run(body)


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ImportError, match=r"pip install 'chatkit-reducer\[postgres\]'"):
        runpy.run_path(postgres_connections.__file__)


class Pool:
    """As psycopg_pool has one: it lends connections in transactions."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo
        self.idle: list[AsyncConnection[Any]] = []

    @asynccontextmanager
    async def connection(
        self,
        timeout: float | None = None,  # noqa: ASYNC109  # psycopg_pool's name
    ) -> AsyncIterator[AsyncConnection[Any]]:
        connection = self.idle.pop() if self.idle else await AsyncConnection.connect(self.conninfo)
        async with connection:
            yield connection
        if not connection.closed:
            self.idle.append(connection)


def test_over_a_pool_of_the_application(place: Place) -> None:
    async def body() -> None:
        pool = Pool(place.conninfo)
        journal = PostgresJournal(pool, name="pooled")
        await journal.create_tables()
        await journal.begin(header())
        reader = asyncio.create_task(contents(journal))
        for at in range(5):
            await journal.append("r", at, [DELTA])
        await place.kill_connections()
        await journal.append("r", 5, [CLOSED])
        assert await contents(journal) == [*[DELTA] * 5, CLOSED]
        await reader
        await journal.aclose()
        assert all(not connection.autocommit for connection in pool.idle)
        for connection in pool.idle:
            await connection.close()

    run(body)
