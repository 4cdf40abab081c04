"""Laws 6 and 7: a settlement is total, and client and store converge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from chatkit_reducer.events import Json
from chatkit_reducer.folding import fold as our_fold
from chatkit_reducer.items import HIDDEN_TYPES
from chatkit_reducer.policy import Cause, Policy
from chatkit_reducer.settlement import settle as our_settle
from chatkit_reducer.testing.laws._broken import Breach, LawBroken, breach
from chatkit_reducer.testing.laws._folding import Fold
from chatkit_reducer.testing.laws._paper import Events, State, json_text, on_paper, start_of

__all__ = ["Settle", "client_and_store_converge", "settle_is_total", "stored_in"]

Settle: TypeAlias = Callable[..., Any]
"""A state, with `policy`, `cause` and `delivered` by name, to what has the `persist`, `discard`,
`stale`, `writes` and `events` of a `Settlement`."""


def settle_is_total(
    events: Events,
    state: State | None = None,
    *,
    policy: Policy,
    cause: Cause | str,
    written: int | None = None,
    settle: Settle = our_settle,
    fold: Fold = our_fold,
) -> None:
    """Law 6: every item in flight is persisted, discarded or stale; what was stored stays.

    In flight is what is pending, and what was done by an event that the store may not have seen.

    Args:
        events: a stream, up to where it stopped.
        state: the thread before it; the empty one if left out.
        policy: the table that decides.
        cause: how the stream ended.
        written: of how many of the events the store is known to have seen what they say; of all of
            them if left out.
        settle: the function under test.
        fold: what folds the stream, and the events of the settlement.

    Raises:
        LawBroken: an item in flight is in none of the three groups, or in two; another item is in
            one; what is persisted is not written; what was stored is written, or changes for the
            client; the state that was settled has changed.
    """
    broken = breach("settle_is_total", events, state)
    stop = _stopped(events, state, written, fold)
    paper = on_paper(stop.now)
    settlement = settle(stop.now, policy=policy, cause=cause, delivered=stop.delivered)
    _check_groups(stop, settlement, broken)
    _check_writes(stop, settlement, broken)
    _check_stored_stays(stop, settlement, fold, broken)
    later = on_paper(stop.now)
    if json_text(later) != json_text(paper):
        problem = "The state that was settled has changed."
        raise broken(problem, expected=("before", paper), actual=("later", later))


_GROUPS = ("persist", "discard", "stale")


def _check_groups(stop: _Stop, settlement: Any, broken: Breach) -> None:
    groups = {group: [item.id for item in getattr(settlement, group)] for group in _GROUPS}
    named = sorted(item_id for group in groups.values() for item_id in group)
    if named != sorted(stop.in_flight):
        raise broken(
            "Not every item in flight is in one of the groups, or not they alone.",
            expected=("in flight", sorted(stop.in_flight)),
            actual=("persist, discard, stale", named),
        )


def _check_writes(stop: _Stop, settlement: Any, broken: Breach) -> None:
    lines = {write.item["id"] for write in settlement.writes}
    missing = {item.id for item in settlement.persist} - lines
    if missing:
        raise broken(f"To be persisted, and not written: {sorted(missing)}.")
    needless = lines & stop.stored
    if needless:
        raise broken(f"Stored before, and written all the same: {sorted(needless)}.")


def _check_stored_stays(stop: _Stop, settlement: Any, fold: Fold, broken: Breach) -> None:
    client = fold(settlement.events, stop.now)
    before, after = (
        {key: state.items[key].to_json() for key in sorted(stop.stored & state.items.keys())}
        for state in (stop.now, client)
    )
    if json_text(before) != json_text(after):
        raise broken(
            "The events of the settlement change what was stored.",
            made=settlement.events,
            expected=("stored before", before),
            actual=("a client after settlement.events", after),
        )


def client_and_store_converge(
    events: Events,
    state: State | None = None,
    *,
    policy: Policy,
    cause: Cause | str,
    written: int | None = None,
    settle: Settle = our_settle,
    fold: Fold = our_fold,
) -> None:
    """Law 7: after the settlement's events a client shows what the store holds after its writes.

    Some items are not compared. Stale ones: that they differ is the point of them. What the store
    may have although it is discarded, because the event that brought it may have been written: no
    write takes an item out of a store. And what was removed since `written` and has come back: two
    items under one id.

    Args:
        events: a stream, up to where it stopped.
        state: the thread before it; the empty one if left out.
        policy: the table that decides.
        cause: how the stream ended.
        written: of how many of the events the store is known to have seen what they say; of all of
            them if left out. It may have seen more.
        settle: the function under test.
        fold: what folds the stream, and the events of the settlement.

    Raises:
        LawBroken: the client shows something that the store does not hold, or the other way round;
            it waits for an item for good; what is stale is written as people saw it.
    """
    stop = _stopped(events, state, written, fold)
    settlement = settle(stop.now, policy=policy, cause=cause, delivered=stop.delivered)

    def broken(problem: str, **more: Any) -> LawBroken:
        make = breach("client_and_store_converge", events, state)
        return make(problem, made=settlement.events, **more)

    client = fold(settlement.events, stop.now)
    view = {item_id: item.to_json() for item_id, item in client.items.items()}
    stale = {item.id for item in settlement.stale}
    leave_out = stale | stop.back | stop.out_of_reach(settlement)
    for held in stop.stores(settlement):
        store, shown = (_visible(items, leave_out) for items in (held, view))
        if json_text(store) != json_text(shown):
            raise broken(
                "They differ in what is not stale.",
                expected=("the store after settlement.writes", store),
                actual=("a client after settlement.events", shown),
            )
    waiting = {i for i in client.pending if i not in stale and not _is_hidden(view[i])}
    if waiting:
        raise broken(f"Pending for good: {sorted(waiting)}.")
    for write in settlement.writes:
        item_id = write.item["id"]
        if item_id in stale and json_text(write.item) != json_text(stop.base_of(item_id)):
            raise broken(f"Stale, and written as it is all the same: {item_id!r}.")


# --- a stream that stopped ------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class _Stop:
    delivered: Any
    """The thread as the store is known to have it."""
    now: Any
    """The thread as people saw it last."""
    back: set[str]
    """The ids of items that were removed since `delivered`, and came back."""

    @property
    def in_flight(self) -> list[str]:
        """What is pending, and what was done since `delivered`."""
        pending = {*self.now.pending}
        return [i for i in self.now.items if i in pending or self._is_in_doubt(i)]

    def _is_in_doubt(self, item_id: str) -> bool:
        if item_id not in self.delivered.items or item_id in self.delivered.pending:
            return True
        return self.delivered.items[item_id] is not self.now.items[item_id]

    @property
    def stored(self) -> set[str]:
        """All but what is in flight."""
        return {*self.now.items}.difference(self.in_flight)

    def stores(self, settlement: Any) -> list[dict[str, Json]]:
        """What the store may hold after the writes: it has seen all events, or none of the last."""
        writes = {write.item["id"]: write.item for write in settlement.writes}
        befores = [stored_in(self.delivered), stored_in(self.now)]
        # What was removed since, no write removes.
        return [{k: v for k, v in b.items() if k in self.now.items} | writes for b in befores]

    def out_of_reach(self, settlement: Any) -> set[str]:
        """What the store may have although it is discarded."""
        discarded = {item.id for item in settlement.discard}
        return discarded.difference(self.now.pending, stored_in(self.delivered))

    def base_of(self, item_id: str) -> Json | None:
        """The copy that an item falls back to, if it is pending and has one."""
        if item_id not in self.now.pending:
            return None
        return stored_in(self.now).get(item_id) or stored_in(self.delivered).get(item_id)


def _stopped(events: Events, state: State | None, written: int | None, fold: Fold) -> _Stop:
    count = len(events) if written is None else written
    delivered = fold(events[:count], start_of(state))
    now = fold(events[count:], delivered)
    step, gone = delivered, set[str]()
    for event in events[count:]:
        step = fold([event], step)
        gone |= delivered.items.keys() - step.items.keys()
    return _Stop(delivered=delivered, now=now, back=gone & now.items.keys())


def stored_in(state: State) -> dict[str, Json]:
    """What a store holds: of what is pending the base, or nothing."""
    pending = {*state.pending}
    done = {item_id: item for item_id, item in state.items.items() if item_id not in pending}
    return {item_id: item.to_json() for item_id, item in {**done, **state.bases}.items()}


def _visible(items: dict[str, Json], leave_out: set[str]) -> dict[str, Json]:
    """What a client shows of these. By id, because a client puts them in order by itself."""
    return {
        item_id: item
        for item_id, item in sorted(items.items())
        if item_id not in leave_out and not _is_hidden(item)
    }


def _is_hidden(item: Json) -> bool:
    kind = item.get("type")
    return isinstance(kind, str) and kind in HIDDEN_TYPES
