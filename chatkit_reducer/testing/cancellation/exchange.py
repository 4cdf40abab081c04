"""An exchange: one request and its streamed answer, about to begin."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import Any

import attrs
from anyio.lowlevel import checkpoint

from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.events import Event

__all__ = ["Exchange"]


async def _transport(frame: Any) -> None:
    """Send a frame nowhere, and suspend once, as a socket does when it is full."""
    await checkpoint()


@attrs.frozen(kw_only=True)
class Exchange:
    """One request and its streamed answer, about to begin.

    It has to be the same every time it is made, the ids of its items included; only each
    `created_at` may differ.
    """

    events: Callable[[], AsyncIterable[Any] | Awaitable[AsyncIterable[Any]]]
    """Begins it: gives the stream that the client receives, or an awaitable of it: events of this
    package or of the SDK, JSON mappings or texts, or frames of server-sent events. An async context
    manager, such as a supervised stream, is entered first. No other object may hold on to it."""
    stored: Callable[[], Iterable[Mapping[str, Any]] | Awaitable[Iterable[Mapping[str, Any]]]]
    """Reads the items of the store, as plain ChatKit JSON. Called before the exchange, and after
    it."""
    policy: Policy
    """The policy that says which items survive."""
    writes: Callable[[], Iterable[tuple[str, str]]] | None = None
    """Lists all writes so far, each `add`, `save` or `delete` and the id of an item, to find items
    that were added twice. Without it only copies that the store holds are found."""
    last_event: Event | None = None
    """The last event of the answer, where that is known: the events behind it are not of the
    answer, and bring the client in line with the store."""
    send: Callable[[Any], Awaitable[object]] = _transport
    """Sends a frame on for the client. Once it is called, the frame counts as seen."""
    stop: Callable[[], object] | None = None
    """Ends the stream from elsewhere; called while the client waits."""
    fail_at: Callable[[int], object] | None = None
    """Called before it begins: makes the producer raise instead of its event with this number, from
    1; the number after the last one stands for its end."""
