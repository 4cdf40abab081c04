"""Folds that are made in two ways and compared."""

from __future__ import annotations

from chatkit_reducer import ThreadState, fold, reduce
from chatkit_reducer.core.fold.folder import Folder
from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing.examples import state_after


def in_doubles(*events: Event, stored: Json | None = None) -> ThreadState:
    """The state, after a look at what `state_after` does not compare.

    That is the count of events, and a fold that takes them in pieces.
    """
    before = ThreadState.from_items([] if stored is None else [stored])
    one_by_one, folding = before, Folder(before)
    for event in events:
        one_by_one = reduce(one_by_one, event)
        folding.feed([event])
    assert folding.state() == one_by_one
    assert folding.state().position == fold(events, before).position == one_by_one.position
    return state_after(*events, stored=[] if stored is None else [stored])
