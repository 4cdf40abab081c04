"""Law 2: a fold is reducing one by one, and may be cut anywhere, with a snapshot at the cut."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, TypeAlias

from chatkit_reducer.folding import fold as our_fold
from chatkit_reducer.json_values import same_json
from chatkit_reducer.snapshot import restore as our_restore
from chatkit_reducer.snapshot import snapshot as our_snapshot
from chatkit_reducer.testing.laws._broken import breach, check_equal, check_events
from chatkit_reducer.testing.laws._paper import Events, State, event_text, start_of
from chatkit_reducer.testing.laws._reducing import Reduce, one_by_one
from chatkit_reducer.thread import reduce as our_reduce

__all__ = [
    "Fold",
    "Restore",
    "Snapshot",
    "a_fold_may_be_cut_anywhere",
    "fold_is_reduce_one_by_one",
    "snapshot_loses_nothing",
]

Fold: TypeAlias = Callable[[Any, Any], Any]
"""Events and the state before them to the state after them."""
Snapshot: TypeAlias = Callable[[Any], Any]
"""A state to plain JSON data."""
Restore: TypeAlias = Callable[[Any], Any]
"""What a `Snapshot` makes, to the state."""


def fold_is_reduce_one_by_one(
    events: Events,
    state: State | None = None,
    *,
    fold: Fold = our_fold,
    reduce: Reduce = our_reduce,
) -> None:
    """Law 2: `fold` makes of many events what `reduce` makes of them one by one.

    Where in the stream an anomaly was is not compared: that depends on who counts.

    Args:
        events: a stream.
        state: the thread before it; the empty one if left out.
        fold: the function under test.
        reduce: what it should agree with.

    Raises:
        LawBroken: the two end in different states, or the fold changed an event.
    """
    start = start_of(state)
    broken = breach("fold_is_reduce_one_by_one", events, state)
    texts = [event_text(event) for event in events]
    folded = fold(iter(events), start)
    check_events(events, texts, broken)
    *_, reduced = start, *one_by_one(events, start, reduce)
    problem = "They end in different states."
    check_equal(("reduce, one by one", reduced), ("fold", folded), broken, problem)


def a_fold_may_be_cut_anywhere(
    events: Events,
    state: State | None = None,
    *,
    cuts: Iterable[int] | None = None,
    fold: Fold = our_fold,
    snapshot: Snapshot = our_snapshot,
    restore: Restore = our_restore,
) -> None:
    """Law 2: `fold(a + b) == fold(b, fold(a))`, with or without a snapshot in between.

    Args:
        events: a stream.
        state: the thread before it; the empty one if left out.
        cuts: where to cut it, at all these places at once: any numbers, they are taken modulo what
            there is. Left out, it is cut once, at every place in turn.
        fold: the function under test.
        snapshot: what is done with the state at each cut, ...
        restore: ... and how it comes back.

    Raises:
        LawBroken: the pieces end in another state than the whole, or the state at a cut has changed
            since.
    """
    start, count = start_of(state), len(events)
    broken = breach("a_fold_may_be_cut_anywhere", events, state)
    whole = fold(iter(events), start)
    for places in _cuts(cuts, count):
        here = "Cut before event " + " and ".join(map(str, places)) if places else "Not cut"
        pieces = [events[begin:end] for begin, end in pairwise([0, *places, count])]
        for words, at_a_cut in (
            (here, lambda now: now),
            (f"{here}, with a snapshot there", lambda now: restore(snapshot(now))),
        ):
            states = _folded_on(pieces, start, fold, at_a_cut)
            problem = f"{words}, the fold ends in another state."
            check_equal(("the whole", whole), ("in pieces", states[-1]), broken, problem)
            for place, now in zip(places, states, strict=False):
                fresh = fold(events[:place], start)
                problem = f"{words}, the state there has changed since."
                check_equal(("the state there", fresh), ("later", now), broken, problem)


def _cuts(cuts: Iterable[int] | None, count: int) -> Iterable[list[int]]:
    if cuts is None:
        return ([place] for place in range(count + 1))
    return [sorted(cut % (count + 1) for cut in cuts)]


def _folded_on(
    pieces: list[Events], start: State, fold: Fold, at_a_cut: Callable[[Any], Any]
) -> list[Any]:
    """The state after each piece. Nobody but `at_a_cut` reads one in between."""
    states = [fold(pieces[0], start)]
    for piece in pieces[1:]:
        states.append(fold(piece, at_a_cut(states[-1])))
    return states


def snapshot_loses_nothing(
    events: Events,
    state: State | None = None,
    *,
    snapshot: Snapshot = our_snapshot,
    restore: Restore = our_restore,
    fold: Fold = our_fold,
) -> None:
    """Law 2: `restore(snapshot(s)) == s`, and the snapshot is plain JSON data.

    Args:
        events: a stream; a snapshot is made of the state after it.
        state: the thread before it; the empty one if left out.
        snapshot: the function under test.
        restore: its inverse.
        fold: what folds the stream.

    Raises:
        LawBroken: another state comes back, or the snapshot is not the same as JSON text and back,
            or not the same when made of what came back.
    """
    broken = breach("snapshot_loses_nothing", events, state)
    now = fold(events, start_of(state))
    paper = snapshot(now)
    back = restore(paper)
    problem = "Another state comes back."
    check_equal(("the state", now), ("what comes back", back), broken, problem, positions=True)
    for label, other in (
        ("the snapshot, as JSON text and back", json.loads(json.dumps(paper))),
        ("a snapshot of what comes back", snapshot(back)),
    ):
        if not same_json(paper, other):
            problem = "The snapshot does not stay the same."
            raise broken(problem, expected=("the snapshot", paper), actual=(label, other))
