"""`supervise`: closing the producer may raise anything, and the commit comes all the same."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import pytest

from chatkit_reducer import Cause, policies
from chatkit_reducer.events import Event
from chatkit_reducer.supervise import Supervised, supervise
from chatkit_reducer.supervise._interruptions import fatal_part, is_cancellation, is_failure
from tests.support.supervised import (
    ASYNCIO,
    BEGUN,
    LOOPS,
    App,
    drain,
    eventually,
    run_on,
    this_task,
    with_loops,
)

Producer = Callable[[], AsyncIterator[Event]]


async def sleeping() -> None:
    await anyio.sleep(3600)


def lose_connection() -> None:
    raise ConnectionError


async def failing_when_cancelled() -> None:
    try:
        await anyio.sleep(3600)
    finally:
        raise KeyError("child")


def in_task_group(child: Callable[[], Any] = sleeping) -> Producer:
    """A producer that yields inside of asyncio's task group."""

    async def events() -> AsyncIterator[Event]:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(child())
            await asyncio.sleep(0)
            for event in BEGUN:
                yield event
            await asyncio.sleep(3600)

    return events


def in_group_of_anyio(child: Callable[[], Any] = sleeping) -> Producer:
    """A producer that yields inside of a task group of anyio: on Trio, inside of a nursery."""

    async def events() -> AsyncIterator[Event]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(child)
            await anyio.lowlevel.checkpoint()
            for event in BEGUN:
                yield event
            await anyio.sleep(3600)

    return events


def in_cancel_scope() -> Producer:
    """A producer that yields inside of a timeout."""

    async def events() -> AsyncIterator[Event]:
        with anyio.move_on_after(3600):
            for event in BEGUN:
                yield event
            await anyio.sleep(3600)

    return events


def raising(error: BaseException) -> Producer:
    """A producer that raises this when it is closed."""

    async def events() -> AsyncIterator[Event]:
        try:
            for event in BEGUN:
                yield event
            await anyio.sleep(3600)
        finally:
            raise error

    return events


SCOPES = [
    *with_loops(ASYNCIO, [in_task_group()]),
    *with_loops(
        LOOPS, [in_group_of_anyio(), in_group_of_anyio(failing_when_cancelled), in_cancel_scope()]
    ),
]


async def leaves(stream: Supervised[Event]) -> None:
    async with stream:
        async for event in stream:
            if event is BEGUN[-1]:
                break
    assert stream.failure is None


async def raises(stream: Supervised[Event]) -> None:
    with pytest.raises(ConnectionError):
        async with stream:
            async for event in stream:
                if event is BEGUN[-1]:
                    raise ConnectionError


async def read(stream: Supervised[Event], has_all: anyio.Event) -> None:
    async for event in stream:
        if event is BEGUN[-1]:
            has_all.set()


async def is_stopped(stream: Supervised[Event]) -> None:
    async with anyio.create_task_group() as tasks:
        has_all = anyio.Event()
        tasks.start_soon(read, stream, has_all)
        await has_all.wait()
        stream.stop()


async def is_late(stream: Supervised[Event]) -> None:
    with pytest.raises(TimeoutError):
        await drain(stream)


async def is_cancelled(stream: Supervised[Event]) -> None:
    # As without us: a task group of anyio that was cancelled raises what its children raise.
    async def consume(has_all: anyio.Event) -> None:
        with suppress(ExceptionGroup), scope:
            async with stream:
                await read(stream, has_all)

    async with anyio.create_task_group() as tasks:
        has_all, scope = anyio.Event(), anyio.CancelScope()
        tasks.start_soon(consume, has_all)
        await has_all.wait()
        scope.cancel()
    assert stream.settlement is not None
    assert stream.settlement.cause is Cause.CANCELLED


async def is_cancelled_while_it_sends(stream: Supervised[Event]) -> None:
    with anyio.CancelScope() as scope:
        async with stream:
            async for event in stream:
                if event is BEGUN[-1]:
                    scope.cancel()
                    await anyio.sleep(3600)
    assert scope.cancelled_caught


WAYS = [leaves, raises, is_stopped, is_late, is_cancelled, is_cancelled_while_it_sends]


