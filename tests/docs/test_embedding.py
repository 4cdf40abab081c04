"""The pages in docs/embedding run as they stand there, with real servers and real sockets.

A comment above a code block says what it is:

    <!-- file: NAME -->   a file, written to an empty folder
    <!-- start -->        commands that go on: the servers
    <!-- run -->          commands as typed at a `$`, and what they print
    <!-- install -->      not run: the tests have it all

Only port numbers are others here, and waiting is shorter (`CHANGES`). What the pages say about each
way of ending is tried below.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest
from websockets.sync.client import connect

import chatkit_reducer
from chatkit_reducer import ThreadState, decode, fold, reduce
from chatkit_reducer.events import ErrorEvent, Event, wire_type
from tests.support.paths import ROOT

T = TypeVar("T")

PAGES = ROOT / "docs" / "embedding"
BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<language>[a-z]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
PORT = re.compile(r"\b(8000|8001|6379)\b")
CHANGES = {
    "idle_timeout=30": "idle_timeout=2",
    "event_timeout = 30": "event_timeout = 2",
    "--timeout-graceful-shutdown 5": "--timeout-graceful-shutdown 1",
    # That of the SDK's server, in memory: `test_fastapi` wants to know what was written in the end.
    "async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:": (
        "async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:\n"
        '        print("added:", item.type, flush=True)'
    ),
}
PATIENCE = 30.0
"""How long anything may take on a slow machine, in seconds."""

SENTENCE = "The moon is 384,400 km away on average."
BROKEN_OFF = "The moon is 384,400 km away"


# --- a page, and what runs on it ----------------------------------------------------------------


@attrs.frozen
class Block:
    mark: str | None
    language: str
    text: str


def blocks(page: str) -> list[Block]:
    text = (PAGES / page).read_text(encoding="utf-8")
    return [Block(**found.groupdict()) for found in BLOCK.finditer(text)]


def files(page: str) -> dict[str, str]:
    """The files on a page, by their names."""
    found = [(block.mark or "").partition("file: ")[2] for block in blocks(page)]
    return {name: block.text for name, block in zip(found, blocks(page), strict=True) if name}


STAND_INS = "stand-ins.md"
"""The page of the files that other pages need beside their own."""


@attrs.define
class Site:
    """The files of a page in a folder, and the servers that it starts."""

    folder: Path
    ports: dict[str, int] = attrs.field(factory=dict)
    running: list[subprocess.Popen[bytes]] = attrs.field(factory=list)
    query: str = "SELECT item FROM items WHERE thread_id = ? ORDER BY place"

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(self.here(text), encoding="utf-8")

    def here(self, text: str) -> str:
        for there, here in CHANGES.items():
            text = text.replace(there, here)
        return PORT.sub(lambda port: str(self.port(port[0])), text)

    def port(self, on_the_page: str) -> int:
        if on_the_page not in self.ports:
            self.ports[on_the_page] = free_port()
        return self.ports[on_the_page]

    def start(self, command: str) -> None:
        server = self.spawn(command)
        port = PORT.search(command)
        assert port is not None, f"nobody can see on which port this is: {command}"
        number = self.port(port[0])
        eventually(lambda: listens(number) or server.poll() is not None)
        assert server.poll() is None, self.log()

    def spawn(self, command: str, log_name: str = "servers.log") -> subprocess.Popen[bytes]:
        with (self.folder / log_name).open("ab") as log:
            words = shlex.split(self.here(command))
            server = subprocess.Popen(
                words, cwd=self.folder, env=environment(), stdout=log, stderr=log
            )
        self.running.append(server)
        return server

    def run(self, session: str) -> None:
        for command, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE):
            done = subprocess.run(
                shlex.split(command),
                cwd=self.folder,
                env=environment(),
                capture_output=True,
                text=True,
                timeout=3 * PATIENCE,
                check=False,
            )
            assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}\n{self.log()}"
            assert done.stdout == printed

    def log(self, name: str = "servers.log") -> str:
        log = self.folder / name
        return log.read_text(encoding="utf-8") if log.exists() else ""

    def stop(self) -> None:
        for server in reversed(self.running):
            if server.poll() is None:
                server.kill()
            server.wait()

    # What is in the store of the pages that have `store.py`.

    def stored(self, thread_id: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.folder / "chat.db")) as database:
            return [json.loads(item) for (item,) in database.execute(self.query, [thread_id])]


@contextmanager
def site(page: str, folder: Path) -> Iterator[Site]:
    """The page, with all that it tells people to do done."""
    here = Site(folder)
    try:
        for name, text in {**files(STAND_INS), **files(page)}.items():
            here.write(name, text)
        for block in blocks(page):
            if block.mark == "start":
                for command in block.text.splitlines():
                    here.start(command)
            elif block.mark == "run":
                here.run(block.text)
        yield here
    finally:
        here.stop()


def environment() -> dict[str, str]:
    """That of somebody who has activated the environment in which these tests run."""
    path = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    package = Path(chatkit_reducer.__file__).parents[1]
    return {**os.environ, "PATH": os.pathsep.join(path), "PYTHONPATH": str(package)}


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def listens(port: int) -> bool:
    with closing(socket.socket()) as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def eventually(look: Callable[[], T], patience: float = PATIENCE) -> T:
    """What `look` sees, once it is something."""
    deadline = time.monotonic() + patience
    while not (seen := look()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)
    return seen


# --- clients -------------------------------------------------------------------------------------


def post(port: int, path: str, body: object) -> Iterator[Event]:
    """The events of an answer, as they come, to the end of the response."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        while line := response.readline():
            if line.startswith(b"data: "):
                yield decode(line.removeprefix(b"data: "))


