"""Assistant messages: parts of text that grow, with citations.

Reference: openai-chatkit 1.6.5, `chatkit/server.py`, `ChatKitServer._apply_assistant_message_update`.
"""

from __future__ import annotations

from msgspec import Struct

from chatkit_reducer.anomalies import Fault, FaultKind
from chatkit_reducer.events import (
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    Json,
)
from chatkit_reducer.items.base import ItemState, field_of, negative_index
from chatkit_reducer.persistent import EMPTY_LIST, SharedList

__all__ = [
    "MAX_PADDING",
    "REDUCERS",
    "AssistantMessage",
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
        text, annotations = field_of(json, "text", str), field_of(json, "annotations", list)
        return cls(
            json,
            None if text is None else SharedList.of([text] if text else []),
            None if annotations is None else SharedList.of(annotations),
        )

    def plain(self) -> Json:
        """The part as plain JSON data that shares its insides with the state."""
        if self.text is None:
            return self.json
        plain = {**self.json, "text": "".join(self.text)}
        if self.annotations is not None:
            plain["annotations"] = list(self.annotations)
        return plain

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Part):
            return NotImplemented
        return self is other or self.plain() == other.plain()

    __hash__ = None  # type: ignore[assignment]  # it holds JSON, which has no hash


# What 1.6.5 pads with: AssistantMessageContent(text="", annotations=[])
_EMPTY_PART = Part(
    {"annotations": [], "text": "", "type": "output_text"}, EMPTY_LIST, EMPTY_LIST
)


class AssistantMessage(ItemState, frozen=True, gc=False, eq=False):
    """A message of the assistant: its parts in order."""

    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, json: Json) -> AssistantMessage | None:
        """The state of an item mapping; None where its content is no list of objects."""
        content = json.get("content")
        if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
            return None
        return cls(json, tuple([Part.parse(part) for part in content]))

    def plain(self) -> Json:
        """The item as plain JSON data that shares its insides with the state."""
        return {**self.json, "content": [part.plain() for part in self.parts]}

    def with_part(self, index: int, part: Part) -> AssistantMessage:
        """This message with another part at `index`, padded with empty parts up to there."""
        parts = padded(self.parts, index)
        return AssistantMessage(self.json, (*parts[:index], part, *parts[index + 1 :]))

    def with_text(self, index: int, text: SharedList[str]) -> AssistantMessage:
        """This message with another text in the part at `index`, which there is."""
        part = self.parts[index]
        return self.with_part(index, Part(part.json, text, part.annotations))


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
    text = part.text.append(update.delta) if update.delta else part.text
    return item.with_part(update.content_index, Part(part.json, text, part.annotations))


def _without_text(index: int) -> Fault:
    return Fault(FaultKind.UPDATE_MISFIT, f"the part at content_index {index} has no text")


def add_annotation(
    item: AssistantMessage, update: AssistantMessageContentPartAnnotationAdded
) -> AssistantMessage | Fault:
    """`content_part.annotation_added`: inserts at `annotation_index` if that is within, else appends.

    The index is a place in the list; the annotation's own `index` is a place in the text.
    """
    part = part_at(item, update.content_index)
    if type(part) is Fault:
        return part
    if update.annotation_index < 0:
        return negative_index("annotation_index", update.annotation_index)
    if part.text is None:
        return _without_text(update.content_index)
    annotations = EMPTY_LIST if part.annotations is None else part.annotations
    index = min(update.annotation_index, len(annotations))
    annotations = annotations.insert(index, update.annotation)
    return item.with_part(update.content_index, Part(part.json, part.text, annotations))


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
    final = Part.parse(update.content)
    if part.annotations and not final.annotations and final.text is not None:
        final = Part(final.json, final.text, part.annotations)
    return _with_whole_part(item, update.content_index, final)


def _with_whole_part(item: AssistantMessage, index: int, part: Part) -> AssistantMessage:
    same = index < len(item.parts) and item.parts[index] == part
    return item if same else item.with_part(index, part)


REDUCERS = {
    AssistantMessageContentPartAdded: add_part,
    AssistantMessageContentPartTextDelta: append_text,
    AssistantMessageContentPartAnnotationAdded: add_annotation,
    AssistantMessageContentPartDone: finish_part,
}
