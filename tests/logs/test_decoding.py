"""Bytes to records: framing, buffering, decoding, and what cannot be read.

`expected` is a second, slow reader of both formats. It has the whole log before it, takes every
frame alone, and counts lines by counting line ends in front of a place. Whatever the pieces in
which bytes come, and whichever way a block takes, the decoder must say the same.
"""

from __future__ import annotations

import json
import re
import tracemalloc
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatkit_reducer import decode, encode
from chatkit_reducer import events as e
from chatkit_reducer.core.codec import decode_json, from_json
from chatkit_reducer.errors import DecodeError
from chatkit_reducer.logs import JSON_LINES, SSE, Framing, LogDecoder, Record, encode_sse
from chatkit_reducer.logs._detection import detect
from chatkit_reducer.logs.block_decoding import BlockDecoder
from chatkit_reducer.testing import examples as x
from chatkit_reducer.testing import strategies as chatkit
from tests.support.naive_deliveries import Placed, without_repeats

BOM = b"\xef\xbb\xbf"
NO_LIMIT = 2**30

# --- logs that are read --------------------------------------------------------------------------

EVENTS: list[e.Event] = [
    x.removed("a"),
    x.text_delta("a", "Hi \u2028\x85 \\ \r\n there"),
    x.text_delta("a", ""),
    x.added(x.message("a", "", "{\n}")),
    x.done(x.workflow("b", "data: x\n\n", "}, {")),
    e.UnknownEvent({"type": "new.event", "data": [1, None, {"x": 1.5}]}),
    e.ThreadItemRemoved("a", extra=e.Extra({"extra": 1, "(extra)": 2})),
    x.updated("a", e.UnknownUpdate({"type": "new.update"})),
    e.Notice("info", "ü" * 60),
    e.StreamOptions({"allow_cancel": True}),
]
GOOD = [encode(event) for event in EVENTS]
ENVELOPES = [
    b'{"seq":1,"time":1.5,"thread":"t","event":%b}' % GOOD[0],
    b'{"event":%b}' % GOOD[1],
    b'{"time":"2025-01-01","seq":"a","event":%b}' % GOOD[3],
    b'{"sequence_number":7,"timestamp":3,"thread_id":"u","event":%b}' % GOOD[2],
    b'{"seq":null,"thread":null,"event":%b,"note":[1]}' % GOOD[5],
    b'{"seq":1180591620717411303424,"time":-0.0,"event":%b}' % GOOD[6],
    b'{"seq":1.5,"thread":7,"time":[],"event":%b}' % GOOD[7],
    b'{"type":null,"seq":3,"event":%b}' % GOOD[0],
]
BAD = [
    b"{",
    b"x",
    b"[1]",
    b"null",
    b"1.5",
    b'"text"',
    b"{}",
    b'{"type":1}',
    b'{"type":["notice"]}',
    b'{"type":{}}',
    b'{"type":"notice"}',
    b'{"type":"thread.item.removed","item_id":NaN}',
    b'{"type":"thread.item.removed","item_id":"\\ud800"}',
    b'{"type":"thread.item.removed","item_id":"\xff"}',
    b'{"type":"thread.item.updated","item_id":"a","update":[]}',
    b'{"event":{"type":"notice"}}',
    b'{"event":[]}',
    GOOD[0] + b" " + GOOD[0],
    GOOD[0] + b"," + GOOD[0],
    GOOD[0][:-1],
    GOOD[4][1:],
]
TEXTS = st.sampled_from([*GOOD, *GOOD, *ENVELOPES, *BAD])

NEWLINES = [b"\n", b"\r\n", b"\r"]


