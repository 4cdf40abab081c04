"""Plain JSON, and the building blocks of all other strategies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from chatkit_reducer.testing.strategies._published import published

T = TypeVar("T")

Json: TypeAlias = dict[str, Any]
JsonObjects: TypeAlias = st.SearchStrategy[Json]

# Beyond these, two JSON libraries may disagree on the value of a number.
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1


def texts(*, min_size: int = 0, max_size: int = 12) -> st.SearchStrategy[str]:
    """Generate text that can be written in UTF-8: without lone surrogates."""
    alphabet = st.characters(codec="utf-8")
    return st.text(alphabet=alphabet, min_size=min_size, max_size=max_size)


@published
def json_values(*, max_leaves: int = 8) -> st.SearchStrategy[Any]:
    """Generate any JSON value: null, booleans, finite numbers, text, arrays and objects of these.

    >>> import json
    >>> from hypothesis import given
    >>> from chatkit_reducer.testing import strategies as chatkit
    >>> @given(chatkit.json_values(max_leaves=3))
    ... def test_json_comes_back(value):
    ...     assert json.loads(json.dumps(value)) == value
    >>> test_json_comes_back()

    Args:
        max_leaves: how many scalars a value holds at most.

    Raises:
        InvalidArgument: `max_leaves` is not 1 or more.
    """
    check_size("max_leaves", max_leaves, at_least=1)
    return json_of(max_leaves)


@lru_cache
def json_of(max_leaves: int) -> st.SearchStrategy[Any]:
    """Generate JSON values with at most so many scalars."""
    return st.recursive(_scalars(), _containers, max_leaves=max_leaves)


def _scalars() -> st.SearchStrategy[Any]:
    whole = st.integers(_SMALLEST, _LARGEST)
    real = st.floats(allow_nan=False, allow_infinity=False)
    return st.none() | st.booleans() | whole | texts() | real


def _containers(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(children, max_size=3) | st.dictionaries(texts(), children, max_size=3)


# --- for the other strategies ---------------------------------------------------------------------


def check_size(name: str, value: object, *, at_least: int = 0) -> None:
    """Refuse a size that is not a whole number, or too small."""
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise InvalidArgument(f"{name}={value!r} must be an integer, {at_least} or more")


def check_bool(name: str, value: object) -> None:
    """Refuse a switch that is neither True nor False."""
    if not isinstance(value, bool):
        raise InvalidArgument(f"{name}={value!r} must be True or False")


def check_strategy(name: str, value: object, what: str) -> None:
    """Raise InvalidArgument unless the value is a strategy or None."""
    if value is not None and not isinstance(value, st.SearchStrategy):
        raise InvalidArgument(f"{name}={value!r} must be a strategy for {what}")


@lru_cache
def checked_ids(ids: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Check each id that the caller's strategy draws: it must be a string."""
    return ids.map(_checked_id)


def _checked_id(item_id: object) -> str:
    if not isinstance(item_id, str):
        raise InvalidArgument(f"ids drew {item_id!r}: it must be a strategy for strings")
    return item_id


def nullable(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Generate these values, or null."""
    return st.none() | values


def objects(
    required: Mapping[str, st.SearchStrategy[Any]],
    optional: Mapping[str, st.SearchStrategy[Any]] | None = None,
    *,
    unknown: bool,
) -> JsonObjects:
    """Generate objects with these fields; with `unknown` perhaps some unknown ones, too."""
    known = st.fixed_dictionaries(dict(required), optional=dict(optional or {}))
    return st.builds(merged, unknown_fields(), known) if unknown else known


def unknown_names(prefix: str) -> st.SearchStrategy[str]:
    """Generate names that no release knows; the prefix keeps them apart from every known one."""
    return texts(max_size=3).map(prefix.__add__)


_SMALL = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts(max_size=3), _containers, max_leaves=3
)
# `extra` and `(extra)` are how events call their unknown fields inside and on the wire.
_FIELD_NAMES = st.sampled_from(["x", "extra", "(extra)", "json", "metadata"]) | texts(max_size=3)


def unknown_fields() -> JsonObjects:
    """Generate no field, mostly; or one or two of any name."""
    some = st.dictionaries(_FIELD_NAMES, _SMALL, min_size=1, max_size=2)
    none: JsonObjects = st.builds(dict)
    return weighted((4, none), (1, some))


def weighted(*choices: tuple[int, st.SearchStrategy[T]]) -> st.SearchStrategy[T]:
    """Choose one of several strategies, some more often than others; shrink towards the first.

    To name a strategy twice in `one_of` has no effect: Hypothesis counts it once.
    """
    by_place = [strategy for weight, strategy in choices for _ in range(weight)]

    # A function, and not the method of the list: Hypothesis writes its repr while it shrinks, and
    # for the method that is the repr of all strategies in the list, again and again: gigabytes.
    def chosen(place: int) -> st.SearchStrategy[T]:
        return by_place[place]

    return st.integers(0, len(by_place) - 1).flatmap(chosen)


def or_nothing(
    nothing: st.SearchStrategy[T], *choices: tuple[int, st.SearchStrategy[T]]
) -> st.SearchStrategy[T]:
    """Choose one of several, and seldom nothing: for the elements of lists.

    Hypothesis cuts a list off behind any element, and makes any element the simplest there is, but
    hardly ever finds how to take a large one out. Here the simplest one is as good as taken out.
    """
    return weighted((1, nothing), *[(3 * weight, strategy) for weight, strategy in choices])


def merged(less: Json, more: Json) -> Json:
    """Merge all fields of both; those of the second prevail."""
    return {**less, **more}


def check_names(name: str, value: Iterable[str] | None, among: Collection[str]) -> list[str]:
    """Return the names that were asked for, or all; refuse an empty choice and unknown names."""
    if value is None:
        return list(among)
    names = [value] if isinstance(value, str) else check_many(name, value)
    if isinstance(value, str) or not names:
        raise InvalidArgument(f"{name}={value!r} must be a collection of names, and not empty")
    strangers = [one for one in names if one not in among]
    if strangers:
        raise InvalidArgument(f"{name}={value!r}: {strangers[0]!r} is not one of {sorted(among)}")
    return names


def check_many(name: str, value: Iterable[T]) -> list[T]:
    """Return all values as a list; refuse a value that is not a collection."""
    try:
        return list(value)
    except TypeError:
        raise InvalidArgument(f"{name}={value!r} must be a collection") from None
