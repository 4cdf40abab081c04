"""The store of an application, in the place of the one in memory, under `cancel_everywhere`."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from chatkit.store import Store
from chatkit.types import ThreadMetadata

from chatkit_reducer.core.codec import from_json, to_json
from chatkit_reducer.events import Event, Json
from chatkit_reducer.integrations.openai_chatkit import item_from_sdk, item_to_sdk
from chatkit_reducer.testing.cancellation import EARLIER_ITEMS

_THREAD_ID = "thr_1"
_ID_FIELDS = ("id", "item_id", "thread_id")
_NAMESPACE = uuid.UUID(int=0)


class OwnStore:
    """A store, with a thread in it, whose ids are the same in each exchange.

    An exchange has to be the same each time, and most stores make their ids at random: so they are
    counted instead. A store that makes UUIDs gets UUIDs, for all items.
    """

    def __init__(self, store: Store[Any], context: Any) -> None:
        self.store = store
        self._context = context
        self.writes: None = None
        """The writes are not counted: an add that comes again may be an upsert."""
        self._is_filled = False
        self._counts: Counter[str] = Counter()
        time = datetime(2025, 1, 1)  # noqa: DTZ001  # without a zone, as the SDK makes it
        self._thread = ThreadMetadata(id=_THREAD_ID, created_at=time)
        self._makes_uuids = _is_uuid(store.generate_item_id("message", self._thread, context))
        self._thread.id = self.thread_id = self.new_id(_THREAD_ID)
        vars(store)["generate_item_id"] = self._generate_item_id
        # So a request that creates a thread creates the one whose items are looked at.
        vars(store)["generate_thread_id"] = lambda context: self.thread_id

    def new_id(self, name: str) -> str:
        """Make the id that stands for a name in this store."""
        return str(uuid.uuid5(_NAMESPACE, name)) if self._makes_uuids else name

    def _generate_item_id(self, item_type: Any, thread: Any, context: Any) -> str:
        self._counts[item_type] += 1
        return self.new_id(f"{item_type}_{self._counts[item_type]}")

    def events(self, events: Iterable[Event]) -> tuple[Event, ...]:
        """Return the same events with ids that this store takes."""
        events = tuple(events)
        if not self._makes_uuids:
            return events
        return tuple(from_json(self._with_ids(to_json(event))) for event in events)

    def _with_ids(self, plain: Json) -> Json:
        """Change the ids of items, and leave those of parts, tasks and images as they are."""
        item = plain.get("item")
        changed: Json = {name: self.new_id(plain[name]) for name in _ID_FIELDS if name in plain}
        if isinstance(item, dict):
            changed["item"] = self._with_ids(item)
        return {**plain, **changed}

    async def items(self) -> list[Json]:
        """Read all items of the thread. The first time, fill it."""
        if not self._is_filled:
            self._is_filled = True
            await self._fill()
        found: list[Json] = []
        after: str | None = None
        while True:
            page = await self.store.load_thread_items(
                self.thread_id, after, 100, "asc", self._context
            )
            found += [item_from_sdk(item) for item in page.data]
            after = page.after
            if not page.has_more or after is None:
                return found

    async def _fill(self) -> None:
        await self.store.save_thread(self._thread, context=self._context)
        there = await self.store.load_thread_items(self.thread_id, None, 1, "asc", self._context)
        if there.data:
            raise ValueError(
                f"thread {self.thread_id} has items already: each exchange needs a store of its "
                "own that is empty, such as one over a new file, or over tables that are emptied"
            )
        for item in EARLIER_ITEMS:
            await self.store.add_thread_item(
                self.thread_id, item_to_sdk(self._earlier(item)), context=self._context
            )

    def _earlier(self, item: Mapping[str, Any]) -> Json:
        return self._with_ids({**item})


def _is_uuid(made: Any) -> bool:
    try:
        uuid.UUID(str(made))
    except ValueError:
        return False
    return True
