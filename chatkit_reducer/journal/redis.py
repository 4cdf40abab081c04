"""A journal in Redis, for several machines where there is a Redis already.

A response is a stream, and a batch of its records one entry, whose id is the position of its last
record: an id that is not above the one before is refused by Redis itself. That alone would accept a
gap, so a script compares the end as well (`redis_scripts`). A server without an append-only file
would lose all of it with its process, and is refused. With `appendfsync everysec` a power cut may
cost the last second or two, and so may the death of a server whose disk is slow: it answers before
it writes while a sync is under way (Redis 7.0.15, `aof.c`, `flushAppendOnlyFile`). A failover to a
replica may cost more, the fence included.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from chatkit_reducer.journal._batches import Batch, joined, separated
from chatkit_reducer.journal._refusals import conflict, refusal, taken
from chatkit_reducer.journal.group_commit import GroupCommit
from chatkit_reducer.journal.protocol import Header, JournalError
from chatkit_reducer.journal.redis_scripts import (
    ALIVE,
    APPEND,
    BEGIN,
    CLAIM,
    FIND,
    FORGET,
    PAGE,
    RECALL,
    RECALLED,
    RELEASE,
    STOP,
    Script,
)
from chatkit_reducer.journal.tailing import Hints, Page, Shared, tail

try:
    from redis.asyncio import Redis
    from redis.exceptions import ConnectionError as LostConnection
    from redis.exceptions import NoScriptError, RedisError, ResponseError
except ImportError as _error:  # an extra
    raise ImportError(
        "expected redis-py for a journal in Redis, got none: pip install 'chatkit-reducer[redis]'"
    ) from _error

__all__ = ["RedisJournal"]

T = TypeVar("T")

LONGEST_BLOCK = 1.0
"""How long an XREAD waits for entries, in seconds; less where the client's socket times out."""

PAUSE_LISTENING, PAUSE_DEAF = 1.0, 0.1
"""How long a reader waits for a hint, in seconds: while hints can come, and while they cannot."""

ENTRIES_A_PAGE = 500
ABOVE_ALL = 2**64 - 1
"""The second number of an id that is above all others with the same first one."""


