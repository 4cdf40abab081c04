"""`supervise`: the store is asked for items, is slow, fails, and refuses."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from chatkit_reducer import Settlement, ThreadState, policies
from chatkit_reducer.core.policy.store_rows import GONE
from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.events import ThreadItemDone, ThreadItemReplaced
from chatkit_reducer.supervise import supervise
from chatkit_reducer.supervise._tracker import _MOST_HELD
from chatkit_reducer.testing.examples import (
    added,
    done,
    message,
    replaced,
    text_delta,
    value_delta,
    widget,
)
from tests.support.supervised import (
    ASYNCIO,
    BEGUN,
    LOOPS,
    NO_MARKER,
    WHOLE,
    App,
    drain,
    eventually,
    run_on,
)

CARD = {"type": "Card", "children": [{"type": "Text", "id": "t", "value": "a"}]}
UPDATES = [value_delta("w", "t", "b"), value_delta("w", "t", "c")]


def value_of(settlement: Any) -> str:
    (write,) = [write for write in settlement.writes if write.item["id"] == "w"]
    assert write.op == "save"
    value: str = write.item["widget"]["children"][0]["value"]
    return value


class Shelf:
    """A store whose answers are slow, wrong or missing, as often as it is told."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def load(self, item_id: str) -> Any:
        self.asked.append(item_id)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        await anyio.lowlevel.checkpoint()
        if answer == "hang":
            await anyio.sleep(3600)
        if answer == "ignore":
            while len(self._answers) == 1:
                try:
                    await anyio.sleep(3600)
                except anyio.get_cancelled_exc_class():
                    continue
        if isinstance(answer, BaseException):
            raise answer
        return answer(item_id) if callable(answer) else answer


# --- in the stream --------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("way", ["stop", "aclose", "timeout", "cancel", "deadline"])
@pytest.mark.parametrize("answer", ["hang", "ignore"])
def test_a_look_up_that_hangs_defeats_nothing(loop: str, way: str, answer: str) -> None:
    if answer == "ignore" and loop == "trio":
        pytest.skip("what ignores its cancellation on Trio keeps the thread")

    async def body() -> None:
        app, shelf = App(), Shelf(answer)
        stream = supervise(
            app.answer([*BEGUN, *UPDATES]),
            app.commit,
            policy=NO_MARKER,
            load=shelf.load,
            timeout=0.05 if way == "timeout" else None,
            load_timeout=0.05 if way == "deadline" else 1,
        )
        start = anyio.current_time()
        seen: list[Any] = []

        async def consume() -> None:
            async for event in stream:
                seen.append(event)  # noqa: PERF401  # what was seen before an error counts

        async def consume_in_time() -> None:
            if way == "timeout":
                with pytest.raises(TimeoutError):
                    await consume()
            elif way == "cancel":
                with anyio.move_on_after(0.05):
                    await consume()
            else:
                await consume()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consume_in_time)
            await eventually(lambda: shelf.asked)
            if way == "stop":
                stream.stop()
            elif way == "aclose":
                await stream.aclose()
        assert app.texts == ["one two "]
        assert anyio.current_time() - start < 3
        # What nobody was given is not in the settlement; here all went on without the store.
        assert (seen == [*BEGUN, *UPDATES]) == (way == "deadline")
        shelf._answers.append(None)

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("answer", [ValueError("no such id"), KeyError("w"), "hang"])
def test_what_was_unknown_is_asked_for_again_at_the_settlement(loop: str, answer: Any) -> None:
    async def body() -> None:
        app = App()
        shelf = Shelf(answer, lambda item_id: widget("w", CARD) if item_id == "w" else None)
        stream = supervise(
            app.answer([UPDATES[0], *BEGUN, UPDATES[1]]),
            app.commit,
            policy=NO_MARKER,
            load=shelf.load,
            load_timeout=0.1,
        )
        await drain(stream)
        assert value_of(app.settlement) == "abc"
        assert app.texts == ["one two "]

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("again", [None, OSError("still gone")])
def test_what_stays_unknown_cannot_be_settled_and_takes_nothing_with_it(
    loop: str, again: Any
) -> None:
    async def body() -> None:
        app, shelf = App(), Shelf(OSError("gone"), again)
        stream = supervise(
            app.answer([*UPDATES, *BEGUN]), app.commit, policy=NO_MARKER, load=shelf.load
        )
        await drain(stream)
        assert [write.item["id"] for write in app.settlement.writes] == ["m"]
        assert len(stream.state.anomalies) == 2

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_an_item_that_comes_whole_needs_no_look_up_any_more(loop: str) -> None:
    async def body() -> None:
        app, shelf = App(), Shelf(OSError("gone"))
        events = [UPDATES[0], done(widget("w", CARD)), UPDATES[1]]
        await drain(supervise(app.answer(events), app.commit, policy=NO_MARKER, load=shelf.load))
        assert value_of(app.settlement) == "ac"

    run_on(loop, body)


