"""The contents of a thread, and a draft of them."""

from __future__ import annotations

import functools

import pytest

from chatkit_reducer import ThreadState, fold, reduce
from chatkit_reducer.core.fold.contents_draft import ContentsDraft
from chatkit_reducer.core.items import OpaqueItem
from chatkit_reducer.core.thread.contents import ThreadContents
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.events import Event
from chatkit_reducer.testing.examples import added, done, item, message, removed, replaced


def test_what_came_and_went_is_not_remembered() -> None:
    draft = ContentsDraft(ThreadContents())
    draft.with_phase("m", Phase.PENDING, OpaqueItem(item("m", "new.type"))).without("m").without(
        "n"
    )

    assert (draft._entries, draft._pending) == ({}, {})


@pytest.mark.parametrize(
    ("events", "newest_first"),
    [
        ([removed("n"), done(message("n"))], ["n", "m"]),
        ([removed("m"), done(message("m"))], ["m", "n"]),
        ([replaced(message("m", "a"))], ["n", "m"]),
        ([removed("m")], ["n"]),
    ],
)
def test_the_newest_item_is_the_last_that_came(
    events: list[Event], newest_first: list[str]
) -> None:
    events = [done(message("m")), done(message("n")), *events]
    for state in (fold(events), functools.reduce(reduce, events, ThreadState())):
        found = [entry.item.id for entry in state.contents().newest_first()]
        assert found == newest_first


def test_an_item_that_is_gone_is_not_pending() -> None:
    begun = reduce(ThreadState(), added(message("m")))

    assert (begun.pending, reduce(begun, removed("m")).pending) == (("m",), ())


def test_items_keep_their_order_however_many_came_and_went() -> None:
    passing = [event for n in range(99) for event in (done(message(f"{n}")), removed(f"{n}"))]
    events = [done(message("z")), done(message("a")), *passing]

    state = functools.reduce(reduce, events, ThreadState())

    assert [entry.item.id for entry in state.contents().newest_first()] == ["a", "z"]
