"""What a broken law has to say: which law, for which stream, and how the results differ."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from difflib import unified_diff
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

from chatkit_reducer import codec
from chatkit_reducer.events import (
    Event,
    Json,
    ThreadCreated,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemReplaced,
    ThreadItemUpdated,
    ThreadUpdated,
    Unreadable,
    wire_type,
)
from chatkit_reducer.testing.laws._paper import (
    Events,
    State,
    event_text,
    json_text,
    on_paper,
)

__all__ = ["STATEMENTS", "Breach", "LawBroken", "breach", "check_equal", "check_events", "contrast"]

STATEMENTS: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "reduce_is_pure": (
            1,
            "`reduce` changes nothing that it was given, and equal inputs give equal outputs.",
        ),
        "unchanged_parts_keep_their_identity": (
            1,
            "What an event does not change is the same object before and after it.",
        ),
        "fold_is_reduce_one_by_one": (
            2,
            "`fold` makes of many events what `reduce` makes of them one by one.",
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
            "Every item in flight is persisted, discarded or stale; what was stored stays.",
        ),
        "client_and_store_converge": (
            7,
            "A client shows what the store holds, once both were settled; what is stale is named.",
        ),
        "codec_loses_nothing": (8, "`decode(encode(e)) == e`."),
        "what_is_unknown_comes_back": (
            8,
            "What a text says of an event, known or not, is what is written again.",
        ),
    }
)
"""The number and the words of each law, by the name of its function."""

Breach: TypeAlias = Callable[..., "LawBroken"]
"""Makes the exception for a law and a stream: of the problem, and what else there is to show."""


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
        """What went wrong, in words."""
        self.events: Events = events
        """The stream."""
        self.made: Events | None = made
        """The events that the function under test made of it, where it makes events."""
        self.before: Json | None = before
        """The thread before the stream, see `on_paper`; None for an empty one."""
        self.expected: tuple[str, Any] | None = expected
        """Where it comes from, and what it says as plain JSON data."""
        self.actual: tuple[str, Any] | None = actual
        """The same of what should have been equal to it."""

    def __reduce__(self) -> tuple[Any, ...]:
        names = ("events", "made", "before", "expected", "actual")
        return partial(type(self), **{name: getattr(self, name) for name in names}), self.args

    def __str__(self) -> str:
        number, statement = STATEMENTS[self.law]
        pieces = [f"Law {number} is broken: {statement}\n{self.problem}"]
        if self.before:
            pieces.append("\n".join(["Before:", *_lines(self.before)]))
        if self.events or self.made is None:
            pieces.append(_listed(self.events, "event"))
        if self.made is not None:
            pieces.append(_listed(self.made, "event made", "events made"))
        if self.expected is not None and self.actual is not None:
            pieces.append(contrast(self.expected, self.actual))
        text = "\n\n".join(pieces)
        return text.encode("utf-8", "backslashreplace").decode()  # half of a surrogate pair


# --- events and values, for the eye ---------------------------------------------------------------

_MOST_LINES = 40
_MOST_CARRIED = 60
_CONTEXT = 6


def _listed(events: Events, one: str, many: str = "events") -> str:
    """The events, one short line each; of very many the first and the last ones."""
    if not events:
        return f"No {many}."
    rows = [(str(number), *_row(event)) for number, event in enumerate(events)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_aligned(row, widths) for row in rows]
    if len(lines) > _MOST_LINES:
        half = _MOST_LINES // 2
        lines = [*lines[:half], f"  ({len(lines) - 2 * half} more)", *lines[-half:]]
    return "\n".join([f"{len(events)} {one if len(events) == 1 else many}:", *lines])


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    number, *cells = row
    padded = [cell.ljust(width) for cell, width in zip(cells, widths[1:], strict=True)]
    return f"  {number.rjust(widths[0])}  {'  '.join(padded)}".rstrip()


def _row(event: Event | Unreadable) -> tuple[str, str, str]:
    """The type, the id of the item, and what else the event carries."""
    if isinstance(event, Unreadable):
        return wire_type(event), "", _clipped(f"{event.reason} {event.excerpt}")
    fields = {name: value for name, value in codec.to_json(event).items() if name != "type"}
    kind, item_id, words = wire_type(event), str(fields.pop("item_id", "")), list[str]()
    if isinstance(event, ThreadItemUpdated):
        kind = wire_type(event.update)
        words = _words(fields.pop("update"), leave_out=("type",))
    elif isinstance(event, ThreadItemAdded | ThreadItemDone | ThreadItemReplaced):
        item = fields.pop("item")
        item_id = str(item.get("id", ""))
        words = [str(item.get("type", "of no type"))]
        words += _words(item, leave_out=_OF_EVERY_ITEM)
    elif isinstance(event, ThreadCreated | ThreadUpdated):
        thread = fields.pop("thread")
        words = [*_brought(thread), *_words(thread, leave_out=("items", "created_at"))]
    return kind, item_id, _clipped(", ".join([*words, *_words(fields)]))


_OF_EVERY_ITEM = ("id", "type", "thread_id", "created_at")


def _brought(thread: Json) -> list[str]:
    """The items that come with a thread: what they are is seen in the state."""
    page = thread.get("items")
    listed = page.get("data") if isinstance(page, dict) else None
    items = listed if isinstance(listed, list) else []
    ids = [item.get("id") if isinstance(item, dict) else item for item in items]
    return [f"with {', '.join(map(str, ids))}"] if ids else []


def _words(fields: Json, leave_out: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{name} {json.dumps(value, ensure_ascii=False)}"
        for name, value in fields.items()
        if name not in leave_out
    ]


def _clipped(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= _MOST_CARRIED else f"{line[: _MOST_CARRIED - 4]} ..."


def contrast(expected: tuple[str, Any], actual: tuple[str, Any]) -> str:
    """The unified diff of two JSON values, each with where it comes from."""
    (here, one), (there, other) = expected, actual
    lines = unified_diff(_lines(one), _lines(other), here, there, lineterm="", n=_CONTEXT)
    return "\n".join(lines) or f"{here}, {there}: both say the same, and yet are not equal."


def _lines(value: Any) -> list[str]:
    """JSON over several lines. Within items the order of keys says nothing, so it is one order."""
    if isinstance(value, dict):
        value = {name: json.loads(json_text(inner)) for name, inner in value.items()}
    return json.dumps(value, indent=2, ensure_ascii=False).splitlines()


# --- what several laws ask ------------------------------------------------------------------------


def breach(law: str, events: Events, state: State | None) -> Breach:
    """What makes the exception for a law, a stream and the thread before it."""

    def broken(problem: str, **more: Any) -> LawBroken:
        before = None if state is None else on_paper(state)
        return LawBroken(law, problem, events=events, before=before, **more)

    return broken


def check_events(events: Events, texts: list[str], broken: Breach) -> None:
    """That the events still say what they said."""
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
    broken: Breach,
    problem: str,
    *,
    positions: bool = False,
) -> None:
    """That two states, each with where it comes from, say the same and are equal."""
    (here, one), (there, other) = expected, actual
    papers = [on_paper(state, positions=positions) for state in (one, other)]
    if json_text(papers[0]) != json_text(papers[1]) or one != other:
        raise broken(problem, expected=(here, papers[0]), actual=(there, papers[1]))
