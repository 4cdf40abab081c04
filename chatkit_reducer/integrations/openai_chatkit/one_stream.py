"""One response of an SDK server: its events under supervision, its end written to the store."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from chatkit.store import NotFoundError
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

from chatkit_reducer.events import Event, Json
from chatkit_reducer.integrations.openai_chatkit.conversion import (
    event_from_sdk,
    item_from_sdk,
    item_to_sdk,
)
from chatkit_reducer.policy import Cause
from chatkit_reducer.settlement import Settlement, Write
from chatkit_reducer.supervise import MarkerFields, Supervised, supervise
from chatkit_reducer.supervise.protection import protected

if TYPE_CHECKING:
    from chatkit_reducer.integrations.openai_chatkit.server import ReducerChatKitServer

__all__ = ["OneStream", "Respond"]

Respond: TypeAlias = Callable[[], AsyncIterator[ThreadStreamEvent]]

logger: logging.Logger = logging.getLogger("chatkit_reducer.integrations.openai_chatkit")


class OneStream:
    """One response, from its first event until all of it is written."""

    def __init__(
        self,
        server: ReducerChatKitServer[Any],
        thread: ThreadMetadata,
        context: Any,
        stream: Respond,
    ) -> None:
        self.thread = thread
        self.view: _View = _View(server, _StoreView(self, server.store))
        self.cause: Cause = Cause.CANCELLED
        """How the stream ended, if nothing inside of it knows better."""
        self._server = server
        self._context = context
        self._stream = stream
        self._supervised: Supervised[ThreadStreamEvent] | None = None
        self._added: set[str] = set()
        self._found: dict[str, ThreadItem | None] = {}
        self._newest_done: ThreadItem | None = None
        self._commits = 0
        self._told = False
        self._ending = False
        self._ended = asyncio.Event()

    def respond(self) -> AsyncIterator[ThreadStreamEvent]:
        """The events of the response, under supervision."""
        return aiter(self._supervise(self._stream()))

    def stop(self) -> None:
        """Ends the response from elsewhere."""
        if self._supervised is not None:
            self._supervised.stop()

    async def failed(self) -> None:
        """The SDK's loop sends an error: if that is its own, the stream is over, and has failed."""
        if self._supervised is not None and self._supervised.state.error is None:
            await self._supervised.aclose(Cause.FAILED)

    async def end(self) -> None:
        """Settles the stream if that has not happened, and calls the hook, once.

        Whoever comes second waits until all is done.
        """
        if self._ending:
            await self._ended.wait()
            return
        self._ending = True
        supervised = self._supervised or self._supervise(_nothing())
        try:
            try:
                await supervised.aclose(self.cause)
            finally:
                settlement = supervised.settlement
                if settlement is not None and settlement.cause is Cause.CANCELLED:
                    await self._tell(supervised)
        finally:
            self._ended.set()

    def _supervise(self, events: AsyncIterator[ThreadStreamEvent]) -> Supervised[ThreadStreamEvent]:
        server = self._server
        self._supervised = supervise(
            events,
            self._commit,
            policy=server.policy,
            load=self._load,
            convert=self._convert,
            timeout=server.stream_timeout,
            idle_timeout=server.event_timeout,
            commit_timeout=server.commit_timeout,
            marker=MarkerFields(
                new_id=self._new_marker_id,
                content=server.marker_content(self.thread, self._context),
                thread_id=self.thread.id,
            ),
        )
        self._supervised.close_abandoned = lambda _: self.end()
        return self._supervised

    def _new_marker_id(self) -> str:
        store = self._server.store
        return store.generate_item_id("sdk_hidden_context", self.thread, self._context)

    def _convert(self, event: ThreadStreamEvent) -> Event:
        if isinstance(event, ThreadItemUpdatedEvent):  # nearly all are
            return event_from_sdk(event)
        if isinstance(event, ThreadItemAddedEvent):
            self._added.add(event.item.id)
        elif isinstance(event, ThreadItemDoneEvent | ThreadItemReplacedEvent):
            self._newest_done = event.item
        return event_from_sdk(event)

    # --- the store ------------------------------------------------------------------------------

    async def _load(self, item_id: str) -> Json | None:
        item = await self._find(item_id)
        return None if item is None else item_from_sdk(item)

    async def _find(self, item_id: str) -> ThreadItem | None:
        """What the store had of an item when it was first asked for."""
        if item_id not in self._found:
            self._found[item_id] = await self._look_up(item_id)
        return self._found[item_id]

    async def _look_up(self, item_id: str) -> ThreadItem | None:
        try:
            return await self._server.store.load_item(
                self.thread.id, item_id, context=self._context
            )
        except NotFoundError:
            return None

    async def is_stored(self, item: ThreadItem, *, was_saved: bool) -> bool:
        """Whether the store has an item that is done, and that this response has not added.

        It has, if updates to it were folded over what the store has. And the SDK goes on with the
        last workflow of the response before (1.6.5, `chatkit/agents.py`, `stream_agent_response`),
        perhaps only to close it. Of one that is new, and was replaced, nobody knows: that saved it,
        and each store decides for itself whether to save what it does not have is to add it.
        """
        if was_saved and item.id in self._added:
            find = self._look_up
        elif item.id in self._found:
            return self._found[item.id] is not None
        elif item.id in self._added or not isinstance(item, WorkflowItem):
            return False
        else:
            find = self._find
        try:
            return await find(item.id) is not None
        except Exception:
            logger.exception(
                "Item %s is done, and whether it is a new one cannot be found out: it is added as "
                "if it were.",
                item.id,
            )
            return False

    async def _commit(self, settlement: Settlement) -> None:
        """Writes what the settlement says; a write that fails does not keep the others back."""
        self._commits += 1
        errors: list[Exception] = []
        for write in settlement.writes:
            try:
                await self._write(write, settlement)
            except Exception as error:  # noqa: BLE001  # all are raised together
                error.add_note(f"to {write.op} item {write.item.get('id')}")
                errors.append(error)
        if errors:
            raise ExceptionGroup("the store refused some of what it was given", errors)

    async def _write(self, write: Write, settlement: Settlement) -> None:
        item = self._as_sdk_item(write.item)
        store, thread_id = self._server.store, self.thread.id
        if write.op == "add" and not await self._was_written(item.id, settlement):
            await store.add_thread_item(thread_id, item, context=self._context)
        else:
            await store.save_item(thread_id, item, context=self._context)

    async def _was_written(self, item_id: str, settlement: Settlement) -> bool:
        """Whether the store has an item that is to be added, because it is in doubt, or tried."""
        in_doubt = any(
            verdict.item.id == item_id and verdict.is_in_doubt for verdict in settlement.verdicts
        )
        if not in_doubt and self._commits == 1:
            return False
        return await self._look_up(item_id) is not None

    def _as_sdk_item(self, item: Json) -> ThreadItem:
        done = self._newest_done
        # The one that the SDK's loop was given may hold what JSON cannot say.
        if done is not None and done.id == item["id"] and item_from_sdk(done) == item:
            return done
        return item_to_sdk(item)

    # --- the hook -------------------------------------------------------------------------------

    async def _tell(self, supervised: Supervised[ThreadStreamEvent]) -> None:
        """Calls the hook, shielded as the commit is."""
        outcome = await protected(lambda: self._call_hook(supervised), self._server.commit_timeout)
        if outcome.error is not None:
            logger.error(
                "handle_stream_cancelled failed; all was written before.", exc_info=outcome.error
            )
        if outcome.cancelled:
            raise asyncio.CancelledError

    async def _call_hook(self, supervised: Supervised[ThreadStreamEvent]) -> None:
        if self._told:
            return
        self._told = True
        state = supervised.state
        pending: list[ThreadItem] = []
        for item_id in state.pending:
            try:
                pending.append(item_to_sdk(state.items[item_id]))
            except ValueError:
                logger.warning("The installed SDK does not know pending item %s.", item_id)
        called: Any = self._server.handle_stream_cancelled(self.thread, pending, self._context)
        if inspect.isawaitable(called):
            await called