class RedisJournal:
    """A `Journal` in streams of a Redis. For asyncio.

    Args:
        client: a `redis.asyncio.Redis`, which stays the caller's. The journal uses several of its
            connections, one of them for as long as there are readers.
        lag: for how many seconds deltas may be ahead of their durability; 0 makes each wait. With a
            lag, an append of deltas that fails, or comes second, makes the next append raise.
        require_aof: whether to refuse a server without an append-only file.
        lease: for how many seconds after its last sign of life (`begin`, `append`, `alive`) the
            writer of a response is taken to live.
        timeout: how long an answer of the server may take, in seconds.
        name: the prefix of all keys.
    """

    def __init__(
        self,
        client: Redis,
        *,
        lag: float = 0.05,
        require_aof: bool = True,
        lease: float = 15.0,
        timeout: float = 10.0,  # of each answer, and not of a call
        name: str = "chatkit_journal",
    ) -> None:
        self.lease = lease
        self._client: Any = client
        self._require_aof = require_aof
        self._checked = False
        self._timeout = timeout
        self._prefix = f"{{{name}}}"
        self._holder = uuid.uuid4().hex
        self._group = GroupCommit(self._write, lag=lag)
        self._hints = Hints()
        self._pages = Shared(self._page)
        self._listener = _Listener(self._client, self._hints, self._stream)

    async def begin(self, header: Header) -> None:
        """Begin a response, and hold its lease."""
        response, thread = header.response, header.thread
        about = _about(header)
        started = header.started.timestamp()
        ticket = uuid.uuid4().hex
        if not await self._run(
            BEGIN, response, thread, about, started, self._holder, ticket, self._lease
        ):
            raise taken(response)
        self._group.begun(response)

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        """Write records behind position `at`; deltas alone may follow within the lag."""
        await self._group.append(response, at, records)

    async def read(
        self, response: str, after: int = 0, *, follow: bool = True
    ) -> AsyncGenerator[tuple[int, bytes], None]:
        """Yield the records behind a position."""
        await self._group.catch_up(response)
        hints = self._hints if follow else None
        records = tail(self._pages, response, after, hints=hints, pause=self._pause)
        async with aclosing(records):
            async for record in records:
                yield record

    async def find(self, *, thread: str | None = None, orphaned: bool = False) -> list[Header]:
        """Return the responses that are not closed, the oldest first."""
        found = await self._run(FIND, int(orphaned), *_given(thread))
        headers = [_header(_bytes(about)) for about in found]
        return sorted(headers, key=lambda header: (header.started, header.response))

    async def claim(self, response: str) -> bool:
        """Take the lease of an orphaned response, unless another process was faster."""
        ticket = uuid.uuid4().hex
        claimed = bool(await self._run(CLAIM, response, self._holder, ticket, self._lease))
        if claimed:
            self._group.forget(response)
        return claimed

    async def release(self, response: str) -> None:
        """Give the lease of a response back, if this journal holds it."""
        await self._run(RELEASE, self._holder, response)

    async def alive(self, responses: Collection[str]) -> Collection[str]:
        """Renew the leases that this journal holds; return the responses that are to stop."""
        if not responses:
            return []
        stopping = await self._run(ALIVE, self._holder, self._lease, *responses)
        return [_text(response) for response in stopping]

    async def stop(self, response: str) -> None:
        """Ask the writer of a response to stop; `alive` tells it."""
        await self._run(STOP, response)

    async def recall(self, response: str) -> None:
        """Say that a client of a response has come back; `recalled` tells it."""
        await self._run(RECALL, response)

    async def recalled(self, responses: Collection[str]) -> Collection[str]:
        """Return the responses of which that was said since the last call."""
        return [_text(response) for response in await self._run(RECALLED, *responses)]

    async def forget(
        self, *, thread: str | None = None, closed_before: datetime | None = None
    ) -> int:
        """Delete the responses of a thread, or those that were closed before a time."""
        if thread is None and closed_before is None:
            raise TypeError("expected a thread or a time, got neither: name what to forget")
        before = "" if closed_before is None else repr(closed_before.timestamp() * 1000)
        gone = await self._run(FORGET, before, *_given(thread))
        for response in map(_text, gone):
            self._group.forget(response)
            self._hints.wake(response)
        return len(gone)

    async def aclose(self) -> None:
        """Write all that was taken, and give back the leases."""
        await self._group.flush()
        await self._listener.aclose()
        await self._pages.aclose()
        with suppress(JournalError):  # the leases end by themselves
            await self._run(RELEASE, self._holder)

    # --- writing ----------------------------------------------------------------------------------

    async def _write(self, batches: Sequence[Batch]) -> Sequence[JournalError | None]:
        arguments = [argument for batch in batches for argument in _arguments(batch)]
        results = await self._run(APPEND, self._holder, self._lease, *arguments)
        for batch in batches:
            self._hints.wake(batch.response)
        return [
            await self._judge(batch, result) for batch, result in zip(batches, results, strict=True)
        ]

    async def _judge(self, batch: Batch, result: Any) -> JournalError | None:
        if result == 1:
            return None
        if result == 0:
            return await refusal(batch, self._page)
        if "equal or smaller" in _text(result):
            return conflict(batch, "an entry above it")
        return self._problem(ResponseError(_text(result)))

    # --- reading ----------------------------------------------------------------------------------

    async def _page(self, question: tuple[str, int]) -> Page | None:
        response, after = question
        found = await self._run(PAGE, response, f"{after + 1}-0", ENTRIES_A_PAGE)
        if not found:
            return None
        finish, closed, entries = found
        end = int(finish)
        self._listener.seen(response, end)
        first = _first(entries[0][0]) if entries else 0
        records = [line for _, (_, text) in entries for line in separated(_bytes(text))]
        return Page(first=first, records=records, end=end, closed=bool(closed))

    def _pause(self) -> float:
        return PAUSE_LISTENING if self._listener.hears else PAUSE_DEAF

    def _stream(self, response: str) -> str:
        return f"{self._prefix}:records:{response}"

    # --- the server -------------------------------------------------------------------------------

    @property
    def _lease(self) -> int:
        return int(self.lease * 1000)

    async def _run(self, script: Script, *arguments: str | bytes | float) -> Any:
        async def run() -> Any:
            if not self._checked:
                await self._require_append_only_file()
            try:
                return await self._client.evalsha(script.sha, 1, self._prefix, *arguments)
            except NoScriptError:  # the server is another one, or was restarted
                await self._require_append_only_file()
                return await self._client.eval(script.text, 1, self._prefix, *arguments)

        return await self._call(run)

    async def _call(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the server, once more if the connection broke: all questions can be repeated."""
        try:
            async with asyncio.timeout(self._timeout):
                try:
                    return await ask()
                except LostConnection:
                    return await ask()
        except TimeoutError as error:
            raise self._problem(TimeoutError(f"no answer within {self._timeout:g} s")) from error
        except (RedisError, OSError) as error:
            raise self._problem(error) from error

    async def _require_append_only_file(self) -> None:
        """Refuse a server that keeps nothing."""
        self._checked = False
        if self._require_aof and not await _keeps_a_file(self._client):
            raise JournalError(
                "expected a Redis with an append-only file, got one that loses all at its end: "
                "start it with `--appendonly yes`, or pass require_aof=False"
            )
        self._checked = True

    def _problem(self, error: Exception) -> JournalError:
        return JournalError(
            f"expected Redis to keep the journal, got {type(error).__name__}: {error}: see that "
            "the server runs, has room and lets this user in; what was not written stays unwritten"
        )


class _Listener:
    """The one reader of a process that waits at the end of all streams that are followed.

    It only wakes the others. XREAD names the streams that it waits for when it begins; so it is
    woken itself, by CLIENT UNBLOCK, when there is one more.
    """

    def __init__(self, client: Any, hints: Hints, stream: Callable[[str], str]) -> None:
        self.hears = False
        self._client = client
        self._hints = hints
        self._stream = stream
        self._ends: dict[str, int] = {}
        self._awaited: Collection[str] = ()
        self._id: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._waker: asyncio.Task[None] | None = None

    def seen(self, response: str, end: int) -> None:
        """Note how far a stream goes, and wait behind that while it is followed."""
        if response in self._hints.responses:
            self._ends[response] = max(end, self._ends.get(response, 0))
            if response not in self._awaited:
                self._start()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._listen())
        elif self._waker is None or self._waker.done():
            self._waker = loop.create_task(self._wake())

    async def aclose(self) -> None:
        """Stop to listen."""
        tasks = [task for task in (self._task, self._waker) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _places(self) -> dict[str, int]:
        """Where the streams end that are followed, as far as that is known."""
        followed = self._hints.responses
        self._ends = {one: end for one, end in self._ends.items() if one in followed}
        return self._ends

    async def _listen(self) -> None:
        while self._places():
            connection = self._client.client()
            try:
                self._id = await connection.client_id()
                self._hints.wake_all()
                await self._listen_over(connection)
            except (RedisError, OSError):
                pass
            finally:
                await connection.aclose()
            self.hears, self._id, self._awaited = False, None, ()
            if self._places():
                await asyncio.sleep(PAUSE_DEAF)

    async def _listen_over(self, connection: Any) -> None:
        block = self._block_of(connection)
        while ends := self._places():
            self._awaited = frozenset(ends)
            self.hears = True
            names = {self._stream(response): response for response in ends}
            places = {name: f"{ends[one]}-{ABOVE_ALL}" for name, one in names.items()}
            for name, id_ in _heard(await connection.xread(places, block=block)):
                response = names[name]
                self.seen(response, _last(id_))
                self._hints.wake(response)

    def _block_of(self, connection: Any) -> int:
        limit = connection.connection_pool.connection_kwargs.get("socket_timeout")
        seconds = LONGEST_BLOCK if limit is None else min(LONGEST_BLOCK, limit / 2)
        return max(1, int(seconds * 1000))

    async def _wake(self) -> None:
        """End the XREAD under way until it waits for all that it should."""
        while self._id is not None and not self._places().keys() <= set(self._awaited):
            with suppress(RedisError, OSError):
                await self._client.client_unblock(self._id)
            await asyncio.sleep(0.005)


async def _keeps_a_file(client: Any) -> bool:
    try:
        setting = await client.config_get("appendonly")
    except ResponseError:  # a service that keeps CONFIG to itself
        setting = {}
    values = [_text(value) for value in setting.values()]
    if not values:
        state = await client.info("persistence")
        return bool(state.get("aof_enabled"))
    return values == ["yes"]


def _arguments(batch: Batch) -> Iterator[str | bytes | int]:
    yield batch.response
    yield batch.at
    yield batch.last
    yield f"{batch.last}-{len(batch.records)}"
    yield int(batch.closes)
    yield joined(batch.records)


def _given(thread: str | None) -> tuple[str, ...]:
    return () if thread is None else (thread,)


def _heard(answer: Any) -> Iterator[tuple[str, Any]]:
    """Return the name of each stream with news, and the id of its last entry, in both protocols."""
    for name, entries in answer.items() if isinstance(answer, dict) else answer or ():
        flat = entries[0] if entries and not isinstance(entries[0], tuple) else entries
        if flat:
            yield _text(name), flat[-1][0]


def _last(id_: str | bytes) -> int:
    return int(_text(id_).partition("-")[0])


def _first(id_: str | bytes) -> int:
    last, _, count = _text(id_).partition("-")
    return int(last) - int(count) + 1


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


def _bytes(value: str | bytes) -> bytes:
    """Return the bytes of a value that the client may have decoded."""
    return value if isinstance(value, bytes) else value.encode()


def _about(header: Header) -> bytes:
    return msgspec.json.encode(
        {
            "response": header.response,
            "thread": header.thread,
            "started": header.started.isoformat(),
            "meta": header.meta,
            "format": header.format,
            "protocol": header.protocol,
        }
    )


def _header(about: bytes) -> Header:
    known = msgspec.json.decode(about)
    return Header(
        response=known["response"],
        thread=known["thread"],
        started=datetime.fromisoformat(known["started"]),
        meta=known["meta"],
        format=known["format"],
        protocol=known["protocol"],
    )