@pytest.mark.parametrize("own_task", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("loop", "make"), SCOPES)
def test_a_producer_with_a_scope_across_its_yields(
    loop: str, make: Producer, way: Callable[[Any], Awaitable[None]], own_task: bool
) -> None:
    async def body() -> None:
        app = App(0.01)
        stream = supervise(
            make(),
            app.commit,
            policy=policies.KEEP,
            own_task=own_task,
            idle_timeout=0.1 if way is is_late else None,
        )
        with anyio.CancelScope():  # the consumer's own scopes are in order, behind it
            await way(stream)
        assert app.texts == ["one two "]
        await anyio.lowlevel.checkpoint()

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_scope_of_the_producer_may_be_left_from_elsewhere_if_it_has_a_task_of_its_own(
    loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(in_group_of_anyio()(), app.commit, policy=policies.KEEP, own_task=True)
        has_all, released = anyio.Event(), anyio.Event()

        async def send() -> None:
            with anyio.CancelScope():
                async for event in stream:
                    if event is BEGUN[-1]:
                        has_all.set()
                        await released.wait()
            app.log.append("consumer went on")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await has_all.wait()
            await stream.aclose()
            assert app.texts == ["one two "]
            released.set()
        assert app.log[-1] == "consumer went on"

    run_on(loop, body)
    assert caplog.text == ""


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("own_task", [False, True])
def test_a_group_of_generator_exits_is_no_error(
    loop: str, own_task: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        app = App()
        make = raising(
            BaseExceptionGroup("", [GeneratorExit(), BaseExceptionGroup("", [GeneratorExit()])])
        )
        async with supervise(make(), app.commit, policy=policies.KEEP, own_task=own_task) as stream:
            async for _ in stream:
                break
        assert app.texts == []
        assert app.settlement.cause is Cause.CANCELLED

    run_on(loop, body)
    assert caplog.text == ""


@pytest.mark.parametrize("own_task", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Cancel scope stack corrupted"),
        BaseExceptionGroup("tasks", [GeneratorExit(), KeyError("child")]),
        ExceptionGroup("tasks", [KeyError("child")]),
        type("Strange", (BaseException,), {})("strange"),
    ],
)
@pytest.mark.parametrize("loop", LOOPS)
def test_what_closing_raises_is_logged_and_the_consumers_error_is_seen(
    loop: str, error: BaseException, own_task: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        app = App()
        with pytest.raises(ConnectionError, match="client"):
            async with supervise(
                raising(error)(), app.commit, policy=policies.KEEP, own_task=own_task
            ) as stream:
                async for event in stream:
                    if event is BEGUN[1]:
                        raise ConnectionError("client")
        assert app.texts == ["one "]

    run_on(loop, body)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "failed to close" in record.getMessage()


@pytest.mark.parametrize("own_task", [False, True])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("in_group", [False, True])
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_what_ends_the_program_is_raised_behind_the_commit(
    loop: str, kind: type[BaseException], in_group: bool, own_task: bool
) -> None:
    app = App()
    error = kind("now")
    raised = BaseExceptionGroup("", [GeneratorExit(), error]) if in_group else error

    async def body() -> None:
        async with supervise(
            raising(raised)(), app.commit, policy=policies.KEEP, own_task=own_task
        ) as stream:
            async for event in stream:
                if event is BEGUN[1]:
                    break

    with pytest.raises(kind):
        run_on(loop, body)
    assert app.texts == ["one "]
    assert app.log[-1] == "committed"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_dropped_stream_with_a_task_group_is_committed(loop: str) -> None:
    """The event loop closes the generator, in a task of its own."""
    if loop == "trio":
        pytest.skip("Trio cancels what it closes, and says so")

    async def body() -> None:
        app = App()
        async for event in supervise(in_task_group()(), app.commit, policy=policies.KEEP):
            if event is BEGUN[1]:
                break
        await eventually(lambda: app.settlements)
        assert app.texts == ["one "]

    run_on(loop, body)


@pytest.mark.parametrize("loop", ASYNCIO)
@pytest.mark.parametrize("in_block", [False, True])
def test_a_timeout_that_passes_while_an_error_is_settled_ends_with_its_own_block(
    loop: str, in_block: bool
) -> None:
    async def read(stream: Supervised[Event]) -> None:
        if in_block:
            async with stream:
                async for _ in stream:
                    lose_connection()
        generator: Any = aiter(stream)
        await anext(generator)
        await generator.athrow(ConnectionError())

    async def body() -> None:
        app = App(0.1)
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(None) as scope:
                stream = supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP)
                asyncio.get_running_loop().call_later(
                    0.02, lambda: scope.reschedule(asyncio.get_running_loop().time())
                )
                await read(stream)
        assert scope.expired()
        assert this_task().cancelling() == 0
        await asyncio.sleep(0.01)  # it would arrive here
        assert len(app.settlements) == 1

    run_on(loop, body)


@pytest.mark.parametrize("loop", ASYNCIO)
def test_an_error_of_the_consumer_survives_a_cancellation_while_it_is_settled(loop: str) -> None:
    async def body() -> None:
        app = App(0.1)
        seen: list[str] = []

        async def consume() -> None:
            try:
                async with supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP) as stream:
                    async for _ in stream:
                        lose_connection()
            except ConnectionError:
                seen.append("error")
                await asyncio.sleep(3600)  # the cancellation is not lost: it arrives here

        task = asyncio.create_task(consume())
        await eventually(lambda: "commit" in app.log)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == ["error"]
        assert len(app.settlements) == 1

    run_on(loop, body)


