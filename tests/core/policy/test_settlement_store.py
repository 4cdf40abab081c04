"""`settle` over what the store has by now: changed, deleted, written by others, refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_reducer import Settlement, ThreadState, fold, policies, reduce, settle
from chatkit_reducer.core.items import ItemState
from chatkit_reducer.core.json_values import equal_ignoring_nulls
from chatkit_reducer.core.policy.store_rows import (
    CHANGED,
    GONE,
    NO_NEWS,
    OTHER_COPY,
    REFUSED,
    STORE_ROWS,
    STORED_ALREADY,
)
from chatkit_reducer.core.policy.table import Policy, Row
from chatkit_reducer.core.policy.verdict import Verdict
from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.conformance import laws
from chatkit_reducer.testing.examples import (
    added,
    done,
    image,
    item,
    message,
    removed,
    state_after,
    task,
    task_added,
    task_updated,
    text_delta,
    user_message,
    widget,
    workflow,
)
from tests.support.store_contents import POLICIES, STOPS, known_copies, stores

DROP_EVERYTHING = Policy(name="none", rows=[Row(decision="discard", reason="because")])
LEAVE_EVERYTHING = Policy(name="left", rows=[Row(decision="stale", reason="because")])
EVERY_POLICY = [*policies.PRESETS.values(), DROP_EVERYTHING, LEAVE_EVERYTHING]

ANSWER: list[Event] = [added(message("m")), text_delta("m", "Hel"), text_delta("m", "lo")]


def settled(state: ThreadState, policy: Policy = policies.KEEP, **more: Any) -> Settlement:
    return settle(state, **{"policy": policy, "cause": "cancelled", **more})


def verdict_of(state: ThreadState, policy: Policy = policies.KEEP, **more: Any) -> Verdict:
    [verdict] = settled(state, policy, **more).verdicts
    return verdict


def written(settlement: Settlement) -> list[tuple[str, str]]:
    return [(write.op, write.item["id"]) for write in settlement.writes]


# --- the laws, whatever the store has -------------------------------------------------------------


@given(stores(), POLICIES)
def test_laws_6_and_7_hold_whatever_the_store_has(
    case: tuple[chatkit.StoppedStream, dict[str, Json | None], set[str]], policy: Policy
) -> None:
    stop, stored, refused = case
    for law in (laws.settle_is_total, laws.client_and_store_converge):
        law(
            stop.events,
            policy=policy,
            cause=stop.cause,
            written=len(stop.events) - (stop.state is not stop.delivered),
            stored=stored,
            refused=refused,
        )


@given(stores(), POLICIES)
def test_no_write_loses_what_the_stream_does_not_know_of(
    case: tuple[chatkit.StoppedStream, dict[str, Json | None], set[str]], policy: Policy
) -> None:
    stop, stored, refused = case
    settlement = settled(
        stop.state, policy, cause=stop.cause, delivered=stop.delivered, stored=stored,
        refused=refused,
    )  # fmt: skip
    writes = {write.item["id"]: write for write in settlement.writes}
    assert {i for i in refused & writes.keys() if stored.get(i, "unknown") is not None} == set()
    for verdict in settlement.verdicts:
        write, copy = writes.get(verdict.item.id), stored.get(verdict.item.id)
        if write is None or verdict.item.id not in stored:
            continue
        assert write.op == ("add" if copy is None else "save")
        if copy is not None:
            known = known_copies(stop, verdict.item.id)
            extends = verdict.left is not None and verdict.left.extends(state_of(copy))
            assert extends or any(
                equal_ignoring_nulls({**one.to_json(), "created_at": None}, timeless)
                for one in known
                for timeless in [{**copy, "created_at": None}]
            )


def state_of(json: Json) -> ItemState:
    return ThreadState.from_items([json]).items[json["id"]]


@given(stores(), POLICIES)
def test_a_verdict_names_its_row(
    case: tuple[chatkit.StoppedStream, dict[str, Json | None], set[str]], policy: Policy
) -> None:
    stop, stored, refused = case
    for verdict in settled(
        stop.state, policy, delivered=stop.delivered, stored=stored, refused=refused
    ).verdicts:
        assert verdict.overrules_policy == any(verdict.row is row for row in STORE_ROWS)
        if not verdict.overrules_policy:
            assert verdict.row is policy.row_for(verdict.case)
        assert verdict.row.reason in str(verdict)
        assert verdict.was_looked_up == (verdict.item.id in stored)


@given(STOPS, POLICIES)
def test_a_store_that_has_what_was_known_changes_nothing(
    stop: chatkit.StoppedStream, policy: Policy
) -> None:
    """Only what was in doubt is known now."""
    plain = settled(stop.state, policy, delivered=stop.state)
    known = {**dict.fromkeys(stop.state.pending), **json_of(stop.state.bases)}
    asked = settled(stop.state, policy, delivered=stop.state, stored=known)
    assert asked.writes == plain.writes
    assert asked.events == plain.events


def json_of(items: Mapping[str, ItemState]) -> dict[str, Json | None]:
    return {item_id: one.to_json() for item_id, one in items.items()}


# --- a base is what the store has at the settlement -----------------------------------------------

STORED = message("m", "Hello")
OVER_A_BASE = state_after(text_delta("m", " there"), stored=[STORED])


@pytest.mark.parametrize("policy", EVERY_POLICY)
@pytest.mark.parametrize("in_doubt", [False, True])
def test_gone_means_gone(policy: Policy, *, in_doubt: bool) -> None:
    before = ThreadState.from_items([STORED])
    state = fold([done(message("m", "Bye"))], before) if in_doubt else OVER_A_BASE
    settlement = settled(state, policy, delivered=before, stored={"m": None})
    assert settlement.writes == ()
    assert settlement.events == (removed("m"),)
    [verdict] = settlement.verdicts
    assert verdict.row is GONE
    assert verdict.decision == "discard"
    assert verdict.left is None


@pytest.mark.parametrize("policy", EVERY_POLICY)
@pytest.mark.parametrize("in_doubt", [False, True])
@pytest.mark.parametrize("copy", [message("m", "Hi"), {**STORED, "further": 1}])
def test_changed_since_means_stale(policy: Policy, copy: Json, *, in_doubt: bool) -> None:
    before = ThreadState.from_items([STORED])
    state = fold([done(message("m", "Bye"))], before) if in_doubt else OVER_A_BASE
    settlement = settled(state, policy, delivered=before, stored={"m": copy})
    assert settlement.writes == ()
    assert settlement.events == ()
    assert [one.id for one in settlement.stale] == ["m"]
    [verdict] = settlement.verdicts
    assert verdict.row is CHANGED
    assert verdict.left is not None
    assert verdict.left.to_json() == copy


def test_an_application_that_saves_the_item_itself_has_the_last_word() -> None:
    # It saved just what people saw, or more of it.
    for copy in (message("m", "Hello there"), message("m", "Hello there, you")):
        settlement = settled(OVER_A_BASE, stored={"m": copy})
        assert settlement.writes == ()
        assert settlement.verdicts[0].row is NO_NEWS
        assert fold(settlement.events, OVER_A_BASE).items["m"].to_json() == copy


@pytest.mark.parametrize("normalised", [{"further": None}, {"created_at": "2025-01-01T00:00:00Z"}])
def test_what_a_store_normalises_is_no_change(normalised: Json) -> None:
    settlement = settled(OVER_A_BASE, stored={"m": {**STORED, **normalised}})
    assert [(write.op, write.item) for write in settlement.writes] == [
        ("save", message("m", "Hello there"))
    ]


def test_an_unknown_id_is_decided_by_what_is_known() -> None:
    assert settled(OVER_A_BASE, stored={}) == settled(OVER_A_BASE)
    assert settled(OVER_A_BASE, stored={"other": None}) == settled(OVER_A_BASE)


# --- a text that is a prefix of its base is not news ----------------------------------------------


@pytest.mark.parametrize("policy", EVERY_POLICY)
@pytest.mark.parametrize("stored", [{}, {"stored": {"m": STORED}}])
def test_a_prefix_of_the_base_is_not_news(policy: Policy, stored: Any) -> None:
    state = state_after(added(message("m")), text_delta("m", "He"), stored=[STORED])
    settlement = settled(state, policy, **stored)
    assert settlement.writes == ()
    assert settlement.verdicts[0].row is NO_NEWS
    after = fold(settlement.events, state)
    assert after.items["m"].to_json() == STORED
    assert after.pending == ()


def test_a_prefix_of_a_base_that_is_in_doubt_itself() -> None:
    before = ThreadState()
    state = state_after(done(STORED), added(message("m")), text_delta("m", "He"))
    settlement = settled(state, delivered=before)
    assert [(write.op, write.item) for write in settlement.writes] == [("add", STORED)]
    settlement = settled(state, delivered=before, stored={"m": STORED})
    assert settlement.writes == ()
    assert settled(state, delivered=before, stored={"m": None}).writes[0].item == STORED


def test_more_than_the_base_is_news() -> None:
    for events in ([text_delta("m", "!")], [added(message("m", "Hallo"))]):
        settlement = settled(state_after(*events, stored=[STORED]))
        assert written(settlement) == [("save", "m")]


def test_a_workflow_that_begins_anew() -> None:
    stored = [workflow("w", "one", "two")]
    state = state_after(added(workflow("w")), task_added("w", task("one"), 0), stored=stored)
    assert settled(state).writes == ()
    # What has come to rest is news for what claims to run.
    loading = [
        item("w", "workflow", workflow={"type": "custom", "tasks": [task("a", status="loading")]})
    ]
    update = task_updated("w", task("a", status="none"), 0)
    assert written(settled(state_after(update, stored=loading))) == [("save", "w")]


def test_what_is_done_is_no_prefix() -> None:
    before = ThreadState.from_items([STORED])
    state = fold([done(message("m", "He"))], before)
    for stored in ({}, {"m": STORED}):
        settlement = settled(state, delivered=before, stored=stored)
        assert [(write.op, write.item) for write in settlement.writes] == [
            ("save", message("m", "He"))
        ]


# --- a new item that the store has ----------------------------------------------------------------


@pytest.mark.parametrize("copy", [message("m"), message("m", "Hel"), message("m", "", "")])
def test_a_new_item_that_extends_the_stored_copy_is_saved_in_place(copy: Json) -> None:
    settlement = settled(state_after(*ANSWER), stored={"m": copy})
    assert [(write.op, write.item) for write in settlement.writes] == [
        ("save", message("m", "Hello"))
    ]
    assert settlement.verdicts[0].case.origin == "new"
    assert settlement.verdicts[0].row in policies.KEEP.rows


def test_a_policy_that_drops_the_new_item_leaves_the_stored_copy() -> None:
    state = state_after(*ANSWER)
    settlement = settled(state, policies.DROP, stored={"m": message("m", "Hel")})
    assert settlement.writes == ()
    assert fold(settlement.events, state).items["m"].to_json() == message("m", "Hel")


@pytest.mark.parametrize("policy", EVERY_POLICY)
@pytest.mark.parametrize("copy", [message("m", "Hello"), message("m", "Hello there")])
def test_a_stored_copy_that_has_all_of_a_new_item_is_left(policy: Policy, copy: Json) -> None:
    state = state_after(*ANSWER)
    settlement = settled(state, policy, stored={"m": copy})
    assert settlement.writes == ()
    assert settlement.verdicts[0].row is STORED_ALREADY
    assert [one.to_json() for one in settlement.persist] == [copy]
    assert fold(settlement.events, state).items["m"].to_json() == copy


@pytest.mark.parametrize("policy", EVERY_POLICY)
@pytest.mark.parametrize("copy", [message("m", "First"), user_message("m", "Hi"), image("m")])
@pytest.mark.parametrize("last", [[], [done(message("m", "Hello"))]])
def test_an_item_that_shares_its_id_with_another(
    policy: Policy, copy: Json, last: list[Event]
) -> None:
    delivered = state_after(*ANSWER)
    settlement = settled(fold(last, delivered), policy, delivered=delivered, stored={"m": copy})
    assert settlement.writes == ()
    assert settlement.events == ()
    [verdict] = settlement.verdicts
    assert verdict.row is OTHER_COPY
    assert verdict.decision == "stale"


# --- complete, and in doubt -----------------------------------------------------------------------

IN_DOUBT = fold([done(message("m", "Hello"))], state_after(*ANSWER))


@pytest.mark.parametrize("policy", EVERY_POLICY)
def test_a_write_that_arrived_is_not_repeated(policy: Policy) -> None:
    copy = {**message("m", "Hello"), "further": None, "created_at": "2025-01-01 00:00"}
    settlement = settled(IN_DOUBT, policy, delivered=state_after(*ANSWER), stored={"m": copy})
    assert settlement.writes == ()
    assert [one.id for one in settlement.persist] == ["m"]
    [verdict] = settlement.verdicts
    assert verdict.row is STORED_ALREADY
    assert not verdict.is_in_doubt


def test_a_write_that_did_not_arrive_is_made() -> None:
    delivered = state_after(*ANSWER)
    settlement = settled(IN_DOUBT, delivered=delivered, stored={"m": None})
    assert written(settlement) == [("add", "m")]
    before = ThreadState.from_items([STORED])
    state = fold([done(message("m", "Bye"))], before)
    settlement = settled(state, delivered=before, stored={"m": STORED})
    assert [(write.op, write.item) for write in settlement.writes] == [
        ("save", message("m", "Bye"))
    ]


def test_what_falls_back_for_certain_is_not_written_again() -> None:
    before = ThreadState.from_items([STORED])
    state = fold([done(message("m", "Bye"))], before)
    assert written(settled(state, DROP_EVERYTHING, delivered=before)) == [("save", "m")]
    settlement = settled(state, DROP_EVERYTHING, delivered=before, stored={"m": STORED})
    assert settlement.writes == ()
    assert fold(settlement.events, state) == before


def test_an_item_that_went_and_came_back() -> None:
    before = ThreadState.from_items([STORED])
    state = fold([removed("m"), added(message("m", "New"))], before)
    # Its removal did not arrive: the stored copy is the one that was known.
    assert written(settled(state, delivered=before, stored={"m": STORED})) == [("save", "m")]
    # It arrived: the item is a new one, and no copy of it has vanished.
    assert written(settled(state, delivered=before, stored={"m": None})) == [("add", "m")]
    other = settled(state, delivered=before, stored={"m": message("m", "Other")})
    assert other.writes == ()
    assert other.verdicts[0].row is OTHER_COPY
    longer = settled(state, delivered=before, stored={"m": message("m", "Ne")})
    assert written(longer) == [("save", "m")]


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", EVERY_POLICY)
@pytest.mark.parametrize("stored", [{}, {"m": message("m", "First")}, {"m": message("m", "He")}])
def test_what_the_store_refused_is_not_written(policy: Policy, stored: Any) -> None:
    delivered = state_after(*ANSWER)
    settlement = settled(IN_DOUBT, policy, delivered=delivered, stored=stored, refused={"m"})
    assert settlement.writes == ()
    assert settlement.events == ()
    [verdict] = settlement.verdicts
    assert verdict.row is REFUSED or verdict.row is OTHER_COPY
    assert verdict.decision == "stale"


@pytest.mark.parametrize("policy", EVERY_POLICY)
@pytest.mark.parametrize("goes_on", [False, True])
def test_a_refused_item_that_the_store_does_not_have_is_in_doubt(
    policy: Policy, goes_on: bool
) -> None:
    facts: dict[str, Any] = {"delivered": state_after(*ANSWER), "stored": {"m": None}}
    in_doubt = settled(IN_DOUBT, policy, **facts)
    if goes_on:
        facts["delivered"] = IN_DOUBT
    assert settled(IN_DOUBT, policy, **facts, refused={"m"}) == in_doubt
    assert written(in_doubt) == [("add", item.id) for item in in_doubt.persist]


def test_a_refused_item_that_goes_on_is_in_doubt_with_its_base() -> None:
    delivered, state = state_after(*ANSWER), fold([text_delta("m", "!")], IN_DOUBT)
    facts: dict[str, Any] = {"delivered": delivered, "stored": {"m": None}, "refused": {"m"}}
    kept = settled(state, policies.KEEP, **facts)
    assert [write.item["content"][0]["text"] for write in kept.writes] == ["Hello!"]
    dropped = settled(state, policies.DROP, **facts)
    assert [write.item["content"][0]["text"] for write in dropped.writes] == ["Hello"]


@pytest.mark.parametrize("policy", EVERY_POLICY)
def test_a_refused_item_whose_stored_copy_was_deleted_stays_deleted(policy: Policy) -> None:
    delivered = ThreadState.from_items([STORED])
    state = fold([done(message("m", "Bye"))], delivered)
    settlement = settled(state, policy, delivered=delivered, stored={"m": None}, refused={"m"})
    assert settlement.writes == ()
    assert settlement.verdicts[0].row is GONE


@given(stores(), POLICIES)
def test_a_refusal_decides_nothing_where_the_store_has_nothing(
    case: tuple[chatkit.StoppedStream, dict[str, Json | None], set[str]], policy: Policy
) -> None:
    stop, stored, refused = case
    facts: dict[str, Any] = {"cause": stop.cause, "delivered": stop.delivered}
    absent = dict.fromkeys(refused)
    settlement = settled(stop.state, policy, **facts, stored=stored | absent, refused=refused)
    writes = {write.item["id"]: write.op for write in settlement.writes}
    for verdict in settlement.verdicts:
        if verdict.item.id in refused:
            assert verdict.row in (GONE, NO_NEWS) or not verdict.overrules_policy
            if verdict.decision == "persist":
                assert writes[verdict.item.id] == "add"


@pytest.mark.parametrize("policy", EVERY_POLICY)
@pytest.mark.parametrize("delivered", [None, ThreadState.from_items([STORED])])
def test_a_refused_item_over_a_stored_one(policy: Policy, delivered: ThreadState | None) -> None:
    state = state_after(done(message("m", "Bye")), text_delta("m", "!"), stored=[STORED])
    for more in ({}, {"stored": {"m": STORED}}):
        settlement = settled(state, policy, delivered=delivered, refused=["m"], **more)
        assert settlement.writes == ()
        assert settlement.events == ()
        assert settlement.verdicts[0].row in (REFUSED, CHANGED)


def test_a_refused_item_that_nobody_knows_is_left_alone() -> None:
    assert settled(ThreadState(), refused=["x"]).verdicts == ()


def test_a_refusal_that_arrived_all_the_same() -> None:
    settlement = settled(
        IN_DOUBT, delivered=state_after(*ANSWER), stored={"m": message("m", "Hello")}, refused=["m"]
    )
    assert settlement.writes == ()
    assert settlement.verdicts[0].row is STORED_ALREADY


# --- nothing stands behind a waiting call ---------------------------------------------------------


def call(item_id: str = "c", status: str = "pending") -> Json:
    fields = {"call_id": "1", "name": "f", "arguments": {}, "status": status}
    return item(item_id, "client_tool_call", **fields)


def places(settlement: Settlement) -> list[tuple[str, str, str | None]]:
    return [(write.op, write.item["id"], write.before) for write in settlement.writes]


def marked(state: ThreadState, policy: Policy = policies.KEEP, **more: Any) -> Settlement:
    return settled(state, policy, marker_id="mark", marker_time="now", **more)


def test_a_message_in_front_of_a_stored_call() -> None:
    settlement = marked(state_after(*ANSWER, done(call())))
    assert places(settlement) == [("add", "m", "c")]
    assert (settlement.waiting_call, settlement.possible_call) == ("c", None)
    assert settlement.marker is None


def test_a_message_behind_a_stored_call() -> None:
    # No event tells of an output that has come: the message may be the answer to it.
    state = state_after(done(call()), *ANSWER)
    settlement = marked(state)
    assert places(settlement) == [("add", "m", None), ("add", "mark", None)]
    assert (settlement.waiting_call, settlement.possible_call) == (None, "c")
    assert settlement.look_up == ("m", "c")
    # The store knows.
    answered = marked(state, stored={"c": call(status="completed")})
    assert places(answered) == places(settlement)
    assert answered.look_up == ("m",)
    waiting = marked(state, stored={"c": call()})
    assert places(waiting) == [("add", "m", "c")]
    assert (waiting.waiting_call, waiting.marker) == ("c", None)
    gone = marked(state, stored={"c": None})
    assert places(gone) == places(settlement)


def test_what_is_saved_stays_in_its_place() -> None:
    state = state_after(text_delta("m", "!"), done(call()), stored=[STORED])
    assert places(marked(state)) == [("save", "m", None)]


def test_a_call_that_has_its_output_is_no_reason() -> None:
    settlement = marked(state_after(*ANSWER, done(call(status="completed"))))
    assert places(settlement) == [("add", "m", None), ("add", "mark", None)]
    assert settlement.waiting_call is None


def test_a_call_with_something_stored_behind_it_is_old() -> None:
    settlement = marked(state_after(*ANSWER, done(call()), done(user_message("u", "x"))))
    assert places(settlement) == [("add", "m", None), ("add", "mark", None)]


@pytest.mark.parametrize("events", [[*ANSWER, added(call())], [added(call()), *ANSWER]])
def test_a_call_that_is_pending_itself_is_written_last(events: list[Event]) -> None:
    settlement = marked(state_after(*events))
    assert places(settlement) == [("add", "m", None), ("add", "c", None)]
    assert (settlement.waiting_call, settlement.possible_call) == ("c", None)
    assert settlement.marker is None


@pytest.mark.parametrize("events", [[*ANSWER, done(call())], [done(call()), *ANSWER]])
def test_a_call_that_is_in_doubt_may_be_there(events: list[Event]) -> None:
    state, before = state_after(*events), state_after(*ANSWER) if events[0] is ANSWER[0] else None
    delivered = before or ThreadState()
    assert places(marked(state, delivered=delivered)) == [("add", "m", "c"), ("add", "c", None)]
    settlement = marked(state, delivered=delivered, stored={"c": None, "m": None})
    assert places(settlement) == [("add", "m", None), ("add", "c", None)]
    settlement = marked(state, delivered=delivered, stored={"c": call(), "m": None})
    assert places(settlement) == [("add", "m", "c")]


def test_a_call_that_the_store_has_lost_waits_for_nothing() -> None:
    state, delivered = state_after(done(call()), *ANSWER, removed("c")), state_after(done(call()))
    assert marked(state, delivered=delivered).look_up == ("m", "c")
    settlement = marked(state, delivered=delivered, stored={"c": call()})
    assert places(settlement) == [("add", "m", "c")]
    settlement = marked(state, delivered=delivered, stored={"c": None})
    assert places(settlement) == [("add", "m", None), ("add", "mark", None)]


def test_the_newest_of_two_calls_counts() -> None:
    settlement = marked(state_after(done(call("c")), *ANSWER, added(call("d"))))
    assert places(settlement) == [("add", "m", None), ("add", "d", None)]
    settlement = marked(state_after(added(call("d")), *ANSWER, done(call("c"))))
    assert places(settlement) == [("add", "d", "c"), ("add", "m", "c")]
    assert settlement.look_up == ("d", "m", "c")


def test_a_refused_call_does_not_wait() -> None:
    state, delivered = state_after(*ANSWER, done(call())), state_after(*ANSWER)
    settlement = marked(state, delivered=delivered, refused=["c"])
    assert places(settlement) == [("add", "m", None), ("add", "mark", None)]


@given(stores(), POLICIES)
def test_nothing_is_written_behind_a_waiting_call(
    case: tuple[chatkit.StoppedStream, dict[str, Json | None], set[str]], policy: Policy
) -> None:
    stop, stored, refused = case
    settlement = marked(
        stop.state, policy, delivered=stop.delivered, stored=stored, refused=refused,
        marker_content="x",
    )  # fmt: skip
    call_id = settlement.waiting_call
    writes = settlement.writes
    assert {write.before for write in writes} <= {None, call_id}
    assert not any(write.before for write in writes if write.op == "save")
    if call_id is not None:
        assert settlement.marker is None
        mine = [number for number, write in enumerate(writes) if write.item["id"] == call_id]
        assert mine in ([], [len(writes) - 1])


# --- the newest items -----------------------------------------------------------------------------

MOVES = st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=40)


@example([(letter, done_) for letter in "abcdef" for done_ in (True, False)] * 40)
@given(MOVES)
def test_the_newest_items_come_first_however_many_came_and_went(
    moves: list[tuple[str, bool]],
) -> None:
    events = [done(message(one)) if stays else removed(one) for one, stays in moves]
    folded, reduced = fold(events), ThreadState()
    for event in events:
        reduced = reduce(reduced, event)
    for state in (folded, reduced, fold(events[1:], fold(events[:1]))):
        newest = [entry.item.id for entry in state.contents().newest_first()]
        assert newest == list(state.items)[::-1]
        assert state.contents().added.count <= 2 * len(state.items) + 64


# --- misuse ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [["m"], "m", 5])
def test_stored_must_be_a_mapping(stored: Any) -> None:
    with pytest.raises(TypeError, match="stored must map item ids to what the store has of them"):
        settled(ThreadState(), stored=stored)


@pytest.mark.parametrize("copy", ["text", 5, [], False])
def test_a_stored_copy_must_be_json(copy: Any) -> None:
    with pytest.raises(TypeError, match=r"stored\['m'\] must be the item as a JSON mapping"):
        settled(ThreadState(), stored={"m": copy})


@pytest.mark.parametrize("refused", ["m", b"m", 5, None])
def test_refused_must_be_a_collection(refused: Any) -> None:
    with pytest.raises(TypeError, match="refused must be a collection of item ids"):
        settled(ThreadState(), refused=refused)


def test_a_stored_copy_is_copied_and_has_the_id_that_was_asked_for() -> None:
    copy = {key: value for key, value in message("m", "Hel").items() if key != "id"}
    settlement = settled(state_after(*ANSWER), policies.DROP, stored={"m": copy})
    copy["content"].clear()
    assert settlement.verdicts[0].left is not None
    assert settlement.verdicts[0].left.to_json() == message("m", "Hel")
    odd = settled(state_after(*ANSWER), stored={"m": {"type": "widget", "widget": None}})
    assert odd.verdicts[0].row is OTHER_COPY
    assert settled(state_after(added(widget("w", {"type": "Card"}))), stored={"m": None}).verdicts