@st.composite
def sse_logs(draw: st.DrawFn) -> bytes:
    """Frames with all that the standard allows, and line ends of one kind or of all kinds."""
    newline = draw(st.sampled_from([*NEWLINES, b""]))
    other = [
        b": comment",
        b":",
        b"event: message",
        b"id: 7",
        b"id:",
        b"id: a b",
        b"id: \0",
        b"x: y",
    ]
    lines: list[bytes] = []
    for text in draw(st.lists(TEXTS, max_size=6)):
        lines += draw(
            st.lists(st.sampled_from([*other, b"retry: 5", b"data", b"data:"]), max_size=2)
        )
        lines += [
            b"data:" + draw(st.sampled_from([b"", b" "])) + line for line in _split(draw, text)
        ]
        lines += draw(st.lists(st.sampled_from(other), max_size=1))
        lines += [b""] * draw(st.integers(1, 3))
    lines += draw(
        st.lists(st.sampled_from([b"data: {", b": x", b"", b"data: " + GOOD[0]]), max_size=2)
    )
    ends = [newline or draw(st.sampled_from(NEWLINES)) for _ in lines]
    log = b"".join(line + end for line, end in zip(lines, ends, strict=True))
    torn = draw(st.integers(0, 3))
    return draw(st.sampled_from([b"", BOM])) + log[: len(log) - torn]


def _split(draw: st.DrawFn, text: bytes) -> list[bytes]:
    """A text in several lines of data, which is the same text with newlines in it."""
    if not draw(st.booleans()):
        return [text]
    try:
        return json.dumps(json.loads(text), indent=1).encode().split(b"\n")
    except ValueError:
        return [text]


@st.composite
def json_logs(draw: st.DrawFn) -> bytes:
    """Lines that are bare events, envelopes, blank or bad."""
    blank = st.sampled_from([b"", b" \t", b"\r", b"\x0c"])
    kinds = draw(st.sampled_from([TEXTS, st.sampled_from(GOOD), st.sampled_from(ENVELOPES)]))
    lines = draw(st.lists(st.one_of(kinds, kinds, kinds, blank), max_size=8))
    ends = [draw(st.sampled_from([b"\n", b"\n", b"\r\n"])) for _ in lines]
    log = b"".join(line + end for line, end in zip(lines, ends, strict=True))
    torn = draw(st.integers(0, 3))
    return draw(st.sampled_from([b"", BOM])) + log[: len(log) - torn]


# --- the slow reader -----------------------------------------------------------------------------


class Piece(NamedTuple):
    text: bytes
    start: int
    end: int
    sequence: str | None


def sse_pieces(data: bytes) -> Iterator[Piece]:
    """The frames: runs of lines that are not empty."""
    lines = [(m.start(1), m[1]) for m in re.finditer(rb"([^\r\n]*)(?:\r\n|\r|\n|\Z)", data)]
    run: list[tuple[int, bytes]] = []
    for start, line in [*lines, (len(data), b"")]:
        if line:
            run.append((start, line))
        elif run:
            values: list[bytes] = []
            sequence = None
            for _, text in run:
                name, _, value = text.partition(b":")
                value = value[1:] if value.startswith(b" ") else value
                if name == b"data":
                    values.append(value)
                elif name == b"id" and b"\0" not in value:
                    sequence = value.decode(errors="replace")
            text = b"\n".join(values) if any(values) else b""
            yield Piece(text, run[0][0], run[-1][0] + len(run[-1][1]), sequence)
            run = []


def json_pieces(data: bytes) -> Iterator[Piece]:
    """The lines."""
    start = 0
    for line in data.split(b"\n"):
        yield Piece(b"" if not line.split() else line, start, start + len(line), None)
        start += len(line) + 1


def expected(data: bytes, framing: Framing, limit: int = NO_LIMIT) -> list[Record]:
    """What a log holds. The excerpts of what cannot be read are empty."""
    start = len(BOM) if data.startswith(BOM) else 0
    body = data[start:]
    ends = re.compile(rb"\n" if framing is JSON_LINES else rb"\r\n|\r|\n")
    line, counted = 1, 0
    records: list[Placed] = []
    for piece in sse_pieces(body) if framing is SSE else json_pieces(body):
        line += len(ends.findall(body, counted, piece.start))
        counted = piece.start
        offset = start + piece.start
        if piece.end - piece.start > limit:
            reason = f"the event is larger than {limit} bytes"
            fault = e.Unreadable(offset, line, reason, "")
            records.append(Placed(Record(fault), offset, line))
        elif piece.text:
            try:
                records.append(Placed(record_of(piece), offset, line))
            except DecodeError as error:
                fault = e.Unreadable(offset, line, str(error), "")
                records.append(Placed(Record(fault, sequence=piece.sequence), offset, line))
    return without_repeats(records)


