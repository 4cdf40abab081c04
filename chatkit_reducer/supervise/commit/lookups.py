"""Ask the store for items; it may take too long, fail, or return something else than an item.

In each of these cases the item is *unknown*, which is not the same as absent.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextvars import Context
from typing import Any, TypeAlias

import anyio
import msgspec
from msgspec import UnsetType

from chatkit_reducer.events import Json
from chatkit_reducer.supervise.shield import run_shielded
from chatkit_reducer.supervise.tasks import event_loop

__all__ = ["Load", "Lookup", "look_up", "look_up_all"]

Load: TypeAlias = Callable[[str], Awaitable[Mapping[str, Any] | UnsetType | None]]
"""Item id to the store's copy as plain ChatKit JSON, or None if it has none.

`msgspec.UNSET` means that the store does not say whether it has the item. An exception means the
same, and is logged.
"""

logger: logging.Logger = logging.getLogger("chatkit_reducer.supervise")


class Lookup:
    """The look-up of one item, whose wait can be ended from elsewhere.

    Args:
        load: the store.
        item_id: the item.
    """

    def __init__(self, load: Load, item_id: str) -> None:
        self._load = load
        self._item_id = item_id
        self._over = anyio.Event()
        self._end: Callable[[], object] | None = None
        self.is_open: bool = True
        """Whether the store has neither answered nor failed."""
        self.is_known: bool = False
        """Whether the store has answered."""
        self.item: Json | None = None
        """The store's copy, once it has answered; None if it has none."""

    def begin(self, context: Context) -> None:
        """Ask the store, in a task of its own. One that ignores its end is left behind."""
        self._over = anyio.Event()
        over = self._over
        try:
            self._end = event_loop().spawn(
                self._run, context, "chatkit_reducer look-up", ended=over.set
            )
        except RuntimeError:  # Trio is about to end
            self.give_up()

    async def wait(self) -> None:
        """Wait for the answer, or until `give_up`, or until the task was cancelled directly."""
        try:
            await self._over.wait()
        finally:
            if self._end is not None:
                self._end()

    def give_up(self) -> None:
        """Wait no longer."""
        self.is_open = False
        self._over.set()

    def note_slow(self) -> None:
        """Log that the store did not answer in time."""
        if self.is_open:
            logger.error(
                "Item %s: loading it took too long, and the stored copy is unknown.", self._item_id
            )

    async def _run(self) -> None:
        try:
            found = await self._load(self._item_id)
            if not isinstance(found, UnsetType):
                self.item = None if found is None else _copy_plain(found)
                self.is_known = True
            self.is_open = False
        except Exception:
            self.is_open = False
            logger.exception(
                "Item %s: loading it failed, and the stored copy is unknown.", self._item_id
            )


def _copy_plain(found: Mapping[str, Any]) -> Json:
    """Return a copy, of plain JSON."""
    if not isinstance(found, Mapping):
        raise TypeError(
            f"`load` must return the JSON of an item as a mapping, or None, got "
            f"{type(found).__name__}: convert it first"
        )
    plain: Json = msgspec.json.decode(msgspec.json.encode(dict(found)))
    return plain


async def look_up(lookup: Lookup, seconds: float | None, context: Context) -> None:
    """Ask for one item, for so long; an error of the store is logged, not raised."""
    lookup.begin(context)
    with anyio.move_on_after(seconds):
        await lookup.wait()
    lookup.note_slow()


async def look_up_all(
    load: Load, ids: Collection[str], seconds: float | None, context: Context
) -> tuple[dict[str, Json | None], bool]:
    """Ask for several items at once, for so long in all, in spite of any cancellation.

    Returns:
        The copies that are known, by id; and whether a cancellation was kept out meanwhile.
    """
    lookups = {item_id: Lookup(load, item_id) for item_id in ids}

    async def ask() -> None:
        for _ in range(_MOST_TIMES):  # `asyncio.run` cancels all tasks when it ends
            asked = [lookup for lookup in lookups.values() if lookup.is_open]
            for lookup in asked:
                lookup.begin(context)
            for lookup in asked:
                await lookup.wait()

    if not lookups:
        return {}, False
    outcome = await run_shielded(ask, seconds, context=context)
    for lookup in lookups.values():
        lookup.note_slow()
    known = {item_id: lookup.item for item_id, lookup in lookups.items() if lookup.is_known}
    return known, outcome.cancelled


_MOST_TIMES = 10
"""How often a look-up is begun that is cancelled from elsewhere."""
