"""`FileJournal`: locks, half-written lines, forks, permissions, other processes."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from chatkit_reducer import encode, replay
from chatkit_reducer.events import ProgressUpdate, ThreadItemDone
from chatkit_reducer.journal import (
    Conflict,
    FileJournal,
    Header,
    JournalError,
    JournalWriter,
    directory,
    files,
)
from chatkit_reducer.journal.records import closed_record, event_record, header_line
from chatkit_reducer.testing.examples import message

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)

PROGRESS = ProgressUpdate("x")
RECORD = event_record(1, b'{"type":"progress_update","text":"x"}')


def header(response: str = "r", thread: str = "t") -> Header:
    return Header(response=response, thread=thread, started=datetime.now(UTC), meta={"user": "é"})


async def begun(directory: Path, *, count: int = 0, response: str = "r") -> FileJournal:
    journal = FileJournal(directory)
    await journal.begin(header(response))
    for place in range(count):
        await journal.append(response, place, [RECORD])
    return journal


async def lines(journal: FileJournal, response: str = "r", after: int = 0) -> list[bytes]:
    return [line async for _, line in journal.read(response, after, follow=False)]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def coming(reader: AsyncIterator[tuple[int, bytes]]) -> asyncio.Task[tuple[int, bytes]]:
    """Wait for the next record in a task."""

    async def read() -> tuple[int, bytes]:
        return await anext(reader)

    return asyncio.create_task(read())


def in_child(body: Callable[[], Any]) -> int:
    """Run it in a forked child, which is killed at its end; return its exit status."""
    child = os.fork()
    if not child:
        try:
            body()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return status


# --- the place -----------------------------------------------------------------------------------


def test_the_files_are_for_this_user_alone(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "answers"

    async def body() -> None:
        journal = await begun(directory)
        await journal.stop("r")
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert names(directory) == ["r.jsonl", "r.stop"]
        for name in names(directory):
            assert stat.S_IMODE(os.stat(directory / name).st_mode) == 0o600  # noqa: PTH116

    asyncio.run(body())


@pytest.mark.parametrize(
    "response",
    ["../../etc/passwd", "a/b", "", ".", "A", "a", "é" * 200, "a\0b", "x" * 300, "a~b"],
)
def test_an_id_is_no_path(tmp_path: Path, response: str) -> None:
    async def body() -> None:
        journal = FileJournal(tmp_path)
        if not response:
            with pytest.raises(ValueError, match="expected the id of a response, got an empty one"):
                await journal.begin(header(response))
            return
        await journal.begin(header(response))
        await journal.append(response, 0, [RECORD])
        [name] = names(tmp_path)
        assert len(name) < 150
        assert await lines(journal, response) == [RECORD]
        assert [found.response for found in await journal.find()] == [response]

    asyncio.run(body())


def test_ids_that_differ_in_case_are_two_files_everywhere(tmp_path: Path) -> None:
    async def body() -> None:
        journal = FileJournal(tmp_path)
        for response in ("a", "A"):
            await journal.begin(header(response))
        assert len({name.lower() for name in names(tmp_path)}) == 2

    asyncio.run(body())


def test_a_directory_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def body() -> None:
        journal = FileJournal(tmp_path / "file")
        with pytest.raises(JournalError, match=r"response 'r' cannot begin in .*file: .*exists"):
            await journal.begin(header())
        with pytest.raises(JournalError, match="cannot be read"):
            await journal.find()
        assert await FileJournal(tmp_path / "nothing").find() == []
        with pytest.raises(JournalError, match="response 'r' cannot be read: it is not in"):
            await lines(FileJournal(tmp_path / "nothing"))

    asyncio.run(body())


def test_a_platform_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "HAS_LOCKS", False)
    with pytest.raises(JournalError, match="use MemoryJournal, PostgresJournal or RedisJournal"):
        FileJournal(tmp_path)


def test_misuse_is_refused(tmp_path: Path) -> None:
    wrong: Any = "always"
    with pytest.raises(ValueError, match="expected sync to be one of process, settle, power"):
        FileJournal(tmp_path, sync=wrong)

    async def body() -> None:
        journal = await begun(tmp_path)
        with pytest.raises(ValueError, match="expected each record as one line of JSON"):
            await journal.append("r", 0, [b'{\n"event":{}}'])
        with pytest.raises(ValueError, match="expected the closing record to be the last one"):
            await journal.append("r", 0, [closed_record(1), RECORD])
        late = Header(response="s", thread="t", started=datetime(2026, 1, 1))  # noqa: DTZ001
        with pytest.raises(ValueError, match=r"expected Header\.started with a time zone"):
            await journal.begin(late)

    asyncio.run(body())


# --- half lines and full disks -------------------------------------------------------------------


def test_half_a_line_is_cut_off_by_a_claim(tmp_path: Path) -> None:
    async def body() -> None:
        journal = await begun(tmp_path, count=2)
        await journal.aclose()
        path = tmp_path / "r.jsonl"
        with path.open("ab") as file:
            file.write(RECORD[:20])
        other = FileJournal(tmp_path)
        assert await lines(other) == [RECORD, RECORD]
        reader = other.read("r")
        assert [await anext(reader), await anext(reader)] == [(1, RECORD), (2, RECORD)]
        third = coming(reader)
        await asyncio.sleep(0.05)
        assert await other.claim("r")
        assert path.read_bytes().endswith(RECORD + b"\n")
        longer = event_record(3, b'{"type":"progress_update","text":"something else"}')
        await other.append("r", 2, [longer])
        assert await asyncio.wait_for(third, 5) == (3, longer)

    asyncio.run(body())


def test_a_full_disk_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        if offset + len(data) > 700:
            if offset >= 700:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data = data[: 700 - offset]
        return pwrite(descriptor, data, offset)

    async def body() -> None:
        journal = await begun(tmp_path)
        monkeypatch.setattr(os, "pwrite", full)
        written = 0
        with pytest.raises(JournalError, match="No space left"):
            for written in range(100):
                await journal.append("r", written, [RECORD])
        assert written > 2
        monkeypatch.undo()
        assert await lines(journal) == [RECORD] * written
        assert (tmp_path / "r.jsonl").read_bytes().endswith(b"\n")
        await journal.append("r", written, [RECORD])

    asyncio.run(body())


def test_a_disk_that_stays_full_ends_the_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither closed nor an orphan, the response would keep them for the life of the process."""

    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def body() -> None:
        journal, elsewhere = FileJournal(tmp_path), FileJournal(tmp_path)
        writer = JournalWriter(journal, "r", thread="t")
        await writer.begin()
        await writer.append(PROGRESS)
        readers = [one.read("r") for one in (journal, elsewhere)]
        for reader in readers:
            assert (await anext(reader))[0] == 1
        more = [coming(reader) for reader in readers]
        monkeypatch.setattr(os, "pwrite", full)
        await writer.append(PROGRESS)
        assert writer.failed
        await writer.closed()
        for task in more:
            with pytest.raises(JournalError, match="was forgotten"):
                await asyncio.wait_for(task, 5)
        assert await elsewhere.find() == []

    asyncio.run(body())
    assert names(tmp_path) == []