def test_a_scope_that_is_cancelled_while_it_is_settled_leaves_the_error_of_the_consumer() -> None:
    async def body() -> None:
        app = App(0.1)
        seen: list[str] = []
        with anyio.move_on_after(0.03) as scope:
            try:
                async with supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP) as stream:
                    async for _ in stream:
                        lose_connection()
            except ConnectionError:
                seen.append("error")
                await anyio.sleep(3600)
        assert scope.cancelled_caught
        assert seen == ["error"]
        assert this_task().cancelling() == 0

    anyio.run(body)
    trio_too: list[str] = ["trio"]
    anyio.run(_the_same_on_trio, backend=trio_too[0])


async def _the_same_on_trio() -> None:
    app = App(0.1)
    with anyio.move_on_after(0.03) as scope, pytest.raises(ConnectionError):
        async with supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP) as stream:
            async for _ in stream:
                raise ConnectionError
    assert not scope.cancelled_caught
    assert len(app.settlements) == 1


@pytest.mark.parametrize("loop", ASYNCIO)
def test_an_error_thrown_in_survives_a_cancellation_while_it_is_settled(loop: str) -> None:
    async def body() -> None:
        app = App(0.1)

        async def consume() -> None:
            events: Any = aiter(supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP))
            await anext(events)
            with pytest.raises(ConnectionError):
                await events.athrow(ConnectionError())
            await asyncio.sleep(3600)

        task = asyncio.create_task(consume())
        await eventually(lambda: "commit" in app.log)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(app.settlements) == 1

    run_on(loop, body)


class Stubborn:
    """A producer that ignores what it is told, so often, or for ever."""

    def __init__(self, times: int, kinds: tuple[type[BaseException], ...]) -> None:
        self._times = times
        self._kinds = kinds
        self.ignored = 0

    async def events(self) -> AsyncIterator[Event]:
        for event in BEGUN:
            yield event
        while True:
            try:
                await anyio.sleep(3600)
            except self._kinds:
                self.ignored += 1
                if self.ignored > self._times:
                    raise

    async def unclosable(self) -> AsyncIterator[Event]:
        try:
            for event in BEGUN:
                yield event
        finally:
            while self.ignored <= self._times:
                try:
                    await anyio.sleep(3600)
                except self._kinds:
                    self.ignored += 1


