"""Cases that streams made at random may seldom hit, and the form of the data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from chatkit_reducer import Cause, ThreadState, policies
from chatkit_reducer import events as e
from chatkit_reducer.analysis import check
from chatkit_reducer.core.codec import from_json
from chatkit_reducer.logs import Record
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    component_updated,
    done,
    item,
    message,
    part,
    part_done,
    removed,
    root_updated,
    task_added,
    task_updated,
    text_delta,
    updated,
    user_message,
    value_delta,
    widget,
    workflow,
)
from chatkit_reducer.view.reading import Reader
from chatkit_reducer.view.recording import Recording, json_text
from tests.support.page_data import check_page

SDK = list(Cause).index(Cause.CANCELLED)
CALL = item("call", "client_tool_call", name="f", arguments={}, call_id="c", status="pending")


def block_of(
    events: Sequence[Any], stored: ThreadState | None = None, **options: Any
) -> dict[str, Any]:
    recording = Recording(stored, [policies.SDK], **options)
    for event in events:
        recording.take(event)
    (block,) = recording.data("log")["threads"]
    check_page(events, list(policies.PRESETS.values()), stored)
    return json.loads(json_text(block))  # type: ignore[no-any-return]


def markers(block: dict[str, Any]) -> list[bool]:
    reader = Reader(block)
    return [reader.leaves_marker(0, SDK, step) for step in range(block["n"] + 1)]


# --- faults of a first draft ----------------------------------------------------------------------


def test_a_stored_call_holds_the_marker_back_at_step_0() -> None:
    block = block_of([added(message("m", ""))], ThreadState.from_items([CALL]))
    assert markers(block)[0] is False


def test_a_call_that_is_removed_holds_no_marker_back() -> None:
    block = block_of([done(CALL), removed("call")])
    assert markers(block) == [True, False, True]


def test_a_call_with_its_output_holds_no_marker_back() -> None:
    block = block_of([done(CALL), done({**CALL, "status": "completed", "output": 1})])
    assert markers(block) == [True, False, True]


def test_a_call_with_its_output_may_fall_back_to_the_one_without() -> None:
    stored = ThreadState.from_items([CALL, message("m", "Once")])
    block = block_of([added({**CALL, "status": "completed", "output": 1}), removed("m")], stored)
    assert markers(block) == [True, True, False]


def test_a_message_behind_a_call_changes_the_marker_once_it_says_something() -> None:
    events = [added(message("m", "")), *[text_delta("m", piece) for piece in (" ", " ", "x", "y")]]
    block = block_of(events, ThreadState.from_items([CALL]))
    assert markers(block) == [False, False, False, False, True, True]


def test_a_delta_ends_the_progress() -> None:
    deltas = [text_delta("m", piece) for piece in "abcdef"]
    progress = e.ProgressUpdate(text="Working")
    block = block_of([added(message("m", "")), *deltas[:3], progress, *deltas[3:]])
    assert [(step, stage["progress"]) for step, stage in block["stage"]] == [
        (0, None),
        (5, {"text": "Working", "icon": None}),
        (6, None),
    ]


def test_a_text_inside_of_other_text_is_not_a_track() -> None:
    def odd(value: str) -> e.Json:
        return {"type": "Poll", "id": "p", "value": value}

    events = [
        added(widget("w", odd(""))),
        value_delta("w", "p", "a"),
        component_updated("w", "p", odd("ab")),
    ]
    block = block_of(events)
    assert block["tracks"] == []
    assert len(block["items"][0]["v"]) == 3


def test_growth_is_measured_against_the_track_and_not_the_last_drawing() -> None:
    deltas = [text_delta("m", piece) for piece in ("Once", " upon", " a", " time")]
    events = [added(message("m", "")), *deltas, part_done("m", part("Once upon a time, long"))]
    block = block_of(events)
    (track,) = block["tracks"]
    assert track == {"t": "Once upon a time, long", "s": [[2, 5]], "m": [4, 5, 2, 5, 6]}
    assert block["events"][1][:2] == [2, 4]


def test_a_citation_stands_in_code_points_and_beyond_the_text_so_far() -> None:
    cite = {"type": "annotation", "source": {"type": "url", "url": "http://x"}, "index": 40}
    events = [
        added(message("m", "")),
        text_delta("m", "\U0001f600 x"),
        annotation_added("m", cite, 0),
    ]
    block = block_of(events)
    version = block["items"][0]["v"][-1]
    tree = Reader(block).tree(version[2], 3)
    assert tree[2][2] == ["md", "\U0001f600 x", [[40, 1]]]
    assert block["tracks"][0]["m"] == [4]


def test_an_event_that_looks_like_a_reference() -> None:
    lookalikes = {"a": {"+": 0}, "b": {"=": 0}, "c": [{"'": {"+": 0}}], "d": {"+": 0, "=": 1}}
    event = from_json({"type": "odd", **lookalikes})
    block = block_of([added(message("m", "")), text_delta("m", "x"), event])
    assert Reader(block).raw(3) == {"type": "odd", **lookalikes}


# --- texts ----------------------------------------------------------------------------------------


def test_halves_of_characters() -> None:
    events = [
        added(message("m", "")),
        text_delta("m", "a"),
        text_delta("m", "b\ud83d"),
        text_delta("m", "\ude00c"),
        text_delta("m", "d"),
        text_delta("m", "e\ud83d"),
        text_delta("m", "f"),
    ]
    block_of(events)


def test_a_run_goes_on_after_the_data_were_asked_for() -> None:
    events: list[e.Event] = [added(message("m", "")), *[text_delta("m", "x")] * 3000]
    recording = Recording()
    for number, event in enumerate(events):
        recording.take(event)
        if number in (3, 4, 500):
            recording.data("log")
    (block,) = recording.data("log")["threads"]
    assert block["tracks"] == [{"t": "x" * 3000, "s": [[2, 3000]], "m": [1] * 3000}]
    assert [run[:2] for run in block["events"]] == [[1, 1], [2, 3000]]


def test_a_thought_that_is_sent_whole_each_time_is_one_track() -> None:
    def thought(text: str) -> e.Json:
        return {"type": "thought", "title": "T", "content": text, "status_indicator": "loading"}

    text = "I think that " * 50
    steps = [task_updated("w", thought(text[:end]), 0) for end in range(1, len(text))]
    block = block_of([added(workflow("w")), task_added("w", thought(""), 0), *steps])
    assert len(block["items"][0]["v"]) <= 3
    assert len(json_text(block["raws"])) < 6000


def test_a_message_that_comes_again_over_its_stored_copy() -> None:
    stored = ThreadState.from_items([message("m", "Once upon a time")])
    deltas = [text_delta("m", piece) for piece in ("Once", " upon", " a", " mouse", ".")]
    block = block_of([added(message("m", "")), *deltas], stored)
    cases = [block["cases"][version[6]][4] for version in block["items"][0]["v"] if version[6] >= 0]
    assert cases[-2:] == [1, 0]
    assert Reader(block).row(0, block["items"][0]["v"][-2], SDK) == -1


def test_a_message_that_begins_again_over_its_stored_copy() -> None:
    stored = ThreadState.from_items([message("m", "Once")])
    block = block_of([added(message("m", text)) for text in ("On", "X", "Onc")], stored)
    versions = block["items"][0]["v"][1:]
    assert [block["cases"][version[6]][4] for version in versions] == [1, 0, 1]


def test_an_update_that_does_not_fit_an_item_over_its_stored_copy() -> None:
    nothing: Any = None
    odd = e.AssistantMessageContentPartTextDelta(0, nothing)
    stored = ThreadState.from_items([message("m", "Once")])
    block = block_of([added(message("m", "On")), updated("m", odd)], stored)
    assert [one["kind"] for one in block["findings"]][:2] == ["item_already_present", "unreadable"]


def test_citations_of_later_parts_are_counted_on() -> None:
    parts = [part("a"), part("b", citation("x", at=1))]
    events = [
        added(item("m", "assistant_message", content=parts)),
        annotation_added("m", citation("y", at=1), 0, 0),
        annotation_added("m", citation("z", at=1), 1, 0),
    ]
    block = block_of(events)
    tree = Reader(block).tree(block["items"][0]["v"][-1][2], 3)
    assert [node[2][2] for node in tree[2:4]] == [[[1, 1], [1, 2]], [[1, 3]]]


def test_a_citation_that_moves_in_its_text_is_marked_at_its_new_place() -> None:
    ends = [part_done("m", part("a text", citation("x", at=at))) for at in (1, 3)]
    block = block_of([added(message("m", "a text")), *ends])
    trees = [Reader(block).tree(version[2], 3) for version in block["items"][0]["v"]]
    assert [tree[2][2][2:] for tree in trees] == [[], [[[1, 1]]], [[[3, 1]]]]


def test_an_event_that_begins_a_track_has_no_copy_of_its_text() -> None:
    def thought(text: str) -> e.Json:
        return {"type": "thought", "content": text, "status_indicator": "loading"}

    begun = [added(workflow("w")), task_added("w", thought("word " * 9), 0)]
    block = block_of([*begun, task_updated("w", thought("word " * 10), 0)])
    assert block["raws"][-1]["update"]["task"]["content"] == {"=": 0}


def test_a_component_that_is_drawn_as_before_makes_no_version_and_no_track() -> None:
    def text(key: str) -> e.Json:
        return {"type": "Text", "id": "t", "value": "a text", "key": key}

    block = block_of([added(widget("w", text("1"))), component_updated("w", "t", text("2"))])
    assert len(block["items"][0]["v"]) == 1
    assert block["tracks"] == []


def test_a_text_of_an_item_that_is_stored_is_on_no_track() -> None:
    block = block_of([done(message("m", "")), done(message("k", "Hi")), done(message("k", "Hi!"))])
    assert block["tracks"] == []


def test_a_text_below_all_levels_that_are_drawn_counts() -> None:
    deep: e.Json = {"type": "Text", "id": "t", "value": "a"}
    for _ in range(60):
        deep = {"type": "Box", "children": [deep]}
    block = block_of([added(widget("w", deep)), *[value_delta("w", "t", "bc")] * 3])
    assert [version[7][0] for version in block["items"][0]["v"]] == [1, 3, 5, 7]


def test_a_component_that_goes_and_comes_again() -> None:
    first, text = {"type": "Text", "value": "a"}, {"type": "Text", "id": "t", "value": ""}

    def card(*children: e.Json) -> e.Json:
        return {"type": "Card", "children": list(children)}

    events = [
        added(widget("w", card(first, text))),
        root_updated("w", card(first)),
        root_updated("w", card(first, text)),
        value_delta("w", "t", "x"),
        value_delta("w", "t", "y"),
    ]
    assert block_of(events)["tracks"][-1]["t"] == "xy"


def test_a_task_that_goes_and_comes_again() -> None:
    def loading(text: str) -> e.Json:
        return {"type": "custom", "content": text, "status_indicator": "loading"}

    def flow(*tasks: e.Json) -> e.Json:
        return item("w", "workflow", workflow={"type": "custom", "tasks": list(tasks)})

    first, second = loading("a"), loading("")
    events = [
        added(flow(first, second)),
        added(flow(second)),
        added(flow(first, second)),
        task_updated("w", loading("x"), 1),
    ]
    assert block_of(events)["tracks"][-1]["t"] == "x"


def test_an_item_that_comes_again_is_another_entry() -> None:
    other = done(user_message("m", "Hello"))
    block = block_of([done(message("m", "x")), removed("m"), done(message("m", "y")), other])
    assert [entry["type"] for entry in block["items"]] == [
        "assistant_message",
        "assistant_message",
        "user_message",
    ]
    assert [run[3] for run in block["events"]] == [0, 0, 1, 2]


# --- what is not events ---------------------------------------------------------------------------


def test_pieces_that_cannot_be_read_are_findings_and_no_steps() -> None:
    bad = e.Unreadable(10, 2, "expected JSON", "{")
    events: list[e.Event | e.Unreadable] = [
        added(message("m", "")),
        bad,
        text_delta("m", "x"),
        text_delta("nobody", "x"),
    ]
    block = block_of(events)
    assert block["n"] == 3
    assert [(one["kind"], one["step"], one["line"]) for one in block["findings"]] == [
        ("unreadable", 1, 2),
        ("item_not_found", 3, None),
        ("left_pending", 3, None),
    ]
    wanted = [finding.to_json() for finding in check(events).findings]
    found = [{**one, "thread": wanted[0]["thread"]} for one in block["findings"]]
    assert [{**one, "step": None} for one in found] == [{**one, "step": None} for one in wanted]


def test_findings_of_one_of_several_threads_stand_at_its_own_steps() -> None:
    recording = Recording()
    routed: list[tuple[str, e.Event]] = [
        ("a", added(message("m", ""))),
        ("b", added(message("k", ""))),
        ("a", text_delta("m", "x")),
        ("b", text_delta("nobody", "x")),
        ("a", done(message("m", "x"))),
    ]
    for thread, event in routed:
        recording.take_record(Record(event, thread))
    first, second = recording.data("log")["threads"]
    assert (first["thread"], first["positions"]) == ("a", [[1, 1], [3, 1], [5, 1]])
    assert (second["thread"], second["positions"]) == ("b", [[2, 1], [4, 1]])
    assert [one["step"] for one in second["findings"]] == [2, 2]
    assert [one["position"] for one in second["findings"]] == [4, 5]


def test_a_log_without_events() -> None:
    (block,) = Recording().data("log")["threads"]
    assert (block["n"], block["items"], block["positions"], block["times"]) == (0, [], [], None)


def test_times() -> None:
    recording = Recording()
    for number in range(3):
        recording.take(text_delta("m", "x"), 1.5 * number)
    assert recording.data("log")["threads"][0]["times"] == [0, 1.5, 3]


@pytest.mark.parametrize("levels", [50, 400])
def test_events_that_are_nested_deeply(levels: int) -> None:
    deep: Any = 0
    for _ in range(levels):
        deep = [deep]
    block = block_of([from_json({"type": "odd", "deep": deep})])
    assert isinstance(block["raws"][0], str) == (levels > 100)


def test_events_and_items_that_only_code_can_make() -> None:
    deep: Any = {"type": "Text", "id": "t", "value": ""}
    for _ in range(5_000):
        deep = {"type": "Card", "children": [deep]}
    events: list[e.Event] = [
        added(item("a", "odd", value=float("nan"), other={1, 2})),
        added(widget("w", deep)),
        value_delta("w", "t", "x"),
        updated("w", e.UnknownUpdate({"type": "odd", "value": float("inf")})),
    ]
    recording = Recording()
    for event in events:
        recording.take(event)
    text = json_text(recording.data("log"))
    assert json.loads(text)["threads"][0]["n"] == 4


def test_nothing_of_a_log_ends_the_script_that_holds_the_data() -> None:
    text = json_text(block_of([done(user_message("m", "</script><!--\u2028\u2029 \ud83d"))]))
    assert "<" not in text
    assert "\u2028" not in text
    assert "\u2029" not in text


def test_large_images_are_there_only_if_asked_for() -> None:
    url = f"data:image/png;base64,{'A' * 300_000}"
    event = done(item("i", "generated_image", image={"id": "1", "url": url}))

    def sizes(*, images: bool) -> int:
        recording = Recording(images=images)
        recording.take(event)
        return len(json_text(recording.data("log")["threads"][0]["trees"]))

    assert sizes(images=False) < 2_000
    assert sizes(images=True) > 300_000
