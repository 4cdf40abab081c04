"""`FileJournal`: a file for each response, for the processes of one machine.

A file is a log of this package: its first line is the header, each other line a record. A writer
holds the file's `flock` from beginning to end. The kernel gives that back when the process dies, at
once and without a clock. So the lock of an open response is free only if that is an orphan, and its
holder is the only writer, so that to write at the end is one `write`.

* A process that is killed in the middle of a `write` leaves half a line. Readers stop before it,
  and a claim of the response cuts it off.
* A forked child shares the lock of its parent, and would keep it beyond the parent's death. So
  it closes the files that it inherits (`os.register_at_fork`).
* A request to stop is an empty file beside the other, as is the note that a client is back.
"""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

import anyio.lowlevel
import anyio.to_thread
import attrs

from chatkit_reducer.journal.checks import require_end, require_header, require_records
from chatkit_reducer.journal.directory import ResponseFiles, last_line_of, name_of, remove
from chatkit_reducer.journal.lines import Scan, lines_from, scan
from chatkit_reducer.journal.locks import HAS_LOCKS, lock, try_lock
from chatkit_reducer.journal.protocol import Conflict, Header, JournalError
from chatkit_reducer.journal.records import (
    header_line,
    header_of,
    is_closing,
    require_known_format,
)
from chatkit_reducer.journal.waiting import Waiters

__all__ = ["FileJournal", "Sync"]

Sync: TypeAlias = Literal["process", "settle", "power"]

_SYNCS = ("process", "settle", "power")
_LOOK_AGAIN = 0.02
_AT_ONCE = 1024
"""How many records a reader takes before it lets other tasks run."""
_DELTAS = (b'"event":{"type":"thread.item.updated"', b'"event":{"type":"progress_update"')
_sync_data = getattr(os, "fdatasync", os.fsync)

_journals: weakref.WeakSet[FileJournal] = weakref.WeakSet()


@attrs.define(eq=False)
class _Held:
    """A response whose lock this process holds."""

    name: str
    descriptor: int
    count: int
    size: int
    """Where the next record begins, in bytes."""
    closed: bool = False
    is_damaged: bool = False
    """Whether half a record stands at the end, and could not be cut off."""


