"""The life of a supervised stream: the table, and streams to which anything is done."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextvars import Context, copy_context
from itertools import product
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_reducer.core.policy.table import Cause
from chatkit_reducer.events import Event
from chatkit_reducer.supervise import Supervised, supervise
from chatkit_reducer.supervise import _stream as stream
from chatkit_reducer.supervise._life import TRANSITIONS, Action, Effect, Life, Stage
from chatkit_reducer.supervise.tasks import event_loop
from tests.support.supervised import BEGUN, NO_MARKER, App, eventually

# --- the table ------------------------------------------------------------------------------------


def test_what_can_happen_in_which_stage() -> None:
    table = {(stage, action): step.effect for (stage, action), step in TRANSITIONS.items()}
    nothing, interrupt, settle, join = Effect
    assert table == {
        (Stage.CREATED, Action.ASK): nothing,
        (Stage.CREATED, Action.STOP): interrupt,
        (Stage.CREATED, Action.CLOSE): settle,
        (Stage.WAITING, Action.GIVE): nothing,
        (Stage.WAITING, Action.STOP): interrupt,
        (Stage.WAITING, Action.CLOSE): join,
        (Stage.WAITING, Action.LEAVE): settle,
        (Stage.SENDING, Action.ASK): nothing,
        (Stage.SENDING, Action.STOP): interrupt,
        (Stage.SENDING, Action.CLOSE): settle,
        (Stage.SENDING, Action.LEAVE): settle,
        (Stage.SETTLING, Action.ASK): join,
        (Stage.SETTLING, Action.STOP): nothing,
        (Stage.SETTLING, Action.CLOSE): join,
        (Stage.SETTLING, Action.LEAVE): join,
        (Stage.SETTLING, Action.FINISH): nothing,
        (Stage.SETTLED, Action.ASK): join,
        (Stage.SETTLED, Action.STOP): nothing,
        (Stage.SETTLED, Action.CLOSE): nothing,
        (Stage.SETTLED, Action.LEAVE): nothing,
    }


def test_to_settle_is_the_one_way_into_settling_and_to_finish_the_one_way_out() -> None:
    for (stage, action), step in TRANSITIONS.items():
        enters = stage is not Stage.SETTLING and step.to is Stage.SETTLING
        assert enters == (step.effect is Effect.SETTLE)
        leaves = stage is Stage.SETTLING and step.to is not Stage.SETTLING
        assert leaves == (action is Action.FINISH)
        if stage is Stage.SETTLED:
            assert step.to is Stage.SETTLED


def test_every_stage_is_reached_and_left_towards_settled() -> None:
    reached = {Stage.CREATED}
    for _ in Stage:
        reached |= {step.to for (stage, _), step in TRANSITIONS.items() if stage in reached}
    assert reached == set(Stage)


@pytest.mark.parametrize(
    ("stage", "action"), sorted(set(product(Stage, Action)) - set(TRANSITIONS))
)
def test_what_cannot_happen_raises(stage: Stage, action: Action) -> None:
    life = Life()
    life.stage = stage
    with pytest.raises(RuntimeError, match=f"a stream that is {stage} cannot {action}"):
        life.act(action)
    assert life.stage is stage


class WatchedLife(Life):
    """A life that knows the table, also where the loop of a stream does not look into it."""

    __slots__ = ("_stage", "steps")

    def __init__(self) -> None:
        self._stage = Stage.CREATED
        self.steps: Counter[tuple[Stage, Stage]] = Counter()

    @property  # it stands for the attribute
    def stage(self) -> Stage:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._stage

    @stage.setter
    def stage(self, stage: Stage) -> None:
        allowed = {step.to for (old, _), step in TRANSITIONS.items() if old is self._stage}
        assert stage in allowed
        self.steps[self._stage, stage] += 1
        self._stage = stage


# --- anything, in any order -----------------------------------------------------------------------

CONSUMER = ["ask", "raise in", "close iterator", "close", "iterate again", "drop", "sleep"]
OTHERS = ["stop", "close elsewhere", "cancel", "cancel twice", "wait"]
ACTIONS = [*CONSUMER, *OTHERS]
PRODUCERS = [
    "steady",
    "waits",
    "fails",
    "swallows",
    "has a scope",
    "closes slowly",
    "fails to close",
]


async def produced(kind: str) -> AsyncIterator[Event]:
    if kind == "has a scope":
        with anyio.CancelScope():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.sleep, 3600)
                for event in BEGUN:
                    yield event
                tasks.cancel_scope.cancel()
        return
    try:
        for number, event in enumerate(BEGUN):
            await anyio.lowlevel.checkpoint()
            yield event
            if kind == "waits" and number:
                await anyio.sleep(3600)
            if kind == "fails" and number:
                raise KeyError("model")
            if kind == "swallows":
                with contextlib.suppress(anyio.get_cancelled_exc_class()):
                    await anyio.sleep(0.002)
    finally:
        if kind == "closes slowly":
            await anyio.sleep(0.003)
        if kind == "fails to close":
            raise OSError("socket")


class Consumer:
    """A consumer that does what it is told, in a task of its own, with a block or without."""

    def __init__(self, stream: Supervised[Any], *, in_block: bool) -> None:
        self._stream = stream
        self._block: Any = stream if in_block else contextlib.nullcontext()
        self._events: Any = None
        self._orders: list[str] = []
        self._ordered = anyio.Event()
        self.scope = anyio.CancelScope()
        self.task: asyncio.Task[Any] | None = None
        self.has_ended = False

    def tell(self, order: str) -> None:
        self._orders.append(order)
        self._ordered.set()

    def cancel(self, *, twice: bool) -> None:
        if self.task is None or self.has_ended:
            self.scope.cancel()
        else:
            self.task.cancel()
            if twice:
                self.task.cancel()

    async def run(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.task = asyncio.current_task()
        try:
            with self.scope:
                async with self._block:
                    while True:
                        await self._ordered.wait()
                        self._ordered = anyio.Event()
                        while self._orders:
                            if (order := self._orders.pop(0)) == "end":
                                return
                            await self._obey(order)
        except (asyncio.CancelledError, OSError, KeyError, TimeoutError):
            pass
        finally:
            self.has_ended = True
            self._events = None

    async def _obey(self, order: str) -> None:
        stream = self._stream
        if order == "iterate again":
            if stream._generator is None:
                self._events = aiter(stream)
            with pytest.raises(RuntimeError, match="once"):
                aiter(stream)
        elif order == "close":
            await stream.aclose(Cause.FAILED)
        elif order == "sleep":
            await anyio.sleep(0.004)
        elif order == "drop":
            self._events = None
            gc.collect(0)
        elif self._events is None and stream._generator is not None:
            return
        else:
            if self._events is None:
                self._events = aiter(stream)
            await self._use_events(order)

    async def _use_events(self, order: str) -> None:
        if order == "ask":
            with contextlib.suppress(StopAsyncIteration, KeyError):
                await anext(self._events)
        elif order == "raise in":
            with contextlib.suppress(ConnectionError, StopAsyncIteration):
                await self._events.athrow(ConnectionError("client"))
        else:
            await self._events.aclose()


async def do_it_all(actions: list[str], kind: str, *, in_block: bool, **options: Any) -> App:
    app = App(0.001)
    supervised = supervise(produced(kind), app.commit, policy=NO_MARKER, close_timeout=2, **options)
    life = supervised._life
    consumer = Consumer(supervised, in_block=in_block)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(consumer.run)
        await anyio.lowlevel.checkpoint()
        for action in actions:
            await do(action, supervised, consumer)
        consumer.tell("end")
        await anyio.sleep(0.005)
        consumer.scope.cancel()  # it may wait for a producer that waits
    if not in_block:
        if life.stage is Stage.CREATED:
            await supervised.aclose()
        gc.collect()
        await eventually(lambda: life.stage is Stage.SETTLED)
    assert life.stage is Stage.SETTLED
    assert supervised.failure is None
    return app


async def do(action: str, supervised: Supervised[Any], consumer: Consumer) -> None:
    if action in CONSUMER:
        consumer.tell(action)
    elif action == "stop":
        supervised.stop()
    elif action == "close elsewhere":
        spawn(supervised.aclose, copy_context(), "closer")
    elif action == "wait":
        await anyio.sleep(0.006)
    else:
        consumer.cancel(twice=action == "cancel twice")
    for _ in range(3):
        await anyio.lowlevel.checkpoint()


def spawn(work: Any, context: Context, name: str) -> None:
    event_loop().spawn(work, context, name)


def run(actions: list[str], kind: str, loop: str, **options: Any) -> None:
    async def body() -> None:
        living = living_tasks(loop)
        with anyio.fail_after(20):
            app = await do_it_all(actions, kind, **{"in_block": True, **options})
        assert app.log == ["commit", "committed"]
        await eventually(lambda: living_tasks(loop) <= living)

    anyio.run(body, backend=loop)


def living_tasks(loop: str) -> int:
    if loop == "asyncio":
        return len(asyncio.all_tasks())
    from trio.lowlevel import current_statistics

    return current_statistics().tasks_living


@pytest.fixture(autouse=True, scope="module")
def _watched_lives() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stream, "Life", WatchedLife)
        yield


@pytest.mark.filterwarnings(
    "ignore:Async generator:ResourceWarning"
)  # Trio, of one that is dropped
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("first", ACTIONS)
def test_all_pairs_of_actions(first: str, loop: str) -> None:
    for second, begun in product(ACTIONS, [[], ["ask"], ["ask", "ask"]]):
        actions = [*begun, first, second]
        run(actions, "waits", loop)


@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@given(
    actions=st.lists(st.sampled_from(ACTIONS), max_size=8),
    kind=st.sampled_from(PRODUCERS),
    loop=st.sampled_from(["asyncio", "trio"]),
    options=st.fixed_dictionaries(
        {
            "own_task": st.booleans(),
            "timeout": st.sampled_from([None, None, 0, 0.003]),
            "in_block": st.booleans(),
        }
    ),
)
@example(["ask", "close elsewhere", "ask"], "closes slowly", "asyncio", {})
@example(["ask", "drop"], "steady", "asyncio", {"in_block": False})
@example(["ask", "sleep"], "steady", "trio", {"timeout": 0.003})
def test_whatever_is_done_to_a_stream_it_is_committed_once_and_ends(
    actions: list[str], kind: str, loop: str, options: dict[str, Any]
) -> None:
    if loop == "trio":  # it closes what is dropped under a cancelled scope, and complains
        options["in_block"] = True
    if kind == "has a scope":  # else, only the consumer itself can leave that
        options["own_task"] = True
    run(actions, kind, loop, **options)
