"""Settlements for a store to commit, with the items that it should hold before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from msgspec.structs import replace

from chatkit_reducer.core.fold.folder import fold
from chatkit_reducer.core.json_values import json_copy
from chatkit_reducer.core.policy.settle import settle
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import Cause, Decision, Policy
from chatkit_reducer.core.policy.verdict import Write
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    Event,
    Json,
    ThreadCreated,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemReplaced,
)
from chatkit_reducer.testing import examples
from chatkit_reducer.testing.cancellation import EARLIER_ITEMS, a_response

if TYPE_CHECKING:
    from chatkit_reducer.testing.strategies import StoppedStream


@attrs.frozen
class Scenario:
    """A store before a commit, and the settlement to commit."""

    before: list[Json]
    settlement: Settlement

    @property
    def after(self) -> list[Json]:
        """The items after the commit: new ones at the end, all others in their places.

        No new item stands behind a client tool call that waits for its output.
        """
        return _with(self.before, self.settlement.writes)

    @property
    def order(self) -> list[str]:
        """The ids of the items after the commit."""
        return [item["id"] for item in self.after]

    @property
    def in_doubt(self) -> list[Json]:
        """The items that were done, and so may have reached the store before the commit."""
        return [
            verdict.write.item
            for verdict in self.settlement.verdicts
            if verdict.is_in_doubt
            and verdict.decision is Decision.PERSIST
            and verdict.write is not None
        ]

    def with_stored(self, items: list[Json]) -> Scenario:
        """Return the same commit to a store that has these items already."""
        writes = [Write("save", item) for item in items]
        return attrs.evolve(self, before=_with(self.before, writes))


def _with(before: Iterable[Json], writes: Iterable[Write]) -> list[Json]:
    items = {item["id"]: item for item in before}
    for write in writes:
        is_new = write.item["id"] not in items
        items[write.item["id"]] = write.item  # one that is there keeps its place
        if is_new and write.before in items:
            items[write.before] = items.pop(write.before)
    return [json_copy(item) for item in items.values()]


# --- of a stream that stopped ---------------------------------------------------------------------

_THREAD_ID = "thr_1"
_MARKER_ID = "marker_1"

# No settlement names these items: the check looks whether they keep their content and place.
_FIRST = examples.item("bystander_1", "task", task=examples.task("Wait", status="loading"))
_LAST = examples.item("bystander_2", "end_of_turn")


def scenario_of(stop: StoppedStream, *, policy: Policy) -> Scenario:
    """Make the scenario of a store when this stream has stopped."""
    # A store may put items in order by their places or by their times: so both say the same here.
    rough = _scenario(stop.delivered, stop.state, stop.cause, policy, {})
    times = {item["id"]: _time(place) for place, item in enumerate(rough.after)}
    events = [_dated_event(event, times) for event in stop.events]
    written = len(events) - (stop.state is not stop.delivered)
    delivered = fold(events[:written])
    return _scenario(delivered, fold(events[written:], delivered), stop.cause, policy, times)


def _scenario(
    delivered: ThreadState,
    state: ThreadState,
    cause: Cause,
    policy: Policy,
    times: Mapping[str, str],
) -> Scenario:
    needs_content = policy.marker is not None and policy.marker.content is None
    content: dict[str, Any] = {"marker_content": "left"} if needs_content else {}
    settlement = settle(
        state,
        policy=policy,
        cause=cause,
        delivered=delivered,
        marker_id=_MARKER_ID,
        marker_time=times.get(_MARKER_ID, _time(0)),
        thread_id=_THREAD_ID,
        **content,
    )
    stored = [item.to_json() for item in delivered.stored.values()]
    before = [_FIRST, *stored, _LAST]
    if settlement.waiting_call is not None:  # no item stands behind it
        before = [_FIRST, _LAST, *stored]
    return Scenario([_dated(item, times) for item in before], settlement)


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


# --- written by hand ------------------------------------------------------------------------------


def fixed_scenarios(policy: Policy) -> Iterator[Scenario]:
    """Make scenarios that a store meets every day, the smallest first, and a few with everything.

    They are for all stores: openai-chatkit knows all of their types and fields.
    """
    for stop in (*_small_stops(), *_stops_of_a_response(), *_unusual_stops()):
        yield scenario_of(stop, policy=policy)


_CALL = examples.item(
    "call_1", "client_tool_call", status="pending", call_id="c", name="ask", arguments={}
)


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


def _unusual_stops() -> Iterator[StoppedStream]:
    """Stop with a text that is longer than some columns, and with a client tool call that waits."""
    x = examples
    long = "0123456789" * 10_000
    yield _stop([x.added(x.message("msg_2", long)), x.text_delta("msg_2", "!")], Cause.FAILED)
    yield _stop([x.done(x.message("msg_2", long))], Cause.FAILED, in_doubt=True)
    answer: list[Event] = [x.added(x.message("msg_2", "Soup")), x.done(_CALL)]
    yield _stop(answer, Cause.CANCELLED)
    yield _stop(answer, Cause.CANCELLED, in_doubt=True)


def _stops_of_a_response() -> Iterator[StoppedStream]:
    """Stop behind each event of a response, which the store may or may not have seen."""
    events = [*map(ThreadItemDone, EARLIER_ITEMS), *a_response()]
    for count in range(len(EARLIER_ITEMS), len(events) + 1):
        yield _stop(events[:count], Cause.CANCELLED, in_doubt=True)


def _stop(events: list[Event], cause: Cause, *, in_doubt: bool = False) -> StoppedStream:
    from chatkit_reducer.testing.strategies import StoppedStream

    written = len(events) - in_doubt
    delivered = fold(events[:written])
    state = fold(events[written:], delivered)
    return StoppedStream(events=tuple(events), cause=cause, delivered=delivered, state=state)
