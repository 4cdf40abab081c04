"""The state machine runs over our engine, and finds what is wrong with others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import attrs
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec.structs import force_setattr

from chatkit_reducer import ThreadState, compact, diff, fold, reduce, settle, snapshot
from chatkit_reducer import events as e
from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing.conformance.machine import Engine, ThreadMachine

TestOurEngine = ThreadMachine.TestCase
TestOurEngine.settings = settings(stateful_step_count=30)


def found_in(engine: Engine, *, shrunk: bool = True) -> AssertionError:
    """What the machine says of an engine with a bug in it; to make it short takes time."""

    class Machine(ThreadMachine):
        pass

    Machine.engine = engine
    search = settings(
        # Far more than it takes: which examples there are depends on Hypothesis and on the place of
        # the package, and the search ends with the first that shows the bug.
        max_examples=1000,
        # Of more steps, more go wrong in one example; of fewer, what is found is sooner small.
        stateful_step_count=10 if shrunk else 30,
        database=None,
        deadline=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink] if shrunk else [Phase.generate],
    )
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(Machine, settings=search)
    return caught.value


def steps(error: AssertionError) -> list[str]:
    """The steps that Hypothesis shows, without the checks after each of them."""
    shown = "\n".join(getattr(error, "__notes__", []))
    names = re.findall(r"^state\.(\w+)\(", shown, re.MULTILINE)
    return [name for name in names if name not in ("all_agree", "begin", "teardown")]


# --- engines with a bug ---------------------------------------------------------------------------


def test_a_reduce_that_ignores_replacements() -> None:
    def ignoring(state: ThreadState, event: Event) -> ThreadState:
        return state if isinstance(event, e.ThreadItemReplaced) else reduce(state, event)

    error = found_in(Engine(reduce=ignoring))
    assert len(steps(error)) == 1
    assert str(error).startswith("They differ.\n\n--- the naive model\n+++ the engine\n")


@pytest.mark.slow
def test_a_reduce_that_changes_states_in_place() -> None:
    def in_place(state: ThreadState, event: Event) -> ThreadState:
        after = reduce(state, event)
        if isinstance(event, e.ThreadItemUpdated | e.ThreadItemRemoved):
            for name in state.__struct_fields__:
                force_setattr(state, name, getattr(after, name))
            return state
        return after

    error = found_in(Engine(reduce=in_place))
    assert 1 <= len(steps(error)) <= 2
    assert "--- a state\n+++ the same later\n" in str(error)


@pytest.mark.slow
def test_a_reduce_that_writes_into_events() -> None:
    def marking(state: ThreadState, event: Event) -> ThreadState:
        after = reduce(state, event)
        if isinstance(event, e.ThreadItemDone):
            event.item["seen"] = True
        return after

    error = found_in(Engine(reduce=marking))
    assert 1 <= len(steps(error)) <= 2
    assert str(error).startswith("Changed, and only lent: events.")


@pytest.mark.slow
def test_a_snapshot_that_loses_the_base() -> None:
    def without_bases(state: ThreadState) -> Json:
        paper = snapshot(state)
        for entry in paper["items"]:
            if entry["base"] is not None:
                entry.update(base=None, phase="pending")
        return paper

    error = found_in(Engine(snapshot=without_bases))
    assert steps(error)[-1] == "snapshot_and_restore"
    assert len(steps(error)) <= 3
    assert '\n-  "bases": {\n' in str(error)


def test_a_fold_that_forgets_the_last_event() -> None:
    def forgetful(events: Iterable[Event], state: ThreadState) -> ThreadState:
        return fold([*events][:-1], state)

    error = found_in(Engine(fold=forgetful))
    assert len(steps(error)) == 1


@pytest.mark.slow
def test_a_diff_that_is_silent_about_removals() -> None:
    def silent(before: ThreadState, after: ThreadState) -> list[Event]:
        return [one for one in diff(before, after) if not isinstance(one, e.ThreadItemRemoved)]

    error = found_in(Engine(diff=silent), shrunk=False)
    assert steps(error)[-1] == "catch_up"
    assert "Law 4 is broken" in str(error)


@pytest.mark.slow
def test_a_compaction_that_swaps() -> None:
    def swapping(events: Iterable[Event], state: ThreadState) -> list[Any]:
        short = compact(events, state)
        return [*reversed(short[:2]), *short[2:]]

    error = found_in(Engine(compact=swapping), shrunk=False)
    assert steps(error)[-1] == "compact"
    assert "Law 5 is broken" in str(error)


@pytest.mark.slow
def test_a_settlement_that_forgets_an_item() -> None:
    def forgetful(state: ThreadState, **more: Any) -> Any:
        settlement = settle(state, **more)
        return attrs.evolve(settlement, verdicts=settlement.verdicts[1:])

    error = found_in(Engine(settle=forgetful), shrunk=False)
    assert steps(error)[-1] == "stop"
    assert "Law 6 is broken" in str(error)
