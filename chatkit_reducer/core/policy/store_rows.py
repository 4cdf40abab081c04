"""The copies in the store at the settlement, and the rows that stand above every policy.

A policy decides by what the stream says. The store may say otherwise: an application wrote while
the stream ran, or deleted; it stored an item itself; a write arrived although its answer was lost,
or was refused. Then one of the rows below decides, under every policy, so that a settlement never
overwrites a copy that it did not know of, never revives a deleted item, and adds nothing twice.

`judge` finds the row, if one applies, and the copy that the item falls back to. Rules for this
file:

1. It looks at the item, its copies and nothing else: no cause, no policy, no clock.
2. The answer of the store counts more than earlier knowledge, which counts if there is no answer.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs
from msgspec import UnsetType

from chatkit_reducer.core.items import ItemState
from chatkit_reducer.core.json_values import equal_ignoring_nulls
from chatkit_reducer.core.policy.table import Content, Decision, Origin, Row
from chatkit_reducer.events import Json

__all__ = [
    "CHANGED",
    "GONE",
    "NO_NEWS",
    "OTHER_COPY",
    "REFUSED",
    "STORED_ALREADY",
    "STORE_ROWS",
    "Held",
    "InFlight",
    "Judgement",
    "judge",
]

Held: TypeAlias = ItemState | UnsetType | None
"""The copy in the store: an item, None for none, or unset if the store was not asked."""

GONE = Row(
    origin=Origin.BASE,
    decision=Decision.DISCARD,
    reason="The stored copy was deleted while the stream ran: gone means gone.",
)
CHANGED = Row(
    origin=Origin.BASE,
    decision=Decision.STALE,
    reason="The stored copy was changed while the stream ran, so it stays.",
)
NO_NEWS = Row(
    origin=Origin.BASE,
    decision=Decision.DISCARD,
    reason="The stored copy shows all of it: a text that is a prefix of its base is not news.",
)
STORED_ALREADY = Row(
    decision=Decision.PERSIST,
    reason="The store has all of it already, so nothing has to be written.",
)
OTHER_COPY = Row(
    origin=Origin.NEW,
    decision=Decision.STALE,
    reason="The item is new, and the store has another with its id, which stays.",
)
REFUSED = Row(
    decision=Decision.STALE,
    reason="The store refused to write it: what is stored stays.",
)

STORE_ROWS: tuple[Row, ...] = (GONE, STORED_ALREADY, REFUSED, NO_NEWS, CHANGED, OTHER_COPY)
"""The rows that stand above every policy; docs/policy.md has them as a table."""


@attrs.frozen(kw_only=True)
class InFlight:
    """One item at the end of a stream, with the copies that are known of it."""

    item: ItemState
    """The item as people saw it last."""
    content: Content
    base: ItemState | None
    """The copy that it is pending over; a write of that one may be in doubt."""
    delivered: ItemState | None
    """The copy that the store was known to have before the last event."""
    came_again: bool
    """Whether the stream has removed that copy since, and begun the item anew."""
    was_refused: bool

    @property
    def is_complete(self) -> bool:
        """Whether the stream brought it whole, so that only the write is in doubt."""
        return self.content is Content.COMPLETE

    @property
    def sealed(self) -> ItemState:
        """The item as it is written, if it is."""
        return self.item if self.is_complete else self.item.sealed()


@attrs.frozen(kw_only=True)
class Judgement:
    """The row that decides, if it is not one of the policy, and the copies that count."""

    origin: Origin
    row: Row | None = None
    base: ItemState | None = None
    """The copy that it falls back to."""
    stored: ItemState | None = None
    """The copy in the store."""
    final: ItemState
    """The item as the store has it in the end, if it is persisted."""


def judge(one: InFlight, held: Held) -> Judgement:
    """Judge an item by its copies, before the policy is asked."""
    if isinstance(held, UnsetType):
        return _over(one, base=one.base or one.delivered, stored=one.delivered)
    if held is None:
        if one.delivered is None or one.came_again:
            return _in_doubt(one, base=one.base, stored=None)
        return Judgement(origin=Origin.BASE, row=GONE, final=one.sealed)
    return _judge_copy(one, held)


def _judge_copy(one: InFlight, held: ItemState) -> Judgement:
    """Decide where the store has a copy: the one that was known, the item itself, or another."""
    origin = Origin.NEW if one.delivered is None and one.base is None else Origin.BASE
    if one.is_complete and _same(held, one.item):
        return _stored_already(origin, held)
    if one.base is not None and _same(held, one.base):
        return _over(one, base=held, stored=held)
    if one.delivered is not None and _same(held, one.delivered):
        return _over(one, base=one.base or held, stored=held)
    if one.delivered is None or one.came_again:
        return _judge_new(one, held, origin)
    row = NO_NEWS if _is_no_news(one, held) else CHANGED
    return Judgement(origin=origin, row=row, base=held, stored=held, final=one.sealed)


def _judge_new(one: InFlight, held: ItemState, origin: Origin) -> Judgement:
    """Decide where the item is new to this stream, and the store has a copy all the same."""
    final = one.sealed
    if held.extends(final):
        return _stored_already(origin, held)
    row = REFUSED if one.was_refused else None if final.extends(held) else OTHER_COPY
    return Judgement(origin=origin, row=row, base=held, stored=held, final=final)


def _over(one: InFlight, *, base: ItemState | None, stored: ItemState | None) -> Judgement:
    """Judge an item of which the store has the known copy, or was not asked."""
    if not one.was_refused:
        return _in_doubt(one, base=base, stored=stored)
    origin = Origin.NEW if stored is None else Origin.BASE
    return Judgement(origin=origin, row=REFUSED, base=stored, stored=stored, final=one.sealed)


def _in_doubt(one: InFlight, *, base: ItemState | None, stored: ItemState | None) -> Judgement:
    """Leave an item to the policy, unless it shows less than the copy that it falls back to.

    One that the store refused is among them where the store has nothing of it: it may have failed
    for a moment only, and there is no copy that has to stay.
    """
    origin = Origin.NEW if base is None else Origin.BASE
    row = NO_NEWS if base is not None and _is_no_news(one, base) else None
    return Judgement(origin=origin, row=row, base=base, stored=stored, final=one.sealed)


def _stored_already(origin: Origin, held: ItemState) -> Judgement:
    return Judgement(origin=origin, row=STORED_ALREADY, base=held, stored=held, final=held)


def _is_no_news(one: InFlight, base: ItemState) -> bool:
    return not one.is_complete and one.sealed.adds_nothing_to(base)


def _same(one: ItemState, other: ItemState) -> bool:
    """Whether two copies are the same item; a store may normalise nulls, and the time."""
    return one is other or equal_ignoring_nulls(_timeless(one), _timeless(other))


def _timeless(item: ItemState) -> Json:
    return {name: value for name, value in item.json_view().items() if name != "created_at"}
