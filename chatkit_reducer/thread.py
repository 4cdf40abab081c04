"""`reduce`: one event, one new state.

What each event does is here; `folding` takes many at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import UNSET

from chatkit_reducer.anomalies import Anomaly, Fault, FaultKind
from chatkit_reducer.book import Book, Entry, Progress, phase_of
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
    wire_type,
)
from chatkit_reducer.items import AssistantMessage, ItemState, apply, parse_item
from chatkit_reducer.json_values import same_json
from chatkit_reducer.lifecycle import LIFE, Phase
from chatkit_reducer.state import (
    ThreadState,
    closed,
    metadata_of,
    open_item,
    with_anomalies,
)

__all__ = ["reduce", "step", "with_book"]

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
    if not isinstance(state, ThreadState):
        raise TypeError(
            f"reduce takes a ThreadState and an event, not {type(state).__name__} first"
        )
    return step(state, event, state.position if position is None else position, strict=strict)


def step(
    state: ThreadState, event: Event | Unreadable, position: int, *, strict: bool
) -> ThreadState:
    """`reduce` by the table below. The book of `state` may be a draft: nobody else sees it."""
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
        book = after._book
        book = book.noting(anomalies=with_anomalies(book.anomalies, anomalies))
        after = with_book(after, book, counted)
    return after


def _anomaly(fault: Fault, event: Event | Unreadable, position: int) -> Anomaly:
    return Anomaly(
        kind=fault.kind,
        event=wire_type(event.update if isinstance(event, ThreadItemUpdated) else event),
        item_id=fault.item_id or _item_id(event),
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


def with_book(state: ThreadState, book: Book, position: int) -> ThreadState:
    """The state with another book, and the same item and text outside of it."""
    whole = None if state._index is None else open_item(state)  # the same object in both states
    return ThreadState(
        book,
        state._open_id,
        state._open,
        state._index,
        state._cells,
        state._count,
        position,
        whole,
    )


def _item_updated(state: ThreadState, event: ThreadItemUpdated, position: int) -> _Outcome:
    item_id, update = event.item_id, event.update
    if item_id == state._open_id:  # it is pending, and `LIFE` leaves it so
        item, moves_to = open_item(state), None
    else:
        entry = state._book.entry(item_id)
        phase = phase_of(entry)
        moves_to, fault = LIFE[phase, ThreadItemUpdated]
        if fault is not None:
            return state, (fault,)
        assert entry is not None  # `LIFE` has a fault for an item that is absent
        item, moves_to = entry.item, None if moves_to is phase else moves_to
    new, fault = apply(item, update), None
    if type(new) is Fault:
        if new.result is None:
            return state, (new,)
        new, fault = new.result, new
    progress = _progress_of(item_id, update)
    if new is item and moves_to is None and progress == state._book.progress:
        return state, _faults(fault)
    book = state._book if item_id == state._open_id else closed(state)
    if moves_to is not None:
        book = book.moved(item_id, moves_to, item)
    if progress != book.progress:
        book = book.noting(progress=progress)
    return _streaming(book, item_id, new, update, position), _faults(fault)


def _streaming(
    book: Book, item_id: str, item: ItemState, update: Update, position: int
) -> ThreadState:
    """The state with this item outside of the book, and the text too that has just grown."""
    if type(update) is AssistantMessageContentPartTextDelta:
        assert isinstance(item, AssistantMessage)  # no other takes it
        index = update.content_index
        text = item.parts[index].text
        assert text is not None  # nor does a part without a text
        if text.count:
            return ThreadState(book, item_id, item, index, text.cells, text.count, position)
    return ThreadState(book, item_id, item, position=position)


def _faults(fault: Fault | None, other: Fault | None = None) -> tuple[Fault, ...]:
    if fault is None and other is None:
        return _NO_FAULTS
    return tuple([one for one in (fault, other) if one is not None])


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
    item, fault = parse_item(event.item), None
    if type(item) is Fault:
        item, fault = item.result, item
        if item is None:
            return state, _faults(fault)
    item_id = event.item["id"]
    entry = state._book.entry(item_id)
    phase = phase_of(entry)
    to, misplaced = LIFE[phase, type(event)]
    if phase is to and _is_known(state, entry, item):
        return state, _faults(fault, misplaced)
    # What was outside of the book and belongs to this very item is superseded by it.
    book = state._book if item_id == state._open_id else closed(state)
    book = _without_progress(book).moved(item_id, to, item)
    if to is Phase.STORED:
        return ThreadState(book, position=position), _faults(fault, misplaced)
    return ThreadState(book, item_id, item, position=position), _faults(fault, misplaced)


def _is_known(state: ThreadState, entry: Entry | None, item: ItemState) -> bool:
    """Whether the item is just so in the state already, and nothing else would change either."""
    if entry is None or state._book.progress is not None:
        return False
    return item == (open_item(state) if state._open_id == item.id else entry.item)


def _without_progress(book: Book) -> Book:
    return book if book.progress is None else book.noting(progress=None)


def _item_removed(state: ThreadState, event: ThreadItemRemoved, position: int) -> _Outcome:
    phase = phase_of(state._book.entry(event.item_id))
    _, fault = LIFE[phase, ThreadItemRemoved]
    if fault is not None:
        return state, _faults(fault)
    book = _without_progress(closed(state)).without(event.item_id)
    return ThreadState(book, position=position), _NO_FAULTS


def _thread_created(state: ThreadState, event: ThreadCreated, position: int) -> _Outcome:
    after, faults = _thread_updated(state, event, position)
    for item in _items_of(event.thread):
        if isinstance(item, dict):
            after, more = _whole_item(after, ThreadItemDone(item), position)
            faults += more
        else:
            faults += (_NO_OBJECT,)
    return after, faults


_NO_OBJECT = Fault(
    FaultKind.ITEM_MALFORMED, "an item of the thread is no JSON object", "it was left out"
)


def _items_of(thread: Json) -> list[Any]:
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
    return _noted(state, position, error=event)


def _progress(state: ThreadState, event: ProgressUpdate, position: int) -> _Outcome:
    icon = None if event.icon is UNSET else event.icon
    return _noted(state, position, progress=Progress(event.text, icon))


def _noted(state: ThreadState, position: int, **news: Any) -> _Outcome:
    if all(_is_so(getattr(state._book, name), value) for name, value in news.items()):
        return state, _NO_FAULTS
    book = state._book.noting(**news)
    if state._index is None:
        return with_book(state, book, position), _NO_FAULTS
    # No text stays open: the next delta has to pass the function that clears the progress.
    after = ThreadState(book, state._open_id, open_item(state), position=position)
    return after, _NO_FAULTS


def _is_so(before: Any, after: Any) -> bool:
    return same_json(before, after) if isinstance(after, dict) else bool(before == after)


def _nothing(state: ThreadState, event: object, position: int) -> _Outcome:
    return state, _NO_FAULTS


def _unreadable(state: ThreadState, event: Unreadable, position: int) -> _Outcome:
    problem = f"{event.reason}: {event.excerpt}" if event.excerpt else event.reason
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
