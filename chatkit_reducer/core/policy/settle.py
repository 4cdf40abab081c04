"""`settle`: decide what becomes of each item in flight when a stream has ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import attrs
from msgspec import UNSET, UnsetType

from chatkit_reducer.core.halves import mended_json
from chatkit_reducer.core.items import ItemState, parse_item
from chatkit_reducer.core.json_values import json_copy
from chatkit_reducer.core.policy.ending import Ending
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.store_rows import Held, judge
from chatkit_reducer.core.policy.table import ANY, Case, Cause, Marker, Policy
from chatkit_reducer.core.policy.verdict import Verdict
from chatkit_reducer.core.thread.contents import Entry
from chatkit_reducer.core.thread.state import ThreadState

__all__ = ["settle"]


def settle(
    state: ThreadState,
    *,
    policy: Policy,
    cause: Cause | str,
    delivered: ThreadState | None = None,
    stored: Mapping[str, Mapping[str, Any] | None] | None = None,
    refused: Collection[str] = (),
    marker_id: str | None = None,
    marker_time: str | None = None,
    marker_content: Any = UNSET,
    thread_id: str | None = None,
) -> Settlement:
    """Decide what becomes of every item in flight when a stream has ended.

    Total: each item in flight is in exactly one of persist, discard and stale. Stored items stay
    untouched.

    Args:
        state: the thread as the events made it.
        policy: the table; a preset of `chatkit_reducer.core.policy.presets`, or one of your own.
        cause: how the stream ended.
        delivered: the thread as of the last event whose store write is known to have happened, if
            that is not all of them: an earlier state of the same fold. Items done since are in
            doubt: they count as complete. A removal since is not repeated, because no write says
            it.
        stored: the copies in the store now, by item id: the plain ChatKit JSON, or None if the
        store
            has no such item. Ask for the items that are pending or in doubt. An id that is left out
            is unknown, and what `delivered` says of it counts.
        refused: the ids of items whose `done` or `replaced` the store refused with an error. A
            copy that the store has of one stays. One that it has not, by `stored`, is in doubt, and
            the policy decides. One that is unknown is not written.
        marker_id: an id for the marker, made by the caller: the core makes none.
        marker_time: its `created_at`, likewise: the core knows no clock.
        marker_content: its content, for a policy that leaves that to the application.
        thread_id: the thread of the marker; found in the thread if left out.

    Raises:
        TypeError: an argument is of another type.
        ValueError: `cause` is none of those there are, or the policy wants a marker whose content
            the caller has to give, and only id and time were given.
    """
    for name, value, kind in (
        ("state", state, ThreadState),
        ("policy", policy, Policy),
        ("delivered", delivered or state, ThreadState),
        ("marker_id", marker_id or "", str),
        ("marker_time", marker_time or "", str),
    ):
        if not isinstance(value, kind):
            raise TypeError(f"{name} must be a {kind.__name__}, not {type(value).__name__}")
    cause = Cause(cause)
    now = state.contents()
    ending = Ending(
        now=now,
        before=now if delivered is None else delivered.contents(),
        held=_held(stored),
        refused=_refused(refused),
    )
    verdicts = [_verdict(ending, entry, policy, cause) for entry in ending.in_flight()]
    call, waits = ending.waiting_call(verdicts)
    waiting, possible = (call, None) if waits else (None, call)
    marker = policy.marker if policy.marker and cause in policy.marker.causes else None
    if waiting is not None:
        marker, verdicts = None, _in_front_of(waiting, verdicts)
    item = None
    if marker is not None and marker_id is not None and marker_time is not None:
        item = {
            "type": marker.item,
            "id": marker_id,
            "thread_id": thread_id or now.thread_id(),
            "created_at": marker_time,
            "content": mended_json(_content(marker, marker_content)),
        }
        item = json_copy(item)
    return Settlement(
        policy=policy,
        cause=cause,
        verdicts=tuple(verdicts),
        marker=marker,
        marker_item=item,
        waiting_call=waiting,
        possible_call=possible,
    )


def _held(stored: Mapping[str, Mapping[str, Any] | None] | None) -> dict[str, ItemState | None]:
    if not isinstance(stored, Mapping | None):
        raise TypeError(
            f"stored must map item ids to what the store has of them, not {type(stored).__name__}"
        )
    return {item_id: _copy(item_id, json) for item_id, json in (stored or {}).items()}


def _copy(item_id: str, json: object) -> ItemState | None:
    if json is None:
        return None
    if not isinstance(json, Mapping):
        raise TypeError(
            f"stored[{item_id!r}] must be the item as a JSON mapping, or None, not "
            f"{type(json).__name__}"
        )
    return parse_item({**json_copy(dict(json)), "id": item_id}).item


def _refused(ids: Collection[str]) -> frozenset[str]:
    if isinstance(ids, str | bytes) or not isinstance(ids, Collection):
        raise TypeError(f"refused must be a collection of item ids, not {ids!r}")
    return frozenset(ids)


def _verdict(ending: Ending, entry: Entry, policy: Policy, cause: Cause) -> Verdict:
    one, item_id = ending.describe(entry), entry.item.id
    held: Held = ending.held.get(item_id, UNSET)
    found = judge(one, held)
    case = Case(
        one.item.type, found.origin, one.content, cause, item_id if policy.names_ids else ANY
    )
    return Verdict(
        item=one.item,
        case=case,
        row=policy.row_for(case) if found.row is None else found.row,
        base=found.base,
        stored=found.stored,
        sealed=found.final,
        was_looked_up=not isinstance(held, UnsetType),
    )


def _in_front_of(call: str, verdicts: list[Verdict]) -> list[Verdict]:
    """Return the verdicts, with nothing added behind the call if the store may have that."""
    mine = next((verdict for verdict in verdicts if verdict.item.id == call), None)
    if mine is not None and mine.is_added and not mine.is_in_doubt:
        return verdicts  # the store does not have the call, which is written last
    return [
        attrs.evolve(verdict, before=call) if verdict.item.id != call else verdict
        for verdict in verdicts
    ]


def _content(marker: Marker, given: Any) -> Any:
    if marker.content is not None:
        return marker.content
    if given is UNSET:
        raise ValueError(
            "this policy leaves the content of its marker to the application: pass marker_content"
        )
    return given
