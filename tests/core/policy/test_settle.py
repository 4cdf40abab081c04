"""`settle`, case by case."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from chatkit_reducer import Marker, Policy, Row, Settlement, ThreadState, fold, policies, settle
from chatkit_reducer.core.policy.store_rows import NO_NEWS
from chatkit_reducer.core.policy.table import Cause, Origin
from chatkit_reducer.errors import ChatKitReducerError, CommitError
from chatkit_reducer.events import (
    Event,
    Json,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    UnknownUpdate,
)
from chatkit_reducer.testing.examples import (
    added,
    citation,
    done,
    image,
    item,
    message,
    part,
    part_added,
    removed,
    replaced,
    state_after,
    task,
    task_added,
    text_delta,
    user_message,
    value_delta,
    widget,
    workflow,
)

KEEP_EVERYTHING = Policy(name="all", rows=[Row(decision="persist", reason="because")])
DROP_EVERYTHING = Policy(name="none", rows=[Row(decision="discard", reason="because")])
LEAVE_EVERYTHING = Policy(name="left", rows=[Row(decision="stale", reason="because")])
WITH_MARKER: Any = {"marker_id": "mark", "marker_time": "2025-01-01T00:00:00"}

ANSWER: list[Event] = [added(message("m")), text_delta("m", "Hel"), text_delta("m", "lo")]


def settled(state: ThreadState, policy: Policy = policies.KEEP, **more: Any) -> Settlement:
    return settle(state, **{"policy": policy, "cause": "cancelled", **more})


def written(settlement: Settlement) -> list[tuple[str, str]]:
    return [(write.op, write.item["id"]) for write in settlement.writes]


def ids(items: Any) -> list[str]:
    return [one.id for one in items]


# --- writes and events ----------------------------------------------------------------------------


def test_a_new_item_that_is_persisted() -> None:
    settlement = settled(state_after(*ANSWER))
    assert ids(settlement.persist) == ["m"]
    [write] = settlement.writes
    assert write.op == "add"
    assert write.item == message("m", "Hello")
    assert settlement.events == (done(message("m", "Hello")),)


def test_a_new_item_that_is_discarded() -> None:
    settlement = settled(state_after(*ANSWER), policies.DROP)
    assert ids(settlement.discard) == ["m"]
    assert [verdict.is_added for verdict in settlement.verdicts] == [False]
    assert settlement.writes == ()
    assert settlement.events == (removed("m"),)


def test_an_item_with_a_base_that_is_persisted() -> None:
    state = state_after(text_delta("m", " there"), stored=[message("m", "Hello")])
    settlement = settled(state)
    assert written(settlement) == [("save", "m")]
    assert settlement.writes[0].item == message("m", "Hello there")
    assert settlement.events == (done(message("m", "Hello there")),)


def test_an_item_with_a_base_that_is_discarded_falls_back_to_it() -> None:
    state = state_after(text_delta("m", " there"), stored=[message("m", "Hello")])
    settlement = settled(state, policies.DROP)
    assert settlement.writes == ()
    after = fold(settlement.events, state)
    assert after == state_after(stored=[message("m", "Hello")])
    [dropped] = settlement.discard
    assert dropped.to_json() == message("m", "Hello there")


def test_an_item_that_is_stale_is_left_to_the_application() -> None:
    state = state_after(text_delta("m", " there"), stored=[message("m", "Hello")])
    settlement = settled(state, policies.SDK)
    assert settlement.writes == ()
    assert settlement.events == ()
    assert [stale.to_json() for stale in settlement.stale] == [message("m", "Hello there")]
    [verdict] = settlement.verdicts
    assert verdict.base is not None
    assert verdict.base.to_json() == message("m", "Hello")


def test_a_stored_item_is_no_matter_of_a_settlement() -> None:
    state = state_after(added(message("m")), done(message("m", "Hi")), stored=[message("n", "x")])
    for policy in (KEEP_EVERYTHING, DROP_EVERYTHING, LEAVE_EVERYTHING):
        settlement = settled(state, policy)
        assert settlement.verdicts == ()
        assert settlement.writes == ()
        assert settlement.events == ()


def test_items_are_written_in_thread_order_and_the_marker_last() -> None:
    state = state_after(
        *ANSWER,
        added(workflow("w", "one")),
        done(user_message("u", "x")),
        added(image("i", "data:x")),
        text_delta("m", "!"),
    )
    settlement = settled(state, **WITH_MARKER)
    assert written(settlement) == [("add", "m"), ("add", "w"), ("add", "i"), ("add", "mark")]
    assert [event.item["id"] for event in settlement.events] == ["m", "w", "i"]  # type: ignore[union-attr]


def test_the_row_that_decided_says_why() -> None:
    [verdict] = settled(state_after(*ANSWER), policies.SDK).verdicts
    assert verdict.row.reason == (
        "The SDK stores a pending message of the assistant that is not blank."
    )
    assert str(verdict.case) == "item assistant_message, new, partial, cancelled"


def test_a_row_that_names_an_item_decides_about_that_one() -> None:
    rows = [Row(decision="discard", id="m", reason="a"), Row(decision="persist", reason="b")]
    state = state_after(added(message("m", "x")), added(message("n", "y")))
    settlement = settled(state, Policy(name="named", rows=rows))

    assert (ids(settlement.discard), ids(settlement.persist)) == (["m"], ["n"])
    assert [verdict.case.id for verdict in settlement.verdicts] == ["m", "n"]
    assert [verdict.case.id for verdict in settled(state).verdicts] == ["*", "*"]


@pytest.mark.parametrize("kind", ["new.type", "user_message", "end_of_turn", "structured_input"])
def test_an_item_of_any_type_is_settled(kind: str) -> None:
    state = state_after(added(item("x", kind, content={"a": [1]}, later=True)))
    assert settled(state).writes[0].item == item("x", kind, content={"a": [1]}, later=True)
    assert ids(settled(state, policies.SDK).discard) == ["x"]


@pytest.mark.parametrize("kind", [None, 5, [], {"a": 1}])
def test_an_item_whose_type_is_no_text_is_settled(kind: Any) -> None:
    state = state_after(added({"id": "x", "type": kind}), added({"id": "y"}))
    assert ids(settled(state).persist) == ["x", "y"]
    assert [verdict.case.item for verdict in settled(state).verdicts] == ["", ""]


def test_a_cause_that_there_is_not() -> None:
    with pytest.raises(
        ValueError, match="expected one of ended, cancelled, failed, timed_out, crashed, got 'late'"
    ):
        settled(ThreadState(), cause="late")
    with pytest.raises(ChatKitReducerError):
        settled(ThreadState(), cause="late")


# --- empty, partial -------------------------------------------------------------------------------

CARD = {"type": "Card", "children": [{"type": "Text", "id": "t", "value": "", "streaming": True}]}


def card(*children: Any) -> Json:
    return {"type": "Card", "children": list(children)}


@pytest.mark.parametrize(
    "events",
    [
        [added(message("x"))],
        [added(message("x", "", " \n\t\u2003"))],
        [added(message("x")), text_delta("x", "", index=3)],
        [added(message("x")), text_delta("x", " "), text_delta("x", "\n")],
        [added(message("x")), part_added("x", part(" ", citation("a")))],
        [added(workflow("x"))],
        [added(image("x"))],
        [added(widget("x", CARD)), value_delta("x", "t", "  ")],
        [added(widget("x", card({"type": "Row", "children": CARD}, {"type": "Col"})))],
        [added(widget("x", card(None, "text", {"type": "Title", "value": None})))],
    ],
)
def test_nothing_to_see(events: list[Event]) -> None:
    [verdict] = settled(state_after(*events)).verdicts
    assert verdict.case.content == "empty"


@pytest.mark.parametrize(
    "events",
    [
        [added(message("x", " ", "."))],
        [added(message("x", " ")), text_delta("x", "a", index=5)],
        [added(message("x")), part_added("x", {"type": "output_image", "url": "u"})],
        [added(workflow("x")), task_added("x", task(""), 0)],
        [added(item("x", "workflow", workflow={"tasks": [], "summary": {"title": ""}}))],
        [added(image("x", ""))],
        [added(widget("x", CARD)), value_delta("x", "t", ".")],
        [added(widget("x", card({"type": "Divider"})))],
        [added(widget("x", card(card(card({"type": "Gauge", "value": 3})))))],
        [added(widget("x", {"type": "Image", "src": "u"}))],
        [added(item("x", "new.type"))],
        [added(item("x", "user_message"))],
        [added(item("x", "workflow"))],
    ],
)
def test_something_to_see(events: list[Event]) -> None:
    [verdict] = settled(state_after(*events)).verdicts
    assert verdict.case.content == "partial"


@pytest.mark.parametrize("kind", [None, 5, [], {"a": []}])
def test_a_component_whose_type_is_no_text(kind: Any) -> None:
    state = state_after(added(widget("x", {"type": kind, "children": [{"type": kind}]})))
    assert ids(settled(state).persist) == ["x"]


# --- sealed ---------------------------------------------------------------------------------------


def sealed(*events: Event, stored: list[Json] = []) -> Json:  # noqa: B006  # it is not changed
    [write] = settled(state_after(*events, stored=stored), KEEP_EVERYTHING).writes
    return write.item


def test_tasks_come_to_rest() -> None:
    tasks = [task("a", status="complete"), task("b", status="loading"), {"type": "new"}]
    before = item("w", "workflow", workflow={"type": "custom", "tasks": tasks, "x": "loading"})
    finished_task = [tasks[0], task("b", status="none"), tasks[2]]
    assert sealed(added(before)) == (
        item("w", "workflow", workflow={"type": "custom", "tasks": finished_task, "x": "loading"})
    )
    more = task_added("w", task("c", status="loading"), 0)
    assert sealed(more, stored=[workflow("w")]) == workflow("w", "c")


def test_a_task_of_its_own_comes_to_rest() -> None:
    before = item("t", "task", task=task("a", status="loading"), status_indicator="loading")
    assert sealed(added(before)) == (
        item("t", "task", task=task("a", status="none"), status_indicator="loading")
    )


def test_streaming_text_is_finished_at_any_depth() -> None:
    def tree(*, streaming: bool) -> Json:
        text = {"type": "Text", "id": "t", "value": "a", "streaming": streaming}
        return {
            "type": "ListView",
            "streaming": streaming,
            "children": [
                {"type": "ListViewItem", "children": {"type": "Transition", "children": text}},
                {"type": "Markdown", "value": "", "streaming": streaming},
                {"type": "Text", "value": "", "streaming": None},
                {"type": "Text", "value": "", "streaming": 1},
                None,
                {"type": "New", "streaming": streaming, "children": [text, card(text), "x"]},
            ],
        }

    assert sealed(added(widget("w", tree(streaming=True)))) == widget("w", tree(streaming=False))
    before = state_after(added(widget("w", tree(streaming=False))))
    assert settled(before).verdicts[0].sealed is before.items["w"]


def test_text_that_streamed_in_is_kept_when_it_is_finished() -> None:
    assert sealed(added(widget("w", CARD)), value_delta("w", "t", "Hi")) == widget(
        "w", card({"type": "Text", "id": "t", "value": "Hi", "streaming": False})
    )


def test_a_message_is_written_as_it_is() -> None:
    assert sealed(*ANSWER) == message("m", "Hello")


def test_what_is_persisted_is_sealed_and_what_is_stale_is_not() -> None:
    state = state_after(added(widget("w", CARD)), value_delta("w", "t", "Hi"))
    [kept] = settled(state, KEEP_EVERYTHING).persist
    assert kept.to_json()["widget"]["children"][0]["streaming"] is False
    [left] = settled(state, LEAVE_EVERYTHING).stale
    assert left is state.items["w"]
    [dropped] = settled(state, DROP_EVERYTHING).discard
    assert dropped is state.items["w"]


# --- in doubt -------------------------------------------------------------------------------------

LOADING = item("w", "workflow", workflow={"type": "custom", "tasks": [task("a", status="loading")]})


@pytest.mark.parametrize("name", policies.PRESETS)
def test_a_new_item_whose_done_is_in_doubt(name: str) -> None:
    delivered = state_after(added(workflow("w")))
    state = fold([done(LOADING)], delivered)
    settlement = settled(state, policies.PRESETS[name], delivered=delivered)
    assert written(settlement) == [("add", "w")]
    assert settlement.writes[0].item == LOADING
    assert settlement.events == (done(LOADING),)
    assert fold(settlement.events, state) == state
    assert settlement.verdicts[0].case.content == "complete"


def test_an_item_in_doubt_that_came_from_nowhere() -> None:
    delivered = state_after(*ANSWER)
    state = fold([done(user_message("u", "x"))], delivered)
    settlement = settled(state, delivered=delivered)
    assert written(settlement) == [("add", "m"), ("add", "u")]


@pytest.mark.parametrize("update", [[], [text_delta("m", "!")]])
def test_an_item_in_doubt_with_a_stored_copy(update: list[Event]) -> None:
    delivered = state_after(*update, stored=[message("m", "Hi")])
    state = fold([done(message("m", "Bye"))], delivered)
    settlement = settled(state, delivered=delivered)
    assert written(settlement) == [("save", "m")]
    [verdict] = settlement.verdicts
    assert verdict.base is not None
    assert verdict.base.to_json() == message("m", "Hi")


def test_what_the_store_is_known_to_have_is_in_no_doubt() -> None:
    delivered = state_after(done(message("m", "Hi")), stored=[message("n", "x")])
    state = fold([added(message("o"))], delivered)
    assert [v.item.id for v in settled(state, delivered=delivered).verdicts] == ["o"]


def test_an_item_that_is_done_again_just_as_it_was_is_in_no_doubt() -> None:
    delivered = state_after(done(message("m", "Hi")))
    state = fold([done(message("m", "Hi"))], delivered)
    assert settled(state, delivered=delivered).verdicts == ()


def test_an_item_that_went_and_came_back_as_it_was_is_in_doubt() -> None:
    delivered = state_after(stored=[message("m", "Hi")])
    state = fold([replaced(message("m", "Bye")), replaced(message("m", "Hi"))], delivered)
    assert state == delivered
    settlement = settled(state, delivered=delivered)
    assert written(settlement) == [("save", "m")]
    assert settlement.writes[0].item == message("m", "Hi")


def test_an_item_in_doubt_that_is_discarded_falls_back_for_certain() -> None:
    delivered = state_after(stored=[message("m", "Hi")])
    state = fold([done(message("m", "Bye"))], delivered)
    settlement = settled(state, DROP_EVERYTHING, delivered=delivered)
    assert [write.item for write in settlement.writes] == [message("m", "Hi")]
    assert fold(settlement.events, state) == delivered


def test_an_item_in_doubt_that_is_stale_is_not_written() -> None:
    delivered = state_after(stored=[message("m", "Hi")])
    state = fold([done(message("m", "Bye"))], delivered)
    settlement = settled(state, LEAVE_EVERYTHING, delivered=delivered)
    assert ids(settlement.stale) == ["m"]
    assert settlement.writes == ()


@pytest.mark.parametrize("policy", [DROP_EVERYTHING, LEAVE_EVERYTHING])
@pytest.mark.parametrize("stored", [[], [message("m", "Old")]])
def test_a_base_that_is_in_doubt_itself_is_written(policy: Policy, stored: list[Json]) -> None:
    delivered = state_after(stored=stored)
    state = fold([done(message("m", "Hi")), text_delta("m", "!")], delivered)
    settlement = settled(state, policy, delivered=delivered)
    assert written(settlement) == [("save" if stored else "add", "m")]
    assert settlement.writes[0].item == message("m", "Hi")


def test_an_item_over_a_base_in_doubt_is_added_where_the_store_may_have_neither() -> None:
    delivered = ThreadState()
    state = fold([done(message("m", "Hi")), text_delta("m", "!")], delivered)
    settlement = settled(state, delivered=delivered)
    assert written(settlement) == [("add", "m")]
    assert settlement.writes[0].item == message("m", "Hi!")


# --- hidden items ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["hidden_context_item", "sdk_hidden_context"])
def test_a_hidden_item_is_written_and_not_shown(kind: str) -> None:
    state = state_after(added(item("h", kind, content="secret")))
    settlement = settled(state)
    assert written(settlement) == [("add", "h")]
    assert settlement.events == ()
    assert settled(state, DROP_EVERYTHING).events == (removed("h"),)


def test_a_hidden_base_is_not_shown() -> None:
    hidden = item("h", "hidden_context_item", content="secret")
    state = state_after(added(message("h", "Hi")), stored=[hidden])
    settlement = settled(state, policies.DROP)
    assert settlement.writes == ()
    assert settlement.events == (removed("h"),)
    state = state_after(added({**hidden, "content": "more"}), stored=[hidden])
    assert settled(state, policies.DROP).events == ()


def test_a_base_that_is_no_secret_is_shown_again() -> None:
    hidden = item("h", "hidden_context_item", content="secret")
    state = state_after(added(hidden), stored=[message("h", "Hi")])
    after = fold(settled(state, DROP_EVERYTHING).events, state)
    assert after.items["h"].to_json() == message("h", "Hi")


# --- the marker -----------------------------------------------------------------------------------


def marked(state: ThreadState, policy: Policy = policies.SDK, **more: Any) -> Json | None:
    return settled(state, policy, **{**WITH_MARKER, **more}).marker_item


def with_marker(**values: Any) -> Policy:
    rows = policies.SDK.rows
    return Policy(name="p", rows=rows, marker=Marker(**values))


def test_the_marker_of_the_sdk() -> None:
    state = state_after(*ANSWER)
    assert marked(state) == {
        "type": "sdk_hidden_context",
        "id": "mark",
        "thread_id": "thr_1",
        "created_at": "2025-01-01T00:00:00",
        "content": "The user cancelled the stream. Stop responding to the prior request.",
    }
    settlement = settled(state, policies.SDK, **WITH_MARKER)
    assert settlement.marker is policies.SDK_MARKER
    assert settlement.writes[-1].op == "add"
    assert settlement.writes[-1].item == settlement.marker_item
    assert all(event.item["id"] != "mark" for event in settlement.events)  # type: ignore[union-attr]


@pytest.mark.parametrize("cause", Cause)
def test_the_marker_is_written_for_the_ends_it_names_alone(cause: Cause) -> None:
    assert (marked(ThreadState(), cause=cause) is not None) == (cause is Cause.CANCELLED)
    policy = with_marker(content="t", causes=["failed", "crashed"])
    assert (marked(ThreadState(), policy, cause=cause) is not None) == (
        cause in (Cause.FAILED, Cause.CRASHED)
    )
    assert marked(ThreadState(), with_marker(content="t", causes=[]), cause=cause) is None


@pytest.mark.parametrize("given", [{"marker_id": "mark"}, {"marker_time": "now"}, {}])
def test_without_an_id_and_a_time_the_marker_is_not_written(given: dict[str, str]) -> None:
    settlement = settled(state_after(*ANSWER), policies.SDK, **given)
    assert settlement.marker is policies.SDK_MARKER
    assert settlement.marker_item is None
    assert written(settlement) == [("add", "m")]


def test_a_policy_without_a_marker() -> None:
    settlement = settled(state_after(*ANSWER), KEEP_EVERYTHING, **WITH_MARKER)
    assert settlement.marker is None
    assert settlement.marker_item is None


@pytest.mark.parametrize("kind", ["sdk_hidden_context", "hidden_context_item"])
def test_a_marker_with_another_text(kind: str) -> None:
    found = marked(ThreadState(), with_marker(content="gone", item=kind), marker_content="ignored")
    assert found is not None
    assert found["type"] == kind
    assert found["content"] == "gone"


@pytest.mark.parametrize("content", [{"seen": ["a", 1, None]}, "text", None, [], 0])
def test_a_marker_whose_content_the_application_makes(content: Any) -> None:
    policy = with_marker(item="hidden_context_item")
    found = marked(ThreadState(), policy, marker_content=content)
    assert found is not None
    assert found["content"] == content
    assert found["type"] == "hidden_context_item"


def test_a_marker_whose_content_is_missing() -> None:
    policy = with_marker(item="hidden_context_item")
    with pytest.raises(ValueError, match="pass marker_content"):
        marked(ThreadState(), policy)
    assert settled(ThreadState(), policy).marker == policy.marker
    assert marked(ThreadState(), policy, cause="failed") is None


def test_the_thread_of_the_marker() -> None:
    def thread_of(state: ThreadState, **more: Any) -> Any:
        return (marked(state, **more) or {})["thread_id"]

    known = ThreadState.from_items([message("m")], thread={"id": "thr_2"})
    assert thread_of(known) == "thr_2"
    assert thread_of(known, thread_id="thr_3") == "thr_3"
    assert thread_of(state_after(added({"id": "x"}), added(message("m")))) == "thr_1"
    assert thread_of(ThreadState.from_items([message("m")], thread={"id": 5})) == "thr_1"
    assert thread_of(ThreadState()) is None


def call(status: str | None = None) -> Json:
    fields = {} if status is None else {"status": status}
    return item("c", "client_tool_call", call_id="1", name="f", arguments={}, **fields)


@pytest.mark.parametrize(
    ("events", "is_written"),
    [
        ([done(call("pending"))], False),
        ([done(call())], False),
        ([done(call("completed"))], True),
        # What comes behind the call and stays makes the call old.
        ([done(call("pending")), *ANSWER], True),
        ([done(call("pending")), done(user_message("u", "x"))], True),
        ([done(call("pending")), done(item("h", "hidden_context_item", content="x"))], True),
        # What does not stay makes no difference: an empty answer, a workflow.
        ([done(call("pending")), added(message("m", " "))], False),
        ([done(call("pending")), added(workflow("w", "one"))], False),
        # Neither does the call itself where it does not stay.
        ([added(call("pending"))], True),
        ([*ANSWER, done(call("pending"))], False),
    ],
)
def test_no_marker_behind_a_client_tool_call_that_waits_for_its_output(
    events: list[Event], is_written: bool
) -> None:
    state = state_after(*events)
    assert (marked(state) is not None) == is_written
    assert (settled(state, policies.SDK).marker is not None) == is_written


def test_a_call_whose_removal_is_in_doubt_may_be_there_and_wait() -> None:
    before = state_after(done(call("pending")))
    gone = state_after(done(call("pending")), removed("c"))
    later = state_after(done(call("pending")), removed("c"), done(user_message("u", "x")))
    assert marked(gone) is not None
    assert marked(gone, delivered=before) is None
    assert marked(gone, delivered=before, stored={"c": None}) is not None
    assert marked(later, delivered=before) is not None
    # If the store has it, and it waits, then what comes behind it is put in front of it.
    stored = {"c": call("pending")}
    settlement = settled(later, policies.SDK, delivered=before, stored=stored, **WITH_MARKER)
    assert settlement.marker is None
    assert [(write.item["id"], write.before) for write in settlement.writes] == [("u", "c")]
    # Of one that was never done the store has nothing.
    begun = state_after(added(call("pending")))
    assert marked(state_after(added(call("pending")), removed("c")), delivered=begun) is not None


def test_a_call_that_is_persisted_waits_as_well() -> None:
    assert marked(state_after(added(call("pending"))), policies.KEEP) is None


def test_a_call_that_falls_back_to_a_waiting_one_waits() -> None:
    state = state_after(added(call("completed")), stored=[call("pending")])
    assert marked(state, policies.DROP) is None
    assert marked(state, policies.KEEP) is not None
    state = state_after(added(call("pending")), stored=[call("completed")])
    assert marked(state, policies.DROP) is not None
    assert marked(state, policies.KEEP) is None


def test_a_message_that_falls_back_to_its_base_makes_the_call_old() -> None:
    state = state_after(text_delta("m", "!"), stored=[call("pending"), message("m", "Hi")])
    assert marked(state, policies.DROP) is not None
    assert marked(state, policies.SDK) is not None


# --- stored items ---------------------------------------------------------------------------------


def test_a_stored_item_that_the_stream_touched_is_not_saved_where_nothing_changed() -> None:
    touched = state_after(
        ThreadItemUpdated("m", UnknownUpdate({"type": "new.update"})), stored=[message("m", "a")]
    )

    settlement = settle(touched, policy=policies.KEEP, cause=Cause.FAILED)

    assert [verdict.row for verdict in settlement.verdicts] == [NO_NEWS]
    assert settlement.writes == ()
    assert settlement.events == (ThreadItemReplaced(message("m", "a")),)


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (policies.KEEP, [done(message("m", "ab"))]),
        (policies.DROP, [replaced(message("m", "a"))]),
        (policies.SDK, []),
    ],
)
def test_what_a_client_is_told_of_a_stored_item(policy: Policy, told: list[Event]) -> None:
    state = state_after(text_delta("m", "b"), stored=[message("m", "a")])

    assert list(settle(state, policy=policy, cause=Cause.FAILED).events) == told


def test_an_item_removed_and_begun_anew_falls_back_to_the_copy_that_the_store_has_yet() -> None:
    delivered = ThreadState.from_items([message("m", "a")])
    state = fold([removed("m"), added(message("m", "b"))], delivered)

    (verdict,) = settle(
        state, policy=policies.DROP, cause=Cause.FAILED, delivered=delivered
    ).verdicts

    assert verdict.case.origin is Origin.BASE
    assert verdict.event == replaced(message("m", "a"))


def test_what_is_in_doubt_and_dropped_needs_no_write_where_the_store_has_no_copy() -> None:
    policy = Policy(name="p", about="", rows=[Row(decision="discard", reason="Away with it.")])
    state = state_after(done(message("m", "a")))

    settlement = settle(state, policy=policy, cause=Cause.CRASHED, delivered=ThreadState())

    assert settlement.writes == ()
    assert settlement.events == (removed("m"),)


def test_only_what_was_done_since_the_last_known_write_is_in_doubt() -> None:
    delivered = state_after(added(message("m", "")))
    state = fold([done(message("m", "a")), added(message("n", ""))], delivered)

    settlement = settle(state, policy=policies.KEEP, cause=Cause.FAILED, delivered=delivered)

    assert [(v.item.id, v.is_in_doubt) for v in settlement.verdicts] == [("m", True), ("n", False)]


@pytest.mark.parametrize(
    ("last", "writes"),
    [(added(message("m", "new")), ["save"]), (done(message("m", "new")), ["save"])],
    ids=["begun anew", "done anew"],
)
def test_an_item_removed_and_brought_again_is_saved_where_the_removal_is_in_doubt(
    last: Event, writes: list[str]
) -> None:
    delivered = ThreadState.from_items([message("m", "old")])
    state = fold([ThreadItemRemoved("m"), last], delivered)

    settlement = settle(state, policy=policies.KEEP, cause="cancelled", delivered=delivered)

    assert [write.op for write in settlement.writes] == writes


# --- words ----------------------------------------------------------------------------------------


def test_settle_says_that_the_content_of_a_marker_is_missing() -> None:
    quiet = attrs.evolve(policies.KEEP, marker=Marker(item="hidden_context_item"))

    with pytest.raises(ValueError, match=r"^this policy leaves .* marker to .*: pass marker_con"):
        settle(
            ThreadState(),
            policy=quiet,
            cause="cancelled",
            marker_id="x",
            marker_time="2025-01-01T00:00:00",
        )


def test_a_commit_that_failed_says_what_was_not_written() -> None:
    state = state_after(added(message("m", "a")), added(message("n", "")))
    error = CommitError(settle(state, policy=policies.KEEP, cause=Cause.FAILED))
    nothing = CommitError(settle(ThreadState(), policy=policies.KEEP, cause=Cause.FAILED))
    error.__cause__ = OSError("disk full")

    assert "A stream (failed) is settled, but the commit failed: OSError" in str(error)
    assert "Not written, or not all of it: add m. " in str(error)
    assert "Not written, or not all of it: nothing. " in str(nothing)
