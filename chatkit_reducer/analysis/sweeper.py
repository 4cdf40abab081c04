"""Stop a stream at each of its events, and sum up the outcome.

For several policies at once, in one pass. It is `settle` at each event, reduced to figures: how
much users had seen of the items in flight, and its outcome. Stored items are never at stake.

A text delta costs the same however long the text is and however many items there are: its length
is added to the figures. While one text grows, nothing is folded either: the deltas are
collected, and folded all together when something else happens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple, cast

from msgspec import Struct
from msgspec.structs import replace

from chatkit_reducer.analysis._sources import LogOrEvents, Routed, events_of, route
from chatkit_reducer.analysis._stops import Flight, Outcome, StopPoint, Totals, with_more
from chatkit_reducer.analysis.news import News, news_of
from chatkit_reducer.core.event_forms import misformed
from chatkit_reducer.core.fold.draft import EXHAUSTED
from chatkit_reducer.core.fold.folder import fold
from chatkit_reducer.core.halves import mended
from chatkit_reducer.core.items import AssistantMessage, ItemState, Widget
from chatkit_reducer.core.items.base import VisibleContent
from chatkit_reducer.core.items.widget_tree import is_text
from chatkit_reducer.core.policy.table import ANY, Case, Cause, Content, Decision, Origin, Policy
from chatkit_reducer.core.text_target import PLACES, TextTarget, text_target
from chatkit_reducer.core.thread.arguments import iterate, require_state
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.core.thread.reduce import items_of, reduce
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartTextDelta,
    Event,
    ThreadCreated,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    UnknownUpdate,
    Unreadable,
    WidgetStreamingTextValueDelta,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)
from chatkit_reducer.logs import DEFAULT_MAX_EVENT_BYTES, DEFAULT_MAX_EXPANSION
from chatkit_reducer.logs.reading import OnProgress, OnSkipped
from chatkit_reducer.logs.threads import PerThread

__all__ = ["Sweeper", "ThreadSweep", "require_policies", "sweep", "sweep_threads"]


def sweep(
    log: LogOrEvents,
    policies: Iterable[Policy],
    cause: Cause | str,
    state: ThreadState | None = None,
) -> Iterator[StopPoint]:
    """Stop a stream before its first event and after each, and yield the outcome at each stop.

    At each stop the figures are those that `settle` comes to. One pass, made while the caller takes
    the stops; a piece that could not be read does not count as an event. A log is taken as one
    thread; `sweep_threads` takes a log of several apart.

    >>> from chatkit_reducer.analysis import sweep
    >>> from chatkit_reducer import policies
    >>> from chatkit_reducer.testing.examples import added, message, text_delta
    >>> events = [added(message("m", "")), text_delta("m", "Once"), text_delta("m", " upon")]
    >>> stops = sweep(events, [policies.KEEP, policies.DROP], "cancelled")
    >>> [(stop.at, *[fate.lost.characters for fate in stop.fates]) for stop in stops]
    [(0, 0, 0), (1, 0, 0), (2, 0, 4), (3, 0, 9)]

    Args:
        log: a path, a file open for reading bytes, or events in order.
        policies: the tables to compare.
        cause: how the stream would have ended.
        state: the thread before the events; the empty one if left out.

    Raises:
        ValueError: `cause` is not a Cause.
        TypeError: an argument is of another type.
    """
    sweeper = Sweeper(policies, cause, state)
    return _with_first(sweeper, events_of(log))


def _with_first(sweeper: Sweeper, events: Iterable[Event | Unreadable]) -> Iterator[StopPoint]:
    yield sweeper.stop()
    yield from sweeper.take(events)


class ThreadSweep(NamedTuple):
    """The sweep of one thread of a log."""

    stops: list[StopPoint]
    """In order; the first is before all events of the thread."""
    state: ThreadState
    """The thread after the log."""
    flights: tuple[Flight, ...]
    """When items were in flight, in the order in which they began."""


def sweep_threads(
    log: LogOrEvents,
    policies: Iterable[Policy],
    cause: Cause | str,
    stored: ThreadState | None = None,
    *,
    max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
    max_expansion: int | None = DEFAULT_MAX_EXPANSION,
    on_progress: OnProgress | None = None,
    on_skipped: OnSkipped | None = None,
) -> dict[str | None, ThreadSweep]:
    """Sweep each thread of a log; return the sweeps by id, in the order in which they appear.

    The positions of all stops count the events of the whole log. A log without events is one thread
    with one stop.

    Args:
        log: as in `sweep`.
        policies: the tables to compare.
        cause: how the stream would have ended.
        stored: the thread before the log; the log is then taken as one of that thread alone.
        max_event_bytes: a larger event of a log is skipped, with an anomaly.
        max_expansion: how many bytes a compressed log may give for each of its own, as in `read`.
        on_progress: called with the number of bytes read so far.
        on_skipped: as in `read`.

    Raises:
        OSError: the file cannot be opened or read.
        LogError: it is compressed with zstd, and the library for that is not installed.
        ValueError: `cause` is not a Cause.
        TypeError: an argument is of another type.
    """
    sweepers = _Sweepers(require_policies(policies), Cause(cause), stored)
    options = {"max_event_bytes": max_event_bytes, "max_expansion": max_expansion}
    sweepers.take(route(log, stored, on_progress=on_progress, on_skipped=on_skipped, **options))
    return sweepers.sweeps()


class _Sweepers:
    """One sweeper for each thread of a log, and the stops so far."""

    def __init__(
        self, policies: tuple[Policy, ...], cause: Cause, stored: ThreadState | None
    ) -> None:
        self._policies = policies
        self._cause = cause
        self._stored = stored
        self._position = 0
        self._threads = PerThread(self._new)

    def _new(self) -> tuple[Sweeper, list[StopPoint]]:
        sweeper = Sweeper(self._policies, self._cause, self._stored, position=self._position)
        return sweeper, [sweeper.stop()]

    def take(self, records: Iterable[Routed]) -> None:
        for thread, run in groupby(records, key=_thread):
            sweeper, stops = self._threads[thread]
            events = (record.event for _, record in run)
            stops.extend(sweeper.take(events, position=self._position))
            self._position = sweeper.position

    def sweeps(self) -> dict[str | None, ThreadSweep]:
        if not self._threads:
            self._threads[None if self._stored is None else self._stored.thread_id]
        return {
            thread: ThreadSweep(stops, sweeper.state, sweeper.flights)
            for thread, (sweeper, stops) in self._threads.items()
        }


def _thread(routed: Routed) -> str | None:
    return routed[0]


class _InFlight(Struct, frozen=True, gc=False):
    """An item that is not done: its case for a policy, and how much of it users see."""

    type: str
    origin: Origin
    content: Content
    seen: VisibleContent
    id: str = ANY
    """Its id, if a policy may look at it."""
    is_no_news: bool = False
    """Whether its base shows all of it; see `store_rows.NO_NEWS`."""

    def with_delta(self, characters: int, *, is_blank: bool) -> _InFlight:
        """Return the item with so many more characters in one of its texts."""
        more = VisibleContent(characters=characters)
        if is_blank or self.content is Content.PARTIAL:
            return replace(self, seen=self.seen + more)
        widgets = 1 if self.type == "widget" else 0
        seen = self.seen + more + VisibleContent(widgets=widgets)
        return replace(self, content=Content.PARTIAL, seen=seen)


_OTHERS: dict[type[Any], tuple[Any, type[Any]]] = {
    AssistantMessageContentPartTextDelta: (attrgetter("content_index"), int),
    WidgetStreamingTextValueDelta: (attrgetter("done"), bool),
}
"""The field besides its text and its target that a plain delta has."""

_NO_MORE_TO_SEE = frozenset(
    {AssistantMessageContentPartAnnotationAdded, WorkflowTaskUpdated, *PLACES}
)
"""Updates that leave the figures of a new item as they are, or add the length of a delta."""

_FOLDED_WITH_A_FAULT = frozenset({WorkflowTaskAdded, UnknownUpdate})
"""Updates that may change an item although there is a fault in them."""

# So that the events of a long run are not all kept: they would be out of the processor's cache
# when they are folded.
_LONGEST_RUN = 1024


class Sweeper:
    """A sweep that goes on: events come in pieces, as in a log of several threads.

    Args:
        policies: the tables to compare.
        cause: how the stream would have ended.
        state: the thread before the events; the empty one if left out.
        position: how many events of the log come before the first one to take.
    """

    def __init__(
        self,
        policies: Iterable[Policy],
        cause: Cause | str,
        state: ThreadState | None = None,
        *,
        position: int = 0,
    ) -> None:
        self._policies = require_policies(policies)
        self._cause = Cause(cause)
        self._names_ids = any(policy.names_ids for policy in self._policies)
        self._decisions: dict[tuple[str, Origin, Content, str], tuple[Decision, ...]] = {}
        self._in_flight: dict[str, _InFlight] = {}
        self._news: dict[str, News] = {}
        """For items that have a stored copy."""
        self._totals = Totals(VisibleContent(), (Outcome(),) * len(self._policies))
        self._state = ThreadState() if state is None else require_state(state)
        self._position = self._next_stop = position
        self._flights: list[Flight] = []
        self._unfinished: dict[str, int] = {}
        """The places of flights in that list, by the ids of their items."""
        for item_id in self._state.pending:
            self._measure(item_id)

    @property
    def position(self) -> int:
        """How many events of the log were taken; more, if some of them were of other threads."""
        return self._position

    @property
    def state(self) -> ThreadState:
        """The thread after the events that were taken."""
        return self._state

    @property
    def flights(self) -> tuple[Flight, ...]:
        """When items were in flight so far."""
        return tuple(self._flights)

    def stop(self) -> StopPoint:
        """Return the stop right here."""
        return StopPoint(self._position, self._totals, 0)

    def take(
        self, events: Iterable[Event | Unreadable], *, position: int | None = None
    ) -> Iterator[StopPoint]:
        """Yield the stops after each of these events. Take all of them before the next `take`.

        Args:
            events: the next events of the thread.
            position: how many events of the log come before them, if some were of other threads.
        """
        self._position = self._position if position is None else position
        stream = iterate(events)
        event: Any = next(stream, EXHAUSTED)
        while event is not EXHAUSTED:
            if isinstance(event, Unreadable):
                self._state = reduce(self._state, event, position=self._position)
                event = next(stream, EXHAUSTED)
                continue
            self._next_stop = self._position + 1
            text = self._step(event)
            self._position += 1
            yield self.stop()
            event = next(stream, EXHAUSTED)
            if text is not None:
                event = yield from self._take_run(text, event, stream)

    def _take_run(self, text: TextTarget, event: Any, stream: Iterator[Any]) -> Any:
        """Yield the stops in a run of deltas for one text; return the first other event."""
        item_id, place = text
        kind: type[Any] = WidgetStreamingTextValueDelta
        if isinstance(place, int):
            kind = AssistantMessageContentPartTextDelta
        place_of = PLACES[kind]
        other_of, other_kind = _OTHERS[kind]
        item = self._in_flight[item_id]
        rest = self._rest_of_base(item_id, place) if item.is_no_news else None
        totals = replace(self._totals, growing=self._decided(item))
        run: list[Any] = []
        position, more = self._position, 0
        while type(event) is ThreadItemUpdated and event.item_id == item_id:
            update: Any = event.update
            if type(update) is not kind or place_of(update) != place or len(run) == _LONGEST_RUN:
                break
            if type(update.delta) is not str or type(other_of(update)) is not other_kind:
                break  # code has made it, and `reduce` records an anomaly for it
            if _is_cut(update):
                break
            if rest is not None and not rest.startswith(update.delta, more):
                break
            run.append(event)
            more += len(update.delta)
            position += 1
            yield StopPoint(position, totals, more)
            event = next(stream, EXHAUSTED)
        self._state = fold(run, self._state, position=self._position)
        self._position = position
        if run and item_id in self._news:
            delta = "".join([one.update.delta for one in run])
            self._news[item_id].update(self._item(item_id), replace(run[0].update, delta=delta))
        self._put(item_id, item.with_delta(more, is_blank=False))
        return event

    def _step(self, event: Event) -> TextTarget | None:
        """Fold one event and measure the items it touches; return the text that it lengthened.

        Only if further deltas for this text change nothing but its length.
        """
        before = self._state
        after = self._state = reduce(before, event, position=self._position)
        faulty = _anomalies(before) is not _anomalies(after)
        if after is before or (faulty and misformed(event) is not None):
            return None
        if isinstance(event, ThreadItemUpdated):
            return self._updated(event, faulty=faulty)
        if isinstance(event, (ThreadItemAdded, ThreadItemDone, ThreadItemReplaced)):
            item_id = event.item.get("id")
            if isinstance(item_id, str):
                self._measure(item_id)
        elif isinstance(event, ThreadItemRemoved):
            self._measure(event.item_id)
        elif isinstance(event, ThreadCreated):
            for item in items_of(event.thread):
                item_id = item.get("id") if isinstance(item, dict) else None
                if isinstance(item_id, str) and item_id in self._in_flight:
                    self._measure(item_id)
        return None

    def _updated(self, event: ThreadItemUpdated, *, faulty: bool) -> TextTarget | None:
        item_id, update = event.item_id, cast(Any, event.update)
        known = self._in_flight.get(item_id)
        kind = type(update)
        if faulty and kind not in _FOLDED_WITH_A_FAULT:
            return None  # nothing has changed
        is_measured = known is None or item_id in self._news or kind not in _NO_MORE_TO_SEE
        is_measured = is_measured or _is_cut(update)
        if is_measured:
            self._measure(item_id, None if kind is UnknownUpdate else update)
        text = text_target(event)
        if faulty or text is None or not self._counts(*text):
            return None
        if known is not None and not is_measured:
            is_blank = not update.delta.strip()
            known = known.with_delta(len(update.delta), is_blank=is_blank)
            self._put(item_id, known)
        now = self._in_flight[item_id]
        if now.is_no_news and not isinstance(self._item(item_id), AssistantMessage):
            return None
        return text if now.content is Content.PARTIAL else None

    def _rest_of_base(self, item_id: str, place: int | str) -> str:
        """Return the text of the stored copy in this part, behind the text that is there again."""
        entry = self._state.lagging_contents.entry(item_id)
        base, item = (None if entry is None else entry.base), self._item(item_id)
        assert isinstance(base, AssistantMessage)
        assert isinstance(item, AssistantMessage)
        assert isinstance(place, int)
        texts = [one.parts[place].text for one in (item, base) if place < len(one.parts)]
        if len(texts) < 2 or texts[1] is None:
            return ""
        return str(texts[1])[0 if texts[0] is None else texts[0].characters :]

    def _counts(self, item_id: str, place: int | str) -> bool:
        """Whether users see this text: that of a part always, that of a component if it is one."""
        item = self._item(item_id)
        if not isinstance(item, Widget) or not isinstance(place, str):
            return True
        component = item.component(place)
        return component is not None and is_text(component.json)

    def _measure(self, item_id: str, update: Any = None) -> None:
        """Measure an item, which is another one now, or has had this update."""
        entry = self._state.lagging_contents.entry(item_id)
        if entry is None or entry.phase is Phase.STORED:
            self._news.pop(item_id, None)
            self._put(item_id, None)
            return
        item = self._item(item_id)
        origin = Origin.NEW if entry.base is None else Origin.BASE
        seen = item.seen
        # A widget is walked once: it counts as one unless it is empty.
        is_empty = not seen.widgets if isinstance(item, Widget) else item.is_empty
        content = Content.EMPTY if is_empty else Content.PARTIAL
        named = item_id if self._names_ids else ANY
        is_no_news = self._is_no_news(item, entry.base, update)
        self._put(item_id, _InFlight(item.type, origin, content, seen, named, is_no_news))

    def _is_no_news(self, item: ItemState, base: ItemState | None, update: Any) -> bool:
        """Whether its base shows all of an item, which has had this update, or is another one."""
        if base is None:
            self._news.pop(item.id, None)
            return False
        news = self._news.get(item.id)
        if news is None or update is None:
            news = self._news[item.id] = news_of(item, base)
        else:
            news.update(item, update)
        return news.is_none

    def _item(self, item_id: str) -> ItemState:
        if self._state.streaming_id == item_id:
            return self._state.streaming_item()
        entry = self._state.lagging_contents.entry(item_id)
        assert entry is not None
        return entry.item

    def _put(self, item_id: str, new: _InFlight | None) -> None:
        """Put the measurement of an item into the totals; None for one that is not in flight."""
        old = self._in_flight.get(item_id)
        if old == new:
            return
        seen, fates = self._totals.seen, list(self._totals.fates)
        self._note_flight(item_id, old, new)
        if old is not None:
            del self._in_flight[item_id]
            seen -= old.seen
            less = VisibleContent() - old.seen
            fates = [with_more(f, d, less) for f, d in zip(fates, self._decided(old), strict=True)]
        if new is not None:
            self._in_flight[item_id] = new
            seen += new.seen
            fates = [
                with_more(f, d, new.seen) for f, d in zip(fates, self._decided(new), strict=True)
            ]
        self._totals = Totals(seen, tuple(fates))

    def _note_flight(self, item_id: str, old: _InFlight | None, new: _InFlight | None) -> None:
        """Note where an item begins to be in flight, or is not any more."""
        if old is None and new is not None:
            self._unfinished[item_id] = len(self._flights)
            self._flights.append(Flight(item_id, new.type, self._next_stop, None))
        elif old is not None and new is None:
            place = self._unfinished.pop(item_id)
            self._flights[place] = self._flights[place]._replace(end=self._next_stop)

    def _decided(self, item: _InFlight) -> tuple[Decision, ...]:
        """Return the decision of each policy; an item is kept where its base shows all of it."""
        if item.is_no_news:
            return (Decision.PERSIST,) * len(self._policies)
        key = item.type, item.origin, item.content, item.id
        found = self._decisions.get(key)
        if found is None:
            case = Case(item.type, item.origin, item.content, self._cause, item.id)
            found = tuple([policy.row_for(case).decision for policy in self._policies])
            self._decisions[key] = found
        return found


def _is_cut(update: Any) -> bool:
    """Whether an update brings half of a character, whose length is not that of its text."""
    delta = getattr(update, "delta", "")
    return type(delta) is str and mended(delta) is not delta


def require_policies(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """Return `policies` if they are policies.

    Raises:
        TypeError: they are something else.
    """
    if not isinstance(policies, Iterable):
        raise _not_policies(policies)
    several = tuple(policies)
    for policy in several:
        if not isinstance(policy, Policy):
            raise _not_policies(policy)
    return several


def _not_policies(value: object) -> TypeError:
    return TypeError(
        f"expected policies in a list, got {type(value).__name__}: "
        "pass some of chatkit_reducer.policies, or your own"
    )


def _anomalies(state: ThreadState) -> object:
    return state.anomaly_list
