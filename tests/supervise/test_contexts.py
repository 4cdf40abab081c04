"""`supervise`: whoever ends a stream, what it calls runs in the context of its consumer."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import anyio
import pytest

from chatkit_reducer import Settlement, policies
from chatkit_reducer.supervise import MarkerFields, supervise
from chatkit_reducer.testing.examples import value_delta
from tests.support.supervised import (
    ASYNCIO,
    BEGUN,
    LOOPS,
    App,
    drain,
    eventually,
    run_on,
    with_loops,
)

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


class VisibleContent:
    """What was called, and in which context."""

    def __init__(self) -> None:
        self.by_call: dict[str, set[str]] = {}

    def note(self, call: str) -> None:
        self.by_call.setdefault(call, set()).add(tenant.get())

    async def commit(self, settlement: Settlement) -> None:
        await anyio.lowlevel.checkpoint()
        self.note("commit")
        tenant.set("changed by the commit")
        raise OSError

    async def load(self, item_id: str) -> None:
        self.note("load")
        await anyio.lowlevel.checkpoint()
        self.note("load")

    def new_id(self) -> str:
        self.note("marker")
        return "marker"

    async def on_failure(self, failure: object) -> None:
        self.note("on_failure")
        await anyio.lowlevel.checkpoint()
        self.note("on_failure")


class Scene:
    """A stream, its consumer, and whoever ends it."""

    def __init__(self, **options: Any) -> None:
        self.seen = VisibleContent()
        self.stream = supervise(
            App().answer([*BEGUN, value_delta("w", "t", "x")], options.pop("wait_at", None)),
            self.seen.commit,
            policy=policies.KEEP,
            load=self.seen.load,
            commit_attempts=2,
            marker=MarkerFields(new_id=self.seen.new_id),
            on_failure=self.seen.on_failure,
            **options,
        )
        self.is_sending = anyio.Event()
        self.woken = anyio.Event()
        self.kept: list[Any] = []

    async def consume(self, at_last: Callable[[], Awaitable[object]] | None = None) -> None:
        tenant.set("the consumer")
        self.kept.append(aiter(self.stream))
        async for event in self.kept[0]:
            if event is BEGUN[-1] and at_last is not None:
                self.is_sending.set()
                await at_last()
        assert tenant.get() == "the consumer"


async def ends(scene: Scene) -> None:
    await in_another_task(scene.consume)


async def leaves(scene: Scene) -> None:
    await in_another_task(scene.consume, scene.stream.aclose)


async def is_stopped(scene: Scene) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.consume, scene.woken.wait)
        await scene.is_sending.wait()
        scene.stream.stop()
        scene.woken.set()


async def is_closed(scene: Scene) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.consume, scene.woken.wait)
        await scene.is_sending.wait()
        await scene.stream.aclose()
        scene.woken.set()


async def is_late(scene: Scene) -> None:
    async def consume() -> None:
        with pytest.raises(TimeoutError):
            await scene.consume(scene.woken.wait)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(consume)
        await eventually(lambda: scene.stream.failure)
        scene.woken.set()


async def is_cancelled(scene: Scene) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.consume)
        await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()


async def is_dropped(scene: Scene) -> None:
    async def drop() -> None:
        scene.kept.clear()
        raise ConnectionError

    async def consume() -> None:
        with contextlib.suppress(ConnectionError):
            await scene.consume(drop)

    await asyncio.create_task(consume())
    gc.collect()


async def is_left_behind(scene: Scene) -> None:
    async def lose_connection() -> None:
        raise ConnectionError

    task = asyncio.create_task(scene.consume(lose_connection))
    await asyncio.wait([task])
    assert isinstance(task.exception(), ConnectionError)


async def in_another_task(work: Callable[..., Any], *arguments: Any) -> None:
    """Run it in another task, so that its context is another, too."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work, *arguments)


ANYWHERE = [ends, leaves, is_stopped, is_closed, is_late, is_cancelled]
ENDS = [
    *with_loops(LOOPS, ANYWHERE),
    *with_loops(ASYNCIO, [is_dropped, is_left_behind]),
]


@pytest.mark.parametrize("own_task", [False, True])
@pytest.mark.parametrize(("loop", "way"), ENDS)
def test_whoever_ends_it(
    loop: str, way: Callable[[Scene], Awaitable[None]], own_task: bool
) -> None:
    async def body() -> None:
        tenant.set("whoever makes it")
        scene = Scene(
            own_task=own_task,
            wait_at=None if way is ends else 4,
            timeout=0.1 if way is is_late else None,
        )
        tenant.set("whoever ends it")
        await way(scene)
        await eventually(lambda: "on_failure" in scene.seen.by_call and scene.stream.failure)
        assert tenant.get() == "whoever ends it"
        calls = {"commit", "load", "on_failure"}
        if way not in (ends, is_late):  # the policy marks cancellations
            calls.add("marker")
        assert scene.seen.by_call == {call: {"the consumer"} for call in calls}

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_stream_that_nobody_iterates_has_the_context_in_which_it_was_made(loop: str) -> None:
    async def body() -> None:
        seen = VisibleContent()
        tenant.set("whoever makes it")
        stream = supervise(App().answer(BEGUN), seen.commit, policy=policies.KEEP)
        tenant.set("whoever ends it")
        await stream.aclose()
        assert seen.by_call == {"commit": {"whoever makes it"}}

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_the_settlement_may_close_its_own_stream(loop: str) -> None:
    """It is being closed: to wait for that would be to wait for itself."""

    async def body() -> None:
        calls: list[str] = []

        async def commit(settlement: Settlement) -> None:
            await stream.aclose()
            calls.append("commit")
            raise OSError

        async def on_failure(failure: object) -> None:
            async with stream:
                stream.stop()
            calls.append("on_failure")

        stream = supervise(
            App().answer(BEGUN),
            commit,
            policy=policies.KEEP,
            commit_attempts=1,
            on_failure=on_failure,
        )
        with anyio.fail_after(5):
            await drain(stream)
        assert calls == ["commit", "on_failure"]

    run_on(loop, body)
