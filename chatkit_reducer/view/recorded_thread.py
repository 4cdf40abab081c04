"""One thread of a log, event by event, as the block of data that `recording` describes.

Nearly all events are text deltas, one after the other for one text. While one text grows, nothing
is folded: the deltas are collected, and folded all together when something else happens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from chatkit_reducer.core.fold.folder import fold
from chatkit_reducer.core.halves import mended
from chatkit_reducer.core.items import ItemState
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.core.text_target import text_target
from chatkit_reducer.core.thread.contents import Entry
from chatkit_reducer.core.thread.reduce import items_of, reduce
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    AssistantMessageContentPartTextDelta,
    Event,
    ThreadCreated,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    UnknownUpdate,
    Update,
    wire_type,
)
from chatkit_reducer.view.appended import Appended, Numbered, Runs
from chatkit_reducer.view.decisions import Decisions
from chatkit_reducer.view.raws import Raws
from chatkit_reducer.view.stages import stage_of
from chatkit_reducer.view.tracks import Track
from chatkit_reducer.view.versions import Shelf, Versions

__all__ = ["RecordedThread"]

_LONGEST_RUN = 1024


class _Run:
    """Text deltas for one text of an item that is steady."""

    __slots__ = ("events", "first", "item", "kind", "place", "raw")

    def __init__(
        self, item: Versions, place: int | str, kind: type[Any], *, raw: int, first: int
    ) -> None:
        self.item = item
        self.place = place
        self.kind = kind
        self.raw = raw
        self.first = first
        """The step of the first of its events that are not folded yet."""
        self.events: list[Any] = []


class RecordedThread:
    """One thread of a log, event by event.

    Args:
        stored: the thread before the log.
        policies: the tables to compare.
        largest_image: how many characters an image may have to be shown; None for the usual number.
    """

    def __init__(
        self,
        stored: ThreadState | None,
        policies: Sequence[Policy],
        largest_image: int | None = None,
    ) -> None:
        self.n: int = 0
        """How many events were taken."""
        self.positions: list[list[int]] = []
        """Where they stand in the log, from 1: the first and the number of each run."""
        self._last_position = [0, 0]
        self._state = ThreadState() if stored is None else stored
        self._tracks: list[Track] = []
        self._decisions = Decisions(policies)
        self._shelf = Shelf(self._tracks, self._decisions, largest_image=largest_image)
        self._raws = Raws()
        self._types: Numbered[str] = Numbered()
        self._events = Runs()
        self._items: dict[str, Versions] = {}
        self._all_items: list[Versions] = []
        self._waiting: set[str] = set()
        self._stages: Appended[list[Any]] = Appended()
        self._times: list[Any] = []
        self._has_times = False
        self._run: _Run | None = None
        for item_id in self._state.items:
            self._look(item_id)
        self._note_surroundings()

    def take(self, event: Event, position: int, time: Any = None) -> None:
        """Take the next event.

        Args:
            event: the event.
            position: its place in the log, from 1.
            time: when it was recorded, if the log says it.
        """
        self.n += 1
        last = self._last_position
        if last[0] + last[1] == position:
            last[1] += 1
        else:
            self._last_position = [position, 1]
            self.positions.append(self._last_position)
        self._times.append(time)
        if time is not None:
            self._has_times = True
        run = self._run
        if run is not None:
            if _continues(run, event):
                run.events.append(event)
                if len(run.events) == _LONGEST_RUN:
                    self._put_run_together()
                return
            self._put_run_together()
            self._run = None
        self._take_one(event)

    @property
    def state(self) -> ThreadState:
        """The thread after the events that were taken."""
        self._put_run_together()
        return self._state

    def _put_run_together(self) -> None:
        """Fold the events of the run so far."""
        run = self._run
        if run is None or not run.events:
            return
        events, first = run.events, run.first
        run.events, run.first = [], first + len(events)
        deltas = [event.update.delta for event in events]
        self._state = fold(events, self._state)
        run.item.lengthen_all(first, run.place, deltas)
        update = msgspec.structs.replace(events[0].update, delta="".join(deltas))
        run.item.follow_run(self._state.streaming_item(), update)
        kind = self._type(first, events[0])
        self._events.add(first, kind, run.item.number, run.raw, count=len(events))

    # --- one event --------------------------------------------------------------------------------

    def _take_one(self, event: Event) -> None:
        if self._take_delta(event):
            return
        before, after = self._state, reduce(self._state, event)
        self._state = after
        item_ids = [] if after is before else list(_touched(event))
        known = [self._items.get(item_id) for item_id in item_ids]
        gained: list[str] = []
        is_faulty = before.anomaly_list is not after.anomaly_list
        for item_id in item_ids:
            gained = self._look(item_id, None if is_faulty else _update_of(event))
        self._note(event, gained, known)
        if after is not before:
            self._note_surroundings()

    def _take_delta(self, event: Any) -> bool:
        """Take a text delta for a text whose track is known; return whether it was one."""
        if type(event) is not ThreadItemUpdated or self._state.progress is not None:
            return False
        item, place = self._items.get(event.item_id), _place_of(event)
        if item is None or place is None or place not in item.targets:
            return False
        self._state = reduce(self._state, event)
        track = item.lengthen(self.n, place, self._state.streaming_item(), event.update)
        raw = self._raws.number_of_delta(self.n, event, track)
        self._events.add(self.n, self._type(self.n, event), item.number, raw)
        if self._waiting:
            self._note_surroundings()
        self._begin_run(item, place, event, raw)
        return True

    def _begin_run(self, item: Versions, place: int | str, event: Any, raw: int) -> None:
        if item.is_steady and self._state.progress is None:
            self._run = _Run(item, place, type(event.update), raw=raw, first=self.n + 1)

    def _look(self, item_id: str, update: Update | None = None) -> list[str]:
        """Look at an item after an event; return what its texts gained, if that is all."""
        entry = self._state.lagging_contents.entry(item_id)
        versions = self._items.get(item_id)
        item = None if entry is None else self._item(item_id, entry)
        if versions is not None and (item is None or item.type != versions.type):
            versions.remove(self.n)
            del self._items[item_id]
            versions = None
        self._follow_call(item_id, entry)
        if entry is None or item is None:
            return []
        if versions is None:
            versions = Versions(len(self._all_items), item, self._shelf)
            self._items[item_id] = versions
            self._all_items.append(versions)
        return versions.look(self.n, entry, item, update)

    def _item(self, item_id: str, entry: Entry) -> ItemState:
        is_streaming = self._state.streaming_id == item_id
        return self._state.streaming_item() if is_streaming else entry.item

    def _follow_call(self, item_id: str, entry: Entry | None) -> None:
        """Note whether this is a client tool call that may wait for its output."""
        if entry is not None and entry.item.type == "client_tool_call":
            status = entry.item.json.get("status", "pending")
            if status == "pending" or entry.base is not None:
                self._waiting.add(item_id)
                return
        self._waiting.discard(item_id)

    def _note_surroundings(self) -> None:
        """Note what is not about one item."""
        stage = stage_of(self._state)
        stages = self._stages.values
        if not stages or stages[-1][1] != stage:
            self._stages.append(self.n, [self.n, stage])
        self._decisions.note_markers(self.n, self._state, may_wait=bool(self._waiting))

    # --- the events themselves --------------------------------------------------------------------

    def _note(self, event: Event, gained: list[str], known: list[Versions | None]) -> None:
        item = self._item_of(event, known)
        kind, number = self._type(self.n, event), -1 if item is None else item.number
        place, track = _place_of(event), None
        if item is not None and place is not None:
            delta: Any = event
            track = item.learn(place, gained, delta.update.delta)
            if track is not None:
                raw = self._raws.number_of_delta(self.n, delta, track)
                self._events.add(self.n, kind, number, raw)
                self._begin_run(item, place, event, raw)
                return
        texts = dict if item is None else item.texts
        self._events.add(self.n, kind, number, self._raws.number(self.n, event, texts))

    def _item_of(self, event: Event, known: list[Versions | None]) -> Versions | None:
        item_id = (
            next(iter(_touched(event)), None) if not isinstance(event, ThreadCreated) else None
        )
        now = None if item_id is None else self._items.get(item_id)
        return now or next((item for item in known if item is not None), None)

    def _type(self, step: int, event: Event) -> int:
        told = event.update if isinstance(event, ThreadItemUpdated) else event
        name = mended(wire_type(told))
        return self._types.number(step, name, name)

    # --- the data ---------------------------------------------------------------------------------

    def data(self) -> dict[str, Any]:
        """Return the block of data, but for the findings."""
        self._put_run_together()
        cases, policies = self._decisions.data()
        return {
            "n": self.n,
            "positions": [run.copy() for run in self.positions],
            "types": self._types.appended.values.copy(),
            "tracks": [track.data() for track in self._tracks],
            "trees": self._shelf.trees.appended.values.copy(),
            "items": [{**item.head, "v": item.history.values.copy()} for item in self._all_items],
            "cases": cases,
            "policies": policies,
            "events": self._events.copy(),
            "raws": self._raws.appended.values.copy(),
            "stage": self._stages.values.copy(),
            "times": self._times.copy() if self._has_times else None,
        }

    def since(self, step: int) -> dict[str, Any]:
        """Return the ends of the data since a step, but for the findings."""
        self._put_run_together()
        cases, policies = self._decisions.since(step)
        gained = ((number, track.since(step)) for number, track in enumerate(self._tracks))
        return {
            "n": self.n,
            "positions": self._positions_since(step),
            "types": self._types.appended.since(step),
            "tracks": [[number, more] for number, more in gained if more is not None],
            "trees": self._shelf.trees.appended.since(step),
            "items": [
                [item.number, item.head, later]
                for item in self._all_items
                if (later := item.history.since(step))
            ],
            "cases": cases,
            "policies": policies,
            "events": [run.copy() for run in self._events.since(step)],
            "raws": self._raws.appended.since(step),
            "stage": self._stages.since(step),
            "times": self._times[step:] if self._has_times else None,
        }

    def _positions_since(self, step: int) -> list[list[int]]:
        runs, before = [], 0
        for run in self.positions:
            before += run[1]
            if before > step:
                runs.append(run.copy())
        return runs


def _continues(run: _Run, event: Any) -> bool:
    """Whether an event is the next delta for the text of a run, and nothing else."""
    if type(event) is not ThreadItemUpdated or event.item_id != run.item.id:
        return False
    update: Any = event.update
    if type(update) is not run.kind or update.extra is not msgspec.UNSET:
        return False
    if event.extra is not msgspec.UNSET:
        return False
    if run.kind is AssistantMessageContentPartTextDelta:
        place = update.content_index
        if type(place) is not int:
            return False
    else:
        place = update.component_id
        if update.done is not False:
            return False
    delta = update.delta
    return (
        place == run.place
        and type(delta) is str
        and delta != ""
        and (delta.isascii() or mended(delta) is delta)
    )


def _place_of(event: Any) -> int | str | None:
    """Return the part or component of a plain text delta; None for any other event."""
    target = text_target(event)
    if target is None or event.extra is not msgspec.UNSET:
        return None
    update = event.update
    is_part = type(update) is AssistantMessageContentPartTextDelta
    if update.extra is not msgspec.UNSET or (not is_part and update.done is not False):
        return None
    if (
        type(update.delta) is not str
        or not update.delta
        or mended(update.delta) is not update.delta
    ):
        return None
    place = target[1]
    return place if type(place) is (int if is_part else str) else None


def _update_of(event: Event) -> Update | None:
    """Return the known update that an event carries, if it does."""
    update = event.update if isinstance(event, ThreadItemUpdated) else None
    return None if isinstance(update, UnknownUpdate) else update


def _touched(event: Event) -> Iterator[str]:
    """Yield the ids of the items that an event is about."""
    found: list[Any] = []
    if isinstance(event, (ThreadItemUpdated, ThreadItemRemoved)):
        found = [event.item_id]
    elif isinstance(event, (ThreadItemAdded, ThreadItemDone, ThreadItemReplaced)):
        found = [event.item.get("id")]
    elif isinstance(event, ThreadCreated):
        items = items_of(event.thread)
        found = [item.get("id") for item in items if isinstance(item, dict)]
    yield from dict.fromkeys(one for one in found if isinstance(one, str))
