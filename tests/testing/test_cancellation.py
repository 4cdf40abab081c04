"""Exchanges stopped at every point: with `supervise`, with servers of the SDK, and with bugs.

The last ones are for the harness itself: what it does not find, it does not rule out.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from contextvars import Context
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from chatkit_reducer import Cause, Policy, Settlement, ThreadState, encode, fold, policies, settle
from chatkit_reducer.core.codec import to_json
from chatkit_reducer.core.policy.table import Marker, Row
from chatkit_reducer.events import (
    Event,
    Json,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
)
from chatkit_reducer.supervise import MarkerFields, supervise
from chatkit_reducer.testing import examples as x
from chatkit_reducer.testing.cancellation import (
    EARLIER_ITEMS,
    Backend,
    Exchange,
    FindingKind,
    Report,
    Way,
    a_response,
    cancel_everywhere,
)
from tests.support.effort import others_slow

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it warns of its own widgets
    pytest.importorskip("chatkit")
    from chatkit.server import ChatKitServer

    from chatkit_reducer.integrations.openai_chatkit import (
        ReducerChatKitServer,
        _response,
        _store_access,
        _writer,
    )
    from chatkit_reducer.supervise.commit import attempts
    from chatkit_reducer.supervise.shield import Outcome
    from chatkit_reducer.testing.chatkit_server import (
        ScriptedError,
        SuspendingStore,
        server_exchange,
    )

pytestmark = pytest.mark.filterwarnings(
    "ignore:Direct usage of named widget classes:DeprecationWarning"
)

BACKENDS: list[Backend] = ["asyncio", "trio"]
PRESETS = list(policies.PRESETS)
SHORT = a_response()[:15]
"""Up to the middle of the first message."""


# --- an application -------------------------------------------------------------------------------


class Store:
    """A store in memory whose writes suspend; an add appends."""

    def __init__(self) -> None:
        self.items = list(EARLIER_ITEMS)
        self.log: list[tuple[str, str]] = []

    async def add(self, item: Json) -> None:
        await checkpoint()
        self.log.append(("add", item["id"]))
        self.items.append(item)
        await checkpoint()

    async def save(self, item: Json) -> None:
        await checkpoint()
        self.log.append(("save", item["id"]))
        self.items = [item if old["id"] == item["id"] else old for old in self.items]
        await checkpoint()

    async def remove(self, item_id: str) -> None:
        await checkpoint()
        self.items = [item for item in self.items if item["id"] != item_id]
        await checkpoint()

    def has(self, item_id: str) -> bool:
        return any(item["id"] == item_id for item in self.items)

    async def apply(self, event: Event) -> None:
        """What an application stores while a stream goes on."""
        if isinstance(event, ThreadItemDone):
            await self.add(event.item)
        elif isinstance(event, ThreadItemReplaced):
            await self.save(event.item)
        elif isinstance(event, ThreadItemRemoved):
            await self.remove(event.item_id)

    async def commit(self, settlement: Settlement) -> None:
        for write in settlement.writes:
            if write.op == "save" or self.has(write.item["id"]):
                await self.save(write.item)
            else:
                await self.add(write.item)


class Producer:
    """Makes the events of a response, and suspends before each."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = list(events)
        self._fails_at: int | None = None

    def fail_at(self, number: int) -> None:
        self._fails_at = number

    async def events(self) -> AsyncIterator[Event]:
        for number, event in enumerate(self._events, 1):
            await checkpoint()
            self._fail_if(number)
            yield event
        self._fail_if(len(self._events) + 1)

    def _fail_if(self, number: int) -> None:
        if number == self._fails_at:
            raise KeyError("model")


def supervised(policy: Policy, store: Store | None = None, **options: Any) -> Exchange:
    """The application as the documentation writes it: `async with supervise(...)`."""
    store, producer = store or Store(), Producer(a_response())
    state = ThreadState.from_items(EARLIER_ITEMS)
    stream = supervise(producer.events(), store.commit, policy=policy, state=state, **options)

    async def send(event: Event) -> None:
        await checkpoint()
        await store.apply(event)

    return Exchange(
        events=lambda: stream,
        send=send,
        stop=stream.stop,
        fail_at=producer.fail_at,
        stored=lambda: store.items,
        writes=lambda: store.log,
        policy=policy,
    )


