"""Writing a log, and reading it again."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_reducer import encode
from chatkit_reducer import events as e
from chatkit_reducer.errors import EncodeError, LogError
from chatkit_reducer.logs import (
    JSON_LINES,
    SSE,
    Framing,
    LogDecoder,
    Record,
    encode_json_line,
    encode_sse,
    read,
    read_records,
    write,
)
from chatkit_reducer.testing import examples as x
from chatkit_reducer.testing import strategies as chatkit

EVENTS: list[e.Event] = [
    x.added(x.message("m", "")),
    *[x.text_delta("m", f"\u2028 {n} ") for n in range(2000)],
    e.UnknownEvent({"type": "new", "event": {"type": "notice"}}),
]
STREAMS = chatkit.streams() | chatkit.adversarial_streams()
NAMES = [
    "log",
    "log.jsonl",
    "log.sse",
    "log.jsonl.gz",
    "log.sse.gz",
    "log.jsonl.zst",
    "log.sse.zst",
]


def written(events: list[e.Event | Record | e.Unreadable], framing: Framing | None = None) -> bytes:
    file = io.BytesIO()
    write(file, events, framing=framing)
    return file.getvalue()


# --- what is written is what is read -------------------------------------------------------------


@given(STREAMS, st.sampled_from([None, SSE, JSON_LINES]))
@settings(max_examples=60)
def test_events_are_read_as_they_were_written(
    events: list[e.Event], framing: Framing | None
) -> None:
    file = io.BytesIO()
    assert write(file, events, framing=framing) == len(events)
    assert not file.closed
    again = list(read(io.BytesIO(file.getvalue())))
    assert again == events
    assert repr(again) == repr(events)


TEXT = st.text(max_size=8)
RECORDS = st.builds(
    Record,
    st.sampled_from([EVENTS[0], EVENTS[1], EVENTS[-1]]),
    st.none() | TEXT,
    st.none() | st.integers(-(2**70), 2**70) | TEXT,
    st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
)


def _number(record: Record) -> str | object:
    return object() if record.sequence is None else str(record.sequence)


LISTS = st.lists(RECORDS, max_size=6, unique_by=_number)
"""A number stands there once: an event that comes again is not read as it was written."""


@given(LISTS)
@settings(max_examples=60)
def test_json_lines_keep_all_of_a_record(records: list[Record]) -> None:
    data = written([*records], JSON_LINES)
    assert data.count(b"\n") == len(records)
    assert repr(list(read_records(io.BytesIO(data)))) == repr(records)


@given(LISTS)
@settings(max_examples=60)
def test_server_sent_events_keep_the_sequence_number(records: list[Record]) -> None:
    again = list(read_records(io.BytesIO(written([*records], SSE))))
    assert [record.event for record in again] == [record.event for record in records]
    for before, after in zip(records, again, strict=True):
        text = None if before.sequence is None else str(before.sequence)
        if text is not None and set(text) & set("\0\r\n"):
            text = None  # there is no place for it in one line
        assert (after.thread, after.sequence, after.time) == (None, text, None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("as_path", [Path, str])
def test_the_name_tells_format_and_compression(
    name: str, as_path: Callable[[Path], Path | str], tmp_path: Path
) -> None:
    path = tmp_path / name
    assert write(as_path(path), EVENTS) == len(EVENTS)
    assert list(read(path)) == EVENTS
    data = path.read_bytes()
    if name.endswith(".gz"):
        data = gzip.decompress(data)
    elif name.endswith(".zst"):
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    assert data.startswith(b"data: {" if ".sse" in name else b'{"')


@pytest.mark.parametrize("framing", [SSE, JSON_LINES])
def test_the_format_can_be_said(framing: Framing, tmp_path: Path) -> None:
    path = tmp_path / ("log.jsonl" if framing is SSE else "log.sse")
    write(path, EVENTS, framing=framing)
    assert path.read_bytes().startswith(b"data: " if framing is SSE else b"{")


@pytest.mark.parametrize("name", NAMES)
def test_the_same_events_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    paths = [tmp_path / "one" / name, tmp_path / "two" / name]
    for path in paths:
        path.parent.mkdir()
        write(path, EVENTS)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_gzip_holds_no_time_and_no_name(tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    write(path, EVENTS)
    head = path.read_bytes()[:10]
    assert head[3] & 8 == 0  # FNAME
    assert head[4:8] == b"\0\0\0\0"  # MTIME


def test_a_log_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, EVENTS)
    assert write(path, EVENTS[:1]) == 1
    assert list(read(path)) == EVENTS[:1]


def test_a_file_is_written_from_where_it_stands() -> None:
    file = io.BytesIO()
    write(file, EVENTS[:2])
    write(file, EVENTS[2:4])
    assert list(read(io.BytesIO(file.getvalue()))) == EVENTS[:4]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_written_is_an_empty_log(name: str, tmp_path: Path) -> None:
    assert write(tmp_path / name, []) == 0
    assert list(read(tmp_path / name)) == []


@pytest.mark.parametrize("framing", [SSE, JSON_LINES])
def test_what_could_not_be_read_is_left_out(framing: Framing) -> None:
    fault = e.Unreadable(0, 1, "no JSON", "x")
    file = io.BytesIO()
    entries = [fault, EVENTS[0], Record(fault, "t", 1, 2), Record(EVENTS[1])]
    assert write(file, entries, framing=framing) == 2
    assert list(read(io.BytesIO(file.getvalue()))) == EVENTS[:2]


def test_one_event_as_the_sdk_writes_it() -> None:
    text = encode(EVENTS[0])
    assert encode_sse(EVENTS[0]) == b"data: " + text + b"\n\n"
    assert encode_sse(EVENTS[0], event_id="7") == b"id: 7\ndata: " + text + b"\n\n"
    assert encode_sse(EVENTS[0], event_id="") == b"id: \ndata: " + text + b"\n\n"


def test_one_event_as_a_line() -> None:
    text = encode(EVENTS[0])
    assert encode_json_line(EVENTS[0]) == text + b"\n"
    line = encode_json_line(EVENTS[0], sequence=0, time=1.5, thread="")
    assert line == b'{"seq":0,"time":1.5,"thread":"","event":' + text + b"}\n"
    assert encode_json_line(EVENTS[0], sequence="a") == b'{"seq":"a","event":' + text + b"}\n"


def test_a_sequence_number_cannot_smuggle_in_an_event() -> None:
    record = Record(EVENTS[0], sequence='1\n\ndata: {"type":"error"}\n\n')
    assert list(read(io.BytesIO(written([record], SSE)))) == [EVENTS[0]]


@pytest.mark.parametrize("event_id", ["1\n", "1\r", "1\r\ndata: {}\r\n\r\n", "\n", "a\0b"])
def test_an_id_that_is_more_than_a_line_is_refused(event_id: str) -> None:
    with pytest.raises(ValueError, match="expected event_id to be one line without NUL, got"):
        encode_sse(EVENTS[0], event_id=event_id)


@pytest.mark.parametrize("event_id", [7, b"7"])
def test_an_id_that_is_not_text_is_refused(event_id: Any) -> None:
    kind = type(event_id).__name__
    with pytest.raises(TypeError, match=f"^expected event_id to be a str, got {kind}: pass str"):
        encode_sse(EVENTS[0], event_id=event_id)


@pytest.mark.parametrize("log", [None, 5, b"a.jsonl"])
@pytest.mark.parametrize("events", [[], EVENTS])
def test_a_log_that_cannot_be_written_to_is_refused(log: Any, events: list[e.Event]) -> None:
    kind = type(log).__name__
    with pytest.raises(TypeError, match=f"^expected a path, or a file open for writing.*{kind}"):
        write(log, events)


@given(TEXT)
def test_an_id_is_written_whole_or_refused(event_id: str) -> None:
    try:
        frame = encode_sse(EVENTS[0], event_id=event_id)
    except ValueError:
        assert set(event_id) & set("\0\r\n")
    else:
        (record,) = read_records(io.BytesIO(frame))
        assert record == Record(EVENTS[0], sequence=event_id)


# --- what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("framing", [SSE, JSON_LINES])
def test_what_json_cannot_say(value: object, framing: Framing) -> None:
    file = io.BytesIO()
    with pytest.raises(EncodeError):
        write(file, [EVENTS[0], x.added({"id": "a", "x": value})], framing=framing)
    assert list(read(io.BytesIO(file.getvalue()))) == EVENTS[:1]


@pytest.mark.parametrize("framing", ["sse", "json_lines", "", 0, SSE.name, object()])
def test_a_framing_that_is_none_of_ours_is_refused(framing: object, tmp_path: Path) -> None:
    path = tmp_path / "log.sse"
    path.write_bytes(b"what was there")
    with pytest.raises(TypeError, match="expected framing to be SSE or JSON_LINES"):
        write(path, EVENTS, framing=cast("Framing", framing))
    assert path.read_bytes() == b"what was there"
    with pytest.raises(TypeError, match="expected framing to be SSE or JSON_LINES"):
        LogDecoder(cast("Framing", framing))


def test_what_is_no_event() -> None:
    with pytest.raises(TypeError):
        write(io.BytesIO(), [{"type": "notice"}])  # type: ignore[list-item]


@pytest.mark.parametrize("name", NAMES)
def test_a_producer_that_fails_leaves_what_it_had_written(name: str, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    with pytest.raises(StopError):
        write(tmp_path / name, (_failing(event, StopError) for event in EVENTS))
    again = list(read(tmp_path / name))
    assert again[:-1] == EVENTS[: len(again) - 1]
    assert len(again) >= len(EVENTS) - 1


def _failing(event: e.Event, error: type[Exception]) -> e.Event:
    if isinstance(event, e.UnknownEvent):
        raise error
    return event


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "missing" / "log", EVENTS)
    with pytest.raises(OSError, match=r"directory|denied"):
        write(tmp_path, EVENTS)


def test_zstd_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(LogError, match=r"pip install 'chatkit-reducer\[zstd\]'"):
        write(tmp_path / "log.zst", EVENTS)
