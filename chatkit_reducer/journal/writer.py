"""`JournalWriter`: a stream's way to its journal, which never harms the stream.

    writing ──▶ settled ──▶ closed
       │ │
       │ └──▶ taken over    another writer was faster: it settles, and this one commits nothing
       └────▶ failed        the journal cannot be written: the answer goes on without it

Two rules:

1. No method raises for a fault of the journal. The first one leaves a log record, and no event is
   written from then on: a journal with a hole would be worse than one that ends.
2. A failed journal must not be recovered when the answer has reached the store after all. So
   `closed` marks it as abandoned, if it can be written again by then. If not, the response is
   deleted where the journal can do that: its readers would wait for an end that never comes.

A write that is cancelled may have happened. It is done once more before the next one, which changes
nothing if it has: else the next one would find its place taken, as if by another writer.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import count

from chatkit_reducer.core.codec import encode
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.events import Event, Json, UnknownEvent
from chatkit_reducer.journal.leases import discard, release
from chatkit_reducer.journal.protocol import Conflict, Header, Journal
from chatkit_reducer.journal.reading import records_of
from chatkit_reducer.journal.records import (
    base_record,
    closed_record,
    event_record,
    is_closing,
    is_own,
    left_record,
    returned_record,
    settled_record,
)

__all__ = ["JournalWriter"]

logger: logging.Logger = logging.getLogger("chatkit_reducer.journal")


class JournalWriter:
    """Writes one response to a journal.

    Args:
        journal: where it is written.
        response: its id, unique for all time; a uuid4 if left out.
        thread: the id of its thread.
        meta: JSON of the application, to rebuild the context of the request at a recovery.
    """

    def __init__(
        self,
        journal: Journal,
        response: str | None = None,
        *,
        thread: str,
        meta: Json | None = None,
    ) -> None:
        self.journal = journal
        self.response: str = response or str(uuid.uuid4())
        self.thread = thread
        self.meta: Json = meta or {}
        self.position: int = 0
        """How many records are written."""
        self.began: bool = False
        self.taken_over: bool = False
        """Whether another writer has the response: this one must stop, and commit nothing."""
        self.failed: bool = False
        """Whether the journal failed, so that the answer goes on without it."""
        self._is_settled = False
        self._is_closed = False
        self._unsure: list[bytes] = []
        """The records of a write that was cut off."""

    @property
    def is_writing(self) -> bool:
        """Whether events are written."""
        return self.began and not (self.failed or self.taken_over or self._is_closed)

    async def begin(self, base: Iterable[Json] = ()) -> None:
        """Begin the response, with the items that the store has and the stream may update."""
        now = datetime.now(UTC)
        header = Header(response=self.response, thread=self.thread, started=now, meta=self.meta)
        self.began = True
        try:
            await self.journal.begin(header)
        except Exception as error:  # noqa: BLE001  # the journal must not break the answer
            self._give_up(error)
        await self.base(base)

    async def base(self, items: Iterable[Json]) -> None:
        """Write items that the store has, before the first event that updates them."""
        items = list(items)
        if items and self.is_writing:
            await self._write(lambda: list(map(base_record, count(self.position + 1), items)))

    async def append(self, event: Event, encoded: bytes | None = None) -> None:
        """Write an event, before it is stored and sent.

        Args:
            event: the event.
            encoded: its JSON, if the caller has it.
        """
        if self._unsure:
            await self._repeat()
        if not self.is_writing or (type(event) is UnknownEvent and is_own(event)):
            return
        at = self.position
        if encoded is None:
            encoded = self._encoded(event)
            if encoded is None:
                return
        records = [event_record(at + 1, encoded)]
        try:  # as `_write`, which costs a third of this
            await self.journal.append(self.response, at, records)
        except Exception as error:  # noqa: BLE001  # the journal must not break the answer
            self._give_up(error)
        except BaseException:
            self._unsure = records
            raise
        else:
            self.position = at + 1

    async def left(self, grace: float) -> None:
        """Write that the client has left: the events from now on are held back from the store.

        Args:
            grace: how long it may take to come back, in seconds.
        """
        await self._repeat()
        if self.is_writing:
            await self._write(lambda: [left_record(self.position + 1, grace)])

    async def returned(self) -> None:
        """Write that a client has come back: the events that were held back count."""
        await self._repeat()
        if self.is_writing:
            await self._write(lambda: [returned_record(self.position + 1)])

    async def settled(self, settlement: Settlement) -> bool:
        """Write a settlement, before it is committed; return whether to commit it.

        It is not committed where another writer has taken the response over. It is written once,
        however often this is called.
        """
        await self._repeat()
        if self.is_writing and not self._is_settled:
            self._is_settled = True
            await self._write(lambda: [settled_record(self.position + 1, settlement)])
        return not self.taken_over

    async def closed(self) -> None:
        """End the response: all is stored."""
        if self._is_closed:
            return
        is_written = bool(self._unsure) and is_closing(self._unsure[-1])
        await self._repeat()
        if self.is_writing and not is_written:
            await self._write(lambda: [closed_record(self.position + 1)])
        if self.failed and self.began:
            await self._abandon()
        self._is_closed = True

    async def release(self) -> None:
        """Give the lease back without an end, so that a recovery finds the response."""
        if self.began:
            await release(self.journal, self.response)

    def _encoded(self, event: Event) -> bytes | None:
        """Encode an event; None where it has no JSON, and then no fold can read it either."""
        try:
            return encode(event)
        except Exception as error:  # noqa: BLE001  # its insides are of a wrong type
            logger.warning(
                "An event of type %s of response %s is not JSON, and is not in the journal: %s",
                type(event).__name__,
                self.response,
                type(error).__name__,
            )
            return None

    async def _write(self, make: Callable[[], list[bytes]]) -> None:
        try:
            self._unsure = records = make()
            await self.journal.append(self.response, self.position, records)
        except Exception as error:  # noqa: BLE001  # the journal must not break the answer
            self._unsure = []
            self._give_up(error)
        else:
            self._unsure = []
            self.position += len(records)

    async def _repeat(self) -> None:
        """Do a write again that was cut off."""
        if self._unsure:
            records = self._unsure
            await self._write(lambda: records)

    def _give_up(self, error: Exception) -> None:
        if isinstance(error, Conflict):
            self._hand_over(error)
        else:
            self.fail(error)

    def _hand_over(self, error: Conflict) -> None:
        self.taken_over = True
        logger.warning(
            "Response %s of thread %s is taken over by another writer, which settles it. This one "
            "stops, and commits nothing: %s",
            self.response,
            self.thread,
            error,
        )

    def fail(self, error: BaseException) -> None:
        """Go on without the journal, because of this error; log that."""
        self.failed = True
        self._unsure = []
        logger.error(
            "The journal of response %s of thread %s failed behind record %d. The answer goes on, "
            "and what comes from now on would be lost if this process died: %s: %s",
            self.response,
            self.thread,
            self.position,
            type(error).__name__,
            error,
        )

    async def _abandon(self) -> None:
        """End a response whose journal failed. The store has it all, so it must not be settled."""
        try:
            # A failed append may be written, and with a lag an earlier one may be lost: so count.
            at = len(await records_of(self.journal, self.response, 0))
            record = closed_record(at + 1, abandoned=True)
            await self.journal.append(self.response, at, [record])
        except Exception as error:  # noqa: BLE001  # it was said that it failed
            logger.debug("Response %s is not marked as abandoned: %s", self.response, error)
            await self._discard()

    async def _discard(self) -> None:
        try:
            await discard(self.journal, self.response)
        except Exception as error:  # noqa: BLE001  # the store has it all the same
            logger.debug("Response %s is not deleted either: %s", self.response, error)
