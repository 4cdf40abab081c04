"""Lists of an item: they are drawn right, and at the cost of what is new in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer.testing.examples import added, task, task_added, workflow
from chatkit_reducer.view.drawing.ends import same_ends
from chatkit_reducer.view.drawing.listing import Listing
from chatkit_reducer.view.drawing.place import Place
from chatkit_reducer.view.drawing.tree import FRAGMENT, Element, element
from chatkit_reducer.view.recording import Recording, json_text

WIDE = 32


class Value:
    """A value that is equal to no other one."""

    def __init__(self, name: int) -> None:
        self.name = name


def draw(value: Value, _: Place) -> Element:
    return element("li", str(value.name))


def new_drawer() -> Callable[[Any], Element]:
    return lambda value: Place().draw(draw, value)


def elements_in(fragments: list[Element]) -> list[Any]:
    return [child for fragment in fragments for child in fragment.children]


@st.composite
def histories(draw_from: st.DrawFn) -> list[list[Value]]:
    """Lists, each of which is the one before it with a few values taken out and put in."""
    now = [Value(number) for number in range(draw_from(st.integers(0, 100)))]
    lists, number = [now], 1000
    for _ in range(draw_from(st.integers(1, 12))):
        begin = draw_from(st.integers(0, len(now)))
        end = draw_from(st.integers(begin, min(len(now), begin + 40)))
        count = draw_from(st.sampled_from([0, 1, 1, 1, 2, 40]))
        again = now[:1] if draw_from(st.booleans()) else []  # the same object in two places
        now = [*now[:begin], *[Value(number + i) for i in range(count)], *again, *now[end:]]
        number += count
        lists.append(now)
    return lists


@given(histories())
def test_a_list_has_the_element_of_each_value_in_full_fragments(lists: list[list[Value]]) -> None:
    listing = Listing(new_drawer)
    for values in lists:
        fragments = listing.draw(values)
        elements = elements_in(fragments)
        assert [each.children for each in elements] == [[str(value.name)] for value in values]
        assert len({id(each) for each in elements}) == len(elements)
        assert all(each.tag == FRAGMENT and 0 < len(each.children) <= WIDE for each in fragments)


@given(histories())
def test_values_that_stay_at_either_end_keep_their_elements(lists: list[list[Value]]) -> None:
    listing = Listing(new_drawer)
    before: list[Value] = []
    known: list[Any] = []
    for values in lists:
        elements = elements_in(listing.draw(values))
        front, back = same_ends(before, values)
        assert same_ends(known, elements) == (front, back)
        before, known = values, elements


@given(histories(), st.data())
def test_another_drawing_takes_what_is_right(lists: list[list[Value]], data: st.DataObject) -> None:
    first = Listing(new_drawer)
    second = Listing(new_drawer, first)
    for values in lists:
        changed = [Value(-1) if data.draw(st.integers(0, 9)) == 0 else value for value in values]
        fragments, others = first.draw(values), second.draw(changed)
        assert [len(each.children) for each in others] == [len(each.children) for each in fragments]
        pairs = zip(elements_in(fragments), elements_in(others), strict=True)
        for value, other, (one, drawn) in zip(values, changed, pairs, strict=True):
            assert (one is drawn) == (value is other)
            assert drawn.children == [str(other.name)]
        for fragment, drawn in zip(fragments, others, strict=True):
            assert (fragment is drawn) == (
                same_ends(fragment.children, drawn.children) == (len(fragment.children), 0)
            )


@given(st.integers(1, 2000), st.data())
def test_one_value_more_costs_few_fragments(count: int, data: st.DataObject) -> None:
    values = [Value(number) for number in range(count)]
    listing = Listing(new_drawer)
    before = {id(fragment): fragment for fragment in listing.draw(values)}
    place = data.draw(st.integers(0, count))
    now = listing.draw([*values[:place], Value(-1), *values[place:]])
    assert sum(id(fragment) not in before for fragment in now) <= 2


@given(st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)))
def test_ends_that_are_the_same(before: list[int], now: list[int]) -> None:
    front, back = same_ends(before, now)
    most = min(len(before), len(now))
    assert front + back <= most
    assert before[:front] == now[:front]
    assert before[len(before) - back :] == now[len(now) - back :]
    if front + back < most:
        assert before[front] != now[front]
        assert before[-1 - back] != now[-1 - back]


def size_of(tasks: int, place: Callable[[int], int]) -> int:
    recording = Recording()
    recording.take(added(workflow("w")))
    for number in range(tasks):
        recording.take(task_added("w", task(f"Step {number}"), place(number)))
    return len(json_text(recording.data("log")))


def test_tasks_in_front_of_others_make_a_page_no_larger_than_those_behind() -> None:
    front, end = size_of(600, lambda _: 0), size_of(600, lambda number: number)
    assert front < 1.1 * end
