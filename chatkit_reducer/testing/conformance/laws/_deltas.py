"""Law 3: a text makes the same state in any deltas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle
from typing import TypeAlias

from msgspec.structs import replace

from chatkit_reducer.core.fold.folder import fold as our_fold
from chatkit_reducer.events import (
    AssistantMessageContentPartTextDelta,
    Event,
    ThreadItemUpdated,
    Unreadable,
    WidgetStreamingTextValueDelta,
)
from chatkit_reducer.testing.conformance.laws._canonical import (
    Events,
    State,
    canonical_json,
    json_text,
    start_of,
)
from chatkit_reducer.testing.conformance.laws._folding import Fold
from chatkit_reducer.testing.conformance.laws._report import violation

_Delta: TypeAlias = AssistantMessageContentPartTextDelta | WidgetStreamingTextValueDelta


def deltas_may_be_split(
    events: Events,
    state: State | None = None,
    *,
    cuts: Iterable[int] = (1,),
    fold: Fold = our_fold,
) -> None:
    """Law 3: splitting text deltas changes nothing.

    A delta that does not fit leaves an anomaly, and each of its pieces leaves one: of equal
    anomalies one counts.

    Args:
        events: a stream.
        state: the thread before it; the empty one if left out.
        cuts: where to split the deltas, see `with_deltas_split`.
        fold: the function under test.

    Raises:
        LawBroken: the same text in more deltas makes another state.
    """
    made = list(with_deltas_split(events, cuts))
    _check("deltas_may_be_split", events, made, state, fold)


def deltas_may_be_joined(
    events: Events, state: State | None = None, *, fold: Fold = our_fold
) -> None:
    """Law 3: joining text deltas that follow each other changes nothing.

    Anomalies are compared as in `deltas_may_be_split`.

    Args:
        events: a stream.
        state: the thread before it; the empty one if left out.
        fold: the function under test.

    Raises:
        LawBroken: the same text in fewer deltas makes another state.
    """
    _check("deltas_may_be_joined", events, list(with_deltas_joined(events)), state, fold)


def _anomaly_count(state: State) -> int:
    return len(state.anomalies) + int(getattr(state, "unlisted_anomalies", 0))


def _check(law: str, events: Events, made: Events, state: State | None, fold: Fold) -> None:
    start = start_of(state)
    one, other = fold(events, start), fold(made, start)
    views = [canonical_json(now) for now in (one, other)]
    for view in views:
        view["anomalies"] = list(dict.fromkeys(view.get("anomalies", [])))
        view.pop("unlisted_anomalies", None)
    as_many = _anomaly_count(one) == _anomaly_count(other)
    if json_text(views[0]) != json_text(views[1]) or (as_many and one != other):
        raise violation(law, events, state)(
            "The same text in other pieces makes another state.",
            made=made,
            expected=("fold(events)", views[0]),
            actual=("fold(events made)", views[1]),
        )


def with_deltas_split(
    events: Iterable[Event | Unreadable], cuts: Iterable[int] = (1,)
) -> Iterator[Event | Unreadable]:
    """Split each text delta of a stream in two.

    Args:
        events: a stream.
        cuts: where to split, for one delta after the other and then from the beginning: any
            numbers, modulo the length of the delta. A cut at an end makes an empty delta.
    """
    places = cycle([*cuts] or [1])
    for event in events:
        if not isinstance(event, ThreadItemUpdated) or not isinstance(event.update, _Delta):
            yield event
            continue
        at = next(places) % (len(event.update.delta) + 1)
        first, second = event.update.delta[:at], event.update.delta[at:]
        done = getattr(event.update, "done", False)
        yield replace(event, update=_with_text(event.update, first, done=False))
        yield replace(event, update=_with_text(event.update, second, done=done))


def with_deltas_joined(events: Iterable[Event | Unreadable]) -> Iterator[Event | Unreadable]:
    """Join text deltas of a stream that follow each other and are for the same text.

    Args:
        events: a stream. Of unknown fields those of the first delta remain.
    """
    before: Event | Unreadable | None = None
    for event in events:
        together = None if before is None else _join(before, event)
        if before is not None and together is None:
            yield before
        before = event if together is None else together
    if before is not None:
        yield before


def _join(one: Event | Unreadable, other: Event | Unreadable) -> Event | None:
    """Join two deltas, if they are for the same text."""
    if not isinstance(one, ThreadItemUpdated) or not isinstance(other, ThreadItemUpdated):
        return None
    first, second = one.update, other.update
    if not isinstance(first, _Delta) or not isinstance(second, _Delta):
        return None
    if (one.item_id, _place(first)) != (other.item_id, _place(second)):
        return None
    done = getattr(first, "done", False) or getattr(second, "done", False)
    return replace(one, update=_with_text(first, first.delta + second.delta, done=done))


def _place(update: _Delta) -> int | str:
    """Name the text that a delta is for: by a number in a message, by a component in a widget."""
    if isinstance(update, AssistantMessageContentPartTextDelta):
        return update.content_index
    return update.component_id


def _with_text(update: _Delta, delta: str, *, done: bool) -> _Delta:
    if isinstance(update, AssistantMessageContentPartTextDelta):
        return replace(update, delta=delta)
    return replace(update, delta=delta, done=done)