@pytest.mark.parametrize("loop", ASYNCIO)
@pytest.mark.parametrize("way", ["stop", "timeout", "cancel"])
def test_a_producer_that_ignores_every_cancellation_is_left_behind(
    loop: str, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        app, producer = App(), Stubborn(10**9, (asyncio.CancelledError,))
        stream = supervise(
            producer.events(),
            app.commit,
            policy=policies.KEEP,
            close_timeout=0.05,
            idle_timeout=0.05 if way == "timeout" else None,
        )
        has_all = anyio.Event()
        task = asyncio.create_task(read(stream, has_all))
        await has_all.wait()
        await asyncio.sleep(0.01)
        if way == "stop":
            stream.stop()
            await task
        elif way == "timeout":
            with pytest.raises(TimeoutError):
                await task
        else:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert app.texts == ["one two "]

    run_on(loop, body)
    assert "left behind" in caplog.text


@pytest.mark.parametrize("own_task", [False, True])
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_producer_that_does_not_close_is_left_behind(
    loop: str, own_task: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatkit_reducer.supervise._producer._in_task._GRACE", 0.05)
    monkeypatch.setattr("chatkit_reducer.supervise._producer._own_task._GRACE", 0.05)

    async def body() -> None:
        app, producer = App(), Stubborn(20, (anyio.get_cancelled_exc_class(),))
        stream = supervise(
            producer.unclosable(),
            app.commit,
            policy=policies.KEEP,
            close_timeout=0.05,
            own_task=own_task,
        )
        async with stream:
            async for event in stream:
                if event is BEGUN[1]:
                    break
        assert app.texts == ["one "]
        producer._times = 0

    run_on(loop, body)
    assert "in time" in caplog.text


def test_a_timeout_of_the_producers_own_is_none_of_ours() -> None:
    """It cancels the task and takes it back; the producer may then take as long as it likes."""

    async def events() -> AsyncIterator[Event]:
        yield BEGUN[0]
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(3600)
        except TimeoutError:
            pass
        await asyncio.sleep(0.2)
        yield BEGUN[1]

    async def body() -> None:
        app = App()
        stream = supervise(events(), app.commit, policy=policies.KEEP, close_timeout=0.02)
        assert await drain(stream) == BEGUN[:2]
        assert this_task().cancelling() == 0

    asyncio.run(body())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_timeout_of_the_producers_own_works_while_it_closes(loop: str) -> None:
    async def body() -> None:
        app = App()

        async def events() -> AsyncIterator[Event]:
            try:
                yield BEGUN[0]
            finally:
                with anyio.move_on_after(0.02):
                    await anyio.sleep(3600)
                app.log.append("tidied up")

        async with supervise(events(), app.commit, policy=policies.KEEP) as stream:
            async for _ in stream:
                break
        assert app.log == ["tidied up", "commit", "committed"]

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_closing_is_shielded_from_a_scope_that_is_cancelled(loop: str) -> None:
    async def body() -> None:
        app = App()

        async def events() -> AsyncIterator[Event]:
            try:
                yield BEGUN[0]
            finally:
                for _ in range(3):
                    await anyio.sleep(0.01)
                app.log.append("tidied up")

        with anyio.CancelScope() as scope:
            async with supervise(events(), app.commit, policy=policies.KEEP) as stream:
                async for _ in stream:
                    scope.cancel()
                    await anyio.sleep(3600)
        assert scope.cancelled_caught
        assert app.log == ["tidied up", "commit", "committed"]

    run_on(loop, body)


class Reader:
    """A producer that is no generator, and has no way of closing."""

    def __init__(self) -> None:
        self._left = list(BEGUN)
        self.closed = 0

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> Event:
        await anyio.lowlevel.checkpoint()
        if not self._left:
            await anyio.sleep(3600)
        return self._left.pop(0)


class WithNothing(Reader):
    aclose = None


class Plain(Reader):
    def aclose(self) -> None:
        self.closed += 1


class Asynchronous(Reader):
    async def aclose(self) -> None:
        await anyio.sleep(0.01)
        self.closed += 1


class OnlyClose(Reader):
    """As a response of a client library for HTTP, or of the `openai` package."""

    async def close(self) -> None:
        await anyio.sleep(0.01)
        self.closed += 1


class OnlyPlainClose(Reader):
    aclose = None

    def close(self) -> None:
        self.closed += 1


class Both(Asynchronous):
    def close(self) -> None:
        raise AssertionError


class Failing(Reader):
    def aclose(self) -> None:
        raise OSError("socket")


@pytest.mark.parametrize("own_task", [False, True])
@pytest.mark.parametrize(
    "kind", [Reader, WithNothing, Plain, Asynchronous, OnlyClose, OnlyPlainClose, Both, Failing]
)
@pytest.mark.parametrize("loop", LOOPS)
def test_producers_that_are_no_generators(loop: str, kind: type[Reader], own_task: bool) -> None:
    async def body() -> None:
        app, producer = App(), kind()
        stream = supervise(producer, app.commit, policy=policies.KEEP, own_task=own_task)
        async with anyio.create_task_group() as tasks:
            has_all = anyio.Event()
            tasks.start_soon(read, stream, has_all)
            await has_all.wait()
            await stream.aclose()
        assert app.texts == ["one two "]
        assert producer.closed == (kind not in (Reader, WithNothing, Failing))

    run_on(loop, body)


@pytest.mark.parametrize("own_task", [False, True])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_producer_with_close_alone_that_ended(loop: str, own_task: bool) -> None:
    class Ends(OnlyClose):
        async def __anext__(self) -> Event:
            if not self._left:
                raise StopAsyncIteration
            return await super().__anext__()

    async def body() -> None:
        app, producer = App(), Ends()
        await drain(supervise(producer, app.commit, policy=policies.KEEP, own_task=own_task))
        assert producer.closed == 1

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_one_that_is_closed_before_it_has_begun(loop: str) -> None:
    async def body() -> None:
        app, producer = App(), Asynchronous()
        stream = supervise(producer, app.commit, policy=policies.KEEP)
        await stream.aclose()
        assert producer.closed == 1
        assert await drain(stream) == []
        assert len(app.settlements) == 1

    run_on(loop, body)


def test_errors_are_told_apart() -> None:
    cancelled, interrupt = asyncio.CancelledError(), KeyboardInterrupt()
    group = BaseExceptionGroup("", [ValueError(), BaseExceptionGroup("", [cancelled, interrupt])])

    async def body() -> None:
        assert fatal_part(group) is interrupt
        assert fatal_part(ValueError()) is None
        assert is_cancellation(group)
        assert not is_cancellation(ValueError())
        assert is_failure(ExceptionGroup("", [ValueError()]))
        assert not is_failure(group)
        assert not is_failure(cancelled)

    asyncio.run(body())


@pytest.mark.parametrize("own_task", [False, True])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_producer_may_close_its_own_stream_while_it_closes(loop: str, own_task: bool) -> None:
    async def body() -> None:
        app = App()

        async def events() -> AsyncIterator[Event]:
            try:
                for event in BEGUN:
                    yield event
            finally:
                if not own_task and loop != "trio":  # in the task of whoever closes it
                    await stream.aclose()
                stream.stop()

        stream = supervise(events(), app.commit, policy=policies.KEEP, own_task=own_task)
        with anyio.fail_after(4):
            async with stream:
                async for _ in stream:
                    break
        assert len(app.settlements) == 1

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_behind_the_block_the_commit_is_through_whoever_makes_it(loop: str) -> None:
    async def body() -> None:
        app = App(0.1)
        stream = supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks, stream:
                async for event in stream:
                    if event is BEGUN[1]:
                        tasks.start_soon(stream.aclose)
                        await eventually(lambda: "commit" in app.log)
                        scope.cancel()
                        break
            assert app.log[-1] == "committed"
            await anyio.lowlevel.checkpoint()
        assert scope.cancelled_caught
        assert app.log[-1] == "committed"

    run_on(loop, body)


@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("is_kept", [False, True])
def test_trio_closes_what_is_left_when_it_takes_no_more_tasks(is_kept: bool) -> None:
    app = App(0.01)
    kept: list[Any] = []

    async def body() -> None:
        events = aiter(supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP))
        if is_kept:
            kept.append(events)
        async for event in events:
            if event is BEGUN[1]:
                break

    anyio.run(body, backend="trio")
    assert app.texts == ["one "]


@pytest.mark.parametrize("own_task", [False, True])
def test_a_loop_that_ends_before_anything_has_begun(own_task: bool) -> None:
    """`asyncio.run` cancels every task at its end, and so those that have not begun."""
    app = App()

    async def load(item_id: str) -> None: ...

    async def body() -> None:
        stream = supervise(
            app.answer(BEGUN), app.commit, policy=policies.KEEP, own_task=own_task, load=load
        )
        app.task = asyncio.create_task(drain(stream))  # type: ignore[attr-defined]  # kept alive
        await asyncio.sleep(0)

    start = time.monotonic()
    asyncio.run(body())
    assert len(app.settlements) == 1
    assert time.monotonic() - start < 1.5
