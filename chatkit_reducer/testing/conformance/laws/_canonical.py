"""States and events in a canonical form, as plain JSON data, to compare and to show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from chatkit_reducer.core import codec
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import Event, Json, Unreadable

Events: TypeAlias = Sequence[Event | Unreadable]
"""A stream, or a recorded one with its damage."""


class State(Protocol):
    """The part of a state that the laws read. `ThreadState` has it, and another engine needs it."""

    @property
    def items(self) -> Mapping[str, Any]:
        """The items by id, in thread order; each has `id` and `to_json`."""
        ...

    @property
    def pending(self) -> Sequence[str]:
        """The ids of the items that are not done, in thread order."""
        ...

    @property
    def bases(self) -> Mapping[str, Any]:
        """The stored copies of the items that are pending over one, by id; each has `to_json`."""
        ...

    @property
    def anomalies(self) -> Sequence[Any]:
        """The faults in the data; each has `to_json`, with the fields of an `Anomaly`."""
        ...

    @property
    def thread(self) -> Json | None:
        """The metadata of the thread."""
        ...

    @property
    def error(self) -> Any:
        """The newest `error` event, or None."""
        ...

    @property
    def progress(self) -> Any:
        """The current progress, or None: `text`, `icon`, `item_id` and `fraction`."""
        ...

    @property
    def stream_options(self) -> Json | None:
        """The newest options of the stream."""
        ...


def start_of(state: State | None) -> State:
    """Return the thread before the stream."""
    return ThreadState() if state is None else state


def canonical_json(state: State, *, positions: bool = False) -> Json:
    """Convert a state to plain JSON data, all of it; empty fields are left out.

    Args:
        state: a state. Reading it may change its inner form, and must not change its content.
        positions: also the number of events, and the positions of the anomalies in the stream.
    """
    counted = {
        "items": [item.to_json() for item in state.items.values()],
        "pending": list(state.pending),
        "bases": {item_id: base.to_json() for item_id, base in state.bases.items()},
        "anomalies": [_anomaly(one.to_json(), with_place=positions) for one in state.anomalies],
        "unlisted_anomalies": getattr(state, "unlisted_anomalies", 0),
        "position": getattr(state, "position", 0) if positions else 0,
    }
    optional = {
        "thread": state.thread,
        "stream_options": state.stream_options,
        "error": None if state.error is None else codec.to_json(state.error),
        "progress": None if state.progress is None else _progress(state.progress),
    }
    fields = {name: value for name, value in counted.items() if value}
    return fields | {name: value for name, value in optional.items() if value is not None}


def _anomaly(fields: Json, *, with_place: bool) -> str:
    words = "{kind}: {event} {item_id!r}: {problem}; {instead}"
    if with_place:
        words = f"event {{position}}, line {{line}}, offset {{offset}}: {words}"
    return words.format_map({"line": None, "offset": None, **fields})


def _progress(progress: Any) -> Json:
    return {name: getattr(progress, name) for name in ("text", "icon", "item_id", "fraction")}


def json_text(value: Any) -> str:
    """Write JSON text, in which `True` is not 1 and 1 is not 1.0."""
    return json.dumps(value, sort_keys=True)


def event_text(event: Event | Unreadable) -> str:
    """Write an event as text, all of it."""
    return repr(event) if isinstance(event, Unreadable) else json_text(codec.to_json(event))


def event_copy(event: Event | Unreadable) -> Event | Unreadable:
    """Copy an event, so that the copy shares no object with it."""
    if isinstance(event, Unreadable):
        return event
    return codec.from_json(json.loads(event_text(event)))
