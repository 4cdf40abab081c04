"""`fold`: many events, with the result of `reduce` one by one, only faster.

Two things make it fast. The map of items is written in place while nobody can see it (`Draft`). And
while updates of one kind come in crowds, the item type's own tight loop takes them (`items.RUNS`).
Every other event goes the way that it goes in `reduce`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from chatkit_reducer.events import (
    AssistantMessageContentPartTextDelta,
    Event,
    ThreadItemUpdated,
    Unreadable,
)
from chatkit_reducer.items import RUNS
from chatkit_reducer.state import Book, Draft, ThreadState, open_item
from chatkit_reducer.thread import step, with_book

__all__ = ["Folding", "fold"]

_NO_RUN: tuple[Any, Any] = (None, None)


def fold(
    events: Iterable[Event | Unreadable], state: ThreadState | None = None, *, strict: bool = False
) -> ThreadState:
    """Many events: the state that `reduce` makes of them one by one.

    Args:
        events: what arrived, in order: a list, a generator, a log (`chatkit_reducer.logs.read`).
        state: the thread before them; the empty one if left out. It stays as it was.
        strict: raise at the first fault in the data.

    Returns:
        The state after all of them; `state` itself if nothing changed.

    Raises:
        AnomalyError: in strict mode, with the anomaly that lenient mode would have recorded.
        TypeError: one of `events` is none of this package's events.
    """
    folding = Folding(ThreadState() if state is None else state, strict=strict)
    folding.take(events)
    return folding.state()


class Folding:
    """A fold that goes on: events are taken in pieces, and the state is made when it is asked for."""

    def __init__(self, state: ThreadState, *, strict: bool = False) -> None:
        self._before = state
        # `step` asks no more of a book than what a draft has as well. Nobody else sees this state.
        draft = cast(Book, Draft(state._book))
        self._start = self._now = with_book(state, draft, state.position)
        self._position = state.position
        self._strict = strict
        self.run_length = 0
        """How many events the tight loop took that was the last to run."""

    def take(self, events: Iterable[Event | Unreadable]) -> None:
        """Folds these events."""
        now, position, strict = self._now, self._position, self._strict
        stream = iter(events)
        event, count = next(stream, None), 0
        while event is not None:
            if type(event) is ThreadItemUpdated and event.item_id == now._open_id:
                kind, run = RUNS.get(type(event.update), _NO_RUN)
                if type(now._open) is kind and now._book.progress is None:
                    before = open_item(now)
                    item, event, count = run(before, event.item_id, event, stream)
                    if item is not before:
                        now = ThreadState(now._book, now._open_id, item, position=position)
                    position += count
                    if count:
                        continue
            now = step(now, event, position, strict)
            position += type(event) is not Unreadable
            event = next(stream, None)
        self._now, self._position, self.run_length = now, position, count

    def take_text(self, item_id: str, content_index: int, pieces: list[str]) -> None:
        """Folds text deltas for one part of one message, of which these are the pieces."""
        delta = AssistantMessageContentPartTextDelta(content_index, "".join(pieces))
        event = ThreadItemUpdated(item_id, delta)
        self._now = step(self._now, event, self._position, self._strict)
        self._position += len(pieces)

    def state(self) -> ThreadState:
        """The state after all that was taken."""
        now = self._now
        if now is self._start:
            return self._before
        return with_book(now, cast(Draft, now._book).book(), self._position)
