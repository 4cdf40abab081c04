"""`supervise`: a consumer that is still there is told what is stored, behind the commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import pytest

from chatkit_reducer import fold, policies
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.events import ErrorEvent, Event
from chatkit_reducer.supervise import Supervised, supervise
from tests.support.supervised import (
    ASYNCIO,
    BEGUN,
    LOOPS,
    NO_MARKER,
    WHOLE,
    App,
    drain,
    eventually,
    run_on,
    with_loops,
)


class Client:
    """A consumer that keeps what it was given, and waits at the last event if it is to."""

    def __init__(self, app: App, events: Any, policy: Policy, **options: Any) -> None:
        self.stream: Supervised[Any] = supervise(
            events, app.commit, policy=policy, deliver=lambda event: event, **options
        )
        self.shown: list[Event] = []
        self.error: Exception | None = None
        self.woken = anyio.Event()
        self.is_sending = anyio.Event()

    async def consume(self) -> None:
        self.woken.set()
        await self.consume_slowly()

    async def consume_slowly(self) -> None:
        try:
            async for event in self.stream:
                self.shown.append(event)
                if event is BEGUN[-1]:
                    assert self.stream.corrections == ()
                    self.is_sending.set()
                    await self.woken.wait()
        except Exception as error:  # noqa: BLE001  # the test looks at it
            self.error = error


async def raising() -> AsyncIterator[Event]:
    for event in BEGUN:
        yield event
    raise KeyError("model")


Way = Callable[[App, Policy, bool], Awaitable[Client]]


async def ends(app: App, policy: Policy, own_task: bool) -> Client:
    client = Client(app, app.answer(BEGUN), policy, own_task=own_task)
    await client.consume()
    assert client.error is None
    return client


async def ends_with_an_error(app: App, policy: Policy, own_task: bool) -> Client:
    events = [*BEGUN, ErrorEvent(code="stream.error", allow_retry=True)]
    client = Client(app, app.answer(events), policy, own_task=own_task)
    await client.consume()
    assert client.error is None
    return client


async def raises(app: App, policy: Policy, own_task: bool) -> Client:
    client = Client(app, raising(), policy, own_task=own_task)
    await client.consume()
    assert isinstance(client.error, KeyError)
    return client


async def is_idle(app: App, policy: Policy, own_task: bool) -> Client:
    client = Client(app, app.answer(BEGUN, 3), policy, own_task=own_task, idle_timeout=0.05)
    await client.consume()
    assert isinstance(client.error, TimeoutError)
    return client


async def is_late_while_it_sends(app: App, policy: Policy, own_task: bool) -> Client:
    client = Client(app, app.answer(BEGUN, 3), policy, own_task=own_task, timeout=0.05)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.consume_slowly)
        await eventually(lambda: app.settlements)
        client.woken.set()
    assert isinstance(client.error, TimeoutError)
    return client


async def is_stopped(app: App, policy: Policy, own_task: bool) -> Client:
    client = Client(app, app.answer(BEGUN, 3), policy, own_task=own_task)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.consume)
        await anyio.sleep(0.03)
        client.stream.stop()
    assert client.error is None
    return client


async def is_stopped_while_it_sends(app: App, policy: Policy, own_task: bool) -> Client:
    client = Client(app, app.answer(BEGUN, 3), policy, own_task=own_task)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.consume_slowly)
        await client.is_sending.wait()
        client.stream.stop()
        client.woken.set()
    assert client.error is None
    return client


async def is_closed_while_it_sends(app: App, policy: Policy, own_task: bool) -> Client:
    client = Client(app, app.answer(BEGUN, 3), policy, own_task=own_task)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.consume_slowly)
        await client.is_sending.wait()
        await client.stream.aclose()
        client.woken.set()
    assert client.error is None
    return client


WAYS = [
    *with_loops(
        LOOPS,
        [
            ends,
            ends_with_an_error,
            raises,
            is_idle,
            is_late_while_it_sends,
            is_stopped,
            is_stopped_while_it_sends,
        ],
    ),
    *with_loops(ASYNCIO, [is_closed_while_it_sends]),
]


@pytest.mark.parametrize("own_task", [False, True])
@pytest.mark.parametrize("policy", [NO_MARKER, policies.DROP])
@pytest.mark.parametrize(("loop", "way"), WAYS)
def test_the_consumer_ends_with_what_is_stored(
    loop: str, way: Way, policy: Policy, own_task: bool
) -> None:
    async def body() -> None:
        app = App()
        client = await way(app, policy, own_task)
        thread = fold(client.shown)
        assert thread.pending == ()
        written = {write.item["id"]: write.item for write in app.settlement.writes}
        kept = {key: item for key, item in written.items() if key == "m"}
        assert {key: item.to_json() for key, item in thread.items.items()} == kept

    run_on(loop, body)


def test_on_trio_the_generator_is_closed_by_whoever_closes_the_stream() -> None:
    async def body() -> None:
        app = App()
        client = await is_closed_while_it_sends(app, NO_MARKER, False)
        assert client.shown == BEGUN
        assert len(client.stream.corrections) == 1

    run_on("trio", body)


@pytest.mark.parametrize("loop", LOOPS)
def test_nothing_is_told_where_nothing_was_in_flight(loop: str) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(app.answer(WHOLE), app.commit, policy=NO_MARKER, deliver=repr)
        assert await drain(stream) == WHOLE

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_nothing_is_told_that_was_not_committed(loop: str) -> None:
    async def body() -> None:
        app = App(errors=[OSError()])
        stream = supervise(
            app.answer(BEGUN), app.commit, policy=NO_MARKER, commit_attempts=1, deliver=repr
        )
        assert await drain(stream) == BEGUN
        assert stream.settlement is not None
        assert stream.corrections == ()

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_there_are_no_corrections_before_the_commit_is_through(loop: str) -> None:
    async def body() -> None:
        seen: list[Any] = []

        async def commit(settlement: Any) -> None:
            seen.append(stream.corrections)

        stream = supervise(App().answer(BEGUN), commit, policy=NO_MARKER)
        assert stream.corrections == ()
        await drain(stream)
        assert seen == [()]
        assert stream.settlement is not None
        assert stream.corrections == stream.settlement.events
        assert len(stream.corrections) == 1

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_consumer_that_leaves_is_told_nothing(loop: str) -> None:
    async def body() -> None:
        app = App()
        told: list[Event] = []
        async with supervise(
            app.answer(BEGUN), app.commit, policy=NO_MARKER, deliver=told.append
        ) as stream:
            async for event in stream:
                if event is BEGUN[-1]:
                    break
        assert told == []
        assert len(stream.corrections) == 1

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_deliver_that_fails_is_logged(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    def deliver(event: Event) -> Event:
        raise ZeroDivisionError

    async def body() -> None:
        app = App()
        stream = supervise(app.answer(BEGUN), app.commit, policy=NO_MARKER, deliver=deliver)
        assert await drain(stream) == BEGUN

    run_on(loop, body)
    assert "`deliver` failed" in caplog.text


@pytest.mark.parametrize("loop", LOOPS)
def test_one_may_leave_among_the_corrections(loop: str) -> None:
    async def body() -> None:
        app = App()
        async with supervise(
            app.answer(BEGUN), app.commit, policy=NO_MARKER, deliver=lambda event: event
        ) as stream:
            async for event in stream:
                if event not in BEGUN:
                    break
        assert len(app.settlements) == 1

    run_on(loop, body)
