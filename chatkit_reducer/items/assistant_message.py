"""Assistant messages: parts of text that grow, with citations.

Reference: openai-chatkit 1.6.5, `chatkit/server.py`,
`ChatKitServer._apply_assistant_message_update`.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from chatkit_reducer.anomalies import Fault, FaultKind
from chatkit_reducer.events import (
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    Json,
    ThreadItemUpdated,
    Update,
)
from chatkit_reducer.items.base import (
    END,
    Events,
    ItemState,
    Reducers,
    Seen,
    Taken,
    is_list_of_objects,
    negative_index,
)
from chatkit_reducer.json_values import same_json
from chatkit_reducer.persistent import EMPTY_LIST, SharedList

__all__ = [
    "MAX_PADDING",
    "REDUCERS",
    "AssistantMessage",
    "MessageDraft",
    "Part",
    "add_annotation",
    "add_part",
    "append_text",
    "finish_part",
]

MAX_PADDING = 1024
"""How many parts a `content_index` may lie past the end; further out is a fault.

1.6.5 pads up to any number it is sent, so that one event can ask for all the memory there is."""


class Part(Struct, frozen=True, gc=False, eq=False):
    """One part of a message: the part as it came, and what has been added to it since.

    `text` is None for a part that has no text (a type unknown today): no delta can touch it.
    `annotations` is None while the part has none and its JSON says nothing of a list.
    """

    json: Json
    text: SharedList[str] | None
    annotations: SharedList[Json] | None

    @classmethod
    def parse(cls, json: Json) -> Part:
        """The state of one element of `content`."""
        text, annotations = json.get("text"), json.get("annotations")
        return cls(
            json,
            SharedList([text], 1) if type(text) is str else None,
            SharedList.of(annotations) if type(annotations) is list else None,
        )

    def plain(self) -> Json:
        """The part as plain JSON data that shares its insides with the state."""
        if self.text is None:
            return self.json
        plain = {**self.json, "text": "".join(self.text)}
        if self.annotations is not None:
            plain["annotations"] = list(self.annotations)
        return plain

    @property
    def is_blank(self) -> bool:
        """Whether its text is white space at most. A part without a text shows something else."""
        return self.text is not None and not any(piece.strip() for piece in self.text)

    def longer(self, delta: str) -> Part:
        """This part, which has a text, with more of it."""
        if not delta:
            return self
        assert self.text is not None
        return Part(self.json, self.text.append(delta), self.annotations)

    def cited(self, index: int, annotation: Json) -> Part:
        """This part with one more citation, at this place of the list or at its end."""
        annotations = EMPTY_LIST if self.annotations is None else self.annotations
        at = min(index, len(annotations))
        return Part(self.json, self.text, annotations.insert(at, annotation))

    def finished(self, content: Json) -> Part:
        """The part that `content` says it is, with the citations of this one if it brings none."""
        final = Part.parse(content)
        if self.annotations and not final.annotations and final.text is not None:
            return Part(final.json, final.text, self.annotations)
        return final

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Part):
            return NotImplemented
        return self is other or same_json(self.plain(), other.plain())

    def __ne__(self, other: object) -> bool:
        # A Struct without an equality of its own brings an inequality, which is that of identity.
        return not self == other


# What 1.6.5 pads with: AssistantMessageContent(text="", annotations=[])
_EMPTY_PART = Part({"annotations": [], "text": "", "type": "output_text"}, EMPTY_LIST, EMPTY_LIST)


class AssistantMessage(ItemState, frozen=True, gc=False, eq=False):
    """A message of the assistant: its parts in order."""

    _parts: tuple[Part, ...] | None = None
    """None while the message is as it came: most are never touched again once they are done."""

    @classmethod
    def parse(cls, json: Json) -> AssistantMessage | None:
        """The state of an item mapping; None where its content is no list of objects."""
        return cls(json) if is_list_of_objects(json.get("content")) else None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the message, in order."""
        if self._parts is None:
            return tuple([Part.parse(part) for part in self.json["content"]])
        return self._parts

    @property
    def is_empty(self) -> bool:
        """Whether all its text is white space, or there is none; padding is no text either.

        As in openai-chatkit 1.6.5, `chatkit/server.py`, `ChatKitServer.handle_stream_cancelled`.
        """
        return all(part.is_blank for part in self.parts)

    @property
    def seen(self) -> Seen:
        """The characters of its text."""
        texts = [part.text for part in self.parts if part.text is not None]
        return Seen(characters=sum(len(piece) for text in texts for piece in text))

    def updates_to(self, other: ItemState) -> list[Update] | None:
        """Text and citations added where that is all, else whole parts; none can be taken away."""
        if not isinstance(other, AssistantMessage) or len(self.parts) > len(other.parts):
            return None
        if not same_json({**self.json, "content": []}, {**other.json, "content": []}):
            return None
        updates: list[Update] = []
        for index, part in enumerate(other.parts):
            before = self.parts[index] if index < len(self.parts) else None
            updates += _part_updates(index, before, part)
        return updates

    def plain(self) -> Json:
        """The item as plain JSON data that shares its insides with the state."""
        if self._parts is None:
            return self.json
        return {**self.json, "content": [part.plain() for part in self._parts]}

    def with_part(self, index: int, part: Part) -> AssistantMessage:
        """This message with another part at `index`, padded with empty parts up to there."""
        parts = padded(self.parts, index)
        return AssistantMessage(self.json, (*parts[:index], part, *parts[index + 1 :]))

    def with_text(self, index: int, text: SharedList[str]) -> AssistantMessage:
        """This message with another text in the part at `index`, which there is."""
        part = self.parts[index]
        return self.with_part(index, Part(part.json, text, part.annotations))


