"""A draft of an assistant message."""

from __future__ import annotations

from typing import Any

from chatkit_reducer.core.event_forms import PLAIN
from chatkit_reducer.core.fold.draft import (
    EXHAUSTED,
    Events,
    Mend,
    Misfits,
    RunResult,
    misfits_in,
    text_in,
)
from chatkit_reducer.core.halves import mended_json
from chatkit_reducer.core.items.assistant_message import REDUCERS, AssistantMessage
from chatkit_reducer.core.items.message_parts import EMPTY_PART, Part
from chatkit_reducer.events import (
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    Json,
    ThreadItemUpdated,
)

__all__ = ["MessageDraft"]


class MessageDraft:
    """A message that changes in place while a fold lasts; see `core.fold.draft.ItemDraft`.

    It leaves these to the reducers: an update for a part that is neither there nor the next one, or
    that has no text.
    """

    __slots__ = ("_growing", "_item", "_mend", "_parts", "_size", "misfits")

    def __init__(self, item: AssistantMessage, mend: Mend = mended_json) -> None:
        self.misfits: Misfits = ()
        self._item = item
        self._mend = mend
        self._parts = item.parts
        self._size = len(item.parts)
        self._growing: dict[int, _GrowingPart] = {}
        """Those of the parts that were updated, by index."""

    def apply_run(self, item_id: str, first: ThreadItemUpdated, events: Events) -> RunResult:
        """Take `first`, and as many of `events` as possible.

        The inner loop is the hottest in this package: all that it does not have to ask is asked in
        `_takes`, once, before it begins.
        """
        count = 0
        pieces: list[str] = []  # of one run
        cited: list[int] = []
        append = pieces.append
        event: Any = first
        while type(event) is ThreadItemUpdated and event.item_id == item_id:
            update: Any = event.update
            if not self._takes(update):
                break
            count += 1
            index = update.content_index
            part = self._growing[index]
            for event in events:
                if type(event) is not ThreadItemUpdated or event.item_id != item_id:
                    break
                update = event.update
                kind = type(update)
                if kind is AssistantMessageContentPartTextDelta:
                    if update.content_index is not index and not _is_index(update, index):
                        break
                    append(update.delta)
                elif kind is AssistantMessageContentPartAnnotationAdded:
                    if not _cites(update, index):
                        break
                    part.cite(update.annotation_index, self._mend(update.annotation))
                    cited.append(len(pieces))
                else:
                    break
            else:
                event = EXHAUSTED
            if pieces or cited:
                part.pieces.append(self._text_of(pieces, cited, count))
                count += len(pieces) + len(cited)
                pieces.clear()
                cited.clear()
        return event, count

    def _text_of(self, pieces: list[str], cited: list[int], before: int) -> str:
        """Return the text of a run; a value that is not text is a misfit."""
        try:
            return "".join(pieces)
        except TypeError:
            self.misfits = [*self.misfits, *misfits_in(pieces, _DELTA, before, cited)]
            return text_in(pieces)

    def _takes(self, update: Any) -> bool:
        kind = type(update)
        if kind not in REDUCERS or not PLAIN[kind](update):
            return False
        index = update.content_index
        if not 0 <= index <= self._size:
            return False
        part = self._part(index)
        if part.part.text is None:
            return False
        if kind is AssistantMessageContentPartTextDelta:
            part.pieces.append(update.delta)
        elif kind is AssistantMessageContentPartAnnotationAdded:
            if update.annotation_index < 0:
                return False
            part.cite(update.annotation_index, self._mend(update.annotation))
        elif kind is AssistantMessageContentPartDone:
            part = _GrowingPart(part.without_pieces().finish(self._mend(update.content)))
        else:
            part = _GrowingPart(Part.parse(self._mend(update.content)))
        # Text may follow, and the inner loop looks at no part again: it must be able to take it.
        if part.part.text is None:
            return False
        self._growing[index] = part
        self._size = max(self._size, index + 1)
        return True

    def _part(self, index: int) -> _GrowingPart:
        growing = self._growing.get(index)
        if growing is not None:
            return growing
        return _GrowingPart(self._parts[index] if index < len(self._parts) else EMPTY_PART)

    def finish(self) -> AssistantMessage:
        """Return the message after all that was taken; the same object if nothing changed."""
        before = self._parts
        changed = {
            index: growing.whole()
            for index, growing in self._growing.items()
            if index >= len(before) or growing.differs_from(before[index])
        }
        return AssistantMessage(self._item.json, before.updated(changed)) if changed else self._item


_DELTA = AssistantMessageContentPartTextDelta(0, "")


def _is_index(update: AssistantMessageContentPartTextDelta, index: int) -> bool:
    """Whether it is for the part at this index; True is equal to 1, and no index."""
    return update.content_index == index and type(update.content_index) is int


def _cites(update: AssistantMessageContentPartAnnotationAdded, index: int) -> bool:
    """Whether it is a citation for the part at this index, and nothing is wrong with it."""
    return (
        update.content_index == index
        and PLAIN[AssistantMessageContentPartAnnotationAdded](update)
        and update.annotation_index >= 0
    )


class _GrowingPart:
    """A part, with the citations at the end of its list and the pieces of text that came since."""

    __slots__ = ("citations", "part", "pieces", "place")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.pieces: list[str] = []
        self.citations: list[Json] = []
        self.place: int = 0 if part.annotations is None else part.annotations.count
        """The place of the next citation in the list of all of them."""

    def cite(self, index: int, annotation: Json) -> None:
        """As `Part.cited`."""
        if index >= self.place:
            self.citations.append(annotation)
        else:
            self.part, self.citations = self.without_pieces().with_annotation(index, annotation), []
        self.place += 1

    def differs_from(self, before: Part) -> bool:
        """Whether it is another part than `before`, which it was when it began to grow."""
        return bool(self.citations) or any(self.pieces) or self.part != before

    def without_pieces(self) -> Part:
        """Return the part with its citations, and the text that it had before."""
        return self.part.cited_at_end(self.citations) if self.citations else self.part

    def whole(self) -> Part:
        """Return the part with all that came; the same object if nothing did."""
        return self.without_pieces().with_delta("".join(self.pieces))
