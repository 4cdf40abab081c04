"""What is measured: each function takes the logs and gives rows of the table."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import attrs
import msgspec

from benchmarks.logs import long_log, mixed_log, rewritten
from benchmarks.measuring import measure
from benchmarks.sweeping import sweep_rows
from chatkit_reducer import ThreadState, decode, reduce, replay
from chatkit_reducer.events import Event, KnownEvent

__all__ = ["CASES", "Row"]

_AT_ONCE = 65536


@attrs.frozen
class Row:
    """One line of the table: a ratio, what it must not pass, and what it should reach."""

    name: str
    value: float
    gate: float | None = None
    goal: float | None = None
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether the gate is kept; a row without one cannot fail."""
        return self.gate is None or self.value <= self.gate


def limit(log: bytes) -> int:
    """The limit: typed decoding of the lines and nothing else, 64 KB at a time, nothing kept.

    msgspec's `decode_lines` on events that the garbage collector does not see. It takes the bytes
    from a file in memory, and cuts them at a newline, as any reader of logs must.
    """
    decoder = msgspec.json.Decoder(KnownEvent)
    file, rest, count = io.BytesIO(log), b"", 0
    while piece := file.read(_AT_ONCE):
        whole = rest + piece
        end = whole.rfind(b"\n") + 1
        count += len(decoder.decode_lines(whole[:end]))
        rest = whole[end:]
    return count


def replayed(log: bytes) -> Callable[[], ThreadState]:
    """Replay of a log in memory."""
    return lambda: replay(io.BytesIO(log))


def one_by_one(events: Iterable[Event], state: ThreadState) -> ThreadState:
    """What people write who do not use `fold`."""
    for event in events:
        state = reduce(state, event)
    return state


def replay_rows(rounds: int) -> Iterator[Row]:
    """Bytes to state, against decoding alone."""
    logs = {"long 1k": long_log(1_000), "long 10k": long_log(10_000)}
    logs |= {"long 100k": long_log(100_000), "mixed": mixed_log()}
    cases: dict[str, Callable[[], object]] = {}
    for name, log in logs.items():
        cases[f"limit {name}"] = _repeated(partial(limit, log), log)
        cases[f"replay {name}"] = _repeated(replayed(log), log)
        frames = rewritten(log, b"data: ", b"\n\n")
        cases[f"sse {name}"] = _repeated(replayed(frames), log)
        enveloped = rewritten(log, b'{"seq":1,"thread":"t","event":', b"}\n")
        cases[f"envelope {name}"] = _repeated(replayed(enveloped), log)
    times = measure(cases, rounds)
    gates = {"long 10k": (1.30, 1.10), "long 100k": (1.30, 1.10), "mixed": (1.40, 1.25)}
    for name in logs:
        gate, goal = gates.get(name, (None, None))
        ratio = times.ratio(f"replay {name}", f"limit {name}")
        yield Row(f"replay / limit, {name}", ratio, gate, goal)
    events = {name: log.count(b"\n") for name, log in logs.items()}
    small, large = (
        times.seconds(f"replay {name}") * _repeats(logs[name]) ** -1 / events[name]
        for name in ("long 10k", "long 100k")
    )
    yield Row("replay, time per event, 100k / 10k", large / small, 1.15, 1.05)
    for name in ("long 100k", "mixed"):
        yield Row(f"replay / limit, {name}, as SSE", times.ratio(f"sse {name}", f"limit {name}"))
        ratio = times.ratio(f"envelope {name}", f"limit {name}")
        yield Row(f"replay / limit, {name}, in envelopes", ratio)
    for name in ("long 100k", "mixed"):
        nanoseconds = times.seconds(f"limit {name}") / events[name] / _repeats(logs[name]) * 1e9
        yield Row(f"(the limit itself, {name})", nanoseconds, unit="ns/event")


def _repeats(log: bytes) -> int:
    return max(1, 2_000_000 // len(log))


def _repeated(case: Callable[[], object], log: bytes) -> Callable[[], object]:
    """Short logs several times over: a clock tick must not decide."""

    def repeated() -> None:
        for _ in range(_repeats(log)):
            case()

    return repeated


def reduce_rows(rounds: int) -> Iterator[Row]:
    """One pure `reduce` of a text delta, against the decoding of one event, and against history."""
    log = long_log(20_000)
    events = [decode(line) for line in log.splitlines()]
    message: Any = decode(log.split(b"\n", 1)[0])
    stored = [{**message.item, "id": f"old_{i}"} for i in range(10_000)]
    few, many = ThreadState.from_items(stored[:1]), ThreadState.from_items(stored)
    times = measure(
        {
            "limit": lambda: limit(log),
            "reduce": lambda: one_by_one(events, ThreadState()),
            "few": lambda: one_by_one(events, few),
            "many": lambda: one_by_one(events, many),
        },
        rounds,
    )
    yield Row("reduce of a text delta / limit per event", times.ratio("reduce", "limit"), 3.0, 1.25)
    yield Row("reduce, 10,000 stored items / one", times.ratio("many", "few"), 1.2, 1.0)


def sdk_rows(rounds: int) -> Iterator[Row]:
    """Decode and fold with openai-chatkit itself, which folds no widgets."""
    from benchmarks.sdk import decode_and_fold

    for name, log, gate, goal in (
        ("long 100k", long_log(100_000), 1 / 100, 1 / 200),
        ("mixed", mixed_log(), 1 / 40, 1 / 60),
    ):
        times = measure(
            {"sdk": partial(decode_and_fold, log), "replay": replayed(log)}, max(1, rounds // 5)
        )
        yield Row(f"replay / openai-chatkit, {name}", times.ratio("replay", "sdk"), gate, goal)


def memory_rows(rounds: int) -> Iterator[Row]:
    """What a kept state costs, and what a longer log costs."""
    events = [decode(line) for line in long_log(10_000).splitlines()]
    kept = [ThreadState()]
    tracemalloc.start()
    for event in events:
        kept.append(reduce(kept[-1], event))
    size = tracemalloc.get_traced_memory()[0] / len(events)
    tracemalloc.stop()
    yield Row("memory per kept state", size, 400, 200, "bytes")
    short, long = (_peak(_same_size(copies)) for copies in (2, 20))
    yield Row("peak memory, a log 10 times as long", long / short, 1.1, 1.0)


def _same_size(copies: int) -> bytes:
    """Answers that end and are removed again: however many, the state at the end is the same."""
    answer = long_log(20_000)
    removed = {"type": "thread.item.removed", "item_id": "msg_0123456789abcdef"}
    return (answer + json.dumps(removed).encode() + b"\n") * copies


def _peak(log: bytes) -> int:
    file = io.BytesIO(log)
    tracemalloc.start()
    replay(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def server_rows(rounds: int) -> Iterator[Row]:
    """What supervision adds to one event of a server of the SDK."""
    from benchmarks.serving import bare, supervised

    times = measure({"bare": bare(), "supervised": supervised()}, rounds)
    ratio = times.ratio("supervised", "bare")
    yield Row("an event of ReducerChatKitServer / of ChatKitServer", ratio, 1.15, 1.05)


CASES: dict[str, Callable[[int], Iterator[Row]]] = {
    "replay": replay_rows,
    "reduce": reduce_rows,
    "memory": memory_rows,
    "sweep": sweep_rows,
    "sdk": sdk_rows,
    "server": server_rows,
}
"""Every group of rows by name."""
