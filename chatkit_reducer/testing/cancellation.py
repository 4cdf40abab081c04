"""Stops a streaming exchange everywhere, and compares what people saw with what is stored.

An exchange is one request and its streamed answer. `cancel_everywhere` counts the points at which
the client's coroutine suspends, makes the exchange anew for each of them, stops it there, waits
until nothing runs any more, and looks into the store:

    def exchange() -> Exchange:
        store = Store()
        return Exchange(
            events=lambda: supervise(answer(), store.commit, policy=policies.KEEP),
            stored=store.items,
            policy=policies.KEEP,
        )

    def test_nothing_is_lost():
        cancel_everywhere(exchange).raise_for_findings()

The store has to be what `settle` says of the events that the client received. It may also be what
`settle` says a little further on: a producer may have made an event, and stored what it says, that
nobody got to see before the stop.

`chatkit_reducer.testing.chatkit_server` makes exchanges of servers of the official SDK.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import io
import sys
import warnings
import weakref
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, contextmanager
from enum import StrEnum
from itertools import count
from typing import Any, Literal, NamedTuple, TypeAlias

import anyio
import attrs
from anyio.lowlevel import checkpoint

from chatkit_reducer.comparison import differences, path_text
from chatkit_reducer.events import (
    Event,
    Json,
    ThreadCreated,
    ThreadItemDone,
    ThreadUpdated,
    Unreadable,
    wire_type,
)
from chatkit_reducer.folding import fold
from chatkit_reducer.items import HIDDEN_TYPES, ItemState, parse_item
from chatkit_reducer.items.base import Seen
from chatkit_reducer.logs import read
from chatkit_reducer.policy import Cause, Marker, Policy
from chatkit_reducer.settlement import settle
from chatkit_reducer.state import ThreadState
from chatkit_reducer.supervise import as_event
from chatkit_reducer.testing import examples

__all__ = [
    "EARLIER_ITEMS",
    "Backend",
    "Exchange",
    "Finding",
    "FindingKind",
    "Report",
    "Way",
    "a_response",
    "cancel_everywhere",
]

Backend: TypeAlias = Literal["asyncio", "trio"]


class Way(StrEnum):
    """How an exchange is stopped."""

    NOT_STOPPED = "not stopped"
    """It runs to its end, once."""
    TASK_CANCEL = "task cancel"
    """`asyncio.Task.cancel`, once."""
    REPEATED_CANCEL = "repeated cancel"
    """`asyncio.Task.cancel`, and again at every point from there on."""
    SCOPE_CANCEL = "scope cancel"
    """`anyio.CancelScope.cancel`, which is delivered at every await, as Starlette does it."""
    SHUTDOWN = "shutdown"
    """All tasks are cancelled, once, as `asyncio.run` does it at its end: at each turn of the event
    loop in turn, and so in the middle of what other tasks do, too."""
    STOP = "stop"
    """`Exchange.stop`: somebody else presses the stop button."""
    ACLOSE = "aclose"
    """The client closes the iterator, behind each frame in turn."""
    BREAK = "break"
    """The client drops the iterator, and the event loop closes it some time later."""
    EXCEPTION = "exception"
    """Sending a frame on raises."""
    PRODUCER_EXCEPTION = "producer exception"
    """The producer raises (`Exchange.fail_at`)."""


_AT_A_POINT = (Way.TASK_CANCEL, Way.REPEATED_CANCEL, Way.SCOPE_CANCEL, Way.STOP)
_AT_A_FRAME = (Way.ACLOSE, Way.BREAK, Way.EXCEPTION)
_ASYNCIO_ONLY = (Way.TASK_CANCEL, Way.REPEATED_CANCEL, Way.SHUTDOWN)


async def _transport(frame: Any) -> None:
    """Sends a frame nowhere, and suspends once, as a socket does when it is full."""
    await checkpoint()


@attrs.frozen(kw_only=True)
class Exchange:
    """One request and its streamed answer, about to begin.

    It has to be the same every time it is made, the ids of its items included. What may differ is
    each `created_at`.
    """

    events: Callable[[], AsyncIterable[Any] | Awaitable[AsyncIterable[Any]]]
    """Begins it: gives what the client receives, or an awaitable of that. Events of this package or
    of the SDK, JSON mappings or texts, or frames of server-sent events. If it is an async context
    manager, as what `supervise` gives, it is entered first. Nothing else may hold on to it."""
    stored: Callable[[], Iterable[Mapping[str, Any]] | Awaitable[Iterable[Mapping[str, Any]]]]
    """What the store holds, as plain ChatKit JSON. Asked before the exchange, and after it."""
    policy: Policy
    """What should survive."""
    writes: Callable[[], Iterable[tuple[str, str]]] | None = None
    """All writes so far, each `add` or `save` and the id of an item, to see what was added twice.
    Without it only what the store holds twice is seen."""
    send: Callable[[Any], Awaitable[object]] = _transport
    """What the client does with a frame. Once it is called, the frame counts as seen."""
    stop: Callable[[], object] | None = None
    """Ends the stream from elsewhere; called while the client waits."""
    fail_at: Callable[[int], object] | None = None
    """Called before it begins: makes the producer raise instead of its event with this number, from
    1; the number after the last one stands for its end."""


class FindingKind(StrEnum):
    """What is wrong."""

    LOST = "lost"
    """People saw something, the policy keeps it, and the store does not have it."""
    MARKER_MISSING = "marker missing"
    """The policy wants a marker, and none was stored."""
    WRITTEN_TWICE = "written twice"
    """An item was added that had been added before, or there are two markers."""
    STILL_RUNNING = "still running"
    """The right item is stored, but something in it claims to be running, and nothing is."""
    NOT_TO_THE_POLICY = "not to the policy"
    """The store differs in some other way from what `settle` says."""
    LEFT_OVER = "left over"
    """Something still runs, long after the stop."""
    SWALLOWED = "cancellation swallowed"
    """The task was cancelled, and ended as if it had not been."""
    ERROR = "error"
    """The client got to see an exception that nobody meant it to see."""
    WARNING = "warning"
    """Python or the event loop complained: of a coroutine that was never awaited, of a generator
    that would not be closed, of an exception that nobody took."""


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that went wrong when an exchange was stopped at one point."""

    way: Way
    point: int
    """Which suspension, or which frame, or which event of the producer; from 1."""
    kind: FindingKind
    problem: str
    """In words."""
    item_id: str | None = None
    expected: Json | None = None
    """The item as it should be stored."""
    stored: Json | None = None
    """The item as it is stored."""
    seen: tuple[Event, ...] = ()
    """What the client had received."""

    def __str__(self) -> str:
        where = "" if self.way is Way.NOT_STOPPED else f" at point {self.point}"
        return f"{self.kind}: {self.way}{where}, after {len(self.seen)} events: {self.problem}"


