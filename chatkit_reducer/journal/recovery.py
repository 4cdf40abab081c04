"""Recovery: answers whose process died are settled, and commits that failed are made.

    recover(journal, commit, policy=..., orphan=...)     one response
    recover_all(journal, commit_of, policy=...)          all orphans, once
    Recovery(journal, commit_of, policy=...).run()       all orphans, again and again

The records count: a closed response is left as it is, a settlement that is recorded is committed
again, and a response without one is settled as `crashed`. Two that recover one response
at the same time may both commit, but one settlement: `append` accepts one of the two.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import anyio
import attrs

from chatkit_reducer.core.policy.settle import settle
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.journal.leases import release
from chatkit_reducer.journal.protocol import Conflict, Header, Journal, JournalError
from chatkit_reducer.journal.reading import read_whole, records_of
from chatkit_reducer.journal.records import (
    Recovered,
    closed_record,
    require_known_format,
    settled_record,
)
from chatkit_reducer.journal.rounds import Rounds
from chatkit_reducer.supervise.commit.attempts import Commit, call_and_await
from chatkit_reducer.supervise.commit.lookups import Load, look_up_all
from chatkit_reducer.supervise.commit.marker import MarkerFields

__all__ = ["CommitOf", "Recovery", "close_unsettled", "recover", "recover_all"]

CommitOf: TypeAlias = Callable[[Header], Commit]
"""Makes the commit for a response of its header: the thread, and `meta` for the context."""
LoadOf: TypeAlias = Callable[[Header], Load]

logger: logging.Logger = logging.getLogger("chatkit_reducer.journal")

_LOOK_UP = 2.0
_MOST_ROUNDS = 100
"""How often one recovery reads again, because another writer was faster."""


async def recover(
    journal: Journal,
    commit: Commit,
    *,
    policy: Policy,
    orphan: str,
    load: Load | None = None,
    marker: MarkerFields | None = None,
) -> Settlement | None:
    """Settle a response whose writer died, have that committed, and close it.

    Args:
        journal: where the response is.
        commit: carries the settlement out; see `supervise`. It may be called again with the same.
        policy: what survives.
        orphan: the id of the response.
        load: finds the store's copy of an item. With it an item that the store has in full, that
            was changed or that was deleted meanwhile stays as it is, however the journal ended.
        marker: the fields of the marker that are not in the policy.

    Returns:
        The settlement that was committed; None where there was nothing to do, because the response
        is closed, its writer lives, or another recovery has it.

    Raises:
        JournalError: it cannot be read or written, or is of a newer format: it is left alone.
        Exception: `commit` raised. The settlement is recorded, and the next call commits it.
    """
    header = await _header_of(journal, orphan)
    if header is None:
        return None
    require_known_format(header)
    facts = _Facts(policy, load, marker or MarkerFields())
    async with _claimed(journal, orphan) as is_ours:
        return await _recover(journal, commit, header, facts) if is_ours else None


async def close_unsettled(journal: Journal, orphan: str, reason: str) -> bool:
    """End a response whose writer died, and commit nothing of it; return whether this call did.

    Args:
        journal: where the response is.
        orphan: the id of the response.
        reason: a word for the closing record.

    Raises:
        JournalError: it cannot be read or written.
    """
    async with _claimed(journal, orphan) as is_ours:
        if is_ours:
            end = len(await records_of(journal, orphan))
            await journal.append(orphan, end, [closed_record(end + 1, reason=reason)])
        return is_ours


@asynccontextmanager
async def _claimed(journal: Journal, orphan: str) -> AsyncIterator[bool]:
    """Hold the lease of a response; yield whether this call got it."""
    is_ours = await journal.claim(orphan)
    try:
        yield is_ours
    finally:
        if is_ours:
            with anyio.CancelScope(shield=True):
                await release(journal, orphan)


async def _header_of(journal: Journal, response: str) -> Header | None:
    found = await journal.find()
    return next((header for header in found if header.response == response), None)


@attrs.frozen
class _Facts:
    """All that a settlement depends on, besides the records."""

    policy: Policy
    load: Load | None
    marker: MarkerFields


async def _recover(
    journal: Journal, commit: Commit, header: Header, facts: _Facts
) -> Settlement | None:
    committed: Settlement | None = None
    for _ in range(_MOST_ROUNDS):
        found = await read_whole(journal, header.response)
        if found.closed:
            return committed
        with suppress(Conflict):  # another recovery was faster: its records count
            settlement, end = await _recorded(journal, header, found, facts)
            if committed is None:
                await _commit(commit, settlement)
                committed = settlement
                logger.info(
                    "Response %s of thread %s was left without an end: it is settled as %s "
                    "(writes to the store: %d).",
                    header.response,
                    header.thread,
                    settlement.cause,
                    len(settlement.writes),
                )
            await journal.append(header.response, end, [closed_record(end + 1)])
            return committed
    raise JournalError(
        f"response {header.response!r} was written by others {_MOST_ROUNDS} times while it was "
        "recovered: its writer seems to live"
    )


async def _commit(commit: Commit, settlement: Settlement) -> None:
    try:
        await call_and_await(commit, settlement)
    except Conflict as error:  # of another journal, which the commit writes to
        raise JournalError(f"the commit failed: {error}") from error


async def _recorded(
    journal: Journal, header: Header, found: Recovered, facts: _Facts
) -> tuple[Settlement, int]:
    """Return the settlement that is in the journal, having put it there if need be, and the end."""
    if found.settlement is not None:
        return found.settlement, found.position
    settlement = await _settled(header, found, facts)
    at = found.position
    await journal.append(header.response, at, [settled_record(at + 1, settlement)])
    return settlement, at + 1


async def _settled(header: Header, found: Recovered, facts: _Facts) -> Settlement:
    first = _settle(header, found, facts)
    more: dict[str, Any] = {}
    if facts.load is not None and first.look_up:
        context = contextvars.copy_context()
        asked = await look_up_all(facts.load, first.look_up, _LOOK_UP, context)
        more["stored"], cancelled = asked
        if cancelled:  # it was kept out, and the caller waits for it
            raise asyncio.CancelledError
    if first.marker is not None:
        more["marker_id"], more["marker_time"] = facts.marker.id_and_time()
    return _settle(header, found, facts, **more)


def _settle(header: Header, found: Recovered, facts: _Facts, **more: Any) -> Settlement:
    return settle(
        found.state,
        policy=facts.policy,
        cause=Cause.CRASHED,
        delivered=found.delivered,
        marker_content=facts.marker.content,
        thread_id=facts.marker.thread_id or header.thread,
        **more,
    )


async def recover_all(
    journal: Journal,
    commit_of: CommitOf,
    *,
    policy: Policy,
    thread: str | None = None,
    load_of: LoadOf | None = None,
    marker: MarkerFields | None = None,
) -> int:
    """Recover all orphans once, the oldest first, or those of one thread; return how many.

    One that fails is logged, and does not hold up the others.
    """
    recovery = Recovery(journal, commit_of, policy=policy, load_of=load_of, marker=marker)
    return await recovery.once(thread=thread)


class Recovery(Rounds):
    """Recovers orphans again and again, each failing one with growing pauses.

        async with anyio.create_task_group() as group:
            group.start_soon(Recovery(journal, commit_of, policy=policies.KEEP).run)

    Args:
        journal: where the responses are.
        commit_of: makes the `commit` for a response, of its header.
        policy: what survives.
        load_of: makes the `load` for a response; see `recover`.
        marker: the fields of the marker that are not in the policy.
        every: how long to wait between two looks at the journal, in seconds.
        timeout: how long the recovery of one response may take, in seconds; None for ever.
        keep: how long closed responses stay for clients that come late, in seconds; None for ever.
    """

    def __init__(
        self,
        journal: Journal,
        commit_of: CommitOf,
        *,
        policy: Policy,
        load_of: LoadOf | None = None,
        marker: MarkerFields | None = None,
        every: float = 5.0,
        timeout: float | None = 30.0,
        keep: float | None = 300.0,
    ) -> None:
        async def recover_one(header: Header) -> Settlement | None:
            return await recover(
                journal,
                commit_of(header),
                policy=policy,
                orphan=header.response,
                load=None if load_of is None else load_of(header),
                marker=marker,
            )

        super().__init__(journal, recover_one, every=every, timeout=timeout, keep=keep)
