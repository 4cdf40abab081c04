"""Ask a store all questions, one after the other. Needs the SDK."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from statistics import median
from typing import Any, TypeAlias

from chatkit_reducer.testing.checks._interruption import Commits, TookTooLong
from chatkit_reducer.testing.checks._store import contents, interruptions, pages, rehearsal, writes
from chatkit_reducer.testing.checks._store.report import (
    Promise,
    Question,
    StopCost,
    StoreReport,
)
from chatkit_reducer.testing.checks._store.subject import Broken, Notes, Refused, Subject

Probe: TypeAlias = Callable[[Subject], Awaitable[None]]

_PROBES: tuple[Probe, ...] = (
    writes.ids,
    writes.look_ups,
    contents.long_texts,
    contents.strange_texts,
    contents.objects,
    writes.saves,
    writes.deletes,
    writes.known_ids,
    writes.unknown_ids,
    writes.order,
    pages.pages,
    pages.equal_times,
    writes.threads,
    writes.ids_made_elsewhere,
    interruptions.at_once,
    interruptions.cut_adds,
    interruptions.cut_saves,
    interruptions.cut_deletes,
)

_SLOW = 0.015
"""A write that takes longer is worth a line, in seconds."""


def examine(
    make_store: Callable[[], Any],
    name: str,
    *,
    context: Any,
    skipped: Collection[str],
    timeout: float,
) -> StoreReport:
    """Ask a store everything, in an event loop of its own."""
    with warnings.catch_warnings():
        # Reading an item with a widget uses a class that the SDK deprecates.
        warnings.filterwarnings("ignore", "Direct usage of named", DeprecationWarning)
        return asyncio.run(_examine(make_store, name, context, skipped, timeout))


async def _examine(
    make_store: Callable[[], Any],
    name: str,
    context: Any,
    skipped: Collection[str],
    limit: float,
) -> StoreReport:
    notes, stops = Notes(), list[StopCost]()
    commits = Commits(limit)
    subject = Subject(make_store, context, commits, notes)
    try:
        await _ask(subject, writes.opens)
        if not notes.broken:
            stops = await _ask_all(subject, skipped)
    finally:
        commits.close()
    return StoreReport(
        name=name,
        broken=tuple(notes.broken),
        traits=tuple(sorted(notes.traits.values(), key=_place)),
        stops=tuple(stops),
        tried=notes.tried,
    )


async def _ask_all(subject: Subject, skipped: Collection[str]) -> list[StopCost]:
    stops: list[StopCost] = []

    async def rehearse(subject: Subject) -> None:
        stops.extend(await rehearsal.stops(subject))

    types = partial(contents.types, skipped=skipped)
    probes: tuple[Probe, ...] = (types, *_PROBES, rehearse)
    for probe in probes:
        await _ask(subject, probe)
        if subject.notes.has_broken(Promise.IN_TIME):
            break  # all that follows would wait as long
    _note_speed(subject.notes)
    return stops


async def _ask(subject: Subject, probe: Probe) -> None:
    try:
        await probe(subject)
    except Broken as broken:
        subject.notes.breaks(broken.promise, broken.problem, *broken.details)
    except Refused as refused:
        subject.notes.breaks(Promise.CALLS, str(refused))
    except TookTooLong:
        problem = "to make, enter or leave the store, or a write, does not come to its end"
        subject.notes.breaks(Promise.IN_TIME, problem)


def _note_speed(notes: Notes) -> None:
    took = median(notes.seconds) if notes.seconds else 0
    if took > _SLOW:
        cost = "Several of them have to fit into commit_timeout when an answer is stopped"
        notes.answers(Question.SPEED, "slow", f"a write takes {took * 1000:.0f} ms", cost)


def _place(trait: Any) -> int:
    return list(Question).index(trait.question)
