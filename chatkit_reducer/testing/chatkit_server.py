"""Exchanges with servers of the official SDK, for `cancel_everywhere`. Needs `openai-chatkit`.

    def test_nothing_is_lost():
        report = cancel_everywhere(lambda: server_exchange(MyServer))
        report.raise_for_findings()

The server gets a store of this module, whose writes suspend, and answers with `a_response`, which
has some of everything.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeAlias

import msgspec
from anyio.lowlevel import checkpoint
from chatkit.server import ChatKitServer, StreamingResult
from chatkit.store import NotFoundError, Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata, ThreadStreamEvent

from chatkit_reducer import policies
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.events import Event, Json
from chatkit_reducer.integrations.openai_chatkit import event_to_sdk, item_from_sdk, item_to_sdk
from chatkit_reducer.testing._own_store import OwnStore
from chatkit_reducer.testing.cancellation import EARLIER_ITEMS, Exchange, a_response
from chatkit_reducer.testing.cancellation.sample_response import response_of
from chatkit_reducer.testing.cancellation.shapes import Shape, yield_in_shape

__all__ = ["ScriptedError", "SuspendingStore", "server_exchange"]

AnyServer: TypeAlias = ChatKitServer[Any]

_THREAD_ID = "thr_1"


class ScriptedError(Exception):
    """The exception of a scripted response that is told to fail."""


class SuspendingStore(Store[Any]):
    """A store in memory for one thread, whose every operation suspends before it acts and after.

    An item that is added twice is there twice. Ids are counted, so that two exchanges are the same.
    """

    def __init__(self, items: Iterable[Mapping[str, Any]] = (), *, suspensions: int = 2) -> None:
        """Make a store with these items.

        Args:
            items: plain ChatKit JSON, in order.
            suspensions: how often an operation suspends before it acts, and as often after.
        """
        self.items: list[Json] = [dict(item) for item in items]
        """The items, as plain ChatKit JSON, in the order in which they were added."""
        self.writes: list[tuple[str, str]] = []
        """Each `add`, `save` and `delete`, with the id of the item, as it happened."""
        self._suspensions = suspensions
        self._thread = ThreadMetadata(id=_THREAD_ID, created_at=datetime(2025, 1, 1))  # noqa: DTZ001
        self._ids = 0

    async def _suspend(self) -> None:
        for _ in range(self._suspensions):
            await checkpoint()

    def generate_thread_id(self, context: Any) -> str:
        """Return the id of the one thread: a thread that is created takes its place."""
        return _THREAD_ID

    def generate_item_id(self, item_type: Any, thread: ThreadMetadata, context: Any) -> str:
        """Make an id that is the same in every exchange."""
        self._ids += 1
        return f"{item_type}_{self._ids}"

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Append the item, whether there is one with its id or not."""
        plain = item_from_sdk(item)
        await self._suspend()
        self.writes.append(("add", item.id))
        self.items.append(plain)
        await self._suspend()

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Put the item in the place of the one with its id; append it if there is none."""
        plain = item_from_sdk(item)
        await self._suspend()
        self.writes.append(("save", item.id))
        places = [i for i, stored in enumerate(self.items) if stored["id"] == item.id]
        for place in places:
            self.items[place] = plain
        if not places:
            self.items.append(plain)
        await self._suspend()

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        """Remove the item."""
        await self._suspend()
        self.writes.append(("delete", item_id))
        self.items = [stored for stored in self.items if stored["id"] != item_id]
        await self._suspend()

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        """Return the item with this id.

        Raises:
            NotFoundError: there is none.
        """
        await self._suspend()
        for stored in self.items:
            if stored["id"] == item_id:
                return item_to_sdk(stored)
        raise NotFoundError(item_id)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        """Return all items, on one page."""
        await self._suspend()
        items = [item_to_sdk(stored) for stored in self.items]
        return Page(data=items[::-1] if order == "desc" else items)

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        """Return the one thread, for any id."""
        await self._suspend()
        return self._thread.model_copy(deep=True)

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        """Keep the thread."""
        await self._suspend()
        self._thread = thread.model_copy(deep=True)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Any
    ) -> Page[ThreadMetadata]:
        """Return the one thread."""
        await self._suspend()
        return Page(data=[self._thread])

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        """Remove all items."""
        await self._suspend()
        self.items.clear()

    async def save_attachment(self, attachment: Attachment, context: Any) -> None:
        """Do nothing: this store keeps no attachments."""

    async def load_attachment(self, attachment_id: str, context: Any) -> Attachment:
        """Refuse: this store keeps no attachments.

        Raises:
            NotFoundError: always.
        """
        raise NotFoundError(attachment_id)

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        """Do nothing: this store keeps no attachments."""


def server_exchange(
    server: Callable[..., AnyServer],
    *,
    policy: Policy | None = None,
    response: Iterable[Any] | None = None,
    own_response: bool = False,
    request: Mapping[str, Any] | None = None,
    store: Callable[[], Store[Any]] | None = None,
    own_store: bool = False,
    context: Any = None,
    shape: Shape | None = None,
) -> Exchange:
    """Make an exchange: one user message to a server, and its answer.

    Args:
        server: the class, or a function that makes a server for a store.
        policy: says which items survive; the server's own `policy` if left out, or `policies.SDK`,
            the SDK at a cancellation, if it has none.
        response: the events of the answer, which takes the place of the server's `respond`; events
            of the SDK or of this package, JSON mappings or texts. Those of `a_response` if left
            out, as far as the SDK that is installed knows them.
        own_response: whether `respond` answers after all. It cannot be made to fail then.
        request: the request of the client; a user message for the thread `thr_1` if left out.
        store: makes the store that the server gets, empty each time; one in memory if left out.
        own_store: whether `server` takes no store, and makes a server that has one, empty each
            time.
        context: passed to the server with the request.
        shape: how the generator of the response is built; a plain loop if left out.

    Raises:
        TypeError: it does not make a server, or the policy is not a `Policy`, or the response has a
            value that is not an event; or both the server's own response and another one are
            wanted, or its own store and another one.
        ValueError: the response has no events, or one that the SDK does not know.
    """
    if own_response and response is not None:
        raise TypeError(
            "own_response=True lets the server's own `respond` answer, and response=... takes its "
            "place: pass one of them"
        )
    if own_store and store is not None:
        raise TypeError(
            "own_store=True lets the server have the store that it makes itself, and store=... "
            "takes its place: pass one of them"
        )
    script = None if own_response else _Script(shape)
    made, held = _make_with_store(server, store, script, own_store=own_store, context=context)
    last_event: Event | None = None
    if script is not None:
        events = _known_events() if response is None else response_of(response)
        script.set_events(held.events(events))
        last_event = None if shape is not None else held.events(events)[-1]
    if request is None:
        request = _user_message(held.thread_id)
    body = msgspec.json.encode(dict(request))

    async def begin() -> AsyncIterable[bytes]:
        result = await made.process(body, context)
        if not isinstance(result, StreamingResult):
            raise TypeError("the request must be one that is answered with a stream")
        return result

    kept = getattr(made, "policy", policies.SDK) if policy is None else policy
    if not isinstance(kept, Policy):
        raise TypeError(f"policy={kept!r} is not a Policy: pass one, such as policies.KEEP")
    stop_responses: Any = getattr(made, "stop_responses", None)
    stopping: set[asyncio.Task[Any]] = set()  # an event loop does not keep its tasks alive

    def stop() -> None:
        stopping.add(asyncio.create_task(stop_responses(held.thread_id)))

    return Exchange(
        events=begin,
        stored=held.items,
        policy=kept,
        writes=held.writes,
        stop=None if stop_responses is None else stop,
        last_event=last_event,
        fail_at=None if script is None or shape is not None else script.fail_at,
    )


@cache
def _known_events() -> tuple[Event, ...]:
    """List the events of `a_response` that the SDK knows: it has no images before 1.4.1."""
    return tuple(event for event in a_response() if _is_known(event))


def _is_known(event: Event) -> bool:
    try:
        event_to_sdk(event)
    except ValueError:
        return False
    return True


def _user_message(thread_id: str) -> Json:
    return {
        "type": "threads.add_user_message",
        "params": {
            "thread_id": thread_id,
            "input": {
                "content": [{"type": "input_text", "text": "And for dessert?"}],
                "attachments": [],
                "inference_options": {},
            },
        },
    }


class _InMemory:
    """The store of this module, with the methods of an `OwnStore`."""

    thread_id = _THREAD_ID

    def __init__(self, store: SuspendingStore) -> None:
        self._store = store

    def events(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        return events

    def items(self) -> list[Json]:
        return [dict(item) for item in self._store.items]

    def writes(self) -> list[tuple[str, str]]:
        return self._store.writes


def _make_with_store(
    server: Callable[..., AnyServer],
    make_store: Callable[[], Store[Any]] | None,
    script: _Script | None,
    *,
    own_store: bool,
    context: Any,
) -> tuple[AnyServer, _InMemory | OwnStore]:
    if own_store:
        made = _make_server(server, script)
        return made, OwnStore(made.store, context)
    if make_store is None:
        store = SuspendingStore(EARLIER_ITEMS)
        return _make_server(server, script, store), _InMemory(store)
    given: Any = make_store()
    if not isinstance(given, Store):
        if inspect.iscoroutine(given):
            given.close()
        raise TypeError(
            f"store has to make a chatkit.store.Store, and made {given!r}: pass a class, or a "
            "plain function"
        )
    return _make_server(server, script, given), OwnStore(given, context)


class _Script:
    """A response that is always the same; it suspends before each event."""

    def __init__(self, shape: Shape | None) -> None:
        self._shape = shape
        self._events: list[ThreadStreamEvent] = []
        self._fails_at: int | None = None

    def set_events(self, events: Iterable[Event]) -> None:
        self._events = [event_to_sdk(event) for event in events]

    def fail_at(self, number: int) -> None:
        self._fails_at = number

    def respond(self, *_: Any) -> AsyncIterator[ThreadStreamEvent]:
        return self._plain() if self._shape is None else yield_in_shape(self._shape, self._events)

    async def _plain(self) -> AsyncIterator[ThreadStreamEvent]:
        for number, event in enumerate(self._events, 1):
            await checkpoint()
            self._fail_if(number)
            yield event
        await checkpoint()
        self._fail_if(len(self._events) + 1)

    def _fail_if(self, number: int) -> None:
        if number == self._fails_at:
            raise ScriptedError(f"told to fail at event {number}")


def _make_server(
    server: Callable[..., AnyServer], script: _Script | None, *store: Any
) -> AnyServer:
    """Make the server, with or without a store, and let the script answer for it."""
    make: Any = server
    if script is not None and isinstance(server, type):
        # A class of its own, because one that lacks a `respond` cannot be made.
        make = type(server.__name__, (server,), {"respond": staticmethod(script.respond)})
    made: Any = make(*store)
    if isinstance(made, ChatKitServer):
        if script is not None:
            vars(made)["respond"] = script.respond
        return made
    if inspect.iscoroutine(made):
        made.close()
        raise TypeError(
            "what makes a server must not be asynchronous: use a plain function, and await what "
            "the server needs before the check, or in `respond`"
        )
    raise TypeError(
        f"a function of a store must make a server of the SDK, and not {type(made).__name__}"
    )
