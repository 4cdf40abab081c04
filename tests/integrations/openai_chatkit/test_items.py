"""`ReducerChatKitServer`: items that the store has before they are done."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from chatkit import types as sdk

from chatkit_reducer import policies
from chatkit_reducer.integrations.openai_chatkit import (
    item_to_sdk,
)
from chatkit_reducer.testing.examples import message, task, workflow
from tests.support.sdk_servers import (
    BEGUN,
    FOREVER,
    Server,
    Shelf,
    added,
    card,
    done,
    event,
    make,
    receive,
    steps,
    stop,
    updated,
    value,
    widget_item,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)


def sdk_item(plain: Any) -> Any:
    return item_to_sdk(plain)


def test_a_continued_workflow_is_saved_and_not_added_twice() -> None:
    before = steps(task("a", status="complete"))
    after = steps(task("a", status="complete"), task("b"))
    script = [
        updated("w", type="workflow.task.added", task_index=1, task=task("b")),
        done(after),
    ]
    server, shelf = make(script, sdk_item(before))
    asyncio.run(receive(server))
    assert [entry for entry in shelf.log if entry[1] == "w"] == [("load", "w"), ("save", "w")]
    assert [item.id for item in shelf.items].count("w") == 1


def test_a_workflow_that_is_only_closed_is_saved_too() -> None:
    before = steps(task("a"))
    server, shelf = make([done(before)], sdk_item(before))
    asyncio.run(receive(server))
    assert ("save", "w") in shelf.log
    assert ("add", "w") not in shelf.log


def test_a_new_workflow_is_added_and_looked_for_at_most_once() -> None:
    server, shelf = make([done(workflow("v")), added(workflow("w")), done(workflow("w"))])
    asyncio.run(receive(server))
    assert [e for e in shelf.log if e[1] in "vw"] == [("load", "v"), ("add", "v"), ("add", "w")]


def test_an_item_that_is_done_twice_is_added_once_and_saved_once() -> None:
    server, shelf = make([*BEGUN, done(message("m", "one ")), done(message("m", "two "))])
    asyncio.run(receive(server))
    assert [op for op, item_id in shelf.log if item_id == "m"] == ["add", "save"]
    assert shelf.text("m") == "two "


@pytest.mark.parametrize(
    ("adds_what_is_not_there", "expected"),
    [(True, ["load", "add", "save"]), (False, ["load", "add", "save"])],
)
def test_an_item_that_was_replaced_and_is_done_is_there_once(
    adds_what_is_not_there: bool, expected: list[str]
) -> None:
    class Upserting(Shelf):
        async def save_item(self, thread_id: str, item: sdk.ThreadItem, context: Any) -> None:
            await super().save_item(thread_id, item, context)
            if adds_what_is_not_there and item.id not in [known.id for known in self.items]:
                self.items.append(item)

    shelf = Upserting()
    server = Server(shelf)
    replacement = event(type="thread.item.replaced", item=message("m", "one "))
    server.script = [*BEGUN, replacement, done(message("m", "two "))]
    asyncio.run(receive(server))
    assert [op for op, item_id in shelf.log if item_id == "m"] == expected
    assert [item.id for item in shelf.items].count("m") == 1
    assert shelf.text("m") == "two "


def test_an_item_that_was_removed_and_is_done_again_is_added_again() -> None:
    before = steps(task("a", status="complete"))
    script = [
        updated("w", type="workflow.task.added", task_index=1, task=task("b")),
        event(type="thread.item.removed", item_id="w"),
        done(before),
    ]
    server, shelf = make(script, sdk_item(before))
    asyncio.run(receive(server))
    assert [op for op, item_id in shelf.log if item_id == "w"] == ["load", "add"]
    assert [item.id for item in shelf.items].count("w") == 1


def test_a_continued_workflow_that_is_stopped_is_saved() -> None:
    before = steps(task("a", status="complete"))
    new = task("b", status="loading")
    script = [updated("w", type="workflow.task.added", task_index=1, task=new), FOREVER]
    server, shelf = make(script, sdk_item(before))
    asyncio.run(stop(server))
    (stored,) = [item for item in shelf.items if item.id == "w"]
    assert isinstance(stored, sdk.WorkflowItem)
    assert [step.status_indicator for step in stored.workflow.tasks] == ["complete", "none"]


def test_a_widget_of_an_earlier_response_is_loaded_before_and_after_and_saved() -> None:
    server, shelf = make([value("b"), value("c"), FOREVER], widget_item("a"))
    asyncio.run(stop(server))
    # Once for all updates, and once more to see whether somebody else has saved it meanwhile.
    assert [op for op, item_id in shelf.log if item_id == "w"] == ["load", "load", "save"]
    assert shelf.plain()["w"].widget == card("abc")


def test_a_widget_of_an_earlier_response_under_the_policy_of_the_sdk() -> None:
    server, shelf = make([value("b"), FOREVER], widget_item("a"))
    server.policy = policies.SDK
    asyncio.run(stop(server))
    assert shelf.plain()["w"].widget == card("a")


def test_a_base_that_the_store_does_not_have(caplog: pytest.LogCaptureFixture) -> None:
    server, shelf = make([value("b"), *BEGUN, FOREVER])
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert "Item w is updated, but the store does not have it" in caplog.text