_COLUMNS = (
    FindingKind.LOST,
    FindingKind.MARKER_MISSING,
    FindingKind.WRITTEN_TWICE,
    FindingKind.STILL_RUNNING,
    FindingKind.NOT_TO_THE_POLICY,
)


@attrs.frozen
class Report:
    """What came of stopping an exchange everywhere. As a text it is a table."""

    points: Mapping[Way, int]
    """How many points were tried, for each way."""
    findings: tuple[Finding, ...]

    def count(self, kind: FindingKind | None = None, way: Way | None = None) -> int:
        """At how many points there was a finding: of this kind, in this way, if they are given."""
        return len(
            {
                (finding.way, finding.point)
                for finding in self.findings
                if kind in (None, finding.kind) and way in (None, finding.way)
            }
        )

    @property
    def shortest(self) -> Finding | None:
        """Of all findings the one with the fewest events."""
        return min(self.findings, key=lambda f: (len(f.seen), f.point), default=None)

    def raise_for_findings(self) -> None:
        """Nothing, if there are no findings.

        Raises:
            AssertionError: there are; it shows the shortest of them.
        """
        if self.shortest is None:
            return
        total = sum(self.points.values())
        raise AssertionError(
            f"{len(self.findings)} findings at {self.count()} of {total} points. "
            f"The shortest:\n\n{_described(self.shortest)}\n\n{self}"
        )

    def __str__(self) -> str:
        others = [kind for kind in FindingKind if kind not in _COLUMNS and self.count(kind)]
        rows = [["", "points", *_COLUMNS, *others]]
        for way, points in self.points.items():
            counts = [self.count(kind, way) for kind in (*_COLUMNS, *others)]
            rows.append([way, str(points), *map(str, counts)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if i else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        )


def _described(finding: Finding) -> str:
    lines = [str(finding)]
    for name, item in (("expected", finding.expected), ("stored", finding.stored)):
        if finding.item_id is not None:
            lines.append(f"  {name}: {'nothing' if item is None else item}")
    lines.append("  The client had received:")
    lines += [f"    {_event_in_short(event)}" for event in finding.seen]
    return "\n".join(lines)


def _event_in_short(event: Event) -> str:
    item, update = getattr(event, "item", None), getattr(event, "update", None)
    item_id = item.get("id") if isinstance(item, dict) else getattr(event, "item_id", None)
    words = (wire_type(event), item_id, None if update is None else wire_type(update))
    return " ".join(str(word) for word in words if word is not None)


# --- an answer to stop ----------------------------------------------------------------------------


EARLIER_ITEMS: tuple[Json, ...] = (
    examples.user_message("msg_earlier", "What is for lunch?"),
    examples.widget(
        "wid_earlier",
        {"type": "Card", "children": [{"type": "Text", "id": "state", "value": "ordered"}]},
    ),
)
"""What the thread of `a_response` has had before."""


def a_response() -> list[Event]:
    """An answer that has some of everything, to be stopped.

    A workflow, a message with two parts and a citation, a widget that streams a text, an image, an
    item that is taken away, one that is replaced; an update to an item of an earlier answer (see
    `EARLIER_ITEMS`); and at the end a message that is still streaming.
    """
    x = examples
    looked, wrote = x.task("Look it up", status="complete"), x.task("Write", status="complete")
    cited = x.part("Soup, says the menu.", x.citation("menu", at=4))
    message = {**x.message("msg_1"), "content": [cited, x.part("Enjoy!")]}
    return [
        x.added(x.workflow("wf_1")),
        x.task_added("wf_1", x.task("Look it up", status="loading"), 0),
        x.task_updated("wf_1", looked, 0),
        x.task_added("wf_1", x.task("Write", status="loading"), 1),
        x.component_updated(
            "wid_earlier", "state", {"type": "Text", "id": "state", "value": "on its way"}
        ),
        x.done(x.item("wf_1", "workflow", workflow=_workflow(looked, wrote))),
        x.added(x.message("msg_1")),
        x.part_added("msg_1", x.part("")),
        x.text_delta("msg_1", "Soup, "),
        x.text_delta("msg_1", "says"),
        x.annotation_added("msg_1", x.citation("menu", at=4), 0),
        x.text_delta("msg_1", " the menu."),
        x.part_done("msg_1", cited),
        x.part_added("msg_1", x.part(""), 1),
        x.text_delta("msg_1", "Enjoy!", 1),
        x.done(message),
        x.added(x.item("task_1", "task", task=x.task("Fetch", status="loading"))),
        x.removed("task_1"),
        x.added(x.widget("wid_1", _card("", streaming=True))),
        x.value_delta("wid_1", "text", "Half"),
        x.value_delta("wid_1", "text", " a table", done=True),
        x.done(x.widget("wid_1", _card("Half a table", streaming=False))),
        x.added(x.image("img_1")),
        x.image_updated("img_1", "https://example.com/1.png", 0.3),
        x.image_updated("img_1", "https://example.com/2.png", 0.6),
        x.done(x.image("img_1", "https://example.com/3.png")),
        x.replaced({**message, "content": [cited]}),
        x.added(x.message("msg_2")),
        x.part_added("msg_2", x.part("")),
        x.text_delta("msg_2", "And for "),
        x.text_delta("msg_2", "dessert"),
    ]


def _workflow(*tasks: Json) -> Json:
    return {"type": "custom", "tasks": list(tasks), "expanded": False}


def _card(text: str, *, streaming: bool) -> Json:
    shown = {"type": "Text", "id": "text", "value": text, "streaming": streaming}
    return {"type": "Card", "children": [shown]}


# --- the front door -------------------------------------------------------------------------------


def cancel_everywhere(
    make: Callable[[], Exchange],
    *,
    ways: Iterable[Way | str] | None = None,
    backend: Backend = "asyncio",
    ahead: int = 1,
    patience: float = 5.0,
) -> Report:
    """Stops an exchange at each of its points in turn, and reports what was not as it should be.

    It runs an event loop of its own, and so is called from where none runs.

    Args:
        make: makes the exchange anew, with a store of its own; called inside of the event loop.
        ways: how to stop it; in all ways that the exchange and the event loop know if left out.
        backend: the event loop.
        ahead: how many events the producer may be ahead of the client: 1 where each waits for the
            other, more where there is a queue between them.
        patience: how long an exchange may take, and as long again what it leaves behind, in
            seconds, before that is a finding.

    Raises:
        ValueError: a way needs another event loop, or something that the exchange does not have;
            or the exchange is not the same every time.
    """
    chosen = None if ways is None else [Way(way) for way in ways]
    harness = _Harness(make, backend, ahead, patience)
    return anyio.run(harness.run, chosen, backend=backend)


class _Harness:
    def __init__(
        self, make: Callable[[], Exchange], backend: Backend, ahead: int, patience: float
    ) -> None:
        self._make = make
        self._backend: Backend = backend
        self._ahead = ahead
        self._patience = patience
        self._whole: tuple[Event, ...] = ()
        """All that the client receives if nobody stops it."""

    async def run(self, chosen: Sequence[Way] | None) -> Report:
        points: dict[Way, int] = {}
        findings: list[Finding] = []
        whole = await self._try(Way.NOT_STOPPED, 0)
        if whole.error is not None:
            raise whole.error
        self._whole = tuple(whole.received)
        ways = self._possible(whole.exchange) if chosen is None else chosen
        self._check(ways, whole.exchange)
        for way in ways:
            points[way] = 0
            for point in count(1):
                trial = await self._try(way, point) if way is not Way.NOT_STOPPED else whole
                if not self._was_stopped(trial):
                    break
                points[way] = point
                findings += _findings(trial, self._whole, self._ahead)
                if way is Way.NOT_STOPPED:
                    break
        return Report(points, tuple(findings))

    async def _try(self, way: Way, point: int) -> _Trial:
        exchange = self._make()
        trial = _Trial(exchange, way, point, await _stored(exchange))
        await _Run(trial, self._backend, self._patience).run()
        trial.after = await _stored(exchange)
        return trial

    def _was_stopped(self, trial: _Trial) -> bool:
        """Whether there was such a point. Checks on the way that this was the same exchange."""
        whole = self._whole
        if trial.way is Way.PRODUCER_EXCEPTION:
            failed = trial.error is not None or _folded(trial).error is not None
            return failed or len(trial.received) < len(whole)
        seen = trial.received[: trial.received_at_stop]
        for number, (before, now) in enumerate(zip(whole, seen, strict=False), 1):
            if _event_in_short(before) != _event_in_short(now):
                raise ValueError(
                    "an exchange must be the same every time, ids included: event "
                    f"{number} was {_event_in_short(before)}, and is {_event_in_short(now)} now"
                )
        return trial.was_stopped

    def _possible(self, exchange: Exchange) -> list[Way]:
        return [way for way in Way if self._obstacle(way, exchange) is None]

    def _check(self, ways: Iterable[Way], exchange: Exchange) -> None:
        for way in ways:
            obstacle = self._obstacle(way, exchange)
            if obstacle is not None:
                raise ValueError(f"the way {way!r} needs {obstacle}")

    def _obstacle(self, way: Way, exchange: Exchange) -> str | None:
        """What a way needs that is not there."""
        if way in _ASYNCIO_ONLY and self._backend != "asyncio":
            return "asyncio"
        if way is Way.STOP and exchange.stop is None:
            return "an exchange with `stop`"
        if way is Way.PRODUCER_EXCEPTION and exchange.fail_at is None:
            return "an exchange with `fail_at`"
        return None


async def _stored(exchange: Exchange) -> list[Json]:
    stored = exchange.stored()
    items = await stored if inspect.isawaitable(stored) else stored
    return [dict(item) for item in items]


# --- one exchange, stopped at one point -----------------------------------------------------------


class _Trial:
    """One exchange, and what was seen of it."""

    def __init__(self, exchange: Exchange, way: Way, point: int, before: list[Json]) -> None:
        self.exchange = exchange
        self.way = way
        self.point = point
        self.before = before
        self.after: list[Json] = []
        self.received: list[Event] = []
        self.was_stopped = way is Way.NOT_STOPPED
        self.received_at_stop: int | None = None
        self.error: Exception | None = None
        self.was_cancelled = False
        self.complaints: list[str] = []
        self.left_over: list[str] = []

    def note_stop(self) -> None:
        """It is being stopped, just now."""
        if not self.was_stopped:
            self.was_stopped = True
            self.received_at_stop = len(self.received)


class _ConsumerError(Exception):
    """What sending a frame on raises, where it should."""


class _Run:
    """Runs the client of an exchange, stops it, and waits until nothing runs any more."""

    def __init__(self, trial: _Trial, backend: Backend, patience: float) -> None:
        self._trial = trial
        self._patience = patience
        self._loop: _Loop = _AsyncioLoop() if backend == "asyncio" else _TrioLoop()
        self._scope: anyio.CancelScope | None = None

    async def run(self) -> None:
        trial = self._trial
        if trial.way is Way.PRODUCER_EXCEPTION:
            assert trial.exchange.fail_at is not None
            trial.exchange.fail_at(trial.point)
        with _complaints(trial.complaints), self._loop.complaints(trial.complaints):
            with _generators() as opened:
                if not await self._conduct():
                    trial.left_over.append("the client itself has not come to its end")
                trial.left_over += await self._until_idle()
                if not trial.left_over and any(_is_open(generator) for generator in opened):
                    gc.collect(1)  # a young cycle keeps it alive, such as an error and its frames
                    trial.left_over += await self._until_idle()
            self._loop.clear()

    async def _conduct(self) -> bool:
        """Runs the client; whether it came to its end in time."""
        if self._trial.way is not Way.SHUTDOWN:
            return await self._loop.conduct(self._client(), self._patience)
        return await self._loop.conduct(self._client(), self._patience, self._at_turn)

    def _at_turn(self, number: int) -> None:
        if number == self._trial.point:
            self._trial.note_stop()
            self._loop.cancel_all()

    async def _client(self) -> None:
        trial = self._trial
        at_points = trial.way in _AT_A_POINT
        try:
            with anyio.CancelScope() as self._scope:
                await _Watched(self._receive_all(), self._at_point if at_points else None)
        except asyncio.CancelledError:  # the last thing that this task does
            trial.was_cancelled = True
        except Exception as error:  # noqa: BLE001  # whatever it is, it is looked at later
            trial.error = error.with_traceback(None)  # which would keep the generators alive

    def _at_point(self, number: int) -> None:
        trial = self._trial
        again = trial.way is Way.REPEATED_CANCEL and number > trial.point
        if number != trial.point and not again:
            return
        trial.note_stop()
        match trial.way:
            case Way.SCOPE_CANCEL:
                assert self._scope is not None
                self._scope.cancel()
            case Way.STOP:
                assert trial.exchange.stop is not None
                trial.exchange.stop()
            case _:
                self._loop.cancel_client()

    async def _receive_all(self) -> None:
        stream = self._trial.exchange.events()
        if inspect.isawaitable(stream):
            stream = await stream
        if isinstance(stream, AbstractAsyncContextManager):
            async with stream as entered:
                await self._receive(entered)
        else:
            await self._receive(stream)

    async def _receive(self, stream: AsyncIterable[Any]) -> None:
        trial, frames_received = self._trial, 0
        frames = aiter(stream)
        async for frame in frames:
            trial.received += _events_of(frame)
            frames_received += 1
            is_last = trial.way in _AT_A_FRAME and frames_received == trial.point
            if is_last:
                trial.note_stop()
                if trial.way is Way.EXCEPTION:
                    raise _ConsumerError
            await trial.exchange.send(frame)
            if is_last:
                if trial.way is Way.ACLOSE:
                    await _close(frames)
                return

    async def _until_idle(self) -> list[str]:
        """Waits until nothing runs; returns what runs nevertheless."""
        end = anyio.current_time() + self._patience
        quiet = turns = 0
        while quiet < _QUIET_TURNS:
            running = self._loop.running()
            if running and anyio.current_time() > end:
                return running
            quiet = 0 if running else quiet + 1
            turns += 1
            await anyio.sleep(0 if turns < _QUICK_TURNS else 0.001)
        return []


_QUIET_TURNS = 8
"""Turns of the event loop: it takes some of them from a generator that is dropped to the task that
closes it, and this once more for each generator inside of it."""

_QUICK_TURNS = 500


def _is_open(generator: Any) -> bool:
    return generator.ag_frame is not None


async def _close(frames: Any) -> None:
    close = getattr(frames, "aclose", None)
    if close is not None:
        await close()


class _Watched:
    """An awaitable that runs a coroutine, and is told each time that it suspends."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, None], at_point: Callable[[int], None] | None
    ) -> None:
        self._coroutine = coroutine
        self._at_point = at_point

    def __await__(self) -> Generator[Any, Any, None]:
        inner = self._coroutine.__await__()
        step: Callable[[Any], Any] = inner.send
        given: Any = None
        for number in count(1):
            try:
                waits_for = step(given)
            except StopIteration:
                return
            finally:
                given = None  # an error in a frame that it went through is a cycle
            if self._at_point is not None:
                # Before the event loop sees what it waits for: so it is cancelled while it waits.
                self._at_point(number)
            try:
                step, given = inner.send, (yield waits_for)
            except BaseException as error:  # noqa: BLE001  # it is for the coroutine
                step, given = inner.throw, error


def _events_of(frame: Any) -> list[Event]:
    if not isinstance(frame, bytes | bytearray | str):
        return [as_event(frame)]
    data = frame.encode() if isinstance(frame, str) else bytes(frame)
    if data.startswith(b"{"):
        return [as_event(data)]
    if data.startswith(b"data: {") and data.endswith(b"}\n\n") and data.count(b"\n") == 2:
        return [as_event(data[6:])]
    events: list[Event] = []
    for event in read(io.BytesIO(data)):
        if isinstance(event, Unreadable):
            raise TypeError(f"{data!r} is no event, nor a frame of server-sent events")
        events.append(event)
    return events


# --- what the event loops do differently ----------------------------------------------------------


class _AsyncioLoop:
    def __init__(self) -> None:
        self._before = asyncio.all_tasks()
        self._client: asyncio.Task[None] | None = None

    async def conduct(
        self,
        client: Coroutine[Any, Any, None],
        patience: float,
        at_turn: Callable[[int], None] | None = None,
    ) -> bool:
        loop = asyncio.get_running_loop()
        self._client, end = loop.create_task(client, name="client"), loop.time() + patience
        if at_turn is not None:
            for turn in count(1):
                await asyncio.sleep(0)
                if self._client.done() or loop.time() > end:
                    break
                at_turn(turn)
        await asyncio.wait({self._client}, timeout=max(0, end - loop.time()))
        return self._client.done()

    def cancel_client(self) -> None:
        assert self._client is not None
        self._client.cancel()

    def cancel_all(self) -> None:
        for task in self._others():
            task.cancel()

    def running(self) -> list[str]:
        return [f"task {task.get_name()}: {task.get_coro()!r}" for task in self._others()]

    def _others(self) -> set[asyncio.Task[Any]]:
        return asyncio.all_tasks() - self._before

    def clear(self) -> None:
        """So that what is left over does not disturb the next exchange."""
        self.cancel_all()

    @contextmanager
    def complaints(self, noted: list[str]) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handler = loop.get_exception_handler()
        loop.set_exception_handler(lambda _, context: noted.append(_complaint(context)))
        try:
            yield
        finally:
            loop.set_exception_handler(handler)


def _complaint(context: dict[str, Any]) -> str:
    return f"{context.get('message')}: {context.get('exception')!r}"


class _TrioLoop:
    def __init__(self) -> None:
        import trio

        self._statistics = trio.lowlevel.current_statistics
        self._before = self._statistics().tasks_living

    async def conduct(
        self,
        client: Coroutine[Any, Any, None],
        patience: float,
        at_turn: Callable[[int], None] | None = None,
    ) -> bool:
        with anyio.move_on_after(patience) as scope:
            await client
        return not scope.cancelled_caught

    def cancel_client(self) -> None:
        """Nothing: Trio cancels scopes alone, and has none of the ways that need this."""

    def cancel_all(self) -> None:
        """Nothing, for the same reason."""

    def running(self) -> list[str]:
        more = self._statistics().tasks_living - self._before
        return [f"{more} tasks"] if more > 0 else []

    def clear(self) -> None:
        """Nothing: what is left over cannot be cancelled from outside."""

    @contextmanager
    def complaints(self, noted: list[str]) -> Iterator[None]:
        yield


_Loop: TypeAlias = _AsyncioLoop | _TrioLoop


@contextmanager
def _complaints(noted: list[str]) -> Iterator[None]:
    """Notes what Python says of coroutines and generators, which is no exception for anybody."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda it: noted.append(f"{it.err_msg or ''} {it.exc_value!r}".strip())
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        sys.unraisablehook = hook
    # Trio also warns of each generator that is dropped. To drop them is what some clients do.
    noted += [str(one.message) for one in caught if issubclass(one.category, RuntimeWarning)]


@contextmanager
def _generators() -> Iterator[weakref.WeakSet[AsyncGenerator[Any, Any]]]:
    """The async generators that are begun meanwhile, as long as they live."""
    begun: weakref.WeakSet[AsyncGenerator[Any, Any]] = weakref.WeakSet()
    hooks = sys.get_asyncgen_hooks()

    def note(generator: AsyncGenerator[Any, Any]) -> None:
        begun.add(generator)
        if hooks.firstiter is not None:
            hooks.firstiter(generator)

    sys.set_asyncgen_hooks(firstiter=note)
    try:
        yield begun
    finally:
        sys.set_asyncgen_hooks(firstiter=hooks.firstiter)


# --- what people saw, and what is stored ----------------------------------------------------------


class _Outcome(NamedTuple):
    """What a store may hold in the end."""

    items: dict[str, Json]
    marker: Marker | None


class _Problem(NamedTuple):
    kind: FindingKind
    problem: str
    item_id: str | None = None
    expected: Json | None = None
    stored: Json | None = None


def _findings(trial: _Trial, whole: tuple[Event, ...], ahead: int) -> Iterator[Finding]:
    for problem in [*_in_store(trial, whole, ahead), *_written_twice(trial), *_around(trial)]:
        yield Finding(
            way=trial.way, point=trial.point, seen=tuple(trial.received), **problem._asdict()
        )


def _folded(trial: _Trial) -> ThreadState:
    return fold(trial.received, ThreadState.from_items(trial.before))


def _in_store(trial: _Trial, whole: tuple[Event, ...], ahead: int) -> list[_Problem]:
    """Compares the store with what it may hold, and takes what is nearest."""
    marker = trial.exchange.policy.marker
    markers = [item for item in trial.after if _is_marker(item, trial, marker)]
    stored = {item["id"]: item for item in trial.after if not _is_hidden(item)}
    results = []
    for outcome in _outcomes(trial, whole, ahead):
        problems = list(_compared(outcome.items, stored))
        if outcome.marker is not None and not markers and _has_begun(trial.received):
            problem = "nothing tells the model that the stream was stopped"
            problems.append(_Problem(FindingKind.MARKER_MISSING, problem))
        if outcome.marker is None and markers:
            problem = f"there is a marker, and policy {trial.exchange.policy.name!r} wants none"
            problems.append(_Problem(FindingKind.NOT_TO_THE_POLICY, problem))
        if not problems:
            return []
        results.append(problems)
    return min(results, key=len)


def _is_hidden(item: Json) -> bool:
    return item.get("type") in HIDDEN_TYPES


def _is_marker(item: Json, trial: _Trial, marker: Marker | None) -> bool:
    return (
        marker is not None
        and item.get("type") == marker.item
        and (marker.content is None or item.get("content") == marker.content)
        and all(item.get("id") != earlier.get("id") for earlier in trial.before)
    )


def _has_begun(seen: Iterable[Event]) -> bool:
    """Whether the client received anything of the answer: before that, nothing is interrupted."""
    return not all(
        isinstance(event, ThreadCreated | ThreadUpdated)
        or (isinstance(event, ThreadItemDone) and event.item.get("type") == "user_message")
        for event in seen
    )


def _outcomes(trial: _Trial, whole: tuple[Event, ...], ahead: int) -> Iterator[_Outcome]:
    """All that the store may hold: first what follows from what the client saw."""
    seen, stopped = trial.received, trial.way is not Way.NOT_STOPPED
    before = fold(seen[:-1], ThreadState.from_items(trial.before))
    states = [before, fold(seen[-1:], before)]
    if stopped and trial.way is not Way.PRODUCER_EXCEPTION:
        for event in whole[len(seen) :][:ahead]:
            states.append(fold([event], states[-1]))
    for cause in _causes(trial, states[1], whole, ahead):
        for last, state in enumerate(states[1:], 1):
            # What was done last may be in doubt, and a policy may decide otherwise about that.
            for delivered in reversed(states[: last + 1]):
                yield _outcome(state, delivered, trial.exchange.policy, cause)


def _causes(
    trial: _Trial, state: ThreadState, whole: tuple[Event, ...], ahead: int
) -> tuple[Cause, ...]:
    by_itself = Cause.ENDED if state.error is None else Cause.FAILED
    match trial.way:
        case Way.NOT_STOPPED:
            return (by_itself,)
        case Way.PRODUCER_EXCEPTION:
            return (Cause.FAILED,)
    # Whoever stops a stream behind its last event may come too late.
    if len(trial.received) + ahead > len(whole):
        return (Cause.CANCELLED, by_itself)
    return (Cause.CANCELLED,)


def _outcome(state: ThreadState, delivered: ThreadState, policy: Policy, cause: Cause) -> _Outcome:
    settlement = settle(state, policy=policy, cause=cause, delivered=delivered)
    left: dict[str, ItemState | None] = dict(state.items)
    left.update((verdict.item.id, verdict.left) for verdict in settlement.verdicts)
    plain = {item_id: item.to_json() for item_id, item in left.items() if item is not None}
    visible = {item_id: item for item_id, item in plain.items() if not _is_hidden(item)}
    return _Outcome(visible, settlement.marker)


def _compared(expected: dict[str, Json], stored: dict[str, Json]) -> Iterator[_Problem]:
    for item_id in {**expected, **stored}:
        right, found = expected.get(item_id), stored.get(item_id)
        problem = _item_compared(right, found)
        if problem is not None:
            kind, text = problem
            yield _Problem(kind, f"{item_id}: {text}", item_id, right, found)


def _item_compared(right: Json | None, found: Json | None) -> tuple[FindingKind, str] | None:
    if right is None:
        return FindingKind.NOT_TO_THE_POLICY, "it is stored, and should not be"
    item = _state_of(right)
    if found is None:
        kind = FindingKind.NOT_TO_THE_POLICY if item.is_empty else FindingKind.LOST
        return kind, "the store does not have it"
    different = _differences(right, found)
    if not different:
        return None
    copy = _state_of(found)
    if _has_less(copy.seen, item.seen):
        return FindingKind.LOST, "the stored copy lacks some of what people saw"
    if not _differences(right, copy.sealed().to_json()):
        return FindingKind.STILL_RUNNING, f"the stored copy runs for ever: {', '.join(different)}"
    return FindingKind.NOT_TO_THE_POLICY, f"the stored copy differs: {', '.join(different)}"


def _differences(one: Json, other: Json) -> list[str]:
    """Where two copies of an item differ, but for the clock."""
    return [path_text(d.path) for d in differences(one, other) if d.path != ("created_at",)]


def _state_of(item: Json) -> ItemState:
    parsed = parse_item(item)
    state = parsed if isinstance(parsed, ItemState) else parsed.result
    if not isinstance(state, ItemState):
        raise TypeError(f"{item!r} is no item: it has no `id`")
    return state


def _has_less(one: Seen, other: Seen) -> bool:
    return any(getattr(one, name) < getattr(other, name) for name in Seen.__struct_fields__)


def _written_twice(trial: _Trial) -> Iterator[_Problem]:
    log = [] if trial.exchange.writes is None else list(trial.exchange.writes())
    adds = Counter(item["id"] for item in trial.before)
    adds.update(item_id for op, item_id in log if op == "add")
    held = Counter(item["id"] for item in trial.after)
    for item_id in {**adds, **held}:
        times = max(adds[item_id], held[item_id])
        if times > 1:
            problem = f"{item_id}: it was added {times} times"
            yield _Problem(FindingKind.WRITTEN_TWICE, problem, item_id)
    marker = trial.exchange.policy.marker
    markers = {item["id"] for item in trial.after if _is_marker(item, trial, marker)}
    if len(markers) > 1:
        yield _Problem(FindingKind.WRITTEN_TWICE, f"there are {len(markers)} markers")


def _around(trial: _Trial) -> Iterator[_Problem]:
    """What went wrong besides what is stored."""
    for text in trial.left_over:
        yield _Problem(FindingKind.LEFT_OVER, text)
    for text in trial.complaints:
        yield _Problem(FindingKind.WARNING, text)
    if trial.way in (Way.TASK_CANCEL, Way.REPEATED_CANCEL) and not trial.was_cancelled:
        problem = f"the client's task ended with {trial.error!r}" if trial.error else "it ended"
        yield _Problem(FindingKind.SWALLOWED, problem)
    elif trial.error is not None and not _is_meant(trial):
        yield _Problem(FindingKind.ERROR, repr(trial.error))


def _is_meant(trial: _Trial) -> bool:
    return trial.way is Way.PRODUCER_EXCEPTION or isinstance(trial.error, _ConsumerError)
