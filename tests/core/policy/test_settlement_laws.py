"""Laws 6 and 7, for every stream, sound or hostile, and every policy.

6. `settle` is total: every item in flight is in exactly one of persist, discard and stale, and what
   was stored stays.
7. Convergence: after `settlement.events` a client shows what the store holds after
   `settlement.writes`. What is stale is named, and nothing else differs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import Settlement, ThreadState, fold, policies, settle
from chatkit_reducer import events as e
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.core.policy.store_rows import NO_NEWS
from chatkit_reducer.core.policy.table import Cause, Content, Policy, Row
from chatkit_reducer.core.policy.verdict import Verdict
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.events import Json
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.conformance import laws

STREAMS = chatkit.streams(max_items=4) | chatkit.adversarial_streams(max_events=16)
STOPS = chatkit.stops(streams=STREAMS)
POLICIES = (
    chatkit.policies()
    | chatkit.policies(ids=True)
    | st.sampled_from(list(policies.PRESETS.values()))
)
MARKER: Any = {"marker_id": "the marker", "marker_time": "2025-01-01", "marker_content": ["x"]}


def settled(stop: chatkit.StoppedStream, policy: Policy, **more: Any) -> Settlement:
    return settle(stop.state, policy=policy, cause=stop.cause, delivered=stop.delivered, **more)


def written(stop: chatkit.StoppedStream) -> int:
    """Of how many events the store is known to have seen what they say."""
    return len(stop.events) - (stop.state is not stop.delivered)


def in_flight(stop: chatkit.StoppedStream) -> list[str]:
    """The ids of the items that are pending, or whose last event the store may not have seen."""
    delivered, state = stop.delivered, stop.state
    doubtful = {
        item_id
        for item_id, item in state.items.items()
        if state.phase(item_id) is Phase.STORED
        and (delivered.phase(item_id) is not Phase.STORED or delivered.items[item_id] is not item)
    }
    return [item_id for item_id in state.items if item_id in {*state.pending, *doubtful}]


def stored_in(state: ThreadState) -> dict[str, Json]:
    """What a store holds: for what is pending its base, or nothing."""
    items: dict[str, Json] = {}
    for item_id, item in state.items.items():
        if item_id in state.bases:
            items[item_id] = state.bases[item_id].to_json()
        elif item_id not in state.pending:
            items[item_id] = item.to_json()
    return items


# --- law 6 ----------------------------------------------------------------------------------------


@pytest.mark.law
@given(STOPS, POLICIES)
def test_settle_is_total(stop: chatkit.StoppedStream, policy: Policy) -> None:
    laws.settle_is_total(
        stop.events,
        policy=policy,
        cause=stop.cause,
        written=written(stop),
        settle=partial(settle, **MARKER),
    )


@given(STOPS, POLICIES)
def test_every_item_in_flight_has_one_verdict(stop: chatkit.StoppedStream, policy: Policy) -> None:
    settlement = settled(stop, policy)
    assert [verdict.item.id for verdict in settlement.verdicts] == in_flight(stop)
    assert settlement.policy is policy
    assert settlement.cause is stop.cause


@given(STOPS, POLICIES)
def test_the_row_that_matches_an_item_decides(stop: chatkit.StoppedStream, policy: Policy) -> None:
    delivered, state = stop.delivered, stop.state
    settlement = settled(stop, policy)
    for verdict in settlement.verdicts:
        item, case = verdict.item, verdict.case
        assert item is state.items[item.id]
        assert case.item == item.json.get("type") or not isinstance(item.json.get("type"), str)
        assert case.cause is stop.cause
        if item.id in state.pending:
            assert case.origin == ("base" if item.id in state.bases else "new")
            assert case.content is (Content.EMPTY if item.is_empty else Content.PARTIAL)
        else:
            assert case.origin == ("base" if item.id in stored_in(delivered) else "new")
            assert case.content is Content.COMPLETE
        assert verdict.row is (NO_NEWS if is_no_news(verdict) else policy.row_for(case))
        group = getattr(settlement, verdict.decision)
        assert item.id in [one.id for one in group]


def is_no_news(verdict: Verdict) -> bool:
    """Whether it is pending over a base that shows all of it."""
    if verdict.base is None or verdict.case.content is Content.COMPLETE:
        return False
    return verdict.item.sealed().adds_nothing_to(verdict.base)


@given(STOPS, POLICIES)
def test_what_was_stored_stays_the_same_object(stop: chatkit.StoppedStream, policy: Policy) -> None:
    before, settlement = stop.state, settled(stop, policy)
    after = fold(settlement.events, before)
    for item_id in before.items.keys() - set(in_flight(stop)):
        assert after.items[item_id] is before.items[item_id]


@given(STOPS, POLICIES)
def test_settling_changes_no_state_and_gives_copies_away(
    stop: chatkit.StoppedStream, policy: Policy
) -> None:
    state = stop.state
    before = [item.to_json() for item in state.items.values()]
    settlement = settle(state, policy=policy, cause=stop.cause)
    for write in settlement.writes:
        write.item.clear()
    for event in settlement.events:
        if not isinstance(event, e.ThreadItemRemoved):
            to_json(event)["item"].clear()
    assert [item.to_json() for item in state.items.values()] == before
    again = settle(state, policy=policy, cause=stop.cause)
    assert [write.item["id"] for write in again.writes] == (
        [item.id for item in settlement.persist]
    )


# --- writes ---------------------------------------------------------------------------------------


@given(STOPS, POLICIES)
def test_the_writes_are_in_thread_order_and_the_marker_is_last(
    stop: chatkit.StoppedStream, policy: Policy
) -> None:
    settlement = settled(stop, policy, **MARKER)
    writes = list(settlement.writes)
    if settlement.marker_item is not None:
        assert settlement.marker is not None
        assert writes.pop().item == settlement.marker_item
    written = {verdict.item.id for verdict in settlement.verdicts if verdict.write is not None}
    assert {item.id for item in settlement.persist} <= written
    assert [write.item["id"] for write in writes] == (
        [item_id for item_id in stop.state.items if item_id in written]
    )


@given(STOPS, POLICIES)
def test_what_is_new_is_added_and_what_has_a_base_is_saved(
    stop: chatkit.StoppedStream, policy: Policy
) -> None:
    known = stored_in(stop.delivered)
    for write in settled(stop, policy).writes:
        assert write.op == ("save" if write.item["id"] in known else "add")


def runs(value: Any) -> bool:
    """Whether anything in a task or a widget claims to be running."""
    if isinstance(value, list):
        return any(map(runs, value))
    return isinstance(value, dict) and (
        value.get("streaming") is True
        or value.get("status_indicator") == "loading"
        or runs(value.get("children"))
        or runs(value.get("tasks"))
    )


@given(STOPS)
def test_nothing_that_was_cut_off_claims_to_run_when_it_is_written(
    stop: chatkit.StoppedStream,
) -> None:
    state = stop.state
    settlement = settle(state, policy=ALL_STAYS, cause=stop.cause)
    news = [v.item.id for v in settlement.verdicts if v.row is not NO_NEWS]
    assert [item.id for item in settlement.persist] == news
    assert [verdict.item.id for verdict in settlement.verdicts] == list(state.pending)
    for write in settlement.writes:
        item = write.item
        if state.items[item["id"]].type in ("widget", "workflow", "task"):
            assert not runs(item.get("widget"))
            assert not runs(item.get("workflow"))
            assert not runs(item.get("task"))
        before = state.items[item["id"]].to_json()
        assert json_equal(sealed_by_hand(before), item)
    for verdict in settlement.verdicts:
        assert verdict.sealed.sealed() is verdict.sealed


ALL_STAYS = policies.KEEP.with_rows(
    Row(decision="persist", reason="to look at it"), name="all stays"
)


def sealed_by_hand(item: Json) -> Json:
    """The item, with what streams and what loads brought to a rest; nothing else changes."""
    if item.get("type") == "widget" and isinstance(item.get("widget"), dict):
        return {**item, "widget": finished(item["widget"])}
    if item.get("type") == "task" and isinstance(item.get("task"), dict):
        return {**item, "task": rested(item["task"])}
    if item.get("type") == "workflow" and well_formed(item.get("workflow")):
        tasks = [rested(task) for task in item["workflow"]["tasks"]]
        return {**item, "workflow": {**item["workflow"], "tasks": tasks}}
    return item


def well_formed(workflow: Any) -> bool:
    tasks = workflow.get("tasks") if isinstance(workflow, dict) else None
    return isinstance(tasks, list) and all(isinstance(task, dict) for task in tasks)


def rested(task: Json) -> Json:
    return (
        {**task, "status_indicator": "none"} if task.get("status_indicator") == "loading" else task
    )


def finished(component: Json) -> Json:
    new, children = dict(component), component.get("children")
    if new.get("streaming") is True:
        new["streaming"] = False
    if isinstance(children, dict):
        new["children"] = finished(children)
    elif isinstance(children, list):
        new["children"] = [finished(c) if isinstance(c, dict) else c for c in children]
    return new


@given(STOPS)
def test_a_complete_item_in_doubt_is_written_as_it_came(stop: chatkit.StoppedStream) -> None:
    state, settlement = stop.state, settled(stop, ALL_STAYS)
    written = {write.item["id"]: write.item for write in settlement.writes}
    for item_id in in_flight(stop):
        if item_id not in state.pending:
            assert json_equal(written[item_id], state.items[item_id].to_json())


# --- law 7 ----------------------------------------------------------------------------------------


def assert_they_converge(stop: chatkit.StoppedStream, policy: Policy) -> None:
    laws.client_and_store_converge(
        stop.events,
        policy=policy,
        cause=stop.cause,
        written=written(stop),
        settle=partial(settle, **MARKER),
    )


@pytest.mark.law
@given(STOPS, POLICIES)
def test_client_and_store_converge(stop: chatkit.StoppedStream, policy: Policy) -> None:
    assert_they_converge(stop, policy)


@pytest.mark.parametrize("name", policies.PRESETS)
@given(stop=STOPS)
def test_client_and_store_converge_with_the_presets(name: str, stop: chatkit.StoppedStream) -> None:
    assert_they_converge(stop, policies.PRESETS[name])


@given(st.lists(chatkit.items(), max_size=2), st.data(), POLICIES, st.sampled_from(Cause))
def test_they_converge_in_a_thread_that_had_items_before(
    items: list[Json], data: st.DataObject, policy: Policy, cause: Cause
) -> None:
    stored = list({item["id"]: item for item in items}.values())
    events = data.draw(chatkit.streams(stored=stored, max_items=1, max_updates=4))
    cut = data.draw(st.integers(0, len(events)))
    laws.client_and_store_converge(
        events[: cut + 1],
        ThreadState.from_items(stored),
        policy=policy,
        cause=cause,
        written=cut,
    )


@given(STREAMS, POLICIES, st.integers(0, 60), st.integers(0, 60))
def test_they_converge_however_many_events_are_in_doubt(
    events: list[e.Event], policy: Policy, one: int, other: int
) -> None:
    known, arrived = sorted(place % (len(events) + 1) for place in (one, other))
    stopped = events[:arrived]
    laws.settle_is_total(stopped, policy=policy, cause="crashed", written=known)
    laws.client_and_store_converge(stopped, policy=policy, cause="crashed", written=known)


@given(STOPS, POLICIES)
def test_the_stored_copy_of_what_is_stale_stays(
    stop: chatkit.StoppedStream, policy: Policy
) -> None:
    settlement = settled(stop, policy)
    written = {write.item["id"]: write.item for write in settlement.writes}
    for store in (stored_in(stop.delivered), stored_in(stop.state)):
        for item in settlement.stale:
            assert json_equal({**store, **written}.get(item.id), store.get(item.id))