def record_of(piece: Piece) -> Record:
    value = decode_json(piece.text)
    if isinstance(value, dict) and not isinstance(value.get("type"), str):
        event = value.get("event")
        if isinstance(event, dict) and isinstance(event.get("type"), str):
            thread = pick(value, (str,), "thread", "thread_id")
            sequence = pick(value, (int, str), "seq", "sequence", "sequence_number")
            time = pick(value, (int, float, str), "time", "timestamp", "ts")
            return Record(from_json(event), thread, sequence, time)
    return Record(decode(piece.text), sequence=piece.sequence)


def pick(envelope: dict[str, Any], kinds: tuple[type, ...], *names: str) -> Any:
    for name in names:
        if isinstance(envelope.get(name), kinds):
            return envelope[name]
    return None


# --- the decoder ---------------------------------------------------------------------------------


def decoded(
    pieces: list[bytes], framing: Framing | None = None, limit: int = NO_LIMIT
) -> list[Record]:
    decoder = LogDecoder(framing, max_event_bytes=limit)
    records = [record for piece in pieces for record in decoder.feed(piece)]
    return records + decoder.close()


def without_excerpts(records: list[Record]) -> list[Record]:
    return [
        Record(_bare(record.event), record.thread, record.sequence, record.time)
        for record in records
    ]


def _bare(event: e.Event | e.Unreadable) -> e.Event | e.Unreadable:
    if type(event) is e.Unreadable:
        return e.Unreadable(event.offset, event.line, event.reason, "")
    return event


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]


def faults(records: list[Record]) -> list[e.Unreadable]:
    return [record.event for record in records if isinstance(record.event, e.Unreadable)]


def said(records: list[Record]) -> str:
    """All that records say: unlike equality, it tells 1 from 1.0 and from `True`."""
    return repr(records)


CUTS = st.lists(st.integers(0, 2**16), max_size=6)
LIMITS = st.just(NO_LIMIT) | st.integers(1, 120)


def assert_read_in_any_pieces(
    data: bytes, framing: Framing, places: list[int], limit: int = NO_LIMIT
) -> None:
    whole = decoded([data], framing, limit)
    assert said(without_excerpts(whole)) == said(expected(data, framing, limit))
    assert said(decoded(cut(data, places), framing, limit)) == said(whole)
    assert said(decoded([data[n : n + 1] for n in range(len(data))], framing, limit)) == said(whole)


@given(sse_logs(), CUTS, LIMITS)
@example(b"id: 1\ndata: %b\n\ndata: %b\n\n" % (GOOD[0], GOOD[0]), [70], NO_LIMIT)
@example(b":%b\n\ndata: %b\n\n" % (b"x" * 30, GOOD[0]), [], 20)
@example(b"data: %b\r\ndata: x\r\n\r\ndata: x\r\n\r\n" % GOOD[0], [], 20)
@example(b"data:1\n\n\r\ndata: %b\r\n\r\n" % GOOD[0], [], len(GOOD[0]) + 6)
@example(b"\n\r\n\r\rdata: {}\r\r", [], 8)
def test_server_sent_events_in_pieces_of_any_size(
    data: bytes, places: list[int], limit: int
) -> None:
    assert_read_in_any_pieces(data, SSE, places, limit)


@given(json_logs(), CUTS, LIMITS)
@example(b"{}\n" + b" " * 30 + b"\n" + GOOD[0] + b"\n", [], 20)
@example(b"{}\n\r" + GOOD[0] + b"\n", [], 20)
def test_json_lines_in_pieces_of_any_size(data: bytes, places: list[int], limit: int) -> None:
    assert_read_in_any_pieces(data, JSON_LINES, places, limit)


@given(st.binary(max_size=60) | st.text("\r\n data:{}x", max_size=40).map(str.encode), CUTS, LIMITS)
def test_any_bytes_in_pieces_of_any_size(data: bytes, places: list[int], limit: int) -> None:
    for framing in (SSE, JSON_LINES):
        assert_read_in_any_pieces(data, framing, places, limit)
    assert decoded(cut(data, places)) == decoded([data])


