"""The report of a broken law: which law, for which stream, and how the results differ."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from difflib import unified_diff
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

from chatkit_reducer.events import Event, Json, Unreadable
from chatkit_reducer.testing._text import clipped, event_words, numbered, printable
from chatkit_reducer.testing.conformance.laws._canonical import (
    Events,
    State,
    canonical_json,
    event_text,
    json_text,
)

STATEMENTS: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "reduce_is_pure": (
            1,
            "`reduce` changes nothing that it was given, and equal inputs give equal outputs.",
        ),
        "unchanged_parts_keep_their_identity": (
            1,
            "Parts that an event does not change are the same objects before and after it.",
        ),
        "fold_is_reduce_one_by_one": (
            2,
            "`fold` makes the same of many events as `reduce` makes of them one by one.",
        ),
        "a_fold_may_be_cut_anywhere": (
            2,
            "`fold(a + b) == fold(b, fold(a))`, with or without a snapshot in between.",
        ),
        "snapshot_loses_nothing": (
            2,
            "`restore(snapshot(s)) == s`, and the snapshot is plain JSON data.",
        ),
        "deltas_may_be_split": (3, "Splitting text deltas changes nothing."),
        "deltas_may_be_joined": (3, "Joining text deltas changes nothing."),
        "diff_inverts_fold": (4, "`fold(diff(a, b), a)` has the items of `b`, in order."),
        "compact_keeps_the_fold": (5, "`fold(compact(log)) == fold(log)`."),
        "settle_is_total": (
            6,
            "Every item in flight is persisted, discarded or stale; stored items stay.",
        ),
        "client_and_store_converge": (
            7,
            "A client shows the items of the store, once both were settled; stale items are named.",
        ),
        "codec_loses_nothing": (8, "`decode(encode(e)) == e`."),
        "what_is_unknown_comes_back": (
            8,
            "The text of an event, known or not, is written again with the same content.",
        ),
    }
)
"""The number and the words of each law, by the name of its function."""

Violation: TypeAlias = Callable[..., "LawBroken"]
"""Makes the exception for a law and a stream, from the problem and the values to show."""


class LawBroken(AssertionError):  # noqa: N818  # a verdict, as `AssertionError` itself is not
    """A law does not hold; the message shows for which stream, and how the results differ."""

    def __init__(
        self,
        law: str,
        problem: str,
        *,
        events: Events = (),
        made: Events | None = None,
        before: Json | None = None,
        expected: tuple[str, Any] | None = None,
        actual: tuple[str, Any] | None = None,
    ) -> None:
        super().__init__(law, problem)
        self.law: str = law
        """The name of the law in `LAWS`."""
        self.problem: str = problem
        """The problem in words."""
        self.events: Events = events
        """The stream."""
        self.made: Events | None = made
        """The events that the function under test made of it, if it makes events."""
        self.before: Json | None = before
        """The thread before the stream, see `canonical_json`; None for an empty one."""
        self.expected: tuple[str, Any] | None = expected
        """The name of the expected value, and the value as plain JSON data."""
        self.actual: tuple[str, Any] | None = actual
        """The same for the value that should have been equal to it."""

    def __reduce__(self) -> tuple[Any, ...]:
        names = ("events", "made", "before", "expected", "actual")
        return partial(type(self), **{name: getattr(self, name) for name in names}), self.args

    def __str__(self) -> str:
        number, statement = STATEMENTS[self.law]
        pieces = [f"Law {number} is broken: {statement}\n{self.problem}"]
        if self.before:
            pieces.append("\n".join(["Before:", *_lines(self.before)]))
        if self.events or self.made is None:
            pieces.append(_event_list(self.events, "event"))
        if self.made is not None:
            pieces.append(_event_list(self.made, "event made", "events made"))
        if self.expected is not None and self.actual is not None:
            pieces.append(contrast(self.expected, self.actual))
        return printable("\n\n".join(pieces))


# --- events and values, as text -------------------------------------------------------------------

_MOST_LINES = 40
_CONTEXT = 6


def _event_list(events: Events, one: str, many: str = "events") -> str:
    """Write the events under a heading that counts them."""
    if not events:
        return f"No {many}."
    lines = numbered([_row(event) for event in events], _MOST_LINES)
    return "\n".join([f"{len(events)} {one if len(events) == 1 else many}:", *lines])


def _row(event: Event | Unreadable) -> tuple[str, str, str]:
    """Write the kind of an event, the id of its item, and the fields that it carries."""
    kind, item_id, item_type, carried = event_words(event)
    words = [*([] if item_type is None else [item_type]), *map(str, carried)]
    return kind, item_id or "", clipped(" ".join(", ".join(words).split()))


def contrast(expected: tuple[str, Any], actual: tuple[str, Any]) -> str:
    """Show the unified diff of two JSON values, each under its name."""
    (here, one), (there, other) = expected, actual
    lines = unified_diff(_lines(one), _lines(other), here, there, lineterm="", n=_CONTEXT)
    return "\n".join(lines) or f"{here}, {there}: both say the same, and yet are not equal."


def _lines(value: Any) -> list[str]:
    """Write JSON over several lines, with sorted keys within items: their order says nothing."""
    if isinstance(value, dict):
        value = {name: json.loads(json_text(inner)) for name, inner in value.items()}
    return json.dumps(value, indent=2, ensure_ascii=False).splitlines()


# --- checks for several laws ----------------------------------------------------------------------


def violation(law: str, events: Events, state: State | None) -> Violation:
    """Return the maker of exceptions for a law, a stream and the thread before it."""

    def broken(problem: str, **more: Any) -> LawBroken:
        before = None if state is None else canonical_json(state)
        return LawBroken(law, problem, events=events, before=before, **more)

    return broken


def check_events(events: Events, texts: list[str], broken: Violation) -> None:
    """Check that the events have not changed."""
    for number, (event, text) in enumerate(zip(events, texts, strict=True)):
        if event_text(event) != text:
            raise broken(
                f"Event {number} has changed.",
                expected=("before", text if isinstance(event, Unreadable) else json.loads(text)),
                actual=("afterwards", json.loads(event_text(event))),
            )


def check_equal(
    expected: tuple[str, State],
    actual: tuple[str, State],
    broken: Violation,
    problem: str,
    *,
    positions: bool = False,
) -> None:
    """Check that two states, each with its name, have the same content and are equal."""
    (here, one), (there, other) = expected, actual
    views = [canonical_json(state, positions=positions) for state in (one, other)]
    if json_text(views[0]) != json_text(views[1]) or one != other:
        raise broken(problem, expected=(here, views[0]), actual=(there, views[1]))
