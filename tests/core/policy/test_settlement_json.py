"""A settlement as JSON and back."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given

from chatkit_reducer import Settlement, fold, policies, settle
from chatkit_reducer.core.policy.store_rows import STORED_ALREADY
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.errors import SnapshotError
from chatkit_reducer.events import Json
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import added, done, message, state_after, text_delta
from tests.support.store_contents import POLICIES, stores

STATE = state_after(added(message("m")), text_delta("m", "Hello"), done(message("n", "x")))


def back(settlement: Settlement) -> Settlement:
    return Settlement.from_json(json.loads(json.dumps(settlement.to_json(), allow_nan=False)))


@given(stores(), POLICIES)
def test_what_comes_back_says_the_same(
    case: tuple[chatkit.StoppedStream, dict[str, Json | None], set[str]], policy: Policy
) -> None:
    stop, stored, refused = case
    settlement = settle(
        stop.state,
        policy=policy,
        cause=stop.cause,
        delivered=stop.delivered,
        stored=stored,
        refused=refused,
        marker_id="mark",
        marker_time="now",
        marker_content={"a": [1, None]},
    )
    again = back(settlement)
    assert again == settlement
    assert again.writes == settlement.writes
    assert again.events == settlement.events
    assert [str(verdict) for verdict in again.verdicts] == list(map(str, settlement.verdicts))
    assert [verdict.overrules_policy for verdict in again.verdicts] == (
        [verdict.overrules_policy for verdict in settlement.verdicts]
    )
    for group in ("persist", "discard", "stale"):
        assert getattr(again, group) == getattr(settlement, group)
    assert again.to_json() == settlement.to_json()


def a_settlement() -> Settlement:
    return settle(
        STATE, policy=policies.KEEP, cause="cancelled", marker_id="mark", marker_time="now"
    )


def test_what_is_on_it() -> None:
    paper = a_settlement().to_json()
    assert list(paper) == [
        "version",
        "cause",
        "policy",
        "verdicts",
        "marker",
        "marker_item",
        "waiting_call",
        "possible_call",
    ]
    [verdict] = paper["verdicts"]
    assert verdict["copies"] == [message("m", "Hello")]
    assert (verdict["item"], verdict["base"], verdict["stored"], verdict["sealed"]) == (
        (0, None, None, 0)
    )
    assert verdict["case"] == {
        "item": "assistant_message",
        "origin": "new",
        "content": "partial",
        "cause": "cancelled",
        "id": "*",
    }
    assert verdict["row"]["reason"] == policies.KEEP.rows[1].reason
    assert paper["policy"]["name"] == "keep"
    assert paper["marker_item"]["id"] == "mark"


def test_a_row_above_every_policy_is_that_very_row() -> None:
    stored = {"m": message("m", "Hello")}
    settlement = settle(STATE, policy=policies.KEEP, cause="failed", stored=stored)
    [verdict] = back(settlement).verdicts
    assert verdict.row is STORED_ALREADY
    assert verdict.left is verdict.stored
    assert back(settlement).writes == ()


def test_a_value_that_is_not_json_is_shown() -> None:
    class Odd:
        def __repr__(self) -> str:
            return "an odd value"

    class Dumb:
        def __repr__(self) -> str:
            raise RuntimeError

    odd = {"x": Odd(), "y": float("nan"), "z": (1, "\ud800"), "d": Dumb(), 5: {1: "f"}, "e": 1e300}
    state = fold([added({**message("o", "a"), "odd": odd}), added(message("m", "b"))])
    settlement = settle(state, policy=policies.KEEP, cause="cancelled")
    [first, second] = back(settlement).writes
    assert second.item == message("m", "b")
    assert first.item["odd"] == {
        "x": "an odd value",
        "y": None,
        "z": [1, "\ufffd"],
        "d": "<Dumb>",
        "5": {"1": "f"},
        "e": 1e300,
    }


def test_it_is_a_copy() -> None:
    settlement = a_settlement()
    paper = settlement.to_json()
    again = Settlement.from_json(paper)
    for part in (
        paper["verdicts"][0]["copies"][0]["content"],
        paper["policy"],
        paper["marker_item"],
    ):
        part.clear()
    assert settlement == again == a_settlement()


@pytest.mark.parametrize("paper", [{}, {"version": 2}, {"version": True}, None, [], "x"])
def test_another_version(paper: Any) -> None:
    with pytest.raises(SnapshotError, match="expected a settlement of version 1, got version"):
        Settlement.from_json(paper)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (["cause"], "odd", r"Invalid enum value 'odd' - at `\$.cause`"),
        (["more"], 1, "unknown field `more`"),
        (["verdicts", 0, "item"], None, r"Expected `int`, got `null` - at `\$.verdicts\[0\].item`"),
        (["verdicts", 0, "item"], 1, r"there is no copy 1 - at `\$.verdicts\[0\].item`"),
        (["verdicts", 0, "base"], -1, r"there is no copy -1 - at `\$.verdicts\[0\].base`"),
        (["verdicts", 0, "copies", 0], {}, r"no id - at `\$.verdicts\[0\].copies\[0\]`"),
        (["verdicts", 0, "row", "decision"], "odd", "odd"),
        (["policy", "rows"], [], "no row decides"),
        (["marker", "item"], "message", "a marker is an item of type"),
    ],
)
def test_damage_is_told_with_its_place(path: list[Any], value: Any, problem: str) -> None:
    paper = deepcopy(a_settlement().to_json())
    *steps, last = path
    inner: Any = paper
    for step in steps:
        inner = inner[step]
    inner[last] = value
    with pytest.raises(SnapshotError, match=f"the settlement is damaged: .*{problem}"):
        Settlement.from_json(paper)
