"""given / when / then, and what a failing one shows."""

from __future__ import annotations

import pytest

from chatkit_reducer import Cause, policies
from chatkit_reducer.core.policy.table import Marker, Policy
from chatkit_reducer.testing.examples import (
    added,
    done,
    message,
    removed,
    replaced,
    text_delta,
    value_delta,
    widget,
)
from chatkit_reducer.testing.given import add, given, marker, save


def card(text: str) -> dict[str, object]:
    return {"type": "Card", "children": [{"type": "Text", "id": "t", "value": text}]}


MARKER = add(marker(policies.KEEP))


def test_a_whole_sentence() -> None:
    given(widget("w", card("a"))).when(
        added(message("m")),
        text_delta("m", "Hello"),
        value_delta("w", "t", "b"),
    ).ends(Cause.CANCELLED, policies.KEEP).then(
        save(widget("w", card("ab"))),
        add(message("m", "Hello")),
        MARKER,
    ).then_stale().then_client(done(widget("w", card("ab"))), done(message("m", "Hello")))


def test_nothing_is_written() -> None:
    given().when(added(message("m")), text_delta("m", "Hello")).ends(
        "ended", policies.DROP
    ).then().then_client(removed("m"))


def test_stale() -> None:
    before = widget("w", card("a"))
    given(before).when(value_delta("w", "t", "b")).ends("failed", policies.SDK).then().then_stale(
        "w"
    ).then_client()
    given(before).when(value_delta("w", "t", "b")).ends("failed", policies.DROP).then_client(
        replaced(before)
    )


def test_in_doubt() -> None:
    events = added(message("m")), text_delta("m", "Hello"), done(message("m", "Hello"))
    given().when(*events).ends("failed", policies.DROP).then()
    given().when(*events).ends("failed", policies.DROP, in_doubt=1).then(add(message("m", "Hello")))
    with pytest.raises(ValueError, match="between 0 and 3, not 4"):
        given().when(*events).ends("failed", policies.DROP, in_doubt=4)


def test_a_marker_with_content_of_the_application() -> None:
    policy = Policy(
        name="mine",
        about="",
        rows=policies.KEEP.rows,
        marker=Marker(item="hidden_context_item", content=None, causes=[Cause.CANCELLED]),
    )
    content = {"why": "stopped"}
    ended = given().when().ends(Cause.CANCELLED, policy, marker_content=content)
    ended.then(add(marker(policy, content)))
    bare = Policy(name="bare", about="", rows=policies.KEEP.rows)
    with pytest.raises(ValueError, match="'bare' has no marker"):
        marker(bare)


def test_the_state_in_the_middle() -> None:
    assert given().when(added(message("m"))).state.pending == ("m",)


def test_a_difference_is_shown_line_by_line() -> None:
    ended = (
        given()
        .when(added(message("m")), text_delta("m", "Hello"))
        .ends(Cause.CANCELLED, policies.KEEP)
    )
    with pytest.raises(AssertionError) as failure:
        ended.then(add(message("m", "Hullo")), MARKER)
    lines = str(failure.value).splitlines()
    assert lines[0].startswith("other writes than expected")
    changed = [line for line in lines[1:] if not line.startswith("  ")]
    assert [line.replace(" ", "") for line in changed] == ['-"text":"Hullo",', '+"text":"Hello",']


def test_other_differences_are_shown_too() -> None:
    ended = (
        given(widget("w", card("a")))
        .when(value_delta("w", "t", "b"))
        .ends(Cause.FAILED, policies.SDK)
    )
    with pytest.raises(AssertionError, match="other stale items"):
        ended.then_stale()
    with pytest.raises(AssertionError, match="other events for the client"):
        ended.then_client(removed("w"))
