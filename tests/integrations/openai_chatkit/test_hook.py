"""`ReducerChatKitServer`: `handle_stream_cancelled`, and classes that it is mixed into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from chatkit import types as sdk
from chatkit.server import ChatKitServer
from chatkit.store import Store

from chatkit_reducer import policies
from chatkit_reducer.integrations.openai_chatkit import (
    ReducerChatKitServer,
)
from tests.support.sdk_servers import (
    BEGUN,
    FOREVER,
    ITEM_TYPES,
    NOW,
    Scripted,
    Server,
    Told,
    added,
    card,
    make,
    receive,
    stop,
    updated,
    value,
    widget_item,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)


def test_the_hook_is_told_of_pending_items_with_their_updates() -> None:
    script = [*BEGUN, added(widget_item("a", streaming=True)), value("b"), FOREVER]
    server, shelf = make(script, kind=Told)
    asyncio.run(stop(server))
    ((text, shown),) = server.told
    assert isinstance(text, sdk.AssistantMessageItem)
    assert text.content[0].text == "one two "
    assert isinstance(shown, sdk.WidgetItem)
    assert shown.widget == card("ab", streaming=True)
    # It is looked up before: somebody may have stored it.
    assert [op for op, item_id in shelf.log if item_id == "m"] == ["load", "add"]


@pytest.mark.skipif("generated_image" not in ITEM_TYPES, reason="an SDK without images")
def test_the_hook_is_told_of_pending_images() -> None:
    image = {"id": "i_1", "url": "https://example.com/1"}
    script = [
        added({"type": "generated_image", "id": "g", "thread_id": "thr_1", "created_at": NOW}),
        updated("g", type="generated_image.updated", image=image, progress=0.5),
        FOREVER,
    ]
    server, _ = make(script, kind=Told)
    asyncio.run(stop(server))
    ((picture,),) = server.told
    assert picture.image.url == "https://example.com/1"


@pytest.mark.parametrize("script", [BEGUN, [*BEGUN, ValueError("model")]])
def test_the_hook_is_for_cancellations(script: list[Any]) -> None:
    server, _ = make(script, kind=Told)
    asyncio.run(receive(server))
    assert server.told == []


def test_the_hook_is_called_once_whoever_closes() -> None:
    server, _ = make([*BEGUN, FOREVER], kind=Told)
    asyncio.run(receive(server, leave_after=4))
    assert len(server.told) == 1


def test_a_hook_that_fails_comes_after_all_was_written(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Server):
        async def handle_stream_cancelled(self, *_: Any) -> None:
            raise ZeroDivisionError

    server, shelf = make([*BEGUN, FOREVER], kind=Broken)
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert len(shelf.markers) == 1
    assert "handle_stream_cancelled failed; all was written before." in caplog.text


def test_a_hook_that_hangs_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    class Prefixed(Server):
        commit_timeout = 0.05

        async def handle_stream_cancelled(self, *_: Any) -> None:
            await asyncio.sleep(FOREVER)

    server, shelf = make([*BEGUN, FOREVER], kind=Prefixed)
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert "handle_stream_cancelled failed" in caplog.text


def test_a_hook_that_is_no_coroutine_is_called() -> None:
    called = []

    class Plain(Server):
        def handle_stream_cancelled(self, *arguments: Any) -> None:  # type: ignore[override]
            called.append(arguments)

    server, _ = make([*BEGUN, FOREVER], kind=Plain)
    asyncio.run(stop(server))
    assert len(called) == 1


def test_a_hook_with_another_signature_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match=r"to take \(self, thread, pending_items, context\)"):

        class Wrong(Server):
            async def handle_stream_cancelled(self, thread: Any) -> None: ...  # type: ignore[override]


class Existing(Scripted, ChatKitServer[Any]):
    """A server of somebody's that knows nothing of this package."""

    def __init__(self, store: Store[Any]) -> None:
        super().__init__(store)
        self.told: list[Any] = []
        self.passed = 0

    async def handle_stream_cancelled(
        self, thread: sdk.ThreadMetadata, pending_items: list[sdk.ThreadItem], context: Any
    ) -> None:
        self.told.append(pending_items)

    async def _process_events(self, thread: Any, context: Any, stream: Any) -> AsyncIterator[Any]:
        async for one in super()._process_events(thread, context, stream):
            self.passed += 1
            yield one


@pytest.mark.parametrize(
    "bases", [(Existing, ReducerChatKitServer), (ReducerChatKitServer, Existing)]
)
def test_mixed_in_before_or_behind_a_server_that_exists(bases: tuple[type, ...]) -> None:
    kind = type("Safe", bases, {"policy": policies.KEEP})
    server, shelf = make([*BEGUN, FOREVER], kind=kind)
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert len(shelf.markers) == 1
    assert len(server.told) == 1
    assert server.passed == 4


def test_the_view_of_the_loop_is_the_server_in_everything_else() -> None:
    class Custom(Existing):
        def get_stream_options(self, thread: Any, context: Any) -> sdk.StreamOptions:
            self.asked = True
            assert isinstance(self, Custom)
            return super().get_stream_options(thread, context)

    kind = type("Safe", (Custom, ReducerChatKitServer), {"policy": policies.SDK})
    server, _ = make(BEGUN, kind=kind)
    asyncio.run(receive(server))
    assert server.asked
