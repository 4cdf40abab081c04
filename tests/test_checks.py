"""The checks: each passes for good code, and fails for code with a bug, in words that help."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import re
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from datetime import datetime
from functools import partial
from textwrap import dedent
from typing import Any

import anyio
import attrs
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import HealthCheck, given, settings
from pydantic import TypeAdapter

from chatkit_reducer import Policy, Settlement, fold, policies, settle
from chatkit_reducer.codec import encode, to_json
from chatkit_reducer.errors import PolicyError
from chatkit_reducer.events import Event, Json, ThreadItemDone, UnknownUpdate
from chatkit_reducer.policy import Marker, Row
from chatkit_reducer.supervise import supervise
from chatkit_reducer.testing import examples as x
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.cancellation import Backend, Exchange, Way
from chatkit_reducer.testing.checks import (
    Flaw,
    check_commit,
    check_policy,
    check_producer,
    check_server,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it warns of its own widgets
    pytest.importorskip("chatkit")
    from chatkit.server import ChatKitServer
    from chatkit.types import ThreadItem

    from chatkit_reducer.integrations.openai_chatkit import ReducerChatKitServer, event_to_sdk
    from chatkit_reducer.testing.chatkit_server import SuspendingStore, server_exchange

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)


def failure(check: Callable[..., object], *args: Any, **options: Any) -> str:
    """What a check says that fails."""
    with pytest.raises(AssertionError) as caught:
        check(*args, **options)
    return str(caught.value)


def text(indented: str) -> str:
    return dedent(indented).strip()


# --- producers ------------------------------------------------------------------------------------

ANSWER: list[Event] = [
    x.added(x.message("m")),
    x.part_added("m", x.part("")),
    x.text_delta("m", "Hello"),
    x.done(x.message("m", "Hello")),
]


async def answering(events: Iterable[Any] = ANSWER) -> AsyncIterator[Any]:
    for event in events:
        await checkpoint()
        yield event


async def later() -> AsyncIterator[Any]:
    await checkpoint()
    return answering()


@pytest.mark.parametrize(
    "make",
    [
        lambda: ANSWER,
        lambda: iter(ANSWER),
        lambda: answering,
        answering,
        lambda: later,
        lambda: lambda: ANSWER,
        lambda: [to_json(event) for event in ANSWER],
        lambda: [event_to_sdk(event) for event in ANSWER],
        lambda: [json.dumps(to_json(event)) for event in ANSWER],
        lambda: [b"data: " + json.dumps(to_json(event)).encode() + b"\n\n" for event in ANSWER],
        lambda: "".join(f"data: {json.dumps(to_json(event))}\n\n" for event in ANSWER),
        lambda: lambda: b"".join(b"data: " + encode(event) + b"\n\n" for event in ANSWER),
    ],
)
def test_a_producer_may_be_anything_that_gives_events(make: Callable[[], Any]) -> None:
    assert [type(event) for event in check_producer(make())] == [type(event) for event in ANSWER]


def test_trio_will_do() -> None:
    assert check_producer(answering, backend="trio") == ANSWER


@settings(suppress_health_check=list(HealthCheck))
@given(chatkit.streams(departures=False).filter(bool))
def test_sound_streams_have_no_flaw(events: list[Event]) -> None:
    assert check_producer(events) == events


def test_items_of_an_earlier_answer_are_known() -> None:
    stored = [x.workflow("w", "A")]
    events = [
        x.task_updated("w", x.task("B"), 0),
        x.done(x.workflow("w", "B")),
    ]
    assert check_producer(events, stored=stored) == events
    check_producer([x.done(x.workflow("w", "B"))], stored=stored)
    assert "does not fit, at event 0: the thread has no such item" in failure(
        check_producer, events
    )


def test_a_report_has_the_first_flaw_of_each_kind_in_full_and_all_in_order() -> None:
    changing = to_json(x.added(x.message("q", "hi")))

    def flawed() -> Iterator[Any]:
        yield x.added(x.message("m"))
        yield x.text_delta("m", "Hello")
        yield x.text_delta("n", "Who is it?")
        yield x.done(x.message("m", "Hello, world"))
        yield x.done(x.message("m", "Hello, world"))
        yield changing
        changing["item"]["content"][0]["text"] = "ho"
        yield x.text_delta("q", "!", 3)
        yield 7
        yield {"no": "event"}

    assert failure(check_producer, flawed) == text("""
        The producer sent 7 events with 8 flaws.

        1. does not fit, at event 2: the thread has no such item
           -> Add an item before you update it, and count parts and tasks from 0. If the item is one of an
              earlier response, pass it: check_producer(..., stored=[item]).

        2. does not add up, at event 3: content[0].text is not what the updates add up to
           the updates say: "Hello"
           this event says: "Hello, world"
           -> Send an update for each change. People see what the updates say until the item is done, and
              that is what is kept if the answer is stopped.

        3. not unique, at event 4: the item was done already, at event 3
           -> Send it once, and give each item an id of its own: a store may hold both. If a task came
              twice, the item was put into a queue and changed before it was sent: wait between the two
              calls, or put in a copy.

        4. changed later, at event 5: it had changed when the next one came
           item.content[0].text was "hi" when it was sent, and is "ho" now
           -> Send a copy: model_copy(deep=True), or copy.deepcopy. Whoever still has the event, in a queue
              or in a log, has another one now.

        5. out of order, at event 6: content_index is 3, of 1 parts
           -> Count parts, citations and tasks from 0, and leave no number out.

        6. no event, at the end: what came is 7
           -> Yield events of chatkit.types or chatkit_reducer.events, JSON mappings, or JSON text.

        7. no event, at the end: `type` is missing or no string - at `$`

        8. left pending, at the end: assistant_message q is not done when the stream ends
           -> Send `thread.item.done` with the whole item, or `thread.item.removed`. Until then a client
              shows it as still being written, and no store has it.

        All events:
          0  thread.item.added                          assistant_message m: content []
          1  assistant_message.content_part.text_delta  m, content_index 0, delta "Hello"
          2  assistant_message.content_part.text_delta  n, content_index 0, delta "Who is it?"
          3  thread.item.done                           assistant_message m: content [{"type": "output_text", "text": "Hello, world", "annota ...
          4  thread.item.done                           assistant_message m: content [{"type": "output_text", "text": "Hello, world", "annota ...
          5  thread.item.added                          assistant_message q: content [{"type": "output_text", "text": "hi", "annotations": []}]
          6  assistant_message.content_part.text_delta  q, content_index 3, delta "!"
    """)  # noqa: E501


def one_flaw_of(producer: Any) -> str:
    """The line about the one flaw of a producer, and what is below it."""
    said = failure(check_producer, producer).split("\n\n")
    assert "with 1 flaw." in said[0]
    return said[1].split("\n   ->", maxsplit=1)[0]


HELLO = x.message("m", "Hello")
CARD = {"type": "Card", "children": [{"type": "Text", "id": "t", "value": "a"}]}


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (
            [x.added(HELLO), x.added(HELLO), x.done(HELLO)],
            "1. not unique, at event 1: the item is added, and it is pending already",
        ),
        (
            [x.added(x.workflow("w", "A", "B")), x.task_added("w", x.task("B"), 1),
             x.done(x.workflow("w", "A", "B"))],
            "1. not unique, at event 1: the workflow has this very task at task_index 1",
        ),
        (
            [x.added(HELLO), x.part_added("m", x.part("Hello")), x.done(HELLO)],
            "1. out of order, at event 1: part 0 is there already, and begins again",
        ),
        (
            [x.added(HELLO), x.annotation_added("m", x.citation("A"), 1),
             x.done({**HELLO, "content": [x.part("Hello", x.citation("A"))]})],
            "1. out of order, at event 1: annotation_index is 1, of 0 annotations",
        ),
        (
            [x.added(HELLO), x.annotation_added("m", x.citation("A"), 1, 1),
             x.done({**HELLO, "content": [x.part("Hello"), x.part("", x.citation("A"))]})],
            "1. out of order, at event 1: annotation_index is 1, of 0 annotations",
        ),
        (
            [x.added(x.workflow("w")), x.task_added("w", x.task("A"), 1),
             x.done(x.workflow("w", "A"))],
            "1. out of order, at event 1: task_index 1 is past the end of 0 tasks",
        ),
        (
            [x.added(x.workflow("w", "A")), x.task_updated("w", x.task("B"), 1),
             x.done(x.workflow("w", "A"))],
            "1. does not fit, at event 1: task_index 1 is past the end of 1 tasks",
        ),
        (
            [x.added(HELLO), x.text_delta("m", "!", -1), x.done(HELLO)],
            "1. out of order, at event 1: content_index -1 is negative",
        ),
        (
            [x.added(HELLO), x.text_delta("m", "!", 5_000), x.done(HELLO)],
            "1. out of order, at event 1: content_index 5000 is too far past the end of 1 parts",
        ),
        (
            [x.added(x.message("m")), x.text_delta("m", "Hel"), x.part_done("m", x.part("Hello")),
             x.done(HELLO)],
            """1. does not add up, at event 2: content[0].text is not what the updates add up to
   the updates say: "Hel"
   this event says: "Hello\"""",
        ),
        (
            [x.added(x.message("m")), x.text_delta("m", "Hel"), x.text_delta("m", "Hello"),
             x.done(HELLO)],
            """1. does not add up, at event 3: content[0].text is not what the updates add up to
   the updates say: "HelHello"
   this event says: "Hello"
   a delta is what is new since the one before, and not all that there is""",
        ),
        (
            [*ANSWER, x.text_delta("m", "!")],
            """1. left pending, at the end: assistant_message m was done, updated at event 4, and \
not done again""",
        ),
        (
            [x.done(HELLO), x.done(x.message("m", "Good bye"))],
            "1. not unique, at event 1: the item was done already, at event 0",
        ),
        (
            [x.added(HELLO), x.done(x.widget("m", CARD))],
            "1. not unique, at event 1: m is the id of an item of type assistant_message",
        ),
        (
            [x.added(x.widget("w", CARD)), x.done(x.widget("w", {"type": "Card"}))],
            """1. does not add up, at event 1: widget.children is not what the updates add up to
   the updates say: [{"type": "Text", "id": "t", "value": "a"}]
   this event says: null""",
        ),
        (
            [x.added(HELLO)],
            "1. left pending, at the end: assistant_message m is not done when the stream ends",
        ),
        (
            [{"type": "error", "code": "custom"}],
            '1. failed, at event 0: the stream has failed: {"type": "error", "code": "custom"}',
        ),
    ],
)  # fmt: skip
def test_each_flaw_is_named(events: list[Any], said: str) -> None:
    assert one_flaw_of(events) == said


def test_of_long_texts_the_end_is_shown_where_they_differ() -> None:
    long = "The moon is 384,400 km away"
    said = one_flaw_of(
        [x.added(x.message("m", long)), x.done(x.message("m", long + " on average"))]
    )
    assert said.splitlines()[1:] == [
        '   the updates say: ..."00 km away"',
        '   this event says: ..."00 km away on average"',
    ]


def test_what_nobody_knows_is_not_compared() -> None:
    later = x.updated("m", UnknownUpdate({"type": "message.sung"}))
    check_producer([x.added(x.message("m", "a")), later, x.done(x.message("m", "b"))])


def test_what_nobody_saw_need_not_add_up() -> None:
    check_producer([x.added(x.message("m")), x.done(x.message("m", "all at once"))])
    check_producer([x.added(x.image("i")), x.done(x.image("i", "https://example.com/1.png"))])


def test_an_item_may_be_finished_again_when_it_was_updated() -> None:
    again = [x.text_delta("m", "!"), x.done(x.message("m", "Hello!"))]
    check_producer([*ANSWER, *again])
    check_producer([*ANSWER, x.removed("m"), *ANSWER])


def test_an_event_that_changes_much_later_is_found_in_the_end() -> None:
    first: Any = event_to_sdk(x.added(x.workflow("w", "A")))

    def producer() -> Iterator[Any]:
        yield first
        yield x.task_updated("w", x.task("B"), 0)
        yield x.done(x.workflow("w", "B"))
        first.item.workflow.tasks[0].title = "B"

    said = one_flaw_of(producer)
    assert said.splitlines() == [
        "1. changed later, at event 0: it had changed in the end",
        '   item.workflow.tasks[0].title was "A" when it was sent, and is "B" now',
    ]


def test_an_event_that_is_none_any_more_has_changed() -> None:
    event = to_json(ANSWER[0])

    def producer() -> Iterator[Any]:
        yield event
        event.clear()
        yield from ANSWER[1:]

    assert one_flaw_of(producer).splitlines() == [
        "1. changed later, at event 0: it had changed when the next one came",
        "   it is no event any more",
    ]


def test_one_event_is_a_stream_too() -> None:
    said = one_flaw_of(to_json(ANSWER[0]))
    assert said == (
        "1. left pending, at the end: assistant_message m is not done when the stream ends"
    )


def test_a_flaw_that_comes_a_hundred_times_hides_no_other() -> None:
    strangers = [x.text_delta("n", "?") for _ in range(100)]
    said = failure(check_producer, [*strangers, x.added(HELLO)])
    assert said.count("the thread has no such item") == 19
    assert "\n1. " in said
    assert "\n20. left pending, at the end: " in said
    assert "\n(81 more)\n" in said


def test_what_is_known_can_be_left_out() -> None:
    events = [x.added(HELLO)]
    assert check_producer(events, ignore=[Flaw.LEFT_PENDING]) == events
    assert check_producer(events, ignore=["left pending"]) == events
    assert check_producer(events, ignore=Flaw.LEFT_PENDING) == events
    with pytest.raises(ValueError, match="'mess' is not a valid Flaw"):
        check_producer(events, ignore=["mess"])


def test_of_many_events_some_are_shown() -> None:
    deltas = [x.text_delta("m", "a") for _ in range(40)]
    said = failure(check_producer, [x.added(x.message("m")), *deltas])
    assert len(said.splitlines()) == 32
    assert "\n  (17 more)\n" in said


def test_a_text_that_no_terminal_can_show_is_escaped() -> None:
    said = failure(check_producer, ["half of a pair: \ud800"])
    assert said.encode()


def test_a_producer_that_does_not_end_is_told_so() -> None:
    async def waiting() -> AsyncIterator[Event]:
        yield ANSWER[0]
        await asyncio.Event().wait()

    assert failure(check_producer, waiting, patience=0.01) == text("""
        The producer did not come to its end within 0.01 seconds.

        -> Let it end: a stream that waits for more keeps its client waiting, too. If it only needs longer,
           pass patience=...

        All events:
          0  thread.item.added  assistant_message m: content []
    """)  # noqa: E501


def test_what_a_producer_raises_is_raised() -> None:
    async def raising() -> AsyncIterator[Event]:
        yield ANSWER[0]
        raise KeyError("model")

    with pytest.raises(KeyError) as caught:
        check_producer(raising)
    assert caught.value.__notes__ == ["It was raised after 1 event."]


def test_no_events_are_no_answer() -> None:
    silent: list[Any] = [[], list, lambda: answering([])]
    for nothing in silent:
        with pytest.raises(ValueError, match="sent no event, and nothing was tested"):
            check_producer(nothing)
    assert failure(check_producer, [7]).endswith("\n\nThere are no events.")


def test_what_is_replaced_need_not_add_up() -> None:
    written = [x.added(x.message("m")), x.text_delta("m", "a secret")]
    check_producer([*written, x.replaced(x.message("m", "[redacted]"))])
    check_producer([*written, x.done(x.message("m", "a secret")), x.replaced(HELLO)])


def test_a_part_without_a_text_is_not_said_to_have_one() -> None:
    whole = {**x.message("m"), "content": [{"type": "new", "z": 2}]}
    begun = [x.part_added("m", {"type": "new", "z": number}) for number in (1, 2)]
    said = one_flaw_of([x.added(x.message("m")), *begun, x.done(whole)])
    assert said == "1. out of order, at event 2: part 0 is there already, and begins again"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (5, "it is 5, and has no events: pass events, or a function that yields or returns them"),
        (lambda: None, "what the producer gives is None, and has no events"),
    ],
)
def test_what_produces_nothing_is_told_what_to_pass(wrong: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        check_producer(wrong)


def test_models_of_the_sdk_may_be_stored() -> None:
    done: Any = event_to_sdk(x.done(x.message("m", "Good")))
    events = [x.text_delta("m", " bye"), x.done(x.message("m", "Good bye"))]
    assert check_producer(events, stored=[done.item]) == events


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"stored": [{"id": "m"}]}, ValueError, 'stored={"id": "m"} has no `type`: pass the item'),
        ({"stored": [{"type": "task"}]}, ValueError, "has no `id`: pass the item as the store"),
        ({"stored": HELLO}, TypeError, 'stored="id": pass a list of items'),
        ({"backend": "foo"}, ValueError, "backend='foo': the event loop is asyncio or trio"),
        ({"patience": 0}, ValueError, "patience=0 leaves no time to try anything"),
    ],
)
def test_misuse_is_told_what_to_do(options: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=re.escape(said)):
        check_producer(ANSWER, **options)


