"""A state lists its first anomalies and counts the others, however many a stream has."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from chatkit_reducer import ThreadState, compact, fold, policies, reduce, replay, restore, snapshot
from chatkit_reducer.analysis import sweep
from chatkit_reducer.core.anomalies import MAX_ANOMALIES
from chatkit_reducer.errors import AnomalyError, SnapshotError
from chatkit_reducer.events import Event
from chatkit_reducer.testing.conformance import laws
from chatkit_reducer.testing.examples import added, message, removed, text_delta

MORE = 7


def faults(count: int) -> list[Event]:
    return [removed(f"item {number}") for number in range(count)]


@pytest.fixture(scope="module")
def full() -> ThreadState:
    return fold(faults(MAX_ANOMALIES))


def test_the_first_anomalies_are_listed_and_the_others_counted(full: ThreadState) -> None:
    state = fold(faults(MAX_ANOMALIES + MORE))

    assert len(full.anomalies) == len(state.anomalies) == MAX_ANOMALIES
    assert (full.unlisted_anomalies, state.unlisted_anomalies) == (0, MORE)
    assert state.anomalies[-1].item_id == f"item {MAX_ANOMALIES - 1}"
    assert f"anomalies={MAX_ANOMALIES + MORE}" in repr(state)


def test_a_stored_thread_lists_its_first_anomalies_as_well() -> None:
    state = ThreadState.from_items([{"no": "id"}] * (MAX_ANOMALIES + MORE))

    assert len(state.anomalies) == MAX_ANOMALIES
    assert state.unlisted_anomalies == MORE


def test_a_fold_past_the_bound_may_be_cut_anywhere(full: ThreadState) -> None:
    events: list[Event] = [
        removed("x"),
        added(message("m", "")),
        text_delta("m", "a"),
        removed("y"),
    ]
    whole = fold(events, full)

    for cut in range(len(events) + 1):
        assert fold(events[cut:], restore(snapshot(fold(events[:cut], full)))) == whole
    assert whole.unlisted_anomalies == 2
    laws.fold_is_reduce_one_by_one(events, full)


def test_the_count_is_part_of_what_a_state_says(full: ThreadState) -> None:
    assert reduce(full, removed("x")) != full


def test_strict_mode_raises_past_the_bound(full: ThreadState) -> None:
    with pytest.raises(AnomalyError, match="no such item"):
        reduce(full, removed("x"), strict=True)


def test_compact_keeps_a_faulty_delta_past_the_bound(full: ThreadState) -> None:
    events: list[Event] = [text_delta("gone", "a"), text_delta("gone", "b")]

    assert compact(events, full) == events


def test_a_sweep_past_the_bound_sees_each_fault(full: ThreadState) -> None:
    start = fold([added(message("m", ""))], full)

    events: list[Event] = [text_delta("m", "a"), text_delta("m", "b", 5000), text_delta("m", "c")]

    *_, last = sweep(events, [policies.DROP], "cancelled", start)

    assert last.fates[0].lost.characters == 2


# --- snapshots ------------------------------------------------------------------------------------


def test_a_snapshot_tells_the_count_only_where_there_is_one(full: ThreadState) -> None:
    more = reduce(full, removed("x"))

    assert "unlisted_anomalies" not in snapshot(full)
    assert snapshot(more)["unlisted_anomalies"] == 1
    assert restore(snapshot(more)) == more


def test_a_snapshot_that_lists_too_many_counts_those_behind_the_bound(full: ThreadState) -> None:
    paper = snapshot(full)
    paper["anomalies"] += paper["anomalies"][:MORE]

    state = restore(paper)

    assert (len(state.anomalies), state.unlisted_anomalies) == (MAX_ANOMALIES, MORE)


def test_a_snapshot_with_fewer_than_no_anomalies_is_damaged() -> None:
    with pytest.raises(SnapshotError) as caught:
        restore({**snapshot(ThreadState()), "unlisted_anomalies": -1})

    assert str(caught.value) == (
        "the snapshot is damaged: the number is negative @ $.unlisted_anomalies"
    )


@pytest.mark.parametrize("count", ["3", 1.0, None])
def test_a_snapshot_with_another_kind_of_count_is_refused(count: Any) -> None:
    with pytest.raises(SnapshotError, match="unlisted_anomalies"):
        restore({**snapshot(ThreadState()), "unlisted_anomalies": count})


# --- logs -----------------------------------------------------------------------------------------


def test_half_a_million_faults_of_a_log_are_counted() -> None:
    log = (
        b"1\n" * 500_000 + json.dumps({"type": "notice", "level": "info", "message": "x"}).encode()
    )

    state = replay(io.BytesIO(log))

    assert len(state.anomalies) == MAX_ANOMALIES
    assert state.unlisted_anomalies == 490_000
    assert state.anomalies[-1].line == MAX_ANOMALIES
