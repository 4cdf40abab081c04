"""Law: a response without an event loop ends with a store that holds what its client saw."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_reducer import HIDDEN_TYPES, Cause, Settlement, ThreadState, fold, policies
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.errors import CommitError, WriteErrors
from chatkit_reducer.events import ErrorEvent, Event
from chatkit_reducer.serving import stream_sync
from chatkit_reducer.supervise import MarkerFields
from chatkit_reducer.testing.examples import added, done, message, removed, text_delta
from tests.serving.test_responses_laws import ERROR, POLICIES, hidden, scripts, without_waits

BEGUN = [added(message("m")), text_delta("m", "one "), text_delta("m", "two")]
BEGUN_ANEW = [added(message("n")), text_delta("n", "one ")]


@attrs.define
class Exchange:
    """A producer, a store that fails, and a client, in one thread."""

    script: list[Any]
    faults: dict[int, BaseException] = attrs.field(factory=dict)
    """What the calls of the store raise, by number; every second one has done its work before."""
    store: dict[str, Any] = attrs.field(factory=dict)
    seen: list[Event] = attrs.field(factory=list)
    settlements: list[Settlement] = attrs.field(factory=list)
    failures: list[CommitError] = attrs.field(factory=list)
    calls: int = 0
    closed: bool = False

    def produce(self) -> Iterator[Any]:
        try:
            for step in self.script:
                if isinstance(step, BaseException):
                    raise step
                yield step
        finally:
            self.closed = True

    def save(self, thread_id: str, items: Any) -> None:
        fault = self._fault()
        if fault is None or self.calls % 2:
            self.store.update({item["id"]: item for item in items})
        if fault is not None:
            raise fault

    def delete(self, thread_id: str, item_id: str) -> None:
        fault = self._fault()
        if fault is None or self.calls % 2:
            self.store.pop(item_id, None)
        if fault is not None:
            raise fault

    def commit(self, thread_id: str, settlement: Settlement) -> None:
        self.settlements.append(settlement)
        items = [write.item for write in settlement.writes]
        if items:
            self.save(thread_id, items)

    def _fault(self) -> BaseException | None:
        self.calls += 1
        return self.faults.get(self.calls - 1)

    def stream(self, policy: Policy = policies.KEEP, **options: Any) -> Any:
        return stream_sync(
            "t",
            self.produce(),
            self.save,
            self.delete,
            policy=policy,
            commit=self.commit,
            on_failure=lambda _, failure: self.failures.append(failure),
            **options,
        )

    def consume(self, policy: Policy, leave_after: int | None = None) -> None:
        with closing(self.stream(policy)) as events:
            for event in events:
                self.seen.append(event)
                if len(self.seen) == leave_after:
                    break

    def check(self, *, is_here: bool) -> None:
        assert not self.failures
        settlement = self.settlements[-1]
        client = fold([*self.seen, *(() if is_here else settlement.events)])
        shown = {item_id: item.to_json() for item_id, item in client.items.items()}
        stored = {key: item for key, item in self.store.items() if item["type"] not in HIDDEN_TYPES}
        assert client.pending == ()
        assert shown == stored


@settings(max_examples=100, deadline=None)
@given(
    script=scripts(),
    policy=st.sampled_from(POLICIES),
    faults=st.dictionaries(st.integers(0, 4), st.just(ConnectionError("gone")), max_size=2),
)
def test_a_client_that_stays_shows_what_is_stored(
    script: list[Any], policy: Policy, faults: dict[int, BaseException]
) -> None:
    exchange = Exchange(without_waits(script), faults)
    exchange.consume(policy)
    exchange.check(is_here=True)
    assert exchange.closed


@settings(max_examples=200, deadline=None)
@given(script=scripts(), policy=st.sampled_from(POLICIES), leave_after=st.integers(1, 8))
def test_a_client_that_leaves_is_right_behind_the_corrections(
    script: list[Any], policy: Policy, leave_after: int
) -> None:
    exchange = Exchange(without_waits(script))
    exchange.consume(policy, leave_after)
    exchange.check(is_here=False)


@settings(max_examples=200, deadline=None)
@given(script=scripts(), at=st.integers(0, 4), more=st.booleans())
def test_ctrl_c_in_the_middle_of_a_write_is_raised_behind_the_commit(
    script: list[Any], at: int, more: bool
) -> None:
    faults: dict[int, BaseException] = {at: KeyboardInterrupt()}
    if more:
        faults[at + 1] = KeyboardInterrupt()
    exchange = Exchange(without_waits(script), faults)
    try:
        exchange.consume(policies.KEEP)
    except KeyboardInterrupt:
        assert exchange.calls > at
    else:
        assert exchange.calls <= at
    assert exchange.closed
    assert not exchange.failures
    settlement = exchange.settlements[-1]
    for write in settlement.writes:
        assert exchange.store[write.item["id"]] == write.item


def test_the_error_comes_before_the_corrections() -> None:
    exchange = Exchange([*BEGUN, KeyError("model")])
    exchange.consume(policies.KEEP)
    error, corrected = exchange.seen[3:]
    assert isinstance(error, ErrorEvent)
    assert corrected == done(message("m", "one two"))
    assert exchange.settlements[-1].cause is Cause.FAILED


def test_a_timeout_of_the_model_is_one_of_the_stream() -> None:
    exchange = Exchange([*BEGUN, TimeoutError("slow")])
    exchange.consume(policies.KEEP)
    assert exchange.settlements[-1].cause is Cause.TIMED_OUT


def test_what_the_consumer_throws_in_passes_through() -> None:
    exchange = Exchange(BEGUN)
    stream = exchange.stream()
    next(stream)
    with pytest.raises(ZeroDivisionError):
        stream.throw(ZeroDivisionError())
    assert exchange.settlements[-1].cause is Cause.CANCELLED


def test_a_commit_that_fails_each_time_is_reported_and_nothing_more_is_sent() -> None:
    exchange = Exchange(BEGUN, {n: ConnectionError("gone") for n in range(9)})
    exchange.consume(policies.KEEP)
    assert exchange.seen == BEGUN
    (failure,) = exchange.failures
    assert [write.item["id"] for write in failure.unwritten] == ["m"]
    assert len(exchange.settlements) == 4


def test_the_pauses_between_the_attempts_of_a_commit_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    exchange = Exchange(BEGUN, {n: ConnectionError("gone") for n in range(9)})
    exchange.consume(policies.KEEP)
    assert pauses == [0.1, 0.2, 0.4]


def test_ctrl_c_in_a_pause_is_raised_behind_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    exchange = Exchange(BEGUN, {0: ConnectionError("gone")})
    with pytest.raises(KeyboardInterrupt):
        exchange.consume(policies.KEEP)
    assert list(exchange.store) == ["m"]


def test_ctrl_c_while_the_producer_closes_is_raised_behind_the_commit() -> None:
    exchange = Exchange(BEGUN)

    class Closing:
        def __init__(self) -> None:
            self._events = iter(BEGUN)

        def __iter__(self) -> Iterator[Any]:
            return self

        def __next__(self) -> Any:
            return next(self._events)

        def close(self) -> None:
            raise KeyboardInterrupt

    stream = stream_sync("t", Closing(), exchange.save, exchange.delete, policy=policies.KEEP)
    next(stream)
    next(stream)
    next(stream)
    with pytest.raises(KeyboardInterrupt):
        stream.close()
    assert exchange.store["m"] == message("m", "one two")


def test_an_error_of_the_producer_is_a_failure() -> None:
    exchange = Exchange([*BEGUN, ERROR])
    exchange.consume(policies.KEEP)
    assert exchange.settlements[-1].cause is Cause.FAILED


def test_an_item_that_becomes_hidden_is_taken_from_the_client_even_if_the_store_fails() -> None:
    exchange = Exchange([done(message("m")), hidden("m")], {1: ConnectionError("gone")})
    exchange.consume(policies.KEEP)
    exchange.check(is_here=True)
    assert exchange.store["m"]["type"] == "hidden_context_item"
    assert exchange.seen[-1] == removed("m")


def test_a_hook_that_fails_leaves_the_failure_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    exchange = Exchange(BEGUN, {n: ConnectionError("gone") for n in range(9)})

    def on_failure(thread_id: str, failure: CommitError) -> None:
        raise RuntimeError("the hook")

    stream = stream_sync(
        "t",
        exchange.produce(),
        exchange.save,
        exchange.delete,
        policy=policies.KEEP,
        commit_attempts=1,
        on_failure=on_failure,
    )
    with closing(stream) as events:
        list(events)
    hook, failure = caplog.records
    assert "`on_failure` failed itself" in hook.message
    assert "m" in failure.message


def test_the_model_is_told_that_its_answer_was_cut_off() -> None:
    exchange = Exchange(BEGUN)
    fields = MarkerFields(new_id=lambda: "note", now=lambda: "2026-01-01T00:00:00")
    with closing(exchange.stream(marker=fields)) as events:
        next(events)
    note = exchange.store["note"]
    assert note["type"] == "sdk_hidden_context"
    assert (note["thread_id"], note["created_at"]) == ("t", "2026-01-01T00:00:00")


def test_what_others_have_deleted_meanwhile_stays_deleted() -> None:
    stored = message("old", "once ")
    before = ThreadState.from_items([stored])
    exchange = Exchange([text_delta("old", "more"), text_delta("old", "!")])
    exchange.store["old"] = stored
    options: Any = {"state": before, "load": lambda _, item_id: exchange.store.get(item_id)}
    with closing(exchange.stream(**options)) as events:
        next(events)
        del exchange.store["old"]
    assert "old" not in exchange.store


def test_a_stored_item_that_is_updated_is_found() -> None:
    exchange = Exchange([text_delta("old", "more")])
    stored = message("old", "once ")
    exchange.store["old"] = stored
    with closing(exchange.stream(load=lambda _, item_id: exchange.store.get(item_id))) as events:
        exchange.seen.extend(events)
    assert exchange.store["old"] == message("old", "once more")
    shown = fold(exchange.seen, ThreadState.from_items([stored])).items["old"].to_json()
    assert shown == exchange.store["old"]


@pytest.mark.parametrize("is_done_before", [False, True])
def test_a_removal_that_failed_is_made_with_the_commit(
    is_done_before: bool,
) -> None:
    # Of the calls of the store, every second one has done its work before it raises.
    script = [*([done(message("a"))] if is_done_before else []), done(message("m")), removed("m")]
    exchange = Exchange([*script, *BEGUN_ANEW], {len(script) - 1: ConnectionError("gone")})
    exchange.consume(policies.KEEP)
    exchange.check(is_here=True)
    assert "m" not in exchange.store
    assert exchange.calls == len(script) + 1


def test_a_removal_that_was_made_is_not_made_again() -> None:
    exchange = Exchange([done(message("m")), removed("m"), *BEGUN_ANEW])
    exchange.consume(policies.KEEP)
    assert exchange.calls == 3  # save, delete, and the commit


def test_writes_that_cannot_be_made_are_not_tried_again() -> None:
    exchange = Exchange(BEGUN)
    problem = KeyError("no such column")

    def commit(thread_id: str, settlement: Settlement) -> None:
        exchange.settlements.append(settlement)
        raise WriteErrors([(write, problem) for write in settlement.writes], retry=False)

    stream = stream_sync(
        "t",
        exchange.produce(),
        exchange.save,
        exchange.delete,
        policy=policies.KEEP,
        commit=commit,
        on_failure=lambda _, failure: exchange.failures.append(failure),
    )
    with closing(stream) as events:
        exchange.seen.extend(events)
    assert len(exchange.settlements) == 1
    (failure,) = exchange.failures
    assert [write.item["id"] for write in failure.unwritten] == ["m"]


def test_an_item_without_an_id_is_passed_on_and_not_stored() -> None:
    nameless = done({"type": "assistant_message", "content": []})
    exchange = Exchange([nameless, done(message("m"))])
    exchange.consume(policies.KEEP)
    assert exchange.seen == [nameless, done(message("m"))]
    assert list(exchange.store) == ["m"]
