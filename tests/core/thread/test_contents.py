"""The contents of a thread, and a draft of them."""

from __future__ import annotations

from chatkit_reducer.core.fold.contents_draft import ContentsDraft
from chatkit_reducer.core.items import OpaqueItem
from chatkit_reducer.core.thread.contents import ThreadContents
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.testing.examples import item


def test_what_came_and_went_is_not_remembered() -> None:
    draft = ContentsDraft(ThreadContents())
    draft.with_phase("m", Phase.PENDING, OpaqueItem(item("m", "new.type"))).without("m").without(
        "n"
    )

    assert (draft._entries, draft._pending) == ({}, {})
