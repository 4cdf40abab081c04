"""`settle`: what becomes of the items in flight, on paper.

A settlement says what a store has to write and what a client has to be told. It writes and tells
nothing itself: that is for `supervise`, or for any code of your own.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any, Literal

import attrs
from msgspec import UNSET

from chatkit_reducer.book import Entry
from chatkit_reducer.events import (
    Event,
    Json,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
)
from chatkit_reducer.items import HIDDEN_TYPES, ItemState
from chatkit_reducer.lifecycle import Phase
from chatkit_reducer.policy import Case, Cause, Content, Decision, Marker, Origin, Policy, Row
from chatkit_reducer.state import ThreadState

__all__ = ["Settlement", "Verdict", "Write", "settle"]


@attrs.frozen
class Write:
    """One thing that a store has to do: `add` a new item, or `save` one that it has."""

    op: Literal["add", "save"]
    item: Json
    """The plain ChatKit JSON of the item."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What became of one item, and the row of the table that decided it."""

    item: ItemState
    """The item as people saw it last."""
    case: Case
    row: Row
    base: ItemState | None
    """The copy that it falls back to, if there is one."""
    stored: ItemState | None
    """The copy that the store is known to have: the base, unless that is in doubt itself."""
    sealed: ItemState
    """The item as it is written if it is persisted: with nothing in it that claims to run."""

    @property
    def decision(self) -> Decision:
        """Persist, discard or stale."""
        return self.row.decision

    @property
    def is_in_doubt(self) -> bool:
        """Whether the item was done, and only whether the store got it is not known."""
        return self.case.content is Content.COMPLETE

    @property
    def write(self) -> Write | None:
        """What the store has to do about it; None for nothing."""
        if self.left is None or self._is_there:
            return None
        return Write("add" if self.stored is None else "save", self.left.to_json())

    @property
    def _is_there(self) -> bool:
        """Whether the store is known to have what it is to have in the end."""
        if self.decision is Decision.DISCARD:
            return self.left is self.stored and self.case.content is not Content.COMPLETE
        return self.decision is Decision.STALE and self.left is self.stored

    @property
    def left(self) -> ItemState | None:
        """What the store has of it in the end; None for nothing."""
        return self.sealed if self.decision is Decision.PERSIST else self.base

    @property
    def event(self) -> Event | None:
        """What brings a client in line with the store; None for nothing.

        A stale item is left as people saw it: that it differs from the store is the point of it. A
        hidden one is never shown to a client.
        """
        if self.decision is Decision.STALE:
            return None
        if self.left is None:
            return ThreadItemRemoved(self.item.id)
        if self.left.type in HIDDEN_TYPES:
            was_hidden = self.item.type in HIDDEN_TYPES
            return None if was_hidden else ThreadItemRemoved(self.item.id)
        if self.decision is Decision.PERSIST:
            return ThreadItemDone(self.left.to_json())
        return ThreadItemReplaced(self.left.to_json())


@attrs.frozen(kw_only=True)
class Settlement:
    """What becomes of a thread whose stream has ended."""

    policy: Policy
    cause: Cause
    verdicts: tuple[Verdict, ...]
    """One for each item in flight, in thread order."""
    marker: Marker | None
    """What the policy wants noted; None where it wants nothing, or where it would do harm."""
    marker_item: Json | None
    """The marker as an item, if the caller gave the id and the time that it needs."""

    @property
    def persist(self) -> tuple[ItemState, ...]:
        """The items to be written, sealed."""
        return tuple(v.sealed for v in self.verdicts if v.decision is Decision.PERSIST)

    @property
    def discard(self) -> tuple[ItemState, ...]:
        """The items to be dropped, as people saw them last."""
        return tuple(v.item for v in self.verdicts if v.decision is Decision.DISCARD)

    @property
    def stale(self) -> tuple[ItemState, ...]:
        """The items of which the store has another copy than people saw, as they saw them."""
        return tuple(v.item for v in self.verdicts if v.decision is Decision.STALE)

    @property
    def writes(self) -> tuple[Write, ...]:
        """All that a store has to do, in order: the items in thread order, the marker last."""
        items = tuple(v.write for v in self.verdicts if v.write is not None)
        return items if self.marker_item is None else (*items, Write("add", self.marker_item))

    @property
    def events(self) -> tuple[Event, ...]:
        """What brings a client in line with the store, in thread order."""
        return tuple(v.event for v in self.verdicts if v.event is not None)


