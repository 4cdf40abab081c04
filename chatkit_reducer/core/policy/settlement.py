"""A settlement: the writes for a store and the events for a client, as values.

It writes and tells nothing itself: that is for `supervise`, or for any code of your own.
"""

from __future__ import annotations

from functools import cached_property

import attrs

from chatkit_reducer.core.described import described, drawn
from chatkit_reducer.core.items import ItemState
from chatkit_reducer.core.json_values import json_copy
from chatkit_reducer.core.policy.settlement_json import fields_from_json, fields_to_json
from chatkit_reducer.core.policy.table import Cause, Decision, Marker, Policy
from chatkit_reducer.core.policy.verdict import Verdict, Write
from chatkit_reducer.events import Event, Json

__all__ = ["Settlement"]


@attrs.frozen(kw_only=True)
class Settlement:
    """What becomes of a thread whose stream has ended."""

    policy: Policy
    cause: Cause
    verdicts: tuple[Verdict, ...]
    """One for each item in flight, in thread order."""
    marker: Marker | None
    """The note that the policy wants; None if it wants none, or if a note would do harm."""
    marker_item: Json | None
    """The marker as an item, if the caller gave the id and the time that it needs: read, never
    write. A copy of it is among the `writes`."""
    waiting_call: str | None = None
    """The client tool call that waits for its output, and that nothing may stand behind."""
    possible_call: str | None = None
    """A client tool call that is in the way of added items, should the store say that it waits.
    No event tells of an output that has come, and the added items may be the answer to that."""

    @property
    def look_up(self) -> tuple[str, ...]:
        """The ids to ask the store about: its answers make a second settlement certain.

        Pass the answers to `settle` as `stored`.
        """
        calls = [call for call in (self.waiting_call, self.possible_call) if call is not None]
        return tuple(dict.fromkeys([*[verdict.item.id for verdict in self.verdicts], *calls]))

    @cached_property
    def _own_marker(self) -> Json | None:
        return None if self.marker_item is None else json_copy(self.marker_item)

    def __attrs_post_init__(self) -> None:
        _ = self._own_marker  # now, before anybody can have changed the other

    def __repr__(self) -> str:
        def ids(decision: Decision) -> list[str] | None:
            return [v.item.id for v in self.verdicts if v.decision is decision] or None

        return described(
            self,
            lambda: {
                "policy": self.policy.name,
                "cause": self.cause.value,
                "persist": ids(Decision.PERSIST),
                "discard": ids(Decision.DISCARD),
                "stale": ids(Decision.STALE),
                "marker": None if self.marker is None else self.marker.item,
            },
        )

    def _repr_html_(self) -> str | None:
        return drawn(self)

    @property
    def persist(self) -> tuple[ItemState, ...]:
        """The items that the store has in the end as people saw them, sealed."""
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
        """All that a store has to do, in order: the items in thread order, the marker last.

        A client tool call that waits for its output comes behind all other items. An item that
        holds a value that is not JSON is left out, so that it does not keep the others back; it is
        in `unwritable`.
        """
        return tuple(write for write in self.all_writes if write.problem is None)

    @property
    def unwritable(self) -> tuple[Write, ...]:
        """The writes that no store can do, in order: their items hold values that are not JSON.

        Only code can put such a value into an item. In these writes it stands as Python shows it,
        so that the item can be reported and kept elsewhere.
        """
        return tuple(write for write in self.all_writes if write.problem is not None)

    @property
    def all_writes(self) -> tuple[Write, ...]:
        """The `writes` and, each in its place, those that are `unwritable`."""
        ordered = sorted(self.verdicts, key=lambda verdict: verdict.item.id == self.waiting_call)
        items = tuple(write for verdict in ordered if (write := verdict.write) is not None)
        if self._own_marker is None:
            return items
        return (*items, Write("add", json_copy(self._own_marker)))

    @property
    def events(self) -> tuple[Event, ...]:
        """What brings a client in line with the store, in thread order."""
        return tuple(event for v in self.verdicts if (event := v.event) is not None)

    def to_json(self) -> Json:
        """Return the settlement as plain JSON data, for a queue or a log; `from_json` reads it.

        A value in an item that is not JSON is replaced by what Python shows of it.
        """
        return fields_to_json(
            policy=self.policy,
            cause=self.cause,
            verdicts=self.verdicts,
            marker=self.marker,
            marker_item=self._own_marker,
            waiting_call=self.waiting_call,
            possible_call=self.possible_call,
        )

    @classmethod
    def from_json(cls, value: Json) -> Settlement:
        """Read a settlement that `to_json` wrote; it equals the one that was written.

        Raises:
            SnapshotError: it is of a version that this release does not know, or damaged; the
                message says where.
        """
        return cls(**fields_from_json(value))
