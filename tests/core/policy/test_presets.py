"""The presets, cell by cell; and no cell, row or marker can change without a test that fails."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import attrs
import pytest

from chatkit_reducer import policies
from chatkit_reducer.core.policy.table import (
    Case,
    Cause,
    Content,
    Decision,
    Marker,
    Origin,
    Policy,
    Row,
)
from chatkit_reducer.errors import PolicyError
from chatkit_reducer.testing.strategies._items import ITEM_TYPES

# How the stream ended makes no difference to any of them; P is persist, D discard, S stale.
CELLS = {
    "sdk": """
                            |       new         |       base        |
                            | empty part. whole | empty part. whole |
        assistant_message   |   D     P     P   |   S     S     P   |
        *                   |   D     D     P   |   S     S     P   |
    """,
    "keep": """
        *                   |   D     P     P   |   D     P     P   |
    """,
    "drop": """
        *                   |   D     D     P   |   D     D     P   |
    """,
}

ROWS = {
    "sdk": [
        "* | * | complete | * -> persist",
        "assistant_message | new | partial | * -> persist",
        "* | new | * | * -> discard",
        "* | base | * | * -> stale",
    ],
    "keep": [
        "* | * | complete | * -> persist",
        "* | * | partial | * -> persist",
        "* | * | empty | * -> discard",
    ],
    "drop": [
        "* | * | complete | * -> persist",
        "* | new | * | * -> discard",
        "* | base | * | * -> discard",
    ],
}

# openai-chatkit 1.6.5, `chatkit/server.py`, `ChatKitServer.handle_stream_cancelled`
TEXT = "The user cancelled the stream. Stop responding to the prior request."

TYPES = (*ITEM_TYPES, "new.type")
CASES = [
    Case(item, origin, content, cause)
    for item in TYPES
    for origin in Origin
    for content in Content
    for cause in Cause
]
NAMES = pytest.mark.parametrize("name", CELLS)


@cache
def cells(name: str) -> dict[Case, str]:
    """The decision in each cell, as the drawing above says."""
    lines = [line.split() for line in CELLS[name].splitlines()]
    drawn = {line[0]: [c for c in line if c in "PDS"] for line in lines if line and line[0] != "|"}
    columns = [(origin, content) for origin in Origin for content in Content]
    return {
        case: drawn.get(case.item, drawn["*"])[columns.index((case.origin, case.content))]
        for case in CASES
    }


def surprises(policy: Policy, name: str) -> list[Case]:
    """The cells in which a policy decides otherwise than the drawing."""
    expected = cells(name)
    return [case for case in CASES if policy.row_for(case).decision[0].upper() != expected[case]]


def rows_of(policy: Policy) -> list[str]:
    return [str(row).partition(": ")[0] for row in policy.rows]


@NAMES
def test_the_decision_in_every_cell(name: str) -> None:
    assert surprises(policies.PRESETS[name], name) == []


@NAMES
def test_the_rows_in_order(name: str) -> None:
    assert rows_of(policies.PRESETS[name]) == ROWS[name]


@NAMES
def test_the_marker(name: str) -> None:
    marker = policies.PRESETS[name].marker
    assert marker is not None
    assert attrs.asdict(marker) == {
        "content": TEXT,
        "causes": {Cause.CANCELLED},
        "item": "sdk_hidden_context",
    }


def test_the_presets_by_name() -> None:
    assert list(policies.PRESETS.items()) == [
        ("sdk", policies.SDK),
        ("keep", policies.KEEP),
        ("drop", policies.DROP),
    ]
    for name, policy in policies.PRESETS.items():
        assert policy.name == name
        assert policy.about.endswith(".")
        assert all(row.reason.endswith(".") for row in policy.rows)


# --- the tests above notice every change ----------------------------------------------------------


def test_the_drawings_have_every_cell() -> None:
    assert len(CASES) == len(set(CASES)) == 12 * 2 * 3 * 5
    for name in CELLS:
        assert set(cells(name).values()) <= {"P", "D", "S"}
        assert cells(name).keys() == set(CASES)


@NAMES
def test_a_change_to_any_cell_is_noticed(name: str) -> None:
    preset = policies.PRESETS[name]
    for case in CASES:
        before = preset.row_for(case).decision
        for decision in Decision:
            if decision is not before:
                row = Row(**attrs.asdict(case), decision=decision, reason="changed")
                assert surprises(preset.with_rows(row), name) == [case]


def changed_rows(rows: tuple[Row, ...]) -> Iterator[list[Row]]:
    """The same rows with one other value in one of them, one missing, or two in another order."""
    values = {
        "item": ("*", *TYPES),
        "origin": ("*", *Origin),
        "content": ("*", *Content),
        "cause": ("*", *Cause),
        "decision": tuple(Decision),
    }
    for number, row in enumerate(rows):
        ahead, behind = rows[:number], rows[number + 1 :]
        yield [*ahead, *behind]
        for field, others in values.items():
            for other in others:
                if other != getattr(row, field):
                    yield [*ahead, attrs.evolve(row, **{field: other}), *behind]
        for place in range(number):
            yield [*ahead[:place], row, *ahead[place + 1 :], rows[place], *behind]


@NAMES
def test_a_change_to_any_row_is_noticed(name: str) -> None:
    preset = policies.PRESETS[name]
    for rows in changed_rows(preset.rows):
        try:
            changed = attrs.evolve(preset, rows=rows)
        except PolicyError:
            continue
        assert rows_of(changed) != ROWS[name]


@NAMES
def test_another_decision_in_any_row_is_noticed_in_a_cell_as_well(name: str) -> None:
    preset = policies.PRESETS[name]
    for number, row in enumerate(preset.rows):
        for decision in set(Decision) - {row.decision}:
            rows = [*preset.rows]
            rows[number] = attrs.evolve(row, decision=decision)
            assert surprises(attrs.evolve(preset, rows=rows), name) != []


@NAMES
def test_a_change_to_the_marker_is_noticed(name: str) -> None:
    preset = policies.PRESETS[name]
    changes: list[Marker | None] = [
        None,
        Marker(content=TEXT[:-1]),
        Marker(content=None, item="hidden_context_item"),
        Marker(content=TEXT, item="hidden_context_item"),
        Marker(content=TEXT, causes=[]),
        *[
            Marker(content=TEXT, causes=[Cause.CANCELLED, cause])
            for cause in Cause
            if cause != "cancelled"
        ],
        *[Marker(content=TEXT, causes=[cause]) for cause in Cause if cause != "cancelled"],
    ]
    for marker in changes:
        assert attrs.evolve(preset, marker=marker) != preset
        assert marker != preset.marker