# --- servers --------------------------------------------------------------------------------------


class Keeping(ReducerChatKitServer[Any]):
    policy = policies.KEEP


def test_a_server_that_loses_nothing_passes() -> None:
    report = check_server(Keeping, ways=["scope cancel", "aclose"])
    assert report.findings == ()
    assert report.points[Way.ACLOSE] > 30


def test_a_server_that_loses_something_is_told_what() -> None:
    response = [x.added(x.message("m", "Hello")), x.done(x.message("m", "Hello"))]
    said = failure(check_server, ChatKitServer, response=iter(response), ways=["aclose"])
    assert said == text("""
        ChatKitServer was stopped at 4 points, and at 2 of them something was wrong. The shortest example:

        lost: aclose at point 3, after 3 events: m: the store does not have it
          expected: {'id': 'm', 'thread_id': 'thr_1', 'created_at': '2025-01-01T00:00:00', 'type': 'assistant_message', 'content': [{'annotations': [], 'text': 'Hello', 'type': 'output_text'}]}
          stored: nothing
          The client had received:
            thread.item.done message_1
            stream_options
            thread.item.added m

        -> A server of the SDK: inherit from ReducerChatKitServer instead of ChatKitServer. Any other: put
           `supervise` around the events, in an `async with`.

        All that was found:

                points  lost  marker missing  written twice  still running  not to the policy
        aclose       4     1               2              0              0                  0
    """)  # noqa: E501


