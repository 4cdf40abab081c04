"""The files of a `FileJournal`: their names, their headers, and which of them are open."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from chatkit_reducer.journal.lines import last_line
from chatkit_reducer.journal.locks import is_locked
from chatkit_reducer.journal.protocol import Header, JournalError
from chatkit_reducer.journal.records import header_of, is_closing, may_become_header, time_of

__all__ = ["ResponseFiles", "last_line_of", "name_of", "remove"]

_NEVER_BEGUN = 60.0
"""After how long a file without a header belongs to a writer that died, in seconds."""
_SAFE = re.compile(r"[a-z0-9_-]{1,100}").fullmatch
_HASHED = re.compile(r"[a-z0-9_-]{0,40}~[0-9a-f]{32}").fullmatch
_SUFFIX = ".jsonl"
_STOP = ".stop"
_BACK = ".back"


class ResponseFiles:
    """The files in the directory of a journal, one for each response.

    It remembers headers and closed responses, so that a search reads each file once.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._headers: dict[str, Header] = {}
        self._closed: set[str] = set()

    def path(self, response: str) -> Path:
        """Return the path of the file of a response."""
        return self._directory / name_of(response)

    def stop_path(self, name: str) -> Path:
        """Return the path of the request to stop, beside a file."""
        return self._directory / (name.removesuffix(_SUFFIX) + _STOP)

    def back_path(self, name: str) -> Path:
        """Return the path of the note that a client is back, beside a file."""
        return self._directory / (name.removesuffix(_SUFFIX) + _BACK)

    def note(self, name: str, header: Header) -> None:
        """Note the header of a new file."""
        self._headers[name] = header

    def remove(self, name: str) -> None:
        """Delete a file, and all that is beside it."""
        remove(self._directory / name)
        self.remove_requests(name)

    def remove_requests(self, name: str) -> None:
        """Delete the requests of other processes beside a file."""
        remove(self.stop_path(name))
        remove(self.back_path(name))

    def _names(self) -> list[str]:
        try:
            with os.scandir(self._directory) as entries:
                names = [entry.name for entry in entries if entry.name.endswith(_SUFFIX)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise JournalError(f"{self._directory} cannot be read: {error}") from error
        self._closed.intersection_update(names)
        for name in set(self._headers).difference(names):
            self._headers.pop(name, None)
        return names

    def open_ones(self, thread: str | None) -> list[tuple[str, Header]]:
        """Return the file names and headers of responses that are not closed."""
        return [pair for pair in self._open_ones() if thread in (None, pair[1].thread)]

    def _open_ones(self) -> Iterator[tuple[str, Header]]:
        for name in self._names():
            if name in self._closed:
                continue
            header = self._header(name)
            if header is None:
                continue
            if self._is_closed(name):
                self._closed.add(name)
            else:
                yield name, header

    def _header(self, name: str) -> Header | None:
        """Return the header of a file; None where it has none.

        Delete it then, if it is an old file of a writer that died before it had written a header.
        """
        if name not in self._headers:
            path = self._directory / name
            try:
                with path.open("rb") as file:
                    line = file.readline()
                    age = time.time() - os.fstat(file.fileno()).st_mtime
                if not line.endswith(b"\n"):
                    if age > _NEVER_BEGUN and _is_ours(name) and may_become_header(line):
                        remove(path)
                    return None
                self._headers[name] = header_of(line)
            except OSError:  # it is gone, or it is not one of ours
                return None
        return self._headers[name]

    def _is_closed(self, name: str) -> bool:
        try:
            return is_closing(last_line_of(self._directory / name))
        except OSError:
            return True  # it is gone

    def is_leased(self, name: str) -> bool:
        """Return whether a writer holds the lock of a file."""
        try:
            descriptor = os.open(self._directory / name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return True  # it is gone
        try:
            return is_locked(descriptor)
        finally:
            os.close(descriptor)

    def forgettable(
        self, thread: str | None, closed_before: datetime | None
    ) -> list[tuple[str, str]]:
        """Return the file names and ids of responses of a thread, or closed before a moment."""
        found = []
        for name in self._names():
            header = self._header(name)
            if header is None or thread not in (None, header.thread):
                continue
            if closed_before is None or self._was_closed_before(name, closed_before):
                found.append((name, header.response))
        return found

    def _was_closed_before(self, name: str, moment: datetime) -> bool:
        try:
            line = last_line_of(self._directory / name)
        except OSError:
            return False
        closed = time_of(line) if is_closing(line) else None
        return closed is not None and closed < moment


def name_of(response: str) -> str:
    """Return a name for a file: of the id, or of its hash where that could mean a path."""
    if _SAFE(response):
        return response + _SUFFIX
    readable = re.sub(r"[^a-z0-9_-]", "-", response.lower()[:40])
    digest = hashlib.sha256(response.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{readable}~{digest}{_SUFFIX}"


def _is_ours(name: str) -> bool:
    """Whether `name_of` may have made a name."""
    stem = name.removesuffix(_SUFFIX)
    return bool(_SAFE(stem) or _HASHED(stem))


def remove(path: Path) -> bool:
    """Delete a file that may be gone already; return whether it was there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def last_line_of(path: Path) -> bytes:
    """Return the last whole line of a file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return last_line(descriptor)
    finally:
        os.close(descriptor)
