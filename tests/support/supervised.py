"""What the tests of `supervise` have in common: an application, a producer, the event loops."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from importlib.util import find_spec
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from _pytest.mark import ParameterSet

from chatkit_reducer import Settlement, policies
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.events import Event
from chatkit_reducer.supervise import Supervised
from chatkit_reducer.testing.examples import added, done, message, text_delta

__all__ = [
    "ASYNCIO",
    "BEGUN",
    "LOOPS",
    "NO_MARKER",
    "WHOLE",
    "App",
    "drain",
    "eventually",
    "run_on",
    "text_of",
    "this_task",
    "with_loops",
]

_UVLOOP = pytest.param(
    "uvloop", marks=pytest.mark.skipif(find_spec("uvloop") is None, reason="uvloop is optional")
)
ASYNCIO = ["asyncio", _UVLOOP]
LOOPS = [*ASYNCIO, "trio"]


def with_loops(loops: Iterable[Any], values: Iterable[Any]) -> list[Any]:
    """Parameters: each of the loops with each of the values."""
    return [
        pytest.param(loop.values[0], value, marks=loop.marks)
        if isinstance(loop, ParameterSet)
        else pytest.param(loop, value)
        for loop in loops
        for value in values
    ]


NO_MARKER = Policy(name="keep without marker", about="", rows=policies.KEEP.rows)

BEGUN: list[Event] = [added(message("m")), text_delta("m", "one "), text_delta("m", "two ")]
WHOLE: list[Event] = [*BEGUN, done(message("m", "one two "))]


def run_on(loop: str, body: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine function on an event loop; it must come to its end in 30 seconds."""

    @functools.wraps(body)
    async def in_time() -> None:
        with anyio.fail_after(30):
            await body()

    if loop == "trio":
        anyio.run(in_time, backend="trio")
    else:
        anyio.run(in_time, backend="asyncio", backend_options={"use_uvloop": loop == "uvloop"})


class App:
    """An application: it keeps what it was given to commit, and in which order things happened.

    Args:
        seconds: how long a commit takes.
        errors: what the first commits raise, one each.
    """

    def __init__(self, seconds: float = 0.0, errors: list[BaseException] | None = None) -> None:
        self.settlements: list[Settlement] = []
        self.log: list[str] = []
        self._seconds = seconds
        self._errors = errors or []

    async def commit(self, settlement: Settlement) -> None:
        self.log.append("commit")
        for _ in range(3):  # under a cancel scope, every one of these would be cancelled
            await anyio.sleep(self._seconds / 3)
        if self._errors:
            raise self._errors.pop(0)
        self.settlements.append(settlement)
        self.log.append("committed")

    async def answer(self, events: list[Any], wait_at: int | None = None) -> AsyncIterator[Any]:
        try:
            for number, event in enumerate(events):
                if number == wait_at:
                    await anyio.sleep(3600)
                await anyio.lowlevel.checkpoint()
                yield event
            if wait_at == len(events):
                await anyio.sleep(3600)
        finally:
            self.log.append("closed")

    @property
    def settlement(self) -> Settlement:
        (settlement,) = self.settlements
        return settlement

    @property
    def texts(self) -> list[str]:
        """The texts that were written."""
        return text_of(self.settlement)


def text_of(settlement: Settlement) -> list[str]:
    """The texts that a settlement writes."""
    return [
        part["text"]
        for write in settlement.writes
        if write.item["type"] == "assistant_message"
        for part in write.item["content"]
    ]


async def drain(stream: Supervised[Any]) -> list[Any]:
    """All events of a stream."""
    return [event async for event in stream]


async def eventually(holds: Callable[[], object]) -> None:
    """Wait until it holds."""
    with anyio.fail_after(10):
        while not holds():
            await anyio.sleep(0.001)


def this_task() -> asyncio.Task[Any]:
    """The task that is running, of asyncio."""
    task = asyncio.current_task()
    assert task is not None
    return task
