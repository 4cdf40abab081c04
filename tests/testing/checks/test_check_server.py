"""`check_server` finds the items that a server loses when it is stopped."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import attrs
import pytest
from anyio.lowlevel import checkpoint

from chatkit_reducer import Policy, Settlement, policies
from chatkit_reducer.core.codec import encode, to_json
from chatkit_reducer.events import Event, Json, ThreadCreated, ThreadItemDone
from chatkit_reducer.supervise import supervise
from chatkit_reducer.testing import examples as x
from chatkit_reducer.testing.cancellation import (
    Backend,
    Exchange,
    Finding,
    FindingKind,
    Report,
    Shape,
    Way,
)
from chatkit_reducer.testing.cancellation.shapes import ShapeError, yield_in_shape
from chatkit_reducer.testing.checks import _server, check_server
from chatkit_reducer.testing.checks._server import _describe

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it warns of its own widgets
    pytest.importorskip("chatkit")
    from chatkit.server import ChatKitServer

    from chatkit_reducer.integrations.openai_chatkit import ReducerChatKitServer, event_to_sdk
    from chatkit_reducer.testing.chatkit_server import SuspendingStore, server_exchange
    from tests.support.misbehaving_stores import ByTimeStore, SoundStore, UuidStore

from tests.support.checked import ANSWER, HELLO, answering, failure, later, text

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)


class Keeping(ReducerChatKitServer[Any]):
    policy = policies.KEEP


def test_a_server_that_loses_nothing_passes() -> None:
    report = check_server(Keeping, ways=["scope_cancel", "aclose"])
    assert report.findings == ()
    assert report.points[Way.ACLOSE] > 30


def test_a_way_may_be_named_as_the_report_names_it() -> None:
    report = check_server(Keeping, ways=["scope cancel", Way.ACLOSE])
    assert list(report.points) == [Way.SCOPE_CANCEL, Way.ACLOSE]
    assert "scope cancel" in str(report)


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


def test_findings_that_cannot_be_helped_are_left_out() -> None:
    response = [x.added(x.message("m", "Hello")), x.done(x.message("m", "Hello"))]
    options: Any = {"response": response, "ways": "aclose"}
    said = failure(check_server, ChatKitServer, **options, ignore=["marker missing"])
    assert said.splitlines()[-1].split() == ["aclose", "4", "1", "0", "0", "0", "0"]
    check_server(ChatKitServer, **options, ignore=["marker_missing", FindingKind.LOST])


def test_errors_that_were_asked_for_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    check_server(Keeping, ways=["producer_exception"])
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
    with pytest.raises(ValueError, match="each exchange needs a store of its own that is empty"):
        check_server(lambda: wrong)
    with pytest.raises(TypeError, match="must make an Exchange, or a server of the SDK that has a"):
        check_server(lambda: 7)


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
    said = failure(check_server, forgetful_exchange, backend=backend, ways=["scope_cancel"])
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

    said = failure(check_server, exchange, ways=["not_stopped"])
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
        (own_answer(), "Let it answer as it does when a user asks"),
        (own_answer(error=KeyError("API_KEY")), "The answer has failed: see the log of the server"),
    ],
)
def test_an_answer_without_items_is_refused(server: Any, advised: str) -> None:
    with pytest.raises(ValueError, match="Answering answered without a single event") as caught:
        check_server(server, own_response=True)
    assert f"-> {advised}" in str(caught.value)
    assert "1  thread.item.done  user_message message_1" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ways": []}, r"ways=\[\] names none, and nothing would be tried"),
        ({"ways": "by magic"}, "there is no way 'by magic': the ways are not_stopped, task_cancel"),
        ({"ignore": "bugs"}, "there is no finding 'bugs': the findings are lost, marker_missing, "),
        ({"timeout": 0}, "timeout=0 leaves no time to try anything"),
        ({"timeout": float("nan")}, "timeout=nan leaves no time"),
        ({"response": []}, "the response has no events, and there is nothing to stop"),
        ({"response": [{"no": "event"}]}, "expected a string `type`"),
        ({"backend": "foo"}, "backend='foo': the event loop is asyncio or trio"),
    ],
)
def test_nothing_is_not_enough(options: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_server(Keeping, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"policy": "keep"}, "policy='keep' is not a Policy: pass one, such as policies.KEEP"),
        ({"response": [7]}, "the response holds 7, which is not an event: pass events of"),
        ({"response": [Policy]}, "which is not an event: pass events of"),
        ({"response": [x.task_added("w", x.task("A"), 0).update]}, "which is not an event"),
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


class OwnMade(Keeping):
    """It takes no store, and makes one."""

    def __init__(self) -> None:
        super().__init__(SoundStore())


def test_a_server_may_have_a_store_of_its_own() -> None:
    report = check_server(OwnMade, ways="task_cancel")
    assert report.points[Way.TASK_CANCEL] > 80  # the store waits as that of the check does

    def make() -> Any:
        return type("Made", (OwnMade,), {"respond": None})()

    assert check_server(make, ways="aclose").points[Way.ACLOSE] > 30


@pytest.mark.parametrize("store", [SoundStore, UuidStore, ByTimeStore])
def test_a_server_may_get_the_store_of_the_application(store: type[SoundStore]) -> None:
    report = check_server(Keeping, store=store, ways="aclose")
    assert report.points[Way.ACLOSE] > 30


CREATE = {
    "type": "threads.create",
    "params": {
        "input": {
            "content": [{"type": "input_text", "text": "Dessert?"}],
            "attachments": [],
            "inference_options": {},
        }
    },
}


@pytest.mark.parametrize("store", [None, SoundStore, UuidStore])
def test_a_request_may_create_the_thread(store: type[SoundStore] | None) -> None:
    report = check_server(Keeping, store=store, request=CREATE, ways="stop")
    assert isinstance(report.whole[0], ThreadCreated)


def test_a_server_that_loses_something_is_found_over_its_own_store_as_well() -> None:
    class Bare(ChatKitServer[Any]):
        def respond(self, *_: Any) -> AsyncIterator[Any]:
            raise NotImplementedError

    said = failure(check_server, Bare, store=SoundStore, ways="aclose")
    assert "lost: aclose at point 11, after 11 events: msg_1" in said


def test_the_store_gets_the_context() -> None:
    class PerUser(SoundStore):
        async def load_thread(self, thread_id: str, context: Any) -> Any:
            assert context["user"] == "u"
            return await super().load_thread(thread_id, context)

    check_server(Keeping, store=PerUser, context={"user": "u"}, ways="aclose")


def test_the_own_response_runs_over_the_own_store() -> None:
    class Answering(Keeping):
        async def respond(self, thread: Any, *_: Any) -> AsyncIterator[Any]:
            item_id = self.store.generate_item_id("message", thread, None)
            yield event_to_sdk(x.added(x.message(item_id)))
            yield event_to_sdk(x.text_delta(item_id, "Hello"))

    check_server(Answering, store=SoundStore, own_response=True)


SOUND_SHAPES = [Shape.NESTED, Shape.EARLY_RETURN, Shape.RAISES, Shape.STUBBORN]


def test_a_response_may_have_other_shapes() -> None:
    report = check_server(Keeping, ways=["aclose", "task_cancel"], shapes=SOUND_SHAPES)
    assert list(report.shapes) == SOUND_SHAPES
    assert all(each.points[Way.ACLOSE] > 8 for each in report.shapes.values())
    assert "shape nested: " in str(report)


def test_what_a_shape_has_lost_is_shown() -> None:
    finding = Finding(
        way=Way.ACLOSE, point=3, kind=FindingKind.LOST, problem="m: gone", shape=Shape.TASK_GROUP
    )
    shapes = {
        Shape.TASK_GROUP: Report({Way.ACLOSE: 3}, (finding,)),
        Shape.NESTED: Report({Way.ACLOSE: 4}, ()),
    }
    said = _describe("MyServer", Report({Way.ACLOSE: 9}, (), shapes=shapes))
    assert said.startswith("MyServer was stopped at 7 points, and at 1 of them something was ")
    assert (
        "lost: aclose at point 3 of a response of shape task_group, after 0 events: m: go" in said
    )
    assert "shape task_group: 3 points, something wrong at 1" in said


def test_what_cannot_be_helped_is_left_out_of_the_other_shapes_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost = Finding(way=Way.ACLOSE, point=3, kind=FindingKind.LOST, problem="m: gone")

    def cancelled(make: Any, ways: Any, **_: Any) -> Report:
        is_plain = not isinstance(make, partial)
        findings = () if is_plain else (lost,)
        return Report({Way.ACLOSE: 9}, findings, whole=(x.added(x.message("m")),))

    monkeypatch.setattr(_server, "cancel_everywhere", cancelled)
    assert "of shape nested" in failure(check_server, Keeping, shapes="nested")
    report = check_server(Keeping, shapes="nested", ignore="lost")
    assert report.shapes[Shape.NESTED].findings == ()


def test_shapes_are_those_of_a_response_of_the_check() -> None:
    with pytest.raises(ValueError, match="there is no shape 'round': the shapes are task_group, "):
        check_server(Keeping, shapes=["round"])
    for server, own_response in ((supervised, False), (own_answer(*ANSWER), True)):
        with pytest.raises(TypeError, match="shapes are those of a response that the check makes"):
            check_server(server, shapes="nested", ways="aclose", own_response=own_response)


@pytest.mark.parametrize("shape", [*Shape])
def test_each_shape_says_the_same_until_it_ends(shape: Shape) -> None:
    async def said() -> list[int]:
        received: list[int] = []
        with suppress(ShapeError):
            async for number in yield_in_shape(shape, range(9)):
                received += [number]
        return received

    whole = list(range(6 if shape in (Shape.EARLY_RETURN, Shape.RAISES) else 9))
    assert asyncio.run(said()) == whole


@pytest.mark.parametrize("made", [7, later(), None])
def test_what_is_no_store_is_refused(made: Any) -> None:
    with pytest.raises(TypeError, match=r"store has to make a chatkit\.store\.Store, and made"):
        check_server(Keeping, store=lambda: made)


async def no_server(*_: Any) -> Any:
    return own_answer()(SuspendingStore())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (None, "None does not make a server: pass a server class of the SDK, a function"),
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

    said = failure(check_server, exchange, ways=["aclose"], timeout=0.05)
    assert "left over: not stopped, after 0 events: the client itself has not come to" in said
