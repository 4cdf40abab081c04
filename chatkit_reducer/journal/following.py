"""`follow`: the events of a response that a client has missed, and then those to come."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.thread.diff import diff
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.journal.protocol import Journal, JournalError
from chatkit_reducer.journal.reading import read_whole, reader
from chatkit_reducer.journal.records import (
    CLOSED,
    LEFT,
    OWN,
    RETURNED,
    SETTLED,
    Entry,
    decode_record,
    is_abandoned,
    settlement_of,
)

__all__ = ["follow", "is_there", "place_in"]

_PLACE = re.compile(r"([0-9]{1,18})|([1-9][0-9]{0,17})\.([0-9]{1,9})").fullmatch


async def follow(
    journal: Journal,
    response: str,
    *,
    after: str | None = None,
    known: ThreadState | None = None,
) -> AsyncIterator[tuple[str | None, Event]]:
    """Yield the events that a client lacks, and then those to come, each with a cursor.

        async for cursor, event in follow(journal, response, after=request.headers.get(...)):
            await send(encode_sse(event, event_id=cursor))

    A client that has a cursor of this response goes on behind it, with no gap and nothing twice.
    Any other, whose cursor is of another response, beyond the end or trimmed, or that has none,
    gets the events between `known` and the thread as it is. That are few, however long the response
    is, and the cursor comes with the last of them: the others have None.

    The events of a settlement come when it is committed. It ends when the response is closed. Those
    that are held back, because the client has left, come when one has come back in time.

    Args:
        journal: where the response is.
        response: its id. A cursor does not show that a client may read it: authorise that before.
        after: the cursor of the last event that the client has.
        known: the items that the client has, if its cursor does not count; none if left out.

    Raises:
        JournalError: the response is not there, or its journal was given up in the middle: then the
            store has the whole of it.
    """
    cursor = place_in(response, after)
    if cursor is not None and await is_there(journal, response, cursor[0]):
        position, seen = cursor
    else:
        caught_up = await read_whole(journal, response, known)
        position, seen = caught_up.seen, 0
        missed = diff(known or ThreadState(), caught_up.final)
        for number, event in enumerate(missed, 1):
            yield f"{response}:{position}" if number == len(missed) else None, event
        _require_whole(response, abandoned=caught_up.abandoned)
        if caught_up.closed:
            return
    if seen:  # it has some of the events that come with the closing record
        position -= 1
    settlement: Settlement | None = None
    async with reader(journal, response, position) as records, aclosing(_counting(records)) as tail:
        async for place, entry in tail:
            kind = entry.type
            if kind == SETTLED:
                settlement = settlement_of(entry)
            elif kind == CLOSED:
                _require_whole(response, abandoned=is_abandoned(entry))
                settlement = settlement or await _settlement_of(journal, response)
                events = () if settlement is None else settlement.events
                for number, event in enumerate(events[seen:], seen + 1):
                    yield f"{response}:{place}.{number}", event
            elif not (entry.base or kind.startswith(OWN) or isinstance(entry.event, Unreadable)):
                yield f"{response}:{place}", entry.event


async def _counting(
    records: AsyncIterator[tuple[int, bytes]],
) -> AsyncGenerator[tuple[int, Entry], None]:
    """Yield records as they count: events that are held back when a client returns, or never."""
    held: list[tuple[int, Entry]] | None = None
    async for place, record in records:
        entry = decode_record(record, place)
        kind = entry.type
        if kind == LEFT:
            held = []
        elif kind == RETURNED:
            for pair in held or ():
                yield pair
            held = None
        elif held is None or kind.startswith(OWN):
            yield place, entry
        else:
            held.append((place, entry))


def place_in(response: str, cursor: str | None) -> tuple[int, int] | None:
    """Return the position in a cursor and how many of its events were seen, or None."""
    if cursor is None or not cursor.startswith(f"{response}:"):
        return None
    found = _PLACE(cursor.removeprefix(f"{response}:"))
    return None if found is None else (int(found[1] or found[2]), int(found[3] or 0))


async def is_there(journal: Journal, response: str, position: int) -> bool:
    """Whether a response reaches to this position, and can be read behind it."""
    try:
        async with reader(journal, response, position, follow=False) as records:
            await anext(records, None)
    except JournalError:
        return False
    return True


async def _settlement_of(journal: Journal, response: str) -> Settlement | None:
    return (await read_whole(journal, response)).settlement


def _require_whole(response: str, *, abandoned: bool) -> None:
    if abandoned:
        raise JournalError(
            f"the journal of response {response!r} failed in the middle and was given up: load the "
            "thread from the store, which has the whole of it"
        )