def _part_updates(index: int, before: Part | None, after: Part) -> list[Update]:
    if before is None:
        return [AssistantMessageContentPartAdded(index, after.plain())]
    if before == after:
        return []
    grown = _growth(index, before, after)
    return [AssistantMessageContentPartAdded(index, after.plain())] if grown is None else grown


def _growth(index: int, before: Part, after: Part) -> list[Update] | None:
    """The deltas between two states of a part; None if they lead somewhere else."""
    if before.text is None or after.text is None:
        return None
    old, new = "".join(before.text), "".join(after.text)
    more, part, updates = new[len(old) :], before, list[Update]()
    if more:
        part = part.longer(more)
        updates.append(AssistantMessageContentPartTextDelta(index, more))
    known = len(before.annotations or ())
    for place, annotation in enumerate(list(after.annotations or ())[known:], known):
        part = part.cited(place, annotation)
        updates.append(AssistantMessageContentPartAnnotationAdded(index, place, annotation))
    return updates if part == after else None


def padded(parts: tuple[Part, ...], index: int) -> tuple[Part, ...]:
    """The parts, with empty ones behind them until there is one at `index`."""
    return parts + (_EMPTY_PART,) * (index + 1 - len(parts))


def part_at(item: AssistantMessage, index: int) -> Part | Fault:
    """The part that an update to `index` starts from: an empty one past the end."""
    if index < 0:
        return negative_index("content_index", index)
    if index < len(item.parts):
        return item.parts[index]
    if index - len(item.parts) > MAX_PADDING:
        problem = f"content_index {index} is too far past the end of {len(item.parts)} parts"
        return Fault(FaultKind.INDEX_OUT_OF_RANGE, problem)
    return _EMPTY_PART


def add_part(
    item: AssistantMessage, update: AssistantMessageContentPartAdded
) -> AssistantMessage | Fault:
    """`content_part.added`: sets the part at its index, padding with empty parts."""
    part = part_at(item, update.content_index)
    if type(part) is Fault:
        return part
    return _with_whole_part(item, update.content_index, Part.parse(update.content))


def append_text(
    item: AssistantMessage, update: AssistantMessageContentPartTextDelta
) -> AssistantMessage | Fault:
    """`content_part.text_delta`: appends to the text of the part at its index, padding as above."""
    part = part_at(item, update.content_index)
    if type(part) is Fault:
        return part
    if part.text is None:
        return _without_text(update.content_index)
    if not update.delta and update.content_index < len(item.parts):
        return item
    return item.with_part(update.content_index, part.longer(update.delta))


def add_annotation(
    item: AssistantMessage, update: AssistantMessageContentPartAnnotationAdded
) -> AssistantMessage | Fault:
    """`content_part.annotation_added`: inserts at `annotation_index`; past the end it appends.

    The index is a place in the list; the annotation's own `index` is a place in the text.
    """
    part = part_at(item, update.content_index)
    if type(part) is Fault:
        return part
    if update.annotation_index < 0:
        return negative_index("annotation_index", update.annotation_index)
    if part.text is None:
        return _without_text(update.content_index)
    cited = part.cited(update.annotation_index, update.annotation)
    return item.with_part(update.content_index, cited)


def finish_part(
    item: AssistantMessage, update: AssistantMessageContentPartDone
) -> AssistantMessage | Fault:
    """`content_part.done`: sets the part, and keeps its citations when the event brings none.

    Departs from 1.6.5, which drops them: the SDK's own producer (`chatkit/agents.py`,
    `stream_agent_response`, at `response.output_text.done`) always sends an empty list here, so a
    stop between this event and `thread.item.done` would lose every citation.
    """
    part = part_at(item, update.content_index)
    if type(part) is Fault:
        return part
    return _with_whole_part(item, update.content_index, part.finished(update.content))


