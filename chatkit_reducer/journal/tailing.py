"""Reading a response to its end, and on: pages from a server, and hints that there is a next one.

A hint says only "look again". One that is lost costs time, as the reader looks by itself every now
and then; one too many costs a look. A hint that comes while a reader looks is kept until it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Hashable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Generic, TypeVar

import attrs

from chatkit_reducer.journal.protocol import JournalError

__all__ = ["Hints", "Page", "Shared", "tail"]

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@attrs.frozen
class Page:
    """Some records of a response, and where it ends."""

    first: int
    """The position of the first record."""
    records: list[bytes]
    end: int
    closed: bool


class Hints:
    """The readers of this process that wait, by the response that they wait for."""

    def __init__(self) -> None:
        self._readers: dict[str, set[asyncio.Event]] = {}

    @property
    def responses(self) -> Collection[str]:
        """The responses that are being followed."""
        return self._readers.keys()

    @contextmanager
    def watch(self, response: str) -> Iterator[asyncio.Event]:
        """Give an event that each hint for a response sets."""
        event = asyncio.Event()
        readers = self._readers.setdefault(response, set())
        readers.add(event)
        try:
            yield event
        finally:
            readers.discard(event)
            if not readers:
                self._readers.pop(response, None)

    def wake(self, response: str) -> None:
        """Let the readers of a response look again."""
        for event in self._readers.get(response, ()):
            event.set()

    def wake_all(self) -> None:
        """Let all readers look again."""
        for response in self._readers:
            self.wake(response)


class Shared(Generic[K, T]):
    """Callers that ask the same at the same time get one answer, from one question.

    Fifty readers that follow one response stand at the same position, and are woken together. A
    question that is on its way is not shared any more: its answer need not show what was written
    since, and a reader that begins behind an append must get it.
    """

    def __init__(self, ask: Callable[[K], Awaitable[T]]) -> None:
        self._ask = ask
        self._not_sent: dict[K, asyncio.Task[T]] = {}
        self._tasks: set[asyncio.Task[T]] = set()

    async def __call__(self, question: K) -> T:
        """Ask, or share a question that is not on its way yet; a cancelled caller ends none."""
        task = self._not_sent.get(question)
        if task is None:
            task = asyncio.create_task(self._send(question))
            self._not_sent[question] = task
            self._tasks.add(task)
            task.add_done_callback(self._finish)
        return await asyncio.shield(task)

    async def _send(self, question: K) -> T:
        del self._not_sent[question]
        return await self._ask(question)

    def _finish(self, task: asyncio.Task[T]) -> None:
        """Take note of an error; those who asked may all have left."""
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

    async def aclose(self) -> None:
        """End the questions under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        self._not_sent.clear()
        await asyncio.gather(*tasks, return_exceptions=True)


async def tail(
    ask: Callable[[tuple[str, int]], Awaitable[Page | None]],
    response: str,
    after: int,
    *,
    hints: Hints | None,
    pause: Callable[[], float],
) -> AsyncGenerator[tuple[int, bytes], None]:
    """Yield the records behind a position; go on to wait for more, if there are hints to wait for.

    Args:
        ask: returns a page of a response behind a position; None if the response does not exist.
        response: its id.
        after: the position.
        hints: set when there may be more. They are watched before the first look.
        pause: how long to wait for one before looking without.
    """
    with nullcontext() if hints is None else hints.watch(response) as hint:
        while True:
            if hint is not None:
                hint.clear()
            page = await ask((response, after))
            for record in _next(page, response, after):
                after += 1
                yield after, record
            assert page is not None
            if after < page.end:
                continue
            if page.closed or hint is None:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(hint.wait(), pause())


def _next(page: Page | None, response: str, after: int) -> list[bytes]:
    """Return the records of a page that come behind a position, with nothing left out."""
    if page is None:
        raise JournalError(
            f"expected a response with the id {response!r}, got none: it was never begun, or is "
            "forgotten; read the thread from its store"
        )
    if not 0 <= after <= page.end:
        raise JournalError(
            f"expected a position from 0 to {page.end}, the end of {response!r}, got {after}: "
            "read it from the beginning"
        )
    records = page.records[max(0, after + 1 - page.first) :] if page.records else []
    if after < page.end and (not records or page.first > after + 1):
        raise JournalError(
            f"expected record {after + 1} of {response!r}, got the next one that is left, "
            f"{page.first if records else 'none'}: it was trimmed; read the thread from its store"
        )
    return records
