"""`compact`: fewer events that fold to the same state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chatkit_reducer.core.halves import mended_delta
from chatkit_reducer.core.text_target import TextTarget, text_target
from chatkit_reducer.core.thread.arguments import iterate, require_state
from chatkit_reducer.core.thread.reduce import reduce
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    AssistantMessageContentPartTextDelta,
    Event,
    ThreadItemUpdated,
    Unreadable,
    WidgetStreamingTextValueDelta,
)

__all__ = ["compact"]


def compact(
    events: Iterable[Event | Unreadable], state: ThreadState | None = None
) -> list[Event | Unreadable]:
    """Tell the same story in fewer events: deltas for one text become one delta.

    `fold(compact(events, state), state) == fold(events, state)`, anomalies included. Deltas that
    leave an anomaly stay as they are, and so does every other event. Texts that stream side by side
    are merged as well, because deltas for different texts do not touch each other.

    Args:
        events: the events in order.
        state: the thread before them; the empty one if left out. For events about items that the
            thread had before, it must have them, or each of their deltas is an anomaly and stays.

    Returns:
        New events; those that did not change are the same objects.

    Raises:
        TypeError: `events` cannot be iterated over, one of them is none of this package's events,
            or `state` is not a ThreadState.
    """
    now = ThreadState() if state is None else require_state(state)
    out: list[Event | Unreadable] = []
    open_runs: dict[Any, _Run] = {}
    for event in iterate(events):
        after = reduce(now, event)
        key = _mergeable_text(event)
        if key is None or after.anomaly_list is not now.anomaly_list:
            _close(open_runs, out)
            out.append(event)
        elif key in open_runs:
            open_runs[key].events.append(event)
        else:
            open_runs[key] = _Run(len(out), event)
            out.append(event)
        now = after
    _close(open_runs, out)
    return out


class _Run:
    """Deltas for one text, and the place of the first among the events that are kept."""

    __slots__ = ("events", "place")

    def __init__(self, place: int, first: Any) -> None:
        self.place = place
        self.events = [first]


def _mergeable_text(event: Event | Unreadable) -> TextTarget | None:
    """Return the text that an event lengthens, if unknown fields are not about this one delta."""
    target = text_target(event)
    return None if target is None or _has_unknown_fields(event) else target


def _has_unknown_fields(event: Any) -> bool:
    return bool(event.extra or event.update.extra)


def _close(runs: dict[Any, _Run], out: list[Event | Unreadable]) -> None:
    for run in runs.values():
        if len(run.events) > 1:
            out[run.place] = _merged(run.events)
    runs.clear()


def _merged(events: list[Any]) -> ThreadItemUpdated:
    first = events[0]
    text = mended_delta("".join([event.update.delta for event in events]))
    if isinstance(first.update, AssistantMessageContentPartTextDelta):
        merged = AssistantMessageContentPartTextDelta(first.update.content_index, text)
        return ThreadItemUpdated(first.item_id, merged)
    done = any(event.update.done for event in events)
    value = WidgetStreamingTextValueDelta(first.update.component_id, text, done)
    return ThreadItemUpdated(first.item_id, value)
