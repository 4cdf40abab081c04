"""Recover the responses of a server whose process died, over the store of the server.

The store is asked for each item before the decision and before each write. So an item that it has
in full stays, one that was deleted is not brought back, and nothing is added twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeAlias

from chatkit.store import NotFoundError
from chatkit.types import ThreadMetadata

from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.integrations.openai_chatkit._conversion import item_to_sdk
from chatkit_reducer.integrations.openai_chatkit._marker import policy_and_marker
from chatkit_reducer.integrations.openai_chatkit._store_access import ThreadStore
from chatkit_reducer.integrations.openai_chatkit._writer import SettlementWriter
from chatkit_reducer.journal.protocol import Header, Journal
from chatkit_reducer.journal.recovery import close_unsettled, recover
from chatkit_reducer.journal.rounds import Rounds
from chatkit_reducer.supervise.checks import check_one_argument
from chatkit_reducer.supervise.commit.attempts import call_and_await

__all__ = ["ContextOf", "Recoveries", "ServerRecovery"]

ContextOf: TypeAlias = Callable[[Header], Awaitable[Any] | Any]
"""Makes the SDK's context for a response of its header; it may be asynchronous."""

logger: logging.Logger = logging.getLogger("chatkit_reducer.integrations.openai_chatkit")


class Server(Protocol):
    """The settings and hooks of the server that a recovery needs."""

    policy: Policy
    journal: Journal | None
    load_timeout: float | None
    commit_timeout: float | None

    @property
    def store(self) -> Any:
        """The store of the server."""
        ...

    def marker_content(self, thread: ThreadMetadata, context: Any) -> Any:
        """Return the content of the marker."""
        ...


class ServerRecovery:
    """Recovers the responses of one server.

    Args:
        server: the server.
        journal: its journal.
        context_of: makes the context for a response.
        every: how long to wait between two looks at the journal, in seconds.
        closes_deleted: whether a thread that the store does not find is taken for deleted, and its
            responses are closed. Not with the context of any request: it may be a stranger's.
    """

    def __init__(
        self,
        server: Server,
        journal: Journal,
        context_of: ContextOf,
        *,
        every: float = 5.0,
        closes_deleted: bool = True,
    ) -> None:
        self._server = server
        self._journal = journal
        self._context_of = context_of
        self._closes_deleted = closes_deleted
        self._ongoing: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._rounds = Rounds(journal, self._recover_one, every=every)

    async def run(self) -> None:
        """Recover all orphans at once, and then again and again, until it is cancelled."""
        await self._rounds.run()

    async def wait_for_thread(self, thread_id: str) -> None:
        """Wait for the responses of a thread that are being recovered."""
        for ended in list(self._ongoing.get(thread_id, ())):
            await ended.wait()

    async def recover_thread(self, thread_id: str) -> None:
        """Recover the orphans of a thread, and wait for those that are being recovered."""
        await self.wait_for_thread(thread_id)
        await self._rounds.once(thread=thread_id)

    async def _recover_one(self, header: Header) -> Settlement | None:
        """Recover one response, with the context and the store of its thread."""
        ended = asyncio.Event()
        self._ongoing[header.thread].add(ended)
        try:
            return await self._recover_in_store(header)
        finally:
            ended.set()
            self._ongoing[header.thread].discard(ended)
            if not self._ongoing[header.thread]:
                del self._ongoing[header.thread]

    async def _recover_in_store(self, header: Header) -> Settlement | None:
        server = self._server
        context = await call_and_await(self._context_of, header)
        try:
            thread = await server.store.load_thread(header.thread, context=context)
        except NotFoundError:
            if not self._closes_deleted:
                raise
            await self._close_deleted(header)
            return None
        store = ThreadStore(server.store, header.thread, context, server.load_timeout)
        writer = SettlementWriter(store, item_to_sdk, server.commit_timeout, is_repeated=True)
        policy, marker = policy_and_marker(server, thread, context)

        return await recover(
            self._journal,
            writer.commit,
            policy=policy,
            orphan=header.response,
            load=store.find_json,
            marker=marker,
        )

    async def _close_deleted(self, header: Header) -> None:
        """Close a response of a deleted thread: to try again would never help."""
        if await close_unsettled(self._journal, header.response, "thread_not_found"):
            logger.warning(
                "Response %s is closed and not settled: the store does not find thread %s, which "
                "is taken for deleted.",
                header.response,
                header.thread,
            )


class Recoveries:
    """The recovery of a server, while its lifespan runs, and before each response.

    Args:
        server: the server.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._running: ServerRecovery | None = None

    @asynccontextmanager
    async def run(self, context_of: ContextOf, every: float) -> AsyncIterator[None]:
        """Recover at once, and every few seconds until the block is left."""
        check_one_argument("context_of", context_of)
        journal = self._server.journal
        if journal is None:
            name = type(self._server).__qualname__
            raise ValueError(
                f"expected {name}.journal to be a journal, got None: there is nothing to recover "
                "from; set it, for example, to FileJournal('answers')"
            )
        recovery = ServerRecovery(self._server, journal, context_of, every=every)
        before, self._running = self._running, recovery
        task = asyncio.create_task(recovery.run(), name="chatkit_reducer recovery")
        try:
            yield
        finally:
            self._running = before
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def wait_for_thread(self, thread_id: str, limit: float) -> None:
        """Wait for a thread's responses that are being recovered here, or so many seconds."""
        if self._running is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    await self._running.wait_for_thread(thread_id)

    async def before_response(self, thread_id: str | None, context: Any, limit: float) -> None:
        """Recover the orphans of a thread, so that its next response stands behind them.

        Outside of `run` they are recovered with the context of the request that begins.
        """
        journal = self._server.journal
        if journal is None or thread_id is None:
            return
        recovery = self._running or ServerRecovery(
            self._server, journal, lambda _: context, closes_deleted=False
        )
        try:
            async with asyncio.timeout(limit):
                await recovery.recover_thread(thread_id)
        except Exception as error:  # noqa: BLE001  # the next answer comes all the same
            logger.warning(
                "A response of thread %s begins before the crashed ones in it are recovered: %s",
                thread_id,
                type(error).__name__,
            )
