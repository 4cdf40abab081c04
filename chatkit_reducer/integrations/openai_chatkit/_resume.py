"""`ReducerChatKitServer.resume`: the rest of the responses of a thread, for a client that is back.

    authorise ──▶ find the responses of the thread ──▶ catch up ──▶ tail, until they are closed

A client has one of three things:

* a cursor, the id of the last frame that it got: it goes on behind that. A cursor that does not
  count (of another thread, trimmed, beyond the end, not a cursor) is not skipped in silence: the
  client is brought up to date as one that has no cursor, and from the store as well.
* `known`, the items that it has: it gets the difference to the store, and to the pending items.
* neither: it gets each item of the running responses as a whole.

A cursor shows nothing about who may read. So the thread is loaded as the SDK does it (1.6.5,
`chatkit/server.py`, `store.load_thread`), and a response is followed only if it is of that thread.

`stream_options` and `thread.updated` are not in the journal, because the SDK sends them outside of
the stream that is supervised: they are made anew. A client that gets anything gets the thread, too:
its title may have been set after the client had left.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from typing import Any, Protocol, TypeAlias

from chatkit.types import ThreadMetadata

from chatkit_reducer.core.fold.folder import fold
from chatkit_reducer.core.items import HIDDEN_TYPES
from chatkit_reducer.core.sdk_models import json_of_model
from chatkit_reducer.core.thread.diff import diff
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    Event,
    Json,
    StreamOptions,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadUpdated,
)
from chatkit_reducer.integrations.openai_chatkit._conversion import readable_item
from chatkit_reducer.integrations.openai_chatkit._grace import GraceServer, watching
from chatkit_reducer.integrations.openai_chatkit._journaling import open_responses
from chatkit_reducer.integrations.openai_chatkit._public import PublicEvents
from chatkit_reducer.integrations.openai_chatkit._store_access import PAGE
from chatkit_reducer.journal import Journal, JournalError, follow
from chatkit_reducer.journal.following import is_there, place_in
from chatkit_reducer.journal.reading import read_whole
from chatkit_reducer.logs import encode_sse

__all__ = ["Known", "ResumableServer", "Resumed", "as_state", "updated_thread"]

Known: TypeAlias = ThreadState | Iterable[Mapping[str, Any]]
"""The items that a client has: a state, or their JSON in the order of the thread."""
Pair: TypeAlias = tuple[str | None, Event]

logger: logging.Logger = logging.getLogger("chatkit_reducer.integrations.openai_chatkit")


class ResumableServer(GraceServer, Protocol):
    """The parts of a server that a client that comes back needs."""


class Resumed:
    """The rest of the responses of a thread: iterate it once, as frames or as events.

        rest = server.resume(thread_id, context, after=request.headers.get("last-event-id"))
        if not await rest.begin():
            return Response(status_code=204)
        return StreamingResponse(rest, media_type="text/event-stream")

    Iterated, it yields frames of server-sent events, as bytes; those that a client can go on behind
    have an `id`. `events()` yields pairs of a cursor, or None, and an event, for other transports.
    """

    def __init__(
        self,
        server: ResumableServer,
        thread_id: str,
        context: Any,
        *,
        after: str | None = None,
        known: Known | None = None,
        as_snapshot: bool = False,
    ) -> None:
        """Prepare; nothing is read before `begin` or the first event.

        Args:
            server: the server.
            thread_id: the thread.
            context: the context of the request.
            after: the cursor of the last frame that the client has.
            known: the items that the client has, if its cursor does not count.
            as_snapshot: to catch up, send items as `thread.item.replaced`, for a client that shows
                them already, and cannot say how much of them.
        """
        self._server = server
        self._thread_id = thread_id
        self._context = context
        self._after = after or None
        self._known = None if known is None else as_state(known)
        self._as_snapshot = as_snapshot
        self._followed: set[str] = set()
        self._pairs = self._public_pairs()
        self._first: Pair | None = None
        self._began = False

    async def begin(self) -> bool:
        """Authorise, and return whether there is anything to send: False means HTTP status 204.

        Raises:
            chatkit.store.NotFoundError: the store does not have the thread, or not for this
                context: HTTP status 404.
        """
        if not self._began:
            self._began = True
            self._first = await anext(self._pairs, None)
        return self._first is not None

    async def events(self) -> AsyncIterator[Pair]:
        """Yield the events, each with a cursor, or None where a client cannot go on behind it."""
        try:
            if not await self.begin():
                return
            assert self._first is not None
            yield self._first
            async for pair in self._pairs:
                yield pair
        finally:
            await self._pairs.aclose()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with aclosing(self.events()) as pairs:  # type: ignore[type-var]  # a generator
            async for cursor, event in pairs:
                yield encode_sse(event, event_id=cursor)

    # --- the events -----------------------------------------------------------------------------

    async def _public_pairs(self) -> AsyncGenerator[Pair, None]:
        public = PublicEvents()
        thread = await self._load_thread()
        has_begun = False
        async with aclosing(self._all_pairs(thread)) as pairs:
            async for cursor, event in pairs:
                seen = public.of(event)
                if seen is None:
                    continue
                if not has_begun and not isinstance(event, StreamOptions | ThreadUpdated):
                    yield None, self._updated(thread)  # nothing runs: else it is in the opening
                has_begun = True
                yield cursor, seen

    async def _all_pairs(self, thread: ThreadMetadata) -> AsyncGenerator[Pair, None]:
        journal = self._server.journal
        if journal is None:
            return
        async with (
            watching(self._server, self._thread_id),
            aclosing(self._followed_pairs(journal, thread)) as pairs,
        ):
            async for pair in pairs:
                yield pair

    async def _followed_pairs(
        self, journal: Journal, thread: ThreadMetadata
    ) -> AsyncGenerator[Pair, None]:
        running = await self._running(journal)
        behind = await self._response_of_cursor(journal, running)
        for event in await self._opening(journal, thread, running, behind):
            yield None, event
        todo = [] if behind is None else [(behind, self._after)]
        todo += [(one, None) for one in running if one != behind]
        while todo := todo or [(one, None) for one in await self._running(journal)]:
            response, after = todo.pop(0)
            async with aclosing(self._follow(journal, response, after)) as pairs:
                async for pair in pairs:
                    yield pair
        if self._followed and (changed := await self._change_of(thread)) is not None:
            yield None, changed

    async def _opening(
        self, journal: Journal, thread: ThreadMetadata, running: list[str], behind: str | None
    ) -> list[Event]:
        """Return the events before those of the responses.

        A client that was left behind, because it has no cursor that counts, gets all that has ended
        meanwhile from the store.
        """
        opening: list[Event] = [*self._options(thread), self._updated(thread)] if running else []
        if behind is None and (self._after is not None or self._known is not None):
            pending = await self._items_of(journal, running)
            missed = await self._missed(self._known, leave_out=pending)
            self._known = fold(missed, self._known or ThreadState())
            opening += missed
        return opening

    async def _follow(
        self, journal: Journal, response: str, after: str | None
    ) -> AsyncGenerator[Pair, None]:
        self._followed.add(response)
        try:
            if after is None:
                caught_up = await read_whole(journal, response, self._known)
                missed = diff(self._known or ThreadState(), caught_up.final)
                cursor = f"{response}:{caught_up.seen}"
                for number, event in enumerate(missed, 1):
                    yield cursor if number == len(missed) else None, self._snapshot(event)
                if caught_up.closed and not caught_up.abandoned:
                    return
                # Behind the record before the last, where that says that the response is abandoned.
                after = f"{response}:{caught_up.seen - caught_up.closed}"
            async with aclosing(follow(journal, response, after=after, known=self._known)) as pairs:  # type: ignore[type-var]  # a generator
                async for pair in pairs:
                    yield pair
        except JournalError as error:
            logger.warning(
                "Response %s of thread %s cannot be followed to its end, and its client gets the "
                "newest items of the store: %s",
                response,
                self._thread_id,
                error,
            )
            for event in await self._missed(None):
                yield None, self._snapshot(event)

    def _snapshot(self, event: Event) -> Event:
        if self._as_snapshot and isinstance(event, ThreadItemAdded | ThreadItemDone):
            return ThreadItemReplaced(event.item)
        return event

    # --- the responses --------------------------------------------------------------------------

    async def _running(self, journal: Journal) -> list[str]:
        """Return the responses of the thread that are not closed, and were not followed yet."""
        found = await open_responses(journal, self._thread_id)
        return [response for response in found if response not in self._followed]

    async def _response_of_cursor(self, journal: Journal, running: list[str]) -> str | None:
        """Return the response that the cursor is of; None if the cursor does not count."""
        if self._after is None:
            return None
        response = self._after.rpartition(":")[0]
        place = place_in(response, self._after)
        if not response or place is None:
            return None
        if response not in running and not await self._is_of_thread(journal, response):
            return None
        return response if await is_there(journal, response, place[0]) else None

    async def _is_of_thread(self, journal: Journal, response: str) -> bool:
        """Return whether a response that is closed is of this thread, as its items say."""
        try:
            found = await read_whole(journal, response)
        except JournalError:
            return False
        threads = {item.to_json().get("thread_id") for item in found.state.items.values()}
        return found.closed and threads == {self._thread_id}

    async def _items_of(self, journal: Journal, responses: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for response in responses:
            try:
                found.update((await read_whole(journal, response)).state.items)
            except JournalError:  # it is said when the response is followed
                continue
        return found

    # --- the store ------------------------------------------------------------------------------

    async def _load_thread(self) -> ThreadMetadata:
        thread: ThreadMetadata = await self._server.store.load_thread(
            self._thread_id, context=self._context
        )
        return thread

    async def _missed(
        self, known: ThreadState | None, leave_out: Iterable[str] = ()
    ) -> list[Event]:
        """Return the events between the items of a client and those of the store.

        Args:
            known: the items of the client; None if that is not known: then it gets the newest.
            leave_out: items that a running response has: they are not removed.
        """
        stored = await self._stored(known)
        if known is None:
            return [ThreadItemDone(item) for item in stored if item["id"] not in set(leave_out)]
        state = ThreadState.from_items(stored)
        return [
            event
            for event in diff(known, state)
            if not (isinstance(event, ThreadItemRemoved) and event.item_id in set(leave_out))
        ]

    async def _stored(self, known: ThreadState | None) -> list[Json]:
        """Return the stored items from the oldest one on that a client has, in order."""
        missing = set(known.items) if known else set()
        items: list[Json] = []
        after: str | None = None
        while True:
            page = await self._server.store.load_thread_items(
                self._thread_id, after, PAGE, "desc", self._context
            )
            items += [readable_item(item) for item in page.data]
            missing.difference_update(item.id for item in page.data)
            wants_more = known is not None and (bool(missing) or not known.items)
            if not (wants_more and page.has_more):
                break
            after = page.after
        shown = [item for item in reversed(items) if item.get("type") not in HIDDEN_TYPES]
        ids = [item["id"] in known.items for item in shown] if known else []
        return shown[ids.index(True) :] if True in ids else shown

    # --- made anew ------------------------------------------------------------------------------

    def _options(self, thread: ThreadMetadata) -> list[Event]:
        options = getattr(self._server, "get_stream_options", None)  # older releases have none
        if options is None:
            return []
        return [StreamOptions(json_of_model(options(thread, self._context)))]

    def _updated(self, thread: ThreadMetadata) -> ThreadUpdated:
        return updated_thread(self._server, thread)

    async def _change_of(self, thread: ThreadMetadata) -> ThreadUpdated | None:
        """Return the event for a thread that was changed while its response ran, if it was."""
        before = self._updated(thread)
        try:
            after = self._updated(await self._load_thread())
        except Exception:  # noqa: BLE001  # it was deleted meanwhile
            return None
        return None if after == before else after


def updated_thread(server: Any, thread: ThreadMetadata) -> ThreadUpdated:
    """Return the event that brings a client's copy of a thread up to date, but for its items."""
    return ThreadUpdated(json_of_model(server._to_thread_response(thread)))  # noqa: SLF001


def as_state(known: Known) -> ThreadState:
    """Return the items that a client has as a state.

    Raises:
        TypeError: they are not items.
    """
    return known if isinstance(known, ThreadState) else ThreadState.from_items(known)
