"""What a stream has come to so far, and how much of it is known to have arrived."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from chatkit_reducer.codec import decode, from_json
from chatkit_reducer.events import (
    EVENT_TYPES,
    ErrorEvent,
    Event,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemReplaced,
    ThreadItemUpdated,
    UnknownEvent,
)
from chatkit_reducer.folding import fold
from chatkit_reducer.policy import Cause
from chatkit_reducer.state import ThreadState

__all__ = ["Load", "Tracking", "as_event"]

E = TypeVar("E")

Load: TypeAlias = Callable[[str], Awaitable[Mapping[str, Any] | None]]
"""Item id to the plain ChatKit JSON that the store has of it, or None."""

logger: logging.Logger = logging.getLogger("chatkit_reducer.supervise")

_EVENTS = {*EVENT_TYPES.values(), UnknownEvent}

_AT_ONCE = 256
"""How many events wait to be folded together, which costs less than one by one."""


def as_event(value: Any) -> Event:
    """An event of any make as one of ours: ours, an SDK's pydantic event, a mapping, JSON text.

    It shares nothing with the other: producers change an item after they have sent it (see
    `docs/semantics.md`).

    Raises:
        DecodeError: it says that it is JSON, and is no ChatKit event.
        TypeError: it is none of these.
    """
    if isinstance(value, Struct):
        return value  # type: ignore[return-value]  # `Tracking` asks whether it is one of ours
    if hasattr(value, "model_dump"):
        return from_json(value.model_dump(mode="json", by_alias=True, exclude_none=True))
    if isinstance(value, Mapping):
        return decode(msgspec.json.encode(dict(value)))
    if isinstance(value, bytes | bytearray | str):
        return decode(value)
    raise TypeError(f"{type(value).__name__} is no event: `convert` can make one of it")


class Tracking(Generic[E]):
    """Folds the events of a stream as they pass."""

    def __init__(
        self, state: ThreadState, convert: Callable[[E], Event], load: Load | None
    ) -> None:
        self._state = state
        self._events: list[Event] = []
        self._in_doubt = False
        self._convert = convert
        self._load = load
        self._known = set(state.items)
        self._failed = False
        self._complained: set[type] = set()

    def take(self, value: E) -> Event | None:
        """Folds an event on its way to the consumer.

        Returns:
            None; or the event, if it is for an item that has to be found first (`take_found`).
        """
        event = self._converted(value)
        if event is None:
            return None
        if type(event) is ThreadItemUpdated:
            if event.item_id not in self._known and self._load is not None:
                return event
        elif isinstance(event, ThreadItemAdded | ThreadItemDone | ThreadItemReplaced):
            item_id = event.item.get("id")
            if isinstance(item_id, str):
                self._known.add(item_id)
        elif type(event) is ErrorEvent:
            self._failed = True
        self._add(event)
        return None

    def _converted(self, value: E) -> Event | None:
        try:
            event = self._convert(value)
        except Exception:  # noqa: BLE001  # a stream must not break because nobody can read it
            self._complain(value, "it cannot be converted: see below")
            return None
        if type(event) not in _EVENTS:
            self._complain(value, f"it converts to {type(event).__name__}, which is no event")
            return None
        return event

    async def take_found(self, event: Event) -> None:
        """Finds the item that an update is for, and folds the update over it."""
        assert isinstance(event, ThreadItemUpdated)
        assert self._load is not None
        item_id = event.item_id
        self._known.add(item_id)
        try:
            item = await self._load(item_id)
        except Exception:
            logger.exception("Item %s is updated, and loading it failed: see below.", item_id)
        else:
            if item is None:
                logger.warning(
                    "Item %s is updated, but the store does not have it, nor did this stream add "
                    "it: its updates reach the client and cannot be settled.",
                    item_id,
                )
            else:
                state, _ = self.states()
                self._state = fold([ThreadItemDone(dict(item))], state)
        self._add(event)

    def _add(self, event: Event) -> None:
        self._in_doubt = True
        self._events.append(event)
        if len(self._events) > _AT_ONCE:
            self._fold_delivered()

    def delivered(self) -> None:
        """The consumer came back for another event: it is done with the last one."""
        self._in_doubt = False

    def states(self) -> tuple[ThreadState, ThreadState]:
        """The thread after all events, and after those that are known to be delivered."""
        before = self._fold_delivered()
        return fold(self._events, before), before

    def _fold_delivered(self) -> ThreadState:
        cut = len(self._events) - self._in_doubt
        self._state = fold(self._events[:cut], self._state)
        del self._events[:cut]
        return self._state

    def cause_of_end(self) -> Cause:
        """How the stream ended, if it ended by itself."""
        return Cause.FAILED if self._failed else Cause.ENDED

    def _complain(self, value: E, problem: str) -> None:
        """Once for each type."""
        kind = type(value)
        if kind not in self._complained:
            self._complained.add(kind)
            logger.warning(
                "An event of type %s.%s is passed on, but the settlement will know nothing of it: "
                "%s.",
                kind.__module__,
                kind.__qualname__,
                problem,
                exc_info=True,
            )
