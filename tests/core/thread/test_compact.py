"""Law 5: `fold(compact(log)) == fold(log)`, in fewer events."""

from __future__ import annotations

import json
from copy import copy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import ThreadState, compact, fold
from chatkit_reducer import events as e
from chatkit_reducer.events import Event
from chatkit_reducer.logs import read
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.conformance import laws
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    component_updated,
    done,
    message,
    removed,
    state_after,
    text_delta,
    value_delta,
    widget,
)
from tests.support.paths import ROOT

Log = list[Event | e.Unreadable]

RECORDINGS = ROOT / "docs" / "recordings"
STREAMS = st.one_of(
    chatkit.streams(),
    chatkit.streams(types=["assistant_message", "widget"], max_items=3, max_updates=12),
    chatkit.adversarial_streams(max_events=20),
)
UNREADABLE = st.builds(e.Unreadable, st.integers(0, 9), st.just(1), st.just("no"), st.just(""))


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """A stream in pieces as small as a model sends them, and damaged in places."""
    log: Log = []
    for event in draw(STREAMS):
        update = event.update if isinstance(event, e.ThreadItemUpdated) else None
        if isinstance(update, e.AssistantMessageContentPartTextDelta) and not update.extra:
            for letter in update.delta:
                log.append(text_delta(event.item_id, letter, update.content_index))  # type: ignore[union-attr]
        log.append(event)
    for where, piece in draw(st.lists(st.tuples(st.integers(0, 60), UNREADABLE), max_size=1)):
        log.insert(where % (len(log) + 1), piece)
    return log


# --- law 5 ----------------------------------------------------------------------------------------


@pytest.mark.law
@given(logs())
def test_it_folds_to_the_same(log: Log) -> None:
    laws.compact_keeps_the_fold(log)


@given(logs(), st.integers(0, 80))
def test_it_folds_to_the_same_behind_any_state(log: Log, cut: int) -> None:
    cut %= len(log) + 1
    start = fold(log[:cut])
    laws.compact_keeps_the_fold(log[cut:], start)
    assert fold(compact(log[cut:], start), start) == fold(log)


@given(logs(), STREAMS)
def test_it_folds_to_the_same_behind_another_thread(log: Log, other: list[Event]) -> None:
    laws.compact_keeps_the_fold(log, fold(other))


@given(logs())
def test_the_second_time_changes_nothing(log: Log) -> None:
    short = compact(log)
    again = compact(short)
    assert again == short
    assert all(one is other for one, other in zip(again, short, strict=True))


@given(logs())
def test_events_and_their_order_stay_but_for_deltas(log: Log) -> None:
    log = [copy(event) for event in log]  # each an object of its own, even where two are equal
    before = [str(event) for event in log]
    short = compact(iter(log))
    kept = [event for event in short if any(event is one for one in log)]
    assert [event for event in log if any(event is one for one in kept)] == kept
    for event in short:
        if not any(event is one for one in log):
            assert isinstance(event, e.ThreadItemUpdated)
            assert isinstance(
                event.update,
                e.AssistantMessageContentPartTextDelta | e.WidgetStreamingTextValueDelta,
            )
    assert [str(event) for event in log] == before


# --- what is merged -------------------------------------------------------------------------------

CARD = {
    "type": "Card",
    "children": [
        {"type": "Text", "id": "a", "value": "", "streaming": True},
        {"type": "Text", "id": "b", "value": ""},
        {"type": "Divider", "id": "c"},
    ],
}
START: Log = [added(message("m")), added(message("n")), added(widget("w", CARD))]


def merged(*events: Event | e.Unreadable) -> Log:
    log = [*START, *events]
    short = compact(log)
    assert fold(short) == fold(log)
    assert short[: len(START)] == START
    return short[len(START) :]


def test_one_text() -> None:
    assert merged(*[text_delta("m", c) for c in "Hello"]) == [text_delta("m", "Hello")]
    assert merged(*[value_delta("w", "a", c) for c in "Hello"]) == [value_delta("w", "a", "Hello")]


