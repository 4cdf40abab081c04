"""A commit that is cut off in the middle."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import attrs

from chatkit_reducer.settlement import Settlement, Write
from chatkit_reducer.testing.cancellation.running import Watched

__all__ = ["Cut", "CutKind", "commit_cut_off", "commit_whole"]

Commit: TypeAlias = Callable[[Settlement], Any]
AtPoint: TypeAlias = Callable[[int], BaseException | None]


class Interrupted(Exception):  # noqa: N818  # the name of what happens to the store
    """Stands for whatever a database raises."""


class CutKind(StrEnum):
    """How a commit is cut off."""

    FAILING_WRITE = "failed at write"
    """`Settlement.writes` raises instead of giving this write: no event loop is needed for it."""
    EXCEPTION = "failed at await"
    """What it waits for raises."""
    CANCELLATION = "was cancelled at await"
    """Its task is cancelled while it waits."""


class Cut(NamedTuple):
    """Where a commit is cut off."""

    kind: CutKind
    number: int
    """Which write, or which time that it waits; from 1."""

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


async def commit_whole(commit: Commit, settlement: Settlement) -> int:
    """Commits; how often it waited for something."""
    waited = 0

    def count(number: int) -> None:
        nonlocal waited
        waited = number

    result = commit(settlement)
    if inspect.isawaitable(result):
        await _watched(result, count)
    return waited


async def commit_cut_off(commit: Commit, settlement: Settlement, cut: Cut) -> bool:
    """Commits, and is cut off; whether it told so, by raising something."""
    if cut.kind is CutKind.FAILING_WRITE:
        values = attrs.asdict(settlement, recurse=False)
        settlement = _FailingSettlement(**values, fails_at=cut.number)
    try:
        result = commit(settlement)
        if inspect.isawaitable(result):
            task = asyncio.create_task(_watched(result, partial(_cut_at, cut)))
            await asyncio.wait({task})  # not awaited itself: a cancellation is for that task alone
            if task.cancelled():
                return True
            task.result()
    except Exception:  # noqa: BLE001  # a store may put it into an exception of its own
        return True
    return False


def _cut_at(cut: Cut, number: int) -> BaseException | None:
    if number != cut.number:
        return None
    if cut.kind is CutKind.EXCEPTION:
        return Interrupted("the connection was lost")
    task = asyncio.current_task()
    if cut.kind is CutKind.CANCELLATION and task is not None:
        task.cancel()
    return None


async def _watched(awaitable: Awaitable[Any], at_point: AtPoint) -> None:
    async def awaited() -> None:
        await awaitable

    await Watched(awaited(), at_point)


class _FailingWrites(tuple[Write, ...]):
    """Writes of which one cannot be had."""

    fails_at: int

    def __iter__(self) -> Iterator[Write]:
        for number, write in enumerate(super().__iter__(), 1):
            if number == self.fails_at:
                raise Interrupted("the connection was lost")
            yield write


@attrs.frozen(kw_only=True)
class _FailingSettlement(Settlement):
    """A settlement that cannot be read to its end."""

    fails_at: int

    @property
    def writes(self) -> tuple[Write, ...]:
        """As far as they can be had."""
        writes = _FailingWrites(Settlement.writes.__get__(self))
        writes.fails_at = self.fails_at
        return writes
