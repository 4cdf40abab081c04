"""`supervise`: what it is given is checked at once, and nothing can make a stream hang later."""

from __future__ import annotations

import asyncio
import functools
import math
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from chatkit_reducer import Settlement, policies
from chatkit_reducer.supervise import MarkerFields, supervise
from chatkit_reducer.supervise.checks import (
    check_json,
    check_no_argument,
    check_one_argument,
    check_seconds,
)
from tests.support.supervised import BEGUN, LOOPS, App, drain, run_on

TIMES = [
    "timeout",
    "idle_timeout",
    "close_timeout",
    "load_timeout",
    "commit_timeout",
    "journal_timeout",
]


async def events() -> AsyncIterator[Any]:
    for event in BEGUN:
        yield event


async def commit(settlement: Settlement) -> None: ...


def make(**options: Any) -> Any:
    options = {"events": events(), "commit": commit, "policy": policies.KEEP, **options}
    return supervise(options.pop("events"), options.pop("commit"), **options)


# --- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", ["5", True, 1j, [1], object()])
def test_a_time_that_is_no_number(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"expected {name} to be a .*number of seconds.* or None"):
        make(**{name: value})


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", [-1, -0.1, math.nan, -math.inf])
def test_a_time_that_is_none(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"expected {name} to be a .*number of seconds.* or None"):
        make(**{name: value})


@pytest.mark.parametrize("name", ["load_timeout", "commit_timeout", "journal_timeout"])
def test_a_time_that_leaves_none(name: str) -> None:
    with pytest.raises(ValueError, match=f"expected {name} to be a positive number of seconds"):
        make(**{name: 0})


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("value", [None, math.inf, 30])
def test_no_time_is_no_limit_everywhere(loop: str, value: float | None) -> None:
    async def body() -> None:
        app = App(0.01)
        times: dict[str, Any] = dict.fromkeys(TIMES, value)

        async def load(item_id: str) -> None: ...

        stream = supervise(app.answer(BEGUN), app.commit, policy=policies.KEEP, load=load, **times)
        assert await drain(stream) == BEGUN
        assert app.texts == ["one two "]
        assert stream.failure is None

    run_on(loop, body)


def test_seconds() -> None:
    assert check_seconds("t", None) is None
    assert check_seconds("t", math.inf) is None
    assert check_seconds("t", 10**400) is None
    assert check_seconds("t", 0) == 0.0
    assert check_seconds("t", 3, positive=True) == 3.0


@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (-1, ValueError), (True, TypeError), (2.0, TypeError)]
)
def test_attempts_are_counted(value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="commit_attempts must be"):
        make(commit_attempts=value)


# --- functions ------------------------------------------------------------------------------------


async def generates(_: object) -> AsyncIterator[None]:
    yield


def iterates(_: object) -> Any:
    yield


def two(_: object, __: object) -> None: ...


@pytest.mark.parametrize("name", ["commit", "load", "convert", "on_failure", "deliver"])
@pytest.mark.parametrize(
    ("value", "match"),
    [
        (7, "must be a function, got int"),
        ("commit", "must be a function, got str"),
        (lambda: None, "must be a function of one argument"),
        (two, "must be a function of one argument"),
        (iterates, "must be a function, got the generator function"),
        (generates, "must be a function, got the async generator function"),
    ],
)
def test_what_is_no_function_of_one_argument(name: str, value: object, match: str) -> None:
    with pytest.raises(TypeError, match=f"{name} {match}"):
        make(**{name: value})


@pytest.mark.parametrize("name", ["commit", "load"])
def test_a_class_would_only_be_made(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a function, got the class"):
        make(**{name: App})
    make(deliver=dict, convert=dict)


@pytest.mark.parametrize("name", ["convert", "deliver"])
def test_what_nobody_awaits_must_not_be_asynchronous(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a plain function.*remove the `async`"):
        make(**{name: commit})


def test_what_does_not_tell_its_arguments_is_believed() -> None:
    check_one_argument("x", type("C", (), {"__signature__": "?", "__call__": lambda *_: None})())
    check_no_argument("x", datetime.now)


class Committer:
    def __init__(self) -> None:
        self.settlements: list[Settlement] = []

    async def __call__(self, settlement: Settlement) -> None:
        self.settlements.append(settlement)

    def plain(self, settlement: Settlement) -> int:
        self.settlements.append(settlement)
        return 1

    async def named(self, settlement: Settlement, *, table: str) -> None:
        assert table == "items"
        self.settlements.append(settlement)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("kind", ["object", "plain", "partial", "lambda", "future"])
def test_commits_that_are_no_coroutine_functions(loop: str, kind: str) -> None:
    if kind == "future" and loop == "trio":
        pytest.skip("a future of asyncio")
    app = Committer()

    def into_future(settlement: Settlement) -> Any:
        return asyncio.ensure_future(app(settlement))

    commits: dict[str, Any] = {
        "object": app,
        "plain": app.plain,
        "partial": functools.partial(app.named, table="items"),
        "lambda": lambda settlement: app.named(settlement, table="items"),
        "future": into_future,
    }

    async def body() -> None:
        stream = supervise(events(), commits[kind], policy=policies.KEEP)
        await drain(stream)
        assert stream.failure is None
        assert len(app.settlements) == 1

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("function", [iterates, generates])
def test_a_commit_that_returns_a_generator_has_done_nothing(loop: str, function: Any) -> None:
    def iter_later(settlement: Settlement) -> Any:
        return function(settlement)

    async def body() -> None:
        stream = supervise(events(), iter_later, policy=policies.KEEP, commit_attempts=1)
        await drain(stream)
        assert stream.failure is not None
        assert isinstance(stream.failure.__cause__, TypeError)
        assert "has done nothing" in str(stream.failure)

    run_on(loop, body)


# --- the rest -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"events": [1]}, "events must be an async iterable, not list: make an async generator"),
        ({"events": 1}, "events must be an async iterable, not int: call the generator"),
        ({"state": []}, "state must be a ThreadState, got list: .* from_items"),
        ({"state": {}}, "state must be a ThreadState, got dict"),
        ({"marker": {}}, "marker must be MarkerFields, got dict"),
        ({"own_task": "no"}, "expected own_task to be True or False, got str 'no'"),
        ({"own_task": None}, "expected own_task to be True or False, got NoneType"),
        ({"policy": None}, "policy must be a Policy"),
    ],
)
def test_other_types(options: dict[str, Any], match: str) -> None:
    with pytest.raises(TypeError, match=match.replace(" from_items", "ThreadState.from_items")):
        make(**options)