def test_a_directory_that_is_deleted_is_one_log_record(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The system lets a writer write on to a file that no process can find."""
    folder = tmp_path / "answers"

    async def body() -> None:
        journal = FileJournal(folder)
        writer, other = [JournalWriter(journal, name, thread="t") for name in "rs"]
        await writer.begin()
        await other.begin()
        assert await journal.alive(["r", "s"]) == set()
        await writer.append(PROGRESS)
        assert writer.is_writing
        (folder / "r.jsonl").unlink()
        await journal.stop("s")
        assert await journal.alive(["r", "s"]) == {"s"}
        for _ in range(3):
            await writer.append(PROGRESS)
            await other.append(PROGRESS)
        await writer.closed()
        assert (writer.failed, other.failed) == (True, False)
        await other.closed()

    asyncio.run(body())
    [record] = caplog.records
    assert "The answer goes on" in record.getMessage()
    assert f"it is not in {folder}" in record.getMessage()


def test_what_cannot_be_deleted_is_an_orphan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> bool:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    async def body() -> None:
        journal = await begun(tmp_path)
        monkeypatch.setattr(directory, "remove", refused)
        with pytest.raises(JournalError, match="cannot be deleted"):
            await journal.discard("r")
        monkeypatch.undo()
        assert [one.response for one in await FileJournal(tmp_path).find(orphaned=True)] == ["r"]

    asyncio.run(body())


def test_only_the_holder_discards(tmp_path: Path) -> None:
    async def body() -> None:
        journal, other = await begun(tmp_path), FileJournal(tmp_path)
        await other.discard("r")
        assert names(tmp_path) == ["r.jsonl"]
        await journal.discard("r")
        assert names(tmp_path) == []

    asyncio.run(body())


def test_a_file_without_a_header_is_passed_over_and_deleted_when_it_is_old(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(header_line(header())[:30])

    async def body() -> None:
        journal = FileJournal(tmp_path)
        assert await journal.find(orphaned=True) == []
        assert path.exists()
        with pytest.raises(JournalError, match="never began"):
            await journal.claim("r")
        with pytest.raises(JournalError, match="never began"):
            await lines(journal)
        os.utime(path, (0, 0))
        assert await journal.find() == []
        assert not path.exists()

    asyncio.run(body())


FOREIGN = [
    ("export.jsonl", b'{"my": "data"}'),
    ("recording.jsonl", b'{"seq":0,"time":1.5,"thread":"t","event":{"type":"progress_update"'),
    ("Notes.jsonl", b""),
    ("copy of r.jsonl", header_line(header())[:30]),
]


@pytest.mark.parametrize(("name", "content"), FOREIGN, ids=["other", "log", "case", "space"])
def test_an_old_file_of_others_is_never_deleted(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    os.utime(path, (0, 0))
    assert asyncio.run(FileJournal(tmp_path).find()) == []
    assert path.read_bytes() == content


@pytest.mark.law
@given(
    response=st.text(max_size=60),
    thread=st.text(),
    meta=st.dictionaries(st.text(), st.text()),
    data=st.data(),
)
def test_half_a_header_is_deleted_when_it_is_old(
    response: str, thread: str, meta: dict[str, str], data: Any
) -> None:
    started = datetime(2026, 1, 1, tzinfo=UTC)
    one = Header(response=response, thread=thread, started=started, meta=meta)
    try:
        line = header_line(one)
    except UnicodeEncodeError:
        reject()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / directory.name_of(response)
        path.write_bytes(line[: data.draw(st.integers(0, len(line)))])
        os.utime(path, (0, 0))
        assert directory.ResponseFiles(Path(folder)).open_ones(None) == []
        assert not path.exists()


def test_other_files_in_the_directory_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").write_text('{"type": "thread.item.removed", "item_id": "m"}\n')
    (tmp_path / "notes.txt").write_text("text\n")

    async def body() -> None:
        journal = FileJournal(tmp_path)
        assert await journal.find() == []
        assert await journal.forget(thread="t") == 0

    asyncio.run(body())
    assert len(list(tmp_path.iterdir())) == 2


def test_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    newer = Header(response="r", thread="t", started=datetime.now(UTC), format=2)
    path = tmp_path / "r.jsonl"
    content = header_line(newer) + b'\n{"seq":1,"event":{"type":"x"}}\n{"half'
    path.write_bytes(content)

    async def body() -> None:
        journal = FileJournal(tmp_path)
        [found] = await journal.find(orphaned=True)
        assert found.format == 2
        with pytest.raises(JournalError, match=r"format 2 .* formats up to 1: it is left alone"):
            await journal.claim("r")

    asyncio.run(body())
    assert path.read_bytes() == content


# --- leases --------------------------------------------------------------------------------------


def test_while_a_writer_lives_no_other_writes(tmp_path: Path) -> None:
    async def body() -> None:
        journal = await begun(tmp_path, count=1)
        other = FileJournal(tmp_path)
        assert not await other.claim("r")
        assert await other.find(orphaned=True) == []
        with pytest.raises(Conflict, match="another writer holds it"):
            await other.append("r", 1, [closed_record(2)])
        await other.append("r", 0, [RECORD])  # the same as stands there
        await journal.release("r")
        assert [found.response for found in await other.find(orphaned=True)] == ["r"]
        await other.append("r", 1, [closed_record(2)])
        assert await other.find() == []
        assert not await journal.claim("r")

    asyncio.run(body())


def test_a_journal_that_is_dropped_gives_its_leases_back(tmp_path: Path) -> None:
    async def body() -> None:
        await begun(tmp_path)
        assert await FileJournal(tmp_path).claim("r")

    asyncio.run(body())


def test_a_killed_writer_frees_its_response_at_once(tmp_path: Path) -> None:
    in_child(lambda: asyncio.run(begun(tmp_path, count=3)))

    async def body() -> None:
        journal = FileJournal(tmp_path)
        assert [found.response for found in await journal.find(orphaned=True)] == ["r"]
        assert await journal.claim("r")
        assert await lines(journal) == [RECORD] * 3

    asyncio.run(body())


def test_a_forked_child_does_not_hold_the_lease_of_its_parent(tmp_path: Path) -> None:
    """The parent is killed, and its child lives on, as a worker of `multiprocessing` does."""
    told, tell = os.pipe()

    def parent() -> None:
        async def body() -> None:
            await begun(tmp_path, count=1)
            child = os.fork()
            if not child:
                time.sleep(60)  # noqa: ASYNC251  # it is another process
                os._exit(0)
            os.write(tell, b"%d\n" % child)
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(body())

    in_child(parent)
    child = int(os.read(told, 20))
    try:

        async def body() -> None:
            os.kill(child, 0)  # it lives
            journal = FileJournal(tmp_path)
            for _ in range(200):
                if await journal.claim("r"):
                    return
                await asyncio.sleep(0.01)
            raise AssertionError("the child holds the lock")

        asyncio.run(body())
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(told)
        os.close(tell)


def test_a_forked_child_leaves_the_lease_with_its_parent(tmp_path: Path) -> None:
    async def body() -> None:
        journal = await begun(tmp_path)

        def child() -> None:
            async def write() -> None:
                try:
                    await journal.append("r", 0, [RECORD])
                except Conflict:
                    (tmp_path / "refused").write_text("")

            asyncio.new_event_loop().run_until_complete(write())

        pid = os.fork()
        if not pid:
            try:
                asyncio._set_running_loop(None)  # that of the parent
                child()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)  # noqa: ASYNC222  # it ends at once
        assert (tmp_path / "refused").exists()
        await journal.append("r", 0, [RECORD])
        assert not await FileJournal(tmp_path).claim("r")

    asyncio.run(body())


# --- other processes -----------------------------------------------------------------------------

WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from chatkit_reducer.journal import FileJournal, JournalWriter
from chatkit_reducer.events import ProgressUpdate

async def main():
    journal = FileJournal(sys.argv[1])
    writer = JournalWriter(journal, "r", thread="t")
    await writer.begin()
    print("begun", flush=True)
    while not await journal.alive(["r"]):
        await writer.append(ProgressUpdate("x"))
        await asyncio.sleep(0.001)
    await writer.closed()
    print(writer.position, flush=True)

asyncio.run(main())
"""


def test_it_is_read_and_stopped_from_another_process(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        try:
            assert process.stdout.readline() == "begun\n"

            async def body() -> list[int]:
                journal = FileJournal(tmp_path)
                positions = []
                async for position, _ in journal.read("r"):
                    positions.append(position)
                    if position == 20:
                        await journal.stop("r")
                return positions

            positions = asyncio.run(asyncio.wait_for(body(), 20))
            count = int(process.stdout.readline())
        finally:
            process.kill()
    assert positions == list(range(1, count + 1))
    assert [path.name for path in tmp_path.iterdir()] == ["r.jsonl"]


def test_a_reader_in_this_process_is_woken_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_LOOK_AGAIN", 3600.0)

    async def body() -> None:
        journal = await begun(tmp_path)
        reader = journal.read("r")
        first = coming(reader)
        await asyncio.sleep(0.01)
        await journal.append("r", 0, [RECORD])
        assert await asyncio.wait_for(first, 5) == (1, RECORD)
        second = coming(reader)
        await asyncio.sleep(0.01)
        await journal.append("r", 1, [closed_record(2)])
        assert (await asyncio.wait_for(second, 5))[0] == 2
        assert await anext(reader, None) is None

    asyncio.run(body())


# --- forgetting ----------------------------------------------------------------------------------


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    async def body() -> None:
        journal = await begun(tmp_path, count=1)
        await journal.begin(header("s", thread="other"))
        await journal.append("s", 0, [closed_record(1)])
        now = datetime.now(UTC)
        assert await journal.forget() == 0
        assert await journal.forget(closed_before=now - timedelta(seconds=60)) == 0
        assert await journal.forget(closed_before=now + timedelta(seconds=60)) == 1
        reader = journal.read("r")
        await anext(reader)
        waiting = coming(reader)
        await asyncio.sleep(0)
        await journal.stop("r")
        assert await journal.forget(thread="t") == 1
        with pytest.raises(JournalError, match="was forgotten"):
            await asyncio.wait_for(waiting, 5)
        with pytest.raises(JournalError):
            await journal.append("r", 1, [RECORD])
        with pytest.raises(JournalError):
            await journal.stop("r")
        assert names(tmp_path) == []
        assert await journal.find() == []

    asyncio.run(body())


# --- the disk ------------------------------------------------------------------------------------

DELTA = event_record(1, b'{"type":"thread.item.updated","item_id":"m","update":{"type":"x"}}')


@pytest.mark.parametrize(
    ("sync", "expected"), [("process", [0, 0, 0]), ("settle", [1, 0, 1]), ("power", [1, 1, 1])]
)
def test_how_far_the_disk_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: files.Sync, expected: list[int]
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(files, "_sync_data", synced.append)

    async def body() -> list[int]:
        journal = FileJournal(tmp_path, sync=sync)
        counts = []
        await journal.begin(header())
        counts.append(len(synced))
        for place, record in enumerate((DELTA, RECORD.replace(b"progress_update", b"error"))):
            before = len(synced)
            await journal.append("r", place, [record])
            counts.append(len(synced) - before)
        return counts

    assert asyncio.run(body()) == expected


def test_the_command_line_reads_it(tmp_path: Path) -> None:
    async def body() -> None:
        journal = await begun(tmp_path)
        done = encode(ThreadItemDone(message("m", "Hello")))
        await journal.append("r", 0, [event_record(1, done), closed_record(2)])

    asyncio.run(body())
    path = tmp_path / "r.jsonl"
    assert list(replay(path).items) == ["m"]
    for command in ("replay", "check", "sweep"):
        words = [sys.executable, "-m", "chatkit_reducer", command, str(path)]
        ran = subprocess.run(words, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert ran.stdout
