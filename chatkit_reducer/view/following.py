"""A log that is being written, and a server on this machine whose pages grow with it.

`Follower` reads what was written since its last look; `serving` serves the pages. Each request runs
in a thread of its own, and one that waits for events costs nothing meanwhile.
"""

from __future__ import annotations

import os
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from chatkit_reducer.errors import LogError
from chatkit_reducer.logs import DEFAULT_MAX_EVENT_BYTES, LogDecoder, Record
from chatkit_reducer.view.growing import Growing
from chatkit_reducer.view.loopback import EVENT_STREAM, HEADERS, HTML, LOOPBACK, Door

__all__ = ["PAUSE", "Follower", "serving"]

PAUSE = 0.1
"""How long to wait between two looks at a log, in seconds."""

_AT_ONCE = 65536
_HEAD = 4096
"""By how many bytes at its beginning a file is known again."""
_KEEP_ALIVE = 15.0
"""After how long a page without news gets a comment, so that one that has left is noticed."""
_TIMEOUT = 10.0
"""How long a browser may take to send a request, or to take an answer, in seconds."""
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")

_WHOLE_ONLY = (
    "a HAR and a JSON array on one line are read only as a whole: if it is one, leave out --follow"
)


class _OtherFileError(Exception):
    """The file is not the one that was read so far, with more at its end."""


class _GrowingFile:
    """One file, read from the place where the last look has ended."""

    def __init__(self, path: Path, max_event_bytes: int) -> None:
        self.path = path
        self._decoder = LogDecoder(max_event_bytes=max_event_bytes)
        self.size: int = 0
        """How many bytes were read."""
        self._head = b""
        self._identity: tuple[int, int] | None = None

    def records(self) -> Iterator[list[Record]]:
        """Yield the records that were written since the last look, in pieces.

        Raises:
            OSError: the file cannot be read.
            LogError: it is compressed.
            _OtherFileError: it was replaced, shortened, or written anew.
        """
        with self.path.open("rb", buffering=0) as file:
            self._require_same(os.fstat(file.fileno()), file.read(len(self._head)))
            file.seek(self.size)
            while piece := file.read(_AT_ONCE):
                if self.size == 0 and piece.startswith(_COMPRESSED):
                    raise LogError("expected a log that is being written, got a compressed one")
                self._head += piece[: _HEAD - len(self._head)]
                self.size += len(piece)
                yield self._decoder.feed(piece)

    def _require_same(self, status: os.stat_result, head: bytes) -> None:
        identity = (status.st_dev, status.st_ino)
        if self._identity not in (None, identity):
            raise _OtherFileError(f"{self.path} was replaced")
        if status.st_size < self.size:
            raise _OtherFileError(f"{self.path} was shortened")
        if head != self._head:
            raise _OtherFileError(f"{self.path} was written anew")
        self._identity = identity


