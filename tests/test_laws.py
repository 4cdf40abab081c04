"""The laws of the core, for every stream: sound, hostile, or recorded with pieces missing.

1. `reduce` never changes what it was given; equal inputs give equal outputs; unchanged parts keep
   their identity.
2. `fold(a + b) == fold(b, fold(a))`, and folding is reducing one by one.
3. Splitting or joining text deltas changes nothing.
8. `decode(encode(e)) == e`, and what is unknown comes back unchanged.

The other laws are tested beside what they are about.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, pairwise
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import ThreadState, decode, encode, fold, reduce
from chatkit_reducer import events as e
from chatkit_reducer.codec import from_json, to_json
from chatkit_reducer.errors import AnomalyError
from chatkit_reducer.testing import strategies as chatkit

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
HOSTILE = stopped(chatkit.hostile_streams(max_events=20))
ANY = SOUND | HOSTILE
UNREADABLE = st.builds(
    e.Unreadable, st.integers(0, 9), st.just("no JSON"), st.text("{}x", max_size=3)
)
LOOKS = st.lists(st.booleans(), max_size=5)
"""Whether somebody reads the state, event by event: reading may change how it is held."""


def text(value: Any) -> str:
    """JSON text, in which `True` is not 1 and 1 is not 1.0."""
    return json.dumps(value, sort_keys=True)


def on_paper(state: ThreadState) -> list[Any]:
    """All that a state says."""
    return [
        [[item_id, text(item.to_json())] for item_id, item in state.items.items()],
        state.pending,
        [[item_id, text(item.to_json())] for item_id, item in state.bases.items()],
        [text(anomaly.to_json()) for anomaly in state.anomalies],
        text([state.thread, state.stream_options]),
        state.error,
        state.progress,
        state.position,
    ]


def one_by_one(
    events: Iterable[e.Event | e.Unreadable], state: ThreadState, looks: list[bool]
) -> Iterator[ThreadState]:
    """The state after each event."""
    for event, look in zip(events, cycle(looks or [False]), strict=False):
        state = reduce(state, event)
        if look:
            on_paper(state)
        yield state


# --- law 1 ----------------------------------------------------------------------------------------


@given(ANY, LOOKS)
def test_folding_changes_no_event(events: Events, looks: list[bool]) -> None:
    before = [text(to_json(event)) for event in events]
    list(one_by_one(events, ThreadState(), looks))
    fold(events)
    assert [text(to_json(event)) for event in events] == before


@given(ANY, LOOKS)
def test_a_state_stays_as_it_was_when_later_ones_are_made_of_it(
    events: Events, looks: list[bool]
) -> None:
    states = list(one_by_one(events, ThreadState(), looks))
    for count, state in reversed(list(enumerate(states, 1))):
        *_, fresh = one_by_one(events[:count], ThreadState(), [])
        assert on_paper(state) == on_paper(fresh)


@given(ANY)
def test_equal_inputs_give_equal_outputs(events: Events) -> None:
    copied = [from_json(json.loads(text(to_json(event)))) for event in events]
    assert copied == events
    pairs = zip(
        one_by_one(events, ThreadState(), [True]),
        one_by_one(copied, ThreadState(), [False]),
        strict=True,
    )
    for state, same in pairs:
        assert state == same
        assert on_paper(state) == on_paper(same)


def touched_by(event: e.Event | e.Unreadable) -> set[Any]:
    """The ids of the items that an event is about."""
    if isinstance(event, e.ThreadItemUpdated | e.ThreadItemRemoved):
        return {event.item_id}
    if isinstance(event, e.ThreadItemAdded | e.ThreadItemDone | e.ThreadItemReplaced):
        return {text(event.item.get("id")).strip('"')}
    if isinstance(event, e.ThreadCreated):
        listed = event.thread["items"]["data"]
        return {text(item.get("id")).strip('"') for item in listed if isinstance(item, dict)}
    return set()


@given(ANY, LOOKS)
def test_items_that_an_event_is_not_about_keep_their_identity(
    events: Events, looks: list[bool]
) -> None:
    states = [start := ThreadState(), *one_by_one(events, start, looks)]
    for event, (before, after) in zip(events, pairwise(states), strict=True):
        for item_id in after.items.keys() - touched_by(event):
            assert after.items[item_id] is before.items[item_id]


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


@given(ANY, LOOKS)
def test_an_event_that_changes_nothing_returns_the_very_same_state(
    events: Events, looks: list[bool]
) -> None:
    states = [start := ThreadState(), *one_by_one(events, start, looks)]
    for event, (before, after) in zip(events, pairwise(states), strict=True):
        if not isinstance(event, e.ThreadCreated):  # which is one event for each of its items
            assert (after == before) == (after is before)


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


@given(recorded(), st.lists(st.integers(0, 40), max_size=3), LOOKS)
def test_a_fold_may_be_cut_anywhere(
    events: list[e.Event | e.Unreadable], cuts: list[int], looks: list[bool]
) -> None:
    places = [0, *sorted(cut % (len(events) + 1) for cut in cuts), len(events)]
    state = ThreadState()
    pieces = zip(places, places[1:], cycle(looks or [False]), strict=False)
    for start, end, look in pieces:
        state = fold(events[start:end], state)
        if look:
            on_paper(state)
    whole = fold(iter(events))
    assert state == whole
    assert on_paper(state)[:-1][:3] == on_paper(whole)[:-1][:3]


@given(recorded(), LOOKS)
def test_a_fold_is_reducing_one_by_one(
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
    assert on_paper(state)[:-1] == on_paper(folded)[:-1]  # with the positions of the anomalies


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

Delta = e.AssistantMessageContentPartTextDelta | e.WidgetStreamingTextValueDelta


def split(events: Events, cuts: list[int]) -> Iterator[e.Event]:
    """The same text in more deltas; a cut of 0 makes an empty one."""
    places = cycle(cuts or [1])
    for event in events:
        if not isinstance(event, e.ThreadItemUpdated) or not isinstance(event.update, Delta):
            yield event
            continue
        update = event.update
        at, done = next(places) % (len(update.delta) + 1), getattr(update, "done", False)
        first = with_delta(update, update.delta[:at], done=False)
        second = with_delta(update, update.delta[at:], done=done)
        yield e.ThreadItemUpdated(event.item_id, first)
        yield e.ThreadItemUpdated(event.item_id, second)


def joined(events: Events) -> Iterator[e.Event]:
    """The same text in fewer deltas: those that follow each other for the same text, in one."""
    before: e.Event | None = None
    for event in events:
        together = None if before is None else join(before, event)
        if together is not None:
            before = together
            continue
        if before is not None:
            yield before
        before = event
    if before is not None:
        yield before


def join(one: e.Event, other: e.Event) -> e.Event | None:
    """Both deltas in one, if both are deltas for the same text."""
    if not isinstance(one, e.ThreadItemUpdated) or not isinstance(other, e.ThreadItemUpdated):
        return None
    first, second = one.update, other.update
    if not isinstance(first, Delta) or not isinstance(second, Delta) or place(one) != place(other):
        return None
    done = getattr(first, "done", False) or getattr(second, "done", False)
    both = with_delta(first, first.delta + second.delta, done=done)
    return e.ThreadItemUpdated(one.item_id, both)


def place(event: e.ThreadItemUpdated) -> tuple[object, ...]:
    """Which text the delta is for."""
    names = ("content_index", "component_id")
    return event.item_id, *(getattr(event.update, name, None) for name in names)


def with_delta(update: Delta, delta: str, *, done: bool) -> Delta:
    if isinstance(update, e.AssistantMessageContentPartTextDelta):
        return e.AssistantMessageContentPartTextDelta(update.content_index, delta)
    return e.WidgetStreamingTextValueDelta(update.component_id, delta, done)


def assert_same_but_for_repeats(state: ThreadState, other: ThreadState) -> None:
    """A delta that does not fit leaves an anomaly each, so two of them leave two."""
    assert on_paper(state)[:3] == on_paper(other)[:3]
    assert on_paper(state)[4:-1] == on_paper(other)[4:-1]
    assert list(dict.fromkeys(state.anomalies)) == list(dict.fromkeys(other.anomalies))


@given(ANY, st.lists(st.integers(0, 12), max_size=5))
def test_splitting_deltas_changes_nothing(events: Events, cuts: list[int]) -> None:
    pieces = list(split(events, cuts))
    assert_same_but_for_repeats(fold(pieces), fold(events))
    *_, state = one_by_one(pieces, ThreadState(), []) if pieces else [ThreadState()]
    assert_same_but_for_repeats(state, fold(events))


@given(ANY)
def test_joining_deltas_changes_nothing(events: Events) -> None:
    assert_same_but_for_repeats(fold(joined(events)), fold(events))


@given(SOUND, st.lists(st.integers(0, 12), max_size=5))
def test_split_and_joined_again_a_sound_stream_has_the_same_state(
    events: Events, cuts: list[int]
) -> None:
    assert fold(split(events, cuts)) == fold(joined(list(split(events, cuts)))) == fold(events)


# --- law 8 ----------------------------------------------------------------------------------------


@given(chatkit.events())
def test_an_event_comes_back_from_text(event: e.Event) -> None:
    back = decode(encode(event))
    assert back == event
    assert type(back) is type(event)
    assert text(to_json(back)) == text(to_json(event))


@given(chatkit.events())
def test_an_event_comes_back_from_plain_data(event: e.Event) -> None:
    plain = to_json(event)
    assert from_json(plain) == event
    assert text(to_json(from_json(plain))) == text(plain)


@given(HOSTILE)
def test_hostile_events_come_back(events: Events) -> None:
    for event in events:
        assert decode(encode(event)) == event
        assert from_json(to_json(event)) == event


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


@given(event_texts(), st.sampled_from([str, str.encode, lambda s: memoryview(s.encode())]))
def test_what_text_says_is_what_is_written(
    written: str, form: Callable[[str], str | bytes | memoryview]
) -> None:
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
    if not isinstance(event, e.ThreadItemUpdated) or not isinstance(event.update, Delta):
        return event
    done = getattr(event.update, "done", False)
    update = with_delta(event.update, event.update.delta + "otherwise", done=done)
    return e.ThreadItemUpdated(event.item_id, update)


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