def test_texts_side_by_side() -> None:
    pieces = [
        piece
        for c in "xyz"
        for piece in (
            text_delta("m", c),
            value_delta("w", "a", c),
            text_delta("m", c.upper(), 1),
            text_delta("n", c),
            value_delta("w", "b", c),
        )
    ]
    assert merged(*pieces) == [
        text_delta("m", "xyz"),
        value_delta("w", "a", "xyz"),
        text_delta("m", "XYZ", 1),
        text_delta("n", "xyz"),
        value_delta("w", "b", "xyz"),
    ]


def test_the_end_of_a_text() -> None:
    last = value_delta("w", "a", "", done=True)
    assert merged(value_delta("w", "a", "x"), last, value_delta("w", "a", "y")) == [
        value_delta("w", "a", "xy", done=True)
    ]


@pytest.mark.parametrize(
    "event",
    [
        annotation_added("m", citation("1"), 0),
        component_updated("w", "b", {"type": "Text", "id": "b", "value": ""}),
        done(message("n", "x")),
        removed("n"),
        e.ProgressUpdate("x"),
        e.Notice(level="info", message="x"),
        e.UnknownEvent({"type": "new"}),
        e.ThreadItemUpdated("n", e.UnknownUpdate({"type": "new"})),
        e.Unreadable(0, 1, "no JSON", "x"),
        # Faults are counted: each of them stays.
        removed("no such item"),
        text_delta("no such item", "x"),
        text_delta("m", "x", -1),
        text_delta("w", "x"),
        value_delta("w", "c", "x"),
        # What this release does not know is said of one delta, and not of many.
        e.ThreadItemUpdated(
            "m", e.AssistantMessageContentPartTextDelta(0, "x"), extra=e.Extra({"at": 1})
        ),
        e.ThreadItemUpdated(
            "m", e.AssistantMessageContentPartTextDelta(0, "x", extra=e.Extra({"at": 1}))
        ),
        e.ThreadItemUpdated(
            "w", e.WidgetStreamingTextValueDelta("a", "x", done=False, extra=e.Extra({"at": 1}))
        ),
    ],
)
def test_no_text_is_merged_across_another_event(event: Event | e.Unreadable) -> None:
    one, other = text_delta("m", "ab"), value_delta("w", "a", "cd")
    around = [text_delta("m", "a"), value_delta("w", "a", "c"), text_delta("m", "b")]
    around.append(value_delta("w", "a", "d"))
    short = merged(*around, event, *around)
    assert short == [one, other, event, one, other]
    assert short[2] is event


def test_events_that_do_not_change_are_the_same_objects() -> None:
    log = [*START, text_delta("m", "a"), text_delta("n", "b")]
    assert all(one is other for one, other in zip(compact(log), log, strict=True))


def test_without_its_state_a_log_stays_as_it_is() -> None:
    log: Log = [text_delta("m", "a"), text_delta("m", "b")]
    assert compact(log) == log
    known = state_after(added(message("m")))
    assert compact(log, known) == [text_delta("m", "ab")]
    assert fold(compact(log), known) == fold(log, known)


# --- recordings -----------------------------------------------------------------------------------


def recording(path: Path) -> tuple[Log, ThreadState]:
    before = path.with_name(path.name.replace(".sse", ".before.json"))
    items = json.loads(before.read_text())["items"] if before.exists() else []
    return list(read(path)), ThreadState.from_items(items)


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.sse")), ids=lambda path: path.stem)
def test_every_recording(path: Path) -> None:
    log, start = recording(path)
    laws.compact_keeps_the_fold(log, start)


@pytest.mark.parametrize(
    ("name", "events", "left"),
    [
        ("two-thousand-deltas", 2007, 8),
        ("streamed-widget-without-flags", 8, 6),
        ("unusual-characters", 19, 8),
    ],
)
def test_what_a_recording_comes_to(name: str, events: int, left: int) -> None:
    log, start = recording(RECORDINGS / f"{name}.sse")
    assert len(log) == events
    assert len(compact(log, start)) == left


def test_all_recordings_together() -> None:
    both = [recording(path) for path in sorted(RECORDINGS.glob("*.sse"))]
    assert len(both) > 40
    before = sum(len(log) for log, _ in both)
    after = sum(len(compact(log, start)) for log, start in both)
    assert after < before / 4
