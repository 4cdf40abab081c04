"""An exchange: one request and its streamed answer, about to begin."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import Any

import attrs
from anyio.lowlevel import checkpoint

from chatkit_reducer.policy import Policy

__all__ = ["Exchange"]


async def _transport(frame: Any) -> None:
    """Sends a frame nowhere, and suspends once, as a socket does when it is full."""
    await checkpoint()


@attrs.frozen(kw_only=True)
class Exchange:
    """One request and its streamed answer, about to begin.

    It has to be the same every time it is made, the ids of its items included. What may differ is
    each `created_at`.
    """

    events: Callable[[], AsyncIterable[Any] | Awaitable[AsyncIterable[Any]]]
    """Begins it: gives what the client receives, or an awaitable of that. Events of this package or
    of the SDK, JSON mappings or texts, or frames of server-sent events. If it is an async context
    manager, as what `supervise` gives, it is entered first. Nothing else may hold on to it."""
    stored: Callable[[], Iterable[Mapping[str, Any]] | Awaitable[Iterable[Mapping[str, Any]]]]
    """What the store holds, as plain ChatKit JSON. Asked before the exchange, and after it."""
    policy: Policy
    """What should survive."""
    writes: Callable[[], Iterable[tuple[str, str]]] | None = None
    """All writes so far, each `add`, `save` or `delete` and the id of an item, to see what was
    added twice. Without it only what the store holds twice is seen."""
    send: Callable[[Any], Awaitable[object]] = _transport
    """What the client does with a frame. Once it is called, the frame counts as seen."""
    stop: Callable[[], object] | None = None
    """Ends the stream from elsewhere; called while the client waits."""
    fail_at: Callable[[int], object] | None = None
    """Called before it begins: makes the producer raise instead of its event with this number, from
    1; the number after the last one stands for its end."""
