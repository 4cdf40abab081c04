"""What `ReducerChatKitServer` keeps over stores that misbehave: all that such a store can keep.

A response is stopped at every point, in several ways, over each of
`tests/support/misbehaving_stores`.
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it warns of its own widgets
    pytest.importorskip("chatkit")
    from chatkit import types as sdk
    from chatkit.server import StreamingResult

    from chatkit_reducer.integrations.openai_chatkit import (
        ReducerChatKitServer,
        event_to_sdk,
        item_from_sdk,
    )
    from chatkit_reducer.testing.chatkit_server import server_exchange
    from tests.support import misbehaving_stores as stores
    from tests.support.misbehaving_stores import MISBEHAVING, SoundStore

import msgspec

from chatkit_reducer import policies
from chatkit_reducer.events import Event
from chatkit_reducer.testing import examples as x
from chatkit_reducer.testing.cancellation import (
    FindingKind,
    Report,
    Way,
    a_response,
    cancel_everywhere,
)
from tests.support.effort import others_slow

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What a stop over a broken store logs is of no interest here."""
    caplog.set_level(logging.CRITICAL)


class Server(ReducerChatKitServer[Any]):
    policy = policies.KEEP

    def respond(self, *_: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


class Impatient(Server):
    """For stores that never answer."""

    load_timeout = 0.02
    commit_timeout = 0.2


# --- stopped everywhere -------------------------------------------------------------------------

RESPONSE: list[Event] = [*a_response()[:10], x.done(x.message("msg_1", "Soup, says"))]
"""A workflow that is done, an update to an earlier widget, and a message, done at the end."""

WAYS = [Way.TASK_CANCEL, Way.SCOPE_CANCEL, Way.STOP, Way.ACLOSE]

WRITES_FAIL = {
    "DeadConnectionStore",
    "FlakyStore",
    "HangingStore",
    "KilledConnectionStore",
}
"""Over these the SDK does not even write the message of the user at the first try: see below."""

UNREADABLE = {"TwoStepAddStore"}
"""The SDK's own add is cut off between its two steps, and then the thread cannot be read."""

NEVER_ANSWER = {"HangingLoadStore", "LockKeepingStore"}

NOT_KEPT: dict[str, set[FindingKind]] = {
    # Nobody knows the widget of an earlier answer, and so nobody can say what an update made of it.
    "HangingLoadStore": {FindingKind.LOST},
    # Its marker cannot be read, and would make the thread unreadable: so it is taken out again.
    "NoHiddenContextStore": {FindingKind.MARKER_MISSING},
    # A save is cut off between its two steps where the server shuts down, and what is gone is not
    # brought back.
    "HalfWritingStore": {FindingKind.LOST},
    # The SDK's own write is cut off, and the lock that it took is never given back.
    "LockKeepingStore": {FindingKind.LOST, FindingKind.MARKER_MISSING},
}
"""What cannot be kept over a store. Over all others everything is."""


def stopped_everywhere(
    store: Callable[[], Any], server: type[Server] = Server, *ways: Way
) -> Report:
    return cancel_everywhere(
        lambda: server_exchange(server, response=RESPONSE, store=store), ways=ways or WAYS
    )


@pytest.mark.parametrize(
    "ways", others_slow([Way.SCOPE_CANCEL, Way.STOP], WAYS), ids=["scope cancel, stop", "all"]
)
@pytest.mark.parametrize("name", sorted(set(MISBEHAVING) - WRITES_FAIL - UNREADABLE))
def test_all_that_a_store_can_keep_is_kept(
    name: str, ways: list[Way], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores.SlowStore, "seconds", 0.002)
    server = Impatient if name in NEVER_ANSWER else Server
    if name == "HalfWritingStore":
        ways = [*ways, Way.SHUTDOWN]
    report = stopped_everywhere(MISBEHAVING[name], server, *ways)
    known = NOT_KEPT.get(name, set())
    unexpected = [one for one in report.findings if one.kind not in known]
    assert not unexpected, str(unexpected[0])
    assert {one.kind for one in report.findings} == known  # a store that keeps more is praised
    if name == "HangingLoadStore":
        assert {one.item_id for one in report.findings} == {"wid_earlier"}


def test_what_the_store_breaks_while_nobody_cuts_it_off_is_kept() -> None:
    ways = [Way.ACLOSE, Way.BREAK]
    stopped_everywhere(stores.TwoStepAddStore, Server, *ways).raise_for_findings()


def test_over_a_sound_store_nothing_is_lost() -> None:
    stopped_everywhere(SoundStore, Server, *WAYS, Way.SHUTDOWN, Way.BREAK).raise_for_findings()


# --- stopped in mid-answer, where the store fails from then on ------------------------------------

SAID = "Soup, says the menu"
CALL = x.item("call_1", "client_tool_call", status="pending", call_id="c", name="ask", arguments={})


class Answering(Server):
    """Says something to whoever presses a button, and then waits for its model."""

    def __init__(self, store: Any, *events: Event) -> None:
        super().__init__(store)
        self.failures: list[Any] = []
        self.events = events

    async def action(self, *_: Any) -> AsyncIterator[Any]:
        for event in self.events:
            yield event_to_sdk(event)
        await asyncio.Event().wait()

    def commit_failed(self, failure: Any) -> None:
        self.failures.append(failure)


async def stop_in_mid_answer(store: SoundStore, *events: Event) -> Answering:
    server = Answering(store, x.added(x.message("msg_1")), x.text_delta("msg_1", SAID), *events)
    thread = sdk.ThreadMetadata(id="thr_1", created_at="2025-01-01T00:00:00")  # type: ignore[arg-type]  # it is parsed
    await store.save_thread(thread, None)
    params = {"thread_id": "thr_1", "item_id": None, "action": {"type": "ask", "payload": {}}}
    body = msgspec.json.encode({"type": "threads.custom_action", "params": params})
    result = await server.process(body, None)
    assert isinstance(result, StreamingResult)
    frames: Any = result.json_events
    for _ in range(len(server.events) + 1):  # the first frame says whether it can be stopped
        await anext(frames)
    await asyncio.wait_for(frames.aclose(), 5)
    return server


def texts_of(store: SoundStore) -> list[str]:
    """What the store holds, read past everything that it does wrong."""
    items = [item_from_sdk(store.from_row(row)) for row in store.table("thr_1").rows]
    return [part["text"] for item in items for part in item["content"] if "text" in part]


@pytest.mark.parametrize("kind", [stores.FlakyStore, stores.KilledConnectionStore])
def test_what_fails_the_first_time_is_written_again(kind: type[SoundStore]) -> None:
    store = kind()
    server = asyncio.run(stop_in_mid_answer(store))
    assert SAID in texts_of(store)
    assert store.ids("thr_1")[0] == "msg_1"
    assert len(store.ids("thr_1")) == 2  # the message and the marker, each once
    assert not server.failures


@pytest.mark.parametrize("kind", [stores.DeadConnectionStore, stores.HangingStore])
def test_what_can_not_be_written_is_reported(
    kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "lives", 0)
    monkeypatch.setattr(Answering, "commit_timeout", 0.2)
    store = kind()
    server = asyncio.run(stop_in_mid_answer(store))
    assert not store.ids("thr_1")
    (failure,) = server.failures
    assert failure.unwritten[0].item["id"] == "msg_1"
    assert failure.settlement.writes[0].item["content"][0]["text"] == SAID


@pytest.mark.parametrize(
    "kind", [SoundStore, stores.ByTimeStore, stores.PrimaryKeyStore, stores.StrictSaveStore]
)
def test_nothing_stands_behind_a_client_tool_call_that_waits(kind: type[SoundStore]) -> None:
    store = kind()
    server = asyncio.run(stop_in_mid_answer(store, x.done(CALL)))
    assert store.ids("thr_1") == ["msg_1", "call_1"]
    assert texts_of_message(store) == SAID
    assert not server.failures


def test_a_call_that_cannot_be_moved_stays_and_the_text_is_not_lost() -> None:
    store = stores.TombstoneStore()
    server = asyncio.run(stop_in_mid_answer(store, x.done(CALL)))
    assert "msg_1" in store.ids("thr_1") or server.failures


def texts_of_message(store: SoundStore) -> str:
    (row,) = [row for row in store.table("thr_1").rows if row.id == "msg_1"]
    return str(item_from_sdk(store.from_row(row))["content"][0]["text"])
