"""Faults in the data, and misuse of the library: docs/semantics.md, "Anomalies"."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from chatkit_reducer import Anomaly, AnomalyKind, ThreadState, decode, fold, reduce
from chatkit_reducer.errors import AnomalyError, ChatKitReducerError
from chatkit_reducer.events import (
    Event,
    Json,
    Notice,
    Redelivered,
    ThreadCreated,
    Unreadable,
    WidgetRootUpdated,
)
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    component_updated,
    done,
    item,
    message,
    part,
    part_added,
    removed,
    replaced,
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


class Case(NamedTuple):
    """A fault, and what its anomaly says; `problem` and `instead` by a word or two of them."""

    event: Event
    kind: AnomalyKind
    name: str
    item_id: str | None
    problem: str
    instead: str


GIVEN: list[Json] = [
    message("m", "a"),
    workflow("w", "A"),
    widget("g", {"type": "Card", "id": "card", "value": None}),
]

NO_ID: Json = {"type": "assistant_message", "content": []}
BAD = item("x", "assistant_message", content=3)

CASES: dict[str, Case] = {
    "update to nothing": Case(
        text_delta("nobody", "x"),
        AnomalyKind.ITEM_NOT_FOUND,
        "assistant_message.content_part.text_delta",
        "nobody",
        "no such item",
        "nothing changed",
    ),
    "removal of nothing": Case(
        removed("nobody"),
        AnomalyKind.ITEM_NOT_FOUND,
        "thread.item.removed",
        "nobody",
        "no such item",
        "nothing changed",
    ),
    "added over a stored one": Case(
        added(workflow("w", "B")),
        AnomalyKind.ITEM_ALREADY_PRESENT,
        "thread.item.added",
        "w",
        "stored already",
        "over its stored copy",
    ),
    "added without an id": Case(
        added(NO_ID),
        AnomalyKind.ITEM_WITHOUT_ID,
        "thread.item.added",
        None,
        "no `id`",
        "nothing changed",
    ),
    "done with an id that is no text": Case(
        done({**NO_ID, "id": 7}),
        AnomalyKind.ITEM_WITHOUT_ID,
        "thread.item.done",
        None,
        "no `id`",
        "nothing changed",
    ),
    "replaced without an id": Case(
        replaced(NO_ID),
        AnomalyKind.ITEM_WITHOUT_ID,
        "thread.item.replaced",
        None,
        "no `id`",
        "nothing changed",
    ),
    "malformed item": Case(
        done(BAD),
        AnomalyKind.ITEM_MALFORMED,
        "thread.item.done",
        "x",
        "'assistant_message'",
        "kept as it came",
    ),
    "update for another type": Case(
        text_delta("w", "x"),
        AnomalyKind.UPDATE_MISFIT,
        "assistant_message.content_part.text_delta",
        "w",
        "'workflow'",
        "nothing changed",
    ),
    "value delta for a component without a text": Case(
        value_delta("g", "card", "x"),
        AnomalyKind.UPDATE_MISFIT,
        "widget.streaming_text.value_delta",
        "g",
        "'card'",
        "nothing changed",
    ),
    "negative content index": Case(
        part_added("m", part("x"), -1),
        AnomalyKind.INDEX_OUT_OF_RANGE,
        "assistant_message.content_part.added",
        "m",
        "content_index -1",
        "nothing changed",
    ),
    "content index too far out": Case(
        part_added("m", part("x"), 99_999),
        AnomalyKind.INDEX_OUT_OF_RANGE,
        "assistant_message.content_part.added",
        "m",
        "content_index 99999",
        "nothing changed",
    ),
    "negative annotation index": Case(
        annotation_added("m", citation("A"), -1),
        AnomalyKind.INDEX_OUT_OF_RANGE,
        "assistant_message.content_part.annotation_added",
        "m",
        "annotation_index -1",
        "nothing changed",
    ),
    "task added past the end": Case(
        task_added("w", task("B"), 5),
        AnomalyKind.INDEX_OUT_OF_RANGE,
        "workflow.task.added",
        "w",
        "task_index 5",
        "appended",
    ),
    "task updated past the end": Case(
        task_updated("w", task("B"), 5),
        AnomalyKind.INDEX_OUT_OF_RANGE,
        "workflow.task.updated",
        "w",
        "task_index 5",
        "nothing changed",
    ),
    "negative task index": Case(
        task_updated("w", task("B"), -1),
        AnomalyKind.INDEX_OUT_OF_RANGE,
        "workflow.task.updated",
        "w",
        "task_index -1",
        "nothing changed",
    ),
    "component that is not there": Case(
        component_updated("g", "nobody", {}),
        AnomalyKind.COMPONENT_NOT_FOUND,
        "widget.component.updated",
        "g",
        "'nobody'",
        "nothing changed",
    ),
}


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    """Each of the cases."""
    return CASES[request.param]


def before() -> ThreadState:
    return ThreadState.from_items(GIVEN)


def events_with(case: Case) -> list[Event]:
    """The fault as the third event of a stream."""
    return [Notice("info", "one"), text_delta("m", "two"), case.event]


# --- what an anomaly says -------------------------------------------------------------------------


def test_an_anomaly_says_where_which_event_which_item_what_was_wrong_and_what_was_done(
    case: Case,
) -> None:
    (anomaly,) = fold(events_with(case), before()).anomalies

    assert (anomaly.kind, anomaly.event, anomaly.item_id) == (case.kind, case.name, case.item_id)
    assert anomaly.position == 2
    assert case.problem in anomaly.problem
    assert case.instead in anomaly.instead


def test_an_anomaly_reads_as_one_line_of_text(case: Case) -> None:
    (anomaly,) = fold(events_with(case), before()).anomalies

    line = str(anomaly)

    assert line.startswith(f"after event 3: {case.name}")
    assert "\n" not in line
    assert line.endswith(f"{anomaly.problem}; {anomaly.instead}")
    assert case.item_id is None or case.item_id in line


def test_an_anomaly_is_plain_json_as_well(case: Case) -> None:
    (anomaly,) = fold(events_with(case), before()).anomalies

    assert anomaly.to_json() == {
        "kind": case.kind.value,
        "event": case.name,
        "item_id": case.item_id,
        "problem": anomaly.problem,
        "instead": anomaly.instead,
        "position": 2,
    }


def test_every_kind_of_fault_in_an_event_has_a_case() -> None:
    # Those of a log, and of a field that is missing, have tests of their own.
    elsewhere = {AnomalyKind.UNREADABLE, AnomalyKind.REDELIVERED, AnomalyKind.FIELD_MISSING}
    assert {case.kind for case in CASES.values()} == set(AnomalyKind) - elsewhere


def test_the_fold_goes_on_behind_an_anomaly(case: Case) -> None:
    state = state_after(*events_with(case), text_delta("m", "!", index=1), stored=GIVEN)

    assert len(state.anomalies) == 1
    assert state.items["m"].to_json()["content"][1] == part("!")


def test_anomalies_are_kept_in_the_order_in_which_they_came() -> None:
    state = fold([case.event for case in CASES.values()], before())

    assert [anomaly.kind for anomaly in state.anomalies] == [case.kind for case in CASES.values()]
    assert [anomaly.position for anomaly in state.anomalies] == list(range(len(CASES)))


def test_the_same_fault_elsewhere_in_the_stream_is_an_equal_anomaly() -> None:
    fault = removed("nobody")

    early, late = fold([fault, Notice("info", ""), fault]).anomalies

    assert (early.position, late.position) == (0, 2)
    assert early == late


def test_an_event_that_is_sound_leaves_no_anomaly() -> None:
    state = state_after(
        added(message("n", "")), text_delta("n", "x"), done(message("n", "x")), stored=GIVEN
    )

    assert state.anomalies == ()


def test_an_anomaly_names_the_item_of_a_thread_that_is_malformed() -> None:
    state = state_after(ThreadCreated({"id": "thr_1", "items": {"data": [BAD]}}))

    (anomaly,) = state.anomalies
    assert (anomaly.kind, anomaly.event) == (AnomalyKind.ITEM_MALFORMED, "thread.created")
    assert anomaly.item_id == "x"
    assert state.items["x"].to_json() == BAD


def test_an_item_of_a_thread_without_an_id_is_an_anomaly() -> None:
    items = [NO_ID, message("m", "a")]

    state = state_after(ThreadCreated({"id": "thr_1", "items": {"data": items}}))

    assert [anomaly.kind for anomaly in state.anomalies] == [AnomalyKind.ITEM_WITHOUT_ID]
    assert list(state.items) == ["m"]


def test_an_item_of_a_thread_that_is_no_object_is_an_anomaly() -> None:
    items = ["an item", message("m", "a")]

    state = state_after(ThreadCreated({"id": "thr_1", "items": {"data": items}}))

    assert list(state.items) == ["m"]
    assert len(state.anomalies) == 1


# --- positions ------------------------------------------------------------------------------------


def test_fold_counts_every_event_also_those_that_change_nothing() -> None:
    notices: list[Event] = [Notice("info", "")] * 4

    state = fold([*notices, removed("nobody"), *notices, removed("nobody")])

    assert [anomaly.position for anomaly in state.anomalies] == [4, 9]
    assert state.position == 10


def test_fold_counts_the_deltas_of_a_run() -> None:
    run = [text_delta("m", "x")] * 50

    assert fold([added(message("m", "")), *run, removed("nobody")]).anomalies[0].position == 51


def test_a_second_fold_counts_on() -> None:
    first = fold([added(message("m", "")), text_delta("m", "x")])

    assert fold([removed("nobody")], first).anomalies[0].position == 2


def test_reduce_counts_the_events_that_changed_something_unless_it_is_told() -> None:
    state = reduce(reduce(ThreadState(), Notice("info", "")), added(message("m", "")))

    assert reduce(state, removed("nobody")).anomalies[0].position == 1
    assert reduce(state, removed("nobody"), position=41).anomalies[0].position == 41


# --- what is no event at all ----------------------------------------------------------------------


def test_an_unreadable_line_of_a_log_is_an_anomaly_and_changes_nothing_else() -> None:
    line = Unreadable(offset=120, line=3, reason="the JSON ends too early", excerpt='{"type":')

    state = state_after(added(message("m", "")), text_delta("m", "a"), line, text_delta("m", "b"))

    (anomaly,) = state.anomalies
    assert (anomaly.kind, anomaly.event, anomaly.item_id) == (
        AnomalyKind.UNREADABLE,
        "unreadable",
        None,
    )
    assert (anomaly.offset, anomaly.position) == (120, 2)
    assert "the JSON ends too early" in anomaly.problem
    assert '{"type":' in anomaly.problem
    assert anomaly.instead == "it was skipped"
    assert state.items["m"].to_json() == message("m", "ab")


def test_an_unreadable_line_is_no_event_and_is_not_counted() -> None:
    line = Unreadable(offset=0, line=1, reason="?", excerpt="?")

    state = fold([added(message("m", "")), line, removed("nobody")])

    assert [anomaly.position for anomaly in state.anomalies] == [1, 1]
    assert state.position == 2


def test_reduce_counts_a_faulty_event_and_no_unreadable_line() -> None:
    line = Unreadable(offset=0, line=1, reason="?", excerpt="?")

    assert reduce(ThreadState(), removed("nobody")).position == 1
    assert reduce(ThreadState(), line).position == 0


def test_unreadable_lines_that_a_log_has_only_counted_are_counted() -> None:
    state = fold([Unreadable(offset=0, line=1, reason="", excerpt="", unlisted=5)])

    assert (state.anomalies, state.unlisted_anomalies) == ((), 5)


def test_an_event_that_was_delivered_again_is_named_as_it_was() -> None:
    again = Redelivered(offset=0, line=2, reason="again", excerpt="", event=text_delta("m", "a"))
    (anomaly,) = fold([again]).anomalies

    assert (anomaly.kind, anomaly.event, anomaly.item_id) == (
        AnomalyKind.REDELIVERED,
        "assistant_message.content_part.text_delta",
        "m",
    )


# --- strict mode ----------------------------------------------------------------------------------


def test_strict_fold_raises_what_the_lenient_one_records(case: Case) -> None:
    (recorded,) = fold(events_with(case), before()).anomalies

    with pytest.raises(AnomalyError) as caught:
        fold(events_with(case), before(), strict=True)

    assert caught.value.anomaly == recorded
    assert caught.value.anomaly.position == recorded.position
    assert str(caught.value) == str(recorded)


def test_strict_reduce_raises_what_the_lenient_one_records(case: Case) -> None:
    (recorded,) = reduce(before(), case.event).anomalies

    with pytest.raises(AnomalyError) as caught:
        reduce(before(), case.event, strict=True)

    assert caught.value.anomaly == recorded
    assert caught.value.anomaly.position == recorded.position == 0


def test_strict_mode_raises_at_the_first_fault() -> None:
    faults = [case.event for case in CASES.values()]

    with pytest.raises(AnomalyError) as caught:
        fold([text_delta("m", "x"), *faults], before(), strict=True)

    assert caught.value.anomaly.position == 1


def test_strict_mode_raises_at_an_unreadable_line() -> None:
    with pytest.raises(AnomalyError) as caught:
        fold([Unreadable(offset=7, line=2, reason="?", excerpt="?")], strict=True)

    assert caught.value.anomaly.offset == 7


def test_strict_mode_leaves_the_state_as_it_was(case: Case) -> None:
    state = before()

    with pytest.raises(AnomalyError):
        fold(events_with(case), state, strict=True)

    assert state == before()


def test_strict_mode_is_silent_about_a_sound_stream() -> None:
    events: list[Event] = [added(message("m", "")), done(message("m", "x"))]

    assert fold(events, strict=True) == fold(events)


def test_the_error_of_strict_mode_is_a_value_error_of_this_package() -> None:
    assert issubclass(AnomalyError, ValueError)
    assert issubclass(AnomalyError, ChatKitReducerError)


# --- misuse ---------------------------------------------------------------------------------------


def pydantic_event() -> object:
    """An event as openai-chatkit makes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it warns of its own widgets
        types = pytest.importorskip("chatkit.types")
    event: object = types.NoticeEvent(level="info", message="Hello")
    return event