def _with_whole_part(item: AssistantMessage, index: int, part: Part) -> AssistantMessage:
    same = index < len(item.parts) and item.parts[index] == part
    return item if same else item.with_part(index, part)


def _without_text(index: int) -> Fault:
    return Fault(FaultKind.UPDATE_MISFIT, f"the part at content_index {index} has no text")


class MessageDraft:
    """A message that changes in place while a fold lasts; see `items.base.ItemDraft`.

    Updates make of it what the reducers above make of the message, one by one. It does not take
    what is not plain: an update for a part that is neither there nor the next one, or that has no
    text.
    """

    __slots__ = ("_item", "_parts")

    def __init__(self, item: AssistantMessage) -> None:
        self._item = item
        self._parts = [_GrowingPart(part) for part in item.parts]

    def take(self, item_id: str, first: ThreadItemUpdated, events: Events) -> Taken:
        """Takes `first`, and of `events` as many as it can.

        The inner loop is the hottest in this package: all that it does not have to ask is asked in
        `_takes`, once, before it begins.
        """
        count = 0
        event: Any = first
        while type(event) is ThreadItemUpdated and event.item_id == item_id:
            update: Any = event.update
            if not self._takes(update):
                break
            count += 1
            index = update.content_index
            part = self._parts[index]
            append, before = part.pieces.append, len(part.pieces)
            for event in events:
                if type(event) is not ThreadItemUpdated or event.item_id != item_id:
                    break
                update = event.update
                kind = type(update)
                if kind is AssistantMessageContentPartTextDelta:
                    if update.content_index != index:
                        break
                    append(update.delta)
                elif kind is AssistantMessageContentPartAnnotationAdded:
                    if update.content_index != index or update.annotation_index < 0:
                        break
                    part.cite(update.annotation_index, update.annotation)
                    count += 1
                else:
                    break
            else:
                event = END
            count += len(part.pieces) - before
        return event, count

    def _takes(self, update: Any) -> bool:
        kind, parts = type(update), self._parts
        if kind not in REDUCERS or not 0 <= update.content_index <= len(parts):
            return False
        index = update.content_index
        part = parts[index] if index < len(parts) else _GrowingPart(_EMPTY_PART)
        if part.part.text is None:
            return False
        if kind is AssistantMessageContentPartTextDelta:
            part.pieces.append(update.delta)
        elif kind is AssistantMessageContentPartAnnotationAdded:
            if update.annotation_index < 0:
                return False
            part.cite(update.annotation_index, update.annotation)
        elif kind is AssistantMessageContentPartDone:
            part = _GrowingPart(part.without_pieces().finished(update.content))
        else:
            part = _GrowingPart(Part.parse(update.content))
        # Text may follow, and the inner loop looks at no part again: it must be able to take it.
        if part.part.text is None:
            return False
        parts[index : index + 1] = [part]
        return True

    def item(self) -> AssistantMessage:
        """The message after all that was taken; the same object if nothing changed."""
        grew = any(part.grew for part in self._parts)
        parts = tuple([part.whole() for part in self._parts])
        if not grew and parts == self._item.parts:
            return self._item
        return AssistantMessage(self._item.json, parts)


class _GrowingPart:
    """A part, and what came since: pieces of text, and its citations once one was added."""

    __slots__ = ("annotations", "part", "pieces")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.pieces: list[str] = []
        self.annotations: list[Json] | None = None

    def cite(self, index: int, annotation: Json) -> None:
        """As `Part.cited`."""
        if self.annotations is None:
            self.annotations = list(self.part.annotations or ())
        self.annotations.insert(min(index, len(self.annotations)), annotation)

    @property
    def grew(self) -> bool:
        """Whether anything came."""
        return self.annotations is not None or any(self.pieces)

    def without_pieces(self) -> Part:
        """The part with its citations, and the text that it had before."""
        if self.annotations is None:
            return self.part
        return Part(self.part.json, self.part.text, SharedList.of(self.annotations))

    def whole(self) -> Part:
        """The part with all that came; the same object if nothing did."""
        return self.without_pieces().longer("".join(self.pieces))


REDUCERS: Reducers = {
    AssistantMessageContentPartAdded: add_part,
    AssistantMessageContentPartTextDelta: append_text,
    AssistantMessageContentPartAnnotationAdded: add_annotation,
    AssistantMessageContentPartDone: finish_part,
}
