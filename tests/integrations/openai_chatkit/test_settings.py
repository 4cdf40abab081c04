"""`ReducerChatKitServer`: what could not settle a response is refused, and every request ends."""

from __future__ import annotations

import asyncio
import uuid
import warnings
from typing import Any

import attrs
import pytest
from chatkit import types as sdk
from chatkit.server import ChatKitServer

from chatkit_reducer import Cause, policies
from chatkit_reducer.core.policy.table import Marker
from chatkit_reducer.integrations.openai_chatkit import (
    CancellationHookWarning,
    ReducerChatKitServer,
)
from chatkit_reducer.integrations.openai_chatkit._settings import TIMEOUTS
from tests.support.sdk_servers import (
    BEGUN,
    FOREVER,
    NOW,
    Scripted,
    Server,
    Shelf,
    make,
    receive,
    stop,
)

OF_THE_APPLICATION = attrs.evolve(
    policies.KEEP,
    marker=Marker(item="hidden_context_item", content=None, causes=[Cause.CANCELLED]),
)


# --- settings -------------------------------------------------------------------------------------


def test_an_attribute_of_the_application_that_is_called_policy_is_refused() -> None:
    class Insurance(Server):
        policy = "household"  # type: ignore[assignment]

    with pytest.raises(TypeError, match=r"to be a Policy, got 'household'.*rename"):
        Insurance(Shelf())


def test_a_policy_that_is_set_after_the_constructor_is_refused_with_the_request() -> None:
    server, shelf = make(BEGUN)
    server.policy = "household"
    with pytest.raises(TypeError, match=r"Server\.policy to be a Policy"):
        asyncio.run(receive(server))
    assert shelf.items == []


@pytest.mark.parametrize("name", TIMEOUTS)
@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("5", TypeError),
        (True, TypeError),
        (0, ValueError),
        (-1.0, ValueError),
        (1e400 * 0, ValueError),
    ],
)
def test_timeouts_that_are_none_are_refused(name: str, value: Any, error: type[Exception]) -> None:
    kind = type("Mine", (Server,), {name: value})
    with pytest.raises(error, match=rf"Mine\.{name} to be a positive number of seconds, or None"):
        kind(Shelf())


@pytest.mark.parametrize("name", ["load_timeout", "commit_timeout"])
def test_no_timeout_is_no_limit(name: str) -> None:
    server, shelf = make([*BEGUN, FOREVER], kind=type("Patient", (Server,), {name: None}))
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert len(shelf.markers) == 1


@pytest.mark.parametrize("name", ["marker_content", "commit_failed", "stop_responses"])
def test_an_attribute_in_the_place_of_a_method_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=rf"Mine\.{name} to be a method, got 'mine'"):
        type("Mine", (Server,), {name: "mine"})(Shelf())


@pytest.mark.parametrize("value", [None, "mine", 1])
def test_an_attribute_that_is_no_truth_value_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"Mine\.own_task to be True or False, got"):
        type("Mine", (Server,), {"own_task": value})(Shelf())


def test_a_content_that_would_have_to_be_awaited_is_refused() -> None:
    class Mine(Server):
        async def marker_content(self, *_: Any) -> str:
            return "stopped"

    with pytest.raises(TypeError, match=r"marker_content to return the content, got an `async"):
        Mine(Shelf())


def test_a_method_that_cannot_take_the_failure_is_refused() -> None:
    class Mine(Server):
        def commit_failed(self) -> None:  # type: ignore[override]
            raise AssertionError

    with pytest.raises(TypeError, match=r"Mine\.commit_failed must be a function of one argument"):
        Mine(Shelf())


def test_a_store_that_makes_no_id_leaves_the_marker_out(caplog: pytest.LogCaptureFixture) -> None:
    class Nameless(Shelf):
        def generate_item_id(self, item_type: Any, thread: Any, context: Any) -> Any:
            is_marker = item_type == "sdk_hidden_context"
            return None if is_marker else super().generate_item_id(item_type, thread, context)

    server, shelf = make([*BEGUN, FOREVER], store=Nameless())
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert shelf.markers == []
    assert "MarkerFields.new_id must return a string" in caplog.text


def test_a_hook_that_is_no_method_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Mine\.handle_stream_cancelled to be a method, got 5"):
        type("Mine", (Server,), {"policy": policies.KEEP, "handle_stream_cancelled": 5})


