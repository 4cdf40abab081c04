"""`check_journal` finds journals that misbehave, and says nothing of sound ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from chatkit_reducer.journal import Conflict, FileJournal, Header, JournalError, MemoryJournal
from chatkit_reducer.testing.checks import check_journal


def test_journals_of_this_package_are_sound(tmp_path: Path) -> None:
    journal = MemoryJournal()
    check_journal(lambda: journal)
    check_journal(lambda: FileJournal(tmp_path / "answers"))
    check_journal(lambda: FileJournal(tmp_path / "answers", sync="power"), schedules=3)


def test_it_takes_context_managers_and_coroutines(tmp_path: Path) -> None:
    left: list[str] = []

    @asynccontextmanager
    async def opened() -> AsyncIterator[FileJournal]:
        yield FileJournal(tmp_path)
        left.append("left")

    async def made() -> FileJournal:
        return FileJournal(tmp_path)

    check_journal(opened, schedules=1)
    assert left == ["left"] * 3
    check_journal(made, schedules=1)


def test_misuse_is_refused() -> None:
    nothing: Any = MemoryJournal()
    with pytest.raises(TypeError, match="expected a function that opens the journal"):
        check_journal(nothing)
    with pytest.raises(TypeError, match="expected make_journal to return a journal, got int"):
        check_journal(lambda: 5)


# --- journals that misbehave ---------------------------------------------------------------------


class Gapped(MemoryJournal):
    """A key alone, which takes any position that is free."""

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        end = len(self._responses[response].records)
        await super().append(response, min(at, end), records)


class Overwriting(MemoryJournal):
    """The last writer wins."""

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        del self._responses[response].records[at:]
        await super().append(response, at, records)


class Racing(MemoryJournal):
    """It looks at the end, waits, and writes."""

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        if at != len(self._responses[response].records):
            await super().append(response, at, records)
            return
        await asyncio.sleep(0)
        await super().append(response, len(self._responses[response].records), records)


class Jealous(MemoryJournal):
    """It does not know its own records again."""

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        if at != len(self._responses[response].records):
            raise Conflict("taken")
        await super().append(response, at, records)


class Lazy(MemoryJournal):
    """It writes a little later than it says."""

    def __init__(self) -> None:
        super().__init__()
        self._tasks: set[asyncio.Task[None]] = set()

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        before = list(self._responses[response].records)
        await super().append(response, at, records)
        added = self._responses[response].records[len(before) :]
        del self._responses[response].records[len(before) :]

        async def later() -> None:
            await asyncio.sleep(0.01)
            self._responses[response].records += added

        self._tasks.add(asyncio.create_task(later()))


class Impatient(MemoryJournal):
    """A reader ends at the end, whether it was to follow or not."""

    async def read(
        self, response: str, after: int = 0, *, follow: bool = True
    ) -> AsyncIterator[tuple[int, bytes]]:
        async for found in super().read(response, after, follow=False):
            yield found


class Repeating(MemoryJournal):
    """A reader gets the record at its position once more."""

    async def read(
        self, response: str, after: int = 0, *, follow: bool = True
    ) -> AsyncIterator[tuple[int, bytes]]:
        async for found in super().read(response, max(0, after - 1), follow=follow):
            yield found


class Skipping(MemoryJournal):
    """A position that is beyond the end is taken for the end."""

    async def read(
        self, response: str, after: int = 0, *, follow: bool = True
    ) -> AsyncIterator[tuple[int, bytes]]:
        if response in self._responses:
            after = min(after, len(self._responses[response].records))
        async for found in super().read(response, after, follow=follow):
            yield found


class Deaf(MemoryJournal):
    """A request to stop goes nowhere."""

    async def stop(self, response: str) -> None:
        pass


class Unmoved(MemoryJournal):
    """A client that is back is not noticed."""

    async def recall(self, response: str) -> None:
        pass


class Insistent(MemoryJournal):
    """A client that is back is told again and again."""

    async def recalled(self, responses: Collection[str]) -> Collection[str]:
        found = await super().recalled(responses)
        for response in found:
            await self.recall(response)
        return found


class Remembering(MemoryJournal):
    """What was to be forgotten is there."""

    async def forget(
        self, *, thread: str | None = None, closed_before: datetime | None = None
    ) -> int:
        return 0


class Reopened(MemoryJournal):
    """The end of a response is a record like others."""

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        found = self._responses[response]
        if found.closed and at == len(found.records):
            found.records += records
        else:
            await super().append(response, at, records)


class Twice(MemoryJournal):
    """A response can begin again."""

    async def begin(self, header: Header) -> None:
        with suppress(Conflict):
            await super().begin(header)


class Abandoned(MemoryJournal):
    """Every open response is an orphan."""

    async def claim(self, response: str) -> bool:
        return True

    async def find(self, *, thread: str | None = None, orphaned: bool = False) -> list[Header]:
        return await super().find(thread=thread)


class Raising(MemoryJournal):
    """It lets the errors of its library through."""

    async def alive(self, responses: Collection[str]) -> Collection[str]:
        raise ConnectionResetError("the server is gone")


class Prefixed(MemoryJournal):
    """It waits for its server for ever."""

    async def find(self, *, thread: str | None = None, orphaned: bool = False) -> list[Header]:
        await asyncio.sleep(3600)
        return []


FOUND: dict[Callable[[], MemoryJournal], str] = {
    Gapped: "2. Gapless: the journal breaks its contract.",
    Overwriting: "1. Position: ",
    Racing: "1. Position: ",
    Jealous: "3. Idempotent: ",
    Lazy: "1. Position: ",
    Impatient: "5. Reading: the journal breaks its contract.\n\nA reader with follow=True ended",
    Repeating: "5. Reading: ",
    Skipping: "5. Reading: the journal breaks its contract.\n\nread(after=2) of a response",
    Deaf: "Stopping: ",
    Unmoved: "Recalling: ",
    Insistent: "Recalling: ",
    Remembering: "Forgetting: ",
    Reopened: "Closing: ",
    Twice: "Beginning: ",
    Abandoned: "Leases: ",
    Raising: "Errors: the journal breaks its contract.\n\nalive raised ConnectionResetError: the",
    Prefixed: "Time: the journal breaks its contract.\n\nfind took longer than 0.3 seconds.",
}


@pytest.mark.parametrize("make", FOUND, ids=lambda make: make.__name__)
def test_a_journal_that_misbehaves_is_found(make: Callable[[], MemoryJournal]) -> None:
    journal = make()
    with pytest.raises(AssertionError) as caught:
        check_journal(lambda: journal, patience=0.3)
    assert str(caught.value).startswith(FOUND[make])
    assert "\n-> " in str(caught.value)


def test_a_conflict_is_an_error_of_the_journal() -> None:
    assert issubclass(Conflict, JournalError)
    assert issubclass(JournalError, OSError)
