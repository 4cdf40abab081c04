"""Logs as people have them: each is read as the plain one is, whatever stands around the events."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from chatkit_reducer import encode, fold, replay
from chatkit_reducer import events as e
from chatkit_reducer.logs import LogDecoder, Record, read, read_records, replay_threads
from chatkit_reducer.logs.formats._prefixed import candidates
from chatkit_reducer.testing import examples as x
from chatkit_reducer.testing import strategies as chatkit
from tests.support.paths import ROOT
from tests.support.wrapped_logs import (
    LIKELY,
    MARK,
    SURE,
    Writer,
    each,
    encoded,
    har,
    har_messages,
    http,
    lines,
    objects,
    sse,
)

WRITERS = {**SURE, **LIKELY}
RECORDINGS = sorted((ROOT / "docs" / "recordings").glob("*.sse"))
EVENTS: list[e.Event] = [
    x.added(x.message("m", "")),
    x.text_delta("m", 'Hi \u2028\x85 \\ \r\n\t\'"there" {} ü'),
    x.text_delta("m", "[DONE]"),
    x.done(x.message("m", "all")),
    x.removed("m"),
]
TEXTS = [encode(event) for event in EVENTS]

all_forms = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


def decoded(data: bytes, size: int | None = None, **options: Any) -> Collecting:
    """A decoder that has read all of the data; `records` are what it found."""
    decoder = Collecting(**options)
    for start in range(0, len(data), size or len(data) or 1):
        decoder.found += decoder.feed(data[start : start + (size or len(data))])
    decoder.found += decoder.close()
    return decoder


class Collecting(LogDecoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.found: list[Record] = []


def events_in(data: bytes, size: int | None = None, **options: Any) -> list[Any]:
    return [record.event for record in decoded(data, size, **options).found]


def faults_in(data: bytes) -> list[e.Unreadable]:
    return [event for event in events_in(data) if isinstance(event, e.Unreadable)]


# --- the law: a form makes no difference ----------------------------------------------------------


@pytest.fixture(scope="module")
def recorded() -> dict[str, list[e.Event]]:
    """The events of each recording; of the long one as many as say all that it says."""
    events = {path.stem: list(read(path)) for path in RECORDINGS}
    return {
        name: [event for event in found if not isinstance(event, e.Unreadable)][:120]
        for name, found in events.items()
    }


@all_forms
def test_a_recording_in_any_form_is_the_recording(
    recorded: dict[str, list[e.Event]], write: Writer
) -> None:
    for name, events in recorded.items():
        data = write([encode(event) for event in events])

        assert events_in(data) == events, name
        assert replay(io.BytesIO(data)) == fold(events), name


@given(
    stream=chatkit.streams() | chatkit.adversarial_streams(),
    size=st.none() | st.integers(1, 200),
    compress=st.sampled_from([bytes, gzip.compress, zstandard.compress]),
)
def test_any_stream_in_any_form_is_the_stream(
    stream: list[e.Event], size: int | None, compress: Callable[[bytes], bytes]
) -> None:
    assume(stream)
    texts = [encode(event) for event in stream]
    folded = fold(stream)
    for name, write in (WRITERS if tells(stream[0]) else SURE).items():
        note(name)
        data = compress(write(texts))
        log = io.BytesIO(data) if size is None else Pieces(data, size)

        again = list(read(log))

        assert again == stream
        assert repr(again) == repr(stream)
        assert fold(again) == folded


@pytest.mark.parametrize("name", ["", "it's", 'a "quoted" it\'s', "a\\'b", "n" * 500])
def test_a_printed_dict_is_found_whatever_its_first_name_is(name: str) -> None:
    event = {name: None, "type": "thread.item.removed", "item_id": "m"}

    found = events_in(f"DEBUG:root:event {event!r}\n".encode())

    assert [json.loads(encode(one)) for one in found] == [event]


def tells(event: e.Event) -> bool:
    """Whether an event is of a type that no other program's log has."""
    return e.wire_type(event).startswith("thread.")


