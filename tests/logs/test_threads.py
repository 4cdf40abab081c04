"""A log of several threads, taken apart."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import ThreadState, encode, fold, reduce, replay
from chatkit_reducer import events as e
from chatkit_reducer.core.codec import from_json, to_json
from chatkit_reducer.errors import AnomalyError
from chatkit_reducer.logs import (
    JSON_LINES,
    Framing,
    Record,
    encode_json_line,
    read_records,
    replay_threads,
    threads,
    write,
)
from chatkit_reducer.logs.threads import by_thread
from chatkit_reducer.testing import examples as x
from chatkit_reducer.testing import strategies as chatkit

NOTICE = e.Notice("info", "x")


def log_of(*entries: e.Event | Record, framing: Framing = JSON_LINES) -> io.BytesIO:
    file = io.BytesIO()
    write(file, entries, framing=framing)
    return io.BytesIO(file.getvalue())


def message(item_id: str, thread: str) -> dict[str, Any]:
    return {**x.message(item_id, ""), "thread_id": thread}


def routes(*entries: e.Event | Record) -> list[str | None]:
    records = [entry if isinstance(entry, Record) else Record(entry) for entry in entries]
    routed = list(by_thread(records))
    assert [record for _, record in routed] == records
    return [thread for thread, _ in routed]


# --- which thread an event belongs to ------------------------------------------------------------


@pytest.mark.parametrize("whole_item", [x.added, x.done, x.replaced])
def test_an_item_names_its_thread(whole_item: Any) -> None:
    assert routes(whole_item(message("a", "1")), whole_item(message("b", "2"))) == ["1", "2"]


@pytest.mark.parametrize("kind", [e.ThreadCreated, e.ThreadUpdated])
def test_a_thread_names_itself(kind: Any) -> None:
    assert routes(kind({"id": "1"}), NOTICE, kind({"id": "2"}), NOTICE) == ["1", "1", "2", "2"]


def test_an_update_belongs_to_the_thread_of_its_item() -> None:
    events: list[e.Event] = [x.added(message("a", "1")), x.added(message("b", "2"))]
    updates: list[e.Event] = [
        x.text_delta("a", "x"),
        NOTICE,
        x.text_delta("b", "y"),
        x.removed("a"),
        NOTICE,
    ]
    assert routes(*events, *updates) == ["1", "2", "1", "1", "2", "1", "1"]


def test_an_envelope_is_believed_before_anything_else() -> None:
    entries: list[e.Event | Record] = [
        Record(x.added(message("a", "1")), thread="9"),
        x.text_delta("a", "x"),
        Record(e.ThreadCreated({"id": "1"}), thread="8"),
        Record(x.text_delta("a", "x"), thread="7"),
        x.text_delta("a", "x"),
        Record(NOTICE, thread="6"),
        NOTICE,
    ]
    assert routes(*entries) == ["9", "9", "8", "7", "9", "6", "6"]


@pytest.mark.parametrize("odd", [None, 1, [], {}])
def test_what_names_no_thread_belongs_to_the_thread_before(odd: object) -> None:
    entries: list[e.Event] = [
        e.ThreadCreated({"id": odd}),
        x.added({**x.message("a", ""), "thread_id": odd}),
        x.added({"id": odd, "thread_id": "1"}),
        e.ThreadUpdated({"id": odd}),
        x.added({**x.message("b", ""), "thread_id": odd}),
        x.text_delta("nobody", "x"),
        e.UnknownEvent({"type": "new", "thread_id": "5"}),
    ]
    assert routes(*entries) == [None, None, "1", "1", "1", "1", "1"]


def test_what_could_not_be_read_belongs_to_the_thread_before() -> None:
    fault = Record(e.Unreadable(0, 1, "no JSON", "x"))
    assert routes(fault, x.added(message("a", "1")), fault) == [None, "1", "1"]


# --- a state for each ----------------------------------------------------------------------------


def test_each_thread_has_a_state_in_the_order_of_appearance() -> None:
    one: list[e.Event] = [
        x.added(message("a", "2")),
        x.text_delta("a", "Hi"),
        x.done(message("c", "2")),
    ]
    two: list[e.Event] = [x.added(message("b", "1")), x.text_delta("b", "Ho")]
    mixed = [one[0], two[0], one[1], two[1], one[2]]
    states = replay_threads(log_of(*mixed))
    assert list(states) == ["2", "1"]
    assert states == {"2": fold(one), "1": fold(two)}


def test_threads_that_name_items_alike_are_kept_apart_by_envelopes() -> None:
    one: list[e.Event] = [
        x.added(x.message("m", "")),
        x.text_delta("m", "Hi"),
        x.done(x.message("m", "Hi")),
    ]
    two: list[e.Event] = [x.added(x.message("m", "")), x.text_delta("m", "Ho")]
    mixed = [(one[0], "1"), (two[0], "2"), (one[1], "1"), (two[1], "2"), (one[2], "1")]
    states = replay_threads(log_of(*[Record(event, thread=thread) for event, thread in mixed]))
    assert states == {"1": fold(one), "2": fold(two)}
    assert states["1"].pending == ()
    assert states["2"].pending == ("m",)


def test_what_comes_before_any_thread_is_named_belongs_to_the_first() -> None:
    options = e.StreamOptions({"allow_cancel": True})
    states = replay_threads(
        log_of(options, x.removed("z"), e.ThreadCreated({"id": "1"}), e.ThreadCreated({"id": "2"}))
    )
    assert list(states) == ["1", "2"]
    assert states["1"].stream_options == {"allow_cancel": True}
    assert [anomaly.item_id for anomaly in states["1"].anomalies] == ["z"]
    assert states["2"].stream_options is None
    assert states["2"].anomalies == ()


def test_a_log_that_names_no_thread_is_one_thread() -> None:
    item = {"id": "a", "type": "assistant_message", "content": []}
    events: list[e.Event] = [x.added(item), x.text_delta("a", "Hi")]
    assert replay_threads(log_of(*events)) == {None: fold(events)}


def test_an_empty_log_has_no_thread() -> None:
    assert replay_threads(io.BytesIO(b"")) == {}
    assert replay_threads(log_of(NOTICE), until=0) == {}


def test_positions_count_over_the_whole_log() -> None:
    log = log_of(
        x.added(message("a", "1")),
        x.added(message("b", "2")),
        NOTICE,
        x.text_delta("a", "x", index=-1),
        x.text_delta("a", "y"),
        x.text_delta("b", "x", index=-1),
        x.removed("nobody"),
    )
    states = replay_threads(log)
    assert [anomaly.position for anomaly in states["1"].anomalies] == [3]
    assert [anomaly.position for anomaly in states["2"].anomalies] == [5, 6]


def test_a_line_that_cannot_be_read_has_its_place_in_the_log_and_no_position_of_its_own() -> None:
    one, two = (encode(x.added(message(*names))) for names in (("a", "1"), ("b", "2")))
    log = io.BytesIO(one + b"\n{}\n" + two + b"\nx\n" + encode(x.removed("c")) + b"\n")
    states = replay_threads(log)
    (first,) = states["1"].anomalies
    assert (first.position, first.line, first.offset) == (1, 2, len(one) + 1)
    assert [(a.position, a.line) for a in states["2"].anomalies] == [(2, 4), (2, None)]


@pytest.mark.parametrize("until", range(6))
def test_until_counts_the_events_of_the_whole_log(until: int) -> None:
    events: list[e.Event] = [
        x.added(message("a", "1")),
        x.added(message("b", "2")),
        x.text_delta("a", "x"),
        x.text_delta("b", "y"),
        x.removed("a"),
    ]
    states = replay_threads(log_of(*events), until=until)
    assert states == replay_threads(log_of(*events[:until]))
    assert list(states) == ["1", "2"][:until]


def test_a_negative_number_of_events_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative: -1"):
        replay_threads(log_of(NOTICE), until=-1)


def test_strict_mode_raises_at_the_first_anomaly_of_any_thread() -> None:
    log = log_of(x.added(message("a", "1")), x.added(message("b", "2")), x.removed("c"))
    with pytest.raises(AnomalyError) as caught:
        replay_threads(log, strict=True)
    assert (caught.value.anomaly.position, caught.value.anomaly.item_id) == (2, "c")


# --- any log -------------------------------------------------------------------------------------

STREAM = chatkit.streams(max_items=2) | chatkit.adversarial_streams(max_events=6)


@given(st.lists(STREAM, min_size=1, max_size=3), st.lists(st.integers(0, 2), max_size=40))
def test_threads_in_envelopes_are_what_each_is_alone(
    streams: list[list[e.Event]], turns: list[int]
) -> None:
    waiting = {str(n): list(stream) for n, stream in enumerate(streams)}
    mixed: list[Record] = []
    for turn in [*turns, *[n for n, stream in enumerate(streams) for _ in stream]]:
        thread = str(turn % len(streams))
        if waiting[thread]:
            mixed.append(Record(waiting[thread].pop(0), thread=thread))
    states = replay_threads(log_of(*mixed))
    assert states == {str(n): fold(stream) for n, stream in enumerate(streams) if stream}
    for name, state in states.items():
        own = [at for at, record in enumerate(mixed) if record.thread == name]
        alone = fold(streams[int(str(name))]).anomalies
        assert [a.position for a in state.anomalies] == [own[a.position] for a in alone]


def in_thread(event: e.Event) -> e.Event:
    """The event, naming no other thread than `thr_1`."""
    if isinstance(event, e.ThreadCreated | e.ThreadUpdated):
        return from_json({**to_json(event), "thread": {**event.thread, "id": "thr_1"}})
    if isinstance(event, e.ThreadItemAdded | e.ThreadItemDone | e.ThreadItemReplaced):
        return from_json({**to_json(event), "item": {**event.item, "thread_id": "thr_1"}})
    return event


@given(STREAM)
def test_a_log_of_one_thread_is_what_replay_makes_of_it(events: list[e.Event]) -> None:
    events = [in_thread(event) for event in events]
    states = replay_threads(log_of(*events))
    assert set(states) <= {None, "thr_1"}
    assert len(states) == bool(events)
    whole = replay(log_of(*events))
    for state in states.values():
        assert state == whole
        assert [a.to_json() for a in state.anomalies] == [a.to_json() for a in whole.anomalies]
    if not events:
        assert whole == ThreadState()


# --- piles ----------------------------------------------------------------------------------------


def one_by_one(log: io.BytesIO) -> dict[str | None, ThreadState]:
    """The states of the threads of a log, made without putting any event aside."""
    states: dict[str | None, ThreadState] = {}
    position = 0
    for thread, record in by_thread(read_records(log)):
        if None in states:
            states[thread] = states.pop(None)
        states[thread] = reduce(states.get(thread, ThreadState()), record.event, position=position)
        position += not isinstance(record.event, e.Unreadable)
    return states


@st.composite
def interleaved(draw: st.DrawFn) -> bytes:
    """Lines of several threads, in any order; not all of them say of which, or can be read."""
    waiting = {str(n): list(one) for n, one in enumerate(draw(st.lists(STREAM, max_size=3)))}
    not_a_log, named_by = draw(st.sets(st.integers(0, 60))), draw(st.sampled_from([0, 1, 2]))
    text = b""
    for n in range(sum(map(len, waiting.values()))):
        thread = draw(st.sampled_from([name for name, left in waiting.items() if left]))
        says = named_by == 1 or (named_by == 2 and n % 2 == 0)
        text += encode_json_line(waiting[thread].pop(0), thread=thread if says else None)
        text += b"rubbish\n" if n in not_a_log else b""
    return text


@given(
    interleaved(),
    st.sampled_from([(1, 0, 1), (400, 3, 900), (2**20, 1, 2**20)]),
    st.integers(1, 3),
    st.integers(0, 40),
)
def test_events_that_are_put_aside_make_the_same_states(
    text: bytes, sizes: tuple[int, int, int], foldings: int, until: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in zip(("_LITTLE", "_ENOUGH", "_MOST"), sizes, strict=True):
            patch.setattr(threads, name, value)
        patch.setattr(threads, "_MOST_FOLDERS", foldings)
        states = replay_threads(io.BytesIO(text))
        beginning = replay_threads(io.BytesIO(text), until=until)

    assert beginning == one_by_one_until(text, until)
    expected = one_by_one(io.BytesIO(text))
    assert states == expected
    assert list(states) == list(expected)
    for name_of, state in states.items():
        places = [anomaly.to_json() for anomaly in state.anomalies]
        assert places == [anomaly.to_json() for anomaly in expected[name_of].anomalies]


def one_by_one_until(text: bytes, until: int) -> dict[str | None, ThreadState]:
    kept = io.BytesIO()
    count = 0
    for line in text.splitlines(keepends=True):
        if count == until:
            break
        kept.write(line)
        count += line != b"rubbish\n"
    return one_by_one(io.BytesIO(kept.getvalue()))


def test_an_event_that_comes_again_is_noted_in_its_thread_and_turns_no_other_aside() -> None:
    one, two = (x.added(message(name, thread)) for name, thread in (("a", "1"), ("b", "2")))
    delta = x.text_delta("a", "x")
    events: list[e.Event] = [one, delta, two]
    numbered = [Record(event, None, n) for n, event in enumerate(events)]
    log = log_of(*numbered, numbered[1], Record(e.ProgressUpdate("busy"), None, 3))

    states = replay_threads(log)

    assert [anomaly.kind for anomaly in states["1"].anomalies] == ["redelivered"]
    assert states["2"].anomalies == ()
    assert states["2"].progress is not None
