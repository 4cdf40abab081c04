"""`check_commit`: the contract of a store that a settlement is written to."""

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
from chatkit_reducer.events import Json
from chatkit_reducer.json_values import json_copy
from chatkit_reducer.policy import Policy
from chatkit_reducer.settlement import Settlement
from chatkit_reducer.testing.checks._cases import Case, case_of, written_down
from chatkit_reducer.testing.checks._cuts import (
    Commits,
    Cut,
    CutKind,
    Raised,
    TookTooLong,
    Waiting,
)
from chatkit_reducer.testing.checks._examples import for_all
from chatkit_reducer.testing.checks._holding import (
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
from chatkit_reducer.testing.checks._policy import check_is_policy
from chatkit_reducer.testing.checks._words import advice, item_line, message

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from chatkit_reducer.testing.strategies import StoppedStream

__all__ = ["StoreUnderTest", "check_commit"]

# pytest then shows the test and what the check says, and not how the check came to say it.
__tracebackhide__: methodcaller = methodcaller("errisinstance", AssertionError)


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
    atomic: bool = True,
    settlements: int = 50,
    patience: float = 10.0,
) -> None:
    """Tries whether a store keeps to the contract of `commit(settlement)`.

        def test_our_store():
            check_commit(lambda: SqliteStore(":memory:"))

    * It writes what the settlement says, and nothing else: what is added goes to the end, in order,
      what is saved takes the place of the copy that the store has, and the rest stays as it is.
    * It is idempotent. The same commit a second time changes nothing, and so does an item that is
      added, and had reached the store before.
    * It is all or nothing. It is made to fail at each of its writes, and where it waits for
      something, and to be cancelled there: that leaves nothing half-written, it raises something,
      and the same commit again makes good.

    It is called in the event loop of asyncio. Of a store that is not asynchronous no point is seen
    between two writes but where it reads the next one, or where the database refuses one.

    Args:
        make_store: makes an empty store; called inside of the event loop. If it gives a context
            manager, that is entered, and left when the store is not needed any more.
        policy: what is decided about the items. `KEEP` makes the most writes.
        stops: the random streams that are settled, behind some that every store meets; those of
            which nothing is to be written are passed over. If left out, they have types and fields
            that nobody knows. For a store that cannot keep what is unknown:
            `strategies.stops(streams=strategies.streams(unknown=False))`.
        atomic: whether a commit that fails must leave all as it was. Without it each item for
            itself has to be as it was, or as it was to be: for a store that has no transactions.
        settlements: how many random ones are tried.
        patience: how long, in seconds, each asynchronous call of the store may take: `commit`, and
            also `put`, `items`, `make_store`, and to enter and to leave what that gives.

    Raises:
        AssertionError: the store does not keep to it; it shows a small settlement.
        TypeError: what is given is no policy, or makes no store.
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
    cases = values.map(partial(case_of, policy=policy))
    cases = cases.filter(_writes_something)  # most of them do not
    trying = _Trying(make_store, atomic=atomic, patience=patience)
    # What most stores get wrong is found here: at once, and the same each time.
    _tell("An example:", partial(_all_of, written_down(policy), trying))
    at_random = partial(for_all, cases, trying, settlements, verdict=_Broken)
    _tell("The smallest example:", at_random)


def _all_of(cases: Iterable[Case], trying: _Trying) -> None:
    for case in cases:
        trying(case)


def _writes_something(case: Case) -> bool:
    return bool(case.settlement.writes)


def _tell(title: str, run: Callable[[], None]) -> None:
    """Makes an AssertionError of what is wrong, with all that led to it."""
    try:
        run()
    except _Broken as broken:
        raise AssertionError(broken.told(title)) from broken.__cause__
    except _Hanging as hanging:
        raise AssertionError(hanging.broken.told("An example:")) from None


# --- one settlement, committed in all ways --------------------------------------------------------


class _Trying:
    """Commits a settlement in all ways, to a store of its own each time."""

    def __init__(self, make_store: Callable[[], Any], *, atomic: bool, patience: float) -> None:
        self._make_store = make_store
        self._atomic = atomic
        self._patience = patience

    def __call__(self, case: Case) -> None:
        asyncio.run(self._try(case))

    async def _try(self, case: Case) -> None:
        commits = Commits(self._patience)
        try:
            await self._try_everywhere(case, commits)
        finally:
            commits.close()

    async def _try_everywhere(self, case: Case, commits: Commits) -> None:
        waits = await self._twice(case, commits)
        there = case.with_stored(case.in_doubt)
        if case.in_doubt and there.order == case.order:  # or by their times they stand otherwise
            await self._found_there(there, commits)
        for number in range(1, len(case.settlement.writes) + 1):
            for kind in (CutKind.FAILING_WRITE, CutKind.REFUSED_WRITE):
                await self._cut_off(case, commits, Cut(kind, number))
        for number, waiting in enumerate(waits, 1):
            if waiting is Waiting.FOR_SOMETHING:
                await self._cut_off(case, commits, Cut(CutKind.EXCEPTION, number))
            await self._cut_off(case, commits, Cut(CutKind.CANCELLATION, number))

    async def _twice(self, case: Case, commits: Commits) -> list[Waiting]:
        """Commits two times; what the first one waited for."""
        async with self._filled(case, commits, _SECOND) as store:
            waits = await self._commit(store, case, commits, "after a commit", FIRST_TIME)
            await self._commit(store, case, commits, _SECOND)
        return waits

    async def _found_there(self, case: Case, commits: Commits) -> None:
        """Commits what is in the store already: whoever streamed it did not get to say so."""
        when = "after a commit of what had reached the store before"
        async with self._filled(case, commits, when) as store:
            await self._commit(store, case, commits, when)

    async def _cut_off(self, case: Case, commits: Commits, cut: Cut) -> None:
        """Commits, is cut off, and commits again."""
        when = f"after a commit that {cut}"
        async with self._filled(case, commits, when) as store:
            with _in_time("commit", case, when):
                told = await commits.cut_off(store.commit, case.settlement, cut)
            if cut.kind is CutKind.REFUSED_WRITE and not told:
                return  # this store takes it
            found = await _items(store, case, commits, when)
            if told:
                problem = half_written(case, found, atomic=self._atomic)
            else:
                when = f"{when}, and told nobody"
                problem = problem_with(case, found)
                problem = problem and (problem[0], TELL)
            if problem is not None:
                raise _Broken(case, when, *problem, found)
            when = f"{when}, and the same commit again"
            await self._commit(store, case, commits, when, AGAIN)

    @asynccontextmanager
    async def _filled(
        self, case: Case, commits: Commits, when_left: str
    ) -> AsyncIterator[StoreUnderTest]:
        stack = AsyncExitStack()
        try:
            store = await self._made(case, commits, stack)
            await self._fill(store, case, commits)
            yield store
        except BaseException:
            # What is wrong is known. It is not for the store to see, nor to suppress.
            with suppress(Exception, TookTooLong):
                await commits.in_time(stack.aclose)
            raise
        with _in_time("leaving the store", case, when_left):
            await commits.in_time(stack.aclose)

    async def _fill(self, store: StoreUnderTest, case: Case, commits: Commits) -> None:
        with _raising("put", case, _BEFORE, AS_IT_COMES), _in_time("put", case, _BEFORE):
            await commits.in_time(partial(store.put, [json_copy(item) for item in case.before]))
        # Or else `commit` would be blamed for what `put` and `items` do.
        problem = problem_with_put(case, await _items(store, case, commits, _BEFORE))
        if problem is not None:
            raise _Broken(case, _BEFORE, *problem)

    async def _made(self, case: Case, commits: Commits, stack: AsyncExitStack) -> StoreUnderTest:
        with _in_time("make_store", case, _BEFORE):
            made = await commits.in_time(self._make_store)
        if isinstance(made, AbstractAsyncContextManager):
            with _in_time("entering the store", case, _BEFORE):
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
        case: Case,
        commits: Commits,
        when: str,
        if_it_raises: str = UPSERT,
    ) -> list[Waiting]:
        """Commits; then the store holds all. What it waited for, each time that it did."""
        with _in_time("commit", case, when):
            try:
                waits = await commits.whole(store.commit, case.settlement)
            except Raised as raised:
                raise _raises("commit", raised.error, case, when, if_it_raises) from raised.error
        found = await _items(store, case, commits, when)
        problem = problem_with(case, found)
        if problem is not None:
            raise _Broken(case, when, *problem, found)
        return waits


_BEFORE = "before any commit"
_SECOND = "after the same commit a second time"


async def _items(store: StoreUnderTest, case: Case, commits: Commits, when: str) -> list[Json]:
    with _raising("items", case, when, PLAIN), _in_time("items", case, when):
        return [dict(item) for item in await commits.in_time(store.items)]


@contextmanager
def _raising(what: str, case: Case, when: str, what_to_do: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise _raises(what, error, case, when, what_to_do) from error


def _raises(what: str, error: BaseException, case: Case, when: str, what_to_do: str) -> _Broken:
    return _Broken(case, when, f"{what} raises {type(error).__name__}: {error}", what_to_do)


@contextmanager
def _in_time(what: str, case: Case, when: str) -> Iterator[None]:
    try:
        yield
    except TookTooLong:
        problem = f"{what} does not come to its end"
        what_to_do = WAITING if when is _BEFORE else RELEASE
        raise _Hanging(_Broken(case, when, problem, what_to_do)) from None


# --- what is said of it ---------------------------------------------------------------------------


class _Broken(Exception):  # noqa: N818  # it becomes an AssertionError, see `_told`
    """The store does not keep to the contract."""

    def __init__(
        self,
        case: Case,
        when: str,
        problem: str,
        what_to_do: str,
        found: list[Json] | None = None,
    ) -> None:
        super().__init__(problem)
        self._case = case
        self._when = when
        self._what_to_do = what_to_do
        self._found = found

    def told(self, title: str) -> str:
        """All of it, in words."""
        writes = [f"{w.op} {item_line(w.item)}" for w in self._case.settlement.writes]
        found = self._found
        return message(
            f"The store does not keep to the contract of commit. {self._when[0].upper()}"
            f"{self._when[1:]}, {self}.",
            advice(self._what_to_do),
            title,
            _listed("The store held", map(item_line, self._case.before)),
            _listed("The settlement says", writes),
            "" if found is None else _listed("The store holds now", map(item_line, found)),
        )


class _Hanging(BaseException):
    """The same, and no `Exception`, for the reason that `TookTooLong` has."""

    def __init__(self, broken: _Broken) -> None:
        super().__init__(broken)
        self.broken = broken


def _listed(title: str, lines: Iterable[str]) -> list[str]:
    listed = [f"  {line}" for line in lines]
    return [f"{title}:", *listed] if listed else [f"{title}: nothing"]