def asked(here: Site, question: str) -> list[Event]:
    body = {"thread_id": question, "question": question}
    return list(post(here.port("8000"), "/ask", body))


def said(items: ThreadState | list[dict[str, Any]]) -> str:
    if isinstance(items, ThreadState):
        items = [item.to_json() for item in items.items.values()]
    answers = [item for item in items if item["type"] == "assistant_message"]
    return "".join(part["text"] for item in answers for part in item["content"])


ENDS = {"finish": SENTENCE, "forget": SENTENCE, "fail": BROKEN_OFF, "stall": BROKEN_OFF}
"""The first four rows of every table, by the question that ends an answer so: what was said."""


def at_once(ask: Callable[[str], T]) -> dict[str, T]:
    """What all these questions get, asked at the same time."""
    with ThreadPoolExecutor() as threads:
        return dict(zip(ENDS, threads.map(ask, ENDS), strict=True))


def assert_the_first_four_rows(here: Site, ask: Callable[[str], list[Event]]) -> None:
    for question, events in at_once(ask).items():
        stored = here.stored(question)
        assert said(stored) == ENDS[question], question
        assert len(stored) == 2, question  # no marker
        shown = [item.to_json() for item in fold(events).items.values()]
        assert shown == stored, question
        broke_off = any(isinstance(event, ErrorEvent) for event in events)
        assert broke_off == (question in {"fail", "stall"}), question


def shut_down(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGTERM)
    server.wait(PATIENCE)


def assert_cut_off_by_a_shutdown(here: Site) -> None:
    answer = post(here.port("8000"), "/ask", {"thread_id": "cut", "question": "stall"})
    state = ThreadState()
    while not said(state):
        state = reduce(state, next(answer))
    shut_down(here.running[0])
    assert said(here.stored("cut")).startswith(said(state))
    assert here.stored("cut")[-1]["type"] == "sdk_hidden_context"


# --- the pages -----------------------------------------------------------------------------------


def test_starlette_sse(tmp_path: Path) -> None:
    with site("starlette-sse.md", tmp_path) as here:
        assert here.stored("thr_1")[-1]["type"] == "sdk_hidden_context"  # the client had left
        assert_the_first_four_rows(here, lambda question: asked(here, question))
        assert_cut_off_by_a_shutdown(here)


