"""The two persistent containers, compared with a dict and a list."""

from __future__ import annotations

from collections.abc import Hashable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from chatkit_reducer.core.persistent import EMPTY_LIST, EMPTY_MAP, AppendList, Map, append_shared
from tests.support.raced import Raced


class Key:
    """A key whose hash is chosen, so that keys can collide in all bits or in some."""

    def __init__(self, name: int, hashed: int) -> None:
        self.name = name
        self.hashed = hashed

    def __hash__(self) -> int:
        return self.hashed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.name == other.name

    def __repr__(self) -> str:
        return f"Key({self.name}, {self.hashed})"


# Hashes that are all the same; that differ in their lowest bits, in the middle or only at the top;
# that are negative. A name has one hash, as every key must.
HASHES = (0, 1, 31, 32, 33, -1 - 2**40, 2**35, 2**60, -(2**60), 7 << 55)
colliding_keys = st.integers(0, 60).map(lambda n: Key(n, HASHES[n % len(HASHES)]))
same_hash_keys = st.integers(100, 180).map(lambda n: Key(n, 5))
plain_keys = st.integers(-50, 200) | st.text(max_size=2)
keys: st.SearchStrategy[Hashable] = st.one_of(colliding_keys, same_hash_keys, plain_keys)
# A map holds no None: `get` says with it that there is nothing.
values = st.integers() | st.text(max_size=2)
models = st.dictionaries(keys, values, max_size=120)


def assert_same(real: Map[Hashable, object], model: dict[Hashable, object]) -> None:
    assert len(real) == len(model)
    pairs = list(real.items())
    assert len(pairs) == len(model)
    assert dict(pairs) == model
    for key, value in model.items():
        assert real.get(key) == value
        assert key in real


class Maps(RuleBasedStateMachine):
    """Many maps, each made of an older one: none may change when others are made of it."""

    maps = Bundle("maps")

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[Map[Hashable, object], dict[Hashable, object]]] = []

    def keep(self, real: Map[Hashable, object], model: dict[Hashable, object]) -> int:
        assert_same(real, model)
        self.made.append((real, model))
        return len(self.made) - 1

    @rule(target=maps)
    def empty(self) -> int:
        return self.keep(EMPTY_MAP, {})

    @rule(target=maps, model=models)
    def of(self, model: dict[Hashable, object]) -> int:
        return self.keep(Map.of(model), dict(model))

    @rule(target=maps, source=maps, key=keys, value=values)
    def set(self, source: int, key: Hashable, value: object) -> int:
        real, model = self.made[source]
        return self.keep(real.set(key, value), {**model, key: value})

    @rule(target=maps, source=maps, more=models)
    def set_many(self, source: int, more: dict[Hashable, object]) -> int:
        real, model = self.made[source]
        for key, value in more.items():
            real = real.set(key, value)
        return self.keep(real, {**model, **more})

    @rule(target=maps, source=maps, key=keys)
    def without(self, source: int, key: Hashable) -> int:
        real, model = self.made[source]
        less = real.without(key)
        assert (less is real) == (key not in model)
        return self.keep(less, {k: v for k, v in model.items() if k != key})

    @rule(target=maps, source=maps, place=st.integers(0), count=st.integers(1, 40))
    def without_many(self, source: int, place: int, count: int) -> int:
        real, model = self.made[source]
        ordered = list(model)
        start = place % len(ordered) if ordered else 0
        gone = ordered[start : start + count]
        for key in gone:
            real = real.without(key)
        return self.keep(real, {k: v for k, v in model.items() if k not in gone})

    @rule(one=maps, other=maps)
    def changed_keys(self, one: int, other: int) -> None:
        (real, model), (another, its_model) = self.made[one], self.made[other]
        keys = {*model, *its_model}
        changed = list(real.changed_keys(another))
        assert len(changed) == len(set(changed))
        # Small numbers and texts are one object each; what is equal is the same object or is not.
        assert set(changed) >= {k for k in keys if model.get(k) != its_model.get(k)}
        assert set(changed) <= {k for k in keys if model.get(k) is not its_model.get(k)}

    @rule(target=maps, source=maps, more=models, gone=st.lists(keys, max_size=10))
    def updated(self, source: int, more: dict[Hashable, object], gone: list[Hashable]) -> int:
        real, model = self.made[source]
        changes = {**more, **dict.fromkeys(gone)}
        merged = {**model, **changes}
        return self.keep(real.updated(changes), {k: v for k, v in merged.items() if v is not None})

    @rule(source=maps, key=keys)
    def get(self, source: int, key: Hashable) -> None:
        real, model = self.made[source]
        assert real.get(key) == model.get(key)
        assert (key in real) == (key in model)

    @rule(one=maps, other=maps)
    def equals(self, one: int, other: int) -> None:
        assert (self.made[one][0] == self.made[other][0]) == (
            self.made[one][1] == self.made[other][1]
        )

    @invariant()
    def nothing_made_before_has_changed(self) -> None:
        for real, model in self.made[-8:]:
            assert_same(real, model)

    def teardown(self) -> None:
        for real, model in self.made:
            assert_same(real, model)


