"""Where the updates of an item do not add up to it: chatkit_reducer/analysis/comparison.py."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_reducer.analysis.comparison import (
    Difference,
    common_prefix,
    compare_items,
    differences,
    path_text,
)
from chatkit_reducer.core.items import ITEM_TYPES
from chatkit_reducer.events import Json
from chatkit_reducer.testing.examples import (
    citation,
    image,
    item,
    message,
    part,
    task,
    user_message,
    widget,
    workflow,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
    ),
    max_leaves=12,
)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(v) for name, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(element) for element in value]
    return ("bool", value) if isinstance(value, bool) else value


# --- two JSON values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (1, 1, []),
        (1, 1.0, []),
        (1, 2, [((), 1, 2)]),
        (True, 1, [((), True, 1)]),
        (None, 0, [((), None, 0)]),
        ({"a": 1}, {"a": 1, "b": None}, []),
        ({"a": None}, {}, []),
        ({"a": 1}, {"b": 2}, [(("a",), 1, None), (("b",), None, 2)]),
        ({"a": []}, {}, [(("a",), [], None)]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, [(("a", "b", 1), 2, 3)]),
        ([1], {"0": 1}, [((), [1], {"0": 1})]),
        ("a", ["a"], [((), "a", ["a"])]),
    ],
)
def test_differences(before: Any, after: Any, expected: list[tuple[Any, Any, Any]]) -> None:
    assert differences(before, after) == [Difference(*each) for each in expected]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("abc", "ab", [((2,), "c", None)]),
        ("ab", "abc", [((2,), None, "c")]),
        ("abbc", "abc", [((2,), "b", None)]),
        ("abc", "axbc", [((1,), None, "x")]),
        ("abc", "bc", [((0,), "a", None)]),
        ("abcz", "axz", [((1,), "b", "x"), ((2,), "c", None)]),
        ("", "ab", [((0,), None, "a"), ((1,), None, "b")]),
    ],
)
def test_what_both_lists_end_with_is_no_difference(
    before: str, after: str, expected: list[tuple[Any, Any, Any]]
) -> None:
    assert differences(list(before), list(after)) == [Difference(*each) for each in expected]


def test_differences_in_document_order() -> None:
    before = {"a": [{"x": 1}, 2], "b": 3}
    after = {"b": 4, "a": [{"x": 5}, 6]}

    paths = [difference.path for difference in differences(before, after)]

    assert paths == [("a", 0, "x"), ("a", 1), ("b",)]


def test_values_nested_more_deeply_than_the_stack() -> None:
    before: Any = 1
    after: Any = 2
    for _ in range(20_000):
        before, after = [before], {"a": [after]} if after == 2 else [after]

    assert len(differences(before, after)) == 1


@given(values)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert differences(value, value) == []


@given(values, values)
@example([None, []], [[]])
@example([1], [1, None])
def test_values_differ_unless_they_are_equal_but_for_nulls(before: Any, after: Any) -> None:
    equal = _without_nulls(before) == _without_nulls(after)

    assert (differences(before, after) == []) is equal


@given(st.text("ab"), st.text("ab"))
def test_common_prefix(before: str, after: str) -> None:
    equal = takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))

    assert common_prefix(before, after) == len(list(equal))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((), ""),
        (("content", 0, "text"), "content[0].text"),
        (("a", "odd name", "b"), "a['odd name'].b"),
        ((0, "a"), "[0].a"),
    ],
)
def test_path_text(path: tuple[str | int, ...], expected: str) -> None:
    assert path_text(path) == expected


# --- which part of an item its updates build ------------------------------------------------------


def test_every_type_of_item_that_updates_touch_is_in_the_table() -> None:
    for kind, (state, reducers) in ITEM_TYPES.items():
        whole: dict[str, Any] = {
            "content": [],
            "widget": {"type": "Card"},
            "workflow": {"tasks": []},
            "image": None,
        }
        assert bool(state.updatable_part({"type": kind, **whole})) is bool(reducers)


@pytest.mark.parametrize(
    ("folded", "final"),
    [
        (message("m", "a"), {**message("m", "a"), "created_at": "later", "new_field": 1}),
        (message("m", "a"), {**message("m"), "content": [{"type": "output_text", "text": "a"}]}),
        (widget("w", {"type": "Card"}), {**widget("w", {"type": "Card"}), "copy_text": "x"}),
        (widget("w", {"type": "Card"}), widget("w", {"type": "Card", "size": None})),
        (image("i", "https://a/partial"), image("i", "https://a/final")),
        (image("i"), image("i")),
        (user_message("u", "a"), user_message("u", "b")),
        (item("x", "poll", question="a"), item("x", "poll", question="b")),
    ],
)
def test_what_no_update_builds_is_not_compared(folded: Any, final: Any) -> None:
    assert compare_items(folded, final) == []


def test_the_summary_of_a_workflow_is_not_compared() -> None:
    final = workflow("w", "a")
    final["workflow"] |= {"summary": {"duration": 3}, "expanded": True}

    assert compare_items(workflow("w", "a"), final) == []


@pytest.mark.parametrize(
    ("folded", "final", "expected"),
    [
        (message("m", "a"), message("m", "ab"), [("content", 0, "text")]),
        (message("m", "a"), message("m", "a", "b"), [("content", 1)]),
        (
            {**message("m"), "content": [part("a", citation("x"))]},
            message("m", "a"),
            [("content", 0, "annotations")],
        ),
        (
            {**message("m"), "content": [part("a", citation("x"))]},
            {**message("m"), "content": [part("a", citation("y"))]},
            [
                ("content", 0, "annotations", 0, "source", "title"),
                ("content", 0, "annotations", 0, "source", "filename"),
            ],
        ),
        (workflow("w", "a"), workflow("w", "a", "b"), [("workflow", "tasks", 1)]),
        (
            workflow("w", "a"),
            {**workflow("w"), "workflow": {"tasks": [task("a", status="complete")]}},
            [("workflow", "tasks", 0, "status_indicator")],
        ),
        (
            widget("w", {"type": "Card", "children": {"type": "Text", "value": "a"}}),
            widget("w", {"type": "Card", "children": {"type": "Text", "value": "b"}}),
            [("widget", "children", "value")],
        ),
        (
            image("i", "https://a"),
            {**image("i"), "image": {"id": "img_2", "url": "https://a"}},
            [("image", "id")],
        ),
        (image("i", "https://a"), image("i"), [("image",)]),
        (message("m", "a"), widget("m", {"type": "Card"}), [("type",)]),
        (message("m", "a"), {**message("m"), "content": "a"}, [("content",)]),
        (message("m", "a"), {**message("m"), "content": ["a"]}, [("content", 0)]),
    ],
)
def test_what_updates_build_is_compared(
    folded: Any, final: Any, expected: list[tuple[str | int, ...]]
) -> None:
    assert [difference.path for difference in compare_items(folded, final)] == expected


def test_what_two_lists_of_lists_end_with_is_no_difference() -> None:
    assert differences([[1, 2], [9]], [[1, 2], [3, [4]], [9]]) == [
        Difference((1,), None, [3, [4]]),
    ]


def test_lists_of_other_lengths_inside_of_each_other_are_compared_in_no_time() -> None:
    def nested(depth: int, more: int) -> Json:
        value: Json = {"type": "Text", "value": f"x{more}"}
        for _ in range(depth):
            value = {"type": "Col", "children": [value] + [{"type": "Divider"}] * more}
        return value

    assert differences(nested(200, 1), nested(200, 2))
