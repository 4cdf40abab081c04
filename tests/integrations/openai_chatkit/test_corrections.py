"""`ReducerChatKitServer`: a client that is still there shows what is stored."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from chatkit.errors import CustomStreamError
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_reducer import decode, fold, policies
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.integrations.openai_chatkit import item_from_sdk
from chatkit_reducer.testing.examples import message, task, workflow
from tests.support.sdk_servers import (
    BEGUN,
    FOREVER,
    Shelf,
    added,
    done,
    make,
    progress,
    receive,
    updated,
    value,
    widget_item,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)

SCRIPT = [
    *BEGUN,
    value("b"),
    added(workflow("v")),
    updated("v", type="workflow.task.added", task_index=0, task=task("a", status="loading")),
    added(message("n")),
]
"""A message, a widget of an earlier response, a workflow with a spinner, an empty message."""


def shown(received: list[Any], stored: Any) -> dict[str, Any]:
    """What a client shows that had loaded the stored items before."""
    before = [decode(json.dumps({"type": "thread.item.done", "item": item})) for item in stored]
    state = fold([*before, *(decode(json.dumps(event)) for event in received)])
    assert state.pending == ()
    return {item_id: item.to_json() for item_id, item in state.items.items()}


def kept(shelf: Shelf) -> dict[str, Any]:
    return {item.id: item_from_sdk(item) for item in shelf.items if item not in shelf.markers}


ENDINGS: dict[str, list[Any]] = {
    "returns": [],
    "raises": [ValueError("model")],
    "raises for people": [CustomStreamError("No more.", allow_retry=False)],
    "times out": [FOREVER],
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("policy", [policies.KEEP, policies.DROP])
def test_after_a_response_that_ends_in_mid_answer(ending: str, policy: Policy) -> None:
    earlier = widget_item("a")
    server, shelf = make(SCRIPT + ENDINGS[ending], earlier)
    server.policy, server.event_timeout = policy, 0.05
    events = asyncio.run(receive(server))
    assert shown(events, [item_from_sdk(earlier)]) == kept(shelf)
    assert ("m" in kept(shelf)) == (policy is policies.KEEP)
    # Behind what failed nothing comes any more.
    assert (events[-1]["type"] == "error") == (ending != "returns")


def test_after_a_stop_from_elsewhere() -> None:
    async def body() -> None:
        reading = asyncio.create_task(receive(server))
        await progress()
        assert await server.stop_responses() == 1
        events = await reading
        assert shown(events, [item_from_sdk(earlier)]) == kept(shelf)
        assert [e["type"] for e in events[-4:]] == [
            "thread.item.done",
            "thread.item.done",
            "thread.item.done",
            "thread.item.removed",
        ]

    earlier = widget_item("a")
    server, shelf = make([*SCRIPT, FOREVER], earlier)
    asyncio.run(body())


def test_what_is_corrected_is_stored_once() -> None:
    server, shelf = make(BEGUN)
    asyncio.run(receive(server))
    assert [op for op, item_id in shelf.log if item_id == "m"] == ["load", "add"]


def test_what_could_not_be_stored_is_not_corrected() -> None:
    server, shelf = make(BEGUN)
    shelf.refuses = lambda item_id: item_id == "m"
    assert asyncio.run(receive(server))[-1]["type"] == "thread.item.updated"


def test_a_response_that_is_whole_gets_nothing_more() -> None:
    server, _ = make([*BEGUN[:1], done(message("m"))])
    assert [e["type"] for e in asyncio.run(receive(server))].count("thread.item.done") == 2


@settings(max_examples=25)
@given(cut=st.integers(0, len(SCRIPT)), keep=st.booleans())
def test_wherever_it_ends(cut: int, keep: bool) -> None:
    earlier = widget_item("a")
    server, shelf = make(SCRIPT[:cut], earlier)
    server.policy = policies.KEEP if keep else policies.DROP
    events = asyncio.run(receive(server))
    assert shown(events, [item_from_sdk(earlier)]) == kept(shelf)


def test_a_client_that_leaves_while_it_is_corrected() -> None:
    server, shelf = make(SCRIPT, widget_item("a"))
    events = asyncio.run(receive(server, leave_after=len(SCRIPT) + 3))
    assert [e["type"] for e in events[-2:]] == ["thread.item.added", "thread.item.done"]
    assert shelf.text("m") == "one two "
