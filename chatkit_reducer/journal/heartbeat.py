"""The responses that run in this process: their leases are renewed, and they learn of a stop.

    heartbeat.add(response, stop) ──▶ twice a second: `alive` ──▶ stop()
    ask_to_stop(journal, thread)  ──▶ the heartbeat of another process

A journal that fails costs a log record. The responses go on as if there was none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from contextvars import Context

import anyio

from chatkit_reducer.journal.protocol import Journal
from chatkit_reducer.supervise.tasks import event_loop

__all__ = ["AT_MOST", "Heartbeat", "ask_to_stop"]

logger: logging.Logger = logging.getLogger("chatkit_reducer.journal")

AT_MOST = 5.0
"""How long the journal may take to renew leases, or to pass a request on, in seconds."""
_EVERY = 0.5
"""How often leases are renewed, and requests of other processes to stop are read, in seconds."""


class Heartbeat:
    """The responses of one event loop that are being written, with the way to stop each.

    Args:
        journal: returns where they are written; None if there is no journal any more.
    """

    def __init__(self, journal: Callable[[], Journal | None]) -> None:
        self._journal = journal
        self._running: dict[str, Callable[[], object]] = {}
        self._cancel: Callable[[], object] | None = None
        self._is_silent = False

    def add(self, response: str, stop: Callable[[], object]) -> None:
        """Renew the lease of a response from now on.

        Args:
            response: its id.
            stop: called each time that a stop is found to be asked for, until it is discarded.
        """
        self._running[response] = stop
        if self._cancel is None:
            # The context of this request must not outlive it.
            with suppress(RuntimeError):  # Trio is about to end
                self._cancel = event_loop().spawn(self._beat, Context(), "chatkit_reducer leases")

    def discard(self, response: str) -> None:
        """Renew the lease of a response no longer."""
        self._running.pop(response, None)
        if not self._running and self._cancel is not None:
            self._cancel()
            self._cancel = None

    async def _beat(self) -> None:
        while True:
            await anyio.sleep(_EVERY)
            for response in await self._alive():
                stop = self._running.get(response)
                if stop is not None:
                    self._call(stop)

    def _call(self, stop: Callable[[], object]) -> None:
        try:
            stop()
        except Exception:
            logger.exception("A response was not stopped: see below.")

    async def _alive(self) -> Collection[str]:
        """Renew all leases; return the responses that other processes asked to stop."""
        journal = self._journal()
        if journal is None:
            return ()
        try:
            with anyio.fail_after(AT_MOST):
                asked = await journal.alive(list(self._running))
        except Exception as error:  # noqa: BLE001  # the answers go on
            if not self._is_silent:
                logger.warning(
                    "The leases of %d responses were not renewed: %s: %s",
                    len(self._running),
                    type(error).__name__,
                    error,
                )
            self._is_silent = True
            return ()
        self._is_silent = False
        return asked


async def ask_to_stop(journal: Journal, thread: str, ours: Collection[str] = ()) -> list[str]:
    """Ask the responses of a thread to stop, those that others write; return their ids.

    Args:
        journal: where they are written.
        thread: the id of the thread.
        ours: the ids of those that this process writes itself.

    Raises:
        JournalError: the journal cannot be read or written.
        TimeoutError: it took longer than five seconds.
    """
    with anyio.fail_after(AT_MOST):
        orphans = {one.response for one in await journal.find(thread=thread, orphaned=True)}
        found = [header.response for header in await journal.find(thread=thread)]
        others = [response for response in found if response not in orphans.union(ours)]
        for response in others:
            await journal.stop(response)
    return others
