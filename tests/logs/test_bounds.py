"""No log costs more time or memory than its size is worth."""

from __future__ import annotations

import gzip
import io
import json
import re
import tracemalloc
from collections.abc import Callable
from typing import Any, cast

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import ThreadState, encode, fold, replay
from chatkit_reducer import events as e
from chatkit_reducer.core.anomalies import MAX_ANOMALIES
from chatkit_reducer.core.codec import decode_json as from_text
from chatkit_reducer.core.thread.reduce import reduce
from chatkit_reducer.logs import (
    JSON_LINES,
    SSE,
    Framing,
    LogDecoder,
    Record,
    block_decoding,
    encode_json_line,
    read,
    read_records,
    replay_threads,
)
from chatkit_reducer.logs import _compression as compression
from chatkit_reducer.logs import _faults as faults_of_logs
from chatkit_reducer.logs.formats import _looking as looking
from chatkit_reducer.logs.formats import _recognition as recognition
from chatkit_reducer.logs.formats._finder import Finder
from chatkit_reducer.logs.formats._har import Har
from chatkit_reducer.logs.formats._json_array import JsonArray
from chatkit_reducer.logs.formats._json_values import JsonValues, Value
from chatkit_reducer.logs.formats.texts import Place
from chatkit_reducer.testing import examples as x

NOTICE = encode(e.Notice("info", "x"))
COMPRESS = pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])


# --- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [b"1", b"{}", b'{"type":1}', b"\\", b"xxx"])
@pytest.mark.parametrize(("framing", "around"), [(JSON_LINES, b"%b\n"), (SSE, b"data: %b\n\n")])
def test_the_first_faults_of_a_log_are_listed_and_all_counted(
    framing: Framing, around: bytes, text: bytes
) -> None:
    count = MAX_ANOMALIES + 5_000
    event = around % NOTICE
    log = event + around % text * count + event + b"\n" * 9 + around % text + event
    last = replay(io.BytesIO(log)).anomalies[-1]

    for size in (1 << 20, 65_536, 9_999):
        decoder = LogDecoder(framing)
        pieces = [log[n : n + size] for n in range(0, len(log), size)]
        records = [record for piece in pieces for record in decoder.feed(piece)] + decoder.close()
        state = fold(record.event for record in records)
        assert sum(not isinstance(one.event, e.Unreadable) for one in records) == 3
        assert (len(state.anomalies), state.unlisted_anomalies) == (MAX_ANOMALIES, 5_001)
        assert state.anomalies[-1].line == last.line


def test_faults_behind_the_listed_ones_cost_next_to_nothing() -> None:
    log = NOTICE + b"\n" + b"1\n" * 500_000

    tracemalloc.start()
    state = replay(io.BytesIO(log))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (len(state.anomalies), state.unlisted_anomalies) == (MAX_ANOMALIES, 490_000)
    assert peak < 20_000_000
    assert sum(1 for _ in read(io.BytesIO(log))) < 40_000  # those of the block that has the last


def test_faults_behind_a_prefix_that_are_only_counted_are_counted_together(few: int) -> None:
    fault, event = b'x {"type":"thread.item.added"}\n', b"x " + encode(e.ThreadItemRemoved("m"))
    log = fault * 2_000 + event + b"\n" + fault * 2_000

    unreadable = [one for one in read(io.BytesIO(log)) if isinstance(one, e.Unreadable)]

    assert sum(one.unlisted or 1 for one in unreadable) == 4_000
    assert len(unreadable) < few + 10
    assert [one.line for one in unreadable[:5]] == [1, 2, 3, 4, 2_002]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(faults_of_logs, "MAX_ANOMALIES", 3)
    return 3


def test_what_is_listed_of_a_log_is_listed_in_its_threads(few: int) -> None:
    one, two = (x.added({**x.message(name), "thread_id": name}) for name in "ab")
    log = encode_json_line(one) + b"1\n" * 4 + encode_json_line(two) + b"1\n" * 2

    states = replay_threads(io.BytesIO(log))

    assert [len(state.anomalies) for state in states.values()] == [3, 0]
    assert [state.unlisted_anomalies for state in states.values()] == [1, 2]


LINES = st.lists(
    st.sampled_from([b"1", b"{}", b"", b"  ", b'{"type":1}', b"\\", NOTICE]), max_size=30
)


