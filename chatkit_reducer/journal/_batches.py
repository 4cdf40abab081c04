"""Records on their way to a server: several of one response, written or refused as one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import attrs
import msgspec

from chatkit_reducer.journal.protocol import JournalError
from chatkit_reducer.journal.records import CLOSED

__all__ = ["Batch", "Records", "joined", "separated"]

MAY_LAG = frozenset({"thread.item.updated", "progress_update"})
"""The types of events that say a little more of something; all others are structural."""


class _Event(msgspec.Struct):
    type: str = ""


class _Line(msgspec.Struct):
    """A line of a log: a bare event, or one in an envelope."""

    type: str = ""
    event: _Event | None = None


_decode = msgspec.json.Decoder(_Line).decode


def _type_of(record: bytes) -> str:
    try:
        line = _decode(record)
    except msgspec.DecodeError:
        return ""  # structural: the safe side
    return line.type if line.event is None else line.event.type


class Records:
    """The records of one call of `append`, and all that a backend has to know of them."""

    __slots__ = ("closes", "lines", "may_lag")

    def __init__(self, records: Sequence[bytes]) -> None:
        self.lines = records
        if len(records) == 1 and b"\n" not in records[0]:  # as nearly always
            of_one = _type_of(records[0])
            self.may_lag = of_one in MAY_LAG
            self.closes = of_one == CLOSED
        else:
            self._look_through(records)

    def _look_through(self, records: Sequence[bytes]) -> None:
        types = [_type_of(line) for line in records]
        self.may_lag = all(one in MAY_LAG for one in types)
        self.closes = CLOSED in types
        if any(b"\n" in line for line in records):
            raise ValueError("expected records without line breaks, got one with: split it")
        if CLOSED in types[:-1]:
            raise ValueError(
                f"expected a record of type {CLOSED} to be the last one, got records behind it: "
                "write them before it"
            )


@attrs.define(eq=False)
class Batch:
    """Records of one response that are written together, and what became of them."""

    response: str
    at: int
    """The position that they come behind."""
    records: list[bytes]
    created: float
    in_line: bool
    """Whether they continue the records of this process; else the server alone can judge."""
    urgent: bool = False
    """Whether they are to go at once."""
    awaited: bool = False
    """Whether a caller waits for them."""
    under_way: bool = False
    durable: bool = False
    """Whether a structural record is among them."""
    closes: bool = False
    error: JournalError | None = None
    settled: asyncio.Event = attrs.field(factory=asyncio.Event)

    @property
    def last(self) -> int:
        """The position of the last record."""
        return self.at + len(self.records)

    def add(self, records: Records) -> None:
        """Let these follow the others."""
        self.records += records.lines
        self.durable |= not records.may_lag
        self.closes |= records.closes

    def settle(self, error: JournalError | None) -> None:
        """Let the callers that wait know."""
        self.error = error
        self.settled.set()

    async def wait(self) -> None:
        """Wait for the answer of the server.

        Raises:
            JournalError: it is not a good one.
        """
        await self.settled.wait()
        if self.error is not None:
            raise again(self.error)


def again(error: JournalError) -> JournalError:
    """Copy an error, which is raised for each caller anew."""
    copy = type(error)(*error.args)
    copy.__cause__ = error.__cause__
    return copy


def joined(records: Sequence[bytes]) -> bytes:
    """Make one text of records."""
    return b"\n".join(records)


def separated(lines: bytes) -> list[bytes]:
    """Undo `joined`."""
    return lines.split(b"\n")
