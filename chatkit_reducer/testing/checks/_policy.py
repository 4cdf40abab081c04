"""`check_policy`: a policy, tried on streams that were stopped."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from chatkit_reducer import policies
from chatkit_reducer.comparison import differences, path_text
from chatkit_reducer.items import ItemState
from chatkit_reducer.policy import Case, Policy, Row, cases_of
from chatkit_reducer.settlement import settle as our_settle
from chatkit_reducer.state import ThreadState
from chatkit_reducer.testing import laws
from chatkit_reducer.testing.checks._examples import for_all
from chatkit_reducer.testing.checks._words import (
    advice,
    event_lines,
    in_short,
    item_line,
    message,
)
from chatkit_reducer.testing.laws._settling import stored_in

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from chatkit_reducer.testing.strategies import StoppedStream

__all__ = ["check_is_policy", "check_policy"]

# pytest then shows the test and what the check says, and not how the check came to say it.
__tracebackhide__: methodcaller = methodcaller("errisinstance", AssertionError)


def check_policy(
    policy: Policy,
    *,
    stops: SearchStrategy[StoppedStream] | None = None,
    settle: laws.Settle = our_settle,
    streams: int = 100,
) -> None:
    """Tries a policy on streams that were stopped anywhere, in any way.

        def test_our_policy():
            check_policy(our_policy)

    * It is total: it decides about every item that there can be, and alike each time it is asked.
    * It converges: once it is carried out, a client shows what the store holds. When the thread is
      loaded again, there is nothing left to settle.
    * It is sealed: nothing that is written claims to be running still.

    A table cannot go wrong there: `Policy` refuses one that leaves a case open, and the rest is the
    work of `settle`. So this is for a policy with code of its own in it (a subclass with another
    `row_for`), and for another `settle`. Whether the decisions are the right ones, only
    `given(...).when(...).ends(...).then(...)` can say: see `chatkit_reducer.testing.scenarios`.

    Args:
        policy: the policy.
        stops: the streams; those of `strategies.stops` if left out.
        settle: what carries it out on paper.
        streams: how many are tried.

    Raises:
        AssertionError: it leaves a case open, or decides otherwise the second time, or client and
            store do not agree, or something still claims to run; it shows the shortest stream.
        TypeError: it is no policy.
    """
    from chatkit_reducer.testing import strategies

    check_is_policy(policy)
    for case in _all_cases(policy):
        _check_case(policy, case)
    values = strategies.stops() if stops is None else stops
    try:
        for_all(values, partial(_check_stop, policy=policy, settle=settle), streams)
    except laws.LawBroken as broken:
        raise AssertionError(_described(policy, broken)) from None


def check_is_policy(policy: object) -> None:
    """Raises a TypeError if it is none, such as the name of a preset."""
    if not isinstance(policy, Policy):
        names = ", ".join(each.upper() for each in policies.PRESETS)
        raise TypeError(
            f"{policy!r} is no Policy: the presets are in chatkit_reducer.policies ({names}), and "
            f"Policy(name=..., rows=...) makes one of your own"
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
        raise AssertionError(_open(policy, case, repr(error))) from error
    if not isinstance(row, Row):
        raise AssertionError(_open(policy, case, f"it says {row!r}"))  # noqa: TRY004  # a verdict
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


def _open(policy: Policy, case: Case, instead: str) -> str:
    return message(
        f"The policy {policy.name!r} does not decide about this case: {case}.\n   {instead}",
        advice("Give it a last row that matches everything, and leave `row_for` to the rows."),
    )


def _check_stop(stop: StoppedStream, *, policy: Policy, settle: laws.Settle) -> None:
    # What is in doubt is the last event alone, if anything is.
    written = len(stop.events) - (stop.state is not stop.delivered)
    for law in (laws.settle_is_total, laws.client_and_store_converge):
        law(stop.events, policy=policy, cause=stop.cause, written=written, settle=settle)
    settlement = settle(stop.state, policy=policy, cause=stop.cause, delivered=stop.delivered)
    running = next(_running(stop, settlement), None)
    if running is not None:
        raise AssertionError(
            _shown(
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
    # What a store has is done: nothing is in flight when a thread comes from there.
    stored = {item["id"]: item for item in stored_in(stop.delivered).values()}
    stored.update((write.item["id"], write.item) for write in settlement.writes)
    loaded = ThreadState.from_items(stored.values())
    again = settle(loaded, policy=policy, cause=stop.cause)
    if again.writes or again.events:
        lines = [f"{write.op} {item_line(write.item)}" for write in again.writes]
        raise AssertionError(
            _shown(
                policy,
                "finds something to settle in a thread that was settled and loaded again",
                stop,
                ["Then there is", *map("  {}".format, lines), *event_lines(again.events)],
                "Settle what is in flight, and nothing that is stored.",
            )
        )


def _running(stop: StoppedStream, settlement: Any) -> Iterator[ItemState]:
    """What is to be stored, and claims to be running though nothing runs any more."""
    persisted = {item.id: item for item in settlement.persist if item.id in stop.state.pending}
    written = [write.item for write in settlement.writes if write.item["id"] in persisted]
    for item in [*persisted.values(), *ThreadState.from_items(written).items.values()]:
        if item.sealed() != item:
            yield item


def _shown(
    policy: Policy, problem: str, stop: StoppedStream, what: list[str], what_to_do: str
) -> str:
    return message(
        f"The policy {policy.name!r} {problem}. The shortest example:",
        [f"{stop.cause} after these events:", *event_lines(stop.events)],
        what,
        advice(what_to_do),
    )


def _described(policy: Policy, broken: laws.LawBroken) -> str:
    problem = (
        "Not every item in flight is in what is made of the policy {}, or others are, too."
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
