"""Laws 4 and 5: `diff` inverts the fold, and `compact` keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from chatkit_reducer.core.fold.folder import fold as our_fold
from chatkit_reducer.core.thread.compact import compact as our_compact
from chatkit_reducer.core.thread.diff import diff as our_diff
from chatkit_reducer.events import Event, Json, Unreadable
from chatkit_reducer.testing.conformance.laws._canonical import (
    Events,
    State,
    canonical_json,
    event_text,
    json_text,
    start_of,
)
from chatkit_reducer.testing.conformance.laws._folding import Fold
from chatkit_reducer.testing.conformance.laws._report import (
    LawBroken,
    check_equal,
    check_events,
    violation,
)

Diff: TypeAlias = Callable[[Any, Any], Iterable[Event]]
"""The state before and the state after to the events between them."""
Compact: TypeAlias = Callable[[Any, Any], Iterable[Event | Unreadable]]
"""Events and the state before them to fewer events."""


def diff_inverts_fold(
    before: State, after: State, *, diff: Diff = our_diff, fold: Fold = our_fold
) -> None:
    """Law 4: `fold(diff(a, b), a)` has the items of `b`, in order, and its metadata if it has any.

    Args:
        before: the state to begin with.
        after: the state to arrive at.
        diff: the function under test.
        fold: folds the events that it makes.

    Raises:
        LawBroken: the events lead elsewhere, or one of the states has changed.
    """
    states = {"before": before, "after": after}
    views = {label: canonical_json(state) for label, state in states.items()}
    made = list(diff(before, after))
    result = fold(made, before)
    broken = violation("diff_inverts_fold", (), before)
    for label, state in states.items():
        if json_text(views[label]) != json_text(canonical_json(state)):
            raise broken(
                f"The state {label} has changed.",
                made=made,
                expected=(label, views[label]),
                actual=(f"{label}, later", canonical_json(state)),
            )
    has_metadata = after.thread is not None
    expected = _comparable(after, metadata=has_metadata)
    actual = _comparable(result, metadata=has_metadata)
    if json_text(expected) != json_text(actual) or [*result.items] != [*after.items]:
        raise broken(
            "The events lead elsewhere.",
            made=made,
            expected=("after", expected),
            actual=("fold(diff(before, after), before)", actual),
        )


def _comparable(state: State, *, metadata: bool) -> Json:
    items = [item.to_json() for item in state.items.values()]
    return {"items": items, "thread": state.thread} if metadata else {"items": items}


def compact_keeps_the_fold(
    events: Events,
    state: State | None = None,
    *,
    compact: Compact = our_compact,
    fold: Fold = our_fold,
) -> None:
    """Law 5: `fold(compact(log)) == fold(log)`, and there are no more events than before.

    The positions of anomalies are not compared.

    Args:
        events: a log.
        state: the thread before it; the empty one if left out.
        compact: the function under test.
        fold: folds both logs.

    Raises:
        LawBroken: the compacted log makes another state or is longer, or an event has changed.
    """
    start = start_of(state)
    texts = [event_text(event) for event in events]
    made = list(compact(iter(events), start))

    def broken(problem: str, **more: Any) -> LawBroken:
        return violation("compact_keeps_the_fold", events, state)(problem, made=made, **more)

    check_events(events, texts, broken)
    whole, short = ("fold(log)", fold(events, start)), ("fold(compact(log))", fold(made, start))
    check_equal(whole, short, broken, "The compacted log makes another state.")
    if len(made) > len(events):
        raise broken("There are more events than before.")
