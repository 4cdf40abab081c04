"""Assistant messages: parts of text that grow, with citations.

Reference: openai-chatkit 1.6.5, `chatkit/server.py`,
`ChatKitServer._apply_assistant_message_update`.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from msgspec.structs import force_setattr

from chatkit_reducer.core.anomalies import AnomalyKind, Fault
from chatkit_reducer.core.items.base import (
    GrowingText,
    ItemState,
    MissingValue,
    Reducers,
    UpdateType,
    VisibleContent,
    is_list_of_objects,
    negative_index,
)
from chatkit_reducer.core.items.message_parts import EMPTY_PART, Amount, Part, amount_in, amount_of
from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.core.vector import Vector
from chatkit_reducer.events import (
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    Json,
    Update,
)

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
"""How many empty parts a message may have where an update needs more of them; beyond that it is a
fault.

1.6.5 pads up to any number it is sent, so that one event can ask for all the memory there is."""


class AssistantMessage(ItemState, frozen=True, gc=False, eq=False):
    """A message of the assistant: its parts in order."""

    _parts: Vector[Part] | None = None
    """None while the message is as it came: most are never touched again once they are done."""
    _came_with: Vector[Part] | None = None
    """The parts of a message without updates, filled at the first access."""
    _came_with_amount: Amount | None = None

    @classmethod
    def parse(cls, json: Json) -> AssistantMessage | None:
        """Return the state of an item mapping; None if its content is not a list of objects."""
        return cls(json) if is_list_of_objects(json.get("content")) else None

    @property
    def parts(self) -> Vector[Part]:
        """The parts of the message, in order."""
        if self._parts is not None:
            return self._parts
        if self._came_with is None:
            parts = Vector.of([Part.parse(part) for part in self.json["content"]])
            force_setattr(self, "_came_with", parts)
        return self._came_with  # type: ignore[return-value]  # it was set just now

    @property
    def amount(self) -> Amount:
        """How much there is in its parts."""
        if self._parts is not None:
            amount: Amount = self._parts.total(amount_of, Amount())
            return amount
        if self._came_with_amount is None:
            force_setattr(self, "_came_with_amount", amount_in(self.json["content"]))
        return self._came_with_amount  # type: ignore[return-value]  # it was set just now

    @property
    def is_empty(self) -> bool:
        """Whether it has no text but white space; padding does not count.

        As in openai-chatkit 1.6.5, `chatkit/server.py`, `ChatKitServer.handle_stream_cancelled`.
        """
        return not self.amount.visible

    @property
    def seen(self) -> VisibleContent:
        """The characters of its text."""
        return VisibleContent(characters=self.amount.characters)

    def halves(self) -> list[Update]:
        """For each text that ends with the first half of a character, the delta that brings it."""
        return [
            AssistantMessageContentPartTextDelta(index, part.half)
            for index, part in enumerate(self._parts or ())
            if part.half
        ]

    def without_halves(self) -> AssistantMessage:
        """Return this message before the deltas that `halves` names; itself if there are none."""
        waiting = {i: part for i, part in enumerate(self._parts or ()) if part.half}
        whole = {index: part.without_half() for index, part in waiting.items()}
        return AssistantMessage(self.json, self.parts.updated(whole)) if whole else self

    def diff_to(self, other: ItemState) -> list[Update] | None:
        """Text and citations added where that is all, else whole parts; none can be taken away."""
        if not isinstance(other, AssistantMessage) or len(self.parts) > len(other.parts):
            return None
        if not json_equal({**self.json, "content": []}, {**other.json, "content": []}):
            return None
        updates: list[Update] = []
        for index, part in enumerate(other.parts):
            before = self.parts[index] if index < len(self.parts) else None
            updates += _part_updates(index, before, part)
        return updates

    def extends(self, older: ItemState) -> bool:
        """Whether each part of the other is in this message, with all of its text."""
        if not isinstance(older, AssistantMessage):
            return False
        parts = zip_longest(self.parts, older.parts, fillvalue=EMPTY_PART)
        return all(mine.extends(theirs) for mine, theirs in parts)

    def telling(self) -> Json:
        """Return how long it is, and how it begins."""
        text = next((str(part.text) for part in self.parts if part.text is not None), None)
        return {"characters": self.amount.characters, "text": text}

    def json_view(self) -> Json:
        """Return the item as plain JSON data that shares its insides with the state."""
        if self._parts is None:
            return self.json
        return {**self.json, "content": [part.json_view() for part in self._parts]}

    def with_part(self, index: int, part: Part) -> AssistantMessage:
        """Return this message with another part at `index`, padded with empty parts up to there."""
        parts = self.parts
        if index < len(parts):
            return AssistantMessage(self.json, parts.set(index, part))
        padding = [EMPTY_PART] * (index - len(parts))
        return AssistantMessage(self.json, parts.append_shared([*padding, part]))

    def missing_value(
        self, update_type: UpdateType, name: str, known: Json
    ) -> MissingValue | Fault | None:
        """Return the newest part for a part, the end of its citations for a citation."""
        count = len(self.parts)
        if name == "annotation_index":
            index = known["content_index"]
            citations = self.parts[index].annotations if 0 <= index < count else None
            return MissingValue(len(citations or ()), "the citation was added at the end")
        if name != "content_index":
            return None
        if update_type is AssistantMessageContentPartAdded:
            return MissingValue(count, "the part was added behind the others")
        return MissingValue(max(0, count - 1), "the newest part was taken")

    @staticmethod
    def updatable_part(json: Json) -> Json:
        """Return the parts, whole: `content_part.added` and `.done` bring whole parts.

        A part without `annotations` and one with an empty list of them say the same.
        """
        content = json.get("content")
        if isinstance(content, list):
            content = [_without_empty_annotations(part) for part in content]
        return {"content": content}

    def growing_text(self, update: Update) -> GrowingText | None:
        """Return the text of the part that a text delta is for."""
        if type(update) is not AssistantMessageContentPartTextDelta:
            return None
        index = update.content_index
        text = self.parts[index].text
        assert text is not None  # a part without a text takes no delta
        return GrowingText(index, text.cells, text.count) if text.count else None

    def with_growing_text(self, index: int, pieces: list[str], count: int) -> AssistantMessage:
        """Return this message with a longer text in a part; see `core.items.text`."""
        return self.with_part(index, self.parts[index].with_text(pieces, count))

    @property
    def _size(self) -> int:
        return len(self.json["content"]) if self._parts is None else len(self._parts)

    def __eq__(self, other: object) -> bool:
        # A message that begins anew is compared with the one before, which may be long.
        if isinstance(other, AssistantMessage) and self._size != other._size:
            return False
        return super().__eq__(other)


def _part_updates(index: int, before: Part | None, after: Part) -> list[Update]:
    if before is None:
        return _whole_part(index, after)
    if before == after:
        return []
    grown = _growth(index, before, after)
    return _whole_part(index, after) if grown is None else grown


def _whole_part(index: int, part: Part) -> list[Update]:
    """Return the updates that bring a part: a whole one cannot end with half of a character."""
    added = AssistantMessageContentPartAdded(index, part.without_half().json_view())
    half = AssistantMessageContentPartTextDelta(index, part.half)
    return [added, half] if part.half else [added]


def _growth(index: int, before: Part, after: Part) -> list[Update] | None:
    """Return the deltas between two states of a part; None if they lead somewhere else."""
    if before.text is None or after.text is None:
        return None
    more, part, updates = after.text.more_than(before.text), before, list[Update]()
    if more:
        part = part.with_delta(more)
        updates.append(AssistantMessageContentPartTextDelta(index, more))
    known = len(before.annotations or ())
    for place, annotation in enumerate(list(after.annotations or ())[known:], known):
        part = part.with_annotation(place, annotation)
        updates.append(AssistantMessageContentPartAnnotationAdded(index, place, annotation))
    return updates if part == after else None


def part_at(item: AssistantMessage, index: int) -> Part | Fault:
    """Return the part that an update to `index` starts from: an empty one past the end."""
    if index < 0:
        return negative_index("content_index", index)
    parts = item.parts
    if index < len(parts):
        return parts[index]
    padding = index - len(parts)
    if padding and item.amount.empty + padding > MAX_PADDING:
        problem = f"content_index {index} is too far past the end of {len(parts)} parts"
        return Fault(AnomalyKind.INDEX_OUT_OF_RANGE, problem)
    return EMPTY_PART


def _without_empty_annotations(part: Any) -> Any:
    if isinstance(part, dict) and part.get("annotations") == []:
        return {name: value for name, value in part.items() if name != "annotations"}
    return part


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
    return item.with_part(update.content_index, part.with_delta(update.delta))


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
    cited = part.with_annotation(update.annotation_index, update.annotation)
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
    return _with_whole_part(item, update.content_index, part.finish(update.content))


def _with_whole_part(item: AssistantMessage, index: int, part: Part) -> AssistantMessage:
    same = index < len(item.parts) and item.parts[index] == part
    return item if same else item.with_part(index, part)


def _without_text(index: int) -> Fault:
    return Fault(AnomalyKind.UPDATE_MISFIT, f"the part at content_index {index} has no text")


REDUCERS: Reducers = {
    AssistantMessageContentPartAdded: add_part,
    AssistantMessageContentPartTextDelta: append_text,
    AssistantMessageContentPartAnnotationAdded: add_annotation,
    AssistantMessageContentPartDone: finish_part,
}
