"""What a small wrong change to the core would break, and no other test would notice at once.

Each test here began as a change to the code that no test minded: see docs/testing.md.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import attrs
import pytest

from chatkit_reducer import (
    Cause,
    FaultKind,
    ThreadState,
    decode,
    diff,
    encode,
    fold,
    policies,
    reduce,
    settle,
)
from chatkit_reducer.book import Book, Draft
from chatkit_reducer.codec import to_json
from chatkit_reducer.errors import DecodeError, PolicyError, SnapshotError
from chatkit_reducer.events import (
    Event,
    Json,
    ProgressUpdate,
    StreamOptions,
    ThreadCreated,
    ThreadItemUpdated,
    UnknownUpdate,
    Unreadable,
    WidgetComponentUpdated,
    WidgetRootUpdated,
)
from chatkit_reducer.folding import Folding
from chatkit_reducer.items import (
    AssistantMessage,
    GeneratedImage,
    OtherItem,
    Widget,
    Workflow,
    parse_item,
)
from chatkit_reducer.items.assistant_message import Part
from chatkit_reducer.items.base import Seen
from chatkit_reducer.items.widget_updates import updates_between
from chatkit_reducer.lifecycle import Phase
from chatkit_reducer.persistent import EMPTY_LIST
from chatkit_reducer.policy import SOME_OTHER_TYPE, Marker, Origin, Policy, Row, cases_of
from chatkit_reducer.settlement import Write
from chatkit_reducer.snapshot import restore, snapshot
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    component_updated,
    done,
    image,
    image_updated,
    item,
    message,
    part,
    part_added,
    part_done,
    removed,
    replaced,
    root_updated,
    state_after,
    task,
    task_added,
    task_updated,
    text_delta,
    user_message,
    value_delta,
    widget,
    workflow,
)

TEXT = {"type": "Text", "id": "t", "value": "a"}
MISSHAPEN = item("m", "assistant_message", content="text")


def card(*children: Any, **fields: Any) -> Json:
    return {"type": "Card", "children": list(children), **fields}


def in_doubles(*events: Event, stored: Json | None = None) -> ThreadState:
    """The state, after a look at what `state_after` does not compare.

    That is the count of events, and a fold that takes them in pieces.
    """
    before = ThreadState.from_items([] if stored is None else [stored])
    one_by_one, folding = before, Folding(before)
    for event in events:
        one_by_one = reduce(one_by_one, event)
        folding.take([event])
    assert folding.state() == one_by_one
    assert folding.state().position == fold(events, before).position == one_by_one.position
    return state_after(*events, stored=[] if stored is None else [stored])


# --- what is said of a fault ----------------------------------------------------------------------

BEGUN = (
    added(message("m", "a")),
    added(widget("w", card(TEXT, {"type": "Image", "id": "i"}))),
    added(workflow("f", "one")),
)

NO_CONTENT = "the content is not that of an item of type 'assistant_message'"

SAID: list[tuple[Event | Unreadable, str]] = [
    (text_delta("x", "a"), "the thread has no such item; nothing changed"),
    (removed("x"), "the thread has no such item; nothing changed"),
    (
        added(message("m")),
        "the item is added, and it is pending already; it was started again from this event",
    ),
    (
        done({"type": "assistant_message"}),
        "the item has no `id`, or one that is no string; nothing changed",
    ),
    (
        done(MISSHAPEN),
        f"{NO_CONTENT}; the item was kept as it came, and takes no updates",
    ),
    (
        task_added("m", task("t"), 0),
        "WorkflowTaskAdded is not for an item of type 'assistant_message'; nothing changed",
    ),
    (text_delta("m", "a", -1), "content_index -1 is negative; nothing changed"),
    (
        annotation_added("m", citation("A"), -1),
        "annotation_index -1 is negative; nothing changed",
    ),
    (
        text_delta("m", "a", 1026),
        "content_index 1026 is too far past the end of 1 parts; nothing changed",
    ),
    (value_delta("w", "x", "a"), "the widget has no component 'x'; nothing changed"),
    (component_updated("w", "x", TEXT), "the widget has no component 'x'; nothing changed"),
    (value_delta("w", "i", "a"), "component 'i' has no text `value` to append to; nothing changed"),
    (task_added("f", task("t"), -1), "task_index -1 is negative; nothing changed"),
    (
        task_added("f", task("t"), 3),
        "task_index 3 is past the end of 1 tasks; the task was appended",
    ),
    (task_updated("f", task("t"), -1), "task_index -1 is negative; nothing changed"),
    (
        task_updated("f", task("t"), 1),
        "task_index 1 is past the end of 1 tasks; nothing changed",
    ),
    (
        ThreadCreated({"id": "thr_1", "items": {"data": [None]}}),
        "an item of the thread is no JSON object; it was left out",
    ),
    (Unreadable(0, 1, "no JSON", "{"), "no JSON: {; it was skipped"),
    (Unreadable(0, 1, "no JSON", ""), "no JSON; it was skipped"),
]


def test_an_item_that_is_added_a_second_time_just_so_is_a_fault_too() -> None:
    state = state_after(added(message("m")), added(message("m")))

    assert [one.kind for one in state.anomalies] == [FaultKind.ITEM_ALREADY_PRESENT]


@pytest.mark.parametrize(("event", "words"), SAID, ids=[words[:40] for _, words in SAID])
def test_a_fault_says_what_was_wrong_and_what_was_done(
    event: Event | Unreadable, words: str
) -> None:
    (anomaly,) = state_after(*BEGUN, event).anomalies

    assert f"{anomaly.problem}; {anomaly.instead}" == words


def test_an_item_added_over_its_stored_copy_is_a_fault_that_says_so() -> None:
    (anomaly,) = state_after(added(message("m")), stored=[message("m")]).anomalies

    assert f"{anomaly.problem}; {anomaly.instead}" == (
        "the item is added, and it is stored already; it is pending again, over its stored copy"
    )


def test_a_part_without_text_says_so() -> None:
    picture = part_added("m", {"type": "new.picture"})

    (anomaly,) = state_after(added(message("m", "")), picture, text_delta("m", "a")).anomalies

    assert anomaly.problem == "the part at content_index 0 has no text"


# --- what is the same object afterwards -----------------------------------------------------------

SAME: list[tuple[Json, Event]] = [
    (message("x", "a", "b"), text_delta("x", "", 1)),
    (message("x", "a", "b"), part_added("x", part("b"), 1)),
    (message("x", "a", "b"), part_done("x", part("b"), 1)),
    (workflow("x", "one"), task_updated("x", task("one"), 0)),
    (workflow("x", "one"), task_added("x", task("one"), 0)),
    (widget("x", card(TEXT)), value_delta("x", "t", "")),
    (widget("x", card(TEXT)), value_delta("x", "t", "", done=True)),
    (widget("x", card(TEXT)), component_updated("x", "t", {**TEXT})),
    (widget("x", card(card(TEXT, id="c"))), component_updated("x", "c", card(TEXT, id="c"))),
    (widget("x", card(TEXT)), root_updated("x", card(TEXT))),
    (image("x", "u"), image_updated("x", "u")),
]


@pytest.mark.parametrize(("json", "event"), SAME)
def test_an_update_that_changes_nothing_makes_no_new_item(json: Json, event: Event) -> None:
    before = state_after(added(json))

    assert reduce(before, event) is before
    assert fold([event, event], before).items["x"] is before.items["x"]


@pytest.mark.parametrize(
    "event", [value_delta("w", "t", ""), component_updated("w", "t", {**TEXT, "value": "ab"})]
)
def test_an_update_that_changes_nothing_of_a_text_that_streamed_makes_no_new_item(
    event: Event,
) -> None:
    before = state_after(added(widget("w", card(TEXT))), value_delta("w", "t", "b"))

    assert reduce(before, event) is before
    assert fold([event, event], before).items["w"] is before.items["w"]


def test_the_parts_that_did_not_change_are_the_same_objects() -> None:
    before = state_after(added(message("m", "", "b")), text_delta("m", "a"))
    after = fold([text_delta("m", "a"), text_delta("m", "b")], before)
    first, second = before.items["m"], after.items["m"]

    assert isinstance(first, AssistantMessage)
    assert isinstance(second, AssistantMessage)
    assert second.parts[1] is first.parts[1]


def test_text_is_appended_where_it_is() -> None:
    one = Part.parse(part("a")).longer("b")
    two = one.longer("c")

    assert one.text is not None
    assert two.text is not None
    assert two.text.cells is one.text.cells
    assert len(two.text) == 3


def test_a_delta_is_appended_to_the_text_of_the_state_before() -> None:
    one = reduce(state_after(added(message("m", ""))), text_delta("m", "a"))
    two = reduce(one, text_delta("m", "b"))
    three = reduce(two, text_delta("m", "c"))

    assert one._cells is two._cells is three._cells
    assert one._cells[-3:] == ["a", "b", "c"]


# --- equality -------------------------------------------------------------------------------------


def test_what_is_asked_whether_it_is_equal_to_a_stranger_lets_the_stranger_say() -> None:
    state = state_after(added(message("m", "a")))

    assert state == ANY
    assert state.items["m"] == ANY
    assert Part.parse(part("a")) == ANY


def test_items_of_two_kinds_are_not_equal_whatever_they_say() -> None:
    json = message("m", "a")

    assert OtherItem(json) != AssistantMessage(json)


# --- how much there is to see ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("json", "seen"),
    [
        (message("x", "ab", "c"), Seen(characters=3)),
        (item("x", "assistant_message", content=[{"type": "new"}, part("ab")]), Seen(characters=2)),
        (workflow("x", "one", "two"), Seen(tasks=2)),
        (image("x"), Seen()),
        (image("x", "u"), Seen(images=1)),
        (item("x", "task", task=task("t")), Seen(tasks=1)),
        (user_message("x", "a"), Seen()),
        (widget("x", card(TEXT, {"type": "Text", "value": 5})), Seen(characters=1, widgets=1)),
        (widget("x", card(TEXT, {"type": "Button", "value": "b"})), Seen(characters=1, widgets=1)),
        (widget("x", card({**TEXT, "value": " "})), Seen(characters=1)),
        (widget("x", card({"type": "Image"})), Seen(widgets=1)),
    ],
)
def test_how_much_there_is_to_see(json: Json, seen: Seen) -> None:
    parsed = parse_item(json)

    assert isinstance(parsed, (AssistantMessage, GeneratedImage, OtherItem, Widget, Workflow))
    assert parsed.seen == seen


@pytest.mark.parametrize("name", ["status", "confirm", "cancel"])
def test_a_frame_without_children_shows_what_it_has_of_its_own(name: str) -> None:
    shown = parse_item(widget("w", card(**{name: {"label": "x"}})))
    empty = parse_item(widget("w", card(**{name: None})))

    assert isinstance(shown, Widget)
    assert isinstance(empty, Widget)
    assert (shown.is_empty, empty.is_empty) == (False, True)


@pytest.mark.parametrize("kind", ["Caption", "Label", "Markdown", "Text", "Title"])
def test_of_a_text_people_see_its_value(kind: str) -> None:
    empty, shown = (parse_item(widget("w", {"type": kind, "value": text})) for text in (" ", "ab"))

    assert isinstance(empty, Widget)
    assert isinstance(shown, Widget)
    assert (empty.is_empty, empty.seen) == (True, Seen(characters=1))
    assert (shown.is_empty, shown.seen) == (False, Seen(characters=2, widgets=1))


@pytest.mark.parametrize(
    "kind",
    [
        *("Basic", "Box", "Card", "Col", "Form"),
        *("ListView", "ListViewItem", "Row", "Spacer", "Transition"),
    ],
)
def test_of_a_frame_people_see_what_is_in_it(kind: str) -> None:
    empty, shown = (
        parse_item(widget("w", {"type": kind, **more})) for more in ({}, {"children": TEXT})
    )

    assert isinstance(empty, Widget)
    assert isinstance(shown, Widget)
    assert (empty.is_empty, shown.is_empty) == (True, False)


def test_what_has_a_place_for_children_is_a_frame_whatever_its_type() -> None:
    frame = parse_item(widget("w", {"type": "new.frame", "children": []}))

    assert isinstance(frame, Widget)
    assert frame.is_empty


def test_a_task_is_put_to_rest() -> None:
    loading = parse_item(item("x", "task", task=task("t", status="loading")))

    assert isinstance(loading, OtherItem)
    assert loading.sealed().json["task"] == task("t")


@pytest.mark.parametrize(
    "json",
    [
        item("x", "task", task=task("t", status="complete")),
        item("x", "task", task="t"),
        item("x", "task"),
        item("x", "new.type", task=task("t", status="loading")),
    ],
)
def test_what_is_no_task_that_loads_stays_as_it_is(json: Json) -> None:
    parsed = parse_item(json)

    assert isinstance(parsed, OtherItem)
    assert parsed.sealed() is parsed


# --- messages -------------------------------------------------------------------------------------


def test_a_part_that_is_done_has_no_more_than_the_event_says() -> None:
    bare = {"type": "output_text", "text": "a"}

    state = state_after(added(message("m", "")), part_done("m", bare))

    assert state.items["m"].to_json()["content"] == [bare]


def test_citations_do_not_outlive_a_part_that_became_something_else() -> None:
    cited, picture = part("a", citation("A")), {"type": "new.picture"}

    state = state_after(
        added(message("m")),
        part_added("m", cited),
        part_done("m", picture),
        part_done("m", part("b")),
    )

    assert state.items["m"].to_json()["content"] == [part("b")]


def test_a_citation_that_was_refused_does_not_come_back() -> None:
    state = in_doubles(
        added(item("m", "assistant_message", content=[{"type": "new.picture"}])),
        annotation_added("m", citation("A"), 0),
        part_done("m", part("b")),
    )

    assert state.items["m"].to_json()["content"] == [part("b")]


def test_a_fault_in_the_middle_of_a_run_is_a_fault() -> None:
    state = in_doubles(
        added(message("m", "", "")),
        text_delta("m", "a"),
        annotation_added("m", citation("A"), 0),
        annotation_added("m", citation("B"), -1),
        annotation_added("m", citation("C"), -1, 1),
        annotation_added("m", citation("D"), 0),
        text_delta("m", "b"),
    )

    assert len(state.anomalies) == 2
    expected = [part("ab", citation("D"), citation("A")), part("")]
    assert state.items["m"].to_json()["content"] == expected


# --- widgets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", [None, 5, ["t"], {"id": "t"}])
def test_an_id_that_is_no_text_names_nothing(odd: Any) -> None:
    root = card({"type": "Text", "id": odd, "value": "x"}, TEXT)

    state = in_doubles(added(widget("w", root)), value_delta("w", "t", "b"))

    assert state.items["w"].to_json()["widget"]["children"][1]["value"] == "ab"


def test_texts_of_two_widgets_with_the_same_ids_stream_side_by_side() -> None:
    state = in_doubles(
        added(widget("v", card(TEXT))),
        added(widget("w", card(TEXT))),
        value_delta("w", "t", "b"),
        value_delta("v", "t", "c"),
        component_updated("v", "t", {**TEXT, "value": "d"}),
        component_updated("w", "t", {**TEXT, "value": "e"}),
        value_delta("w", "t", "f"),
        value_delta("v", "t", "g"),
    )

    values = [state.items[name].to_json()["widget"]["children"][0]["value"] for name in "vw"]
    assert values == ["dg", "ef"]


def test_texts_of_one_widget_stream_side_by_side() -> None:
    state = in_doubles(
        added(widget("w", card(TEXT, {**TEXT, "id": "u"}))),
        value_delta("w", "t", "1"),
        value_delta("w", "u", "2"),
        value_delta("w", "t", "3"),
        value_delta("w", "t", "4"),
        component_updated("w", "u", {**TEXT, "id": "u", "value": "b"}),
        value_delta("w", "u", "5"),
    )

    values = [child["value"] for child in state.items["w"].to_json()["widget"]["children"]]
    assert values == ["a134", "b5"]


def test_a_component_that_comes_again_streams_again() -> None:
    streaming = {**TEXT, "streaming": True}

    state = in_doubles(
        added(widget("w", card(streaming))),
        value_delta("w", "t", "b", done=True),
        component_updated("w", "t", streaming),
        value_delta("w", "t", "c"),
    )

    assert state.items["w"].to_json()["widget"] == card({**streaming, "value": "ac"})


# --- the way back ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (card(TEXT, {"type": "Text", "value": "b"}), card(TEXT, {"type": "Text", "value": "c"})),
        (
            card({**TEXT}, {"type": "Text", "value": "b"}),
            card({**TEXT, "value": "ab"}, {"type": "Text", "value": "c"}),
        ),
        ({"type": "Text", "value": "a"}, {"type": "Text", "value": "ab"}),
        (
            card({"type": "Text", "value": "a"}, id="r", value="a"),
            card({"type": "Text", "value": "b"}, id="r", value="ab"),
        ),
        (card("a", TEXT), card("b", TEXT)),
        (card("a", TEXT), card({"type": "Text"}, TEXT)),
        (card({"type": "Text"}, TEXT), card("a", TEXT)),
        (card(TEXT), card(TEXT, TEXT)),
        (card(TEXT), {"type": "Card", "children": TEXT}),
    ],
)
def test_what_nothing_with_an_id_is_around_is_said_by_the_root(before: Json, after: Json) -> None:
    assert updates_between(before, after) == [WidgetRootUpdated(after)]


@pytest.mark.parametrize(
    ("streaming", "over"), [({"streaming": True}, False), ({"streaming": False}, True), ({}, None)]
)
def test_text_that_streams_on_is_said_by_its_delta(streaming: Json, over: bool | None) -> None:
    old = {**TEXT, "streaming": True}
    new = {**TEXT, "value": "ab", **streaming}

    updates = diff(
        state_after(added(widget("w", card(old)))), state_after(added(widget("w", card(new))))
    )

    if over is None:
        assert updates == [component_updated("w", "t", new)]
    else:
        assert updates == [value_delta("w", "t", "b", done=over)]


def test_a_new_image_is_said_by_its_update() -> None:
    (event,) = diff(state_after(added(image("x"))), state_after(added(image("x", "u"))))

    assert to_json(event)["update"] == {
        "type": "generated_image.updated",
        "image": {"id": "img_1", "url": "u"},
    }


def test_tasks_that_changed_and_tasks_that_came_are_said_one_by_one() -> None:
    old, new = (state_after(added(workflow("f", *titles))) for titles in ("ab", "acde"))

    assert diff(old, new) == [
        task_updated("f", task("c"), 1),
        task_added("f", task("d"), 2),
        task_added("f", task("e"), 3),
    ]


CHANGED_BESIDE: list[tuple[Json, Json]] = [
    (message("x", "a"), {**message("x", "ab"), "created_at": "2026-01-01T00:00:00"}),
    (workflow("x", "a"), {**workflow("x", "b"), "created_at": "2026-01-01T00:00:00"}),
    (
        workflow("x", "a"),
        item("x", "workflow", workflow={**workflow("x", "b")["workflow"], "summary": "s"}),
    ),
    (widget("x", card(TEXT)), {**widget("x", card()), "copy_text": "c"}),
    (image("x"), {**image("x", "u"), "created_at": "2026-01-01T00:00:00"}),
    (image("x", "u"), image("x")),
    (widget("x", card(TEXT)), item("x", "widget", widget=None)),
]


@pytest.mark.parametrize(("before", "after"), CHANGED_BESIDE)
def test_what_no_update_can_say_is_said_by_the_whole_item(before: Json, after: Json) -> None:
    old, new = state_after(added(before)), state_after(added(after))

    assert diff(old, new) == [replaced(after)]


def test_a_part_without_text_that_did_not_change_is_not_sent() -> None:
    picture = {"type": "new.picture"}
    old = item("x", "assistant_message", content=[picture, part("a")])
    new = item("x", "assistant_message", content=[picture, part("ab")])

    assert diff(state_after(added(old)), state_after(added(new))) == [text_delta("x", "b", 1)]


def test_a_part_that_got_a_text_is_sent_as_a_whole() -> None:
    old = item("x", "assistant_message", content=[{"type": "new.picture"}])

    updates = diff(state_after(added(old)), state_after(added(message("x", "a"))))

    assert updates == [part_added("x", part("a"))]


def test_the_text_that_came_in_pieces_is_counted_as_it_is() -> None:
    old = state_after(added(message("m", "")), text_delta("m", "a"), text_delta("m", "b"))
    old = reduce(reduce(old, text_delta("m", "c")), text_delta("m", "d"))

    assert diff(old, fold([text_delta("m", "efgh")], old)) == [text_delta("m", "efgh")]


# --- where in the stream --------------------------------------------------------------------------

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


def test_what_could_not_be_read_is_not_counted() -> None:
    begun = state_after(added(message("m", "")))
    rubbish = Unreadable(0, 1, "no JSON", "{")

    assert reduce(begun, rubbish).position == begun.position == 1
    assert fold([rubbish, text_delta("m", "a"), rubbish], begun).position == 2


def test_the_position_may_be_given() -> None:
    begun = reduce(state_after(added(message("m", ""))), text_delta("m", "a"))

    assert reduce(begun, text_delta("m", "b"), position=40).position == 41
    assert fold([text_delta("m", "b"), text_delta("m", "c")], begun, position=40).position == 42
    assert fold([removed("x")], begun, position=40).anomalies[0].position == 40
    assert reduce(begun, removed("x"), position=40).anomalies[0].position == 40


def test_a_folding_says_how_long_the_newest_run_was() -> None:
    folding = Folding(ThreadState())
    lengths = [folding.run_length]
    for events in (
        [added(message("m", ""))],
        [text_delta("m", "a"), text_delta("m", "b")],
        [removed("x")],
    ):
        folding.take(events)
        lengths.append(folding.run_length)

    assert lengths == [0, 0, 2, 0]


# --- older states, and what all states share ------------------------------------------------------


def test_two_streams_go_on_from_the_same_state() -> None:
    begun = reduce(state_after(added(message("m", "a"))), text_delta("m", "b"))
    older = reduce(begun, text_delta("m", "c"))

    texts = [reduce(reduce(begun, text_delta("m", delta)), text_delta("m", "!")) for delta in "xyz"]

    assert [state.items["m"].to_json()["content"] for state in texts] == [
        [part("abx!")],
        [part("aby!")],
        [part("abz!")],
    ]
    assert older.items["m"].to_json()["content"] == [part("abc")]


def test_the_empty_text_stays_empty_for_all_who_share_it() -> None:
    for _ in range(2):
        state = state_after(added(message("m")))
        for delta in ("", "a", "b"):
            state = reduce(state, text_delta("m", delta))
        assert state.items["m"].to_json()["content"] == [part("ab")]
    assert EMPTY_LIST.cells == []


def test_an_item_added_again_as_it_was_at_first_starts_again() -> None:
    state = state_after(added(message("m", "")), text_delta("m", "a"), added(message("m", "")))

    assert state.items["m"].to_json() == message("m", "")


def test_options_that_python_takes_for_equal_are_others() -> None:
    one, other = StreamOptions({"allow_cancel": True}), StreamOptions({"allow_cancel": 1})

    assert str(state_after(one, other).stream_options) == "{'allow_cancel': 1}"


def test_what_came_and_went_is_not_remembered() -> None:
    draft = Draft(Book())
    draft.moved("m", Phase.PENDING, OtherItem(item("m", "new.type"))).without("m").without("n")

    assert (draft._entries, draft._pending) == ({}, {})


# --- workflows ------------------------------------------------------------------------------------


def test_tasks_of_two_workflows_come_side_by_side() -> None:
    state = in_doubles(
        added(workflow("f")),
        added(workflow("g")),
        task_added("f", task("f0"), 0),
        task_added("f", task("f1"), 1),
        task_added("g", task("g0"), 0),
        task_added("f", task("f2"), 2),
        task_updated("f", task("f0!"), 0),
        task_updated("g", task("g0!"), 0),
        task_added("f", task("f9"), 9),
        task_updated("f", task("f3!"), 3),
    )

    tasks = [
        [task["title"] for task in state.items[name].to_json()["workflow"]["tasks"]]
        for name in "fg"
    ]
    assert tasks == [["f0!", "f1", "f2", "f3!"], ["g0!"]]
    assert [anomaly.problem for anomaly in state.anomalies] == [
        "task_index 9 is past the end of 3 tasks"
    ]


@pytest.mark.parametrize(
    ("index", "titles", "faults"), [(0, "cab", 0), (1, "acb", 0), (2, "abc", 0), (3, "abc", 1)]
)
def test_a_task_comes_where_its_index_says(index: int, titles: str, faults: int) -> None:
    state = in_doubles(
        added(workflow("f")),
        task_added("f", task("a"), 0),
        task_added("f", task("b"), 1),
        task_added("f", task("c"), index),
    )

    tasks = state.items["f"].to_json()["workflow"]["tasks"]
    assert [task["title"] for task in tasks] == list(titles)
    assert len(state.anomalies) == faults


def test_only_the_tasks_that_load_are_put_to_rest() -> None:
    json = item("f", "workflow", workflow={"tasks": [{"title": "a"}, task("b", status="loading")]})
    loading = parse_item(json)

    assert isinstance(loading, Workflow)
    assert loading.sealed().tasks == [{"title": "a"}, task("b")]
    assert loading.sealed().sealed().tasks == [{"title": "a"}, task("b")]


# --- what is said of a text, a value, an argument -------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[]", "expected a JSON object, got an array - at `$`"),
        (b'"a"', "expected a JSON object, got a string - at `$`"),
        (b"true", "expected a JSON object, got a boolean - at `$`"),
        (b"1", "expected a JSON object, got a number - at `$`"),
        (b"1.5", "expected a JSON object, got a number - at `$`"),
        (b"null", "expected a JSON object, got null - at `$`"),
        (b"{}", "`type` is missing or no string - at `$`"),
        (
            b'{"type":"thread.item.updated","item_id":"m","update":[]}',
            "expected a JSON object, got an array - at `$.update`",
        ),
        (b'{"type":"thread.item.updated","item_id":1}', "expected a string - at `$.item_id`"),
        (
            b'{"type":"thread.item.removed"}',
            "Object missing required field `item_id` - at `$`",
        ),
        ('{"type', "the JSON ends too early"),
        (memoryview(b'{"type'), "the JSON ends too early"),
        (bytearray(b'"\\ud800"'), "the text holds half of a surrogate pair"),
        (memoryview(b'"\\ud800"'), "the text holds half of a surrogate pair"),
        (b"[" * 100_000, "the JSON is nested too deeply"),
    ],
)
def test_what_is_wrong_with_a_text(text: Any, words: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(text)

    assert str(caught.value) == words


def test_a_text_that_is_not_utf_8_is_said_to_be_none() -> None:
    with pytest.raises(DecodeError, match=r"^the text is not UTF-8: "):
        decode(b'{"type":"x","a":"\xff"}')


def test_what_is_no_event_is_said_to_be_none() -> None:
    odd: Any = "text"

    with pytest.raises(TypeError, match=r"^str is no event, and no update$"):
        encode(odd)
    with pytest.raises(TypeError) as caught:
        fold([odd])
    assert str(caught.value) == (
        "str is not an event: decode JSON text with `decode`, "
        "and plain mappings with `from_json`, before folding them"
    )


def test_what_is_no_state_is_said_to_be_none() -> None:
    odd: Any = [message("m")]

    with pytest.raises(TypeError, match=r"^reduce takes a ThreadState and an event, not list fi"):
        reduce(odd, removed("m"))
    with pytest.raises(TypeError) as caught:
        fold([], odd)
    assert str(caught.value) == (
        "fold takes events and a ThreadState, not list: "
        "make one of stored items with ThreadState.from_items"
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("state", "ThreadState"),
        ("policy", "Policy"),
        ("delivered", "ThreadState"),
        ("marker_id", "str"),
        ("marker_time", "str"),
    ],
)
def test_settle_names_the_argument_that_is_of_another_type(name: str, kind: str) -> None:
    arguments: dict[str, Any] = {"state": ThreadState(), "policy": policies.KEEP}

    with pytest.raises(TypeError, match=f"^{name} must be a {kind}, not int$"):
        settle(**{**arguments, "cause": Cause.ENDED, name: 1})


def test_settle_says_that_the_content_of_a_marker_is_missing() -> None:
    quiet = attrs.evolve(policies.KEEP, marker=Marker(item="hidden_context_item"))

    with pytest.raises(ValueError, match=r"^this policy leaves .* marker to .*: pass marker_con"):
        settle(
            ThreadState(),
            policy=quiet,
            cause="cancelled",
            marker_id="x",
            marker_time="2025-01-01T00:00:00",
        )


def rows(*items: str, **fields: Any) -> list[Row]:
    return [Row(item=name, decision="discard", reason="r", **fields) for name in items]


EMPTY_NEW = "item (any other type), new, empty"


@pytest.mark.parametrize(
    ("left_open", "words"),
    [
        (1, f"{EMPTY_NEW}, ended"),
        (3, f"{EMPTY_NEW}, ended; {EMPTY_NEW}, cancelled; {EMPTY_NEW}, failed"),
        (
            4,
            f"{EMPTY_NEW}, ended; {EMPTY_NEW}, cancelled; {EMPTY_NEW}, failed; and 1 more cases",
        ),
    ],
)
def test_a_policy_names_the_cases_that_it_leaves_open(left_open: int, words: str) -> None:
    table = [
        *rows("*", origin="base"),
        *rows("*", content="partial"),
        *rows("*", content="complete"),
        *[row for cause in list(Cause)[left_open:] for row in rows("*", cause=cause)],
    ]

    with pytest.raises(PolicyError) as caught:
        Policy(name="p", rows=table)

    assert str(caught.value) == f"policy 'p': no row decides for {words}: add a row that does"


def test_a_policy_says_all_that_is_wrong_with_it() -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(name="p", rows=rows("widget", "widget"))

    first, second = str(caught.value).split("; and rows above it match first, so ")
    assert first.endswith("; and 27 more cases: add a row that does")
    assert second == (
        "this can never match: row 2 (widget | * | * | * -> discard: r); "
        "move it up, or leave it out"
    )


def test_the_cases_are_those_of_the_types_that_rows_name_and_of_any_other() -> None:
    cases = list(cases_of([*rows("*", "widget", "task", "widget")]))

    assert list(dict.fromkeys(case.item for case in cases)) == ["widget", "task", SOME_OTHER_TYPE]
    assert len(cases) == 3 * 2 * 3 * 5


def test_a_content_of_a_marker_that_is_no_text_is_refused() -> None:
    with pytest.raises(PolicyError) as caught:
        Marker(content=5)  # type: ignore[arg-type]

    assert str(caught.value) == (
        "`content` of a marker must be a text, not 5: leave it out, "
        "and give the content when you settle"
    )


def test_a_snapshot_says_where_it_is_damaged() -> None:
    paper = snapshot(state_after(added(message("m", ""))))
    paper["items"][0]["phase"] = "absent"

    with pytest.raises(SnapshotError) as caught:
        restore(paper)

    assert str(caught.value) == (
        "the snapshot is damaged: an item that is there cannot be absent @ $.items[0].phase"
    )


# --- settlements ----------------------------------------------------------------------------------


def test_a_stored_item_that_the_stream_touched_is_saved_though_nothing_changed() -> None:
    touched = state_after(
        ThreadItemUpdated("m", UnknownUpdate({"type": "new.update"})), stored=[message("m", "a")]
    )

    settlement = settle(touched, policy=policies.KEEP, cause=Cause.FAILED)

    assert settlement.writes == (Write("save", message("m", "a")),)


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (policies.KEEP, [done(message("m", "ab"))]),
        (policies.DROP, [replaced(message("m", "a"))]),
        (policies.SDK, []),
    ],
)
def test_what_a_client_is_told_of_a_stored_item(policy: Policy, told: list[Event]) -> None:
    state = state_after(text_delta("m", "b"), stored=[message("m", "a")])

    assert list(settle(state, policy=policy, cause=Cause.FAILED).events) == told


def test_an_item_removed_and_begun_anew_falls_back_to_the_copy_that_the_store_has_yet() -> None:
    delivered = ThreadState.from_items([message("m", "a")])
    state = fold([removed("m"), added(message("m", "b"))], delivered)

    (verdict,) = settle(
        state, policy=policies.DROP, cause=Cause.FAILED, delivered=delivered
    ).verdicts

    assert verdict.case.origin is Origin.BASE
    assert verdict.event == replaced(message("m", "a"))


def test_a_text_that_is_gone_is_said_by_its_component() -> None:
    before, after = ({"type": "Text", "id": "t", **more} for more in ({"value": "a"}, {}))

    assert updates_between(card(before, id="c"), card(after, id="c")) == [
        WidgetComponentUpdated("t", after)
    ]


def test_what_is_in_doubt_and_dropped_needs_no_write_where_the_store_has_no_copy() -> None:
    policy = Policy(name="p", about="", rows=[Row(decision="discard", reason="Away with it.")])
    state = state_after(done(message("m", "a")))

    settlement = settle(state, policy=policy, cause=Cause.CRASHED, delivered=ThreadState())

    assert settlement.writes == ()
    assert settlement.events == (removed("m"),)


def test_two_tasks_at_one_index_are_two_tasks() -> None:
    state = in_doubles(
        added(workflow("w")), task_added("w", task("1"), 0), task_added("w", task("2"), 0)
    )

    item = state.items["w"]
    assert isinstance(item, Workflow)
    assert item.tasks == [task("2"), task("1")]


def test_a_task_that_has_just_been_added_is_one_more_and_not_two() -> None:
    state = in_doubles(
        added(workflow("w")), task_added("w", task("1"), 0), task_updated("w", task("2"), 1)
    )

    item = state.items["w"]
    assert isinstance(item, Workflow)
    assert item.tasks == [task("1")]
    assert [one.kind for one in state.anomalies] == [FaultKind.INDEX_OUT_OF_RANGE]


def test_a_pending_item_that_no_update_is_for_is_not_sent_again() -> None:
    state = state_after(added(item("x", "task", task=task("1"))))

    assert diff(state, reduce(state, done(message("m")))) == [done(message("m"))]
