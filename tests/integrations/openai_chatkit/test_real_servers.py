"""Clients that leave and servers that shut down: real sockets, and nothing that was seen is lost.

The app is `tests/support/real_servers/app.py`. It runs in a process of its own under uvicorn,
hypercorn and granian, and its store is a journal: a file that tells, when all is over, what was
written.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import pytest
from chatkit.server import StreamingResult
from chatkit.types import ChatKitReq, StreamingReq
from pydantic import TypeAdapter
from starlette.responses import StreamingResponse
from starlette.types import Message

import chatkit_reducer
from tests.support.effort import others_slow
from tests.support.paths import ROOT
from tests.support.real_servers.app import Journal, JournalStore, Kept, Plan

T = TypeVar("T")
Json = dict[str, Any]
Query = Mapping[str, float | str]

SUPPORT = ROOT / "tests" / "support"
DEADLINE = 30.0
"""How long anything may take, in seconds. Nothing does, except on a machine that is very busy."""

SERVERS = {
    "uvicorn": "uvicorn --port {port} --timeout-graceful-shutdown 1 --no-access-log",
    "hypercorn": "hypercorn --bind 127.0.0.1:{port} --graceful-timeout 1",
    # Its option `--workers-kill-timeout` kills the worker, whatever goes on in it: see below.
    "granian": "granian --port {port} --interface asgi",
}

NOISE = re.compile(
    r"Task was destroyed|was never retrieved|was never awaited|asynchronous generator"
    r"|ResourceWarning|^chatkit_reducer\."
    rf'|File "{re.escape(str(Path(chatkit_reducer.__file__).parent))}',
    re.MULTILINE,
)
"""What must not be in the log of a server: a log line or a stack frame of ours, or what asyncio and
Python say of tasks, generators and files that nobody looks after. Servers that shut down may well
log a traceback of their own."""

REQUEST = json.dumps(
    {
        "type": "threads.create",
        "params": {
            "input": {
                "content": [{"type": "input_text", "text": "Hello"}],
                "attachments": [],
                "inference_options": {},
            }
        },
    }
).encode()


# --- the client -----------------------------------------------------------------------------------


@dataclass
class VisibleContent:
    """What a client shows of a thread.

    A fold of its own: the test does not ask the package that it tests.
    """

    items: dict[str, Json] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    """The items that were done."""
    events: int = 0
    answer_began: bool = False

    def take(self, frame: bytes) -> None:
        event = json.loads(frame.removeprefix(b"data: "))
        self.events += 1
        match event["type"]:
            case "stream_options":
                self.answer_began = True
            case "thread.item.added":
                self.items[event["item"]["id"]] = event["item"]
            case "thread.item.done":
                self.items[event["item"]["id"]] = event["item"]
                self.done.add(event["item"]["id"])
            case "thread.item.updated":
                self._update(self.items[event["item_id"]], event["update"])

    @staticmethod
    def _update(item: Json, update: Json) -> None:
        match update["type"].partition(".")[2]:
            case "content_part.added":
                item["content"].append(update["content"])
            case "content_part.text_delta":
                item["content"][0]["text"] += update["delta"]
            case "task.added":
                item["workflow"]["tasks"].append(update["task"])
            case "task.updated":
                item["workflow"]["tasks"][update["task_index"]] = update["task"]
            case "streaming_text.value_delta":
                item["widget"]["children"][0]["value"] += update["delta"]
            case "root.updated":
                item["widget"] = update["widget"]
            case other:
                raise AssertionError(f"the app sends no {other}")


def text_of(item: Json) -> str:
    """All that people see of an item; while it grows, each is a prefix of the next."""
    match item["type"]:
        case "assistant_message" | "user_message":
            return "".join(part["text"] for part in item["content"])
        case "workflow":
            tasks = item["workflow"]["tasks"]
            return "".join(f"\n{task['title']}: {task.get('content', '')}" for task in tasks)
        case "widget":
            return str(item["widget"]["children"][0]["value"])
        case other:
            raise AssertionError(f"nobody sees {other}")


class Client:
    """An HTTP/1.1 client over a bare socket, which may leave after any byte."""

    def __init__(self, thread_id: str) -> None:
        self.thread_id = thread_id
        self.seen = VisibleContent()
        self.ended = False
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._raw = b""
        self._body = b""
        self._in_body = False

    async def ask(self, port: int, query: Query, *, receive_buffer: int | None = None) -> None:
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        target = f"/chatkit?{urlencode({'thread': self.thread_id, **query})}"
        head = f"POST {target} HTTP/1.1\r\nHost: here\r\nContent-Length: {len(REQUEST)}\r\n\r\n"
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._socket, ("127.0.0.1", port))
        await loop.sock_sendall(self._socket, head.encode() + REQUEST)

    async def read(self, size: int = 65536) -> None:
        """Takes what has arrived, of which the last event may have come in part only."""
        try:
            data = await asyncio.get_running_loop().sock_recv(self._socket, size)
        except OSError:
            data = b""
        self.ended = not data
        self._raw += data
        self._take_head()
        while self._in_body and self._take_chunk():
            pass
        *frames, self._body = self._body.split(b"\n\n")
        for frame in frames:
            self.seen.take(frame)

    async def read_events(self, count: int) -> None:
        """Reads until it has seen so many events in all, or the end."""
        while not self.ended and self.seen.events < count:
            await self.read()

    def leave(self, *, abruptly: bool = False) -> None:
        """Closes the connection; abruptly with a reset, as when the network is gone."""
        if abruptly:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def _take_head(self) -> None:
        head, end, rest = self._raw.partition(b"\r\n\r\n")
        if not self._in_body and end:
            assert head.startswith(b"HTTP/1.1 200"), head
            assert b"transfer-encoding: chunked" in head.lower(), head
            self._raw, self._in_body = rest, True

    def _take_chunk(self) -> bool:
        size, end, rest = self._raw.partition(b"\r\n")
        if not end or len(rest) < int(size, 16) + 2:
            return False
        length = int(size, 16)
        self._body += rest[:length]
        self._raw = rest[length + 2 :]
        return True


async def get_json(port: int, path: str) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        return json.loads(body)
    finally:
        writer.close()


# --- the server -----------------------------------------------------------------------------------


@dataclass
class Stored:
    """What the journal says of a thread."""

    items: dict[str, Json] = field(default_factory=dict)
    adds: Counter[str] = field(default_factory=Counter)
    """How often each item was added, and not saved."""
    told: int = 0
    """How often the hook was called."""

    @property
    def markers(self) -> int:
        return sum(item["type"] == "sdk_hidden_context" for item in self.items.values())


def read_journal(path: Path) -> dict[str, Stored]:
    """What is stored, by thread."""
    threads: defaultdict[str, Stored] = defaultdict(Stored)
    for line in path.read_bytes().splitlines():
        entry = json.loads(line)
        thread = threads[entry["thread"]]
        if entry["what"] == "told":
            thread.told += 1
        elif entry["what"] == "end":
            thread.items[entry["item"]["id"]] = entry["item"]
            thread.adds[entry["item"]["id"]] += entry["op"] == "add"
    return threads


class Server:
    """A server in a process of its own."""

    app = "real_servers.app:app"

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.port = 0
        self._journal = folder / "journal"
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._idle_tasks = sys.maxsize

    async def start(self) -> None:
        """Starts it, until it answers. Nobody else should take its port meanwhile, but may."""
        for _ in range(3):
            self._launch()
            if await eventually(self._answers_or_exited) and self.is_running:
                # The least of several: tasks of the last connection may be there still.
                for _ in range(5):
                    await asyncio.sleep(0.02)
                    self._idle_tasks = min(self._idle_tasks, await self.tasks())
                return
        raise AssertionError(self.log)

    def _launch(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        package = Path(chatkit_reducer.__file__).parents[1]
        environment = {
            **os.environ,
            "JOURNAL": str(self._journal),
            "PYTHONPATH": os.pathsep.join(map(str, (SUPPORT, package))),
            "PYTHONWARNINGS": "default",
        }
        command = SERVERS[self.name].format(port=self.port).split()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command, self.app],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _answers_or_exited(self) -> bool:
        try:
            await self.tasks()
        except OSError:
            return not self.is_running
        return True

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def terminate(self) -> None:
        assert self._process is not None
        self._process.terminate()

    def kill(self) -> None:
        """All of it: hypercorn and granian have a worker process."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    async def tasks(self) -> int:
        return int((await get_json(self.port, "/stats"))["tasks"])

    async def produced(self, client: Client) -> int:
        """How many events were made for a client so far."""
        return int((await get_json(self.port, "/stats"))["produced"][client.thread_id])

    async def settled(self, clients: list[Client]) -> dict[str, Stored]:
        """What is stored when all answers are over, and the server has no task left for them."""
        began = [client.thread_id for client in clients if client.seen.answer_began]

        async def is_idle() -> bool:
            if await self.tasks() > self._idle_tasks:
                return False
            stored = self.stored()
            return all(stored[thread_id].told for thread_id in began)

        with suppress(AssertionError):  # what is missing says more
            await eventually(is_idle)
        return self.stored()

    def stored(self) -> dict[str, Stored]:
        return read_journal(self._journal)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def assert_quiet(self) -> None:
        noise = NOISE.search(self.log)
        assert noise is None, self.log[max(0, noise.start() - 3000) : noise.end() + 3000]


