"""The row of a thread: its figures are those of `fold`, `settle` and `sweep`."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import Cause, fold, policies, settle
from chatkit_reducer import events as e
from chatkit_reducer.analysis import VisibleContent, sweep
from chatkit_reducer.core.codec import from_json
from chatkit_reducer.fleet import Privacy, RowMaker, row
from chatkit_reducer.fleet.rows import EMPTY, FATES, unnamed_row
from chatkit_reducer.journal.records import SETTLED
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import added, done, message, text_delta, user_message
from tests.support.fleets import CAUSES, POLICIES

ALL = (*FATES, EMPTY)
STOPPED: list[e.Event] = [
    done(user_message("u", "hi")),
    added(message("m", "")),
    text_delta("m", "Once"),
]


def amount(fields: dict[str, int]) -> VisibleContent:
    return VisibleContent(**fields)


def summed(amounts: Any) -> VisibleContent:
    return sum(map(amount, amounts), VisibleContent())


# --- the laws ------------------------------------------------------------------------------------


@given(chatkit.adversarial_streams())
def test_the_counts_are_those_of_the_fold(events: list[e.Event]) -> None:
    found, state = row(events, POLICIES, CAUSES), fold(events)

    assert found["events"] == len(events)
    assert found["items"] == len(state.items)
    assert found["pending"] == len(state.pending)
    assert found["anomalies"] == len(state.anomalies)


@given(chatkit.stops(), st.sampled_from(Cause))
def test_the_outcomes_are_those_of_the_settlement(stop: Any, cause: Cause) -> None:
    outcomes = row(stop.events, POLICIES, [cause])["outcomes"]

    for policy in POLICIES:
        settlement = settle(fold(stop.events), policy=policies.PRESETS[policy], cause=cause)
        mine = [one for one in outcomes if one["policy"] == policy]
        counted = {one["type"]: sum(one[f"items_{each}"] for each in ALL) for one in mine}
        assert counted == Counter(verdict.item.type for verdict in settlement.verdicts)
        assert sum(one["items_stale"] for one in mine) <= len(settlement.stale)
        assert sum(one["items_lost"] for one in mine) <= len(settlement.discard)
        stale = sum((item.seen for item in settlement.stale), VisibleContent())
        assert summed(one["stale"] for one in mine) == stale


@given(chatkit.stops(), st.sampled_from(Cause))
def test_the_outcomes_are_those_of_the_last_stop_of_a_sweep(stop: Any, cause: Cause) -> None:
    outcomes = row(stop.events, POLICIES, [cause])["outcomes"]
    *_, last = sweep(stop.events, [policies.PRESETS[name] for name in POLICIES], cause)

    for policy, fate in zip(POLICIES, last.fates, strict=True):
        mine = [one for one in outcomes if one["policy"] == policy]
        for name in FATES:
            assert summed(one[name] for one in mine) == getattr(fate, name)


@given(chatkit.stops(), st.sampled_from(Cause))
def test_the_worst_stop_is_that_of_the_sweep(stop: Any, cause: Cause) -> None:
    found = row(stop.events, POLICIES, [cause], stops="all")["stops"]
    stops = list(sweep(stop.events, [policies.PRESETS[name] for name in POLICIES], cause))

    for place, one in enumerate(found):
        lost = [each.fates[place].lost for each in stops]
        assert one["stops"] == len(stops)
        assert one["losing"] == sum(each != VisibleContent() for each in lost)
        if one["fate"] == "lost":
            assert amount(one["amount"]) == max(lost, key=msgspec.structs.astuple)
            assert amount(one["amount"]) == lost[[each.at for each in stops].index(one["at"])]


@given(chatkit.stops())
def test_a_maker_that_was_sent_to_another_process_makes_the_same_rows(stop: Any) -> None:
    maker = RowMaker.of(POLICIES, CAUSES, stops="all", items=True)

    assert pickle.loads(pickle.dumps(maker)).row(stop.events, "t") == maker.row(stop.events, "t")


def test_an_item_with_nothing_to_see_is_not_lost() -> None:
    (found,) = row([added(message("m", ""))], ["drop"], ["cancelled"])["outcomes"]

    assert {name: found[f"items_{name}"] for name in ALL} == {
        **dict.fromkeys(FATES, 0),
        "empty": 1,
    }


def test_an_item_of_which_the_store_shows_all_is_kept() -> None:
    stored = done(message("m", "Once upon"))
    (found,) = row([stored, added(message("m", "Once"))], ["drop"], ["cancelled"])["outcomes"]

    assert (found["items_kept"], found["items_lost"]) == (1, 0)
    assert (found["kept"]["characters"], found["lost"]["characters"]) == (4, 0)


# --- how it ended --------------------------------------------------------------------------------


def ended(*events: e.Event) -> str:
    return str(row(events, ["keep"], ["cancelled"])["ended"])


def journal_event(kind: str, **fields: Any) -> e.Event:
    return from_json({"type": kind, **fields})


def test_the_end_of_a_log_tells_how_it_ended() -> None:
    assert ended(*STOPPED, done(message("m", "Once"))) == "ended"
    assert ended(*STOPPED) == "open"
    assert ended(*STOPPED, e.ErrorEvent("custom", "x", allow_retry=False)) == "failed"
    assert ended() == "ended"


def test_a_journal_says_how_it_ended() -> None:
    settled = journal_event(SETTLED, settlement={"cause": "timed_out"})
    closed = journal_event("journal.closed")

    assert ended(*STOPPED, settled, closed) == "timed_out"
    assert ended(*STOPPED, settled, closed, *STOPPED) == "open"


@pytest.mark.parametrize("settlement", [None, 1, {}, {"cause": "x"}, {"cause": [1]}])
def test_a_damaged_settlement_says_nothing(settlement: Any) -> None:
    assert ended(*STOPPED, journal_event(SETTLED, settlement=settlement)) == "open"


# --- what a row may hold -------------------------------------------------------------------------


def test_items_are_in_the_row_if_they_are_asked_for() -> None:
    found = row(STOPPED, ["keep"], ["cancelled"], items=True)["contents"]

    assert [(one["id"], one["pending"]) for one in found] == [("u", False), ("m", True)]
    assert msgspec.json.decode(found[1]["json"])["content"][0]["text"] == "Once"
    assert row(STOPPED, ["keep"], ["cancelled"])["contents"] == []


def test_without_texts_the_items_are_counts() -> None:
    privacy = Privacy(texts=False)
    found = row(STOPPED, ["keep"], ["cancelled"], items=True, privacy=privacy)

    assert [one["json"] for one in found["contents"]] == [None, None]
    assert found["contents"][1]["seen"]["characters"] == 4
    assert "Once" not in str(found)


@given(chatkit.stops(), st.binary(min_size=1, max_size=64))
def test_with_a_key_no_id_and_no_text_is_in_the_row(stop: Any, key: bytes) -> None:
    options: dict[str, Any] = {"thread": "thread-of-mine", "items": True, "stops": "all"}
    plain = row(stop.events, POLICIES, CAUSES, **options)
    hashed = row(stop.events, POLICIES, CAUSES, **options, privacy=Privacy(id_key=key))

    assert "thread-of-mine" not in str(hashed)
    assert all(one["json"] is None and len(one["id"]) == 32 for one in hashed["contents"])
    assert hashed["outcomes"] == plain["outcomes"]
    pairs = zip(plain["contents"], hashed["contents"], strict=True)
    ids = [(one["id"], other["id"]) for one, other in pairs]
    assert len(set(ids)) == len({one for one, _ in ids}) == len({other for _, other in ids})


def test_the_same_key_gives_the_same_hash_and_another_one_another() -> None:
    one, other = Privacy(id_key=b"1"), Privacy(id_key=b"2")

    assert one.id_of("a") == Privacy(id_key=b"1").id_of("a") != other.id_of("a")
    assert one.id_of(None) is None
    assert b"1" not in repr(one).encode()


# --- wrong arguments -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        ({"policies": "keep"}, TypeError, "expected policies in a list, got 'keep'"),
        ({"policies": [1]}, TypeError, "expected policies in a list, got int"),
        ({"policies": []}, ValueError, "expected policies, got none"),
        ({"policies": ["nope"]}, ValueError, "expected the name of a preset"),
        ({"policies": ["keep", policies.KEEP]}, ValueError, "got 'keep' twice"),
        ({"causes": "cancelled"}, TypeError, "expected causes in a list"),
        ({"causes": []}, ValueError, "expected causes, got none"),
        ({"causes": ["nope"]}, ValueError, "expected one of"),
        ({"stops": "some"}, ValueError, "expected stops to be 'end' or 'all'"),
    ],
)
def test_a_wrong_argument_is_named(
    arguments: dict[str, Any], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told):
        row(STOPPED, **{"policies": ["keep"], "causes": ["cancelled"], **arguments})


@pytest.mark.parametrize(
    ("key", "kind"), [("x", TypeError), (b"", ValueError), (b"x" * 65, ValueError)]
)
def test_a_wrong_key_is_refused(key: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="expected id_key"):
        Privacy(id_key=key)


def test_events_without_a_thread_have_a_row_that_counts_them() -> None:
    found = unnamed_row(3)

    assert found.keys() == row([], ["keep"], ["cancelled"]).keys()
    assert (found["thread"], found["events"], found["anomalies"]) == (None, 3, 3)
