"""`check_commit`: the contract of a store that a settlement is written to."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import attrs

from chatkit_reducer import policies
from chatkit_reducer.comparison import differences, path_text
from chatkit_reducer.events import Json
from chatkit_reducer.json_values import json_copy
from chatkit_reducer.policy import Policy
from chatkit_reducer.settlement import Settlement, settle
from chatkit_reducer.testing import examples
from chatkit_reducer.testing.checks._cuts import (
    Cut,
    CutKind,
    commit_cut_off,
    commit_whole,
)
from chatkit_reducer.testing.checks._examples import for_all
from chatkit_reducer.testing.checks._words import advice, item_line, message

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from chatkit_reducer.testing.strategies import StoppedStream

__all__ = ["StoreUnderTest", "check_commit"]


class StoreUnderTest(Protocol):
    """What `check_commit` needs of a store: three methods, each of them asynchronous or not."""

    def put(self, items: list[Json], /) -> Any:
        """Fills the store, which is empty, with these items of one thread, in order."""
        ...

    def commit(self, settlement: Settlement, /) -> Any:
        """Writes what the settlement says: what is tested."""
        ...

    def items(self) -> Any:
        """All items of the thread in order, as plain ChatKit JSON, or an awaitable of them."""
        ...


Store: TypeAlias = (
    StoreUnderTest
    | AbstractContextManager[StoreUnderTest]
    | AbstractAsyncContextManager[StoreUnderTest]
)


def check_commit(
    make_store: Callable[[], Store | Awaitable[Store]],
    *,
    policy: Policy = policies.KEEP,
    stops: SearchStrategy[StoppedStream] | None = None,
    atomic: bool = False,
    settlements: int = 50,
) -> None:
    """Tries whether a store keeps to the contract of `commit(settlement)`.

        def test_our_store():
            check_commit(lambda: SqliteStore(":memory:"))

    Afterwards it holds what the settlement says: what is new is at the end, what it had is in its
    place, and the rest is as it was. To commit a second time changes nothing. And a commit that
    failed or was cancelled in the middle, at each of its writes and at each point at which it
    waits, is made good when it is called again.

    Args:
        make_store: makes an empty store; called inside of the event loop. If it gives a context
            manager, that is entered, and left when the store is not needed any more.
        policy: what is decided about the items. `KEEP` makes the most writes.
        stops: the streams that are settled; short ones if left out, with types and fields that
            nobody knows. For a store that cannot keep these:
            `strategies.stops(streams=strategies.streams(unknown=False))`.
        atomic: whether a commit that fails must leave all as it was, even before it is called
            again.
        settlements: how many are tried.

    Raises:
        AssertionError: the store does not keep to it; it shows the smallest settlement.
    """
    from chatkit_reducer.testing import strategies

    # Few updates: the contract is about items, and a short stream is found faster.
    streams = strategies.streams(max_items=3, max_updates=2)
    values = strategies.stops(streams=streams) if stops is None else stops
    cases = values.map(partial(_case, policy=policy))
    if stops is None:
        cases = cases.filter(_writes_something)  # most of them do not
    check = partial(_check, make_store=make_store, atomic=atomic)
    try:
        for_all(cases, check, settlements)
    except _Broken as broken:
        raise AssertionError(str(broken)) from broken.__cause__


def _check(case: _Case, *, make_store: Callable[[], Any], atomic: bool) -> None:
    asyncio.run(_try_everywhere(case, make_store, atomic=atomic))


# --- what a store is given, and what it should hold -----------------------------------------------


@attrs.frozen
class _Case:
    """A store before a commit, what it is to commit, and what it holds then."""

    before: list[Json]
    settlement: Settlement
    after: list[Json]


_MARKER = {"marker_id": "marker_1", "marker_time": "2025-01-01T00:00:00", "thread_id": "thr_1"}


# No settlement is about these, so that one sees whether they stay as they are, and where they are.
_FIRST = examples.item("bystander_1", "task", task=examples.task("Wait", status="loading"))
_LAST = examples.item("bystander_2", "end_of_turn")


def _case(stop: StoppedStream, *, policy: Policy) -> _Case:
    content = {} if policy.marker is None or policy.marker.content else {"marker_content": "left"}
    settlement = settle(
        stop.state, policy=policy, cause=stop.cause, delivered=stop.delivered, **_MARKER, **content
    )
    before = [_FIRST, *_stored_in(stop), _LAST]
    after = {item["id"]: item for item in before}
    after.update((write.item["id"], write.item) for write in settlement.writes)
    return _Case(before, settlement, [json_copy(item) for item in after.values()])


def _writes_something(case: _Case) -> bool:
    return bool(case.settlement.writes)


def _stored_in(stop: StoppedStream) -> Iterator[Json]:
    """What the store had before the commit: of what is being changed the copy from before."""
    state = stop.delivered
    for item_id, item in state.items.items():
        if item_id in state.bases:
            yield state.bases[item_id].to_json()
        elif item_id not in state.pending:
            yield item.to_json()


# --- one settlement, committed in all ways --------------------------------------------------------


async def _try_everywhere(case: _Case, make_store: Callable[[], Any], *, atomic: bool) -> None:
    waits = await _twice(case, make_store)
    for number in range(1, len(case.settlement.writes) + 1):
        await _cut_off(case, make_store, Cut(CutKind.FAILING_WRITE, number), atomic=atomic)
    for number in range(1, waits + 1):
        for kind in (CutKind.EXCEPTION, CutKind.CANCELLATION):
            await _cut_off(case, make_store, Cut(kind, number), atomic=atomic)


async def _twice(case: _Case, make_store: Callable[[], Any]) -> int:
    """Commits two times; how often the first one waited for something."""
    async with _filled(make_store, case) as store:
        when = "after a commit"
        waits = await _commit(store, case, when)
        await _check_holds_all(store, case, when)
        when = "after the same commit a second time"
        await _commit(store, case, when)
        await _check_holds_all(store, case, when)
    return waits


async def _cut_off(case: _Case, make_store: Callable[[], Any], cut: Cut, *, atomic: bool) -> None:
    """Commits, is cut off, and commits again."""
    async with _filled(make_store, case) as store:
        when = f"after a commit that {cut}"
        if not await commit_cut_off(store.commit, case.settlement, cut):
            await _check_holds_all(store, case, f"{when}, and told nobody")
        elif atomic:
            await _check_holds_all_or_nothing(store, case, when)
        when += ", and the same commit again"
        await _commit(store, case, when)
        await _check_holds_all(store, case, when)


@asynccontextmanager
async def _filled(make_store: Callable[[], Any], case: _Case) -> AsyncIterator[StoreUnderTest]:
    async with AsyncExitStack() as stack:
        made = await _awaited(make_store())
        if isinstance(made, AbstractAsyncContextManager):
            made = await stack.enter_async_context(made)
        elif isinstance(made, AbstractContextManager):
            made = stack.enter_context(made)
        await _awaited(made.put([json_copy(item) for item in case.before]))
        yield made


async def _awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def _commit(store: StoreUnderTest, case: _Case, when: str) -> int:
    try:
        return await commit_whole(store.commit, case.settlement)
    except Exception as error:
        problem = f"commit raises {type(error).__name__}: {error}"
        raise _Broken(_described(case, [], problem, when, _UPSERT)) from error


async def _items(store: StoreUnderTest) -> list[Json]:
    return [dict(item) for item in await _awaited(store.items())]


async def _check_holds_all(store: StoreUnderTest, case: _Case, when: str) -> None:
    found = await _items(store)
    problem = _problem(case, found)
    if problem is not None:
        raise _Broken(_described(case, found, problem[0], when, problem[1]))


async def _check_holds_all_or_nothing(store: StoreUnderTest, case: _Case, when: str) -> None:
    found = await _items(store)
    if differences(found, case.before) and differences(found, case.after):
        problem = "only a part of the settlement is there"
        raise _Broken(_described(case, found, problem, when, _TRANSACTION))


# --- what is wrong with it ------------------------------------------------------------------------

_UPSERT = (
    "Write an item in the place of the one with its id, and append it only if there is none, "
    "whether the write is an add or a save: INSERT ... ON CONFLICT (id) DO UPDATE does both."
)
_TRANSACTION = (
    "Do all writes in one transaction, take it back if anything is raised, raise that again, and "
    "let a second commit write everything anew."
)
_PLACE = (
    "What is new goes to the end, and what was there keeps its place: an UPDATE keeps it, a delete "
    "and an insert do not, nor does INSERT OR REPLACE. Read the items in that order."
)
_WHOLE = (
    "Keep the whole item, with the fields that you have never heard of. If the store cannot, pass "
    "stops=strategies.stops(streams=strategies.streams(unknown=False))."
)
_UNTOUCHED = "Touch nothing but the items in settlement.writes, and no field of any other."


class _Broken(Exception):  # noqa: N818  # it becomes an AssertionError, see `check_commit`
    """The store does not keep to the contract."""


def _problem(case: _Case, found: list[Json]) -> tuple[str, str] | None:
    """What is wrong with what the store holds, and what to do about it."""
    expected = {item["id"]: item for item in case.after}
    times = Counter(item.get("id") for item in found)
    written = {write.item["id"] for write in case.settlement.writes}
    for item_id in {**expected, **times}:
        named = item_id in written
        if times[item_id] > 1:
            return f"{item_id} is there {times[item_id]} times", _UPSERT
        if item_id not in expected:
            return f"{item_id} is there, and nobody wrote it", _UNTOUCHED
        if not times[item_id]:
            if named:
                return f"{item_id} was to be written, and is not there", _TRANSACTION
            return f"{item_id} is gone, and the settlement does not name it", _UNTOUCHED
    return _problem_with_content(expected, found, written) or _problem_with_order(case, found)


def _problem_with_content(
    expected: dict[str, Json], found: list[Json], written: set[str]
) -> tuple[str, str] | None:
    for item in found:
        different = differences(expected[item["id"]], item)
        if different:
            where = path_text(different[0].path)
            if item["id"] in written:
                return f"{item['id']} is not what was written, at {where}", _WHOLE
            return f"{item['id']} has changed at {where}, and nobody wrote it", _UNTOUCHED
    return None


def _problem_with_order(case: _Case, found: list[Json]) -> tuple[str, str] | None:
    for place, (right, item) in enumerate(zip(case.after, found, strict=True), 1):
        if right["id"] != item["id"]:
            return f"{item['id']} is in place {place}, where {right['id']} should be", _PLACE
    return None


def _described(case: _Case, found: list[Json], problem: str, when: str, what_to_do: str) -> str:
    settlement = case.settlement
    writes = [f"{write.op} {item_line(write.item)}" for write in settlement.writes]
    return message(
        f"The store does not keep to the contract of commit. {when[0].upper()}{when[1:]}, "
        f"{problem}.",
        advice(what_to_do),
        "The smallest example:",
        _listed("The store held", map(item_line, case.before)),
        _listed("The settlement says", writes),
        _listed("The store holds now", map(item_line, found)) if found else "",
    )


def _listed(title: str, lines: Iterable[str]) -> list[str]:
    listed = [f"  {line}" for line in lines]
    return [f"{title}:", *listed] if listed else [f"{title}: nothing"]
