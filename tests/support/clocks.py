"""An event loop whose clock a test moves on, so that it need not wait."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["move_on", "run_with_clock"]

T = TypeVar("T")


class _Clock(asyncio.SelectorEventLoop):
    """An event loop that can be set ahead of the time."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def run_with_clock(body: Coroutine[Any, Any, T]) -> T:
    """Run it in a loop whose clock `move_on` moves."""
    with asyncio.Runner(loop_factory=_Clock) as runner:
        return runner.run(body)


def move_on(seconds: float) -> None:
    """Let so many seconds be over at once: all timers that end in them are due."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _Clock)
    loop.ahead += seconds
