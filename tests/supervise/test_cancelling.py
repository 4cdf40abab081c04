"""`supervise` on asyncio: whose cancellation it was, and that none is lost or left over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from chatkit_reducer import Cause, policies
from chatkit_reducer.events import Event
from chatkit_reducer.supervise import supervise
from tests.support.supervised import ASYNCIO, BEGUN, App, drain, eventually, run_on, this_task


async def waiting(task: asyncio.Task[Any]) -> None:
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()


@pytest.mark.parametrize("own_task", [False, True])
@pytest.mark.parametrize("order", ["cs", "sc", "csc", "scs", "ccs", "scc"])
@pytest.mark.parametrize("loop", ASYNCIO)
def test_a_cancellation_and_a_stop_in_one_turn_are_a_cancellation(
    loop: str, order: str, own_task: bool
) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(
            app.answer(BEGUN, 3), app.commit, policy=policies.KEEP, own_task=own_task
        )
        task = asyncio.create_task(drain(stream))
        await waiting(task)
        for letter in order:
            if letter == "c":
                task.cancel()
            else:
                stream.stop()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert app.texts == ["one two "]

    run_on(loop, body)


@pytest.mark.parametrize("loop", ASYNCIO)
@pytest.mark.parametrize("order", ["cs", "sc"])
def test_a_scope_and_a_stop_in_one_turn(loop: str, order: str) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(app.answer(BEGUN, 3), app.commit, policy=policies.KEEP)
        scope = anyio.CancelScope()

        async def consume() -> None:
            with scope:
                await drain(stream)
                await anyio.sleep(3600)
            assert this_task().cancelling() == 0
            await asyncio.sleep(0.01)
            app.log.append("went on")

        task = asyncio.create_task(consume())
        await waiting(task)
        for letter in order:
            (scope.cancel if letter == "c" else stream.stop)()
        await task
        assert scope.cancelled_caught
        assert app.texts == ["one two "]
        assert app.log[-1] == "went on"

    run_on(loop, body)


@pytest.mark.parametrize("loop", ASYNCIO)
@pytest.mark.parametrize("how", ["returns", "yields", "waits", "raises"])
def test_a_producer_that_swallows_the_interrupt_leaves_no_cancellation_behind(
    loop: str, how: str
) -> None:
    async def events() -> AsyncIterator[Event]:
        for event in BEGUN:
            yield event
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if how == "yields":
                yield BEGUN[-1]
            elif how == "waits":
                await asyncio.sleep(0.02)
            elif how == "raises":
                raise KeyError("model") from None

    async def body() -> None:
        app = App()
        stream = supervise(events(), app.commit, policy=policies.KEEP)

        async def consume() -> None:
            assert await drain(stream) == BEGUN
            assert this_task().cancelling() == 0
            with pytest.raises(ExceptionGroup):  # Python 3.13 looks at that number here
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(failing())
            await asyncio.sleep(0.01)
            async with asyncio.timeout(5):
                await asyncio.sleep(0.01)

        async def failing() -> None:
            raise KeyError

        task = asyncio.create_task(consume())
        await waiting(task)
        stream.stop()
        await task
        assert app.settlement.cause is Cause.CANCELLED
        assert app.texts == ["one two "]

    run_on(loop, body)


@pytest.mark.parametrize("loop", ASYNCIO)
def test_a_scope_of_the_producer_that_ends_in_the_same_turn_does_not_swallow_a_stop(
    loop: str,
) -> None:
    """Two cancellations in one turn are one for the producer: its own, and it goes on."""

    async def body() -> None:
        scope = anyio.CancelScope()

        async def events() -> AsyncIterator[Event]:
            yield BEGUN[0]
            with scope:
                await asyncio.sleep(3600)
            await asyncio.sleep(3600)

        app = App()
        stream = supervise(events(), app.commit, policy=policies.KEEP, close_timeout=60)
        task = asyncio.create_task(drain(stream))
        await waiting(task)
        scope.cancel()
        stream.stop()
        async with asyncio.timeout(5):
            assert await task == BEGUN[:1]
        assert app.settlement.cause is Cause.CANCELLED

    run_on(loop, body)


@pytest.mark.parametrize("loop", ASYNCIO)
def test_a_producer_that_stops_the_stream_itself(loop: str) -> None:
    async def body() -> None:
        app = App()

        async def events() -> AsyncIterator[Event]:
            yield BEGUN[0]
            stream.stop()
            yield BEGUN[1]
            raise AssertionError("nobody asks for more")

        async def waits() -> AsyncIterator[Event]:
            yield BEGUN[0]
            stream.stop()
            await asyncio.sleep(3600)

        for make in (events, waits):
            stream = supervise(make(), app.commit, policy=policies.KEEP)
            assert len(await drain(stream)) in (1, 2)
            assert this_task().cancelling() == 0
        assert len(app.settlements) == 2

    run_on(loop, body)


@pytest.mark.parametrize("own_task", [False, True])
@pytest.mark.parametrize("loop", ASYNCIO)
def test_a_real_cancellation_while_the_producer_closes_is_raised(loop: str, own_task: bool) -> None:
    async def body() -> None:
        app = App()

        async def events() -> AsyncIterator[Event]:
            try:
                yield BEGUN[0]
            finally:
                app.log.append("closing")
                await asyncio.sleep(0.1)
                app.log.append("closed")

        async def consume() -> None:
            async with supervise(
                events(), app.commit, policy=policies.KEEP, own_task=own_task
            ) as stream:
                async for _ in stream:
                    break
            app.log.append("went on")

        task = asyncio.create_task(consume())
        await eventually(lambda: "closing" in app.log)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert app.log[-1] == "committed"

    run_on(loop, body)


@pytest.mark.parametrize("loop", ASYNCIO)
def test_a_cancellation_that_the_closing_producer_swallows_is_raised(loop: str) -> None:
    async def body() -> None:
        app = App()

        async def events() -> AsyncIterator[Event]:
            try:
                yield BEGUN[0]
            finally:
                app.log.append("closing")
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    app.log.append("swallowed")

        async def consume() -> None:
            async with supervise(events(), app.commit, policy=policies.KEEP) as stream:
                async for _ in stream:
                    break
            app.log.append("went on")

        task = asyncio.create_task(consume())
        await eventually(lambda: "closing" in app.log)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert app.log == ["closing", "swallowed", "commit", "committed"]

    run_on(loop, body)


@pytest.mark.parametrize("loop", ASYNCIO)
@pytest.mark.parametrize("times", [1, 2, 5])
def test_everything_is_cancelled_again_and_again(loop: str, times: int) -> None:
    """As by a server that shuts down more than once: all tasks, ours included."""

    async def body() -> None:
        app = App(0.05)
        task = asyncio.create_task(
            drain(supervise(app.answer(BEGUN, 3), app.commit, policy=policies.KEEP))
        )
        await waiting(task)
        for _ in range(times):
            for other in asyncio.all_tasks() - {this_task()}:
                other.cancel()
            await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert app.texts == ["one two "]

    run_on(loop, body)
