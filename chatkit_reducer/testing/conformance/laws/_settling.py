"""Laws 6 and 7: a settlement is total, and client and store converge."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

import attrs

from chatkit_reducer.core.fold.folder import fold as our_fold
from chatkit_reducer.core.items import HIDDEN_TYPES
from chatkit_reducer.core.json_values import equal_ignoring_nulls
from chatkit_reducer.core.policy.settle import settle as our_settle
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.events import Json
from chatkit_reducer.testing.conformance.laws._canonical import (
    Events,
    State,
    canonical_json,
    json_text,
    start_of,
)
from chatkit_reducer.testing.conformance.laws._folding import Fold
from chatkit_reducer.testing.conformance.laws._report import LawBroken, Violation, violation

Settle: TypeAlias = Callable[..., Any]
"""A state, with `policy`, `cause` and `delivered` by name, to an object with the `persist`,
`discard`, `stale`, `writes` and `events` of a `Settlement`. `stored` and `refused` are passed where
the law is given them."""


def settle_is_total(
    events: Events,
    state: State | None = None,
    *,
    policy: Policy,
    cause: Cause | str,
    written: int | None = None,
    stored: Mapping[str, Json | None] | None = None,
    refused: Collection[str] = (),
    settle: Settle = our_settle,
    fold: Fold = our_fold,
) -> None:
    """Law 6: every item in flight is persisted, discarded or stale; stored items stay.

    In flight are pending items, items that were done by an event that the store may not have seen,
    and items that the store refused. A persisted item is written, unless the store has it.

    Args:
        events: a stream, up to where it stopped.
        state: the thread before it; the empty one if left out.
        policy: the table that decides.
        cause: how the stream ended.
        written: how many of the events the store is known to have seen; all of them if left
            out.
        stored: the items of the store now, for `settle`; not passed on if left out.
        refused: the ids of items that the store refused, likewise.
        settle: the function under test.
        fold: folds the stream, and the events of the settlement.

    Raises:
        LawBroken: an item in flight is in none of the three groups, or in two; another item is in
            one; a persisted item is not written; a stored item is written, or changes for the
            client; the state that was settled has changed.
    """
    broken = violation("settle_is_total", events, state)
    stop = _stopped(events, state, written, fold).told(stored, refused)
    view = canonical_json(stop.now)
    settlement = settle(stop.now, policy=policy, cause=cause, **stop.known)
    _check_groups(stop, settlement, broken)
    _check_writes(stop, settlement, broken)
    _check_stored_stays(stop, settlement, fold, broken)
    later = canonical_json(stop.now)
    if json_text(later) != json_text(view):
        problem = "The state that was settled has changed."
        raise broken(problem, expected=("before", view), actual=("later", later))


_GROUPS = ("persist", "discard", "stale")


def _check_groups(stop: _Stop, settlement: Any, broken: Violation) -> None:
    groups = {group: [item.id for item in getattr(settlement, group)] for group in _GROUPS}
    named = sorted(item_id for group in groups.values() for item_id in group)
    if named != sorted(stop.in_flight):
        raise broken(
            "Not every item in flight is in one of the groups, or not they alone.",
            expected=("in flight", sorted(stop.in_flight)),
            actual=("persist, discard, stale", named),
        )


def _check_writes(stop: _Stop, settlement: Any, broken: Violation) -> None:
    lines = {write.item["id"] for write in settlement.writes}
    missing = {item.id for item in settlement.persist if not stop.has(item)} - lines
    if missing:
        raise broken(f"To be persisted, and not written: {sorted(missing)}.")
    needless = lines & stop.stored
    if needless:
        raise broken(f"Stored before, and written all the same: {sorted(needless)}.")


def _check_stored_stays(stop: _Stop, settlement: Any, fold: Fold, broken: Violation) -> None:
    client = fold(settlement.events, stop.now)
    before, after = (
        {key: state.items[key].to_json() for key in sorted(stop.stored & state.items.keys())}
        for state in (stop.now, client)
    )
    if json_text(before) != json_text(after):
        raise broken(
            "The events of the settlement change stored items.",
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
    stored: Mapping[str, Json | None] | None = None,
    refused: Collection[str] = (),
    settle: Settle = our_settle,
    fold: Fold = our_fold,
) -> None:
    """Law 7: a client after the settlement's events shows the items of the store after its writes.

    Some items are not compared. Stale ones differ by definition. Where the store was not asked, a
    discarded item may be there, because the event that brought it may have been written, and no
    write removes an item from a store; and an item that was removed since `written` and has come
    back is two items under one id.

    Args:
        events: a stream, up to where it stopped.
        state: the thread before it; the empty one if left out.
        policy: the table that decides.
        cause: how the stream ended.
        written: how many of the events the store is known to have seen; all of them if left
            out. It may have seen more.
        stored: the items of the store now, for `settle`; not passed on if left out.
        refused: the ids of items that the store refused, likewise.
        settle: the function under test.
        fold: folds the stream, and the events of the settlement.

    Raises:
        LawBroken: the client shows an item that the store does not hold, or the other way round; it
            waits for an item for good; a stale item is written as the client saw it.
    """
    stop = _stopped(events, state, written, fold).told(stored, refused)
    settlement = settle(stop.now, policy=policy, cause=cause, **stop.known)

    def broken(problem: str, **more: Any) -> LawBroken:
        make = violation("client_and_store_converge", events, state)
        return make(problem, made=settlement.events, **more)

    client = fold(settlement.events, stop.now)
    view = {item_id: item.to_json() for item_id, item in client.items.items()}
    stale = {item.id for item in settlement.stale}
    leave_out = stale | stop.back | stop.out_of_reach(settlement)
    for held in stop.stores(settlement):
        store, shown = (_visible(items, leave_out) for items in (held, view))
        if json_text(store) != json_text(shown):
            raise broken(
                "They differ in items that are not stale.",
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
    """The thread as the client saw it last."""
    back: set[str]
    """The ids of items that were removed since `delivered`, and came back."""
    held: Mapping[str, Json | None] = attrs.field(factory=dict)
    """The items of the store now, as far as it was asked."""
    refused: Collection[str] = ()

    def told(self, stored: Mapping[str, Json | None] | None, refused: Collection[str]) -> _Stop:
        """Return the same stop, with the answers of the store."""
        held = {} if stored is None else stored
        known = [item_id for item_id in refused if item_id in self.now.items]
        return attrs.evolve(self, back=self.back - held.keys(), held=held, refused=known)

    @property
    def known(self) -> dict[str, Any]:
        """The arguments of `settle`; those about the store only if it was asked."""
        told: dict[str, Any] = {"delivered": self.delivered}
        if self.held:
            told["stored"] = self.held
        if self.refused:
            told["refused"] = self.refused
        return told

    @property
    def in_flight(self) -> list[str]:
        """Items that are pending, were done since `delivered`, or were refused."""
        pending = {*self.now.pending, *self.refused}
        return [i for i in self.now.items if i in pending or self._is_in_doubt(i)]

    def _is_in_doubt(self, item_id: str) -> bool:
        if item_id not in self.delivered.items or item_id in self.delivered.pending:
            return True
        return self.delivered.items[item_id] is not self.now.items[item_id]

    @property
    def stored(self) -> set[str]:
        """All items except those in flight."""
        return {*self.now.items}.difference(self.in_flight)

    def has(self, item: Any) -> bool:
        """Return whether the store has this very item."""
        held = self.held.get(item.id)
        return held is not None and equal_ignoring_nulls(held, item.to_json())

    def stores(self, settlement: Any) -> list[dict[str, Json]]:
        """List the contents that the store may have after the writes."""
        writes = {write.item["id"]: write.item for write in settlement.writes}
        befores = [stored_in(self.delivered), stored_in(self.now)]
        # No write removes an item that was removed since. An item of the store that is not in
        # flight was changed elsewhere, and no settlement names it.
        said = {k: v for k, v in self.held.items() if k in self.in_flight}
        return [
            {k: v for k, v in (b | said).items() if k in self.now.items and v is not None} | writes
            for b in befores
        ]

    def out_of_reach(self, settlement: Any) -> set[str]:
        """List discarded items that the store may have."""
        discarded = {item.id for item in settlement.discard}
        return discarded.difference(self.now.pending, stored_in(self.delivered), self.held)

    def base_of(self, item_id: str) -> Json | None:
        """Find the copy that an item falls back to, if it is pending and has one."""
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
    """List the items of the store in thread order: of a pending item the base, or nothing."""
    pending = {*state.pending}
    kept = {
        item_id: state.bases.get(item_id) if item_id in pending else item
        for item_id, item in state.items.items()
    }
    return {item_id: item.to_json() for item_id, item in kept.items() if item is not None}


def _visible(items: dict[str, Json], leave_out: set[str]) -> dict[str, Json]:
    """List the items that a client shows, by id: a client orders them by itself."""
    return {
        item_id: item
        for item_id, item in sorted(items.items())
        if item_id not in leave_out and not _is_hidden(item)
    }


def _is_hidden(item: Json) -> bool:
    kind = item.get("type")
    return isinstance(kind, str) and kind in HIDDEN_TYPES
