"""A time of grace: clients that leave, and come back in time; and responses that end without them.

A client is back when it loads the thread or its items, and while it follows the response. It may
be in another process that shares the journal: then the writer is told (`journal.returns`), and
notes that in the journal. It does not count what it was told before its client left, so a client
that may be there before that is told of every half second. The next request in the thread that
begins a response says that the client does not wait for the last one.

As for all that the SDK does with a thread, the store decides first who may see it.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

from chatkit_reducer.integrations.openai_chatkit._journaling import (
    JournaledServer,
    may_load,
    open_responses,
    wait_for_others,
)
from chatkit_reducer.integrations.openai_chatkit._watch import ASK_EVERY, Watch
from chatkit_reducer.journal.protocol import Journal, JournalError
from chatkit_reducer.journal.reading import read_whole
from chatkit_reducer.journal.returns import recall

__all__ = ["GraceServer", "come_back", "cut_away", "end_away", "new_watch", "watching"]

logger: logging.Logger = logging.getLogger("chatkit_reducer.integrations.openai_chatkit")

_LOOK_EVERY = 0.05
"""How often a client that is back asks whether another process has noted that, in seconds."""


class GraceServer(JournaledServer, Protocol):
    """The parts of a server that a time of grace needs."""

    on_leave: Any


def new_watch(server: GraceServer, thread_id: str) -> Watch | None:
    """Return the watch of a response that begins; None on a server without a time of grace."""
    grace = _grace_of(server)
    if grace is None or server.journal is None:
        return None
    watch = Watch(thread_id, grace, server.journal)
    _watches_of(server).add(watch)
    return watch


def _grace_of(server: GraceServer) -> float | None:
    return server.on_leave if isinstance(server.on_leave, int | float) else None


def _watches_of(server: GraceServer) -> WeakSet[Watch]:
    watches: WeakSet[Watch] = vars(server).setdefault("_reducer_watches", WeakSet())
    return watches


def _here(server: GraceServer, thread_id: str) -> list[Watch]:
    """Return the watches of a thread in this event loop."""
    loop = asyncio.get_running_loop()
    found = [one for one in _watches_of(server) if one.thread_id == thread_id and one.loop is loop]
    return [one for one in found if not one.has_ended]


# --- back in time -------------------------------------------------------------------------------


async def come_back(server: GraceServer, thread_id: str, context: Any) -> None:
    """Let the responses of a thread go on, for a client that loads its items."""
    grace = _grace_of(server)
    if grace is None:
        return
    here, elsewhere = _here(server, thread_id), await _elsewhere(server, thread_id)
    if not (here or elsewhere) or not await may_load(server, thread_id, context):
        return
    for one in here:
        await one.come_back()
    away = await _those_away(server, elsewhere)
    await _recall(server, away)
    if len(away) < len(elsewhere):
        _recalls_of(server).begin(thread_id, _keep_recalling(server, thread_id, grace))


@asynccontextmanager
async def watching(server: GraceServer, thread_id: str) -> AsyncIterator[None]:
    """Watch the responses of a thread, for a client that may see it.

    A client that drops its connection leaves. One whose answer ends by itself, such as for want of
    a journal, has not left, and is not missed later.
    """
    if _grace_of(server) is None:
        yield
        return
    entered: list[Watch] = []
    is_dropped = False
    recalls = _Recalls()
    try:
        for one in _here(server, thread_id):
            entered.append(one)
            await one.enter()
        _recalls_of(server).end(thread_id)  # of this client, which loaded the thread
        await _recall(server, await _those_away(server, await _elsewhere(server, thread_id)))
        recalls.begin(thread_id, _keep_recalling(server, thread_id))
        yield
    except (GeneratorExit, asyncio.CancelledError):
        is_dropped = True
        raise
    finally:
        recalls.end(thread_id)
        for one in entered:
            if is_dropped:
                one.leave()
            else:
                one.let_go()


async def _elsewhere(server: GraceServer, thread_id: str) -> list[str]:
    """Return the responses of a thread that run in other processes."""
    journal = server.journal
    if journal is None:
        return []
    ours = {response for one in _here(server, thread_id) for response in one.responses}
    found = [one for one in await open_responses(journal, thread_id) if one not in ours]
    if not found:
        return []
    try:
        orphans = {one.response for one in await journal.find(thread=thread_id, orphaned=True)}
    except JournalError:
        orphans = set()
    return [one for one in found if one not in orphans]


async def _those_away(server: GraceServer, responses: list[str]) -> list[str]:
    """Return the responses that no client watches."""
    journal = server.journal
    return [] if journal is None else [one for one in responses if await _is_away(journal, one)]


async def _is_away(journal: Journal, response: str) -> bool:
    try:
        return (await read_whole(journal, response)).is_away
    except JournalError:  # it has ended, and was forgotten
        return False


async def _recall(server: GraceServer, responses: list[str]) -> None:
    """Tell the writers of responses that a client is back, until they have noted it."""
    journal = server.journal
    if journal is None:
        return
    left = responses
    try:
        async with asyncio.timeout(2 * ASK_EVERY):
            # Again and again: at a leaving, a writer takes away all that was said before.
            while left := [one for one in left if await recall(journal, one)]:
                await asyncio.sleep(_LOOK_EVERY)
                left = await _those_away(server, left)
    except TimeoutError:  # the client sees the response as it left it
        return
    except Exception:
        logger.exception("A client is back, and the process of its response was not told: below.")


async def _keep_recalling(
    server: GraceServer, thread_id: str, seconds: float | None = None
) -> None:
    """Say every half second that a client is there, for clients of other processes that leave.

    Args:
        server: the server.
        thread_id: the thread that the client has loaded, or follows.
        seconds: for how long; None: until this is cancelled.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            responses = await _elsewhere(server, thread_id)
            while responses or seconds is None:
                await _recall_once(server, responses)
                await asyncio.sleep(ASK_EVERY)
                responses = await _elsewhere(server, thread_id)


