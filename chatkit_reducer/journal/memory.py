"""`MemoryJournal`: responses in this process's memory, for tests and for followers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime

import anyio.lowlevel
import attrs

from chatkit_reducer.journal.checks import require_end, require_header, require_records
from chatkit_reducer.journal.protocol import Conflict, Header, JournalError
from chatkit_reducer.journal.records import is_closing, time_of
from chatkit_reducer.journal.waiting import Waiters

__all__ = ["MemoryJournal"]

_LOOK_AGAIN = 0.02


@attrs.define
class _Response:
    header: Header
    records: list[bytes] = attrs.field(factory=list)
    leased: bool = True
    stopping: bool = False
    recalled: bool = False
    waiters: Waiters = attrs.field(factory=Waiters)
    forgotten: bool = False

    @property
    def closed(self) -> bool:
        return bool(self.records) and is_closing(self.records[-1])


class MemoryJournal:
    """A journal in memory: nothing survives the process.

    It lets clients come back to a response that goes on, and tests do without a directory.
    """

    def __init__(self) -> None:
        self._responses: dict[str, _Response] = {}

    def _found(self, response: str) -> _Response:
        found = self._responses.get(response)
        if found is None:
            raise JournalError(f"there is not a response {response!r} in this journal")
        return found

    async def begin(self, header: Header) -> None:
        """Begin a response, and hold its lease: see `Journal`."""
        require_header(header)
        if header.response in self._responses:
            raise Conflict(f"there is a response {header.response!r} in this journal already")
        self._responses[header.response] = _Response(header)

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        """Write records behind position `at`: see `Journal`."""
        found = self._found(response)
        require_records(records)
        if records and found.records[at : at + len(records)] == list(records):
            return
        require_end(response, at, len(found.records), closed=found.closed)
        found.records += map(bytes, records)
        if found.closed:
            found.leased = False
        found.waiters.wake()

    async def read(
        self, response: str, after: int = 0, *, follow: bool = True
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Yield each record behind position `after`: see `Journal`."""
        found = self._found(response)
        if not 0 <= after <= len(found.records):
            raise JournalError(
                f"expected a position from 0 to {len(found.records)} in response {response!r}, "
                f"got {after}"
            )
        position = after
        while True:
            while position < len(found.records):
                position += 1
                yield position, found.records[position - 1]
            if not follow or found.closed:
                return
            if found.forgotten:
                raise JournalError(f"response {response!r} was forgotten")
            await found.waiters.wait(_LOOK_AGAIN)

    async def find(self, *, thread: str | None = None, orphaned: bool = False) -> list[Header]:
        """Return the responses that are not closed: see `Journal`."""
        open_ones = [
            found.header
            for found in self._responses.values()
            if not found.closed
            and thread in (None, found.header.thread)
            and not (orphaned and found.leased)
        ]
        return sorted(open_ones, key=lambda header: header.started)

    async def claim(self, response: str) -> bool:
        """Take the lease of an orphaned response: see `Journal`."""
        found = self._found(response)
        if found.leased or found.closed:
            return False
        found.leased = True
        return True

    async def release(self, response: str) -> None:
        """Give a lease back: the response is orphaned, unless it is closed."""
        if response in self._responses:
            self._responses[response].leased = False

    async def alive(self, responses: Collection[str]) -> Collection[str]:
        """Return those that were asked to stop: see `Journal`."""
        await anyio.lowlevel.checkpoint()
        known = self._responses
        return {name for name in responses if name in known and known[name].stopping}

    async def stop(self, response: str) -> None:
        """Ask the writer of a response to stop: see `Journal`."""
        self._found(response).stopping = True

    async def recall(self, response: str) -> None:
        """Say that a client of a response has come back: see `Recalling`."""
        self._found(response).recalled = True

    async def recalled(self, responses: Collection[str]) -> Collection[str]:
        """Return those of which that was said since the last call: see `Recalling`."""
        await anyio.lowlevel.checkpoint()
        known = self._responses
        found = {name for name in responses if name in known and known[name].recalled}
        for name in found:
            known[name].recalled = False
        return found

    async def forget(
        self, *, thread: str | None = None, closed_before: datetime | None = None
    ) -> int:
        """Delete responses: see `Journal`."""
        going = [
            name
            for name, found in self._responses.items()
            if thread in (None, found.header.thread)
            and (closed_before is None or _closed_before(found, closed_before))
            and not (thread is None and closed_before is None)
        ]
        for name in going:
            found = self._responses.pop(name)
            found.forgotten = True
            found.waiters.wake()
        return len(going)

    async def aclose(self) -> None:
        """Give back all leases."""
        for found in self._responses.values():
            found.leased = False


def _closed_before(found: _Response, moment: datetime) -> bool:
    closed = time_of(found.records[-1]) if found.closed else None
    return closed is not None and closed < moment