def test_a_coroutine_is_to_be_awaited() -> None:
    async def answer() -> AsyncIterator[Any]:
        return events()

    coroutine = answer()
    with pytest.raises(TypeError, match="not coroutine: await it first"):
        make(events=coroutine)
    coroutine.close()


# --- the marker -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "error", "match"),
    [
        ({"new_id": "x"}, TypeError, "MarkerFields.new_id must be a function, got str"),
        ({"new_id": commit}, TypeError, "MarkerFields.new_id must be a function of no argument"),
        ({"now": 7}, TypeError, "MarkerFields.now must be a function, got int"),
        ({"thread_id": 7}, TypeError, "MarkerFields.thread_id must be a string, got int"),
        ({"content": object()}, TypeError, r"MarkerFields.content must be plain JSON, got object"),
        ({"content": {"a": [1, {2}]}}, TypeError, r"MarkerFields.content.a\[1\] must be plain"),
        ({"content": {1: 2}}, TypeError, "MarkerFields.content must have strings as keys, got 1"),
        ({"content": [math.nan]}, ValueError, r"content\[0\] must be plain JSON, got nan"),
        ({"content": "\ud800"}, ValueError, "half of a surrogate pair"),
    ],
)
def test_a_marker_of_other_types(fields: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        MarkerFields(**fields)


def test_a_marker_function_must_not_be_asynchronous() -> None:
    async def new_id() -> str:
        return "x"

    with pytest.raises(TypeError, match=r"MarkerFields\.new_id must be a plain function"):
        MarkerFields(new_id=new_id)  # type: ignore[arg-type]


def test_plain_json() -> None:
    check_json("x", {"a": [1, 2.5, None, True, "text"], "b": {}})


IDS: list[tuple[Any, str]] = [
    (lambda: uuid.UUID(int=7), str(uuid.UUID(int=7))),
    (lambda: 7, "7"),
    (lambda: "x", "x"),
]
TIME = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("new_id", "expected"), IDS)
def test_ids_and_times_of_other_types_become_text(loop: str, new_id: Any, expected: str) -> None:
    async def body() -> None:
        app = App()
        marker = MarkerFields(new_id=new_id, now=lambda: TIME)
        async with supervise(events(), app.commit, policy=policies.SDK, marker=marker) as stream:
            stream.stop()
        (write,) = app.settlement.writes
        assert write.item["id"] == expected
        assert write.item["created_at"] == TIME.isoformat()

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_uuid4_and_datetime_now_are_what_people_pass(loop: str) -> None:
    async def body() -> None:
        app = App()
        marker = MarkerFields(new_id=uuid.uuid4, now=datetime.now)
        async with supervise(events(), app.commit, policy=policies.SDK, marker=marker) as stream:
            stream.stop()
        (write,) = app.settlement.writes
        assert str(uuid.UUID(write.item["id"])) == write.item["id"]
        assert (
            datetime.fromisoformat(write.item["created_at"]).isoformat()
            == (write.item["created_at"])
        )

    run_on(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("value", [None, "", True, object(), b"x", 2.5, "\ud800"])
@pytest.mark.parametrize("name", ["new_id", "now"])
def test_a_marker_without_id_or_time_is_left_out(
    loop: str, name: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        app = App()
        marker = MarkerFields(**{name: lambda: value})  # type: ignore[arg-type]
        stream = supervise(events(), app.commit, policy=policies.KEEP, marker=marker)
        async for event in stream:
            if event is BEGUN[1]:
                stream.stop()
        assert app.texts == ["one "]
        assert [write.item["id"] for write in app.settlement.writes] == ["m"]

    run_on(loop, body)
    assert "The marker has no id or no time" in caplog.text


@pytest.mark.parametrize("loop", LOOPS)
def test_a_marker_function_that_ends_the_program(loop: str) -> None:
    """It is reported, and raised, and nothing hangs."""
    if loop == "uvloop":
        pytest.skip("the same as asyncio")

    def new_id() -> str:
        raise SystemExit

    app = App()
    failures: list[Any] = []

    async def body() -> None:
        stream = supervise(
            events(),
            app.commit,
            policy=policies.KEEP,
            marker=MarkerFields(new_id=new_id),
            on_failure=failures.append,
        )
        async with stream:
            stream.stop()

    with pytest.raises(SystemExit):
        run_on(loop, body)
    assert len(failures) == 1