@given(chatkit.adversarial_streams(), st.sampled_from(NEWLINES), CUTS)
@settings(max_examples=40)
def test_every_event_of_a_sound_log_is_read(
    events: list[e.Event], newline: bytes, places: list[int]
) -> None:
    sse = b"".join(b"data: " + encode(event) + 2 * newline for event in events)
    assert decoded(cut(sse, places)) == [Record(event) for event in events]
    lines = b"".join(encode(event) + newline.replace(b"\r\r", b"\r\n") for event in events)
    if newline != b"\r":
        assert decoded(cut(lines, places)) == [Record(event) for event in events]


# --- the fast way and the slow way ---------------------------------------------------------------

LONG = 1200
"""So many events are more than one block of 64 KB."""
# A byte that becomes a comma or a newline could make two faults that hide each other: see the known
# limit in `JsonLinesFraming.as_array`.
DAMAGE = st.tuples(
    st.integers(0, 2**20),
    st.integers(0, 40),
    st.sampled_from([b"", b"x", b"\xff", b"\0", b'"', b"}", b" ", b"{}", b"\r", b"\n\n", b"\\"]),
)


def damaged(data: bytes, damages: list[tuple[int, int, bytes]]) -> bytes:
    """Some bytes at each place are replaced by others, or by none."""
    for place, size, instead in damages:
        at = place % (len(data) + 1)
        data = data[:at] + instead + data[at + size :]
    return data


@st.composite
def long_logs(draw: st.DrawFn, around: bytes) -> bytes:
    pool = draw(st.sampled_from([GOOD, GOOD[:3], ENVELOPES, [*GOOD, *ENVELOPES]]))
    step = draw(st.integers(1, 7))
    texts = [pool[n * step % len(pool)] for n in range(LONG)]
    return b"".join([around % text for text in texts])


@given(long_logs(b"data: %b\n\n"), st.lists(DAMAGE, max_size=4))
@settings(max_examples=25)
def test_the_fast_way_for_server_sent_events(
    data: bytes, damages: list[tuple[int, int, bytes]]
) -> None:
    data = damaged(data, damages)
    records = decoded(cut(data, [65536, 131072]), SSE)
    assert said(without_excerpts(records)) == said(expected(data, SSE))


@given(long_logs(b"%b\n"), st.lists(DAMAGE, max_size=4))
@settings(max_examples=25)
def test_the_fast_way_for_json_lines(data: bytes, damages: list[tuple[int, int, bytes]]) -> None:
    data = damaged(data, damages)
    records = decoded(cut(data, [65536, 131072]), JSON_LINES)
    assert said(without_excerpts(records)) == said(expected(data, JSON_LINES))


@given(st.lists(TEXTS, max_size=6), st.lists(DAMAGE, max_size=3))
def test_the_fast_way_in_short_logs(
    texts: list[bytes], damages: list[tuple[int, int, bytes]]
) -> None:
    for framing, around in ((SSE, b"data: %b\n\n"), (JSON_LINES, b"%b\n")):
        data = damaged(b"".join([around % text for text in texts]), damages)
        records = decoded([data], framing)
        assert said(without_excerpts(records)) == said(expected(data, framing))


@pytest.mark.parametrize("framing", [SSE, JSON_LINES])
def test_a_sound_block_goes_the_fast_way(framing: Framing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BlockDecoder, "_one_by_one", None)
    around = b"data: %b\n\n" if framing is SSE else b"%b\n"
    known = [event for event in EVENTS if not isinstance(event, e.UnknownEvent)][:4]
    data = b"".join([around % encode(event) for event in known])
    assert decoded([data], framing) == [Record(event) for event in known]


@pytest.mark.parametrize(
    ("framing", "data"),
    [
        # Two lines that are one element, once there is a comma in the place of the newline.
        (JSON_LINES, b'{"type":"thread.item.removed"\n"item_id":"a"}\n'),
        (SSE, b'data: {"type":"thread.item.removed"\n\ndata: "item_id":"a"}\n\n'),
        # A line that is no data, in the middle of what would be an element.
        (SSE, b'data: {"type":"thread.item.removed",\n"item_id":"a"}\n\n'),
        # One line with two elements.
        (JSON_LINES, GOOD[0] + b"," + GOOD[0] + b"\n"),
        (SSE, b"data: " + GOOD[0] + b"," + GOOD[0] + b"\n\n"),
    ],
)
def test_a_block_that_only_looks_like_an_array_is_not_taken_for_one(
    framing: Framing, data: bytes
) -> None:
    records = decoded([data], framing)
    assert without_excerpts(records) == expected(data, framing)
    assert all(isinstance(record.event, e.Unreadable) for record in records)


