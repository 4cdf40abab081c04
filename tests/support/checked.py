"""An answer that the checks are given, and the words of a check that fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from textwrap import dedent
from typing import Any

import pytest
from anyio.lowlevel import checkpoint

from chatkit_reducer.events import Event
from chatkit_reducer.testing import examples as x

HELLO = x.message("m", "Hello")
CARD = {"type": "Card", "children": [{"type": "Text", "id": "t", "value": "a"}]}

ANSWER: list[Event] = [
    x.added(x.message("m")),
    x.part_added("m", x.part("")),
    x.text_delta("m", "Hello"),
    x.done(x.message("m", "Hello")),
]


async def answering(events: Iterable[Any] = ANSWER) -> AsyncIterator[Any]:
    for event in events:
        await checkpoint()
        yield event


async def later() -> AsyncIterator[Any]:
    await checkpoint()
    return answering()


def failure(check: Callable[..., object], *args: Any, **options: Any) -> str:
    """What a check says that fails."""
    with pytest.raises(AssertionError) as caught:
        check(*args, **options)
    return str(caught.value)


def text(indented: str) -> str:
    return dedent(indented).strip()
