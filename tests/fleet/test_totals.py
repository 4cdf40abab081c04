"""Totals: the sums of rows, in any order."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer.analysis import VisibleContent
from chatkit_reducer.events import Event
from chatkit_reducer.fleet import RowMaker, Totals
from chatkit_reducer.testing.examples import (
    added,
    done,
    message,
    task,
    task_added,
    text_delta,
    workflow,
)
from tests.support.fleets import CAUSES, POLICIES, Threads, threads

MAKER = RowMaker.of(POLICIES, CAUSES, stops="all")


def summary(totals: Totals) -> Any:
    cases = sorted(totals.asked)
    return (
        (totals.threads, totals.events, totals.items, totals.anomalies, totals.pending_threads),
        totals.endings,
        totals.losing_threads,
        [(asked, totals.by_type(asked), totals.tally(asked)) for asked in cases],
        [(asked, round(totals.stops[asked].mean_share, 9)) for asked in cases],
        [totals.worst(policy) for policy in POLICIES],
    )


@given(st.data(), threads())
def test_the_order_of_the_rows_does_not_matter(data: st.DataObject, streams: Threads) -> None:
    rows = [MAKER.row(events, thread) for thread, events in streams.items()]

    assert summary(Totals.of(rows)) == summary(Totals.of(data.draw(st.permutations(rows))))


@given(threads())
def test_sums_are_sums(streams: Threads) -> None:
    rows = [MAKER.row(events, thread) for thread, events in streams.items()]
    totals = Totals.of(rows)

    assert totals.threads == len(rows)
    assert totals.events == sum(row["events"] for row in rows)
    assert sum(totals.endings.values()) == len(rows)
    for asked in totals.asked:
        mine = [
            VisibleContent(**one["lost"])
            for row in rows
            for one in row["outcomes"]
            if (one["policy"], one["cause"]) == asked
        ]
        assert totals.tally(asked).seen["lost"] == sum(mine, VisibleContent())


def stopped_rows(count: int) -> list[Any]:
    maker = RowMaker.of(["drop", "keep"], CAUSES)
    return [
        maker.row([added(message("m", "")), text_delta("m", "x" * size)], f"t{size}")
        for size in range(count)
    ]


def test_the_worst_threads_are_those_that_lose_most() -> None:
    totals = Totals.of(stopped_rows(1200))
    worst = totals.worst("drop")

    assert [each.lost.characters for each in worst] == list(range(1199, 1189, -1))
    assert worst[0].thread == "t1199"
    assert totals.worst("keep") == []
    assert totals.losing_threads[worst[0].asked] == 1199


def test_the_mean_share_is_that_of_all_stops_with_something_at_stake() -> None:
    """Under `sdk` a workflow is lost, and a text is not: three stops of one, one of the other."""
    maker = RowMaker.of(["sdk"], ["cancelled"], stops="all")
    flow: list[Event] = [added(workflow("w")), *[task_added("w", task("x"), n) for n in range(3)]]
    text: list[Event] = [added(message("m", "")), text_delta("m", "x")]
    totals = Totals.of([maker.row(flow, "a"), maker.row(text, "b")])
    (tally,) = totals.stops.values()

    assert (tally.at_stake, tally.losing, tally.mean_share) == (4, 3, 0.75)


def test_a_thread_that_is_done_has_nothing_at_stake() -> None:
    totals = Totals.of([RowMaker.of(["drop"], CAUSES).row([done(message("m", "x"))], "t")])

    assert totals.asked == ()
    assert totals.endings == {"ended": 1}
