"""The settlement of a stream, made and handed to the application, once."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeAlias

import attrs
from msgspec import UNSET

from chatkit_reducer.errors import CommitError
from chatkit_reducer.policy import Cause, Policy
from chatkit_reducer.settlement import Settlement, settle
from chatkit_reducer.state import ThreadState
from chatkit_reducer.supervise.protection import protected

__all__ = ["Commit", "Committing", "MarkerFields"]

Commit: TypeAlias = Callable[[Settlement], Awaitable[object]]
"""Carries a settlement out. It may be called again with the same one, so it is idempotent."""

logger: logging.Logger = logging.getLogger("chatkit_reducer.supervise")


def _new_id() -> str:
    # As the SDK makes them for its own hidden items (1.6.5, `chatkit/store.py`,
    # `default_generate_id`).
    return f"shcx_{uuid.uuid4().hex[:8]}"


def _local_time() -> str:
    return datetime.now().isoformat()  # noqa: DTZ005  # without a zone, as the SDK writes it


@attrs.frozen(kw_only=True)
class MarkerFields:
    """What a marker needs that the core does not know."""

    new_id: Callable[[], str] = _new_id
    now: Callable[[], str] = _local_time
    content: Any = UNSET
    thread_id: str | None = None


class Committing:
    """Settles a stream and has that committed."""

    def __init__(
        self,
        commit: Commit,
        policy: Policy,
        marker: MarkerFields,
        seconds: float,
        on_failure: Callable[[CommitError], object] | None,
    ) -> None:
        self._commit = commit
        self._policy = policy
        self._marker = marker
        self._seconds = seconds
        self._on_failure = on_failure
        self.settlement: Settlement | None = None
        self.failure: CommitError | None = None

    def check(self, state: ThreadState) -> None:
        """Finds out now, and not when the stream has ended, whether it can be settled at all."""
        for cause in Cause:
            self._settle(state, state, cause, marker_id="", marker_time="")

    async def settle(self, state: ThreadState, delivered: ThreadState, cause: Cause) -> bool:
        """Settles, and commits in spite of any cancellation.

        Returns:
            Whether one arrived meanwhile: the caller has to raise it.
        """
        settlement = self._settle(state, delivered, cause)
        if settlement.marker is not None:
            settlement = self._with_marker(state, delivered, settlement)
        self.settlement = settlement
        outcome = await protected(lambda: self._commit(settlement), self._seconds)
        if outcome.error is not None:
            self.failure = CommitError(settlement)
            self.failure.__cause__ = outcome.error
            self._report(self.failure)
        return outcome.cancelled

    def _settle(
        self, state: ThreadState, delivered: ThreadState, cause: Cause, **marker: Any
    ) -> Settlement:
        return settle(
            state,
            policy=self._policy,
            cause=cause,
            delivered=delivered,
            marker_content=self._marker.content,
            thread_id=self._marker.thread_id,
            **marker,
        )

    def _with_marker(
        self, state: ThreadState, delivered: ThreadState, settlement: Settlement
    ) -> Settlement:
        try:
            fields = {"marker_id": self._marker.new_id(), "marker_time": self._marker.now()}
        except Exception:
            logger.exception("The marker has no id or no time, and is left out: see below.")
            return settlement
        return self._settle(state, delivered, settlement.cause, **fields)

    def _report(self, failure: CommitError) -> None:
        if self._on_failure is not None:
            try:
                self._on_failure(failure)
            except Exception:
                logger.exception("`on_failure` failed itself: see below.")
            else:
                return
        logger.error(
            "%s", failure, exc_info=failure.__cause__, extra={"settlement": failure.settlement}
        )
