"""The preset `sdk` and the official SDK, cancelled behind every event of random streams.

The real `ChatKitServer` of openai-chatkit 1.6.5 runs its `_process_events` on a store in memory,
and the stream is cancelled; what its `handle_stream_cancelled` adds to the store is compared with
the writes of a settlement. Where the two differ on purpose, a test below runs both.
"""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import AsyncIterator, Iterable
from copy import deepcopy
from datetime import datetime
from importlib.metadata import version
from typing import Any

import pytest
from hypothesis import given

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it warns of its own widgets
    from chatkit import types as sdk
    from chatkit.server import ChatKitServer
    from pydantic import TypeAdapter

from chatkit_reducer import Settlement, ThreadState, fold, policies, reduce, settle
from chatkit_reducer.core.codec import from_json, to_json
from chatkit_reducer.events import Event, Json, StreamOptions, Unreadable
from chatkit_reducer.logs import read
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    done,
    item,
    message,
    part,
    part_added,
    part_done,
    text_delta,
    user_message,
    workflow,
)
from tests.support.paths import ROOT

pytestmark = [
    pytest.mark.skipif(
        version("openai-chatkit") != "1.6.5", reason="the preset is what 1.6.5 does"
    ),
    pytest.mark.filterwarnings("ignore:Direct usage of named widget classes:DeprecationWarning"),
]

RECORDINGS = ROOT / "docs" / "recordings"
_event: TypeAdapter[Any] = TypeAdapter(sdk.ThreadStreamEvent)
_item: TypeAdapter[Any] = TypeAdapter(sdk.ThreadItem)


def plain(model: Any) -> Json:
    """A model as the SDK writes it (1.6.5: `ChatKitServer._serialize`)."""
    written: Json = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return written


def normal(item: Json) -> Json:
    """An item of ours, with the defaults that the SDK fills in and without nulls."""
    return plain(_item.validate_python(item))


class Memory:
    """As much of a store as a response needs."""

    def __init__(self, items: Iterable[Json]) -> None:
        parsed = [_item.validate_python(one) for one in items]
        self.items = {one.id: one for one in parsed}
        self.added: list[Any] = []

    async def add_thread_item(self, thread_id: str, item: Any, context: None) -> None:
        self.items[item.id] = item.model_copy(deep=True)
        self.added.append(self.items[item.id])

    save_item = add_thread_item

    async def delete_thread_item(self, thread_id: str, item_id: str, context: None) -> None:
        self.items.pop(item_id, None)

    async def save_thread(self, thread: Any, context: None) -> None:
        raise NotImplementedError

    def generate_item_id(self, kind: str, thread: Any, context: None) -> str:
        return "the marker"


class Server(ChatKitServer[None]):
    def __init__(self, stored: Iterable[Json] = ()) -> None:
        self.memory = Memory(stored)
        super().__init__(self.memory)  # type: ignore[arg-type]
        self.cancelled_at: int | None = None

    def respond(self, thread: Any, input_user_message: Any, context: None) -> AsyncIterator[Any]:
        raise NotImplementedError

    async def handle_stream_cancelled(
        self, thread: Any, pending_items: list[Any], context: None
    ) -> None:
        self.memory.added.clear()
        await super().handle_stream_cancelled(thread, pending_items, context)
        self.cancelled_at = len(self.memory.added)

    async def cancelled_behind(self, events: list[Any]) -> list[Json]:
        """What the SDK stores when its stream is cancelled behind these events."""

        async def stream() -> AsyncIterator[Any]:
            for event in events:
                yield event
            raise asyncio.CancelledError

        thread = sdk.ThreadMetadata(id="thread_1", created_at=datetime(2025, 1, 1))  # noqa: DTZ001
        with pytest.raises(asyncio.CancelledError):
            async for _ in self._process_events(thread, None, stream):
                pass
        assert self.cancelled_at is not None
        return [plain(one) for one in self.memory.added]


