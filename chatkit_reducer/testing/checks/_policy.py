"""`check_policy`: a policy, tried on streams that were stopped."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from chatkit_reducer import policies
from chatkit_reducer.analysis.comparison import differences, path_text
from chatkit_reducer.core.items import ItemState
from chatkit_reducer.core.policy.settle import settle as our_settle
from chatkit_reducer.core.policy.table import Case, Policy, Row, cases_of
from chatkit_reducer.core.thread.state import ThreadState
from chatkit_reducer.testing._text import (
    advice,
    event_lines,
    in_short,
    item_line,
    message,
)
from chatkit_reducer.testing.checks._examples import for_all
from chatkit_reducer.testing.conformance import laws

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from chatkit_reducer.testing.strategies import StoppedStream

# pytest then shows the test and the message of the check, and not the inside of the check.
__tracebackhide__: methodcaller = methodcaller("errisinstance", AssertionError)


def check_policy(
    policy: Policy,
    *,
    stops: SearchStrategy[StoppedStream] | None = None,
    settle: laws.Settle = our_settle,
    streams: int = 100,
) -> None:
    """Check a policy on streams that were stopped anywhere, in any way.

        def test_our_policy():
            check_policy(our_policy)

    * It is total: it decides about every item that there can be, and alike each time it is asked.
    * It converges: once it is carried out, a client shows the items of the store. When the thread
      is loaded again, there is nothing left to settle.
    * It is sealed: no item that is written claims to be running still.

    A table cannot go wrong there: `Policy` refuses one that leaves a case open, and the rest is the
    work of `settle`. So this is for a policy with code of its own in it (a subclass with another
    `row_for`), and for another `settle`. Whether the decisions are the right ones, only
    `given(...).when(...).ends(...).then(...)` can say: see `chatkit_reducer.testing.given`.

    Args:
        policy: the policy.
        stops: the streams; those of `strategies.stops` if left out.
        settle: computes the settlement.
        streams: how many streams are tried.

    Raises:
        AssertionError: it leaves a case open, or decides otherwise the second time, or client and
            store do not agree, or something still claims to run; it shows the shortest stream.
        TypeError: `policy` is not a Policy.
    """
    from chatkit_reducer.testing import strategies

    check_is_policy(policy)
    for case in _all_cases(policy):
        _check_case(policy, case)
    values = strategies.stops() if stops is None else stops
    try:
        for_all(values, partial(_check_stop, policy=policy, settle=settle), streams)
    except laws.LawBroken as broken:
        raise AssertionError(_describe_broken_law(policy, broken)) from None


def check_is_policy(policy: object) -> None:
    """Raise a TypeError for other values, such as the name of a preset."""
    if not isinstance(policy, Policy):
        names = ", ".join(each.upper() for each in policies.PRESETS)
        raise TypeError(
            f"{policy!r} is not a Policy: the presets are in chatkit_reducer.policies ({names}), "
            f"and Policy(name=..., rows=...) makes one of your own"
        )


def _all_cases(policy: Policy) -> list[Case]:
    from chatkit_reducer.testing.strategies._items import ITEM_TYPES

    some = next(iter(policy.rows))
    named = {row.item for row in policy.rows}
    others = [Row(item=kind, decision=some.decision, reason=some.reason) for kind in ITEM_TYPES]
    return list(cases_of([*policy.rows, *(row for row in others if row.item not in named)]))


def _check_case(policy: Policy, case: Case) -> None:
    try:
        row = policy.row_for(case)
    except Exception as error:
        raise AssertionError(_describe_open_case(policy, case, repr(error))) from error
    if not isinstance(row, Row):
        raise AssertionError(_describe_open_case(policy, case, f"it says {row!r}"))  # noqa: TRY004  # a verdict
    again = policy.row_for(case)
    if again != row:
        raise AssertionError(
            message(
                f"The policy {policy.name!r} decides in two ways about this case: {case}.\n"
                f"   at first: {row}\n   the next time: {again}",
                advice(
                    "Let it look at nothing but the case. It is asked more than once about a "
                    "stream, and what is written and what is told have to agree."
                ),
            )
        )


def _describe_open_case(policy: Policy, case: Case, instead: str) -> str:
    return message(
        f"The policy {policy.name!r} does not decide about this case: {case}.\n   {instead}",
        advice("Give it a last row that matches everything, and leave `row_for` to the rows."),
    )


def _check_stop(stop: StoppedStream, *, policy: Policy, settle: laws.Settle) -> None:
    # At most the last event is in doubt.
    written = len(stop.events) - (stop.state is not stop.delivered)
    for law in (laws.settle_is_total, laws.client_and_store_converge):
        law(stop.events, policy=policy, cause=stop.cause, written=written, settle=settle)
    settlement = settle(stop.state, policy=policy, cause=stop.cause, delivered=stop.delivered)
    running = next(_items_still_running(stop, settlement), None)
    if running is not None:
        raise AssertionError(
            _describe_stop(
                policy,
                "stores something that claims to be running, and nothing runs any more",
                stop,
                [
                    f"To be stored is {item_line(running.to_json())}",
                    *(
                        f"  {path_text(each.path)} is {in_short(each.before)}, and should be "
                        f"{in_short(each.after)}"
                        for each in differences(running.to_json(), running.sealed().to_json())
                    ),
                ],
                "Persist `verdict.sealed`, and not `verdict.item`.",
            )
        )
    # Stored items are done: nothing is in flight when a thread comes from a store.
    stored = {item.id: item.to_json() for item in stop.delivered.stored.values()}
    stored.update((write.item["id"], write.item) for write in settlement.writes)
    loaded = ThreadState.from_items(stored.values())
    again = settle(loaded, policy=policy, cause=stop.cause)
    if again.writes or again.events:
        lines = [f"{write.op} {item_line(write.item)}" for write in again.writes]
        raise AssertionError(
            _describe_stop(
                policy,
                "finds something to settle in a thread that was settled and loaded again",
                stop,
                ["Then there is", *map("  {}".format, lines), *event_lines(again.events)],
                "Settle the items in flight, and no stored ones.",
            )
        )


def _items_still_running(stop: StoppedStream, settlement: Any) -> Iterator[ItemState]:
    """List items that are to be stored and claim to be running, although no task runs any more."""
    persisted = {item.id: item for item in settlement.persist if item.id in stop.state.pending}
    written = [write.item for write in settlement.writes if write.item["id"] in persisted]
    for item in [*persisted.values(), *ThreadState.from_items(written).items.values()]:
        if item.sealed() != item:
            yield item


def _describe_stop(
    policy: Policy, problem: str, stop: StoppedStream, what: list[str], what_to_do: str
) -> str:
    return message(
        f"The policy {policy.name!r} {problem}. The shortest example:",
        [f"{stop.cause} after these events:", *event_lines(stop.events)],
        what,
        advice(what_to_do),
    )


def _describe_broken_law(policy: Policy, broken: laws.LawBroken) -> str:
    problem = (
        "The policy {} leaves out an item in flight, or names another one."
        if laws.LAWS[broken.law].number == 6
        else "Client and store do not agree on what the policy {} decides."
    )
    return message(
        f"{problem.format(repr(policy.name))} The shortest example:",
        str(broken),
        advice(
            "Let `settle` give what it decides as it is: change neither `verdicts` nor `writes` "
            "nor `events` of a Settlement after the decision."
        ),
    )
