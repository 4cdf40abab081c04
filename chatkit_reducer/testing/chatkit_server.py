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
from chatkit_reducer.events import Event, Json
from chatkit_reducer.integrations.openai_chatkit import event_to_sdk, item_from_sdk, item_to_sdk
from chatkit_reducer.policy import Policy
from chatkit_reducer.testing.cancellation import EARLIER_ITEMS, Exchange, a_response
from chatkit_reducer.testing.cancellation.answer import response_of

__all__ = ["ScriptedError", "SuspendingStore", "server_exchange"]

AnyServer: TypeAlias = ChatKitServer[Any]

_THREAD_ID = "thr_1"


class ScriptedError(Exception):
    """What the scripted response raises when it is told to fail."""


class SuspendingStore(Store[Any]):
    """A store in memory for one thread, whose every operation suspends before it acts and after.

    An item that is added twice is there twice. Ids are counted, so that two exchanges are the same.
    """

    def __init__(self, items: Iterable[Mapping[str, Any]] = (), *, suspensions: int = 2) -> None:
        """A store with these items.

        Args:
            items: plain ChatKit JSON, in order.
            suspensions: how often an operation suspends before it acts, and as often after.
        """
        self.items: list[Json] = [dict(item) for item in items]
        """What it holds: plain ChatKit JSON, in the order it was added."""
        self.writes: list[tuple[str, str]] = []
        """Each `add`, `save` and `delete`, with the id of the item, as it happened."""
        self._suspensions = suspensions
        self._thread = ThreadMetadata(id=_THREAD_ID, created_at=datetime(2025, 1, 1))  # noqa: DTZ001
        self._ids = 0

    async def _suspend(self) -> None:
        for _ in range(self._suspensions):
            await checkpoint()

    def generate_item_id(self, item_type: Any, thread: ThreadMetadata, context: Any) -> str:
        """An id that is the same in every exchange."""
        self._ids += 1
        return f"{item_type}_{self._ids}"

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Appends the item, whether there is one with its id or not."""
        plain = item_from_sdk(item)
        await self._suspend()
        self.writes.append(("add", item.id))
        self.items.append(plain)
        await self._suspend()

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Puts the item in the place of the one with its id; appends it if there is none."""
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
        """Takes the item out."""
        await self._suspend()
        self.writes.append(("delete", item_id))
        self.items = [stored for stored in self.items if stored["id"] != item_id]
        await self._suspend()

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        """The item with this id.

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
        """All items, on one page."""
        await self._suspend()
        items = [item_to_sdk(stored) for stored in self.items]
        return Page(data=items[::-1] if order == "desc" else items)

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        """The thread, whatever its id."""
        await self._suspend()
        return self._thread.model_copy(deep=True)

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        """Keeps the thread."""
        await self._suspend()
        self._thread = thread.model_copy(deep=True)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Any
    ) -> Page[ThreadMetadata]:
        """The one thread."""
        await self._suspend()
        return Page(data=[self._thread])

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        """Takes all items out."""
        await self._suspend()
        self.items.clear()

    async def save_attachment(self, attachment: Attachment, context: Any) -> None:
        """Nothing: there are no attachments."""

    async def load_attachment(self, attachment_id: str, context: Any) -> Attachment:
        """There are none.

        Raises:
            NotFoundError: always.
        """
        raise NotFoundError(attachment_id)

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        """Nothing: there are no attachments."""


def server_exchange(
    server: Callable[[Store[Any]], AnyServer],
    *,
    policy: Policy | None = None,
    response: Iterable[Any] | None = None,
    own_response: bool = False,
    request: Mapping[str, Any] | None = None,
) -> Exchange:
    """One user message to a server, and its answer.

    Args:
        server: the class, or whatever makes a server for a store.
        policy: what should survive; the server's own `policy` if left out, and what the SDK does at
            a cancellation (`policies.SDK`) if it has none.
        response: the events of the answer, which takes the place of the server's `respond`; events
            of the SDK or of this package, JSON mappings or texts. Those of `a_response` if left
            out, as far as the SDK that is installed knows them.
        own_response: whether `respond` answers after all. Nobody can make it fail then.
        request: what the client asks for; a user message for the thread `thr_1` if left out.

    Raises:
        TypeError: it makes no server, or the policy is none, or the response has something that is
            no event; or both the server's own response and another one are wanted.
        ValueError: the response has no events, or one that the SDK does not know.
    """
    store = SuspendingStore(EARLIER_ITEMS)
    if own_response and response is not None:
        raise TypeError(
            "own_response=True lets the server's own `respond` answer, and response=... takes its "
            "place: pass one of them"
        )
    events = _known_events() if response is None else response_of(response)
    script = None if own_response else _Script(events)
    made = _made(server, store) if script is None else _scripted(server, store, script)
    body = msgspec.json.encode(_USER_MESSAGE if request is None else dict(request))

    async def begin() -> AsyncIterable[bytes]:
        result = await made.process(body, None)
        if not isinstance(result, StreamingResult):
            raise TypeError("the request must be one that is answered with a stream")
        return result

    kept = getattr(made, "policy", policies.SDK) if policy is None else policy
    if not isinstance(kept, Policy):
        raise TypeError(f"policy={kept!r} is no Policy: pass one, such as policies.KEEP")
    stop_responses: Any = getattr(made, "stop_responses", None)
    stopping: set[asyncio.Task[Any]] = set()  # an event loop does not keep its tasks alive

    def stop() -> None:
        stopping.add(asyncio.create_task(stop_responses(_THREAD_ID)))

    return Exchange(
        events=begin,
        stored=lambda: [dict(item) for item in store.items],
        policy=kept,
        writes=lambda: store.writes,
        stop=None if stop_responses is None else stop,
        fail_at=None if script is None else script.fail_at,
    )


@cache
def _known_events() -> tuple[Event, ...]:
    """What the SDK knows of `a_response`: it has no images before 1.4.1, for example."""
    return tuple(event for event in a_response() if _is_known(event))


def _is_known(event: Event) -> bool:
    try:
        event_to_sdk(event)
    except ValueError:
        return False
    return True


_USER_MESSAGE: Json = {
    "type": "threads.add_user_message",
    "params": {
        "thread_id": _THREAD_ID,
        "input": {
            "content": [{"type": "input_text", "text": "And for dessert?"}],
            "attachments": [],
            "inference_options": {},
        },
    },
}


class _Script:
    """A response that is always the same; it suspends before each event."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = [event_to_sdk(event) for event in events]
        self._fails_at: int | None = None

    def fail_at(self, number: int) -> None:
        self._fails_at = number

    async def respond(self, *_: Any) -> AsyncIterator[ThreadStreamEvent]:
        for number, event in enumerate(self._events, 1):
            await checkpoint()
            self._fail_if(number)
            yield event
        await checkpoint()
        self._fail_if(len(self._events) + 1)

    def _fail_if(self, number: int) -> None:
        if number == self._fails_at:
            raise ScriptedError(f"told to fail at event {number}")


def _scripted(
    server: Callable[[Store[Any]], AnyServer], store: SuspendingStore, script: _Script
) -> AnyServer:
    if isinstance(server, type):
        # A class of its own, because one that lacks a `respond` cannot be made.
        kind: Any = type(server.__name__, (server,), {"respond": staticmethod(script.respond)})
        return _made(kind, store)
    made = _made(server, store)
    vars(made)["respond"] = script.respond
    return made


def _made(server: Callable[[Store[Any]], AnyServer], store: SuspendingStore) -> AnyServer:
    made: Any = server(store)
    if isinstance(made, ChatKitServer):
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
