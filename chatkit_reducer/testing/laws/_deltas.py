"""Law 3: how a text is cut into deltas makes no difference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle
from typing import TypeAlias

from msgspec.structs import replace

from chatkit_reducer.events import (
    AssistantMessageContentPartTextDelta,
    Event,
    ThreadItemUpdated,
    Unreadable,
    WidgetStreamingTextValueDelta,
)
from chatkit_reducer.folding import fold as our_fold
from chatkit_reducer.testing.laws._broken import breach
from chatkit_reducer.testing.laws._folding import Fold
from chatkit_reducer.testing.laws._paper import Events, State, json_text, on_paper, start_of

__all__ = [
    "deltas_may_be_joined",
    "deltas_may_be_split",
    "with_deltas_joined",
    "with_deltas_split",
]

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


def _check(law: str, events: Events, made: Events, state: State | None, fold: Fold) -> None:
    start = start_of(state)
    one, other = fold(events, start), fold(made, start)
    papers = [on_paper(now) for now in (one, other)]
    for paper in papers:
        paper["anomalies"] = list(dict.fromkeys(paper.get("anomalies", [])))
    as_many = len(one.anomalies) == len(other.anomalies)
    if json_text(papers[0]) != json_text(papers[1]) or (as_many and one != other):
        raise breach(law, events, state)(
            "The same text in other pieces makes another state.",
            made=made,
            expected=("fold(events)", papers[0]),
            actual=("fold(events made)", papers[1]),
        )


def with_deltas_split(
    events: Iterable[Event | Unreadable], cuts: Iterable[int] = (1,)
) -> Iterator[Event | Unreadable]:
    """A stream with each of its text deltas in two pieces.

    Args:
        events: a stream.
        cuts: where to split, for one delta after the other and then from the beginning: any
            numbers, they are taken modulo what there is. A cut at an end makes an empty delta.
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
    """A stream in which text deltas for one text that follow each other are one delta.

    Args:
        events: a stream. Of unknown fields those of the first delta remain.
    """
    before: Event | Unreadable | None = None
    for event in events:
        together = None if before is None else _joined(before, event)
        if before is not None and together is None:
            yield before
        before = event if together is None else together
    if before is not None:
        yield before


def _joined(one: Event | Unreadable, other: Event | Unreadable) -> Event | None:
    """Both deltas in one, if both are deltas for the same text."""
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
    """Which text of the item the delta is for: a number in a message, a component in a widget."""
    if isinstance(update, AssistantMessageContentPartTextDelta):
        return update.content_index
    return update.component_id


def _with_text(update: _Delta, delta: str, *, done: bool) -> _Delta:
    if isinstance(update, AssistantMessageContentPartTextDelta):
        return replace(update, delta=delta)
    return replace(update, delta=delta, done=done)
