"""Fold the events of a stream as they pass, and remember which are known to be delivered."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from chatkit_reducer.core.codec import decode, encode, from_json
from chatkit_reducer.core.fold.folder import fold
from chatkit_reducer.core.items import HIDDEN_TYPES, ItemState
from chatkit_reducer.core.json_values import json_copy
from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.core.sdk_models import is_model, json_of_model
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.events import (
    EVENT_TYPES,
    ErrorEvent,
    Event,
    Json,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
    UnknownEvent,
)

__all__ = ["Tracker", "as_event"]

E = TypeVar("E")

logger: logging.Logger = logging.getLogger("chatkit_reducer.supervise")

_EVENTS = {*EVENT_TYPES.values(), UnknownEvent}

_AT_ONCE = 256
"""How many events wait to be folded together, which costs less than one by one."""

_MOST_HELD = 20_000
"""How many updates are kept for an item while the store has not said whether it has it."""


def as_event(value: Any) -> Event:
    """Convert an SDK's pydantic event, a mapping or JSON text to one of our events.

    It shares nothing with the other: producers change an item after they have sent it (see
    `docs/semantics.md`).

    Raises:
        DecodeError: it is JSON, or a model of it, but not a ChatKit event.
        TypeError: it is none of these.
    """
    if isinstance(value, Struct):
        return value  # type: ignore[return-value]  # `Tracker` asks whether it is one of ours
    if is_model(value):
        return from_json(json_of_model(value))
    if isinstance(value, Mapping):
        try:
            return decode(msgspec.json.encode(dict(value)))
        except UnicodeEncodeError:  # half of a character
            return from_json(json_copy(dict(value)))
    if isinstance(value, bytes | bytearray | str):
        return decode(value)
    raise TypeError(
        f"expected an event, a mapping or JSON text, got {type(value).__name__}: pass `convert`"
    )


def _unwritten(item_id: str, copy: ItemState | None) -> Event:
    """Return the event that takes a write back: the store has this copy still, or none."""
    return ThreadItemRemoved(item_id) if copy is None else ThreadItemReplaced(copy.json_view())


class Tracker(Generic[E]):
    """Fold the events of a stream as they pass.

    Args:
        state: the thread before them.
        convert: converts an event of the producer to one of ours.
        can_look_up: whether the store can be asked for an unknown item that is updated.
    """

    def __init__(
        self, state: ThreadState, convert: Callable[[E], Event], *, can_look_up: bool
    ) -> None:
        self._state = state
        self._events: list[Event] = []
        self._in_doubt = 0
        """How many of the last events are not known to be delivered."""
        self._convert = convert
        self._can_look_up = can_look_up
        self._known = set(state.items)
        self._held: dict[str, list[Event]] = {}
        """Updates for items of which the store did not say whether it has them."""
        self._before_refusal: dict[str, ItemState | None] = {}
        """The copies that the store had before it refused to write these items; None for none."""
        self._sent_whole: str | None = None
        """The id of the item that the last event brought whole, if it was refused before."""
        self._failed = False
        self._complained: set[object] = set()
        self.latest: Event | None = None
        """The last event that was taken; None if it did not convert to an event."""

    def branch(self) -> Tracker[E]:
        """Return a copy of this tracker, which takes events by itself."""
        return copy.copy(self)

    def __copy__(self) -> Tracker[E]:
        twin: Tracker[E] = object.__new__(type(self))
        containers = {
            "_events": [*self._events],
            "_known": {*self._known},
            "_held": {item_id: [*events] for item_id, events in self._held.items()},
            "_before_refusal": {**self._before_refusal},
        }
        vars(twin).update(vars(self) | containers)
        return twin

    def take(self, value: E) -> ThreadItemUpdated | None:
        """Fold an event on its way to the consumer.

        Returns:
            None; or the event, if it is for an item that has to be found first (`take_found`).
        """
        event: Event | None = None
        self.latest = None
        try:
            event = self._convert(value)
            if type(event) not in _EVENTS:
                self._complain(
                    value, f"it converts to {type(event).__name__}, which is not an event"
                )
            elif type(event) is ThreadItemUpdated:
                self.latest = event
                if event.item_id not in self._known and self._can_find(event.item_id):
                    return event
                if self._held and event.item_id in self._held:
                    self._hold(event)
                else:
                    self._add(event)
            else:
                self.latest = event
                self._note(event)
                self._add(event)
        except Exception:  # noqa: BLE001  # an unreadable event must not break the stream
            if event is None:
                self._complain(value, "it cannot be converted: see below")
            else:
                self._add(event)  # a value in it has a wrong type: folding it records an anomaly
        return None

    def _can_find(self, item_id: object) -> bool:
        return self._can_look_up and isinstance(item_id, str)

    def _note(self, event: Event) -> None:
        """Note an item that an event brings, or the failure of the stream."""
        if isinstance(event, ThreadItemAdded | ThreadItemDone | ThreadItemReplaced):
            item_id = event.item.get("id")
            if isinstance(item_id, str):
                self._known.add(item_id)
                self._held.pop(item_id, None)
                if item_id in self._before_refusal and not isinstance(event, ThreadItemAdded):
                    self._sent_whole = item_id
        elif type(event) is ErrorEvent:
            self._failed = True

    def take_found(self, event: ThreadItemUpdated, item: Json | None, *, is_known: bool) -> None:
        """Fold an update over the stored item that it is for, or over nothing.

        If the store did not say, its updates are held until the settlement, which asks again.
        """
        item_id = event.item_id
        self._known.add(item_id)
        if not is_known:
            self._held[item_id] = []
            self._hold(event)
            return
        if item is None:
            logger.warning(
                "Item %s is updated, but the store does not have it, nor did this stream add "
                "it: its updates reach the client and cannot be settled.",
                item_id,
            )
        else:
            self._state = self._fold([ThreadItemDone(item)], self._fold_delivered())
        self._add(event)

    def _hold(self, event: ThreadItemUpdated) -> None:
        held = self._held[event.item_id]
        if len(held) < _MOST_HELD:
            held.append(event)

    @property
    def held(self) -> tuple[str, ...]:
        """The ids of the items whose updates are held."""
        return tuple(self._held)

    def release(self, stored: Mapping[str, Json | None]) -> None:
        """Fold the updates that were held, over the copies that the store has by now."""
        self._fold_delivered()
        for item_id, events in self._held.items():
            item = stored.get(item_id)
            if item is None:
                logger.warning(
                    "Item %s is updated, and the store %s: its updates reach the client and cannot "
                    "be settled.",
                    item_id,
                    "does not have it" if item_id in stored else "did not say whether it has it",
                )
            before: list[Event] = [] if item is None else [ThreadItemDone(item)]
            # If there were too many, the last are missing, and the result is not the item as shown.
            if item is None or len(events) < _MOST_HELD:
                self._state = self._fold([*before, *events], self._state)
        self._held.clear()

    def _add(self, event: Event) -> None:
        self._in_doubt += 1
        self._events.append(event)
        if len(self._events) > _AT_ONCE:
            self._fold_delivered()

    def note_delivery(self) -> None:
        """Note that the last event is delivered: the consumer came back for another."""
        self._in_doubt = 0
        if self._sent_whole is not None:  # the store has taken it this time
            self._before_refusal.pop(self._sent_whole, None)
            self._sent_whole = None

    def refuse(self, item_id: str) -> None:
        """Note that the store refused to write an item that the last event brought."""
        if self._sent_whole == item_id:
            self._sent_whole = None
        if item_id not in self._before_refusal:
            entry = self._fold_delivered().contents().entries.get(item_id)
            self._before_refusal[item_id] = None if entry is None else entry.stored_copy

    @property
    def refused(self) -> frozenset[str]:
        """The ids of items of which the store refused the last write."""
        return frozenset(self._before_refusal)

    def states(self) -> tuple[ThreadState, ThreadState]:
        """Return the thread after all events, and after those that are known to be delivered."""
        before = self._fold_delivered()
        state = self._fold(self._events, before)
        return state, fold([_unwritten(*pair) for pair in self._before_refusal.items()], before)

    def correction_for(self, withheld: Event | None) -> Event | None:
        """Return what a client has to be told of a removal that it was not sent; None if nothing.

        A client shows the item as it was pending. No settlement speaks of it, and the store has at
        most the copy from before.

        Args:
            withheld: the last event, if the consumer has not got it.
        """
        if not isinstance(withheld, ThreadItemRemoved):
            return None
        entry = self._fold_delivered().contents().entries.get(withheld.item_id)
        if entry is None or entry.phase is Phase.STORED or entry.item.type in HIDDEN_TYPES:
            return None
        is_shown = entry.base is not None and entry.base.type not in HIDDEN_TYPES
        return _unwritten(withheld.item_id, entry.base if is_shown else None)

    def _fold_delivered(self) -> ThreadState:
        cut = len(self._events) - self._in_doubt
        self._state = self._fold(self._events[:cut], self._state)
        del self._events[:cut]
        return self._state

    def _fold(self, events: Iterable[Event], state: ThreadState) -> ThreadState:
        """Fold events; if that fails, one by one, without those that cannot be decoded."""
        events = list(events)
        try:
            return fold(events, state)
        except Exception:  # noqa: BLE001  # one bad event must not take the others with it
            for event in events:
                try:
                    state = fold([decode(encode(event))], state)
                except Exception:  # noqa: BLE001  # the same
                    self._complain(event, "it cannot be folded: see below")
        return state

    def cause_of_end(self) -> Cause:
        """Return how the stream ended, if it ended by itself."""
        return Cause.FAILED if self._failed else Cause.ENDED

    def _complain(self, value: object, problem: str) -> None:
        """Log a problem with an event, once for each type."""
        kind = type(value)
        if kind not in self._complained:
            self._complained.add(kind)
            logger.warning(
                "An event of type %s.%s is left out of the settlement: %s.",
                kind.__module__,
                kind.__qualname__,
                problem,
                exc_info=True,
            )
