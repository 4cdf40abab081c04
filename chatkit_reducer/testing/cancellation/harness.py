"""The harness: it stops an exchange at each of its points in turn."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from itertools import count

import anyio

from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing._text import event_name
from chatkit_reducer.testing.cancellation.assess import client_state, findings_of
from chatkit_reducer.testing.cancellation.event_loops import Backend, check_backend, check_timeout
from chatkit_reducer.testing.cancellation.exchange import Exchange
from chatkit_reducer.testing.cancellation.methods import ASYNCIO_ONLY, Way, ways_of
from chatkit_reducer.testing.cancellation.report import Finding, Report
from chatkit_reducer.testing.cancellation.trial import Run, Trial

__all__ = ["cancel_everywhere"]


def cancel_everywhere(
    make: Callable[[], Exchange],
    *,
    ways: Iterable[Way | str] | str | None = None,
    backend: Backend = "asyncio",
    max_lead: int = 1,
    timeout: float = 5.0,
) -> Report:
    """Stop an exchange at each of its points in turn, and report all that went wrong.

    It runs an event loop of its own: call it where no event loop runs.

    Args:
        make: makes the exchange anew, with a store of its own; called inside of the event loop.
        ways: how to stop it, one way or several; in all ways that the exchange and the event loop
            know if left out.
        backend: the event loop.
        max_lead: how many events the producer may be ahead of the client: 1 where each waits for
            the other, more with a queue between them.
        timeout: how long an exchange may take, in seconds, before that is a finding; tasks that it
            leaves behind may take as long again.

    Raises:
        ValueError: a way or the event loop is unknown; or a way needs another event loop, or
            something that the exchange does not have; or the exchange is not the same every time;
            or nothing could be tried.
    """
    check_backend(backend)
    check_timeout(timeout)
    chosen = None if ways is None else ways_of(ways)
    harness = _Harness(make, backend, max_lead, timeout)
    return anyio.run(harness.run, chosen, backend=backend)


class _Harness:
    def __init__(
        self, make: Callable[[], Exchange], backend: Backend, max_lead: int, timeout: float
    ) -> None:
        self._make = make
        self._backend: Backend = backend
        self._max_lead = max_lead
        self._timeout = timeout
        self._whole: tuple[Event, ...] = ()
        """All events that the client receives without a stop."""

    async def run(self, chosen: Sequence[Way] | None) -> Report:
        points: dict[Way, int] = {}
        findings: list[Finding] = []
        whole = await self._try(Way.NOT_STOPPED, 0)
        if whole.error is not None:
            raise whole.error
        self._whole = tuple(whole.received)
        ways = self._possible(whole.exchange) if chosen is None else chosen
        self._check(ways, whole.exchange)
        if whole.left_over and Way.NOT_STOPPED not in ways:
            ways = [Way.NOT_STOPPED, *ways]  # an endless exchange may have no point to stop it at
        for way in ways:
            points[way] = 0
            for point in count(1):
                trial = await self._try(way, point) if way is not Way.NOT_STOPPED else whole
                if not self._was_stopped(trial):
                    break
                points[way] = point
                findings += findings_of(trial, self._whole, self._max_lead)
                if way is Way.NOT_STOPPED:
                    break
        if not any(points.values()):
            raise ValueError(
                f"the exchange has no point at which to stop it ({', '.join(ways)}), and nothing "
                f"was tried: its client received {len(self._whole)} events"
            )
        return Report(points, tuple(findings), self._whole)

    async def _try(self, way: Way, point: int) -> Trial:
        exchange = self._make()
        trial = Trial(exchange, way, point, await _stored(exchange))
        await Run(trial, self._backend, self._timeout).run()
        trial.after = await _stored(exchange)
        return trial

    def _was_stopped(self, trial: Trial) -> bool:
        """Return whether the point was reached; refuse an exchange that differs from the first."""
        whole = self._whole
        if trial.way is Way.PRODUCER_EXCEPTION:
            failed = trial.error is not None or client_state(trial).error is not None
            return failed or len(trial.received) < len(whole)
        seen = trial.received[: trial.received_at_stop]
        for number, (before, now) in enumerate(zip(whole, seen, strict=False), 1):
            if event_name(before) != event_name(now):
                raise ValueError(
                    "an exchange must be the same every time, ids included: event "
                    f"{number} was {event_name(before)}, and is {event_name(now)} now"
                )
        return trial.was_stopped

    def _possible(self, exchange: Exchange) -> list[Way]:
        return [way for way in Way if self._obstacle(way, exchange) is None]

    def _check(self, ways: Iterable[Way], exchange: Exchange) -> None:
        for way in ways:
            obstacle = self._obstacle(way, exchange)
            if obstacle is not None:
                raise ValueError(f"the way {way.value!r} needs {obstacle}")

    def _obstacle(self, way: Way, exchange: Exchange) -> str | None:
        """Name the thing that a way needs and that is missing."""
        if way in ASYNCIO_ONLY and self._backend != "asyncio":
            return "asyncio"
        if way is Way.STOP and exchange.stop is None:
            return "an exchange with `stop`"
        if way is Way.PRODUCER_EXCEPTION and exchange.fail_at is None:
            return "an exchange with `fail_at`"
        return None


async def _stored(exchange: Exchange) -> list[Json]:
    stored = exchange.stored()
    items = await stored if inspect.isawaitable(stored) else stored
    return [dict(item) for item in items]
