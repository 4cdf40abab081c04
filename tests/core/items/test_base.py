"""All that items of every type share."""

from __future__ import annotations

import pytest

from chatkit_reducer.core.items import AssistantMessage, OpaqueItem
from chatkit_reducer.core.items.assistant_message import Part
from chatkit_reducer.core.items.base import ItemState, VisibleContent
from chatkit_reducer.events import AssistantMessageContentPartTextDelta
from chatkit_reducer.testing.examples import message, part


def test_an_item_type_says_only_what_is_special_about_it() -> None:
    plain = ItemState({"id": "x", "type": "new.type"})

    assert plain.seen == VisibleContent()
    assert plain.is_empty is False
    assert plain.sealed() is plain
    assert plain.diff_to(plain) is None
    assert plain.growing_text(AssistantMessageContentPartTextDelta(0, "a")) is None
    with pytest.raises(NotImplementedError):
        plain.with_growing_text(0, ["a"], 1)


def test_items_and_parts_are_equal_to_none_but_their_own_kind() -> None:
    one = ItemState({"id": "x"})
    text = Part.parse(part("a"))

    assert one != {"id": "x"}
    assert not one == {"id": "x"}  # noqa: SIM201  # the two are two functions
    assert text != part("a")
    assert not text == part("a")  # noqa: SIM201


def test_items_of_two_kinds_are_not_equal_whatever_they_say() -> None:
    json = message("m", "a")

    assert OpaqueItem(json) != AssistantMessage(json)