def test_a_store_that_lacks_methods_is_refused() -> None:
    class Half:
        async def add_thread_item(self, *_: Any) -> None: ...

    half: Any = Half()
    with pytest.raises(TypeError, match=r"Store, got .*Half, which lacks save_item, load_item"):
        Server(half)


def test_a_store_whose_ids_would_have_to_be_awaited_is_refused() -> None:
    class Slow(Shelf):
        async def generate_item_id(self, *_: Any) -> str:  # type: ignore[override]
            return "id"

    with pytest.raises(TypeError, match=r"to return an id, got an `async def`"):
        Server(Slow())


def test_a_policy_that_wants_a_content_wants_the_method_that_gives_it() -> None:
    with pytest.raises(ValueError, match="override `marker_content"):
        Server(Shelf(), policy=OF_THE_APPLICATION)


# --- markers that cannot be made ------------------------------------------------------------------


def test_ids_of_the_store_need_not_be_strings() -> None:
    class Numbered(Shelf):
        def generate_item_id(self, item_type: Any, thread: Any, context: Any) -> Any:
            made = uuid.uuid4()
            return str(made) if item_type == "message" else made

    shelf = Numbered()
    server = Server(shelf)
    server.script = [*BEGUN, FOREVER]
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert str(uuid.UUID(shelf.markers[0].id)) == shelf.markers[0].id


def raising(*_: Any) -> Any:
    raise ZeroDivisionError


async def coroutine(*_: Any) -> Any: ...


@pytest.mark.parametrize(
    "method",
    [
        raising,
        lambda *_: coroutine(),
        lambda *_: object(),
        lambda *_: {"a": b"\xff".hex, 1: object()},
    ],
)
def test_a_content_that_cannot_be_made_leaves_the_marker_out(
    method: Any, caplog: pytest.LogCaptureFixture
) -> None:
    kind = type("Mine", (Server,), {"policy": OF_THE_APPLICATION, "marker_content": method})
    server, shelf = make([*BEGUN, FOREVER], kind=kind)
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert [item.type for item in shelf.items] == ["user_message", "assistant_message"]
    assert "Mine.marker_content failed, or what it returned is not JSON" in caplog.text


@pytest.mark.parametrize("cut_off", [False, True])
def test_an_item_that_json_cannot_say_does_not_keep_the_others_back(cut_off: bool) -> None:
    class Slow(Shelf):
        async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
            if item.id == "h" and cut_off and not self.was_cut_off:
                self.was_cut_off = True
                await asyncio.sleep(FOREVER)
            await super().add_thread_item(thread_id, item, context)

        was_cut_off = False

    content = {"at": object()}
    hidden = sdk.HiddenContextItem(id="h", thread_id="thr_1", created_at=NOW, content=content)
    server, shelf = make([*BEGUN, sdk.ThreadItemDoneEvent(item=hidden), FOREVER], store=Slow())
    asyncio.run(stop(server))
    assert shelf.text("m") == "one two "
    assert type(shelf.plain()["h"].content["at"]) is object
    assert len(shelf.markers) == 1


# --- the hook -------------------------------------------------------------------------------------


async def hook(self: Any, thread: Any, pending_items: Any, context: Any) -> None: ...


def test_a_hook_without_a_policy_is_reported_where_the_class_is_made() -> None:
    with pytest.warns(CancellationHookWarning) as caught:

        class Mine(Scripted, ReducerChatKitServer[Any]):
            handle_stream_cancelled = hook

    (warning,) = caught
    text = str(warning.message)
    assert "Mine.handle_stream_cancelled does not decide any more what is stored" in text
    assert all(name in text for name in ("policies.SDK", "policies.KEEP", "policies.DROP"))
    assert warning.filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        class More(Mine):
            """Of which one was warned already."""


@pytest.mark.parametrize("first", [True, False])
def test_a_hook_of_a_class_that_it_is_mixed_into_is_reported_too(first: bool) -> None:
    existing = type("Existing", (Scripted, ChatKitServer), {"handle_stream_cancelled": hook})
    bases = (existing, ReducerChatKitServer) if first else (ReducerChatKitServer, existing)
    with pytest.warns(CancellationHookWarning, match="the policy of Safe does"):
        type("Safe", bases, {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        type("Safe", bases, {"policy": policies.SDK})


def test_no_hook_or_a_policy_and_nothing_is_reported() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        type("Plain", (Scripted, ReducerChatKitServer), {})
        mine = type("Mine", (ReducerChatKitServer,), {"policy": policies.SDK})
        type("More", (Scripted, mine), {"handle_stream_cancelled": hook})