async def stored_by_the_sdk(
    events: Iterable[Event | Unreadable], stored: Iterable[Json] = ()
) -> list[Json]:
    # It keeps what an event brings and changes it later: every run has events of its own.
    read_by_it = [_event.validate_python(to_json(event)) for event in events]  # type: ignore[arg-type]
    return await Server(stored).cancelled_behind(deepcopy(read_by_it))


def settled(state: ThreadState) -> Settlement:
    return settle(
        state,
        policy=policies.SDK,
        cause="cancelled",
        marker_id="the marker",
        marker_time="2025-01-01T00:00:00",
        thread_id="thread_1",
    )


def assert_same_writes(state: ThreadState, theirs: list[Json]) -> None:
    *messages, marker = theirs
    ours = list(settled(state).writes)
    if not waits_for_output(state):
        found = ours.pop()
        assert found.op == "add"
        clock = {"created_at": marker["created_at"]}
        assert {**normal(found.item), **clock} == marker
    assert [write.op for write in ours] == ["add"] * len(messages)
    assert [normal(write.item) for write in ours] == messages


def waits_for_output(state: ThreadState) -> bool:
    """Whether the newest item that stays is a call whose output a client has still to send."""
    gone = {one.item.id for one in settled(state).verdicts if one.left is None}
    staying = [one.to_json() for item_id, one in state.items.items() if item_id not in gone]
    newest = staying[-1] if staying else {}
    return newest.get("type") == "client_tool_call" and normal(newest)["status"] == "pending"


def assert_same_at_every_prefix(events: list[Event], stored: Iterable[Json] = ()) -> None:
    async def run() -> None:
        state = ThreadState.from_items(stored)
        assert_same_writes(state, await stored_by_the_sdk([], stored))
        for count, event in enumerate(events, 1):
            state = reduce(state, event)
            assert_same_writes(state, await stored_by_the_sdk(events[:count], stored))

    asyncio.run(run())


@given(
    chatkit.streams(
        types=["assistant_message", "workflow", "client_tool_call"],
        max_items=3,
        max_updates=6,
        unknown=False,
        sdk_differences=False,
    )
)
def test_messages_workflows_and_tool_calls(events: list[Event]) -> None:
    assert_same_at_every_prefix(events)


@given(chatkit.streams(max_items=2, max_updates=4, unknown=False, sdk_differences=False))
def test_all_types(events: list[Event]) -> None:
    assert_same_at_every_prefix(events)


@pytest.mark.parametrize(
    "name",
    [
        "client-tool-call",
        "guardrail-after-the-answer",
        "guardrail-in-mid-answer",
        "image-generation",
        "later-message",
        "notices-and-effects",
        "reasoning-around-a-tool",
        "stopped-in-mid-workflow",
        "streamed-widget",
        "structured-input-answered",
        "two-messages",
        "unusual-characters",
        "widget-updated-later",
        "workflow-continued",
        "workflow-step-by-step",
    ],
)
def test_recordings(name: str) -> None:
    before = RECORDINGS / f"{name}.before.json"
    stored = json.loads(before.read_text())["items"] if before.exists() else []
    # The server sends the options of the stream by itself.
    events: list[Event] = [
        event
        for event in read(RECORDINGS / f"{name}.sse")
        if not isinstance(event, StreamOptions | Unreadable)
    ]
    assert_same_at_every_prefix(events, stored)


@pytest.mark.parametrize("name", ["stopped-in-mid-answer", "stopped-in-mid-workflow"])
def test_what_a_real_server_stored(name: str) -> None:
    """On a store that never suspends, the SDK gets to write what it wants to write."""
    path = RECORDINGS / f"{name}-instant-store"
    held = json.loads(path.with_suffix(".store.json").read_text())["items"]
    state = fold(read(path.with_suffix(".sse")))
    # It has what was stored in the stream, and behind it what the stop has written.
    before = [item_id for item_id in state.items if item_id not in state.pending]
    *messages, marker = settled(state).writes
    after = {one["id"]: one for one in held if one["id"] not in before}
    assert {write.item["id"]: normal(write.item) for write in messages} == {
        key: normal(one) for key, one in after.items() if one["type"] != "sdk_hidden_context"
    }
    [theirs] = [one for one in held if one["type"] == "sdk_hidden_context"]
    assert marker.item["content"] == theirs["content"]
    assert marker.item["type"] == theirs["type"]


