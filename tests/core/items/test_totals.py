"""What there is to see in an item: kept up to date, and the same as counted from the beginning."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import ThreadState, fold, reduce
from chatkit_reducer.core.items import AssistantMessage
from chatkit_reducer.core.items.message_parts import Amount, Part
from chatkit_reducer.core.items.text import EMPTY_TEXT, Text
from chatkit_reducer.events import Event, Json, ProgressUpdate
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    message,
    part,
    part_added,
    part_done,
    state_after,
    text_delta,
)

TEXTS = st.sampled_from(["", " ", "\n", "a", "b "])
PARTS = st.builds(part, TEXTS) | st.sampled_from(
    [
        {"type": "output_text", "text": ""},
        {"type": "output_text", "text": "", "annotations": None},
        part("", citation("A")),
        {"type": "strange"},
        {"type": "strange", "text": None},
        {"type": "output_text", "text": "", "annotations": {"strange": 1}},
    ]
)
INDEXES = st.integers(0, 4)
UPDATES = st.one_of(
    st.builds(lambda text, index: text_delta("m", text, index), TEXTS, INDEXES),
    st.builds(lambda given, index: part_added("m", given, index), PARTS, INDEXES),
    st.builds(lambda given, index: part_done("m", given, index), PARTS, INDEXES),
    st.builds(lambda at, index: annotation_added("m", citation("B"), at, index), INDEXES, INDEXES),
)


def citations(part: Json) -> list[Json]:
    found = part.get("annotations")
    return found if isinstance(found, list) else []


def counted(content: list[Json]) -> Amount:
    texts = [one.get("text") for one in content]
    return Amount(
        characters=sum(len(text) for text in texts if isinstance(text, str)),
        visible=sum(not isinstance(text, str) or bool(text.strip()) for text in texts),
        empty=sum(one.get("text") == "" and not citations(one) for one in content),
    )


def amount_of(state: ThreadState) -> tuple[Amount, list[Json]]:
    item = state.items["m"]
    assert isinstance(item, AssistantMessage)
    return item.amount, item.json_view()["content"]


def parts_of(state: ThreadState) -> list[Part]:
    item = state.items["m"]
    assert isinstance(item, AssistantMessage)
    return list(item.parts)


@given(st.lists(PARTS, max_size=4), st.lists(UPDATES, max_size=20), st.data())
def test_a_message_knows_how_much_is_in_it_however_often_it_is_asked(
    content: list[Json], updates: list[Event], data: st.DataObject
) -> None:
    state = reduce(
        ThreadState(), added({"id": "m", "type": "assistant_message", "content": content})
    )
    for update in updates:
        state = reduce(state, update)
        if data.draw(st.booleans()):
            amount, now = amount_of(state)
            assert amount == counted(now)
    for after in (state, fold(updates, state)):
        amount, now = amount_of(after)
        assert amount == counted(now)
        parts = parts_of(after)
        assert [one.is_blank for one in parts] == [not one.amount.visible for one in parts]
        assert amount == sum([Part.parse(one).amount for one in now], Amount())


@given(st.lists(PARTS, max_size=4))
def test_a_message_that_nothing_touches_knows_it_too(content: list[Json]) -> None:
    stored = AssistantMessage({"id": "m", "content": content})

    assert stored.amount == counted(content)


@given(st.lists(st.text(" \n\u2003a", min_size=1, max_size=3)), st.data())
def test_a_text_counts_no_piece_twice(pieces: list[str], data: st.DataObject) -> None:
    class Piece(str):
        """A piece that says how often somebody looked at it."""

        __slots__ = ("looks",)
        looks: int

        def strip(self, *args: Any) -> str:
            self.looks += 1
            return super().strip(*args)

    text, so_far, made = EMPTY_TEXT, "", []
    for value in pieces:
        piece = Piece(value)
        piece.looks = 0
        made.append(piece)
        text, so_far = text.append(piece), so_far + value
        if data.draw(st.booleans()):
            assert text.characters == len(so_far)
            assert text.is_blank == (not so_far.strip())
    assert str(text) == so_far
    assert all(piece.looks <= 1 for piece in made)


def test_the_empty_text_that_everybody_shares_stays_empty() -> None:
    assert str(EMPTY_TEXT.append("a")) == "a"
    assert str(EMPTY_TEXT) == ""
    assert EMPTY_TEXT.cells == []
    assert EMPTY_TEXT.is_blank


def test_padding_that_text_grows_in_stays_empty_for_all_others() -> None:
    state = state_after(added(message("m")), text_delta("m", "x", 1), ProgressUpdate("busy"))
    for delta in ("", "a"):
        state = reduce(state, text_delta("m", delta, 0))

    assert state.items["m"].to_json()["content"] == [part("a"), part("x")]
    assert EMPTY_TEXT.cells == []


def test_a_text_has_nothing_of_what_grew_from_it() -> None:
    text = Text.of(" ")
    text.append("b")

    assert (text.characters, text.is_blank) == (1, True)


@pytest.mark.parametrize("first", ["", "a"])
def test_two_texts_may_grow_from_one(first: str) -> None:
    text = Text.of(first)
    assert text.characters == len(first)

    one, other = text.append("b"), text.append(" ")

    assert (str(one), str(other)) == (first + "b", first + " ")
    assert (one.is_blank, other.is_blank) == (False, first == "")
