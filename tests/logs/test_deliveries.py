"""An event that a log delivers twice counts once, and its anomaly says so."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatkit_reducer import AnomalyKind, ThreadState, encode, fold, reduce, replay
from chatkit_reducer import events as e
from chatkit_reducer.logs import (
    JSON_LINES,
    SSE,
    Framing,
    LogDecoder,
    Record,
    _deliveries,
    _numbers,
    encode_json_line,
    encode_sse,
    read,
    read_records,
    replay_threads,
    write,
)
from chatkit_reducer.testing import examples as x
from chatkit_reducer.testing import strategies as chatkit
from tests.support.naive_deliveries import Placed, without_repeats
from tests.support.paths import ROOT

RECORDINGS = sorted((ROOT / "docs" / "recordings").glob("*.sse"))
STREAMS = chatkit.streams(max_items=3) | chatkit.adversarial_streams(max_events=12)
FRAMINGS = st.sampled_from([SSE, JSON_LINES])
PLACES = st.integers(0, 200)


def log_of(records: list[Record], framing: Framing = JSON_LINES) -> bytes:
    file = io.BytesIO()
    write(file, records, framing=framing)
    return file.getvalue()


def counted(events: list[e.Event], start: int = 0, thread: str | None = None) -> list[Record]:
    return [Record(event, thread, number) for number, event in enumerate(events, start)]


def again(records: list[Record], start: int, size: int, at: int) -> list[Record]:
    """The log with a piece of it delivered once more, at some later place."""
    start %= len(records) + 1
    piece = records[start : start + size]
    end = start + len(piece)
    at = end + at % (len(records) - end + 1)
    return [*records[:at], *piece, *records[at:]]


def assert_all_ways_agree(data: bytes) -> ThreadState:
    """Every way from a log to a state makes the same one; with its anomalies, and their places."""
    events = list(read(io.BytesIO(data)))
    state = fold(events)
    one_by_one = ThreadState()
    for position, event in enumerate(events):
        before = sum(not isinstance(one, e.Unreadable) for one in events[:position])
        one_by_one = reduce(one_by_one, event, position=before)
    threads = replay_threads(io.BytesIO(data))
    ways = [replay(io.BytesIO(data)), one_by_one, *(threads.values() if len(threads) == 1 else [])]
    for other in ways:
        assert other == state
        assert places(other) == places(state)
    return state


def places(state: ThreadState) -> list[dict[str, Any]]:
    return [anomaly.to_json() for anomaly in state.anomalies]


def without_redeliveries(state: ThreadState) -> list[dict[str, Any]]:
    found = [one for one in state.anomalies if one.kind is not AnomalyKind.REDELIVERED]
    return [{**one.to_json(), "line": None, "offset": None} for one in found]


def in_one_thread(event: e.Event) -> e.Event:
    if isinstance(event, e.ThreadCreated | e.ThreadUpdated):
        return type(event)({**event.thread, "id": "thr_1"}, extra=event.extra)
    if isinstance(event, e.ThreadItemAdded | e.ThreadItemDone | e.ThreadItemReplaced):
        return type(event)({**event.item, "thread_id": "thr_1"}, extra=event.extra)
    return event


# --- the law --------------------------------------------------------------------------------------


@pytest.mark.law
@given(STREAMS, FRAMINGS, PLACES, st.integers(0, 12), PLACES)
@example([x.added(x.message("m", "")), *[x.text_delta("m", "a")] * 3], SSE, 2, 2, 0)
def test_delivering_a_piece_again_changes_no_item(
    events: list[e.Event], framing: Framing, start: int, size: int, at: int
) -> None:
    records = counted([in_one_thread(event) for event in events])
    log = again(records, start, size, at)

    once = assert_all_ways_agree(log_of(records, framing))
    twice = assert_all_ways_agree(log_of(log, framing))

    assert fold([record.event for record in records]) == once
    assert twice.items.entries == once.items.entries
    assert without_redeliveries(twice) == without_redeliveries(once)
    assert len(twice.anomalies) - len(once.anomalies) == len(log) - len(records)
    assert (twice.thread, twice.error, twice.progress) == (once.thread, once.error, once.progress)


@given(st.lists(STREAMS, min_size=2, max_size=3), st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_delivering_again_in_a_log_of_several_threads(
    streams: list[list[e.Event]], by_thread: bool, random: Any
) -> None:
    waiting = {f"t{n}": list(stream) for n, stream in enumerate(streams) if stream}
    log: list[Record] = []
    counts = dict.fromkeys([*waiting, "all"], 0)
    while any(waiting.values()):
        name = random.choice([name for name, left in waiting.items() if left])
        counter = name if by_thread else "all"
        log.append(Record(waiting[name].pop(0), name, counts[counter]))
        counts[counter] += 1
    more = again(log, random.randrange(99), random.randrange(9), random.randrange(99))

    once, twice = (replay_threads(io.BytesIO(log_of(one))) for one in (log, more))

    assert {k: v.items.entries for k, v in twice.items()} == {
        k: v.items.entries for k, v in once.items()
    }
    for thread, state in twice.items():
        assert without_redeliveries(state) == without_redeliveries(once[thread])


# --- which records come again ---------------------------------------------------------------------

EVENTS: list[e.Event] = [x.removed(name) for name in "abc"]
NUMBERS = st.integers(0, 4) | st.sampled_from(["", "0", "1", "01", "e-1", "e-2", "\xe9"])
ENTRIES = st.lists(
    st.builds(
        Record,
        st.sampled_from(EVENTS),
        st.sampled_from([None, "t", "u"]),
        st.none() | NUMBERS,
        st.integers(0, 3),
    ),
    max_size=24,
)


def placed(records: list[Record], framing: Framing) -> tuple[bytes, list[Placed]]:
    data, log = b"", list[Placed]()
    for record in records:
        event: Any = record.event
        if framing is SSE:
            number = None if record.sequence is None else str(record.sequence)
            text, entry = encode_sse(event, event_id=number), Record(event, sequence=number)
        else:
            text, entry = log_of([record]), record
        log.append(Placed(entry, len(data), data.count(b"\n") + 1))
        data += text
    return data, log


@pytest.mark.law
@given(ENTRIES, FRAMINGS, st.sampled_from([1, 40, 150, 500, 65_536]))
@settings(max_examples=300)
def test_in_pieces_of_any_size_the_same_records_come_again(
    records: list[Record], framing: Framing, size: int
) -> None:
    data, log = placed(records, framing)
    decoder = LogDecoder(framing)
    pieces = [data[n : n + size] for n in range(0, len(data), size)]

    found = [record for piece in pieces for record in decoder.feed(piece)] + decoder.close()

    assert found == without_repeats(log)


def kinds(records: list[Record], framing: Framing = JSON_LINES) -> list[str]:
    """For each record whether it counts."""
    found = read_records(io.BytesIO(log_of(records, framing)))
    return ["again" if isinstance(one.event, e.Redelivered) else "" for one in found]


A, B, C = EVENTS


def test_the_same_number_with_the_same_event_is_skipped_and_says_where() -> None:
    line = encode_json_line(A, sequence=7, time="now")
    other = encode_json_line(B, sequence=8)
    state = replay(io.BytesIO(line + other + line))

    *_, anomaly = state.anomalies
    assert anomaly.to_json() == {
        "kind": "redelivered",
        "event": "thread.item.removed",
        "item_id": "a",
        "problem": "the event with the number 7 was delivered before",
        "instead": "it was skipped",
        "position": 2,
        "offset": len(line + other),
        "line": 3,
    }
    assert state.position == 2


def test_the_time_of_delivery_makes_no_difference() -> None:
    assert kinds([Record(A, None, 1, 10), Record(A, None, 1, 20)]) == ["", "again"]


def test_the_order_of_keys_makes_no_difference() -> None:
    one = b'{"seq":1,"event":{"type":"thread.item.done","item":{"id":"a","type":"x"}}}\n'
    two = b'{"seq":1,"event":{"type":"thread.item.done","item":{"type":"x","id":"a"}}}\n'

    assert [type(event) for event in read(io.BytesIO(one + two))] == [
        e.ThreadItemDone,
        e.Redelivered,
    ]


def test_a_number_is_one_of_its_thread() -> None:
    records = [Record(A, "t", 1), Record(A, "u", 1), Record(A, None, 1), Record(A, "t", 1)]

    assert kinds(records) == ["", "", "", "again"]


def test_a_number_and_its_digits_are_two_ids() -> None:
    assert kinds([Record(A, None, 1), Record(A, None, "1"), Record(A, None, "01")]) == [""] * 3


def test_an_event_without_a_number_may_come_as_often_as_it_likes() -> None:
    delta = x.text_delta("m", "ha")
    for record in (Record(delta), Record(delta, "t"), Record(delta, None, "")):
        assert kinds([record] * 3) == [""] * 3
    sse = b"id:\ndata: %b\n\n" % encode(delta)
    assert list(read(io.BytesIO(sse * 3))) == [delta] * 3


def test_several_streams_in_one_file_all_count() -> None:
    begins: e.Event = e.StreamOptions({"allow_cancel": True})
    one = counted([begins, A, B, C])
    two = counted([begins, B, A])
    three = counted([begins, C, B])

    assert kinds(one + two + three) == [""] * 10


def test_what_an_earlier_stream_had_under_the_next_number_counts() -> None:
    one, two = counted([A, B, C, A]), counted([B, A, C, B])

    assert kinds(one + two) == [""] * 8
    assert kinds(one + two[:1] + one[2:] + two[1:]) == [""] * 5 + ["again"] * 2 + [""] * 3


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_recordings_behind_each_other_count_as_they_do_without_numbers(path: Path) -> None:
    first = list(read(RECORDINGS[0]))
    second = list(read(path))
    if path == RECORDINGS[0]:
        return
    plain = fold([*first, *second])
    for framing in (SSE, JSON_LINES):
        log = [*counted(first), *counted(second)]  # type: ignore[arg-type]  # all can be read
        assert replay(io.BytesIO(log_of(log, framing))).items.entries == plain.items.entries


def test_a_reconnect_that_fills_a_gap() -> None:
    events = [x.removed(str(n)) for n in range(6)]
    log = [Record(events[n], None, n) for n in (0, 1, 2, 4, 0, 1, 2, 3, 4, 5)]

    assert kinds(log) == [""] * 4 + ["again"] * 3 + ["", "again", ""]


def test_a_whole_log_that_is_delivered_again_ends_with_what_was_held() -> None:
    records = counted(EVENTS)

    assert kinds(records + records + records) == [""] * 3 + ["again"] * 6


def test_what_follows_what_is_held_waits_and_keeps_its_place() -> None:
    notice = Record(e.Notice("info", "x"))
    not_a_log = b"rubbish\n"
    data = log_of([*counted(EVENTS), Record(A, None, 0)]) + not_a_log + log_of([notice])

    events = list(read(io.BytesIO(data)))

    assert [type(one) for one in events[3:]] == [e.Redelivered, e.Unreadable, e.Notice]
    assert list(read(io.BytesIO(data + log_of([Record(C, None, 1)]))))[3:4] == [A]


def test_a_bare_run_of_deltas_waits_too() -> None:
    begin = counted([x.added(x.message("m", "")), A])
    deltas = [Record(x.text_delta("m", f"{n} ")) for n in range(2_000)]
    data = log_of([*begin, begin[0], *deltas])

    state = assert_all_ways_agree(data)

    assert state.anomalies[-1].kind is AnomalyKind.REDELIVERED
    text: Any = state.items["m"].to_json()
    assert text["content"][0]["text"] == "".join(f"{n} " for n in range(2_000))


@pytest.mark.parametrize("large", [0, 10_000])
def test_no_more_is_held_than_is_good(large: int) -> None:
    count = 3_000 if not large else 600
    events: list[e.Event] = [e.Notice("info", f"{n}" + "x" * large) for n in range(count)]
    records = counted(events)

    decoder = LogDecoder(JSON_LINES)
    decoder.feed(log_of(records))
    repeated = decoder.feed(log_of(records))

    assert len(repeated) > count - 1_001 - 1
    assert len(repeated) + len(decoder.close()) == count
    assert all(isinstance(one.event, e.Redelivered) for one in repeated)


# --- what counts nothing --------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, "1", "thr_1"])
@pytest.mark.parametrize("framing", [SSE, JSON_LINES])
def test_one_id_for_all_events_counts_nothing(framing: Framing, number: int | str) -> None:
    deltas: list[e.Event] = [x.text_delta("m", text) for text in "abbbabab"]
    records = [Record(event, None, number) for event in [x.added(x.message("m", "")), *deltas]]

    state = assert_all_ways_agree(log_of(records, framing))

    assert x_text(state) == "abbbabab"
    assert state.anomalies == ()


def test_the_ids_of_items_count_nothing() -> None:
    def of_both(make: Callable[[str], e.Event]) -> list[Record]:
        return [Record(make(name), None, f"id-{name}") for name in "mn"]

    records = of_both(lambda name: x.added(x.message(name, "")))
    for text in ["a", "b", *["ha"] * 4]:
        records += of_both(lambda name, text=text: x.text_delta(name, text))  # type: ignore[misc]

    state = assert_all_ways_agree(log_of(records))

    assert (x_text(state, "m"), x_text(state, "n")) == ("abhahahaha", "abhahahaha")


def x_text(state: ThreadState, item_id: str = "m") -> str:
    content: Any = state.items[item_id].to_json()["content"]
    return str(content[0]["text"])


# --- how much is remembered -----------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    for module in (_numbers, _deliveries):
        monkeypatch.setattr(module, "KEPT_EVENTS", 50)
    monkeypatch.setattr(_numbers, "KEPT_BYTES", 4_000)
    return 50


def notices(count: int) -> list[e.Event]:
    return [e.Notice("info", str(n)) for n in range(count)]


def test_the_newest_events_are_remembered(few: int) -> None:
    records = counted(notices(400))
    first, newest = records[:1], records[-few // 2 :]
    restart = counted(notices(3)[1:], 399)  # from here on digests are kept

    for log in (records + newest, records + restart + newest):
        assert kinds(log)[-len(newest) :] == ["again"] * len(newest)
    assert kinds(records + restart + counted(notices(300), 500) + first)[-1:] == [""]


def test_threads_beyond_number_are_forgotten(few: int) -> None:
    records = [Record(A, f"t{n}", number) for n in range(500) for number in (1, 1)]

    assert kinds(records) == ["", "again"] * 500


def test_threads_that_grow_side_by_side_are_forgotten(few: int) -> None:
    turn = [Record(event, f"t{n}", number) for number, event in enumerate(EVENTS) for n in range(5)]
    many = [Record(A, f"u{n}", 0) for n in range(400)]

    assert kinds(turn + many + turn[-1:]) == [""] * (len(turn) + len(many)) + [""]
    assert kinds(turn + turn[-1:]) == [""] * len(turn) + ["again"]


@pytest.mark.parametrize(
    "make",
    [
        lambda n: x.text_delta("m", "\ud83d" if n == 5 else str(n)),
        lambda n: e.UnknownEvent({"type": "new", "n": n, "x": 2**70}),
        lambda n: e.ThreadItemDone({"id": str(n), "x": _deep(200 if n == 3 else 1)}),
    ],
)
def test_events_that_take_longer_to_compare(make: Callable[[int], e.Event]) -> None:
    records = counted([make(n) for n in range(10)])
    lines = b"".join(_line(record) for record in records)
    restart = _line(Record(A, None, 9))

    for log in (lines + lines, lines + restart + lines):
        events = list(read(io.BytesIO(log)))
        assert sum(isinstance(one, e.Redelivered) for one in events) == 10


def _deep(levels: int) -> Any:
    return json.loads("[" * levels + "]" * levels)


def _line(record: Record) -> bytes:
    from chatkit_reducer.core.codec import to_json

    event: Any = record.event
    envelope = {"seq": record.sequence, "event": to_json(event)}
    return json.dumps(envelope).encode() + b"\n"
