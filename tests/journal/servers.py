"""Servers of one's own that can be killed, and started again over the same data."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.postgres import DEADLINE, _programs

__all__ = ["PostgresServer", "RedisServer", "running_postgres", "running_redis"]


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def missing(program: str) -> None:
    """Skip the tests, where that is allowed."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"this machine has no {program}")


class PostgresServer:
    """A PostgreSQL in a folder of its own."""

    def __init__(self) -> None:
        self._programs = _programs()
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._account = "postgres" if os.geteuid() == 0 else None
        if self._account is not None:
            shutil.chown(self.folder, self._account)
        self._port = free_port()
        self._run("initdb", "-U", "tester", "-A", "trust", "--no-sync")

    @property
    def conninfo(self) -> str:
        return f"host=127.0.0.1 port={self._port} user=tester dbname=postgres"

    def _run(self, name: str, *options: str) -> int:
        data = ("-D", str(self.folder / "data"))
        with (self.folder / "log").open("ab") as log:
            return subprocess.run(
                [self._programs / name, *data, *options],
                user=self._account,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                timeout=DEADLINE,
                check=False,
            ).returncode

    def start(self, *settings: str) -> None:
        chosen = "".join(f" -c {setting}" for setting in settings)
        # What a process has written is there after it is killed; only a power cut would ask fsync.
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -k {self.folder} -c fsync=off"
        deadline = time.monotonic() + DEADLINE
        # After a SIGKILL the processes of the old server need a moment to end.
        while self._run("pg_ctl", "-w", "-o", options + chosen, "start") != 0:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill all processes of the server at once."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(pid, signal.SIGSTOP)  # it starts no new ones
        for process in (*map(int, children), pid):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


class RedisServer:
    """A Redis in a folder of its own."""

    def __init__(self, *settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.port = free_port()
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        where = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder))
        command = ("redis-server", *where, "--save", "", *self._settings)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + DEADLINE
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)

    def _answers(self) -> bool:
        with suppress(OSError), closing(socket.create_connection(("127.0.0.1", self.port))) as one:
            one.settimeout(DEADLINE)
            one.sendall(b"PING\r\n")
            return one.recv(7) == b"+PONG\r\n"
        return False

    def kill(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            # `Popen.kill` does nothing in a forked child, which cannot wait for the process.
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(DEADLINE)

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def running_postgres(*settings: str) -> Iterator[PostgresServer]:
    try:
        server = PostgresServer()
    except FileNotFoundError:
        missing("PostgreSQL")
        raise
    try:
        server.start(*settings)
        yield server
    finally:
        server.stop()


@contextmanager
def running_redis(*settings: str) -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        missing("redis-server")
    server = RedisServer(*settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()
