"""Threads as a store has them, and in the middle of a response."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from typing import Literal, NamedTuple

from hypothesis import strategies as st

from chatkit_reducer import events as e
from chatkit_reducer.core.fold.folder import fold
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.testing.conformance.reference_model import NaiveThread
from chatkit_reducer.testing.strategies._events import thread_objects
from chatkit_reducer.testing.strategies._items import ITEM_TYPES, items_of, unknown_items
from chatkit_reducer.testing.strategies._json import (
    Json,
    check_bool,
    check_names,
    check_size,
    nullable,
    or_nothing,
)
from chatkit_reducer.testing.strategies._published import published
from chatkit_reducer.testing.strategies._steps import Step, Style
from chatkit_reducer.testing.strategies._streams import ITEM_WEIGHTS, steps_of, updates_by

_MAX_UPDATES = 6


@published
def threads(
    *,
    types: Collection[str] | None = None,
    max_items: int = 4,
    pending: bool = False,
    unknown: bool = True,
) -> st.SearchStrategy[ThreadState]:
    """Generate whole threads: their items in order, with or without the metadata of the thread.

    Every item has an id of its own, and the state has no anomaly.

    >>> from hypothesis import given
    >>> from chatkit_reducer import diff, fold
    >>> from chatkit_reducer.testing import strategies as chatkit
    >>> @given(chatkit.threads(pending=True), chatkit.threads(max_items=2))
    ... def test_one_thread_becomes_another(before, after):
    ...     assert list(fold(diff(before, after), before).items) == list(after.items)
    >>> test_one_thread_becomes_another()

    Args:
        types: which types of items; all of them, if left out.
        max_items: how many items there are at most.
        pending: also threads in the middle of a response, with items that are not done: new ones,
            and stored ones that are changed.
        unknown: also types and fields that openai-chatkit 1.6.5 does not know.

    Raises:
        InvalidArgument: an argument has a wrong value.
    """
    names = check_names("types", types, ITEM_TYPES)
    check_size("max_items", max_items)
    check_bool("pending", pending)
    check_bool("unknown", unknown)
    entries = _entries(
        *names, unknown_types=unknown and types is None, unknown=unknown, pending=pending
    )
    return _threads(st.lists(entries, max_size=max_items), _metadata(unknown=unknown))


class _Entry(NamedTuple):
    item: Json
    phase: Literal["stored", "changed", "new"] = "stored"
    steps: tuple[Step, ...] | list[Step] = ()


@cache
def _entries(
    *names: str, unknown_types: bool, unknown: bool, pending: bool
) -> st.SearchStrategy[_Entry | None]:
    style = Style(unknown, sdk_differences=True, max_updates=_MAX_UPDATES)
    choice = [
        (
            ITEM_WEIGHTS.get(name, 1),
            _entries_with(items_of(name, None, unknown=unknown), name, style, pending=pending),
        )
        for name in names
    ]
    if unknown_types:
        choice.append((1, _entries_with(unknown_items(None), "", style, pending=pending)))
    return or_nothing(st.none(), *choice)


def _entries_with(
    item: st.SearchStrategy[Json], name: str, style: Style, *, pending: bool
) -> st.SearchStrategy[_Entry]:
    stored = item.map(_Entry)
    if not pending:
        return stored
    phase = st.sampled_from(["new", "changed"])
    return stored | st.builds(_Entry, item, phase, steps_of(name, style))


@cache
def _metadata(*, unknown: bool) -> st.SearchStrategy[Json | None]:
    return nullable(thread_objects(None, unknown=unknown))


@st.composite
def _threads(
    draw: st.DrawFn,
    entries: st.SearchStrategy[list[_Entry | None]],
    metadata: st.SearchStrategy[Json | None],
) -> ThreadState:
    # Stored items come before those that a response adds.
    drawn = sorted(filter(None, draw(entries)), key=lambda entry: entry.phase == "new")
    named = [
        entry._replace(item={**entry.item, "id": f"item_{number}"})
        for number, entry in enumerate(drawn, 1)
    ]
    stored = [entry.item for entry in named if entry.phase != "new"]
    state = ThreadState.from_items(stored, thread=draw(metadata))
    return fold([event for entry in named for event in _begun(entry)], state)


def _begun(entry: _Entry) -> Iterator[e.Event]:
    """List the events that make an item pending."""
    if entry.phase == "new":
        yield e.ThreadItemAdded(entry.item)
    item_id, model = entry.item["id"], NaiveThread([entry.item])
    for update in updates_by(list(entry.steps), model, item_id, _MAX_UPDATES):
        yield e.ThreadItemUpdated(item_id, update)
