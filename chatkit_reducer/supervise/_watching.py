"""A watcher of streams: a development tool that is told of each event, and can do no harm.

It is told after the fold and before the consumer gets the event. If it raises, that is logged once,
and it is told nothing more of this stream.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.errors import CommitError
from chatkit_reducer.events import Event, Json, ThreadItemDone

__all__ = ["Watched", "Watcher", "Watching"]

logger: logging.Logger = logging.getLogger("chatkit_reducer.supervise")


class Watched(Protocol):
    """One stream, as a watcher sees it. Its methods must not block."""

    def take(self, event: Event, /) -> object:
        """Take the next event."""
        ...

    def finish(self, settlement: Settlement | None, failure: CommitError | None, /) -> object:
        """Take the end of the stream: the decisions, and the reason why their commit failed."""
        ...


class Watcher(Protocol):
    """A tool that watches streams, such as `chatkit_reducer.view.watching.Watcher`."""

    def watch(self, state: ThreadState, policy: Policy, /) -> Watched:
        """Begin to watch a stream.

        Args:
            state: the thread before its events.
            policy: the table that decides at its end.
        """
        ...


class Watching:
    """Tells a watcher of one stream.

    Args:
        watcher: the watcher.
        state: the thread before the stream.
        policy: the table that decides at its end.
    """

    def __init__(self, watcher: Watcher, state: ThreadState, policy: Policy) -> None:
        self._watched: Watched | None = None
        self._tell(lambda: self._begin(watcher, state, policy))

    def _begin(self, watcher: Watcher, state: ThreadState, policy: Policy) -> None:
        self._watched = watcher.watch(state, policy)

    def take(self, event: Event | None) -> None:
        """Tell of an event; None is one that could not be converted."""
        watched = self._watched
        if watched is not None and event is not None:
            self._tell(lambda: watched.take(event))

    def take_found(self, item: Json | None) -> None:
        """Tell of the store's copy of an item that is about to be updated, as of a done item."""
        if item is not None:
            self.take(ThreadItemDone(item))

    def finish(self, settlement: Settlement | None, failure: CommitError | None) -> None:
        """Tell of the end."""
        watched = self._watched
        if watched is not None:
            self._tell(lambda: watched.finish(settlement, failure))

    def _tell(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception:
            self._watched = None
            logger.exception("A watcher failed, and does not see the rest of a stream: see below.")
