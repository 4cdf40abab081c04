"""The differences between the event loops, and the complaints of these and of Python."""

from __future__ import annotations

import asyncio
import sys
import warnings
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Literal, TypeAlias, get_args

import anyio

__all__ = [
    "AsyncioLoop",
    "Backend",
    "EventLoop",
    "TrioLoop",
    "check_backend",
    "check_timeout",
    "complaints_of_python",
    "generators_begun",
]

Backend: TypeAlias = Literal["asyncio", "trio"]


def check_backend(backend: str) -> None:
    """Raise ValueError for an unknown event loop."""
    if backend not in get_args(Backend):
        raise ValueError(f"backend={backend!r}: the event loop is asyncio or trio")


def check_timeout(timeout: float) -> None:
    """Raise ValueError if the timeout leaves no time."""
    if not timeout > 0:
        raise ValueError(
            f"timeout={timeout!r} leaves no time to try anything: pass a number of seconds"
        )


class AsyncioLoop:
    """asyncio, which can cancel tasks from outside, and list those that still run."""

    def __init__(self) -> None:
        self._before = asyncio.all_tasks()
        self._client: asyncio.Task[None] | None = None

    async def conduct(
        self,
        client: Coroutine[Any, Any, None],
        limit: float,
        at_turn: Callable[[int], None] | None = None,
    ) -> bool:
        """Run the client of an exchange; return whether it came to its end in time."""
        loop = asyncio.get_running_loop()
        self._client, end = loop.create_task(client, name="client"), loop.time() + limit
        if at_turn is not None:
            for turn in count(1):
                await asyncio.sleep(0)
                if self._client.done() or loop.time() > end:
                    break
                at_turn(turn)
        await asyncio.wait({self._client}, timeout=max(0, end - loop.time()))
        return self._client.done()

    def cancel_client(self) -> None:
        """Cancel the task of the client."""
        assert self._client is not None
        self._client.cancel()

    def cancel_all(self) -> None:
        """Cancel all tasks that have begun since."""
        for task in self._others():
            task.cancel()

    def running(self) -> list[str]:
        """List the tasks that have begun since, and still run."""
        return [f"task {task.get_name()}: {task.get_coro()!r}" for task in self._others()]

    def _others(self) -> set[asyncio.Task[Any]]:
        return asyncio.all_tasks() - self._before

    def clear(self) -> None:
        """Cancel the tasks that are left over, so that they do not disturb the next exchange."""
        self.cancel_all()

    @contextmanager
    def complaints(self, noted: list[str]) -> Iterator[None]:
        """Record the complaints of the event loop about exceptions that were never retrieved."""
        loop = asyncio.get_running_loop()
        handler = loop.get_exception_handler()
        loop.set_exception_handler(lambda _, context: noted.append(_complaint(context)))
        try:
            yield
        finally:
            loop.set_exception_handler(handler)


def _complaint(context: dict[str, Any]) -> str:
    return f"{context.get('message')}: {context.get('exception')!r}"


class TrioLoop:
    """Trio, which cancels scopes alone."""

    def __init__(self) -> None:
        import trio

        self._statistics = trio.lowlevel.current_statistics
        self._before = self._statistics().tasks_living

    async def conduct(
        self,
        client: Coroutine[Any, Any, None],
        limit: float,
        at_turn: Callable[[int], None] | None = None,
    ) -> bool:
        """Run the client of an exchange; return whether it came to its end in time."""
        with anyio.move_on_after(limit) as scope:
            await client
        return not scope.cancelled_caught

    def cancel_client(self) -> None:
        """Do nothing: Trio has none of the ways that need this."""

    def cancel_all(self) -> None:
        """Do nothing, for the same reason."""

    def running(self) -> list[str]:
        """List the tasks that have begun since, and still run."""
        more = self._statistics().tasks_living - self._before
        return [f"{more} tasks"] if more > 0 else []

    def clear(self) -> None:
        """Do nothing: tasks that are left over cannot be cancelled from outside."""

    @contextmanager
    def complaints(self, noted: list[str]) -> Iterator[None]:
        """Record nothing: Trio raises every exception itself."""
        yield


EventLoop: TypeAlias = AsyncioLoop | TrioLoop


@contextmanager
def complaints_of_python(noted: list[str]) -> Iterator[None]:
    """Record warnings and unraisable exceptions about coroutines and generators."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda it: noted.append(f"{it.err_msg or ''} {it.exc_value!r}".strip())
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        sys.unraisablehook = hook
    # Trio also warns of each generator that is dropped, and some clients drop theirs.
    noted += [str(one.message) for one in caught if issubclass(one.category, RuntimeWarning)]


@contextmanager
def generators_begun() -> Iterator[weakref.WeakSet[AsyncGenerator[Any, Any]]]:
    """Collect the async generators that are begun meanwhile, as long as they live."""
    begun: weakref.WeakSet[AsyncGenerator[Any, Any]] = weakref.WeakSet()
    hooks = sys.get_asyncgen_hooks()

    def note(generator: AsyncGenerator[Any, Any]) -> None:
        begun.add(generator)
        if hooks.firstiter is not None:
            hooks.firstiter(generator)

    sys.set_asyncgen_hooks(firstiter=note)
    try:
        yield begun
    finally:
        sys.set_asyncgen_hooks(firstiter=hooks.firstiter)
