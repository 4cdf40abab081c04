"""The table: what becomes of an item that is in flight when its stream ends.

A policy is a table that can be read aloud. Each row says for which items it speaks, what becomes of
them, and why. The first row that matches decides.

A row looks at four things, each of which may be `*`:

* `item`: the item's type on the wire. Types that nobody knows today match `*`.
* `origin`: `new`, the store has never had it; `base`, the store has an older copy of it.
* `content`: `empty`, there was nothing to see; `partial`, people saw something; `complete`, the
  item was done, and only whether the store got it is in doubt.
* `cause`: how the stream ended. It `ended` by itself and left the item behind; it was `cancelled`
  (the stop button or a lost connection: over HTTP a server cannot tell which); it `failed`; it
  `timed_out`; it `crashed`, which somebody finds later, in a recorded log.

And it decides on one of three things:

* `persist`: write what people saw: an add where it is new, a save where there is a base.
* `discard`: drop it: what is new never reaches the store, what has a base falls back to it.
* `stale`: do neither: the stored copy stays, the folded one is handed to the application. What
  people saw and what is stored differ now, and only the application knows what to do about that.

Rules for this file:

1. What decides is in the rows, and nowhere else: no item type has a special case in the code.
2. A table that leaves a case open, or has a row that no case can reach, cannot be made.
3. It knows no store, no clock and no transport. `settlement` carries the decision out on paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import product
from typing import Literal, TypeAlias, TypeVar

import attrs

from chatkit_reducer.errors import PolicyError

__all__ = [
    "ANY",
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


class Cause(StrEnum):
    """How a stream ended."""

    ENDED = "ended"
    CANCELLED = "cancelled"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"

    @classmethod
    def _missing_(cls, value: object) -> Cause:
        raise PolicyError(f"{value!r} is none of {', '.join(cls)}")


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

    def __str__(self) -> str:
        return f"item {self.item}, {self.origin}, {self.content}, {self.cause}"


def _member(kind: type[E], value: object) -> E:
    if isinstance(value, str) and value in list(kind):
        return kind(value)
    raise PolicyError(f"{value!r} is none of {', '.join(kind)}")


def _member_or_any(kind: type[E], value: object) -> E | Literal["*"]:
    if value == ANY:
        return "*"
    if isinstance(value, str) and value in list(kind):
        return kind(value)
    raise PolicyError(f"{value!r} is none of {', '.join(['*', *kind])}")


def as_origin(value: object) -> OriginOrAny:
    """The origin that a text names. Raises PolicyError if it names none."""
    return _member_or_any(Origin, value)


def as_content(value: object) -> ContentOrAny:
    """The content that a text names. Raises PolicyError if it names none."""
    return _member_or_any(Content, value)


def as_cause(value: object) -> CauseOrAny:
    """The cause that a text names. Raises PolicyError if it names none."""
    return _member_or_any(Cause, value)


def as_decision(value: object) -> Decision:
    """The decision that a text names. Raises PolicyError if it names none."""
    return _member(Decision, value)


def _in_words(_: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise PolicyError(f"`{attribute.name}` must be a text that is not blank, not {value!r}")


def _item_type(row: object, attribute: attrs.Attribute[str], value: object) -> None:
    _in_words(row, attribute, value)
    if value == SOME_OTHER_TYPE:
        raise PolicyError(f"`item` cannot be {value!r}: write {ANY!r} for every type")


@attrs.frozen(kw_only=True)
class Row:
    """One row of a policy.

    Raises:
        PolicyError: a value is none of those there are, or the reason is blank.
    """

    item: str = attrs.field(default=ANY, validator=_item_type)
    origin: OriginOrAny = attrs.field(default="*", converter=as_origin)
    content: ContentOrAny = attrs.field(default="*", converter=as_content)
    cause: CauseOrAny = attrs.field(default="*", converter=as_cause)
    decision: Decision = attrs.field(converter=as_decision)
    reason: str = attrs.field(validator=_in_words)

    def matches(self, case: Case) -> bool:
        """Whether this row speaks for the case."""
        return (
            self.item in (ANY, case.item)
            and self.origin in (ANY, case.origin)
            and self.content in (ANY, case.content)
            and self.cause in (ANY, case.cause)
        )

    def __str__(self) -> str:
        where = f"{self.item} | {self.origin} | {self.content} | {self.cause}"
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
    """What it is for, in a sentence."""

    def __attrs_post_init__(self) -> None:
        deciding = _deciding(self.rows)
        opened = [case for case, number in deciding.items() if number is None]
        reached = set(deciding.values())
        dead = [number for number in range(len(self.rows)) if number not in reached]
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

    def row_for(self, case: Case) -> Row:
        """The row that decides; there always is one."""
        return next(row for row in self.rows if row.matches(case))

    def with_rows(self, *rows: Row, name: str | None = None, about: str = "") -> Policy:
        """This policy with more rows above its own, which therefore decide first.

        Rows of this policy that no case can reach any more are left out: that is what overriding
        means. A row among the new ones that can never match is still an error.
        """
        reached = set(_deciding((*rows, *self.rows)).values())
        kept = [row for i, row in enumerate(self.rows, len(rows)) if i in reached]
        return attrs.evolve(
            self,
            name=name or f"{self.name}, changed",
            rows=(*rows, *kept),
            about=about or self.about,
        )


def cases_of(rows: Iterable[Row]) -> Iterator[Case]:
    """All cases there are: of the item types that rows name, and of any other."""
    named = dict.fromkeys(row.item for row in rows if row.item != ANY)
    for item, origin, content, cause in product([*named, SOME_OTHER_TYPE], Origin, Content, Cause):
        yield Case(item, origin, content, cause)


def _deciding(rows: tuple[Row, ...]) -> dict[Case, int | None]:
    """For each case the number of the row that decides, from 0, or None."""
    return {
        case: next((i for i, row in enumerate(rows) if row.matches(case)), None)
        for case in cases_of(rows)
    }


def _some(cases: list[Case]) -> str:
    shown = "; ".join(str(case) for case in cases[:3])
    return shown if len(cases) <= 3 else f"{shown}; and {len(cases) - 3} more cases"