@given(LINES, st.integers(1, 80))
def test_faults_are_counted_the_same_in_pieces_of_any_size(lines: list[bytes], size: int) -> None:
    log = b"".join(line + b"\n" for line in lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faults_of_logs, "MAX_ANOMALIES", 3)
        whole = replay(io.BytesIO(log))
        decoder = LogDecoder(JSON_LINES)
        pieces = [log[n : n + size] for n in range(0, len(log), size)]
        records = [record for piece in pieces for record in decoder.feed(piece)] + decoder.close()
    state = fold(record.event for record in records)

    assert state == whole
    assert [one.to_json() for one in state.anomalies] == [one.to_json() for one in whole.anomalies]
    bad = sum(line.strip() not in (b"", NOTICE) for line in lines)
    assert len(state.anomalies) + state.unlisted_anomalies == bad


def test_a_block_with_an_event_in_it_is_looked_at(few: int) -> None:
    escaped = NOTICE.replace(b'"type"', b'"\\u0074ype"')
    records = list(read_records(io.BytesIO(b"1\n" * 9 + escaped + b"\n" + b"1\n")))

    assert [one for one in records if not isinstance(one.event, e.Unreadable)] == [
        Record(e.Notice("info", "x"))
    ]


def test_blank_blocks_and_large_ones_behind_many_faults(few: int) -> None:
    decoder = LogDecoder(JSON_LINES, max_event_bytes=8)
    records = [
        record
        for piece in (b"1\n" * 5, b"\n\n", b"1\n" + b"x" * 9 + b"\n", b"1\n")
        for record in decoder.feed(piece)
    ]

    faults = [one.event for one in records if isinstance(one.event, e.Unreadable)]
    assert [fault.unlisted for fault in faults] == [0, 0, 0, 1, 1, 1, 1, 1]
    assert faults[-1].line == 10


def test_one_fault_that_stands_for_many_is_many() -> None:
    state = reduce(ThreadState(), e.Unreadable(0, 1, "nothing here is an event", "", 7))

    assert (state.anomalies, state.unlisted_anomalies, state.position) == ((), 7, 0)


# --- lines that tell nothing ----------------------------------------------------------------------


@pytest.mark.parametrize("line", [b"{\n", b"[\nx\n", b'{"a":\n', b"{}\n", b"x: 1\n"])
def test_no_more_lines_are_looked_at_than_may_tell_something(
    line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bytes] = []
    of_line = recognition._Look._of_line

    def counted(look: recognition._Look, start: int, text: bytes) -> Any:
        looks.append(text)
        return of_line(look, start, text)

    monkeypatch.setattr(recognition._Look, "_of_line", counted)
    whole = replay(io.BytesIO(line * 40_000))

    assert whole.items == {}
    assert len(looks) <= 5 * recognition._MOST_LINES


def test_the_lines_behind_a_line_are_not_copied_to_look_at_it() -> None:
    log = b"{\n" * 9_000 + b"x" * recognition.LOOK_AT
    form = recognition._Look(log, True, 1 << 20)
    tracemalloc.start()
    form.form()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < len(log)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_that_tell_nothing_stand_before_one_that_does(end: bytes) -> None:
    event = b"info: " + encode(e.ThreadItemRemoved("m")) + end
    for count in (1, 100_000, 250_000):
        log = (b"x" + end) * (count // len(end)) + event
        assert fold(read(io.BytesIO(log))).position == 1


# --- looks that find nothing ----------------------------------------------------------------------

REMOVED = encode(e.ThreadItemRemoved("m"))
PREFIXED = b"info: " + REMOVED + b"\n"
FEW_LOOKS = 50


@pytest.fixture
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "FREE_LOOKS", FEW_LOOKS)


