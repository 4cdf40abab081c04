"""`JournalWriter`: a journal that fails, or that another writer has, never breaks the stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from chatkit_reducer import fold, policies, settle
from chatkit_reducer.events import Event, ProgressUpdate, ThreadItemDone, UnknownEvent
from chatkit_reducer.journal import Header, JournalError, JournalWriter, MemoryJournal
from chatkit_reducer.journal.records import (
    closed_record,
    decode_records,
    event_record,
    is_closing,
    recovered,
)
from chatkit_reducer.testing.examples import added, done, message, part, part_added, text_delta

EVENTS: list[Event] = [
    added(message("m")),
    part_added("m", part("")),
    text_delta("m", "The moon"),
    done(message("m", "The moon is far.")),
    text_delta("n", "x"),
]
SETTLEMENT = settle(fold(EVENTS), policy=policies.KEEP, cause="cancelled")


class Failing(MemoryJournal):
    """It raises at its n-th call, before or after it has done its work."""

    def __init__(self, error: Exception, at: int, *, done: bool, again: bool) -> None:
        super().__init__()
        self._error = error
        self._at = at
        self._done = done
        self._again = again
        self.calls = 0
        self.failed_calls = 0

    def _is_due(self) -> bool:
        self.calls += 1
        due = self.calls == self._at or (self._again and self.calls > self._at)
        self.failed_calls += due
        return due

    async def begin(self, header: Header) -> None:
        due = self._is_due()
        if not due or self._done:
            await super().begin(header)
        if due:
            raise self._error

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        due = self._is_due()
        if not due or self._done:
            await super().append(response, at, records)
        if due:
            raise self._error


async def streamed(journal: MemoryJournal) -> tuple[JournalWriter, list[Event]]:
    """Stream the events to a client; return the writer and what the client got."""
    writer = JournalWriter(journal, "r", thread="t")
    await writer.begin([message("old")])
    client = []
    for event in EVENTS:
        await writer.append(event)
        client.append(event)
    await writer.settled(SETTLEMENT)
    await writer.closed()
    return writer, client


CALLS = len(EVENTS) + 4
"""To begin, the item of the store, the events, to settle and to close."""


@pytest.mark.parametrize("error", [JournalError("the disk is full"), ValueError("a bug")])
@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("at", range(1, CALLS + 1))
def test_a_broken_journal_changes_nothing(
    caplog: pytest.LogCaptureFixture, error: Exception, at: int, done: bool, again: bool
) -> None:
    """Law 9, at the writer: for a journal that raises at its k-th call, for every k."""
    journal = Failing(error, at, done=done, again=again)
    writer, client = asyncio.run(streamed(journal))
    assert client == EVENTS
    assert writer.failed
    assert not writer.taken_over
    [record] = caplog.records
    assert "The answer goes on" in record.getMessage()
    assert str(error) in record.getMessage()
    assert journal.calls <= at + 1  # that it was given up is all that is written after it

    async def look() -> None:
        if again or (at == 1 and not done):
            return
        found = recovered([line async for _, line in journal.read("r", follow=False)])
        assert found.closed  # so that nothing is recovered: the store has it all
        events = [text for text in found.state.items if text != "old"]
        assert set(events) <= {"m"}

    asyncio.run(look())


def test_it_is_told_that_another_writer_has_the_response(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body() -> None:
        journal = MemoryJournal()
        writer = JournalWriter(journal, "r", thread="t")
        await writer.begin()
        await writer.append(EVENTS[0])
        await journal.append("r", 1, [closed_record(2)])
        await writer.append(EVENTS[1])
        assert writer.taken_over
        assert not writer.failed
        assert not await writer.settled(SETTLEMENT)
        await writer.closed()
        assert [position async for position, _ in journal.read("r")] == [1, 2]

    caplog.set_level(logging.WARNING)
    asyncio.run(body())
    [record] = caplog.records
    assert "is taken over by another writer" in record.getMessage()


def test_a_response_that_there_is_is_not_written_to() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        for taken_over in (False, True):
            writer = JournalWriter(journal, "r", thread="t")
            await writer.begin([message("old")])
            assert writer.taken_over == taken_over

    asyncio.run(body())


def test_it_settles_before_the_commit() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        writer = JournalWriter(journal, thread="t", meta={"user": "u"})
        assert len(writer.response) == 36
        await writer.begin()
        assert await writer.settled(SETTLEMENT)
        await writer.release()
        [header] = await journal.find(thread="t", orphaned=True)
        assert header.meta == {"user": "u"}
        await writer.append(EVENTS[0])
        assert writer.position == 2

    asyncio.run(body())


def test_the_events_of_the_journal_are_its_own(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        journal = MemoryJournal()
        writer = JournalWriter(journal, "r", thread="t")
        await writer.append(EVENTS[0])  # before it begins
        await writer.begin()
        await writer.append(UnknownEvent({"type": "journal.closed"}))
        wrong: Any = ThreadItemDone({"id": "m", "value": {1, 2}})
        await writer.append(wrong)
        await writer.append(ProgressUpdate("x"), b'{"type":"progress_update","text":"encoded"}')
        assert writer.position == 1
        assert writer.is_writing
        [entry] = decode_records([line async for _, line in journal.read("r", follow=False)])
        assert entry.event == ProgressUpdate("encoded")
        await writer.release()

    asyncio.run(body())
    [record] = caplog.records
    assert "An event of type ThreadItemDone of response r is not JSON" in record.getMessage()


@pytest.mark.parametrize(
    "event",
    [
        b'{"type":"x","event":{"type":"journal.closed"}}',
        b'{"type":"x","text":"\\"event\\":{\\"type\\":\\"journal.closed\\"}"}',
        b'{"type":"journal.closed.not"}',
        b'{"type":"journal.settled"}',
    ],
)
def test_what_quotes_the_end_is_not_the_end(event: bytes) -> None:
    assert not is_closing(event_record(1, event))
    assert is_closing(closed_record(1))
    assert is_closing(closed_record(10**15, abandoned=True))
    assert is_closing(closed_record(10**15, reason="thread_not_found"))
    assert not is_closing(b'{"event":{"type":"journal.closed"')


def test_a_lease_that_cannot_be_given_back_is_told(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(MemoryJournal):
        async def release(self, response: str) -> None:
            raise JournalError("gone")

    class Plain(MemoryJournal):
        release = None  # type: ignore[assignment]  # as a journal that has none

    async def body() -> None:
        for journal in (Stuck(), Plain()):
            writer = JournalWriter(journal, "r", thread="t")
            await writer.begin()
            await writer.release()

    caplog.set_level(logging.WARNING)
    asyncio.run(body())
    assert [record.getMessage() for record in caplog.records] == [
        "The lease of response r was not given back: gone"
    ]


def test_reading_that_fails_is_no_matter(caplog: pytest.LogCaptureFixture) -> None:
    class Unreadable(Failing):
        async def read(
            self, response: str, after: int = 0, *, follow: bool = True
        ) -> AsyncIterator[tuple[int, bytes]]:
            async for found in super().read(response, 10**9, follow=follow):
                yield found  # never: it raises

    journal = Unreadable(JournalError("full"), 3, done=False, again=True)
    writer, client = asyncio.run(streamed(journal))
    assert client == EVENTS
    assert writer.failed
    assert len(caplog.records) == 1
