"""A verdict: what becomes of one item in flight, and which row of the table decided it."""

from __future__ import annotations

from typing import Literal

import attrs

from chatkit_reducer.core.described import described
from chatkit_reducer.core.items import HIDDEN_TYPES, ItemState
from chatkit_reducer.core.json_values import json_or_shown
from chatkit_reducer.core.policy.store_rows import STORE_ROWS
from chatkit_reducer.core.policy.table import Case, Content, Decision, Row
from chatkit_reducer.events import (
    Event,
    Json,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
)

__all__ = ["Verdict", "Write"]


@attrs.frozen
class Write:
    """One thing that a store has to do: `add` a new item, or `save` one that it has."""

    op: Literal["add", "save"]
    item: Json
    """The plain ChatKit JSON of the item."""
    before: str | None = None
    """For an `add`: the id of a client tool call that waits for its output, and that the item must
    not stand behind, if the store has that call."""
    problem: str | None = None
    """Why it cannot be written: a value in the item is not JSON, and `item` holds that as Python
    shows it. None if it can."""

    def __repr__(self) -> str:
        return described(
            self,
            lambda: {
                "op": self.op,
                "id": self.item.get("id"),
                "type": self.item.get("type"),
                "before": self.before,
                "problem": self.problem,
            },
        )


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
    """The item as the store has it if it is persisted: with nothing in it that claims to run."""
    was_looked_up: bool = False
    """Whether the caller passed the copy that the store has now."""
    before: str | None = None
    """The client tool call that it must not stand behind, if it is added; see `Write.before`."""

    @property
    def decision(self) -> Decision:
        """Persist, discard or stale."""
        return self.row.decision

    @property
    def is_in_doubt(self) -> bool:
        """Whether the item was done, and only whether the store got it is not known."""
        return self.case.content is Content.COMPLETE and not self.was_looked_up

    @property
    def overrules_policy(self) -> bool:
        """Whether the row is one of `STORE_ROWS`, which stand above every policy."""
        return any(self.row is row for row in STORE_ROWS)

    def __repr__(self) -> str:
        return described(
            self,
            lambda: {
                "item": self.item.id,
                "case": str(self.case),
                "decision": self.decision.value,
                "reason": self.row.reason,
            },
        )

    def __str__(self) -> str:
        return f"{self.item.id}: {self.case} -> {self.decision}: {self.row.reason}"

    @property
    def write(self) -> Write | None:
        """The write for the store; None for none."""
        if self.left is None or self._is_there:
            return None
        item, problem = json_or_shown(self.left.json_view())
        if self.stored is None:
            return Write("add", item, self.before, problem)
        return Write("save", item, problem=problem)

    @property
    def is_added(self) -> bool:
        """Whether the store has to add it."""
        return self.left is not None and self.stored is None

    @property
    def _is_there(self) -> bool:
        """Whether the store is known to have the final copy already."""
        # What falls back, while the store may have the newer one, falls back for certain.
        return self.left is self.stored and not (
            self.decision is Decision.DISCARD and self.is_in_doubt
        )

    @property
    def left(self) -> ItemState | None:
        """The copy in the store in the end; None for none."""
        return self.sealed if self.decision is Decision.PERSIST else self.base

    @property
    def event(self) -> Event | None:
        """The event that brings a client in line with the store; None for none.

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
