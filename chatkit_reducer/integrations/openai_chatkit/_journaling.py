"""The journal of a server: a writer for each response, leases, and stop requests between processes.

A journal that fails costs a log record. The responses go on as if there was none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Protocol

from chatkit.types import ThreadMetadata

from chatkit_reducer.events import Json
from chatkit_reducer.integrations.openai_chatkit._faults import Faults
from chatkit_reducer.integrations.openai_chatkit._response import ResponseSession, end_all
from chatkit_reducer.journal.heartbeat import AT_MOST, Heartbeat, ask_to_stop
from chatkit_reducer.journal.protocol import FORMAT, Journal, JournalError
from chatkit_reducer.journal.writer import JournalWriter

__all__ = [
    "JournaledServer",
    "Leases",
    "ask_others_to_stop",
    "forget_thread",
    "make_writer",
    "may_load",
    "open_responses",
    "wait_for_others",
]

logger: logging.Logger = logging.getLogger("chatkit_reducer.integrations.openai_chatkit")

_LOOK_EVERY = 0.1

_SEARCH = "search"
_faults = Faults()


class JournaledServer(Protocol):
    """The parts of a server that its journal needs."""

    journal: Journal | None
    commit_timeout: float | None

    @property
    def store(self) -> Any:
        """The store of the server."""
        ...

    def journal_meta(self, thread: ThreadMetadata, context: Any) -> Json:
        """Return the JSON that rebuilds the context."""
        ...


def make_writer(
    server: JournaledServer, thread: ThreadMetadata, context: Any
) -> JournalWriter | None:
    """Return the writer of a new response; None without a journal, or without its metadata."""
    if server.journal is None:
        return None
    try:
        meta = dict(server.journal_meta(thread, context))
    except Exception:
        logger.exception(
            "A response in thread %s goes on without a journal: %s.journal_meta failed, see below.",
            thread.id,
            type(server).__qualname__,
        )
        return None
    return JournalWriter(server.journal, thread=thread.id, meta=meta)


async def open_responses(journal: Journal, thread: str) -> list[str]:
    """Return the ids of a thread's responses that are not closed, the oldest first.

    Those in a newer format are left out: this release cannot read them, and does not recover them,
    so that a reader would wait for ever. A journal that cannot be searched is logged: then there
    are none.
    """
    try:
        found = await journal.find(thread=thread)
    except JournalError as error:
        if _faults.is_new(journal, _SEARCH):
            logger.error("The journal cannot be searched for running responses: %s", error)  # noqa: TRY400
        return []
    _faults.end(journal, _SEARCH)
    return [header.response for header in found if header.format <= FORMAT]


class Leases:
    """The responses of one server that run in one event loop; their leases are renewed.

    Args:
        server: the server.
    """

    def __init__(self, server: JournaledServer) -> None:
        self._server = server
        self._heartbeat = Heartbeat(lambda: server.journal)
        self._endings: set[asyncio.Task[None]] = set()

    def add(self, one: ResponseSession) -> None:
        """Renew the lease of a response from now on."""
        if one.journal is not None:
            self._heartbeat.add(one.journal.response, lambda: self._stop(one))

    def discard(self, one: ResponseSession) -> None:
        """Renew the lease of a response no longer."""
        if one.journal is not None:
            self._heartbeat.discard(one.journal.response)

    def _stop(self, one: ResponseSession) -> None:
        if one.is_ending:
            return
        one.stop()
        ending = asyncio.create_task(end_all([one], self._server.commit_timeout))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)


async def ask_others_to_stop(
    server: JournaledServer, thread_id: str | None, ours: Sequence[ResponseSession]
) -> list[str]:
    """Ask the responses of a thread to stop that run in other processes; return their ids."""
    journal = server.journal
    if journal is None or thread_id is None:
        return []
    here = {one.journal.response for one in ours if one.journal is not None}
    try:
        return await ask_to_stop(journal, thread_id, here)
    except Exception:
        logger.exception(
            "The responses of thread %s in other processes were not asked to stop: see below.",
            thread_id,
        )
        return []


async def wait_for_others(
    server: JournaledServer, thread_id: str | None, others: Sequence[str], limit: float
) -> None:
    """Wait until responses in other processes are settled, or so many seconds."""
    journal = server.journal
    if journal is None or not others:
        return
    left = set(others)
    try:
        async with asyncio.timeout(limit):
            while left:
                await asyncio.sleep(_LOOK_EVERY)
                left &= {header.response for header in await journal.find(thread=thread_id)}
    except Exception as error:  # noqa: BLE001  # they were asked, and end when they can
        logger.warning(
            "Whether %d responses of thread %s have ended in other processes is not known: %s",
            len(others),
            thread_id,
            type(error).__name__,
        )


async def may_load(server: JournaledServer, thread_id: str, context: Any) -> bool:
    """Return whether a context may load a thread, as for all that the SDK does with a thread."""
    try:
        await server.store.load_thread(thread_id, context=context)
    except Exception:  # noqa: BLE001  # the store says it again to the request itself
        return False
    return True


async def forget_thread(server: JournaledServer, thread_id: str) -> None:
    """Delete the journal of a thread that is about to be deleted, or a recovery would add to it."""
    if server.journal is None:
        return
    try:
        async with asyncio.timeout(AT_MOST):
            await server.journal.forget(thread=thread_id)
    except Exception:
        logger.exception(
            "Thread %s is deleted, and its journal is still there: see below.", thread_id
        )