def supervised_inside(policy: Policy) -> Exchange:
    """The same inside of a generator that the client may drop, and that sends frames."""
    store, producer = Store(), Producer(a_response())

    async def events() -> AsyncIterator[bytes]:
        state = ThreadState.from_items(EARLIER_ITEMS)
        made = producer.events()
        async with supervise(made, store.commit, policy=policy, state=state) as stream:
            async for event in stream:
                await store.apply(event)
                yield b"data: " + encode(event) + b"\n\n"

    return Exchange(
        events=events,
        fail_at=producer.fail_at,
        stored=lambda: store.items,
        writes=lambda: store.log,
        policy=policy,
    )


def assert_sound(report: Report) -> None:
    report.raise_for_findings()
    assert min(report.points.values()) > 0


# --- supervise ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_supervise_loses_nothing(backend: Backend, name: str) -> None:
    report = cancel_everywhere(lambda: supervised(policies.PRESETS[name]), backend=backend)
    assert_sound(report)
    assert Way.STOP in report.points
    assert (Way.SHUTDOWN in report.points) == (backend == "asyncio")
    assert report.points[Way.ACLOSE] == len(a_response())
    assert report.points[Way.PRODUCER_EXCEPTION] == len(a_response()) + 1
    assert report.points[Way.SCOPE_CANCEL] > 2 * len(a_response())


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_supervise_loses_nothing_inside_of_a_generator(backend: Backend, name: str) -> None:
    report = cancel_everywhere(lambda: supervised_inside(policies.PRESETS[name]), backend=backend)
    assert_sound(report)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_policy_of_your_own_is_kept_to(backend: Backend) -> None:
    rows = (
        Row(item="workflow", content="complete", decision="discard", reason="a policy may say so"),
        Row(item="widget", origin="base", decision="stale", reason="somebody else looks after it"),
        Row(item="generated_image", decision="discard", reason="half an image is none"),
    )
    marker = Marker(item="hidden_context_item", causes=list(Cause))
    policy = Policy(name="own", rows=(*rows, *policies.KEEP.rows), marker=marker)
    fields = MarkerFields(content={"stopped": True})
    assert_sound(cancel_everywhere(lambda: supervised(policy, marker=fields), backend=backend))


# --- the official SDK -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", others_slow("keep", *(name for name in PRESETS if name != "keep")))
def test_the_server_loses_nothing(name: str) -> None:
    class Server(ReducerChatKitServer[Any]):
        policy = policies.PRESETS[name]

    report = cancel_everywhere(lambda: server_exchange(Server))
    assert_sound(report)
    assert set(report.points) == set(Way)
    for kind in (FindingKind.LOST, FindingKind.WRITTEN_TWICE, FindingKind.MARKER_MISSING):
        assert report.count(kind) == 0


def test_no_marker_is_put_behind_a_tool_call_whose_removal_may_not_have_happened() -> None:
    call = x.item("c", "client_tool_call", call_id="1", name="f", arguments={}, status="pending")
    events: list[Event] = [x.added(call), x.done(call), x.removed("c")]
    cancel_everywhere(
        lambda: server_exchange(ReducerChatKitServer, response=events)
    ).raise_for_findings()


def test_the_server_of_the_sdk_does_lose() -> None:
    report = cancel_everywhere(lambda: server_exchange(ChatKitServer))
    for way in report.points:
        assert report.count(FindingKind.LOST, way) > 0
        if way not in (Way.NOT_STOPPED, Way.PRODUCER_EXCEPTION):
            assert report.count(FindingKind.MARKER_MISSING, way) > 0
    # Under a cancel scope its hook does not get far; and half of what it wrote, it writes again.
    for kind in (FindingKind.LOST, FindingKind.MARKER_MISSING):
        assert report.count(kind, Way.SCOPE_CANCEL) > report.count(kind, Way.TASK_CANCEL)
    assert report.count(FindingKind.WRITTEN_TWICE, Way.TASK_CANCEL) > 0
    with pytest.raises(AssertionError, match=r"findings at \d+ of \d+ points"):
        report.raise_for_findings()


