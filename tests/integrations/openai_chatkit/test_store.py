"""`ReducerChatKitServer`: stores that fail."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from chatkit import types as sdk
from chatkit.store import NotFoundError

from chatkit_reducer import policies
from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.errors import CommitError
from chatkit_reducer.integrations.openai_chatkit import item_to_sdk
from chatkit_reducer.testing.examples import message, workflow
from tests.support.sdk_servers import (
    BEGUN,
    FOREVER,
    NOW,
    Server,
    Shelf,
    added,
    delta,
    done,
    make,
    receive,
    stop,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)


def test_a_store_that_refuses_one_item_gets_the_others(caplog: pytest.LogCaptureFixture) -> None:
    second = [added(message("n")), delta("n", "three")]
    server, shelf = make([*BEGUN, *second, FOREVER])
    shelf.refuses = lambda item_id: item_id == "m"
    asyncio.run(stop(server))
    assert shelf.text("n") == "three"
    # It says that the answer in front of it was stopped, and that is not stored yet.
    assert shelf.markers == []
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    written = [write.item["type"] for write in record.__dict__["failure"].unwritten]
    assert written == ["assistant_message", "sdk_hidden_context"]
    assert "add m" in record.getMessage()


WHOLE = [*BEGUN, done(message("m", "one two "))]


def test_an_item_that_the_store_refused_once_is_written_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, shelf = make([*WHOLE, added(message("n"))])
    refused = []

    def refuses(item_id: str) -> bool:
        refused.append(item_id)
        return item_id == "m" and refused.count("m") == 1

    shelf.refuses = refuses
    events = asyncio.run(receive(server))
    assert events[-1]["type"] == "error"  # the SDK's loop has failed
    assert shelf.text("m") == "one two "
    assert shelf.markers == []
    assert not any("commit failed" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("policy", policies.PRESETS.values())
def test_an_item_that_the_store_refuses_for_good_is_reported(policy: Policy) -> None:
    failures = []

    class Reporting(Server):
        def commit_failed(self, failure: CommitError) -> None:
            failures.append(failure)

    server, shelf = make(WHOLE, kind=Reporting)
    server.policy = policy
    shelf.refuses = lambda item_id: item_id == "m"
    asyncio.run(receive(server))
    [failure] = failures
    assert [write.item["content"][0]["text"] for write in failure.unwritten] == ["one two "]


def test_an_earlier_item_that_was_deleted_is_not_brought_back_by_a_replacement() -> None:
    class Strict(Shelf):
        async def save_item(self, thread_id: str, item: Any, context: Any) -> None:
            if item.id not in [known.id for known in self.items]:
                raise NotFoundError("no such item")
            await super().save_item(thread_id, item, context)

    replaced = sdk.ThreadItemReplacedEvent(item=item_to_sdk(message("m", "two")))
    server, shelf = make([replaced], store=Strict())
    assert asyncio.run(receive(server))[-1]["type"] == "error"
    assert "m" not in shelf.plain()


OTHER = item_to_sdk(message("another", "kept by mistake"))


class Wrong(Shelf):
    """It gives the same answer, whatever it is asked for."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> Any:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"id": "m", "type": "assistant_message"}, "dict"),
        (OTHER, "AssistantMessageItem 'another'"),
        (OTHER.model_copy(update={"id": None}), "AssistantMessageItem None"),
    ],
)
def test_a_store_that_does_not_return_the_item_is_told(
    answer: Any, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    server, shelf = make([*BEGUN, FOREVER], store=Wrong(answer))
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    said = {record.getMessage() for record in caplog.records}
    expected = "expected the item of the SDK with this id, or NotFoundError."
    counts = "which counts as no answer"
    assert said == {f"load_item of Wrong returned {words} for item m, {counts}: {expected}"}


@pytest.mark.parametrize("answer", [{"id": "m"}, OTHER])
def test_updates_of_an_item_that_the_store_does_not_give_are_told(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Wrong(answer)
    shelf.items = [item_to_sdk(message("m", "one"))]
    server, _ = make([delta("m", "!"), FOREVER], store=shelf)
    asyncio.run(stop(server))
    assert shelf.text("m") == "one"
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("load_item of Wrong returned")
    assert said[-1].endswith("be settled.")


def test_a_store_that_cannot_say_what_it_has(caplog: pytest.LogCaptureFixture) -> None:
    class Silent(Shelf):
        async def load_item(self, thread_id: str, item_id: str, context: Any) -> Any:
            raise ConnectionError

    shelf = Silent()
    server = Server(shelf)
    server.script = [done(workflow("w"))]
    asyncio.run(receive(server))
    assert ("add", "w") in shelf.log
    assert caplog.text == ""


def test_an_item_that_is_done_twice_in_doubt_is_not_added_twice() -> None:
    """The write had happened, and only its answer was cut off."""

    class Slow(Shelf):
        async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
            await super().add_thread_item(thread_id, item, context)
            if item.id == "m":
                await asyncio.sleep(FOREVER)

    shelf = Slow()
    server = Server(shelf)
    server.script = [*BEGUN, done(message("m", "one two "))]
    asyncio.run(stop(server))
    # It is looked up, and there is nothing to do.
    assert [op for op, item_id in shelf.log if item_id == "m"] == ["add", "load"]
    assert shelf.text("m") == "one two "


def test_an_item_that_holds_what_json_cannot_say_is_written_as_it_was() -> None:
    class Refusing(Shelf):
        async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
            if item.id == "h" and not self.refused:
                self.refused = True
                await asyncio.sleep(FOREVER)
            await super().add_thread_item(thread_id, item, context)

        refused = False

    content = {"at": NOW}
    hidden = sdk.HiddenContextItem(id="h", thread_id="thr_1", created_at=NOW, content=content)
    shelf = Refusing()
    server = Server(shelf)
    server.script = [sdk.ThreadItemDoneEvent(item=hidden)]
    asyncio.run(stop(server))
    assert shelf.plain()["h"].content == content
