"""Events to a new log."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from chatkit_reducer.errors import LogError
from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.logs.decoding import Record
from chatkit_reducer.logs.framing import Framing
from chatkit_reducer.logs.json_lines import JSON_LINES, encode_json_line
from chatkit_reducer.logs.reading import Log
from chatkit_reducer.logs.sse import SSE, encode_sse

__all__ = ["write"]

_FITS_A_LINE = re.compile(r"[^\0\r\n]*").fullmatch


def write(
    log: Log, events: Iterable[Event | Record | Unreadable], *, framing: Framing | None = None
) -> int:
    """Writes a log; returns how many events it has.

    What a `Record` knows of its event is written with it, where the format has a place for it. What
    could not be read in the log it came from is left out.

    Args:
        log: a path, or a file open for writing bytes. A path that ends in `.gz` or `.zst` is
            compressed.
        events: what to write, in order.
        framing: `SSE` or `JSON_LINES`. If left out, SSE for a path with `.sse` in its name's
            suffixes, else JSON lines.

    Raises:
        OSError: the file cannot be written.
        LogError: it is to be compressed with zstd, and the library for that is not installed.
        EncodeError: an event holds what JSON cannot say.
    """
    encode = _encode_sse if _framing_of(log, framing) is SSE else _encode_json_line
    count = 0
    with _opened(log) as file:
        for entry in events:
            record = entry if isinstance(entry, Record) else Record(entry)
            if not isinstance(record.event, Unreadable):
                file.write(encode(record, record.event))
                count += 1
    return count


def _framing_of(log: Log, framing: Framing | None) -> Framing:
    if framing is not None:
        return framing
    named = isinstance(log, (str, os.PathLike)) and ".sse" in Path(log).suffixes
    return SSE if named else JSON_LINES


def _encode_sse(record: Record, event: Event) -> bytes:
    event_id = None if record.sequence is None else str(record.sequence)
    if event_id is not None and not _FITS_A_LINE(event_id):
        event_id = None  # the format has no place for it
    return encode_sse(event, event_id=event_id)


def _encode_json_line(record: Record, event: Event) -> bytes:
    return encode_json_line(event, sequence=record.sequence, time=record.time, thread=record.thread)


@contextmanager
def _opened(log: Log) -> Iterator[BinaryIO]:
    if not isinstance(log, (str, os.PathLike)):
        yield log
        return
    path = Path(log)
    with path.open("wb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as file:
                yield cast(BinaryIO, file)
        elif path.suffix == ".zst":
            with _zstd_writer(raw) as file:
                yield file
        else:
            yield raw


def _zstd_writer(raw: BinaryIO) -> BinaryIO:
    try:
        import zstandard  # an extra: only a zstd log needs it
    except ImportError:
        raise LogError(
            "the log is to be compressed with zstd: pip install 'chatkit-reducer[zstd]' for that"
        ) from None
    return cast(BinaryIO, zstandard.ZstdCompressor().stream_writer(raw, closefd=False))