def test_a_server_answers_by_itself_where_it_should() -> None:
    class Server(ReducerChatKitServer[Any]):
        async def respond(self, *_: Any) -> AsyncIterator[Any]:
            await checkpoint()
            for event in list[Any]():
                yield event

    def make() -> Exchange:
        return server_exchange(Server, policy=policies.KEEP, own_response=True)

    report = cancel_everywhere(make)
    assert_sound(report)
    assert Way.PRODUCER_EXCEPTION not in report.points
    assert report.points[Way.BREAK] == 2  # the message of the user, the options


def test_a_server_may_be_made_by_a_function() -> None:
    def make() -> Exchange:
        def server(store: Any) -> ReducerChatKitServer[Any]:
            class Server(ReducerChatKitServer[Any]):
                def respond(self, *_: Any) -> AsyncIterator[Any]:
                    raise NotImplementedError

            return Server(store, policy=policies.DROP)

        return server_exchange(server, response=SHORT)

    report = cancel_everywhere(make, ways=["scope_cancel", "producer_exception"])
    assert_sound(report)
    assert list(report.points) == [Way.SCOPE_CANCEL, Way.PRODUCER_EXCEPTION]
    assert make().policy is policies.DROP


def test_a_request_without_a_stream_is_refused() -> None:
    request = {"type": "threads.get_by_id", "params": {"thread_id": "thr_1"}}
    with pytest.raises(TypeError, match="answered with a stream"):
        cancel_everywhere(lambda: server_exchange(ReducerChatKitServer, request=request))


# --- servers with a bug ---------------------------------------------------------------------------


class Server(ReducerChatKitServer[Any]):
    policy = policies.KEEP


def findings_of_a_server(*ways: Way) -> Report:
    return cancel_everywhere(lambda: server_exchange(Server), ways=ways)


async def unprotected(
    work: Callable[[], Awaitable[object]], seconds: float | None, *, context: Context
) -> Outcome:
    await work()
    return Outcome()


def test_a_server_whose_commit_is_not_shielded_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "run_shielded", unprotected)
    report = findings_of_a_server(Way.TASK_CANCEL, Way.SCOPE_CANCEL, Way.REPEATED_CANCEL)
    assert report.count(FindingKind.LOST, Way.SCOPE_CANCEL) > 0
    assert report.count(FindingKind.LOST, Way.REPEATED_CANCEL) > 0
    assert report.count(FindingKind.MARKER_MISSING, Way.SCOPE_CANCEL) > 0


def test_a_server_that_adds_what_is_there_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: Any) -> None:
        return None

    monkeypatch.setattr(_store_access.ThreadStore, "find", never)
    report = findings_of_a_server(Way.TASK_CANCEL, Way.ACLOSE)
    assert report.count(FindingKind.WRITTEN_TWICE, Way.TASK_CANCEL) > 0
    assert report.count(FindingKind.WRITTEN_TWICE, Way.ACLOSE) > 0


def test_a_server_that_forgets_a_write_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _writer.SettlementWriter._write

    async def forgetful(self: Any, write: Any, item: Any) -> None:
        if item.type != "assistant_message":
            await whole(self, write, item)

    monkeypatch.setattr(_writer.SettlementWriter, "_write", forgetful)
    report = findings_of_a_server(Way.NOT_STOPPED, Way.ACLOSE, Way.PRODUCER_EXCEPTION)
    for way in report.points:
        assert report.count(FindingKind.LOST, way) > 0


