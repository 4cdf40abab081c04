"""`check_server`: a server, stopped at each of its points."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from operator import methodcaller
from types import MappingProxyType
from typing import Any

import attrs

from chatkit_reducer.core.policy.table import Policy
from chatkit_reducer.events import (
    ErrorEvent,
    Event,
    ThreadItemAdded,
    ThreadItemDone,
    ThreadItemRemoved,
    ThreadItemReplaced,
    ThreadItemUpdated,
)
from chatkit_reducer.testing._text import advice, counted, event_lines, members_of, message
from chatkit_reducer.testing.cancellation import (
    Backend,
    Exchange,
    Finding,
    FindingKind,
    Report,
    Shape,
    Way,
    a_response,
    cancel_everywhere,
)
from chatkit_reducer.testing.cancellation.event_loops import check_backend
from chatkit_reducer.testing.cancellation.report import describe
from chatkit_reducer.testing.cancellation.sample_response import response_of
from chatkit_reducer.testing.cancellation.shapes import shapes_of

# pytest then shows the test and the message of the check, and not the inside of the check.
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
            "longer, pass timeout=..."
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
    store: Callable[[], Any] | None = None,
    context: Any = None,
    request: Mapping[str, Any] | None = None,
    ways: Iterable[Way | str] | str | None = None,
    shapes: Iterable[Shape | str] | str | None = None,
    backend: Backend = "asyncio",
    max_lead: int = 1,
    timeout: float = 5.0,
    ignore: Collection[FindingKind | str] = (),
) -> Report:
    """Stop a server at each point of an answer, and compare the store with the client's view.

        def test_nothing_is_lost():
            check_server(MyServer)

    The answer is stopped at each point at which the server waits, in each way that a stream can be
    stopped; every time, the store has to hold the items that the client saw, as the policy says.
    The check is deterministic: it tries every point.

    Args:
        server: a server class of the SDK, or a function that makes one for a store, such as
            `lambda store: MyServer(store, model)`; or a function without arguments that makes a
            server with a store of its own, empty each time, or that makes an `Exchange`, for any
            other server.
        policy: says which items survive; the server's own, or else `policies.SDK`, if left out.
        response: the events that it answers with, of the SDK or of this package, JSON mappings or
            texts; `cancellation.a_response` if left out, which has some of everything.
        own_response: whether the server's own `respond` answers. It has to say the same each time.
        store: makes the store that the server gets, empty each time: `store=MyStore`. One in memory
            if left out.
        context: passed as `context` to the server and its store.
        request: the request of the client; a user message if left out.
        ways: how to stop it, one way or several; in all ways that it knows if left out.
        shapes: other ways to build the response than a loop of yields; these are tried if nothing
            was found with the loop. All, if left out and no response is given; `()` for none.
        backend: the event loop; the SDK knows asyncio alone.
        max_lead: how many events the server may be ahead of its client.
        timeout: how long one exchange may take, in seconds.
        ignore: kinds of findings that are known, and cannot be helped, such as `left_over` for a
            task that a driver of a database leaves behind.

    Returns:
        The points that were tried. As a text it is a table.

    Raises:
        AssertionError: an item was lost, or is not as the policy says; it shows the shortest
            example, and how often it happened.
        TypeError: `server` is a server, and does not make one; or the policy is not a `Policy`, or
            the response has a value that is not an event; or `server` makes an `Exchange`, which
            has a policy, a response and a request of its own, and one of these was given; or there
            are two responses.
        ValueError: the server does not know one of the ways, or the event loop; or it does not
            answer alike each time; or nothing was tested, for want of a way, of time, or of an
            event of an item in an answer of its own.
    """
    check_backend(backend)
    options: dict[str, Any] = {"policy": policy, "response": response, "request": request}
    options |= {"own_response": own_response or None, "store": store, "context": context}
    make = _Exchanges(server, options, backend)
    chosen = shapes_of(shapes)
    ignored = members_of(FindingKind, ignore, "finding")
    with _without_scripted_errors():
        report = cancel_everywhere(
            make, ways=ways, backend=backend, max_lead=max_lead, timeout=timeout
        )
        report = _without(report, ignored)
        if not report.findings and _should_try_shapes(make, shapes, response):
            tried = _try_shapes(make, report, chosen, max_lead=max_lead, timeout=timeout)
            report = _without(tried, ignored)
    is_empty = response is None and not any(map(_is_of_an_item, report.whole))
    if is_empty and not report.count(way=Way.NOT_STOPPED):
        raise ValueError(_describe_untested(_name(server), report))
    if report.findings or any(each.findings for each in report.shapes.values()):
        raise AssertionError(_describe(_name(server), report))
    return report


def _without(report: Report, ignored: Collection[FindingKind]) -> Report:
    """Return a report without the findings of some kinds."""
    return attrs.evolve(
        report,
        findings=tuple([each for each in report.findings if each.kind not in ignored]),
        shapes={shape: _without(other, ignored) for shape, other in report.shapes.items()},
    )


def _should_try_shapes(make: _Exchanges, shapes: Any, response: Any) -> bool:
    if shapes is None:
        return make.may_have_shapes and response is None
    if shapes and not make.may_have_shapes:
        raise TypeError(
            "shapes are those of a response that the check makes: leave them out for an Exchange, "
            "and for a server that answers itself"
        )
    return bool(shapes)


class _Exchanges:
    """Makes one exchange after the other, with a server of the SDK or without."""

    def __init__(self, server: Callable[..., Any], given: dict[str, Any], backend: Backend) -> None:
        if not callable(server):
            raise TypeError(_describe_uncallable(server))
        self._server = server
        self._given = {name: value for name, value in given.items() if value is not None}
        self._backend = backend
        self._options: dict[str, Any] | None = None
        """For a server of the SDK, once it is known to be one."""
        takes_store = _can_be_called(server, "a store")
        if isinstance(server, type) or not _can_be_called(server):
            self._treat_as_sdk(own_store=not takes_store and _can_be_called(server))

    def __call__(self) -> Exchange:
        """Make an exchange.

        A call without arguments tells which kind of callable this is: it makes an Exchange, or a
        server with its own store, or a server whose store may be left out.
        """
        if self._options is None:
            takes_store = _can_be_called(self._server, "a store")
            made = self._make_without_store(may_fail=takes_store)
            _refuse_coroutine(made)
            if isinstance(made, Exchange):
                _refuse(self._given)
                return made
            if not takes_store and not hasattr(made, "process"):
                raise TypeError(_describe_no_exchange(made))
            self._treat_as_sdk(own_store=not takes_store)
        return self._sdk_exchange()

    def _make_without_store(self, *, may_fail: bool) -> Any:
        try:
            return self._server()
        except Exception:
            if may_fail:  # a server may refuse to be without a store
                return None
            raise

    def in_shape(self, shape: Shape) -> Exchange:
        """Make an exchange whose response has a shape."""
        return self._sdk_exchange(response=self._given.get("response", _in_short()), shape=shape)

    @property
    def may_have_shapes(self) -> bool:
        """Whether the response is one of ours."""
        return self._options is not None and "own_response" not in self._given

    def _treat_as_sdk(self, *, own_store: bool) -> None:
        if self._backend != "asyncio":
            raise ValueError(f"a server of the SDK runs on asyncio, and not on {self._backend}")
        if "response" in self._given and "own_response" not in self._given:
            # It may be an iterator.
            self._given["response"] = response_of(self._given["response"])
        self._options = {**self._given, **({"own_store": True} if own_store else {})}

    def _sdk_exchange(self, **more: Any) -> Exchange:
        # It imports the SDK, without which there are other servers to check.
        from chatkit_reducer.testing.chatkit_server import server_exchange

        return server_exchange(self._server, **{**(self._options or {}), **more})


def _in_short() -> list[Event]:
    """Make a short response, with a done item and a pending one: it is made often."""
    return a_response()[:_SHORT]


_SHORT = 11
_WAYS_OF_SHAPES = (Way.NOT_STOPPED, Way.TASK_CANCEL, Way.SCOPE_CANCEL, Way.ACLOSE, Way.BREAK)


def _try_shapes(
    make: _Exchanges,
    report: Report,
    shapes: Iterable[Shape],
    *,
    max_lead: int,
    timeout: float,
) -> Report:
    """Try the other shapes of a response, in the ways that were tried with the plain one."""
    ways = [way for way in _WAYS_OF_SHAPES if way in report.points]
    found = {}
    for shape in shapes if ways else ():
        found[shape] = _label_shape(
            shape,
            cancel_everywhere(
                partial(make.in_shape, shape), ways=ways, max_lead=max_lead, timeout=timeout
            ),
        )
    return attrs.evolve(report, shapes=found)


def _label_shape(shape: Shape, report: Report) -> Report:
    """Leave out findings that the response itself causes."""
    findings = [
        attrs.evolve(finding, shape=shape)
        for finding in report.findings
        if (shape, finding.kind) != (Shape.STUBBORN, FindingKind.SWALLOWED)
    ]
    return attrs.evolve(report, findings=tuple(findings))


def _describe_uncallable(server: Any) -> str:
    if hasattr(server, "process"):
        return (
            f"{type(server).__name__} is a server, and each exchange needs a new one: pass the "
            "class, or a function that makes one for a store"
        )
    return (
        f"{server!r} does not make a server: pass a server class of the SDK, a function that makes "
        "a server for a store, or one without arguments that makes an Exchange"
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


def _describe_no_exchange(made: Any) -> str:
    return (
        "a function without arguments must make an Exchange, or a server of the SDK that has a "
        f"store, and not {type(made).__name__}"
    )


def _is_of_an_item(event: Event) -> bool:
    """Whether an event is about an item of the answer, and not about the message of the user."""
    if isinstance(event, ThreadItemAdded | ThreadItemDone | ThreadItemReplaced):
        return event.item.get("type") != "user_message"
    return isinstance(event, ThreadItemUpdated | ThreadItemRemoved)


def _describe_untested(name: str, report: Report) -> str:
    failed = any(isinstance(event, ErrorEvent) for event in report.whole)
    return message(
        f"{name} answered without a single event of an item: there was nothing to lose, and so "
        "nothing was tested.",
        advice(
            "The answer has failed: see the log of the server for the exception behind it."
            if failed
            else "Let it answer as it does when a user asks: with items, one after the other."
        ),
        ["Its client received:", *event_lines(report.whole)],
    )


@contextmanager
def _without_scripted_errors() -> Iterator[None]:
    """Silence the SDK, which logs each error of a response: here as many as there are events."""
    logger = logging.getLogger("chatkit")
    logger.addFilter(_is_no_scripted_error)
    try:
        yield
    finally:
        logger.removeFilter(_is_no_scripted_error)


def _is_no_scripted_error(record: logging.LogRecord) -> bool:
    kind = None if record.exc_info is None else record.exc_info[0]
    return kind is None or kind.__name__ not in _SCRIPTED


_SCRIPTED = ("ScriptedError", "ShapeError")
"""By their names, because the module of the first one needs the SDK."""


def _can_be_called(server: Callable[..., Any], *arguments: Any) -> bool:
    try:
        inspect.signature(server).bind(*arguments)
    except TypeError:
        return False
    return True


def _name(server: Callable[..., Any]) -> str:
    name = str(getattr(server, "__qualname__", "")).rpartition(".")[2]
    return name if name.isidentifier() else "The server"


def _describe(name: str, report: Report) -> str:
    """Describe the worst finding: with the plain response, or else with the shapes."""
    reports = [report] if report.findings else list(report.shapes.values())
    shown = min((one for each in reports for one in each.findings), key=_severity)
    tried = sum(sum(each.points.values()) for each in reports)
    wrong = sum(each.count() for each in reports)
    return message(
        f"{name} was stopped at {counted(tried, 'point')}, and at {wrong} of them something was "
        "wrong. The shortest example:",
        describe(shown),
        advice(_ADVICE[shown.kind]),
        "All that was found:",
        str(report),
    )


def _severity(finding: Finding) -> tuple[int, int, int]:
    """Order findings: lost items first; of two alike the one with fewer events."""
    return list(FindingKind).index(finding.kind), len(finding.seen), finding.point