@pytest.mark.parametrize("end", [b"", b"\n", b" ", b"\r\n"])
@pytest.mark.parametrize("text", [GOOD[0], b"{}", GOOD[5]])
def test_the_place_that_was_reached_is_the_same_on_both_ways(text: bytes, end: bytes) -> None:
    decoder = LogDecoder(JSON_LINES)
    data = GOOD[0] + b"\n" + text + end
    decoder.feed(data)
    reached = decoder.close(damage="no more")[-1].event
    assert isinstance(reached, e.Unreadable)
    assert (reached.offset, reached.line) == (len(data), 1 + data.count(b"\n"))


# --- what cannot be read -------------------------------------------------------------------------

REASONS = [
    ("no JSON", b"hello", "JSON is malformed"),
    ("torn", GOOD[0][:-5], "the JSON ends too early"),
    ("an array", b"[1]", "expected a JSON object, got an array - at `$`"),
    ("null", b"null", "expected a JSON object, got null - at `$`"),
    ("no type", b'{"a":1}', "expected a string `type` - at `$`"),
    ("a type that is a list", b'{"type":[]}', "expected a string `type` - at `$`"),
    ("a type that is an object", b'{"type":{}}', "expected a string `type` - at `$`"),
    ("not UTF-8", b'{"type":"x","y":"\xff"}', "the text is not UTF-8"),
    ("NaN", b'{"type":"x","y":NaN}', "JSON is malformed"),
    ("nested too deeply", b"[" * 100_000, "nested too deeply"),
    ("nested in an event", b'{"type":"x","y":' + b"[" * 100_000, "nested too deeply"),
    ("a field missing", b'{"type":"thread.item.removed"}', "`item_id`"),
    ("a field of another kind", b'{"type":"thread.item.removed","item_id":1}', "`$.item_id`"),
    (
        "an update of another kind",
        b'{"type":"thread.item.updated","item_id":"a","update":{"type":1}}',
        "`$.update`",
    ),
    ("an envelope of a bad event", b'{"seq":1,"event":{"type":"notice"}}', "`level`"),
    ("two events", GOOD[0] + GOOD[0], "JSON is malformed"),
]


@pytest.mark.parametrize(
    ("text", "reason"), [case[1:] for case in REASONS], ids=[case[0] for case in REASONS]
)
@pytest.mark.parametrize(
    "around", [b"%b\n", b"data: %b\n\n", b"data: %b\r\n\r\n", b": x\ndata:%b\n\n"]
)
@pytest.mark.parametrize("size", [7, 65536])
def test_reading_goes_on_behind_what_cannot_be_read(
    text: bytes, reason: str, around: bytes, size: int
) -> None:
    before, after = 3 * (around % GOOD[0]), around % GOOD[1] + around % GOOD[5]
    data = before + around % text + after
    records = decoded([data[n : n + size] for n in range(0, len(data), size)])
    assert [record.event for record in records[:3]] == 3 * [EVENTS[0]]
    assert [record.event for record in records[4:]] == [EVENTS[1], EVENTS[5]]
    fault = records[3].event
    assert isinstance(fault, e.Unreadable)
    assert reason in fault.reason
    assert fault.offset == len(before)
    assert fault.line == 1 + before.count(b"\n")
    assert len(fault.excerpt) <= 81
    assert fault.excerpt.isprintable()
    assert fault.excerpt[:5] == text[:5].decode()


@pytest.mark.parametrize("around", [b"%b\n", b"data: %b\n\n", b"data: %b\r\n\r\n"])
def test_a_torn_last_event_is_reported_and_a_whole_one_read(around: bytes) -> None:
    last = around % GOOD[0]
    for end in range(1, len(last) + 1):
        data = around % GOOD[1] + last[:end]
        records = decoded([data])
        assert records[0].event == EVENTS[1]
        rest = [record.event for record in records[1:]]
        if GOOD[0] in last[:end]:
            assert rest == [EVENTS[0]]
        elif rest:
            assert [(type(one), getattr(one, "offset", None)) for one in rest] == [
                (e.Unreadable, len(around % GOOD[1]))
            ]
        else:  # nothing of the data had arrived
            assert b"{" not in last[:end]


