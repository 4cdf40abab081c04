"""A log to its events: a path or a binary file, compressed or not."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.logs.buffering import Block
from chatkit_reducer.logs.compression import CorruptError, decompressed
from chatkit_reducer.logs.decoding import DEFAULT_MAX_EVENT_BYTES, LogDecoder, Record

__all__ = ["Log", "OnProgress", "blocks", "first", "read", "read_records"]

Log: TypeAlias = str | os.PathLike[str] | BinaryIO
"""A path, or a file open for reading bytes."""

OnProgress: TypeAlias = Callable[[int], None]
"""Called with the number of bytes read from the file so far."""

# 64 KB at a time: the events of one piece are gone again before the garbage collector looks at
# them. A whole log at once is six to nine times slower.
_AT_ONCE = 65536


def read(
    log: Log, *, max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES
) -> Iterator[Event | Unreadable]:
    """The events of a log, one by one; what cannot be read comes as an `Unreadable`.

    Args:
        log: a path, or a file open for reading bytes.
        max_event_bytes: a larger event is skipped; an `Unreadable` says so.

    Raises:
        OSError: the file cannot be opened or read.
        LogError: it is compressed with zstd, and the library for that is not installed.
    """
    return (record.event for record in read_records(log, max_event_bytes=max_event_bytes))


def read_records(
    log: Log,
    *,
    max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
    on_progress: OnProgress | None = None,
) -> Iterator[Record]:
    """The entries of a log, one by one: events, and what the log says of each.

    Args and errors are those of `read`; `on_progress` is told the number of bytes read so far.
    """
    decoder = LogDecoder(max_event_bytes=max_event_bytes)
    for block in blocks(log, decoder, on_progress):
        yield from [Record(block)] if isinstance(block, Unreadable) else decoder.records(block)


def first(records: Iterable[Record], count: int) -> Iterator[Record]:
    """The records up to the `count`th event; what could not be read is not counted.

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
        count -= type(record.event) is not Unreadable
        if count == 0:
            return


def blocks(
    log: Log, decoder: LogDecoder, on_progress: OnProgress | None = None
) -> Iterator[Block | Unreadable]:
    """The blocks of a log for this decoder; last, what was wrong with its compression."""
    corrupt: CorruptError | None = None
    with _opened(log) as file:
        try:
            for piece in decompressed(_pieces(file, on_progress)):
                yield from decoder.blocks(piece)
        except CorruptError as error:
            corrupt = error
    yield from decoder.last_blocks()
    if corrupt is not None:
        yield decoder.unreadable(str(corrupt))


@contextmanager
def _opened(log: Log) -> Iterator[BinaryIO]:
    if not isinstance(log, (str, os.PathLike)):
        file: object = log
        if not hasattr(file, "read") or isinstance(file, io.TextIOBase):
            raise TypeError(
                f"a log is a path, or a file open for reading bytes, not {type(log).__name__}"
            )
        yield log
        return
    with Path(log).open("rb") as file:
        yield file


def _pieces(file: BinaryIO, on_progress: OnProgress | None) -> Iterator[bytes]:
    size = 0
    while piece := file.read(_AT_ONCE):
        yield piece
        size += len(piece)
        if on_progress is not None:
            on_progress(size)
