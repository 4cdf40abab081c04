"""What the core does at its edges, where no other test comes by. See docs/testing.md."""

from __future__ import annotations

import runpy
import sys
from typing import Any

import pytest
from msgspec.structs import force_setattr

from chatkit_reducer import Cause, FaultKind, ThreadState, diff, fold, policies, reduce, settle
from chatkit_reducer import events as e
from chatkit_reducer.comparison import Difference, differences
from chatkit_reducer.errors import CommitError
from chatkit_reducer.events import Event, Json
from chatkit_reducer.items.assistant_message import Part
from chatkit_reducer.items.base import ItemState, Seen
from chatkit_reducer.json_values import same_json
from chatkit_reducer.persistent import extended
from chatkit_reducer.sweep import sweep
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    component_updated,
    done,
    message,
    part,
    part_added,
    removed,
    replaced,
    root_updated,
    state_after,
    text_delta,
    user_message,
    widget,
    workflow,
)

# --- items ----------------------------------------------------------------------------------------


def test_an_item_type_says_only_what_is_special_about_it() -> None:
    plain = ItemState({"id": "x", "type": "new.type"})

    assert plain.seen == Seen()
    assert plain.is_empty is False
    assert plain.sealed() is plain
    assert plain.updates_to(plain) is None


def test_items_and_parts_are_equal_to_none_but_their_own_kind() -> None:
    one = ItemState({"id": "x"})
    text = Part.parse(part("a"))

    assert one != {"id": "x"}
    assert not one == {"id": "x"}  # noqa: SIM201  # the two are two functions
    assert text != part("a")
    assert not text == part("a")  # noqa: SIM201


def test_parts_are_equal_by_what_they_say() -> None:
    grown = Part.parse(part("a")).longer("b")

    assert grown == Part.parse(part("ab"))
    assert not grown != Part.parse(part("ab"))  # noqa: SIM202
    assert grown != Part.parse(part("ba"))


def test_a_citation_for_a_part_without_text_is_a_misfit() -> None:
    picture = {"type": "new.picture", "url": "u"}

    state = state_after(
        added(message("m", "")),
        part_added("m", picture),
        annotation_added("m", citation("A"), 0),
    )

    assert [anomaly.kind for anomaly in state.anomalies] == [FaultKind.UPDATE_MISFIT]
    assert state.items["m"].to_json()["content"] == [picture]


# --- diff -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(user_message("x", "a"), user_message("x", "b"), id="no updates for its type"),
        pytest.param(widget("x", {"type": "Card"}), workflow("x"), id="a widget to a workflow"),
        pytest.param(workflow("x"), message("x"), id="a workflow to a message"),
    ],
)
def test_what_no_update_says_of_a_pending_item_is_said_by_the_whole_of_it(
    before: Json, after: Json
) -> None:
    old, new = state_after(added(before)), state_after(added(after))

    assert diff(old, new) == [replaced(after)]
    assert fold(diff(old, new), old).items["x"] == new.items["x"]


def test_text_under_an_id_that_something_without_text_has_first_is_said_by_the_root() -> None:
    def card(text: str) -> Json:
        children = [{"type": "Box", "id": "t"}, {"type": "Text", "id": "t", "value": text}]
        return {"type": "Card", "children": children}

    short, long = (state_after(added(widget("w", card(text)))) for text in ("a", "ab"))

    assert diff(short, long) == [root_updated("w", card("ab"))]


# --- values ---------------------------------------------------------------------------------------


def deep(value: Any) -> Any:
    """The value in more lists than Python would follow."""
    for _ in range(20_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, {"b": 1}),
        ([1], [1, 2]),
        ([1], [2]),
        ([1], {"a": 1}),
        (1, 1.0),
        (1, True),
    ],
)
def test_a_difference_is_found_however_deep_it_is(one: Any, other: Any) -> None:
    assert same_json(deep(one), deep(one))
    assert not same_json(deep(one), deep(other))


def test_true_is_not_1_beside_half_a_surrogate_pair_either() -> None:
    assert same_json(["\ud800", 1], ["\ud800", 1])
    assert not same_json(["\ud800", 1], ["\ud800", True])


