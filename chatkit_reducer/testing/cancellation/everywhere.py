"""The front door: it stops an exchange at each of its points in turn."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from itertools import count

import anyio

from chatkit_reducer.events import Event, Json
from chatkit_reducer.testing.cancellation.event_loops import Backend, check_backend, check_patience
from chatkit_reducer.testing.cancellation.exchange import Exchange
from chatkit_reducer.testing.cancellation.judging import findings_of, folded
from chatkit_reducer.testing.cancellation.report import Finding, Report, event_in_short
from chatkit_reducer.testing.cancellation.running import Run, Trial
from chatkit_reducer.testing.cancellation.ways import ASYNCIO_ONLY, Way, ways_of

__all__ = ["cancel_everywhere"]


def cancel_everywhere(
    make: Callable[[], Exchange],
    *,
    ways: Iterable[Way | str] | str | None = None,
    backend: Backend = "asyncio",
    ahead: int = 1,
    patience: float = 5.0,
) -> Report:
    """Stops an exchange at each of its points in turn, and reports what was not as it should be.

    It runs an event loop of its own, and so is called from where none runs.

    Args:
        make: makes the exchange anew, with a store of its own; called inside of the event loop.
        ways: how to stop it, one way or several; in all ways that the exchange and the event loop
            know if left out.
        backend: the event loop.
        ahead: how many events the producer may be ahead of the client: 1 where each waits for the
            other, more where there is a queue between them.
        patience: how long an exchange may take, and as long again what it leaves behind, in
            seconds, before that is a finding.

    Raises:
        ValueError: there is no such way or event loop; or a way needs another event loop, or
            something that the exchange does not have; or the exchange is not the same every time;
            or nothing could be tried.
    """
    check_backend(backend)
    check_patience(patience)
    chosen = None if ways is None else ways_of(ways)
    harness = _Harness(make, backend, ahead, patience)
    return anyio.run(harness.run, chosen, backend=backend)


class _Harness:
    def __init__(
        self, make: Callable[[], Exchange], backend: Backend, ahead: int, patience: float
    ) -> None:
        self._make = make
        self._backend: Backend = backend
        self._ahead = ahead
        self._patience = patience
        self._whole: tuple[Event, ...] = ()
        """All that the client receives if nobody stops it."""

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
            ways = [Way.NOT_STOPPED, *ways]  # what comes to no end may have no point to stop it at
        for way in ways:
            points[way] = 0
            for point in count(1):
                trial = await self._try(way, point) if way is not Way.NOT_STOPPED else whole
                if not self._was_stopped(trial):
                    break
                points[way] = point
                findings += findings_of(trial, self._whole, self._ahead)
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
        await Run(trial, self._backend, self._patience).run()
        trial.after = await _stored(exchange)
        return trial

    def _was_stopped(self, trial: Trial) -> bool:
        """Whether there was such a point. Checks on the way that this was the same exchange."""
        whole = self._whole
        if trial.way is Way.PRODUCER_EXCEPTION:
            failed = trial.error is not None or folded(trial).error is not None
            return failed or len(trial.received) < len(whole)
        seen = trial.received[: trial.received_at_stop]
        for number, (before, now) in enumerate(zip(whole, seen, strict=False), 1):
            if event_in_short(before) != event_in_short(now):
                raise ValueError(
                    "an exchange must be the same every time, ids included: event "
                    f"{number} was {event_in_short(before)}, and is {event_in_short(now)} now"
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
        """What a way needs that is not there."""
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
