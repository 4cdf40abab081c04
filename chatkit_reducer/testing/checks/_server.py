"""`check_server`: a server, stopped everywhere."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import methodcaller
from types import MappingProxyType
from typing import Any

from chatkit_reducer.events import (
    ErrorEvent,
    Event,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
)
from chatkit_reducer.policy import Policy
from chatkit_reducer.testing.cancellation import (
    Backend,
    Exchange,
    Finding,
    FindingKind,
    Report,
    Way,
    cancel_everywhere,
)
from chatkit_reducer.testing.cancellation.answer import response_of
from chatkit_reducer.testing.cancellation.event_loops import check_backend
from chatkit_reducer.testing.cancellation.report import described
from chatkit_reducer.testing.checks._words import advice, counted, event_lines, message

__all__ = ["check_server"]

# pytest then shows the test and what the check says, and not how the check came to say it.
__tracebackhide__: methodcaller = methodcaller("errisinstance", AssertionError)

_SDK_ADVICE = (
    "A server of the SDK: inherit from ReducerChatKitServer instead of ChatKitServer. Any other: "
    "put `supervise` around the events, in an `async with`."
)
_ADVICE: Mapping[FindingKind, str] = MappingProxyType(
    {
        FindingKind.LOST: _SDK_ADVICE,
        FindingKind.MARKER_MISSING: _SDK_ADVICE,
        FindingKind.STILL_RUNNING: _SDK_ADVICE,
        FindingKind.NOT_TO_THE_POLICY: (
            "Write exactly what `settlement.writes` says; or, if the store is right, change the "
            "policy."
        ),
        FindingKind.WRITTEN_TWICE: (
            "Let the store write an item in the place of the one with its id, whether the write is "
            "an add or a save: check_commit tells whether it does."
        ),
        FindingKind.LEFT_OVER: (
            "Close in a `finally` what the response has begun, and wait for it. If it only needs "
            "longer, pass patience=..."
        ),
        FindingKind.SWALLOWED: "Raise CancelledError again wherever it is caught.",
        FindingKind.ERROR: "Catch it where it belongs, or let the producer raise it.",
        FindingKind.WARNING: "Await what is begun, and close generators with `aclose`.",
    }
)


def check_server(
    server: Callable[..., Any],
    *,
    policy: Policy | None = None,
    response: Iterable[Any] | None = None,
    own_response: bool = False,
    request: Mapping[str, Any] | None = None,
    ways: Iterable[Way | str] | str | None = None,
    backend: Backend = "asyncio",
    ahead: int = 1,
    patience: float = 5.0,
) -> Report:
    """Stops a server in the middle of an answer, everywhere, and compares what is stored.

        def test_nothing_is_lost():
            check_server(MyServer)

    The answer is stopped at each point at which the server waits, in each way that a stream can be
    stopped; every time, the store has to hold what people saw, as the policy says. All points are
    tried, so there is no chance in it.

    Args:
        server: a server class of the SDK, or a function that makes one for a store, such as
            `lambda store: MyServer(store, model)`; or a function without arguments that makes an
            `Exchange`, for any other server.
        policy: what should survive; the server's own, or else `policies.SDK`, if left out.
        response: the events that it answers with, of the SDK or of this package, JSON mappings or
            texts; `cancellation.a_response` if left out, which has some of everything.
        own_response: whether the server's own `respond` answers. It has to say the same each time.
        request: what the client asks for; a user message if left out.
        ways: how to stop it, one way or several; in all ways that it knows if left out.
        backend: the event loop; the SDK knows asyncio alone.
        ahead: how many events the server may be ahead of its client.
        patience: how long one exchange may take, in seconds.

    Returns:
        What was tried. As a text it is a table.

    Raises:
        AssertionError: something was lost, or is not as the policy says; it shows the shortest
            example, and how often it happened.
        TypeError: it is a server, and nothing that makes one; or the policy or an event of the
            response is none; or an `Exchange` is to be made, which has a policy, a response and a
            request of its own, and one of these was given; or there are to be two responses.
        ValueError: the server does not know one of the ways, or the event loop; or it does not
            answer alike each time; or nothing was tested, because there is no way, no time, or no
            event of an item in an answer of its own.
    """
    check_backend(backend)
    options: dict[str, Any] = {"policy": policy, "response": response, "request": request}
    make = _exchanges(server, {**options, "own_response": own_response or None}, backend)
    with _without_scripted_errors():
        report = cancel_everywhere(make, ways=ways, backend=backend, ahead=ahead, patience=patience)
    is_empty = response is None and not any(map(_is_of_an_item, report.whole))
    if is_empty and not report.count(way=Way.NOT_STOPPED):
        raise ValueError(_untested(_name(server), report))
    if report.findings:
        raise AssertionError(_described(_name(server), report))
    return report


def _exchanges(
    server: Callable[..., Any], options: dict[str, Any], backend: Backend
) -> Callable[[], Exchange]:
    if not callable(server):
        raise TypeError(_not_callable(server))
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(server, type) or not _can_be_called(server):
        return _with_a_store(server, given, backend)
    if not _can_be_called(server, "a store"):
        _refuse(given)
        return lambda: _exchange(server())

    # All that it takes may be left out, the store as well: what it makes tells what it is.
    with_a_store: Callable[[], Exchange] | None = None

    def either() -> Exchange:
        nonlocal with_a_store
        if with_a_store is None:
            made = server()
            if isinstance(made, Exchange):
                _refuse(given)
                return made
            _refuse_coroutine(made)
            with_a_store = _with_a_store(server, given, backend)
        return with_a_store()

    return either


def _with_a_store(
    server: Callable[..., Any], given: dict[str, Any], backend: Backend
) -> Callable[[], Exchange]:
    if backend != "asyncio":
        raise ValueError(f"a server of the SDK runs on asyncio, and not on {backend}")
    # It imports the SDK, without which there are other servers to check.
    from chatkit_reducer.testing.chatkit_server import server_exchange

    if "response" in given and "own_response" not in given:
        given = {**given, "response": response_of(given["response"])}  # it may be an iterator
    return lambda: server_exchange(server, **given)


def _not_callable(server: Any) -> str:
    if hasattr(server, "process"):
        return (
            f"{type(server).__name__} is a server, and each exchange needs a new one: pass the "
            "class, or a function that makes one for a store"
        )
    return (
        f"{server!r} makes no server: pass a server class of the SDK, a function that makes a "
        "server for a store, or one without arguments that makes an Exchange"
    )


def _refuse(given: dict[str, Any]) -> None:
    for name in given:
        raise TypeError(f"an Exchange has its own {name}: leave it out here")


def _refuse_coroutine(made: Any) -> None:
    if inspect.iscoroutine(made):
        made.close()
        raise TypeError(
            "what makes a server or an Exchange must not be asynchronous: the `events` and the "
            "`stored` of an Exchange may be"
        )


def _exchange(made: Any) -> Exchange:
    _refuse_coroutine(made)
    if not isinstance(made, Exchange):
        raise TypeError(
            f"a function without arguments must make an Exchange, and not {type(made).__name__}: "
            "one that makes a server takes the store, as in `lambda store: MyServer(store)`"
        )
    return made


def _is_of_an_item(event: Event) -> bool:
    """Whether it is about an item of the answer, and not about the message of the user."""
    if isinstance(event, ThreadItemAdded | ThreadItemDone | ThreadItemReplaced):
        return event.item.get("type") != "user_message"
    return isinstance(event, ThreadItemUpdated | ThreadItemRemoved)


def _untested(name: str, report: Report) -> str:
    failed = any(isinstance(event, ErrorEvent) for event in report.whole)
    return message(
        f"{name} answered without a single event of an item: there was nothing to lose, and so "
        "nothing was tested.",
        advice(
            "The answer has failed: see the log of the server for the exception behind it."
            if failed
            else "Let it answer as it does when somebody asks: with items, one after the other."
        ),
        ["Its client received:", *event_lines(report.whole)],
    )


@contextmanager
def _without_scripted_errors() -> Iterator[None]:
    """The SDK logs each error of a response: here they are as many as there are events."""
    logger = logging.getLogger("chatkit")
    logger.addFilter(_is_no_scripted_error)
    try:
        yield
    finally:
        logger.removeFilter(_is_no_scripted_error)


def _is_no_scripted_error(record: logging.LogRecord) -> bool:
    kind = None if record.exc_info is None else record.exc_info[0]
    return kind is None or kind.__name__ != "ScriptedError"  # its module needs the SDK


def _can_be_called(server: Callable[..., Any], *arguments: Any) -> bool:
    try:
        inspect.signature(server).bind(*arguments)
    except TypeError:
        return False
    return True


def _name(server: Callable[..., Any]) -> str:
    name = str(getattr(server, "__qualname__", "")).rpartition(".")[2]
    return name if name.isidentifier() else "The server"


def _described(name: str, report: Report) -> str:
    shown = min(report.findings, key=_gravity)
    return message(
        f"{name} was stopped at {counted(sum(report.points.values()), 'point')}, and at "
        f"{report.count()} of them something was wrong. The shortest example:",
        described(shown),
        advice(_ADVICE[shown.kind]),
        "All that was found:",
        str(report),
    )


def _gravity(finding: Finding) -> tuple[int, int, int]:
    """Something lost before anything else; of two alike the one with fewer events."""
    return list(FindingKind).index(finding.kind), len(finding.seen), finding.point
