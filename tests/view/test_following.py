"""A page that grows with its log: what its server sends adds up to the page of the whole log."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_reducer.core.codec import encode
from chatkit_reducer.errors import LogError
from chatkit_reducer.events import Event, Json
from chatkit_reducer.journal.files import FileJournal
from chatkit_reducer.journal.writer import JournalWriter
from chatkit_reducer.logs import Record, encode_sse, read_records, write
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import added, done, message, text_delta
from chatkit_reducer.view.following import Follower, serving
from chatkit_reducer.view.growing import Growing
from chatkit_reducer.view.recording import Recording
from tests.support.cli import failed
from tests.support.page_data import merged
from tests.support.paths import ROOT
from tests.view.live_client import data_of_page, events_of, get

WIDGET = ROOT / "docs" / "recordings" / "streamed-widget.sse"
RECORDS = list(read_records(WIDGET))
BEGINNING = "0/0.0"


def growing() -> Growing:
    return Growing("log", Recording)


def in_one_go(records: Sequence[Record]) -> list[Json]:
    """The blocks of all data, but for what is a finding only where a stream has ended."""
    recording = Recording()
    for record in records:
        recording.take_record(record)
    return recording.increments([])


def plain(data: object) -> Any:
    return json.loads(json.dumps(data))


@pytest.fixture
def served() -> Iterator[tuple[Growing, str]]:
    pages = growing()
    with serving(pages) as address:
        yield pages, address


# --- what is sent ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cuts", [[], [0], [1, 2, 3], [7], [5, 5, 17]])
def test_a_page_and_its_events_are_the_page_of_the_whole_log(
    cuts: list[int], served: tuple[Growing, str]
) -> None:
    pages, address = served
    pieces = [RECORDS[a:b] for a, b in zip([0, *cuts], [*cuts, len(RECORDS)], strict=True)]
    pages.take(pieces[0])
    data = data_of_page(get(address).body)
    (block,) = data["threads"]
    events = events_of(f"{address}events?after={data['live']['after']}")
    for piece in pieces[1:]:
        if piece:
            pages.take(piece)
            sent = next(events)
            assert (sent.event, sent.data["v"]) == ("more", data["v"])
            block = merged(block, sent.data["threads"][0])
    assert [block] == plain(in_one_go(RECORDS))


@pytest.mark.law
@given(chatkit.streams(max_items=3, max_updates=8), st.lists(st.integers(0, 20), max_size=4))
def test_frames_from_any_place_are_the_data_in_one_go(events: list[Any], cuts: list[int]) -> None:
    records = [Record(event) for event in events]
    pages = growing()
    places, blocks = [data_of_page(str(pages.page()))["live"]["after"]], [plain(in_one_go([]))]
    ends = [*sorted(min(cut, len(records)) for cut in cuts), len(records)]
    for begin, end in zip([0, *ends], ends, strict=False):
        pages.take(records[begin:end])
        data = data_of_page(str(pages.page()))
        places.append(data["live"]["after"])
        blocks.append(data["threads"])
    for place, (known,) in zip(places, blocks, strict=True):
        frame = pages.frame(place)
        assert frame is None or frame.place == places[-1]
        more = frame and json.loads(frame.data.split(b"data: ")[1])["threads"][0]
        assert [merged(known, more) if more else known] == plain(in_one_go(records))


def test_each_tab_goes_on_from_where_it_is(served: tuple[Growing, str]) -> None:
    pages, address = served
    early = events_of(f"{address}events?after={BEGINNING}")
    pages.take(RECORDS[:6])
    first = next(early)
    late = events_of(f"{address}events?after={first.id}")
    pages.take(RECORDS[6:])
    from_middle, whole = next(late), next(events_of(f"{address}events?after={BEGINNING}"))
    assert next(early) == from_middle
    assert (first.id, from_middle.id, whole.id) == ("0/6.0", "0/18.0", "0/18.0")
    assert len(from_middle.data["threads"][0]["raws"]) < len(whole.data["threads"][0]["raws"])


def test_the_last_event_id_counts_more_than_the_address(served: tuple[Growing, str]) -> None:
    pages, address = served
    pages.take(RECORDS)
    asked = f"{address}events?after={BEGINNING}"
    sent = next(events_of(asked, last_event_id="0/17.0"))
    (more,) = sent.data["threads"]
    assert [run[0] + run[1] - 1 for run in more["events"]] == [18]
    assert next(events_of(asked)).data["threads"][0]["events"][0][0] == 1


@pytest.mark.parametrize("place", ["", "0/99.0", "0/1.7", "0/1.0,1.0", "1/1.0", "x", "0/-1.0"])
def test_a_place_that_is_not_known_gets_all_data(place: str, served: tuple[Growing, str]) -> None:
    pages, address = served
    pages.take(RECORDS)
    sent = next(events_of(f"{address}events?after={place}"))
    assert (sent.id, sent.event) == ("0/18.0", "all")
    assert sent.data["threads"] == plain(in_one_go(RECORDS))


def test_the_end_is_said_behind_all_events(served: tuple[Growing, str]) -> None:
    pages, address = served
    pages.take(RECORDS)
    pages.end()
    sent = list(events_of(f"{address}events?after={BEGINNING}"))
    assert [each.event for each in sent] == ["more", "end"]
    assert "live" not in data_of_page(get(address).body)


# --- who may look ---------------------------------------------------------------------------------


def test_only_a_request_with_the_token_and_the_host_is_answered(
    served: tuple[Growing, str],
) -> None:
    _, address = served
    host, token = address.removeprefix("http://").rstrip("/").split("/")
    port = host.split(":")[1]
    assert len(token) >= 128 / 6
    for name in (host, f"localhost:{port}"):
        assert get(address, name).status == 200
    for hosts in [("evil.example",), (f"evil.example:{port}",), ("127.0.0.1:1",), ("127.0.0.1",),
                  (host, "evil.example"), (f"{host}.evil.example",), ("",)]:  # fmt: skip
        for place in ("", "events"):
            assert get(address + place, *hosts).status == 403, hosts
    for path in ("/", "/events", f"/{token[:-1]}/", f"/{token}x/", "/favicon.ico"):
        assert get(address, path=path).status == 403, path
    assert get(f"{address}other").status == 404


def test_an_address_without_its_last_slash_leads_to_the_page(
    served: tuple[Growing, str],
) -> None:
    _, address = served
    answer = get(address.rstrip("/"))
    assert answer.status == 308
    assert urljoin(address.rstrip("/"), answer.headers["location"]) == address
    assert get(address.rstrip("/"), "evil.example").status == 403


def test_each_answer_keeps_other_origins_and_caches_out(served: tuple[Growing, str]) -> None:
    _, address = served
    for answer in (get(address), get(address, "evil.example")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "connect-src 'self'" in get(address).body


# --- the log --------------------------------------------------------------------------------------


def test_a_log_is_read_as_it_grows_wherever_it_is_cut(tmp_path: Path) -> None:
    log, data, pages = tmp_path / "log.sse", WIDGET.read_bytes(), growing()
    log.touch()
    follower = Follower(log, pages)
    with log.open("ab", buffering=0) as file:
        for begin in range(0, len(data), 97):
            file.write(data[begin : begin + 97])
            assert follower.look() is None
    assert data_of_page(str(pages.page()))["threads"] == plain(in_one_go(RECORDS))


def test_a_log_that_is_replaced_or_shortened_is_read_again(tmp_path: Path) -> None:
    log, other, pages = tmp_path / "log.sse", tmp_path / "other.sse", growing()
    log.write_bytes(WIDGET.read_bytes())
    follower = Follower(log, pages)
    follower.look()
    place = data_of_page(str(pages.page()))["live"]["after"]

    other.write_bytes(WIDGET.read_bytes())
    other.replace(log)
    assert follower.look() == f"{log} was replaced: it is read again from its beginning"
    assert follower.look() is None
    frame = pages.frame(place)
    assert frame is not None
    assert b"event: all" in frame.data

    write(log, [added(message("m", ""))])
    assert follower.look() == f"{log} was shortened: it is read again from its beginning"
    assert follower.look() is None
    assert pages.events == 1

    log.unlink()
    assert follower.look() is None


def test_a_log_that_is_written_anew_in_its_place_is_read_again(tmp_path: Path) -> None:
    log, pages = tmp_path / "log.sse", growing()
    write(log, [added(message("m", "")), text_delta("m", "Hi")])
    size = log.stat().st_size
    follower = Follower(log, pages)
    follower.look()
    log.write_bytes(WIDGET.read_bytes())
    assert log.stat().st_size > size
    assert follower.look() == f"{log} was written anew: it is read again from its beginning"
    assert follower.look() is None
    assert data_of_page(str(pages.page()))["threads"] == plain(in_one_go(RECORDS))


def test_nothing_is_said_of_a_log_without_events_while_it_grows(tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    follower = Follower(log, growing())
    for written in ("[", '[{"type":', '[{"type": "odd"'):
        log.write_text(written)
        assert follower.look() is None
    assert "has no event so far" in (follower.look() or "")


@pytest.mark.parametrize("magic", [b"\x1f\x8b", b"\x28\xb5\x2f\xfd"])
def test_only_the_beginning_of_a_log_can_say_that_it_is_compressed(
    magic: bytes, tmp_path: Path
) -> None:
    log, pages = tmp_path / "log.jsonl", growing()
    log.write_bytes(b"\n")
    follower = Follower(log, pages)
    follower.look()
    with log.open("ab") as file:
        file.write(magic + b"\n" + encode(added(message("m", ""))) + b"\n")
    follower.look()
    assert pages.events == 1
    log.write_bytes(magic)
    with pytest.raises(LogError, match="got a compressed one"):
        Follower(log, growing()).look()


def test_a_log_that_is_read_only_as_a_whole_is_said_once(tmp_path: Path) -> None:
    log, lines = tmp_path / "log.json", WIDGET.read_text(encoding="utf-8").splitlines()
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    log.write_text(json.dumps(events[:5]))
    follower = Follower(log, growing())
    assert follower.look() is None
    told = follower.look()
    assert told is not None
    assert told.startswith(f"{log} has no event so far; ")
    assert "leave out --follow" in told
    assert follower.look() is None
    log.write_text(json.dumps(events[5:]))
    assert "read again" in str(follower.look())
    assert [follower.look() for _ in range(3)] == [None, told, None]


@pytest.mark.parametrize("text", ["", encode_sse(added(message("m", ""))).decode()])
def test_nothing_is_said_of_an_empty_log_or_one_with_an_event(tmp_path: Path, text: str) -> None:
    log = tmp_path / "log.sse"
    log.write_text(text)
    follower = Follower(log, growing())
    assert [follower.look() for _ in range(3)] == [None] * 3


def test_the_folder_of_a_journal_shows_its_threads(tmp_path: Path) -> None:
    pages = growing()
    follower = Follower(tmp_path, pages)

    async def write_both() -> None:
        journal = FileJournal(tmp_path)
        writers = [JournalWriter(journal, thread=thread) for thread in ("one", "two")]
        for writer in writers:
            await writer.begin()
            follower.look()
        for event in (added(message("m", "")), text_delta("m", "Hi"), done(message("m", "Hi"))):
            for writer in writers:
                await writer.append(event)
            follower.look()
        await journal.aclose()

    asyncio.run(write_both())
    assert pages.threads == ["one", "two"]
    for block in data_of_page(str(pages.page()))["threads"]:
        assert [item["id"] for item in block["items"]] == ["m"]
        assert block["findings"] == []


def test_a_file_that_is_another_one_now_has_no_thread_of_the_one_before(tmp_path: Path) -> None:
    log, pages = tmp_path / "a.jsonl", growing()
    follower = Follower(tmp_path, pages)
    event = encode(added(message("m", "")))
    log.write_bytes(b'{"thread_id":"one","event":%s}\n' % event)
    follower.look()
    assert pages.threads == ["one"]
    log.write_bytes(event + b"\n")
    assert "shortened" in (follower.look() or "")
    follower.look()
    assert pages.threads == ["thr_1"]  # as the item says


def test_a_long_log_is_known_again_by_its_beginning_alone(tmp_path: Path) -> None:
    log, pages = tmp_path / "log.jsonl", growing()
    follower = Follower(log, pages)
    events: list[Event] = [added(message("m", ""))]
    events += [text_delta("m", "words " * 100)] * 20
    write(log, events)
    assert follower.look() is None
    with log.open("r+b") as file:
        file.seek(5_000)
        file.write(b"#")
        file.seek(0, 2)
        file.write(encode(done(message("m", ""))) + b"\n")
    assert follower.look() is None
    assert pages.events == len(events) + 1


def written_at(file: Path, thread: str, when: float) -> None:
    event = encode(added(message(f"m_{thread}", "")))
    with file.open("ab") as log:
        log.write(b'{"thread_id":"%s","event":%s}\n' % (thread.encode(), event))
    os.utime(file, (when, when))


def test_the_files_of_a_folder_stand_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    pages = growing()
    follower = Follower(tmp_path, pages)
    for name, thread, written in (("d", "3", 9), ("c", "1", 5), ("b", "2", 7), ("e", "4", 9)):
        written_at(tmp_path / f"{name}.jsonl", thread, written)
    follower.look()
    assert pages.threads == ["1", "2", "3", "4"]
    written_at(tmp_path / "c.jsonl", "5", 20)
    written_at(tmp_path / "a.jsonl", "6", 3)
    follower.look()
    assert pages.threads == ["1", "2", "3", "4", "5", "6"]


def test_a_file_that_is_gone_keeps_no_other_from_being_read(tmp_path: Path) -> None:
    pages = growing()
    follower = Follower(tmp_path, pages)
    for written, name in enumerate("ab", 1):
        written_at(tmp_path / f"{name}.jsonl", name, written)
    follower.look()
    (tmp_path / "a.jsonl").unlink()
    written_at(tmp_path / "b.jsonl", "c", 3)
    follower.look()
    assert pages.threads == ["a", "b", "c"]


def test_a_folder_may_go_and_come_back_and_have_other_folders(tmp_path: Path) -> None:
    folder, pages = tmp_path / "answers", growing()
    folder.mkdir()
    follower = Follower(folder, pages)
    (folder / "folder.jsonl").mkdir()
    (folder / "nowhere.jsonl").symlink_to(tmp_path / "missing")
    write(folder / "a.jsonl", [added(message("m", ""))])
    assert follower.look() is None
    assert pages.events == 1

    folder.rename(tmp_path / "moved")
    gone = f"{folder} is gone: it is read on once it is back"
    assert [follower.look() for _ in range(2)] == [gone, None]

    (tmp_path / "moved").rename(folder)
    write(folder / "b.jsonl", [added(message("other", ""))])
    assert follower.look() is None
    assert pages.events == 2
    shutil.rmtree(folder)
    assert [follower.look() for _ in range(2)] == [gone, None]


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("sigint")
def test_the_command_follows_a_log_until_it_is_interrupted(tmp_path: Path) -> None:
    log = tmp_path / "log.sse"
    write(log, [added(message("m", "")), text_delta("m", "Hi")])
    command = [sys.executable, "-m", "chatkit_reducer", "view", "--follow", str(log)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            events = events_of(f"{address}events?after=0/2.0")
            with log.open("ab") as file:
                file.write(encode_sse(done(message("m", "Hi"))))
            begun = time.monotonic()
            assert next(events).id == "0/3.0"
            assert time.monotonic() - begun < 5
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, errors) == (130, "")


def test_what_cannot_be_followed_is_said_in_one_line(tmp_path: Path) -> None:
    compressed, missing = tmp_path / "log.sse.gz", str(tmp_path / "missing.sse")
    compressed.write_bytes(gzip.compress(WIDGET.read_bytes()))
    assert "a compressed one" in failed("view", "--follow", compressed)
    assert "No such file" in failed("view", "--follow", missing)
    assert "standard input" in failed("view", "--follow", "-")
    assert "cannot listen on port 70000" in failed("view", "--follow", WIDGET, "--port", "70000")
    assert "--at does not go with --follow" in failed("view", "--follow", WIDGET, "--at", "3")
    assert "--port needs --follow" in failed("view", WIDGET, "--port", "0")
