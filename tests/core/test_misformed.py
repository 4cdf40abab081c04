"""Events that code has made, with anything in their fields: told, and nothing else."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_reducer import (
    AnomalyKind,
    ThreadState,
    compact,
    decode,
    encode,
    fold,
    policies,
    reduce,
    settle,
    snapshot,
)
from chatkit_reducer import events as e
from chatkit_reducer.analysis import sweep
from chatkit_reducer.errors import AnomalyError, EncodeError
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.conformance import laws
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    done,
    image,
    item,
    message,
    part,
    part_done,
    task,
    task_added,
    task_updated,
    text_delta,
    value_delta,
    widget,
    workflow,
)


class Word(enum.StrEnum):
    ONE = "one"


class Number(enum.IntEnum):
    ONE = 1


own: Any = e  # the classes, as code without types uses them

VALUES: Any = st.sampled_from(
    [None, True, False, 0, 1, 5, -1, 0.0, 1.0, 1.5, "", "m", "t", b"m", [], ["m"], (), {}, {"a": 1},
     MappingProxyType({}), object(), Word.ONE, Number.ONE, msgspec.UNSET, e.Extra({"x": 1}),
     {"id": "m"}, {"type": 5}, {"type": "new"}, {"type": "thread.item.removed"}, 10**30]
)  # fmt: skip
TARGETS = {"item_id": "m", "component_id": "t", "content_index": 0, "task_index": 0}
UPDATES: list[type[Any]] = [*e.UPDATE_TYPES.values(), e.UnknownUpdate]
EVENTS: list[type[Any]] = [*e.EVENT_TYPES.values(), e.UnknownEvent]
BEFORE: Sequence[e.Event] = [
    added(message("m", "a")),
    text_delta("m", "b"),
    added(widget("t", {"type": "Text", "id": "t", "value": "a", "streaming": True})),
    added(workflow("f", "one")),
    done(image("i")),
]


@st.composite
def made(draw: st.DrawFn, kinds: Sequence[type[Any]]) -> Any:
    """An event or update, made by code that does not look at what it puts where."""
    kind = draw(st.sampled_from(kinds))
    values = {}
    for field in msgspec.structs.fields(kind):
        if field.name == "update":
            values["update"] = draw(made(UPDATES) | VALUES)
        elif field.name in TARGETS:
            values[field.name] = draw(st.just(TARGETS[field.name]) | VALUES)
        elif field.name != "extra" or draw(st.integers(0, 9)) == 0:
            values[field.name] = draw(VALUES)
    return kind(**values)


SOUND = chatkit.streams(max_items=2, max_updates=6)
MIXED = st.lists(made(EVENTS) | st.sampled_from(BEFORE), max_size=8)


def one_by_one(events: Sequence[Any], state: ThreadState, *, strict: bool = False) -> ThreadState:
    for position, event in enumerate(events, state.position):
        state = reduce(state, event, strict=strict, position=position)
    return state


def texts(*deltas: Any, index: Any = 0) -> list[Any]:
    return [text_delta("m", delta, index) for delta in deltas]


ODD: list[Any] = ["a", None]
TWINS = widget("v", {"children": [{"id": name, "value": ""} for name in "tu"]})


@example(texts("a", None, "b"))
@example(texts("a", 5, "b", [], "c"))
@example([*texts("a"), *texts("b", index=False), *texts("c", index=0.0), *texts("d", index=None)])
@example([*texts("a"), annotation_added("m", citation("x"), 0), *texts(None, "b")])
@example(texts(None, "b"))
@example([*texts("a", None), *texts("b", None, index=1)])
@example([*texts("a"), annotation_added("m", None, 0)])  # type: ignore[arg-type]
@example([*texts("a"), annotation_added("m", citation("x"), True)])
@example([added(TWINS), *[value_delta("v", name, delta) for name in "tu" for delta in ODD]])
@example([added(workflow("f", "one")), task_added("f", task("x"), True)])
@example([added(workflow("f", "one")), task_added("f", None, 1)])  # type: ignore[arg-type]
@example([added(workflow("f", "one")), text_delta("f", "a"), task_added("f", task("x"), 1)])
@example([added(workflow("f", "one")), task_updated("f", task("x"), False)])
@example([added(workflow("f", "one")), task_updated("f", None, 0)])  # type: ignore[arg-type]
@example([e.ErrorEvent(code="", message=None, allow_retry=True, extra=None)])  # type: ignore[arg-type]
@given(MIXED)
def test_reduce_and_fold_agree_and_neither_raises(events: list[Any]) -> None:
    for start in (ThreadState(), fold(BEFORE), one_by_one(BEFORE[:2], ThreadState())):
        folded, reduced = fold(events, start), one_by_one(events, start)
        assert list(map(str, folded.anomalies)) == list(map(str, reduced.anomalies))
        assert folded == reduced
        last = {"position": 0}  # `reduce` does not count an event that changes nothing
        assert snapshot(folded) | last == snapshot(reduced) | last


@given(SOUND, st.data())
def test_one_misformed_event_changes_nothing_but_the_anomalies(
    events: list[Any], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(events)))
    odd = data.draw(made(EVENTS))
    before = fold(events[:place])
    after = reduce(before, odd)
    for anomaly in after.anomalies[len(before.anomalies) :]:
        if anomaly.kind is AnomalyKind.UNREADABLE:
            assert anomaly.position == place or reduce(before, odd, position=place) == after
            assert laws.canonical_json(after) | {"anomalies": 0} == laws.canonical_json(before) | {
                "anomalies": 0
            }
            rest = fold(events[place:], after)
            assert rest.items == fold(events).items


@given(made(EVENTS))
def test_encode_refuses_or_writes_what_decode_accepts(event: Any) -> None:
    try:
        text = encode(event)
    except EncodeError:
        return
    assert encode(decode(text)) == text


@given(made(EVENTS))
def test_what_reduce_skips_is_what_encode_refuses(event: Any) -> None:
    kinds = [one.kind for one in reduce(fold(BEFORE), event).anomalies]
    if AnomalyKind.UNREADABLE in kinds:
        with pytest.raises(EncodeError):
            encode(event)


@given(MIXED)
def test_what_is_made_of_such_a_stream(events: list[Any]) -> None:
    state = fold(events, fold(BEFORE))
    settlement = settle(state, policy=policies.KEEP, cause="cancelled")
    assert fold(settlement.events, state).pending == ()
    settlement.to_json()
    assert fold(compact(events), fold(BEFORE)) == state
    stops = list(sweep(events, [policies.KEEP], "ended", fold(BEFORE)))
    assert len(stops) == len(events) + 1


@given(MIXED)
def test_strict_mode_raises_at_the_first(events: list[Any]) -> None:
    start = fold(BEFORE)
    first = next(iter(one_by_one(events, start).anomalies), None)
    for run in (fold, one_by_one):
        if first is None:
            run(events, start, strict=True)
        else:
            with pytest.raises(AnomalyError) as error:
                run(events, start, strict=True)
            assert str(error.value) == str(first)


# --- cases ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("delta", [None, 5, b"x", ["x"]])
def test_a_delta_that_is_no_text(delta: Any) -> None:
    events = [*BEFORE, *texts("c", "d", delta, "e"), annotation_added("m", citation("x"), 0)]
    state = fold([*events, *texts(delta, "f")])
    assert state.items["m"].to_json()["content"] == [part("abcdef", citation("x"))]
    assert [(one.position, one.event, one.item_id) for one in state.anomalies] == [
        (7, "assistant_message.content_part.text_delta", "m"),
        (10, "assistant_message.content_part.text_delta", "m"),
    ]
    assert state.anomalies[0].problem.startswith("expected `delta` to be a string, got ")
    assert state.anomalies[0].instead == "it was skipped"


def test_a_value_delta_that_is_no_text() -> None:
    deltas: list[Any] = [None, "b", "c"]
    odd = [value_delta("t", "t", delta) for delta in ("x", *deltas)]
    flag: Any = "yes"
    events = [BEFORE[2], *odd, value_delta("t", "t", "d", done=flag), value_delta("t", "t", "e")]
    state = fold(events)
    assert state == one_by_one(events, ThreadState())
    assert state.items["t"].to_json()["widget"]["value"] == "axbce"
    assert [one.position for one in state.anomalies] == [2, 5]
    assert state.anomalies[1].problem == "expected `done` to be true or false, got a string"


def test_a_component_that_is_none() -> None:
    component: Any = ["t"]
    events = [
        BEFORE[2],
        value_delta("t", "t", "b"),
        own.ThreadItemUpdated("t", own.WidgetComponentUpdated("t", component)),
        own.ThreadItemUpdated("t", own.WidgetComponentUpdated(["t"], {})),
        value_delta("t", "t", "c"),
    ]
    state = fold(events)
    assert state == one_by_one(events, ThreadState())
    assert state.items["t"].to_json()["widget"]["value"] == "abc"
    assert [one.position for one in state.anomalies] == [2, 3]


def test_a_sweep_over_a_run_with_such_a_delta() -> None:
    events = [added(message("m", "a")), *texts("b", "c", None, "d", "e")]
    figures = [stop.seen.characters for stop in sweep(events, [policies.KEEP], "ended")]
    assert figures == [0, 1, 2, 3, 3, 4, 5]


def test_an_id_of_a_class_of_its_own_is_as_good_as_a_text() -> None:
    class Id(str):
        __slots__ = ()

    event = e.ThreadItemUpdated(Id("m"), text_delta("m", "!").update)
    for state in (fold([event], fold(BEFORE)), reduce(fold(BEFORE), event)):
        assert state.anomalies == ()
        assert state.items["m"].to_json()["content"] == [part("ab!")]


def test_what_is_as_good_as_a_text_is_taken() -> None:
    class Text(str):
        __slots__ = ()

    events = [added(message("m")), *texts(Text("a"), "b", Text("c")), part_done("m", part("ab"))]
    assert fold(events).anomalies == ()
    assert fold(events) == one_by_one(events, ThreadState())
    index: Any = Number.ONE
    assert fold([added(message("m", "a")), *texts("b", index=index)]).anomalies == ()


@pytest.mark.parametrize(
    ("event", "name", "item_id", "problem"),
    [
        (own.ThreadItemAdded(None), "thread.item.added", None, "`item` to be a JSON object"),
        (own.ThreadItemUpdated("m", None), "thread.item.updated", "m", "`update` to be an"),
        (own.ThreadItemUpdated(["m"], text_delta("m", "a").update),
         "assistant_message.content_part.text_delta", None, "`item_id` to be a string"),
        (own.ThreadItemUpdated("m", own.UnknownUpdate(None)), "thread.item.updated", "m",
         "a JSON object, got null"),
        (own.ThreadItemUpdated("m", own.UnknownUpdate({})), "thread.item.updated", "m",
         "a string `type`, got null"),
        (own.UnknownEvent([]), "UnknownEvent", None, "a JSON object, got a value of class list"),
        (own.ThreadCreated("x"), "thread.created", None, "`thread` to be a JSON object"),
        (own.ProgressUpdate(5), "progress_update", None, "`text` to be a string, got a"),
        (own.ProgressUpdate("x", 5), "progress_update", None, "`icon` to be a string or null"),
        (own.ErrorEvent(allow_retry=1), "error", None, "`allow_retry` to be true or false"),
        (task_added("f", task("x"), True), "workflow.task.added", "f", "whole number, got true or"),
        (own.ThreadItemUpdated("i", own.GeneratedImageUpdated(5)), "generated_image.updated", "i",
         "`image` to be a JSON object, got a whole number"),
    ],
)  # fmt: skip
def test_what_is_said(event: Any, name: str, item_id: str | None, problem: str) -> None:
    state = fold([event], fold(BEFORE))
    [anomaly] = state.anomalies
    assert anomaly.kind is AnomalyKind.UNREADABLE
    assert (anomaly.event, anomaly.item_id) == (name, item_id)
    assert problem in anomaly.problem
    with pytest.raises(EncodeError, match="the event cannot be written as JSON: expected "):
        encode(event)


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (own.ThreadItemUpdated("m", own.AssistantMessageContentPartTextDelta(0, None)),
         "expected `delta` to be a string"),
        (own.ThreadItemRemoved("m", extra={"a": 1}), "expected `extra` to be of class Extra"),
        (own.ThreadItemRemoved("m", extra=own.Extra({"item_id": "n"})), "`extra` holds 'item_id'"),
        (own.ThreadItemUpdated("m", own.GeneratedImageUpdated({}, extra=own.Extra(type="x"))),
         "`extra` holds 'type', which generated_image.updated has already"),
        (own.UnknownEvent({"type": "thread.item.removed"}), "missing required field `item_id`"),
        (own.ThreadItemUpdated("m", own.UnknownUpdate({"type": "widget.root.updated"})), "widget"),
    ],
)  # fmt: skip
def test_what_cannot_be_written(event: Any, problem: str) -> None:
    with pytest.raises(EncodeError, match=f"^the event cannot be written as JSON: .*{problem}"):
        encode(event)


def test_an_unknown_event_of_a_known_type_is_written_if_it_can_be_read() -> None:
    event = e.UnknownEvent({"type": "thread.item.removed", "item_id": "m"})
    assert decode(encode(event)) == e.ThreadItemRemoved("m")


def test_a_bug_is_not_taken_for_a_misformed_event() -> None:
    class Broken(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise TypeError("a bug")

    with pytest.raises(TypeError, match="a bug"):
        reduce(ThreadState(), e.ThreadItemAdded(Broken(item("x", "new"))))
