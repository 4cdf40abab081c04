"""Rounds of recovery: look for orphans again and again, with growing pauses for those that fail."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import anyio
import attrs

from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.journal.protocol import FORMAT, Header, Journal, JournalError

__all__ = ["RecoverOne", "Rounds"]

RecoverOne: TypeAlias = Callable[[Header], Awaitable[Settlement | None]]
"""Recovers one response; returns the settlement, or None if there was nothing to do."""

logger: logging.Logger = logging.getLogger("chatkit_reducer.journal")

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 300.0


@attrs.define
class _Trouble:
    """An orphan that could not be recovered."""

    attempts: int = 0
    next_time: float = 0.0
    reason: str = ""
    """Why the last attempt failed."""


class Rounds:
    """Looks for orphans, and has each of them recovered.

    Args:
        journal: where the responses are.
        recover_one: recovers one of them.
        every: how long to wait between two looks at the journal, in seconds.
        timeout: how long the recovery of one response may take, in seconds; None for ever.
        keep: how long closed responses stay for clients that come late, in seconds; None for ever.
    """

    def __init__(
        self,
        journal: Journal,
        recover_one: RecoverOne,
        *,
        every: float = 5.0,
        timeout: float | None = 30.0,
        keep: float | None = 300.0,
    ) -> None:
        self._journal = journal
        self._recover_one = recover_one
        self._every = every
        self._timeout = timeout
        self._keep = keep
        self._troubles: dict[str, _Trouble] = {}
        self._too_new: set[str] = set()
        self._is_silent = False

    async def run(self) -> None:
        """Look for orphans at once, and then again and again, until it is cancelled."""
        while True:
            await self._look()
            await anyio.sleep(self._every)

    async def _look(self) -> None:
        """Look once; of a journal that cannot be read, log that once."""
        try:
            await self.once(patient=True)
            if self._keep is not None:
                old = datetime.now(UTC) - timedelta(seconds=self._keep)
                await self._journal.forget(closed_before=old)
            self._is_silent = False
        except Exception as error:  # noqa: BLE001  # of a driver: the next look may succeed
            if not self._is_silent:
                logger.error(  # noqa: TRY400  # a driver's traceback says no more
                    "The journal cannot be looked through for orphans: %s",
                    error if isinstance(error, JournalError) else type(error).__name__,
                )
            self._is_silent = True

    async def once(self, *, thread: str | None = None, patient: bool = False) -> int:
        """Recover orphans, the oldest first; return how many.

        Args:
            thread: those of this thread alone: before its next response begins.
            patient: leave out those that have failed, until their pause is over.

        Raises:
            JournalError: the journal cannot be read at all.
        """
        orphans = await self._journal.find(thread=thread, orphaned=True)
        if thread is None:
            self._forget_troubles({header.response for header in orphans})
        return sum([await self._try(header, patient=patient) for header in orphans])

    def _forget_troubles(self, orphans: set[str]) -> None:
        self._too_new &= orphans
        for gone in self._troubles.keys() - orphans:
            del self._troubles[gone]

    async def _try(self, header: Header, *, patient: bool) -> bool:
        if header.format > FORMAT:
            self._leave_alone(header)
            return False
        trouble = self._troubles.get(header.response, _Trouble())
        if patient and anyio.current_time() < trouble.next_time:
            return False
        try:
            with anyio.fail_after(self._timeout):
                settlement = await self._recover_one(header)
        except Exception as error:  # noqa: BLE001  # one that fails does not hold up the others
            self._failed(header, trouble, error)
            return False
        self._troubles.pop(header.response, None)
        return settlement is not None

    def _leave_alone(self, header: Header) -> None:
        if header.response not in self._too_new:
            self._too_new.add(header.response)
            logger.warning(
                "Response %s of thread %s is in format %d of the journal, which this release does "
                "not know: it is left alone.",
                header.response,
                header.thread,
                header.format,
            )

    def _failed(self, header: Header, trouble: _Trouble, error: Exception) -> None:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(trouble.attempts, 20))
        trouble.attempts += 1
        trouble.next_time = anyio.current_time() + pause
        self._troubles[header.response] = trouble
        # Not the error's text, which may quote the conversation.
        reason = str(error) if isinstance(error, JournalError) else type(error).__name__
        logger.log(
            logging.DEBUG if reason == trouble.reason else logging.ERROR,  # one that lasts, once
            "Response %s of thread %s was not recovered at attempt %d; the next one is in %g "
            "seconds: %s",
            header.response,
            header.thread,
            trouble.attempts,
            pause,
            reason,
        )
        trouble.reason = reason