async def _nothing() -> AsyncIterator[ThreadStreamEvent]:
    nothing: tuple[ThreadStreamEvent, ...] = ()
    for event in nothing:
        yield event


class _View:
    """The server, as the SDK's loop sees it while it runs one stream.

    It is the server in everything, `super()` included, but for the store and for these methods.
    """

    def __init__(self, server: ReducerChatKitServer[Any], store: _StoreView) -> None:
        self.__dict__.update(_server=server, store=store)

    @property  # type: ignore[misc]  # `super()` and `isinstance` ask for it
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride]  # read-only
        return type(self.__dict__["_server"])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_server"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_server"], name, value)

    async def handle_stream_cancelled(self, *_: Any) -> None:
        """Nothing: the stream is settled when it has ended."""

    def _update_pending_items(self, *_: Any) -> None:
        """Nothing: the events are folded already."""


class _StoreView:
    """The store, as the SDK's loop sees it while it runs one stream."""

    def __init__(self, stream: OneStream, store: Any) -> None:
        self._stream = stream
        self._store = store
        self._has: dict[str, bool] = {}
        """Whether the store has what this stream has added, or deleted."""
        self._saved: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Adds an item that is done, or saves it if the store has one with its id.

        That is one of an earlier response, one that is done for the second time, or one that was
        replaced before it was done.
        """
        known = self._has.get(item.id)
        if known is None:
            known = await self._stream.is_stored(item, was_saved=item.id in self._saved)
        write = self._store.save_item if known else self._store.add_thread_item
        await write(thread_id, item, context=context)
        self._has[item.id] = True

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Saves an item that is replaced."""
        await self._store.save_item(thread_id, item, context=context)
        self._saved.add(item.id)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        """Deletes an item that is removed."""
        await self._store.delete_thread_item(thread_id, item_id, context=context)
        self._has[item_id] = False
