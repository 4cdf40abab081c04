"""`replay(log) == fold(read(log))`, and both are what `reduce` makes of the log one by one.

`replay` takes blocks of 64 KB, and where a whole block is text for one part of one message it
decodes the next with a decoder that takes nothing else. So the logs here are of two kinds: short
ones of anything; and long ones that enter such a run and leave it again, at any place and by
anything.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatkit_reducer import ThreadState, encode, fold, reduce, replay
from chatkit_reducer import events as e
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.errors import AnomalyError
from chatkit_reducer.logs import (
    JSON_LINES,
    SSE,
    Framing,
    Record,
    _replaying,
    read,
    write,
)
from chatkit_reducer.logs.block_decoding import BlockDecoder
from chatkit_reducer.testing import examples as x
from chatkit_reducer.testing import strategies as chatkit

FRAMINGS = st.sampled_from([SSE, JSON_LINES])
STREAMS = chatkit.streams() | chatkit.adversarial_streams(max_events=20)


def text(value: Any) -> str:
    """JSON text, in which `True` is not 1 and 1 is not 1.0."""
    return json.dumps(value, sort_keys=True)


def on_paper(state: ThreadState) -> list[Any]:
    """All that a state says, but for its position."""
    return [
        [[item_id, text(item.to_json())] for item_id, item in state.items.items()],
        state.pending,
        [[item_id, text(item.to_json())] for item_id, item in state.bases.items()],
        [text(anomaly.to_json()) for anomaly in state.anomalies],
        text([state.thread, state.stream_options]),
        state.error,
        state.progress,
    ]


def one_by_one(log: bytes, state: ThreadState) -> ThreadState:
    position = state.position
    for event in read(io.BytesIO(log)):
        state = reduce(state, event, position=position)
        position += not isinstance(event, e.Unreadable)
    return state


def assert_replayed(log: bytes, start: ThreadState | None = None) -> ThreadState:
    """That the three ways through a log make the same of it."""
    start = ThreadState() if start is None else start
    before = on_paper(start)
    replayed = replay(io.BytesIO(log), start)
    folded = fold(read(io.BytesIO(log)), start)
    assert replayed == folded
    assert on_paper(replayed) == on_paper(folded)
    assert replayed.position == folded.position
    assert on_paper(replayed) == on_paper(one_by_one(log, start))
    assert on_paper(start) == before
    return replayed


def log_of(events: list[e.Event], framing: Framing | None = None) -> bytes:
    file = io.BytesIO()
    write(file, events, framing=framing)
    return file.getvalue()


DAMAGE = st.tuples(
    st.integers(0, 2**20),
    st.integers(0, 60),
    st.sampled_from([b"", b"x", b"\xff", b'"', b"}", b"\n", b"{}\n", b"\r\n\r\n"]),
)


def damaged(log: bytes, damages: list[tuple[int, int, bytes]]) -> bytes:
    for place, size, instead in damages:
        at = place % (len(log) + 1)
        log = log[:at] + instead + log[at + size :]
    return log


# --- short logs ----------------------------------------------------------------------------------


@given(STREAMS, FRAMINGS)
def test_any_stream(events: list[e.Event], framing: Framing) -> None:
    log = log_of(events, framing)
    replayed = assert_replayed(log)
    assert on_paper(replayed) == on_paper(fold(events))
    assert on_paper(replay(io.BytesIO(gzip.compress(log)))) == on_paper(replayed)


@given(STREAMS, FRAMINGS, st.lists(DAMAGE, min_size=1, max_size=4))
def test_a_damaged_log(
    events: list[e.Event], framing: Framing, damages: list[tuple[int, int, bytes]]
) -> None:
    assert_replayed(damaged(log_of(events, framing), damages))


@given(chatkit.streams(max_items=2), STREAMS, FRAMINGS)
@settings(max_examples=50)
def test_a_log_that_goes_on_from_a_state(
    before: list[e.Event], events: list[e.Event], framing: Framing
) -> None:
    start = fold(before[: len(before) // 2])
    replayed = assert_replayed(log_of(events, framing), start)
    assert replayed == fold(events, start)


@given(STREAMS, FRAMINGS, st.integers(0, 40), st.lists(DAMAGE, max_size=2))
@settings(max_examples=60)
def test_until_counts_events(
    events: list[e.Event], framing: Framing, until: int, damages: list[tuple[int, int, bytes]]
) -> None:
    log = damaged(log_of(events, framing), damages)
    entries: list[e.Event | e.Unreadable] = []
    left = until
    for entry in read(io.BytesIO(log)):
        if left == 0:
            break
        entries.append(entry)
        left -= not isinstance(entry, e.Unreadable)
    replayed = replay(io.BytesIO(log), until=until)
    assert on_paper(replayed) == on_paper(fold(entries))
    if left:
        assert on_paper(replayed) == on_paper(replay(io.BytesIO(log)))


@given(STREAMS, FRAMINGS, st.lists(DAMAGE, max_size=2))
@settings(max_examples=60)
def test_strict_mode_raises_what_lenient_mode_records_first(
    events: list[e.Event], framing: Framing, damages: list[tuple[int, int, bytes]]
) -> None:
    log = damaged(log_of(events, framing), damages)
    lenient = replay(io.BytesIO(log))
    for until in (None, 10**6):
        if not lenient.anomalies:
            assert replay(io.BytesIO(log), until=until, strict=True) == lenient
            continue
        with pytest.raises(AnomalyError) as caught:
            replay(io.BytesIO(log), until=until, strict=True)
        assert caught.value.anomaly.to_json() == lenient.anomalies[0].to_json()


def test_a_state_is_returned_as_it_is_where_nothing_changes() -> None:
    state = fold([x.added(x.message("m", "Hi"))])
    assert replay(io.BytesIO(b""), state) is state
    assert replay(io.BytesIO(log_of([e.Notice("info", "x")])), state) is state
    assert replay(io.BytesIO(log_of([x.text_delta("m", "")])), state) is state
    assert replay(io.BytesIO(log_of([x.removed("m")])), state, until=0) is state


def test_a_negative_number_of_events_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative: -2"):
        replay(io.BytesIO(b""), until=-2)


# --- long logs -----------------------------------------------------------------------------------

START: list[e.Event] = [
    e.ThreadCreated({"id": "thr_1"}),
    e.StreamOptions({"allow_cancel": True}),
    x.added(x.message("n", "other", "more")),
    x.added(x.message("m", "")),
    x.part_added("m", x.part("")),
]
UNKNOWN_FIELD = e.ThreadItemUpdated(
    "m", e.AssistantMessageContentPartTextDelta(0, "?", extra=e.Extra({"x": 1}))
)
LEAVINGS: list[e.Event | bytes] = [
    x.text_delta("m", "!", index=1),
    x.text_delta("m", "!", index=-1),
    x.text_delta("m", "!", index=2**31),
    x.text_delta("n", "!"),
    x.text_delta("n", "!", index=1),
    x.text_delta("nobody", "!"),
    x.part_done("m", x.part("final")),
    x.part_added("m", x.part("anew")),
    x.part_added("m", {"type": "output_text", "text": None}),
    x.annotation_added("m", x.citation("a"), 0),
    x.removed("m"),
    x.added(x.message("m", "once more")),
    x.done(x.message("m", "all of it")),
    x.done({"id": "m", "type": "assistant_message", "content": 7}),
    x.replaced(x.widget("m", {"type": "Card"})),
    x.removed("n"),
    x.updated("m", e.UnknownUpdate({"type": "new.update"})),
    x.updated("n", e.WidgetRootUpdated({"type": "Card"})),
    UNKNOWN_FIELD,
    e.ThreadItemUpdated(
        "m", e.AssistantMessageContentPartTextDelta(0, "?"), extra=e.Extra({"item": "n"})
    ),
    e.UnknownEvent({"type": "new"}),
    e.ProgressUpdate("working"),
    e.Notice("info", "x"),
    e.ErrorEvent("stream.error"),
    b"{",
    b"[]",
    b'{"type":"thread.item.updated","item_id":"m"}',
    encode(x.text_delta("m", "1")).replace(b'"1"', b"1"),
    b'{"seq":1,"event":%b}' % encode(x.text_delta("m", "enveloped")),
    json.dumps(to_json(x.text_delta("m", "in another order")), sort_keys=True).encode(),
    b"",
]


def delta_texts() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield "" if number % 5 == 0 else f"{number} " + "x" * (number % 40)


def long_log(around: bytes, insertions: list[tuple[int, int]], count: int = 2600) -> bytes:
    """A long answer, with something else at some places of it; about six blocks."""
    texts = delta_texts()
    parts: list[e.Event | bytes] = [
        *START,
        *[x.text_delta("m", next(texts)) for _ in range(count)],
    ]
    for place, which in sorted(insertions, reverse=True):
        parts.insert(len(START) + place % count, LEAVINGS[which])
    return b"".join([around % (one if type(one) is bytes else encode(one)) for one in parts])  # type: ignore[arg-type]


AROUND = st.sampled_from([b"data: %b\n\n", b"%b\n", b"data: %b\r\n\r\n", b'{"seq":1,"event":%b}\n'])
PLACES = st.integers(0, 2599)


@pytest.mark.parametrize("which", range(len(LEAVINGS)))
@pytest.mark.parametrize("around", [b"data: %b\n\n", b"%b\n"])
def test_a_run_of_text_is_left_by_anything(which: int, around: bytes) -> None:
    assert_replayed(long_log(around, [(1500, which)], 1900))


@given(AROUND, st.lists(st.tuples(PLACES, st.sampled_from(range(len(LEAVINGS)))), max_size=4))
@settings(max_examples=12)
def test_runs_of_text_are_entered_and_left(
    around: bytes, insertions: list[tuple[int, int]]
) -> None:
    assert_replayed(long_log(around, insertions))


@given(AROUND, st.lists(DAMAGE, min_size=1, max_size=4))
@settings(max_examples=10)
def test_a_long_damaged_log(around: bytes, damages: list[tuple[int, int, bytes]]) -> None:
    assert_replayed(damaged(long_log(around, []), damages))


@given(
    st.lists(st.tuples(PLACES, st.sampled_from(range(len(LEAVINGS)))), max_size=3),
    st.integers(0, 2700),
)
@example([], 2605)
@settings(max_examples=8)
def test_a_long_log_until_somewhere(insertions: list[tuple[int, int]], until: int) -> None:
    log = long_log(b"data: %b\n\n", insertions)
    events = [event for event in read(io.BytesIO(log)) if not isinstance(event, e.Unreadable)]
    replayed = replay(io.BytesIO(log), until=until)
    assert replayed.items == fold(events[:until]).items
    assert replayed.position == min(until, len(events))


def test_a_long_run_in_strict_mode() -> None:
    log = long_log(b"%b\n", [(2000, LEAVINGS.index(b"{"))])
    with pytest.raises(AnomalyError) as caught:
        replay(io.BytesIO(log), strict=True)
    anomaly = caught.value.anomaly
    assert (anomaly.position, anomaly.line) == (2000 + len(START), 2001 + len(START))
    sound = long_log(b"%b\n", [])
    assert replay(io.BytesIO(sound), strict=True).anomalies == ()


def test_a_run_that_a_state_goes_on_with() -> None:
    start = fold([*START, x.text_delta("m", "before ")])
    events: list[e.Event] = [x.text_delta("m", f"{n} ") for n in range(3000)]
    replayed = assert_replayed(log_of(events), start)
    whole = "before " + "".join(f"{n} " for n in range(3000))
    assert replayed.items["m"].to_json()["content"][0]["text"] == whole
    assert start.items["m"].to_json()["content"][0]["text"] == "before "


@pytest.mark.parametrize("framing", [SSE, JSON_LINES])
def test_a_run_of_empty_deltas_changes_nothing(framing: Framing) -> None:
    events: list[e.Event] = [*START, *[x.text_delta("m", "")] * 2000, x.removed("z")]
    replayed = assert_replayed(log_of(events, framing))
    assert [anomaly.position for anomaly in replayed.anomalies] == [len(events) - 1]
    assert replay(io.BytesIO(log_of([x.text_delta("m", "")] * 2000)), fold(START)) == fold(START)


def test_two_messages_in_turn_and_a_run_after_each() -> None:
    events = [*START]
    for index, item_id in enumerate(["m", "n", "m", "n"]):
        events += [x.text_delta(item_id, f"{n} ", index=index // 2) for n in range(1500)]
    assert_replayed(log_of(events))


def test_a_long_run_for_a_message_that_is_not_there() -> None:
    events: list[e.Event] = [x.text_delta("nobody", "x") for _ in range(1500)]
    assert len(assert_replayed(log_of(events)).anomalies) == 1500


# --- the decoder for runs ------------------------------------------------------------------------


class Counting:
    """Counts the decoders made for runs, and how many blocks went to one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[str, int]] = []
        self.tried = self.taken = 0
        self._made: list[Any] = []
        self._make: Callable[..., Any] = _replaying._run_decoder
        self._values: Callable[..., Any] = BlockDecoder.values
        monkeypatch.setattr(_replaying, "_run_decoder", self.make)
        counting = self

        def values(decoder: BlockDecoder, block: Any, elements: Any) -> Any:
            return counting.values(decoder, block, elements)

        monkeypatch.setattr(BlockDecoder, "values", values)

    def make(self, item_id: str, content_index: int) -> Any:
        self.made.append((item_id, content_index))
        decoder = self._make(item_id, content_index)
        self._made.append(decoder)
        return decoder

    def values(self, decoder: BlockDecoder, block: Any, elements: Any) -> Any:
        result = self._values(decoder, block, elements)
        if isinstance(block, bytes) and any(elements is one for one in self._made):
            self.tried += 1
            self.taken += result is not None
        return result


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(monkeypatch)