@pytest.mark.parametrize(
    "line",
    [
        *(b"x", b"", b" ", b"{", b"{}", b"x {'a': 1}", b'type {"a":1}', b"x '{\"a'", b"a\t{"),
        *(b"[", b"[]", b":", b"\x1b[0m", b"\x1b]", b'{"log": "'),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_few_lines_without_an_event_are_looked_at(
    few_looks: None, line: bytes, end: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bytes] = []
    line_of = Finder.line

    def counted(finder: Finder, text: bytes, place: Place) -> bool:
        looks.append(text)
        return line_of(finder, text, place)

    monkeypatch.setattr(Finder, "line", counted)
    log = PREFIXED + (line + end) * 2_000 + PREFIXED

    assert list(read(io.BytesIO(log))) == [e.ThreadItemRemoved("m")] * 2
    assert len(looks) < 2 * FEW_LOOKS + 20  # a text in quotes is a line of its own


@pytest.mark.parametrize(
    "value",
    [
        *(b'"\n', b'["\n"\n', b'"a",', b"{},", b'{"a":"}"},', b'{"a":1}'),
        *(b'{"a":{"b":[1]}},', b"x {}", b'x "\\"",', b'[{"a":[]}],'),
    ],
)
def test_few_values_without_an_event_are_looked_at(
    few_looks: None, value: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bytes] = []
    look = JsonArray._look

    def counted(array: JsonArray, value: Value) -> bool:
        looks.append(value.text)
        return look(array, value)

    monkeypatch.setattr(JsonArray, "_look", counted)
    log = b"[" + REMOVED + b"," + value * 2_000 + REMOVED + b"]"
    events = [one for one in read(io.BytesIO(log)) if not isinstance(one, e.Unreadable)]

    assert events == [e.ThreadItemRemoved("m")] * 2
    assert len(looks) < FEW_LOOKS + 20


PIECES = [
    *(REMOVED, b"x", b"", b"  ", b"{", b"{}", b"}", b"id: 4", b": x", b"data: " + REMOVED),
    *(b"data: {", b'"m"}', b'"item_id":', b'"type":"thread.item.removed",', b'{"a":1}', b"[DONE]"),
    *(b"{'a': 1}", b"\x1b[0m", b"\x1b[1m{", b"x " + REMOVED, b'{"log": "x"}', b'{"log": {"a": 1}}'),
    str({"type": "notice", "level": "info"}).encode(),
    json.dumps({"log": REMOVED.decode()}).encode(),
    json.dumps({"MESSAGE": list(REMOVED)}).encode(),
]


def _told(log: bytes, size: int, free: int) -> tuple[list[Record], int]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looking, "FREE_LOOKS", free)
        decoder = LogDecoder()
        pieces = [log[n : n + size] for n in range(0, len(log), size)]
        records = [record for piece in pieces for record in decoder.feed(piece)]
        return records + decoder.close(), decoder.skipped


@given(
    st.lists(st.sampled_from(PIECES), max_size=20),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.integers(1, 200),
    st.integers(0, 3),
)
def test_lines_that_are_not_looked_at_hold_no_event(
    lines: list[bytes], end: bytes, size: int, free: int
) -> None:
    log = end.join([PREFIXED.strip(), *lines, b""])

    records, skipped = _told(log, len(log), free)
    assert _told(log, size, free) == (records, skipped)
    slowly, all_skipped = _told(log, len(log), 10_000)
    known = [one for one in slowly if not _is_guess(one)]
    assert [one for one in records if not _is_guess(one)] == known
    assert skipped >= all_skipped


def _is_guess(record: Record) -> bool:
    """Whether the record is of an object that has no type that this release knows."""
    return isinstance(record.event, e.Unreadable | e.UnknownEvent)


def test_values_that_are_looked_at_do_not_make_the_others_be_searched_again(
    few_looks: None,
) -> None:
    deep = b'{"a":{"b":{"c":{"d":{"e":1}}}}},'
    searched: list[int] = []

    class Counted:
        def search(self, data: bytes, at: int = 0) -> re.Match[bytes] | None:
            searched.append(len(data) - at)
            return None

    values = JsonValues(1 << 20)
    values.wanted = cast("re.Pattern[bytes]", Counted())
    data = deep * 2_000

    assert sum(1 for _ in values.push(data)) == 2_000
    assert sum(searched) == len(data)


@pytest.mark.parametrize("entry", [b"{},", b'"",', b'"\n', b'{"a":{"b":[1]}},', b"[{}],"])
def test_entries_of_a_har_that_are_not_requests_are_not_looked_at(
    entry: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bytes] = []
    feed = Har._feed

    def counted(har: Har, value: Value) -> None:
        looks.append(value.text)
        feed(har, value)

    monkeypatch.setattr(Har, "_feed", counted)
    content = {"mimeType": "text/event-stream", "text": (b"data: " + REMOVED).decode()}
    requests = [json.dumps({name: {"content": content}}) for name in ("response", "request")]
    escaped = requests[0].replace("response", "\\u0072esponse")
    real = b",".join(one.encode() for one in [*requests, escaped]) + b","
    log = b'{"log":\n{"entries":[' + entry * 2_000 + real + entry * 100_000 + real + b"0]}}"

    assert list(read(io.BytesIO(log))) == [e.ThreadItemRemoved("m")] * 4
    assert len(looks) < 20


ELEMENTS = [
    *(REMOVED, b"1", b"{}", b'"a"', b'"\n', b'"\n"', b'{"a":"}"}', b'{"a":{}}', b'{"a":[1]}', b"["),
    *(b"]", b'{"a":"\n}', b'"type": "thread.x"', b'{"type":"thread.item.removed"}', b'"\\""'),
    b"\r",
    json.dumps({"log": REMOVED.decode()}).encode(),
]


@given(
    st.lists(st.sampled_from(ELEMENTS), max_size=20),
    st.sampled_from([b",", b",\n", b" "]),
    st.integers(1, 200),
    st.integers(0, 3),
)
def test_values_that_are_not_looked_at_hold_no_event(
    elements: list[bytes], between: bytes, size: int, free: int
) -> None:
    log = b"[" + between.join([REMOVED, *elements])

    records, skipped = _told(log, len(log), free)
    assert _told(log, size, free) == (records, skipped)
    slowly, all_skipped = _told(log, len(log), 10_000)
    assert [one for one in records if not _is_guess(one)] == [
        one for one in slowly if not _is_guess(one)
    ]
    told, all_told = skipped + len(records), all_skipped + len(slowly)
    assert told >= all_told
    # The pieces of a torn text may look like comments of a frame, which are not counted.
    if not any(b"\n" in element for element in elements):
        assert told == all_told


@pytest.mark.parametrize("line", [b"\xfftype", b"\\", b'"type"', b'{"type":1}', b"type"])
def test_lines_behind_the_listed_faults_are_not_decoded(
    line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults_of_logs, "MAX_ANOMALIES", 3)
    decoded: list[bytes] = []

    def counted(text: bytes) -> Any:
        decoded.append(text)
        return from_text(text)

    monkeypatch.setattr(block_decoding, "decode_json", counted)
    log = ((line + b"\n") * 60_000 + NOTICE + b"\n") * 3

    state = replay(io.BytesIO(log))

    assert (state.position, len(state.anomalies), state.unlisted_anomalies) == (3, 3, 179_997)
    assert len(decoded) < 50_000  # those of the first block, and of pieces around an event


# --- blank lines ----------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" \n", b"\t \r\n"])
def test_blank_lines_are_passed_over_and_counted(blank: bytes) -> None:
    count = 200_000
    log = NOTICE + b"\n" + blank * count + b"x\n" + NOTICE + b"\n"

    *_, fault, last = read(io.BytesIO(log))

    assert last == e.Notice("info", "x")
    assert isinstance(fault, e.Unreadable)
    assert (fault.line, fault.offset) == (count + 2, len(NOTICE) + 1 + len(blank) * count)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_blank_lines_between_frames_are_passed_over_and_counted(end: bytes) -> None:
    count = 50_000
    frame = b"data: " + NOTICE + 2 * end
    log = frame + end * count + b": a\ndata: x" + 2 * end + frame

    first, fault, last = read(io.BytesIO(log))

    assert first == last == e.Notice("info", "x")
    assert isinstance(fault, e.Unreadable)
    assert (fault.line, fault.offset) == (count + 3, len(frame) + len(end) * count)


# --- what a decompressor gives --------------------------------------------------------------------


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "FREE", 100_000)


