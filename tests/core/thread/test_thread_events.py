"""The events that are about the whole thread: docs/semantics.md, "The thread and the stream"."""

from __future__ import annotations

import pytest

from chatkit_reducer import ThreadState, fold, reduce
from chatkit_reducer.core.items import HIDDEN_TYPES
from chatkit_reducer.core.thread.contents import Progress
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.events import (
    ClientEffect,
    ErrorEvent,
    Event,
    Json,
    Notice,
    ProgressUpdate,
    StreamOptions,
    ThreadCreated,
    ThreadUpdated,
)
from chatkit_reducer.testing.examples import (
    added,
    done,
    image,
    image_updated,
    item,
    message,
    part,
    part_added,
    removed,
    replaced,
    state_after,
    text_delta,
    user_message,
    value_delta,
    widget,
)


def thread(*items: Json, **fields: object) -> Json:
    """A thread as the SDK sends it, with a page of items."""
    page = {"data": list(items), "has_more": False, "after": None}
    return {"id": "thr_1", "status": {"type": "active"}, **fields, "items": page}


# --- thread.created and thread.updated ------------------------------------------------------------


def test_thread_created_brings_the_metadata() -> None:
    state = state_after(ThreadCreated(thread(title="Hello")))

    assert state.thread == {"id": "thr_1", "status": {"type": "active"}, "title": "Hello"}
    assert len(state.items) == 0


def test_the_items_that_thread_created_brings_are_stored_ones() -> None:
    items = [user_message("u", "hi"), message("m", "hello")]

    state = state_after(ThreadCreated(thread(*items)))

    assert [item.to_json() for item in state.items.values()] == items
    assert [state.phase(item_id) for item_id in state.items] == [Phase.STORED, Phase.STORED]
    assert state.pending == ()


def test_an_item_of_thread_created_stores_anew_what_is_there() -> None:
    state = state_after(
        added(message("m", "half")),
        ThreadCreated(thread(message("m", "whole"))),
        stored=[message("kept", "")],
    )

    assert list(state.items) == ["kept", "m"]
    assert state.items["m"].to_json() == message("m", "whole")
    assert state.pending == ()


@pytest.mark.parametrize("page", [{}, {"data": None}, {"data": 3}, None, 3, []])
def test_a_page_of_items_that_is_none_brings_no_items(page: object) -> None:
    state = state_after(ThreadCreated({"id": "thr_1", "items": page}))

    assert len(state.items) == 0
    assert state.thread == {"id": "thr_1"}


def test_thread_updated_replaces_the_metadata_as_a_whole() -> None:
    state = state_after(
        ThreadCreated({"id": "thr_1", "title": "old", "metadata": {"a": 1}}),
        ThreadUpdated({"id": "thr_1", "title": "new", "new_field": 1}),
    )

    assert state.thread == {"id": "thr_1", "title": "new", "new_field": 1}


def test_thread_updated_does_not_empty_the_thread() -> None:
    """The page of items in it is always empty: 1.6.5, `ChatKitServer._to_thread_response`."""
    state = state_after(
        added(message("new", "half")),
        text_delta("over", "!"),
        ThreadUpdated(thread(title="renamed")),
        stored=[user_message("u", "hi"), message("over", "old")],
    )

    assert list(state.items) == ["u", "over", "new"]
    assert state.pending == ("over", "new")
    assert state.bases["over"].to_json() == message("over", "old")


def test_thread_updated_brings_no_items_whatever_is_in_it() -> None:
    state = state_after(ThreadUpdated(thread(message("m", "x"))))

    assert len(state.items) == 0


def test_thread_updated_in_the_middle_of_a_text_loses_nothing_of_it() -> None:
    state = state_after(
        added(message("m", "")),
        text_delta("m", "a"),
        ThreadUpdated(thread(title="renamed")),
        text_delta("m", "b"),
    )

    assert state.items["m"].to_json() == message("m", "ab")


# --- hidden items ---------------------------------------------------------------------------------


def test_hidden_items_are_the_two_that_the_sdk_hides() -> None:
    assert {"hidden_context_item", "sdk_hidden_context"} == HIDDEN_TYPES


@pytest.mark.parametrize("hidden", ["hidden_context_item", "sdk_hidden_context"])
def test_hidden_items_are_items_of_the_thread_like_any_other(hidden: str) -> None:
    context = item("h", hidden, content="The user is in Oslo.")

    state = state_after(done(context), stored=[message("m", "")])

    assert list(state.items) == ["m", "h"]
    assert state.items["h"].to_json() == context
    assert state.items["h"].type in HIDDEN_TYPES


# --- progress -------------------------------------------------------------------------------------


def test_progress_update_is_kept_beside_the_items() -> None:
    state = state_after(ProgressUpdate("Searching", "search"))

    assert state.progress == Progress(text="Searching", icon="search")
    assert len(state.items) == 0


def test_only_the_newest_progress_update_counts() -> None:
    state = state_after(ProgressUpdate("Searching", "search"), ProgressUpdate("Reading"))

    assert state.progress == Progress(text="Reading")


