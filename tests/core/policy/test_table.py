"""The table: first match wins, nothing is left open, and no row is idle."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from chatkit_reducer import fold, policies
from chatkit_reducer.core.policy.table import (
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
from chatkit_reducer.errors import PolicyError
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
        ({"origin": "old"}, "expected one of *, new, base, got 'old'"),
        ({"content": None}, "expected one of *, empty, partial, complete, got None"),
        ({"cause": ["ended"]}, "expected one of *, ended, cancelled, failed, timed_out, crashed"),
        ({"decision": "*"}, "expected one of persist, discard, stale, got '*'"),
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
            "expected one of ended, cancelled, failed, timed_out, crashed, got 'late'",
        ),
    ],
)
def test_a_marker_that_cannot_be_written(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Marker(**values)
    assert str(caught.value).startswith(message)


def test_a_cause_that_there_is_not() -> None:
    with pytest.raises(
        PolicyError,
        match="expected one of ended, cancelled, failed, timed_out, crashed, got 'late'",
    ):
        Cause("late")


# --- more rows ------------------------------------------------------------------------------------


def test_rows_above_those_of_a_policy() -> None:
    form = row("discard", item="widget", origin="new")
    changed = policies.KEEP.with_rows(form)
    assert changed.rows == (form, *policies.KEEP.rows)
    assert changed.marker == policies.KEEP.marker
    assert changed.about == "As keep, but for its first rows."
    assert policies.KEEP.with_rows().about == policies.KEEP.about
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


# --- ids ------------------------------------------------------------------------------------------

IDS = [
    "elapsed_1",
    "elapsed_12",
    "elapsed_",
    "elapsed",
    "x",
    "",
    "*",
    "elapsed_*",
    "item_1",
    "item_2",
]


def naive_first(table: Policy, case: Case) -> Row | None:
    """The row that decides, the slow way."""
    for candidate in table.rows:
        fields = attrs.asdict(candidate)
        pattern = fields["id"]
        fits = case.id.startswith(pattern[:-1]) if pattern[-1] == "*" else case.id == pattern
        rest = ("item", "origin", "content", "cause")
        if fits and all(fields[name] in ("*", getattr(case, name)) for name in rest):
            return candidate
    return None


def with_ids(item_types: list[str]) -> Iterator[Case]:
    for case in all_cases(item_types):
        for item_id in IDS:
            yield attrs.evolve(case, id=item_id)


def test_a_row_may_name_items_by_their_id() -> None:
    table = policy(
        row("discard", id="elapsed_*"), row("stale", id="answer"), row("persist", item="widget"),
        row("discard"),
    )  # fmt: skip
    decided = {
        item_id: table.row_for(Case("widget", *PARTIAL, item_id)).decision
        for item_id in ("elapsed_1", "elapsed_", "elapsed", "answer", "answers", "")
    }
    assert decided == {
        "elapsed_1": "discard",
        "elapsed_": "discard",
        "elapsed": "persist",
        "answer": "stale",
        "answers": "persist",
        "": "persist",
    }
    assert table.row_for(Case("widget", *PARTIAL)).decision == "persist"
    assert table.names_ids
    assert not policy(row("persist", item="widget"), row("discard")).names_ids


PARTIAL = (Origin.NEW, Content.PARTIAL, Cause.ENDED)

PATTERNS = st.sampled_from(["*", "elapsed_*", "elapsed*", "elapsed_1", "elapsed_1*", "x", "e*"])
TABLES = st.lists(
    st.builds(
        Row,
        item=st.sampled_from(["*", "widget", "task"]),
        id=PATTERNS,
        origin=st.sampled_from(["*", "new"]),
        content=st.sampled_from(["*", "partial", "complete"]),
        decision=st.just("persist"),
        reason=st.just("because"),
    ),
    max_size=7,
)
# An id for each pattern above that no narrower one names, and any other.
EVERY_ID = ["*", "elapsed_x", "elapsedx", "elapsed_1", "elapsed_1x", "x", "ex"]


@given(TABLES)
def test_open_cases_and_dead_rows_are_found_exactly(rows: list[Row]) -> None:
    cases = [
        attrs.evolve(case, id=item_id)
        for case in all_cases(["widget", "task", "new.type"])
        for item_id in EVERY_ID
    ]
    firsts = [next((i for i, one in enumerate(rows) if one.matches(case)), None) for case in cases]
    dead = [number for number in range(len(rows)) if number not in firsts]
    try:
        table = policy(*rows)
    except PolicyError as error:
        message = str(error)
        assert ("no row decides" in message) == (None in firsts)
        assert [n for n in range(len(rows)) if f"row {n + 1} (" in message] == dead
    else:
        assert None not in firsts
        assert dead == []
        assert [table.row_for(case) for case in cases] == [rows[n] for n in firsts if n is not None]


@given(chatkit.policies(ids=True), chatkit.policies(max_rows=3, ids=True))
def test_new_rows_with_ids_decide_first(table: Policy, other: Policy) -> None:
    new = other.rows[:-1]
    changed = table.with_rows(*new)
    assert changed.rows[: len(new)] == new
    for case in with_ids(["widget", "new.type"]):
        first = next((one for one in new if one.matches(case)), None)
        assert changed.row_for(case) is (first or naive_first(table, case))


@pytest.mark.parametrize("value", ["", " ", None, 5, "*x", "a*b", "**", "a**"])
def test_an_id_that_is_none(value: Any) -> None:
    with pytest.raises(PolicyError, match="`id` m"):
        row(id=value)


def test_a_row_with_an_id_reads_like_one() -> None:
    assert str(row("discard", item="widget", id="elapsed_*")) == (
        "widget | elapsed_* | * | * | * -> discard: because"
    )
    assert str(Case("widget", *PARTIAL, "w")) == "item widget, id w, new, partial, ended"


def test_the_cases_of_rows_with_ids() -> None:
    rows = [row(item="widget", id="ab*"), row(id="b"), row(id="c*", item="task"), row()]
    found = {(case.item, case.id) for case in cases_of(rows)}
    assert found == {
        *[("widget", one) for one in ("ab(any other id)", "b", "*")],
        *[("task", one) for one in ("b", "c(any other id)", "*")],
        *[(SOME_OTHER_TYPE, one) for one in ("b", "*")],
    }
    assert {case.id for case in cases_of(rows, ids=False)} == {"*"}


def test_a_long_table_is_made_at_once() -> None:
    last = row("discard")
    for rows in (
        [row(item=f"type_{number}") for number in range(2_000)],
        [row(id=f"item_{number:05}") for number in range(2_000)],
        [row(id=f"item_{number:05}*", item=f"type_{number}") for number in range(2_000)],
    ):
        start = time.perf_counter()
        table = policy(*rows, last)
        assert table.row_for(Case("type_7", *PARTIAL, "item_00007")).decision == "persist"
        assert time.perf_counter() - start < 2


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


# --- the words of an error ------------------------------------------------------------------------


def rows(*items: str, **fields: Any) -> list[Row]:
    return [Row(item=name, decision="discard", reason="r", **fields) for name in items]


EMPTY_NEW = "item (any other type), new, empty"


@pytest.mark.parametrize(
    ("left_open", "words"),
    [
        (1, f"{EMPTY_NEW}, ended"),
        (3, f"{EMPTY_NEW}, ended; {EMPTY_NEW}, cancelled; {EMPTY_NEW}, failed"),
        (
            4,
            f"{EMPTY_NEW}, ended; {EMPTY_NEW}, cancelled; {EMPTY_NEW}, failed; and 1 more cases",
        ),
    ],
)
def test_a_policy_names_the_cases_that_it_leaves_open(left_open: int, words: str) -> None:
    table = [
        *rows("*", origin="base"),
        *rows("*", content="partial"),
        *rows("*", content="complete"),
        *[row for cause in list(Cause)[left_open:] for row in rows("*", cause=cause)],
    ]

    with pytest.raises(PolicyError) as caught:
        Policy(name="p", rows=table)

    assert str(caught.value) == f"policy 'p': no row decides for {words}: add a row that does"


def test_a_case_that_is_left_open_is_named_once_whatever_ids_are_named() -> None:
    decided = [row(origin="base"), *[row(cause=cause) for cause in list(Cause)[1:]]]

    assert refused(row(id="x", content="partial"), row(content="complete"), *decided) == (
        f"policy 'p': no row decides for {EMPTY_NEW}, ended; "
        "item (any other type), new, partial, ended: add a row that does"
    )


def test_a_policy_says_all_that_is_wrong_with_it() -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(name="p", rows=rows("widget", "widget"))

    first, second = str(caught.value).split("; and rows above it match first, so ")
    assert first.endswith("; and 27 more cases: add a row that does")
    assert second == (
        "this can never match: row 2 (widget | * | * | * -> discard: r); "
        "move it up, or leave it out"
    )


def test_a_content_of_a_marker_that_is_no_text_is_refused() -> None:
    with pytest.raises(PolicyError) as caught:
        Marker(content=5)  # type: ignore[arg-type]

    assert str(caught.value) == (
        "`content` of a marker must be a text, not 5: leave it out, "
        "and give the content when you settle"
    )


def test_the_cases_are_those_of_the_types_that_rows_name_and_of_any_other() -> None:
    cases = list(cases_of([*rows("*", "widget", "task", "widget")]))

    assert list(dict.fromkeys(case.item for case in cases)) == ["widget", "task", SOME_OTHER_TYPE]
    assert len(cases) == 3 * 2 * 3 * 5
