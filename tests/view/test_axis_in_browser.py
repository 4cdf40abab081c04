"""The axis of the timeline and the clock of a thread, by themselves, in a browser."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from tests.support.chromium import Tab

ASSETS = files("chatkit_reducer.view") / "assets"
PARTS = "\n".join((ASSETS / name).read_text("utf-8") for name in ("model.js", "timeline.js"))

# Between the margins are 1,000 pixels.
WIDTH, LEFT, RIGHT = 1016, 8, 1008
TIMES = [0, 0, 10, 40, 100]


def value(tab: Tab, expression: str) -> Any:
    """The value of an expression that may use the names of both parts."""
    return tab.evaluate(f"(() => {{ {PARTS}; return {expression}; }})()")


def on_axis(tab: Tab, expression: str, *, last: int = 10, times: list[int] | None = None) -> Any:
    thread, is_time = {"last": last, "times": times}, times is not None
    axis = f"new Axis({json.dumps(thread)}, {WIDTH}, {json.dumps(is_time)})"
    return value(tab, f"((axis) => {expression})({axis})")


# --- steps ----------------------------------------------------------------------------------------


def test_steps_stand_at_even_places(tab: Tab) -> None:
    assert on_axis(tab, "[0, 5, 10].map((step) => axis.at(step))") == [LEFT, 508, RIGHT]


def test_the_cell_of_a_step_is_around_it_within_the_margins(tab: Tab) -> None:
    begins = on_axis(tab, "[0, 5, 10, 11].map((step) => axis.begin(step))")
    assert begins == [LEFT, 468, 968, RIGHT]
    cells = on_axis(tab, "[0, 467, 469, 567, 969, 5000].map((x) => axis.cellAt(x))")
    assert cells == [0, 4, 5, 5, 10, 10]


def test_a_click_is_for_the_nearest_step(tab: Tab) -> None:
    steps = on_axis(tab, "[-50, 551, 559, 5000].map((x) => axis.nearest(x))")
    assert steps == [0, 5, 6, 10]


def test_a_log_without_events_has_an_axis(tab: Tab) -> None:
    assert on_axis(tab, "[axis.total, axis.at(0), axis.nearest(500)]", last=0)[:2] == [1, LEFT]


# --- time -----------------------------------------------------------------------------------------


def test_steps_stand_at_their_times(tab: Tab) -> None:
    places = on_axis(tab, "[0, 1, 2, 3, 4].map((step) => axis.at(step))", last=4, times=TIMES)
    assert places == [LEFT, LEFT, 108, 408, RIGHT]
    assert on_axis(tab, "axis.total", last=4, times=TIMES) == 100


def test_a_cell_of_time_begins_at_its_step_and_ends_at_the_next(tab: Tab) -> None:
    begins = on_axis(tab, "[1, 2, 4, 5].map((step) => axis.begin(step))", last=4, times=TIMES)
    assert begins == [LEFT, 108, RIGHT, RIGHT]
    cells = on_axis(tab, "[8, 107, 109, 1008].map((x) => axis.cellAt(x))", last=4, times=TIMES)
    assert cells == [1, 1, 2, 4]


def test_a_click_is_for_the_step_at_the_nearest_time(tab: Tab) -> None:
    steps = on_axis(
        tab, "[20, 57, 59, 257, 259, 1008].map((x) => axis.nearest(x))", last=4, times=TIMES
    )
    assert steps == [1, 1, 2, 2, 3, 4]


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0 s"), (1.5, "0.002 s"), (59_000, "59 s"), (60_000, "1:00"), (95_500, "1:35.5")],
)
def test_times_are_written_short(milliseconds: float, text: str, tab: Tab) -> None:
    assert value(tab, f"durationText({milliseconds})") == text


# --- the clock ------------------------------------------------------------------------------------


def times_of(tab: Tab, *pieces: list[Any] | None) -> Any:
    """The times of a clock that takes one list after the other, each longer than the last."""
    return value(
        tab,
        f"(() => {{ const clock = new Clock(); for (const each of {json.dumps(pieces)})"
        " clock.take(each); return clock.times; })()",
    )


def test_times_are_milliseconds_after_the_first_event(tab: Tab) -> None:
    assert times_of(tab, [100, 101.5, 101.5, 130]) == [0, 0, 1500, 1500, 30_000]
    dates = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:02.5Z"]
    assert times_of(tab, dates) == [0, 0, 2500]


def test_times_come_in_pieces(tab: Tab) -> None:
    every = [100, 101, 103, 106]
    assert times_of(tab, None, every[:2], every[:2], every) == times_of(tab, every)


@pytest.mark.parametrize(
    "times",
    [None, [], [5], [5, 5, 5], [5, 4], [5, 7, 6, 8], [5, None, 6], ["yesterday", "today"]],
    ids=str,
)
def test_times_that_tell_no_steps_apart_or_in_no_order_are_none(times: Any, tab: Tab) -> None:
    assert times_of(tab, times) is None


# --- runs -----------------------------------------------------------------------------------------


def test_numbers_in_runs(tab: Tab) -> None:
    assert value(tab, "numbersIn([[3, 2], [9, 1]])") == [3, 4, 9]
    assert value(tab, "numbersIn([])") == []
