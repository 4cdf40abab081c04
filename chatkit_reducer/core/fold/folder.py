"""`fold`: many events at once, with the result of `reduce` one by one.

Two things make it fast: the contents of the thread are a draft, changed in place, and so is the
streaming item, which takes runs of updates in a tight loop. Other events go through `reduce`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from chatkit_reducer.core.fold.contents_draft import ContentsDraft
from chatkit_reducer.core.fold.draft import EXHAUSTED, ItemDraft, Mend
from chatkit_reducer.core.fold.message_draft import MessageDraft
from chatkit_reducer.core.fold.widget_draft import WidgetDraft
from chatkit_reducer.core.fold.workflow_draft import WorkflowDraft
from chatkit_reducer.core.halves import mended_json
from chatkit_reducer.core.items import AssistantMessage, Widget, Workflow
from chatkit_reducer.core.thread.arguments import iterate, require_state
from chatkit_reducer.core.thread.contents import ThreadContents
from chatkit_reducer.core.thread.reduce import mended_event, step
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    AssistantMessageContentPartTextDelta,
    Event,
    ThreadItemDone,
    ThreadItemReplaced,
    ThreadItemUpdated,
    Unreadable,
)

__all__ = ["DRAFTS", "Folder", "fold"]

DRAFTS: dict[type[Any] | None, type[ItemDraft]] = {
    AssistantMessage: MessageDraft,
    Widget: WidgetDraft,
    Workflow: WorkflowDraft,
}
"""State class: its draft, if it has one. `fold` is faster with it, and the same without."""


def fold(
    events: Iterable[Event | Unreadable],
    state: ThreadState | None = None,
    *,
    strict: bool = False,
    position: int | None = None,
) -> ThreadState:
    """Many events: the state that `reduce` makes of them one by one.

    Args:
        events: the events in order: a list, a generator, a log (`chatkit_reducer.logs.read`).
        state: the thread before them; the empty one if left out. It stays as it was.
        strict: raise at the first fault in the data.
        position: how many events of the stream came before these, for anomalies; as many as the
            state has counted if left out.

    Returns:
        The state after all of them; `state` itself if nothing changed.

    Raises:
        AnomalyError: in strict mode, with the anomaly that lenient mode would have recorded.
        TypeError: `events` cannot be iterated over, one of them is none of this package's events,
            or `state` is not a ThreadState.
    """
    state = ThreadState() if state is None else state
    folder = Folder(state, strict=strict, position=position)
    folder.feed(events)
    return folder.state()


class Folder:
    """A fold that goes on: events come in pieces, and the state is made when asked for."""

    def __init__(
        self,
        state: ThreadState,
        *,
        strict: bool = False,
        position: int | None = None,
        decoded: bool = False,
    ) -> None:
        # What `decode` made holds no half of a character but in deltas, and need not be asked.
        self._decoded = decoded
        self._mend: Mend = _as_it_is if decoded else mended_json
        self._before = require_state(state)
        self._draft = ContentsDraft(state.lagging_contents)
        # `step` uses only the interface that the contents and their draft share, and the state that
        # has the draft never leaves the folder.
        contents = cast(ThreadContents, self._draft)
        self._start = self._now = state.with_contents(contents, state.position)
        self._item: ItemDraft | None = None
        self.position: int = state.position if position is None else position
        """How many events of the stream were taken."""
        self._strict = strict
        self._positions: Sequence[int] | None = None
        self.run_length: int = 0
        """How many events the newest run of updates had that an item draft took."""

    def feed(self, events: Iterable[Event | Unreadable]) -> None:
        """Folds these events."""
        stream = iterate(events)
        event = next(stream, EXHAUSTED)
        while event is not EXHAUSTED:
            if type(event) is ThreadItemUpdated and event.item_id == self._now.streaming_id:
                draft = self._item or self._draft_item()
                if draft is not None:
                    event, count = draft.apply_run(event.item_id, event, stream)
                    if draft.misfits:
                        self._note_misfits(draft)
                    self.position += count
                    self.run_length = count
                    if count:
                        continue
            self._step(event)
            event = next(stream, EXHAUSTED)

    def feed_at(self, events: Sequence[Event | Unreadable], positions: Sequence[int]) -> None:
        """Folds events that do not stand next to each other in their stream, but at `positions`."""
        self._positions, self.position = positions, 0  # until the end it is the place in there
        self.feed(events)
        self._positions = None
        self.position = positions[-1] + (not isinstance(events[-1], Unreadable))

    def _draft_item(self) -> ItemDraft | None:
        """Return a draft of the item that is streaming, if its type has one."""
        now = self._now
        kind = DRAFTS.get(now.streaming_type)
        if kind is None or now.progress is not None:  # the first update has to clear it
            return None
        self._item = kind(now.streaming_item(), self._mend)
        return self._item

    def _note_misfits(self, draft: ItemDraft) -> None:
        """Return the faults of updates that the draft has taken, and that say nothing."""
        misfits, draft.misfits = draft.misfits, ()
        for place, update in misfits:
            event = ThreadItemUpdated(str(self._now.streaming_id), update)
            self._now = step(self._now, event, self.position + place, strict=self._strict)

    def _step(self, event: Event | Unreadable) -> None:
        """Folds one event as `reduce` does."""
        if not self._decoded:
            event = mended_event(event)
        if not _supersedes(event, self._now.streaming_id):
            self._put_back()
        self._item = None
        if self._positions is None:
            self._now = step(self._now, event, self.position, strict=self._strict)
            self.position += not isinstance(event, Unreadable)
        else:
            at = self._positions[self.position]
            self._now = step(self._now, event, at, strict=self._strict)
            self.position += 1
        self.run_length = 0

    def _put_back(self) -> None:
        """Move the item that is streaming from the draft into the state."""
        now = self._now
        if self._item is not None:
            item = self._item.finish()
            if item is not now.streaming_item():
                self._now = ThreadState.of_streaming(now.lagging_contents, item, 0, None)
            self._item = None

    def feed_text(self, item_id: str, content_index: int, pieces: list[str]) -> None:
        """Folds text deltas for one part of one message, of which these are the pieces."""
        delta = AssistantMessageContentPartTextDelta(content_index, "".join(pieces))
        self.feed([ThreadItemUpdated(item_id, delta)])
        self.position += len(pieces) - 1

    def state(self) -> ThreadState:
        """Return the state after all that was taken."""
        self._put_back()
        now = self._now
        if now is self._start:
            return self._before
        return now.with_contents(self._draft.finish(), self.position)


def _as_it_is(value: Any) -> Any:
    return value


def _supersedes(event: Event | Unreadable, item_id: str | None) -> bool:
    """Return whether the event replaces the streaming item, so that its draft can be dropped."""
    if not isinstance(event, (ThreadItemDone, ThreadItemReplaced)):
        return False
    item: Any = event.item  # code may have put anything there
    return isinstance(item, dict) and item.get("id") == item_id