def test_fastapi(tmp_path: Path) -> None:
    with site("fastapi.md", tmp_path) as here:
        port = here.port("8000")

        def stored(thread_id: str) -> list[dict[str, Any]]:
            listed = {"type": "items.list", "params": {"thread_id": thread_id}}
            with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
                connection.request("POST", "/chatkit", json.dumps(listed))
                items: list[dict[str, Any]] = json.load(connection.getresponse())["data"]
            return items

        for question, events in at_once(
            lambda question: list(post(port, "/chatkit", new_thread(question)))
        ).items():
            state = fold(events)
            assert state.thread is not None
            assert said(stored(state.thread["id"])) == said(state) == ENDS[question], question
            assert (state.error is not None) == (question in {"fail", "stall"}), question

        # Stopped from elsewhere.
        answer = post(port, "/chatkit", new_thread("stall"))
        state = ThreadState()
        while not said(state):
            state = reduce(state, next(answer))
        assert state.thread is not None
        thread_id = state.thread["id"]
        assert list(post(port, f"/threads/{thread_id}/stop", {})) == []
        state = fold(answer, state)
        assert said(stored(thread_id)) == said(state)

        # The server shuts down. Its store is in memory: so here it prints what is added.
        answer = post(port, "/chatkit", new_thread("stall"))
        state = ThreadState()
        while not said(state):
            state = reduce(state, next(answer))
        before = here.log()
        shut_down(here.running[0])
        added = re.findall("^added: (.*)", here.log().removeprefix(before), re.MULTILINE)
        assert added == ["assistant_message", "sdk_hidden_context"]


