"""A journal in PostgreSQL, for several machines.

A batch of records is one row, numbered within its response: a number over all responses would be
seen in the order of commits, which is another one, and readers would miss rows. The row of the
response holds its end; the statement that writes a batch moves that end, if the batch begins there,
and so locks the row: of two writers the second one sees the end that the first one made. Deltas are
committed without waiting for the disk, structural records with it; both come in order, so that a
server that is killed can lose the last deltas, and never one in between.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Any

import msgspec

from chatkit_reducer.journal._batches import Batch, joined, separated
from chatkit_reducer.journal._postgres_connections import Connections, Pool, Row, Statement
from chatkit_reducer.journal._postgres_statements import Statements
from chatkit_reducer.journal._refusals import refusal, taken
from chatkit_reducer.journal.group_commit import GroupCommit
from chatkit_reducer.journal.protocol import Header, JournalError
from chatkit_reducer.journal.tailing import Hints, Page, Shared, tail

__all__ = ["PostgresJournal"]

LARGEST_HINT = 7_900
"""The payload of a notification has less than 8,000 bytes."""

PAUSE_LISTENING, PAUSE_DEAF = 1.0, 0.1
"""How long a reader waits for a hint, in seconds: while hints can come, and while they cannot."""


class PostgresJournal:
    """A `Journal` in two tables of a PostgreSQL. For asyncio, as psycopg is.

    Args:
        pool_or_conninfo: what psycopg connects to, or an `AsyncConnectionPool` of psycopg_pool,
            open. The journal uses up to three connections at a time, one of them for as long as
            there are readers.
        lag: for how many seconds deltas may be ahead of their durability; 0 makes each wait. With a
            lag, an append of deltas that fails, or comes second, makes the next append raise.
        lease: for how many seconds after its last sign of life (`begin`, `append`, `alive`) the
            writer of a response is taken to live.
        timeout: how long an answer of the server may take, in seconds.
        name: the name of the tables, and of the channel of hints.
    """

    def __init__(
        self,
        pool_or_conninfo: str | Pool,
        *,
        lag: float = 0.05,
        lease: float = 15.0,
        timeout: float = 10.0,  # of each answer, and not of a call
        name: str = "chatkit_journal",
    ) -> None:
        self.lease = lease
        self._name = name
        self._holder = uuid.uuid4().hex
        self._sql = Statements(name)
        self._connections = Connections(pool_or_conninfo, timeout=timeout)
        self._group = GroupCommit(self._write, lag=lag)
        self._hints = Hints()
        self._pages = Shared(self._page)
        self._listener: asyncio.Task[None] | None = None
        self._hearing = False
        self._hinting: set[asyncio.Task[None]] = set()

    async def create_tables(self) -> None:
        """Make the tables that are missing. Any number of processes may do so at once."""
        await self._run(self._sql.create, {})

    async def begin(self, header: Header) -> None:
        """Begin a response, and hold its lease."""
        values = {
            "response": header.response,
            "thread": header.thread,
            "started": header.started,
            "meta": msgspec.json.encode(header.meta),
            "format": header.format,
            "protocol": header.protocol,
            "ticket": uuid.uuid4().hex,
        }
        if not await self._run(self._sql.begin, values):
            raise taken(header.response)
        self._group.begun(header.response)

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        """Write records behind position `at`; deltas alone may follow within the lag."""
        await self._group.append(response, at, records)

    async def read(
        self, response: str, after: int = 0, *, follow: bool = True
    ) -> AsyncGenerator[tuple[int, bytes], None]:
        """Yield the records behind a position."""
        await self._group.catch_up(response)
        if follow:
            self._listen()
        hints = self._hints if follow else None
        records = tail(self._pages, response, after, hints=hints, pause=self._pause)
        async with aclosing(records):
            async for record in records:
                yield record

    async def find(self, *, thread: str | None = None, orphaned: bool = False) -> list[Header]:
        """Return the responses that are not closed, the oldest first."""
        rows = await self._run(self._sql.find, {"thread": thread, "orphaned": orphaned})
        return [_header(row) for row in rows]

    async def claim(self, response: str) -> bool:
        """Take the lease of an orphaned response, unless another process was faster."""
        values = {"response": response, "ticket": uuid.uuid4().hex}
        claimed = bool(await self._run(self._sql.claim, values))
        if claimed:
            self._group.forget(response)
        return claimed

    async def release(self, response: str) -> None:
        """Give the lease of a response back, if this journal holds it."""
        await self._run(self._sql.release, {"response": response})

    async def alive(self, responses: Collection[str]) -> Collection[str]:
        """Renew the leases that this journal holds; return the responses that are to stop."""
        if not responses:
            return []
        rows = await self._run(self._sql.alive, {"responses": list(responses)})
        return [response for (response,) in rows]

    async def stop(self, response: str) -> None:
        """Ask the writer of a response to stop; `alive` tells it."""
        await self._run(self._sql.stop, {"response": response})

    async def recall(self, response: str) -> None:
        """Say that a client of a response has come back; `recalled` tells it."""
        await self._run(self._sql.recall, {"response": response})

    async def recalled(self, responses: Collection[str]) -> Collection[str]:
        """Return the responses of which that was said since the last call."""
        rows = await self._run(self._sql.recalled, {"responses": list(responses)})
        return [response for (response,) in rows]

    async def forget(
        self, *, thread: str | None = None, closed_before: datetime | None = None
    ) -> int:
        """Delete the responses of a thread, or those that were closed before a time."""
        if thread is None and closed_before is None:
            raise TypeError("expected a thread or a time, got neither: name what to forget")
        values = {"thread": thread, "closed_before": closed_before}
        rows = await self._run(self._sql.forget, values)
        for (response,) in rows:
            self._group.forget(response)
            self._hints.wake(response)
        return len(rows)

    async def aclose(self) -> None:
        """Write all that was taken, give back the leases, and close the connections."""
        await self._group.flush()
        await asyncio.gather(*self._hinting)
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait([self._listener])
            self._listener = None
        await self._pages.aclose()
        with suppress(JournalError):  # the leases end by themselves
            await self._run(self._sql.release, {"response": None})
        await self._connections.aclose()

    # --- writing ----------------------------------------------------------------------------------

    async def _write(self, batches: Sequence[Batch]) -> Sequence[JournalError | None]:
        durable = any(batch.durable for batch in batches)
        hints = _hints(batch.response for batch in batches)
        values = {
            "responses": [batch.response for batch in batches],
            "ats": _array(batch.at for batch in batches),
            "lasts": _array(batch.last for batch in batches),
            "texts": [joined(batch.records) for batch in batches],
            "closes": _array(batch.closes for batch in batches),
            "durable": durable,
            "hints": [] if durable else hints,
        }
        ((written,),) = await self._run(self._sql.append, values)
        errors = [
            None if batch.response in written else await refusal(batch, self._page)
            for batch in batches
        ]
        for batch in batches:
            self._hints.wake(batch.response)
        if durable:
            # PostgreSQL takes a lock over all of its databases for the commit of a notification:
            # better not while it waits for the disk.
            task = asyncio.get_running_loop().create_task(self._hint(hints))
            self._hinting.add(task)
            task.add_done_callback(self._hinting.discard)
        return errors

    async def _hint(self, hints: list[str]) -> None:
        with suppress(JournalError):  # readers look by themselves, too
            await self._run(self._sql.hint, {"hints": hints})

    # --- reading ----------------------------------------------------------------------------------

    async def _page(self, question: tuple[str, int]) -> Page | None:
        response, after = question
        rows = await self._run(self._sql.page, {"response": response, "after": after})
        if not rows:
            return None
        end, closed, first, _ = rows[0]
        records = [line for row in rows if row[3] is not None for line in separated(row[3])]
        return Page(first=first or 0, records=records, end=end, closed=closed)

    def _pause(self) -> float:
        return PAUSE_LISTENING if self._hearing else PAUSE_DEAF

    def _listen(self) -> None:
        if self._listener is None or self._listener.done():
            self._listener = asyncio.get_running_loop().create_task(self._hear())

    async def _hear(self) -> None:
        """Pass hints on to readers, over one connection after another, for as long as it takes."""
        while True:
            try:
                async with aclosing(self._connections.listen(self._name)) as payloads:
                    async for payload in payloads:
                        self._hearing = True
                        self._pass_on(payload)
            except JournalError:
                pass
            self._hearing = False
            await asyncio.sleep(PAUSE_DEAF)

    def _pass_on(self, payload: str) -> None:
        if not payload:
            self._hints.wake_all()
        for response in payload.split("\n"):
            self._hints.wake(response)

    # --- the server -------------------------------------------------------------------------------

    async def _run(self, statements: Sequence[Statement], values: Mapping[str, Any]) -> list[Row]:
        constants = {"name": self._name, "holder": self._holder, "lease": self.lease}
        return await self._connections.run(statements, {**constants, **values})


def _array(values: Iterable[int]) -> str:
    """Write numbers or flags as PostgreSQL does: much faster than psycopg, which looks at each."""
    return f"{{{','.join(map(str, values))}}}"


def _hints(responses: Iterable[str]) -> list[str]:
    """Return the payloads that name responses; an empty one stands for all."""
    hints: list[str] = []
    for response in responses:
        if len(response.encode()) > LARGEST_HINT:
            hints.append("")
        elif hints and hints[-1] and len(hints[-1].encode()) + len(response) < LARGEST_HINT:
            hints[-1] += f"\n{response}"
        else:
            hints.append(response)
    return hints


def _header(row: Row) -> Header:
    response, thread, started, meta, format_, protocol = row
    return Header(
        response=response,
        thread=thread,
        started=started,
        meta=msgspec.json.decode(meta),
        format=format_,
        protocol=protocol,
    )
