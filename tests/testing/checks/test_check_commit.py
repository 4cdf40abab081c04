"""`check_commit` passes a store that keeps to the contract, and names the fault of any other."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import re
import sqlite3
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any

import attrs
import pytest
from anyio.lowlevel import checkpoint
from pydantic import TypeAdapter

from chatkit_reducer import Policy, Settlement, policies
from chatkit_reducer.core.policy.table import Marker
from chatkit_reducer.events import Json
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.checks import check_commit

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it warns of its own widgets
    pytest.importorskip("chatkit")
    from chatkit.types import ThreadItem


from tests.support.checked import failure, text
from tests.support.commit_stores import (
    AddingAlone,
    AddingWhatItHas,
    Apart,
    Autocommitting,
    Backwards,
    BehindTheCall,
    Binary,
    ByTime,
    Cutting,
    ExpectingSomething,
    ForgettingToRollBack,
    Impatient,
    Inserting,
    InTwoSteps,
    Locked,
    LockedByAnyio,
    Memory,
    Narrow,
    NarrowWhereItCommits,
    Once,
    OnceForEachMarker,
    Overwriting,
    Popping,
    ReadyToBeCancelled,
    Replacing,
    Rows,
    SavingAlone,
    SavingWhatIsNew,
    Sealing,
    Shielding,
    Silent,
    Talkative,
    Threaded,
    ThreadedByAnyio,
    Transacted,
    Unwilling,
    lent,
    made_later,
    rows,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)


@pytest.mark.parametrize(
    "make",
    [rows, Transacted, Apart, ByTime, Locked, LockedByAnyio, Shielding],
)
def test_a_store_that_keeps_to_the_contract_passes(make: Callable[[], Any]) -> None:
    check_commit(make)


@pytest.mark.parametrize("kind", [Threaded, ThreadedByAnyio])
def test_what_goes_on_in_a_thread_is_waited_for(kind: type[Rows]) -> None:
    check_commit(lambda: rows(kind), settlements=5)


@pytest.mark.parametrize("make", [Memory, made_later, lent])
def test_a_store_without_transactions_passes_if_that_is_known(make: Callable[[], Any]) -> None:
    check_commit(make, atomic=False)
    assert "only a part of the settlement is there" in failure(check_commit, make)


@pytest.mark.parametrize("policy", [policies.DROP, policies.SDK])
def test_with_any_policy(policy: Policy) -> None:
    check_commit(rows, policy=policy, settlements=20)


def test_the_content_of_a_marker_may_be_left_to_the_application() -> None:
    policy = attrs.evolve(policies.KEEP, marker=Marker(item="hidden_context_item"))
    check_commit(rows, policy=policy, settlements=20)


def test_a_store_that_fails_is_told_how() -> None:
    class Appending(Transacted):
        def write(self, item: Json) -> None:
            self.held.append(item)

    said = failure(check_commit, Appending)
    content = '[{"type": "output_text", "text": "Soup, says the menu.", ...'
    assert said == text(f"""
        The store does not keep to the contract of commit. After the same commit a second time, msg_2, which was to be added, is there 2 times.

        -> Write an item in the place of the one with its id, and append it only if there is none, whether
           the write is an add or a save: INSERT ... ON CONFLICT (id) DO UPDATE does both.

        An example:

        The store held:
          task bystander_1: task {{"type": "custom", "title": "Wait", "status_indicator":  ...
          end_of_turn bystander_2

        The settlement says:
          add assistant_message msg_2: content {content}

        The store holds now:
          task bystander_1: task {{"type": "custom", "title": "Wait", "status_indicator":  ...
          end_of_turn bystander_2
          assistant_message msg_2: content {content}
          assistant_message msg_2: content {content}
    """)  # noqa: E501


def test_a_store_may_change_what_it_is_given() -> None:
    check_commit(lambda: rows(Popping))


def test_a_client_tool_call_that_waits_must_stay_the_newest_item() -> None:
    said = failure(check_commit, BehindTheCall)
    assert "After a commit, msg_2 stands behind call_1, which waits for its output." in said
    assert "pass client_tools=False." in said
    check_commit(BehindTheCall, client_tools=False)


def test_a_store_that_cuts_texts_off_is_found() -> None:
    said = failure(check_commit, Cutting)
    assert "was added, and differs from the written item, at content[0].text" in said


PART = "only a part of the settlement is there."
WAS = r"which was to be added,"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: rows(Replacing), r"After a commit, \w+ is in place \d, where \w+ should be\."),
        (lambda: rows(Inserting), "commit raises IntegrityError: UNIQUE constraint failed"),
        (lambda: rows(Autocommitting), rf"met an id that no database takes in write \d, {PART}"),
        (lambda: rows(ForgettingToRollBack), rf"that failed at write \d, {PART}"),
        (lambda: rows(SavingWhatIsNew), rf"After a commit, \w+, {WAS} is not there\."),
        (Memory, rf"(failed|was cancelled) at (write|await) \d, {PART}"),
        (ReadyToBeCancelled, rf"a commit that failed at await \d, {PART}"),
        (Once, "a commit that failed at write 1, and the same commit again, "),
        (OnceForEachMarker, rf"had reached the store before, \w+, {WAS} is there 2 times\."),
        (
            Silent,
            (
                r"failed at write 1, and raised nothing, "
                r".*\n\n-> Raise what fails, and do not only log"
            ),
        ),
        (Overwriting, "After a commit, bystander_1 is gone, and the settlement does not name it."),
        (Backwards, r"After a commit, \w+ is in place \d, where \w+ should be\."),
        (Sealing, "bystander_1 was not written, and has changed at task: null instead of {"),
        (Narrow, "Before any commit, items does not give the items that were put there, at "),
        (
            NarrowWhereItCommits,
            "After a commit, msg_2 was added, and differs from the written item, at content: null",
        ),
        (Talkative, "After a commit, note is there, and no commit wrote it."),
        (SavingAlone, rf"After a commit, \w+, {WAS} is not there\."),
        (
            AddingAlone,
            r"msg_2 was saved, and differs from the written item, at \S+text: \"Soup\" instead of",
        ),
        (AddingWhatItHas, r"After a commit, \w+, which was to be saved, is there 2 times\."),
        (ExpectingSomething, "commit raises IndexError: tuple index out of range."),
        (Unwilling, "Before any commit, put raises KeyError: 'thread'."),
        (Binary, "Before any commit, items raises TypeError: "),
    ],
)
def test_each_fault_of_a_store_is_named(make: Callable[[], Any], said: str) -> None:
    assert re.search(said, failure(check_commit, make))


def test_an_item_must_not_be_lost_on_the_way_with_transactions_or_without() -> None:
    lost = r"at await \d, \w+ is gone, and the store had it\.\n\n-> Replace an item in one step"
    said = failure(check_commit, InTwoSteps, atomic=False)
    assert re.search(lost, said)


def test_an_item_must_not_be_written_by_halves() -> None:
    class ByHalves(Memory):
        def write(self, item: Json) -> None:
            super().write({"id": item["id"], "type": item["type"]})

        async def commit(self, settlement: Settlement) -> None:
            for write in settlement.writes:
                self.write(write.item)
                await checkpoint()
                Memory.write(self, write.item)

    said = failure(check_commit, ByHalves, atomic=False)
    assert "at await 1, msg_2 is neither as it was nor as it was to be." in said


def test_a_transaction_that_is_left_open_is_not_taken_for_a_missing_upsert() -> None:
    class Outside(Rows):
        """Its transaction begins and ends where nobody takes it back."""

        async def execute(self, *statement: Any) -> None:
            await checkpoint()
            self.database.execute(*statement)

        async def commit(self, settlement: Settlement) -> None:
            await self.execute("BEGIN")
            try:
                for write in settlement.writes:
                    await self.execute(self.SQL, (write.item["id"], json.dumps(write.item)))
            except BaseException:
                self.database.rollback()
                raise
            await self.execute("COMMIT")

    said = failure(check_commit, lambda: rows(Outside))
    assert "again, commit raises OperationalError: cannot start a transaction within" in said
    assert "-> See the exception above: this commit meets what the one before it has left" in said
    assert "ON CONFLICT" not in said


def test_a_commit_that_waits_for_ever_is_told_so_once() -> None:
    said = failure(check_commit, Impatient, timeout=0.1)
    assert ", and the same commit again, commit does not come to its end." in said
    assert "-> Give back in a `finally` what a commit takes" in said


class Never(Transacted):
    """Something of it waits for ever: in the event loop, or in a thread."""

    def __init__(self, what: str, wait: Callable[[], Any]) -> None:
        super().__init__()
        self.what = what
        self.wait = wait
        self.was_cut = False

    async def reach(self, what: str) -> None:
        if what == self.what:
            await self.wait()

    async def put(self, items: list[Json]) -> None:
        await self.reach("put")
        await super().put(items)

    async def items(self) -> list[Json]:
        await self.reach("items")
        if self.was_cut:
            await self.reach("items after a cut")
        return await super().items()

    async def commit(self, settlement: Settlement) -> None:
        try:
            await super().commit(settlement)
        except BaseException:
            self.was_cut = True
            raise

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Never]:
        await self.reach("entering")
        yield self
        await self.reach("leaving")


@pytest.mark.parametrize("in_a_thread", [False, True])
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("make_store", "Before any commit, make_store does not come to its end."),
        ("entering", "Before any commit, entering the store does not come to its end."),
        ("put", "Before any commit, put does not come to its end."),
        ("items", "Before any commit, items does not come to its end."),
        (
            "items after a cut",
            "After a commit that failed at write 1, items does not come to its end.",
        ),
        (
            "leaving",
            "After the same commit a second time, leaving the store does not come to its end.",
        ),
    ],
)
def test_whatever_waits_for_ever_is_named(what: str, said: str, in_a_thread: bool) -> None:
    over = threading.Event()

    def wait() -> Any:
        return asyncio.to_thread(over.wait) if in_a_thread else asyncio.Event().wait()

    async def make() -> Any:
        store = Never(what, wait)
        await store.reach("make_store")
        return store.open()

    try:
        text = failure(check_commit, make, timeout=0.05)
    finally:
        over.set()
    assert said in text
    assert ("-> Give back in a `finally`" if said.startswith("After") else "-> It waits") in text


def test_a_thread_that_a_commit_leaves_behind_is_not_waited_for_for_ever() -> None:
    over = threading.Event()

    class Lingering(Transacted):
        async def commit(self, settlement: Settlement) -> None:
            await super().commit(settlement)
            asyncio.get_running_loop().run_in_executor(None, over.wait)

    try:
        said = failure(check_commit, Lingering, timeout=0.05)
    finally:
        over.set()
    assert "commit does not come to its end." in said


def test_a_thread_of_the_store_itself_may_run_as_long_as_that() -> None:
    class Listening(Transacted):
        @asynccontextmanager
        async def open(self) -> AsyncIterator[Listening]:
            over = threading.Event()
            listening = asyncio.create_task(asyncio.to_thread(over.wait))
            await checkpoint()
            yield self
            over.set()
            await listening

    check_commit(lambda: Listening().open(), settlements=1, timeout=0.05)


def test_what_is_wrong_is_said_however_the_store_is_left() -> None:
    @contextmanager
    def suppressing() -> Iterator[Memory]:
        with suppress(BaseException):
            yield Overwriting()

    @asynccontextmanager
    async def failing() -> AsyncIterator[Memory]:
        yield Overwriting()
        raise OSError("cannot be closed")

    for make in (suppressing, failing):
        assert "After a commit, bystander_1 is gone" in failure(check_commit, make)


def test_an_error_of_the_store_itself_is_the_cause() -> None:
    with pytest.raises(AssertionError) as caught:
        check_commit(lambda: rows(Inserting))
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)


def test_a_timeout_of_the_store_itself_is_an_error_like_others() -> None:
    class Slow(Transacted):
        async def commit(self, settlement: Settlement) -> None:
            raise TimeoutError("the database did not answer")

    assert "commit raises TimeoutError: the database did not answer." in failure(check_commit, Slow)


def test_a_store_that_is_not_empty_is_told_so() -> None:
    store = Transacted()

    async def keep_all(items: list[Json]) -> None:
        store.held += items

    vars(store)["put"] = keep_all
    said = failure(check_commit, lambda: store)
    assert "put was given " in said
    assert "-> Let make_store make an empty store each time" in said


def with_fields(stops: Any) -> tuple[Any, list[Any]]:
    """The same stops, and those that were drawn."""
    drawn: list[Any] = []

    def noted(stop: Any) -> Any:
        drawn.append(stop)
        return stop

    return stops.map(noted), drawn


def test_a_store_that_works_by_chance_is_told_so() -> None:
    stops, drawn = with_fields(chatkit.stops())
    failed: list[Settlement] = []

    class Lucky(Transacted):
        async def commit(self, settlement: Settlement) -> None:
            if drawn and not failed:
                failed.append(settlement)
                raise RuntimeError("the first time only")
            await super().commit(settlement)

    said = failure(check_commit, Lucky, stops=stops)
    assert "make_store must give an empty store" in said


class Known(Rows):
    """It makes a model of the SDK of each item, which says no to types that it does not know."""

    MODEL = TypeAdapter[Any](ThreadItem)

    def put(self, items: list[Json]) -> None:
        for item in items:
            self.MODEL.validate_python(item)
        super().put(items)


KNOWN = chatkit.stops(streams=chatkit.streams(unknown=False))


def test_a_store_that_keeps_what_it_knows_passes_if_that_is_known() -> None:
    check_commit(partial(rows, Known), stops=KNOWN, settlements=20)


def test_it_is_tried_as_strictly_as_others() -> None:
    settled: list[Settlement] = []

    class Noting(Transacted):
        async def commit(self, settlement: Settlement) -> None:
            settled.append(settlement)
            await super().commit(settlement)

    stops, drawn = with_fields(KNOWN)
    check_commit(Noting, stops=stops, settlements=5)
    first = [settlement for settlement in settled if settlement.writes]
    assert len(first) > 200  # those that every store meets
    assert len(drawn) > 5  # of most of them there is nothing to write


def test_of_random_settlements_the_smallest_is_shown() -> None:
    class Full(Transacted):
        """Its column holds no long id; those that were written down have none."""

        def write(self, item: Json) -> None:
            if item["id"].startswith("item_"):
                raise OverflowError
            super().write(item)

    said = failure(check_commit, Full)
    assert "\n\nThe smallest example:\n\n" in said


def test_threads_may_end_while_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrapped_when_done(future: Future[Any]) -> Any:
        concurrent.futures.wait([future])
        time.sleep(0.001)  # for what is called then
        return wrap_future(future)

    wrap_future = asyncio.wrap_future
    monkeypatch.setattr(asyncio, "wrap_future", wrapped_when_done)
    check_commit(lambda: rows(Threaded), settlements=1)


def test_what_is_no_fault_of_a_store_is_raised_as_it_is() -> None:
    stops, drawn = with_fields(chatkit.stops())

    def make() -> Transacted:
        if drawn and None not in drawn:
            drawn.append(None)
            raise OSError("too many open files")  # and never again
        return Transacted()

    with pytest.raises(OSError, match="too many open files"):
        check_commit(make, stops=stops)


def test_what_is_no_store_is_told_what_it_lacks() -> None:
    with pytest.raises(TypeError, match="has no put: write a class with these three around"):
        check_commit(object)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"cannot be called: pass a function, such as lambda"):
        check_commit(Transacted())  # type: ignore[arg-type]
    with pytest.raises(
        TypeError, match=r"'keep' is not a Policy: the presets are in chatkit_reducer"
    ):
        check_commit(Transacted, policy="keep")  # type: ignore[arg-type]