class Pieces(io.BytesIO):
    """A file that gives no more than so many bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._most = size

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._most)


@all_forms
def test_a_form_in_pieces_of_any_size(write: Writer) -> None:
    data = write(TEXTS)
    whole = decoded(data)

    for size in (1, 2, 3, 7, 64, 1000):
        parts = decoded(data, size)
        assert repr(parts.found) == repr(whole.found)
        assert (parts.skipped, parts.form) == (whole.skipped, whole.form)


@all_forms
@pytest.mark.parametrize("size", [30_000, 600_000])
def test_a_large_log_in_any_form(write: Writer, size: int) -> None:
    """Larger than what is looked at before a form is chosen; and so is its first event."""
    text = 'A "word" or {two}, and \u2028 a path: C:\\new\n' * (size // 40)
    events: list[e.Event] = [x.added(x.message("m", text)), x.text_delta("m", text)]
    events *= max(1, 300_000 // size)

    assert events_in(write([encode(event) for event in events]), 65536) == events


@given(cut=st.integers(0, 2**16), size=st.integers(1, 300))
def test_a_torn_log_is_read_as_far_as_it_goes(cut: int, size: int) -> None:
    for name, write in WRITERS.items():
        note(name)
        data = write(TEXTS * 3)
        torn = data[: cut % len(data)]

        found = events_in(torn)

        assert repr(events_in(torn, size)) == repr(found)
        if not name.startswith("har"):
            good = [event for event in found if not isinstance(event, e.Unreadable)]
            assert good == (EVENTS * 3)[: len(good)]


@given(
    place=st.integers(0, 2**16),
    instead=st.binary(max_size=6),
    size=st.integers(0, 6),
    pieces=st.integers(1, 99),
)
def test_a_damaged_log_is_read_the_same_in_any_pieces(
    place: int, instead: bytes, size: int, pieces: int
) -> None:
    for name, write in WRITERS.items():
        note(name)
        data = write(TEXTS)
        at = place % (len(data) + 1)
        damaged = data[:at] + instead + data[at + size :]

        assert repr(events_in(damaged, pieces)) == repr(events_in(damaged))


# --- what is left out is counted ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "skipped"),
    [
        ("prefix", len(TEXTS)),
        ("prefix, mail", len(TEXTS)),
        ("docker", 0),
        ("docker, cut", 1),
        ("har", 2),
        ("csv", 1),
        ("devtools", 1),
        ("devtools, cells", 2 * len(TEXTS)),
        ("lines, in a fence", 3),
        ("array", 0),
        ("sse, single newlines", 0),
        ("sse, [DONE]", 0),
        ("utf-16", 0),
    ],
)
def test_what_is_not_part_of_an_event_is_counted(name: str, skipped: int) -> None:
    assert decoded(WRITERS[name](TEXTS)).skipped == skipped


def test_the_readers_tell_what_was_left_out() -> None:
    data = WRITERS["prefix"](TEXTS)
    told: list[int] = []
    list(read(io.BytesIO(data), on_skipped=told.append))
    list(read_records(io.BytesIO(data), on_skipped=told.append))
    replay(io.BytesIO(data), on_skipped=told.append)
    replay(io.BytesIO(data), until=100, on_skipped=told.append)
    replay_threads(io.BytesIO(data), on_skipped=told.append)
    assert told == 5 * [len(TEXTS)]


def test_nothing_is_told_of_a_plain_log() -> None:
    told: list[int] = []
    replay(io.BytesIO(b"rubbish\n" + lines(TEXTS)), on_skipped=told.append)
    assert told == []


# --- a plain log is never unwrapped ---------------------------------------------------------------

INNER = encode(x.removed("m"))
QUOTES = [
    *[write([INNER, INNER]).decode("utf-8", "replace") for write in WRITERS.values()],
    f"data: {INNER.decode()}\n\n",
    "[DONE]",
    "data: [DONE]\n\n",
    json.dumps({"log": INNER.decode() + "\n", "stream": "stdout"}) + "\n",
    "```\n" + INNER.decode() + "\n```",
]


@pytest.mark.parametrize("around", ["sse", "lines", "envelopes"])
@pytest.mark.parametrize("quote", QUOTES)
def test_a_message_that_quotes_a_log_stays_a_message(quote: str, around: str) -> None:
    stream: list[e.Event] = [
        e.Notice("info", quote),
        x.added(x.message("m", quote)),
        x.text_delta("m", quote),
        e.UnknownEvent({"type": "new.event", "data": quote, "log": {"entries": [quote]}}),
        x.done(x.message("m", quote)),
        e.ThreadItemRemoved("m", extra=e.Extra({"log": {"entries": []}, "message": quote})),
    ]
    for start in range(len(stream)):
        events = stream[start:]
        texts = [encode(event) for event in events]
        if around == "envelopes":
            data = b"".join(b'{"seq":%d,"event":%b}\n' % pair for pair in enumerate(texts))
        else:
            data = sse(texts) if around == "sse" else lines(texts)
        assert events_in(data) == events
        assert decoded(data).form == ("server-sent events" if around == "sse" else "JSON lines")


@all_forms
@pytest.mark.parametrize("quote", QUOTES[-8:])
def test_in_any_form_a_message_that_quotes_a_log_stays_a_message(quote: str, write: Writer) -> None:
    events: list[e.Event] = [x.added(x.message("m", quote)), x.text_delta("m", quote)]

    assert events_in(write([encode(event) for event in events])) == events


@given(st.lists(st.sampled_from(QUOTES) | st.text(), min_size=1, max_size=5))
@settings(max_examples=60)
def test_a_plain_log_is_never_unwrapped(quotes: list[str]) -> None:
    events: list[e.Event] = [x.text_delta("m", quote) for quote in quotes]
    for data in (sse([encode(v) for v in events]), lines([encode(v) for v in events])):
        assert events_in(data) == events


def test_a_request_on_the_line_of_the_response() -> None:
    request = b'{"type":"threads.create","params":{}}HTTP/1.1 200 OK\r\n\r\n'
    assert events_in(b"POST /chatkit HTTP/1.1\r\n\r\n" + request + sse(TEXTS)) == EVENTS


def test_an_item_in_another_programs_log_is_not_looked_into() -> None:
    """What a user wrote is in an item, and may be the text of an event."""
    text = {"type": "input_text", "text": INNER.decode()}
    thread = {"id": "thr", "items": {"data": [{"type": "user_message", "content": [text]}]}}
    request = {"type": "threads.add_user_message", "params": {"text": INNER.decode()}}
    data = WRITERS["prefix"](TEXTS)
    more = [json.dumps(one).encode() for one in (thread, request)]
    noise = b"".join([one + b"\nINFO got " + one + b"\n" for one in more])

    assert events_in(noise + data + noise) == EVENTS


# --- HAR ------------------------------------------------------------------------------------------


def entry(text: object, url: str = "https://chat.example/chatkit", **more: Any) -> dict[str, Any]:
    content = {"mimeType": "text/event-stream", **({} if text is None else {"text": text})}
    return {"request": {"url": url}, "response": {"content": content | more}}


def har_of(*entries: object) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": entries}}, indent=1).encode()


def test_streams_of_several_threads_come_in_the_order_of_their_requests() -> None:
    streams = [[x.added(x.message(name, name))] for name in "abc"]
    order = ["2026-01-01T12:00:03+02:00", "2026-01-01T10:00:01Z", "2026-01-01T10:00:02.5Z"]
    entries = [
        {**entry(sse([encode(event) for event in stream]).decode()), "startedDateTime": started}
        for stream, started in zip(streams, order, strict=True)
    ]

    assert events_in(har_of(*entries)) == [*streams[1], *streams[2], *streams[0]]


@pytest.mark.parametrize("started", [None, 3, "yesterday", "2026-01-01T10:00:01"])
def test_requests_without_a_time_stay_where_they_are(started: object) -> None:
    texts = [sse([text]).decode() for text in TEXTS]
    entries = [{**entry(text), "startedDateTime": started} for text in texts]

    assert events_in(har_of(*entries)) == EVENTS


def test_a_stream_that_the_browser_left_out_is_said() -> None:
    (fault, other) = faults_in(har_of(entry(None), entry(""), entry("", size=3)))

    assert fault.reason == other.reason
    assert fault.reason == (
        "the response of this event stream is not in the HAR: the browser left it out"
    )
    assert fault.excerpt == "https://chat.example/chatkit"


def test_a_har_without_an_event_is_one_line() -> None:
    page = {"request": {}, "response": {"content": {"mimeType": "text/html", "text": "<html>"}}}
    (fault,) = faults_in(har_of(page, page))

    assert fault.reason == "none of the 2 responses in the HAR holds an event"


def test_streams_of_other_services_are_left_out() -> None:
    other = "".join(f'data: {{"type": "response.output_text.delta", "n": {n}}}\n\n' for n in "12")
    others = [entry(other, url="https://other.example"), entry(other, url="")]
    error = 'data: {"type":"error"}\n\n'  # of the same service
    decoder = decoded(har_of(others[0], entry(sse(TEXTS).decode()), entry(error), others[1]))

    assert [record.event for record in decoder.found] == [*EVENTS, e.ErrorEvent()]
    assert decoder.skipped == 2


def test_a_body_that_is_not_base64_is_left_out() -> None:
    good = base64.b64encode(sse(TEXTS)).decode()
    data = har_of(entry("%%%", encoding="base64"), entry(good, encoding="base64"))

    assert events_in(data)[: len(EVENTS)] == EVENTS


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"request": None, "response": None},
        {"request": {}, "response": {"content": None}},
        {"request": {}, "response": {"content": {"text": 3, "mimeType": []}}},
        {"request": {}, "response": {}, "_webSocketMessages": [None, 3, {"data": 3}]},
        [],
        3,
        None,
        "text",
    ],
)
def test_a_request_of_any_shape_hides_no_other(broken: object) -> None:
    assert events_in(har_of(broken, entry(sse(TEXTS).decode()), broken)) == EVENTS


def test_a_har_that_is_cut_off_gives_the_requests_that_are_whole() -> None:
    data = har_of(entry(sse(TEXTS).decode()), entry(sse(TEXTS).decode()))
    *events, fault = events_in(data[:-200])

    assert events == EVENTS
    assert fault.reason == "the HAR ends too early: this request is not complete"
    assert fault.line > 10


# --- lines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "2026-01-02 03:04:05.678 [main] DEBUG com.example.Chat - %s",
        "I0102 03:04:05.678901   42 stream.go:12] %s",
        '{"level":30} %s',
        "time=2026-01-02T03:04:05Z level=DEBUG msg=event data=%s id=7",
        "INFO sent %s in 3 ms",
        "event: %s",
        "=> %s <=",
        "\x1b]0;title\x07\x1b[1;32mDEBUG\x1b[0m %s\x1b[0m",
        "ü – %s",
        "web_1  | web_1  | data: %s",
        "> > %s",
        "<134>1 2026-01-02T03:04:05Z host app 42 - - %s",
    ],
)
def test_a_prefix_of_any_kind(line: str) -> None:
    assert events_in(each(line)(TEXTS)) == EVENTS


def test_a_long_start_without_an_event() -> None:
    start = b"".join(b"INFO request %d took 3 ms {'a': 1}\n" % n for n in range(8000))
    decoder = decoded(start + WRITERS["prefix"](TEXTS), 65536)

    assert len(start) > 200_000
    assert [record.event for record in decoder.found] == EVENTS
    assert decoder.skipped == 8000 + len(TEXTS)


def test_a_torn_event_among_other_lines_is_a_fault() -> None:
    good = each("DEBUG %s")(TEXTS)
    data = good + b"DEBUG " + TEXTS[1][:-4] + b"\n" + good

    found = events_in(data)

    (fault,) = [event for event in found if isinstance(event, e.Unreadable)]
    assert [event for event in found if event is not fault] == 2 * EVENTS
    assert (fault.reason, fault.line) == ("the JSON ends too early", 2 * len(TEXTS) + 1)
    assert fault.offset == len(good)


def test_an_event_with_its_number_keeps_it() -> None:
    decoder = decoded(WRITERS["devtools"](TEXTS))
    assert [r.sequence for r in decoder.found] == ["0", "1", "2", "3", "4"]
    decoder = decoded(WRITERS["sse, single newlines, other fields"](TEXTS))
    assert [r.sequence for r in decoder.found] == ["0", "1", "2", "3", "4"]


def test_a_time_is_not_an_id_and_a_browser_repeats_the_last_one() -> None:
    rows = [b"03:04:05\tINFO\t%b\n" % text for text in TEXTS]
    assert [r.sequence for r in decoded(b"".join(rows)).found] == 5 * [None]
    rows = [b"7\tmessage\t%b\t12:34:56.789\n" % text for text in TEXTS]
    assert [r.sequence for r in decoded(b"".join(rows)).found] == ["7", *4 * [None]]


def test_an_id_behind_the_data_is_that_of_the_data() -> None:
    frames = [b"data: %b\nid: %d\n" % (text, n) for n, text in enumerate(TEXTS)]
    decoder = decoded(b"".join(frames))
    assert [r.sequence for r in decoder.found] == ["0", "1", "2", "3", "4"]


def test_what_an_envelope_says_is_kept_in_any_form() -> None:
    envelopes = [
        b'{"seq":%d,"time":1.5,"thread":"t","event":%b}' % pair for pair in enumerate(TEXTS)
    ]
    for name in ("array", "lines, comma", "utf-16", "lines, in a fence"):
        decoder = decoded(WRITERS[name](envelopes))
        assert decoder.found == [
            Record(event, "t", number, 1.5) for number, event in enumerate(EVENTS)
        ]


@pytest.mark.parametrize("hello", [b'data: {"status":"connected"}', b"data: ping", b"data: 5"])
def test_what_a_server_says_first_does_not_tell_the_form(hello: bytes) -> None:
    single = [b"data: %b\n" % text for text in TEXTS]

    assert events_in(hello + b"\n\n" + sse(TEXTS))[1:] == EVENTS
    assert events_in(hello + b"\n" + b"".join(single))[-len(TEXTS) :] == EVENTS


@pytest.mark.parametrize("text", [b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data: [DONE]"])
@pytest.mark.parametrize("before", [sse(TEXTS), b"", b": ping\n\n"])
def test_the_terminator_of_a_stream_is_no_fault(text: bytes, before: bytes) -> None:
    assert faults_in(before + text) == []


@pytest.mark.parametrize("end", [b"data: [DONE]\n", b"data:[DONE]", b"data: [DONE]\n\n"])
def test_the_terminator_of_a_stream_behind_json_lines_is_no_fault(end: bytes) -> None:
    assert events_in(lines(TEXTS) + end) == EVENTS


@pytest.mark.parametrize("behind", [b"$", b",", b'"', b"\\n\\n", b" (42 bytes)", b"</p>"])
@pytest.mark.parametrize("between", [b"\n", b"\n\n", b"$\n$\n"])
def test_an_event_with_something_behind_it_is_found_in_data(behind: bytes, between: bytes) -> None:
    data = between.join(b"data: " + text + behind for text in TEXTS)
    assert events_in(data) == EVENTS


def test_several_events_in_one_line_of_data_are_all_found() -> None:
    data = b"".join(b"data: " + text for text in TEXTS) + b"\n\n"
    assert events_in(data + sse(TEXTS)) == 2 * EVENTS


def test_an_event_with_something_behind_it_keeps_its_id() -> None:
    data = b"".join(b"id: %d\ndata: %b,\n\n" % (n, text) for n, text in enumerate(TEXTS))
    assert [record.sequence for record in decoded(data).found] == ["0", "1", "2", "3", "4"]


def test_two_captures_in_one_file() -> None:
    first, second = sse(TEXTS)[:-1], b"id: 7\n" + sse(TEXTS)

    assert events_in(first + sse(TEXTS)) == 2 * EVENTS
    assert events_in(first + second) == 2 * EVENTS


# --- JSON -----------------------------------------------------------------------------------------


def test_a_torn_element_of_an_array_hides_no_line_behind_it() -> None:
    data = b"[\n%b,\n%b,\n%b,\n%b\n]" % (TEXTS[0], TEXTS[1][:30], TEXTS[2], TEXTS[3])
    found = events_in(data)

    good = [event for event in found if not isinstance(event, e.Unreadable)]
    assert good == [EVENTS[0], EVENTS[2], EVENTS[3]]
    assert len(found) == 4


def test_an_array_that_is_cut_off() -> None:
    *events, fault = events_in(b"[" + b",".join(TEXTS)[:-10])

    assert events == EVENTS[:-1]
    assert fault.reason == "the JSON ends too early"


def test_a_line_for_each_batch() -> None:
    batches = [b"[%b,%b]\n" % (text, text) for text in TEXTS]

    assert events_in(b"".join(batches)) == [event for event in EVENTS for _ in range(2)]


def test_journald_writes_bytes_as_numbers() -> None:
    rows = [{"MESSAGE": list(b"data: " + text), "_PID": "1"} for text in TEXTS]
    data = b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    assert events_in(data) == EVENTS


def test_the_same_programs_other_fields_are_not_taken() -> None:
    """Only where the log's text is: not from a field that repeats it, and not twice."""
    write = objects(lambda s: {"message": s, "copy": s, "payload": json.loads(s)})

    assert events_in(write(TEXTS)) == EVENTS


