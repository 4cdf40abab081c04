"""Child processes that die at their n-th step, and the servers that they take with them.

A *step* is each time that the event loop resumes anything (a task behind an `await`, a callback, a
timer, an answer from the network), each half of a write to a file or a socket, and each place that
calls `pass_by` by itself, such as a store. libpq writes below Python; a small message goes out
whole, between two steps of the loop.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["DIED", "Steps", "count_steps", "die", "in_child", "status_of"]

DIED = 9
LONGEST = 60
"""How long a child may take, in seconds, before it is killed."""

_pwrite = os.pwrite
_send = socket.socket.send
_resume = asyncio.Handle._run


def die() -> None:
    """End this process as SIGKILL does: nothing is flushed, closed or awaited."""
    os._exit(DIED)


class Steps:
    """The steps of a process, at one of which something happens."""

    def __init__(self, deadly: int | None = None, happens: Callable[[], None] = die) -> None:
        self.count = 0
        self._deadly = deadly
        self._happens = happens

    def pass_by(self) -> None:
        self.count += 1
        if self.count == self._deadly:
            self._happens()

    def watch(self) -> None:
        """Count those of the system and of the event loop, too: in a child of its own."""
        os.pwrite = self._written  # type: ignore[assignment]
        socket.socket.send = self._sent()  # type: ignore[method-assign]
        asyncio.Handle._run = self._resumed()  # type: ignore[method-assign]

    def _written(self, descriptor: int, data: bytes, offset: int) -> int:
        self.pass_by()
        half = len(data) // 2
        _pwrite(descriptor, data[:half], offset)
        self.pass_by()
        _pwrite(descriptor, data[half:], offset + half)
        self.pass_by()
        return len(data)

    def _sent(self) -> Any:
        def send(one: socket.socket, data: Any, *flags: int) -> int:
            half = len(data) // 2
            written = _send(one, data[:half], *flags)
            self.pass_by()
            if written == half:
                written += _send(one, data[half:], *flags)
            return written

        return send

    def _resumed(self) -> Any:
        def resume(handle: asyncio.Handle) -> None:
            self.pass_by()
            _resume(handle)

        return resume


def in_child(body: Callable[[Steps], Coroutine[Any, Any, None]], steps: Steps) -> int:
    """Run it in a forked child that counts its steps; return the child's id."""
    child = os.fork()
    if not child:
        status = 1
        try:
            signal.alarm(LONGEST)
            steps.watch()
            asyncio.new_event_loop().run_until_complete(body(steps))
            status = 0
        except BaseException:  # noqa: BLE001  # the parent sees the status, and the reader this
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(status)
    return child


def status_of(child: int) -> int:
    """Wait for a child; return its exit status, or a signal's number below zero."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def count_steps(body: Callable[[Steps], Coroutine[Any, Any, None]]) -> int:
    """Return how many steps it takes, from a run in a child that nothing happens to."""
    told, tell = os.pipe()

    async def counted(steps: Steps) -> None:
        await body(steps)
        os.write(tell, b"%d" % steps.count)

    try:
        assert status_of(in_child(counted, Steps())) == 0
        return int(os.read(told, 20))
    finally:
        os.close(told)
        os.close(tell)
