"""`supervise`: every way in which a stream can end, on asyncio and on Trio."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from chatkit_reducer import Cause, Settlement, ThreadState, fold, policies, settle
from chatkit_reducer.core.policy.table import Content, Decision, Marker, Policy, Row
from chatkit_reducer.errors import CommitError
from chatkit_reducer.events import AssistantMessageContentPartTextDelta as TextDelta
from chatkit_reducer.events import (
    ErrorEvent,
    Event,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemReplaced,
    ThreadItemUpdated,
    UnknownEvent,
)
from chatkit_reducer.supervise import MarkerFields, as_event, supervise
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import (
    added,
    done,
    message,
    removed,
    text_delta,
    value_delta,
    widget,
)
from tests.support.supervised import BEGUN, NO_MARKER, WHOLE, App, drain

Body = Callable[[], Awaitable[None]]

BACKENDS = ["asyncio", "trio"]


@pytest.fixture(params=BACKENDS)
def run(request: pytest.FixtureRequest) -> Callable[[Body], None]:
    """Runs a coroutine function on one event loop after the other."""
    return lambda body: anyio.run(body, backend=request.param)


# --- the ends -------------------------------------------------------------------------------------


def test_a_stream_that_ends_gives_the_same_events_and_has_nothing_to_write(
    run: Callable[[Body], None],
) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(app.answer(WHOLE), app.commit, policy=policies.KEEP)
        seen = await drain(stream)
        assert all(one is other for one, other in zip(seen, WHOLE, strict=True))
        assert app.settlement.cause is Cause.ENDED
        assert app.settlement.writes == ()
        assert app.log == ["closed", "commit", "committed"]
        assert stream.settlement is app.settlement
        assert stream.failure is None
        assert stream.state == fold(WHOLE)

    run(body)


def test_what_is_pending_at_the_end_is_settled(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App()
        await drain(supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP))
        assert app.settlement.cause is Cause.ENDED
        assert app.texts == ["one two "]

    run(body)


def test_an_error_event_before_the_end_is_a_failure(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App()
        events = [*BEGUN, ErrorEvent(code="stream.error", allow_retry=True)]
        await drain(supervise(app.answer(events), app.commit, policy=policies.KEEP))
        assert app.settlement.cause is Cause.FAILED
        assert app.texts == ["one two "]

    run(body)


def test_an_exception_of_the_producer_is_seen_after_the_commit(
    run: Callable[[Body], None],
) -> None:
    async def broken(app: App) -> AsyncIterator[Event]:
        for event in BEGUN:
            yield event
        raise KeyError("model")

    async def body() -> None:
        app = App()
        with pytest.raises(KeyError, match="model"):
            await drain(supervise(broken(app), app.commit, policy=policies.KEEP))
        assert app.settlement.cause is Cause.FAILED
        assert app.texts == ["one two "]

    run(body)


@pytest.mark.parametrize("wait_at", [0, 1, 2, 3])
def test_a_cancel_scope_does_not_reach_the_commit(
    run: Callable[[Body], None], wait_at: int
) -> None:
    async def body() -> None:
        app = App(0.01)
        with anyio.move_on_after(0.2) as scope:
            await drain(supervise(app.answer(BEGUN, wait_at), app.commit, policy=policies.KEEP))
        assert scope.cancelled_caught
        assert app.settlement.cause is Cause.CANCELLED
        assert app.texts == ["", "one ", "one two "][wait_at - 1 : wait_at] * (wait_at > 1)
        assert app.log == ["closed", "commit", "committed"]

    run(body)


def test_a_consumer_that_is_cancelled_elsewhere_settles_when_it_leaves(
    run: Callable[[Body], None],
) -> None:
    async def body() -> None:
        app = App(0.01)
        with anyio.move_on_after(0.2):
            async with supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP) as stream:
                async for _ in stream:
                    await anyio.sleep(3600)  # a client that does not read
        assert app.settlement.cause is Cause.CANCELLED

    run(body)


def test_break_in_a_with_block_settles_at_its_end(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App()
        async with supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP) as stream:
            seen = []
            async for event in stream:
                seen.append(event)
                if len(seen) == 2:
                    break
        assert app.settlement.cause is Cause.CANCELLED
        assert app.texts == ["one "]
        assert app.log == ["closed", "commit", "committed"]

    run(body)


def test_an_exception_of_the_consumer_is_what_the_caller_sees(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App()
        with pytest.raises(ConnectionError):
            async with supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP) as stream:
                async for _ in stream:
                    raise ConnectionError
        assert app.settlement.cause is Cause.CANCELLED

    run(body)


def test_an_exception_thrown_into_the_generator_counts_as_the_consumers(
    run: Callable[[Body], None],
) -> None:
    async def body() -> None:
        app = App()
        events: Any = aiter(supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP))
        await anext(events)
        with pytest.raises(ConnectionError):
            await events.athrow(ConnectionError())
        assert app.settlement.cause is Cause.CANCELLED

    run(body)


def test_closing_the_generator_settles_before_it_returns(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App(0.01)
        events: Any = aiter(supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP))
        await anext(events)
        await anext(events)
        await events.aclose()
        assert app.texts == ["one "]

    run(body)


def test_a_dropped_generator_is_settled_by_the_event_loop() -> None:
    async def body() -> None:
        app = App()
        async for _ in supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP):
            break
        gc.collect()
        with anyio.fail_after(5):
            while not app.settlements:
                await anyio.sleep(0.001)
        assert app.settlement.cause is Cause.CANCELLED

    anyio.run(body)


def test_a_consumer_that_is_cancelled_and_whose_generator_lives_on() -> None:
    """Whoever cancelled it may hold its frames in a cycle until garbage is collected."""

    async def body() -> None:
        app = App()
        kept = []

        async def send_slowly() -> None:
            kept.append(aiter(supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP)))
            async for _ in kept[0]:
                await anyio.sleep(3600)

        task = asyncio.create_task(send_slowly())
        await anyio.wait_all_tasks_blocked()
        task.cancel()
        with anyio.fail_after(5):
            while not app.settlements:
                await anyio.sleep(0.001)
        assert app.settlement.cause is Cause.CANCELLED

    asyncio.run(body())


def test_a_stream_may_be_read_by_one_task_after_the_other() -> None:
    async def body() -> None:
        app = App()
        events: Any = aiter(supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP))
        seen = [await asyncio.create_task(anext(events)) for _ in BEGUN]
        assert seen == BEGUN
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        assert app.settlement.cause is Cause.ENDED

    asyncio.run(body())


def test_a_task_that_reads_many_streams_forgets_them() -> None:
    async def body() -> None:
        app = App()
        before = waiting_objects()
        for _ in range(20):
            await drain(supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP))
        assert waiting_objects() <= before

    def waiting_objects() -> int:
        gc.collect()
        return sum(type(thing).__name__ == "InTask" for thing in gc.get_objects())

    asyncio.run(body())


def test_a_stream_that_nobody_iterates_is_settled_when_it_is_closed(
    run: Callable[[Body], None],
) -> None:
    async def body() -> None:
        app = App()
        async with supervise(app.answer(BEGUN), app.commit, policy=policies.SDK):
            pass
        assert [write.item["type"] for write in app.settlement.writes] == ["sdk_hidden_context"]

    run(body)


def test_a_task_that_is_cancelled_again_and_again_commits_all_the_same() -> None:
    async def body() -> None:
        app = App(0.1)

        async def consume() -> None:
            await drain(supervise(app.answer(BEGUN, 3), app.commit, policy=policies.KEEP))

        task = asyncio.create_task(consume())
        await anyio.wait_all_tasks_blocked()
        for _ in range(5):
            task.cancel()
            await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert app.texts == ["one two "]

    asyncio.run(body())


def test_a_cancellation_during_the_commit_of_a_stream_that_ended_is_not_swallowed() -> None:
    async def body() -> None:
        app = App(0.1)

        async def consume() -> None:
            await drain(supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP))
            app.log.append("went on")

        task = asyncio.create_task(consume())
        while "commit" not in app.log:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert app.log == ["closed", "commit", "committed"]

    asyncio.run(body())


def test_a_loop_that_ends_in_mid_commit_lets_it_happen() -> None:
    """`asyncio.run` cancels every task at its end, and so the one that commits."""
    app = App(0.1)

    async def consume() -> None:
        await drain(supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP))

    async def body() -> None:
        app.task = asyncio.create_task(consume())  # type: ignore[attr-defined]  # kept alive
        while "commit" not in app.log:
            await asyncio.sleep(0.001)

    asyncio.run(body())
    assert app.texts == ["one two "]


def test_a_loop_that_ends_in_mid_answer_lets_it_be_committed() -> None:
    app = App(0.1)

    async def consume() -> None:
        await drain(supervise(app.answer(BEGUN, 3), app.commit, policy=policies.KEEP))

    async def body() -> None:
        app.task = asyncio.create_task(consume())  # type: ignore[attr-defined]  # kept alive
        await anyio.wait_all_tasks_blocked()

    asyncio.run(body())
    assert app.texts == ["one two "]


# --- time -----------------------------------------------------------------------------------------


def test_a_producer_that_is_silent_for_too_long_times_out(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App()
        answer = app.answer(BEGUN, wait_at=2)
        with pytest.raises(TimeoutError, match="too long"):
            await drain(supervise(answer, app.commit, policy=policies.KEEP, idle_timeout=0.03))
        assert app.settlement.cause is Cause.TIMED_OUT
        assert app.texts == ["one "]

    run(body)


def test_a_slow_consumer_is_no_silent_producer(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP, idle_timeout=0.2)
        async for _ in stream:
            await anyio.sleep(0.3)
        assert app.settlement.cause is Cause.ENDED

    run(body)


def test_many_events_within_the_time_for_one_do_not_time_out(run: Callable[[Body], None]) -> None:
    async def steady() -> AsyncIterator[Event]:
        yield BEGUN[0]
        for _ in range(30):
            await anyio.sleep(0.02)
            yield BEGUN[1]

    async def body() -> None:
        app = App()
        await drain(supervise(steady(), app.commit, policy=policies.KEEP, idle_timeout=0.5))
        assert app.settlement.cause is Cause.ENDED

    run(body)


def test_a_stream_may_take_so_long_in_all(run: Callable[[Body], None]) -> None:
    async def steady() -> AsyncIterator[Event]:
        yield BEGUN[0]
        while True:
            await anyio.sleep(0.005)
            yield BEGUN[1]

    async def body() -> None:
        app = App()
        with pytest.raises(TimeoutError):
            await drain(supervise(steady(), app.commit, policy=policies.KEEP, timeout=0.05))
        assert app.settlement.cause is Cause.TIMED_OUT

    run(body)


def test_the_time_in_all_includes_that_of_the_consumer(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP, timeout=0.02)
        with pytest.raises(TimeoutError):
            async for _ in stream:
                await anyio.sleep(0.04)
        assert app.settlement.cause is Cause.TIMED_OUT

    run(body)


# --- stop -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait_at", [0, 2, 3])
def test_stop_from_another_task_ends_the_stream(run: Callable[[Body], None], wait_at: int) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(app.answer(BEGUN, wait_at), app.commit, policy=policies.KEEP)
        seen: list[Any] = []

        async def consume() -> None:
            seen.extend(await drain(stream))
            app.log.append("consumer went on")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consume)
            await anyio.wait_all_tasks_blocked()
            stream.stop()
        assert seen == BEGUN[:wait_at]
        assert app.settlement.cause is Cause.CANCELLED
        assert app.log == ["closed", "commit", "committed", "consumer went on"]

    run(body)


def test_stop_before_the_first_event(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP)
        stream.stop(Cause.CRASHED)
        stream.stop(Cause.FAILED)
        assert await drain(stream) == []
        assert app.settlement.cause is Cause.CRASHED

    run(body)


def test_stop_while_the_consumer_has_the_event(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP)
        seen = []
        async for event in stream:
            seen.append(event)
            if len(seen) == 2:
                stream.stop()
        assert seen == BEGUN[:2]
        assert app.texts == ["one "]

    run(body)


def test_a_producer_that_swallows_the_stop_is_closed_all_the_same(
    run: Callable[[Body], None],
) -> None:
    async def stubborn() -> AsyncIterator[Event]:
        yield BEGUN[0]
        try:
            await anyio.sleep(3600)
        except anyio.get_cancelled_exc_class():
            return

    async def body() -> None:
        app = App()
        stream = supervise(stubborn(), app.commit, policy=policies.KEEP)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drain, stream)
            await anyio.wait_all_tasks_blocked()
            stream.stop()
        assert app.settlement.cause is Cause.CANCELLED

    anyio.run(body)


def test_a_stop_and_a_cancellation_at_once_are_a_cancellation() -> None:
    async def body() -> None:
        app = App()
        stream = supervise(app.answer(BEGUN, 3), app.commit, policy=policies.KEEP)
        task = asyncio.create_task(drain(stream))
        await anyio.wait_all_tasks_blocked()
        stream.stop()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert app.texts == ["one two "]

    asyncio.run(body())


def test_after_a_stop_the_task_can_be_cancelled_as_ever() -> None:
    async def body() -> None:
        app = App()
        stream = supervise(app.answer(BEGUN, 3), app.commit, policy=policies.KEEP)

        async def consume() -> None:
            await drain(stream)
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            async with asyncio.timeout(0.01):
                await asyncio.sleep(3600)

        task = asyncio.create_task(consume())
        await anyio.wait_all_tasks_blocked()
        stream.stop()
        with pytest.raises(TimeoutError):
            await task

    asyncio.run(body())


def test_stop_from_another_thread() -> None:
    async def body() -> None:
        app = App()
        stream = supervise(app.answer(BEGUN, 3), app.commit, policy=policies.KEEP)
        loop = asyncio.get_running_loop()
        threading.Timer(0.2, lambda: loop.call_soon_threadsafe(stream.stop)).start()
        assert await drain(stream) == BEGUN

    asyncio.run(body())


def test_aclose_from_another_task_waits_for_the_commit(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App(0.03)
        stream = supervise(app.answer(BEGUN, 3), app.commit, policy=policies.KEEP)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drain, stream)
            await anyio.wait_all_tasks_blocked()
            await stream.aclose()
            assert app.texts == ["one two "]

    run(body)


def test_two_who_close_at_once_settle_once(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App(0.03)
        stream = supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP)
        events = aiter(stream)
        await anext(events)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.aclose)
            tasks.start_soon(stream.aclose, Cause.FAILED)
        assert app.settlement.cause in (Cause.CANCELLED, Cause.FAILED)  # whoever came first

    run(body)


# --- what is in doubt -----------------------------------------------------------------------------


def test_an_item_that_was_done_is_in_doubt_until_the_consumer_comes_back(
    run: Callable[[Body], None],
) -> None:
    async def body() -> None:
        app = App()
        async with supervise(app.answer(WHOLE), app.commit, policy=policies.DROP) as stream:
            async for event in stream:
                if event is WHOLE[-1]:
                    break
        (verdict,) = app.settlement.verdicts
        assert verdict.is_in_doubt
        assert verdict.case.content is Content.COMPLETE
        assert app.texts == ["one two "]

    run(body)


def test_an_item_whose_event_was_delivered_is_not_written_again(
    run: Callable[[Body], None],
) -> None:
    async def body() -> None:
        app = App()
        answer = app.answer([*WHOLE, text_delta("x", "")], wait_at=5)
        with anyio.move_on_after(0.2):
            await drain(supervise(answer, app.commit, policy=NO_MARKER))
        assert app.settlement.writes == ()

    run(body)


def test_in_doubt_over_many_events(run: Callable[[Body], None]) -> None:
    """Events are folded in portions: none of their borders may decide what is in doubt."""
    events: list[Event] = [added(message("m")), *[text_delta("m", "x") for _ in range(600)]]

    async def body(length: int) -> None:
        app = App()
        finished = [*events[:length], done(message("m", "x" * (length - 1)))]
        async with supervise(app.answer(finished), app.commit, policy=NO_MARKER) as stream:
            async for event in stream:
                if event is finished[-1]:
                    break
        assert [verdict.is_in_doubt for verdict in app.settlement.verdicts] == [True]
        assert stream.state == fold(finished)

    for length in (254, 255, 256, 257, 512, 601):
        run(lambda length=length: body(length))  # type: ignore[misc]  # mypy infers no default


# --- the commit -----------------------------------------------------------------------------------


def test_a_commit_that_fails_is_logged_with_the_settlement(
    run: Callable[[Body], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def commit(settlement: Settlement) -> None:
        raise OSError("disk full")

    async def body() -> None:
        stream = supervise(App().answer(BEGUN), commit, policy=policies.KEEP)
        assert await drain(stream) == BEGUN  # the stream ended well, and that is what one sees
        assert isinstance(stream.failure, CommitError)
        assert stream.failure.settlement is stream.settlement
        assert isinstance(stream.failure.__cause__, OSError)

    run(body)
    (record,) = caplog.records
    assert "add m" in record.getMessage()
    assert "disk full" in record.getMessage()
    assert record.levelno == logging.ERROR
    assert record.__dict__["failure"].settlement.persist[0].id == "m"
    assert record.__dict__["unwritten"] == [("add", "m")]


def test_a_commit_that_takes_too_long_is_reported(run: Callable[[Body], None]) -> None:
    failures: list[CommitError] = []

    async def commit(settlement: Settlement) -> None:
        await anyio.sleep(3600)

    async def body() -> None:
        stream = supervise(
            App().answer(BEGUN),
            commit,
            policy=policies.KEEP,
            commit_timeout=0.02,
            on_failure=failures.append,
        )
        assert await drain(stream) == BEGUN

    run(body)
    (failure,) = failures
    assert isinstance(failure.__cause__, TimeoutError)
    assert "0.02 seconds" in str(failure)


def test_a_commit_that_overruns_and_ignores_it_is_left_behind(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatkit_reducer.supervise.shield._GRACE", 0.02)
    release = False

    async def commit(settlement: Settlement) -> None:
        while not release:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    async def body() -> None:
        nonlocal release
        stream = supervise(App().answer(BEGUN), commit, policy=policies.KEEP, commit_timeout=0.02)
        await drain(stream)
        assert isinstance(stream.failure, CommitError)
        release = True

    asyncio.run(body())
    assert "longer than 0.02 seconds" in caplog.text


def test_an_exception_of_the_producer_survives_a_commit_that_fails(
    run: Callable[[Body], None],
) -> None:
    async def broken() -> AsyncIterator[Event]:
        yield BEGUN[0]
        raise KeyError("model")

    async def commit(settlement: Settlement) -> None:
        raise OSError("disk full")

    async def body() -> None:
        failures: list[CommitError] = []
        stream = supervise(broken(), commit, policy=policies.KEEP, on_failure=failures.append)
        with pytest.raises(KeyError):
            await drain(stream)
        assert len(failures) == 1

    run(body)


def test_a_report_that_fails_is_logged_together_with_the_failure(
    run: Callable[[Body], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def commit(settlement: Settlement) -> None:
        raise OSError("disk full")

    def on_failure(error: CommitError) -> None:
        raise ZeroDivisionError

    async def body() -> None:
        stream = supervise(App().answer(BEGUN), commit, policy=policies.KEEP, on_failure=on_failure)
        assert await drain(stream) == BEGUN

    run(body)
    assert "`on_failure` failed itself" in caplog.text
    assert "disk full" in caplog.text


def test_a_producer_that_fails_to_close_is_logged_and_the_stream_settled(
    run: Callable[[Body], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def untidy() -> AsyncIterator[Event]:
        try:
            for event in BEGUN:
                yield event
        finally:
            raise OSError("socket")

    async def body() -> None:
        app = App()
        async with supervise(untidy(), app.commit, policy=policies.KEEP) as stream:
            async for _ in stream:
                break
        assert app.settlement.cause is Cause.CANCELLED

    run(body)
    assert "failed to close" in caplog.text


def test_a_producer_that_does_not_close_in_time_is_logged_and_the_stream_settled(
    run: Callable[[Body], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def slow() -> AsyncIterator[Event]:
        try:
            for event in BEGUN:
                yield event
        finally:
            await anyio.sleep(3600)

    async def body() -> None:
        app = App()
        stream = supervise(slow(), app.commit, policy=policies.KEEP, close_timeout=0.02)
        async with stream:
            async for _ in stream:
                break
        assert app.settlement.cause is Cause.CANCELLED

    run(body)
    assert "did not close in time" in caplog.text


def test_a_producer_that_cannot_be_closed_need_not_be(run: Callable[[Body], None]) -> None:
    class Producer:
        def __init__(self) -> None:
            self._left = iter(BEGUN)

        def __aiter__(self) -> Producer:
            return self

        async def __anext__(self) -> Event:
            try:
                return next(self._left)
            except StopIteration:
                raise StopAsyncIteration from None

    async def body() -> None:
        app = App()
        assert await drain(supervise(Producer(), app.commit, policy=policies.KEEP)) == BEGUN
        assert app.texts == ["one two "]

    run(body)


# --- the marker -----------------------------------------------------------------------------------

HIDDEN = Policy(
    name="hidden",
    about="",
    rows=policies.KEEP.rows,
    marker=Marker(item="hidden_context_item", content=None, causes=[Cause.CANCELLED]),
)


def test_the_marker_has_an_id_a_time_and_a_thread(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App()
        marker = MarkerFields(
            new_id=lambda: "marker_1", now=lambda: "2026-01-01T00:00:00", thread_id="thread_9"
        )
        async with supervise(
            app.answer([]), app.commit, policy=policies.SDK, marker=marker
        ) as stream:
            stream.stop()
        (write,) = app.settlement.writes
        assert write.item["id"] == "marker_1"
        assert write.item["created_at"] == "2026-01-01T00:00:00"
        assert write.item["thread_id"] == "thread_9"

    run(body)


def test_by_default_the_marker_looks_like_the_sdks(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App()
        async with supervise(app.answer([]), app.commit, policy=policies.SDK):
            pass
        (write,) = app.settlement.writes
        assert write.item["id"].startswith("shcx_")
        assert len(write.item["created_at"]) == len("2026-01-01T00:00:00.000000")

    run(body)


def test_a_marker_without_an_id_is_left_out(
    run: Callable[[Body], None], caplog: pytest.LogCaptureFixture
) -> None:
    def new_id() -> str:
        raise ConnectionError

    async def body() -> None:
        app = App()
        marker = MarkerFields(new_id=new_id)
        stream = supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP, marker=marker)
        async with stream:
            async for event in stream:
                if event is BEGUN[-1]:
                    break
        assert [write.item["id"] for write in app.settlement.writes] == ["m"]

    run(body)
    assert "The marker has no id" in caplog.text


def test_content_that_the_policy_leaves_open_is_asked_for_at_the_beginning() -> None:
    app = App()
    with pytest.raises(ValueError, match="marker_content"):
        supervise(app.answer([]), app.commit, policy=HIDDEN)
    supervise(app.answer([]), app.commit, policy=HIDDEN, marker=MarkerFields(content={"a": 1}))


# --- items of earlier responses -------------------------------------------------------------------

CARD = {"type": "Card", "children": [{"type": "Text", "id": "t", "value": "a"}]}


class Shelf:
    """A store of items that counts how often it is asked."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self._items = {item["id"]: item for item in items}
        self.asked: list[str] = []

    async def load(self, item_id: str) -> dict[str, Any] | None:
        self.asked.append(item_id)
        await anyio.lowlevel.checkpoint()
        return self._items.get(item_id)


