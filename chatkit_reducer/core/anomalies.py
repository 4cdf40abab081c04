"""Faults in data, as values.

The code of a producer can have bugs, and the fold goes on in spite of them. The state records each
fault: its place, the problem, and the remedy. A reducer reports a `Fault`; the fold, which knows
the event and the position, makes an `Anomaly` of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, final

import attrs
from msgspec import Struct

from chatkit_reducer.core.errors import ChatKitReducerError
from chatkit_reducer.core.persistent import EMPTY_LIST, AppendList
from chatkit_reducer.events import Json

__all__ = [
    "MAX_ANOMALIES",
    "NO_ANOMALIES",
    "STORED_ITEM",
    "Anomaly",
    "AnomalyError",
    "AnomalyKind",
    "AnomalyList",
    "Fault",
]

STORED_ITEM = "stored_item"
"""The `event` of an anomaly of the items that a thread begins with."""

MAX_ANOMALIES = 10_000
"""How many anomalies a state lists; it counts the others.

A log of a kilobyte can hold half a million faults, and a list of them says no more than its
beginning."""


class AnomalyKind(StrEnum):
    """The kinds of faults, for code that tells them apart."""

    ITEM_NOT_FOUND = "item_not_found"
    """An update or a removal names an item that the thread does not have."""
    ITEM_ALREADY_PRESENT = "item_already_present"
    """An item is added that the thread has."""
    ITEM_WITHOUT_ID = "item_without_id"
    """An item has no `id`, so that nothing can refer to it."""
    ITEM_MALFORMED = "item_malformed"
    """An item lacks content that its type requires; it is kept unchanged, and takes no updates."""
    UPDATE_MISFIT = "update_misfit"
    """An update is for another type of item, or for a part, task or component of another kind."""
    INDEX_OUT_OF_RANGE = "index_out_of_range"
    """An index is negative, or too far past the end."""
    COMPONENT_NOT_FOUND = "component_not_found"
    """An update names a widget component that the widget does not have."""
    FIELD_MISSING = "field_missing"
    """An update lacks a field whose value is obvious, such as the index of a new citation."""
    UNREADABLE = "unreadable"
    """A piece of a recorded stream is not an event, or code made one that `decode` refuses."""
    REDELIVERED = "redelivered"
    """A log delivers an event again, under the number that it had before."""


@final
class Fault(Struct, frozen=True, gc=False):
    """A fault that a reducer found. `result` is the new item state, if there is one."""

    kind: AnomalyKind
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

    kind: AnomalyKind
    event: str
    """The `type` of the event, or of the update it carries."""
    item_id: str | None
    problem: str
    """The problem, in words."""
    instead: str
    """The remedy, in words."""
    position: int = attrs.field(eq=False)
    """How many events of the stream came before this one."""
    offset: int | None = attrs.field(default=None, eq=False)
    """For an unreadable piece of a log: its start, in bytes of the uncompressed log."""
    line: int | None = attrs.field(default=None, eq=False)
    """For an unreadable piece of a log: the line on which it starts, counted from 1."""

    @property
    def at(self) -> int:
        """Count the events up to this one: the first state that shows it is that after `at` events.

        The command line takes this number (`--at`, `--until`), and prints it as "after event N".
        Unreadable pieces of a log and items of the store are not events, and do not count.
        """
        is_event = self.line is None and self.event != STORED_ITEM
        return self.position + 1 if is_event else self.position

    def __str__(self) -> str:
        item = f" {self.item_id}" if self.item_id is not None else ""
        where = f"line {self.line}" if self.line is not None else f"after event {self.at}"
        return f"{where}: {self.event}{item}: {self.problem}; {self.instead}"

    def to_json(self) -> Json:
        """Return the anomaly as a plain mapping."""
        out = attrs.asdict(self)
        out["kind"] = self.kind.value
        if self.offset is None:
            del out["offset"], out["line"]
        return out


class AnomalyError(ChatKitReducerError, ValueError):
    """Strict mode met a fault in the data; `anomaly` is what lenient mode would have recorded."""

    def __init__(self, anomaly: Anomaly) -> None:
        super().__init__(anomaly)
        self.anomaly = anomaly

    def __str__(self) -> str:
        return str(self.anomaly)


class AnomalyList(Struct, frozen=True, gc=False):
    """The first `MAX_ANOMALIES` anomalies of a stream, and the number of those behind them."""

    listed: AppendList[Anomaly]
    unlisted: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the next anomaly is only counted."""
        return self.listed.count >= MAX_ANOMALIES

    def append(self, anomaly: Anomaly) -> AnomalyList:
        """Return this list with one more anomaly, or with one more counted where it is full."""
        if self.is_full:
            return self.count_more(1)
        return AnomalyList(self.listed.append(anomaly), self.unlisted)

    def count_more(self, number: int) -> AnomalyList:
        """Return this list with so many more anomalies counted, and not listed."""
        return AnomalyList(self.listed, self.unlisted + number)

    def __len__(self) -> int:
        return self.listed.count + self.unlisted

    def __iter__(self) -> Iterator[Anomaly]:
        return iter(self.listed)


NO_ANOMALIES = AnomalyList(EMPTY_LIST)