def test_a_server_may_be_made_by_a_function_of_a_store() -> None:
    def make(store: Any) -> ReducerChatKitServer[Any]:
        class Server(ReducerChatKitServer[Any]):
            def respond(self, *_: Any) -> AsyncIterator[Any]:
                raise NotImplementedError

        return Server(store, policy=policies.DROP)

    check_server(make, ways=["aclose"])
    said = failure(check_server, make, ways=["aclose"], policy=policies.KEEP)
    assert said.startswith("make was stopped at")


def test_errors_that_were_asked_for_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    check_server(Keeping, ways=["producer exception"])
    assert caplog.records == []


def test_other_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    broken = [x.added(x.workflow("w")), x.task_updated("w", x.task("A"), 0)]
    failure(check_server, ChatKitServer, response=broken, ways=["aclose"])
    assert {record.exc_info[0] for record in caplog.records if record.exc_info} == {IndexError}


def test_a_server_of_the_sdk_is_made_anew_each_time() -> None:
    class Answering(Keeping):
        def respond(self, *_: Any) -> AsyncIterator[Any]:
            raise NotImplementedError

    wrong: Any = Answering(SuspendingStore())
    with pytest.raises(TypeError, match="Answering is a server, and each exchange needs a new one"):
        check_server(wrong)
    with pytest.raises(TypeError, match="must make an Exchange, and not Answering: one that makes"):
        check_server(lambda: wrong)


def test_a_server_of_the_sdk_needs_asyncio() -> None:
    with pytest.raises(ValueError, match="a server of the SDK runs on asyncio, and not on trio"):
        check_server(Keeping, backend="trio")


def test_an_exchange_of_a_server_of_the_sdk_will_do() -> None:
    def exchange() -> Exchange:
        return server_exchange(Keeping)

    check_server(exchange, ways=["break"])
    with pytest.raises(TypeError, match="an Exchange has its own policy"):
        check_server(exchange, policy=policies.KEEP)


class Dictionary:
    """The store of a server without the SDK."""

    def __init__(self) -> None:
        self.held: dict[str, Json] = {}

    async def commit(self, settlement: Settlement) -> None:
        for write in settlement.writes:
            await checkpoint()
            self.held[write.item["id"]] = write.item

    async def forget(self, settlement: Settlement) -> None:
        await checkpoint()

    async def send(self, event: Event) -> None:
        if isinstance(event, ThreadItemDone):
            self.held[event.item["id"]] = event.item
        await checkpoint()

    def exchange(self, commit: Callable[[Settlement], Any]) -> Exchange:
        events = [*ANSWER, x.added(x.message("n")), x.text_delta("n", "Good bye")]
        return Exchange(
            events=lambda: supervise(answering(events), commit, policy=policies.KEEP),
            stored=lambda: list(self.held.values()),
            policy=policies.KEEP,
            send=self.send,
        )


