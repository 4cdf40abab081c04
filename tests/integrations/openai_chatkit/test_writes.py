"""`ReducerChatKitServer`: a write that fails is tried again, and who can help is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chatkit_reducer.errors import CommitError
from chatkit_reducer.integrations.openai_chatkit import _persistence as persistence
from chatkit_reducer.integrations.openai_chatkit import item_to_sdk
from chatkit_reducer.testing.examples import message
from tests.support.sdk_servers import BEGUN, FOREVER, Server, Shelf, added, delta, make, stop


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence, "PAUSES", (0.001, 0.002, 0.003))


class Flaky(Shelf):
    """A store whose adds fail so many times for each item, before they have happened or after."""

    def __init__(
        self, times: int, *, happens: bool = False, error: Callable[[], Exception] = ConnectionError
    ) -> None:
        super().__init__()
        self.times = times
        self.happens = happens
        self.error = error
        self.failed: dict[str, int] = {}

    async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
        if item.type == "user_message" or self.failed.get(item.id, 0) == self.times:
            await super().add_thread_item(thread_id, item, context)
            return
        self.failed[item.id] = self.failed.get(item.id, 0) + 1
        if self.happens and item.id not in [known.id for known in self.items]:
            await super().add_thread_item(thread_id, item, context)
        raise self.error()


def types(shelf: Shelf) -> list[str]:
    return [item.type for item in shelf.items]


ANSWERED = ["user_message", "assistant_message", "sdk_hidden_context"]


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("happens", [False, True])
def test_a_write_that_fails_is_tried_again(times: int, happens: bool) -> None:
    server, shelf = make([*BEGUN, FOREVER], store=Flaky(times, happens=happens))
    asyncio.run(stop(server))
    assert types(shelf) == ANSWERED
    assert shelf.text("m") == "one two "


def test_an_error_that_tells_of_a_mistake_is_tried_once_more() -> None:
    server, shelf = make([*BEGUN, FOREVER], store=Flaky(1, error=lambda: ValueError("no")))
    asyncio.run(stop(server))
    assert types(shelf) == ANSWERED
    server, shelf = make([*BEGUN, FOREVER], store=Flaky(9, error=lambda: ValueError("no")))
    asyncio.run(stop(server))
    assert shelf.failed["m"] == 2


def test_order_is_kept_over_failures() -> None:
    second = [added(message("n")), delta("n", "three")]
    server, shelf = make([*BEGUN, *second, FOREVER], store=Flaky(1))
    asyncio.run(stop(server))
    assert [item.id for item in shelf.items][1:3] == ["m", "n"]


def group() -> Any:
    return BaseExceptionGroup("of a task group", [GeneratorExit()])


@pytest.mark.parametrize("error", [asyncio.CancelledError, TimeoutError, group])
def test_whatever_a_store_raises(error: Any) -> None:
    server, shelf = make([*BEGUN, FOREVER], store=Flaky(1, error=error))
    asyncio.run(stop(server))
    assert types(shelf) == ANSWERED


class Told(Server):
    """A server that keeps what could not be written."""

    commit_timeout = 2.0

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.failures: list[CommitError] = []

    async def commit_failed(self, failure: CommitError) -> None:
        await asyncio.sleep(0)
        self.failures.append(failure)


def unwritten(server: Any) -> list[str]:
    (failure,) = server.failures
    return [write.item["type"] for write in failure.unwritten]


def test_what_is_not_written_is_told_in_order_and_the_marker_comes_behind_its_items() -> None:
    second = [added(message("n")), delta("n", "three")]
    server, shelf = make([*BEGUN, *second, FOREVER], kind=Told)
    shelf.refuses = lambda item_id: item_id == "m"
    asyncio.run(stop(server))
    assert types(shelf) == ["user_message", "assistant_message"]
    assert unwritten(server) == ["assistant_message", "sdk_hidden_context"]
    text = str(server.failures[0])
    assert "m" in text
    assert "one two" not in text


def test_a_write_that_hangs_leaves_time_for_the_others() -> None:
    class Prefixed(Shelf):
        async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
            if item.id == "m":
                await asyncio.sleep(FOREVER)
            await super().add_thread_item(thread_id, item, context)

    second = [added(message("n")), delta("n", "three")]
    server, shelf = make([*BEGUN, *second, FOREVER], kind=Told, store=Prefixed())
    server.commit_timeout = 0.3
    asyncio.run(stop(server))
    assert shelf.text("n") == "three"
    assert unwritten(server) == ["assistant_message", "sdk_hidden_context"]


def test_a_write_that_hung_is_tried_again_with_the_time_that_is_left() -> None:
    class Prefixed(Shelf):
        hung = False

        async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
            if item.id == "m" and not self.hung:
                self.hung = True
                await asyncio.sleep(FOREVER)
            await super().add_thread_item(thread_id, item, context)

    server, shelf = make([*BEGUN, FOREVER], kind=Told, store=Prefixed())
    server.commit_timeout = 0.5
    asyncio.run(stop(server))
    assert types(shelf) == ANSWERED
    assert server.failures == []


def test_a_plain_method_is_told_too() -> None:
    class Plain(Told):
        def commit_failed(self, failure: CommitError) -> None:  # type: ignore[override]
            self.failures.append(failure)

    server, shelf = make([*BEGUN, FOREVER], kind=Plain)
    shelf.refuses = lambda item_id: item_id == "m"
    asyncio.run(stop(server))
    assert unwritten(server) == ["assistant_message", "sdk_hidden_context"]


def test_a_method_that_fails_itself_leaves_it_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Server):
        async def commit_failed(self, failure: CommitError) -> None:
            raise ZeroDivisionError

    server, shelf = make([*BEGUN, FOREVER], kind=Broken)
    shelf.refuses = lambda item_id: item_id == "m"
    asyncio.run(stop(server))
    assert "ZeroDivisionError" in caplog.text
    assert "add m" in caplog.text


def test_a_write_that_was_taken_for_failed_by_mistake_is_not_written_over() -> None:
    """The store has another item with that id, and could not say so before."""

    class Late(Shelf):
        asked = 0

        async def load_item(self, thread_id: str, item_id: str, context: Any) -> Any:
            self.asked += 1
            if self.asked == 1:
                raise ConnectionError
            return await super().load_item(thread_id, item_id, context)

        async def load_thread_items(self, *arguments: Any, **options: Any) -> Any:
            if self.asked == 1:
                raise ConnectionError
            return await super().load_thread_items(*arguments, **options)

        async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
            if item.id in [known.id for known in self.items]:
                raise RuntimeError(f"duplicate key: {item.id}")
            await super().add_thread_item(thread_id, item, context)

    server, shelf = make([*BEGUN, FOREVER], kind=Told, store=Late())
    shelf.items.append(item_to_sdk(message("m", "First")))
    asyncio.run(stop(server))
    assert shelf.text("m") == "First"
    assert unwritten(server) == ["assistant_message", "sdk_hidden_context"]
