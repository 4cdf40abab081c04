"""Policies in TOML: what is written comes back, and every slip is named with its path."""

from __future__ import annotations

import tomllib
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import policies
from chatkit_reducer.core.policy.table import Cause, Content, Decision, Marker, Origin, Policy, Row
from chatkit_reducer.core.policy.toml import from_toml, to_toml
from chatkit_reducer.errors import PolicyError
from chatkit_reducer.testing import strategies as chatkit

EVERYTHING = '[[rows]]\ndecision = "persist"\nreason = "because"\n'


def faults(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        from_toml(text)
    return str(caught.value).splitlines()


# --- there and back -------------------------------------------------------------------------------


@given(chatkit.policies())
def test_a_policy_comes_back(policy: Policy) -> None:
    back = from_toml(to_toml(policy))
    assert back == policy
    assert to_toml(back) == to_toml(policy)


@pytest.mark.parametrize("policy", policies.PRESETS.values(), ids=policies.PRESETS)
def test_a_preset_comes_back(policy: Policy) -> None:
    assert from_toml(to_toml(policy)) == policy


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip))
def test_any_text_comes_back(text: str) -> None:
    row = Row(item=f"x{text}", decision="stale", reason=text)
    rest = Row(decision="discard", reason=text)
    policy = Policy(name=text, rows=[row, rest], marker=Marker(content=text), about=text)
    assert from_toml(to_toml(policy)) == policy


def test_a_star_is_left_out_where_it_matches_everything_and_nowhere_else() -> None:
    policy = Policy(name="*", rows=[Row(decision="stale", reason="*")], about="*")
    assert to_toml(policy) == (
        'name = "*"\nabout = "*"\n\n[[rows]]\ndecision = "stale"\nreason = "*"\n'
    )
    assert from_toml(to_toml(policy)) == policy


def test_how_a_policy_is_written() -> None:
    policy = Policy(
        name='a "name"',
        about="about\u007f",
        rows=[
            Row(item="widget", content="partial", decision="discard", reason="one"),
            Row(origin="base", cause="timed_out", decision="stale", reason="two"),
            Row(decision="persist", reason="three\nlines"),
        ],
        marker=Marker(content="The user left.", causes=["crashed", "ended"]),
    )
    assert to_toml(policy) == (
        'name = "a \\"name\\""\n'
        'about = "about\\u007f"\n'
        "\n[[rows]]\n"
        'item = "widget"\ncontent = "partial"\ndecision = "discard"\nreason = "one"\n'
        "\n[[rows]]\n"
        'origin = "base"\ncause = "timed_out"\ndecision = "stale"\nreason = "two"\n'
        "\n[[rows]]\n"
        'decision = "persist"\nreason = "three\\nlines"\n'
        "\n[marker]\n"
        'content = "The user left."\ncauses = ["ended", "crashed"]\nitem = "sdk_hidden_context"\n'
    )


def test_how_a_marker_is_written_whose_content_is_given_later() -> None:
    marker = Marker(item="hidden_context_item", causes=["failed"])
    policy = attrs.evolve(policies.DROP, marker=marker)
    written = tomllib.loads(to_toml(policy))
    assert written["marker"] == {"causes": ["failed"], "item": "hidden_context_item"}
    assert from_toml(to_toml(policy)).marker == marker


# --- what people write ----------------------------------------------------------------------------


def test_the_values_of_a_policy() -> None:
    policy = from_toml(
        """
        name = "mine"
        about = "An example."

        [[rows]]
        item = "widget"
        origin = "new"
        content = "partial"
        cause = "failed"
        decision = "discard"
        reason = "Half a form is no use."

        [[rows]]
        item = "*"
        origin = "*"
        content = "*"
        cause = "*"
        decision = "persist"
        reason = "All else stays."

        [marker]
        content = "The user left."
        causes = ["cancelled", "crashed"]
        item = "hidden_context_item"
        """
    )
    assert policy == Policy(
        name="mine",
        about="An example.",
        rows=[
            Row(
                item="widget",
                origin=Origin.NEW,
                content=Content.PARTIAL,
                cause=Cause.FAILED,
                decision=Decision.DISCARD,
                reason="Half a form is no use.",
            ),
            Row(decision=Decision.PERSIST, reason="All else stays."),
        ],
        marker=Marker(
            content="The user left.",
            causes=[Cause.CANCELLED, Cause.CRASHED],
            item="hidden_context_item",
        ),
    )