class SharedLists(RuleBasedStateMachine):
    """Many sequences, each made of an older one, several of the same one."""

    lists = Bundle("lists")

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[AppendList[object], list[object]]] = []

    def keep(self, real: AppendList[object], model: list[object]) -> int:
        assert list(real) == model
        assert len(real) == len(model)
        self.made.append((real, model))
        return len(self.made) - 1

    @rule(target=lists)
    def empty(self) -> int:
        return self.keep(EMPTY_LIST, [])

    @rule(target=lists, model=st.lists(values, max_size=5))
    def of(self, model: list[object]) -> int:
        real = AppendList.of(model)
        copied = list(model)
        model.append("behind")  # the sequence shares nothing with the list that it was made of
        return self.keep(real, copied)

    @rule(target=lists, source=lists, value=values)
    def append(self, source: int, value: object) -> int:
        real, model = self.made[source]
        return self.keep(real.append(value), [*model, value])

    @rule(target=lists, source=lists, value=values, place=st.integers(0, 10))
    def insert(self, source: int, value: object, place: int) -> int:
        real, model = self.made[source]
        place %= len(model) + 1
        return self.keep(real.insert(place, value), [*model[:place], value, *model[place:]])

    @rule(one=lists, other=lists)
    def equals(self, one: int, other: int) -> None:
        assert (self.made[one][0] == self.made[other][0]) == (
            self.made[one][1] == self.made[other][1]
        )

    @invariant()
    def nothing_made_before_has_changed(self) -> None:
        for real, model in self.made:
            assert list(real) == model


TestMaps = Maps.TestCase
TestMaps.settings = settings(stateful_step_count=20)
TestSharedLists = SharedLists.TestCase
TestSharedLists.settings = settings(stateful_step_count=20)


@given(models, st.randoms(use_true_random=False))
def test_the_order_in_which_keys_come_makes_no_difference(
    model: dict[Hashable, object], random: Random
) -> None:
    shuffled = list(model.items())
    random.shuffle(shuffled)
    one_by_one: Map[Hashable, object] = EMPTY_MAP
    for key, value in shuffled:
        one_by_one = one_by_one.set(key, value)
    assert one_by_one == Map.of(model)
    assert_same(one_by_one, model)


# With a spread of 0, all keys have one hash: no depth of the trie can tell them apart.
@pytest.mark.parametrize(
    ("spread", "size"), [(0, 100), (1, 3_000), (32, 3_000), (2**20, 3_000), (2**58, 500)]
)
def test_a_large_map_splits_into_a_trie(spread: int, size: int) -> None:
    model: dict[Hashable, object] = {Key(n, n * spread): n for n in range(size)}
    real: Map[Hashable, object] = EMPTY_MAP
    for key, value in model.items():
        real = real.set(key, value)
    assert_same(real, model)
    assert real == Map.of(model)
    for n in range(0, size, 2):
        key = Key(n, n * spread)
        real = real.without(key)
        del model[key]
    assert_same(real, model)


def test_setting_a_key_of_a_large_map_copies_little() -> None:
    real = Map.of({n: str(n) for n in range(10_000)})
    other = real.set(0, "new")
    assert isinstance(real.root, tuple)
    assert isinstance(other.root, tuple)
    shared = sum(a is b for a, b in zip(real.root, other.root, strict=True))
    assert shared == len(real.root) - 1


def test_appending_to_the_newest_shares_the_list_and_to_an_older_one_does_not() -> None:
    first = AppendList.of(["a"])
    second = first.append("b")
    third = second.append("c")
    assert second.cells is first.cells
    assert third.cells is first.cells
    fork = second.append("d")
    assert fork.cells is not first.cells
    assert [list(first), list(second), list(third), list(fork)] == [
        ["a"],
        ["a", "b"],
        ["a", "b", "c"],
        ["a", "b", "d"],
    ]


def test_the_empty_sequence_that_everybody_shares_stays_empty() -> None:
    assert list(EMPTY_LIST.append("a")) == ["a"]
    assert list(EMPTY_LIST.insert(0, "b")) == ["b"]
    assert list(EMPTY_LIST) == []
    assert EMPTY_LIST.cells == []


@pytest.mark.parametrize("value", [Map.of({1: 1}), AppendList.of([1])])
def test_neither_has_a_hash_nor_equals_anything_else(value: object) -> None:
    with pytest.raises(TypeError):
        hash(value)
    assert value != {1: 1}
    assert value != [1]


@pytest.mark.parametrize("size", [4, 100])  # made anew, and changed one by one
def test_updated_changes_adds_and_drops(size: int) -> None:
    before = Map.of(dict.fromkeys(range(size), "old"))

    after = before.updated({0: "new", 1: None, size: "more"})

    expected = {0: "new", **dict.fromkeys(range(2, size), "old"), size: "more"}
    assert dict(after.items()) == expected
    assert dict(before.items()) == dict.fromkeys(range(size), "old")


def test_what_two_maps_share_is_not_looked_at() -> None:
    class Loud:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("it was compared")

        __hash__ = object.__hash__

    before: Map[int, object] = Map.of({key: Loud() for key in range(10_000)})
    after = before.set(77, Loud()).without(9_000).set(20_000, Loud())
    assert sorted(after.changed_keys(before)) == [77, 9_000, 20_000]
    assert list(before.changed_keys(before)) == []
    assert sorted(EMPTY_MAP.changed_keys(Map.of({1: 2}))) == [1]


def test_who_loses_the_race_for_a_cell_copies() -> None:
    cells = Raced(["a"])

    assert append_shared(cells, 1, "b") == ["a", "b"]
    assert cells == ["a", "of the other", "b"]
