"""The watcher of responses, mounted in an application with a server of the SDK."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from urllib.parse import urljoin

import pytest
from chatkit import types as sdk

from chatkit_reducer import ThreadState, encode, policies
from chatkit_reducer.errors import CommitError
from chatkit_reducer.events import Event, Json
from chatkit_reducer.supervise import supervise
from chatkit_reducer.testing.examples import added as new
from chatkit_reducer.testing.examples import message, text_delta
from chatkit_reducer.view.reading import Reader
from chatkit_reducer.view.watching import Watcher
from tests.support.page_data import merged
from tests.support.sdk_servers import (
    BEGUN,
    FOREVER,
    Server,
    added,
    delta,
    done,
    make,
    receive,
    stop,
    updated,
)
from tests.view.applications import mounted
from tests.view.live_client import data_of_page, events_of, get

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)
ANSWER = [*BEGUN, done(message("m", "one two "))]


def watched(script: list[Any], *stored: Any) -> tuple[Any, Watcher]:
    server, _ = make(script, *stored)
    server.watcher = Watcher(debug=True)
    return server, server.watcher


def raws_of(block: Json) -> list[Any]:
    reader = Reader(block)
    return [reader.raw(step) for step in range(1, block["n"] + 1)]


# --- every event is there -------------------------------------------------------------------------


def test_every_event_of_a_response_is_in_its_page() -> None:
    server, watcher = watched(ANSWER)
    events = asyncio.run(receive(server))
    own = [event for event in events if event["type"].startswith("thread.item")][1:]
    with mounted(watcher) as address:
        (block,) = data_of_page(get(f"{address}1/").body)["threads"]
    assert len(own) == len(ANSWER)
    assert raws_of(block) == [json.loads(json.dumps(event)) for event in own]
    assert block["thread"] == "thr_1"
    assert block["policies"][0]["name"] == "keep"


def test_a_page_follows_a_response_while_it_goes_on() -> None:
    server, watcher = watched([*BEGUN, 0.4, delta("m", "three"), 0.2, *ANSWER[3:]])
    with mounted(watcher, server) as address:
        host = address.removeprefix("http://").split("/")[0]
        answering = threading.Thread(target=get, args=(f"http://{host}/chatkit",))
        answering.start()
        while not watcher.responses or watcher.responses[0].growing.events < len(BEGUN):
            time.sleep(0.01)
        data = data_of_page(get(f"{address}1/").body)
        (block,) = data["threads"]
        assert data["live"]["after"].startswith("0/3.")
        sent = list(events_of(f"{address}1/events?after={data['live']['after']}"))
        answering.join()
        assert [each.event for each in sent][-1] == "end"
        for each in sent[:-1]:
            block = merged(block, each.data["threads"][0])
        assert [block] == data_of_page(get(f"{address}1/").body)["threads"]
        assert block["n"] == len(BEGUN) + 2


def test_an_update_of_a_stored_item_stands_behind_its_copy() -> None:
    stored = sdk.AssistantMessageItem.model_validate(message("old", "Once"))
    kind = "assistant_message.content_part.text_delta"
    more = updated("old", type=kind, content_index=0, delta=" more")
    server, watcher = watched([more], stored)
    asyncio.run(receive(server))
    with mounted(watcher) as address:
        (block,) = data_of_page(get(f"{address}1/").body)["threads"]
    copy, update = raws_of(block)
    assert (copy["type"], copy["item"]["id"]) == ("thread.item.done", "old")
    assert update["update"]["delta"] == " more"
    assert [finding["kind"] for finding in block["findings"]] == ["left_pending"]


def test_the_first_page_has_the_newest_first_with_their_ends() -> None:
    server, watcher = watched(ANSWER)
    asyncio.run(receive(server))
    server.policy, server.script = policies.DROP, [added(message("n")), delta("n", "more"), FOREVER]
    asyncio.run(stop(server))
    server.policy, server.script = policies.KEEP, [added(message("o")), delta("o", "more")]
    asyncio.run(receive(server))
    with mounted(watcher) as address:
        page = get(address).body
    rows = [row for row in page.split("<tr>") if "<td>" in row]
    assert [row.split("</a>")[0][-1] for row in rows] == ["3", "2", "1"]
    assert ["cancelled" in row for row in rows] == [False, True, False]
    assert "keep: 1 kept" in rows[0]
    assert "drop: 1 lost" in rows[1]
    assert "keep: nothing was in flight" in rows[2]
    assert all("thr_1" in row for row in rows)


@pytest.mark.parametrize(
    ("error", "cause", "findings"),
    [
        (ConnectionError(), "failed", []),
        (asyncio.CancelledError(), "cancelled", []),
        (None, "ended", ["left_pending"]),
    ],
)
def test_the_page_of_a_response_that_has_ended_knows_how(
    error: BaseException | None, cause: str, findings: list[str]
) -> None:
    watcher = Watcher(debug=True)

    async def answer() -> AsyncIterator[Event]:
        yield new(message("m", ""))
        yield text_delta("m", "Hi")
        if error is not None:
            raise error

    async def body() -> None:
        stream = supervise(answer(), lambda _: None, policy=policies.KEEP, watcher=watcher)
        with suppress(ConnectionError, asyncio.CancelledError):
            _ = [event async for event in stream]

    asyncio.run(body())
    data = data_of_page(str(watcher.responses[0].growing.page()))
    assert data["start"]["cause"] == cause
    assert [each["kind"] for block in data["threads"] for each in block["findings"]] == findings


def test_of_many_responses_the_newest_are_kept() -> None:
    watcher = Watcher(debug=True, most=2)
    for _ in range(3):
        watcher.watch(ThreadState(), policies.KEEP)
    with mounted(watcher) as address:
        assert [get(f"{address}{number}/").status for number in (1, 2, 3)] == [404, 200, 200]
        assert [get(f"{address}{place}").status for place in ("3", "3/x", "x/", "9/events")] == [
            404
        ] * 4


def test_supervise_tells_a_watcher_of_events_and_of_a_commit_that_failed() -> None:
    watcher, failures = Watcher(debug=True), list[CommitError]()
    events: list[Any] = [new(message("m", "")), text_delta("m", "Hi")]

    async def answer() -> AsyncIterator[Event]:
        for event in events:
            yield event

    def refuse(_: object) -> None:
        raise ConnectionError("no")

    async def body() -> None:
        stream = supervise(
            answer(), refuse, policy=policies.KEEP, watcher=watcher,
            on_failure=failures.append, commit_attempts=1,
        )  # fmt: skip
        assert [event async for event in stream] == events

    asyncio.run(body())
    (response,) = watcher.responses
    assert response.failure is failures[0]
    assert response.outcome == "keep: 1 kept; the commit failed"
    (block,) = data_of_page(str(response.growing.page()))["threads"]
    assert raws_of(block) == [json.loads(encode(event)) for event in events]


# --- it does no harm ------------------------------------------------------------------------------


class Failing:
    """A watcher that raises in one of its methods."""

    def __init__(self, fails: str) -> None:
        self.fails = fails
        self.calls: list[str] = []

    def _call(self, name: str) -> Failing:
        self.calls.append(name)
        if name == self.fails:
            raise ZeroDivisionError(name)
        return self

    def watch(self, state: object, policy: object, /) -> Failing:
        return self._call("watch")

    def take(self, event: object, /) -> object:
        return self._call("take")

    def finish(self, settlement: object, failure: object, /) -> object:
        return self._call("finish")


@pytest.mark.parametrize(
    ("fails", "calls"),
    [
        ("watch", ["watch"]),
        ("take", ["watch", "take"]),
        ("finish", ["watch", *["take"] * 4, "finish"]),
    ],
)
def test_a_watcher_that_fails_changes_nothing_and_is_told_no_more(
    fails: str, calls: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    plain, shelf = make(ANSWER)
    server, other_shelf = make(ANSWER)
    server.watcher = watcher = Failing(fails)
    with caplog.at_level(logging.ERROR):
        shown, wanted = asyncio.run(receive(server)), asyncio.run(receive(plain))
    assert shown[1:] == wanted[1:]  # the first is the question, with an id of its own
    assert other_shelf.plain() == shelf.plain()
    assert watcher.calls == calls
    (record,) = caplog.records
    assert record.getMessage().startswith("A watcher failed")


def test_what_is_not_a_watcher_is_refused_at_once() -> None:
    class Wrong(Server):
        watcher: Any = 3

    with pytest.raises(TypeError, match=r"Wrong.watcher to be .*Watcher.*rename yours"):
        make([], kind=Wrong)
    with pytest.raises(TypeError, match="expected watcher to be"):
        supervise(
            aiter_of(), lambda _: None, policy=policies.KEEP, watcher=3  # type: ignore[arg-type]
        )  # fmt: skip


async def aiter_of() -> AsyncIterator[Event]:
    for event in list[Event]():
        yield event


# --- who may look ---------------------------------------------------------------------------------


@pytest.mark.parametrize("debug", [False, None, 1, "yes"])
def test_it_refuses_to_start_unless_debug_is_true(debug: Any) -> None:
    with pytest.raises(ValueError, match="expected debug=True"):
        Watcher(debug=debug)
    with pytest.raises(ValueError, match="expected debug=True"):
        Watcher()


def test_the_path_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    watcher = Watcher(debug=True)
    assert watcher.path in caplog.text
    assert len(watcher.path.strip("/")) >= 128 / 6


def test_only_a_request_with_the_token_and_a_name_of_this_machine_is_answered() -> None:
    watcher = Watcher(debug=True)
    watcher.watch(ThreadState(), policies.KEEP).finish(None, None)
    with mounted(watcher) as address:
        for host in ("127.0.0.1", "localhost:9", "[::1]:8000"):
            assert get(address, host).status == 200
        for place in ("", "1/", "1/events"):
            for host in ("evil.example", "127.0.0.1.evil.example", "", "0.0.0.0"):
                assert get(address + place, host).status == 403
            wrong = address.replace(watcher.path, f"/{'x' * 22}/") + place
            assert get(wrong).status == 403
        answer = get(address)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_an_address_without_its_last_slash_leads_to_the_first_page() -> None:
    with mounted(Watcher(debug=True)) as address:
        answer = get(address.rstrip("/"))
        assert answer.status == 308
        assert urljoin(address.rstrip("/"), answer.headers["location"]) == address
        assert get(address.rstrip("/"), "evil.example").status == 403


@pytest.mark.parametrize(
    ("client", "status"),
    [(("127.0.0.1", 1), 200), (("::1", 1), 200), (None, 200), (("192.0.2.7", 1), 403)],
)
def test_only_this_machine_is_answered(client: Any, status: int) -> None:
    watcher, sent = Watcher(debug=True), list[Any]()
    headers = [(b"host", b"localhost")]
    scope = {"type": "http", "path": watcher.path, "headers": headers, "client": client}

    async def ask() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        async def no_more() -> Any:
            raise AssertionError

        await watcher(scope, no_more, send)

    asyncio.run(ask())
    assert sent[0]["status"] == status


def test_text_of_a_response_is_no_markup_in_the_first_page() -> None:
    hostile = "<script>alert(1)</script>"
    server, watcher = watched([added({**message("m", "Hi"), "thread_id": hostile})])
    asyncio.run(receive(server))
    with mounted(watcher) as address:
        page = get(address).body
    assert hostile not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
