"""The time limit of a write to a journal, where the write does not play along (asyncio)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import anyio
import pytest

from chatkit_reducer.supervise import _write_limit
from chatkit_reducer.supervise._write_limit import limited
from tests.support.supervised import ASYNCIO, run_on


class Watch:
    """Runs writes with a limit, and counts those that took longer."""

    def __init__(self, seconds: float | None = 0.01) -> None:
        self.overran = 0
        self._begin = limited(seconds, self._count)

    def _count(self) -> None:
        self.overran += 1

    async def run(self, write: Coroutine[Any, Any, None]) -> None:
        with anyio.fail_after(5):
            rest = self._begin(write)
            if rest is not None:
                await rest


def uncancelled() -> bool:
    task = asyncio.current_task()
    assert task is not None
    return not task.cancelling()


async def deaf() -> None:
    """Ignore every cancellation."""
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue


async def late() -> None:
    """Come to an end when cancelled, as if nothing had happened."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(0)


async def stuck() -> None:
    await asyncio.sleep(60)


async def stuck_in_scopes() -> None:
    async with asyncio.timeout(60):
        with anyio.fail_after(60):
            await asyncio.sleep(60)


async def tidy() -> None:
    """Clean up when cancelled, for longer than the limit."""
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.03)


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_write_limit, "_GRACE", 0.1)


@pytest.mark.parametrize("loop", ASYNCIO)
@pytest.mark.parametrize("write", [deaf, late, stuck, stuck_in_scopes, tidy])
def test_a_write_that_takes_too_long_is_left(loop: str, write: Any) -> None:
    async def body() -> None:
        watch = Watch()
        await watch.run(write())
        assert watch.overran == 1
        assert uncancelled()

    run_on(loop, body)


@pytest.mark.parametrize("loop", ASYNCIO)
@pytest.mark.parametrize("write", [deaf, stuck, stuck_in_scopes, tidy])
@pytest.mark.parametrize("seconds", [0.01, 60])
def test_a_cancellation_from_elsewhere_is_raised(loop: str, write: Any, seconds: float) -> None:
    async def body() -> None:
        watch = Watch(seconds)
        task = asyncio.create_task(watch.run(write()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert watch.overran == 0  # the write was cut off, and is done again

    run_on(loop, body)


@pytest.mark.parametrize("loop", ASYNCIO)
@pytest.mark.parametrize("seconds", [None, 60])
def test_a_write_in_time_is_left_alone(loop: str, seconds: float | None) -> None:
    async def body() -> None:
        done: list[int] = []

        async def write(turns: int) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            done.append(turns)

        watch = Watch(seconds)
        for turns in range(3):
            await watch.run(write(turns))
        assert done == [0, 1, 2]
        assert watch.overran == 0

    run_on(loop, body)


@pytest.mark.parametrize("loop", ASYNCIO)
@pytest.mark.parametrize("turns", [0, 1])
def test_an_exception_of_the_write_is_raised(loop: str, turns: int) -> None:
    async def write(error: BaseException) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        raise error

    async def body() -> None:
        for error in (ValueError(), asyncio.CancelledError()):
            with pytest.raises(type(error)):
                await Watch(60).run(write(error))

    run_on(loop, body)


def test_a_write_that_does_not_wait_has_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()

        async def write() -> None: ...

        begin = limited(60, lambda: None)
        monkeypatch.setattr(loop, "call_later", pytest.fail)
        assert begin(write()) is None

    run_on("asyncio", body)
