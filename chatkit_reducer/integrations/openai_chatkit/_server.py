"""`ReducerChatKitServer`: the SDK's server, which loses nothing however a stream ends.

It only changes the end of a stream. The SDK's own loop (`ChatKitServer._process_events`) still
makes and stores everything. It runs over a supervised stream of events (`response`), with a proxy
of the server as its `self` (`proxies`). The proxy takes over two decisions: how to settle a
cancelled stream, which the SDK does unshielded and with items that lack their updates; and whether
an item that is done is a new one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from chatkit.server import ChatKitServer, NonStreamingResult, StreamingResult
from chatkit.store import AttachmentStore, Store
from chatkit.types import (
    ErrorEvent,
    ThreadItem,
    ThreadMetadata,
    ThreadsDeleteReq,
    ThreadStreamEvent,
    UserMessageItem,
)
from msgspec import UNSET
from typing_extensions import TypeVar

from chatkit_reducer import policies
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.errors import CommitError
from chatkit_reducer.events import Json
from chatkit_reducer.integrations.openai_chatkit._follow_action import followed, is_follow
from chatkit_reducer.integrations.openai_chatkit._frames import (
    ClosedResult,
    ResponseFrames,
    register,
)
from chatkit_reducer.integrations.openai_chatkit._grace import (
    come_back,
    cut_away,
    end_away,
    new_watch,
)
from chatkit_reducer.integrations.openai_chatkit._journaling import (
    Leases,
    ask_others_to_stop,
    forget_thread,
    make_writer,
    may_load,
    wait_for_others,
)
from chatkit_reducer.integrations.openai_chatkit._leaving import OnLeave, OwnTask, goes_on
from chatkit_reducer.integrations.openai_chatkit._overlay import (
    OverlaidServer,
    OverlaidStore,
    shows_items,
)
from chatkit_reducer.integrations.openai_chatkit._proxies import MessageStoreProxy, ServerProxy
from chatkit_reducer.integrations.openai_chatkit._recovery import ContextOf, Recoveries
from chatkit_reducer.integrations.openai_chatkit._response import Respond, ResponseSession, end_all
from chatkit_reducer.integrations.openai_chatkit._resume import Known, Resumed
from chatkit_reducer.integrations.openai_chatkit._settings import (
    check_hook,
    check_settings,
    check_store,
    warn_of_hook,
)
from chatkit_reducer.journal.protocol import Journal
from chatkit_reducer.supervise import Watcher

__all__ = ["ReducerChatKitServer"]

TContext = TypeVar("TContext", default=Any)

_LONGEST_WAIT = 10.0
"""How long a question waits for the answer before it where writing has no limit, in seconds."""

_TURNS = 30
"""How many turns of the event loop it takes, at the most, until a response knows that its client
has dropped it: some for each generator of the SDK around it."""

logger: logging.Logger = logging.getLogger("chatkit_reducer.integrations.openai_chatkit")


class ReducerChatKitServer(ChatKitServer[TContext]):
    """Inherit from it instead of `ChatKitServer`, and choose a policy.

        class MyServer(ReducerChatKitServer[Context]):
            policy = policies.KEEP

    It is mixed in behind a server class that exists: `class Safe(MyServer, ReducerChatKitServer)`.

    However a response ends, the policy settles the items in flight, and they are written to the
    server's store exactly once, in spite of any cancellation: a stop, a lost connection, an
    exception, a timeout, a response that returns with items pending, a closed generator, a server
    that shuts down.

    Two more things differ from `ChatKitServer`. An item that continues one of an earlier response
    is saved, and not added a second time. And `handle_stream_cancelled` is an empty hook: it is
    called after the last write, shielded, with pending items that have their updates, those of
    widgets and images too.

    Args:
        store: as in `ChatKitServer`.
        attachment_store: as in `ChatKitServer`.
        policy: the policy of this server; that of the class if left out.
        journal: the journal of this server; that of the class if left out.
    """

    policy: Policy = policies.SDK
    """The table that decides which items survive the end of a stream."""
    stream_timeout: float | None = None
    """How long a response may take in all, in seconds."""
    event_timeout: float | None = None
    """How long a response may take for one event, in seconds."""
    load_timeout: float | None = 2.0
    """How long the store may take to look an item up, in seconds."""
    commit_timeout: float | None = 10.0
    """How long writing at the end may take, and as long again the hook, in seconds."""
    journal: Journal | None = None
    """Where each event is kept before it is stored and sent, so that responses survive a crash of
    the process: `journal = FileJournal("answers")`; see `recovery`, and `docs/journal.md`."""
    journal_timeout: float | None = 5.0
    """How long a write to the journal may take before a response goes on without it, in seconds."""
    own_task: bool = False
    """Run `respond` and `action` in a task of their own, for one that holds a task group or a
    cancel scope of anyio open across a `yield`; see `supervise`."""
    watcher: Watcher | None = None
    """A `chatkit_reducer.view.watching.Watcher`, in development: it is told of each event, and
    serves pages that show the responses; see `docs/viewer.md`."""

    on_leave: OnLeave | None = None
    """The fate of a response whose client leaves: `"stop"` settles it as cancelled, `"go_on"` lets
    it run on in a task of its own. A number is a time of grace, in seconds, for which the server
    needs a journal: the response goes on, and a client that comes back in time finds it as if it
    had never left. Else, or at the next message in the thread, it is settled as cancelled, as of
    the moment at which the client left. If left out, a response goes on where there is a journal,
    and `get_stream_options` has `allow_cancel` false: then a disconnect cannot be a stop."""

    def __init__(
        self,
        store: Store[TContext],
        attachment_store: AttachmentStore[TContext] | None = None,
        *,
        policy: Policy | None = None,
        journal: Journal | None = None,
    ) -> None:
        # A class behind this one, where it is mixed in, may take no more than a store.
        if attachment_store is None:
            super().__init__(store)
        else:
            super().__init__(store, attachment_store)
        if policy is not None:
            self.policy = policy
        if journal is not None:
            self.journal = journal
        check_settings(self, ReducerChatKitServer)
        check_store(self.store)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_hook(cls)
        warn_of_hook(cls, ReducerChatKitServer)

    def marker_content(self, thread: ThreadMetadata, context: TContext) -> Any:
        """Return the content of the marker, for a policy that leaves it to the application."""
        return UNSET

    def commit_failed(self, failure: CommitError) -> Any:
        """Log that a write failed at the end of a response; called in that case.

        Override it, with `def` or `async def`, to keep the items that are lost otherwise:
        `failure.unwritten` has the writes, and `failure.settlement` all decisions.

        Args:
            failure: the writes that failed; its `__cause__` is the error.
        """
        logger.error("%s", failure, extra={"failure": failure})

    async def stop_responses(self, thread_id: str | None = None) -> int:
        """End the responses that stream in this process now, and wait until they are settled.

        With a journal and a thread, also those that stream in other processes that share it.

        For a stop button, with the thread; and without, in the shutdown of an application's
        lifespan: uvicorn, after `--timeout-graceful-shutdown`, cancels all tasks and does not wait.
        A response that cannot be settled is logged, and does not keep the others back.

        Args:
            thread_id: of this thread only.

        Returns:
            The number of responses. Their clients see the end of the stream.
        """
        cut_away(self, thread_id)
        streams = [one for one in _streams_of(self) if thread_id in (None, one.thread.id)]
        for one in streams:
            one.stop()
        others = await ask_others_to_stop(self, thread_id, streams)
        await end_all(streams, self.commit_timeout)
        await wait_for_others(self, thread_id, others, self.commit_timeout or _LONGEST_WAIT)
        return len(streams) + len(others)

    # --- the journal --------------------------------------------------------------------------

    def journal_meta(self, thread: ThreadMetadata, context: TContext) -> Json:
        """Return JSON that `context_of` makes the context of, at a recovery; override it.

        It is kept in the journal as it is: an id of the user, and no secret.
        """
        return {}

    def recovery(
        self, context_of: ContextOf, *, every: float = 5.0
    ) -> AbstractAsyncContextManager[None]:
        """Settle the responses of processes that died, at once and every few seconds.

            async with server.recovery(context_of):  # in the lifespan of the application
                yield

        They are settled as `crashed`. A commit that failed is made again, too.

        Args:
            context_of: makes the context for the store of a `journal.Header`: it has the `thread`,
                and in `meta` the JSON of `journal_meta`. It may be asynchronous.
            every: how long to wait between two looks at the journal, in seconds.
        """
        return _recoveries_of(self).run(context_of, every)

    async def process(
        self, request: str | bytes | bytearray, context: TContext
    ) -> StreamingResult | NonStreamingResult:
        """Process a request as the SDK does, after a check of the settings."""
        check_settings(self, ReducerChatKitServer)
        result = await super().process(request, context)
        if isinstance(result, StreamingResult):
            return ClosedResult(result.json_events)
        return result

    async def handle_stream_cancelled(
        self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: TContext
    ) -> None:
        """Clean up after a cancellation, for example stop the model; override it.

        It is called when everything is written: the policy has decided which items are stored.

        Args:
            thread: the thread.
            pending_items: the items that were not done, as the user saw them last.
            context: the context of the request.
        """
        following = super().handle_stream_cancelled
        # A class that this one is mixed in before may have a hook. The SDK's own hook would write
        # the items a second time.
        if getattr(following, "__func__", None) is not ChatKitServer.handle_stream_cancelled:
            await following(thread, pending_items, context)

    def _failure_hook(self) -> Callable[[CommitError], object] | None:
        """Return `commit_failed` if it is overridden: else the log of `supervise` says more."""
        own = getattr(self.commit_failed, "__func__", None) is ReducerChatKitServer.commit_failed
        return None if own else self.commit_failed

    def resume(
        self,
        thread_id: str,
        context: TContext,
        after: str | None = None,
        *,
        known: Known | None = None,
    ) -> Resumed:
        """Return the rest of the responses that run in a thread, for a client that comes back.

            rest = server.resume(thread_id, context, request.headers.get("last-event-id"))
            if not await rest.begin():  # raises NotFoundError where the store does
                return Response(status_code=204)
            return StreamingResponse(rest, media_type="text/event-stream")

        Iterated, it yields frames with an `id`; `events()` yields pairs of a cursor and an event.
        The thread is loaded first, as for each request, so that the store decides who may read. It
        ends when the responses have ended, at once if none runs and the client lacks nothing.

        Args:
            thread_id: the thread.
            context: the context of the request.
            after: the cursor of the last frame that the client has: `Last-Event-ID`.
            known: the items that the client has, if it has no cursor or that does not count.
        """
        return Resumed(self, thread_id, context, after=after, known=known)

    async def _process_non_streaming(self, request: Any, context: TContext) -> bytes:
        """Process as the SDK does, with two more things.

        Pages of items show those of running responses; and before a thread is deleted, its
        responses are ended, and its journal is deleted.
        """
        if isinstance(request, ThreadsDeleteReq):
            await self._end_thread(request.params.thread_id, context)
        method: Any = super()._process_non_streaming
        if self.journal is None or not shows_items(request):
            plain: bytes = await method(request, context)
            return plain
        await come_back(self, request.params.thread_id, context)
        store = OverlaidStore(self.store, self.journal, self.load_timeout)
        # Run the SDK's method with a proxy of this server as its `self`.
        shown: bytes = await method.__func__(OverlaidServer(self, store), request, context)
        return shown

    async def _end_thread(self, thread_id: str, context: TContext) -> None:
        """End all that may still write to a thread, if this context may load it.

        What its responses have is stored first: so nothing is lost if the store does not delete it.
        """
        if not await may_load(self, thread_id, context):
            return
        limit = self.commit_timeout or _LONGEST_WAIT
        ours = self._responses_here(thread_id)
        await self.stop_responses(thread_id)
        await _wait_for_all([one.has_ended for one in ours], limit)
        await _recoveries_of(self).wait_for_thread(thread_id, limit)
        await forget_thread(self, thread_id)

    def _process_streaming(self, request: Any, context: TContext) -> AsyncGenerator[bytes, None]:
        """Return the SDK's frames; closing them settles the responses in them."""
        if self.journal is not None and is_follow(request):
            return followed(self, request, context)
        thread_id = getattr(request.params, "thread_id", None)
        return ResponseFrames(
            super()._process_streaming(request, context),
            lambda: self._prepare(thread_id, context),
        )

    async def _prepare(self, thread_id: str | None, context: TContext) -> None:
        """Have all earlier responses of a thread stored before its next one begins."""
        limit = self.commit_timeout or _LONGEST_WAIT
        await end_away(self, thread_id, context, limit)
        await self._wait_for_settlements(thread_id)
        await _recoveries_of(self).before_response(thread_id, context, limit)

    async def _wait_for_settlements(self, thread_id: str | None) -> None:
        """Wait until the ending responses of a thread are stored.

        So the next question stands behind the stopped answer, and the model sees that answer.
        """
        ours = self._responses_here(thread_id)
        turns = 0
        while turns < _TURNS and not all(one.is_ending for one in ours):
            await asyncio.sleep(0)
            turns += 1
        ending = [one.is_settled for one in ours if one.is_ending]
        await _wait_for_all(ending, self.commit_timeout or _LONGEST_WAIT)

    def _responses_here(self, thread_id: str | None) -> list[ResponseSession]:
        """Return the responses of a thread that run in this event loop."""
        loop = asyncio.get_running_loop()
        found = [one for one in _streams_of(self) if one.thread.id == thread_id]
        return [one for one in found if one.loop is loop]

    def _process_new_thread_item_respond(
        self, thread: ThreadMetadata, item: UserMessageItem, context: TContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        """Respond as the SDK does, but store the message of a client that leaves meanwhile."""
        proxy = ServerProxy(self, MessageStoreProxy(self.store, item, self.commit_timeout))
        method: Any = super()._process_new_thread_item_respond
        # Run the SDK's method with a proxy of this server as its `self`.
        return self._in_its_task(
            thread, context, lambda: method.__func__(proxy, thread, item, context)
        )

    def _in_its_task(
        self, thread: ThreadMetadata, context: TContext, make: Callable[[], Any]
    ) -> AsyncIterator[ThreadStreamEvent]:
        """Return the events that `make` makes, from a task of their own if `on_leave` says so."""
        if not goes_on(self, thread, context):
            made: AsyncIterator[ThreadStreamEvent] = make()
            return made
        return OwnTask(thread.id, make, new_watch(self, thread.id)).events()

    def _process_events(
        self, thread: ThreadMetadata, context: TContext, stream: Respond
    ) -> AsyncIterator[ThreadStreamEvent]:
        """Respond as the SDK does, and settle; in a task of its own if the response goes on."""
        return self._in_its_task(
            thread, context, lambda: self._settled_events(thread, context, stream)
        )

    async def _settled_events(
        self, thread: ThreadMetadata, context: TContext, stream: Respond
    ) -> AsyncIterator[ThreadStreamEvent]:
        writer = make_writer(self, thread, context)
        hook = self._failure_hook()
        one = ResponseSession(self, thread, context, stream, hook, journal=writer)
        register(one)
        _streams_of(self).add(one)
        leases = _leases_of(self)
        leases.add(one)
        method: Any = super()._process_events
        # Run the SDK's loop, or that of a class in between, with a proxy of this server as its
        # `self`: it sees another store, and leaves the end of the stream to us.
        events = method.__func__(one.proxy, thread, context, one.respond)
        try:
            async for event in events:
                if type(event) is ErrorEvent:
                    for correction in await one.settle_failure():
                        yield correction
                yield event
            # Not through the SDK's loop, which would store them.
            for correction in await one.settle(Cause.ENDED):
                yield correction
        finally:
            try:
                await one.end()
            finally:
                _streams_of(self).discard(one)
                leases.discard(one)
                await events.aclose()
                one.has_ended.set()


async def _wait_for_all(events: Sequence[asyncio.Event], limit: float) -> None:
    """Wait until all of these are set, or so many seconds."""
    if not events:
        return
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=limit)
    finally:
        for wait in waiting:
            wait.cancel()


def _streams_of(server: ReducerChatKitServer[Any]) -> WeakSet[ResponseSession]:
    streams: WeakSet[ResponseSession] = vars(server).setdefault("_reducer_streams", WeakSet())
    return streams


def _leases_of(server: ReducerChatKitServer[Any]) -> Leases:
    """Return the leases of the responses in this event loop."""
    found: WeakKeyDictionary[asyncio.AbstractEventLoop, Leases]
    found = vars(server).setdefault("_reducer_leases", WeakKeyDictionary())
    return found.setdefault(asyncio.get_running_loop(), Leases(server))


def _recoveries_of(server: ReducerChatKitServer[Any]) -> Recoveries:
    recoveries: Recoveries = vars(server).setdefault("_reducer_recoveries", Recoveries(server))
    return recoveries