class Follower:
    """Reads a log that is being written into pages.

    Args:
        path: a file; or the folder of a `FileJournal`, whose responses are shown by their threads.
        growing: the pages.
        max_event_bytes: a larger event is skipped.
    """

    def __init__(
        self, path: Path, growing: Growing, max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES
    ) -> None:
        self._path = path
        self._growing = growing
        self._max_event_bytes = max_event_bytes
        self._is_folder = path.is_dir()
        self._files: dict[Path, _GrowingFile] = {}
        self._threads: dict[Path, str | None] = {}
        self._is_told = False
        self._is_there = True

    def look(self) -> str | None:
        """Read what was written since the last look.

        Returns:
            A sentence if the log began again, and was read from its beginning; or, once, if its
            folder is gone, or if nothing was written since the last look and no event could be read
            so far; else None.

        Raises:
            OSError: a file cannot be read.
            LogError: it is compressed.
        """
        if self._is_folder and not self._path.is_dir():
            return self._say_gone()
        self._is_there = True
        size = self._size
        try:
            self._read()
        except FileNotFoundError:
            if not self._files:
                raise
            return None  # it was moved away, and the next one may not be there yet
        except _OtherFileError as changed:
            self._files.clear()
            self._threads.clear()
            self._growing.begin_again()
            self._is_told = False
            return f"{changed}: it is read again from its beginning"
        if self._is_told or self._growing.events or not size or size < self._size:
            return None
        self._is_told = True
        return f"{self._path} has no event so far; {_WHOLE_ONLY}"

    def _say_gone(self) -> str | None:
        was_there, self._is_there = self._is_there, False
        return f"{self._path} is gone: it is read on once it is back" if was_there else None

    @property
    def _size(self) -> int:
        return sum(file.size for file in self._files.values())

    def _read(self) -> None:
        for path in self._paths():
            file = self._files.get(path) or _GrowingFile(path, self._max_event_bytes)
            for records in file.records():
                self._files[path] = file
                if records:
                    self._growing.take(self._named(path, records))
            self._files[path] = file

    def _paths(self) -> list[Path]:
        """Return the files to read: those of a folder in the order in which they came."""
        if not self._is_folder:
            return [self._path]
        found = {path: time for path in self._path.glob("*.jsonl") if (time := _written(path))}
        new = found.keys() - self._files.keys()
        there = [path for path in self._files if path in found]
        return [*there, *sorted(new, key=lambda path: (found[path], path.name))]

    def _named(self, path: Path, records: list[Record]) -> list[Record]:
        """Return the records of a file; in a folder each with the thread that its file names."""
        if not self._is_folder:
            return records
        named = []
        for record in records:
            thread = self._threads[path] = record.thread or self._threads.get(path)
            named.append(msgspec.structs.replace(record, thread=thread))
        return named


def _written(path: Path) -> float | None:
    """Return when a file was written last; None for a folder, and for one that has just gone."""
    try:
        return path.stat().st_mtime if path.is_file() else None
    except FileNotFoundError:
        return None


# --- the server -----------------------------------------------------------------------------------


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, growing: Growing) -> None:
        super().__init__((LOOPBACK, port), _Request)
        self.growing = growing
        self.door = Door(self.server_address[1])
        self.is_closing = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print a traceback, unless a browser has just left."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Request(BaseHTTPRequestHandler):
    timeout = _TIMEOUT

    @property
    def _asked(self) -> _Server:
        assert isinstance(self.server, _Server)
        return self.server

    def do_GET(self) -> None:  # the name is http.server's
        """Answer a request: the page, or its events."""
        asked = urlsplit(self.path)
        place = self._asked.door.way_in(self.headers.get_all("host", []), asked.path)
        if place is None:
            self._refuse(HTTPStatus.FORBIDDEN)
        elif place == "":
            headers = {"location": self._asked.door.home, "content-length": "0"}
            self._begin(HTTPStatus.PERMANENT_REDIRECT, HTML, headers)
        elif place == "/":
            self._send(HTTPStatus.OK, HTML, str(self._asked.growing.page()).encode())
        elif place == "/events":
            self._send_events(parse_qs(asked.query).get("after", [""])[0])
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def _refuse(self, status: HTTPStatus) -> None:
        self._send(status, "text/plain", status.phrase.encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self._begin(status, kind, {"content-length": str(len(body))})
        self.wfile.write(body)

    def _begin(self, status: HTTPStatus, kind: str, more: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in ({"content-type": kind} | HEADERS | more).items():
            self.send_header(name, value)
        self.end_headers()

    def _send_events(self, after: str) -> None:
        place = self.headers.get("last-event-id") or after
        self._begin(HTTPStatus.OK, EVENT_STREAM, {})
        while not self._asked.is_closing:
            frame = self._asked.growing.next_frame(place, _KEEP_ALIVE)
            self.wfile.write(b":\n\n" if frame is None else frame.data)
            if frame is not None:
                place = frame.place
                if frame.is_last:
                    return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name
        """Log nothing: each event of a page would be a line."""


@contextmanager
def serving(growing: Growing, port: int = 0) -> Iterator[str]:
    """Serve pages on the loopback address; give the address of the page.

    Args:
        growing: the pages.
        port: 0 for one that is free.

    Raises:
        OSError: the port is taken.
    """
    server = _Server(port, growing)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}/{server.door.token}/"
    finally:
        server.is_closing = True
        growing.wake()
        server.shutdown()
        server.server_close()
        thread.join()