def new_thread(question: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": question}]
    message = {"content": content, "attachments": [], "inference_options": {}}
    return {"type": "threads.create", "params": {"input": message}}


def test_official_client(tmp_path: Path) -> None:
    with site("official-client.md", tmp_path) as here:
        # A detached answer is stopped from elsewhere.
        port = here.port("8000")
        answer = post(port, "/chatkit", new_thread("?"))
        state = ThreadState()
        while not said(state):
            state = reduce(state, next(answer))
        assert state.thread is not None
        answer.close()  # type: ignore[attr-defined]  # a generator
        path = f"/threads/{state.thread['id']}"
        assert list(post(port, f"{path}/stop", {})) == []
        listed = {"type": "items.list", "params": {"thread_id": state.thread["id"]}}
        with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
            connection.request("POST", "/chatkit", json.dumps(listed))
            stored = said(json.load(connection.getresponse())["data"])
        assert stored.startswith(said(state))
        assert len(stored) < len(SENTENCE)
        assert "Traceback" not in here.log()


RECONNECTING = """\
globalThis.document = { querySelector: () => ({ addEventListener() {} }) };
const real = globalThis.fetch;
let calls = 0;
globalThis.fetch = async (url, options) => {
  const response = await real(url, options);
  if (calls++ > 1) return response;
  let seen = "";  // the network breaks twice, and in the middle of a frame
  const broken = new TransformStream({
    transform(piece, out) {
      seen += new TextDecoder().decode(piece);
      const end = seen.indexOf("away") < 0 ? piece.length : piece.length - 9;
      out.enqueue(piece.slice(0, end));
      if (end < piece.length) out.error(new TypeError("the network is gone"));
    },
  });
  const { status, headers } = response;
  return new Response(response.body.pipeThrough(broken), { status, headers });
};
const { fetchAndReconnect } = await import("./host.mjs");
const headers = { "content-type": "application/json" };
const response = await fetchAndReconnect(process.argv[2], {
  method: "POST", headers, body: process.argv[3],
});
process.stdout.write(await response.text());
process.stderr.write(String(calls));
"""


def test_the_fetch_of_the_host_page_reconnects(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("this machine has no node")
    with site("official-client.md", tmp_path) as here:
        here.write("host.mjs", (tmp_path / "host.js").read_text())
        here.write("reconnecting.mjs", RECONNECTING)
        url = f"http://127.0.0.1:{here.port('8000')}/chatkit"
        done = subprocess.run(
            [node, "reconnecting.mjs", url, json.dumps(new_thread("?"))],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        frames = [line for line in done.stdout.splitlines() if line]
        assert all(line.startswith("data: ") for line in frames)
        events = [decode(line.removeprefix("data: ").encode()) for line in frames]
        assert said(fold(events)) == SENTENCE
        assert int(done.stderr) > 1, "the network did not break"


def test_websocket(tmp_path: Path) -> None:
    with site("websocket.md", tmp_path) as here:
        address = f"ws://127.0.0.1:{here.port('8000')}/chat"

        def ask(question: str) -> list[Event]:
            with connect(address) as server:
                server.send(json.dumps({"thread_id": question, "question": question}))
                events: list[Event] = []
                while wire_type(event := decode(server.recv(timeout=PATIENCE))) != "over":
                    events.append(event)
                return events

        assert_the_first_four_rows(here, ask)

        with connect(address) as server:
            server.send(json.dumps({"thread_id": "cut", "question": "stall"}))
            state = ThreadState()
            while not said(state):
                state = reduce(state, decode(server.recv(timeout=PATIENCE)))
            shut_down(here.running[0])
        assert said(here.stored("cut")).startswith(said(state))
        assert here.stored("cut")[-1]["type"] == "sdk_hidden_context"


def test_django(tmp_path: Path) -> None:
    with site("django.md", tmp_path) as here:
        here.query = "SELECT json FROM chat_item WHERE thread_id = ? ORDER BY id"
        assert here.stored("thr_1")[-1]["type"] == "sdk_hidden_context"  # the client had left
        assert_the_first_four_rows(here, lambda question: asked(here, question))
        assert_cut_off_by_a_shutdown(here)


def test_worker_queue(tmp_path: Path) -> None:
    if shutil.which("redis-server") is None:
        assert not os.environ.get("CI"), "this machine has no redis-server"
        pytest.skip("this machine has no redis-server")
    with site("worker-queue.md", tmp_path) as here:
        workers = [here.spawn("python worker.py") for _ in ENDS]
        assert_the_first_four_rows_of_workers(here)
        assert_stopped_for_all_who_follow(here)
        assert_taken_over_by_another_worker(here, workers)
        for worker in here.running[2:]:
            worker.kill()
            worker.wait()
        for place in ["journal", "store"]:
            assert_killed_behind(place, here)


def assert_the_first_four_rows_of_workers(here: Site) -> None:
    """As for the other pages, but nobody can tell those who follow that the model was too slow."""
    for question, events in at_once(lambda question: followed(here, job(here, question))).items():
        stored = here.stored(question)
        assert said(stored) == ENDS[question], question
        assert len(stored) == 2, question  # no marker
        assert shown_after(events) == stored, question
        broke_off = any(isinstance(event, ErrorEvent) for event in events)
        assert broke_off == (question == "fail"), question


def assert_stopped_for_all_who_follow(here: Site) -> None:
    answer_id = job(here, "stall", "stopped")
    first = follow(here, answer_id)
    state = until_it_says_something(first)
    late = follow(here, answer_id)
    late_state = reduce(ThreadState(), next(late))
    assert list(post(here.port("8001"), f"/stop/{answer_id}", [])) == []
    *stored, marker = eventually(lambda: here.stored("stopped")[2:] and here.stored("stopped"))
    assert marker["type"] == "sdk_hidden_context"
    too_late = follow(here, answer_id)
    for events, start in [(first, state), (late, late_state), (too_late, ThreadState())]:
        assert shown_after(events, start) == stored


def assert_taken_over_by_another_worker(here: Site, workers: list[subprocess.Popen[bytes]]) -> None:
    """The worker is away for so long that it is taken for dead, and comes back."""
    events = follow(here, job(here, "stall", "away"))
    state = until_it_says_something(events)
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    here.spawn("python worker.py")
    state = fold(events, state)
    stored = here.stored("away")
    assert said(stored).startswith("The")
    assert shown_after([], state) == stored
    for worker in workers:
        worker.send_signal(signal.SIGCONT)
    eventually(lambda: "is taken over by another writer" in here.log())
    assert here.stored("away") == stored


CITATION = {"type": "annotation", "source": {"type": "url", "title": "Moon", "url": "https://a.b"}}
KILLED = """\
import asyncio, os, signal, sys, store

place = sys.argv[1]
save = store.save

def killed_save(thread_id, items):
    save(thread_id, items)
    if place == "store" and items[0]["type"] == "assistant_message":
        os.kill(os.getpid(), signal.SIGKILL)

store.save = killed_save
import worker
append = type(worker.journal).append

async def killed_append(self, response, at, records):
    await append(self, response, at, records)
    if place == "journal" and b"item.done" in records[0] and b"assistant_message" in records[0]:
        os.kill(os.getpid(), signal.SIGKILL)

type(worker.journal).append = killed_append
asyncio.run(worker.main())
"""


def assert_killed_behind(place: str, here: Site) -> None:
    """A worker is killed when it has written a whole item to one place, and not to the next."""
    model = (here.folder / "model.py").read_text()
    cited = model.replace('"annotations": []', f'"annotations": [{CITATION!r}]')
    (here.folder / "model.py").write_text(cited)
    here.write("killed.py", KILLED)
    worker = here.spawn(f"python killed.py {place}")
    events = follow(here, job(here, "finish", place))
    assert worker.wait(PATIENCE) == -signal.SIGKILL
    another = here.spawn("python worker.py")
    shown = shown_after(events)
    stored = here.stored(place)
    assert shown == stored
    assert said(stored) == SENTENCE
    assert stored[-1]["content"][0]["annotations"] == [CITATION]
    another.kill()
    another.wait()


def job(here: Site, question: str, thread_id: str | None = None) -> str:
    body = json.dumps({"thread_id": thread_id or question, "question": question})
    with closing(HTTPConnection("127.0.0.1", here.port("8001"), timeout=PATIENCE)) as connection:
        connection.request("POST", "/ask", body)
        return str(json.load(connection.getresponse())["answer_id"])


def follow(here: Site, answer_id: str) -> Iterator[Event]:
    return post(here.port("8001"), f"/follow/{answer_id}", [])


def followed(here: Site, answer_id: str) -> list[Event]:
    return list(follow(here, answer_id))


def until_it_says_something(events: Iterator[Event]) -> ThreadState:
    state = ThreadState()
    while not said(state):
        state = reduce(state, next(events))
    return state


def shown_after(events: Iterable[Event], start: ThreadState | None = None) -> list[dict[str, Any]]:
    return [item.to_json() for item in fold(events, start or ThreadState()).items.values()]


@pytest.mark.usefixtures("sigint")
def test_sync(tmp_path: Path) -> None:
    with site("sync.md", tmp_path) as here:
        assert here.stored("thr_1")[-1]["type"] == "sdk_hidden_context"  # the client had left
        assert_the_first_four_rows(here, lambda question: asked(here, question))

        here.write("impatient.py", (here.folder / "script.py").read_text().replace("thr_2", "cut"))
        script = here.spawn("python impatient.py", "script.log")
        eventually(lambda: "The" in here.log("script.log"))
        script.send_signal(signal.SIGINT)
        script.wait(PATIENCE)
        kinds = ["sdk_hidden_context"]
        eventually(lambda: [item["type"] for item in here.stored("cut")][-1:] == kinds)
        assert said(here.stored("cut")).startswith("The")


# --- what is on the pages ------------------------------------------------------------------------


ALL = sorted(path.name for path in PAGES.glob("*.md") if path.name not in {"README.md", STAND_INS})


@pytest.mark.parametrize("page", [*ALL, STAND_INS])
def test_every_block_is_run_or_is_a_command_to_install_something(page: str) -> None:
    for block in blocks(page):
        assert block.mark is not None, block.text
        kind, _, name = block.mark.partition(": ")
        assert kind in {"file", "start", "run", "install"}, block.mark
        assert (kind == "file") == bool(name)
        if kind == "install":
            assert block.text.startswith("pip install ")
            assert block.text.count("\n") == 1


def test_every_page_is_run_here() -> None:
    assert {f"test_{page.removesuffix('.md').replace('-', '_')}" for page in ALL} <= set(globals())


@pytest.mark.parametrize("page", ALL)
def test_a_page_links_to_the_stand_ins_that_it_needs(page: str) -> None:
    own = files(page)
    code = "\n".join(own.values())
    needed = [name for name in files(STAND_INS) if f"from {name.removesuffix('.py')} " in code]
    text = (PAGES / page).read_text(encoding="utf-8")
    for name in set(needed) - own.keys():
        assert f"`{name}`" in text, name
        assert f"]({STAND_INS})" in text or "stand-ins](" in text


@pytest.mark.parametrize("page", ALL)
def test_an_application_is_short(page: str) -> None:
    """What people are asked to own, beside their model and their store."""
    own = {name: text for name, text in files(page).items() if not name.startswith("check")}
    assert all(text.count("\n") < 100 for text in own.values())