def test_the_base_of_an_update_is_loaded_once(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app, shelf = App(), Shelf(widget("w", CARD))
        events = [value_delta("w", "t", "b"), value_delta("w", "t", "c"), *BEGUN]
        stream = supervise(app.answer(events), app.commit, policy=NO_MARKER, load=shelf.load)
        await drain(stream)
        assert shelf.asked[:1] == ["w"]
        assert sorted(shelf.asked[1:]) == ["m", "w"]  # once more each, at the settlement
        saved, new = app.settlement.writes
        assert saved.op == "save"
        assert saved.item["widget"]["children"][0]["value"] == "abc"
        assert new.op == "add"
        assert stream.state.anomalies == ()

    run(body)


def test_items_that_are_known_are_not_loaded(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app, shelf = App(), Shelf()
        state = ThreadState.from_items([widget("w", CARD)])
        events = [value_delta("w", "t", "b"), *WHOLE, text_delta("m", "!")]
        await drain(
            supervise(
                app.answer(events), app.commit, policy=NO_MARKER, load=shelf.load, state=state
            )
        )
        assert sorted(shelf.asked) == ["m", "w"]  # at the settlement, and not before

    run(body)


async def says_nothing(item_id: str) -> UnsetType:
    """The `load` of a store that does not say what it has."""
    return UNSET


def test_a_store_that_does_not_say_what_it_has(
    run: Callable[[Body], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(app.answer(BEGUN), app.commit, policy=NO_MARKER, load=says_nothing)
        await drain(stream)
        assert app.texts == ["one two "]
        assert not app.settlement.verdicts[0].was_looked_up

    run(body)
    assert caplog.text == ""


def test_updates_for_an_item_of_which_the_store_does_not_say_whether_it_has_it(
    run: Callable[[Body], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        app = App()
        events = [value_delta("w", "t", "b"), value_delta("w", "t", "c")]
        await drain(supervise(app.answer(events), app.commit, policy=NO_MARKER, load=says_nothing))
        assert app.settlement.writes == ()

    run(body)
    (record,) = caplog.records
    assert "Item w is updated, and the store did not say whether it has it" in record.getMessage()


def test_a_stream_says_when_it_ends(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App()
        ending: list[bool] = []

        async def commit(settlement: Settlement) -> None:
            ending.append(stream.is_ending)

        stream = supervise(app.answer(BEGUN), commit, policy=NO_MARKER)
        async with stream:
            assert [stream.is_ending async for _ in stream] == [False] * len(BEGUN)
        assert ending == [True]
        assert stream.is_ending

    run(body)


def test_a_base_that_the_store_does_not_have(
    run: Callable[[Body], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        app, shelf = App(), Shelf()
        events = [value_delta("w", "t", "b"), value_delta("w", "t", "c"), *BEGUN]
        stream = supervise(app.answer(events), app.commit, policy=NO_MARKER, load=shelf.load)
        assert await drain(stream) == events
        assert shelf.asked == ["w", "m"]
        assert len(stream.state.anomalies) == 2
        assert app.texts == ["one two "]

    run(body)
    assert "Item w is updated, but the store does not have it" in caplog.text


def test_a_store_that_raises(run: Callable[[Body], None], caplog: pytest.LogCaptureFixture) -> None:
    async def load(item_id: str) -> None:
        raise ConnectionError("database")

    async def body() -> None:
        app = App()
        events = [value_delta("w", "t", "b"), *BEGUN]
        stream = supervise(app.answer(events), app.commit, policy=NO_MARKER, load=load)
        assert await drain(stream) == events
        assert app.texts == ["one two "]

    run(body)
    assert "loading it failed" in caplog.text


# --- events of any make ---------------------------------------------------------------------------


def test_events_as_mappings_and_as_text(run: Callable[[Body], None]) -> None:
    mapping = {"type": "thread.item.added", "item": message("m")}
    text = b'{"type":"thread.item.removed","item_id":"n"}'

    async def body() -> None:
        app = App()
        events: list[Any] = [mapping, BEGUN[1], text, text.decode()]
        stream = supervise(app.answer(events), app.commit, policy=NO_MARKER)
        assert await drain(stream) == events
        gone = removed("n")
        assert stream.state == fold([*BEGUN[:2], gone, gone])

    run(body)


def test_a_mapping_that_changes_after_it_was_sent_changes_nothing() -> None:
    mapping: dict[str, Any] = {"type": "thread.item.added", "item": message("m")}
    event = as_event(mapping)
    mapping["item"]["id"] = "other"
    assert event == added(message("m"))


def test_an_event_of_an_unknown_type_is_passed_on(run: Callable[[Body], None]) -> None:
    unknown = UnknownEvent({"type": "thread.sparkles"})

    async def body() -> None:
        app = App()
        stream = supervise(app.answer([*BEGUN, unknown]), app.commit, policy=NO_MARKER)
        assert await drain(stream) == [*BEGUN, unknown]
        assert app.texts == ["one two "]

    run(body)


def test_what_nobody_can_read_is_passed_on_and_named_once(
    run: Callable[[Body], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        app = App()
        events: list[Any] = [*BEGUN, object(), 7, 8, message]
        stream = supervise(app.answer(events), app.commit, policy=NO_MARKER)
        assert await drain(stream) == events
        assert app.texts == ["one two "]

    run(body)
    assert sum("type builtins.int" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("can_load", [False, True])
@pytest.mark.parametrize(
    "event",
    [
        ThreadItemAdded(None),  # type: ignore[arg-type]
        ThreadItemDone(7),  # type: ignore[arg-type]
        ThreadItemReplaced([]),  # type: ignore[arg-type]
        ThreadItemUpdated(["m"], TextDelta(0, "x")),  # type: ignore[arg-type]
        ThreadItemUpdated(7, TextDelta(0, "x")),  # type: ignore[arg-type]
        ThreadItemUpdated("m", None),  # type: ignore[arg-type]
    ],
)
def test_an_event_with_insides_of_a_wrong_type_is_an_anomaly(
    run: Callable[[Body], None], event: Event, can_load: bool, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    async def load(item_id: str) -> None:
        asked.append(item_id)

    async def body() -> None:
        app = App()
        events = [*BEGUN[:2], event, *BEGUN[2:]]
        stream = supervise(
            app.answer(events), app.commit, policy=NO_MARKER, load=load if can_load else None
        )
        assert await drain(stream) == events
        assert app.texts == ["one two "]
        assert stream.state.anomalies == fold(events).anomalies
        assert len(stream.state.anomalies) == 1

    run(body)
    assert asked == (["m"] if can_load else [])
    assert not caplog.records


def test_a_conversion_of_ones_own(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(
            app.answer([0, 1, 2]), app.commit, policy=NO_MARKER, convert=lambda n: BEGUN[n]
        )
        assert await drain(stream) == [0, 1, 2]
        assert app.texts == ["one two "]

    run(body)


# --- misuse ---------------------------------------------------------------------------------------


def test_what_is_no_async_iterable_is_refused() -> None:
    with pytest.raises(TypeError, match="call the generator function"):
        supervise(App().answer, App().commit, policy=policies.KEEP)  # type: ignore[arg-type]


def test_what_is_no_policy_is_refused() -> None:
    with pytest.raises(TypeError, match="policy must be a Policy"):
        supervise(App().answer([]), App().commit, policy="keep")  # type: ignore[arg-type]


def test_a_stream_is_iterated_once(run: Callable[[Body], None]) -> None:
    async def body() -> None:
        app = App()
        stream = supervise(app.answer([]), app.commit, policy=policies.KEEP)
        await drain(stream)
        with pytest.raises(RuntimeError, match="once"):
            aiter(stream)

    run(body)


# --- laws -----------------------------------------------------------------------------------------


@given(st.data())
def test_wherever_a_stream_is_cut_it_is_settled_as_on_paper(data: st.DataObject) -> None:
    """The settlement of a stream that is cut is that of the events that passed."""
    events = data.draw(chatkit.streams() | chatkit.adversarial_streams())
    cut = data.draw(st.integers(0, len(events)))
    policy = data.draw(st.sampled_from([policies.SDK, policies.KEEP, policies.DROP]))
    backend = data.draw(st.sampled_from(BACKENDS))
    app = App()

    async def body() -> None:
        async with supervise(app.answer(events), app.commit, policy=policy) as stream:
            passed = 0
            async for _ in stream:
                passed += 1
                if passed > cut:
                    break

    anyio.run(body, backend=backend)
    delivered = fold(events[:cut])
    passed = fold(events[cut : cut + 1], delivered)
    expected = settle(passed, policy=policy, cause=app.settlement.cause, delivered=delivered)
    if cut < len(events):
        assert app.settlement.cause is Cause.CANCELLED
    assert [v.write for v in app.settlement.verdicts] == [v.write for v in expected.verdicts]
    assert app.settlement.events == expected.events
    assert app.settlement.marker == expected.marker
    assert app.log == ["closed", "commit", "committed"]


def test_rows_for_every_cause_are_reached(run: Callable[[Body], None]) -> None:
    """The cause decides: a table with a row for each is followed."""
    rows = [
        Row(content="complete", decision=Decision.PERSIST, reason="done"),
        *[
            Row(cause=cause, decision=decision, reason="so")
            for cause, decision in (
                (Cause.ENDED, Decision.PERSIST),
                (Cause.CANCELLED, Decision.DISCARD),
                (Cause.FAILED, Decision.STALE),
                (Cause.TIMED_OUT, Decision.PERSIST),
            )
        ],
        Row(decision=Decision.DISCARD, reason="crashed"),
    ]
    policy = Policy(name="by cause", about="", rows=rows)

    async def body() -> None:
        for cause, kept in ((Cause.ENDED, 1), (Cause.CANCELLED, 0), (Cause.TIMED_OUT, 1)):
            app = App()
            stream = supervise(app.answer(BEGUN, 3), app.commit, policy=policy)
            stream_events = aiter(stream)
            for _ in BEGUN:
                await anext(stream_events)
            await stream.aclose(cause)
            assert len(app.settlement.writes) == kept

    run(body)
