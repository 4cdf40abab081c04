"""Logs in files: where bytes come from, compression, and what is wrong with either."""

from __future__ import annotations

import gzip
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_reducer import encode, replay
from chatkit_reducer import events as e
from chatkit_reducer.errors import ChatKitReducerError, LogError
from chatkit_reducer.logs import Record, read, read_records, replay_threads
from chatkit_reducer.testing import examples as x

EVENTS: list[e.Event] = [
    x.added(x.message("m", "")),
    *[x.text_delta("m", f"word {n} ") for n in range(3000)],
    x.done(x.message("m", "all")),
]
LINES = b"".join([encode(event) + b"\n" for event in EVENTS])
SSE_LOG = b"".join([b"data: " + encode(event) + b"\n\n" for event in EVENTS])
ENVELOPED = b"".join([b'{"seq":%d,"event":%b}\n' % (n, encode(v)) for n, v in enumerate(EVENTS)])


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def torn_apart(events: list[e.Event | e.Unreadable]) -> tuple[list[e.Event], list[e.Unreadable]]:
    good = [event for event in events if not isinstance(event, e.Unreadable)]
    return good, [event for event in events if isinstance(event, e.Unreadable)]


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstd,
}
compressed = pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
both_compressions = pytest.mark.parametrize(
    ("compress", "name"), [(gzip.compress, "gzip"), (zstd, "zstd")], ids=["gzip", "zstd"]
)


# --- where the bytes come from -------------------------------------------------------------------


