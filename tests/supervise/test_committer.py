"""`supervise`: the commit is tried again, and what it could not write is reported."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_reducer import Settlement, fold, policies, settle
from chatkit_reducer.core.policy.disclosure import described, discloses, named, texts_of
from chatkit_reducer.core.policy.verdict import Write
from chatkit_reducer.errors import CommitError, EncodeError, WriteErrors
from chatkit_reducer.events import ThreadItemAdded
from chatkit_reducer.supervise import supervise
from chatkit_reducer.supervise.shield import run_shielded
from chatkit_reducer.testing.examples import added, message, text_delta
from tests.support.supervised import ASYNCIO, BEGUN, LOOPS, NO_MARKER, App, drain, run_on

SECRET = "the patient is called Anna"
THREE = [
    event
    for item_id in ("a", "b", "c")
    for event in (added(message(item_id)), text_delta(item_id, SECRET))
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatkit_reducer.supervise.commit.attempts._FIRST_PAUSE", 0.005)


async def committed(commit: Any, **options: Any) -> Any:
    stream = supervise(App().answer(THREE), commit, policy=NO_MARKER, **options)
    await drain(stream)
    return stream


# --- again ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("failing", [1, 3])
def test_a_commit_that_raises_is_tried_again(loop: str, failing: int) -> None:
    async def body() -> None:
        app = App(errors=[OSError("connection lost")] * failing)
        stream = supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP)
        await drain(stream)
        assert app.texts == ["one two "]
        assert stream.failure is None
        assert app.log.count("commit") == failing + 1

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_so_often_and_not_more(loop: str, attempts: int) -> None:
    async def body() -> None:
        seen: list[Settlement] = []

        async def commit(settlement: Settlement) -> None:
            seen.append(settlement)
            raise OSError(f"attempt {len(seen)}")

        stream = await committed(commit, commit_attempts=attempts)
        assert len(seen) == attempts
        assert all(settlement is seen[0] for settlement in seen)  # its marker has one id
        assert str(stream.failure.__cause__) == f"attempt {attempts}"

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_by_default_four_times(loop: str) -> None:
    async def body() -> None:
        app = App(errors=[OSError()] * 10)
        await committed(app.commit)
        assert app.log.count("commit") == 4

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_not_beyond_the_deadline(loop: str) -> None:
    async def body() -> None:
        app = App(errors=[OSError()] * 1000)
        start = anyio.current_time()
        stream = await committed(app.commit, commit_attempts=1000, commit_timeout=0.2)
        assert anyio.current_time() - start < 1
        assert 1 < app.log.count("commit") < 10  # the pauses grow
        assert isinstance(stream.failure.__cause__, OSError)

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_one_that_hangs_until_the_deadline_is_not_tried_again(loop: str) -> None:
    async def body() -> None:
        calls: list[Settlement] = []

        async def commit(settlement: Settlement) -> None:
            calls.append(settlement)
            await anyio.sleep(3600)

        stream = await committed(commit, commit_timeout=0.03)
        assert len(calls) == 1
        assert isinstance(stream.failure.__cause__, TimeoutError)
        assert "0.03 seconds" in str(stream.failure)

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_time_out_of_the_store_is_tried_again(loop: str) -> None:
    async def body() -> None:
        app = App(errors=[TimeoutError("the pool is exhausted")])
        stream = await committed(app.commit)
        assert stream.failure is None

    run_on(loop, body)


# --- which ones -----------------------------------------------------------------------------------


def failing(*failed: tuple[str, ...], retry: bool = True) -> Any:
    """A commit whose attempts fail to write these, one after the other; then all is well."""
    left = list(failed)

    async def commit(settlement: Settlement) -> None:
        if left:
            names = left.pop(0)
            writes = [write for write in settlement.writes if write.item["id"] in names]
            raise WriteErrors([(write, OSError("refused")) for write in writes], retry=retry)

    return commit


def ids(failure: CommitError | None) -> list[str]:
    assert failure is not None
    return [write.item["id"] for write in failure.unwritten]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_commit_says_what_it_could_not_write(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        stream = await committed(failing(("b",)), commit_attempts=1)
        assert ids(stream.failure) == ["b"]
        assert isinstance(stream.failure.__cause__, WriteErrors)

    run_on(loop, body)
    (record,) = caplog.records
    assert "add b" in record.getMessage()
    assert "add a" not in record.getMessage()
    assert record.__dict__["unwritten"] == [("add", "b")]
    assert record.levelno == logging.ERROR
    assert SECRET not in caplog.text


@pytest.mark.parametrize("loop", LOOPS)
def test_what_one_attempt_has_written_is_written(loop: str) -> None:
    async def body() -> None:
        stream = await committed(failing(("a", "b"), ("b", "c")), commit_attempts=2)
        assert ids(stream.failure) == ["b"]
        stream = await committed(failing(("a",), ("a",), ("a",)), commit_attempts=4)
        assert stream.failure is None

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_commit_that_says_nothing_has_written_nothing(loop: str) -> None:
    async def body() -> None:
        stream = await committed(App(errors=[OSError()]).commit, commit_attempts=1)
        assert ids(stream.failure) == ["a", "b", "c"]

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_commit_may_have_had_to_do_more(loop: str) -> None:
    async def commit(settlement: Settlement) -> None:
        raise WriteErrors([(Write("add", {"id": "call"}), OSError())], retry=False)

    async def body() -> None:
        stream = await committed(commit)
        assert ids(stream.failure) == ["call"]

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_refused_for_good_is_not_tried_again(loop: str) -> None:
    async def body() -> None:
        stream = await committed(failing(("b",), retry=False), commit_attempts=4)
        assert ids(stream.failure) == ["b"]

    run_on(loop, body)


def test_write_errors_are_a_group() -> None:
    add, save = Write("add", {"id": "a"}), Write("save", {"id": "b"})
    group = WriteErrors([(add, OSError("disk")), (save, KeyError("row"))], retry=False)
    assert group.writes == (add, save)
    assert not group.retry
    assert "not written: add a, save b" in str(group)
    assert "not written" in repr(group)
    oses, others = group.split(OSError)
    assert isinstance(oses, WriteErrors)
    assert oses.writes == (add,)
    assert isinstance(others, WriteErrors)
    assert others.writes == (save,)
    assert not others.retry
    with pytest.raises(ValueError, match="non-empty"):
        WriteErrors([])


# --- cancelled directly ---------------------------------------------------------------------------


@pytest.mark.parametrize("loop", ASYNCIO)
@pytest.mark.parametrize("times", [1, 2, 7, 30])
def test_a_commit_that_others_cancel_is_called_until_it_gets_through(loop: str, times: int) -> None:
    async def body() -> None:
        app, left = App(), times

        async def commit(settlement: Settlement) -> None:
            nonlocal left
            task = asyncio.current_task()
            assert task is not None
            if left:
                left -= 1
                asyncio.get_running_loop().call_soon(task.cancel)
                await asyncio.sleep(3600)
            await app.commit(settlement)

        stream = await committed(commit, commit_attempts=1)
        assert stream.failure is None
        assert len(app.settlements) == 1

    run_on(loop, body)


@pytest.mark.parametrize("loop", ASYNCIO)
def test_one_that_is_cancelled_for_ever_is_reported(loop: str) -> None:
    async def body() -> None:
        async def commit(settlement: Settlement) -> None:
            raise asyncio.CancelledError

        stream = await committed(commit, commit_timeout=0.1)
        assert isinstance(stream.failure.__cause__, asyncio.CancelledError)
        assert "cancelled from elsewhere" in str(stream.failure)

    run_on(loop, body)


def test_one_that_is_cancelled_for_ever_without_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatkit_reducer.supervise.shield._MOST_TIMES", 5)

    async def work() -> None:
        raise asyncio.CancelledError

    async def body() -> None:
        outcome = await run_shielded(work, None)
        assert "5 times" in str(outcome.error)

    asyncio.run(body())


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_commit_that_ends_the_program_is_reported_first(
    loop: str, kind: type[BaseException]
) -> None:
    failures: list[CommitError] = []

    async def commit(settlement: Settlement) -> None:
        raise kind

    async def body() -> None:
        await committed(commit, on_failure=failures.append)

    with pytest.raises(kind):
        run_on(loop, body)
    (failure,) = failures
    assert isinstance(failure.__cause__, kind)


# --- telling ------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
def test_an_asynchronous_hook_is_awaited_whatever_is_cancelled(loop: str) -> None:
    async def body() -> None:
        queue: list[CommitError] = []

        async def on_failure(failure: CommitError) -> None:
            for _ in range(3):
                await anyio.sleep(0.01)
            queue.append(failure)

        with anyio.CancelScope() as scope:
            app = App(errors=[OSError()] * 4)
            stream = supervise(
                app.answer(BEGUN), app.commit, policy=policies.KEEP, on_failure=on_failure
            )
            async with stream:
                async for _ in stream:
                    scope.cancel()
        assert queue == [stream.failure]

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_hook_that_hangs_is_bounded_and_logged(
    loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def on_failure(failure: CommitError) -> None:
        await anyio.sleep(3600)

    async def body() -> None:
        app = App(errors=[OSError("disk full")])
        await committed(app.commit, commit_attempts=1, commit_timeout=0.05, on_failure=on_failure)

    run_on(loop, body)
    assert "`on_failure` failed itself" in caplog.text
    assert "disk full" in caplog.text


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("error", [KeyError("queue"), asyncio.CancelledError(), Exception(SECRET)])
def test_a_hook_that_fails_is_logged(
    loop: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def on_failure(failure: CommitError) -> None:
        raise error

    async def body() -> None:
        app = App(errors=[OSError("disk full")])
        await committed(app.commit, commit_attempts=1, commit_timeout=0.05, on_failure=on_failure)

    run_on(loop, body)
    assert "`on_failure` failed itself" in caplog.text
    assert "add a, add b, add c" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "said", [SECRET, f"[parameters: ({SECRET!r})]", f"input_value='...{SECRET[4:20]}..."]
)
def test_an_error_that_quotes_the_conversation_is_not_logged(
    loop: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        stream = await committed(App(errors=[ValueError(said)]).commit, commit_attempts=1)
        assert SECRET[5:18] not in str(stream.failure)
        assert said in str(stream.failure.__cause__)

    run_on(loop, body)
    assert "ValueError" in caplog.text
    assert SECRET[5:18] not in caplog.text
    assert "in commit" in caplog.text  # where it was raised


def test_a_report_that_fails_is_the_end_of_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def report(*_: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr("chatkit_reducer.supervise.commit.committer.report", report)

    async def body() -> None:
        stream = await committed(App(errors=[OSError()]).commit, commit_attempts=1)
        assert stream.failure is not None

    asyncio.run(body())
    assert "to report that failed" in caplog.text


# --- printing -------------------------------------------------------------------------------------


class Unprintable:
    def __repr__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize("loop", LOOPS)
def test_a_failure_can_be_printed_whatever_the_items_hold(
    loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    events = [
        added(message("good")),
        text_delta("good", "fine"),
        ThreadItemAdded({"id": "bad", "type": "odd", "x": Unprintable()}),
        ThreadItemAdded({"id": "x\n\ud800" + "y" * 1000, "type": "odd"}),
    ]

    async def commit(settlement: Settlement) -> None:
        raise WriteErrors([(Write("add", {"id": Unprintable()}), OSError(SECRET))])

    async def body() -> None:
        stream = supervise(App().answer(events), commit, policy=NO_MARKER, commit_attempts=1)
        await drain(stream)
        assert stream.failure is not None
        str(stream.failure).encode()
        assert "CommitError" in repr(stream.failure)

        app = App(errors=[OSError()])
        stream = supervise(App().answer(events), app.commit, policy=NO_MARKER, commit_attempts=1)
        await drain(stream)
        assert "add good, add bad" in str(stream.failure)
        assert len(str(stream.failure)) < 1000
        str(stream.failure).encode()

    run_on(loop, body)
    assert "Traceback" in caplog.text


# --- an item that holds a value that is not JSON --------------------------------------------------


def endless() -> dict[str, Any]:
    holder: dict[str, Any] = {}
    holder["self"] = holder
    return holder


class Sealed:
    """A value that is not JSON, and that Python shows in its own way."""

    def __repr__(self) -> str:
        return "<sealed>"


NOT_JSON = [Sealed(), Unprintable(), {("a", "b"): 1}, endless(), [[Sealed()]], 1j]


def with_a_bad_item(value: object) -> list[Any]:
    bad = {**message("bad", "kept"), "extra": {"value": value}}
    return [added(message("a")), text_delta("a", "fine"), ThreadItemAdded(bad), *THREE[-2:]]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("value", NOT_JSON, ids=lambda value: type(value).__name__)
def test_an_item_that_is_not_json_does_not_keep_the_others_back(loop: str, value: object) -> None:
    """A commit that writes all or nothing: a transaction with one statement for each write."""
    told: list[CommitError] = []
    rows: list[str] = []

    async def commit(settlement: Settlement) -> None:
        rows[:] = [json.dumps(write.item, allow_nan=False) for write in settlement.writes]

    async def body() -> None:
        stream = supervise(
            App().answer(with_a_bad_item(value)), commit, policy=NO_MARKER, on_failure=told.append
        )
        await drain(stream)
        assert [json.loads(row)["id"] for row in rows] == ["a", "c"]
        assert told == [stream.failure]

    run_on(loop, body)
    (failure,) = told
    assert ids(failure) == ["bad"]
    (write,) = failure.unwritten
    assert write.item["content"][0]["text"] == "kept"
    json.dumps(write.item)  # it can be kept elsewhere
    assert "Not written, or not all of it: add bad." in str(failure)
    assert isinstance(failure.__cause__, WriteErrors)
    (error,) = failure.__cause__.exceptions
    assert isinstance(error, EncodeError)
    assert str(error) == write.problem


@pytest.mark.parametrize("loop", LOOPS)
def test_an_item_that_is_not_json_is_reported_with_those_that_fail(loop: str) -> None:
    events = with_a_bad_item(Sealed())

    async def body() -> None:
        stream = supervise(App().answer(events), failing(("a",), ("a",)), policy=NO_MARKER)
        await drain(stream)
        assert ids(stream.failure) == ["bad"]  # "a" is written at the third attempt

        stream = supervise(App().answer(events), failing(("a",), retry=False), policy=NO_MARKER)
        await drain(stream)
        assert sorted(ids(stream.failure)) == ["a", "bad"]

        app = App(errors=[OSError("gone")])
        stream = supervise(App().answer(events), app.commit, policy=NO_MARKER, commit_attempts=1)
        await drain(stream)
        assert ids(stream.failure) == ["a", "bad", "c"]

    run_on(loop, body)


def test_what_can_be_written_as_json_is_written() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    extra = {"nan": float("nan"), "at": moment, 1: (2, 3)}
    events = [ThreadItemAdded({**message("m", "text"), "extra": extra})]
    settlement = settle(fold(events), policy=NO_MARKER, cause="cancelled")
    assert settlement.unwritable == ()
    (write,) = settlement.writes
    assert write.item["extra"] == {"nan": None, "at": "2026-01-02T00:00:00Z", "1": [2, 3]}


def test_an_item_that_is_nested_deeply_is_written() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    odd = {"id": "odd", "type": "odd", "deep": [deep]}
    settlement = settle(fold([ThreadItemAdded(odd)]), policy=policies.KEEP, cause="ended")
    assert settlement.unwritable == ()
    deep.append(Sealed())
    settlement = settle(
        fold([ThreadItemAdded({**odd, "x": [deep, Sealed()]})]), policy=policies.KEEP, cause="ended"
    )
    assert [write.item["id"] for write in settlement.unwritable] == ["odd"]
    assert settlement.writes == ()


def test_a_failure_without_a_settlement() -> None:
    failure = CommitError(None)
    assert failure.unwritten == ()
    assert "cannot be settled. Nothing of it was written" in str(failure)
    failure.__cause__ = KeyError("policy")
    assert "KeyError: 'policy'" in str(failure)


class Broken:
    """A settlement whose items cannot be read, and verdicts of which one can."""

    cause = "ended"

    def __init__(self, *verdicts: Any) -> None:
        self.verdicts = verdicts

    @property
    def all_writes(self) -> tuple[Write, ...]:
        raise TypeError


def test_of_items_that_cannot_be_written_the_others_are_named() -> None:
    class Bad:
        def __init__(self, item_id: str, stored: object) -> None:
            self.item = SimpleNamespace(id=item_id, type="odd")
            self.stored = stored

        @property
        def write(self) -> Write:
            raise TypeError

    good = SimpleNamespace(write=Write("save", {"id": "good"}))
    none = SimpleNamespace(write=None)
    settlement: Any = Broken(good, none, Bad("new", None), Bad("old", object()))
    failure = CommitError(settlement)
    assert named(failure.unwritten) == "save good, add new, save old"
    assert "save good, add new, save old" in str(failure)


def test_errors_in_words() -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    assert described(OddError(), []) == "OddError"
    assert described(OSError(), ["disk full"]) == "OSError"
    assert described(OSError("disk full"), ["full"]) == "OSError"
    assert described(OSError("disk full"), ["a", "the", "full moon", "x" * 100]) == (
        "OSError: disk full"
    )
    assert described(OSError("\ud800"), []) == "OSError: \\ud800"
    assert discloses("it says 'one two three four'", ["zero one two three four five"])
    assert not discloses("it says 'one two'", ["zero one two three four five"])
    assert named([Write("add", {})]) == "add (NoneType)"


def test_texts_are_what_was_said() -> None:
    item = message("m", "hello")
    item["content"].append({"type": "output_text", "text": "world", "annotations": [1]})
    writes = [Write("add", item), Write("add", {"id": "x", "t": ("tuple",)})]
    assert sorted(texts_of(None, writes)) == ["hello", "tuple", "world"]


# --- the last line of defence ---------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
def test_a_stream_that_cannot_be_settled_is_reported(
    loop: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        app = App()
        failures: list[CommitError] = []
        stream = supervise(
            app.answer(BEGUN), app.commit, policy=policies.KEEP, on_failure=failures.append
        )
        monkeypatch.setattr("chatkit_reducer.supervise.commit.committer.settle", broken)
        assert await drain(stream) == BEGUN
        assert failures == [stream.failure]
        assert stream.settlement is None
        assert stream.failure is not None
        assert stream.failure.settlement is None
        assert "ZeroDivisionError" in str(stream.failure)
        assert stream.corrections == ()
        monkeypatch.undo()

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("without", ["stored", "marker_id"])
def test_what_cannot_be_settled_with_all_that_is_known_is_settled_with_less(
    loop: str, without: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from chatkit_reducer.supervise.commit import committer

    whole = settle

    def picky(*args: Any, **options: Any) -> Settlement:
        if without in options:
            raise ZeroDivisionError
        return whole(*args, **options)

    async def load(item_id: str) -> None: ...

    async def body() -> None:
        app = App()
        stream = supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP, load=load)
        with monkeypatch.context() as patched:
            patched.setattr(committer, "settle", picky)
            async for event in stream:
                if event is BEGUN[-1]:
                    stream.stop()
        assert app.texts == ["one two "]

    run_on(loop, body)
    assert "ZeroDivisionError" in caplog.text


POISON: list[Any] = [
    text_delta("m", None),  # type: ignore[arg-type]  # the last chunk of many models
    text_delta("m", 5),  # type: ignore[arg-type]
    text_delta(5, "x"),  # type: ignore[arg-type]
    text_delta(["m"], "x"),  # type: ignore[arg-type]
    ThreadItemAdded({"id": "p", "type": "assistant_message", "content": [{"text": 5}]}),
    ThreadItemAdded({"id": ["p"], "type": "assistant_message"}),
    ThreadItemAdded([]),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("number", range(len(POISON)))
@pytest.mark.parametrize("place", [1, 2, 3])
def test_an_event_with_insides_of_another_type_takes_no_other_with_it(
    loop: str, number: int, place: int
) -> None:
    events = [*BEGUN[:place], POISON[number], *BEGUN[place:]]

    async def body() -> None:
        app = App()
        stream = supervise(app.answer(events), app.commit, policy=NO_MARKER)
        assert await drain(stream) == events
        assert app.texts[:1] == ["one two "]

    run_on(loop, body)


@given(
    place=st.integers(1, 700), length=st.integers(1, 700), number=st.integers(0, len(POISON) - 1)
)
@settings(max_examples=50)
def test_an_event_with_insides_of_another_type_anywhere_in_a_long_stream(
    place: int, length: int, number: int
) -> None:
    """Events are folded in portions: the one that fails may be the first or last of one."""
    good: list[Any] = [BEGUN[0], *[text_delta("m", "x") for _ in range(length)]]
    events = [*good[:place], POISON[number], *good[place:]]

    async def body() -> None:
        app = App()
        await drain(supervise(app.answer(events), app.commit, policy=NO_MARKER))
        assert app.texts[:1] == ["x" * length]

    asyncio.run(body())
