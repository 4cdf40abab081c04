"""A log taken apart: for each thread its events, in runs, and the states that they make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TypeAlias

from chatkit_reducer.cli.reading import log_of, reading, rubbish, thread_id_of
from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.folding import Folding
from chatkit_reducer.logs import Record, read_records
from chatkit_reducer.logs.reading import first
from chatkit_reducer.logs.threads import by_thread
from chatkit_reducer.state import ThreadState

__all__ = ["LogOfThreads"]

Run: TypeAlias = "tuple[str | None, Iterator[Event | Unreadable]]"


class LogOfThreads:
    """A log that the user named.

    Args:
        name: the log; `-` is standard input.
        before: the thread that was stored before; the log is then one of that thread alone.
        until: read no more than so many events.
        max_event_bytes: skip an event that is larger.
    """

    def __init__(
        self,
        name: str,
        before: ThreadState | None = None,
        *,
        until: int | None = None,
        max_event_bytes: int,
    ) -> None:
        self._name = name
        self._before = before
        self._until = until
        self._limit = max_event_bytes
        self._unreadable: Unreadable | None = None
        self.events: int = 0
        """How many events were read."""

    def runs(self) -> Iterator[Run]:
        """The id of a thread, and events of it that stand next to each other; again and again.

        None stands for the thread that was stored before; without one, for the first thread, as
        long as nothing has told its id.

        Raises:
            InputError: the log cannot be read, or nothing in it is an event.
        """
        with reading(self._name) as bar:
            records: Iterable[Record] = read_records(
                log_of(self._name), max_event_bytes=self._limit, on_progress=bar.advance
            )
            if self._until is not None:
                records = first(records, self._until)
            routed = by_thread(records) if self._before is None else ((None, r) for r in records)
            for thread, run in groupby(routed, key=_thread):
                yield thread, self._counted(run)
        if not self.events and self._unreadable is not None:
            fault = self._unreadable
            problem = f"{fault.reason}: {fault.excerpt}" if fault.excerpt else fault.reason
            raise rubbish(self._name, fault.line, problem)

    def _counted(self, run: Iterable[tuple[str | None, Record]]) -> Iterator[Event | Unreadable]:
        for _, record in run:
            if isinstance(record.event, Unreadable):
                self._unreadable = self._unreadable or record.event
            else:
                self.events += 1
            yield record.event

    def states(self) -> dict[str | None, ThreadState]:
        """The state of each thread after the log; an empty log has one thread.

        Raises:
            InputError: as for `runs`.
        """
        result: dict[str | None, ThreadState] = {}
        if self._before is not None:
            result[None] = self._before
        for thread, run in self.runs():
            if None in result and thread is not None:
                result[thread] = result.pop(None)
            folding = Folding(result.get(thread, ThreadState()), position=self.events)
            folding.take(run)
            result[thread] = folding.state()
        if self._before is not None:
            return {thread_id_of(state): state for state in result.values()}
        return result or {None: ThreadState()}


def _thread(routed: tuple[str | None, Record]) -> str | None:
    return routed[0]
