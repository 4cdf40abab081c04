"""The life of an item: docs/semantics.md, "The life of an item"."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatkit_reducer import ThreadState, fold
from chatkit_reducer.core.items import ItemState
from chatkit_reducer.core.thread.lifecycle import TRANSITIONS, Phase
from chatkit_reducer.events import Event, Json, ThreadCreated
from chatkit_reducer.testing.examples import (
    added,
    done,
    item,
    message,
    removed,
    replaced,
    root_updated,
    state_after,
    task,
    task_updated,
    text_delta,
    user_message,
    value_delta,
    workflow,
)

WholeItem = Callable[[Json], Event]


def text_of(item: ItemState | None) -> str | None:
    """The text of a message with one part."""
    return None if item is None else item.to_json()["content"][0]["text"]


def outcome(state: ThreadState, item_id: str = "m") -> tuple[Phase, str | None, str | None]:
    """The phase of an item, its text, and the text of its base."""
    texts = text_of(state.items.get(item_id)), text_of(state.bases.get(item_id))
    return (state.phase(item_id), *texts)


# How the item came to be where it is: what was stored, and the events of the stream so far.
PATHS: dict[str, tuple[list[Json], list[Event]]] = {
    "absent": ([], []),
    "pending": ([], [added(message("m", "new"))]),
    "stored": ([message("m", "old")], []),
    "over": ([message("m", "old")], [text_delta("m", " and more")]),
}

EVENTS: dict[str, Event] = {
    "added": added(message("m", "again")),
    "updated": text_delta("m", "!"),
    "done": done(message("m", "final")),
    "replaced": replaced(message("m", "other")),
    "removed": removed("m"),
}

ABSENT, PENDING, STORED, OVER = (
    Phase.ABSENT,
    Phase.PENDING,
    Phase.STORED,
    Phase.PENDING_OVER_BASE,
)

# The table of the document, written out once more by hand: the phase, the text and the text of the
# base that the item has afterwards, and the kind of the anomaly.
TABLE = {
    ("absent", "added"): (PENDING, "again", None, None),
    ("absent", "updated"): (ABSENT, None, None, "item_not_found"),
    ("absent", "done"): (STORED, "final", None, None),
    ("absent", "replaced"): (STORED, "other", None, None),
    ("absent", "removed"): (ABSENT, None, None, "item_not_found"),
    #
    ("pending", "added"): (PENDING, "again", None, "item_already_present"),
    ("pending", "updated"): (PENDING, "new!", None, None),
    ("pending", "done"): (STORED, "final", None, None),
    ("pending", "replaced"): (STORED, "other", None, None),
    ("pending", "removed"): (ABSENT, None, None, None),
    #
    ("stored", "added"): (OVER, "again", "old", "item_already_present"),
    ("stored", "updated"): (OVER, "old!", "old", None),
    ("stored", "done"): (STORED, "final", None, None),
    ("stored", "replaced"): (STORED, "other", None, None),
    ("stored", "removed"): (ABSENT, None, None, None),
    #
    ("over", "added"): (OVER, "again", "old", "item_already_present"),
    ("over", "updated"): (OVER, "old and more!", "old", None),
    ("over", "done"): (STORED, "final", None, None),
    ("over", "replaced"): (STORED, "other", None, None),
    ("over", "removed"): (ABSENT, None, None, None),
}


@pytest.mark.parametrize("meanwhile", [[], [added(message("other", ""))]], ids=["", "meanwhile"])
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("before", PATHS)
def test_every_cell_of_the_life_table(before: str, event: str, meanwhile: list[Event]) -> None:
    """Whether the item is the one that streams right now, or another has begun since."""
    stored, events = PATHS[before]
    phase, text, base, kind = TABLE[before, event]

    state = state_after(*events, *meanwhile, EVENTS[event], stored=stored)

    assert outcome(state) == (phase, text, base)
    assert [anomaly.kind.value for anomaly in state.anomalies] == ([] if kind is None else [kind])
    assert ("m" in state.pending) == (phase in (PENDING, OVER))


@pytest.mark.parametrize(("before", "event"), TABLE)
def test_the_table_of_the_code_says_the_same(before: str, event: str) -> None:
    stored, events = PATHS[before]
    phase = state_after(*events, stored=stored).phase("m")
    after, _, _, kind = TABLE[before, event]

    step = TRANSITIONS[phase, type(EVENTS[event])]  # type: ignore[index]

    assert step.to is after
    assert (step.fault and step.fault.kind) == kind


@pytest.mark.parametrize("event", ["updated", "removed"])
def test_an_event_for_an_absent_item_leaves_the_rest_of_the_thread_alone(event: str) -> None:
    others = [message("a", "A"), message("b", "B")]

    state = state_after(EVENTS[event], stored=others)

    assert [item.to_json() for item in state.items.values()] == others
    assert state.pending == ()


# --- the cells, each with what the table has no room for ------------------------------------------


def test_a_pending_item_added_again_starts_from_the_event_and_forgets_its_text() -> None:
    state = state_after(
        added(message("m", "")), text_delta("m", "first try"), added(message("m", "second"))
    )

    assert outcome(state) == (PENDING, "second", None)
    assert state.anomalies[0].instead == "it was started again from this event"


def test_a_stored_item_added_is_pending_over_its_base_with_an_anomaly() -> None:
    state = state_after(added(message("m", "new")), stored=[message("m", "old")])

    assert outcome(state) == (OVER, "new", "old")
    assert len(state.anomalies) == 1


def test_an_item_pending_over_a_base_that_is_added_again_keeps_its_first_base() -> None:
    state = state_after(
        text_delta("m", "!"),
        added(message("m", "one")),
        added(message("m", "two")),
        stored=[message("m", "old")],
    )

    assert outcome(state) == (OVER, "two", "old")
    assert len(state.anomalies) == 2


@pytest.mark.parametrize("end", [done, replaced])
def test_done_and_replaced_win_over_what_was_folded(end: WholeItem) -> None:
    state = state_after(
        added(message("m", "")), text_delta("m", "what was streamed"), end(message("m", "whole"))
    )

    assert outcome(state) == (STORED, "whole", None)
    assert state.anomalies == ()


@pytest.mark.parametrize("end", [done, replaced])
def test_a_stored_item_stored_anew_is_in_the_thread_once_and_where_it_was(end: WholeItem) -> None:
    stored = [message("a", "A"), message("m", "old"), message("z", "Z")]

    state = state_after(end(message("m", "new")), stored=stored)

    assert list(state.items) == ["a", "m", "z"]
    assert outcome(state) == (STORED, "new", None)


def test_an_item_stored_anew_is_its_own_next_base() -> None:
    state = state_after(
        text_delta("m", "!"),
        done(message("m", "new")),
        text_delta("m", "?"),
        stored=[message("m", "old")],
    )

    assert outcome(state) == (OVER, "new?", "new")


def test_done_may_bring_an_item_of_another_type() -> None:
    state = state_after(added(message("m", "x")), done(user_message("m", "hi")))

    assert state.items["m"].type == "user_message"
    assert state.pending == ()


def test_a_removed_item_takes_its_base_with_it() -> None:
    state = state_after(text_delta("m", "!"), removed("m"), stored=[message("m", "old")])

    assert outcome(state) == (ABSENT, None, None)
    assert len(state.items) == 0
    assert dict(state.bases) == {}


def test_an_item_removed_and_added_again_is_a_new_one_at_the_end() -> None:
    state = state_after(
        removed("a"), added(message("a", "new")), stored=[message("a", "old"), message("b", "B")]
    )

    assert list(state.items) == ["b", "a"]
    assert outcome(state, "a") == (PENDING, "new", None)
    assert state.anomalies == ()


def test_at_the_end_of_a_stream_what_was_not_done_is_pending_and_the_rest_is_untouched() -> None:
    state = state_after(
        added(message("new", "half")),
        text_delta("over", " and half"),
        stored=[message("kept", "as it was"), message("over", "old")],
    )

    assert state.pending == ("over", "new")
    assert state.items["kept"].to_json() == message("kept", "as it was")
    assert {key: base.to_json() for key, base in state.bases.items()} == {
        "over": message("over", "old")
    }


# --- the sentences below the table ----------------------------------------------------------------


def test_an_update_to_an_item_that_this_stream_did_not_add_is_no_anomaly() -> None:
    """It continues the last workflow of the response before, as the SDK's own producer does."""
    state = state_after(
        task_updated("w", task("search", status="complete"), 0), stored=[workflow("w", "search")]
    )

    assert state.anomalies == ()
    assert state.phase("w") is OVER
    assert state.items["w"].to_json()["workflow"]["tasks"][0]["status_indicator"] == "complete"


