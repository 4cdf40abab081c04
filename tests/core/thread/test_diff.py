"""Law 4: `fold(diff(a, b), a)` has the items of `b`, in order; and how little says it."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.widgets import TEXT, card

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the SDK warns of its own widgets
    from chatkit.server import diff_widget
    from chatkit.widgets import WidgetRoot
    from pydantic import TypeAdapter

from chatkit_reducer import AnomalyKind, ThreadState, diff, encode, fold, reduce
from chatkit_reducer import events as e
from chatkit_reducer.core.codec import from_json, to_json
from chatkit_reducer.core.json_values import json_equal
from chatkit_reducer.core.thread.lifecycle import Phase
from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.conformance import laws
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

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)

STREAMS = st.one_of(
    chatkit.streams(max_items=4, max_updates=5),
    chatkit.streams(types=["assistant_message", "widget", "workflow"], max_items=2),
    chatkit.adversarial_streams(max_events=16),
)


@st.composite
def prefixes(draw: st.DrawFn) -> tuple[ThreadState, ThreadState]:
    """Two moments of one stream, in either order."""
    events = draw(STREAMS)
    one, other = (draw(st.integers(0, 60)) % (len(events) + 1) for _ in range(2))
    return fold(events[:one]), fold(events[:other])


PAIRS = prefixes() | st.tuples(STREAMS.map(fold), STREAMS.map(fold))


def on_paper(state: ThreadState) -> list[Json]:
    return [one.to_json() for one in state.items.values()]


# --- law 4 ----------------------------------------------------------------------------------------


@pytest.mark.law
@given(PAIRS)
def test_the_way_back(pair: tuple[ThreadState, ThreadState]) -> None:
    laws.diff_inverts_fold(*pair)
    for event in diff(*pair):
        laws.codec_loses_nothing(event, decode=from_json, encode=to_json)


@given(PAIRS)
def test_a_difference_is_no_fault(pair: tuple[ThreadState, ThreadState]) -> None:
    before, after = pair
    result = fold(diff(before, after), before)
    new = result.anomalies[len(before.anomalies) :]
    assert {anomaly.kind for anomaly in new} <= {AnomalyKind.ITEM_MALFORMED}


@given(PAIRS)
def test_the_phases(pair: tuple[ThreadState, ThreadState]) -> None:
    before, after = pair
    result = fold(diff(before, after), before)
    for item_id in after.items:
        was, phase, now = before.phase(item_id), after.phase(item_id), result.phase(item_id)
        if phase is Phase.STORED:
            assert now is Phase.STORED
        elif phase is Phase.PENDING and was is Phase.ABSENT:
            assert now is Phase.PENDING
        elif phase is Phase.PENDING_OVER_BASE and was is Phase.ABSENT and now is phase:
            assert result.bases[item_id] == after.bases[item_id]


@given(STREAMS)
def test_there_is_nothing_between_a_state_and_itself(events: list[Event]) -> None:
    assert diff(fold(events), fold(events)) == []


@given(PAIRS)
def test_the_second_difference_is_one_of_phases_alone(
    pair: tuple[ThreadState, ThreadState],
) -> None:
    before, after = pair
    assert diff(fold(diff(before, after), before), after) == []


@given(PAIRS)
def test_items_that_do_not_differ_are_not_sent(pair: tuple[ThreadState, ThreadState]) -> None:
    before, after = pair
    events = diff(before, after)
    gone = {event.item_id for event in events if isinstance(event, e.ThreadItemRemoved)}
    for item_id in after.items.keys() & before.items.keys() - gone:
        if before.items[item_id] != after.items[item_id]:
            continue
        about = [event for event in events if subject_of(event) == item_id]
        finished = before.phase(item_id) is not Phase.STORED is after.phase(item_id)
        assert [type(event) for event in about] == ([e.ThreadItemDone] if finished else [])


def subject_of(event: Event) -> str | None:
    if isinstance(event, e.ThreadItemUpdated | e.ThreadItemRemoved):
        return event.item_id
    if isinstance(event, e.ThreadItemAdded | e.ThreadItemDone | e.ThreadItemReplaced):
        return str(event.item["id"])
    return None


@given(PAIRS)
def test_what_is_sent_shares_nothing_with_the_states_but_what_events_share(
    pair: tuple[ThreadState, ThreadState],
) -> None:
    before, after = pair
    papers = [on_paper(before), on_paper(after)]
    for event in diff(before, after):
        if isinstance(event, e.ThreadItemAdded | e.ThreadItemDone | e.ThreadItemReplaced):
            event.item.clear()
    assert papers == [on_paper(before), on_paper(after)]


# --- items ----------------------------------------------------------------------------------------


def between(
    before: list[Event], more: list[Event], stored: list[Json] | None = None
) -> list[Event]:
    """The difference that these events make; it leads where they do."""
    start = state_after(*before, stored=stored or [])
    end = fold(more, start)
    events = diff(start, end)
    assert fold(events, start) == end
    return events


NOTHING: list[Event] = []
BEGUN: list[Event] = [added(message("m"))]


@pytest.mark.parametrize(
    ("before", "event"),
    [
        (NOTHING, added(message("m", "Hi"))),
        (NOTHING, done(message("m", "Hi"))),
        (BEGUN, done(message("m", "Hi"))),
        (BEGUN, done(message("m"))),
        (BEGUN, removed("m")),
        ([done(message("m"))], replaced(message("m", "Hi"))),
        ([done(message("m"))], removed("m")),
        ([done(message("m")), done(message("n"))], removed("m")),
        ([done(message("m"))], e.ThreadUpdated({"id": "t", "title": "x"})),
    ],
)
def test_one_event_for_one_step(before: list[Event], event: Event) -> None:
    assert between(before, [event]) == [event]


@pytest.mark.parametrize(
    "stored",
    [message("x", "a"), image("x", "data:1"), workflow("x", "one"), widget("x", {"type": "Card"})],
)
def test_an_item_that_was_touched_and_not_changed_is_sent_as_it_is(stored: Json) -> None:
    state = state_after(e.ThreadItemUpdated("x", e.UnknownUpdate({"type": "new"})), stored=[stored])
    assert state.pending == ("x",)
    assert diff(ThreadState(), state) == [done(stored)]


def test_another_type_under_the_same_id() -> None:
    assert between([done(message("m"))], [replaced(user_message("m", "x"))]) == [
        replaced(user_message("m", "x"))
    ]


def test_a_late_joiner_gets_the_whole_thread() -> None:
    stored = [user_message("u", "Hi"), message("old", "Hello")]
    state = state_after(*BEGUN, text_delta("m", "x"), text_delta("old", "!"), stored=stored)
    assert diff(ThreadState(), state) == [
        done(user_message("u", "Hi")),
        done(message("old", "Hello")),
        text_delta("old", "!"),
        added(message("m", "x")),
    ]
    assert fold(diff(ThreadState(), state)) == state


@pytest.mark.parametrize(
    ("before", "after", "taken", "sent"),
    [
        ("abc", "abc", "", ""),
        ("abc", "abcd", "", "d"),
        ("abc", "ac", "b", ""),
        ("abc", "axc", "bc", "xc"),
        ("abc", "xabc", "abc", "xabc"),
        ("abc", "acb", "b", "b"),
        ("abc", "cab", "ab", "ab"),
        ("abc", "", "abc", ""),
        ("", "abc", "", "abc"),
        ("ab", "xy", "ab", "xy"),
    ],
)
def test_a_thread_grows_at_its_end(before: str, after: str, taken: str, sent: str) -> None:
    states = [ThreadState.from_items([message(one) for one in ids]) for ids in (before, after)]
    assert diff(*states) == [
        *[removed(one) for one in taken],
        *[done(message(one)) for one in sent],
    ]


def test_what_is_of_the_stream_does_not_come_along() -> None:
    more: list[Event] = [
        e.ProgressUpdate("x"),
        e.ErrorEvent(code="c"),
        e.StreamOptions({"allow_cancel": True}),
        removed("no such item"),
    ]
    assert diff(ThreadState(), state_after(*more)) == []
    known = ThreadState.from_items([], thread={"id": "t"})
    assert diff(known, ThreadState()) == []


# --- deltas ---------------------------------------------------------------------------------------

MESSAGE: list[Event] = [added(item("m", "assistant_message", content=[part("a", citation("1"))]))]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([text_delta("m", c) for c in "bcd"], [text_delta("m", "bcd")]),
        ([text_delta("m", "b", 1)], [part_added("m", part("b"), 1)]),
        ([annotation_added("m", citation("2"), 1)], [annotation_added("m", citation("2"), 1)]),
        (
            [annotation_added("m", citation("2"), 1), text_delta("m", "b")],
            [text_delta("m", "b"), annotation_added("m", citation("2"), 1)],
        ),
        # What deltas cannot say is said by whole parts.
        (
            [annotation_added("m", citation("2"), 0)],
            [part_added("m", part("a", citation("2"), citation("1")))],
        ),
        ([part_added("m", part("b"))], [part_added("m", part("b"))]),
        ([part_added("m", {**part("a"), "x": 1})], [part_added("m", {**part("a"), "x": 1})]),
        (
            [part_added("m", {**part("ab", citation("1")), "x": 1})],
            [part_added("m", {**part("ab", citation("1")), "x": 1})],
        ),
        ([part_added("m", {"type": "new"})], [part_added("m", {"type": "new"})]),
    ],
)
def test_a_message_that_grows(more: list[Event], said: list[Event]) -> None:
    assert between(MESSAGE, more) == said


@pytest.mark.parametrize("annotations", [None, [], 5])
def test_annotations_that_only_look_alike(annotations: Any) -> None:
    bare = {"type": "output_text", "text": "a"}
    other = {**bare, "annotations": annotations}
    start: list[Event] = [added(item("m", "assistant_message", content=[bare]))]
    assert between(start, [part_added("m", other)]) == [part_added("m", other)]
    longer = text_delta("m", "b")
    assert between([*start, part_added("m", other)], [longer]) == [longer]


def test_parts_that_went_and_fields_that_changed_take_the_whole_item() -> None:
    for whole in (message("m"), {**message("m", "a", "b"), "created_at": "2026"}):
        start = state_after(added(message("m", "a", "b")))
        assert diff(start, state_after(added(whole))) == [replaced(whole)]


def test_a_workflow_that_goes_on() -> None:
    start: list[Event] = [added(workflow("w", "one", "two"))]
    assert between(start, [task_updated("w", task("2"), 1), task_added("w", task("3"), 2)]) == [
        task_updated("w", task("2"), 1),
        task_added("w", task("3"), 2),
    ]
    # A task in between moves the others: each is said anew.
    assert between(start, [task_added("w", task("x"), 0)]) == [
        task_updated("w", task("x"), 0),
        task_updated("w", task("one"), 1),
        task_added("w", task("two"), 2),
    ]
    assert diff(state_after(*start), state_after(added(workflow("w", "one")))) == [
        replaced(workflow("w", "one"))
    ]


def test_tasks_that_came_with_the_item_are_said_one_by_one_too() -> None:
    one, two = (state_after(added(workflow("w", *titles))) for titles in (["1"], ["1", "2"]))

    assert diff(one, two) == [task_added("w", task("2"), 1)]


def test_an_image_that_becomes_clearer() -> None:
    def clearer(url: str) -> Event:
        return e.ThreadItemUpdated("i", e.GeneratedImageUpdated({"id": "img_1", "url": url}))

    start: list[Event] = [added(image("i"))]
    assert between(start, [image_updated("i", "data:1")]) == [clearer("data:1")]
    start = [added(image("i", "data:1"))]
    assert between(start, [image_updated("i", "data:2")]) == [clearer("data:2")]
    assert diff(state_after(*start), state_after(added(image("i")))) == [replaced(image("i"))]


# --- widgets --------------------------------------------------------------------------------------


def text(value: str, component_id: str | None = "t", **more: Any) -> Json:
    named = {} if component_id is None else {"id": component_id}
    return {"type": "Text", **named, "value": value, **more}


def box(kind: str, *children: Any, **more: Any) -> Json:
    return {"type": kind, **more, "children": list(children)}


def only(kind: str, child: Json, **more: Any) -> Json:
    return {"type": kind, **more, "children": child}


def updates(before: Json, after: Json) -> list[Event]:
    start, end = (state_after(added(widget("w", root))) for root in (before, after))
    events = diff(start, end)
    assert fold(events, start) == end
    return events


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        # Text that grows is one delta, wherever it stands.
        (box("Card", text("a")), box("Card", text("ab")), value_delta("w", "t", "b")),
        (only("Card", text("a")), only("Card", text("ab")), value_delta("w", "t", "b")),
        (
            box("ListView", only("ListViewItem", only("Transition", text("")))),
            box("ListView", only("ListViewItem", only("Transition", text("b")))),
            value_delta("w", "t", "b"),
        ),
        (text("a"), text("ab"), value_delta("w", "t", "b")),
        (
            box("Card", text("x", None), id="t", value="a"),
            box("Card", text("x", None), id="t", value="ab"),
            value_delta("w", "t", "b"),
        ),
        # The end of streaming goes with the text, or alone.
        (
            box("Card", text("a", streaming=True)),
            box("Card", text("ab", streaming=False)),
            value_delta("w", "t", "b", done=True),
        ),
        (
            box("Card", text("a", streaming=True)),
            box("Card", text("a", streaming=False)),
            value_delta("w", "t", "", done=True),
        ),
        (
            box("Card", text("a", streaming=False)),
            box("Card", text("ab", streaming=False)),
            value_delta("w", "t", "b"),
        ),
        # Another change to a component is said by the component.
        (
            box("Card", text("ab")),
            box("Card", text("a")),
            component_updated("w", "t", text("a")),
        ),
        (
            box("Card", text("a", streaming=False)),
            box("Card", text("ab", streaming=True)),
            component_updated("w", "t", text("ab", streaming=True)),
        ),
        (
            box("Card", text("a", streaming=True)),
            box("Card", text("ab")),
            component_updated("w", "t", text("ab")),
        ),
        (
            box("Card", text("a", size="sm")),
            box("Card", text("ab", size="lg")),
            component_updated("w", "t", text("ab", size="lg")),
        ),
        # Text without an id: the nearest component around it that has one.
        (
            box("Card", box("Row", only("Transition", text("a", None)), id="r"), id="c"),
            box("Card", box("Row", only("Transition", text("ab", None)), id="r"), id="c"),
            component_updated("w", "r", box("Row", only("Transition", text("ab", None)), id="r")),
        ),
        (
            box("Card", only("Row", text("a", None))),
            box("Card", only("Row", text("ab", None))),
            root_updated("w", box("Card", only("Row", text("ab", None)))),
        ),
        # More children, fewer, or held in another way.
        (
            box("Card", box("Row", text("a"), id="r")),
            box("Card", box("Row", text("a"), text("b", "u"), id="r")),
            component_updated("w", "r", box("Row", text("a"), text("b", "u"), id="r")),
        ),
        (
            box("Card", box("Row", text("a"), id="r")),
            box("Card", only("Row", text("a"), id="r")),
            component_updated("w", "r", only("Row", text("a"), id="r")),
        ),
        (box("Card", text("a")), box("Card"), root_updated("w", box("Card"))),
        (
            box("Card", text("a", "t")),
            box("Card", text("a", "u")),
            root_updated("w", box("Card", text("a", "u"))),
        ),
        (
            box("Card", text("a"), title="x"),
            box("Card", text("ab"), title="y"),
            root_updated("w", box("Card", text("ab"), title="y")),
        ),
        # An id that stands twice finds the first one: the second is said by the root.
        (
            box("Card", text("a"), text("b")),
            box("Card", text("a"), text("bc")),
            root_updated("w", box("Card", text("a"), text("bc"))),
        ),
    ],
)
def test_a_widget_that_changes(before: Json, after: Json, said: Event) -> None:
    assert updates(before, after) == [said]


def test_texts_that_grow_side_by_side() -> None:
    def root(one: str, other: str, third: str) -> Json:
        return box("Card", text(one, "1"), only("Row", text(other, "2")), text(third, None))

    assert updates(root("a", "b", "c"), root("ax", "by", "c")) == [
        value_delta("w", "1", "x"),
        value_delta("w", "2", "y"),
    ]


def test_what_is_about_the_item_and_not_about_its_widget_takes_the_whole_item() -> None:
    start = state_after(added(widget("w", text("a"))))
    whole = {**widget("w", text("ab")), "copy_text": "ab"}
    assert diff(start, state_after(added(whole))) == [replaced(whole)]


@given(st.lists(chatkit.widgets(), min_size=1, max_size=5))
def test_streaming_a_widget(roots: list[Json]) -> None:
    """From root to root, as an application would send them."""
    state = state_after(added(widget("w", roots[0])))
    for root in roots[1:]:
        for event in diff(state, state_after(added(widget("w", root)))):
            assert isinstance(event, e.ThreadItemUpdated)
            encode(event)
            state = reduce(state, event)
        assert json_equal(state.items["w"].to_json()["widget"], root)
    assert state.pending == ("w",)
    assert state.anomalies == ()


# --- beside the SDK -------------------------------------------------------------------------------

_root: TypeAdapter[Any] = TypeAdapter(WidgetRoot)
_IDS = ("1", "2", "3", "4")


def of_the_sdk(before: Json, after: Json) -> list[Json]:
    """What `diff_widget` of openai-chatkit 1.6.5 says, as it goes over the wire."""
    found = diff_widget(_root.validate_python(before), _root.validate_python(after))
    return [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in found]


def of_ours(before: Json, after: Json) -> list[Json]:
    return [to_json(event)["update"] for event in updates(before, after)]


@st.composite
def growing_trees(draw: st.DrawFn) -> tuple[Json, Json]:
    """Texts with an id each, in lists of children, which grow: what the SDK gets right."""
    words = st.text("ab ", max_size=3)
    ids = draw(st.lists(st.sampled_from(_IDS), unique=True, max_size=4))
    starts = [(one, draw(words), draw(words)) for one in ids]
    grouped = draw(st.integers(0, len(ids)))

    def tree(values: list[Json]) -> Json:
        return box("Card", *values[:grouped], box("Row", *values[grouped:]))

    before = [text(start, one, streaming=False) for one, start, _ in starts]
    after = [text(start + more, one, streaming=False) for one, start, more in starts]
    return tree(before), tree(after)


@given(growing_trees())
def test_where_the_sdk_is_right_we_say_the_same(pair: tuple[Json, Json]) -> None:
    ours = of_ours(*pair)
    theirs = of_the_sdk(*pair)
    assert [{**one, "done": None} for one in ours] == [{**one, "done": None} for one in theirs]
    # It says `done` of every text that does not stream. We say it where streaming ends.
    assert {one["done"] for one in ours} <= {False}
    assert {one["done"] for one in theirs} <= {True}


ROOT = "widget.root.updated"
COMPONENT = "widget.component.updated"
DELTA = "widget.streaming_text.value_delta"


@pytest.mark.parametrize(
    ("before", "after", "ours"),
    [
        # `find_all_streaming_text_components` leaves out texts without an id,
        (box("Card", text("a", None)), box("Card", text("ab", None)), ROOT),
        (
            box("Card", box("Row", text("a", None), id="r")),
            box("Card", box("Row", text("ab", None), id="r")),
            COMPONENT,
        ),
        # and walks through a single child as if it were a list.
        (
            box("Card", only("Transition", text("a"))),
            box("Card", only("Transition", text("ab"))),
            DELTA,
        ),
    ],
)
def test_where_the_sdk_is_silent(before: Json, after: Json, ours: str) -> None:
    assert of_the_sdk(before, after) == []
    assert [one["type"] for one in of_ours(before, after)] == [ours]


def test_where_the_sdk_raises() -> None:
    """`full_replace` asks both components for every field that one of them has."""
    before = box("Card", {"type": "Gauge", "id": "g"})
    after = box("Card", {"type": "Gauge", "id": "g", "level": 1})
    for pair in ((before, after), (after, before)):
        with pytest.raises(AttributeError, match="level"):
            of_the_sdk(*pair)
        assert [one["type"] for one in of_ours(*pair)] == [COMPONENT]


@pytest.mark.parametrize(
    "after",
    [
        box("Card", text("")),
        box("Card", text("xa")),
        box("Card", text("a", "new")),
        box("Card", text("a"), text("b", "new")),
    ],
)
def test_where_the_sdk_seems_to_raise_and_says_the_root(after: Json) -> None:
    """Both errors that it names itself are behind a comparison that lets nothing through."""
    assert [one["type"] for one in of_the_sdk(box("Card", text("a")), after)] == [ROOT]


def test_where_the_sdk_replaces_the_whole_widget() -> None:
    before = box("Card", text("a", streaming=True), text("long", "u"))
    after = box("Card", text("ab", streaming=False), text("long", "u"))
    assert [one["type"] for one in of_the_sdk(before, after)] == ["widget.root.updated"]
    assert of_ours(before, after) == [to_json(value_delta("w", "t", "b", done=True))["update"]]


def test_where_the_sdk_takes_the_last_component_with_an_id() -> None:
    before = box("Card", text("a"), text("b"))
    after = box("Card", text("ax"), text("by"))
    # The delta goes to the first of the two, and says what the second is to get.
    assert [one.get("delta") for one in of_the_sdk(before, after)] == ["y"]
    assert of_ours(before, after) == [{"type": "widget.root.updated", "widget": after}]


# --- how little says it, type by type -------------------------------------------------------------


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


def test_a_pending_item_that_no_update_is_for_is_not_sent_again() -> None:
    state = state_after(added(item("x", "task", task=task("1"))))

    assert diff(state, reduce(state, done(message("m")))) == [done(message("m"))]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(user_message("x", "a"), user_message("x", "b"), id="no updates for its type"),
        pytest.param(widget("x", {"type": "Card"}), workflow("x"), id="a widget to a workflow"),
        pytest.param(workflow("x"), message("x"), id="a workflow to a message"),
        pytest.param(message("x", "a"), workflow("x"), id="a message to a workflow"),
        pytest.param(image("x", "u"), message("x"), id="an image to a message"),
    ],
)
def test_what_no_update_says_of_a_pending_item_is_said_by_the_whole_of_it(
    before: Json, after: Json
) -> None:
    old, new = state_after(added(before)), state_after(added(after))

    assert diff(old, new) == [replaced(after)]
    assert fold(diff(old, new), old).items["x"] == new.items["x"]


def test_text_under_an_id_that_something_without_text_has_first_is_said_by_the_root() -> None:
    def card(text: str) -> Json:
        children = [{"type": "Box", "id": "t"}, {"type": "Text", "id": "t", "value": text}]
        return {"type": "Card", "children": children}

    short, long = (state_after(added(widget("w", card(text)))) for text in ("a", "ab"))

    assert diff(short, long) == [root_updated("w", card("ab"))]
