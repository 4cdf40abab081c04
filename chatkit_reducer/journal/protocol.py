"""The protocol of a journal: for each response a list of records that only grows at its end.

One operation carries all the guarantees: `append(response, at, records)` writes the records
`at + 1`, `at + 2`, ... if exactly `at` is the end. A second writer finds that its position was
taken, and is fenced off by that; the same append again, after an answer that was lost, finds its
own records and succeeds. Leases only say who should try: a wrong one costs a second attempt, never
a second record.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

import attrs

from chatkit_reducer.core.errors import ChatKitReducerError
from chatkit_reducer.events import Json

__all__ = ["FORMAT", "Conflict", "Header", "Journal", "JournalError"]

FORMAT = 1
"""The version of the records that this release writes. A journal of a newer one is left alone."""


class JournalError(ChatKitReducerError, OSError):
    """A journal cannot be read or written. The stream goes on without it."""


class Conflict(JournalError):  # noqa: N818  # the word of the field
    """Another writer was faster: the position is taken, or it is not the end of the response."""


@attrs.frozen(kw_only=True)
class Header:
    """The facts of a response that a journal has before its first record."""

    response: str
    """The id of the response; unique for all time, such as a uuid4."""
    thread: str
    started: datetime
    """When the response began, with a time zone."""
    meta: Json = attrs.field(factory=dict)
    """JSON of the application, to rebuild the context of the request at a recovery."""
    format: int = FORMAT
    protocol: str = "openai-chatkit/1.6.5"


@runtime_checkable
class Journal(Protocol):
    """Where the records of responses are kept. All methods may raise `JournalError`.

    A record is one line of the log format of this package, as bytes without its line break. Records
    are counted from 1; position 0 is the beginning of a response that has none.
    """

    async def begin(self, header: Header) -> None:
        """Begin a response, and hold its lease.

        Raises:
            Conflict: there is a response with this id.
        """
        ...

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        """Write records behind position `at`, durable to the level of the backend on return.

        The same records again at the same place change nothing. The record of type `journal.closed`
        ends the response: nothing can be appended behind it.

        Raises:
            Conflict: `at` is not the end, or other records stand there.
        """
        ...

    def read(
        self, response: str, after: int = 0, *, follow: bool = True
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Yield each record behind position `after`, with its position, in order, once.

        With `follow` it waits for records to come, and ends behind the closing record. Without, it
        ends at the end.

        Raises:
            JournalError: the response is not there, or `after` is beyond its end or was trimmed.
        """
        ...

    async def find(self, *, thread: str | None = None, orphaned: bool = False) -> list[Header]:
        """Return the responses that are not closed, the oldest first.

        Args:
            thread: those of this thread alone.
            orphaned: those alone whose writer holds no lease any more.
        """
        ...

    async def claim(self, response: str) -> bool:
        """Take the lease of an orphaned response; return whether this call got it."""
        ...

    async def alive(self, responses: Collection[str]) -> Collection[str]:
        """Renew the leases of responses; return those that were asked to stop."""
        ...

    async def stop(self, response: str) -> None:
        """Ask the writer of a response to stop, in any process."""
        ...

    async def forget(
        self, *, thread: str | None = None, closed_before: datetime | None = None
    ) -> int:
        """Delete responses: all of a thread, or those that were closed before; return how many."""
        ...

    async def aclose(self) -> None:
        """Give back leases, files and connections."""
        ...
