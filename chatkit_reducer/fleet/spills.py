"""The events of many logs, dealt out to partitions on the disk: all of a thread to one of them.

A partition is small, however large the logs are, and so is the memory that its threads need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec

from chatkit_reducer.core.codec import MALFORMED, encode, from_json
from chatkit_reducer.events import (
    Event,
    Redelivered,
    ThreadItemUpdated,
    UnknownUpdate,
    Unreadable,
)
from chatkit_reducer.fleet.arrivals import Arrival, number_of
from chatkit_reducer.logs import Record
from chatkit_reducer.logs.threads import by_thread

__all__ = ["Spill", "SpillError", "arrivals_of", "partition_files", "read_partition"]

_BATCH = 2_000  # for each partition
_MOST = 50_000
_SUFFIX = ".jsonl"

_encoder = msgspec.json.Encoder()
_typed = msgspec.json.Decoder(Arrival)
_loose = msgspec.json.Decoder()


def arrivals_of(records: Iterable[Record], source: int, first: str | None) -> Iterator[Arrival]:
    """Yield the entries of a log, each with its thread and its place; none that came twice.

    Args:
        records: those of the log.
        source: its number.
        first: the first thread that the log names; events before that belong to it.
    """
    position = 0
    for place, (thread, record) in enumerate(by_thread(records)):
        event = record.event
        if isinstance(event, Redelivered):
            continue
        named = first if thread is None else thread
        number = number_of(record.sequence)
        yield Arrival(named, source, position, place, number, record.time, event)
        position += not isinstance(event, Unreadable)


class SpillError(RuntimeError):
    """The partitions cannot be written: there is no room for them, most likely."""


class Spill:
    """Writes the entries of logs into the files of one process, a file for each partition.

    Args:
        folder: where the files go.
        partitions: how many there are.
        writer: the name of the process, which no other has.
        apart: whether the threads of each log are others.
    """

    def __init__(self, folder: Path, partitions: int, writer: str, *, apart: bool = False) -> None:
        self._apart = apart
        self._folder = folder
        self._partitions = partitions
        self._writer = writer

    def take(self, arrivals: Iterable[Arrival]) -> int:
        """Write the entries; return how many they are.

        Raises:
            SpillError: they cannot be written.
        """
        arrivals, count = iter(arrivals), 0
        while batch := list(islice(arrivals, min(_BATCH * self._partitions, _MOST))):
            count += len(batch)
            for partition, piled in self._piles(batch).items():
                self._append(partition, _encoded(piled))
        return count

    def _append(self, partition: int, data: bytes) -> None:
        try:
            with (self._folder / f"{partition}-{self._writer}{_SUFFIX}").open("ab") as file:
                file.write(data)
        except OSError as error:
            raise SpillError(
                f"expected room for the events in {self._folder}, got {error.strerror}: "
                "choose another folder for temporary files (TMPDIR)"
            ) from error

    def _piles(self, batch: list[Arrival]) -> dict[int, list[Arrival]]:
        piles: dict[int, list[Arrival]] = {}
        known: dict[tuple[str | None, int], list[Arrival]] = {}
        for one in batch:
            key = one.thread, one.source
            pile = known.get(key)
            if pile is None:
                partition = partition_of(thread_key(one, apart=self._apart), self._partitions)
                pile = known[key] = piles.setdefault(partition, [])
            pile.append(one)
        return piles


def thread_key(one: Arrival, *, apart: bool) -> tuple[str | None, int]:
    """Return what tells the thread of an entry from others; a log without names is one by itself.

    Args:
        one: the entry.
        apart: whether the threads of each log are others.
    """
    return one.thread, one.source if apart or one.thread is None else 0


def partition_of(key: tuple[str | None, int], partitions: int) -> int:
    """Return the partition of a thread."""
    thread, source = key
    text = f"\0{source}" if thread is None else f"{thread}\0{source}" if source else thread
    return crc32(text.encode("utf-8", "surrogatepass")) % partitions


def partition_files(folder: Path, partition: int) -> list[Path]:
    """Return the files of a partition, those of all processes."""
    return sorted(folder.glob(f"{partition}-*{_SUFFIX}"))


def read_partition(files: Iterable[Path]) -> Iterator[Arrival]:
    """Yield the entries in the files of a partition."""
    for path in files:
        with path.open("rb") as file:
            for line in file:
                yield _decoded(line)


def _encoded(arrivals: list[Arrival]) -> bytes:
    try:
        return _encoder.encode_lines([_storable(one) for one in arrivals])
    except UnicodeEncodeError:  # half of a character
        return _encoder.encode_lines([_with_text(one) for one in arrivals])


def _storable(one: Arrival) -> Arrival:
    """Return the entry as it is where all of it is known: nearly always."""
    event: Any = one.event
    if type(event) is ThreadItemUpdated and event.extra is msgspec.UNSET:
        update: Any = event.update
        if type(update) is not UnknownUpdate and update.extra is msgspec.UNSET:
            return one
    return _with_text(one)


def _with_text(one: Arrival) -> Arrival:
    """Return the entry with its event as JSON; that of an unreadable piece is an array."""
    event: Any = one.event
    raw: Any
    if isinstance(event, Unreadable):
        raw = [getattr(event, name) for name in event.__struct_fields__]
    else:
        raw = msgspec.Raw(encode(event))
    return msgspec.structs.replace(one, event=raw)


def _decoded(line: bytes) -> Arrival:
    try:
        return _typed.decode(line)
    except MALFORMED:
        fields: list[Any] = _loose.decode(line)
        fields[-1] = _loosely(fields[-1])
        return Arrival(*fields)


def _loosely(event: Any) -> Event | Unreadable:
    return Unreadable(*event) if isinstance(event, list) else from_json(event)
