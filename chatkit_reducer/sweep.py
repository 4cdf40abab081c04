"""`sweep`: what if the stream had stopped right here, asked at every event of a log.

For several policies at once, in one pass. It is `settle` at each event, less everything but the
figures: how much people had seen of the items in flight, and what becomes of it. What is stored is
never at stake.

A text delta costs the same however long the text is and however many items there are: what it adds
to the text is added to the figures. While one text grows, nothing is folded either: the deltas are
collected, and folded all together when something else happens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any, TypeAlias, cast

from msgspec import Struct
from msgspec.structs import replace

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
    Unreadable,
    WidgetStreamingTextValueDelta,
    WorkflowTaskUpdated,
)
from chatkit_reducer.folding import fold
from chatkit_reducer.items import ItemState, Widget
from chatkit_reducer.items.base import END, Seen
from chatkit_reducer.items.widget import Tree
from chatkit_reducer.lifecycle import Phase
from chatkit_reducer.policy import Case, Cause, Content, Decision, Origin, Policy
from chatkit_reducer.state import ThreadState, open_item
from chatkit_reducer.thread import reduce

__all__ = ["Fate", "Stop", "Sweeping", "sweep"]


class Fate(Struct, frozen=True, gc=False):
    """What becomes of all that people had seen of the items in flight, under one policy."""

    kept: Seen = Seen()
    """Of the items that are persisted."""
    lost: Seen = Seen()
    """Of those that are discarded."""
    stale: Seen = Seen()
    """Of those that stay on the screen, and are not in the store."""


class _Tally(Struct, frozen=True, gc=False):
    """The figures between two events that change more than the length of one text."""

    seen: Seen
    fates: tuple[Fate, ...]
    growing: tuple[Decision, ...] = ()
    """For each policy what becomes of the item whose text is growing."""


class Stop(Struct, frozen=True, gc=False):
    """One place in a log where the stream might have stopped."""

    at: int
    """How many events came before it."""
    _tally: _Tally
    _more: int
    """The characters that came since the tally was made, all of them to one text."""

    @property
    def seen(self) -> Seen:
        """How much people had seen of the items in flight."""
        return _more_text(self._tally.seen, self._more) if self._more else self._tally.seen

    @property
    def fates(self) -> tuple[Fate, ...]:
        """What becomes of it, for each policy in the order they were given."""
        tally, more = self._tally, self._more
        if not more:
            return tally.fates
        pairs = zip(tally.fates, tally.growing, strict=True)
        return tuple([_longer(fate, decision, more) for fate, decision in pairs])


def _with(fate: Fate, decision: Decision, more: Seen) -> Fate:
    if decision is Decision.PERSIST:
        return Fate(fate.kept + more, fate.lost, fate.stale)
    if decision is Decision.DISCARD:
        return Fate(fate.kept, fate.lost + more, fate.stale)
    return Fate(fate.kept, fate.lost, fate.stale + more)


# The same for text alone, at every stop: half the time.
def _longer(fate: Fate, decision: Decision, characters: int) -> Fate:
    if decision is Decision.PERSIST:
        return Fate(_more_text(fate.kept, characters), fate.lost, fate.stale)
    if decision is Decision.DISCARD:
        return Fate(fate.kept, _more_text(fate.lost, characters), fate.stale)
    return Fate(fate.kept, fate.lost, _more_text(fate.stale, characters))


def _more_text(seen: Seen, characters: int) -> Seen:
    return Seen(seen.characters + characters, seen.tasks, seen.widgets, seen.images)


def sweep(
    events: Iterable[Event | Unreadable],
    policies: Iterable[Policy],
    cause: Cause | str,
    state: ThreadState | None = None,
) -> Iterator[Stop]:
    """Every place where a stream might have stopped: before its first event, and after each.

    At each stop the figures are those that `settle` comes to. One pass, made while the stops are
    taken; what could not be read in a log is no event.

    >>> from chatkit_reducer import policies
    >>> from chatkit_reducer.testing.examples import added, message, text_delta
    >>> events = [added(message("m", "")), text_delta("m", "Once"), text_delta("m", " upon")]
    >>> stops = sweep(events, [policies.KEEP, policies.DROP], "cancelled")
    >>> [(stop.at, *[fate.lost.characters for fate in stop.fates]) for stop in stops]
    [(0, 0, 0), (1, 0, 0), (2, 0, 4), (3, 0, 9)]

    Args:
        events: what arrived, in order.
        policies: the tables to compare.
        cause: how the stream would have ended.
        state: the thread before the events; the empty one if left out.

    Raises:
        ValueError: `cause` is none of those there are.
    """
    sweeping = Sweeping(policies, cause, state)
    return _with_first(sweeping, events)


def _with_first(sweeping: Sweeping, events: Iterable[Event | Unreadable]) -> Iterator[Stop]:
    yield sweeping.stop()
    yield from sweeping.take(events)


class _InFlight(Struct, frozen=True, gc=False):
    """An item that is not done: what a policy asks of it, and how much of it people see."""

    type: str
    origin: Origin
    content: Content
    seen: Seen

    def grown(self, characters: int, *, is_blank: bool) -> _InFlight:
        """The item with so many more characters in one of its texts."""
        more = Seen(characters=characters)
        if is_blank or self.content is Content.PARTIAL:
            return replace(self, seen=self.seen + more)
        widgets = 1 if self.type == "widget" else 0
        seen = self.seen + more + Seen(widgets=widgets)
        return replace(self, content=Content.PARTIAL, seen=seen)


_TextPlace: TypeAlias = "tuple[str, int | str]"
"""One text: its item, and the part or the component in it."""

_PLACES: dict[type[Any], Any] = {
    AssistantMessageContentPartTextDelta: attrgetter("content_index"),
    WidgetStreamingTextValueDelta: attrgetter("component_id"),
}

_NO_MORE_TO_SEE = frozenset({AssistantMessageContentPartAnnotationAdded, WorkflowTaskUpdated})
"""Updates that leave the figures of their item as they are."""

# So that the events of a long run are not all kept: they would be out of the processor's cache
# when they are folded.
_LONGEST_RUN = 1024


class Sweeping:
    """A sweep that goes on: events come in pieces, as in a log of several threads."""

    def __init__(
        self, policies: Iterable[Policy], cause: Cause | str, state: ThreadState | None = None
    ) -> None:
        self._policies = tuple(policies)
        self._cause = Cause(cause)
        self._decisions: dict[tuple[str, Origin, Content], tuple[Decision, ...]] = {}
        self._counted: dict[str, bool] = {}
        self._in_flight: dict[str, _InFlight] = {}
        self._tally = _Tally(Seen(), (Fate(),) * len(self._policies))
        self._state = ThreadState() if state is None else state
        self.position: int = 0
        """How many events of the log were taken; more, if some of them were of other threads."""
        for item_id in self._state.pending:
            self._measure(item_id)

    def stop(self) -> Stop:
        """The stop right here."""
        return Stop(self.position, self._tally, 0)

    def take(self, events: Iterable[Event | Unreadable]) -> Iterator[Stop]:
        """The stops after each of these events. Take all of them before the next `take`."""
        stream = iter(events)
        event: Any = next(stream, END)
        while event is not END:
            if type(event) is Unreadable:
                event = next(stream, END)
                continue
            text = self._step(event)
            self.position += 1
            yield self.stop()
            event = next(stream, END)
            if text is not None:
                event = yield from self._take_run(text, event, stream)

    def _take_run(self, text: _TextPlace, event: Any, stream: Iterator[Any]) -> Any:
        """The stops in a run of deltas for one text that counts; returns the first other event."""
        item_id, place = text
        kind: type[Any] = WidgetStreamingTextValueDelta
        if isinstance(place, int):
            kind = AssistantMessageContentPartTextDelta
        place_of = _PLACES[kind]
        item = self._in_flight[item_id]
        tally = replace(self._tally, growing=self._decided(item))
        run: list[Event] = []
        position, more = self.position, 0
        while type(event) is ThreadItemUpdated and event.item_id == item_id:
            update: Any = event.update
            if type(update) is not kind or place_of(update) != place or len(run) == _LONGEST_RUN:
                break
            run.append(event)
            more += len(update.delta)
            position += 1
            yield Stop(position, tally, more)
            event = next(stream, END)
        self.position = position
        self._state = fold(run, self._state)
        self._put(item_id, item.grown(more, is_blank=False))
        return event

    def _step(self, event: Event) -> _TextPlace | None:
        """Folds one event and measures what it touches; returns the text that it lengthened.

        Only if further deltas for this text change nothing but its length.
        """
        before = self._state
        after = self._state = reduce(before, event)
        if after is before:
            return None
        if isinstance(event, ThreadItemUpdated):
            return self._updated(event, faulty=_anomalies(before) is not _anomalies(after))
        if isinstance(event, (ThreadItemAdded, ThreadItemDone, ThreadItemReplaced)):
            item_id = event.item.get("id")
            if isinstance(item_id, str):
                self._measure(item_id)
        elif isinstance(event, ThreadItemRemoved):
            self._measure(event.item_id)
        elif isinstance(event, ThreadCreated):
            for item_id in {*self._in_flight, *after.pending}:
                self._measure(item_id)
        return None

    def _updated(self, event: ThreadItemUpdated, *, faulty: bool) -> _TextPlace | None:
        item_id, update = event.item_id, cast(Any, event.update)
        place_of = _PLACES.get(type(update))
        known = self._in_flight.get(item_id)
        if known is None or (place_of is None and type(update) not in _NO_MORE_TO_SEE):
            self._measure(item_id)
        if faulty or place_of is None:
            return None
        place = place_of(update)
        if not self._counts(item_id, place):
            return None
        if known is not None:
            is_blank = not update.delta.strip()
            known = known.grown(len(update.delta), is_blank=is_blank)
            self._put(item_id, known)
        is_partial = self._in_flight[item_id].content is Content.PARTIAL
        return (item_id, place) if is_partial else None

    def _counts(self, item_id: str, place: int | str) -> bool:
        """Whether people see this text: that of a part always, that of a component if it is one."""
        item = self._item(item_id)
        if not isinstance(item, Widget) or not isinstance(place, str):
            return True
        component = item.edit_of(place)
        kind = None if component is None else component.json.get("type")
        if not isinstance(kind, str):
            return False
        if kind not in self._counted:
            alone = Widget(item.json, Tree({"type": kind, "value": "x"}))
            self._counted[kind] = alone.seen.characters > 0
        return self._counted[kind]

    def _measure(self, item_id: str) -> None:
        """Looks at the whole of an item."""
        entry = self._state._book.entry(item_id)
        if entry is None or entry.phase is Phase.STORED:
            self._put(item_id, None)
            return
        item = self._item(item_id)
        origin = Origin.NEW if entry.base is None else Origin.BASE
        seen = item.seen
        # A widget is walked once: it counts as one unless it is empty.
        is_empty = not seen.widgets if isinstance(item, Widget) else item.is_empty
        content = Content.EMPTY if is_empty else Content.PARTIAL
        self._put(item_id, _InFlight(item.type, origin, content, seen))

    def _item(self, item_id: str) -> ItemState:
        if self._state._open_id == item_id:
            return open_item(self._state)
        entry = self._state._book.entry(item_id)
        assert entry is not None
        return entry.item

    def _put(self, item_id: str, new: _InFlight | None) -> None:
        """Notes what was measured of an item; None for one that is not in flight."""
        old = self._in_flight.get(item_id)
        if old == new:
            return
        seen, fates = self._tally.seen, list(self._tally.fates)
        if old is not None:
            del self._in_flight[item_id]
            seen -= old.seen
            less = Seen() - old.seen
            fates = [_with(f, d, less) for f, d in zip(fates, self._decided(old), strict=True)]
        if new is not None:
            self._in_flight[item_id] = new
            seen += new.seen
            fates = [_with(f, d, new.seen) for f, d in zip(fates, self._decided(new), strict=True)]
        self._tally = _Tally(seen, tuple(fates))

    def _decided(self, item: _InFlight) -> tuple[Decision, ...]:
        """What each policy decides for it."""
        key = item.type, item.origin, item.content
        found = self._decisions.get(key)
        if found is None:
            case = Case(*key, self._cause)
            found = tuple([policy.row_for(case).decision for policy in self._policies])
            self._decisions[key] = found
        return found


def _anomalies(state: ThreadState) -> object:
    return state._book.anomalies