# --- what cannot be read --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 40,
        b"<html>\n<p>{}</p>\n</html>\n" * 20,
        b'{"a": 1}\n' * 20,
        b"[1, 2, 3]",
        b'[{"a": 1}, {"b": "{}"}]',
        b'{\n "a": 1\n}\n',
        b'{"a":\x1b[0m\n"b"}\n',
        "text".encode("utf-16"),
        b"HTTP/1.1 500 Internal Server Error\r\n\r\noops",
        b"a,b\n1,2\n",
    ],
)
def test_a_log_without_an_event_is_not_silent(data: bytes) -> None:
    state = replay(io.BytesIO(data))

    assert state.position == 0
    assert state.anomalies


@pytest.mark.parametrize(
    "name", ["prefix", "array", "har", "csv", "docker", "sse, single newlines"]
)
def test_an_event_that_is_too_large_is_skipped_in_any_form(name: str) -> None:
    texts = [TEXTS[0], encode(x.text_delta("m", "x" * 5000)), TEXTS[3]]
    found = events_in(WRITERS[name](texts), max_event_bytes=500)

    (fault,) = [event for event in found if isinstance(event, e.Unreadable)]
    assert fault.reason == "the event is larger than 500 bytes"
    assert [event for event in found if event is not fault] == [EVENTS[0], EVENTS[3]]


