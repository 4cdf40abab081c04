"""Laws 4 and 5: `diff` inverts the fold, and `compact` keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from chatkit_reducer.compact import compact as our_compact
from chatkit_reducer.diff import diff as our_diff
from chatkit_reducer.events import Event, Json, Unreadable
from chatkit_reducer.folding import fold as our_fold
from chatkit_reducer.testing.laws._broken import LawBroken, breach, check_equal, check_events
from chatkit_reducer.testing.laws._folding import Fold
from chatkit_reducer.testing.laws._paper import (
    Events,
    State,
    event_text,
    json_text,
    on_paper,
    start_of,
)

__all__ = ["Compact", "Diff", "compact_keeps_the_fold", "diff_inverts_fold"]

Diff: TypeAlias = Callable[[Any, Any], Iterable[Event]]
"""The state before and the state after to the events between them."""
Compact: TypeAlias = Callable[[Any, Any], Iterable[Event | Unreadable]]
"""Events and the state before them to fewer events."""


def diff_inverts_fold(
    before: State, after: State, *, diff: Diff = our_diff, fold: Fold = our_fold
) -> None:
    """Law 4: `fold(diff(a, b), a)` has the items of `b`, in order, and its metadata if it has any.

    Args:
        before: what somebody has.
        after: what they should have.
        diff: the function under test.
        fold: what folds the events that it makes.

    Raises:
        LawBroken: the events lead elsewhere, or one of the states has changed.
    """
    states = {"before": before, "after": after}
    papers = {label: on_paper(state) for label, state in states.items()}
    made = list(diff(before, after))
    result = fold(made, before)
    broken = breach("diff_inverts_fold", (), before)
    for label, state in states.items():
        if json_text(papers[label]) != json_text(on_paper(state)):
            raise broken(
                f"The state {label} has changed.",
                made=made,
                expected=(label, papers[label]),
                actual=(f"{label}, later", on_paper(state)),
            )
    has_metadata = after.thread is not None
    expected = _shown(after, metadata=has_metadata)
    actual = _shown(result, metadata=has_metadata)
    if json_text(expected) != json_text(actual) or [*result.items] != [*after.items]:
        raise broken(
            "The events lead elsewhere.",
            made=made,
            expected=("after", expected),
            actual=("fold(diff(before, after), before)", actual),
        )


def _shown(state: State, *, metadata: bool) -> Json:
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

    Where in the stream an anomaly was is not compared.

    Args:
        events: a log.
        state: the thread before it; the empty one if left out.
        compact: the function under test.
        fold: what folds both.

    Raises:
        LawBroken: the compacted log makes another state or is longer, or an event has changed.
    """
    start = start_of(state)
    texts = [event_text(event) for event in events]
    made = list(compact(iter(events), start))

    def broken(problem: str, **more: Any) -> LawBroken:
        return breach("compact_keeps_the_fold", events, state)(problem, made=made, **more)

    check_events(events, texts, broken)
    whole, short = ("fold(log)", fold(events, start)), ("fold(compact(log))", fold(made, start))
    check_equal(whole, short, broken, "The compacted log makes another state.")
    if len(made) > len(events):
        raise broken("There are more events than before.")
