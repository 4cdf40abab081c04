"""Law 1: `reduce` is pure, and parts that it does not change stay the same objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, TypeAlias

from chatkit_reducer.core.thread.reduce import reduce as our_reduce
from chatkit_reducer.events import (
    Event,
    Json,
    ThreadCreated,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    Unreadable,
)
from chatkit_reducer.testing.conformance.laws._canonical import (
    Events,
    State,
    canonical_json,
    event_copy,
    event_text,
    json_text,
    start_of,
)
from chatkit_reducer.testing.conformance.laws._report import Violation, check_events, violation

Reduce: TypeAlias = Callable[[Any, Any], Any]
"""A state and an event to the state after it."""


def reduce_is_pure(
    events: Events, state: State | None = None, *, reduce: Reduce = our_reduce
) -> None:
    """Law 1: `reduce` changes nothing that it was given, and equal inputs give equal outputs.

    Args:
        events: a stream; it is reduced twice, the second time as a copy.
        state: the thread before it; the empty one if left out.
        reduce: the function under test.

    Raises:
        LawBroken: an event or an earlier state has changed, or a second result is not the first.
    """
    start = start_of(state)
    broken = violation("reduce_is_pure", events, state)
    texts, begun = [event_text(event) for event in events], canonical_json(start, positions=True)
    copies = [event_copy(event) for event in events]
    # The states here are read after all are made, the others below at once: reading a state must
    # make no difference.
    states = list(one_by_one(events, start, reduce))
    check_events(events, texts, broken)
    _check_says(begun, start, broken, "The state before all events has changed.")
    again = [
        (now, canonical_json(now, positions=True)) for now in one_by_one(copies, start, reduce)
    ]
    for number in reversed(range(len(events))):
        now, (copied, content) = states[number], again[number]
        at = number + 1
        problem = f"The state after event {at} is not the same later, or not the second time."
        _check_says(content, now, broken, problem)
        if now != copied:
            raise broken(f"The state after event {at} is not equal to that of a second time.")


def one_by_one(events: Events, state: State, reduce: Reduce) -> Iterator[Any]:
    """Make the state after each event."""
    for event in events:
        state = reduce(state, event)
        yield state


def _check_says(content: Json, state: State, broken: Violation, problem: str) -> None:
    says = canonical_json(state, positions=True)
    if json_text(says) != json_text(content):
        raise broken(problem, expected=("at once", content), actual=("later", says))


def unchanged_parts_keep_their_identity(
    events: Events, state: State | None = None, *, reduce: Reduce = our_reduce
) -> None:
    """Law 1: parts that an event does not change are the same objects before and after it.

    So a caller that keeps a state can compare with `is`: the items that an event is not about, and
    the whole state if nothing changes. (A `thread.created` is one event for each item it brings.)

    Args:
        events: a stream.
        state: the thread before it; the empty one if left out.
        reduce: the function under test.

    Raises:
        LawBroken: an object was made anew although it did not change.
    """
    states = [start := start_of(state), *one_by_one(events, start, reduce)]
    for number, (before, after) in enumerate(pairwise(states)):
        problem = _made_anew(events[number], before, after)
        if problem is not None:
            broken = violation("unchanged_parts_keep_their_identity", events, state)
            raise broken(f"Event {number} {problem}.")


def _made_anew(event: Event | Unreadable, before: State, after: State) -> str | None:
    for item_id in after.items.keys() - _touched_by(event):
        if item_id not in before.items:
            return f"is not about item {item_id!r}, and has brought it"
        if after.items[item_id] is not before.items[item_id]:
            return f"is not about item {item_id!r}, and has made it anew"
    is_one_event = not isinstance(event, ThreadCreated)
    if is_one_event and after == before and after is not before:
        return "changes nothing, and has made the state anew"
    return None


def _touched_by(event: Event | Unreadable) -> set[str]:
    """List the ids of the items that an event is about."""
    if isinstance(event, ThreadItemUpdated | ThreadItemRemoved):
        return {event.item_id}
    if isinstance(event, ThreadItemAdded | ThreadItemDone | ThreadItemReplaced):
        return _ids([event.item])
    if isinstance(event, ThreadCreated):
        page = event.thread.get("items")
        listed = page.get("data") if isinstance(page, dict) else None
        return _ids(listed) if isinstance(listed, list) else set()
    return set()


def _ids(items: list[Any]) -> set[str]:
    ids = [item.get("id") for item in items if isinstance(item, dict)]
    return {item_id for item_id in ids if isinstance(item_id, str)}