def supervised() -> Exchange:
    store = Dictionary()
    return store.exchange(store.commit)


def forgetful_exchange() -> Exchange:
    store = Dictionary()
    return store.exchange(store.forget)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_server_of_any_other_make_is_checked_by_its_exchanges(backend: Backend) -> None:
    report = check_server(supervised, backend=backend)
    assert report.points[Way.SCOPE_CANCEL] > 12
    said = failure(check_server, forgetful_exchange, backend=backend, ways=["scope cancel"])
    assert said.startswith("forgetful_exchange was stopped at ")
    assert "\n\nlost: scope cancel at point " in said
    assert "Any other: put\n   `supervise` around the events" in said
    said = failure(check_server, partial(forgetful_exchange), backend=backend, ways=["break"])
    assert said.startswith("The server was stopped at ")


@pytest.mark.parametrize("name", list(policies.PRESETS))
def test_an_answer_that_fails_by_itself_may_be_stopped_too_late(name: str) -> None:
    class Failing(ReducerChatKitServer[Any]):
        policy = policies.PRESETS[name]

        async def respond(self, *_: Any) -> AsyncIterator[Any]:
            yield event_to_sdk(x.added(x.message("m")))
            yield event_to_sdk(x.text_delta("m", "Hello"))
            raise KeyError("model")

    check_server(Failing, own_response=True)  # it settles before the client gets the error


def test_what_was_taken_out_may_be_added_again() -> None:
    response = [x.done(HELLO), x.removed("m"), x.done(x.message("m", "Good bye"))]
    check_server(Keeping, response=response)


def test_what_was_added_twice_is_told_with_its_writes() -> None:
    def exchange() -> Exchange:
        store, writes = Dictionary(), [("add", "m"), ("delete", "m"), ("add", "m"), ("add", "m")]
        return attrs.evolve(store.exchange(store.commit), writes=lambda: writes)

    said = failure(check_server, exchange, ways=["not stopped"])
    assert "m: it was added 2 times (its writes: add, delete, add, add)\n  The client" in said


def own_answer(*events: Any, error: Exception | None = None) -> type[Keeping]:
    """A server with an answer of its own."""

    class Answering(Keeping):
        async def respond(self, *_: Any) -> AsyncIterator[Any]:
            for event in events:
                yield event_to_sdk(event)
            if error is not None:
                raise error

    return Answering


def test_a_response_that_is_asked_for_needs_no_items() -> None:
    response = [{"type": "progress_update", "text": "Looking it up"}]
    assert check_server(Keeping, response=response, ways="aclose").points == {Way.ACLOSE: 3}