def test_a_response_may_stream_into_a_widget_of_an_earlier_response() -> None:
    old = item("w", "widget", widget={"type": "Text", "id": "t", "value": "a"})

    state = state_after(value_delta("w", "t", "b"), stored=[old])

    assert state.anomalies == ()
    assert state.items["w"].to_json()["widget"]["value"] == "ab"
    assert state.bases["w"].to_json() == old


def test_the_base_stays_reachable_through_many_updates() -> None:
    deltas = [text_delta("m", letter) for letter in "abcdef"]

    state = state_after(*deltas, stored=[message("m", "old ")])

    assert outcome(state) == (OVER, "old abcdef", "old ")


@pytest.mark.parametrize("store", [done, replaced])
def test_an_item_that_this_stream_stored_itself_is_a_base_as_well(store: WholeItem) -> None:
    state = state_after(store(message("m", "whole")), text_delta("m", "!"))

    assert outcome(state) == (OVER, "whole!", "whole")


def test_an_item_that_came_with_the_thread_is_a_base_as_well() -> None:
    page = {"data": [message("m", "old")], "has_more": False}

    state = state_after(ThreadCreated({"id": "thr_1", "items": page}), text_delta("m", "!"))

    assert outcome(state) == (OVER, "old!", "old")


def test_an_update_that_does_not_fit_leaves_a_stored_item_stored() -> None:
    state = state_after(root_updated("m", {"type": "Card"}), stored=[message("m", "old")])

    assert outcome(state) == (STORED, "old", None)
    assert len(state.anomalies) == 1


