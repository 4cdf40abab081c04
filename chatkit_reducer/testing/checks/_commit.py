"""`check_commit`: the contract of a store that commits settlements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from chatkit_reducer import policies
from chatkit_reducer.core.json_values import json_copy
from chatkit_reducer.core.policy.settlement import Settlement
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.events import Json
from chatkit_reducer.testing._text import advice, item_line, message
from chatkit_reducer.testing.checks._contract import (
    AGAIN,
    AS_IT_COMES,
    FIRST_TIME,
    PLAIN,
    RELEASE,
    TELL,
    UPSERT,
    WAITING,
    half_written,
    problem_with,
    problem_with_put,
)
from chatkit_reducer.testing.checks._examples import for_all
from chatkit_reducer.testing.checks._interruption import (
    AwaitKind,
    Commits,
    Cut,
    CutKind,
    Raised,
    TookTooLong,
)
from chatkit_reducer.testing.checks._policy import check_is_policy
from chatkit_reducer.testing.checks._scenarios import Scenario, fixed_scenarios, scenario_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from chatkit_reducer.testing.strategies import StoppedStream

# pytest then shows the test and the message of the check, and not the inside of the check.
__tracebackhide__: methodcaller = methodcaller("errisinstance", AssertionError)


class StoreUnderTest(Protocol):
    """A store for `check_commit`: three methods, each of them asynchronous or not."""

    def put(self, items: list[Json], /) -> Any:
        """Fill the store, which is empty, with these items of one thread, in order."""
        ...

    def commit(self, settlement: Settlement, /) -> Any:
        """Carry out the writes of the settlement: the method under test."""
        ...

    def items(self) -> Any:
        """Return all items of the thread in order, as plain ChatKit JSON, now or awaited."""
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
    atomic: bool = True,
    client_tools: bool = True,
    settlements: int = 50,
    timeout: float = 10.0,
) -> None:
    """Check that a store keeps to the contract of `commit(settlement)`.

        def test_our_store():
            check_commit(lambda: SqliteStore(":memory:"))

    * It carries out the writes of the settlement, and no others: added items go to the end, in
      order, a saved item takes the place of the copy that the store has, and the rest stays as it
      is. A client tool call that waits for its output stays the newest item.
    * It is idempotent. The same commit a second time changes nothing, and so does an item that is
      added, and had reached the store before.
    * It is all or nothing. It is made to fail at each of its writes, and where it waits for
      something, and to be cancelled there: that leaves nothing half-written, it raises something,
      and the same commit again makes good.

    It is called in the event loop of asyncio. A synchronous store can be interrupted between two
    writes only where it reads the next one, or where the database refuses one.

    Args:
        make_store: makes an empty store; called inside of the event loop. If it gives a context
            manager, that is entered, and left when the store is not needed any more.
        policy: decides about the items. `KEEP` makes the most writes.
        stops: the random streams that are settled, after some that every store meets; those that
            lead to no write are passed over. If left out, they have unknown types and fields too.
            For a store that cannot keep unknown content:
            `strategies.stops(streams=strategies.streams(unknown=False))`.
        atomic: whether a commit that fails must leave all as it was. Without it each item for
            itself has to be as it was, or as it was to be: for a store that has no transactions.
        client_tools: whether the application has client tools, and so calls that wait for their
            output (see `Write.before`).
        settlements: how many random settlements are tried.
        timeout: how long, in seconds, each asynchronous call of the store may take: `commit`, and
            also `put`, `items`, `make_store`, and entering and leaving its context manager.

    Raises:
        AssertionError: the store does not keep to it; it shows a small settlement.
        TypeError: `policy` is not a Policy, or `make_store` does not make a store.
    """
    from chatkit_reducer.testing import strategies

    check_is_policy(policy)
    if not callable(make_store):
        raise TypeError(
            f"make_store is called for an empty store each time, and {make_store!r} cannot be "
            f"called: pass a function, such as lambda: MyStore()"
        )
    # Few updates: the contract is about items, and a short stream is found faster.
    streams = strategies.streams(max_items=3, max_updates=2)
    values = strategies.stops(streams=streams) if stops is None else stops
    scenarios = values.map(partial(scenario_of, policy=policy))
    wanted = partial(_is_wanted, client_tools=client_tools)
    scenarios = scenarios.filter(_writes_something).filter(wanted)  # most write nothing
    trial = _CommitTrial(make_store, atomic=atomic, timeout=timeout)
    # Most faults of stores are found here: at once, and the same each time.
    _raise_verdict("An example:", partial(_try_all, filter(wanted, fixed_scenarios(policy)), trial))
    at_random = partial(for_all, scenarios, trial, settlements, verdict=_Broken)
    _raise_verdict("The smallest example:", at_random)


def _try_all(scenarios: Iterable[Scenario], trial: _CommitTrial) -> None:
    for scenario in scenarios:
        trial(scenario)


def _is_wanted(scenario: Scenario, *, client_tools: bool) -> bool:
    return client_tools or all(write.before is None for write in scenario.settlement.writes)


def _writes_something(scenario: Scenario) -> bool:
    return bool(scenario.settlement.writes)


def _raise_verdict(title: str, run: Callable[[], None]) -> None:
    """Turn a verdict into an AssertionError, with all that led to it."""
    try:
        run()
    except _Broken as broken:
        raise AssertionError(broken.describe(title)) from broken.__cause__
    except _Hang as hang:
        raise AssertionError(hang.broken.describe("An example:")) from None


# --- one settlement, committed in all ways --------------------------------------------------------


class _CommitTrial:
    """Commits of one settlement in all ways, to a store of its own each time."""

    def __init__(self, make_store: Callable[[], Any], *, atomic: bool, timeout: float) -> None:
        self._make_store = make_store
        self._atomic = atomic
        self._timeout = timeout

    def __call__(self, scenario: Scenario) -> None:
        asyncio.run(self._try(scenario))

    async def _try(self, scenario: Scenario) -> None:
        commits = Commits(self._timeout)
        try:
            await self._try_everywhere(scenario, commits)
        finally:
            commits.close()

    async def _try_everywhere(self, scenario: Scenario, commits: Commits) -> None:
        waits = await self._commit_twice(scenario, commits)
        there = scenario.with_stored(scenario.in_doubt)
        if (
            scenario.in_doubt and there.order == scenario.order
        ):  # a store that sorts by time may put them elsewhere
            await self._commit_stored_items(there, commits)
        for number in range(1, len(scenario.settlement.writes) + 1):
            for kind in (CutKind.FAILING_WRITE, CutKind.REFUSED_WRITE):
                await self._commit_cut_off(scenario, commits, Cut(kind, number))
        for number, waiting in enumerate(waits, 1):
            if waiting is AwaitKind.FOR_SOMETHING:
                await self._commit_cut_off(scenario, commits, Cut(CutKind.EXCEPTION, number))
            await self._commit_cut_off(scenario, commits, Cut(CutKind.CANCELLATION, number))

    async def _commit_twice(self, scenario: Scenario, commits: Commits) -> list[AwaitKind]:
        """Commit twice, and return the awaits of the first commit."""
        async with self._open_filled(scenario, commits, _SECOND) as store:
            waits = await self._commit(store, scenario, commits, "after a commit", FIRST_TIME)
            await self._commit(store, scenario, commits, _SECOND)
        return waits

    async def _commit_stored_items(self, scenario: Scenario, commits: Commits) -> None:
        """Commit items that reached the store although their delivery was never confirmed."""
        when = "after a commit of what had reached the store before"
        async with self._open_filled(scenario, commits, when) as store:
            await self._commit(store, scenario, commits, when)

    async def _commit_cut_off(self, scenario: Scenario, commits: Commits, cut: Cut) -> None:
        """Commit and be cut off, then commit again."""
        when = f"after a commit that {cut}"
        async with self._open_filled(scenario, commits, when) as store:
            with _blame_timeout("commit", scenario, when):
                has_raised = await commits.cut_off(store.commit, scenario.settlement, cut)
            if cut.kind is CutKind.REFUSED_WRITE and not has_raised:
                return  # this store takes it
            found = await _items(store, scenario, commits, when)
            if has_raised:
                problem = half_written(scenario, found, atomic=self._atomic)
            else:
                when = f"{when}, and raised nothing"
                problem = problem_with(scenario, found)
                problem = problem and (problem[0], TELL)
            if problem is not None:
                raise _Broken(scenario, when, *problem, found)
            when = f"{when}, and the same commit again"
            await self._commit(store, scenario, commits, when, AGAIN)

    @asynccontextmanager
    async def _open_filled(
        self, scenario: Scenario, commits: Commits, when_left: str
    ) -> AsyncIterator[StoreUnderTest]:
        stack = AsyncExitStack()
        try:
            store = await self._open(scenario, commits, stack)
            await self._fill(store, scenario, commits)
            yield store
        except BaseException:
            # The verdict is known. The store must neither see nor suppress it.
            with suppress(Exception, TookTooLong):
                await commits.in_time(stack.aclose)
            raise
        with _blame_timeout("leaving the store", scenario, when_left):
            await commits.in_time(stack.aclose)

    async def _fill(self, store: StoreUnderTest, scenario: Scenario, commits: Commits) -> None:
        with (
            _blame_exception("put", scenario, _BEFORE, AS_IT_COMES),
            _blame_timeout("put", scenario, _BEFORE),
        ):
            await commits.in_time(partial(store.put, [json_copy(item) for item in scenario.before]))
        # Or else `commit` would be blamed for the faults of `put` and `items`.
        problem = problem_with_put(scenario, await _items(store, scenario, commits, _BEFORE))
        if problem is not None:
            raise _Broken(scenario, _BEFORE, *problem)

    async def _open(
        self, scenario: Scenario, commits: Commits, stack: AsyncExitStack
    ) -> StoreUnderTest:
        with _blame_timeout("make_store", scenario, _BEFORE):
            made = await commits.in_time(self._make_store)
        if isinstance(made, AbstractAsyncContextManager):
            with _blame_timeout("entering the store", scenario, _BEFORE):
                made = await commits.in_time(partial(stack.enter_async_context, made))
        elif isinstance(made, AbstractContextManager):
            made = stack.enter_context(made)
        for method in ("put", "commit", "items"):
            if not callable(getattr(made, method, None)):
                raise TypeError(
                    f"make_store has to make a store with put, commit and items, or a context "
                    f"manager that gives one, and {made!r} has no {method}: write a class with "
                    f"these three around your store, see StoreUnderTest"
                )
        store: StoreUnderTest = made
        return store

    async def _commit(
        self,
        store: StoreUnderTest,
        scenario: Scenario,
        commits: Commits,
        when: str,
        if_it_raises: str = UPSERT,
    ) -> list[AwaitKind]:
        """Commit, expect that the store holds all of it, and return the awaits on the way."""
        with _blame_timeout("commit", scenario, when):
            try:
                waits = await commits.whole(store.commit, scenario.settlement)
            except Raised as raised:
                raise _exception_verdict(
                    "commit", raised.error, scenario, when, if_it_raises
                ) from raised.error
        found = await _items(store, scenario, commits, when)
        problem = problem_with(scenario, found)
        if problem is not None:
            raise _Broken(scenario, when, *problem, found)
        return waits


_BEFORE = "before any commit"
_SECOND = "after the same commit a second time"


async def _items(
    store: StoreUnderTest, scenario: Scenario, commits: Commits, when: str
) -> list[Json]:
    with _blame_exception("items", scenario, when, PLAIN), _blame_timeout("items", scenario, when):
        return [dict(item) for item in await commits.in_time(store.items)]


@contextmanager
def _blame_exception(what: str, scenario: Scenario, when: str, what_to_do: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise _exception_verdict(what, error, scenario, when, what_to_do) from error


def _exception_verdict(
    what: str, error: BaseException, scenario: Scenario, when: str, what_to_do: str
) -> _Broken:
    return _Broken(scenario, when, f"{what} raises {type(error).__name__}: {error}", what_to_do)


@contextmanager
def _blame_timeout(what: str, scenario: Scenario, when: str) -> Iterator[None]:
    try:
        yield
    except TookTooLong:
        problem = f"{what} does not come to its end"
        what_to_do = WAITING if when is _BEFORE else RELEASE
        raise _Hang(_Broken(scenario, when, problem, what_to_do)) from None


# --- the verdict ----------------------------------------------------------------------------------


class _Broken(Exception):  # noqa: N818  # `_raise_verdict` makes an AssertionError of it
    """The store does not keep to the contract."""

    def __init__(
        self,
        scenario: Scenario,
        when: str,
        problem: str,
        what_to_do: str,
        found: list[Json] | None = None,
    ) -> None:
        super().__init__(problem)
        self._scenario = scenario
        self._when = when
        self._what_to_do = what_to_do
        self._found = found

    def describe(self, title: str) -> str:
        """Describe the verdict, with the scenario that led to it."""
        writes = [f"{w.op} {item_line(w.item)}" for w in self._scenario.settlement.writes]
        found = self._found
        return message(
            f"The store does not keep to the contract of commit. {self._when[0].upper()}"
            f"{self._when[1:]}, {self}.",
            advice(self._what_to_do),
            title,
            _section("The store held", map(item_line, self._scenario.before)),
            _section("The settlement says", writes),
            "" if found is None else _section("The store holds now", map(item_line, found)),
        )


class _Hang(BaseException):
    """A verdict that is not an `Exception`, for the reason that `TookTooLong` has."""

    def __init__(self, broken: _Broken) -> None:
        super().__init__(broken)
        self.broken = broken


def _section(title: str, lines: Iterable[str]) -> list[str]:
    listed = [f"  {line}" for line in lines]
    return [f"{title}:", *listed] if listed else [f"{title}: nothing"]