@pytest.mark.parametrize(
    ("server", "advised"),
    [
        (own_answer(), "Let it answer as it does when somebody asks"),
        (own_answer(error=KeyError("API_KEY")), "The answer has failed: see the log of the server"),
    ],
)
def test_an_answer_without_items_is_refused(server: Any, advised: str) -> None:
    with pytest.raises(ValueError, match="Answering answered without a single event") as caught:
        check_server(server, own_response=True)
    assert f"-> {advised}" in str(caught.value)
    assert "0  thread.item.done  user_message message_1" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ways": []}, r"ways=\[\] names none, and nothing would be tried"),
        ({"ways": "by magic"}, "there is no way 'by magic': the ways are not stopped, task cancel"),
        ({"patience": 0}, "patience=0 leaves no time to try anything"),
        ({"patience": float("nan")}, "patience=nan leaves no time"),
        ({"response": []}, "the response has no events, and there is nothing to stop"),
        ({"response": [{"no": "event"}]}, "`type` is missing"),
        ({"backend": "foo"}, "backend='foo': the event loop is asyncio or trio"),
    ],
)
def test_nothing_is_not_enough(options: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_server(Keeping, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"policy": "keep"}, "policy='keep' is no Policy: pass one, such as policies.KEEP"),
        ({"response": [7]}, "the response holds 7, and this is no event: pass events of"),
        ({"response": [Policy]}, "and this is no event: pass events of"),
        ({"response": [x.task_added("w", x.task("A"), 0).update]}, "and this is no event"),
        ({"response": 7}, "a response is a list of events, and not int"),
        ({"response": ANSWER, "own_response": True}, "takes its place: pass one of them"),
        ({"response": [], "own_response": True}, "takes its place: pass one of them"),
    ],
)
def test_what_contradicts_itself_is_refused(options: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        check_server(Keeping, **options)


@pytest.mark.parametrize(
    "option",
    [{"policy": policies.KEEP}, {"response": []}, {"own_response": True}, {"request": {}}],
)
def test_an_exchange_is_told_nothing_that_it_has_itself(option: Any) -> None:
    def with_defaults(policy: Policy = policies.KEEP) -> Exchange:
        return attrs.evolve(supervised(), policy=policy)

    check_server(with_defaults, ways="aclose")
    for make in (supervised, with_defaults):
        with pytest.raises(TypeError, match=f"an Exchange has its own {next(iter(option))}"):
            check_server(make, **option)


async def no_server(*_: Any) -> Any:
    return own_answer()(SuspendingStore())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (None, "None makes no server: pass a server class of the SDK, a function"),
        (no_server, "must not be asynchronous"),
        (lambda: no_server(1), "must not be asynchronous"),
        (lambda store: no_server(store, 1), "must not be asynchronous"),
        (lambda store: 7, "must make a server of the SDK, and not int"),
        (lambda store=None: 7, "must make a server of the SDK, and not int"),
    ],
)
def test_what_makes_no_server_is_told_what_to_pass(wrong: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        check_server(wrong)


def test_a_function_may_leave_the_store_out() -> None:
    def make(store: Any = None) -> ReducerChatKitServer[Any]:
        return own_answer()(store)

    assert check_server(make, ways="aclose", response=ANSWER).points == {Way.ACLOSE: 6}
    with pytest.raises(ValueError, match="runs on asyncio, and not on trio"):
        check_server(make, backend="trio")


@pytest.mark.parametrize(
    "form", [event_to_sdk, to_json, encode, lambda event: encode(event).decode()]
)
def test_a_response_may_have_any_form(form: Callable[[Event], Any]) -> None:
    report = check_server(Keeping, response=map(form, ANSWER), ways=["aclose"])
    assert report.points == {Way.ACLOSE: 6}
    assert list(report.whole[-4:]) == ANSWER


def test_an_exchange_that_comes_to_no_end_is_no_success() -> None:
    async def silent() -> AsyncIterator[Event]:
        await asyncio.sleep(3600)
        yield ANSWER[0]

    def exchange() -> Exchange:
        return Exchange(events=silent, stored=list, policy=policies.KEEP)

    said = failure(check_server, exchange, ways=["aclose"], patience=0.05)
    assert "left over: not stopped, after 0 events: the client itself has not come to" in said


# --- stores ---------------------------------------------------------------------------------------


class Rows:
    """A store without a fault: SQLite, one row for each item."""

    SQL = (
        "INSERT INTO items (id, item) VALUES (?, ?)"
        " ON CONFLICT (id) DO UPDATE SET item = excluded.item"
    )

    def __init__(self) -> None:
        self.database = sqlite3.connect(":memory:")
        self.database.execute(
            "CREATE TABLE items (place INTEGER PRIMARY KEY, id TEXT UNIQUE, item TEXT)"
        )

    def put(self, items: list[Json]) -> None:
        with self.database:
            self.database.executemany(self.SQL, [(it["id"], json.dumps(it)) for it in items])

    def commit(self, settlement: Settlement) -> Any:
        self.put([write.item for write in settlement.writes])

    def items(self) -> list[Json]:
        rows = self.database.execute("SELECT item FROM items ORDER BY place")
        return [json.loads(item) for (item,) in rows]


@contextmanager
def rows(kind: type[Rows] = Rows) -> Iterator[Rows]:
    store = kind()
    with closing(store.database):
        yield store


class Memory:
    """A store without a fault: a list. It waits before each write."""

    def __init__(self) -> None:
        self.held: list[Json] = []

    async def put(self, items: list[Json]) -> None:
        self.held = list(items)

    async def items(self) -> list[Json]:
        await checkpoint()
        return self.held

    def place_of(self, item_id: str) -> int:
        ids = [item["id"] for item in self.held]
        return ids.index(item_id) if item_id in ids else len(ids)

    def write(self, item: Json) -> None:
        place = self.place_of(item["id"])
        self.held[place : place + 1] = [item]

    async def commit(self, settlement: Settlement) -> None:
        for write in settlement.writes:
            await checkpoint()
            self.write(write.item)


async def made_later() -> Memory:
    await checkpoint()
    return Memory()


@asynccontextmanager
async def lent() -> AsyncIterator[Memory]:
    yield Memory()


class Transacted(Memory):
    """It writes to a copy, which takes the place of the other in one step."""

    async def commit(self, settlement: Settlement) -> None:
        before = self.held
        self.held = list(before)
        try:
            await super().commit(settlement)
        except BaseException:
            self.held = before
            raise


class Apart(Transacted):
    """It has a way for what is new, and another one for what it has."""

    def write(self, item: Json) -> None:
        raise NotImplementedError

    def add(self, item: Json) -> None:
        if self.place_of(item["id"]) == len(self.held):
            self.held.append(item)

    def save(self, item: Json) -> None:
        self.held[self.place_of(item["id"])] = item

    async def commit(self, settlement: Settlement) -> None:
        before = self.held
        self.held = list(before)
        try:
            for write in settlement.writes:
                await checkpoint()
                {"add": self.add, "save": self.save}[write.op](write.item)
        except BaseException:
            self.held = before
            raise


class ByTime(Transacted):
    """It knows no places, and puts items in order by their times."""

    async def items(self) -> list[Json]:
        return sorted(self.held, key=lambda item: datetime.fromisoformat(item["created_at"]))


class Threaded(Rows):
    """Its thread goes on when the task that waits for it is cancelled."""

    def __init__(self) -> None:
        self.database = sqlite3.connect(":memory:", check_same_thread=False)
        self.database.execute(
            "CREATE TABLE items (place INTEGER PRIMARY KEY, id TEXT UNIQUE, item TEXT)"
        )

    def commit(self, settlement: Settlement) -> Any:
        rows = [(write.item["id"], json.dumps(write.item)) for write in settlement.writes]
        return asyncio.to_thread(self.insert, rows)

    def insert(self, rows: list[tuple[str, str]]) -> None:
        with self.database:
            for row in rows:
                self.database.execute(self.SQL, row)
                time.sleep(0.001)


class Locked(Transacted):
    """Its lock outlives no commit, whatever becomes of that."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = asyncio.Lock()

    async def commit(self, settlement: Settlement) -> None:
        async with self.lock:
            await super().commit(settlement)


class LockedByAnyio(Locked):
    """To take its lock it gives way to others, and nothing can raise there."""

    def __init__(self) -> None:
        super().__init__()
        self.lock: Any = anyio.Lock()


class ThreadedByAnyio(Threaded):
    """Its threads are none of asyncio, and its lock is free when they have ended."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = anyio.Lock()

    async def commit(self, settlement: Settlement) -> None:
        rows = [(write.item["id"], json.dumps(write.item)) for write in settlement.writes]
        async with self.lock:
            await anyio.to_thread.run_sync(self.insert, rows)


class Shielding(Transacted):
    """It ends what it has begun, in a task of its own."""

    async def commit(self, settlement: Settlement) -> None:
        await asyncio.shield(super().commit(settlement))


@pytest.mark.parametrize(
    "make",
    [rows, Transacted, Apart, ByTime, Locked, LockedByAnyio, Shielding],
)
def test_a_store_that_keeps_to_the_contract_passes(make: Callable[[], Any]) -> None:
    check_commit(make)


@pytest.mark.parametrize("kind", [Threaded, ThreadedByAnyio])
def test_what_goes_on_in_a_thread_is_waited_for(kind: type[Rows]) -> None:
    check_commit(lambda: rows(kind), settlements=5)


@pytest.mark.parametrize("make", [Memory, made_later, lent])
def test_a_store_without_transactions_passes_if_that_is_known(make: Callable[[], Any]) -> None:
    check_commit(make, atomic=False)
    assert "only a part of the settlement is there" in failure(check_commit, make)


@pytest.mark.parametrize("policy", [policies.DROP, policies.SDK])
def test_with_any_policy(policy: Policy) -> None:
    check_commit(rows, policy=policy, settlements=20)


def test_the_content_of_a_marker_may_be_left_to_the_application() -> None:
    policy = attrs.evolve(policies.KEEP, marker=Marker(item="hidden_context_item"))
    check_commit(rows, policy=policy, settlements=20)


def test_a_store_that_fails_is_told_how() -> None:
    class Appending(Transacted):
        def write(self, item: Json) -> None:
            self.held.append(item)

    said = failure(check_commit, Appending)
    content = '[{"type": "output_text", "text": "Soup, says the menu.", ...'
    assert said == text(f"""
        The store does not keep to the contract of commit. After the same commit a second time, msg_2, which was to be added, is there 2 times.

        -> Write an item in the place of the one with its id, and append it only if there is none, whether
           the write is an add or a save: INSERT ... ON CONFLICT (id) DO UPDATE does both.

        An example:

        The store held:
          task bystander_1: task {{"type": "custom", "title": "Wait", "status_indicator":  ...
          end_of_turn bystander_2

        The settlement says:
          add assistant_message msg_2: content {content}

        The store holds now:
          task bystander_1: task {{"type": "custom", "title": "Wait", "status_indicator":  ...
          end_of_turn bystander_2
          assistant_message msg_2: content {content}
          assistant_message msg_2: content {content}
    """)  # noqa: E501


class Replacing(Rows):
    SQL = "INSERT OR REPLACE INTO items (id, item) VALUES (?, ?)"


class Inserting(Rows):
    SQL = "INSERT INTO items (id, item) VALUES (?, ?)"


class Autocommitting(Rows):
    """It has read all writes before it begins; and then there is no transaction."""

    def __init__(self) -> None:
        super().__init__()
        self.database.isolation_level = None

    def commit(self, settlement: Settlement) -> None:
        rows = [(write.item["id"], json.dumps(write.item)) for write in settlement.writes]
        self.database.executemany(self.SQL, rows)


class ForgettingToRollBack(Rows):
    def commit(self, settlement: Settlement) -> None:
        for write in settlement.writes:
            self.database.execute(self.SQL, (write.item["id"], json.dumps(write.item)))
        self.database.commit()


class Once(Transacted):
    """It remembers too early that it has committed."""

    committed = False

    async def commit(self, settlement: Settlement) -> None:
        if not self.committed:
            self.committed = True
            await super().commit(settlement)


class OnceForEachMarker(Apart):
    """It knows a settlement again, and thinks that nobody else writes its items."""

    def __init__(self) -> None:
        super().__init__()
        self.committed: set[str] = set()

    def add(self, item: Json) -> None:
        self.held.append(item)

    async def commit(self, settlement: Settlement) -> None:
        ids = str([write.item["id"] for write in settlement.writes])
        if ids not in self.committed:
            await super().commit(settlement)
            self.committed.add(ids)


class Silent(Memory):
    async def commit(self, settlement: Settlement) -> None:
        try:
            await super().commit(settlement)
        except BaseException:  # noqa: BLE001  # this is the bug
            return


class InTwoSteps(Memory):
    """It takes an item out and puts it in again: between the two the item is lost."""

    async def commit(self, settlement: Settlement) -> None:
        for write in settlement.writes:
            place = self.place_of(write.item["id"])
            if place < len(self.held):
                del self.held[place]
                await checkpoint()
            self.held.insert(place, write.item)


class Overwriting(Memory):
    async def commit(self, settlement: Settlement) -> None:
        self.held = [write.item for write in settlement.writes]


class Backwards(Transacted):
    async def commit(self, settlement: Settlement) -> None:
        for write in reversed(settlement.writes):
            await checkpoint()
            self.write(write.item)


class Sealing(Transacted):
    """It tidies up what is none of its business."""

    async def commit(self, settlement: Settlement) -> None:
        await super().commit(settlement)
        self.held = [self.sealed(item) for item in self.held]

    def sealed(self, item: Json) -> Json:
        return {**item, "task": None} if item["type"] == "task" else item


class Narrow(Transacted):
    """It has a column for each field, and no more."""

    async def put(self, items: list[Json]) -> None:
        self.held = [self.known(item) for item in items]

    def write(self, item: Json) -> None:
        super().write(self.known(item))

    def known(self, item: Json) -> Json:
        return {name: item[name] for name in ("id", "type", "thread_id", "created_at")}


class NarrowWhereItCommits(Narrow):
    async def put(self, items: list[Json]) -> None:
        self.held = list(items)


class Talkative(Transacted):
    async def commit(self, settlement: Settlement) -> None:
        await super().commit(settlement)
        self.write(x.item("note", "hidden_context_item", content="committed"))


class SavingAlone(Apart):
    def add(self, item: Json) -> None:
        pass


class AddingAlone(Apart):
    def save(self, item: Json) -> None:
        pass


class AddingWhatItHas(Apart):
    """It takes a save for an add."""

    def save(self, item: Json) -> None:
        self.held.append(item)


class SavingWhatIsNew(Rows):
    """It takes an add for a save, and does not look how many rows that has changed."""

    def commit(self, settlement: Settlement) -> None:
        with self.database:
            self.database.executemany(
                "UPDATE items SET item = ? WHERE id = ?",
                [(json.dumps(write.item), write.item["id"]) for write in settlement.writes],
            )


class ExpectingSomething(Transacted):
    async def commit(self, settlement: Settlement) -> None:
        settlement.writes[0]
        await super().commit(settlement)


class Impatient(Transacted):
    """It takes its lock, and gives it back when all is well."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = asyncio.Lock()

    async def commit(self, settlement: Settlement) -> None:
        await self.lock.acquire()
        await super().commit(settlement)
        self.lock.release()


class ReadyToBeCancelled(Memory):
    """It takes nothing back when the database raises something."""

    async def commit(self, settlement: Settlement) -> None:
        before = list(self.held)
        items = [write.item for write in settlement.writes]
        try:
            for item in items:
                self.write(item)
                await asyncio.to_thread(json.dumps, item)
        except asyncio.CancelledError:
            self.held = before
            raise


class Unwilling(Transacted):
    async def put(self, items: list[Json]) -> None:
        raise KeyError("thread")


class Binary(Transacted):
    async def items(self) -> Any:
        return [json.dumps(item).encode() for item in self.held]


PART = "only a part of the settlement is there."
WAS = r"which was to be added,"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: rows(Replacing), r"After a commit, \w+ is in place \d, where \w+ should be\."),
        (lambda: rows(Inserting), "commit raises IntegrityError: UNIQUE constraint failed"),
        (lambda: rows(Autocommitting), rf"met an id that no database takes in write \d, {PART}"),
        (lambda: rows(ForgettingToRollBack), rf"that failed at write \d, {PART}"),
        (lambda: rows(SavingWhatIsNew), rf"After a commit, \w+, {WAS} is not there\."),
        (Memory, rf"(failed|was cancelled) at (write|await) \d, {PART}"),
        (ReadyToBeCancelled, rf"a commit that failed at await \d, {PART}"),
        (Once, "a commit that failed at write 1, and the same commit again, "),
        (OnceForEachMarker, rf"had reached the store before, \w+, {WAS} is there 2 times\."),
        (
            Silent,
            r"failed at write 1, and told nobody, .*\n\n-> Raise what fails, and do not only log",
        ),
        (Overwriting, "After a commit, bystander_1 is gone, and the settlement does not name it."),
        (Backwards, r"After a commit, \w+ is in place \d, where \w+ should be\."),
        (Sealing, "bystander_1 was not written, and has changed at task: null instead of {"),
        (Narrow, "Before any commit, items does not give what was put there, at "),
        (
            NarrowWhereItCommits,
            "After a commit, msg_2 was added, and is not what was written, at content: null",
        ),
        (Talkative, "After a commit, note is there, and nobody wrote it."),
        (SavingAlone, rf"After a commit, \w+, {WAS} is not there\."),
        (
            AddingAlone,
            r"msg_2 was saved, and is not what was written, at \S+text: \"Soup\" instead of",
        ),
        (AddingWhatItHas, r"After a commit, \w+, which was to be saved, is there 2 times\."),
        (ExpectingSomething, "commit raises IndexError: tuple index out of range."),
        (Unwilling, "Before any commit, put raises KeyError: 'thread'."),
        (Binary, "Before any commit, items raises TypeError: "),
    ],
)
def test_each_fault_of_a_store_is_named(make: Callable[[], Any], said: str) -> None:
    assert re.search(said, failure(check_commit, make))


def test_an_item_must_not_be_lost_on_the_way_with_transactions_or_without() -> None:
    lost = r"at await \d, \w+ is gone, and the store had it\.\n\n-> Replace an item in one step"
    said = failure(check_commit, InTwoSteps, atomic=False)
    assert re.search(lost, said)


def test_an_item_must_not_be_written_by_halves() -> None:
    class ByHalves(Memory):
        def write(self, item: Json) -> None:
            super().write({"id": item["id"], "type": item["type"]})

        async def commit(self, settlement: Settlement) -> None:
            for write in settlement.writes:
                self.write(write.item)
                await checkpoint()
                Memory.write(self, write.item)

    said = failure(check_commit, ByHalves, atomic=False)
    assert "at await 1, msg_2 is neither as it was nor as it was to be." in said


def test_a_transaction_that_is_left_open_is_not_taken_for_a_missing_upsert() -> None:
    class Outside(Rows):
        """Its transaction begins and ends where nobody takes it back."""

        async def execute(self, *statement: Any) -> None:
            await checkpoint()
            self.database.execute(*statement)

        async def commit(self, settlement: Settlement) -> None:
            await self.execute("BEGIN")
            try:
                for write in settlement.writes:
                    await self.execute(self.SQL, (write.item["id"], json.dumps(write.item)))
            except BaseException:
                self.database.rollback()
                raise
            await self.execute("COMMIT")

    said = failure(check_commit, lambda: rows(Outside))
    assert "again, commit raises OperationalError: cannot start a transaction within" in said
    assert "-> See the exception above: this commit meets what the one before it has left" in said
    assert "ON CONFLICT" not in said


def test_a_commit_that_waits_for_ever_is_told_so_once() -> None:
    said = failure(check_commit, Impatient, patience=0.1)
    assert ", and the same commit again, commit does not come to its end." in said
    assert "-> Give back in a `finally` what a commit takes" in said


class Never(Transacted):
    """Something of it waits for ever: in the event loop, or in a thread."""

    def __init__(self, what: str, wait: Callable[[], Any]) -> None:
        super().__init__()
        self.what = what
        self.wait = wait
        self.was_cut = False

    async def reach(self, what: str) -> None:
        if what == self.what:
            await self.wait()

    async def put(self, items: list[Json]) -> None:
        await self.reach("put")
        await super().put(items)

    async def items(self) -> list[Json]:
        await self.reach("items")
        if self.was_cut:
            await self.reach("items after a cut")
        return await super().items()

    async def commit(self, settlement: Settlement) -> None:
        try:
            await super().commit(settlement)
        except BaseException:
            self.was_cut = True
            raise

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Never]:
        await self.reach("entering")
        yield self
        await self.reach("leaving")


@pytest.mark.parametrize("in_a_thread", [False, True])
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("make_store", "Before any commit, make_store does not come to its end."),
        ("entering", "Before any commit, entering the store does not come to its end."),
        ("put", "Before any commit, put does not come to its end."),
        ("items", "Before any commit, items does not come to its end."),
        (
            "items after a cut",
            "After a commit that failed at write 1, items does not come to its end.",
        ),
        (
            "leaving",
            "After the same commit a second time, leaving the store does not come to its end.",
        ),
    ],
)
def test_whatever_waits_for_ever_is_named(what: str, said: str, in_a_thread: bool) -> None:
    over = threading.Event()

    def wait() -> Any:
        return asyncio.to_thread(over.wait) if in_a_thread else asyncio.Event().wait()

    async def make() -> Any:
        store = Never(what, wait)
        await store.reach("make_store")
        return store.open()

    try:
        text = failure(check_commit, make, patience=0.05)
    finally:
        over.set()
    assert said in text
    assert ("-> Give back in a `finally`" if said.startswith("After") else "-> It waits") in text


def test_a_thread_that_a_commit_leaves_behind_is_not_waited_for_for_ever() -> None:
    over = threading.Event()

    class Lingering(Transacted):
        async def commit(self, settlement: Settlement) -> None:
            await super().commit(settlement)
            asyncio.get_running_loop().run_in_executor(None, over.wait)

    try:
        said = failure(check_commit, Lingering, patience=0.05)
    finally:
        over.set()
    assert "commit does not come to its end." in said


def test_a_thread_of_the_store_itself_may_run_as_long_as_that() -> None:
    class Listening(Transacted):
        @asynccontextmanager
        async def open(self) -> AsyncIterator[Listening]:
            over = threading.Event()
            listening = asyncio.create_task(asyncio.to_thread(over.wait))
            await checkpoint()
            yield self
            over.set()
            await listening

    check_commit(lambda: Listening().open(), settlements=1, patience=0.05)


def test_what_is_wrong_is_said_however_the_store_is_left() -> None:
    @contextmanager
    def suppressing() -> Iterator[Memory]:
        with suppress(BaseException):
            yield Overwriting()

    @asynccontextmanager
    async def failing() -> AsyncIterator[Memory]:
        yield Overwriting()
        raise OSError("cannot be closed")

    for make in (suppressing, failing):
        assert "After a commit, bystander_1 is gone" in failure(check_commit, make)


def test_an_error_of_the_store_itself_is_the_cause() -> None:
    with pytest.raises(AssertionError) as caught:
        check_commit(lambda: rows(Inserting))
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)


def test_a_timeout_of_the_store_itself_is_an_error_like_others() -> None:
    class Slow(Transacted):
        async def commit(self, settlement: Settlement) -> None:
            raise TimeoutError("the database did not answer")

    assert "commit raises TimeoutError: the database did not answer." in failure(check_commit, Slow)


def test_a_store_that_is_not_empty_is_told_so() -> None:
    store = Transacted()

    async def keep_all(items: list[Json]) -> None:
        store.held += items

    vars(store)["put"] = keep_all
    said = failure(check_commit, lambda: store)
    assert "put was given " in said
    assert "-> Let make_store make an empty store each time" in said


def noting(stops: Any) -> tuple[Any, list[Any]]:
    """The same stops, and those that were drawn."""
    drawn: list[Any] = []

    def noted(stop: Any) -> Any:
        drawn.append(stop)
        return stop

    return stops.map(noted), drawn


def test_a_store_that_works_by_chance_is_told_so() -> None:
    stops, drawn = noting(chatkit.stops())
    failed: list[Settlement] = []

    class Lucky(Transacted):
        async def commit(self, settlement: Settlement) -> None:
            if drawn and not failed:
                failed.append(settlement)
                raise RuntimeError("the first time only")
            await super().commit(settlement)

    said = failure(check_commit, Lucky, stops=stops)
    assert "make_store must give an empty store" in said


class Known(Rows):
    """It makes a model of the SDK of each item, which says no to types that it does not know."""

    MODEL = TypeAdapter[Any](ThreadItem)

    def put(self, items: list[Json]) -> None:
        for item in items:
            self.MODEL.validate_python(item)
        super().put(items)


KNOWN = chatkit.stops(streams=chatkit.streams(unknown=False))


def test_a_store_that_keeps_what_it_knows_passes_if_that_is_known() -> None:
    check_commit(partial(rows, Known), stops=KNOWN, settlements=20)


def test_it_is_tried_as_strictly_as_others() -> None:
    settled: list[Settlement] = []

    class Noting(Transacted):
        async def commit(self, settlement: Settlement) -> None:
            settled.append(settlement)
            await super().commit(settlement)

    stops, drawn = noting(KNOWN)
    check_commit(Noting, stops=stops, settlements=5)
    first = [settlement for settlement in settled if settlement.writes]
    assert len(first) > 200  # those that every store meets
    assert len(drawn) > 5  # of most of them there is nothing to write


def test_of_random_settlements_the_smallest_is_shown() -> None:
    class Full(Transacted):
        """Its column holds no long id; those that were written down have none."""

        def write(self, item: Json) -> None:
            if item["id"].startswith("item_"):
                raise OverflowError
            super().write(item)

    said = failure(check_commit, Full)
    assert "\n\nThe smallest example:\n\n" in said


def test_threads_may_end_while_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrapped_when_done(future: Future[Any]) -> Any:
        concurrent.futures.wait([future])
        time.sleep(0.001)  # for what is called then
        return wrap_future(future)

    wrap_future = asyncio.wrap_future
    monkeypatch.setattr(asyncio, "wrap_future", wrapped_when_done)
    check_commit(lambda: rows(Threaded), settlements=1)


def test_what_is_no_fault_of_a_store_is_raised_as_it_is() -> None:
    stops, drawn = noting(chatkit.stops())

    def make() -> Transacted:
        if drawn and None not in drawn:
            drawn.append(None)
            raise OSError("too many open files")  # and never again
        return Transacted()

    with pytest.raises(OSError, match="too many open files"):
        check_commit(make, stops=stops)


def test_what_is_no_store_is_told_what_it_lacks() -> None:
    with pytest.raises(TypeError, match="has no put: write a class with these three around"):
        check_commit(object)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"cannot be called: pass a function, such as lambda"):
        check_commit(Transacted())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"'keep' is no Policy: the presets are in chatkit_reducer"):
        check_commit(Transacted, policy="keep")  # type: ignore[arg-type]


def test_the_public_names_are_these() -> None:
    from chatkit_reducer.testing import checks

    made_here = {
        name
        for name, value in vars(checks).items()
        if getattr(value, "__module__", "").startswith(checks.__name__)
    }
    assert sorted(made_here) == checks.__all__


def test_the_checks_need_neither_hypothesis_nor_the_sdk_to_be_imported() -> None:
    code = (
        "import sys; sys.modules.update(hypothesis=None, chatkit=None);"
        "from chatkit_reducer.testing.checks import check_producer;"
        "check_producer([{'type': 'progress_update', 'text': 'x'}])"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


# --- policies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", policies.PRESETS)
def test_the_presets_pass(name: str) -> None:
    check_policy(policies.PRESETS[name])


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(chatkit.policies())
def test_any_table_passes(policy: Policy) -> None:
    check_policy(policy, streams=20)


class Forgetful(Policy):
    """A table with code of its own in it."""

    def row_for(self, case: Any) -> Row:
        if case.item == "widget":
            raise KeyError(case.item)
        return super().row_for(case)


def test_a_policy_that_leaves_a_case_open_is_told_which() -> None:
    policy = Forgetful(name="forgetful", rows=policies.KEEP.rows)
    assert failure(check_policy, policy) == text("""
        The policy 'forgetful' does not decide about this case: item widget, new, empty, ended.
           KeyError('widget')

        -> Give it a last row that matches everything, and leave `row_for` to the rows.
    """)


def test_a_policy_that_says_nothing_is_told_so() -> None:
    class Silent(Policy):
        def row_for(self, case: Any) -> Any:
            return None

    policy = Silent(name="silent", rows=policies.KEEP.rows)
    assert "   it says None\n" in failure(check_policy, policy)


def test_a_policy_that_changes_its_mind_is_told_so() -> None:
    class Moody(Policy):
        def row_for(self, case: Any) -> Row:
            moods.append(case)
            return self.rows[len(moods) % 2]

    moods: list[Any] = []
    policy = Moody(name="moody", rows=policies.KEEP.rows)
    said = failure(check_policy, policy)
    assert said.startswith("The policy 'moody' decides in two ways about this case: item ")
    assert "\n   at first: * | * | partial | * -> persist: People saw it" in said
    assert "\n   the next time: * | * | complete | * -> persist: It was done" in said
    assert "-> Let it look at nothing but the case." in said


def settling_what_is_stored(state: Any, **options: Any) -> Any:
    """Whatever is in a thread that was loaded, it writes once more."""
    settlement = settle(state, **options)
    if "delivered" in options:
        return settlement
    rows = settle(fold([x.added(item.to_json()) for item in state.items.values()]), **options)
    return attrs.evolve(settlement, verdicts=rows.verdicts)


def test_what_was_settled_is_settled() -> None:
    said = failure(check_policy, policies.KEEP, settle=settling_what_is_stored)
    assert said.startswith(
        "The policy 'keep' finds something to settle in a thread that was settled and loaded again."
    )
    assert "\nThen there is\n  " in said
    assert said.endswith("-> Settle what is in flight, and nothing that is stored.")


def running_on(*args: Any, **options: Any) -> Settlement:
    """It persists items as they are, whatever they claim."""
    settlement = settle(*args, **options)
    verdicts = [attrs.evolve(verdict, sealed=verdict.item) for verdict in settlement.verdicts]
    return attrs.evolve(settlement, verdicts=tuple(verdicts))


def test_what_is_persisted_must_not_claim_to_run() -> None:
    workflows = chatkit.streams(types=["workflow"], max_items=1, max_updates=1, unknown=False)
    stops = chatkit.stops(streams=workflows, causes=["cancelled"], in_doubt=False)
    pending = stops.filter(lambda stop: bool(stop.state.pending))
    said = failure(check_policy, policies.KEEP, settle=running_on, stops=pending, streams=500)
    assert said.startswith("The policy 'keep' stores something that claims to be running, and")
    assert "\n\nTo be stored is workflow item_1: " in said
    assert '.status_indicator is "loading", and should be "none"\n' in said
    assert said.endswith("-> Persist `verdict.sealed`, and not `verdict.item`.")


def forgetting(*args: Any, **options: Any) -> Any:
    """It forgets to write what is done."""
    settlement = settle(*args, **options)
    return attrs.evolve(settlement, verdicts=settlement.verdicts[1:])


def test_every_item_in_flight_must_be_decided() -> None:
    said = failure(check_policy, policies.KEEP, settle=forgetting)
    assert said.startswith(
        "Not every item in flight is in what is made of the policy 'keep', or others are, too. The "
        "shortest example:\n\nLaw 6 is broken: "
    )


@attrs.frozen(kw_only=True)
class Quiet(Settlement):
    """It tells no client what became of the items."""

    events: tuple[Event, ...] = ()


def telling_nobody(*args: Any, **options: Any) -> Settlement:
    return Quiet(**attrs.asdict(settle(*args, **options), recurse=False))


def test_client_and_store_must_agree() -> None:
    said = failure(check_policy, policies.KEEP, settle=telling_nobody)
    assert said.startswith(
        "Client and store do not agree on what the policy 'keep' decides. The shortest example:\n\n"
        "Law 7 is broken: "
    )
    assert "-> Let `settle` give what it decides as it is" in said


def test_a_table_that_leaves_a_case_open_cannot_even_be_made() -> None:
    row = Row(item="widget", decision="persist", reason="People saw it.")
    with pytest.raises(PolicyError, match="no row decides for item"):
        Policy(name="widgets", rows=[row])


def test_the_name_of_a_preset_is_no_policy() -> None:
    with pytest.raises(TypeError, match=r"presets are in chatkit_reducer\.policies \(SDK, "):
        check_policy("keep")  # type: ignore[arg-type]
