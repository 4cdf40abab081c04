"""docs/semantics.md is complete, and what it copies from the code is up to date."""

from __future__ import annotations

from typing import get_args

import pytest

from chatkit_reducer import AnomalyKind
from chatkit_reducer.core.anomalies import MAX_ANOMALIES
from chatkit_reducer.core.items import HIDDEN_TYPES, ITEM_TYPES
from chatkit_reducer.core.items.assistant_message import MAX_PADDING
from chatkit_reducer.core.thread.lifecycle import TRANSITIONS, ItemEvent, Phase, Transition
from chatkit_reducer.events import (
    EVENT_TYPES,
    UPDATE_TYPES,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
)
from chatkit_reducer.logs import DEFAULT_MAX_EXPANSION
from chatkit_reducer.logs import _compression as compression
from chatkit_reducer.logs import _deliveries as deliveries
from chatkit_reducer.logs import _numbers as numbers
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")

COLUMNS: dict[str, type[ItemEvent]] = {
    "added": ThreadItemAdded,
    "updated": ThreadItemUpdated,
    "done": ThreadItemDone,
    "replaced": ThreadItemReplaced,
    "removed": ThreadItemRemoved,
}


def life_table() -> str:
    """The life of an item as a table in Markdown."""
    rows = [
        (f"**{phase.label}**", *[cell(TRANSITIONS[phase, event]) for event in COLUMNS.values()])
        for phase in Phase
    ]
    rows = [("where it is", *COLUMNS), ("---",) * len(rows[0]), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cell(step: Transition) -> str:
    return step.to.label if step.fault is None else f"{step.to.label}; `{step.fault.kind.value}`"


def test_the_life_table_in_the_document_is_that_of_the_code() -> None:
    _, after = PAGE.split("<!-- life: begin")
    copy, _ = after.partition("-->\n")[2].split("<!-- life: end")

    assert copy.strip() == life_table()


def test_the_life_table_has_a_column_for_every_item_event() -> None:
    assert set(COLUMNS.values()) == set(get_args(ItemEvent))


@pytest.mark.parametrize("name", [*EVENT_TYPES, *UPDATE_TYPES])
def test_the_document_has_a_row_for_every_event_and_update(name: str) -> None:
    assert f"\n| `{name}` |" in PAGE


@pytest.mark.parametrize("name", sorted({*ITEM_TYPES, *HIDDEN_TYPES}))
def test_the_document_names_every_item_type(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("kind", AnomalyKind)
def test_the_document_has_a_row_for_every_kind_of_fault(kind: AnomalyKind) -> None:
    assert f"\n| `{kind.value}` |" in PAGE


def test_the_document_says_how_many_empty_parts_a_message_may_have() -> None:
    assert f"no more than {MAX_PADDING:,} empty parts" in PAGE


def test_the_document_says_how_many_anomalies_a_state_lists() -> None:
    assert f"its first {MAX_ANOMALIES:,} anomalies" in PAGE


def test_the_document_says_how_much_is_remembered_of_numbers() -> None:
    assert f"The last {numbers.KEPT_BYTES >> 20} MB of a log" in PAGE
    assert f"{numbers.KEPT_EVENTS:,} events with a number" in PAGE
    held = f"{deliveries._MOST_WAITING:,} events or {deliveries._MOST_BYTES >> 20} MB"
    assert held in PAGE


def test_the_document_says_what_a_compressed_log_may_give() -> None:
    bounds = f"{DEFAULT_MAX_EXPANSION} bytes for each of its own, and {compression.FREE >> 20} MB"
    assert bounds in PAGE
