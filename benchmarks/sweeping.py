"""The cost of a stop at each event of a log, against one replay of it."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from benchmarks.logs import long_log, mixed_log
from benchmarks.measuring import measure
from chatkit_reducer import Cause, replay
from chatkit_reducer.analysis import StopPoint, sweep
from chatkit_reducer.logs import read
from chatkit_reducer.policies import PRESETS

if TYPE_CHECKING:
    from benchmarks.cases import Row

__all__ = ["sweep_rows"]

_GATE, _GOAL = 10, 3


def stops_of(log: bytes) -> Iterator[StopPoint]:
    """Return the stops of a log in memory, for all presets."""
    return sweep(read(io.BytesIO(log)), PRESETS.values(), Cause.CANCELLED)


def _swept(log: bytes) -> Callable[[], object]:
    return lambda: deque(stops_of(log), maxlen=0)


def _looked_at(log: bytes) -> Callable[[], object]:
    """Run a sweep, and read every figure of it, of every policy at every stop."""
    return lambda: deque(((stop.seen, stop.fates) for stop in stops_of(log)), maxlen=0)


def _replayed(log: bytes) -> Callable[[], object]:
    return lambda: replay(io.BytesIO(log))


def _repeated(case: Callable[[], object], log: bytes) -> Callable[[], object]:
    """Repeat the case as often as makes some 100,000 events."""

    def repeated() -> None:
        for _ in range(max(1, round(100_000 / log.count(b"\n")))):
            case()

    return repeated


def sweep_rows(rounds: int) -> Iterator[Row]:
    """Measure bytes to the stops at every event, for three policies, against bytes to one state."""
    from benchmarks.cases import Row  # which names this function in its table

    logs = {"long 10k": long_log(10_000), "long 100k": long_log(100_000), "mixed": mixed_log()}
    cases: dict[str, Callable[[], object]] = {}
    for name, log in logs.items():
        cases[f"replay {name}"] = _repeated(_replayed(log), log)
        cases[f"sweep {name}"] = _repeated(_swept(log), log)
        cases[f"look {name}"] = _repeated(_looked_at(log), log)
    times = measure(cases, max(1, rounds // 2))
    for name in logs:
        ratio = times.ratio(f"sweep {name}", f"replay {name}")
        yield Row(f"sweep / replay, {name}", ratio, _GATE, _GOAL)
    growth = times.ratio("sweep long 100k", "sweep long 10k")  # the same number of events in both
    yield Row("sweep, time per event, 100k / 10k", growth, 1.15, 1.05)
    for name in logs:
        ratio = times.ratio(f"look {name}", f"replay {name}")
        yield Row(f"sweep / replay, {name}, all figures read", ratio)
