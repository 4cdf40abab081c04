"""`compact`: fewer events that fold to the same state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chatkit_reducer.events import (
    AssistantMessageContentPartTextDelta,
    Event,
    ThreadItemUpdated,
    Unreadable,
    WidgetStreamingTextValueDelta,
)
from chatkit_reducer.state import ThreadState
from chatkit_reducer.thread import reduce

__all__ = ["compact"]


def compact(
    events: Iterable[Event | Unreadable], state: ThreadState | None = None
) -> list[Event | Unreadable]:
    """The same story in fewer events: deltas for one text become one delta.

    `fold(compact(events, state), state) == fold(events, state)`, anomalies included. Deltas that
    leave an anomaly stay as they are, and so does every other event. Texts that stream side by side
    are merged as well, because deltas for different texts do not touch each other.

    Args:
        events: what arrived, in order.
        state: the thread before them; the empty one if left out. For events about items that the
            thread had before, it must have them, or each of their deltas is an anomaly and stays.

    Returns:
        New events; those that did not change are the same objects.
    """
    now = ThreadState() if state is None else state
    out: list[Event | Unreadable] = []
    open_runs: dict[Any, _Run] = {}
    for event in events:
        after = reduce(now, event)
        key = _text_of(event) if isinstance(event, ThreadItemUpdated) else None
        if key is None or after._book.anomalies is not now._book.anomalies:
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


def _text_of(event: ThreadItemUpdated) -> tuple[str, int | str] | None:
    """The text that the event lengthens: the item, with the part or the component in it."""
    update = event.update
    if event.extra:  # whatever it says, it says it of this one delta
        return None
    if isinstance(update, AssistantMessageContentPartTextDelta) and not update.extra:
        return event.item_id, update.content_index
    if isinstance(update, WidgetStreamingTextValueDelta) and not update.extra:
        return event.item_id, update.component_id
    return None


def _close(runs: dict[Any, _Run], out: list[Event | Unreadable]) -> None:
    for run in runs.values():
        if len(run.events) > 1:
            out[run.place] = _merged(run.events)
    runs.clear()


def _merged(events: list[Any]) -> ThreadItemUpdated:
    first = events[0]
    text = "".join([event.update.delta for event in events])
    if isinstance(first.update, AssistantMessageContentPartTextDelta):
        merged = AssistantMessageContentPartTextDelta(first.update.content_index, text)
        return ThreadItemUpdated(first.item_id, merged)
    done = any(event.update.done for event in events)
    value = WidgetStreamingTextValueDelta(first.update.component_id, text, done)
    return ThreadItemUpdated(first.item_id, value)
