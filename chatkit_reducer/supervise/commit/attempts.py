"""Call the commit, again where that may help, inside one deadline."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Iterator
from contextvars import Context
from functools import partial
from typing import TypeAlias

import anyio
import attrs

from chatkit_reducer.core.policy.disclosure import writes_of
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.verdict import Write
from chatkit_reducer.errors import EncodeError, WriteErrors
from chatkit_reducer.supervise.shield import Outcome, run_shielded
from chatkit_reducer.supervise.tasks import await_if_needed

__all__ = ["Attempts", "Commit", "call_and_await", "commit_in_attempts"]

Commit: TypeAlias = Callable[[Settlement], Awaitable[object] | object]
"""Carries a settlement out. It may be called again with the same one, so it is idempotent."""

_FIRST_PAUSE = 0.1
"""How long to wait before the second attempt, in seconds; twice as long before each other."""


@attrs.frozen
class Attempts:
    """The outcome of all attempts."""

    error: BaseException | None
    """The exception of the last attempt; None if it succeeded."""
    unwritten: tuple[Write, ...]
    """The writes that no attempt has done."""
    cancelled: bool
    """Whether a cancellation was kept out: the caller has to raise it."""


async def commit_in_attempts(
    commit: Commit, settlement: Settlement, most: int, seconds: float | None, context: Context
) -> Attempts:
    """Call the commit until it succeeds, at most `most` times and for `seconds`."""
    now = anyio.current_time
    end = math.inf if seconds is None else now() + seconds
    settled = unwritten = writes_of(settlement)
    cancelled, outcome = False, Outcome()
    for pause in _pauses(most):
        left = None if seconds is None else end - now()
        outcome = await run_shielded(
            partial(_commit_writable, commit, settlement), left, context=context
        )
        cancelled |= outcome.cancelled
        if outcome.error is None:
            return Attempts(None, (), cancelled)
        unwritten = _still_unwritten(unwritten, outcome.error, settled)
        if pause is None or not _may_help(outcome) or now() + pause >= end:
            break
        rest = await run_shielded(partial(anyio.sleep, pause), None, context=context)
        cancelled |= rest.cancelled
    error = outcome.error
    if outcome.overran:
        error = TimeoutError(f"it took longer than {seconds:g} seconds")
    return Attempts(error, unwritten, cancelled)


async def _commit_writable(commit: Commit, settlement: Settlement) -> None:
    """Call the commit, and say then which writes the settlement itself has left out.

    Raises:
        WriteErrors: it has left out some; or the commit said that it has not done some.
    """
    left_out = [(write, EncodeError(write.problem)) for write in settlement.unwritable]
    try:
        await call_and_await(commit, settlement)
    except WriteErrors as error:
        if not left_out:
            raise
        raise WriteErrors([*error.failed, *left_out], retry=error.retry) from error
    if left_out:
        raise WriteErrors(left_out, retry=False)


def _pauses(most: int) -> Iterator[float | None]:
    """Yield how long to wait after each attempt; None after the last one."""
    for number in range(most - 1):
        yield _FIRST_PAUSE * 2 ** min(number, 10)
    yield None


async def call_and_await(function: Callable[..., object], argument: object) -> object:
    """Call a function, and await its result if that can be awaited.

    Raises:
        TypeError: it returned a generator, which has done nothing.
    """
    returned = await await_if_needed(function(argument))
    if inspect.isgenerator(returned) or inspect.isasyncgen(returned):
        raise TypeError(f"{function!r} returned a generator, and has done nothing: remove `yield`")
    return returned


def _may_help(outcome: Outcome) -> bool:
    """Return whether another attempt may help."""
    error = outcome.error
    if outcome.overran or not isinstance(error, Exception):
        return False
    return not isinstance(error, WriteErrors) or error.retry


def _still_unwritten(
    unwritten: tuple[Write, ...], error: BaseException, settled: tuple[Write, ...]
) -> tuple[Write, ...]:
    """Return the writes that are left: a `WriteErrors` names those that failed.

    It may name more writes than the settlement has: the commit may have had other work to do.
    """
    if not isinstance(error, WriteErrors):
        return unwritten
    failed = {_key(write) for write in error.writes}
    ours = {_key(write) for write in settled}
    still = [write for write in unwritten if _key(write) in failed]
    return (*still, *(write for write in error.writes if _key(write) not in ours))


def _key(write: Write) -> tuple[str, str]:
    item_id = write.item.get("id")
    return write.op, item_id if isinstance(item_id, str) else ""
