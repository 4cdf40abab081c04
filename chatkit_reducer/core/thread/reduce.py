"""`reduce`: one event, one new state.

`core.fold` takes many events at once, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import UNSET
from msgspec.structs import replace

from chatkit_reducer.core.anomalies import Anomaly, AnomalyError, AnomalyKind, AnomalyList, Fault
from chatkit_reducer.core.event_forms import PLAIN, fault_of, type_of
from chatkit_reducer.core.halves import mended, mended_json, mended_struct
from chatkit_reducer.core.items import ItemState, apply, parse_item
from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.core.thread.arguments import not_a_state
from chatkit_reducer.core.thread.contents import Entry, Progress, ThreadContents, phase_of
from chatkit_reducer.core.thread.lifecycle import TRANSITIONS, Phase
from chatkit_reducer.core.thread.state import (
    ThreadState,
    metadata_of,
    with_anomalies,
)
from chatkit_reducer.events import (
    AssistantMessageContentPartTextDelta,
    ClientEffect,
    ErrorEvent,
    Event,
    Json,
    Notice,
    ProgressUpdate,
    Redelivered,
    StreamOptions,
    ThreadCreated,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    ThreadUpdated,
    UnknownEvent,
    Unreadable,
    Update,
    WidgetStreamingTextValueDelta,
)

__all__ = ["items_of", "mended_event", "reduce", "step"]

_Outcome: TypeAlias = "tuple[ThreadState, tuple[Fault, ...]]"
_NO_FAULTS: tuple[Fault, ...] = ()


def reduce(
    state: ThreadState,
    event: Event | Unreadable,
    *,
    strict: bool = False,
    position: int | None = None,
) -> ThreadState:
    """Fold one event: return a new state, or the same object if nothing changed.

    Args:
        state: the thread before the event.
        event: the event. An unreadable piece of a log leaves an anomaly.
        strict: raise at a fault in the data, rather than record it.
        position: how many events of the stream came before this one, for anomalies. Without it the
            state counts, and an event that changes nothing (a notice) is not counted.

    Raises:
        AnomalyError: in strict mode, with the anomaly that lenient mode would have recorded.
        TypeError: `state` is not a ThreadState, or `event` is none of this package's events.
    """
    if not isinstance(state, ThreadState):
        raise not_a_state(state)
    if type(event) is ThreadItemUpdated:
        update = event.update
        if type(update) is AssistantMessageContentPartTextDelta:
            after = state.with_text_delta(
                event.item_id, update.content_index, update.delta, position
            )
            if after is not None:
                return after
    at = state.position if position is None else position
    return step(state, mended_event(event), at, strict=strict)


def mended_event(event: Event | Unreadable) -> Event | Unreadable:
    """Return the event without lone halves of characters, except in the text of a delta."""
    if type(event) is ThreadItemUpdated and _is_ascii(event.item_id):
        update = event.update  # there is nothing but text and names in these two
        if type(update) is AssistantMessageContentPartTextDelta:
            return event
        if type(update) is WidgetStreamingTextValueDelta and _is_ascii(update.component_id):
            return event
    return mended_struct(event)


def _is_ascii(name: object) -> bool:
    return type(name) is str and name.isascii()


def step(
    state: ThreadState, event: Event | Unreadable, position: int, *, strict: bool
) -> ThreadState:
    """Fold one event by the table below. `fold` passes a state whose contents are a draft."""
    reducer = _REDUCERS.get(type(event))
    if reducer is None:
        raise TypeError(
            f"{type(event).__name__} is not an event: decode JSON text with `decode`, "
            "and plain mappings with `from_json`, before folding them"
        )
    # An update is looked at when it is applied.
    plain = PLAIN.get(type(event))
    fault = None if plain is not None and plain(event) else fault_of(event)
    after, faults = reducer(state, event, position + 1) if fault is None else (state, (fault,))
    if faults:
        if strict:
            raise AnomalyError(_anomaly(faults[0], event, position))
        counted = position if isinstance(event, Unreadable) else position + 1
        noted = _with_faults(after.anomaly_list, faults, event, position)
        contents = after.lagging_contents.with_fields(anomalies=noted)
        after = after.with_contents(contents, counted)
    return after


def _with_faults(
    noted: AnomalyList, faults: tuple[Fault, ...], event: Event | Unreadable, position: int
) -> AnomalyList:
    if isinstance(event, Unreadable) and event.unlisted:
        return noted.count_more(event.unlisted)
    if noted.is_full:
        return noted.count_more(len(faults))
    return with_anomalies(noted, [_anomaly(fault, event, position) for fault in faults])


def _anomaly(fault: Fault, event: Event | Unreadable, position: int) -> Anomaly:
    return Anomaly(
        kind=fault.kind,
        event=mended(type_of(event.event if isinstance(event, Redelivered) else event)),
        item_id=fault.item_id or _item_id(event),
        problem=fault.problem,
        instead=fault.instead,
        position=position,
        offset=event.offset if isinstance(event, Unreadable) else None,
        line=event.line if isinstance(event, Unreadable) else None,
    )


def _item_id(event: Event | Unreadable) -> str | None:
    if isinstance(event, Redelivered):
        return _item_id(event.event)
    item_id: Any = None  # code may have put anything into the event
    if isinstance(event, (ThreadItemUpdated, ThreadItemRemoved)):
        item_id = event.item_id
    elif isinstance(event, (ThreadItemAdded, ThreadItemDone, ThreadItemReplaced)):
        item: Any = event.item
        item_id = item.get("id") if isinstance(item, dict) else None
    return item_id if isinstance(item_id, str) else None


# --- the events, one function each ---------------------------------------------------------------


def _item_updated(state: ThreadState, event: ThreadItemUpdated, position: int) -> _Outcome:
    item_id, update = event.item_id, event.update
    if type(item_id) is not str:
        wrong = fault_of(event)
        if wrong is not None:
            return state, (wrong,)
    if item_id == state.streaming_id:  # it is pending, and `TRANSITIONS` leaves it so
        item, moves_to = state.streaming_item(), None
    else:
        entry = state.lagging_contents.entry(item_id)
        phase = phase_of(entry)
        to, fault = TRANSITIONS[phase, ThreadItemUpdated]
        if fault is not None:
            return state, (fault,)
        assert entry is not None  # `TRANSITIONS` has a fault for an item that is absent
        item = entry.item
        moves_to = None if to is phase else to
    new, fault = apply(item, update), None
    if type(new) is Fault:
        if new.result is None:
            return state, (new,)
        new, fault = new.result, new
    faults = _NO_FAULTS if fault is None else (fault,)
    progress = _progress_of(new, update)
    if new is item and moves_to is None and progress == state.progress:
        return state, faults
    contents = state.contents(superseding=item_id)
    if moves_to is not None:
        contents = contents.with_phase(item_id, moves_to, item)
    if progress != contents.progress:
        contents = contents.with_fields(progress=progress)
    return ThreadState.of_streaming(contents, new, position, new.growing_text(update)), faults


def _faults(fault: Fault | None, other: Fault | None = None) -> tuple[Fault, ...]:
    if fault is None and other is None:
        return _NO_FAULTS
    return tuple([one for one in (fault, other) if one is not None])


def _progress_of(item: ItemState, update: Update) -> Progress | None:
    fraction = item.progress_of(update)
    return None if fraction is None else Progress(item_id=item.id, fraction=fraction)


def _whole_item(
    state: ThreadState,
    event: ThreadItemAdded | ThreadItemDone | ThreadItemReplaced,
    position: int,
) -> _Outcome:
    item, fault = parse_item(event.item)
    if item is None:
        return state, _faults(fault)
    item_id = event.item["id"]
    entry = state.lagging_contents.entry(item_id)
    phase = phase_of(entry)
    to, misplaced = TRANSITIONS[phase, type(event)]
    if phase is to and _is_known(state, entry, item):
        return state, _faults(fault, misplaced)
    contents = _without_progress(state.contents(superseding=item_id))
    contents = contents.with_phase(item_id, to, item)
    if to is Phase.STORED:
        return ThreadState.of(contents, position), _faults(fault, misplaced)
    return ThreadState.of_streaming(contents, item, position, None), _faults(fault, misplaced)


def _is_known(state: ThreadState, entry: Entry | None, item: ItemState) -> bool:
    """Whether the item is just so in the state already, and nothing else would change either."""
    if entry is None or state.progress is not None:
        return False
    return item == (state.streaming_item() if state.streaming_id == item.id else entry.item)


def _without_progress(contents: ThreadContents) -> ThreadContents:
    return contents if contents.progress is None else contents.with_fields(progress=None)


def _item_removed(state: ThreadState, event: ThreadItemRemoved, position: int) -> _Outcome:
    phase = phase_of(state.lagging_contents.entry(event.item_id))
    _, fault = TRANSITIONS[phase, ThreadItemRemoved]
    if fault is not None:
        return state, _faults(fault)
    contents = _without_progress(state.contents()).without(event.item_id)
    return ThreadState.of(contents, position), _NO_FAULTS


def _thread_created(state: ThreadState, event: ThreadCreated, position: int) -> _Outcome:
    after, faults = _thread_updated(state, event, position)
    for item in items_of(event.thread):
        if isinstance(item, dict):
            after, more = _whole_item(after, ThreadItemDone(item), position)
            faults += more
        else:
            faults += (_NO_OBJECT,)
    return after, faults


_NO_OBJECT = Fault(
    AnomalyKind.ITEM_MALFORMED, "an item of the thread is not a JSON object", "it was left out"
)


def items_of(thread: Json) -> list[Any]:
    """Return the items that a thread brings: objects, unless its producer made a mistake."""
    page = thread.get("items")
    data = page.get("data") if isinstance(page, dict) else None
    return data if isinstance(data, list) else []


def _thread_updated(
    state: ThreadState, event: ThreadCreated | ThreadUpdated, position: int
) -> _Outcome:
    # The items page of `thread.updated` is empty by construction (1.6.5, `chatkit/server.py`,
    # `ChatKitServer._to_thread_response`): it says nothing of the items.
    return _noted(state, position, thread=metadata_of(event.thread))


def _stream_options(state: ThreadState, event: StreamOptions, position: int) -> _Outcome:
    return _noted(state, position, stream_options=event.stream_options)


def _error(state: ThreadState, event: ErrorEvent, position: int) -> _Outcome:
    if event.extra is not UNSET:
        event = replace(event, extra=mended_json(event.extra))
    return _noted(state, position, error=event)


def _progress(state: ThreadState, event: ProgressUpdate, position: int) -> _Outcome:
    icon = None if event.icon is UNSET else event.icon
    return _noted(state, position, progress=Progress(event.text, icon))


def _noted(state: ThreadState, position: int, **news: Any) -> _Outcome:
    before = state.lagging_contents
    if all(_is_so(getattr(before, name), value) for name, value in news.items()):
        return state, _NO_FAULTS
    # No text stays open: the next delta has to pass the function that clears the progress.
    return state.with_item_put_together(before.with_fields(**news), position), _NO_FAULTS


def _is_so(before: Any, after: Any) -> bool:
    return json_equal(before, after) if isinstance(after, dict) else bool(before == after)


def _nothing(state: ThreadState, event: object, position: int) -> _Outcome:
    return state, _NO_FAULTS


def _unreadable(state: ThreadState, event: Unreadable, position: int) -> _Outcome:
    problem = f"{event.reason}: {event.excerpt}" if event.excerpt else event.reason
    kind = AnomalyKind.REDELIVERED if isinstance(event, Redelivered) else AnomalyKind.UNREADABLE
    return state, (Fault(kind, problem, "it was skipped"),)


_REDUCERS: dict[type[Any], Callable[[ThreadState, Any, int], _Outcome]] = {
    ThreadItemUpdated: _item_updated,
    ThreadItemAdded: _whole_item,
    ThreadItemDone: _whole_item,
    ThreadItemReplaced: _whole_item,
    ThreadItemRemoved: _item_removed,
    ThreadCreated: _thread_created,
    ThreadUpdated: _thread_updated,
    StreamOptions: _stream_options,
    ErrorEvent: _error,
    ProgressUpdate: _progress,
    ClientEffect: _nothing,
    Notice: _nothing,
    UnknownEvent: _nothing,
    Unreadable: _unreadable,
    Redelivered: _unreadable,
}