MISUSE: dict[str, Any] = {
    "mapping": {"type": "notice", "level": "info", "message": "Hello"},
    "text": '{"type":"notice"}',
    "bytes": b'{"type":"notice"}',
    "item": message("m", "a"),
    "update": WidgetRootUpdated({}),
    "class": Notice,
    "None": None,
}


def assert_it_says_what_to_do(error: TypeError, what: object) -> None:
    assert type(what).__name__ in str(error)
    assert "`decode`" in str(error)
    assert "`from_json`" in str(error)


@pytest.mark.parametrize("what", MISUSE.values(), ids=MISUSE)
def test_what_is_no_event_is_a_type_error_of_reduce_that_says_what_to_do(what: Any) -> None:
    with pytest.raises(TypeError) as caught:
        reduce(ThreadState(), what)

    assert_it_says_what_to_do(caught.value, what)


@pytest.mark.parametrize("what", MISUSE.values(), ids=MISUSE)
@pytest.mark.parametrize(
    "before",
    [[], [added(message("m", "")), text_delta("m", "a")], [removed("nobody")]],
    ids=["first", "in a text", "behind an anomaly"],
)
def test_what_is_no_event_is_a_type_error_of_fold_that_says_what_to_do(
    what: Any, before: Sequence[Event]
) -> None:
    with pytest.raises(TypeError) as caught:
        fold([*before, what, removed("nobody")])

    assert_it_says_what_to_do(caught.value, what)


