"""`reduce` and `fold`: events to states.

`reduce` takes one event. `fold` takes many, with the same result, anomalies included: it stays in
a tight loop while one text grows, and hands every other event to `reduce`'s own table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from msgspec import UNSET
from msgspec.structs import replace

from chatkit_reducer.anomalies import Anomaly, Fault, FaultKind
from chatkit_reducer.errors import AnomalyError
from chatkit_reducer.events import (
    AssistantMessageContentPartTextDelta,
    ClientEffect,
    ErrorEvent,
    Event,
    GeneratedImageUpdated,
    Json,
    Notice,
    ProgressUpdate,
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
    wire_type,
)
from chatkit_reducer.items import AssistantMessage, ItemState, Widget, apply, parse_item
from chatkit_reducer.lifecycle import LIFE
from chatkit_reducer.persistent import extended
from chatkit_reducer.state import Book, Progress, ThreadState, closed, open_item, with_anomalies

__all__ = ["fold", "grown", "reduce"]

_Outcome: TypeAlias = "tuple[ThreadState, tuple[Fault, ...]]"
_NO_FAULTS: tuple[Fault, ...] = ()


def reduce(
    state: ThreadState,
    event: Event | Unreadable,
    *,
    strict: bool = False,
    position: int | None = None,
) -> ThreadState:
    """One event: a new state, or the same object if nothing changed. `state` stays as it was.

    Args:
        state: the thread before the event.
        event: what arrived. A piece of a log that was no event leaves an anomaly.
        strict: raise at a fault in the data, rather than record it.
        position: how many events of the stream came before this one, for anomalies. Without it the
            state counts, and an event that changes nothing (a notice) is not counted.

    Raises:
        AnomalyError: in strict mode, with the anomaly that lenient mode would have recorded.
        TypeError: `event` is none of this package's events.
    """
    # The hot path: more text for the part that is growing. It is `append_text` of the table below,
    # by hand: the cells are `persistent.extended`, and nothing else of the state can change.
    if type(event) is ThreadItemUpdated:
        update = event.update
        if (
            type(update) is AssistantMessageContentPartTextDelta
            and update.content_index == state._index
            and event.item_id == state._open_id
        ):
            delta = update.delta
            if not delta:
                return state
            cells, count = state._cells, state._count
            if len(cells) != count:
                cells = [*cells[:count], delta]
            else:
                cells.append(delta)
                if cells[count] is not delta:  # another thread was faster
                    cells = [*cells[:count], delta]
            return ThreadState(
                state._book,
                state._open_id,
                state._open,
                state._index,
                cells,
                count + 1,
                (state.position if position is None else position) + 1,
            )
    return _reduced(state, event, state.position if position is None else position, strict)


def _reduced(
    state: ThreadState, event: Event | Unreadable, position: int, strict: bool
) -> ThreadState:
    reducer = _REDUCERS.get(type(event))
    if reducer is None:
        raise TypeError(
            f"{type(event).__name__} is not an event: decode JSON text with `decode`, "
            "and plain mappings with `from_json`, before folding them"
        )
    after, faults = reducer(state, event, position + 1)
    if faults:
        anomalies = [_anomaly(fault, event, position) for fault in faults]
        if strict:
            raise AnomalyError(anomalies[0])
        counted = position if type(event) is Unreadable else position + 1
        after = _with_book(after, with_anomalies(after._book, anomalies), counted)
    return after


def _anomaly(fault: Fault, event: Event | Unreadable, position: int) -> Anomaly:
    return Anomaly(
        kind=fault.kind,
        event=wire_type(event.update if isinstance(event, ThreadItemUpdated) else event),
        item_id=_item_id(event),
        problem=fault.problem,
        instead=fault.instead,
        position=position,
        offset=event.offset if isinstance(event, Unreadable) else None,
        line=event.line if isinstance(event, Unreadable) else None,
    )


def _item_id(event: Event | Unreadable) -> str | None:
    if isinstance(event, (ThreadItemUpdated, ThreadItemRemoved)):
        return event.item_id
    if isinstance(event, (ThreadItemAdded, ThreadItemDone, ThreadItemReplaced)):
        item_id = event.item.get("id")
        return item_id if isinstance(item_id, str) else None
    return None


# --- the events, one function each ---------------------------------------------------------------


def _with_book(state: ThreadState, book: Book, position: int) -> ThreadState:
    return ThreadState(
        book, state._open_id, state._open, state._index, state._cells, state._count, position
    )


def _item_updated(state: ThreadState, event: ThreadItemUpdated, position: int) -> _Outcome:
    item_id, update = event.item_id, event.update
    if item_id == state._open_id:  # it is pending, and `LIFE` leaves it so
        return _updated(state, state._book, item_id, open_item(state), update, position)
    book = closed(state)
    phase = book.phase_of(item_id)
    step = LIFE[phase, ThreadItemUpdated]
    entry = book.entries.get(item_id)
    if step.fault is not None or entry is None:
        return state, _faults(step.fault)
    if phase is not step.to:
        book = book.moved(item_id, step.to, entry.item)
    return _updated(state, book, item_id, entry.item, update, position)


def _updated(
    state: ThreadState,
    book: Book,
    item_id: str,
    item: ItemState,
    update: Update,
    position: int,
) -> _Outcome:
    """The update folded into its item, which `book` has as pending."""
    new, fault = apply(item, update), None
    if type(new) is Fault:
        if new.result is None:
            return state, (new,)
        new, fault = new.result, new
    progress = _progress_of(item_id, update)
    if progress != book.progress:
        book = replace(book, progress=progress)
    elif new is item and state.phase(item_id) is book.phase_of(item_id):
        return state, _faults(fault)
    if type(update) is AssistantMessageContentPartTextDelta and type(new) is AssistantMessage:
        # The part that grows: the next delta for it finds its text outside of the item.
        index = update.content_index
        text = new.parts[index].text
        if text is not None and text.count:
            after = ThreadState(book, item_id, new, index, text.cells, text.count, position)
            return after, _faults(fault)
    return ThreadState(book, item_id, new, position=position), _faults(fault)


def _faults(*faults: Fault | None) -> tuple[Fault, ...]:
    return tuple([fault for fault in faults if fault is not None])


def _progress_of(item_id: str, update: Update) -> Progress | None:
    if type(update) is not GeneratedImageUpdated:
        return None
    fraction = update.progress
    if fraction is UNSET or fraction is None:
        return None
    return Progress(item_id=item_id, fraction=fraction)


def _whole_item(
    state: ThreadState,
    event: ThreadItemAdded | ThreadItemDone | ThreadItemReplaced,
    position: int,
) -> _Outcome:
    parsed = parse_item(event.item)
    fault = parsed if isinstance(parsed, Fault) else None
    item: ItemState | None = parsed.result if isinstance(parsed, Fault) else parsed
    if item is None:
        return state, _faults(fault)
    book = closed(state)
    entry = book.entries.get(item.id)
    phase = book.phase_of(item.id)
    step = LIFE[phase, type(event)]
    if entry is not None and phase is step.to and book.progress is None and entry.item == item:
        return state, _faults(fault, step.fault)
    book = _without_progress(book.moved(item.id, step.to, item))
    return ThreadState(book, position=position), _faults(fault, step.fault)


def _without_progress(book: Book) -> Book:
    return book if book.progress is None else replace(book, progress=None)


def _item_removed(state: ThreadState, event: ThreadItemRemoved, position: int) -> _Outcome:
    book = closed(state)
    step = LIFE[book.phase_of(event.item_id), ThreadItemRemoved]
    if step.fault is not None:
        return state, _faults(step.fault)
    return ThreadState(
        _without_progress(book.without(event.item_id)), position=position
    ), _NO_FAULTS


def _thread_created(state: ThreadState, event: ThreadCreated, position: int) -> _Outcome:
    after, faults = _thread_updated(state, event, position)
    for item in _items_of(event.thread):
        done = ThreadItemDone(item)
        after, more = _whole_item(after, done, position)
        faults += more
    return after, faults


def _items_of(thread: Json) -> list[Json]:
    page = thread.get("items")
    data = page.get("data") if isinstance(page, dict) else None
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []


def _thread_updated(
    state: ThreadState, event: ThreadCreated | ThreadUpdated, position: int
) -> _Outcome:
    # The items page of `thread.updated` is empty by construction (1.6.5, `chatkit/server.py`,
    # `ChatKitServer._to_thread_response`): it says nothing of the items.
    metadata = {name: value for name, value in event.thread.items() if name != "items"}
    return _noted(state, position, thread=metadata)


def _stream_options(state: ThreadState, event: StreamOptions, position: int) -> _Outcome:
    return _noted(state, position, stream_options=event.stream_options)


def _error(state: ThreadState, event: ErrorEvent, position: int) -> _Outcome:
    return _noted(state, position, error=event)


def _progress(state: ThreadState, event: ProgressUpdate, position: int) -> _Outcome:
    icon = None if event.icon is UNSET else event.icon
    return _noted(state, position, progress=Progress(event.text, icon))


def _noted(state: ThreadState, position: int, **news: Any) -> _Outcome:
    book = replace(state._book, **news)
    if all(getattr(state._book, name) == value for name, value in news.items()):
        return state, _NO_FAULTS
    if state._index is None:
        return _with_book(state, book, position), _NO_FAULTS
    # No text stays open: the next delta has to pass the function that clears the progress.
    after = ThreadState(book, state._open_id, open_item(state), position=position)
    return after, _NO_FAULTS


def _nothing(state: ThreadState, event: object, position: int) -> _Outcome:
    return state, _NO_FAULTS


def _unreadable(state: ThreadState, event: Unreadable, position: int) -> _Outcome:
    problem = f"{event.reason}: {event.excerpt}"
    return state, (Fault(FaultKind.UNREADABLE, problem, "it was skipped"),)


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
}


# --- many events ---------------------------------------------------------------------------------


def fold(
    events: Iterable[Event | Unreadable], state: ThreadState | None = None, *, strict: bool = False
) -> ThreadState:
    """Many events: the state that `reduce` makes of them one by one, only faster.

    Args:
        events: what arrived, in order: a list, a generator, a log (`chatkit_reducer.logs.read`).
        state: the thread before them; the empty one if left out. It stays as it was.
        strict: raise at the first fault in the data.

    Raises:
        AnomalyError: in strict mode, with the anomaly that lenient mode would have recorded.
        TypeError: one of `events` is none of this package's events.
    """
    before = after = ThreadState() if state is None else state
    position = before.position
    stream = iter(events)
    event = next(stream, None)
    while event is not None:
        after = _reduced(after, event, position, strict)
        position += type(event) is not Unreadable
        run = _run(after, event)
        if run is None:
            event = next(stream, None)
            continue
        after, event, count = run(after, stream)
        position += count
    if after is before or after.position == position:
        return after
    return _with_book(after, after._book, position)


_Run: TypeAlias = (
    "Callable[[ThreadState, Iterator[Event | Unreadable]], "
    "tuple[ThreadState, Event | Unreadable | None, int]]"
)


def _run(state: ThreadState, event: Event | Unreadable) -> _Run | None:
    """The tight loop for what may follow this event: a run of deltas for the same text or widget."""
    if state._index is not None:
        return _text_run
    if type(state._open) is Widget and type(event) is ThreadItemUpdated:
        return _widget_run if type(event.update) is WidgetStreamingTextValueDelta else None
    return None


def _text_run(
    state: ThreadState, stream: Iterator[Event | Unreadable]
) -> tuple[ThreadState, Event | Unreadable | None, int]:
    """Folds deltas for the text that is open; returns the first other event, and how many it took.

    A run cannot go wrong once it has begun: the item, the part and its text are there. So the loop
    does nothing but collect, and the pieces are joined once.
    """
    item_id, index = state._open_id, state._index
    pieces: list[str] = []
    append = pieces.append
    event: Event | Unreadable | None = None
    for event in stream:
        if type(event) is ThreadItemUpdated:
            update = event.update
            if (
                type(update) is AssistantMessageContentPartTextDelta
                and update.content_index == index
                and event.item_id == item_id
            ):
                append(update.delta)
                continue
        break
    else:
        event = None
    return (grown(state, pieces) if any(pieces) else state), event, len(pieces)


def grown(state: ThreadState, pieces: list[str]) -> ThreadState:
    """The state whose open text has these pieces at its end."""
    text = "".join(pieces)
    return ThreadState(
        state._book,
        state._open_id,
        state._open,
        state._index,
        extended(state._cells, state._count, text),
        state._count + 1,
        state.position + len(pieces),
    )


def _widget_run(
    state: ThreadState, stream: Iterator[Event | Unreadable]
) -> tuple[ThreadState, Event | Unreadable | None, int]:
    """Folds value deltas for the widget that is open, as `_text_run` does for a text.

    Deltas for different components do not touch each other, so each component collects its own:
    widgets often stream several texts side by side.
    """
    item_id, widget = state._open_id, state._open
    assert isinstance(widget, Widget)
    pieces: dict[str, list[str]] = {}
    finished: set[str] = set()
    count = 0
    event: Event | Unreadable | None = None
    for event in stream:
        if type(event) is ThreadItemUpdated and event.item_id == item_id:
            update = event.update
            if type(update) is WidgetStreamingTextValueDelta:
                component_id = update.component_id
                collected = pieces.get(component_id)
                if collected is None:
                    if not widget.streams_into(component_id):
                        break
                    collected = pieces[component_id] = []
                collected.append(update.delta)
                if update.done:
                    finished.add(component_id)
                count += 1
                continue
        break
    else:
        event = None
    for component_id, collected in pieces.items():
        done = component_id in finished
        delta = WidgetStreamingTextValueDelta(component_id, "".join(collected), done)
        widget = apply(widget, delta)
    if widget is not state._open:
        state = ThreadState(state._book, item_id, widget, position=state.position + count)
    return state, event, count