class Pipe(io.RawIOBase):
    """Readable once, from the start, and as much at a time as it pleases."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._left = data
        self._sizes = sizes
        self._reads = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        size = min(self._sizes[self._reads % len(self._sizes)], len(buffer))
        self._reads += 1
        piece, self._left = self._left[:size], self._left[size:]
        buffer[: len(piece)] = piece
        return len(piece)


@compressed
@pytest.mark.parametrize("log", [LINES, SSE_LOG, ENVELOPED], ids=["lines", "sse", "envelopes"])
def test_paths_and_files(compress: Callable[[bytes], bytes], log: bytes, tmp_path: Path) -> None:
    data = compress(log)
    path = tmp_path / "any name"
    path.write_bytes(data)
    assert list(read(path)) == EVENTS
    assert list(read(str(path))) == EVENTS
    with path.open("rb") as file:
        assert list(read(file)) == EVENTS
        assert not file.closed
    buffer = io.BytesIO(data)
    assert list(read(buffer)) == EVENTS
    assert not buffer.closed
    assert replay(io.BytesIO(data)) == replay(path)


@compressed
@given(sizes=st.lists(st.sampled_from([1, 2, 3, 17, 4096, 70_000]), min_size=1, max_size=5))
@settings(max_examples=15)
def test_pipes_that_return_short_reads(
    compress: Callable[[bytes], bytes], sizes: list[int]
) -> None:
    data = compress(b"".join([encode(event) + b"\n" for event in EVENTS[:120]]))
    pipe = Pipe(data, sizes)
    assert not pipe.seekable()
    assert list(read(cast(BinaryIO, pipe))) == EVENTS[:120]


def test_a_pipe_of_the_system() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file:
        file.write(gzip.compress(LINES))
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        assert list(read(cast(BinaryIO, pipe))) == EVENTS


def test_a_file_is_read_from_where_it_stands() -> None:
    file = io.BytesIO(b"{}\n" + LINES)
    file.seek(3)
    assert list(read(file)) == EVENTS


@pytest.mark.parametrize("reader", [read, read_records])
def test_a_log_is_read_as_far_as_it_is_asked_for(reader: Callable[[BinaryIO], object]) -> None:
    file = io.BytesIO(20 * LINES)
    entries = iter(cast("list[object]", reader(file)))
    next(entries)
    assert file.tell() <= 65536


class Gives(io.RawIOBase):
    """A file whose `read` gives these values, and then nothing."""

    def __init__(self, *values: object) -> None:
        self._values = list(values)

    def read(self, size: int = -1) -> bytes:
        return cast(bytes, self._values.pop(0)) if self._values else b""


READERS: list[Callable[[BinaryIO], object]] = [
    lambda log: list(read(log)),
    replay,
    replay_threads,
    lambda log: replay(log, until=10**6),
]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("before", [[], [LINES[:100]], [LINES]])
def test_no_bytes_yet_is_not_the_end(
    reader: Callable[[BinaryIO], object], before: list[bytes]
) -> None:
    with pytest.raises(BlockingIOError, match="no bytes yet"):
        reader(cast(BinaryIO, Gives(*before, None, LINES)))


def test_a_pipe_that_does_not_wait() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with (
        os.fdopen(writing, "wb"),
        os.fdopen(reading, "rb", buffering=0) as pipe,
        pytest.raises(BlockingIOError, match="feed a LogDecoder"),
    ):
        list(read(cast(BinaryIO, pipe)))


@pytest.mark.parametrize("value", ["text", 3, [1]])
def test_a_file_that_gives_no_bytes_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="expected the log to give bytes, got"):
        list(read(cast(BinaryIO, Gives(value))))


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_a_file_may_give_other_bytes(kind: Callable[[bytes], object]) -> None:
    assert list(read(cast(BinaryIO, Gives(kind(LINES))))) == EVENTS


def test_a_path_that_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read(tmp_path / "missing"))
    with pytest.raises(FileNotFoundError):
        replay(tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        replay_threads(str(tmp_path / "missing"))
    with pytest.raises(OSError, match=r"directory|denied"):
        list(read(tmp_path))


@compressed
def test_an_empty_log(compress: Callable[[bytes], bytes]) -> None:
    assert list(read(io.BytesIO(compress(b"")))) == []
    assert replay(io.BytesIO(compress(b""))).position == 0


def test_records_say_what_the_log_says() -> None:
    records = list(read_records(io.BytesIO(ENVELOPED)))
    assert records == [Record(event, sequence=n) for n, event in enumerate(EVENTS)]


def test_an_event_larger_than_the_limit_is_skipped() -> None:
    log = encode(EVENTS[0]) + b"\n" + encode(x.text_delta("m", "x" * 999)) + b"\n"
    first, fault = read(io.BytesIO(log), max_event_bytes=500)
    assert first == EVENTS[0]
    assert isinstance(fault, e.Unreadable)
    assert (fault.line, fault.reason) == (2, "the event is larger than 500 bytes")
    for state in (
        replay(io.BytesIO(log), max_event_bytes=500),
        replay(io.BytesIO(log), max_event_bytes=500, until=2),
        replay_threads(io.BytesIO(log), max_event_bytes=500)["thr_1"],
    ):
        assert [anomaly.line for anomaly in state.anomalies] == [2]


# --- progress ------------------------------------------------------------------------------------


@compressed
def test_progress_is_told_in_bytes_of_the_file(compress: Callable[[bytes], bytes]) -> None:
    data = compress(20 * LINES)
    calls: list[list[int]] = [[], [], [], []]
    list(read_records(io.BytesIO(data), on_progress=calls[0].append))
    replay(io.BytesIO(data), on_progress=calls[1].append)
    replay(io.BytesIO(data), until=10**6, on_progress=calls[2].append)
    replay_threads(io.BytesIO(data), on_progress=calls[3].append)
    for sizes in calls:
        assert sizes == sorted(set(sizes))
        assert sizes[-1] == len(data)
    if compress is bytes:
        assert calls[0][0] == 65536


# --- compression ---------------------------------------------------------------------------------


@both_compressions
@given(cuts=st.lists(st.integers(0, len(LINES)), max_size=4))
@settings(max_examples=15)
def test_several_members(compress: Callable[[bytes], bytes], name: str, cuts: list[int]) -> None:
    """A file that is made by appending has several members, which may end within an event."""
    at = sorted(cuts)
    parts = [LINES[a:b] for a, b in zip([0, *at], [*at, len(LINES)], strict=True)]
    data = b"".join([compress(part) for part in parts])
    assert list(read(io.BytesIO(data))) == EVENTS
    assert list(read(cast(BinaryIO, Pipe(data, [len(compress(parts[0])), 7])))) == EVENTS


@both_compressions
@given(data=st.data())
@settings(max_examples=30)
def test_a_truncated_file(
    compress: Callable[[bytes], bytes], name: str, data: st.DataObject
) -> None:
    whole = compress(LINES)
    cut = whole[: data.draw(st.integers(4, len(whole) - 1), "cut")]
    good, faults = torn_apart(list(read(io.BytesIO(cut))))
    assert good == EVENTS[: len(good)]
    assert faults[-1].reason == f"the {name} data ends too early"
    # At most one event before it is torn.
    assert len(faults) <= 2
    assert faults[-1].line in {len(good) + 1, len(good)}
    assert faults[-1].offset <= len(LINES)


@pytest.mark.parametrize(
    "start",
    [b"\x1f\x8b", gzip.compress(LINES, mtime=0)[:9], gzip.compress(b"", mtime=0)[:12]],
    ids=["magic", "header", "empty"],
)
def test_a_file_cut_before_any_event(start: bytes) -> None:
    good, faults = torn_apart(list(read(io.BytesIO(start))))
    assert good == []
    assert [(f.offset, f.line, f.reason) for f in faults] == [
        (0, 1, "the gzip data ends too early")
    ]


def test_a_large_truncated_file_keeps_what_came_before() -> None:
    whole = gzip.compress(20 * LINES)
    good, faults = torn_apart(list(read(io.BytesIO(whole[: len(whole) // 2]))))
    assert len(good) > 20_000
    assert good == (20 * EVENTS)[: len(good)]
    assert len(faults) in {1, 2}


@both_compressions
@given(place=st.floats(0.1, 0.9), flip=st.integers(1, 255))
@settings(max_examples=30)
def test_a_file_that_is_damaged_in_the_middle(
    compress: Callable[[bytes], bytes], name: str, place: float, flip: int
) -> None:
    if compress is zstd:
        compressor = zstandard.ZstdCompressor(write_checksum=True)
        whole = bytearray(compressor.compress(LINES))
    else:
        whole = bytearray(compress(LINES))
    whole[int(len(whole) * place)] ^= flip
    _, faults = torn_apart(list(read(io.BytesIO(bytes(whole)))))
    assert faults
    assert name in faults[-1].reason
    assert "damaged" in faults[-1].reason or "too early" in faults[-1].reason


@both_compressions
@pytest.mark.parametrize("rubbish", [b"rubbish behind it", b"\0" * 600 + b"rubbish", LINES[:100]])
def test_rubbish_behind_the_last_member(
    compress: Callable[[bytes], bytes], name: str, rubbish: bytes
) -> None:
    good, faults = torn_apart(list(read(io.BytesIO(compress(LINES) + rubbish))))
    assert good == EVENTS
    assert len(faults) == 1
    assert faults[0].reason.startswith(f"the {name} data is damaged")
    assert (faults[0].offset, faults[0].line) == (len(LINES), len(EVENTS) + 1)


@both_compressions
def test_zeros_behind_the_last_member_fill_a_block_up(
    compress: Callable[[bytes], bytes], name: str
) -> None:
    assert list(read(io.BytesIO(compress(LINES) + b"\0" * 600))) == EVENTS


def test_a_fault_of_the_compression_is_an_anomaly_of_the_state() -> None:
    whole = gzip.compress(LINES)
    for state in (
        replay(io.BytesIO(whole[:-4])),
        replay(io.BytesIO(whole[:-4]), until=10**6),
        replay_threads(io.BytesIO(whole[:-4]))["thr_1"],
    ):
        (anomaly,) = state.anomalies
        assert (anomaly.line, anomaly.offset) == (len(EVENTS) + 1, len(LINES))
        assert anomaly.position == len(EVENTS)
        assert "the gzip data ends too early" in anomaly.problem
        assert state.items["m"].to_json() == x.message("m", "all")


def test_a_small_file_that_is_very_large_inside() -> None:
    """It is inflated piece by piece, and the limit holds for what is inside."""
    bomb = gzip.compress(b"x" * 15_000_000 + b"\n" + LINES)
    fault, *rest = read(io.BytesIO(bomb), max_event_bytes=100_000)
    assert isinstance(fault, e.Unreadable)
    assert (fault.offset, fault.line) == (0, 1)
    assert rest == EVENTS


def test_zstd_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    for use in (lambda log: list(read(log)), replay, replay_threads):
        with pytest.raises(LogError, match=r"pip install 'chatkit-reducer\[zstd\]'") as caught:
            use(io.BytesIO(zstd(LINES)))
        assert isinstance(caught.value, OSError)
        assert isinstance(caught.value, ChatKitReducerError)
    assert list(read(io.BytesIO(gzip.compress(LINES)))) == EVENTS


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no such device here")
@pytest.mark.parametrize("name", ["/dev/zero", "/dev/urandom"])
def test_a_device_without_an_end_is_refused(name: str) -> None:
    with pytest.raises(LogError, match="expected a file, a pipe or a terminal, got a device"):
        list(read(name))
    with Path(name).open("rb") as file, pytest.raises(LogError, match="may have no end"):
        replay(file)


def test_the_empty_device_is_an_empty_log() -> None:
    assert list(read(os.devnull)) == []