def test_an_event_of_the_sdk_is_a_type_error_that_says_what_to_do() -> None:
    event: Any = pydantic_event()

    with pytest.raises(TypeError) as of_reduce:
        reduce(ThreadState(), event)
    with pytest.raises(TypeError) as of_fold:
        fold([event])

    assert_it_says_what_to_do(of_reduce.value, event)
    assert_it_says_what_to_do(of_fold.value, event)


@pytest.mark.parametrize("what", [MISUSE["mapping"], MISUSE["text"], MISUSE["bytes"]])
def test_one_thing_where_fold_wants_many_events_is_a_type_error(what: Any) -> None:
    with pytest.raises(TypeError, match="`decode`"):
        fold(what)


@pytest.mark.parametrize("strict", [False, True])
def test_misuse_raises_in_either_mode(strict: bool) -> None:
    mapping: Any = MISUSE["mapping"]

    with pytest.raises(TypeError):
        reduce(ThreadState(), mapping, strict=strict)


# --- only misuse raises ---------------------------------------------------------------------------


def nested(levels: int) -> bytes:
    root = b'{"type":"Box","children":' * levels + b"null" + b"}" * levels
    return b'{"type":"thread.item.done","item":{"id":"w","type":"widget","widget":' + root + b"}}"


def test_an_item_that_could_be_decoded_can_be_folded_however_deep_it_is_nested() -> None:
    def deeper(calls: int, events: list[Event]) -> ThreadState:
        return deeper(calls - 1, events) if calls else fold(events)

    levels = 500
    events = [decode(nested(levels)), decode(nested(levels))]
    while True:
        try:
            events = [decode(nested(levels + 10)), decode(nested(levels + 10))]
        except ValueError:
            break
        levels += 10

    state = deeper(100, events)

    assert list(state.items) == ["w"]


def test_an_anomaly_is_a_value() -> None:
    one, two = (
        Anomaly(
            kind=AnomalyKind.ITEM_NOT_FOUND,
            event="thread.item.removed",
            item_id="m",
            problem="the thread has no such item",
            instead="nothing changed",
            position=position,
        )
        for position in (1, 2)
    )

    assert one == two
    assert hash(one) == hash(two)
    with pytest.raises(AttributeError):
        one.problem = "another"  # type: ignore[misc]


# --- the words of a fault -------------------------------------------------------------------------


def test_an_item_that_is_added_a_second_time_just_so_is_a_fault_too() -> None:
    state = state_after(added(message("m")), added(message("m")))

    assert [one.kind for one in state.anomalies] == [AnomalyKind.ITEM_ALREADY_PRESENT]


MISSHAPEN = item("m", "assistant_message", content="text")


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
        "the item has no `id`, or one that is not a string; nothing changed",
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
        "an item of the thread is not a JSON object; it was left out",
    ),
    (Unreadable(0, 1, "no JSON", "{"), "no JSON: {; it was skipped"),
    (Unreadable(0, 1, "no JSON", ""), "no JSON; it was skipped"),
]


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
