"""Whether two JSON values are equal."""

from __future__ import annotations

from typing import Any

import pytest

from chatkit_reducer.core.json_values import json_equal


def deep(value: Any) -> Any:
    """The value in more lists than Python would follow."""
    for _ in range(20_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, {"b": 1}),
        ([1], [1, 2]),
        ([1], [2]),
        ([1], {"a": 1}),
        (1, 1.0),
        (1, True),
    ],
)
def test_a_difference_is_found_however_deep_it_is(one: Any, other: Any) -> None:
    assert json_equal(deep(one), deep(one))
    assert not json_equal(deep(one), deep(other))


def test_true_is_not_1_beside_half_a_surrogate_pair_either() -> None:
    assert json_equal(["\ud800", 1], ["\ud800", 1])
    assert not json_equal(["\ud800", 1], ["\ud800", True])