@given(st.text(max_size=120))
def test_an_excerpt_is_safe_to_print(text: str) -> None:
    fault = faults(decoded(["\n".join(["x", f"#{text}\x1b[2J"]).encode("utf-8", "replace")]))[-1]
    assert fault.excerpt.isprintable()
    assert len(fault.excerpt) <= 81


# --- events that are too large -------------------------------------------------------------------


@pytest.mark.parametrize(
    "around", [b"%b\n", b"data: %b\n\n", b"data: %b\r\r", b"event: x\r\ndata: %b\r\n\r\n"]
)
@pytest.mark.parametrize("size", [1, 3, 50, 64, 1000, 10_000])
def test_an_event_that_is_too_large_is_skipped(around: bytes, size: int) -> None:
    large = encode(x.text_delta("a", "x" * 3000))
    small = around % GOOD[0]
    data = 2 * small + around % large + small
    records = decoded([data[n : n + size] for n in range(0, len(data), size)], limit=200)
    kinds = [type(record.event) for record in records]
    assert kinds == [*2 * [e.ThreadItemRemoved], e.Unreadable, e.ThreadItemRemoved]
    (fault,) = faults(records)
    assert fault.reason == "the event is larger than 200 bytes"
    assert (fault.offset, fault.line) == (2 * len(small), line_at(data, 2 * len(small)))
    assert (
        fault.excerpt == (around % large)[:80].decode().replace("\r", "�").replace("\n", "�") + "…"
    )


def line_at(data: bytes, offset: int) -> int:
    return 1 + len(re.findall(rb"\r\n|\r|\n", data[:offset]))


@pytest.mark.parametrize("around", [b"%b\n", b"data: %b\n\n", b"data: %b\r\n\r\n"])
@pytest.mark.parametrize("size", [1, 2, 10_000])
def test_an_event_of_exactly_the_limit_is_read(around: bytes, size: int) -> None:
    data = around % GOOD[0]
    length = len(data.rstrip())
    pieces = [data[n : n + size] for n in range(0, len(data), size)]
    assert decoded(pieces, limit=length) == [Record(EVENTS[0])]
    assert len(faults(decoded(pieces, limit=length - 1))) == 1


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_a_limit_that_is_smaller_than_everything(size: int) -> None:
    data = b"".join([b"data: %b\n\n" % text for text in GOOD])
    records = decoded([data[n : n + size] for n in range(0, len(data), size)], limit=1)
    assert [fault.line for fault in faults(records)] == [1 + 2 * n for n in range(len(GOOD))]
    assert len(faults(records)) == len(records)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="max_event_bytes must be at least 1"):
        LogDecoder(max_event_bytes=limit)


@pytest.mark.parametrize("framing", [None, SSE, JSON_LINES])
def test_memory_stays_bounded_for_a_line_that_never_ends(framing: Framing | None) -> None:
    decoder = LogDecoder(framing, max_event_bytes=100_000)
    size = 65536
    tracemalloc.start()
    try:
        for _ in range(800):
            assert decoder.feed(b"x" * size) == []  # each piece is an object of its own
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    (record,) = decoder.close()
    assert faults([record])[0].reason == "the event is larger than 100000 bytes"


# --- which format it is --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "framing"),
    [
        (b"data: {", SSE),
        (b"data:{", SSE),
        (b": ping\ndata:", SSE),
        (b"id: 1\ndata:", SSE),
        (b"event: x\r\ndata:", SSE),
        (b"rubbish\n: ping\n{", JSON_LINES),
        (b"\n\n\r\ndata: x", SSE),
        (BOM + b"data: x", SSE),
        (b"rubbish\nid of data: 7\rdata: x", SSE),
        (b'{"type"', JSON_LINES),
        (b' \t{"type"', JSON_LINES),
        (BOM + b"{", JSON_LINES),
        (b"\r\n\n {", JSON_LINES),
        (b'x data: {\n{"type"', JSON_LINES),
        (b'{"x":"\ndata: y"}', JSON_LINES),
    ],
)
def test_the_first_line_that_brings_data_tells_the_format(head: bytes, framing: Framing) -> None:
    assert detect(head, final=False) is framing
    assert detect(head, final=True) is framing