@pytest.mark.parametrize("base", policies.PRESETS)
def test_rows_above_those_of_a_preset(base: str) -> None:
    preset = policies.PRESETS[base]
    text = f"""
        name = "mine"
        base = "{base}"
        [[rows]]
        item = "widget"
        content = "partial"
        decision = "stale"
        reason = "because"
        """
    row = Row(item="widget", content="partial", decision="stale", reason="because")
    assert from_toml(text) == preset.with_rows(row, name="mine")
    assert from_toml(f'about = "a"\n{text}').about == "a"


def test_a_preset_without_more_rows() -> None:
    assert from_toml('name = "mine"\nbase = "keep"') == (attrs.evolve(policies.KEEP, name="mine"))


@pytest.mark.parametrize(
    ("text", "marker"),
    [
        ("", policies.SDK_MARKER),
        ("marker = false", None),
        ('[marker]\ncontent = "t"', Marker(content="t")),
        ('[marker]\nitem = "hidden_context_item"', Marker(item="hidden_context_item")),
        ('[marker]\ncontent = "t"\ncauses = []', Marker(content="t", causes=[])),
    ],
)
def test_the_marker_of_a_policy_with_a_base(text: str, marker: Marker | None) -> None:
    assert from_toml(f'name = "mine"\nbase = "drop"\n{text}').marker == marker


def test_without_a_base_there_is_no_marker_unless_it_is_written() -> None:
    assert from_toml(f'name = "mine"\n{EVERYTHING}').marker is None
    assert from_toml(f'name = "mine"\nmarker = false\n{EVERYTHING}').marker is None


# --- slips ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "required field missing @ policy.name"),
        ("name = 3", "expected a text, got 3 @ policy.name"),
        ('name = "p"\nabout = []', "expected a text, got [] @ policy.about"),
        ('name = "p"\nbase = true', "expected a text, got True @ policy.base"),
        ('name = "p"\nrow = []', "extra fields found (row) @ policy"),
        ('name = "p"\nbase = "kep"', "expected one of sdk, keep, drop, got 'kep' @ policy.base"),
        (
            'name = "p"\nrows = "keep"',
            "expected a list of tables, each under [[rows]], got 'keep' @ policy.rows",
        ),
        (
            'name = "p"\n[rows]\nitem = "a"',
            "expected a list of tables, each under [[rows]], got {'item': 'a'} @ policy.rows",
        ),
        ('name = "p"\nrows = ["keep"]', "expected a table, got 'keep' @ policy.rows[0]"),
        (
            'name = "p"\nmarker = true',
            "expected a table, or false for none, got True @ policy.marker",
        ),
        ('name = "p"\nmarker = 0', "expected a table, or false for none, got 0 @ policy.marker"),
        ('name = "p"\nmarker = ""', "expected a table, or false for none, got '' @ policy.marker"),
        (
            'name = "p"\n[marker]\ncontent = "t"\ncauses = "cancelled"',
            "expected a list of texts, got 'cancelled' @ policy.marker.causes",
        ),
        (
            'name = "p"\n[marker]\ncontent = "t"\ncauses = ["ended", "late"]',
            (
                "expected one of ended, cancelled, failed, timed_out, crashed, got 'late'"
                " @ policy.marker.causes[1]"
            ),
        ),
        ('name = "p"\n[marker]\ncontent = 1', "expected a text, got 1 @ policy.marker.content"),
        (
            'name = "p"\n[marker]\ncontent = "t"\ntype = "x"',
            "extra fields found (type) @ policy.marker",
        ),
        (
            'name = "p"\n[marker]\ncontent = "t"\nitem = "task"',
            (
                "a marker is an item of type sdk_hidden_context or hidden_context_item, not 'task'"
                " @ policy.marker"
            ),
        ),
        (
            'name = "p"\n[marker]\ncauses = []',
            (
                "an sdk_hidden_context holds text: give the marker a `content`, or make its `item` "
                "a hidden_context_item, whose content is given when you settle @ policy.marker"
            ),
        ),
    ],
)
def test_a_slip(text: str, fault: str) -> None:
    assert faults(text) == [fault]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"item": '""'}, "`item` must be a text that is not blank, not '' @ policy.rows[1]"),
        ({"item": "1"}, "expected a text, got 1 @ policy.rows[1].item"),
        ({"origin": '"old"'}, "expected one of *, new, base, got 'old' @ policy.rows[1].origin"),
        ({"origin": "[]"}, "expected one of *, new, base, got [] @ policy.rows[1].origin"),
        (
            {"content": '"half"'},
            "expected one of *, empty, partial, complete, got 'half' @ policy.rows[1].content",
        ),
        (
            {"cause": "false"},
            (
                "expected one of *, ended, cancelled, failed, timed_out, crashed, got False"
                " @ policy.rows[1].cause"
            ),
        ),
        (
            {"decision": '"*"'},
            "expected one of persist, discard, stale, got '*' @ policy.rows[1].decision",
        ),
        (
            {"decision": "1"},
            "expected one of persist, discard, stale, got 1 @ policy.rows[1].decision",
        ),
        ({"decision": None}, "required field missing @ policy.rows[1].decision"),
        ({"reason": None}, "required field missing @ policy.rows[1].reason"),
        ({"reason": '"\\t"'}, "`reason` must be a text that is not blank, not '\\t'"),
        ({"reason": "{}"}, "expected a text, got {} @ policy.rows[1].reason"),
        ({"reasons": '"x"'}, "extra fields found (reasons) @ policy.rows[1]"),
    ],
)
def test_a_slip_in_a_row(change: dict[str, str | None], fault: str) -> None:
    fields = {"item": '"widget"', "decision": '"stale"', "reason": '"r"', **change}
    row = "\n".join(f"{name} = {value}" for name, value in fields.items() if value is not None)
    [said] = faults(f'name = "p"\nbase = "keep"\n{EVERYTHING}[[rows]]\n{row}')
    assert said.startswith(fault)
    assert said.endswith(fault.partition(" @ ")[2] or "policy.rows[1]")


