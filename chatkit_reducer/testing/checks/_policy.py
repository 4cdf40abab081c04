"""`check_policy`: a policy, tried on streams that were stopped."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chatkit_reducer.policy import Case, Policy, Row, cases_of
from chatkit_reducer.settlement import settle as our_settle
from chatkit_reducer.testing import laws
from chatkit_reducer.testing.checks._examples import for_all
from chatkit_reducer.testing.checks._words import advice, event_lines, item_line, message

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from chatkit_reducer.testing.strategies import StoppedStream

__all__ = ["check_policy"]


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

    It decides about every item that there can be; once it is carried out, a client shows what the
    store holds; and nothing that is persisted still claims to be running. A table cannot go wrong
    there by itself: this is for a policy with code of its own in it, and for another `settle`.
    Whether the decisions are the right ones, only `given(...).when(...).ends(...).then(...)` can
    say: see `chatkit_reducer.testing.scenarios`.

    Args:
        policy: the policy.
        stops: the streams; those of `strategies.stops` if left out.
        settle: what carries it out on paper.
        streams: how many are tried.

    Raises:
        AssertionError: it leaves a case open, or client and store do not agree, or something still
            claims to run; it shows the shortest stream.
    """
    from chatkit_reducer.testing import strategies

    for case in _all_cases(policy):
        _check_case(policy, case)
    values = strategies.stops() if stops is None else stops
    try:
        for_all(values, partial(_check_stop, policy=policy, settle=settle), streams)
    except laws.LawBroken as broken:
        raise AssertionError(_described(policy, broken)) from None


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
    for item in settlement.persist:
        if item.id in stop.state.pending and item.sealed() != item:
            raise AssertionError(
                message(
                    f"The policy {policy.name!r} persists something that claims to be running, "
                    "and nothing runs any more. The shortest example:",
                    [f"{stop.cause} after these events:", *event_lines(stop.events)],
                    f"To be stored is {item_line(item.to_json())}",
                    advice("Persist `verdict.sealed`, and not `verdict.item`."),
                )
            )


def _described(policy: Policy, broken: laws.LawBroken) -> str:
    return message(
        f"Client and store do not agree on what the policy {policy.name!r} decides. The shortest "
        "example:",
        str(broken),
        advice("Change neither `Settlement.writes` nor `Settlement.events` after the decision."),
    )
