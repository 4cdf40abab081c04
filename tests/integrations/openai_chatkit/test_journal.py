"""`ReducerChatKitServer` with a journal: what a process leaves behind, and another one makes of it.

A process that is killed is played by a journal that gives its leases back, as the kernel does it.
Its response goes on as a zombie then, and must not write any more.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chatkit import types as sdk
from chatkit.store import NotFoundError

from chatkit_reducer.journal import FileJournal, Header, JournalError, MemoryJournal
from chatkit_reducer.journal.reading import records_of
from chatkit_reducer.journal.records import decode_records, recovered
from chatkit_reducer.testing.examples import message
from tests.support.sdk_servers import (
    BEGUN,
    FOREVER,
    REQUEST,
    Server,
    Shelf,
    added,
    delta,
    done,
    progress,
    receive,
    stop,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)


class MyServer(Server):
    store: Any

    def journal_meta(self, thread: sdk.ThreadMetadata, context: Any) -> dict[str, Any]:
        return {"user": "u_1"}


def make(script: Sequence[Any], shelf: Any, journal: Any) -> MyServer:
    server = MyServer(shelf, journal=journal)
    server.script = list(script)
    return server


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(30):
            await body()

    asyncio.run(in_time())


def written(server: MyServer) -> list[int]:
    """How many records each response that runs has."""
    sessions = vars(server).get("_reducer_streams", ())
    return [one.journal.position for one in sessions]


@asynccontextmanager
async def answering(server: MyServer) -> AsyncIterator[asyncio.Task[list[Any]]]:
    """A client that reads an answer, which waits for ever."""
    task = asyncio.create_task(receive(server))
    events = sum(not isinstance(step, float) for step in server.script)
    while not all(written(server)) or max(written(server), default=0) < events:
        await asyncio.sleep(0.005)
    await progress()
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def die(journal: FileJournal) -> None:
    """Give the leases back, as the kernel does it for a process that is killed."""
    await journal.aclose()


def context_of(header: Header) -> Any:
    return header.meta["user"]


async def recover_all(server: MyServer, journal: Any) -> None:
    async with server.recovery(context_of, every=0.01):
        for _ in range(500):
            if not await journal.find():
                return
            await asyncio.sleep(0.01)
    raise AssertionError("it is not recovered")


@pytest.mark.parametrize("script", [[*BEGUN, done(message("m", "one two "))], BEGUN])
def test_a_journal_changes_nothing_for_the_client_and_the_store(script: Any) -> None:
    async def body() -> None:
        journal = MemoryJournal()
        with_, without = make(script, Shelf(), journal), make(script, Shelf(), None)
        ours, theirs = await receive(with_), await receive(without)
        assert [e["type"] for e in ours] == [e["type"] for e in theirs]
        assert with_.store.plain().keys() == without.store.plain().keys()
        assert await journal.find() == []

    run(body)


def test_an_answer_survives_the_process(tmp_path: Path) -> None:
    async def body() -> None:
        first, second = FileJournal(tmp_path), FileJournal(tmp_path)
        shelf = Shelf()
        async with answering(make([*BEGUN, FOREVER], shelf, first)):
            (header,) = await second.find()
            assert (header.thread, header.meta) == ("thr_1", {"user": "u_1"})
            assert await second.find(orphaned=True) == []
            await die(first)
            await recover_all(make([], shelf, second), second)
            assert shelf.text("m") == "one two "
        # The zombie has ended meanwhile, and has written nothing.
        assert [op for op, _ in shelf.log].count("add") == 2
        found = recovered(await records_of(second, header.response))
        assert found.settlement is not None
        assert found.settlement.cause == "crashed"

    run(body)


def test_the_context_may_be_made_asynchronously(tmp_path: Path) -> None:
    contexts = []

    class Asking(Shelf):
        async def load_thread(self, thread_id: str, context: Any) -> sdk.ThreadMetadata:
            contexts.append(context)
            return await super().load_thread(thread_id, context)

    async def slowly(header: Header) -> Any:
        await asyncio.sleep(0)
        return header.meta["user"]

    async def body() -> None:
        first, second = FileJournal(tmp_path), FileJournal(tmp_path)
        shelf = Asking()
        async with answering(make([*BEGUN, FOREVER], shelf, first)):
            await die(first)
            contexts.clear()
            server = make([], shelf, second)
            async with server.recovery(slowly):
                while await second.find():
                    await asyncio.sleep(0.01)
        assert contexts == ["u_1"]

    run(body)


# --- what the store has ---------------------------------------------------------------------------


def test_a_complete_item_is_not_replaced_by_a_partial_one(tmp_path: Path) -> None:
    async def body() -> None:
        first, second = FileJournal(tmp_path), FileJournal(tmp_path)
        whole = message("m", "one two three")
        shelf = Shelf()
        async with answering(make([*BEGUN, FOREVER], shelf, first)):
            await die(first)
            # It was stored by a zombie, or by the application.
            await shelf.add_thread_item("thr_1", done(whole).item, None)
            await recover_all(make([], shelf, second), second)
        assert shelf.text("m") == "one two three"

    run(body)


def test_an_item_that_was_deleted_is_not_revived(tmp_path: Path) -> None:
    async def body() -> None:
        first, second = FileJournal(tmp_path), FileJournal(tmp_path)
        shelf = Shelf()
        script = [*BEGUN, done(message("m", "one two ")), added(message("n")), FOREVER]
        async with answering(make(script, shelf, first)):
            await die(first)
            await shelf.delete_thread_item("thr_1", "m", None)
            await recover_all(make([], shelf, second), second)
        assert "m" not in shelf.plain()

    run(body)


@pytest.mark.parametrize("at", range(1, 3))
def test_a_commit_that_died_in_the_middle_adds_nothing_twice(tmp_path: Path, at: int) -> None:
    class Dying(Shelf):
        def __init__(self) -> None:
            super().__init__()
            self.left = at

        async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
            self.left -= 1
            if not self.left:
                await super().add_thread_item(thread_id, item, context)
                await asyncio.sleep(FOREVER)  # it is written, and the process dies
            await super().add_thread_item(thread_id, item, context)

    async def body() -> None:
        first, second, third = (FileJournal(tmp_path) for _ in range(3))
        shelf = Dying()
        shelf.left = 0
        script = [*BEGUN, added(message("n")), delta("n", "three"), FOREVER]
        async with answering(make(script, shelf, first)):
            await die(first)
            shelf.left = at
            async with make([], shelf, second).recovery(context_of):
                while shelf.left:
                    await asyncio.sleep(0.01)
                await die(second)
                await recover_all(make([], shelf, third), third)
            ids = [item.id for item in shelf.items]
            assert len(ids) == len(set(ids)) == 3
            assert shelf.text("m") == "one two "
            assert shelf.text("n") == "three"

    run(body)


# --- a commit that failed -------------------------------------------------------------------------


def test_a_commit_that_failed_is_made_later(tmp_path: Path) -> None:
    async def body() -> None:
        journal = FileJournal(tmp_path)
        shelf = Shelf()
        server = make([*BEGUN, FOREVER], shelf, journal)
        server.commit_timeout = 0.2
        async with answering(server):
            shelf.refuses = lambda _: True
        assert shelf.plain() == {}
        (orphan,) = await journal.find(orphaned=True)
        decided = recovered(await records_of(journal, orphan.response)).settlement
        shelf.refuses = lambda _: False
        server.commit_timeout = 10.0
        await recover_all(server, journal)
        assert shelf.text("m") == "one two "
        assert decided is not None
        assert decided.cause == "cancelled"
        assert [marker.id for marker in shelf.markers] == [decided.writes[-1].item["id"]]

    run(body)


# --- one that always fails ------------------------------------------------------------------------


def test_one_that_always_fails_does_not_hold_up_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        first, second = FileJournal(tmp_path), FileJournal(tmp_path)
        early = datetime.now(UTC) - timedelta(days=1)
        await first.begin(Header(response="bad", thread="thr_9", started=early))
        shelf = Shelf()
        async with answering(make([*BEGUN, FOREVER], shelf, first)):
            await die(first)
            async with make([], shelf, second).recovery(context_of, every=0.01):
                while len(await second.find()) > 1:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.2)
        assert shelf.text("m") == "one two "
        assert [header.response for header in await second.find()] == ["bad"]

    run(body)
    failures = [r for r in caplog.records if "was not recovered at attempt" in r.message]
    assert len(failures) == 1  # it has pauses


def test_a_journal_of_a_newer_format_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        first, second = FileJournal(tmp_path), FileJournal(tmp_path)
        async with answering(make([*BEGUN, FOREVER], Shelf(), first)):
            await die(first)
            (path,) = tmp_path.glob("*.jsonl")  # noqa: ASYNC240
            path.write_bytes(path.read_bytes().replace(b'"format":1', b'"format":2'))
            before = path.read_bytes()
            shelf = Shelf()
            async with make([], shelf, second).recovery(context_of, every=0.01):
                await asyncio.sleep(0.2)
            assert path.read_bytes() == before
            assert shelf.items == []

    with caplog.at_level(logging.WARNING):
        run(body)
    assert (
        len(
            [
                r
                for r in caplog.records
                if "is in format 2" in r.message and "does not know" in r.message
            ]
        )
        == 1
    )


# --- the next response ----------------------------------------------------------------------------


@pytest.mark.parametrize("in_lifespan", [False, True])
def test_orphans_are_settled_before_the_next_response(tmp_path: Path, in_lifespan: bool) -> None:
    async def body() -> None:
        first, second = FileJournal(tmp_path), FileJournal(tmp_path)
        shelf = Shelf()
        async with answering(make([*BEGUN, FOREVER], shelf, first)):
            server = make([done(message("next", "!"))], shelf, second)
            if in_lifespan:
                async with server.recovery(context_of, every=FOREVER):
                    await asyncio.sleep(0.1)
                    await die(first)
                    await receive(server)
            else:
                await die(first)
                await receive(server)
        kinds = [item.type for item in shelf.items]
        assert kinds == [
            "user_message",
            "assistant_message",
            "user_message",
            "assistant_message",
        ]

    run(body)


def test_a_recovery_that_hangs_holds_the_next_response_up_for_a_while(tmp_path: Path) -> None:
    class Hanging(Shelf):
        hangs = False

        async def load_item(self, thread_id: str, item_id: str, context: Any) -> Any:
            if self.hangs:
                await asyncio.sleep(FOREVER)
            return await super().load_item(thread_id, item_id, context)

    async def body() -> None:
        first, second = FileJournal(tmp_path), FileJournal(tmp_path)
        shelf = Hanging()
        async with answering(make([*BEGUN, FOREVER], shelf, first)):
            await die(first)
            shelf.hangs = True
            server = make([done(message("next", "!"))], shelf, second)
            server.commit_timeout = 0.3
            server.load_timeout = None
            async with asyncio.timeout(5):
                await receive(server)
        assert "next" in shelf.plain()

    run(body)


@pytest.mark.parametrize("method", ["find", "read"])
def test_a_fault_that_lasts_is_one_log_record(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """It is one more when the journal has worked in between."""

    def failing(*_: Any, **__: Any) -> Any:
        raise JournalError("damaged")

    async def body() -> None:
        journal = MemoryJournal()
        server = make([*BEGUN, FOREVER], Shelf(), journal)
        async with answering(server):
            for _ in range(2):
                with monkeypatch.context() as patched:
                    patched.setattr(journal, method, failing)
                    for _ in range(3):
                        await server.process(PAGE, None)
                await server.process(PAGE, None)

    run(body)
    assert sum("damaged" in record.getMessage() for record in caplog.records) == 2


# --- deleted threads ------------------------------------------------------------------------------


class Deleting(Shelf):
    """A store whose thread can be deleted, by one user alone."""

    def __init__(self, journal: FileJournal) -> None:
        super().__init__()
        self.journal = journal
        self.threads = {"thr_1"}
        self.at_delete: list[Header] | None = None

    async def load_thread(self, thread_id: str, context: Any) -> sdk.ThreadMetadata:
        if thread_id not in self.threads or context == "a stranger":
            raise NotFoundError(thread_id)
        return await super().load_thread(thread_id, context)

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        self.at_delete = await self.journal.find()
        if context == "a stranger":
            raise NotFoundError(thread_id)
        self.threads.discard(thread_id)
        self.items.clear()


PAGE = json.dumps({"type": "threads.get_by_id", "params": {"thread_id": "thr_1"}})
DELETE = json.dumps({"type": "threads.delete", "params": {"thread_id": "thr_1"}})


def test_a_thread_that_is_deleted_is_forgotten_first(tmp_path: Path) -> None:
    async def body() -> None:
        first, second = FileJournal(tmp_path), FileJournal(tmp_path)
        shelf = Deleting(second)
        async with answering(make([*BEGUN, FOREVER], shelf, first)):
            await die(first)
            server = make([], shelf, second)
            await server.process(DELETE, None)
            assert shelf.at_delete == []
            async with server.recovery(context_of, every=0.01):
                await asyncio.sleep(0.1)
            assert shelf.items == []

    run(body)


class Slow(Deleting):
    """It takes its time for each write, and notes what happens to its thread."""

    def __init__(self, journal: FileJournal) -> None:
        super().__init__(journal)
        self.writes: list[str] = []

    async def save_thread(self, thread: sdk.ThreadMetadata, context: Any) -> None:
        await asyncio.sleep(0.05)
        self.writes.append(f"thread {thread.title}")

    async def add_thread_item(self, thread_id: str, item: sdk.ThreadItem, context: Any) -> None:
        await asyncio.sleep(0.05)
        self.writes.append(f"item {item.type}")
        await super().add_thread_item(thread_id, item, context)

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        await super().delete_thread(thread_id, context)
        self.writes.append("deleted")


class Titling(MyServer):
    async def respond(self, thread: sdk.ThreadMetadata, *arguments: Any) -> AsyncIterator[Any]:
        async for event in super().respond(thread, *arguments):
            yield event
            thread.title = "the moon"  # it is saved with the next event, or at the end


@pytest.mark.parametrize("on_leave", [None, "go_on", 30.0])
@pytest.mark.parametrize("is_here", [True, False])
def test_a_response_of_a_thread_that_is_deleted_ends_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, on_leave: Any, is_here: bool
) -> None:
    """One that went on would bring the thread back."""

    async def body() -> None:
        journal = FileJournal(tmp_path)
        shelf = Slow(journal)
        server = (Titling if is_here else MyServer)(shelf, journal=journal)
        server.script, server.on_leave = [BEGUN[0], FOREVER], on_leave
        async with answering(server) as client:
            other = make([], shelf, FileJournal(tmp_path))
            await (server if is_here else other).process(DELETE, None)
            assert ("thread the moon" in shelf.writes) is is_here
            assert shelf.writes[-1] == "deleted"
            await client
            await asyncio.sleep(0.2)
            assert shelf.writes[-1] == "deleted"
            assert shelf.items == []

    caplog.set_level(logging.WARNING)
    run(body)
    assert caplog.records == []
    assert list(tmp_path.iterdir()) == []


def test_a_stranger_ends_no_response(tmp_path: Path) -> None:
    async def body() -> None:
        journal = FileJournal(tmp_path)
        server = make([*BEGUN, FOREVER], Deleting(journal), journal)
        async with answering(server) as client:
            with pytest.raises(NotFoundError):
                await server.process(DELETE, "a stranger")
            assert not client.done()
            assert len(await journal.find()) == 1

    run(body)


def test_an_orphan_of_a_thread_that_is_not_found_is_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        first, second = FileJournal(tmp_path), FileJournal(tmp_path)
        shelf = Deleting(second)
        async with answering(make([*BEGUN, FOREVER], shelf, first)):
            await die(first)
            (orphan,) = await second.find()
            await shelf.delete_thread("thr_1", None)  # and the journal is not told
            async with make([], shelf, second).recovery(context_of, every=0.01):
                await asyncio.sleep(0.2)
            assert await second.find() == []
            assert shelf.items == []
            *_, closing = await records_of(second, orphan.response)
            assert b'"type":"journal.closed","reason":"thread_not_found"' in closing

    run(body)
    said = [record for record in caplog.records if "is taken for deleted" in record.message]
    assert len(said) == 1
    assert not [record for record in caplog.records if "was not recovered" in record.message]


def test_an_orphan_whose_thread_cannot_be_loaded_is_tried_again(tmp_path: Path) -> None:
    class Away(Shelf):
        error: Exception | None = None

        async def load_thread(self, thread_id: str, context: Any) -> sdk.ThreadMetadata:
            if self.error is not None:
                raise self.error
            return await super().load_thread(thread_id, context)

    async def body() -> None:
        first, second = FileJournal(tmp_path), FileJournal(tmp_path)
        shelf = Away()
        async with answering(make([*BEGUN, FOREVER], shelf, first)):
            await die(first)
            server = make([], shelf, second)
            for shelf.error in (KeyError("thr_1"), ConnectionError()):
                async with server.recovery(context_of, every=0.01):
                    await asyncio.sleep(0.05)
                assert len(await second.find()) == 1
            shelf.error = None
            await recover_all(server, second)
        assert shelf.text("m") == "one two "

    run(body)


def test_a_stranger_cannot_have_an_orphan_closed(tmp_path: Path) -> None:
    async def body() -> None:
        first, second = FileJournal(tmp_path), FileJournal(tmp_path)
        shelf = Deleting(second)
        async with answering(make([*BEGUN, FOREVER], shelf, first)):
            await die(first)
            server = make([], shelf, second)
            result: Any = await server.process(REQUEST, "a stranger")
            with pytest.raises(NotFoundError):
                await anext(aiter(result))
            assert len(await second.find()) == 1
            await recover_all(server, second)
        assert shelf.text("m") == "one two "

    run(body)


def test_a_stranger_cannot_have_a_journal_forgotten(tmp_path: Path) -> None:
    async def body() -> None:
        first, second = FileJournal(tmp_path), FileJournal(tmp_path)
        shelf = Deleting(second)
        async with answering(make([*BEGUN, FOREVER], shelf, first)):
            with pytest.raises(NotFoundError):
                await make([], shelf, second).process(DELETE, "a stranger")
            assert len(await second.find()) == 1

    run(body)


# --- stopped from another process -----------------------------------------------------------------


def test_a_response_is_stopped_from_any_process(tmp_path: Path) -> None:
    async def body() -> None:
        first, second = FileJournal(tmp_path), FileJournal(tmp_path)
        shelf = Shelf()
        async with answering(make([*BEGUN, FOREVER], shelf, first)) as client:
            assert await make([], shelf, second).stop_responses("thr_9") == 0
            assert await make([], shelf, second).stop_responses() == 0
            assert await make([], shelf, second).stop_responses("thr_1") == 1
            assert shelf.text("m") == "one two "
            assert len(shelf.markers) == 1
            events = await client
            assert events[-1]["type"] == "thread.item.done"
            assert await second.find() == []

    run(body)


def test_the_task_that_renews_ends_with_the_last_response(tmp_path: Path) -> None:
    async def body() -> None:
        server = make([*BEGUN, FOREVER], Shelf(), FileJournal(tmp_path))

        def names() -> list[str]:
            return [task.get_name() for task in asyncio.all_tasks()]

        async with answering(server), answering(server):
            assert names().count("chatkit_reducer leases") == 1
        await progress()
        assert "chatkit_reducer leases" not in names()

    run(body)


# --- a journal that fails -------------------------------------------------------------------------


class Broken(MemoryJournal):
    """Each of its calls fails from the n-th on, of those that write."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._left = at

    def _count(self) -> None:
        self._left -= 1
        if self._left <= 0:
            raise JournalError("no space")

    async def begin(self, header: Header) -> None:
        self._count()
        await super().begin(header)

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        self._count()
        await super().append(response, at, records)

    async def find(self, *, thread: str | None = None, orphaned: bool = False) -> list[Header]:
        raise JournalError("no network")

    async def alive(self, responses: Any) -> Any:
        raise JournalError("no network")

    async def stop(self, response: str) -> None:
        raise JournalError("no network")

    async def forget(self, **_: Any) -> int:
        raise JournalError("no network")


