"""Law: however a response ends, the store holds what its client saw, and a client is told the rest.

The oracle is plain: the events that the consumer got, then the corrections, folded from nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_reducer import HIDDEN_TYPES, fold, policies
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.events import ErrorEvent, Event
from chatkit_reducer.journal import Journal, MemoryJournal
from chatkit_reducer.serving import Responses, ResponseStream
from chatkit_reducer.testing.examples import added, done, message, removed, replaced, text_delta
from tests.support.supervised import LOOPS, run_on

POLICIES: list[Policy] = [policies.KEEP, policies.DROP]
ERROR = ErrorEvent(code="custom", message="no", allow_retry=True)


def hidden(item_id: str) -> Any:
    return done({**message(item_id, "secret"), "type": "hidden_context_item", "content": "secret"})


SEGMENTS: list[Callable[[str], list[Any]]] = [
    lambda i: [added(message(i)), text_delta(i, "one "), text_delta(i, "two")],
    lambda i: [added(message(i)), text_delta(i, "one"), done(message(i, "one"))],
    lambda i: [done(message(i, "whole"))],
    lambda i: [hidden(i)],
    lambda i: [added(message(i)), text_delta(i, "gone"), removed(i)],
    lambda i: [done(message(i, "gone")), removed(i)],
    lambda i: [done(message(i, "old")), replaced(message(i, "new"))],
    lambda i: [done(message(i, "old")), hidden(i)],
]


def scripts() -> st.SearchStrategy[list[Any]]:
    """Events of some items, one after the other; perhaps an error of the producer at the end."""
    bodies = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=4).map(
        lambda picked: [event for n, one in enumerate(picked) for event in one(f"m{n}")]
    )
    ends: list[list[Any]] = [[], [ERROR], [KeyError("model")], [3600.0]]
    return st.builds(lambda body, end: [*body, *end], bodies, st.sampled_from(ends))


@attrs.define
class Exchange:
    """A producer, a store, and a client."""

    script: list[Any]
    pause: int = 0
    """How many turns of the event loop a write takes."""
    fails_at: int | None = None
    """Which call of the store raises."""
    store: dict[str, Any] = attrs.field(factory=dict)
    seen: list[Event] = attrs.field(factory=list)
    calls: int = 0
    writing: int = 0
    overlapped: bool = False
    """Whether two writes were made at once."""
    stream: ResponseStream | None = None

    async def produce(self) -> AsyncIterator[Any]:
        for step in self.script:
            await anyio.lowlevel.checkpoint()
            if isinstance(step, Exception):
                raise step
            if isinstance(step, float):
                await anyio.sleep(step)
            yield step

    async def save(self, thread_id: str, items: Any) -> None:
        await self._work()
        self.store.update({item["id"]: item for item in items})

    async def delete(self, thread_id: str, item_id: str) -> None:
        await self._work()
        self.store.pop(item_id, None)

    async def _work(self) -> None:
        self.overlapped |= self.writing > 0
        self.writing += 1
        try:
            self.calls += 1
            if self.calls - 1 == self.fails_at:
                raise ConnectionError("the store is gone")
            for _ in range(self.pause):
                await anyio.lowlevel.checkpoint()
        finally:
            self.writing -= 1

    def responses(self, policy: Policy, **options: Any) -> Responses:
        return Responses(self.save, self.delete, policy=policy, **options)

    async def consume(self, responses: Responses, leave_after: int | None = None) -> None:
        self.stream = responses.stream("t", self.produce())
        async with self.stream as events:
            async for event in events:
                self.seen.append(event)
                await anyio.lowlevel.checkpoint()
                if len(self.seen) == leave_after:
                    break

    def check(self) -> None:
        """Compare the store with the client."""
        assert self.stream is not None
        assert self.stream.failure is None
        assert not self.overlapped
        client = fold([*self.seen, *self.stream.corrections])
        assert client.pending == ()
        shown = {item_id: item.to_json() for item_id, item in client.items.items()}
        stored = {
            item_id: item
            for item_id, item in self.store.items()
            if item["type"] not in HIDDEN_TYPES
        }
        assert shown == stored
        assert all(item["type"] not in HIDDEN_TYPES for item in shown.values())


def without_waits(script: list[Any]) -> list[Any]:
    return [step for step in script if not isinstance(step, float)]


@pytest.mark.parametrize("loop", LOOPS)
@settings(max_examples=60, deadline=None)
@given(
    script=scripts(),
    policy=st.sampled_from(POLICIES),
    leave_after=st.none() | st.integers(1, 6),
    fails_at=st.none() | st.integers(0, 3),
)
def test_a_client_that_stays_or_leaves(
    loop: str, script: list[Any], policy: Policy, leave_after: int | None, fails_at: int | None
) -> None:
    exchange = Exchange(without_waits(script), fails_at=fails_at)

    async def body() -> None:
        await exchange.consume(exchange.responses(policy), leave_after)

    run_on(loop, body)
    exchange.check()


@attrs.frozen
class Running:
    """A response that is being consumed."""

    responses: Responses
    scope: anyio.CancelScope
    task: asyncio.Task[Any] | None
    """Its task, on asyncio."""


async def cancel_scope(running: Running) -> None:
    running.scope.cancel()


async def cancel_task(running: Running) -> None:
    (running.task or running.scope).cancel()


async def stop_thread(running: Running) -> None:
    await running.responses.stop("t")


async def shut_down(running: Running) -> None:
    await running.responses.aclose()


STOPS = [cancel_scope, cancel_task, stop_thread, shut_down]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("stop", STOPS)
@settings(max_examples=60, deadline=None)
@given(
    exchange=st.builds(Exchange, scripts(), st.integers(0, 40)),
    policy=st.sampled_from(POLICIES),
    turns=st.integers(0, 100),
    has_journal=st.booleans(),
)
def test_stopped_at_any_turn(
    loop: str, stop: Any, *, exchange: Exchange, policy: Policy, turns: int, has_journal: bool
) -> None:
    journal: Journal | None = MemoryJournal() if has_journal else None

    async def body() -> None:
        running: list[Running] = []
        responses = exchange.responses(policy, journal=journal)

        async def consume() -> None:
            with anyio.CancelScope() as scope:
                task = None if loop == "trio" else asyncio.current_task()
                running.append(Running(responses, scope, task))
                await exchange.consume(responses)

        async with anyio.create_task_group() as group:
            group.start_soon(consume)
            await pass_turns(turns)
            for one in running:
                await stop(one)
            await pass_turns(300)
            for one in running:
                one.scope.cancel()

    run_on(loop, body)
    if exchange.stream is not None:
        exchange.check()


async def pass_turns(count: int) -> None:
    for _ in range(count):
        await anyio.lowlevel.checkpoint()
