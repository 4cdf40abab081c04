"""One response of an SDK server: supervise its events, and write its end to the store."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol, TypeAlias

from chatkit.types import (
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    WorkflowItem,
)
from msgspec import UNSET, UnsetType

from chatkit_reducer.core.codec import from_json
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.errors import CommitError
from chatkit_reducer.events import Event, Json
from chatkit_reducer.integrations.openai_chatkit._conversion import (
    event_from_sdk,
    event_to_sdk,
    item_to_sdk,
    readable_item,
)
from chatkit_reducer.integrations.openai_chatkit._marker import policy_and_marker
from chatkit_reducer.integrations.openai_chatkit._proxies import LoopProxy, StoreProxy
from chatkit_reducer.integrations.openai_chatkit._store_access import NoAnswerError, ThreadStore
from chatkit_reducer.integrations.openai_chatkit._watch import Watch, watch_here
from chatkit_reducer.integrations.openai_chatkit._writer import SettlementWriter
from chatkit_reducer.journal.writer import JournalWriter
from chatkit_reducer.supervise import Supervised, Watcher, supervise
from chatkit_reducer.supervise.shield import run_shielded

__all__ = ["Respond", "ResponseSession", "end_all"]

OnFailure: TypeAlias = Callable[[CommitError], object]
Respond: TypeAlias = Callable[[], AsyncIterator[ThreadStreamEvent]]

logger: logging.Logger = logging.getLogger("chatkit_reducer.integrations.openai_chatkit")

_TO_CLOSE = 10.0
"""How long the producer of a response may take to close, and more, in seconds."""


class Server(Protocol):
    """The settings and hooks of the server that a response needs."""

    policy: Policy
    stream_timeout: float | None
    event_timeout: float | None
    load_timeout: float | None
    commit_timeout: float | None
    journal_timeout: float | None
    own_task: bool
    watcher: Watcher | None

    @property
    def store(self) -> Any:
        """The store of the server."""
        ...

    def marker_content(self, thread: ThreadMetadata, context: Any) -> Any:
        """Return the content of the marker."""
        ...

    async def handle_stream_cancelled(
        self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: Any
    ) -> None:
        """Clean up after a cancellation."""
        ...


class ResponseSession:
    """One response, from its first event until all of it is written."""

    def __init__(
        self,
        server: Server,
        thread: ThreadMetadata,
        context: Any,
        stream: Respond,
        on_failure: OnFailure | None,
        *,
        journal: JournalWriter | None = None,
    ) -> None:
        self.thread = thread
        self.journal = journal
        self.watch: Watch | None = watch_here.get()
        """The clients that watch it, if it has a time of grace."""
        self.proxy: LoopProxy = LoopProxy(server, StoreProxy(self, server.store))
        self.cause: Cause = Cause.CANCELLED
        """How the stream ended, if the stream itself does not say."""
        self.is_settled: asyncio.Event = asyncio.Event()
        """Set after the last write."""
        self.has_ended: asyncio.Event = asyncio.Event()
        """Set when the SDK's loop has ended, too, which may save the thread after that."""
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._server = server
        self._context = context
        self._stream = stream
        self._on_failure = on_failure
        self._variables = contextvars.copy_context()
        self._store = ThreadStore(server.store, thread.id, context, server.load_timeout)
        self._writer = SettlementWriter(self._store, self._as_sdk_item, server.commit_timeout)
        self._supervised: Supervised[ThreadStreamEvent] | None = None
        self._added: set[str] = set()
        self._bases: dict[str, bool] = {}
        """Whether the store had the items of other responses that this one has updated."""
        self._not_to_revive: set[str] = set()
        """The items of earlier responses that the store refused to save."""
        self._newest_done: ThreadItem | None = None
        self._is_stopped = False
        self._corrected = False
        self._hook_was_called = False
        self._closing = False
        self._closed = asyncio.Event()

    # --- its life -------------------------------------------------------------------------------

    def respond(self) -> AsyncIterator[ThreadStreamEvent]:
        """Return the supervised events of the response; none if it is stopped already."""
        if self._is_stopped:
            return _no_events()
        return aiter(self._supervise(self._stream()))

    def stop(self) -> None:
        """End the response from elsewhere."""
        self._is_stopped = True
        if self.watch is not None:
            self.watch.cut()
        if self._supervised is not None:
            self._supervised.stop()

    @property
    def is_ending(self) -> bool:
        """Whether it has begun to be settled, or is about to."""
        return self._is_stopped or (self._supervised is not None and self._supervised.is_ending)

    async def settle(self, cause: Cause) -> list[ThreadStreamEvent]:
        """Settle the stream if that has not happened.

        Args:
            cause: how it ended, if the stream itself does not say.

        Returns:
            The events that bring a client in line with the store, on the first call; none if the
            commit has failed.
        """
        was_stopped, self._is_stopped = self._is_stopped, True
        try:
            if self._supervised is None:  # it has not begun, and cannot know how it ended
                cause = Cause.CANCELLED if was_stopped else cause
                self._supervise(_no_events())
            assert self._supervised is not None
            await self._supervised.aclose(cause)
        finally:
            self.is_settled.set()
        if self._corrected:
            return []
        self._corrected = True
        return [known for event in self._supervised.corrections if (known := _to_sdk(event))]

    async def settle_failure(self) -> list[ThreadStreamEvent]:
        """Settle the stream if the error that the SDK's loop sends is its own."""
        if self._supervised is None or self._supervised.state.error is not None:
            return []
        return await self.settle(Cause.FAILED)

    async def end(self) -> None:
        """Settle the stream if that has not happened, and call the hook, once.

        A second caller waits for the first one.
        """
        if self._closing:
            await self._closed.wait()
            return
        self._closing = True
        try:
            try:
                await self.settle(self.cause)
            finally:
                supervised = self._supervised
                settlement = None if supervised is None else supervised.settlement
                if settlement is not None and settlement.cause is Cause.CANCELLED:
                    await self._run_hook()
        finally:
            self._closed.set()

    def _supervise(self, events: AsyncIterator[ThreadStreamEvent]) -> Supervised[ThreadStreamEvent]:
        server = self._server
        policy, marker = policy_and_marker(server, self.thread, self._context)
        self._supervised = supervise(
            events,
            self._commit,
            policy=policy,
            load=self._load,
            convert=self._convert,
            timeout=server.stream_timeout,
            idle_timeout=server.event_timeout,
            load_timeout=server.load_timeout,
            commit_timeout=server.commit_timeout,
            own_task=server.own_task or self.watch is not None,
            marker=marker,
            on_failure=self._on_failure,
            journal=self.journal,
            journal_timeout=server.journal_timeout,
            watcher=server.watcher,
        )
        self._supervised.on_abandoned = lambda _: self.end()
        if self.watch is not None:
            response = None if self.journal is None else self.journal.response
            self.watch.add(self._supervised, response)
        return self._supervised

    def _convert(self, event: ThreadStreamEvent) -> Event:
        if type(event) is ThreadItemUpdatedEvent:  # nearly all are
            return event_from_sdk(event)
        if isinstance(event, ThreadItemAddedEvent):
            self._added.add(event.item.id)
        elif isinstance(event, ThreadItemDoneEvent | ThreadItemReplacedEvent):
            self._newest_done = event.item
        try:
            return event_from_sdk(event)
        except ValueError:  # a value in it is not JSON
            if not isinstance(
                event, ThreadItemAddedEvent | ThreadItemDoneEvent | ThreadItemReplacedEvent
            ):
                raise
            return from_json({"type": event.type, "item": readable_item(event.item)})

    # --- the store ------------------------------------------------------------------------------

    def note_refusal(self, item_id: str, *, of_save: bool) -> None:
        """Note that the store refused to write an item that is done or replaced.

        Where the store does not have it, an item that this response has added is written at the
        end. The item of an earlier response was deleted then, and is not brought back.
        """
        if of_save and item_id not in self._added:
            self._not_to_revive.add(item_id)
        if self._supervised is not None:
            self._supervised.refused(item_id)

    async def is_stored(self, item: ThreadItem, *, was_saved: bool) -> bool:
        """Return whether the store has an item that is done, before it is written.

        It has the item if updates were folded over the stored copy. The SDK goes on with the last
        workflow of the response before (1.6.5, `chatkit/agents.py`, `stream_agent_response`),
        perhaps only to close it: that is looked up. An item that was added and then replaced has
        been passed to `save_item`; whether that inserted it depends on the store, so it is looked
        up, too. Where the store does not say, the item is taken for new.
        """
        is_new = item.id in self._added
        if item.id in self._bases and not (was_saved and is_new):
            return self._bases[item.id]
        is_continued = isinstance(item, WorkflowItem) or self._store.was_asked_about(item.id)
        if not (was_saved if is_new else is_continued):
            return False
        try:
            return await self._store.find(item.id) is not None
        except NoAnswerError:
            return False

    async def is_replaced_in_store(self, item: ThreadItem) -> bool | None:
        """Return whether the store has an item that is replaced; None if it does not say.

        An item that this response has not added belongs to an earlier one, and is not looked up: if
        the store does not have it any more, it was deleted, and is not brought back.
        """
        if item.id not in self._added:
            return None
        try:
            return await self._store.find(item.id) is not None
        except NoAnswerError:
            return None

    async def is_gone(self, item_id: str) -> bool:
        """Return whether the store says that it does not have an item."""
        try:
            return await self._store.find(item_id) is None
        except NoAnswerError:
            return False

    async def is_partly_stored(self, item: ThreadItem) -> bool:
        """Return whether the store has a copy that this item extends, and not another item."""
        try:
            there = await self._store.find(item.id)
        except NoAnswerError:
            return False
        if there is None:
            return False
        stored = ThreadState.from_items([readable_item(there)]).items[item.id]
        return ThreadState.from_items([readable_item(item)]).items[item.id].extends(stored)

    async def _load(self, item_id: str) -> Json | UnsetType | None:
        """Return the store's copy of an item to be updated or settled; UNSET if unknown."""
        is_update = self._supervised is None or not self._supervised.is_ending
        item = await self._store.find_json(item_id)
        if is_update and item is not UNSET:
            self._bases[item_id] = item is not None
        return UNSET if item is None and item_id in self._not_to_revive else item

    async def _commit(self, settlement: Settlement) -> None:
        await self._writer.commit(settlement)

    def _as_sdk_item(self, item: Json) -> ThreadItem:
        done = self._newest_done
        # The item that the SDK's loop was given may hold values that JSON cannot express.
        if done is not None and done.id == item["id"] and readable_item(done) == item:
            return done
        return item_to_sdk(item)

    # --- the hook -------------------------------------------------------------------------------

    async def _run_hook(self) -> None:
        """Call `handle_stream_cancelled`, shielded like the commit."""
        outcome = await run_shielded(
            self._call_hook, self._server.commit_timeout, context=self._variables
        )
        if outcome.error is not None:
            logger.error(
                "handle_stream_cancelled failed; all was written before.", exc_info=outcome.error
            )
        if isinstance(outcome.error, KeyboardInterrupt | SystemExit):
            raise outcome.error
        if outcome.cancelled:
            raise asyncio.CancelledError

    async def _call_hook(self) -> None:
        if self._hook_was_called:
            return
        self._hook_was_called = True
        assert self._supervised is not None
        state = self._supervised.state
        pending: list[ThreadItem] = []
        for item_id in state.pending:
            try:
                pending.append(item_to_sdk(state.items[item_id]))
            except ValueError:
                logger.warning("The installed SDK does not know pending item %s.", item_id)
        called: Any = self._server.handle_stream_cancelled(self.thread, pending, self._context)
        if inspect.isawaitable(called):
            await called


async def end_all(streams: Sequence[ResponseSession], commit_timeout: float | None) -> None:
    """End responses, all at once; log an error of one, which does not stop the others."""
    if not streams:
        return
    # The producer closes, then there are the commit, `commit_failed` and the hook.
    limit = None if commit_timeout is None else 3 * commit_timeout + _TO_CLOSE
    endings = {asyncio.create_task(one.end()): one for one in streams}
    done, late = await asyncio.wait(endings, timeout=limit)
    for ending in done:
        error = None if ending.cancelled() else ending.exception()
        if error is not None:
            logger.error(
                "A response in thread %s was stopped, and ended with an error: see below.",
                endings[ending].thread.id,
                exc_info=error,
            )
    for ending in late:
        logger.error(
            "A response in thread %s was stopped, and has not ended after %g seconds.",
            endings[ending].thread.id,
            limit,
        )


def _to_sdk(event: Event) -> ThreadStreamEvent | None:
    try:
        return event_to_sdk(event)
    except ValueError:
        logger.warning("The installed SDK does not know an event that corrects its client.")
        return None


async def _no_events() -> AsyncIterator[ThreadStreamEvent]:
    nothing: tuple[ThreadStreamEvent, ...] = ()
    for event in nothing:
        yield event