class FileJournal:
    """A journal in a directory on a local disk; any number of processes of one machine share it.

    Each file is a log: `chatkit-reducer replay`, `check` and `sweep` read it as it stands.

    Args:
        directory: where the files are; made when it is first needed, for this user alone. Not on a
            network file system, which need not know `flock`.
        sync: the accident that an event survives once its `append` has returned. `"process"`: the
            death of the process. `"settle"`: that of the machine, too, for all but the newest
            deltas, because the disk is waited for at each other event. `"power"`: that of the
            machine.

    Raises:
        JournalError: this platform has no `flock`.
        ValueError: `sync` is none of the three.
    """

    def __init__(self, directory: str | os.PathLike[str], *, sync: Sync = "process") -> None:
        if not HAS_LOCKS:
            raise JournalError(
                "expected a platform with fcntl.flock for a FileJournal, and this one has none: "
                "use MemoryJournal, PostgresJournal or RedisJournal"
            )
        if sync not in _SYNCS:
            raise ValueError(f"expected sync to be one of {', '.join(_SYNCS)}, got {sync!r}")
        self._directory = Path(directory)
        self._sync = sync
        self._held: dict[str, _Held] = {}
        self._waiters: dict[str, Waiters] = {}
        self._files = ResponseFiles(self._directory)
        _journals.add(self)

    def __repr__(self) -> str:
        return f"FileJournal({str(self._directory)!r}, sync={self._sync!r})"

    def __del__(self) -> None:
        for response in list(getattr(self, "_held", ())):
            self._let_go(response)

    # --- the protocol ---------------------------------------------------------------------------

    async def begin(self, header: Header) -> None:
        """Begin a response, and hold its lease: see `Journal`."""
        require_header(header)
        name = name_of(header.response)
        line = header_line(header) + b"\n"
        with self._told(f"response {header.response!r} cannot begin"):
            descriptor = self._create(header.response, name)
            try:
                lock(descriptor)
                _write_all(descriptor, line, 0)
            except BaseException:
                os.close(descriptor)
                with suppress(OSError):
                    (self._directory / name).unlink()
                raise
        held = _Held(name, descriptor, 0, len(line))
        self._held[header.response] = held
        self._files.note(name, header)
        if self._sync != "process":
            await self._wait_for_disk(held)
            await anyio.to_thread.run_sync(self._sync_directory)

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        """Write records behind position `at`: see `Journal`.

        While another process holds the lease, it alone can write.
        """
        held = self._held.get(response)
        if held is None:
            await self._append_once(response, at, records)
            return
        if held.count != at or held.closed or held.is_damaged:
            self._refuse_or_repeat(response, held, at, records)
            return
        if not records:
            return
        if len(records) != 1 or b"\n" in records[0]:
            require_records(records)
        data = b"%b\n" % b"\n".join(records)
        try:
            _write_all(held.descriptor, data, held.size)
        except OSError as error:
            held.is_damaged = not _cut(held.descriptor, held.size)
            raise JournalError(
                f"response {response!r} cannot be written to {self._directory}: {error}"
            ) from error
        held.count = at + len(records)
        held.size += len(data)
        if response in self._waiters:
            self._waiters[response].wake()
        is_end = is_closing(records[-1])
        if is_end or self._sync != "process":
            await self._finish(response, held, records, is_end=is_end)

    async def _finish(
        self, response: str, held: _Held, records: Sequence[bytes], *, is_end: bool
    ) -> None:
        """Wait for the disk if that is asked for; give the lease back behind the last record."""
        held.closed = is_end
        try:
            if self._sync != "process" and not self._may_be_lost(records):
                await self._wait_for_disk(held)
        finally:
            if is_end:
                self._let_go(response)
                self._files.remove_requests(held.name)

    async def read(
        self, response: str, after: int = 0, *, follow: bool = True
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Yield each record behind position `after`: see `Journal`.

        It reads from a descriptor of its own, always from the end of a whole line, so that half a
        line that is cut off meanwhile was never read.
        """
        with self._told(f"response {response!r} cannot be read"):
            descriptor = os.open(self._files.path(response), os.O_RDONLY | os.O_CLOEXEC)
        try:
            end, position, closed = self._skipped(response, descriptor, after)
            while not closed:
                for line, behind in lines_from(descriptor, end):
                    end = behind
                    position += 1
                    closed = is_closing(line)
                    yield position, line
                    if not position % _AT_ONCE:
                        await anyio.lowlevel.checkpoint()
                if closed or not follow:
                    return
                if os.fstat(descriptor).st_nlink == 0:
                    raise JournalError(f"response {response!r} was forgotten")
                await self._waiters.setdefault(response, Waiters()).wait(_LOOK_AGAIN)
        finally:
            os.close(descriptor)
            if not self._waiters.get(response, True):
                del self._waiters[response]

    async def find(self, *, thread: str | None = None, orphaned: bool = False) -> list[Header]:
        """Return the responses that are not closed: see `Journal`."""
        found = await anyio.to_thread.run_sync(self._files.open_ones, thread)
        headers = [
            header
            for name, header in found
            if not (orphaned and (header.response in self._held or self._files.is_leased(name)))
        ]
        return sorted(headers, key=lambda header: header.started)

    async def claim(self, response: str) -> bool:
        """Take the lease of an orphaned response, and cut off half a record at its end."""
        if response in self._held:
            return False
        with self._told(f"response {response!r} cannot be claimed"):
            held = self._locked(response)
        if held is None:
            return False
        if held.closed:
            os.close(held.descriptor)
            return False
        self._held[response] = held
        return True

    async def release(self, response: str) -> None:
        """Give a lease back: the response is orphaned, unless it is closed."""
        self._let_go(response)

    async def discard(self, response: str) -> None:
        """Delete a response whose lease is held here: see `Discarding`. A full disk allows that."""
        held = self._held.get(response)
        if held is None:
            return
        try:
            with self._told(f"response {response!r} cannot be deleted"):
                self._files.remove(held.name)
        finally:
            self._let_go(response)
        if response in self._waiters:
            self._waiters[response].wake()

    async def alive(self, responses: Collection[str]) -> Collection[str]:
        """Return those that were asked to stop; the leases of files need no renewal.

        One whose file was deleted is let go, so that its next `append` fails: the system itself
        would take writes to such a file for ever.
        """
        await anyio.lowlevel.checkpoint()
        for response in responses:
            held = self._held.get(response)
            if held is not None and os.fstat(held.descriptor).st_nlink == 0:
                self._let_go(response)
        return {
            response for response in responses if self._files.stop_path(name_of(response)).exists()
        }

    async def stop(self, response: str) -> None:
        """Ask the writer of a response to stop, in any process."""
        with self._told(f"response {response!r} cannot be asked to stop"):
            self._touch(response, self._files.stop_path)

    async def recall(self, response: str) -> None:
        """Say that a client of a response has come back: see `Recalling`."""
        with self._told(f"response {response!r} cannot be recalled"):
            self._touch(response, self._files.back_path)

    async def recalled(self, responses: Collection[str]) -> Collection[str]:
        """Return those of which that was said since the last call: see `Recalling`."""
        await anyio.lowlevel.checkpoint()
        return {one for one in responses if remove(self._files.back_path(name_of(one)))}

    def _touch(self, response: str, path_of: Callable[[str], Path]) -> None:
        """Make an empty file beside that of a response, unless it is closed."""
        path = self._files.path(response)
        if not is_closing(last_line_of(path)):
            os.close(os.open(path_of(path.name), os.O_CREAT | os.O_WRONLY, 0o600))

    async def forget(
        self, *, thread: str | None = None, closed_before: datetime | None = None
    ) -> int:
        """Delete responses: see `Journal`. A writer of one goes on, and writes to no place."""
        if thread is None and closed_before is None:
            return 0
        going = await anyio.to_thread.run_sync(self._files.forgettable, thread, closed_before)
        for name, response in going:
            self._let_go(response)
            with self._told(f"response {response!r} cannot be deleted"):
                self._files.remove(name)
            if response in self._waiters:
                self._waiters[response].wake()
        return len(going)

    async def aclose(self) -> None:
        """Give back all leases."""
        for response in list(self._held):
            self._let_go(response)

    # --- files ----------------------------------------------------------------------------------

    @contextmanager
    def _told(self, problem: str) -> Iterator[None]:
        """Make a `JournalError` of an error of the system."""
        try:
            yield
        except JournalError:
            raise
        except FileNotFoundError as error:
            raise JournalError(f"{problem}: it is not in {self._directory}") from error
        except OSError as error:
            raise JournalError(f"{problem} in {self._directory}: {error}") from error

    def _create(self, response: str, name: str) -> int:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
        try:
            return os.open(self._directory / name, flags, 0o600)
        except FileExistsError:
            raise Conflict(f"there is a response {response!r} in {self._directory}") from None

    def _locked(self, response: str) -> _Held | None:
        """Lock the file of a response, without half a record; None where another has the lock."""
        path = self._files.path(response)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if not try_lock(descriptor):
                os.close(descriptor)
                return None
            found = _without_half(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        closed = found.count > 1 and is_closing(found.last)
        return _Held(path.name, descriptor, found.count - 1, found.size, closed)

    def _let_go(self, response: str) -> None:
        held = self._held.pop(response, None)
        if held is not None:
            with suppress(OSError):
                os.close(held.descriptor)

    def _leave_to_parent(self) -> None:
        """Close the files that a forked child inherits. The locks stay with the parent."""
        for response in list(self._held):
            self._let_go(response)
        self._waiters.clear()

    # --- writing --------------------------------------------------------------------------------

    async def _append_once(self, response: str, at: int, records: Sequence[bytes]) -> None:
        """Append to a response whose lease this process does not hold."""
        if not await self.claim(response):
            with self._told(f"response {response!r} cannot be read"):
                if self._is_there(response, at, records):
                    return
            raise Conflict(
                f"response {response!r} is closed, or another writer holds it: nothing was written"
            )
        try:
            await self.append(response, at, records)
        finally:
            self._let_go(response)

    def _refuse_or_repeat(
        self, response: str, held: _Held, at: int, records: Sequence[bytes]
    ) -> None:
        with self._told(f"response {response!r} cannot be read"):
            if self._is_there(response, at, records):
                return
        require_end(response, at, held.count, closed=held.closed)
        raise JournalError(
            f"response {response!r} has half a record at its end, which cannot be cut off: nothing "
            "can follow"
        )

    def _is_there(self, response: str, at: int, records: Sequence[bytes]) -> bool:
        """Whether these records stand behind `at` already."""
        if not records or at < 0:
            return False
        descriptor = os.open(self._files.path(response), os.O_RDONLY | os.O_CLOEXEC)
        try:
            lines = [line for line, _ in lines_from(descriptor, 0)][1:]
        finally:
            os.close(descriptor)
        return lines[at : at + len(records)] == list(records)

    def _may_be_lost(self, records: Sequence[bytes]) -> bool:
        """Whether a power cut may take records with it: deltas, unless `sync` is `"power"`."""
        if self._sync == "power":
            return False
        return all(any(mark in record[:120] for mark in _DELTAS) for record in records)

    async def _wait_for_disk(self, held: _Held) -> None:
        descriptor = os.dup(held.descriptor)  # the other may be closed meanwhile
        try:
            with self._told("what was written may not be on the disk"):
                await anyio.to_thread.run_sync(_sync_data, descriptor)
        finally:
            os.close(descriptor)

    def _sync_directory(self) -> None:
        with suppress(OSError):  # not every file system can
            descriptor = os.open(self._directory, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    # --- looking around -------------------------------------------------------------------------

    def _skipped(self, response: str, descriptor: int, after: int) -> tuple[int, int, bool]:
        """Where the record behind `after` begins, `after`, and whether nothing can be there."""
        first, begin = next(lines_from(descriptor, 0), (b"", 0))
        if not first:
            raise JournalError(f"response {response!r} never began: its file has no header")
        if header_of(first).response != response:
            raise JournalError(f"the file of response {response!r} holds another response")
        if after == 0:
            return begin, 0, False
        position = 0
        for position, (line, behind) in enumerate(lines_from(descriptor, begin), 1):
            if position == after:
                return behind, position, is_closing(line)
        raise JournalError(
            f"expected a position from 0 to {position} in response {response!r}, got {after}"
        )


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    written = os.pwrite(descriptor, data, offset)
    while written < len(data):  # a full disk takes a part of it, and says so the next time
        more = os.pwrite(descriptor, data[written:], offset + written)
        if not more:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += more


def _without_half(descriptor: int) -> Scan:
    """Look through a file that is locked, and cut off half a record at its end."""
    status = os.fstat(descriptor)
    if status.st_nlink == 0:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    found = scan(descriptor)
    if not found.first:
        raise JournalError("a response never began: its file has no header")
    require_known_format(header_of(found.first))
    if found.size < status.st_size:
        os.ftruncate(descriptor, found.size)
    return found


def _cut(descriptor: int, size: int) -> bool:
    try:
        os.ftruncate(descriptor, size)
    except OSError:
        return False
    return True


def _in_child() -> None:
    for journal in list(_journals):
        journal._leave_to_parent()  # noqa: SLF001  # of this file


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
