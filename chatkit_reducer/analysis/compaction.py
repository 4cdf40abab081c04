"""Compact the records of a log, thread by thread, in the order of the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from chatkit_reducer.analysis._sources import Routed
from chatkit_reducer.core.fold.folder import fold
from chatkit_reducer.core.text_target import text_target
from chatkit_reducer.core.thread.compact import compact
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.logs import Record
from chatkit_reducer.logs.threads import by_thread

__all__ = ["compact_records"]


def compact_records(records: Iterable[Record], stored: ThreadState | None = None) -> list[Record]:
    """Compact each thread of a log; return the records that remain, in order.

    A record that stands for several has the thread, number and time of the first of them.

    Args:
        records: of the log.
        stored: the thread before the log; the log is then taken as one of that thread alone.
    """
    routed = list(by_thread(records)) if stored is None else [(None, one) for one in records]
    states: dict[str | None, ThreadState] = {}
    kept: list[tuple[int, Record]] = []
    for thread, places in _stretches(routed):
        state = states.get(thread, stored or ThreadState())
        events = [routed[place][1].event for place in places]
        for at, event in _placed(events, compact(events, state)):
            old = routed[places[at]][1]
            new = old if old.event is event else _about(event, old)
            kept.append((places[at], new))
        states[thread] = fold(events, state)
    return [record for _, record in sorted(kept, key=lambda pair: pair[0])]


def _about(event: Event | Unreadable, old: Record) -> Record:
    return Record(event, old.thread, old.sequence, old.time)


def _stretches(routed: Sequence[Routed]) -> Iterator[tuple[str | None, list[int]]]:
    """Yield for each thread the places of its records.

    Where a record itself does not say its thread, the one before it may tell (`by_thread`):
    so there the threads must go on taking turns as they did.
    """
    if all(record.thread is not None for _, record in routed):
        places: dict[str | None, list[int]] = {}
        for place, (thread, _) in enumerate(routed):
            places.setdefault(thread, []).append(place)
        yield from places.items()
        return
    for thread, stretch in groupby(range(len(routed)), key=lambda place: routed[place][0]):
        yield thread, list(stretch)


def _placed(
    before: Sequence[Event | Unreadable], after: Sequence[Event | Unreadable]
) -> Iterator[tuple[int, Event | Unreadable]]:
    """Pair each event that remains with its place before.

    A new event replaces a run of deltas for one text; place it where that run began.
    """
    known = {id(event) for event in before}
    at = 0
    for event in after:
        if id(event) in known:
            while before[at] is not event:
                at += 1
        else:
            target = text_target(event)
            while text_target(before[at]) != target:
                at += 1
        yield at, event
        at += 1
