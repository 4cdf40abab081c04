"""Make the settlement of a stream, and have the application commit it, once."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from typing import Any

import attrs

from chatkit_reducer.core.policy.settle import settle
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.errors import CommitError
from chatkit_reducer.supervise._interruptions import fatal_part, is_cancellation
from chatkit_reducer.supervise._journaling import Journaling
from chatkit_reducer.supervise._options import Limits
from chatkit_reducer.supervise._tracker import Tracker
from chatkit_reducer.supervise.commit.attempts import Commit, commit_in_attempts
from chatkit_reducer.supervise.commit.lookups import Load, Lookup, look_up_all
from chatkit_reducer.supervise.commit.marker import MarkerFields
from chatkit_reducer.supervise.commit.reporting import OnFailure, report, warn_of_taken_ids

__all__ = ["Commit", "Committer", "Hooks", "MarkerFields"]

logger: logging.Logger = logging.getLogger("chatkit_reducer.supervise")


@attrs.frozen(kw_only=True)
class Hooks:
    """The functions and fields that the application passes."""

    commit: Commit
    load: Load | None
    on_failure: OnFailure | None
    marker: MarkerFields


class Committer:
    """Settles a stream and has the settlement committed."""

    def __init__(
        self, hooks: Hooks, policy: Policy, limits: Limits, journal: Journaling | None = None
    ) -> None:
        self._hooks = hooks
        self._policy = policy
        self._limits = limits
        self._journal = journal
        self.settlement: Settlement | None = None
        self.failure: CommitError | None = None

    def lookup(self, item_id: str) -> Lookup:
        """Return a look-up of an item; the application has passed `load`."""
        assert self._hooks.load is not None
        return Lookup(self._hooks.load, item_id)

    def check(self, state: ThreadState) -> None:
        """Settle once for each cause, so that a wrong argument raises before the stream begins."""
        for cause in Cause:
            self._make_settlement(state, state, cause, marker_id="", marker_time="")

    async def settle(
        self, tracker: Tracker[Any], cause: Cause, context: Context
    ) -> BaseException | None:
        """Settle, and commit in spite of any cancellation. Never raises.

        Returns:
            The exception to raise: a cancellation that arrived meanwhile, or one that ends the
            program.
        """
        error: BaseException | None = None
        unwritten, cancelled = None, False
        try:
            self.settlement, cancelled = await self._decide(tracker, cause, context)
            if self._journal is not None:
                cancelled |= await self._journal.record(self.settlement, context)
                if self._journal.writer.taken_over:
                    self.settlement = None
                    return asyncio.CancelledError() if cancelled else None
            attempts = await commit_in_attempts(
                self._hooks.commit,
                self.settlement,
                self._limits.attempts,
                self._limits.commit,
                context,
            )
            error, unwritten = attempts.error, attempts.unwritten
            cancelled |= attempts.cancelled
        except GeneratorExit:
            raise  # the event loop is gone
        except BaseException as raised:  # noqa: BLE001  # the last line of defence: it is reported
            error, cancelled = raised, cancelled or is_cancellation(raised)
        if self._journal is not None:
            cancelled |= await self._finish(self._journal, context, committed=error is None)
        if error is not None:
            self.failure = CommitError(self.settlement, unwritten)
            self.failure.__cause__ = error
            cancelled |= await self._report_failure(self.failure, context)
        self._warn()
        fatal = None if error is None else fatal_part(error)
        return fatal or (asyncio.CancelledError() if cancelled else None)

    async def _finish(self, journal: Journaling, context: Context, *, committed: bool) -> bool:
        try:
            return await journal.finish(self.settlement, context, committed=committed)
        except Exception:
            logger.exception("The journal of a stream was not brought to its end: see below.")
            return False

    def _warn(self) -> None:
        """Log a warning of ids that the store has for other items; it must not stop the end."""
        try:
            if self.settlement is not None:
                warn_of_taken_ids(self.settlement)
        except Exception:
            logger.exception("A warning about the settlement of a stream failed.")

    async def _report_failure(self, failure: CommitError, context: Context) -> bool:
        try:
            return await report(failure, self._hooks.on_failure, self._limits.commit, context)
        except Exception:
            logger.exception("A settlement was not committed, and to report that failed, too.")
            return False

    async def _decide(
        self, tracker: Tracker[Any], cause: Cause, context: Context
    ) -> tuple[Settlement, bool]:
        """Settle the items as the user saw them, over the store's copies, with a marker."""
        facts: dict[str, Any] = {"refused": tracker.refused} if tracker.refused else {}
        cancelled = False
        if self._hooks.load is not None:
            ids = dict.fromkeys([*self._in_flight(tracker, cause), *tracker.held])
            facts["stored"], cancelled = await look_up_all(
                self._hooks.load, ids, self._limits.load, context
            )
            tracker.release(facts["stored"])
        states = tracker.states()
        try:
            settlement = self._make_settlement(*states, cause, **facts)
        except Exception:
            logger.exception("A stream is settled without the copies of its store: see below.")
            facts = {}
            settlement = self._make_settlement(*states, cause)
        if settlement.marker is not None:
            settlement = self._add_marker(settlement, *states, facts, context)
        return settlement, cancelled

    def _in_flight(self, tracker: Tracker[Any], cause: Cause) -> tuple[str, ...]:
        """Return the ids of the items that the settlement asks about."""
        return self._make_settlement(*tracker.states(), cause).look_up

    def _add_marker(
        self,
        settlement: Settlement,
        state: ThreadState,
        delivered: ThreadState,
        facts: dict[str, Any],
        context: Context,
    ) -> Settlement:
        try:
            marker_id, marker_time = context.copy().run(self._hooks.marker.id_and_time)
            return self._make_settlement(
                state,
                delivered,
                settlement.cause,
                marker_id=marker_id,
                marker_time=marker_time,
                **facts,
            )
        except Exception:
            logger.exception("The marker has no id or no time, and is left out: see below.")
            return settlement

    def _make_settlement(
        self, state: ThreadState, delivered: ThreadState, cause: Cause, **facts: Any
    ) -> Settlement:
        return settle(
            state,
            policy=self._policy,
            cause=cause,
            delivered=delivered,
            marker_content=self._hooks.marker.content,
            thread_id=self._hooks.marker.thread_id,
            **facts,
        )
