"""Readers at the end of a response, woken by a writer in the same process."""

from __future__ import annotations

import threading

import anyio

__all__ = ["Waiters"]


class Waiters:
    """The readers that wait for a response to grow; falsy while there are none.

    A writer in another thread cannot wake them, because events belong to one event loop: so each
    of them looks again by itself after a while, too.
    """

    def __init__(self) -> None:
        self._waiting: dict[anyio.Event, int] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def wake(self) -> None:
        """Wake all that wait in this thread."""
        if self._waiting:
            here = threading.get_ident()
            for event in [event for event, thread in self._waiting.items() if thread == here]:
                event.set()

    async def wait(self, seconds: float) -> None:
        """Wait until a writer wakes this reader, but not for longer than this."""
        event = anyio.Event()
        self._waiting[event] = threading.get_ident()
        try:
            with anyio.move_on_after(seconds):
                await event.wait()
        finally:
            self._waiting.pop(event, None)
