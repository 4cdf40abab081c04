"""A log to its events: a path or a binary file, compressed or not."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias

from chatkit_reducer.errors import LogError
from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.logs._compression import DEFAULT_MAX_EXPANSION, CorruptError, decompress
from chatkit_reducer.logs._decoding import DEFAULT_MAX_EVENT_BYTES, LogDecoder, check_limit
from chatkit_reducer.logs._records import Record
from chatkit_reducer.logs._splitting import LogSplitter
from chatkit_reducer.logs.blocks import Block

__all__ = ["Log", "OnProgress", "OnSkipped", "blocks", "first", "read", "read_records"]

Log: TypeAlias = str | os.PathLike[str] | BinaryIO
"""A path, or a file open for reading bytes."""

OnProgress: TypeAlias = Callable[[int], None]
"""Called with the number of bytes read from the file so far."""

# 64 KB at a time: the events of one piece are gone again before the garbage collector looks at
# them. A whole log at once is six to nine times slower.
_AT_ONCE = 65536


OnSkipped: TypeAlias = Callable[[int], None]
"""Called at the end with the number of pieces that are not part of an event, if there are any.

Depending on the log, a piece is a line, a request, a row or an element of an array."""


def read(
    log: Log,
    *,
    max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
    max_expansion: int | None = DEFAULT_MAX_EXPANSION,
    on_skipped: OnSkipped | None = None,
) -> Iterator[Event | Unreadable]:
    """Yield the events of a log; a text that cannot be read comes as an `Unreadable`.

    Args:
        log: a path, or a file open for reading bytes.
        max_event_bytes: a larger event is skipped; an `Unreadable` says so.
        max_expansion: how many bytes a compressed log may give for each of its own; None for any
            number. 16 MB it may give in any case. Where it gives more, reading stops, and an
            `Unreadable` says so.
        on_skipped: told at the end how many pieces of the log were left out because they are not
            part of an event: a logger's other lines, the other requests of a browser. Of a plain
            log nothing is left out.

    Raises:
        OSError: the file cannot be opened or read.
        LogError: it is compressed with zstd, and the library for that is not installed; or it is
            a device, such as `/dev/zero`.
    """
    records = read_records(
        log,
        max_event_bytes=max_event_bytes,
        max_expansion=max_expansion,
        on_skipped=on_skipped,
    )
    return (record.event for record in records)


def read_records(
    log: Log,
    *,
    max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
    max_expansion: int | None = DEFAULT_MAX_EXPANSION,
    on_progress: OnProgress | None = None,
    on_skipped: OnSkipped | None = None,
) -> Iterator[Record]:
    """Yield the entries of a log: events, each with the fields that stand beside it.

    Args and errors are those of `read`; `on_progress` is told the number of bytes read so far.
    """
    decoder = LogDecoder(max_event_bytes=max_event_bytes)
    with _open(log) as file:
        source = _Source(file, on_progress, max_expansion)
        for piece in source.pieces():
            yield from decoder.feed(piece)
    yield from decoder.close(damage=source.damage)
    _tell(on_skipped, decoder.skipped)


def blocks(
    log: Log,
    max_event_bytes: int,
    *,
    max_expansion: int | None = DEFAULT_MAX_EXPANSION,
    on_progress: OnProgress | None = None,
    on_skipped: OnSkipped | None = None,
) -> Iterator[Block]:
    """Yield the blocks of a log, for a `BlockDecoder`.

    Args and errors are those of `read_records`.
    """
    check_limit(max_event_bytes)
    splitter = LogSplitter(max_event_bytes)
    with _open(log) as file:
        source = _Source(file, on_progress, max_expansion)
        for piece in source.pieces():
            yield from splitter.feed(piece)
    yield from splitter.close(source.damage)
    _tell(on_skipped, splitter.skipped)


def _tell(on_skipped: OnSkipped | None, skipped: int) -> None:
    if on_skipped is not None and skipped:
        on_skipped(skipped)


def first(records: Iterable[Record], count: int) -> Iterator[Record]:
    """Yield the records up to the `count`th event; an `Unreadable` is not counted.

    Raises:
        ValueError: `count` is negative.
    """
    if count < 0:
        raise ValueError(f"the number of events must not be negative: {count}")
    return _first(records, count)


def _first(records: Iterable[Record], count: int) -> Iterator[Record]:
    if count == 0:
        return
    for record in records:
        yield record
        count -= not isinstance(record.event, Unreadable)
        if count == 0:
            return


class _Source:
    """The bytes of a file, decompressed; `damage` is why they end too early, if they do."""

    def __init__(
        self, file: BinaryIO, on_progress: OnProgress | None, max_expansion: int | None
    ) -> None:
        self._file = file
        self._on_progress = on_progress
        self._max_expansion = max_expansion
        self.damage: str | None = None

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes in pieces."""
        try:
            yield from decompress(self._raw_pieces(), max_expansion=self._max_expansion)
        except CorruptError as error:
            self.damage = str(error)

    def _raw_pieces(self) -> Iterator[bytes]:
        size = 0
        while piece := _piece(self._file):
            yield piece
            size += len(piece)
            if self._on_progress is not None:
                self._on_progress(size)


@contextmanager
def _open(log: Log) -> Iterator[BinaryIO]:
    if not isinstance(log, (str, os.PathLike)):
        file: object = log
        if not hasattr(file, "read") or isinstance(file, io.TextIOBase):
            raise TypeError(
                f"a log is a path, or a file open for reading bytes, not {type(log).__name__}"
            )
        _refuse_device(log)
        yield log
        return
    with Path(log).open("rb") as file:
        _refuse_device(file)
        yield file


def _refuse_device(file: BinaryIO) -> None:
    """Refuse a device that gives bytes for ever: one that is neither a terminal nor empty.

    Raises:
        LogError: the file is such a device.
    """
    try:
        number = file.fileno()
    except (AttributeError, OSError, ValueError):  # it has no file descriptor
        return
    status = os.fstat(number)
    is_device = stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)
    if not is_device or os.isatty(number):
        return
    with suppress(OSError):
        if status.st_rdev == Path(os.devnull).stat().st_rdev:
            return
    raise LogError("expected a file, a pipe or a terminal, got a device, which may have no end")


def _piece(file: BinaryIO) -> bytes:
    """Return the next bytes of a file; none at its end.

    Raises:
        BlockingIOError: the file does not wait for bytes, and has none yet.
        TypeError: it gives something other than bytes.
    """
    piece: object = file.read(_AT_ONCE)
    if isinstance(piece, bytes):
        return piece
    if piece is None:
        raise BlockingIOError(
            errno.EAGAIN,
            "the log has no bytes yet, and is not at its end: open it so that reading waits, "
            "or feed a LogDecoder",
        )
    if isinstance(piece, bytearray | memoryview):
        return bytes(piece)
    raise TypeError(f"expected the log to give bytes, got {type(piece).__name__}")