async def _recall_once(server: GraceServer, responses: list[str]) -> None:
    if server.journal is None:
        return
    for response in responses:
        try:
            await recall(server.journal, response)
        except Exception as error:  # noqa: BLE001  # of a driver; it is said again soon
            logger.debug("Response %s was not told that a client is there: %s", response, error)


class _Recalls:
    """Tasks that say that a client is there, one for each thread."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, thread_id: str, recalling: Coroutine[Any, Any, None]) -> None:
        """Begin with a task, in the place of another one of this thread."""
        self.end(thread_id)
        # The context of a request must not outlive it.
        task = asyncio.get_running_loop().create_task(
            recalling, name="chatkit_reducer recalls", context=contextvars.Context()
        )
        self._tasks[thread_id] = task
        task.add_done_callback(lambda _: self._discard(thread_id, task))

    def end(self, thread_id: str) -> None:
        """End the task of a thread, if there is one."""
        task = self._tasks.pop(thread_id, None)
        if task is not None:
            task.cancel()

    def _discard(self, thread_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(thread_id) is task:
            del self._tasks[thread_id]


def _recalls_of(server: GraceServer) -> _Recalls:
    """Return the recalls for clients that loaded a thread and do not follow, in this event loop."""
    found: WeakKeyDictionary[asyncio.AbstractEventLoop, _Recalls]
    found = vars(server).setdefault("_reducer_recalls", WeakKeyDictionary())
    return found.setdefault(asyncio.get_running_loop(), _Recalls())


# --- not in time --------------------------------------------------------------------------------


def cut_away(server: GraceServer, thread_id: str | None) -> None:
    """Stop the responses of a thread, or all, that no client watches, as of its leaving."""
    for one in list(_watches_of(server)):
        if thread_id in (None, one.thread_id):
            one.cut()


async def end_away(server: GraceServer, thread_id: str | None, context: Any, limit: float) -> None:
    """Stop the responses of a thread that no client watches, and wait until that is stored.

    Args:
        server: the server.
        thread_id: the thread.
        context: the context of a request that begins another response in it.
        limit: how long to wait at most, in seconds.
    """
    if thread_id is None or _grace_of(server) is None:
        return
    here = [one for one in _here(server, thread_id) if one.is_away]
    elsewhere = await _those_away(server, await _elsewhere(server, thread_id))
    if not (here or elsewhere) or not await may_load(server, thread_id, context):
        return
    for one in here:
        one.cut()
    with suppress(TimeoutError):
        async with asyncio.timeout(limit):
            for one in here:
                await one.wait_for_end()
    await _stop_elsewhere(server, thread_id, elsewhere, limit)


async def _stop_elsewhere(
    server: GraceServer, thread_id: str, responses: list[str], limit: float
) -> None:
    if server.journal is None or not responses:
        return
    try:
        for response in responses:
            await server.journal.stop(response)
    except Exception:
        logger.exception("Responses of thread %s were not asked to stop: see below.", thread_id)
        return
    await wait_for_others(server, thread_id, responses, limit)
