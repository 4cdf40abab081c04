"""`Responses`: order, errors, stops, threads, the journal, and the misuse that it refuses."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import anyio
import anyio.lowlevel
import pytest

from chatkit_reducer import Cause, fold, policies
from chatkit_reducer.errors import CommitError
from chatkit_reducer.events import ErrorEvent, Event
from chatkit_reducer.journal import JournalWriter, MemoryJournal, follow
from chatkit_reducer.serving import Responses, stream_sync
from chatkit_reducer.testing.examples import added, done, message, text_delta
from tests.serving.test_responses_laws import Exchange, hidden
from tests.support.supervised import BEGUN, LOOPS, eventually, run_on

pytestmark = pytest.mark.parametrize("loop", LOOPS)

STALLS: list[Any] = [*BEGUN, 3600.0]


def test_the_error_comes_before_the_corrections(loop: str) -> None:
    exchange = Exchange([*BEGUN, KeyError("model")])

    async def body() -> None:
        await exchange.consume(exchange.responses(policies.KEEP))

    run_on(loop, body)
    error, corrected = exchange.seen[3:]
    assert isinstance(error, ErrorEvent)
    assert corrected == done(message("m", "one two "))
    assert exchange.stream is not None
    assert exchange.stream.settlement is not None
    assert exchange.stream.settlement.cause is Cause.FAILED


def test_a_producer_that_is_silent_for_too_long(loop: str) -> None:
    exchange = Exchange(STALLS)

    async def body() -> None:
        await exchange.consume(exchange.responses(policies.KEEP, idle_timeout=0.05))

    run_on(loop, body)
    exchange.check()
    assert isinstance(exchange.seen[3], ErrorEvent)
    assert exchange.stream is not None
    assert exchange.stream.settlement is not None
    assert exchange.stream.settlement.cause is Cause.TIMED_OUT


def test_a_store_that_hangs_is_given_up(loop: str) -> None:
    failures: list[tuple[str, CommitError]] = []
    seen: list[Event] = []

    async def save(thread_id: str, items: Any) -> None:
        await anyio.sleep(3600)

    async def delete(thread_id: str, item_id: str) -> None: ...

    async def body() -> None:
        responses = Responses(
            save,
            delete,
            policy=policies.KEEP,
            commit_timeout=0.05,
            on_failure=lambda thread_id, failure: failures.append((thread_id, failure)),
        )
        produced = Exchange([done(message("m", "x"))]).produce()
        async with responses.stream("t", produced) as events:
            seen.extend([event async for event in events])

    run_on(loop, body)
    assert [type(event) for event in seen] == [ErrorEvent]
    ((thread_id, failure),) = failures
    assert thread_id == "t"
    assert [write.item["id"] for write in failure.unwritten] == ["m"]


def test_what_the_consumer_raises_passes_through(loop: str) -> None:
    exchange = Exchange(STALLS)

    async def body() -> None:
        exchange.stream = exchange.responses(policies.KEEP).stream("t", exchange.produce())
        with pytest.raises(ZeroDivisionError):
            async with exchange.stream as events:
                async for event in events:
                    exchange.seen.append(event)
                    if len(exchange.seen) == 3:
                        raise ZeroDivisionError

    run_on(loop, body)
    exchange.check()


def test_plain_functions_run_in_threads(loop: str) -> None:
    threads: list[threading.Thread] = []
    exchange = Exchange([done(message("m", "x")), *[added(message("n")), text_delta("n", "y")]])

    def save(thread_id: str, items: Any) -> None:
        threads.append(threading.current_thread())
        exchange.store.update({item["id"]: item for item in items})

    def delete(thread_id: str, item_id: str) -> None: ...

    async def body() -> None:
        await exchange.consume(Responses(save, delete, policy=policies.KEEP))

    run_on(loop, body)
    exchange.check()
    assert len(threads) == 2
    assert threading.current_thread() not in threads


def test_a_new_response_waits_for_one_that_is_ending_in_its_thread(loop: str) -> None:
    first, second = Exchange(STALLS, pause=20), Exchange([done(message("z", "later"))])
    second.store = first.store

    async def body() -> None:
        responses = first.responses(policies.KEEP)

        async def produce() -> AsyncIterator[Event]:
            assert "m" in first.store
            async for event in second.produce():
                yield event

        async def ask_again() -> None:
            second.stream = responses.stream("t", produce())
            async with second.stream as events:
                second.seen.extend([event async for event in events])

        async with anyio.create_task_group() as group:
            group.start_soon(first.consume, responses)
            await eventually(lambda: len(first.seen) == 3)
            group.start_soon(responses.stop, "t")
            await anyio.lowlevel.checkpoint()
            group.start_soon(ask_again)

    run_on(loop, body)
    assert [event for event in second.seen if isinstance(event, ErrorEvent)] == []
    assert next(iter(first.store)) == "m"


def test_a_stop_counts_the_responses_of_its_thread_and_settles_them(loop: str) -> None:
    exchanges = [Exchange(STALLS), Exchange(STALLS)]

    async def body() -> None:
        responses = exchanges[0].responses(policies.KEEP)
        async with anyio.create_task_group() as group:
            for exchange in exchanges:
                group.start_soon(exchange.consume, responses)
            await eventually(lambda: all(len(one.seen) == 3 for one in exchanges))
            assert await responses.stop("other") == 0
            assert await responses.stop("t") == 2
            assert exchanges[0].store["m"] == message("m", "one two ")
            assert await responses.stop("t") == 0

    run_on(loop, body)


def test_a_store_that_stops_its_own_thread_does_not_wait_for_itself(loop: str) -> None:
    exchange = Exchange([done(message("m", "x")), *STALLS])

    async def body() -> None:
        async def save(thread_id: str, items: Any) -> None:
            await exchange.save(thread_id, items)
            await responses.stop(thread_id)

        responses = Responses(save, exchange.delete, policy=policies.KEEP)
        with anyio.fail_after(5):
            await exchange.consume(responses)

    run_on(loop, body)
    exchange.check()


def test_a_stop_from_another_process_comes_by_the_journal(loop: str) -> None:
    exchange = Exchange(STALLS)

    async def body() -> None:
        journal = MemoryJournal()
        here = exchange.responses(policies.KEEP, journal=journal)
        elsewhere = exchange.responses(policies.KEEP, journal=journal)
        async with anyio.create_task_group() as group:
            group.start_soon(exchange.consume, here)
            await eventually(lambda: len(exchange.seen) == 3)
            assert await elsewhere.stop("t") == 1

    run_on(loop, body)
    exchange.check()
    assert exchange.store["m"] == message("m", "one two ")


def test_those_who_follow_the_journal_see_the_error_and_the_corrections(loop: str) -> None:
    exchange = Exchange([*BEGUN, KeyError("model")])
    journal = MemoryJournal()

    async def body() -> None:
        responses = exchange.responses(policies.KEEP, journal=journal)
        async with responses.stream("t", exchange.produce(), response="r") as events:
            exchange.seen.extend([event async for event in events])
        followed = [event async for _, event in follow(journal, "r", after="r:0")]
        assert any(isinstance(event, ErrorEvent) for event in exchange.seen)
        assert followed == exchange.seen

    run_on(loop, body)


def test_an_orphan_of_the_thread_is_settled_before_the_next_response(loop: str) -> None:
    exchange = Exchange([done(message("z", "later"))])

    async def body() -> None:
        journal = MemoryJournal()
        writer = JournalWriter(journal, "dead", thread="t")
        await writer.begin()
        for event in BEGUN:
            await writer.append(event)
        await writer.release()
        await exchange.consume(exchange.responses(policies.KEEP, journal=journal))

    run_on(loop, body)
    texts = [item for item in exchange.store if item in {"m", "z"}]
    assert texts == ["m", "z"]


def test_run_settles_orphans_until_it_is_cancelled(loop: str) -> None:
    exchange = Exchange([])

    async def body() -> None:
        journal = MemoryJournal()
        writer = JournalWriter(journal, "dead", thread="t")
        await writer.begin()
        for event in BEGUN:
            await writer.append(event)
        await writer.release()
        responses = exchange.responses(policies.KEEP, journal=journal)
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: responses.run(every=0.01))
            await eventually(lambda: "m" in exchange.store)
            group.cancel_scope.cancel()

    run_on(loop, body)
    assert fold([done(exchange.store["m"])]).items["m"].to_json() == message("m", "one two ")


def test_an_item_whose_place_save_is_not_told_is_logged(
    loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    call = {
        "id": "call",
        "type": "client_tool_call",
        "thread_id": "thr_1",
        "created_at": "2025-01-01T00:00:00",
        "status": "pending",
        "call_id": "c",
        "name": "pick",
        "arguments": {},
    }
    exchange = Exchange([*BEGUN, done(call)])

    async def body() -> None:
        await exchange.consume(exchange.responses(policies.KEEP))

    with caplog.at_level(logging.WARNING, "chatkit_reducer.serving"):
        run_on(loop, body)
    assert "Item m has to stand in front of call" in caplog.text


def test_what_is_not_an_event_is_left_out_and_told(
    loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = Exchange([*BEGUN, 7])
    shown: list[Event] = []

    async def body() -> None:
        responses = exchange.responses(policies.KEEP)
        async with responses.stream("t", exchange.produce()) as events:
            shown.extend([event async for event in events])

    run_on(loop, body)
    assert not any(isinstance(event, int) for event in shown)
    assert "An event of type builtins.int is left out of the settlement" in caplog.text


def test_misuse_is_refused(loop: str) -> None:
    async def save(thread_id: str, items: Any) -> None: ...

    async def delete(thread_id: str, item_id: str) -> None: ...

    def save_now(thread_id: str, items: Any) -> None: ...

    def delete_now(thread_id: str, item_id: str) -> None: ...

    async def body() -> None:
        with pytest.raises(TypeError, match="expected save to be a function, got dict"):
            Responses({}, delete, policy=policies.KEEP)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="expected delete to be a function of 2 arguments"):
            Responses(save, lambda: None, policy=policies.KEEP)  # type: ignore[arg-type,misc]
        with pytest.raises(ValueError, match="idle_timeout"):
            Responses(save, delete, policy=policies.KEEP, idle_timeout=-1)
        responses = Responses(save, delete, policy=policies.KEEP)
        for wrong in (None, UUID(int=1), 7):
            said = f"expected thread_id to be a string, got {type(wrong).__name__}"
            with pytest.raises(TypeError, match=said):
                responses.stream(wrong, Exchange([]).produce())  # type: ignore[arg-type]
            with pytest.raises(TypeError, match=said):
                stream_sync(wrong, [], save_now, delete_now, policy=policies.KEEP)  # type: ignore[arg-type]
        with pytest.raises(RuntimeError, match="expected a journal to recover from"):
            await responses.run()
        stream = responses.stream("t", Exchange([]).produce())
        with pytest.raises(RuntimeError, match="use `async with"):
            await anext(stream)
        async with stream:
            pass
        with pytest.raises(RuntimeError, match="once only"):
            await stream.__aenter__()

    run_on(loop, body)


@pytest.mark.parametrize("has_journal", [False, True])
def test_the_log_says_why_it_broke_off_and_nothing_of_the_conversation(
    loop: str, has_journal: bool, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "the patient's name is Moon"
    quoting = Exchange([done(message("m", secret)), ValueError(f"cannot go on from {secret!r}")])
    plain = Exchange([done(message("m", secret)), ValueError("no credit is left")])

    async def body() -> None:
        journal = MemoryJournal() if has_journal else None
        for exchange in (quoting, plain):
            await exchange.consume(exchange.responses(policies.KEEP, journal=journal))

    with caplog.at_level(logging.ERROR):
        run_on(loop, body)
    assert caplog.text.count("A response in thread t broke off.") == 2
    assert "no credit is left" in caplog.text
    assert secret not in caplog.text


def test_a_producer_that_raises_because_it_is_cancelled_does_not_hold_up_its_task(
    loop: str,
) -> None:
    """With a journal its failures are events, and this is none."""

    async def failing() -> AsyncIterator[Event]:
        for event in BEGUN:
            yield event
        try:
            await anyio.sleep(3600)
        except BaseException as error:
            raise ConnectionError("the connection was closed") from error

    seen: list[Event] = []
    exchange = Exchange([])

    async def consume(responses: Responses) -> None:
        async with responses.stream("t", failing()) as events:
            async for event in events:
                seen.append(event)  # noqa: PERF401  # one by one, as they come

    async def body() -> None:
        responses = exchange.responses(policies.KEEP, journal=MemoryJournal())
        # On Trio the producer is cancelled in a task of its own, and the consumer by itself.
        with suppress(ConnectionError, ExceptionGroup):
            async with anyio.create_task_group() as group:
                group.start_soon(consume, responses)
                await eventually(lambda: len(seen) == 3)
                group.cancel_scope.cancel()

    run_on(loop, body)
    assert seen == BEGUN
    assert exchange.store["m"] == message("m", "one two ")


def test_an_item_that_becomes_hidden_as_its_stream_is_stopped_is_removed(loop: str) -> None:
    exchange = Exchange([done(message("m", "x")), hidden("m"), 3600.0])

    class Stopping(MemoryJournal):
        async def append(self, response: str, at: int, records: Any) -> None:
            await super().append(response, at, records)
            if b"hidden_context_item" in records[0] and exchange.stream is not None:
                exchange.stream.stop()

    async def body() -> None:
        await exchange.consume(exchange.responses(policies.KEEP, journal=Stopping()))

    run_on(loop, body)
    assert exchange.store["m"]["type"] == "hidden_context_item"
    exchange.check()


def test_an_item_without_an_id_is_passed_on_and_not_stored(loop: str) -> None:
    nameless = done({"type": "assistant_message", "content": []})
    exchange = Exchange([nameless, done(message("m"))])

    async def body() -> None:
        await exchange.consume(exchange.responses(policies.KEEP))

    run_on(loop, body)
    assert exchange.seen == [nameless, done(message("m"))]
    assert list(exchange.store) == ["m"]
