"""What a store is given to commit, and what it should hold then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from msgspec.structs import replace

from chatkit_reducer.events import (
    Event,
    Json,
    ThreadCreated,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemReplaced,
)
from chatkit_reducer.folding import fold
from chatkit_reducer.json_values import json_copy
from chatkit_reducer.policy import Cause, Decision, Policy
from chatkit_reducer.settlement import Settlement, settle
from chatkit_reducer.state import ThreadState
from chatkit_reducer.testing import examples
from chatkit_reducer.testing.cancellation import EARLIER_ITEMS, a_response

if TYPE_CHECKING:
    from chatkit_reducer.testing.strategies import StoppedStream

__all__ = ["Case", "case_of", "written_down"]


@attrs.frozen
class Case:
    """A store before a commit, and what it is to commit."""

    before: list[Json]
    settlement: Settlement

    @property
    def after(self) -> list[Json]:
        """What the store holds then: what is new at the end, and all else in its place."""
        return _with(self.before, [write.item for write in self.settlement.writes])

    @property
    def order(self) -> list[str]:
        """The ids of what the store holds then."""
        return [item["id"] for item in self.after]

    @property
    def in_doubt(self) -> list[Json]:
        """What was done, and so may be in the store before the commit says it."""
        return [
            verdict.write.item
            for verdict in self.settlement.verdicts
            if verdict.is_in_doubt
            and verdict.decision is Decision.PERSIST
            and verdict.write is not None
        ]

    def with_stored(self, items: list[Json]) -> Case:
        """The same commit, where the store has these items already."""
        return attrs.evolve(self, before=_with(self.before, items))


def _with(before: Iterable[Json], written: Iterable[Json]) -> list[Json]:
    items = {item["id"]: item for item in [*before, *written]}  # who is in keeps the place
    return [json_copy(item) for item in items.values()]


# --- of a stream that stopped ---------------------------------------------------------------------

_THREAD_ID = "thr_1"
_MARKER_ID = "marker_1"

# No settlement is about these, so that one sees whether they stay as they are, and where they are.
_FIRST = examples.item("bystander_1", "task", task=examples.task("Wait", status="loading"))
_LAST = examples.item("bystander_2", "end_of_turn")


def case_of(stop: StoppedStream, *, policy: Policy) -> Case:
    """What a store has to do when this stream has stopped."""
    # A store may put items in order by their places or by their times: so both say the same here.
    rough = _case(stop.delivered, stop.state, stop.cause, policy, {})
    times = {item["id"]: _time(place) for place, item in enumerate(rough.after)}
    events = [_dated_event(event, times) for event in stop.events]
    written = len(events) - (stop.state is not stop.delivered)
    delivered = fold(events[:written])
    return _case(delivered, fold(events[written:], delivered), stop.cause, policy, times)


def _case(
    delivered: ThreadState,
    state: ThreadState,
    cause: Cause,
    policy: Policy,
    times: Mapping[str, str],
) -> Case:
    needs_content = policy.marker is not None and policy.marker.content is None
    settlement = settle(
        state,
        policy=policy,
        cause=cause,
        delivered=delivered,
        marker_id=_MARKER_ID,
        marker_time=times.get(_MARKER_ID, _time(0)),
        thread_id=_THREAD_ID,
        **({"marker_content": "left"} if needs_content else {}),
    )
    before = [_FIRST, *_stored_in(delivered), _LAST]
    return Case([_dated(item, times) for item in before], settlement)


def _stored_in(state: ThreadState) -> Iterator[Json]:
    """What the store had before the commit: of what is being changed the copy from before."""
    for item_id, item in state.items.items():
        if item_id in state.bases:
            yield state.bases[item_id].to_json()
        elif item_id not in state.pending:
            yield item.to_json()


def _time(place: int) -> str:
    # As the SDK writes it, so that a store may make a `datetime` of it and come back to this text.
    return f"2025-01-01T{place // 60:02}:{place % 60:02}:00.250000"


def _dated(item: Any, times: Mapping[str, str]) -> Any:
    if isinstance(item, dict) and item.get("id") in times:
        return {**item, "thread_id": _THREAD_ID, "created_at": times[item["id"]]}
    return item


def _dated_event(event: Event, times: Mapping[str, str]) -> Event:
    match event:
        case ThreadItemAdded() | ThreadItemDone() | ThreadItemReplaced():
            return replace(event, item=_dated(event.item, times))
        case ThreadCreated(thread={"items": {"data": [*items]} as page}):
            page = {**page, "data": [_dated(item, times) for item in items]}
            return replace(event, thread={**event.thread, "items": page})
        case _:
            return event


# --- with no chance in them -----------------------------------------------------------------------


def written_down(policy: Policy) -> Iterator[Case]:
    """Cases that a store meets every day, the smallest first, and a few that have all in one.

    They have no type and no field that openai-chatkit does not know: so they are for all stores.
    """
    for stop in (*_small_stops(), *_stops_of_a_response()):
        yield case_of(stop, policy=policy)


def _small_stops() -> Iterator[StoppedStream]:
    x = examples
    asked = x.user_message("msg_1", "What is for lunch?")
    soup, more = x.message("msg_2", "Soup"), x.text_delta("msg_2", ", says the menu.")
    # `commit` is called however a stream ends: mostly there is nothing to write.
    yield _stop([x.done(asked)], Cause.ENDED)
    yield _stop([x.added(soup), more], Cause.FAILED)
    yield _stop([x.done(soup), more], Cause.FAILED)
    whole = x.done(x.message("msg_2", "Soup, says the menu."))
    yield _stop([x.added(soup), more, whole], Cause.FAILED, in_doubt=True)
    yield _stop([x.done(soup), more, whole], Cause.FAILED, in_doubt=True)
    yield _stop([x.added(soup), more], Cause.CANCELLED)


def _stops_of_a_response() -> Iterator[StoppedStream]:
    """Behind each event of it, when nobody knows whether the store has seen that."""
    events = [*map(ThreadItemDone, EARLIER_ITEMS), *a_response()]
    for count in range(len(EARLIER_ITEMS), len(events) + 1):
        yield _stop(events[:count], Cause.CANCELLED, in_doubt=True)


def _stop(events: list[Event], cause: Cause, *, in_doubt: bool = False) -> StoppedStream:
    from chatkit_reducer.testing.strategies import StoppedStream

    written = len(events) - in_doubt
    delivered = fold(events[:written])
    state = fold(events[written:], delivered)
    return StoppedStream(events=tuple(events), cause=cause, delivered=delivered, state=state)
