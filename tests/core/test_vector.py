"""The persistent vector, compared with a list."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from chatkit_reducer.core.vector import EMPTY_VECTOR, Vector

# Lengths around those at which leaves and branches split, 32 values and 32 * 32.
LENGTHS = st.integers(0, 100) | st.sampled_from([1023, 1024, 1025, 1100])
values = st.integers()


def naive_ends(one: list[int], other: list[int]) -> tuple[int, int]:
    same = [mine is its for mine, its in zip(one, other, strict=False)]
    front = [*same, False].index(False)
    if front == len(same):
        return front, 0
    behind = [mine is its for mine, its in zip(one[::-1], other[::-1], strict=False)]
    return front, min([*behind, False].index(False), len(same) - front)


def assert_same(real: Vector[int], model: list[int]) -> None:
    assert list(real) == model
    assert len(real) == len(model)
    assert bool(real) == bool(model)
    assert [real[index] for index in range(0, len(model), 7)] == model[::7]
    assert real.total(int, 0) == sum(model)
    for index in range(0, len(model) + 1, 100):
        assert real.total_before(index, int, 0) == sum(model[:index])
    assert real == Vector.of(model)


class Vectors(RuleBasedStateMachine):
    """Many vectors, each made of an older one: none may change when others are made of it."""

    vectors = Bundle("vectors")

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[Vector[int], list[int]]] = []

    def keep(self, real: Vector[int], model: list[int]) -> int:
        assert_same(real, model)
        self.made.append((real, model))
        return len(self.made) - 1

    @rule(target=vectors, length=LENGTHS)
    def of(self, length: int) -> int:
        return self.keep(Vector.of(range(length)), list(range(length)))

    @rule(target=vectors, source=vectors, value=values, count=st.integers(1, 70))
    def append(self, source: int, value: int, count: int) -> int:
        real, model = self.made[source]
        for _ in range(count):
            real = real.append(value)
        return self.keep(real, [*model, *[value] * count])

    @rule(
        target=vectors,
        source=vectors,
        value=values,
        places=st.lists(st.integers(0), min_size=1, max_size=40),
    )
    def insert(self, source: int, value: int, places: list[int]) -> int:
        real, model = self.made[source]
        model = model.copy()
        for place in places:
            index = place % (len(model) + 1)
            real = real.insert(index, value)
            model.insert(index, value)
        return self.keep(real, model)

    @rule(target=vectors, source=vectors, more=st.lists(values, max_size=40))
    def append_shared(self, source: int, more: list[int]) -> int:
        real, model = self.made[source]
        return self.keep(real.append_shared(more), [*model, *more])

    @rule(target=vectors, source=vectors, place=st.integers(0), count=st.integers(1, 70))
    def insert_at_one_place(self, source: int, place: int, count: int) -> int:
        real, model = self.made[source]
        index = place % (len(model) + 1)
        for value in range(count):
            real = real.insert(index, value)
        return self.keep(real, [*model[:index], *reversed(range(count)), *model[index:]])

    @rule(target=vectors, source=vectors, value=values, place=st.integers(0))
    def set(self, source: int, value: int, place: int) -> int:
        real, model = self.made[source]
        if not model:
            return source
        index = place % len(model)
        return self.keep(real.set(index, value), [*model[:index], value, *model[index + 1 :]])

    @rule(target=vectors, source=vectors, place=st.integers(0), count=st.integers(1, 70))
    def without(self, source: int, place: int, count: int) -> int:
        real, model = self.made[source]
        index = place % (len(model) + 1)
        gone = min(count, len(model) - index)
        for _ in range(gone):
            real = real.without(index)
        return self.keep(real, [*model[:index], *model[index + gone :]])

    @rule(
        target=vectors,
        source=vectors,
        places=st.lists(st.integers(0), max_size=20),
        more=st.integers(0, 5),
    )
    def updated(self, source: int, places: list[int], more: int) -> int:
        real, model = self.made[source]
        size = len(model)
        changes = {place % size: place for place in places} if size else {}
        changes |= {size + n: n for n in reversed(range(more))}
        model = [*model, *range(more)]
        for index, value in changes.items():
            model[index] = value
        return self.keep(real.updated(changes), model)

    @rule(
        target=vectors,
        source=vectors,
        place=st.integers(0),
        count=st.integers(0, 40),
        more=st.lists(values, max_size=40),
    )
    def spliced(self, source: int, place: int, count: int, more: list[int]) -> int:
        real, model = self.made[source]
        start = place % (len(model) + 1)
        stop = min(start + count, len(model))
        return self.keep(real.spliced(start, stop, more), [*model[:start], *more, *model[stop:]])

    @rule(one=vectors, other=vectors)
    def same_ends(self, one: int, other: int) -> None:
        (real, model), (real_other, other_model) = self.made[one], self.made[other]
        assert real.same_ends(real_other) == naive_ends(model, other_model)

    @rule(one=vectors, other=vectors)
    def equals(self, one: int, other: int) -> None:
        same = self.made[one][1] == self.made[other][1]
        assert (self.made[one][0] == self.made[other][0]) == same
        assert (self.made[one][0] != self.made[other][0]) != same

    @invariant()
    def nothing_made_before_has_changed(self) -> None:
        for real, model in self.made[-4:]:
            assert_same(real, model)

    def teardown(self) -> None:
        for real, model in self.made:
            assert_same(real, model)


TestVectors = Vectors.TestCase
TestVectors.settings = settings(stateful_step_count=15)


@given(st.lists(values, max_size=200), st.integers(-3, 203))
def test_an_index_that_it_does_not_have_is_an_index_error(model: list[int], index: int) -> None:
    real = Vector.of(model)
    if 0 <= index < len(model):
        assert real[index] == model[index]
    else:
        with pytest.raises(IndexError, match=rf"to {len(model) - 1}, got {index}$"):
            real[index]


@pytest.mark.parametrize("at_end", [True, False])
def test_a_long_vector_is_a_flat_tree(at_end: bool) -> None:
    real: Vector[int] = EMPTY_VECTOR
    for value in range(5_000):
        real = real.insert(value if at_end else 0, value)

    node, depth = real.root, 0
    while hasattr(node, "children"):
        assert len(node.children) <= 32
        node, depth = node.children[0], depth + 1
    assert depth <= 3
    assert list(real) == (list(range(5_000)) if at_end else list(reversed(range(5_000))))


def test_a_change_looks_at_few_values() -> None:
    looked_at: list[int] = []

    def measure(value: int) -> int:
        looked_at.append(value)
        return 1

    real = Vector.of(range(10_000))
    assert real.total(measure, 0) == 10_000
    looked_at.clear()

    assert real.total(measure, 0) == 10_000
    assert looked_at == []
    assert real.set(5_000, -1).insert(70, -2).total(measure, 0) == 10_001
    assert len(looked_at) <= 4 * 32


def test_two_vectors_are_compared_at_the_cost_of_what_they_do_not_share() -> None:
    real = Vector.of([object() for _ in range(100_000)])
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    for changed in (real.set(70_000, object()), real.insert(3, object()), real.without(99_999)):
        calls = 0
        before = sys.getprofile()
        sys.setprofile(count)
        try:
            front, back = real.same_ends(changed)
        finally:
            sys.setprofile(before)
        assert front + back in (99_999, 100_000)
        assert calls < 2_500


@pytest.mark.parametrize("size", [0, 1, 31, 32, 1_000])
@pytest.mark.parametrize("more", [0, 1, 32, 100])
def test_values_are_added_behind_all_others(size: int, more: int) -> None:
    before = Vector.of(range(size))
    assert list(before.append_shared([-1] * more)) == [*range(size), *[-1] * more]
    assert list(before) == list(range(size))


def test_the_empty_vector_that_everybody_shares_stays_empty() -> None:
    assert list(EMPTY_VECTOR.append("a")) == ["a"]
    assert list(EMPTY_VECTOR.append("a").without(0)) == []
    assert list(EMPTY_VECTOR) == []
    assert EMPTY_VECTOR.total(str, "") == ""
    assert EMPTY_VECTOR.total(int, 7) == 7
    assert EMPTY_VECTOR.total_before(0, int, 7) == 7
    assert list(EMPTY_VECTOR.spliced(0, 0, ["a"])) == ["a"]
    assert list(EMPTY_VECTOR) == []


def test_a_vector_has_no_hash_and_equals_nothing_else() -> None:
    with pytest.raises(TypeError):
        hash(Vector.of([1]))
    assert Vector.of([1]) != [1]
