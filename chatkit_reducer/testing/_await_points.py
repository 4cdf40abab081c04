"""Run a coroutine and look at each await that suspends it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from itertools import count
from typing import Any, TypeAlias

AtPoint: TypeAlias = Callable[[int, Any], BaseException | None]
"""Called with the number of the await, from 1, and the object that it waits for. It may return an
exception, which the coroutine gets when the wait is over."""


class AwaitPoints:
    """An awaitable that runs a coroutine and calls `at_point` each time that it suspends.

    An exception that `at_point` returns is raised after the wait, not instead of it: a thread still
    writes to its end, and the answer of a database gets lost on the way.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None], at_point: AtPoint) -> None:
        self._coroutine = coroutine
        self._at_point = at_point

    def __await__(self) -> Generator[Any, Any, None]:
        inner = self._coroutine.__await__()
        step: Callable[[Any], Any] = inner.send
        given: Any = None
        failure: BaseException | None = None
        for number in count(1):
            try:
                waits_for = step(given)
            except StopIteration:
                return
            finally:
                given = failure = None  # an error in a frame that it went through is a cycle
            # The event loop has not seen `waits_for` yet, so a task can be cancelled in its wait.
            failure = self._at_point(number, waits_for)
            try:
                step, given = inner.send, (yield waits_for)
            except BaseException as error:  # noqa: BLE001  # it is for the coroutine
                step, given = inner.throw, error
            else:
                if failure is not None:
                    step, given = inner.throw, failure