def test_a_server_that_tells_two_times_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _response.ResponseSession._commit

    async def talkative(self: Any, settlement: Settlement) -> None:
        await whole(self, settlement)
        marker = settlement.marker_item
        if marker is not None:
            item = self._as_sdk_item({**marker, "id": "again"})
            await self._server.store.add_thread_item("thr_1", item, context=None)

    monkeypatch.setattr(_response.ResponseSession, "_commit", talkative)
    report = findings_of_a_server(Way.BREAK)
    # At the first point nothing has begun; at the last two the answer is settled, without a marker.
    assert report.count(FindingKind.WRITTEN_TWICE) == report.points[Way.BREAK] - 3
    assert "2 markers" in report.findings[0].problem


# --- other bugs, each found for what it is --------------------------------------------------------


def by_hand(store: Store, policy: Policy = policies.KEEP, **options: Any) -> Exchange:
    """An application that does without `supervise`: it knows one way of ending, and no shield."""
    producer = Producer(SHORT)
    seen: list[Event] = []

    async def events() -> AsyncIterator[Json]:
        try:
            async for event in producer.events():
                await store.apply(event)
                seen.append(event)
                yield to_json(event)
        finally:
            state = fold(seen, ThreadState.from_items(EARLIER_ITEMS))
            await store.commit(
                settle(state, policy=policy, cause="ended", marker_id="m", marker_time="now")
            )

    given = {"events": events, "stored": lambda: store.items, "policy": policy, **options}
    return Exchange(**given)


NO_MARKER = Policy(name="keep, no marker", rows=policies.KEEP.rows)


def test_a_commit_that_is_not_shielded_is_found() -> None:
    ways = [Way.SCOPE_CANCEL, Way.TASK_CANCEL, Way.ACLOSE]
    report = cancel_everywhere(lambda: by_hand(Store(), NO_MARKER), ways=ways)
    assert report.count(FindingKind.LOST, Way.SCOPE_CANCEL) > 0
    assert report.count(FindingKind.LOST, Way.TASK_CANCEL) > 0  # in the middle of the commit
    assert report.count(FindingKind.LOST, Way.ACLOSE) == 0


def test_a_marker_that_nobody_writes_is_found() -> None:
    report = cancel_everywhere(lambda: by_hand(Store()), ways=[Way.ACLOSE, Way.NOT_STOPPED])
    # Behind the last frame it may as well have ended by itself.
    assert report.count(FindingKind.MARKER_MISSING, Way.ACLOSE) == len(SHORT) - 1
    assert report.count() == len(SHORT) - 1


def test_a_marker_that_nobody_wants_is_found() -> None:
    class Telling(Store):
        async def commit(self, settlement: Settlement) -> None:
            await super().commit(settlement)
            content = policies.SDK_MARKER.content
            await self.add(x.item("note", "sdk_hidden_context", content=content))

    report = cancel_everywhere(lambda: by_hand(Telling()), ways=[Way.NOT_STOPPED])
    assert [finding.kind for finding in report.findings] == [FindingKind.NOT_TO_THE_POLICY]
    assert "wants none" in str(report.findings[0])


def test_a_commit_that_forgets_is_found_without_a_stop() -> None:
    class Forgetful(Store):
        async def commit(self, settlement: Settlement) -> None:
            """Nothing."""

    report = cancel_everywhere(lambda: supervised(policies.KEEP, Forgetful()), ways=["not_stopped"])
    assert [(finding.kind, finding.item_id) for finding in report.findings] == [
        (FindingKind.LOST, "wid_earlier"),
        (FindingKind.LOST, "msg_2"),
    ]
    stale, lost = report.findings
    assert stale.stored == EARLIER_ITEMS[1]
    assert lost.expected is not None
    assert lost.stored is None


def test_a_commit_that_adds_twice_is_found() -> None:
    class Adding(Store):
        async def commit(self, settlement: Settlement) -> None:
            for write in settlement.writes:
                await (self.add if write.op == "add" else self.save)(write.item)

    report = cancel_everywhere(lambda: supervised(policies.KEEP, Adding()), ways=["task_cancel"])
    assert report.count(FindingKind.WRITTEN_TWICE) > 0

    def make() -> Exchange:  # and the store shows it without a log
        whole = supervised(policies.KEEP, store := Adding())
        return Exchange(
            events=whole.events, send=whole.send, stored=lambda: store.items, policy=whole.policy
        )

    again = cancel_everywhere(make, ways=["task_cancel"])
    assert again.count(FindingKind.WRITTEN_TWICE) == report.count(FindingKind.WRITTEN_TWICE)


