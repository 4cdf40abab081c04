"""`ReducerChatKitServer`: the marker of a stopped response."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from chatkit import types as sdk

from chatkit_reducer import Cause, policies
from chatkit_reducer.core.policy.table import Marker, Policy
from tests.support.sdk_servers import (
    BEGUN,
    FOREVER,
    Server,
    Shelf,
    make,
    stop,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)


def test_a_marker_with_content_of_the_application() -> None:
    class Structured(Server):
        policy = Policy(
            name="structured",
            about="",
            rows=policies.KEEP.rows,
            marker=Marker(item="hidden_context_item", content=None, causes=[Cause.CANCELLED]),
        )

        def marker_content(self, thread: sdk.ThreadMetadata, context: Any) -> Any:
            return {"stopped": thread.id}

    server, shelf = make([*BEGUN, FOREVER], kind=Structured)
    asyncio.run(stop(server))
    (marker,) = [item for item in shelf.items if isinstance(item, sdk.HiddenContextItem)]
    assert marker.content == {"stopped": "thr_1"}


def test_the_marker_has_an_id_of_the_store() -> None:
    class Numbered(Shelf):
        def generate_item_id(self, item_type: Any, thread: Any, context: Any) -> str:
            return f"{item_type} of {thread.id}"

    shelf = Numbered()
    server = Server(shelf)
    server.script = [*BEGUN, FOREVER]
    asyncio.run(stop(server))
    assert shelf.markers[0].id == "sdk_hidden_context of thr_1"