@pytest.mark.parametrize("head", [b": ping\n", b"id: 1\n", b"event: x\r\n", b"retry: 5\n", b":"])
def test_fields_without_data_tell_the_format_at_the_end(head: bytes) -> None:
    assert detect(head, final=False) is None
    assert detect(head, final=True) is SSE


@pytest.mark.parametrize(
    "head", [b"hello\n: x\nfoo\n", b"HTTP/1.1 500\nevent: x\n<html>\n", b"\0:\n"]
)
def test_rubbish_is_no_stream_of_events(head: bytes) -> None:
    assert detect(head, final=True) is JSON_LINES


@pytest.mark.parametrize("head", [b"", b"x", b" \n\t", b"dat", BOM, b"[1]\n", b"data", b"datax: {"])
def test_what_says_nothing_yet_may_still_be_anything(head: bytes) -> None:
    assert detect(head, final=False) is None
    assert detect(head, final=True) is JSON_LINES
    assert detect(head + b"x" * 70_000, final=False) is JSON_LINES
    assert detect(head + b"x" * 70_000 + b"\ndata: {}\n", final=True) is JSON_LINES


@given(
    st.sampled_from([b"data: %b\n\n", b"%b\n"]), st.sampled_from([b"", b"rub\r\nbish\n\n"]), CUTS
)
def test_rubbish_before_the_first_line_hides_no_event(
    around: bytes, not_a_log: bytes, places: list[int]
) -> None:
    data = not_a_log + b"".join([around % text for text in GOOD])
    records = decoded(cut(data, places))
    assert [r.event for r in records if not isinstance(r.event, e.Unreadable)] == EVENTS
    if around == b"%b\n":
        assert [fault.line for fault in faults(records)] == ([1, 2] if not_a_log else [])


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\n\t", BOM, BOM + b"\n", b" " * 70_000])
def test_a_log_without_anything(data: bytes) -> None:
    assert decoded([data]) == []
    size = max(1, len(data) // 100)
    assert decoded([data[n : n + size] for n in range(0, len(data), size)]) == []


def test_a_log_of_rubbish_alone() -> None:
    data = b"GET / HTTP/1.1\nhost\n\xff\xfe\x00"
    assert [(f.offset, f.line) for f in faults(decoded([data]))] == [(0, 1), (15, 2), (20, 3)]
    (large,) = faults(decoded([b"x" * 200_000], limit=1000))
    assert (large.offset, large.line) == (0, 1)


# --- what a log says of its events ---------------------------------------------------------------


def test_an_envelope_says_when_and_in_which_thread() -> None:
    data = b"\n".join(ENVELOPES)
    assert [(r.thread, r.sequence, r.time) for r in decoded([data])] == [
        ("t", 1, 1.5),
        (None, None, None),
        (None, "a", "2025-01-01"),
        ("u", 7, 3),
        (None, None, None),
        (None, 2**70, -0.0),
        (None, None, None),
        (None, 3, None),
    ]


def test_the_id_of_a_server_sent_event_is_its_sequence_number() -> None:
    first, second = encode_sse(EVENTS[0], event_id="7"), encode_sse(EVENTS[0])
    assert [record.sequence for record in decoded([first + second])] == ["7", None]


def test_the_name_of_a_server_sent_event_makes_no_difference() -> None:
    data = b"event: error\ndata: %b\n\nevent\ndata: %b\n\n" % (GOOD[0], GOOD[1])
    assert [record.event for record in decoded([data])] == EVENTS[:2]


@pytest.mark.parametrize("around", [b"%b\n", b"data: %b\n\n"])
def test_an_unknown_event_with_a_field_called_event_is_no_envelope(around: bytes) -> None:
    event = e.UnknownEvent({"type": "new.event", "event": {"type": "thread.item.removed"}})
    assert decoded([around % encode(event)]) == [Record(event)]