# --- order, white space, padding ------------------------------------------------------------------

SPACES = " \t\n\u00a0\u2003\x1c\x1f"


@pytest.mark.parametrize(
    "events",
    [
        [],
        [added(message("m"))],
        [added(message("m", "", SPACES))],
        [added(message("m", SPACES + "\u200b"))],
        [added(message("m")), text_delta("m", "", index=3)],
        [added(message("m")), text_delta("m", "a", index=3)],
        [added(message("m", "a")), added(message("n", "b")), text_delta("m", "c")],
        [added(message("m", "a")), done(user_message("u", "x")), added(workflow("w", "one"))],
        [added(message("m", "a")), added(message("n", "b")), done(message("m", "a"))],
        [
            added(message("m", "a")),
            done(
                item(
                    "c", "client_tool_call", call_id="1", name="f", arguments={}, status="completed"
                )
            ),
        ],
    ],
)
def test_small_streams(events: list[Event]) -> None:
    assert_same_at_every_prefix([in_thread(event) for event in events])


def in_thread(event: Event) -> Event:
    """The event with all that the models of the SDK ask of a thread."""
    return from_json(json.loads(json.dumps(to_json(event)).replace('"thr_1"', '"thread_1"')))


# --- departures -----------------------------------------------------------------------------------


def both(*events: Event) -> tuple[list[Json], list[Json]]:
    """What we write and what 1.6.5 stores."""
    ours = [normal(write.item) for write in settled(fold(events)).writes]
    theirs = asyncio.run(stored_by_the_sdk(events))
    for one in (*ours, *theirs):
        one.pop("created_at")
        one.pop("thread_id")
    return ours, theirs


def test_citations_are_kept_when_a_part_is_done() -> None:
    """`content_part.done` of the SDK's own producer has none; 1.6.5 takes that at its word."""
    [ours, _], [theirs, _] = both(
        added(message("m")),
        part_added("m", part("")),
        text_delta("m", "a"),
        annotation_added("m", citation("1"), 0),
        part_done("m", part("a")),
    )
    assert len(ours["content"][0]["annotations"]) == 1
    assert theirs["content"][0]["annotations"] == []


@pytest.mark.parametrize("status", ["pending", "completed"])
def test_no_marker_behind_a_call_that_waits(status: str) -> None:
    """Behind a marker, 1.6.5 would never find the call again when its output arrives."""
    call = item("c", "client_tool_call", call_id="1", name="f", arguments={}, status=status)
    ours, [marker] = both(done(call))
    assert marker["type"] == "sdk_hidden_context"
    assert ours == ([] if status == "pending" else [marker])


def test_a_message_is_stored_by_both_as_people_saw_it() -> None:
    """Sealing changes tasks and widgets, and of these the preset persists none."""
    ours, theirs = both(added(message("m")), text_delta("m", "a"), added(workflow("w", "one")))
    assert ours == theirs
    assert [one["type"] for one in ours] == ["assistant_message", "sdk_hidden_context"]


def test_a_stored_message_that_is_changed_is_stale() -> None:
    """1.6.5 ignores updates to what its stream did not add: the stored copy stays."""
    stored = [{**message("m", "a"), "thread_id": "thread_1"}]
    update = text_delta("m", "b")
    theirs = asyncio.run(stored_by_the_sdk([update], stored))
    assert [one["type"] for one in theirs] == ["sdk_hidden_context"]
    settlement = settled(fold([update], ThreadState.from_items(stored)))
    assert [write.item["type"] for write in settlement.writes] == ["sdk_hidden_context"]
    assert [one.id for one in settlement.stale] == ["m"]