def test_a_copy_that_is_short_or_runs_for_ever_is_found() -> None:
    def make(change: Callable[[Json], Json]) -> Callable[[], Exchange]:
        class Changing(Store):
            async def add(self, item: Json) -> None:
                await super().add(change(item))

        return lambda: by_hand(Changing(), NO_MARKER)

    def run_on(item: Json) -> Json:
        if item["type"] != "workflow":
            return item
        tasks = [{**task, "status_indicator": "loading"} for task in item["workflow"]["tasks"]]
        return {**item, "workflow": {**item["workflow"], "tasks": tasks}}

    def cut(item: Json) -> Json:
        if item["type"] != "assistant_message":
            return item
        return {**item, "content": [{**part, "text": "Soup"} for part in item["content"]]}

    def rename(item: Json) -> Json:
        return {**item, "thread_id": "thr_2"}

    sealed = by_cause(make(run_on), Way.BREAK)
    assert sealed[FindingKind.STILL_RUNNING] > 0
    assert by_cause(make(cut), Way.BREAK)[FindingKind.LOST] > 0
    assert by_cause(make(rename), Way.BREAK)[FindingKind.NOT_TO_THE_POLICY] > 0


def by_cause(make: Callable[[], Exchange], way: Way) -> dict[FindingKind, int]:
    report = cancel_everywhere(make, ways=[way])
    return {kind: report.count(kind) for kind in FindingKind}


def test_what_should_not_be_stored_is_found() -> None:
    class Everything(Store):
        async def apply(self, event: Event) -> None:
            if isinstance(event, ThreadItemAdded):
                await self.add(event.item)

    report = cancel_everywhere(lambda: by_hand(Everything(), policies.DROP), ways=["break"])
    assert report.count(FindingKind.NOT_TO_THE_POLICY) > 0


def plain(events: Callable[[], AsyncIterator[Any]], **options: Any) -> Exchange:
    """An exchange that stores nothing, and of which nothing need be stored."""
    given: Any = {"events": events, "stored": list, "policy": NOTHING, **options}
    return Exchange(**given)


NOTHING = Policy(name="nothing", rows=[Row(decision="discard", reason="it is not about that")])


async def three() -> AsyncIterator[Event]:
    for event in (x.added(x.message("m")), x.text_delta("m", "one"), x.text_delta("m", " two")):
        await checkpoint()
        yield event


def test_a_task_that_is_left_over_is_found() -> None:
    tasks = []

    async def events() -> AsyncIterator[Event]:
        tasks.append(asyncio.create_task(asyncio.sleep(3600), name="forgotten"))
        async for event in three():
            yield event

    report = cancel_everywhere(lambda: plain(events), ways=["not_stopped"], timeout=0.01)
    assert [finding.kind for finding in report.findings] == [FindingKind.LEFT_OVER]
    assert "forgotten" in report.findings[0].problem
    assert "left over" in str(report)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_client_that_comes_to_no_end_is_found(backend: Backend) -> None:
    async def events() -> AsyncIterator[Event]:
        try:
            async for event in three():
                yield event
        except BaseException:
            with anyio.move_on_after(0.1, shield=True):
                await anyio.sleep(3600)
            raise

    report = cancel_everywhere(
        lambda: plain(events), ways=["scope_cancel"], timeout=0.02, backend=backend
    )
    assert report.count(FindingKind.LEFT_OVER) > 0
    assert "has not come to its end" in str(report.findings[0])


def test_a_cancellation_that_is_swallowed_is_found() -> None:
    async def events() -> AsyncIterator[Event]:
        with suppress(asyncio.CancelledError):
            async for event in three():
                yield event

    report = cancel_everywhere(lambda: plain(events), ways=["task_cancel", "scope_cancel"])
    assert report.count(FindingKind.SWALLOWED, Way.TASK_CANCEL) == 3  # where the producer waits
    assert report.count(way=Way.SCOPE_CANCEL) == 0


