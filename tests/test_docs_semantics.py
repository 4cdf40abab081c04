"""docs/semantics.md is complete, and what it copies from the code is up to date."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from chatkit_reducer import FaultKind
from chatkit_reducer.events import (
    EVENT_TYPES,
    UPDATE_TYPES,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
)
from chatkit_reducer.items import HIDDEN_TYPES, ITEM_TYPES
from chatkit_reducer.items.assistant_message import MAX_PADDING
from chatkit_reducer.lifecycle import LIFE, ItemEvent, Phase, Step

PAGE = (Path(__file__).parents[1] / "docs" / "semantics.md").read_text(encoding="utf-8")

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
        (f"**{phase.value}**", *[cell(LIFE[phase, event]) for event in COLUMNS.values()])
        for phase in Phase
    ]
    rows = [("where it is", *COLUMNS), ("---",) * len(rows[0]), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cell(step: Step) -> str:
    return step.to.value if step.fault is None else f"{step.to.value}; `{step.fault.kind.value}`"


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


@pytest.mark.parametrize("kind", FaultKind)
def test_the_document_has_a_row_for_every_kind_of_fault(kind: FaultKind) -> None:
    assert f"\n| `{kind.value}` |" in PAGE


def test_the_document_says_how_far_out_an_index_may_be() -> None:
    assert f"up to {MAX_PADDING:,} past the end" in PAGE
