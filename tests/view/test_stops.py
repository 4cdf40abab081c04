"""The stops that a static page tells of, on data made for the purpose."""

from __future__ import annotations

from typing import Any

import pytest

from chatkit_reducer.view.stops import Stop, stop_at_end, worst_stop

# Rows 0 to 2: kept, stale, lost; the numbers of the cases are those of the rows, and case 3 has
# nothing new (row -1).
POLICY = {
    "d": [[0], [1], [2], [-1]],
    "rows": [["", "", "", "", decision, "", ""] for decision in ("persist", "stale", "discard")],
}
KEPT, STALE, LOST, NO_NEWS = range(4)
STORED, GONE = 2, 3


def pending(
    step: int,
    case: int,
    *,
    characters: int = 0,
    counted: list[list[int]] | None = None,
    content: int = 1,
) -> list[Any]:
    return [step, 0, 0, -1, -1, content, case, [characters, 0, 0, 0], counted or [], 0]


def stored(step: int) -> list[Any]:
    return [step, STORED, 0, -1, -1, 1, -1, None, None, 0]


def block(n: int, *items: list[list[Any]], track: list[int] | None = None) -> dict[str, Any]:
    """Data with one track, which gains a character at each of these steps."""
    steps = track or []
    text = {"t": "x" * len(steps), "s": [[step, 1] for step in steps], "m": [1] * len(steps)}
    return {"n": n, "items": [{"v": versions} for versions in items], "tracks": [text]}


def worst(data: dict[str, Any]) -> Stop:
    found = worst_stop(data, POLICY, 0)
    assert found is not None
    return found


def test_the_worst_stop_is_no_earlier_than_the_version_that_makes_it_one() -> None:
    versions = [
        pending(1, KEPT, counted=[[0, 1]]),
        pending(4, LOST, characters=2, counted=[[0, 1]]),
    ]
    found = worst(block(5, versions, track=[2, 3]))
    assert (found.step, found.amounts[2]) == (4, (2, 0, 0, 0))


def test_a_text_counts_that_grows_after_its_version_began() -> None:
    found = worst(block(9, [pending(1, LOST, counted=[[0, 1]])], track=[2, 3, 7]))
    assert (found.step, found.amounts[2]) == (7, (3, 0, 0, 0))


def test_nobody_stops_between_two_changes_of_one_event() -> None:
    begun = [pending(3, LOST, characters=5)]
    ended = [pending(1, LOST, characters=4), [3, GONE]]
    found = worst(block(4, begun, ended))
    assert (found.step, found.amounts[2]) == (3, (5, 0, 0, 0))


def test_a_stop_after_the_last_event_counts() -> None:
    found = worst(block(3, [pending(3, LOST, characters=5)]))
    assert (found.step, found.amounts[2]) == (3, (5, 0, 0, 0))


@pytest.mark.parametrize("last", [stored(2), [2, GONE]])
def test_an_item_that_has_ended_is_at_no_risk(last: list[Any]) -> None:
    data = block(3, [pending(1, LOST, characters=1), last], [pending(3, STALE, characters=9)])
    found = worst(data)
    assert (found.step, found.amounts[2]) == (1, (1, 0, 0, 0))
    assert stop_at_end(data, POLICY, 0).amounts == ((0,) * 4, (9, 0, 0, 0), (0,) * 4)


def test_content_that_is_stored_already_is_kept_whatever_the_policy() -> None:
    data = block(2, [pending(1, NO_NEWS, characters=5)])
    assert worst_stop(data, POLICY, 0) is None
    assert stop_at_end(data, POLICY, 0).amounts[0] == (5, 0, 0, 0)


@pytest.mark.parametrize(
    ("version", "uncounted"),
    [
        (pending(1, LOST), 1),
        (pending(1, LOST, content=0), 0),
        (pending(1, LOST, characters=3), 0),
    ],
)
def test_an_item_is_named_if_it_shows_something_and_nothing_of_it_is_counted(
    version: list[Any], uncounted: int
) -> None:
    assert stop_at_end(block(1, [version]), POLICY, 0).uncounted == (0, 0, uncounted)


def test_the_first_of_equal_stops_is_the_worst() -> None:
    versions = [pending(1, LOST, characters=5), pending(2, LOST, characters=5)]
    assert worst(block(4, versions)).step == 1


def test_most_stale_is_worst_where_nothing_is_lost() -> None:
    versions = [pending(1, STALE, characters=1), pending(2, STALE, characters=7), stored(3)]
    assert worst(block(4, versions)).step == 2