@COMPRESS
def test_a_log_that_gives_too_much_is_read_up_to_there(
    strict: None, compress: Callable[[bytes], bytes]
) -> None:
    log = compress(NOTICE + b"\n" + b"\n" * 20_000_000)

    for state in (
        replay(io.BytesIO(log)),
        fold(read(io.BytesIO(log))),
        replay_threads(io.BytesIO(log))[None],
    ):
        (anomaly,) = state.anomalies
        assert "gives more than 300 bytes for each of its own" in anomaly.problem
        assert anomaly.position == 1


@COMPRESS
def test_the_bound_may_be_set(strict: None, compress: Callable[[bytes], bytes]) -> None:
    log = compress((NOTICE + b"\n") * 20_000)

    for most in (None, 100_000, 1):
        options: dict[str, Any] = {"max_expansion": most}
        states = [
            replay(io.BytesIO(log), **options),
            replay(io.BytesIO(log), until=10**6, **options),
            *replay_threads(io.BytesIO(log), **options).values(),
            *replay_threads(io.BytesIO(log), until=10**6, **options).values(),
            fold(read(io.BytesIO(log), **options)),
        ]
        found = [[one.problem for one in state.anomalies] for state in states]
        if most == 1:
            assert all("more than 1 bytes" in problems[-1] for problems in found)
        else:
            assert not any(found)


@COMPRESS
def test_a_small_log_may_give_what_it_likes(compress: Callable[[bytes], bytes]) -> None:
    log = compress(NOTICE + b"\n" + b"\n" * 15_000_000)

    assert replay(io.BytesIO(log)).anomalies == ()


def test_a_small_zstd_file_that_is_huge_inside_takes_little_memory() -> None:
    compressor = zstandard.ZstdCompressor().compressobj()
    pieces = [compressor.compress(b"x" * 1_000_000) for _ in range(15)]
    bomb = io.BytesIO(b"".join(pieces) + compressor.flush())
    tracemalloc.start()
    try:
        state = replay(bomb, max_event_bytes=100_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(state.anomalies) == 1
    assert peak < 30_000_000
