"""Law 2: a fold reduces one by one, and may be cut anywhere, with a snapshot at the cut."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, TypeAlias

from chatkit_reducer.core.fold.folder import fold as our_fold
from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.core.thread.reduce import reduce as our_reduce
from chatkit_reducer.core.thread.snapshot import restore as our_restore
from chatkit_reducer.core.thread.snapshot import snapshot as our_snapshot
from chatkit_reducer.testing.conformance.laws._canonical import Events, State, event_text, start_of
from chatkit_reducer.testing.conformance.laws._reducing import Reduce, one_by_one
from chatkit_reducer.testing.conformance.laws._report import check_equal, check_events, violation

Fold: TypeAlias = Callable[[Any, Any], Any]
"""Events and the state before them to the state after them."""
Snapshot: TypeAlias = Callable[[Any], Any]
"""A state to plain JSON data."""
Restore: TypeAlias = Callable[[Any], Any]
"""The result of a `Snapshot`, to the state."""


def fold_is_reduce_one_by_one(
    events: Events,
    state: State | None = None,
    *,
    fold: Fold = our_fold,
    reduce: Reduce = our_reduce,
) -> None:
    """Law 2: `fold` makes the same of many events as `reduce` makes of them one by one.

    The positions of anomalies are not compared: they depend on the caller's count.

    Args:
        events: a stream.
        state: the thread before it; the empty one if left out.
        fold: the function under test.
        reduce: the function that it should agree with.

    Raises:
        LawBroken: the two end in different states, or the fold changed an event.
    """
    start = start_of(state)
    broken = violation("fold_is_reduce_one_by_one", events, state)
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
        cuts: where to cut it, at all these places at once: any numbers, modulo the length of the
            stream. Left out, it is cut once, at every place in turn.
        fold: the function under test.
        snapshot: called with the state at each cut.
        restore: called with the snapshot.

    Raises:
        LawBroken: the pieces end in another state than the whole, or the state at a cut has changed
            since.
    """
    start, count = start_of(state), len(events)
    broken = violation("a_fold_may_be_cut_anywhere", events, state)
    whole = fold(iter(events), start)
    for places in _cuts(cuts, count):
        here = "Cut before event " + " and ".join(map(str, places)) if places else "Not cut"
        pieces = [events[begin:end] for begin, end in pairwise([0, *places, count])]
        for words, at_a_cut in (
            (here, lambda now: now),
            (f"{here}, with a snapshot there", lambda now: restore(snapshot(now))),
        ):
            states = _fold_pieces(pieces, start, fold, at_a_cut)
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


def _fold_pieces(
    pieces: list[Events], start: State, fold: Fold, at_a_cut: Callable[[Any], Any]
) -> list[Any]:
    """Fold each piece over the one before. Only `at_a_cut` reads a state in between."""
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
        fold: folds the stream.

    Raises:
        LawBroken: another state comes back, or the snapshot is not the same as JSON text and back,
            or the snapshot of the restored state is another one.
    """
    broken = violation("snapshot_loses_nothing", events, state)
    now = fold(events, start_of(state))
    saved = snapshot(now)
    back = restore(saved)
    problem = "Another state comes back."
    check_equal(("the state", now), ("what comes back", back), broken, problem, positions=True)
    for label, other in (
        ("the snapshot, as JSON text and back", json.loads(json.dumps(saved))),
        ("a snapshot of what comes back", snapshot(back)),
    ):
        if not json_equal(saved, other):
            problem = "The snapshot does not stay the same."
            raise broken(problem, expected=("the snapshot", saved), actual=(label, other))
