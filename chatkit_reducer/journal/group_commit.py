"""Group commit: the appends of all streams of a process share the trips to a server.

The first one is written at once. Those that come while it is on its way are written together, in
the next trip. An append of deltas alone returns before it is written, and waits for company: for
half of the lag at most, so that it is durable within the lag; where the server is slower than that,
the next append of its stream waits for it.

Rule 1. At most one trip is under way, and it carries at most one batch of a response: so the order
of a stream is the order of its appends.

Rule 2. When a trip fails, each of its streams has a hole: the records that it was to carry. All
that follow them fail with them, and the next append of the stream raises, unless a caller that
waited has heard of it.

Rule 3. From then on, and for each append elsewhere than at the end that this process knows, the
server alone judges: the append is written as it stands, and waited for. Behind a hole it is
refused, because that is not the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import attrs

from chatkit_reducer.journal._batches import Batch, Records, again
from chatkit_reducer.journal.protocol import JournalError

__all__ = ["GroupCommit"]

Write = Callable[[Sequence[Batch]], Awaitable[Sequence[JournalError | None]]]
"""Writes batches of different responses; returns an error, or None, for each of them.

Raises:
    JournalError: it is not known of any batch whether it was written.
"""

LARGEST_GROUP = 256


@attrs.define(eq=False)
class _Stream:
    """The end of a response, as this process knows it."""

    end: int
    """Behind the records that were taken."""
    waiting: list[Batch] = attrs.field(factory=list)
    """Those that the server has not answered yet, the oldest first: at most two."""
    failure: JournalError | None = None


class GroupCommit:
    """The way of all appends of a process to one server."""

    def __init__(self, write: Write, *, lag: float) -> None:
        self._write = write
        self._lag = lag
        self._streams: dict[str, _Stream] = {}
        self._queue: list[Batch] = []
        self._trips: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begun(self, response: str) -> None:
        """Note a response that this process has just begun."""
        self._streams[response] = _Stream(end=0)

    def forget(self, response: str) -> None:
        """Know nothing of a response: another writer may have continued it."""
        self._streams.pop(response, None)

    async def append(self, response: str, at: int, records: Sequence[bytes]) -> None:
        """Write records behind a position, or take them to be written within the lag."""
        new = Records(records)
        if not new.lines:
            return
        stream = self._streams.get(response)
        if stream is not None and stream.failure is not None and at >= stream.end:
            self.forget(response)
            raise again(stream.failure)
        if stream is None or stream.failure is not None or at != stream.end:
            await self._ask_the_server(response, at, new)
            return
        batch = self._continued(response, stream, new)
        if self._lag and new.may_lag:
            self._start_timer()
            if self._is_overdue(stream.waiting[0]):  # the stream is held back until it is written
                await self._hurry(stream.waiting[0])
        else:
            await self._hurry(batch)

    async def catch_up(self, response: str) -> None:
        """Write the records of a response that were taken; errors stay with the stream."""
        stream = self._streams.get(response)
        if stream is not None and stream.waiting:
            batch = stream.waiting[-1]
            batch.urgent = True
            self._start()
            await batch.settled.wait()

    async def flush(self) -> None:
        """Write all that was taken; errors stay with their streams."""
        while self._queue or (self._trips is not None and not self._trips.done()):
            await asyncio.wait([self._start_all()])
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- batches ----------------------------------------------------------------------------------

    def _continued(self, response: str, stream: _Stream, new: Records) -> Batch:
        """Let records follow those of their stream, in the same batch if that has not left."""
        if not stream.waiting or stream.waiting[-1].under_way:
            stream.waiting.append(self._queued(response, stream.end, in_line=True))
        batch = stream.waiting[-1]
        batch.add(new)
        stream.end = batch.last
        return batch

    async def _ask_the_server(self, response: str, at: int, new: Records) -> None:
        batch = self._queued(response, at, in_line=False)
        batch.add(new)
        batch.durable = True
        await self._hurry(batch)

    def _queued(self, response: str, at: int, *, in_line: bool) -> Batch:
        now = asyncio.get_running_loop().time()
        batch = Batch(response=response, at=at, records=[], created=now, in_line=in_line)
        self._queue.append(batch)
        return batch

    def _is_overdue(self, oldest: Batch) -> bool:
        return asyncio.get_running_loop().time() - oldest.created >= self._lag

    async def _hurry(self, batch: Batch) -> None:
        batch.urgent = batch.awaited = True
        self._start()
        await batch.wait()

    # --- trips ------------------------------------------------------------------------------------

    def _start_timer(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._lag / 2, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        if self._queue:
            self._start_all()

    def _start_all(self) -> asyncio.Task[None]:
        for batch in self._queue:
            batch.urgent = True
        return self._start()

    def _start(self) -> asyncio.Task[None]:
        if self._trips is None or self._trips.done():
            self._trips = asyncio.get_running_loop().create_task(self._travel())
        return self._trips

    async def _travel(self) -> None:
        while any(batch.urgent for batch in self._queue):
            group = self._next_group()
            try:
                errors = await self._write(group)
            except BaseException as error:
                self._lose(group, error)
                if not isinstance(error, Exception):
                    raise
            else:
                for batch, problem in zip(group, errors, strict=True):
                    self._settle(batch, problem)

    def _next_group(self) -> list[Batch]:
        """Take the first batch of each response."""
        group: dict[str, Batch] = {}
        left: list[Batch] = []
        for batch in self._queue:
            if batch.response in group or len(group) >= LARGEST_GROUP:
                left.append(batch)
            else:
                group[batch.response] = batch
                batch.under_way = True
        self._queue = left
        return list(group.values())

    # --- what became of a batch -------------------------------------------------------------------

    def _lose(self, group: Sequence[Batch], error: BaseException) -> None:
        for batch in group:
            self._settle(batch, error if isinstance(error, JournalError) else _unforeseen(error))

    def _settle(self, batch: Batch, error: JournalError | None) -> None:
        stream = self._streams.get(batch.response)
        if stream is not None and batch in stream.waiting:
            stream.waiting.remove(batch)
        if error is None:
            self._confirm(batch)
        elif batch.in_line and stream is not None:
            self._break(stream, batch, error)
        batch.settle(error)

    def _confirm(self, batch: Batch) -> None:
        if batch.closes:
            self.forget(batch.response)
            return
        stream = self._streams.get(batch.response)
        if stream is None or stream.failure is not None:
            self._streams[batch.response] = _Stream(end=batch.last)
        else:
            stream.end = max(stream.end, batch.last)

    def _break(self, stream: _Stream, batch: Batch, error: JournalError) -> None:
        """Let a stream fail, with all of it that was to follow."""
        behind, stream.waiting = stream.waiting, []
        self._queue = [other for other in self._queue if other not in behind]
        if any(one.awaited for one in (batch, *behind)):
            self.forget(batch.response)
        else:
            stream.failure = error
        for other in behind:
            other.settle(error)


def _unforeseen(error: BaseException) -> JournalError:
    problem = JournalError(
        f"expected records to be written, got {type(error).__name__}: {error}; read the responses "
        "that were under way again before you append to them"
    )
    problem.__cause__ = error
    return problem