def settle(
    state: ThreadState,
    *,
    policy: Policy,
    cause: Cause | str,
    delivered: ThreadState | None = None,
    marker_id: str | None = None,
    marker_time: str | None = None,
    marker_content: Any = UNSET,
    thread_id: str | None = None,
) -> Settlement:
    """What becomes of every item in flight when a stream has ended.

    Total: each item in flight is in exactly one of persist, discard and stale, whatever its type.
    What was stored stays untouched.

    Args:
        state: the thread as the events made it.
        policy: the table; a preset of `chatkit_reducer.policies`, or one of your own.
        cause: how the stream ended.
        delivered: the thread as of the last event whose store write is known to have happened, if
            that is not all of them: an earlier state of the same fold. Items done since are in
            doubt: they count as complete. A removal since is not repeated, because no write says
            it.
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
    verdicts = tuple(_verdicts(state, delivered or state, policy, cause))
    marker = policy.marker if policy.marker and cause in policy.marker.causes else None
    if marker is not None and _waits_for_client(state, delivered or state, verdicts):
        marker = None
    item = None
    if marker is not None and marker_id is not None and marker_time is not None:
        item = {
            "type": marker.item,
            "id": marker_id,
            "thread_id": thread_id or _thread_id(state),
            "created_at": marker_time,
            "content": _content(marker, marker_content),
        }
    return Settlement(
        policy=policy, cause=cause, verdicts=verdicts, marker=marker, marker_item=item
    )


def _verdicts(
    state: ThreadState, delivered: ThreadState, policy: Policy, cause: Cause
) -> Iterator[Verdict]:
    before = delivered.items.entries
    for item_id, entry in state.items.entries.items():
        known = before.get(item_id)
        if entry.phase is not Phase.STORED:
            content = Content.EMPTY if entry.item.is_empty else Content.PARTIAL
            stored = _stored_copy(known)
            base = entry.base or stored  # of one removed and begun anew the store has a copy yet
            case = _case(entry.item, base, content, cause)
            yield _verdict(entry.item, case, policy, base=base, stored=stored)
        elif known is None or known.phase is not Phase.STORED or known.item is not entry.item:
            stored = _stored_copy(known)
            case = _case(entry.item, stored, Content.COMPLETE, cause)
            yield _verdict(entry.item, case, policy, base=stored, stored=stored)


def _stored_copy(entry: Entry | None) -> ItemState | None:
    if entry is None:
        return None
    return entry.item if entry.phase is Phase.STORED else entry.base


def _case(item: ItemState, base: ItemState | None, content: Content, cause: Cause) -> Case:
    return Case(item.type, Origin.NEW if base is None else Origin.BASE, content, cause)


def _verdict(
    item: ItemState,
    case: Case,
    policy: Policy,
    *,
    base: ItemState | None,
    stored: ItemState | None,
) -> Verdict:
    sealed = item if case.content is Content.COMPLETE else item.sealed()
    row = policy.row_for(case)
    return Verdict(item=item, case=case, row=row, base=base, stored=stored, sealed=sealed)


def _waits_for_client(
    state: ThreadState, delivered: ThreadState, verdicts: tuple[Verdict, ...]
) -> bool:
    """Whether the newest item that stays is a client tool call without an output yet.

    The SDK looks at the newest item alone when the output arrives (1.6.5, `chatkit/server.py`,
    `ChatKitServer._process_streaming_impl`, `ThreadsAddClientToolOutputReq`): with a marker behind
    the call, the thread could never go on. A call that was removed stays if that is in doubt.
    """
    settled = {verdict.item.id: verdict.left for verdict in verdicts}
    left = {
        item_id: (entry.order, _stored_copy(entry))
        for item_id, entry in delivered.items.entries.items()
    }
    for item_id, entry in state.items.entries.items():
        left[item_id] = (entry.order, settled.get(item_id, entry.item))
    there = [(order, item) for order, item in left.values() if item is not None]
    newest = max(there, key=itemgetter(0), default=None)
    item = None if newest is None else newest[1]
    return (
        item is not None
        and item.type == "client_tool_call"
        and item.json.get("status", "pending") == "pending"
    )


def _thread_id(state: ThreadState) -> str | None:
    thread = state.thread
    if thread is not None and isinstance(thread.get("id"), str):
        return str(thread["id"])
    ids = (item.json.get("thread_id") for item in state.items.values())
    return next((thread_id for thread_id in ids if isinstance(thread_id, str)), None)


def _content(marker: Marker, given: Any) -> Any:
    if marker.content is not None:
        return marker.content
    if given is UNSET:
        raise ValueError(
            "this policy leaves the content of its marker to the application: pass marker_content"
        )
    return given