def test_an_exception_that_nobody_meant_is_found() -> None:
    async def events() -> AsyncIterator[Event]:
        try:
            async for event in three():
                yield event
        except GeneratorExit:
            raise KeyError("a bug") from None

    report = cancel_everywhere(lambda: plain(events), ways=["aclose", "break", "exception"])
    assert report.count(FindingKind.ERROR, Way.ACLOSE) == 3
    assert report.count(FindingKind.WARNING, Way.BREAK) == 3  # the event loop saw it
    assert report.count(FindingKind.WARNING, Way.EXCEPTION) == 3
    assert "a bug" in str(report.shortest)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_python_warns_of_is_found(backend: Backend) -> None:
    async def events() -> AsyncIterator[Event]:
        async for event in three():
            checkpoint()  # type: ignore[unused-coroutine]
            yield event

    report = cancel_everywhere(lambda: plain(events), ways=["not_stopped"], backend=backend)
    assert {finding.kind for finding in report.findings} == {FindingKind.WARNING}
    assert "never awaited" in str(report.findings[0])


# --- the harness ----------------------------------------------------------------------------------


def test_a_producer_may_be_ahead() -> None:
    def make() -> Exchange:
        store, producer = Store(), Producer(SHORT)

        async def two_ahead() -> AsyncIterator[str]:
            state, waiting = ThreadState.from_items(EARLIER_ITEMS), list[str]()
            made = producer.events()
            async with supervise(made, store.commit, policy=NO_MARKER, state=state) as stream:
                async for event in stream:
                    await store.apply(event)
                    waiting.append(encode(event).decode())
                    if len(waiting) > 2:
                        yield waiting.pop(0)
                while waiting:
                    yield waiting.pop(0)

        return Exchange(events=two_ahead, stored=lambda: store.items, policy=NO_MARKER)

    assert cancel_everywhere(make, ways=["aclose"]).count() > 0
    assert_sound(cancel_everywhere(make, max_lead=3))


def test_every_suspension_is_a_point() -> None:
    reached: list[str] = []

    async def events() -> AsyncIterator[Event]:
        reached.append("begun")
        async for event in three():
            yield event

    report = cancel_everywhere(lambda: plain(events), ways=["task_cancel"])
    assert report.points == {Way.TASK_CANCEL: 6}  # three events made, three sent
    assert len(reached) == 1 + 6 + 1  # not stopped, stopped, and once too far


def test_events_may_come_in_any_form() -> None:
    raw = list(map(to_json, SHORT[:3]))
    forms: list[list[Any]] = [
        SHORT[:3],
        raw,
        [encode(event) for event in SHORT[:3]],
        [encode(event).decode() for event in SHORT[:3]],
        [b"data: " + encode(event) + b"\n\n" for event in SHORT[:3]],
        [b": hello\r\nevent: x\r\ndata: " + encode(event) + b"\r\n\r\n" for event in SHORT[:3]],
    ]
    for frames in forms:

        async def events(frames: list[Any] = frames) -> AsyncIterator[Any]:
            for frame in frames:
                yield frame

        report = cancel_everywhere(
            lambda events=events: plain(events, policy=NO_MARKER),  # type: ignore[misc]
            ways=["not_stopped"],
        )
        assert [finding.item_id for finding in report.findings] == ["wf_1"]
        assert report.findings[0].seen == tuple(SHORT[:3])


@pytest.mark.parametrize("frame", [b"data: hello\n\n", "hello", 7, b'{"no": "event"}'])
def test_what_is_no_event_is_refused(frame: Any) -> None:
    async def events() -> AsyncIterator[Any]:
        yield frame

    with pytest.raises((TypeError, ValueError)):
        cancel_everywhere(lambda: plain(events))