async def eventually(check: Callable[[], Awaitable[bool]], *, pause: float = 0.05) -> bool:
    deadline = time.monotonic() + DEADLINE
    while not await check():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(pause)
    return True


def run(work: Coroutine[Any, Any, T], seconds: float = 2 * DEADLINE) -> T:
    """Like `asyncio.run`, but not for ever, and in one task."""

    async def in_time() -> T:
        async with asyncio.timeout(seconds):
            return await work

    return asyncio.run(in_time())


@contextmanager
def running(name: str, folder: Path) -> Iterator[Server]:
    server = Server(name, folder)
    try:
        run(server.start())
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module", params=SERVERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that runs as long as tests need it."""
    with running(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


# --- what a client has seen, and what is stored ---------------------------------------------------


def lost(seen: VisibleContent, stored: Stored) -> list[str]:
    """What people have seen and would not find again."""
    return [
        f"{item['type']}: {text!r}"
        for item_id, item in seen.items.items()
        if (text := text_of(item)) and not is_kept(item_id, text, stored)
    ]


def is_kept(item_id: str, text: str, stored: Stored) -> bool:
    item = stored.items.get(item_id)
    return item is not None and text_of(item).startswith(text)


def claims_to_run(value: Any) -> bool:
    """Whether anything in an item says that it is not done."""
    if isinstance(value, list):
        return any(map(claims_to_run, value))
    if not isinstance(value, dict):
        return False
    return (
        value.get("streaming") is True
        or value.get("status_indicator") == "loading"
        or value.get("status") in {"in_progress", "pending"}
        or claims_to_run(list(value.values()))
    )


def assert_sound(stored: Stored) -> None:
    """Holds of any store at any time, however much of it is missing."""
    assert not [item for item in stored.items.values() if claims_to_run(item)]
    assert max(stored.adds.values(), default=0) <= 1, "an item was added twice"
    assert stored.markers <= 1
    assert stored.told <= 1


def assert_kept(seen: VisibleContent, stored: Stored) -> None:
    """Holds when the answer of a client that left was settled."""
    assert_sound(stored)
    assert lost(seen, stored) == []
    assert stored.told == stored.markers
    # Who leaves before the answer begins, leaves nothing that could be cancelled.
    if seen.answer_began:
        assert stored.markers == 1
        assert [*stored.items.values()][-1]["type"] == "sdk_hidden_context"


def tell(text: str) -> None:
    """For those who measure: `pytest -s`."""
    print(text)  # noqa: T201


# --- clients that leave ---------------------------------------------------------------------------


async def leave_at_random(
    server: Server, name: str, query: Query, *, events: tuple[int, int]
) -> list[Client]:
    """40 clients that leave after some events and a moment; half of them reset the connection."""

    async def visit(number: int) -> Client:
        chance = random.Random(f"{name} {number}")
        client = Client(f"{name}_{number}")
        try:
            await client.ask(server.port, query)
            await client.read_events(chance.randint(*events))
            await asyncio.sleep(chance.uniform(0, 0.06))
        finally:
            client.leave(abruptly=chance.random() < 0.5)
        assert not client.ended, "the server left first"
        return client

    return await asyncio.gather(*map(visit, range(40)))


@pytest.mark.parametrize("write_ms", [0, 5, 50])
def test_what_a_client_saw_is_stored_when_it_left(server: Server, write_ms: int) -> None:
    async def scenario() -> None:
        clients = await leave_at_random(
            server,
            f"left_{write_ms}",
            {"pause": 0.005, "write_seconds": write_ms / 1000},
            events=(1, 90),
        )
        stored = await server.settled(clients)
        kept = sum(not lost(client.seen, stored[client.thread_id]) for client in clients)
        tell(f"{server.name}, writes of {write_ms} ms: kept {kept} of {len(clients)}")
        for client in clients:
            assert_kept(client.seen, stored[client.thread_id])

    run(scenario())
    server.assert_quiet()


def test_the_bare_sdk_keeps_less(tmp_path: Path) -> None:
    """Otherwise the test above would show nothing."""

    async def scenario(server: Server) -> None:
        # All of them leave in the middle of a message, the one thing that the SDK tries to save.
        query = {"pause": 0.05, "write_seconds": 0.005}
        kept = {}
        for by in ("bare", "kept"):
            clients = await leave_at_random(server, by, {**query, "by": by}, events=(7, 11))
            stored = await server.settled(clients)
            kept[by] = sum(not lost(client.seen, stored[client.thread_id]) for client in clients)
            tell(f"uvicorn, writes of 5 ms, server {by!r}: kept {kept[by]} of 40")
        assert kept["bare"] < kept["kept"] == 40

    # A server of its own, because what the bare SDK leaves in its log is not looked at.
    with running("uvicorn", tmp_path) as server:
        run(scenario(server))


def test_a_client_that_leaves_does_not_take_its_message_back(server: Server) -> None:
    """It has seen its thread, and leaves while the message is written."""

    async def scenario() -> None:
        query = {"pause": 0.05, "write_seconds": 0.05}
        clients = await leave_at_random(server, "said", query, events=(1, 1))
        stored = await server.settled(clients)
        kept = sum("user_message" in types_of(stored[client.thread_id]) for client in clients)
        tell(f"{server.name}, writes of 50 ms: kept the messages of {kept} of {len(clients)}")
        assert kept == len(clients)

    run(scenario())
    server.assert_quiet()


def types_of(stored: Stored) -> list[str]:
    return [item["type"] for item in stored.items.values()]


def test_a_slow_reader_loses_nothing(server: Server) -> None:
    """It reads so slowly that the producer has to wait, and leaves while it waits."""

    async def visit(number: int) -> Client:
        client = Client(f"slow_{number}")
        try:
            await client.ask(
                server.port,
                {"size": 50_000, "pause": 0.001, "write_seconds": 0.005},
                receive_buffer=4096,
            )
            while client.seen.events < 7 and not client.ended:
                await client.read(2048)
                await asyncio.sleep(0.001)
            await eventually(partial(is_held_up, client))
            for _ in range(number):
                await client.read(2048)
                await asyncio.sleep(0.001)
        finally:
            client.leave(abruptly=number % 2 == 0)
        return client

    async def is_held_up(client: Client) -> bool:
        """All buffers are full: it has stopped making events, and not because there are no more."""
        before = await server.produced(client)
        await asyncio.sleep(0.2)
        return await server.produced(client) == before

    async def scenario() -> None:
        clients = await asyncio.gather(*map(visit, range(6)))
        stored = await server.settled(clients)
        for client in clients:
            assert_kept(client.seen, stored[client.thread_id])

    run(scenario())
    server.assert_quiet()


@pytest.mark.parametrize("server", others_slow(*SERVERS), indirect=True)
def test_500_streams_at_once(server: Server) -> None:
    together = 500

    async def scenario() -> None:
        few = asyncio.Semaphore(50)  # hypercorn's backlog is 100
        all_open = asyncio.Barrier(together)

        async def visit(number: int) -> Client:
            chance = random.Random(f"crowd {number}")
            client = Client(f"crowd_{number}")
            try:
                async with few:
                    await client.ask(server.port, {"pause": 0.5, "write_seconds": 0.005})
                    await client.read_events(1)
                await client.read_events(chance.randint(4, 7))
                await all_open.wait()
                await asyncio.sleep(chance.uniform(0, 1.5))
            finally:
                client.leave(abruptly=chance.random() < 0.5)
            assert not client.ended, "the server left first"
            return client

        clients = await asyncio.gather(*map(visit, range(together)))
        stored = await server.settled(clients)
        kept = sum(not lost(client.seen, stored[client.thread_id]) for client in clients)
        tell(f"{server.name}, {together} streams at once: kept {kept}")
        for client in clients:
            assert_kept(client.seen, stored[client.thread_id])

    run(scenario())
    server.assert_quiet()


# --- servers that shut down -----------------------------------------------------------------------


async def shut_down(server: Server, query: Query) -> list[Client]:
    """Terminates a server in the middle of 12 answers, and returns when it has exited."""
    clients = [Client(f"open_{number}") for number in range(12)]

    async def begin(client: Client) -> None:
        await client.ask(server.port, {"pause": 0.01, "write_seconds": 0.05, **query})
        await client.read_events(random.Random(client.thread_id).randint(6, 60))

    async def go_on(client: Client) -> None:
        # granian 2.8.7 lets open connections go on for as long as they like; hypercorn 0.18 does
        # so on Python 3.12.1 and later, because `Server.wait_closed` (`asyncio/run.py`, in
        # `worker_serve`) then waits for them. So the clients read some more, and then leave.
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                await client.read_events(sys.maxsize)

    async def is_gone() -> bool:
        return not server.is_running

    try:
        await asyncio.gather(*map(begin, clients))
        server.terminate()
        await asyncio.gather(*map(go_on, clients))
    finally:
        for client in clients:
            client.leave()
    await eventually(is_gone)
    return clients


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_shuts_down_stores_all_if_the_app_waits_for_it(
    name: str, tmp_path: Path
) -> None:
    """It waits at the end of its lifespan, until all answers are closed: see `App._watched`.

    No app can wait longer than the server lets it live. granian 2.8.7 has no limit by default; with
    `--workers-kill-timeout` it kills the worker (`server/common.py`, `_stop_workers`) without
    having cancelled anything, and so without a chance for what was not stored by then.
    """
    with running(name, tmp_path) as server:
        clients = run(shut_down(server, {"wait_for": "yes"}))
        stored = server.stored()
        kept = sum(not lost(client.seen, stored[client.thread_id]) for client in clients)
        tell(f"{name} terminated, the app waits: kept {kept} of {len(clients)}")
        for client in clients:
            assert_kept(client.seen, stored[client.thread_id])
        server.assert_quiet()


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_shuts_down_stores_what_it_has_time_for(name: str, tmp_path: Path) -> None:
    """An app that does not wait depends on what the server does with tasks that are not done.

    uvicorn 0.54 cancels them, and then kills its own process with the signal that it was sent
    before they come to their end: `server.py`, `Server.shutdown` and `Server.capture_signals`,
    where `raise_signal` is called inside of `asyncio.run`. (SIGINT is another matter: to asyncio
    that is a reason to cancel all tasks and wait for them.)

    granian 2.8.7 waits for connections and not for tasks: the loop stops as soon as the last
    connection is closed (`server/mp.py`, `_spawn_asgi_lifespan_worker`), and is not told to cancel
    anything.

    hypercorn 0.18 cancels its tasks and waits for them: `asyncio/run.py`, `worker_serve`.
    """
    with running(name, tmp_path) as server:
        clients = run(shut_down(server, {}))
        stored = server.stored()
        kept = sum(not lost(client.seen, stored[client.thread_id]) for client in clients)
        tell(f"{name} terminated, the app does not wait: kept {kept} of {len(clients)}")
        for client in clients:
            if name == "hypercorn":
                assert_kept(client.seen, stored[client.thread_id])
            # Nothing half done, and all that the client saw done.
            assert_sound(stored[client.thread_id])
            for item_id in client.seen.done:
                text = text_of(client.seen.items[item_id])
                assert is_kept(item_id, text, stored[client.thread_id])
        server.assert_quiet()


# --- in this process: what is left behind ---------------------------------------------------------

WAYS = ("closed", "cancelled", "dropped")


async def stop(server: Kept, plan: Plan, way: str, steps: int) -> VisibleContent:
    """Asks for an answer, and stops it after so many steps."""
    # As `process` does, only that that builds its validator anew each time, for 3 ms.
    frames = server._process_streaming(_request(), plan)
    seen = VisibleContent()

    async def read(count: int) -> None:
        for _ in range(count):
            seen.take(await anext(frames))

    if way == "cancelled":
        task = asyncio.create_task(read(sys.maxsize))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    else:
        await read(steps)
    if way == "closed":
        await frames.aclose()
    return seen


@cache
def _request() -> StreamingReq:
    request: StreamingReq = TypeAdapter[Any](ChatKitReq).validate_json(REQUEST)
    return request


async def no_task_is_left() -> bool:
    await asyncio.sleep(0.01)  # the event loop closes a generator a moment after it was dropped
    return len(asyncio.all_tasks()) == 1


def test_stopped_streams_leave_no_tasks_and_nothing_undone(tmp_path: Path) -> None:
    """Many at once, over a store that takes its time."""
    journal = Journal(tmp_path / "journal")

    async def scenario() -> list[VisibleContent]:
        server = Kept(JournalStore(journal))
        chance = random.Random("many")
        stops = [
            stop(
                server,
                Plan(f"thr_{number}", write_seconds=0.002),
                WAYS[number % 3],
                chance.randint(3, 60),
            )
            for number in range(300)
        ]
        seen = await asyncio.gather(*stops)
        await eventually(no_task_is_left)
        return seen

    seen = run(scenario())
    journal.close()
    stored = read_journal(tmp_path / "journal")
    for number, one in enumerate(seen):
        assert_kept(one, stored[f"thr_{number}"])


def test_a_client_that_leaves_while_a_frame_waits(tmp_path: Path) -> None:
    """The answer is settled at once, and not only when Python collects garbage.

    Starlette drops the response in `send`, without closing it; and what cancelled `send` holds it
    in a cycle: exception, traceback, frames (anyio 4.16, `_backends/_asyncio.py`, `task_done` in
    `TaskGroup._spawn`). A server that has nothing else to do may not collect garbage for hours.
    """
    journal = Journal(tmp_path / "journal")

    async def scenario() -> Stored:
        result = await Kept(JournalStore(journal)).process(REQUEST, Plan("thr_1"))
        assert isinstance(result, StreamingResult)
        response = StreamingResponse(result)
        frame_waits = asyncio.Event()
        frames = 0

        async def send(message: Message) -> None:
            nonlocal frames
            frames += 1
            if frames == 12:
                frame_waits.set()
                await asyncio.Event().wait()

        async def receive() -> Message:
            await frame_waits.wait()
            return {"type": "http.disconnect"}

        await response({"type": "http"}, receive, send)
        del result, response
        await eventually(no_task_is_left)
        # Here and not later: `asyncio.run` closes what is left of generators.
        return read_journal(tmp_path / "journal")["thr_1"]

    gc.disable()
    try:
        stored = run(scenario())
    finally:
        gc.enable()
        journal.close()
    assert stored.told == stored.markers == 1


@pytest.mark.slow
def test_memory_does_not_grow_with_stopped_streams() -> None:
    async def scenario() -> tuple[int, int]:
        store = JournalStore(journal=None)
        server = Kept(store)

        async def memory_after(streams: int) -> int:
            for number in range(streams):
                await stop(server, Plan("thr_1"), WAYS[number % 3], 3 + number // 3 % 9)
                store.forget("thr_1")
                server.produced.clear()
            await eventually(no_task_is_left)
            store.forget("thr_1")
            gc.collect()
            return sys.getallocatedblocks()

        return await memory_after(1_000), await memory_after(9_000)

    after_1_000, after_10_000 = run(scenario(), seconds=20 * DEADLINE)
    tell(f"blocks of memory: {after_1_000} after 1,000 streams, {after_10_000} after 10,000")
    # One small object a stream would be 9,000 blocks.
    assert after_10_000 - after_1_000 < 500
