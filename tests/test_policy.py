"""The table: first match wins, nothing is left open, and no row is idle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from chatkit_reducer import fold, policies
from chatkit_reducer.errors import PolicyError
from chatkit_reducer.policy import (
    SOME_OTHER_TYPE,
    Case,
    Cause,
    Content,
    Decision,
    Marker,
    Origin,
    Policy,
    Row,
    cases_of,
)
from chatkit_reducer.testing import strategies as chatkit

ITEM_TYPES = ["assistant_message", "widget", "workflow", "new.type", "", "*", SOME_OTHER_TYPE]


def row(decision: str = "persist", /, **where: Any) -> Row:
    return Row(**where, decision=decision, reason="because")


def policy(*rows: Row, **more: Any) -> Policy:
    return Policy(**{"name": "p", **more}, rows=rows)


def refused(*rows: Row, **more: Any) -> str:
    with pytest.raises(PolicyError) as caught:
        policy(*rows, **more)
    return str(caught.value)


def all_cases(item_types: list[str]) -> Iterator[Case]:
    for item in item_types:
        for origin in Origin:
            for content in Content:
                for cause in Cause:
                    yield Case(item, origin, content, cause)


# --- which row decides ----------------------------------------------------------------------------


@given(chatkit.policies())
def test_the_first_row_that_matches_decides(table: Policy) -> None:
    for case in all_cases(ITEM_TYPES):
        want = {"item": case.item, "origin": case.origin, "content": case.content}
        for candidate in table.rows:
            fields = attrs.asdict(candidate)
            if all(fields[name] in ("*", value) for name, value in want.items()) and (
                candidate.cause in ("*", case.cause)
            ):
                assert table.row_for(case) is candidate
                break
        else:
            pytest.fail(f"no row matches {case}")


@pytest.mark.parametrize(
    "where",
    [
        {"item": "widget"},
        {"origin": "new"},
        {"content": "partial"},
        {"cause": "failed"},
        {"item": "widget", "origin": "base", "content": "empty", "cause": "crashed"},
    ],
)
def test_a_row_speaks_for_the_cases_that_it_names_and_for_no_other(where: dict[str, str]) -> None:
    table = policy(row("stale", **where), row("persist"))
    for case in all_cases(["widget", "workflow"]):
        named = all(str(getattr(case, name)) == value for name, value in where.items())
        assert table.row_for(case).decision == ("stale" if named else "persist")


@pytest.mark.parametrize("unknown", ["new.type", "", " ", "*"])
def test_types_that_nobody_knows_match_the_wildcard_alone(unknown: str) -> None:
    table = policy(row("stale", item="widget"), row("discard"))
    case = Case(unknown, Origin.NEW, Content.PARTIAL, Cause.ENDED)
    assert table.row_for(case) is table.rows[1]


def test_values_may_be_given_as_texts() -> None:
    one = row(origin="new", content="partial", cause="timed_out")
    other = row(origin=Origin.NEW, content=Content.PARTIAL, cause=Cause.TIMED_OUT)
    assert one == other
    assert type(one.origin) is Origin
    assert type(one.content) is Content
    assert type(one.cause) is Cause
    assert type(one.decision) is Decision


def test_a_row_reads_like_one() -> None:
    written = str(row("discard", item="widget", content="empty"))
    assert written == "widget | * | empty | * -> discard: because"


# --- what is refused ------------------------------------------------------------------------------


def test_a_table_that_leaves_a_case_open() -> None:
    assert refused(row(item="widget"), row(origin="new"), row(content="empty")) == (
        "policy 'p': no row decides for item (any other type), base, partial, ended; "
        "item (any other type), base, partial, cancelled; "
        "item (any other type), base, partial, failed; and 7 more cases: add a row that does"
    )


def test_the_one_case_that_is_left_open_is_named() -> None:
    rows = [
        row(item="widget", origin="new", content="partial", cause=cause)
        for cause in Cause
        if cause is not Cause.CRASHED
    ]
    others = [row(content="empty"), row(content="complete"), row(origin="base")]
    assert "no row decides for item widget, new, partial, crashed; item (any other type), new" in (
        refused(*rows, *others)
    )


def test_a_table_without_rows() -> None:
    assert "no row decides for item (any other type), new, empty, ended" in refused()


@pytest.mark.parametrize(
    ("rows", "dead"),
    [
        ([row(), row("stale", item="widget")], [2]),
        ([row(origin="new"), row(item="widget"), row(origin="new", content="empty"), row()], [3]),
        ([row(origin="new"), row(origin="base"), row()], [3]),
        ([row(item="widget"), row(), row("discard", item="widget"), row("stale")], [3, 4]),
    ],
)
def test_a_row_that_no_case_can_reach(rows: list[Row], dead: list[int]) -> None:
    named = "; ".join(f"row {number} ({rows[number - 1]})" for number in dead)
    assert refused(*rows) == (
        f"policy 'p': rows above it match first, so this can never match: {named}; "
        "move it up, or leave it out"
    )


def test_all_faults_of_a_table_are_said_at_once() -> None:
    message = refused(row(item="widget"), row(item="widget", origin="new"))
    assert "no row decides for" in message
    assert "row 2 (widget | new | * | * -> persist: because)" in message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"item": ""}, "`item` must be a text that is not blank, not ''"),
        ({"item": 3}, "`item` must be a text that is not blank, not 3"),
        (
            {"item": SOME_OTHER_TYPE},
            "`item` cannot be '(any other type)': write '*' for every type",
        ),
        ({"origin": "old"}, "'old' is none of *, new, base"),
        ({"content": None}, "None is none of *, empty, partial, complete"),
        ({"cause": ["ended"]}, "is none of *, ended, cancelled, failed, timed_out, crashed"),
        ({"decision": "*"}, "'*' is none of persist, discard, stale"),
        ({"reason": " \n"}, "`reason` must be a text that is not blank, not ' \\n'"),
    ],
)
def test_a_row_with_a_value_that_there_is_not(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Row(**{"decision": "persist", "reason": "because", **values})
    assert message in str(caught.value)


def test_a_table_without_a_name() -> None:
    assert refused(row(), name=" ") == "`name` must be a text that is not blank, not ' '"


def test_rows_that_are_none() -> None:
    rows: Any = ["persist"]
    with pytest.raises(PolicyError, match="`rows` must be values of class Row, and 'persist' is"):
        Policy(name="p", rows=rows)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "an sdk_hidden_context holds text: give the marker a `content`, or make its `item` "),
        ({"content": 5}, "`content` of a marker must be a text, not 5: leave it out, and give "),
        (
            {"content": "t", "item": "task"},
            "a marker is an item of type sdk_hidden_context or hidden_context_item, not 'task'",
        ),
        (
            {"content": "t", "causes": ["ended", "late"]},
            "'late' is none of ended, cancelled, failed, timed_out, crashed",
        ),
    ],
)
def test_a_marker_that_cannot_be_written(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Marker(**values)
    assert str(caught.value).startswith(message)


def test_a_cause_that_there_is_not() -> None:
    with pytest.raises(PolicyError, match="'late' is none of ended, cancelled, failed, timed_out"):
        Cause("late")


# --- more rows ------------------------------------------------------------------------------------


def test_rows_above_those_of_a_policy() -> None:
    form = row("discard", item="widget", origin="new")
    changed = policies.KEEP.with_rows(form)
    assert changed.rows == (form, *policies.KEEP.rows)
    assert changed.marker == policies.KEEP.marker
    assert changed.about == policies.KEEP.about
    assert changed.name == "keep, changed"
    assert policies.KEEP.with_rows(form, name="mine", about="a").name == "mine"
    assert policies.KEEP.with_rows(form, name="mine", about="a").about == "a"


def test_rows_that_are_overridden_go() -> None:
    assert policies.KEEP.with_rows(row("stale")).rows == (row("stale"),)
    partial = row("stale", content="partial")
    complete, _, empty = policies.KEEP.rows
    assert policies.KEEP.with_rows(partial).rows == (partial, complete, empty)


def test_a_new_row_that_can_never_match_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"row 2 \(widget \| "):
        policies.KEEP.with_rows(row("stale"), row("discard", item="widget"))


@given(chatkit.policies(), chatkit.policies(max_rows=3))
def test_the_new_rows_decide_where_they_match_and_the_old_ones_elsewhere(
    table: Policy, other: Policy
) -> None:
    new = other.rows[:-1]
    changed = table.with_rows(*new)
    assert changed.rows[: len(new)] == new
    for case in all_cases(ITEM_TYPES[:-1]):
        first = next((one for one in new if one.matches(case)), None)
        assert changed.row_for(case) is (first or table.row_for(case))


# --- values ---------------------------------------------------------------------------------------


def test_policies_are_values() -> None:
    def made(**more: Any) -> Policy:
        return policy(row(item="widget"), row("stale"), **more)

    assert made() == made()
    assert hash(made()) == hash(made())
    variants = [
        made(),
        made(name="q"),
        made(about="a"),
        made(marker=Marker(content="t")),
        made(marker=Marker(content="u")),
        made(marker=Marker(content="t", causes=["failed"])),
        made(marker=Marker(content="t", item="hidden_context_item")),
        policy(row(item="widget"), row("discard")),
        policy(row(item="workflow"), row("stale")),
        policy(row("stale", item="widget"), row("stale")),
        policy(row("stale")),
    ]
    for number, one in enumerate(variants):
        assert [one == other for other in variants].count(True) == 1
        assert variants.index(one) == number


def test_policies_are_frozen() -> None:
    table: Any = policies.KEEP
    for value, name in [
        (table, "rows"),
        (table, "name"),
        (table.rows[0], "decision"),
        (table.marker, "content"),
    ]:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, name, None)
    assert type(Policy(name="p", rows=[row()]).rows) is tuple
    assert type(Marker(content="t", causes=["ended"]).causes) is frozenset
    with pytest.raises(TypeError):
        policies.PRESETS["mine"] = table  # type: ignore[index]


def test_the_cases_of_rows() -> None:
    cases = list(cases_of([row(item="widget"), row(), row(item="task"), row(item="widget")]))
    assert len(cases) == len(set(cases)) == 3 * 2 * 3 * 5
    assert list(dict.fromkeys(case.item for case in cases)) == ["widget", "task", SOME_OTHER_TYPE]


# --- the strategies -------------------------------------------------------------------------------


@given(chatkit.policies(max_rows=2), chatkit.policies(markers=False))
def test_random_policies_keep_to_their_arguments(small: Policy, quiet: Policy) -> None:
    assert 1 <= len(small.rows) <= 3
    assert quiet.marker is None


@given(st.data())
def test_random_stops_keep_to_their_arguments(data: st.DataObject) -> None:
    events = data.draw(chatkit.streams(max_items=2, max_updates=3))
    stop = data.draw(chatkit.stops(streams=st.just(events), causes=["failed"]))
    assert list(stop.events) == events[: len(stop.events)]
    assert stop.cause is Cause.FAILED
    assert stop.state == fold(stop.events)
    assert stop.delivered in (stop.state, fold(stop.events[:-1]))
    sure = data.draw(chatkit.stops(streams=st.just(events), in_doubt=False))
    assert sure.delivered == sure.state == fold(sure.events)


@pytest.mark.parametrize(
    "make",
    [
        lambda: chatkit.policies(max_rows=-1),
        lambda: chatkit.policies(markers=1),  # type: ignore[arg-type]
        lambda: chatkit.stops(streams=[]),  # type: ignore[arg-type]
        lambda: chatkit.stops(causes=["late"]),
        lambda: chatkit.stops(causes=[]),
        lambda: chatkit.stops(in_doubt="no"),  # type: ignore[arg-type]
    ],
)
def test_arguments_that_no_strategy_takes(make: Any) -> None:
    with pytest.raises(InvalidArgument):
        make()


def test_all_decisions_are_drawn() -> None:
    drawn: set[tuple[Decision, bool]] = set()

    @given(chatkit.policies())
    def look(table: Policy) -> None:
        drawn.update((one.decision, table.marker is None) for one in table.rows)

    look()
    assert drawn == {(decision, quiet) for decision in Decision for quiet in (True, False)}