def test_all_slips_are_named_at_once() -> None:
    text = """
        base = 1
        title = "p"
        [[rows]]
        origin = "old"
        cause = "late"
        [[rows]]
        item = 3
        decision = "keep"
        reason = "r"
        extra = "e"
        [marker]
        content = []
        causes = ["late", "ended", 5]
        """
    assert sorted(faults(text)) == sorted(
        [
            "required field missing @ policy.name",
            "extra fields found (title) @ policy",
            "expected a text, got 1 @ policy.base",
            "expected one of *, new, base, got 'old' @ policy.rows[0].origin",
            (
                "expected one of *, ended, cancelled, failed, timed_out, crashed, got 'late'"
                " @ policy.rows[0].cause"
            ),
            "required field missing @ policy.rows[0].decision",
            "required field missing @ policy.rows[0].reason",
            "expected a text, got 3 @ policy.rows[1].item",
            "expected one of persist, discard, stale, got 'keep' @ policy.rows[1].decision",
            "extra fields found (extra) @ policy.rows[1]",
            "expected a text, got [] @ policy.marker.content",
            (
                "expected one of ended, cancelled, failed, timed_out, crashed, got 'late'"
                " @ policy.marker.causes[0]"
            ),
            (
                "expected one of ended, cancelled, failed, timed_out, crashed, got 5"
                " @ policy.marker.causes[2]"
            ),
        ]
    )


def test_slips_of_all_kinds_are_named_at_once() -> None:
    text = """
        name = 3
        base = "kep"
        [[rows]]
        decision = "keep"
        reason = ""
        """
    assert sorted(faults(text)) == sorted(
        [
            "expected a text, got 3 @ policy.name",
            "expected one of sdk, keep, drop, got 'kep' @ policy.base",
            "expected one of persist, discard, stale, got 'keep' @ policy.rows[0].decision",
            "`reason` must be a text that is not blank, not '' @ policy.rows[0]",
        ]
    )


