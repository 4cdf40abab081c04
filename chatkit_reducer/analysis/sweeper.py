"""`Sweeper`: stops a stream at each of its events, and sums up the outcome.

For several policies at once, in one pass. It is `settle` at each event, reduced to figures: how
much users had seen of the items in flight, and its outcome. Stored items are never at stake.

A text delta costs the same however long the text is and however many items there are: its length
is added to the figures. While one text grows, nothing is folded either: the deltas are
collected, and folded all together when something else happens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace

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

__all__ = ["Sweeper", "require_policies"]


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
