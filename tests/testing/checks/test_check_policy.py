"""`check_policy` passes any table, and names the fault of a policy that is not one."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings

from chatkit_reducer import Policy, Settlement, fold, policies, settle
from chatkit_reducer.core.policy.table import Row
from chatkit_reducer.errors import PolicyError
from chatkit_reducer.events import Event
from chatkit_reducer.testing import examples as x
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.checks import check_policy
from tests.support.checked import failure, text


@pytest.mark.parametrize("name", policies.PRESETS)
def test_the_presets_pass(name: str) -> None:
    check_policy(policies.PRESETS[name])


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(chatkit.policies())
def test_any_table_passes(policy: Policy) -> None:
    check_policy(policy, streams=20)


class Forgetful(Policy):
    """A table with code of its own in it."""

    def row_for(self, case: Any) -> Row:
        if case.item == "widget":
            raise KeyError(case.item)
        return super().row_for(case)


def test_a_policy_that_leaves_a_case_open_is_told_which() -> None:
    policy = Forgetful(name="forgetful", rows=policies.KEEP.rows)
    assert failure(check_policy, policy) == text("""
        The policy 'forgetful' does not decide about this case: item widget, new, empty, ended.
           KeyError('widget')

        -> Give it a last row that matches everything, and leave `row_for` to the rows.
    """)


def test_a_policy_that_says_nothing_is_told_so() -> None:
    class Silent(Policy):
        def row_for(self, case: Any) -> Any:
            return None

    policy = Silent(name="silent", rows=policies.KEEP.rows)
    assert "   it says None\n" in failure(check_policy, policy)


def test_a_policy_that_changes_its_mind_is_told_so() -> None:
    class Moody(Policy):
        def row_for(self, case: Any) -> Row:
            moods.append(case)
            return self.rows[len(moods) % 2]

    moods: list[Any] = []
    policy = Moody(name="moody", rows=policies.KEEP.rows)
    said = failure(check_policy, policy)
    assert said.startswith("The policy 'moody' decides in two ways about this case: item ")
    assert "\n   at first: * | * | partial | * -> persist: People saw it" in said
    assert "\n   the next time: * | * | complete | * -> persist: It was done" in said
    assert "-> Let it look at nothing but the case." in said


def settling_what_is_stored(state: Any, **options: Any) -> Any:
    """Whatever is in a thread that was loaded, it writes once more."""
    settlement = settle(state, **options)
    if "delivered" in options:
        return settlement
    rows = settle(fold([x.added(item.to_json()) for item in state.items.values()]), **options)
    return attrs.evolve(settlement, verdicts=rows.verdicts)


def test_what_was_settled_is_settled() -> None:
    said = failure(check_policy, policies.KEEP, settle=settling_what_is_stored)
    assert said.startswith(
        "The policy 'keep' finds something to settle in a thread that was settled and loaded again."
    )
    assert "\nThen there is\n  " in said
    assert said.endswith("-> Settle the items in flight, and no stored ones.")


def running_on(*args: Any, **options: Any) -> Settlement:
    """It persists items as they are, whatever they claim."""
    settlement = settle(*args, **options)
    verdicts = [attrs.evolve(verdict, sealed=verdict.item) for verdict in settlement.verdicts]
    return attrs.evolve(settlement, verdicts=tuple(verdicts))


def test_what_is_persisted_must_not_claim_to_run() -> None:
    workflows = chatkit.streams(types=["workflow"], max_items=1, max_updates=1, unknown=False)
    stops = chatkit.stops(streams=workflows, causes=["cancelled"], in_doubt=False)
    pending = stops.filter(lambda stop: bool(stop.state.pending))
    said = failure(check_policy, policies.KEEP, settle=running_on, stops=pending, streams=500)
    assert said.startswith("The policy 'keep' stores something that claims to be running, and")
    assert "\n\nTo be stored is workflow item_1: " in said
    assert '.status_indicator is "loading", and should be "none"\n' in said
    assert said.endswith("-> Persist `verdict.sealed`, and not `verdict.item`.")


def forgetting(*args: Any, **options: Any) -> Any:
    """It forgets to write what is done."""
    settlement = settle(*args, **options)
    return attrs.evolve(settlement, verdicts=settlement.verdicts[1:])


def test_every_item_in_flight_must_be_decided() -> None:
    said = failure(check_policy, policies.KEEP, settle=forgetting)
    assert said.startswith(
        "The policy 'keep' leaves out an item in flight, or names another one. The shortest "
        "example:\n\nLaw 6 is broken: "
    )


@attrs.frozen(kw_only=True)
class Quiet(Settlement):
    """It tells no client what became of the items."""

    events: tuple[Event, ...] = ()


def telling_nobody(*args: Any, **options: Any) -> Settlement:
    settlement = settle(*args, **options)
    fields = attrs.fields(Settlement)
    return Quiet(**{str(each.alias): getattr(settlement, each.name) for each in fields})


def test_client_and_store_must_agree() -> None:
    said = failure(check_policy, policies.KEEP, settle=telling_nobody)
    assert said.startswith(
        "Client and store do not agree on what the policy 'keep' decides. The shortest example:\n\n"
        "Law 7 is broken: "
    )
    assert "-> Let `settle` give what it decides as it is" in said


def test_a_table_that_leaves_a_case_open_cannot_even_be_made() -> None:
    row = Row(item="widget", decision="persist", reason="People saw it.")
    with pytest.raises(PolicyError, match="no row decides for item"):
        Policy(name="widgets", rows=[row])


def test_the_name_of_a_preset_is_no_policy() -> None:
    with pytest.raises(TypeError, match=r"presets are in chatkit_reducer\.policies \(SDK, "):
        check_policy("keep")  # type: ignore[arg-type]
