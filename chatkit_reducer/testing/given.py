"""given / when / then: example tests of a policy that read like the sentence they mean.

    given(widget("w", CARD)).when(
        added(message("m")),
        text_delta("m", "Hello"),
        value_delta("w", "status", "!"),
    ).ends(Cause.CANCELLED, policies.KEEP).then(
        save(widget("w", LOUDER_CARD)),
        add(message("m", "Hello")),
        add(marker(policies.KEEP)),
    )

Items and events are those of `chatkit_reducer.testing.examples`, or any of your own.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from operator import methodcaller
from typing import Any

import attrs
from msgspec import UNSET

from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.fold.folder import fold
from chatkit_reducer.core.policy.settle import settle
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import Cause, Policy
from chatkit_reducer.core.policy.verdict import Write
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Event, Json

__all__ = ["Ended", "Given", "When", "add", "given", "marker", "save"]

# pytest then shows the scenario and the difference, and not this file.
__tracebackhide__: methodcaller = methodcaller("errisinstance", AssertionError)

MARKER_ID = "marker_1"
"""The id that the marker has in a scenario."""
MARKER_TIME = "2025-01-01T00:00:00"
"""Its `created_at`."""
THREAD_ID = "thr_1"
"""Its thread."""


def given(*stored: Mapping[str, Any]) -> Given:
    """Begin with a thread whose store holds these items, in order, as plain ChatKit JSON."""
    return Given(tuple(stored))


def add(item: Json) -> Write:
    """Make the write of a new item."""
    return Write("add", item)


def save(item: Json) -> Write:
    """Make the write of an item that the store has."""
    return Write("save", item)


def marker(policy: Policy, content: Any = UNSET) -> Json:
    """Make the marker that a policy has written in a scenario.

    Args:
        policy: one that has a marker.
        content: its content, where the policy leaves that to the application.
    """
    if policy.marker is None:
        raise ValueError(f"the policy {policy.name!r} has no marker")
    given_content = policy.marker.content if content is UNSET else content
    return {
        "type": policy.marker.item,
        "id": MARKER_ID,
        "thread_id": THREAD_ID,
        "created_at": MARKER_TIME,
        "content": given_content,
    }


@attrs.frozen
class Given:
    """A thread before its stream."""

    stored: tuple[Mapping[str, Any], ...]

    def when(self, *events: Event) -> When:
        """Let these events arrive."""
        return When(self.stored, events)


@attrs.frozen
class When:
    """A thread in the middle of its stream."""

    stored: tuple[Mapping[str, Any], ...]
    events: tuple[Event, ...]

    @property
    def state(self) -> ThreadState:
        """The thread as the client sees it now."""
        return fold(self.events, self._before)

    @property
    def _before(self) -> ThreadState:
        return ThreadState.from_items(self.stored)

    def ends(
        self,
        cause: Cause | str,
        policy: Policy,
        *,
        in_doubt: int = 0,
        marker_content: Any = UNSET,
    ) -> Ended:
        """End the stream, and settle it.

        Args:
            cause: how it ended.
            policy: says which items survive.
            in_doubt: how many of the newest events the store may or may not have seen.
            marker_content: the content of the marker, where the policy leaves it to you.
        """
        if not 0 <= in_doubt <= len(self.events):
            raise ValueError(f"in_doubt must be between 0 and {len(self.events)}, not {in_doubt}")
        cut = len(self.events) - in_doubt
        delivered = fold(self.events[:cut], self._before)
        state = fold(self.events[cut:], delivered)
        settlement = settle(
            state,
            policy=policy,
            cause=cause,
            delivered=delivered,
            marker_id=MARKER_ID,
            marker_time=MARKER_TIME,
            marker_content=marker_content,
            thread_id=THREAD_ID,
        )
        return Ended(state, settlement)


@attrs.frozen
class Ended:
    """A thread whose stream has ended, and its settlement."""

    state: ThreadState
    """The thread as the client saw it last."""
    settlement: Settlement

    def then(self, *writes: Write) -> Ended:
        """Expect exactly these writes, in this order; none if there are none.

        Raises:
            AssertionError: there are others; it shows the difference, line by line.
        """
        actual = self.settlement.writes
        if list(actual) != list(writes):
            raise AssertionError(_difference("writes", map(_plain, writes), map(_plain, actual)))
        return self

    def then_stale(self, *item_ids: str) -> Ended:
        """Expect that the store has another copy than the client saw of exactly these items.

        Raises:
            AssertionError: it has another copy of other items, or not of all of these.
        """
        actual = [item.id for item in self.settlement.stale]
        if actual != list(item_ids):
            raise AssertionError(_difference("stale items", item_ids, actual))
        return self

    def then_client(self, *events: Event) -> Ended:
        """Expect exactly these events, which bring a client in line with the store.

        Raises:
            AssertionError: there are others.
        """
        if list(self.settlement.events) != list(events):
            told = map(to_json, self.settlement.events)
            raise AssertionError(_difference("events for the client", map(to_json, events), told))
        return self


def _plain(write: Write) -> Json:
    return {"op": write.op, "item": write.item}


def _difference(what: str, expected: Iterable[Any], actual: Iterable[Any]) -> str:
    lines = difflib.ndiff(_lines(expected), _lines(actual))
    shown = "\n".join(line.rstrip("\n") for line in lines if not line.startswith("?"))
    return (
        f"other {what} than expected (-: expected and missing, +: there and not expected)\n{shown}"
    )


def _lines(values: Iterable[Any]) -> list[str]:
    text = json.dumps(list(values), indent=2, ensure_ascii=False, sort_keys=True, default=str)
    return text.splitlines()