def test_what_the_exchange_raises_by_itself_is_raised() -> None:
    async def events() -> AsyncIterator[Event]:
        async for event in three():
            yield event
        raise KeyError("by itself")

    with pytest.raises(KeyError, match="by itself"):
        cancel_everywhere(lambda: plain(events))


def test_an_exchange_that_differs_is_refused() -> None:
    numbers = iter(range(10))

    async def events(number: int) -> AsyncIterator[Event]:
        yield x.added(x.message(f"m_{number}"))

    def make() -> Exchange:
        number = next(numbers)
        return plain(lambda: events(number))

    with pytest.raises(ValueError, match=r"the same every time.* m_0, and is .* m_1 now"):
        cancel_everywhere(make, ways=["break"])


@pytest.mark.parametrize(
    ("way", "backend", "needs"),
    [
        ("task_cancel", "trio", "needs asyncio"),
        ("shutdown", "trio", "needs asyncio"),
        ("stop", "asyncio", "with `stop`"),
        ("producer_exception", "asyncio", "with `fail_at`"),
        ("by magic", "asyncio", "by magic"),
    ],
)
def test_a_way_that_cannot_be_tried_is_refused(way: str, backend: Backend, needs: str) -> None:
    with pytest.raises(ValueError, match=needs):
        cancel_everywhere(lambda: plain(three), ways=[way], backend=backend)


def test_what_the_store_holds_may_have_to_be_awaited() -> None:
    store = Store()

    async def stored() -> list[Json]:
        await checkpoint()
        return store.items

    def make() -> Exchange:
        return plain(three, stored=stored)

    assert_sound(cancel_everywhere(make, ways=["scope_cancel"], backend="trio"))


def test_the_report_is_a_table_and_shows_the_shortest_example() -> None:
    report = cancel_everywhere(lambda: plain(three, policy=NO_MARKER), ways=["aclose", "break"])
    titles = "points  lost  marker missing  written twice  still running  not to the policy"
    assert str(report).splitlines()[0].strip() == titles
    assert str(report).splitlines()[1].split() == ["aclose", "3", "2", "0", "0", "0", "0"]
    assert report.count(FindingKind.LOST) == 4
    assert report.count(way=Way.ACLOSE) == 2
    assert report.shortest is not None
    assert report.shortest.point == 2
    with pytest.raises(AssertionError) as caught:
        report.raise_for_findings()
    text = str(caught.value)
    assert text.startswith("4 findings at 4 of 6 points. The shortest:")
    assert "lost: aclose at point 2, after 2 events: m: the store does not have it" in text
    assert "expected: {" in text
    assert "stored: nothing" in text
    assert "thread.item.updated m assistant_message.content_part.text_delta" in text


def test_a_report_without_findings_raises_nothing() -> None:
    report = cancel_everywhere(lambda: plain(three))
    assert report.shortest is None
    assert report.findings == ()
    report.raise_for_findings()


# --- the store of the exchanges with servers ------------------------------------------------------


def test_the_store_suspends_before_it_writes_and_after() -> None:
    async def body() -> None:
        store = SuspendingStore(EARLIER_ITEMS)
        from chatkit_reducer.integrations.openai_chatkit import item_to_sdk

        item = item_to_sdk(x.message("m", "Hello"))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.add_thread_item("thr_1", item, None)
        assert store.writes == []
        await store.add_thread_item("thr_1", item, None)
        await store.add_thread_item("thr_1", item, None)
        assert [stored["id"] for stored in store.items[-2:]] == ["m", "m"]
        await store.delete_thread_item("thr_1", "m", None)
        await store.save_item("thr_1", item, None)
        assert store.writes == [("add", "m"), ("add", "m"), ("delete", "m"), ("save", "m")]

    asyncio.run(body())


def test_the_response_has_some_of_everything() -> None:
    state = fold(a_response(), ThreadState.from_items(EARLIER_ITEMS))
    assert state.anomalies == ()
    assert state.pending == ("wid_earlier", "msg_2")
    kinds = {item.type for item in state.items.values()}
    assert {"workflow", "assistant_message", "widget", "generated_image"} <= kinds
    assert ScriptedError.__doc__