@pytest.mark.parametrize("around", [b"data: %b\n\n", b"%b\n"])
@pytest.mark.parametrize("events", [1, len(START)])
def test_a_long_answer_is_read_by_the_decoder_for_runs(
    counting: Counting, around: bytes, events: int
) -> None:
    """Else these tests would test nothing, and a replay would be slower than it can be."""
    log = long_log(around, [])
    if events == 1:
        log = log[log.index(around % encode(START[3])) :]
    blocks = len(log) // 65536
    replay(io.BytesIO(log))
    assert counting.made == [("m", 0)]
    assert counting.taken >= blocks - 2


@pytest.mark.parametrize("leaving", [x.text_delta("m", "!", index=1), UNKNOWN_FIELD])
def test_a_run_is_left_in_the_middle_of_a_block_and_entered_again(
    counting: Counting, leaving: e.Event
) -> None:
    log = long_log(b"%b\n", [(1500, LEAVINGS.index(leaving))], 5200)
    replay(io.BytesIO(log))
    assert counting.made == [("m", 0), ("m", 0)]
    assert counting.tried == counting.taken + 1


def test_updates_of_several_items_in_turn_make_no_decoder_for_runs(counting: Counting) -> None:
    events: list[e.Event] = [*START]
    for n in range(2000):
        events += [x.text_delta("m", f"{n}"), x.text_delta("n", f"{n}")]
    replay(io.BytesIO(log_of(events)))
    assert counting.made == []


def test_envelopes_are_replayed() -> None:
    file = io.BytesIO()
    events = [*START, *[x.text_delta("m", f"{n}") for n in range(2000)], x.removed("z")]
    write(file, [Record(event, sequence=n, thread="t") for n, event in enumerate(events)])
    replayed = assert_replayed(file.getvalue())
    assert on_paper(replayed) == on_paper(fold(events))