@pytest.mark.parametrize("at", range(1, 9))
@pytest.mark.parametrize("ending", [stop, receive])
def test_a_journal_that_fails_changes_nothing(at: int, ending: Callable[..., Any]) -> None:
    async def body() -> None:
        script = [*BEGUN, *([FOREVER] if ending is stop else [])]
        broken, whole = make(script, Shelf(), Broken(at)), make(script, Shelf(), None)
        ours, theirs = await ending(broken), await ending(whole)
        assert [e["type"] for e in ours or ()] == [e["type"] for e in theirs or ()]
        assert broken.store.text("m") == whole.store.text("m") == "one two "
        assert len(broken.store.markers) == len(whole.store.markers)
        assert await broken.stop_responses("thr_1") == 0
        await broken.process(DELETE, None)

    run(body)


def test_a_journal_that_hangs_holds_the_response_up_for_its_time_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Hanging(MemoryJournal):
        async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
            if at:
                await asyncio.sleep(60)
            await super().append(response, at, records)

    async def body() -> None:
        hanging, whole = make(BEGUN, Shelf(), Hanging()), make(BEGUN, Shelf(), None)
        hanging.journal_timeout = 0.05
        async with asyncio.timeout(5):
            ours = await receive(hanging)
        theirs = await receive(whole)
        assert [event["type"] for event in ours] == [event["type"] for event in theirs]
        assert hanging.store.text("m") == whole.store.text("m") == "one two "

    run(body)
    [record] = [record for record in caplog.records if "The answer goes on" in record.message]
    assert "it took longer than 0.05 seconds" in record.message


