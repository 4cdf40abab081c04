"""The parts of an assistant message: text that grows, with citations."""

from __future__ import annotations

from msgspec import Struct

from chatkit_reducer.core.by_content import ByContent
from chatkit_reducer.core.described import described
from chatkit_reducer.core.items.extending import is_subsequence, text_extends
from chatkit_reducer.core.items.text import EMPTY_TEXT, Text
from chatkit_reducer.core.json_values import equal_ignoring_nulls, json_equal
from chatkit_reducer.core.vector import EMPTY_VECTOR, Vector
from chatkit_reducer.events import Json

__all__ = ["EMPTY_PART", "Amount", "Part", "amount_in", "amount_of"]


class Amount(Struct, frozen=True, gc=False):
    """How much there is in a part, or in several."""

    characters: int = 0
    visible: int = 0
    """The parts that show something: text that is not blank, or something else than text."""
    empty: int = 0
    """The parts without any text or citation. Padding is that, until something fills it."""

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.characters + other.characters,
            self.visible + other.visible,
            self.empty + other.empty,
        )


class Part(ByContent, frozen=True, gc=False, eq=False):
    """One part of a message: the part as it came, with the text and citations since.

    `text` is None for a part that has no text (a type unknown today): no delta can touch it.
    `annotations` is None while the part has none and its JSON says nothing of a list.
    """

    json: Json
    text: Text | None
    annotations: Vector[Json] | None

    @classmethod
    def parse(cls, json: Json) -> Part:
        """Make the state of one element of `content`."""
        text, annotations = json.get("text"), json.get("annotations")
        return cls(
            json,
            Text.of(text) if type(text) is str else None,
            Vector.of(annotations) if type(annotations) is list else None,
        )

    def json_view(self) -> Json:
        """Return the part as plain JSON data that shares its insides with the state."""
        if self.text is None:
            return self.json
        plain = {**self.json, "text": str(self.text)}
        if self.annotations is not None:
            plain["annotations"] = list(self.annotations)
        return plain

    def __repr__(self) -> str:
        return described(
            self,
            lambda: {
                "text": None if self.text is None else str(self.text),
                "annotations": len(self.annotations or ()) or None,
            },
        )

    @property
    def amount(self) -> Amount:
        """How much there is in it."""
        if self.text is None:
            return _NO_TEXT
        characters, is_blank = self.text.characters, self.text.is_blank
        return Amount(characters, int(not is_blank), int(not characters and not self.annotations))

    @property
    def is_blank(self) -> bool:
        """Whether its text is white space at most. A part without a text shows something else."""
        return self.text is not None and self.text.is_blank

    @property
    def half(self) -> str:
        """The first half of a character with which its text ends; empty if it does not."""
        return "" if self.text is None else self.text.half

    def without_half(self) -> Part:
        """Return this part without such a half."""
        return Part(self.json, self.text and self.text.without_half(), self.annotations)

    def extends(self, older: Part) -> bool:
        """Whether it shows all that another part shows: its text, and its citations in order."""
        if older.text is None:
            return equal_ignoring_nulls(self.json_view(), older.json_view())
        text, citations = older.text.with_half, older.annotations or ()
        if not text and not citations:  # there is nothing to see
            return True
        return (
            self.text is not None
            and equal_ignoring_nulls(self.json.get("type"), older.json.get("type"))
            and text_extends(self.text.with_half, text)
            and is_subsequence(self.annotations or (), citations)
        )

    def with_delta(self, delta: str) -> Part:
        """Return this part, which has a text, with more of it."""
        if not delta:
            return self
        assert self.text is not None
        return Part(self.json, self.text.append(delta), self.annotations)

    def with_text(self, cells: list[str], count: int) -> Part:
        """Return this part with a text that begins as its own does; see `Text`."""
        assert self.text is not None
        return Part(self.json, self.text.up_to(cells, count), self.annotations)

    def with_annotation(self, index: int, annotation: Json) -> Part:
        """Return this part with one more citation, at this place of the list or at its end."""
        annotations = EMPTY_VECTOR if self.annotations is None else self.annotations
        at = min(index, annotations.count)
        return Part(self.json, self.text, annotations.insert(at, annotation))

    def cited_at_end(self, citations: list[Json]) -> Part:
        """Return this part with more citations at the end of its list."""
        annotations = EMPTY_VECTOR if self.annotations is None else self.annotations
        return Part(self.json, self.text, annotations.append_shared(citations))

    def finish(self, content: Json) -> Part:
        """Return the part `content`, with the citations of this one if it brings none."""
        final = Part.parse(content)
        if self.annotations and not final.annotations and final.text is not None:
            return Part(final.json, final.text, self.annotations)
        return final

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Part):
            return NotImplemented
        if self is other:
            return True
        if self.half != other.half:
            return False
        if _share_citations(self, other):
            # Many citations may stay as they are while the text is replaced again and again.
            one, two = self._without_annotations(), other._without_annotations()
            return json_equal(one.json_view(), two.json_view())
        return json_equal(self.json_view(), other.json_view())

    def _without_annotations(self) -> Part:
        json = {name: value for name, value in self.json.items() if name != "annotations"}
        return Part(json, self.text, None)


_NO_TEXT = Amount(visible=1)


def amount_of(part: Part) -> Amount:
    """`Part.amount`, as a function."""
    return _EMPTY_AMOUNT if part is EMPTY_PART else part.amount


def amount_in(content: list[Json]) -> Amount:
    """Sum up `Part.amount` of parts as they came, without making their states."""
    characters = visible = empty = 0
    for part in content:
        text = part.get("text")
        if type(text) is not str:
            visible += 1
        elif text:
            characters += len(text)
            visible += not text.isspace()
        else:
            annotations = part.get("annotations")
            empty += not (type(annotations) is list and annotations)
    return Amount(characters, visible, empty)


def _share_citations(one: Part, other: Part) -> bool:
    if one.annotations is None or other.annotations is None:
        return False
    return one.annotations.root is other.annotations.root


# What 1.6.5 pads with: AssistantMessageContent(text="", annotations=[])
EMPTY_PART = Part({"annotations": [], "text": "", "type": "output_text"}, EMPTY_TEXT, EMPTY_VECTOR)
_EMPTY_AMOUNT = EMPTY_PART.amount
