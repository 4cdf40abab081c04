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
from chatkit_reducer.logs._framing import Framing
from chatkit_reducer.logs._json_lines import JSON_LINES, encode_json_line
from chatkit_reducer.logs._records import Record
from chatkit_reducer.logs._sse import SSE, encode_sse
from chatkit_reducer.logs.reading import Log

__all__ = ["write"]

_FITS_A_LINE = re.compile(r"[^\0\r\n]*").fullmatch


def write(
    log: Log, events: Iterable[Event | Record | Unreadable], *, framing: Framing | None = None
) -> int:
    """Write a log; return how many events it has.

    The fields of a `Record` are written with its event, where the format has a place for them. An
    `Unreadable` is left out.

    Args:
        log: a path, or a file open for writing bytes. A path that ends in `.gz` or `.zst` is
            compressed.
        events: the events, in order.
        framing: `SSE` or `JSON_LINES`. If left out, SSE for a path with `.sse` in its name's
            suffixes, else JSON lines.

    Raises:
        OSError: the file cannot be written.
        LogError: it is to be compressed with zstd, and the library for that is not installed.
        EncodeError: an event holds what JSON cannot say.
        TypeError: `log` cannot be written to, or `framing` is neither `SSE` nor `JSON_LINES`.
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
    for known in (SSE, JSON_LINES):
        if framing is known:
            return known
    if framing is not None:
        raise TypeError(
            f"expected framing to be SSE or JSON_LINES of chatkit_reducer.logs, got {framing!r}: "
            "leave it out to take the one that the path's suffix says"
        )
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
        target: object = log
        if not hasattr(target, "write"):
            raise TypeError(
                "expected a path, or a file open for writing bytes, as the log, got "
                f"{type(log).__name__}: pass io.BytesIO() to write to memory"
            )
        yield log
        return
    path = Path(log)
    with path.open("wb") as raw, compressing(raw, path.suffix) as file:
        yield file


@contextmanager
def compressing(raw: BinaryIO, suffix: str) -> Iterator[BinaryIO]:
    """Write to a file through the compression that its suffix names; it stays open.

    Raises:
        LogError: that is zstd, and the library for it is not installed.
    """
    if suffix == ".gz":
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as file:
            yield cast(BinaryIO, file)
    elif suffix == ".zst":
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