# --- bounds ---------------------------------------------------------------------------------------


def nested(levels: int) -> bytes:
    return b'{"log":{"entries":[' + b"[" * levels + b"]" * levels + b"]}}"


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "a har of brackets": nested,
    "brackets": lambda n: b"[" * n,
    "braces": lambda n: b'{"a":' * n,
    "quotes": lambda n: b'INFO "' * n,
    "quotes behind an event": lambda n: each("info: %s")(TEXTS) + b'"' * n,
    "objects in objects, in an array": lambda n: b"[" + b'{"a":{"b":{"c":{"d":{}}}}},' * (n // 26),
    "objects that do not end": lambda n: b'x {"a" ' * n,
    "python texts": lambda n: b"b'data: {" * n,
    "colours": lambda n: b"\x1b]" * n,
    "tabs": lambda n: b'x {"type":"t"}' + b"\t" * n + b"{",
    "a text that never ends": lambda n: (
        WRITERS["docker"](TEXTS) + b'{"log":"data: {"}\n' * (n // 8)
    ),
    "data that never ends": lambda n: sse(TEXTS)[:-1] + b"data: {\n" * n,
    "lines of nothing": lambda n: b"[\n" + b"\n" * n,
    "a csv that never ends": lambda n: (
        b'"{""type"":""thread.item.removed"",""item_id"":""a""}"\n' + b'"a\n' * n
    ),
    "wrapped": lambda n: objects(lambda s: {"message": s})(TEXTS * (n // 500)),
    "prefixed": lambda n: each("DEBUG %s")(TEXTS * (n // 500)),
    "array": lambda n: WRITERS["array, indented"](TEXTS * (n // 500)),
    "har": lambda n: har(TEXTS * (n // 500)),
    "har, messages": lambda n: har_messages(TEXTS * (n // 500)),
    "csv": lambda n: WRITERS["csv"](TEXTS * (n // 500)),
    "chunked": lambda n: http(b"1\r\na\r\n" * n, b"Transfer-Encoding: chunked"),
    "utf-16": lambda n: encoded("utf-16", lines, MARK)(TEXTS * (n // 500)),
    "a field of strings": lambda n: json.dumps({"a": ['{"type": {'] * (n // 20)}).encode(),
    "deep json in json": lambda n: deep_json(6, n),
}


def deep_json(levels: int, size: int) -> bytes:
    text = "x" * size + '{"type":'
    for _ in range(levels):
        text = json.dumps({"message": text})[: 4 * size]
    return text.encode() + b"\n"


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("size", [None, 4096])
def test_whatever_a_log_is_made_of_it_is_read_to_its_end(
    make: Callable[[int], bytes], size: int | None
) -> None:
    """What grows faster than the log would never come to its end here."""
    decoded(make(200_000), size)


# --- more that people have ------------------------------------------------------------------------


def same(data: bytes, skipped: int = 0) -> None:
    """The log gives the events of the plain one, and nothing else."""
    told: list[int] = []
    assert list(read(io.BytesIO(data), on_skipped=told.append)) == EVENTS
    assert sum(told) == skipped


def test_the_field_event_of_a_logger_is_no_envelope() -> None:
    entries = [{"level": 20, "time": 1, "event": json.loads(text), "msg": "sent"} for text in TEXTS]
    noise = {"level": 30, "time": 1, "event": "started {", "msg": "x"}
    same(b"".join(json.dumps(one).encode() + b"\n" for each in entries for one in (noise, each)), 5)
    recorded = b"".join(
        b'{"seq": %d, "event": %b, "host": "h"}\n' % pair for pair in enumerate(TEXTS, 1)
    )
    assert [one.sequence for one in read_records(io.BytesIO(recorded))] == [1, 2, 3, 4, 5]


def test_records_with_a_mark_before_each() -> None:
    same(b"".join(b"\x1e" + text + b"\n" for text in TEXTS))


def test_zeros_behind_gzip_are_not_data() -> None:
    log = gzip.compress(lines(TEXTS)) + bytes(100_000)
    assert list(read(io.BytesIO(log))) == EVENTS
    assert list(read(io.BytesIO(log + log))) == EVENTS * 2


@pytest.mark.parametrize("between", [" ", ", "])
def test_any_number_of_events_in_one_line(between: str) -> None:
    """A line of twenty is not cut after eight."""
    texts = [encode(x.text_delta("m", f"ü{n}")) for n in range(20)]
    events = [x.text_delta("m", f"ü{n}") for n in range(20)]
    printed = between.join(repr(b"data: " + text + b"\n\n") for text in texts).encode()
    bare = b"chunk " + between.encode().join(texts)
    for line in (printed, b"[" + printed + b"]", bare, b"\xe4 " + bare):
        assert list(read(io.BytesIO(line + b"\n"))) == events


def test_quotes_around_a_text_with_such_quotes_in_it() -> None:
    event = x.text_delta("m", "it's, isn't it")
    line = b"DEBUG event '" + encode(event) + b"' sent\n"
    assert list(read(io.BytesIO(line * 2))) == [event] * 2


def test_text_in_quotes_with_both_halves_of_a_character_as_escapes() -> None:
    event = x.text_delta("m", "\U0001f600")
    line = b"DEBUG " + json.dumps(encode(event).decode()).encode() + b"\n"
    assert list(read(io.BytesIO(line))) == [event]


@pytest.mark.parametrize("unit", [b"'{\"a\": ' ", b'\'{"a":\'x" ', b'{"', b"\"{'a"])
def test_objects_that_are_torn_are_not_all_looked_at(unit: bytes) -> None:
    assert len(list(candidates(unit * 1_000))) < 20
