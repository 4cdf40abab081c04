"""Runs of events: their positions, their length, and sources that fail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatkit_reducer import ThreadState, fold, reduce
from chatkit_reducer.core.fold.folder import Folder
from chatkit_reducer.events import Event, ProgressUpdate, StreamOptions, Unreadable
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    component_updated,
    done,
    message,
    removed,
    state_after,
    task,
    task_added,
    task_updated,
    text_delta,
    value_delta,
    widget,
    workflow,
)
from tests.support.widgets import TEXT, card

EVERY_KIND: list[Event | Unreadable] = [
    added(message("m", "")),
    added(message("n", "")),
    text_delta("m", "a"),
    text_delta("m", "b"),
    ProgressUpdate("busy"),
    text_delta("m", "c"),
    text_delta("n", "d"),
    StreamOptions({"allow_cancel": True}),
    removed("m"),
    done(message("n", "e")),
    done(message("n", "f")),
    added(workflow("f", "one")),
    task_added("f", task("two"), 1),
    task_updated("f", task("three"), 0),
    added(widget("w", card(TEXT))),
    component_updated("w", "t", {**TEXT, "value": "b"}),
    value_delta("w", "t", "c"),
]


def test_every_event_that_changes_something_is_counted() -> None:
    state = ThreadState()
    for position, event in enumerate(EVERY_KIND, 1):
        state = reduce(state, event)
        assert state.position == position
        assert fold(EVERY_KIND[:position]).position == position


def test_citations_are_counted_once_where_texts_alternate() -> None:
    cited: list[Event] = [annotation_added("m", citation("A"), 0, index) for index in (0, 1)]
    more = [text_delta("m", "a", index) for index in (0, 1)]
    events: list[Event] = [
        added(message("m", "", "")),
        more[0],
        cited[0],
        more[1],
        cited[1],
        more[0],
        more[1],
    ]

    assert fold(events).position == len(events)


def test_text_for_another_item_is_not_taken_by_the_one_that_streams() -> None:
    events: list[Event] = [added(message(name, "")) for name in "mn"]
    events += [text_delta(name, name, 0) for name in "mmnnmn"]

    assert [item.to_json() for item in fold(events).items.values()] == [
        message("m", "mmm"),
        message("n", "nnn"),
    ]


def test_what_could_not_be_read_is_not_counted() -> None:
    begun = state_after(added(message("m", "")))
    not_a_log = Unreadable(0, 1, "no JSON", "{")

    assert reduce(begun, not_a_log).position == begun.position == 1
    assert fold([not_a_log, text_delta("m", "a"), not_a_log], begun).position == 2


def test_the_position_may_be_given() -> None:
    begun = reduce(state_after(added(message("m", ""))), text_delta("m", "a"))

    assert reduce(begun, text_delta("m", "b"), position=40).position == 41
    assert fold([text_delta("m", "b"), text_delta("m", "c")], begun, position=40).position == 42
    assert fold([removed("x")], begun, position=40).anomalies[0].position == 40
    assert reduce(begun, removed("x"), position=40).anomalies[0].position == 40


def test_events_that_stand_apart_keep_their_positions() -> None:
    folding, unreadable = Folder(ThreadState()), Unreadable(0, 1, "no JSON", "{")

    folding.feed_at([removed("x"), added(message("m")), removed("x")], [3, 5, 7])
    assert folding.position == folding.state().position == 8
    folding.feed_at([removed("x"), unreadable], [9, 12])
    assert folding.position == folding.state().position == 12
    folding.feed([removed("x")])

    assert [one.position for one in folding.state().anomalies] == [3, 7, 9, 12, 12]


def test_text_may_come_as_its_pieces() -> None:
    folding = Folder(state_after(added(message("m", "a"))))
    folding.feed_text("m", 0, ["b", "c"])

    assert folding.state() == state_after(added(message("m", "abc")))
    assert folding.state().position == 3


def test_a_folding_says_how_long_the_newest_run_was() -> None:
    folding = Folder(ThreadState())
    lengths = [folding.run_length]
    for events in (
        [added(message("m", ""))],
        [text_delta("m", "a"), text_delta("m", "b")],
        [removed("x")],
    ):
        folding.feed(events)
        lengths.append(folding.run_length)

    assert lengths == [0, 0, 2, 0]


@pytest.mark.parametrize("error", [AttributeError, StopAsyncIteration, KeyError])
@pytest.mark.parametrize("delta", [text_delta("x", "a"), value_delta("x", "t", "a")])
def test_a_source_that_fails_in_a_run_is_heard(delta: Event, error: type[Exception]) -> None:
    def source() -> Iterator[Event]:
        root = {"type": "Text", "id": "t", "value": ""}
        yield added(message("x")) if delta == text_delta("x", "a") else added(widget("x", root))
        yield delta
        yield delta
        raise error("the connection is gone")

    with pytest.raises(error, match="the connection is gone"):
        fold(source())
