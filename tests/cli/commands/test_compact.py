"""`chatkit-reducer compact`."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer import encode, fold
from chatkit_reducer.events import Event, Json, Notice, Unreadable
from chatkit_reducer.logs import encode_sse, read, replay_threads
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import (
    added,
    done,
    message,
    text_delta,
    value_delta,
    widget,
)
from tests.support import cli
from tests.support.cli import log_of
from tests.support.paths import ROOT

run = partial(cli.run, "compact")
failed = partial(cli.failed, "compact")

RECORDINGS = sorted((ROOT / "docs" / "recordings").glob("*.sse"))


def compacted(*arguments: str | Path, stdin: bytes | None = None) -> bytes:
    """The log on standard output."""
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 0
    assert result.stderr.count("\n") == 1
    return result.stdout_bytes


def envelope(event: Event, **fields: Any) -> bytes:
    """A line with an envelope."""
    return json.dumps({**fields, "event": json.loads(encode(event))}).encode() + b"\n"


EVENTS: list[Event] = [
    added(message("m", "")),
    text_delta("m", "Once "),
    text_delta("m", "upon "),
    text_delta("m", "a time"),
    done(message("m", "Once upon a time")),
]
SHORT: list[Event] = [EVENTS[0], text_delta("m", "Once upon a time"), EVENTS[4]]
LOG = log_of(*EVENTS)


# --- formats --------------------------------------------------------------------------------------


def test_json_lines_stay_json_lines() -> None:
    assert compacted("-", stdin=LOG) == log_of(*SHORT)


def test_server_sent_events_stay_server_sent_events() -> None:
    log = b"".join(encode_sse(event) for event in EVENTS)

    assert compacted("-", stdin=log) == b"".join(encode_sse(event) for event in SHORT)


def test_what_it_saved() -> None:
    result = run("-", stdin=LOG)

    assert result.stderr == (
        f"chatkit-reducer: 5 events in {len(LOG)} bytes became 3 in {len(log_of(*SHORT))}\n"
    )
    assert run("-", stdin=b"rubbish\n" + LOG).stderr.endswith(
        "; 1 that could not be read left out\n"
    )


def test_envelopes() -> None:
    times = [f"12:0{n}" for n in range(5)]
    log = b"".join(
        envelope(event, seq=n, time=times[n], thread="t") for n, event in enumerate(EVENTS)
    )

    lines = [json.loads(line) for line in compacted("-", stdin=log).splitlines()]

    assert [(line["seq"], line["time"], line["thread"]) for line in lines] == [
        (0, "12:00", "t"),
        (1, "12:01", "t"),
        (4, "12:04", "t"),
    ]
    assert [line["event"] for line in lines] == [json.loads(encode(event)) for event in SHORT]


def test_ids_of_server_sent_events() -> None:
    log = b"".join(encode_sse(event, event_id=str(n)) for n, event in enumerate(EVENTS))

    assert compacted("-", stdin=log).count(b"id: ") == 3


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_recordings(path: Path) -> None:
    short = list(read(io.BytesIO(compacted(path))))

    events = [event for event in read(path) if not isinstance(event, Unreadable)]
    assert fold(short) == fold(events)
    assert len(short) <= len(events)


@given(chatkit.streams(max_items=3, max_updates=10) | chatkit.adversarial_streams(max_events=20))
def test_it_makes_the_same_thread(events: list[Event]) -> None:
    log = log_of(*events)

    short = compacted("-", stdin=log)

    assert replay_threads(io.BytesIO(short)) == replay_threads(io.BytesIO(log))


@given(
    chatkit.adversarial_streams(max_events=10),
    chatkit.adversarial_streams(max_events=10),
    st.lists(st.booleans(), min_size=20, max_size=20),
    st.booleans(),
)
def test_it_makes_the_same_threads(
    one: list[Event], other: list[Event], order: list[bool], enveloped: bool
) -> None:
    queues = {"a": iter(one), "b": iter(other)}
    log = b""
    for turn in order:
        thread = "a" if turn else "b"
        for event in [next(queues[thread], None)]:
            if event is not None:
                log += envelope(event, thread=thread) if enveloped else log_of(event)

    short = compacted("-", stdin=log)

    assert replay_threads(io.BytesIO(short)) == replay_threads(io.BytesIO(log))


def test_threads_that_take_turns() -> None:
    pairs = [(name, event) for event in EVENTS for name in ("a", "b")]
    log = b"".join(envelope(event, thread=name) for name, event in pairs)

    lines = [json.loads(line) for line in compacted("-", stdin=log).splitlines()]

    assert [line["thread"] for line in lines] == ["a", "b"] * 3


# --- the output file ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.sse", b"".join(encode_sse(event) for event in SHORT)),
        ("x.jsonl", log_of(*SHORT)),
        ("x.log", log_of(*SHORT)),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_the_suffix_says_the_format(
    name: str, expected: bytes, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"{name}{suffix}"

    assert compacted("-", "-o", path, stdin=LOG) == b""

    data = path.read_bytes()
    if suffix == ".gz":
        data = gzip.decompress(data)
    if suffix == ".zst":
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    assert data == expected
    assert list(tmp_path.iterdir()) == [path]


def test_a_log_of_server_sent_events_without_a_telling_suffix(tmp_path: Path) -> None:
    log = b"".join(encode_sse(event) for event in EVENTS)

    compacted("-", "-o", tmp_path / "log", stdin=log)

    assert (tmp_path / "log").read_bytes().startswith(b"data: ")


def test_the_log_itself(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(LOG)
    path.chmod(0o640)

    compacted(path, "-o", path)

    assert path.read_bytes() == log_of(*SHORT)
    assert os.name != "posix" or stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="this needs symbolic links")
def test_a_link_is_refused(tmp_path: Path) -> None:
    """Somebody may have planted it, so that another file is overwritten."""
    path, link = tmp_path / "log.jsonl", tmp_path / "link.jsonl"
    path.write_bytes(LOG)
    link.symlink_to(path)

    line = failed(path, "-o", link)

    assert line == (
        f"cannot write {str(link)!r}: it is a symbolic link; give the file that it points to"
    )
    assert link.is_symlink()
    assert path.read_bytes() == LOG


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="there is no /dev/null")
def test_a_device_is_written_and_not_replaced() -> None:
    compacted("-", "-o", "/dev/null", stdin=LOG)

    assert Path("/dev/null").is_char_device()


def test_a_terminal_obeys_nothing_in_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    log = encode_sse(Notice("info", "\x9b31m red \u202e"), event_id="\x1b[31m")
    monkeypatch.setattr("chatkit_reducer.cli.targets._is_a_terminal", lambda: True)

    shown = compacted("-", stdin=log)

    assert shown == (
        b"id: \\u001b[31m\n"
        b'data: {"type":"notice","level":"info","message":"\\u009b31m red \\u202e"}\n\n'
    )


def test_standard_output_by_its_name() -> None:
    assert compacted("-", "-o", "-", stdin=LOG) == log_of(*SHORT)


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "x.jsonl"

    assert failed("-", "-o", path, stdin=LOG) == (
        f"cannot write {str(path)!r}: No such file or directory"
    )


def test_nothing_is_left_behind_where_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(LOG)

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    line = failed(path, "-o", path)

    assert line == f"cannot write {str(path)!r}: No space left on device"
    assert path.read_bytes() == LOG
    assert list(tmp_path.iterdir()) == [path]


# --- options --------------------------------------------------------------------------------------


def test_json(tmp_path: Path) -> None:
    expected: Json = {
        "events": 5,
        "compacted": 3,
        "bytes": len(LOG),
        "compacted_bytes": len(log_of(*SHORT)),
    }
    path = tmp_path / "x.jsonl"

    for arguments in (["-"], ["-", "-o", str(path)]):
        result = run(*arguments, "--json", stdin=LOG)
        assert (result.exit_code, result.stderr) == (0, "")
        assert json.loads(result.stdout) == expected
    assert path.read_bytes() == log_of(*SHORT)


def test_bytes_are_those_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(LOG))

    assert json.loads(run(path, "--json").stdout)["bytes"] == len(LOG)


def test_what_was_stored(tmp_path: Path) -> None:
    stored = tmp_path / "stored.json"
    old = [message("m", "a"), widget("w", {"type": "Text", "id": "t", "value": ""})]
    stored.write_text(json.dumps(old))
    log = log_of(
        *[text_delta("m", "x") for _ in range(3)], *[value_delta("w", "t", "y") for _ in range(3)]
    )

    assert compacted("-", stdin=log) == log
    assert compacted("-", "--stored", stored, stdin=log) == log_of(
        text_delta("m", "xxx"), value_delta("w", "t", "yyy")
    )


def test_an_empty_log() -> None:
    assert compacted("-", stdin=b"") == b""


def test_max_event_bytes() -> None:
    log = log_of(done(message("a", "x" * 1000)), done(message("b", "y")))

    assert compacted("-", "--max-event-bytes", "500", stdin=log) == log_of(done(message("b", "y")))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere.sse"], "cannot read 'nowhere.sse': No such file or directory"),
        (["-"], "cannot read standard input: nothing in it is a ChatKit event (line 1: "),
        (["-", "--stored", "nowhere"], "cannot read 'nowhere': No such file or directory"),
        ([], "missing argument 'LOG...'"),
    ],
)
def test_failures(arguments: list[str], expected: str) -> None:
    assert failed(*arguments, stdin=b"rubbish\n").startswith(expected)
