"""`check_journal`: the contract of a journal, for a backend of your own."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime, timedelta
from operator import methodcaller
from typing import Any, TypeAlias, TypeVar

import attrs

from chatkit_reducer.journal.protocol import Conflict, Header, Journal, JournalError
from chatkit_reducer.journal.records import closed_record, event_record
from chatkit_reducer.journal.returns import Recalling
from chatkit_reducer.testing._text import advice, message

__all__ = ["check_journal"]

T = TypeVar("T")

# pytest then shows the test and the message, and not the code of the check.
__tracebackhide__: methodcaller = methodcaller("errisinstance", AssertionError)

MakeJournal: TypeAlias = Callable[[], Any]
"""Returns a journal, a context manager of one, or an awaitable of either."""

_RACERS = 8
_RECORDS = 12
_SEED = 20_261_129


def check_journal(
    make_journal: MakeJournal, *, schedules: int = 20, patience: float = 10.0
) -> None:
    """Try whether a journal keeps its contract, in the event loop of asyncio.

        def test_our_journal(tmp_path):
            check_journal(lambda: OurJournal(tmp_path))

    1. Position: of appends at one position one at most is accepted, and a record never
       changes.
    2. Gapless: an append that is not at the end is refused with a `Conflict`, beyond the end too.
    3. Idempotent: the same append again succeeds and changes nothing.
    4. Acknowledged is read: by every reader that begins after `append` has returned.
    5. Reading: `read(after=n)` yields `n + 1`, `n + 2` and so on, each once, whenever an append
       falls; with `follow` it ends exactly where the response is closed.

    The records are notices, and no deltas, which a backend may acknowledge before they are written.

    Besides: a response begins once; the lease of one that a writer left goes to one claim; a
    request to stop reaches the writer, and so does a client that is back, if the journal can tell;
    a response that is forgotten is gone.

    Args:
        make_journal: opens the journal; called for several handles onto *the same* place, as
            several processes would have them. It need not be empty: all ids are new. If it gives an
            asynchronous context manager, that is entered, and left at the end.
        schedules: how many random sequences of appends and reads are tried.
        patience: how long each call may take, and a lease to run out, in seconds.

    Raises:
        AssertionError: the journal breaks its contract; it says where, and what to do.
    """
    if not callable(make_journal):
        raise TypeError(
            f"expected a function that opens the journal, got {make_journal!r}: pass a function, "
            "such as lambda: MyJournal(path)"
        )
    asyncio.run(_check(make_journal, schedules, patience))


async def _check(make_journal: MakeJournal, schedules: int, patience: float) -> None:
    async with AsyncExitStack() as stack:
        one, other = [await _opened(make_journal, stack) for _ in range(2)]
        subject = _Subject(one, other, patience)
        for check in _CHECKS:
            await check(subject)
        for number in range(schedules):
            await _any_schedule(subject, random.Random(_SEED + number))  # noqa: S311  # no secret
        await _leases(subject, await _opened(make_journal, stack))


async def _opened(make_journal: MakeJournal, stack: AsyncExitStack) -> Journal:
    made = make_journal()
    if isinstance(made, Awaitable):
        made = await made
    if isinstance(made, AbstractAsyncContextManager):
        made = await stack.enter_async_context(made)
    if not isinstance(made, Journal):
        raise TypeError(
            f"expected make_journal to return a journal, got {type(made).__name__}: it needs all "
            "methods of chatkit_reducer.journal.Journal"
        )
    return made


@attrs.frozen
class _Subject:
    """The journal, by two handles."""

    one: Journal
    other: Journal
    patience: float

    async def begun(self) -> str:
        """Begin a response by the first handle."""
        header = _header()
        await self.within("begin", self.one.begin(header))
        return header.response

    async def within(self, call: str, awaitable: Awaitable[T]) -> T:
        """Await a call of the journal. A `JournalError` is for the check to judge."""
        try:
            return await asyncio.wait_for(_of(awaitable), self.patience)
        except JournalError:
            raise
        except TimeoutError:
            raise _broken(
                "Time", f"{call} took longer than {self.patience:g} seconds.", "Let it end."
            ) from None
        except Exception as error:
            raise _broken(
                "Errors",
                f"{call} raised {type(error).__name__}: {error}",
                "Raise JournalError for each fault of the backend, and Conflict for a position that"
                " is taken: the stream goes on then.",
            ) from error

    async def accepts(self, journal: Journal, response: str, at: int, *records: bytes) -> bool:
        """Append; return whether it was accepted."""
        try:
            await self.within("append", journal.append(response, at, records))
        except Conflict:
            return False
        return True

    async def read(self, journal: Journal, response: str, after: int = 0) -> list[bytes]:
        """Read to the end, and check the positions."""
        found = await self.within("read", _all_of(journal.read(response, after, follow=False)))
        _check_positions(found, after)
        return [record for _, record in found]


async def _of(awaitable: Awaitable[T]) -> T:
    return await awaitable


async def _all_of(records: AsyncIterator[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [found async for found in records]


def _header(thread: str | None = None) -> Header:
    return Header(
        response=str(uuid.uuid4()),
        thread=thread or f"thr_{uuid.uuid4().hex}",
        started=datetime.now(UTC),
        meta={"user": "u"},
    )


def _record(position: int, text: str = "") -> bytes:
    return event_record(position, _notice(text))


def _notice(text: str) -> bytes:
    """Return an event that no backend may acknowledge before it is written, as it may a delta."""
    return b'{"type":"notice","level":"info","message":"%b"}' % text.encode()


def _broken(law: str, found: str, todo: str) -> AssertionError:
    return AssertionError(message(f"{law}: the journal breaks its contract.", found, advice(todo)))


def _check_positions(found: Sequence[tuple[int, bytes]], after: int) -> None:
    positions = [position for position, _ in found]
    expected = list(range(after + 1, after + 1 + len(found)))
    if positions != expected:
        raise _broken(
            "5. Reading",
            f"read(after={after}) yielded the positions {positions}, not {expected}.",
            "Yield each record behind `after` once, in order, with its position; the first one of a"
            " response is at 1.",
        )


def _check_equal(
    law: str, expected: list[bytes], found: list[bytes], after: str, todo: str
) -> None:
    if expected != found:
        raise _broken(
            law, f"After {after}, reading gave {found}, and was to give {expected}.", todo
        )


# --- the laws -------------------------------------------------------------------------------------


async def _begins_once(subject: _Subject) -> None:
    header = _header()
    await subject.within("begin", subject.one.begin(header))
    for journal in (subject.one, subject.other):
        try:
            await subject.within("begin", journal.begin(header))
        except Conflict:
            continue
        raise _broken(
            "Beginning",
            "begin with the id of a response that there is was accepted.",
            "Raise Conflict, also where another process began it: a unique key does.",
        )
    found = await subject.within("find", subject.other.find(thread=header.thread))
    if found != [header]:
        raise _broken(
            "Beginning",
            f"find gave {found} for a thread with one open response, whose header is {header}.",
            "Return each header as it was given to `begin`, with `meta` and the time zone.",
        )


async def _one_at_a_position(subject: _Subject) -> None:
    response = await subject.begun()
    for position in range(3):
        racers = [
            (journal, _record(position + 1, f"{number}"))
            for number, journal in enumerate([subject.one, subject.other] * (_RACERS // 2))
        ]
        accepted = await asyncio.gather(
            *[subject.accepts(journal, response, position, record) for journal, record in racers]
        )
        if sum(accepted) != 1:
            raise _broken(
                "1. Position",
                f"Of {_RACERS} appends of different records at position {position} at one time, "
                f"{sum(accepted)} were accepted.",
                "Let one be accepted, and raise Conflict for the others: check the end and write "
                "in one step, as a unique key (response, position) or a lock does.",
            )
        stands = await subject.read(subject.other, response)
        winner = racers[accepted.index(True)][1]
        _check_equal(
            "1. Position",
            [winner],
            stands[position:],
            "one of several appends at a position was accepted",
            "Write the records of the append that succeeds, and of no other.",
        )


async def _refuses_gaps(subject: _Subject) -> None:
    response = await subject.begun()
    records = [_record(1), _record(2)]
    await subject.accepts(subject.one, response, 0, *records)
    for at in (0, 1, 3, 7):
        for number in (1, 2):
            more = [_record(at + each + 1, "other") for each in range(number)]
            if await subject.accepts(subject.one, response, at, *more):
                raise _broken(
                    "2. Gapless",
                    f"An append of {number} other records at position {at} was accepted, and the "
                    "end was 2.",
                    "Compare `at` with the end in the statement that writes. A unique key alone "
                    "accepts positions beyond the end.",
                )
    found = await subject.read(subject.other, response)
    todo = "Write nothing where `append` raises."
    _check_equal("2. Gapless", records, found, "appends that were refused", todo)


async def _repeats(subject: _Subject) -> None:
    response = await subject.begun()
    written: list[bytes] = []
    batches = [[_record(1)], [_record(2), _record(3)], [closed_record(4)]]
    for batch in batches:
        await subject.accepts(subject.one, response, len(written), *batch)
        written += batch
        at = 0
        for again in batches[: batches.index(batch) + 1]:
            for journal in (subject.one, subject.other):
                if not await subject.accepts(journal, response, at, *again):
                    raise _broken(
                        "3. Idempotent",
                        f"The same append at position {at} raised Conflict the second time.",
                        "Where `at` is not the end, compare the records that stand there with those"
                        " that are given, and return if they are the same: the answer to the first "
                        "append may have been lost.",
                    )
            at += len(again)
        found = await subject.read(subject.other, response)
        todo = "Where the same records stand there already, write nothing."
        _check_equal("3. Idempotent", written, found, "each append twice", todo)


async def _is_read(subject: _Subject) -> None:
    response = await subject.begun()
    written: list[bytes] = []
    todo = "Return from `append` when the records are where every reader finds them."
    for position in range(_RECORDS):
        record = _record(position + 1)
        await subject.accepts(subject.one, response, position, record)
        written.append(record)
        for journal in (subject.other, subject.one):
            found = await subject.read(journal, response)
            _check_equal(
                "4. Acknowledged is read", written, found, f"append at {position} returned", todo
            )


async def _is_read_while_it_grows(subject: _Subject) -> None:
    response = await subject.begun()
    written = [_record(position) for position in range(1, _RECORDS)] + [closed_record(_RECORDS)]
    readers = []
    for position, record in enumerate(written):
        for journal in (subject.one, subject.other):
            after = position // 2
            reading = _all_of(journal.read(response, after))
            readers.append((after, asyncio.create_task(_of(reading))))
        await asyncio.sleep(0.001 * (position % 3))
        if any(reader.done() and not reader.exception() for _, reader in readers):
            raise _broken(
                "5. Reading",
                "A reader with follow=True ended before the response was closed.",
                "Wait for the next record at the end, and end behind the closing one alone.",
            )
        await subject.accepts(subject.one, response, position, record)
    for after, reader in readers:
        try:
            found = await subject.within("read", reader)
        except JournalError as error:
            raise _broken(
                "5. Reading",
                f"read(after={after}) of a response that reached beyond that raised {error}",
                "Raise only where `after` is beyond the end, or was trimmed.",
            ) from error
        _check_positions(found, after)
        records = [record for _, record in found]
        todo = "Read again from the last position that was yielded, so that nothing is in between."
        _check_equal("5. Reading", written[after:], records, "a reader followed it", todo)


async def _refuses_wrong_positions(subject: _Subject) -> None:
    response = await subject.begun()
    await subject.accepts(subject.one, response, 0, _record(1))
    for name, after in ((response, 2), (str(uuid.uuid4()), 0)):
        try:
            await subject.read(subject.other, name, after)
        except JournalError:
            continue
        raise _broken(
            "5. Reading",
            f"read(after={after}) of a response that has 1 record, or none, raised nothing."
            if name == response
            else "read of a response that there is not raised nothing.",
            "Raise JournalError: a cursor that is not understood must not be skipped in silence.",
        )


async def _closes(subject: _Subject) -> None:
    header = _header()
    await subject.within("begin", subject.one.begin(header))
    await subject.accepts(subject.one, header.response, 0, _record(1), closed_record(2))
    for at in (2, 3):
        if await subject.accepts(subject.one, header.response, at, _record(at + 1)):
            raise _broken(
                "Closing",
                "A record behind the closing one was accepted.",
                "Raise Conflict: see chatkit_reducer.journal.records.is_closing.",
            )
    if await subject.within("find", subject.other.find(thread=header.thread)):
        raise _broken(
            "Closing", "find returned a closed response.", "Return those that are not closed."
        )


async def _forgets(subject: _Subject) -> None:
    thread = f"thr_{uuid.uuid4().hex}"
    headers = [_header(thread), _header(thread), _header()]
    for header in headers:
        await subject.within("begin", subject.one.begin(header))
    done = headers[0].response
    await subject.accepts(subject.one, done, 0, closed_record(1))
    past = datetime.now(UTC) - timedelta(hours=1)
    await subject.within("forget", subject.other.forget(thread=thread, closed_before=past))
    await subject.read(subject.other, done)  # it was closed later
    count = await subject.within("forget", subject.other.forget(thread=thread))
    left = await subject.within("find", subject.one.find(thread=thread))
    kept = await subject.within("find", subject.one.find(thread=headers[2].thread))
    if count != 2 or left or kept != [headers[2]]:
        raise _broken(
            "Forgetting",
            f"forget(thread=...) returned {count} for a thread of 2 responses; find then gave "
            f"{len(left)} of that thread, and {len(kept)} of another that had 1.",
            "Delete all responses of the thread, open ones too, and return how many they were.",
        )


async def _stops(subject: _Subject) -> None:
    response, going_on = await subject.begun(), await subject.begun()
    await subject.within("stop", subject.other.stop(response))
    asked = await subject.within("alive", subject.one.alive([response, going_on]))
    if set(asked) != {response}:
        raise _broken(
            "Stopping",
            f"After stop by another handle, alive returned {asked}, not {[response]}.",
            "Keep the request where the writer's process finds it, and return it from `alive`.",
        )


async def _recalls(subject: _Subject) -> None:
    response, going_on = await subject.begun(), await subject.begun()
    if not isinstance(subject.one, Recalling) or not isinstance(subject.other, Recalling):
        return
    await subject.within("recall", subject.other.recall(response))
    told = await subject.within("recalled", subject.one.recalled([response, going_on]))
    again = await subject.within("recalled", subject.one.recalled([response, going_on]))
    if set(told) != {response} or again:
        raise _broken(
            "Recalling",
            f"After recall by another handle, recalled returned {told}, not {[response]}, and "
            f"then {again}, not {[]}.",
            "Keep the note where the writer's process finds it, and return it once.",
        )


_CHECKS = (
    _begins_once,
    _one_at_a_position,
    _refuses_gaps,
    _repeats,
    _is_read,
    _is_read_while_it_grows,
    _refuses_wrong_positions,
    _closes,
    _forgets,
    _stops,
    _recalls,
)


async def _any_schedule(subject: _Subject, choose: random.Random) -> None:
    """Append and read at random places, beside a list that does the same."""
    response = await subject.begun()
    written: list[bytes] = []
    for step in range(_RECORDS):
        at = choose.choice([len(written)] * 3 + [len(written) + 1, choose.randint(0, len(written))])
        text = choose.choice(["a", "b"])
        records = [
            b'{"seq":%d,"event":%b}' % (place, _notice(text))
            for place in range(at + 1, at + 1 + choose.randint(1, 3))
        ]
        accepted = await subject.accepts(subject.one, response, at, *records)
        there = written[at : at + len(records)] == records
        if accepted != (at == len(written) or there):
            raise _broken(
                "2. Gapless" if accepted else "3. Idempotent",
                f"Step {step}: append of {len(records)} records at {at} was "
                f"{'accepted' if accepted else 'refused'}, with the end at {len(written)}"
                f"{' and the same records there' if there else ''}.",
                "Accept an append at the end, and one whose records stand there; refuse others.",
            )
        if at == len(written):
            written += records
        after = choose.randint(0, len(written))
        found = await subject.read(subject.other, response, after)
        _check_equal("1. Position", written[after:], found, f"step {step}", "Keep what is written.")


async def _leases(subject: _Subject, writer: Journal) -> None:
    """Orphan a response by closing its writer's handle; last, because nothing else uses that."""
    header = _header()
    await subject.within("begin", writer.begin(header))
    await subject.accepts(writer, header.response, 0, _record(1))
    orphans = await _orphans(subject, header)
    claimed_early = await subject.within("claim", subject.one.claim(header.response))
    if orphans or claimed_early:
        raise _broken(
            "Leases",
            "A response whose writer lives was found as an orphan, or claimed.",
            "Hold the lease from `begin` on, for as long as `alive` renews it.",
        )
    await subject.within("aclose", writer.aclose())
    for _ in range(100):
        if await _orphans(subject, header):
            break
        await asyncio.sleep(subject.patience / 100)
    claimed = await asyncio.gather(
        *[
            subject.within("claim", journal.claim(header.response))
            for journal in (subject.one, subject.other)
        ]
    )
    if sum(claimed) != 1:
        raise _broken(
            "Leases",
            f"After aclose of its writer, {sum(claimed)} of 2 claims got the response, within "
            f"{subject.patience:g} seconds.",
            "Give the leases back in `aclose`, or let them run out, and let one claim get it.",
        )
    by = (subject.one, subject.other)[claimed.index(True)]
    if not await subject.accepts(by, header.response, 1, closed_record(2)):
        raise _broken(
            "Leases", "The one that claimed a response could not end it.", "Let it append."
        )


async def _orphans(subject: _Subject, header: Header) -> list[Header]:
    return await subject.within("find", subject.one.find(thread=header.thread, orphaned=True))