def test_what_two_lists_of_lists_end_with_is_no_difference() -> None:
    assert differences([[1, 2], [9]], [[1, 2], [3, [4]], [9]]) == [
        Difference((1,), None, [3, [4]]),
    ]


# --- two threads ----------------------------------------------------------------------------------


class Raced(list[str]):
    """A list to which another thread appends first."""

    def append(self, value: str, /) -> None:
        super().append("of the other")
        super().append(value)


def test_who_loses_the_race_for_a_cell_copies() -> None:
    cells = Raced(["a"])

    assert extended(cells, 1, "b") == ["a", "b"]
    assert cells == ["a", "of the other", "b"]


def test_a_delta_that_loses_the_race_for_a_cell_is_not_lost() -> None:
    state = reduce(state_after(added(message("m", ""))), text_delta("m", "a"))
    force_setattr(state, "_cells", Raced(state._cells))

    after = reduce(state, text_delta("m", "b"))

    assert after.items["m"].to_json()["content"] == [part("ab")]
    assert state.items["m"].to_json()["content"] == [part("a")]


# --- states, settlements --------------------------------------------------------------------------


def test_a_state_says_in_short_what_is_in_it() -> None:
    state = state_after(added(message("m", "")), done(message("n", "")), removed("o"))

    assert repr(state) == "ThreadState(items=2, pending=('m',), anomalies=1)"
    assert repr(state.items) == "Items(['m', 'n'])"


def test_a_state_is_equal_to_states_alone() -> None:
    assert ThreadState() != "ThreadState()"
    assert not ThreadState() == None  # noqa: E711, SIM201  # asked of `==` and not of `is`


def test_only_what_was_done_since_the_last_known_write_is_in_doubt() -> None:
    delivered = state_after(added(message("m", "")))
    state = fold([done(message("m", "a")), added(message("n", ""))], delivered)

    settlement = settle(state, policy=policies.KEEP, cause=Cause.FAILED, delivered=delivered)

    assert [(v.item.id, v.is_in_doubt) for v in settlement.verdicts] == [("m", True), ("n", False)]


def test_a_commit_that_failed_says_what_was_not_written() -> None:
    state = state_after(added(message("m", "a")), added(message("n", "")))
    error = CommitError(settle(state, policy=policies.KEEP, cause=Cause.FAILED))
    nothing = CommitError(settle(ThreadState(), policy=policies.KEEP, cause=Cause.FAILED))
    error.__cause__ = OSError("disk full")

    assert "A stream that failed is settled, but the commit failed: OSError" in str(error)
    assert "Not written, or not all of it: add m. " in str(error)
    assert "Not written, or not all of it: nothing. " in str(nothing)


def test_a_sweep_sees_no_more_when_the_stream_speaks_of_itself() -> None:
    text = text_delta("m", "a")
    events: list[Event] = [added(message("m", "")), text, e.ProgressUpdate("busy"), text]

    stops = list(sweep(events, [policies.KEEP], Cause.CANCELLED))

    assert [stop.seen.characters for stop in stops] == [0, 0, 1, 1, 2]


def test_a_sweep_sees_nothing_of_an_item_without_an_id() -> None:
    events: list[Event] = [added({"type": "assistant_message"}), added(message("m", "a"))]

    stops = list(sweep(events, [policies.KEEP], Cause.CANCELLED))

    assert [stop.seen.characters for stop in stops] == [0, 0, 1]


# --- the package as a program ---------------------------------------------------------------------


def test_the_package_is_a_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["chatkit-reducer", "--help"])

    with pytest.raises(SystemExit) as ended:
        runpy.run_module("chatkit_reducer", run_name="__main__")

    assert ended.value.code == 0
    assert "sweep" in capsys.readouterr().out


def test_to_import_the_program_does_not_run_it() -> None:
    assert "main" in runpy.run_module("chatkit_reducer.__main__", run_name="something else")


# --- widgets --------------------------------------------------------------------------------------


def test_a_component_replaced_by_the_like_is_no_change() -> None:
    leaf = {"type": "Text", "id": "t", "value": "a"}
    state = state_after(added(widget("w", {"type": "Card", "children": [leaf]})))

    assert reduce(state, component_updated("w", "t", {**leaf})) is state
    assert fold([component_updated("w", "t", {**leaf})], state).items["w"] is state.items["w"]
