"""`fold`: many events, with the result of `reduce` one by one, only faster.

Two things make it fast. The map of items is written in place while nobody can see it (`Draft`).
And the item that is streaming is a draft of its own, which takes updates in a tight loop
(`items.DRAFTS`). Every other event goes the way that it goes in `reduce`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from chatkit_reducer.book import Book, Draft
from chatkit_reducer.events import (
    AssistantMessageContentPartTextDelta,
    Event,
    ThreadItemDone,
    ThreadItemReplaced,
    ThreadItemUpdated,
    Unreadable,
)
from chatkit_reducer.items import DRAFTS, ItemDraft
from chatkit_reducer.items.base import END
from chatkit_reducer.state import ThreadState, open_item
from chatkit_reducer.thread import step, with_book

__all__ = ["Folding", "fold"]


def fold(
    events: Iterable[Event | Unreadable],
    state: ThreadState | None = None,
    *,
    strict: bool = False,
    position: int | None = None,
) -> ThreadState:
    """Many events: the state that `reduce` makes of them one by one.

    Args:
        events: what arrived, in order: a list, a generator, a log (`chatkit_reducer.logs.read`).
        state: the thread before them; the empty one if left out. It stays as it was.
        strict: raise at the first fault in the data.
        position: how many events of the stream came before these, for anomalies; as many as the
            state has counted if left out.

    Returns:
        The state after all of them; `state` itself if nothing changed.

    Raises:
        AnomalyError: in strict mode, with the anomaly that lenient mode would have recorded.
        TypeError: one of `events` is none of this package's events.
    """
    state = ThreadState() if state is None else state
    if not isinstance(state, ThreadState):
        raise TypeError(
            f"fold takes events and a ThreadState, not {type(state).__name__}: "
            "make one of stored items with ThreadState.from_items"
        )
    folding = Folding(state, strict=strict, position=position)
    folding.take(events)
    return folding.state()


class Folding:
    """A fold that goes on: events come in pieces, and the state is made when asked for."""

    def __init__(
        self, state: ThreadState, *, strict: bool = False, position: int | None = None
    ) -> None:
        self._before = state
        # `step` asks no more of a book than what a draft has as well. Nobody else sees this state.
        draft = cast(Book, Draft(state._book))
        self._start = self._now = with_book(state, draft, state.position)
        self._item: ItemDraft | None = None
        self.position: int = state.position if position is None else position
        """How many events of the stream were taken."""
        self._strict = strict
        self.run_length: int = 0
        """How many events the newest run of updates had that an item draft took."""

    def take(self, events: Iterable[Event | Unreadable]) -> None:
        """Folds these events."""
        stream = iter(events)
        event = next(stream, END)
        while event is not END:
            if type(event) is ThreadItemUpdated and event.item_id == self._now._open_id:
                draft = self._item or self._draft()
                if draft is not None:
                    event, count = draft.take(event.item_id, event, stream)
                    self.position += count
                    self.run_length = count
                    if count:
                        continue
            self._step(event)
            event = next(stream, END)

    def _draft(self) -> ItemDraft | None:
        """A draft of the item that is streaming, if its type has one."""
        now = self._now
        kind = DRAFTS.get(type(now._open))
        if kind is None or now._book.progress is not None:  # the first update has to clear it
            return None
        self._item = kind(open_item(now))
        return self._item

    def _step(self, event: Event | Unreadable) -> None:
        """Folds one event as `reduce` does."""
        if not _supersedes(event, self._now._open_id):
            self._put_back()
        self._item = None
        self._now = step(self._now, event, self.position, strict=self._strict)
        self.position += type(event) is not Unreadable
        self.run_length = 0

    def _put_back(self) -> None:
        """The item that is streaming, from the draft into the state."""
        now = self._now
        if self._item is not None:
            item = self._item.item()
            if item is not open_item(now):
                self._now = ThreadState(now._book, now._open_id, item)
            self._item = None

    def take_text(self, item_id: str, content_index: int, pieces: list[str]) -> None:
        """Folds text deltas for one part of one message, of which these are the pieces."""
        delta = AssistantMessageContentPartTextDelta(content_index, "".join(pieces))
        self.take([ThreadItemUpdated(item_id, delta)])
        self.position += len(pieces) - 1

    def state(self) -> ThreadState:
        """The state after all that was taken."""
        self._put_back()
        now = self._now
        if now is self._start:
            return self._before
        return with_book(now, cast(Draft, now._book).book(), self.position)


def _supersedes(event: Event | Unreadable, item_id: str | None) -> bool:
    """Whether the event brings the whole item, so that nobody will ask for what was folded."""
    return (
        isinstance(event, (ThreadItemDone, ThreadItemReplaced)) and event.item.get("id") == item_id
    )
