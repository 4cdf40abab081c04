"""States and events as plain JSON data, to be compared and to be shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from chatkit_reducer import codec
from chatkit_reducer.events import Event, Json, Unreadable
from chatkit_reducer.state import ThreadState

__all__ = ["Events", "State", "event_copy", "event_text", "json_text", "on_paper", "start_of"]

Events: TypeAlias = Sequence[Event | Unreadable]
"""A stream, or a recorded one with its damage."""


class State(Protocol):
    """What the laws read of a state. `ThreadState` has it, and so should that of another engine."""

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
        """What was wrong with the data; each has `to_json`, with the fields of an `Anomaly`."""
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
        """What goes on right now, or None: `text`, `icon`, `item_id` and `fraction`."""
        ...

    @property
    def stream_options(self) -> Json | None:
        """The newest options of the stream."""
        ...


def start_of(state: State | None) -> State:
    """The thread before the stream."""
    return ThreadState() if state is None else state


def on_paper(state: State, *, positions: bool = False) -> Json:
    """All that a state says, as plain JSON data. What it has none of is left out.

    Args:
        state: a state. Reading it may change how it is held, and must not change what it says.
        positions: also how many events there were, and where in the stream the anomalies were.
    """
    counted = {
        "items": [item.to_json() for item in state.items.values()],
        "pending": list(state.pending),
        "bases": {item_id: base.to_json() for item_id, base in state.bases.items()},
        "anomalies": [_anomaly(one.to_json(), with_place=positions) for one in state.anomalies],
        "position": getattr(state, "position", 0) if positions else 0,
    }
    optional = {
        "thread": state.thread,
        "stream_options": state.stream_options,
        "error": None if state.error is None else codec.to_json(state.error),
        "progress": None if state.progress is None else _progress(state.progress),
    }
    paper = {name: value for name, value in counted.items() if value}
    return paper | {name: value for name, value in optional.items() if value is not None}


def _anomaly(fields: Json, *, with_place: bool) -> str:
    words = "{kind}: {event} {item_id!r}: {problem}; {instead}"
    if with_place:
        words = f"event {{position}}, line {{line}}, offset {{offset}}: {words}"
    return words.format_map({"line": None, "offset": None, **fields})


def _progress(progress: Any) -> Json:
    return {name: getattr(progress, name) for name in ("text", "icon", "item_id", "fraction")}


def json_text(value: Any) -> str:
    """JSON text, in which `True` is not 1 and 1 is not 1.0."""
    return json.dumps(value, sort_keys=True)


def event_text(event: Event | Unreadable) -> str:
    """All that an event says."""
    return repr(event) if isinstance(event, Unreadable) else json_text(codec.to_json(event))


def event_copy(event: Event | Unreadable) -> Event | Unreadable:
    """An equal event that shares nothing with this one."""
    if isinstance(event, Unreadable):
        return event
    return codec.from_json(json.loads(event_text(event)))
