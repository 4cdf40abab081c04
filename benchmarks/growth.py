"""How the time grows with the input: `n` events against 10 `n`, for every public function.

Ten times the input should take ten times as long, or a little more where a tree grows by a level. A
function that looks at everything again for every event takes a hundred times as long.
"""

from __future__ import annotations

import gc
import io
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from benchmarks.growing import KINDS, Stream
from benchmarks.growing_logs import BARREN, FORMS
from chatkit_reducer import (
    Cause,
    ThreadState,
    compact,
    diff,
    encode,
    fold,
    policies,
    reduce,
    replay,
    restore,
    settle,
    snapshot,
)
from chatkit_reducer.analysis import sweep
from chatkit_reducer.analysis.log_checker import LogChecker
from chatkit_reducer.logs import Record, replay_threads

if TYPE_CHECKING:
    from benchmarks.cases import Row

__all__ = ["growth_rows"]

_N = 300
_TENFOLD = 40.0
"""The limit for ten times the input. Caches and the garbage collector cost some of it, and a shared
machine more; a quadratic function is at a hundred."""

_Call: TypeAlias = "Callable[[], object]"
_Input = TypeVar("_Input")


def _one_by_one(stream: Stream) -> _Call:
    stored, events = stream
    state = ThreadState.from_items(stored)

    def run() -> ThreadState:
        after = state
        for event in events:
            after = reduce(after, event)
        return after

    return run


def _folded(stream: Stream) -> _Call:
    stored, events = stream
    state = ThreadState.from_items(stored)
    return lambda: fold(events, state)


def _replayed(stream: Stream) -> _Call:
    state, log = ThreadState.from_items(stream[0]), _log(stream)
    return lambda: replay(io.BytesIO(log), state)


def _replayed_by_thread(stream: Stream) -> _Call:
    log = _log(stream)
    return lambda: replay_threads(io.BytesIO(log))


def _log(stream: Stream) -> bytes:
    return b"".join([encode(event) + b"\n" for event in stream[1]])


def _compacted(stream: Stream) -> _Call:
    stored, events = stream
    state = ThreadState.from_items(stored)
    return lambda: compact(events, state)


def _swept(stream: Stream) -> _Call:
    stored, events = stream
    state = ThreadState.from_items(stored)
    presets = [policies.SDK, policies.KEEP]
    return lambda: deque(sweep(events, presets, Cause.CANCELLED, state), maxlen=0)


def _compared(stream: Stream) -> _Call:
    """Return the events between the beginning and the end, and their fold."""
    stored, events = stream
    before = fold(events[:1], ThreadState.from_items(stored))
    after = fold(events, before)
    return lambda: fold(diff(before, after), before)


def _kept(stream: Stream) -> _Call:
    stored, events = stream
    state = fold(events, ThreadState.from_items(stored))
    return lambda: restore(snapshot(state))


def _settled(stream: Stream) -> _Call:
    stored, events = stream
    before = ThreadState.from_items(stored)
    state = fold(events, before)

    def run() -> object:
        settlement = settle(state, policy=policies.KEEP, cause=Cause.CANCELLED, delivered=before)
        return settlement.writes, settlement.events

    return run


def _checked(stream: Stream) -> _Call:
    stored, events = stream
    state = ThreadState.from_items(stored)
    records = [("t", Record(event)) for event in events]

    def run() -> object:
        checking = LogChecker(state, "t")
        checking.take(records)
        return checking.findings()

    return run


_FUNCTIONS: dict[str, Callable[[Stream], _Call]] = {
    "reduce": _one_by_one,
    "fold": _folded,
    "replay": _replayed,
    "replay_threads": _replayed_by_thread,
    "compact": _compacted,
    "sweep": _swept,
    "diff": _compared,
    "snapshot and restore": _kept,
    "settle": _settled,
    "check": _checked,
}


def growth_rows(rounds: int) -> Iterator[Row]:
    """Yield for each kind of stream the function whose time grows most; then each form of log."""
    from benchmarks.cases import Row  # which names this function in its table

    for kind, make in KINDS.items():
        small, large = make(_N), make(10 * _N)
        worst = max([_growth(name, small, large, rounds) for name in _FUNCTIONS])
        ratio, name, before, after = worst
        note = f"{name}, {before * 1e3:.1f} -> {after * 1e3:.1f} ms"
        yield Row(kind, ratio, _TENFOLD, note=note)
    for form, of in {**FORMS, **BARREN}.items():
        before = _seconds(_replayed_log, of(_N), rounds)
        after = _seconds(_replayed_log, of(10 * _N), max(1, rounds // 5))
        note = f"replay, {before * 1e3:.1f} -> {after * 1e3:.1f} ms"
        yield Row(f"a log: {form}", after / before, _TENFOLD, note=note)


def _replayed_log(log: bytes) -> _Call:
    return lambda: replay(io.BytesIO(log))


def _growth(
    name: str, small: Stream, large: Stream, rounds: int
) -> tuple[float, str, float, float]:
    """Return the ratio of the times for both streams, the name of the function, and the times."""
    of = _FUNCTIONS[name]
    before, after = _seconds(of, small, rounds), _seconds(of, large, max(1, rounds // 5))
    return after / before, name, before, after


def _seconds(of: Callable[[_Input], _Call], stream: _Input, rounds: int) -> float:
    """Return the time of the quickest of several calls: other programs can only add to it.

    Each call has a state of its own, because a state caches its answers.
    """
    times = []
    for _ in range(rounds):
        call = of(stream)
        gc.collect()
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)
