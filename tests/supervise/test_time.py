"""`supervise`: the time is over, and a consumer that sends does not come back to hear of it."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import anyio
import pytest

from chatkit_reducer import Cause, policies
from chatkit_reducer.supervise import Supervised, supervise
from tests.support.supervised import ASYNCIO, BEGUN, LOOPS, WHOLE, App, drain, eventually, run_on


@pytest.mark.parametrize("own_task", [False, True])
@pytest.mark.parametrize("in_block", [False, True])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_consumer_that_sends_for_ever_is_not_waited_for(
    loop: str, in_block: bool, own_task: bool
) -> None:
    async def body() -> None:
        app, woken = App(), anyio.Event()
        stream = supervise(
            app.answer(BEGUN), app.commit, policy=policies.KEEP, timeout=0.05, own_task=own_task
        )

        async def send() -> None:
            async for event in stream:
                if event is BEGUN[1]:
                    await woken.wait()  # a phone asleep
            raise AssertionError("it has to be told that the time was over")

        async def consume() -> None:
            with pytest.raises(TimeoutError):
                if in_block:
                    async with stream:
                        await send()
                else:
                    await send()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consume)
            await eventually(lambda: app.settlements)
            assert app.texts == ["one "]
            assert app.settlement.cause is Cause.TIMED_OUT
            assert app.log[0] == "closed"
            woken.set()
        assert len(app.settlements) == 1

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_consumer_that_comes_back_while_it_is_settled_waits_for_it(loop: str) -> None:
    async def body() -> None:
        app, woken = App(0.2), anyio.Event()
        stream = supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP, timeout=0.05)

        async def consume() -> None:
            with pytest.raises(TimeoutError):
                async for event in stream:
                    if event is BEGUN[1]:
                        await woken.wait()
            app.log.append("consumer went on")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consume)
            await eventually(lambda: "commit" in app.log)
            woken.set()
        assert app.log == ["closed", "commit", "committed", "consumer went on"]

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_an_idle_time_does_not_count_while_it_sends(loop: str) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP, idle_timeout=0.05)
        async for event in stream:
            if event is BEGUN[1]:
                await anyio.sleep(0.2)
        assert app.settlement.cause is Cause.ENDED

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_timers_are_called_off_at_the_end(loop: str) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(
            app.answer(BEGUN), app.commit, policy=policies.KEEP, timeout=0.1, idle_timeout=0.1
        )
        await drain(stream)
        await anyio.sleep(0.2)
        assert app.settlement.cause is Cause.ENDED

    run_on(loop, body)


@pytest.mark.parametrize("loop", ASYNCIO)
@pytest.mark.parametrize("error", [ConnectionError("gone"), asyncio.CancelledError()])
def test_a_send_that_raises_is_the_end_though_the_generator_lives_on(
    loop: str, error: BaseException
) -> None:
    async def body() -> None:
        app, kept = App(), []

        async def send() -> None:
            events = aiter(supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP))
            kept.append(events)
            async for event in events:
                if event is BEGUN[1]:
                    raise error

        task = asyncio.create_task(send())
        await eventually(lambda: app.settlements)
        assert app.texts == ["one "]
        assert app.settlement.cause is Cause.CANCELLED
        await asyncio.wait([task])
        if not task.cancelled():
            assert task.exception() is error

    run_on(loop, body)


def test_that_it_was_looked_at_is_not_said_of_an_error_that_nobody_looked_at() -> None:
    """Whoever forgets a task is told by the event loop what it raised, with us as without."""
    said: list[Any] = []

    async def body() -> None:
        app, kept = App(), []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))

        async def send() -> None:
            kept.append(aiter(supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP)))
            async for _ in kept[0]:
                raise ConnectionError("gone")

        task = asyncio.create_task(send())
        await eventually(lambda: app.settlements)
        del task
        gc.collect()

    asyncio.run(body())
    assert [str(context["exception"]) for context in said] == ["gone"]


@pytest.mark.parametrize("loop", ASYNCIO)
def test_a_task_that_hands_the_stream_on_is_not_its_end(loop: str) -> None:
    async def body() -> None:
        app = App()
        stream: Supervised[Any] = supervise(app.answer(WHOLE), app.commit, policy=policies.KEEP)
        events: Any = aiter(stream)
        for expected in WHOLE:
            assert await asyncio.create_task(anext(events)) is expected
            await asyncio.sleep(0.01)
        assert app.settlements == []
        await events.aclose()

    run_on(loop, body)