def test_so_many_updates_are_held_and_no_more() -> None:
    async def body() -> None:
        app = App()
        shelf = Shelf(OSError("gone"), lambda item_id: widget("w", CARD))
        events = [UPDATES[0]] * (_MOST_HELD + 1)
        stream = supervise(app.answer(events), app.commit, policy=NO_MARKER, load=shelf.load)
        await drain(stream)
        assert app.settlement.writes == ()  # half of the updates would be no truth

    asyncio.run(body())


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("answer", [7, "text", [("id", "w")], {"id": "w", "x": object()}])
def test_an_answer_that_is_no_item_says_nothing(
    loop: str, answer: object, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        app, shelf = App(), Shelf(answer)
        stream = supervise(
            app.answer([*UPDATES, *BEGUN]), app.commit, policy=NO_MARKER, load=shelf.load
        )
        await drain(stream)
        assert app.texts == ["one two "]

    run_on(loop, body)
    assert "loading it failed" in caplog.text


# --- at the settlement ----------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_pending_or_in_doubt_is_asked_for_at_once(loop: str) -> None:
    async def body() -> None:
        app, asked = App(), []

        async def load(item_id: str) -> None:
            asked.append(item_id)
            await anyio.sleep(0.2)

        events = [added(message(f"m{n}")) for n in range(20)] + [done(message("d", "x"))]
        start = anyio.current_time()
        async with supervise(app.answer(events), app.commit, policy=NO_MARKER, load=load) as stream:
            async for event in stream:
                if event is events[-1]:
                    break
        assert sorted(asked) == sorted([f"m{n}" for n in range(20)] + ["d"])
        assert anyio.current_time() - start < 2

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_all_look_ups_share_one_limit(loop: str) -> None:
    async def body() -> None:
        app, shelf = App(), Shelf("hang")
        events = [added(message(f"m{n}")) for n in range(20)]
        start = anyio.current_time()
        stream = supervise(
            app.answer([*events, *BEGUN]),
            app.commit,
            policy=NO_MARKER,
            load=shelf.load,
            load_timeout=0.1,
        )
        await drain(stream)
        assert anyio.current_time() - start < 1.5
        assert app.texts == ["one two "]

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_one_that_hangs_hides_no_other(loop: str) -> None:
    async def body() -> None:
        app = App()

        async def load(item_id: str) -> Any:
            if item_id == "w":
                await anyio.sleep(3600)
            return message("m", "one two ")

        state = ThreadState.from_items([widget("w", CARD)])
        stream = supervise(
            app.answer([*UPDATES, *WHOLE]),
            app.commit,
            policy=NO_MARKER,
            state=state,
            load=load,
            load_timeout=0.1,
        )
        async with stream:
            async for event in stream:
                if event is WHOLE[-1]:
                    break
        # The message was in doubt; the store has it, and so nothing of it is written.
        assert [write.item["id"] for write in app.settlement.writes] == ["w"]

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_base_that_changed_meanwhile_is_not_overwritten(loop: str) -> None:
    async def body() -> None:
        app = App()
        other = {"type": "Card", "children": [{"type": "Text", "id": "t", "value": "theirs"}]}
        shelf = Shelf(widget("w", CARD), widget("w", other))
        stream = supervise(app.answer(UPDATES), app.commit, policy=NO_MARKER, load=shelf.load)
        await drain(stream)
        assert app.settlement.writes == ()
        assert [item.id for item in app.settlement.stale] == ["w"]

    run_on(loop, body)


@pytest.mark.parametrize("loop", ASYNCIO)
def test_a_loop_that_ends_asks_all_the_same(loop: str) -> None:
    """`asyncio.run` cancels every task at its end, and so those that ask."""
    app = App()

    async def load(item_id: str) -> Any:
        await asyncio.sleep(0.05)
        return message("m", "one two ")

    async def body() -> None:
        stream = supervise(app.answer(WHOLE), app.commit, policy=NO_MARKER, load=load)

        async def consume() -> None:
            async with stream:
                async for event in stream:
                    if event is WHOLE[-1]:
                        break

        app.task = asyncio.create_task(consume())  # type: ignore[attr-defined]  # kept alive
        await eventually(lambda: "closed" in app.log)

    run_on(loop, body)
    assert app.settlement.writes == ()


# --- what the store refused -----------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("goes_on", [False, True])
def test_what_the_store_refused_is_not_written_again(loop: str, goes_on: bool) -> None:
    async def body() -> None:
        app = App()
        async with supervise(app.answer(WHOLE), app.commit, policy=policies.DROP) as stream:
            async for event in stream:
                if event is WHOLE[-1]:
                    stream.refused("m")
                    if not goes_on:
                        break
        assert [write for write in app.settlement.writes if write.item["id"] == "m"] == []

    run_on(loop, body)


async def over_a_store(
    events: list[Any], store: dict[str, Any], *, refuses: list[int], deletes: int = -1
) -> Settlement:
    """A consumer that writes to a store, which refuses the writes of some events, and goes on."""
    app = App()

    async def load(item_id: str) -> Any:
        return store.get(item_id)

    stream = supervise(
        app.answer(events),
        app.commit,
        policy=NO_MARKER,
        load=load,
        state=ThreadState.from_items(store.values()),
    )
    number = 0
    async for event in stream:
        if isinstance(event, ThreadItemDone | ThreadItemReplaced):
            if number in refuses:
                stream.refused(event.item["id"])
            else:
                store[event.item["id"]] = event.item
        if number == deletes:
            del store["m"]
        number += 1
    return app.settlement


FIRST, SECOND = done(message("m", "first")), replaced(message("m", "second"))
GOES_ON = text_delta("m", "!")


@pytest.mark.parametrize(
    ("events", "refuses", "text"),
    [
        ([FIRST], [0], "first"),
        ([FIRST, GOES_ON], [0], "first!"),
        ([added(message("m")), FIRST, GOES_ON, GOES_ON], [1], "first!!"),
        ([FIRST, SECOND], [0, 1], "second"),
        ([FIRST, SECOND, GOES_ON], [0, 1], "second!"),
        ([FIRST, GOES_ON, SECOND, FIRST], [0, 2, 3], "first"),
    ],
)
def test_what_was_refused_and_changed_afterwards_is_not_taken_for_deleted(
    events: list[Any], refuses: list[int], text: str
) -> None:
    settlement = asyncio.run(over_a_store(events, {}, refuses=refuses))
    assert [(write.op, *text_of_write(write)) for write in settlement.writes] == [("add", text)]


def text_of_write(write: Any) -> list[str]:
    return [part["text"] for part in write.item["content"]]


def test_what_was_stored_before_it_was_refused_and_is_deleted_stays_deleted() -> None:
    store = {"m": message("m", "zero")}
    events = [FIRST, GOES_ON]
    settlement = asyncio.run(over_a_store(events, store, refuses=[0], deletes=1))
    assert settlement.writes == ()
    assert settlement.verdicts[0].row is GONE


@pytest.mark.parametrize("deletes", [False, True])
def test_a_later_write_that_the_store_takes_is_no_refusal(deletes: bool) -> None:
    events = [FIRST, SECOND, GOES_ON]
    settlement = asyncio.run(over_a_store(events, {}, refuses=[0], deletes=2 if deletes else -1))
    found = [(write.op, *text_of_write(write)) for write in settlement.writes]
    assert found == ([] if deletes else [("save", "second!")])


def test_what_was_refused_is_named_by_its_id() -> None:
    stream = supervise(App().answer([]), App().commit, policy=NO_MARKER)
    with pytest.raises(TypeError, match="item_id must be a string, got dict"):
        stream.refused(message("m"))  # type: ignore[arg-type]


def test_a_refusal_and_an_update_behind_it() -> None:
    async def body() -> None:
        app = App()
        events = [*WHOLE, text_delta("m", "three")]
        async with supervise(app.answer(events), app.commit, policy=NO_MARKER) as stream:
            async for event in stream:
                if event is WHOLE[-1]:
                    stream.refused("m")
        assert stream.failure is None
        assert app.settlement.cause is Cause.ENDED

    asyncio.run(body())
