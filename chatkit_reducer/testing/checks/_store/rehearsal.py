"""The cost of a stop: `ReducerChatKitServer` over the store, stopped in mid-answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from time import monotonic
from typing import Any

import msgspec
from chatkit import types as sdk
from chatkit.server import StreamingResult
from chatkit.store import Store

from chatkit_reducer import policies
from chatkit_reducer.events import Json
from chatkit_reducer.integrations.openai_chatkit import ReducerChatKitServer, item_from_sdk
from chatkit_reducer.testing._text import item_line
from chatkit_reducer.testing.checks._interruption import TookTooLong
from chatkit_reducer.testing.checks._store.report import Promise, Question, StopCost
from chatkit_reducer.testing.checks._store.subject import (
    Broken,
    Hung,
    OpenStore,
    Refused,
    Subject,
    describe_error,
)

_SAID = "Half an answer"
_END_TAKES = 25.0
"""How long the server may try to write, and to tell of it, in seconds: see `commit_timeout`."""


async def stops(subject: Subject) -> list[StopCost]:
    """Stop an answer at three points, and count the calls of the store from then on."""
    costs = []
    for when, act in (
        ("a stop in mid-answer", _message),
        ("a stop in an update to an earlier item", _earlier_item),
        ("a stop behind a waiting client tool call", _tool_call),
    ):
        async with subject.open_store() as store:
            costs.append(await _stop(store, when, act))
    return costs


async def _stop(store: OpenStore, when: str, act: Any) -> StopCost:
    thread, (earlier,) = await store.new_filled_thread("An earlier answer")
    counted = _count_calls(store.store)
    server = _Server(counted, partial(act, store, thread, earlier))
    try:
        answer = partial(_answer, server, thread, store.context)
        took = await store.commits.in_time(answer, extra=_END_TAKES)
    except TookTooLong:
        raise Hung(when) from None
    except Exception as error:
        raise Broken(Promise.STOP, f"{when}: {describe_error(error)}") from error
    calls = dict(counted.calls)
    kept = await _stored_items(store, thread, when)
    left = await _call_left(store, thread) if act is _tool_call else None
    if not any(_SAID in str(item) for item in kept):
        if act is not _tool_call or store.notes.answer(Question.DELETED_ID) != "taken":
            problem = f"{when}: {_SAID!r} was seen, and is not stored"
            raise Broken(Promise.STOP, problem, "The thread holds:", *map(item_line, kept))
        left = f"{left}, and the text is not stored, because no deleted id can be added again"
    return StopCost(when=when, calls=calls, seconds=took, left=left)


async def _call_left(store: OpenStore, thread: sdk.ThreadMetadata) -> str:
    """Say whether the SDK finds the call when its output arrives: it asks for the newest item."""
    items = await store.list_items(thread)
    if not any(isinstance(item, sdk.ClientToolCallItem) for item in items):
        return "the call itself was refused"
    newest = (await store.page(thread, None, 1, "desc")).data
    if newest and isinstance(newest[0], sdk.ClientToolCallItem):
        return "the call can go on"
    return "the call cannot go on, because another item is newer"


async def _stored_items(store: OpenStore, thread: sdk.ThreadMetadata, when: str) -> list[Json]:
    try:
        return [item_from_sdk(item) for item in await store.list_items(thread)]
    except Refused as refused:
        raise Broken(Promise.STOP, f"after {when}, {refused}") from refused


async def _answer(server: _Server, thread: sdk.ThreadMetadata, context: Any) -> float:
    """Let it answer until it has said all, then close; return how long the end took."""
    action = {"type": "any", "payload": {}}
    body = {
        "type": "threads.custom_action",
        "params": {"thread_id": thread.id, "item_id": None, "action": action},
    }
    result = await server.process(msgspec.json.encode(body), context)
    assert isinstance(result, StreamingResult)
    events: Any = result.json_events
    async with aclosing(events):
        async for _ in events:
            if server.has_said_all:
                break
        server.counted.calls.clear()
        begin = monotonic()
    return monotonic() - begin


class _Server(ReducerChatKitServer[Any]):
    """A server that sends the given events, and then waits for a model that never says more."""

    policy = policies.KEEP

    def __init__(self, store: _CountedStore, act: Any) -> None:
        super().__init__(store)
        self.counted = store
        self.has_said_all = False
        self._act = act

    async def respond(
        self, thread: Any, input_user_message: Any, context: Any
    ) -> AsyncIterator[sdk.ThreadStreamEvent]:
        """Answer nothing: the rehearsal sends no message."""
        nothing: tuple[sdk.ThreadStreamEvent, ...] = ()
        for event in nothing:
            yield event

    async def action(
        self, thread: Any, action: Any, sender: Any, context: Any
    ) -> AsyncIterator[sdk.ThreadStreamEvent]:
        """Say it, and wait."""
        events = self._act()
        for number, event in enumerate(events, 1):
            self.has_said_all = number == len(events)
            yield event
        await asyncio.Event().wait()


# --- its answers --------------------------------------------------------------------------------


def _begin_message(store: OpenStore, thread: sdk.ThreadMetadata) -> tuple[Any, list[Any]]:
    message = store.message(thread, "").model_copy(update={"content": []})
    delta = sdk.AssistantMessageContentPartTextDelta(content_index=0, delta=_SAID)
    return message, [
        sdk.ThreadItemAddedEvent(item=message),
        sdk.ThreadItemUpdatedEvent(item_id=message.id, update=delta),
    ]


def _message(store: OpenStore, thread: sdk.ThreadMetadata, _: Any) -> list[Any]:
    return _begin_message(store, thread)[1]


def _earlier_item(store: OpenStore, thread: sdk.ThreadMetadata, earlier: Any) -> list[Any]:
    delta = sdk.AssistantMessageContentPartTextDelta(content_index=0, delta=_SAID)
    return [sdk.ThreadItemUpdatedEvent(item_id=earlier.id, update=delta)]


def _tool_call(store: OpenStore, thread: sdk.ThreadMetadata, _: Any) -> list[Any]:
    begun = _begin_message(store, thread)[1]
    call = sdk.ClientToolCallItem(
        id=store.new_id("tool_call", thread),
        thread_id=thread.id,
        created_at=store.next_time(),
        call_id="call_1",
        name="ask_the_client",
        arguments={},
    )
    return [*begun, sdk.ThreadItemDoneEvent(item=call)]


# --- a store that counts ------------------------------------------------------------------------


def _count_calls(store: Store[Any]) -> Any:
    """Make a store that hands each call on, and counts it.

    It gets a class of its own: the server remembers the limits of a class of stores.
    """
    methods = {name: _forwarder(name) for name in Store.__abstractmethods__}
    kind: Any = type(type(store).__name__, (_CountedStore,), methods)
    return kind(store)


class _CountedStore(Store[Any]):
    def __init__(self, store: Store[Any]) -> None:
        self.calls: Counter[str] = Counter()
        self._store = store

    def generate_thread_id(self, context: Any) -> str:
        """Make an id as that store does."""
        return self._store.generate_thread_id(context)

    def generate_item_id(self, item_type: Any, thread: Any, context: Any) -> str:
        """Make an id as that store does."""
        return self._store.generate_item_id(item_type, thread, context)

    async def call(self, name: str, *args: Any, **options: Any) -> Any:
        """Call a method of that store."""
        self.calls[name] += 1
        return await getattr(self._store, name)(*args, **options)


def _forwarder(name: str) -> Any:
    async def method(self: _CountedStore, *args: Any, **options: Any) -> Any:
        return await self.call(name, *args, **options)

    return method
