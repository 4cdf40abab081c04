"""The laws of the core, for every stream: sound, hostile, or recorded with pieces missing.

1. `reduce` never changes what it was given; equal inputs give equal outputs; unchanged parts keep
   their identity.
2. `fold(a + b) == fold(b, fold(a))`, and folding is reducing one by one.
3. Splitting or joining text deltas changes nothing.
8. `decode(encode(e)) == e`, and what is unknown comes back unchanged.

The other laws are tested beside their subjects. `chatkit_reducer.testing.conformance.laws` has the
laws as functions, and `tests/testing/conformance/test_laws.py` shows that they find broken code.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chatkit_reducer import ThreadState, decode, encode, fold, reduce
from chatkit_reducer import events as e
from chatkit_reducer.core.codec import from_json, to_json
from chatkit_reducer.errors import AnomalyError
from chatkit_reducer.events import Json
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.conformance import laws

Events = list[e.Event]

WHOLE = st.one_of(
    chatkit.streams(),
    chatkit.streams(types=["assistant_message"], max_items=2, max_updates=16),
    chatkit.streams(types=["widget"], max_items=2, max_updates=16),
)


@st.composite
def stopped(draw: st.DrawFn, streams: st.SearchStrategy[Events]) -> Events:
    """The first so many events of a stream: when all is done, much that went before is hidden."""
    events = draw(streams)
    return events[: len(events) - draw(st.integers(0, 12)) % (len(events) + 1)]


SOUND = stopped(WHOLE)
HOSTILE = stopped(chatkit.adversarial_streams(max_events=20))
ANY = SOUND | HOSTILE
UNREADABLE = st.builds(
    e.Unreadable, st.integers(0, 9), st.just(1), st.just("no JSON"), st.text("{}x", max_size=3)
)
LOOKS = st.lists(st.booleans(), max_size=5)
"""Whether somebody reads the state, event by event: reading may change how it is held."""


def text(value: Any) -> str:
    """JSON text, in which `True` is not 1 and 1 is not 1.0."""
    return json.dumps(value, sort_keys=True)


def on_paper(state: ThreadState) -> Json:
    """All that a state says."""
    return laws.canonical_json(state, positions=True)


def reducing(looks: list[bool]) -> laws.Reduce:
    """`reduce`, and somebody who reads the state after some events."""
    turns = cycle(looks or [False])

    def reduce_and_look(state: ThreadState, event: e.Event | e.Unreadable) -> ThreadState:
        after = reduce(state, event)
        if next(turns):
            on_paper(after)
        return after

    return reduce_and_look


def folding(looks: list[bool]) -> laws.Fold:
    """`fold`, and somebody who reads some of the states."""
    turns = cycle(looks or [False])

    def fold_and_look(
        events: Iterable[e.Event | e.Unreadable], state: ThreadState | None = None
    ) -> ThreadState:
        after = fold(events, state)
        if next(turns):
            on_paper(after)
        return after

    return fold_and_look


# --- law 1 ----------------------------------------------------------------------------------------


@pytest.mark.law
@given(ANY, LOOKS)
def test_reduce_is_pure(events: Events, looks: list[bool]) -> None:
    laws.reduce_is_pure(events, reduce=reducing(looks))


@given(ANY)
def test_an_equal_event_is_as_good(events: Events) -> None:
    copied = [from_json(json.loads(text(to_json(event)))) for event in events]
    assert copied == events
    assert fold(copied) == fold(events)


@pytest.mark.law
@given(ANY, LOOKS)
def test_unchanged_parts_keep_their_identity(events: Events, looks: list[bool]) -> None:
    laws.unchanged_parts_keep_their_identity(events, reduce=reducing(looks))


@pytest.mark.parametrize("look", [True, False])
@pytest.mark.parametrize(
    "event",
    [
        e.ProgressUpdate("x"),
        e.ThreadUpdated({"id": "thread_1"}),
        e.ErrorEvent(),
        e.ThreadItemRemoved("no such item"),
        e.ThreadItemAdded({"id": "other", "type": "task"}),
        e.ThreadCreated({"items": {"data": [{"id": "other", "type": "task"}]}}),
    ],
)
@pytest.mark.parametrize("run", ["text", "value", "task"])
@pytest.mark.parametrize("steps", [True, False])
def test_an_item_that_streams_keeps_its_identity_too(
    run: str, steps: bool, event: e.Event, look: bool
) -> None:
    before = fold_one_by_one(ThreadState(), _RUNS[run]) if steps else fold(_RUNS[run])
    [item_id] = before.pending
    if look:
        on_paper(before)
    after = reduce(before, event)
    assert after.items[item_id] is before.items[item_id]


@given(chatkit.items(), st.booleans())
def test_an_untouched_item_is_what_was_added(item: dict[str, Any], stored: bool) -> None:
    before = text(item)
    state = (
        ThreadState.from_items([item]) if stored else reduce(ThreadState(), e.ThreadItemAdded(item))
    )
    written = state.items[item["id"]].to_json()
    assert text(written) == before
    _scribble_over(written)
    assert text(state.items[item["id"]].to_json()) == before
    assert text(item) == before


def _scribble_over(value: Any) -> None:
    for inner in list(value.values()) if isinstance(value, dict) else list(value):
        if isinstance(inner, dict | list):
            _scribble_over(inner)
    value.clear()


@given(ANY, ANY)
def test_what_a_state_gives_away_is_a_copy(events: Events, more: Events) -> None:
    state = fold(events)
    before = on_paper(state)
    for item in state.items.values():
        _scribble_over(item.to_json())
    for value in (state.thread, state.stream_options):
        _scribble_over(value or {})
    assert on_paper(state) == before
    assert fold(more, state) == fold(events + more)


# --- law 2 ----------------------------------------------------------------------------------------


@st.composite
def recorded(draw: st.DrawFn) -> list[e.Event | e.Unreadable]:
    """A stream as a damaged log brings it."""
    events: list[e.Event | e.Unreadable] = list(draw(ANY))
    for where, piece in draw(st.lists(st.tuples(st.integers(0, 40), UNREADABLE), max_size=2)):
        events.insert(where % (len(events) + 1), piece)
    return events


@pytest.mark.law
@given(recorded(), st.lists(st.integers(0, 40), max_size=3), LOOKS)
def test_a_fold_may_be_cut_anywhere(
    events: list[e.Event | e.Unreadable], cuts: list[int], looks: list[bool]
) -> None:
    laws.a_fold_may_be_cut_anywhere(events, cuts=cuts, fold=folding(looks))


@pytest.mark.law
@given(recorded(), LOOKS)
def test_fold_is_reduce_one_by_one(events: list[e.Event | e.Unreadable], looks: list[bool]) -> None:
    laws.fold_is_reduce_one_by_one(events, reduce=reducing(looks))


@given(recorded(), LOOKS)
def test_they_find_an_anomaly_at_the_same_place(
    events: list[e.Event | e.Unreadable], looks: list[bool]
) -> None:
    state, position = ThreadState(), 0
    for event, look in zip(events, cycle(looks or [False]), strict=False):
        state = reduce(state, event, position=position)
        position += not isinstance(event, e.Unreadable)  # a log's damage is no event of the stream
        if look:
            on_paper(state)
    folded = fold(events)
    assert state == folded
    papers = [{**on_paper(one), "position": None} for one in (state, folded)]
    assert text(papers[0]) == text(papers[1])  # with the positions of the anomalies


@given(recorded())
def test_without_a_position_the_state_counts_the_events_that_changed_it(
    events: list[e.Event | e.Unreadable],
) -> None:
    state, count = ThreadState(), 0
    for event in events:
        after = reduce(state, event)
        for anomaly in after.anomalies[len(state.anomalies) :]:
            assert anomaly.position == count
        if after is not state and not isinstance(event, e.Unreadable):
            count += 1
        assert after.position == count
        state = after


@given(recorded())
def test_strict_mode_raises_what_lenient_mode_records_first(
    events: list[e.Event | e.Unreadable],
) -> None:
    lenient = fold(events)
    if not lenient.anomalies:
        assert fold(events, strict=True) == lenient
        return
    with pytest.raises(AnomalyError) as caught:
        fold(events, strict=True)
    assert caught.value.anomaly.to_json() == lenient.anomalies[0].to_json()


@pytest.mark.parametrize("run", ["none", "progress", "text", "value", "task"])
@pytest.mark.parametrize("stranger", [None, {"type": "notice"}, b"{}"])
def test_what_is_no_event_is_refused_wherever_it_stands(run: str, stranger: Any) -> None:
    with pytest.raises(TypeError):
        fold([*_RUNS[run], stranger, *_RUNS[run]])
    with pytest.raises(TypeError):
        reduce(fold(_RUNS[run]), stranger)


@pytest.mark.parametrize("run", ["none", "text", "value", "task"])
@pytest.mark.parametrize("error", [AttributeError, KeyError, ValueError, RuntimeError])
def test_an_error_of_the_source_passes_through(run: str, error: type[Exception]) -> None:
    def source() -> Iterator[e.Event]:
        yield from _RUNS[run]
        raise error("the connection is gone")

    with pytest.raises(error, match="the connection is gone"):
        fold(source())


# --- law 3 ----------------------------------------------------------------------------------------


@pytest.mark.law
@given(ANY, st.lists(st.integers(0, 12), max_size=5), LOOKS)
def test_deltas_may_be_split(events: Events, cuts: list[int], looks: list[bool]) -> None:
    laws.deltas_may_be_split(events, cuts=cuts)
    laws.deltas_may_be_split(events, cuts=cuts, fold=one_by_one(reducing(looks)))


def one_by_one(reduce: laws.Reduce) -> laws.Fold:
    """The fold that is nothing but this."""

    def fold(events: Iterable[e.Event | e.Unreadable], state: ThreadState) -> ThreadState:
        for event in events:
            state = reduce(state, event)
        return state

    return fold


@pytest.mark.law
@given(ANY, st.lists(st.integers(0, 12), max_size=5))
def test_deltas_may_be_joined(events: Events, cuts: list[int]) -> None:
    laws.deltas_may_be_joined(events)
    laws.deltas_may_be_joined(list(laws.with_deltas_split(events, cuts)))


@given(SOUND, st.lists(st.integers(0, 12), max_size=5))
def test_split_and_joined_again_a_sound_stream_has_the_same_state(
    events: Events, cuts: list[int]
) -> None:
    pieces = list(laws.with_deltas_split(events, cuts))
    assert fold(pieces) == fold(laws.with_deltas_joined(pieces)) == fold(events)


# --- law 8 ----------------------------------------------------------------------------------------


@pytest.mark.law
@given(chatkit.events())
def test_an_event_comes_back(event: e.Event) -> None:
    laws.codec_loses_nothing(event)
    laws.codec_loses_nothing(event, decode=from_json, encode=to_json)
    assert text(to_json(decode(encode(event)))) == text(to_json(event))
    assert text(to_json(from_json(to_json(event)))) == text(to_json(event))


@given(HOSTILE)
def test_hostile_events_come_back(events: Events) -> None:
    for event in events:
        laws.codec_loses_nothing(event)
        laws.codec_loses_nothing(event, decode=from_json, encode=to_json)


@st.composite
def event_texts(draw: st.DrawFn) -> str:
    """An event as some server writes it, with fields of tomorrow at any depth."""
    plain = json.loads(text(to_json(draw(chatkit.events()))))
    objects = list(_objects_in(plain))
    names = st.sampled_from(["x", "extra", "(extra)", "json", "new field", "\u0000", "\U0001f600"])
    for place, name in draw(st.lists(st.tuples(st.integers(0, 30), names), max_size=3)):
        objects[place % len(objects)].setdefault(name, draw(chatkit.json_values(max_leaves=3)))
    return json.dumps(
        plain,
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 2])),
        sort_keys=draw(st.booleans()),
    )


def _objects_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from _objects_in(inner)


@pytest.mark.law
@given(event_texts(), st.sampled_from([str, str.encode, lambda s: memoryview(s.encode())]))
def test_what_text_says_is_what_is_written(
    written: str, form: Callable[[str], str | bytes | memoryview]
) -> None:
    laws.what_is_unknown_comes_back(form(written))
    assert text(json.loads(encode(decode(form(written))))) == text(json.loads(written))


# --- old states, branches and threads -------------------------------------------------------------


@given(ANY, st.integers(0, 40), LOOKS, st.booleans())
def test_two_futures_of_one_state_do_not_meet(
    events: Events, cut: int, looks: list[bool], steps: bool
) -> None:
    cut %= len(events) + 1
    # The item that streams is held in another way by `reduce` than by `fold`.
    start = fold_one_by_one(ThreadState(), events[:cut]) if steps else fold(events[:cut])
    futures = [events[cut:], [otherwise(event) for event in events[cut:]]]
    states = [start, start]
    for number, look in zip(range(len(events) - cut), cycle(looks or [False]), strict=False):
        for which, future in enumerate(futures):
            states[which] = reduce(states[which], future[number])
            if look:
                on_paper(states[which])
    for state, future in zip(states, futures, strict=True):
        assert state == fold(events[:cut] + future)
    assert start == fold(events[:cut])


def otherwise(event: e.Event) -> e.Event:
    """Another text for the same place."""
    if not isinstance(event, e.ThreadItemUpdated) or not isinstance(
        event.update, e.AssistantMessageContentPartTextDelta | e.WidgetStreamingTextValueDelta
    ):
        return event
    update = replace(event.update, delta=event.update.delta + "otherwise")
    return replace(event, update=update)


def text_delta(delta: str) -> e.ThreadItemUpdated:
    return e.ThreadItemUpdated("m", e.AssistantMessageContentPartTextDelta(0, delta))


def value_delta(delta: str) -> e.ThreadItemUpdated:
    return e.ThreadItemUpdated("w", e.WidgetStreamingTextValueDelta("t", delta, done=False))


def citation(title: str) -> e.ThreadItemUpdated:
    source = {"type": "url", "url": "https://example.com", "title": title}
    annotation = {"type": "annotation", "source": source}
    update = e.AssistantMessageContentPartAnnotationAdded(0, 99, annotation)
    return e.ThreadItemUpdated("m", update)


_MESSAGE = {"id": "m", "type": "assistant_message", "content": []}
_TREE = {"type": "Card", "children": [{"type": "Text", "id": "t", "value": ""}]}
_TEXT_RUN: Events = [e.ThreadItemAdded(_MESSAGE), text_delta("a"), text_delta("b")]
_VALUE_RUN: Events = [
    e.ThreadItemAdded({"id": "w", "type": "widget", "widget": _TREE}),
    value_delta("a"),
    value_delta("b"),
]
_FLOW = {"id": "f", "type": "workflow", "workflow": {"type": "custom", "tasks": []}}
_TASK_RUN: Events = [
    e.ThreadItemAdded(_FLOW),
    *[
        e.ThreadItemUpdated("f", e.WorkflowTaskAdded(n, {"type": "thought", "content": str(n)}))
        for n in range(3)
    ],
]
_RUNS: dict[str, Events] = {
    "none": [],
    "progress": [e.ProgressUpdate("x")],
    "text": _TEXT_RUN,
    "value": _VALUE_RUN,
    "task": _TASK_RUN,
}


@pytest.mark.parametrize(
    ("events", "more"),
    [
        pytest.param(_TEXT_RUN, text_delta, id="text"),
        pytest.param(_VALUE_RUN, value_delta, id="value of a component"),
        pytest.param([*_TEXT_RUN, citation("first")], citation, id="annotation"),
        pytest.param([*_TEXT_RUN, e.ThreadItemRemoved("x")], e.ThreadItemRemoved, id="anomaly"),
    ],
)
@pytest.mark.parametrize("steps", [True, False])
def test_two_threads_append_to_the_same_state(
    events: Events, more: Callable[[str], e.Event], steps: bool
) -> None:
    """Each thread gives up its turn before every single instruction of this package.

    What two threads append to goes on being one list until they part: the moment between looking
    at its end and writing there is what this test is after.
    """
    for _ in range(5):
        start = fold_one_by_one(ThreadState(), events) if steps else fold(events)
        futures = [[more(f"{name}{n}") for n in range(4)] for name in "pq"]
        results = in_threads(start, futures)
        for result, future in zip(results, futures, strict=True):
            assert on_paper(result) == on_paper(fold_one_by_one(fold(events), future))
        assert on_paper(start) == on_paper(fold(events))


def fold_one_by_one(state: ThreadState, events: Events) -> ThreadState:
    for event in events:
        state = reduce(state, event)
    return state


def in_threads(start: ThreadState, futures: list[Events]) -> list[ThreadState]:
    """The states that threads, one for each future, make of the same state at the same time."""
    results: dict[int, ThreadState] = {}
    together = threading.Barrier(len(futures))

    def run(number: int) -> None:
        together.wait(timeout=10)
        sys.settrace(_give_up_the_turn)
        try:
            results[number] = fold_one_by_one(start, futures[number])
        finally:
            sys.settrace(None)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(futures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return [results[number] for number in range(len(futures))]


def _give_up_the_turn(frame: FrameType, what: str, argument: object) -> Any:
    if "chatkit_reducer" not in frame.f_code.co_filename:
        return None
    frame.f_trace_opcodes = True
    if what == "opcode":
        time.sleep(0)
    return _give_up_the_turn
