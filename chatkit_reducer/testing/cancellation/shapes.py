"""The shapes that the generator of a response may have, besides a plain loop of yields."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from enum import StrEnum
from typing import TypeVar

from anyio.lowlevel import checkpoint

__all__ = ["Shape", "ShapeError", "shapes_of", "yield_in_shape"]

T = TypeVar("T")


class Shape(StrEnum):
    """How a response yields its events."""

    TASK_GROUP = "task_group"
    """From inside an `asyncio.TaskGroup`, whose other task makes them."""
    NESTED = "nested"
    """From a generator inside of another one, that waits when it is closed."""
    EARLY_RETURN = "early_return"
    """It returns in the middle of an item."""
    RAISES = "raises"
    """It raises in the middle of an item."""
    STUBBORN = "stubborn"
    """It swallows the first cancellation, and goes on."""


class ShapeError(Exception):
    """The exception of a response whose shape is to raise."""


def shapes_of(named: Iterable[Shape | str] | str | None) -> tuple[Shape, ...]:
    """Look up shapes by their names; None stands for all.

    Raises:
        ValueError: a shape is unknown.
    """
    if named is None:
        return tuple(Shape)
    names = [named] if isinstance(named, str) else list(named)
    for name in names:
        if name not in list(Shape):
            raise ValueError(f"there is no shape {name!r}: the shapes are {', '.join(Shape)}")
    return tuple(Shape(name) for name in names)


def yield_in_shape(shape: Shape, events: Sequence[T]) -> AsyncIterator[T]:
    """Yield the events in this shape; it suspends before each."""
    match shape:
        case Shape.TASK_GROUP:
            return _in_task_group(events)
        case Shape.NESTED:
            return _nested(events)
        case Shape.EARLY_RETURN:
            return _plain(_first_part(events))
        case Shape.RAISES:
            return _raising(_first_part(events))
        case Shape.STUBBORN:
            return _stubborn(events)


def _first_part(events: Sequence[T]) -> Sequence[T]:
    return events[: -(len(events) // 3)]


async def _plain(events: Sequence[T]) -> AsyncIterator[T]:
    for event in events:
        await checkpoint()
        yield event


async def _in_task_group(events: Sequence[T]) -> AsyncIterator[T]:
    queue: asyncio.Queue[T] = asyncio.Queue(1)

    async def produce() -> None:
        for event in events:
            await queue.put(event)

    async with asyncio.TaskGroup() as group:
        group.create_task(produce())
        for _ in events:
            yield await queue.get()


async def _nested(events: Sequence[T]) -> AsyncIterator[T]:
    try:
        async for event in _closing_slowly(events):
            yield event
    finally:
        await checkpoint()


async def _closing_slowly(events: Sequence[T]) -> AsyncIterator[T]:
    try:
        async for event in _plain(events):
            yield event
    finally:
        await checkpoint()


async def _raising(events: Sequence[T]) -> AsyncIterator[T]:
    async for event in _plain(events):
        yield event
    raise ShapeError("told to fail in mid-answer")


async def _stubborn(events: Sequence[T]) -> AsyncIterator[T]:
    has_swallowed = False
    for event in events:
        try:
            await checkpoint()
        except asyncio.CancelledError:
            if has_swallowed:
                raise
            has_swallowed = True
        yield event