def test_an_update_that_changes_nothing_still_makes_a_stored_item_pending() -> None:
    state = state_after(text_delta("m", ""), stored=[message("m", "old")])

    assert outcome(state) == (OVER, "old", "old")


def test_items_stand_in_the_order_in_which_they_first_came() -> None:
    state = state_after(
        added(message("b", "")),
        added(message("a", "")),
        done(message("b", "B")),
        done(message("c", "C")),
        done(message("a", "A")),
        stored=[message("z", "Z")],
    )

    assert list(state.items) == ["z", "b", "a", "c"]


def test_two_items_may_stream_at_once() -> None:
    state = state_after(
        added(message("a", "")),
        added(message("b", "")),
        text_delta("a", "1"),
        text_delta("b", "2"),
        text_delta("a", "3"),
        text_delta("b", "4"),
    )

    assert outcome(state, "a") == (PENDING, "13", None)
    assert outcome(state, "b") == (PENDING, "24", None)


def test_an_earlier_state_can_be_taken_up_again() -> None:
    """A state is a value: two futures of one past do not disturb each other."""
    past = fold([added(message("m", "")), text_delta("m", "a")])

    one, two = fold([text_delta("m", "1")], past), fold([text_delta("m", "2")], past)

    assert [outcome(state)[1] for state in (past, one, two)] == ["a", "a1", "a2"]


def test_an_item_added_again_as_it_was_at_first_starts_again() -> None:
    state = state_after(added(message("m", "")), text_delta("m", "a"), added(message("m", "")))

    assert state.items["m"].to_json() == message("m", "")
