"""`check_producer` finds the flaws of a stream, and says so in words that help."""

from __future__ import annotations

import asyncio
import json
import re
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from chatkit_reducer.core.codec import encode, to_json
from chatkit_reducer.events import Event, Json, UnknownUpdate
from chatkit_reducer.testing import examples as x
from chatkit_reducer.testing import strategies as chatkit
from chatkit_reducer.testing.checks import Flaw, check_producer

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it warns of its own widgets
    pytest.importorskip("chatkit")

    from chatkit_reducer.integrations.openai_chatkit import event_to_sdk

from tests.support.checked import ANSWER, CARD, HELLO, answering, failure, later, text

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)


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
@given(chatkit.streams(sdk_differences=False).filter(bool))
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
    assert "does not fit, after event 1: the thread has no such item" in failure(
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

        1. does not fit, after event 3: the thread has no such item
           -> Add an item before you update it, and count parts and tasks from 0. If the item is one of an
              earlier response, pass it: check_producer(..., stored=[item]).

        2. mismatch, after event 4: content[0].text is not what the updates add up to
           the updates say: "Hello"
           this event says: "Hello, world"
           -> Send an update for each change. People see what the updates say until the item is done, and
              that is what is kept if the answer is stopped.

        3. not unique, after event 5: the item was done already by event 4
           -> Send it once, and give each item an id of its own: a store may hold both. If a task came
              twice, the item was put into a queue and changed before it was sent: wait between the two
              calls, or put in a copy.

        4. changed later, after event 6: it had changed when the next one came
           item.content[0].text was "hi" when it was sent, and is "ho" now
           -> Send a copy: model_copy(deep=True), or copy.deepcopy. A queue or a log that still has the
              event has another one now.

        5. out of order, after event 7: content_index is 3, of 1 parts
           -> Count parts, citations and tasks from 0, and leave no number out.

        6. no event, at the end: what came is 7
           -> Yield events of chatkit.types or chatkit_reducer.events, JSON mappings, or JSON text.

        7. no event, at the end: expected a string `type` - at `$`

        8. left pending, at the end: assistant_message q is not done when the stream ends
           -> Send `thread.item.done` with the whole item, or `thread.item.removed`. Until then a client
              shows it as still being written, and no store has it.

        All events:
          1  thread.item.added                          assistant_message m: content []
          2  assistant_message.content_part.text_delta  m, content_index 0, delta "Hello"
          3  assistant_message.content_part.text_delta  n, content_index 0, delta "Who is it?"
          4  thread.item.done                           assistant_message m: content [{"type": "output_text", "text": "Hello, world", "annota ...
          5  thread.item.done                           assistant_message m: content [{"type": "output_text", "text": "Hello, world", "annota ...
          6  thread.item.added                          assistant_message q: content [{"type": "output_text", "text": "hi", "annotations": []}]
          7  assistant_message.content_part.text_delta  q, content_index 3, delta "!"
    """)  # noqa: E501


def one_flaw_of(producer: Any) -> str:
    """The line about the one flaw of a producer, and what is below it."""
    said = failure(check_producer, producer).split("\n\n")
    assert "with 1 flaw." in said[0]
    return said[1].split("\n   ->", maxsplit=1)[0]


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (
            [x.added(HELLO), x.added(HELLO), x.done(HELLO)],
            "1. not unique, after event 2: the item is added, and it is pending already",
        ),
        (
            [x.added(x.workflow("w", "A", "B")), x.task_added("w", x.task("B"), 1),
             x.done(x.workflow("w", "A", "B"))],
            "1. not unique, after event 2: the workflow has this very task at task_index 1",
        ),
        (
            [x.added(HELLO), x.part_added("m", x.part("Hello")), x.done(HELLO)],
            "1. out of order, after event 2: part 0 is there already, and begins again",
        ),
        (
            [x.added(HELLO), x.annotation_added("m", x.citation("A"), 1),
             x.done({**HELLO, "content": [x.part("Hello", x.citation("A"))]})],
            "1. out of order, after event 2: annotation_index is 1, of 0 annotations",
        ),
        (
            [x.added(HELLO), x.annotation_added("m", x.citation("A"), 1, 1),
             x.done({**HELLO, "content": [x.part("Hello"), x.part("", x.citation("A"))]})],
            "1. out of order, after event 2: annotation_index is 1, of 0 annotations",
        ),
        (
            [x.added(x.workflow("w")), x.task_added("w", x.task("A"), 1),
             x.done(x.workflow("w", "A"))],
            "1. out of order, after event 2: task_index 1 is past the end of 0 tasks",
        ),
        (
            [x.added(x.workflow("w", "A")), x.task_updated("w", x.task("B"), 1),
             x.done(x.workflow("w", "A"))],
            "1. does not fit, after event 2: task_index 1 is past the end of 1 tasks",
        ),
        (
            [x.added(HELLO), x.text_delta("m", "!", -1), x.done(HELLO)],
            "1. out of order, after event 2: content_index -1 is negative",
        ),
        (
            [x.added(HELLO), x.text_delta("m", "!", 5_000), x.done(HELLO)],
            "1. out of order, after event 2: content_index 5000 is too far past the end of 1 parts",
        ),
        (
            [x.added(x.message("m")), x.text_delta("m", "Hel"), x.part_done("m", x.part("Hello")),
             x.done(HELLO)],
            """1. mismatch, after event 3: content[0].text is not what the updates add up to
   the updates say: "Hel"
   this event says: "Hello\"""",
        ),
        (
            [x.added(x.message("m")), x.text_delta("m", "Hel"), x.text_delta("m", "Hello"),
             x.done(HELLO)],
            """1. mismatch, after event 4: content[0].text is not what the updates add up to
   the updates say: "HelHello"
   this event says: "Hello"
   a delta is what is new since the one before, and not all that there is""",
        ),
        (
            [*ANSWER, x.text_delta("m", "!")],
            """1. left pending, at the end: assistant_message m was done, updated by event 5, and \
not done again""",
        ),
        (
            [x.done(HELLO), x.done(x.message("m", "Good bye"))],
            "1. not unique, after event 2: the item was done already by event 1",
        ),
        (
            [x.added(HELLO), x.done(x.widget("m", CARD))],
            "1. not unique, after event 2: m is the id of an item of type assistant_message",
        ),
        (
            [x.added(x.widget("w", CARD)), x.done(x.widget("w", {"type": "Card"}))],
            """1. mismatch, after event 2: widget.children is not what the updates add up to
   the updates say: [{"type": "Text", "id": "t", "value": "a"}]
   this event says: null""",
        ),
        (
            [x.added(HELLO)],
            "1. left pending, at the end: assistant_message m is not done when the stream ends",
        ),
        (
            [{"type": "error", "code": "custom"}],
            '1. failed, after event 1: the stream has failed: {"type": "error", "code": "custom"}',
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
        "1. changed later, after event 1: it had changed in the end",
        '   item.workflow.tasks[0].title was "A" when it was sent, and is "B" now',
    ]


def hidden(item_id: str) -> Json:
    return x.item(item_id, "hidden_context_item", content="secret")


@pytest.mark.parametrize(
    ("events", "headline"),
    [
        (
            [{"type": "workflow.task.added", "item_id": "w"}],
            (
                "update as event, after event 1: workflow.task.added is an update, and was sent as "
                "an event: put it into `update` of a thread.item.updated"
            ),
        ),
        (
            [x.replaced(hidden("h"))],
            (
                "hidden item, after event 1: an item of type hidden_context_item is for the model "
                "alone, and a client can read it"
            ),
        ),
        (
            [x.done(x.message("__fake_id__", "a"))],
            (
                "placeholder id, after event 1: the id '__fake_id__' is the placeholder of the "
                "Agents SDK for a model that gives no ids: every such item has it"
            ),
        ),
    ],
)
def test_what_no_client_or_store_can_use(events: list[Any], headline: str) -> None:
    assert one_flaw_of(events) == f"1. {headline}"


def test_the_server_holds_back_the_done_of_a_hidden_item() -> None:
    events = [x.done(hidden("h"))]
    assert check_producer(events) == events


def test_an_event_that_is_none_any_more_has_changed() -> None:
    event = to_json(ANSWER[0])

    def producer() -> Iterator[Any]:
        yield event
        event.clear()
        yield from ANSWER[1:]

    assert one_flaw_of(producer).splitlines() == [
        "1. changed later, after event 1: it had changed when the next one came",
        "   it is not an event any more",
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
    assert check_producer(events, ignore=["left_pending"]) == events
    assert check_producer(events, ignore=Flaw.LEFT_PENDING) == events
    with pytest.raises(ValueError, match="there is no flaw 'mess': the flaws are no_event, "):
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

    assert failure(check_producer, waiting, timeout=0.01) == text("""
        The producer did not come to its end within 0.01 seconds.

        -> Let it end: a stream that waits for more keeps its client waiting, too. If it only needs longer,
           pass timeout=...

        All events:
          1  thread.item.added  assistant_message m: content []
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
    assert said == "1. out of order, after event 3: part 0 is there already, and begins again"


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
        ({"timeout": 0}, ValueError, "timeout=0 leaves no time to try anything"),
    ],
)
def test_misuse_is_told_what_to_do(options: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=re.escape(said)):
        check_producer(ANSWER, **options)