def test_what_a_row_says_in_vain_is_named_next_to_all_else() -> None:
    text = """
        name = " "
        [[rows]]
        item = ""
        id = "a*b"
        decision = "stale"
        reason = "\\t"
        [[rows]]
        id = "*a"
        reason = "r"
        [marker]
        item = "task"
        """
    assert sorted(faults(text)) == sorted(
        [
            "`name` must be a text that is not blank, not ' ' @ policy.name",
            "`item` must be a text that is not blank, not '' @ policy.rows[0]",
            f"{STAR.format('a*b')} @ policy.rows[0]",
            "`reason` must be a text that is not blank, not '\\t' @ policy.rows[0]",
            f"{STAR.format('*a')} @ policy.rows[1]",
            "required field missing @ policy.rows[1].decision",
            (
                "a marker is an item of type sdk_hidden_context or hidden_context_item, not 'task'"
                " @ policy.marker"
            ),
        ]
    )


STAR = (
    "`id` may have '*' at its end alone, and is {0!r}: write an id, or the beginning of some and "
    "'*'"
)


@pytest.mark.parametrize("name", ["3", '" "'])
def test_a_table_that_is_open_or_has_a_dead_row_is_named_next_to_all_else(name: str) -> None:
    row = '[[rows]]\nitem = "task"\ndecision = "stale"\nreason = "r"\n'
    found = faults(f"name = {name}\n{row}{row}")
    assert len(found) == 2
    assert "no row decides for item (any other type), new, empty, " in found[1]
    assert "row 2 (task | * | * | * -> stale: r)" in found[1]


@given(chatkit.policies(ids=True))
def test_a_policy_with_ids_comes_back(policy: Policy) -> None:
    assert from_toml(to_toml(policy)) == policy


def test_how_an_id_is_written() -> None:
    text = """
        name = "p"
        base = "keep"
        [[rows]]
        id = "elapsed_*"
        decision = "discard"
        reason = "It is for the moment."
        """
    policy = from_toml(text)
    assert policy.rows[0].id == "elapsed_*"
    assert '\n[[rows]]\nid = "elapsed_*"\ndecision = "discard"\n' in to_toml(policy)


@pytest.mark.parametrize(
    "text", ["name", "name = p", "x = 1111-99-99", "x = " + "9" * 5000, "x = " + "[" * 5000]
)
def test_what_is_no_toml(text: str) -> None:
    [fault] = faults(text)
    assert fault.startswith("not valid TOML: ")


def test_a_table_that_is_not_total() -> None:
    [fault] = faults('name = "p"\n[[rows]]\nitem = "task"\ndecision = "stale"\nreason = "r"')
    assert fault.startswith("policy 'p': no row decides for item (any other type), new, empty, ")


def test_a_row_that_can_never_match() -> None:
    [fault] = faults(f'name = "p"\nbase = "sdk"\n{EVERYTHING}{EVERYTHING}')
    assert "row 2 (* | * | * | * -> persist: because)" in fault


TOML = st.sampled_from(
    ["1", "-1.5", "true", "false", '""', '"keep"', '"*"', "[]", '["ended"]', "{}", "{a = 1}", "nan"]
)
KEYS = ["name", "base", "about", "rows", "marker", "x"]
ROW_KEYS = [*(field.name for field in attrs.fields(Row)), "x"]
MARKER_KEYS = [*(field.name for field in attrs.fields(Marker)), "x"]


@st.composite
def files(draw: st.DrawFn) -> str:
    """Policies, with anything at any place."""

    def fields(names: list[str], more: dict[str, str]) -> str:
        drawn = draw(st.dictionaries(st.sampled_from(names), TOML, max_size=2))
        return "".join(f"{name} = {value}\n" for name, value in {**more, **drawn}.items())

    top = fields(KEYS, {"name": '"p"', "base": '"keep"'})
    row = fields(ROW_KEYS, {"item": '"task"', "decision": '"stale"', "reason": '"r"'})
    marker = fields(MARKER_KEYS, {"content": '"t"'})
    return f"{top}\n[[rows]]\n{row}\n[marker]\n{marker}"


@given(files())
def test_a_file_is_a_policy_or_a_policy_error(text: str) -> None:
    try:
        policy = from_toml(text)
    except PolicyError as error:
        said = str(error)
        fine = bool(said) and "unknown error" not in said
    else:
        fine = from_toml(to_toml(policy)) == policy
    assert fine


@pytest.mark.parametrize("text", [None, b'name = "p"', {"name": "p"}])
def test_a_policy_that_is_not_text_is_refused(text: Any) -> None:
    kind = type(text).__name__
    with pytest.raises(TypeError, match=f"^expected the text of a policy as str, got {kind}: read"):
        from_toml(text)
