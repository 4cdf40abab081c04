"""Policies, and streams that stop before they are over: the inputs of a settlement."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

import attrs
from hypothesis import strategies as st

from chatkit_reducer import events as e
from chatkit_reducer.core.fold.folder import fold
from chatkit_reducer.core.policy.table import (
    ANY,
    Cause,
    Content,
    Decision,
    Marker,
    Origin,
    Policy,
    Row,
)
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.testing.strategies._items import ITEM_TYPES
from chatkit_reducer.testing.strategies._json import (
    check_bool,
    check_names,
    check_size,
    check_strategy,
    texts,
)
from chatkit_reducer.testing.strategies._published import published
from chatkit_reducer.testing.strategies._streams import checked_stream, streams_of


@attrs.frozen(kw_only=True)
class StoppedStream:
    """A stream that stopped: all arguments of `settle` except the policy."""

    events: tuple[e.Event, ...]
    """The events that arrived before it stopped."""
    cause: Cause
    """How it ended."""
    delivered: ThreadState = attrs.field(repr=False)
    """The thread as the store is known to have it: after all events, or after all but the last."""
    state: ThreadState = attrs.field(repr=False)
    """The thread as the client saw it last, folded on from `delivered`."""


@published
def stops(
    *,
    streams: st.SearchStrategy[list[e.Event]] | None = None,
    causes: Collection[str] | None = None,
    in_doubt: bool = True,
) -> st.SearchStrategy[StoppedStream]:
    """Generate streams that stop at any event: before the first, in the middle, or after the last.

    >>> from hypothesis import given
    >>> from chatkit_reducer import policies, settle
    >>> from chatkit_reducer.testing import strategies as chatkit
    >>> @given(chatkit.stops(causes=["cancelled", "failed"]))
    ... def test_to_keep_is_to_discard_nothing_that_has_a_text(stop):
    ...     settlement = settle(stop.state, policy=policies.KEEP, cause=stop.cause)
    ...     for item in settlement.discard:
    ...         assert "text" not in item.to_json()
    >>> test_to_keep_is_to_discard_nothing_that_has_a_text()

    Args:
        streams: the whole streams; sound ones, if left out.
        causes: how they end; in all five ways, if left out.
        in_doubt: also stops at which the store may or may not have seen the last event.

    Raises:
        InvalidArgument: an argument has a wrong value.
    """
    check_strategy("streams", streams, "lists of events")
    names = check_names("causes", causes, list(Cause))
    check_bool("in_doubt", in_doubt)
    whole = streams_of(max_items=3, unknown=True) if streams is None else streams
    doubts = st.booleans() if in_doubt else st.sampled_from([False])
    return _stopped(whole, st.sampled_from(names), doubts)


# Not `builds`: a failing test would show a call of a private function.
@st.composite
def _stopped(
    draw: st.DrawFn,
    streams: st.SearchStrategy[list[e.Event]],
    causes: st.SearchStrategy[str],
    doubts: st.SearchStrategy[bool],
) -> StoppedStream:
    events = checked_stream(draw(streams))
    arrived = tuple(events[: draw(_PLACES) % (len(events) + 1)])
    cause = Cause(draw(causes))
    written = len(arrived) - 1 if draw(doubts) and arrived else len(arrived)
    delivered = fold(arrived[:written])
    state = fold(arrived[written:], delivered)
    return StoppedStream(events=arrived, cause=cause, delivered=delivered, state=state)


_PLACES = st.integers(0, 60)


@published
def policies(
    *, max_rows: int = 5, markers: bool = True, ids: bool = False
) -> st.SearchStrategy[Policy]:
    """Generate policies: total, and without a row that no case can reach.

    >>> from hypothesis import given
    >>> from chatkit_reducer import Cause, ThreadState, settle
    >>> from chatkit_reducer.testing import strategies as chatkit
    >>> @given(chatkit.policies(markers=False))
    ... def test_an_empty_thread_stays_empty(policy):
    ...     assert settle(ThreadState(), policy=policy, cause=Cause.FAILED).writes == ()
    >>> test_an_empty_thread_stays_empty()

    Args:
        max_rows: how many rows there are at most above the last one, which matches everything.
        markers: also policies that want a marker.
        ids: also rows that look at the id of an item, by names that `streams` give their items.

    Raises:
        InvalidArgument: an argument has a wrong value.
    """
    check_size("max_rows", max_rows)
    check_bool("markers", markers)
    check_bool("ids", ids)
    return _policies(max_rows, markers=markers, ids=ids)


@cache
def _policies(max_rows: int, *, markers: bool, ids: bool) -> st.SearchStrategy[Policy]:
    reasons = texts(min_size=1).filter(str.strip)
    rows = st.builds(
        Row,
        item=st.sampled_from((ANY, *ITEM_TYPES, "new.type")),
        id=st.sampled_from((ANY, "item_*", "item_1", "item_1*")) if ids else st.just(ANY),
        origin=st.sampled_from((ANY, *Origin)),
        content=st.sampled_from((ANY, *Content)),
        cause=st.sampled_from((ANY, *Cause)),
        decision=st.sampled_from(Decision),
        reason=reasons,
    )
    last = st.builds(Row, decision=st.sampled_from(Decision), reason=reasons)
    marker = st.none() | _markers() if markers else st.none()
    return _total(st.tuples(reasons, texts(), last, marker), st.lists(rows, max_size=max_rows))


def _markers() -> st.SearchStrategy[Marker]:
    causes = st.lists(st.sampled_from(Cause), unique=True)
    given = st.builds(Marker, content=st.none(), causes=causes, item=st.just("hidden_context_item"))
    kinds = st.sampled_from(["sdk_hidden_context", "hidden_context_item"])
    return st.builds(Marker, content=texts(), causes=causes, item=kinds) | given


@st.composite
def _total(
    draw: st.DrawFn,
    bases: st.SearchStrategy[tuple[str, str, Row, Marker | None]],
    tables: st.SearchStrategy[list[Row]],
) -> Policy:
    """Build policies of such rows, less those that can never match."""
    (name, about, last, marker), rows = draw(bases), draw(tables)
    policy = Policy(name=name, rows=[last], marker=marker, about=about)
    for row in reversed(rows):
        policy = policy.with_rows(row, name=name)
    return attrs.evolve(policy, about=about)
