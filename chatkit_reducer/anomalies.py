"""Faults in data, as values.

A stream is made by somebody else's code, and the fold goes on whatever that code did. What was
wrong is recorded in the state: where, what, and what was done instead. A reducer reports a `Fault`;
the fold, which knows the event and the position, makes an `Anomaly` of it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, final

import attrs
from msgspec import Struct

if TYPE_CHECKING:
    from chatkit_reducer.events import Json

__all__ = ["Anomaly", "Fault", "FaultKind"]


class FaultKind(StrEnum):
    """What can be wrong with an event, for code that wants to tell the cases apart."""

    ITEM_NOT_FOUND = "item_not_found"
    """An update or a removal names an item that the thread does not have."""
    ITEM_ALREADY_PRESENT = "item_already_present"
    """An item is added that the thread has."""
    ITEM_WITHOUT_ID = "item_without_id"
    """An item has no `id`, so that nothing can refer to it."""
    ITEM_MALFORMED = "item_malformed"
    """An item lacks what its type must have; it is kept as it came, and takes no updates."""
    UPDATE_MISFIT = "update_misfit"
    """An update is for another type of item, or for a part, task or component of another kind."""
    INDEX_OUT_OF_RANGE = "index_out_of_range"
    """An index is negative, or too far past the end."""
    COMPONENT_NOT_FOUND = "component_not_found"
    """An update names a widget component that the widget does not have."""
    UNREADABLE = "unreadable"
    """A piece of a recorded stream is no event."""


@final
class Fault(Struct, frozen=True, gc=False):
    """What a reducer found wrong. `result` is the new item state if there is one all the same."""

    kind: FaultKind
    problem: str
    instead: str = "nothing changed"
    result: Any = None
    item_id: str | None = None
    """The item, where the event does not say which."""


@attrs.frozen(kw_only=True)
class Anomaly:
    """One fault in a stream.

    Two anomalies are equal when the same thing was wrong; where in the stream it stood
    (`position`, `offset`, `line`) is not part of that, so that a fold in pieces equals the fold in
    one go.
    """

    kind: FaultKind
    event: str
    """The `type` of the event, or of the update it carries."""
    item_id: str | None
    problem: str
    """What was wrong, in words."""
    instead: str
    """What was done instead, in words."""
    position: int = attrs.field(eq=False)
    """How many events of the stream came before this one."""
    offset: int | None = attrs.field(default=None, eq=False)
    """For what was unreadable in a log: where it starts, in bytes of the uncompressed log."""
    line: int | None = attrs.field(default=None, eq=False)
    """For what was unreadable in a log: the line on which it starts, counted from 1."""

    def __str__(self) -> str:
        item = f" {self.item_id}" if self.item_id is not None else ""
        where = f"line {self.line}" if self.line is not None else f"event {self.position}"
        return f"{where}: {self.event}{item}: {self.problem}; {self.instead}"

    def to_json(self) -> Json:
        """The anomaly as a plain mapping."""
        out = attrs.asdict(self)
        out["kind"] = self.kind.value
        if self.offset is None:
            del out["offset"], out["line"]
        return out
