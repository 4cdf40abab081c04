"""The table: what becomes of an item that is in flight when its stream ends.

A policy is a table that can be read aloud. Each row says for which items it speaks, what becomes of
them, and why. The first row that matches decides.

A row looks at five things, each of which may be `*`:

* `item`: the item's type on the wire. Types of the future match `*`.
* `id`: the item's id, or its beginning and `*`. So an application names items that are not meant to
  stay, such as `elapsed_*`; most tables have no use for it.
* `origin`: `new`, the store has never had it; `base`, the store has an older copy of it.
* `content`: `empty`, there was nothing to see; `partial`, people saw something; `complete`, the
  item was done, and only whether the store got it is in doubt.
* `cause`: how the stream ended. It `ended` by itself and left the item behind; it was `cancelled`
  (the stop button or a lost connection: over HTTP a server cannot tell which); it `failed`; it
  `timed_out`; its process `crashed`, which is found later, in a recorded log.

And it decides on one of three things:

* `persist`: write the item as people saw it: an add if it is new, a save if it has a base.
* `discard`: drop it: a new item never reaches the store, an item with a base falls back to it.
* `stale`: do neither: the stored copy stays, the folded one is handed to the application. What
  people saw and the store has differ now, and only the application knows what to do about that.

Rules for this file:

1. The rows decide, and nothing else does: no item type has a special case in the code.
2. A table that leaves a case open, or has a row that no case can reach, cannot be made.
3. It knows no store, no clock and no transport. `settle` makes writes and events of the decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import cache, cached_property
from itertools import product
from typing import Literal, TypeAlias, TypeVar

import attrs

from chatkit_reducer.core.described import described, drawn
from chatkit_reducer.core.errors import PolicyError
from chatkit_reducer.core.policy.index import RowIndex, matches_id

__all__ = [
    "ANY",
    "SOME_OTHER_ID",
    "SOME_OTHER_TYPE",
    "Case",
    "Cause",
    "CauseOrAny",
    "Content",
    "ContentOrAny",
    "Decision",
    "Marker",
    "Origin",
    "OriginOrAny",
    "Policy",
    "Row",
    "as_cause",
    "as_content",
    "as_decision",
    "as_origin",
    "cases_of",
]

ANY = "*"
"""Matches everything."""

SOME_OTHER_TYPE = "(any other type)"
"""Stands for the item types that no row names."""

SOME_OTHER_ID = "(any other id)"
"""Stands for the other ids that begin alike."""


class Cause(StrEnum):
    """How a stream ended."""

    ENDED = "ended"
    CANCELLED = "cancelled"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"

    @classmethod
    def _missing_(cls, value: object) -> Cause:
        raise PolicyError(f"expected one of {', '.join(cls)}, got {value!r}")


class Decision(StrEnum):
    """What becomes of an item."""

    PERSIST = "persist"
    DISCARD = "discard"
    STALE = "stale"


class Origin(StrEnum):
    """Whether the store has an older copy of an item."""

    NEW = "new"
    BASE = "base"


class Content(StrEnum):
    """How much of an item there was to see."""

    EMPTY = "empty"
    PARTIAL = "partial"
    COMPLETE = "complete"


OriginOrAny: TypeAlias = Origin | Literal["*"]
ContentOrAny: TypeAlias = Content | Literal["*"]
CauseOrAny: TypeAlias = Cause | Literal["*"]

E = TypeVar("E", bound=StrEnum)


@attrs.frozen
class Case:
    """One item at the end of a stream, as far as a table looks at it."""

    item: str
    origin: Origin
    content: Content
    cause: Cause
    id: str = ANY
    """The id of the item; `*` stands for the ids that no row names."""

    def __str__(self) -> str:
        named = "" if self.id == ANY else f", id {self.id}"
        return f"item {self.item}{named}, {self.origin}, {self.content}, {self.cause}"


def _member(kind: type[E], value: object) -> E:
    if isinstance(value, str) and value in list(kind):
        return kind(value)
    raise PolicyError(f"expected one of {', '.join(kind)}, got {value!r}")


def _member_or_any(kind: type[E], value: object) -> E | Literal["*"]:
    if value == ANY:
        return "*"
    if isinstance(value, str) and value in list(kind):
        return kind(value)
    raise PolicyError(f"expected one of {', '.join(['*', *kind])}, got {value!r}")


def as_origin(value: object) -> OriginOrAny:
    """Return the origin that a text names. Raises PolicyError if it names none."""
    return _member_or_any(Origin, value)


def as_content(value: object) -> ContentOrAny:
    """Return the content that a text names. Raises PolicyError if it names none."""
    return _member_or_any(Content, value)


def as_cause(value: object) -> CauseOrAny:
    """Return the cause that a text names. Raises PolicyError if it names none."""
    return _member_or_any(Cause, value)


def as_decision(value: object) -> Decision:
    """Return the decision that a text names. Raises PolicyError if it names none."""
    return _member(Decision, value)


def _in_words(_: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise PolicyError(f"`{attribute.name}` must be a text that is not blank, not {value!r}")


def _item_type(row: object, attribute: attrs.Attribute[str], value: object) -> None:
    _in_words(row, attribute, value)
    if value == SOME_OTHER_TYPE:
        raise PolicyError(f"`item` cannot be {value!r}: write {ANY!r} for every type")


def _item_id(row: object, attribute: attrs.Attribute[str], value: str) -> None:
    _in_words(row, attribute, value)
    if ANY in value[:-1]:
        raise PolicyError(
            f"`id` may have {ANY!r} at its end alone, and is {value!r}: write an id, or the "
            f"beginning of some and {ANY!r}"
        )


@attrs.frozen(kw_only=True)
class Row:
    """One row of a policy.

    Raises:
        PolicyError: a value is none of those there are, or the reason is blank.
    """

    item: str = attrs.field(default=ANY, validator=_item_type)
    id: str = attrs.field(default=ANY, validator=_item_id)
    origin: OriginOrAny = attrs.field(default="*", converter=as_origin)
    content: ContentOrAny = attrs.field(default="*", converter=as_content)
    cause: CauseOrAny = attrs.field(default="*", converter=as_cause)
    decision: Decision = attrs.field(converter=as_decision)
    reason: str = attrs.field(validator=_in_words)

    def matches(self, case: Case) -> bool:
        """Whether this row speaks for the case."""
        return (
            self.item in (ANY, case.item)
            and matches_id(self.id, case.id)
            and self.origin in (ANY, case.origin)
            and self.content in (ANY, case.content)
            and self.cause in (ANY, case.cause)
        )

    def __str__(self) -> str:
        item = self.item if self.id == ANY else f"{self.item} | {self.id}"
        where = f"{item} | {self.origin} | {self.content} | {self.cause}"
        return f"{where} -> {self.decision}: {self.reason}"


def _causes(values: Iterable[str]) -> frozenset[Cause]:
    return frozenset(_member(Cause, value) for value in values)


def _tuple(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(rows)


def _are_rows(_: object, __: attrs.Attribute[tuple[Row, ...]], rows: Iterable[object]) -> None:
    strangers = [row for row in rows if not isinstance(row, Row)]
    if strangers:
        raise PolicyError(f"`rows` must be values of class Row, and {strangers[0]!r} is none")


def _hidden_type(_: object, __: attrs.Attribute[str], value: str) -> None:
    if value not in ("sdk_hidden_context", "hidden_context_item"):
        raise PolicyError(
            f"a marker is an item of type sdk_hidden_context or hidden_context_item, not {value!r}"
        )


@attrs.frozen(kw_only=True)
class Marker:
    """A hidden item that tells the model, at its next turn, how the last one ended.

    `content` is its text. Without one the application makes the content, of any JSON, when it
    settles; the item is a `hidden_context_item` then, which may hold such.
    """

    content: str | None = None
    causes: frozenset[Cause] = attrs.field(default=frozenset({Cause.CANCELLED}), converter=_causes)
    """The ends that it is written for."""
    item: str = attrs.field(default="sdk_hidden_context", validator=_hidden_type)
    """The type of the item."""

    def __attrs_post_init__(self) -> None:
        if self.content is not None and not isinstance(self.content, str):
            raise PolicyError(
                f"`content` of a marker must be a text, not {self.content!r}: leave it out, and "
                "give the content when you settle"
            )
        if self.content is None and self.item == "sdk_hidden_context":
            raise PolicyError(
                "an sdk_hidden_context holds text: give the marker a `content`, or make its `item` "
                "a hidden_context_item, whose content is given when you settle"
            )


@attrs.frozen(kw_only=True)
class Policy:
    """A whole table: frozen, ordered, total.

    >>> from chatkit_reducer import policies
    >>> stricter = policies.KEEP.with_rows(
    ...     Row(item="widget", origin="new", decision="discard", reason="a half form is no use"),
    ...     name="no half forms",
    ... )
    >>> str(stricter.rows[0])
    'widget | new | * | * -> discard: a half form is no use'

    Raises:
        PolicyError: a case is left open, or a row can never match; the message names it.
    """

    name: str = attrs.field(validator=_in_words)
    rows: tuple[Row, ...] = attrs.field(converter=_tuple, validator=_are_rows)
    marker: Marker | None = None
    about: str = ""
    """Its purpose, in a sentence."""

    @cached_property
    def _index(self) -> RowIndex:
        return _index_of(self.rows)

    def __attrs_post_init__(self) -> None:
        cases = [] if self._index.covered == _EVERYTHING else cases_of(self.rows, ids=False)
        opened = [case for case in cases if self._number(case) is None]
        dead = self._index.dead
        faults = []
        if opened:
            faults.append(f"no row decides for {_some(opened)}: add a row that does")
        if dead:
            rows = "; ".join(f"row {number + 1} ({self.rows[number]})" for number in dead)
            faults.append(
                f"rows above it match first, so this can never match: {rows}; move it up, or leave "
                "it out"
            )
        if faults:
            raise PolicyError(f"policy {self.name!r}: {'; and '.join(faults)}")

    def __repr__(self) -> str:
        return described(
            self,
            lambda: {
                "name": self.name,
                "rows": len(self.rows),
                "marker": None if self.marker is None else self.marker.item,
                "about": self.about or None,
            },
        )

    def _repr_html_(self) -> str | None:
        return drawn(self)

    def row_for(self, case: Case) -> Row:
        """Return the row that decides; there always is one."""
        number = self._number(case)
        assert number is not None  # a table is total
        return self.rows[number]

    def _number(self, case: Case) -> int | None:
        return self._index.first(case.item, case.id, _BITS[case.origin, case.content, case.cause])

    @cached_property
    def names_ids(self) -> bool:
        """Whether any row looks at the id of an item; only then a `Case` has it."""
        return any(row.id != ANY for row in self.rows)

    def with_rows(self, *rows: Row, name: str | None = None, about: str = "") -> Policy:
        """Return this policy with more rows above its own, which therefore decide first.

        Rows of this policy that no case can reach any more are left out: that is what overriding
        means. A row among the new ones that can never match is still an error.

        Args:
            rows: the new rows.
            name: its name; that of this policy, with ", changed", if left out.
            about: a sentence about it; one that names this policy if left out.
        """
        dead = set(_index_of((*rows, *self.rows)).dead)
        kept = [row for i, row in enumerate(self.rows, len(rows)) if i not in dead]
        return attrs.evolve(
            self,
            name=name or f"{self.name}, changed",
            rows=(*rows, *kept),
            about=about or (f"As {self.name}, but for its first rows." if rows else self.about),
        )


def cases_of(rows: Iterable[Row], *, ids: bool = True) -> Iterator[Case]:
    """All cases there are: of the item types that rows name, and of any other.

    Args:
        rows: the rows of one table or of several.
        ids: also those of the ids that rows name, next to any other.
    """
    rows = tuple(rows)
    named = dict.fromkeys(row.item for row in rows if row.item != ANY)
    for item in [*named, SOME_OTHER_TYPE]:
        for item_id in _ids_of(rows, item) if ids else [ANY]:
            for rest in product(Origin, Content, Cause):
                yield Case(item, *rest, item_id)


def _ids_of(rows: tuple[Row, ...], item: str) -> Iterable[str]:
    """Return an id for each pattern that a row for this type names, and any other."""
    patterns = [row.id for row in rows if row.item in (ANY, item) and row.id != ANY]
    some = [f"{one[:-1]}{SOME_OTHER_ID}" if one.endswith(ANY) else one for one in patterns]
    return dict.fromkeys([*some, ANY])


def _index_of(rows: tuple[Row, ...]) -> RowIndex:
    return RowIndex([(row.item, row.id, _mask_of(row)) for row in rows])


_BITS = {case: 1 << number for number, case in enumerate(product(Origin, Content, Cause))}


_EVERYTHING = sum(_BITS.values())


@cache
def _mask(origin: OriginOrAny, content: ContentOrAny, cause: CauseOrAny) -> int:
    """Return a bit for each combination that a row speaks for."""
    wanted = (origin, content, cause)
    return sum(
        bit
        for case, bit in _BITS.items()
        if all(want in (ANY, value) for want, value in zip(wanted, case, strict=True))
    )


def _mask_of(row: Row) -> int:
    return _mask(row.origin, row.content, row.cause)


def _some(cases: list[Case]) -> str:
    shown = "; ".join(str(case) for case in cases[:3])
    return shown if len(cases) <= 3 else f"{shown}; and {len(cases) - 3} more cases"