def test_metadata_that_cannot_be_made_costs_the_journal_and_not_the_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Bad(MyServer):
        def journal_meta(self, thread: sdk.ThreadMetadata, context: Any) -> dict[str, Any]:
            raise KeyError("user")

    async def body() -> None:
        server = Bad(Shelf(), journal=MemoryJournal())
        server.script = BEGUN
        await receive(server)
        assert server.store.text("m") == "one two "

    run(body)
    assert "journal_meta failed" in caplog.text


# --- settings -------------------------------------------------------------------------------------


def test_a_setting_that_is_not_a_journal_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected MyServer.journal to be a Journal .*'answers'"):
        MyServer(Shelf(), journal="answers")  # type: ignore[arg-type]


def test_a_journal_of_the_class_counts() -> None:
    class Journaled(Server):
        journal = MemoryJournal()

    server = Journaled(Shelf())
    server.script = BEGUN
    asyncio.run(receive(server))
    (response,) = Journaled.journal._responses.values()
    kinds = [entry.type for entry in decode_records(response.records)]
    assert kinds[-2:] == ["journal.settled", "journal.closed"]


def test_a_recovery_without_a_journal_is_refused() -> None:
    async def body() -> None:
        with pytest.raises(
            ValueError, match=r"expected MyServer.journal to be a journal, got None"
        ):
            async with make([], Shelf(), None).recovery(context_of):
                pass

    run(body)
