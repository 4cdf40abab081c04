"""Logs as servers and networks write them: threads side by side, numbers, faults, halves.

The threads of one log are written in turn, as a server does, and one after another; both ways are
the same events. The growth rows compare a log with one of ten times its size.
"""

from __future__ import annotations

import gzip
import io
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from benchmarks.logs import long_log, mixed_log
from benchmarks.measuring import measure
from chatkit_reducer import replay
from chatkit_reducer.logs import replay_threads

if TYPE_CHECKING:
    from benchmarks.cases import Row

__all__ = ["delivery_rows"]

_SIDE_BY_SIDE = 64
_TENFOLD = 20.0
_NOTICE = b'{"type":"notice","level":"info","message":"x"}\n'


def threads_in_turn(count: int) -> tuple[bytes, bytes]:
    """Return two logs of the same threads, numbered: in turn, and one after another."""
    lines = mixed_log(count).splitlines()
    size = len(lines) // count
    threads = [lines[at : at + size] for at in range(0, len(lines), size)]
    grouped = [(n, line) for n, thread in enumerate(threads) for line in thread]
    turns = [(n, line) for turn in zip(*threads, strict=True) for n, line in enumerate(turn)]
    return _numbered(turns), _numbered(grouped)


def _numbered(lines: list[tuple[int, bytes]]) -> bytes:
    return b"".join(
        [
            b'{"seq":%d,"thread":"thr_%04d","event":%b}\n' % (number, thread, line)
            for number, (thread, line) in enumerate(lines)
        ]
    )


def _with_ids(log: bytes) -> bytes:
    frames = enumerate(log.splitlines())
    return b"".join([b"id: %d\ndata: %b\n\n" % frame for frame in frames])


def _cut_in_two(count: int) -> bytes:
    """Return a message in which every character is cut in two."""
    begin, delta = long_log(1).splitlines(keepends=True)
    pair = [delta.replace(b" word", half) for half in (b"\\ud83d", b"\\ude00")]
    return begin + b"".join(pair) * (count // 2)


_GROWING: dict[str, Callable[[int], bytes]] = {
    "faults": lambda n: b"1\n" * (100 * n),
    "faults that look like events": lambda n: b'{"type":1}\n' * (10 * n),
    "blank lines": lambda n: _NOTICE + b"\n" * (1_000 * n) + _NOTICE,
    "blank lines, in a gzip": lambda n: gzip.compress(_NOTICE + b"\n" * (1_000 * n)),
    "delivered twice": lambda n: 2 * _with_ids(long_log(n)),
    "characters cut in two": _cut_in_two,
}


def delivery_rows(rounds: int) -> Iterator[Row]:
    """Measure numbers and threads, and the growth with the things a network does to a log."""
    from benchmarks.cases import Row

    turns, grouped = threads_in_turn(_SIDE_BY_SIDE)
    plain = long_log(20_000)
    lines = [(0, line) for line in plain.splitlines()]
    named = b"".join([b'{"thread":"thr_0000","event":%b}\n' % line for _, line in lines])
    times = measure(
        {
            "turns": _by_thread(turns),
            "grouped": _by_thread(grouped),
            "named": _replayed(named),
            "numbered": _replayed(_numbered(lines)),
            "frames": _replayed(b"".join([b"data: %b\n\n" % line for _, line in lines])),
            "with ids": _replayed(_with_ids(plain)),
        },
        rounds,
    )
    ratio = times.ratio("turns", "grouped")
    yield Row("replay_threads, interleaved / grouped", ratio, 1.3, 1.1)
    yield Row("replay, numbered / in envelopes", times.ratio("numbered", "named"), 1.5, 1.2)
    yield Row("replay, SSE with ids / without", times.ratio("with ids", "frames"))
    small, large = (_seconds(_by_thread(threads_in_turn(count)[0])) for count in (10, 100))
    yield Row("replay_threads, 10 times as many interleaved", large / small, _TENFOLD, 10.0)
    for name, log_of in _GROWING.items():
        small, large = (_seconds(_replayed(log_of(size))) for size in (500, 5_000))
        yield Row(f"{name}, 10 times as many", large / small, _TENFOLD, 10.0)


def _replayed(log: bytes) -> Callable[[], object]:
    return lambda: replay(io.BytesIO(log))


def _by_thread(log: bytes) -> Callable[[], object]:
    return lambda: replay_threads(io.BytesIO(log))


def _seconds(case: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()
        case()
        times.append(time.process_time() - start)
    return min(times)