ITEM_EVENTS: dict[str, Event] = {
    "added": added(message("new", "")),
    "updated": text_delta("m", "x"),
    "updated with nothing": text_delta("m", ""),
    "done": done(message("m", "x")),
    "done as it was": done(message("m", "")),
    "replaced": replaced(message("m", "x")),
    "removed": removed("m"),
    "widget updated": value_delta("w", "t", "x"),
    "image updated": image_updated("i", "u"),
}


@pytest.mark.parametrize("event", ITEM_EVENTS.values(), ids=ITEM_EVENTS)
@pytest.mark.parametrize("streaming", [False, True])
def test_progress_is_gone_with_the_next_item_event(event: Event, streaming: bool) -> None:
    before: list[Event] = [text_delta("m", "a"), value_delta("w", "t", "a")] if streaming else []
    text = {"type": "Text", "id": "t", "value": ""}

    state = state_after(
        *before,
        ProgressUpdate("Searching"),
        event,
        stored=[message("m", ""), widget("w", text), image("i")],
    )

    assert state.progress is None


def test_progress_stays_through_events_that_are_no_item_events() -> None:
    state = state_after(
        ProgressUpdate("Searching"),
        ThreadUpdated({"id": "thr_1"}),
        StreamOptions({"allow_cancel": True}),
        Notice("info", "Nearly there"),
        ClientEffect("beep"),
        ErrorEvent("custom", "Oh no"),
    )

    assert state.progress == Progress(text="Searching")


def test_progress_stays_through_an_item_event_that_is_an_anomaly() -> None:
    """Such an event changes nothing."""
    state = state_after(ProgressUpdate("Searching"), text_delta("nobody", "x"), removed("nobody"))

    assert state.progress == Progress(text="Searching")


def test_progress_is_gone_with_a_value_delta_behind_one_that_was_an_anomaly() -> None:
    text = {"type": "Text", "id": "t", "value": ""}

    state = state_after(
        added(widget("w", text)),
        value_delta("w", "t", "x"),
        ProgressUpdate("Searching"),
        value_delta("w", "nobody", "x"),
        value_delta("w", "t", "y"),
    )

    assert state.progress is None


def test_progress_is_gone_with_a_value_delta_behind_one_for_an_item_that_is_not_there() -> None:
    text = {"type": "Text", "id": "t", "value": ""}

    state = state_after(
        added(widget("w", text)),
        value_delta("w", "t", "x"),
        ProgressUpdate("Searching"),
        value_delta("nobody", "t", "x"),
        value_delta("w", "t", "y"),
    )

    assert state.progress is None


def test_the_two_kinds_of_progress_replace_each_other() -> None:
    first, second = ProgressUpdate("Drawing"), image_updated("i", "u", 0.5)
    stored = [image("i")]

    assert state_after(first, second, stored=stored).progress == Progress(item_id="i", fraction=0.5)
    assert state_after(second, first, stored=stored).progress == Progress(text="Drawing")


# --- what changes no item -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event", [ClientEffect("beep", {"times": 3}), Notice("info", "Hello", "A title")]
)
@pytest.mark.parametrize("state", [ThreadState(), fold([added(message("m", "x"))])])
def test_client_effect_and_notice_change_nothing(state: ThreadState, event: Event) -> None:
    assert reduce(state, event) is state
    assert fold([event, event], state) is state


def test_error_marks_the_stream_as_failed() -> None:
    state = state_after(added(message("m", "half")), ErrorEvent("custom", "Oh no", True))

    assert state.error == ErrorEvent("custom", "Oh no", True)
    assert state.pending == ("m",)
    assert state.items["m"].to_json() == message("m", "half")
    assert state.anomalies == ()


def test_without_an_error_the_stream_has_not_failed() -> None:
    assert state_after(added(message("m", "half"))).error is None


def test_the_newest_error_counts() -> None:
    state = state_after(ErrorEvent("custom", "first"), ErrorEvent("stream.error"))

    assert state.error == ErrorEvent("stream.error")


def test_what_follows_an_error_is_folded() -> None:
    """1.6.5 itself sends `thread.updated` behind an error (`ChatKitServer._process_events`)."""
    state = state_after(
        ErrorEvent("custom"), added(message("m", "")), part_added("m", part("still here"))
    )

    assert state.items["m"].to_json() == message("m", "still here")
    assert state.error == ErrorEvent("custom")


def test_the_newest_stream_options_count() -> None:
    state = state_after(
        StreamOptions({"allow_cancel": True}), StreamOptions({"allow_cancel": False, "new": 1})
    )

    assert state.stream_options == {"allow_cancel": False, "new": 1}
    assert state_after().stream_options is None


def test_options_that_python_takes_for_equal_are_others() -> None:
    one, other = StreamOptions({"allow_cancel": True}), StreamOptions({"allow_cancel": 1})

    assert str(state_after(one, other).stream_options) == "{'allow_cancel': 1}"
