"""The measured cases: each function takes the logs and gives rows of the table."""

from __future__ import annotations

import asyncio
import io
import json
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import attrs
import msgspec

from benchmarks.browsing import browser_rows
from benchmarks.delivering import delivery_rows
from benchmarks.growth import growth_rows
from benchmarks.logs import long_log, mixed_log, rewritten
from benchmarks.measuring import measure
from benchmarks.sweeping import sweep_rows
from benchmarks.viewing import view_rows
from chatkit_reducer import ThreadState, decode, fold, policies, reduce, replay, settle
from chatkit_reducer.core.policy import table as policy
from chatkit_reducer.events import Event, KnownEvent
from chatkit_reducer.testing import examples

__all__ = ["CASES", "Row"]

_AT_ONCE = 65536


@attrs.frozen
class Row:
    """One line of the table: a ratio, its limit, and the target."""

    name: str
    value: float
    gate: float | None = None
    goal: float | None = None
    unit: str = ""
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the gate is kept; a row without one cannot fail."""
        return self.gate is None or self.value <= self.gate


def limit(log: bytes) -> int:
    """Decode the lines and do nothing else, 64 KB at a time, with nothing kept: the limit.

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
    """Return the replay of a log in memory."""
    return lambda: replay(io.BytesIO(log))


def one_by_one(events: Iterable[Event], state: ThreadState) -> ThreadState:
    """Reduce event by event, as it is written without `fold`."""
    for event in events:
        state = reduce(state, event)
    return state


def replay_rows(rounds: int) -> Iterator[Row]:
    """Measure bytes to state, against decoding alone."""
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
    gates = {"long 10k": (1.30, 1.10), "long 100k": (1.20, 1.10), "mixed": (2.20, 1.75)}
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
    """Return a case that takes short logs several times: a clock tick must not decide."""

    def repeated() -> None:
        for _ in range(_repeats(log)):
            case()

    return repeated


def reduce_rows(rounds: int) -> Iterator[Row]:
    """Measure one pure `reduce` of a text delta, against decoding an event, and against history."""
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
    times = measure({"few": _leaves_updated(100), "many": _leaves_updated(10_000)}, rounds)
    yield Row("reduce of a leaf, 10,000 in the widget / 100", times.ratio("many", "few"), 3.0, 1.5)


def _leaves_updated(leaves: int) -> Callable[[], object]:
    """Return a fold, event by event, of 100 updates of leaves in a widget of so many."""
    components = [{"type": "Text", "id": f"t{i}", "value": ""} for i in range(leaves)]
    begun = examples.added(examples.widget("g", {"type": "Col", "children": components}))
    # The first update makes the index of the components.
    first, *updates = [
        examples.component_updated("g", f"t{i}", {**components[i], "value": "x"})
        for i in range(0, leaves, leaves // 100)
    ]
    state = reduce(fold([begun]), first)
    return lambda: one_by_one(updates, state)


def settled_often(stored: int) -> Callable[[], object]:
    """Return settlements of one pending item in a thread with so many stored ones.

    Each has a state of its own, without caches, one event behind the delivered one, as in a server.
    """
    begun = [decode(line) for line in long_log(4).splitlines()[:3]]
    message: Any = begun[0]
    thread = ThreadState.from_items([{**message.item, "id": f"old_{i}"} for i in range(stored)])
    delivered = one_by_one(begun, thread)

    def repeated() -> None:
        for _ in range(200):
            state = reduce(delivered, begun[-1])
            marker: Any = {"marker_id": "hidden", "marker_time": "2026-01-01T12:00:00"}
            settlement = settle(
                state, policy=policies.KEEP, cause="cancelled", delivered=delivered, **marker
            )
            assert len(settlement.writes) == 2

    return repeated


def settle_rows(rounds: int) -> Iterator[Row]:
    """Measure a settlement in a long thread."""
    times = measure({"few": settled_often(1_000), "many": settled_often(10_000)}, rounds)
    ratio = times.ratio("many", "few")
    yield Row("settle of one pending item, 10,000 stored / 1,000", ratio, 1.3, 1.0)


def policy_rows(rounds: int) -> Iterator[Row]:
    """Measure a long policy table: ten times as many rows, about types and about ids."""
    for name in ("item", "id"):
        times = measure(
            {
                "few": partial(_policy_of, 300, name),
                "many": partial(_policy_of, 3_000, name),
                "settle few": _settled_by(_policy_of(100, name)),
                "settle many": _settled_by(_policy_of(1_000, name)),
            },
            rounds,
        )
        ratio = times.ratio("many", "few")
        yield Row(f"a policy of 3,000 rows / of 300, by {name}", ratio, 15.0, 11.0)
        ratio = times.ratio("settle many", "settle few")
        yield Row(f"settle, a policy of 1,000 rows / of 100, by {name}", ratio, 1.3, 1.0)


def _policy_of(count: int, name: str) -> policy.Policy:
    rows = [
        policy.Row(**{name: f"a_{i:05}"}, decision="persist", reason="It stays.")
        for i in range(count)
    ]
    last = policy.Row(decision="discard", reason="The rest goes.")
    return policy.Policy(name="long", rows=[*rows, last])


def _settled_by(table: policy.Policy) -> Callable[[], object]:
    """Return settlements of one pending item, which none but the last row is about."""
    state = fold([examples.added(examples.message("m", "x"))])

    def repeated() -> None:
        for _ in range(200):
            settlement = settle(state, policy=table, cause="cancelled", delivered=ThreadState())
            assert settlement.writes == ()

    return repeated


def sdk_rows(rounds: int) -> Iterator[Row]:
    """Decode and fold with openai-chatkit itself, which folds no widgets."""
    from benchmarks.sdk import decode_and_fold

    for name, log, gate, goal in (
        ("long 100k", long_log(100_000), 1 / 40, 1 / 100),
        ("mixed", mixed_log(), 1 / 15, 1 / 40),
    ):
        times = measure(
            {"sdk": partial(decode_and_fold, log), "replay": replayed(log)}, max(1, rounds // 5)
        )
        yield Row(f"replay / openai-chatkit, {name}", times.ratio("replay", "sdk"), gate, goal)


def memory_rows(rounds: int) -> Iterator[Row]:
    """Measure the memory of kept states and of longer logs."""
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
    """Return answers that end and are removed: for any number, the last state is the same."""
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
    """Measure the time that supervision adds to one event of a server of the SDK."""
    from benchmarks.serving import bare, supervised

    with asyncio.Runner() as runner:
        times = measure({"bare": bare(runner), "supervised": supervised(runner)}, rounds)
    ratio = times.ratio("supervised", "bare")
    yield Row("an event of ReducerChatKitServer / of ChatKitServer", ratio, 1.15, 1.05)


def journal_rows(rounds: int) -> Iterator[Row]:
    """Measure what a journal costs: an event, a strict append, and a catching up."""
    from benchmarks.journaling import append_times, catching_up, server_ratios

    limits = {"FileJournal": (1.8, 1.15), "PostgresJournal": (2.2, 1.3), "RedisJournal": (1.9, 1.3)}
    for name, ratio in server_ratios(rounds).items():
        gate, goal = limits.get(name, (None, None))
        yield Row(f"an event with {name} / of ChatKitServer", ratio, gate, goal)
    for name, microseconds in append_times().items():
        yield Row(f"a strict append to {name}, 50 streams", microseconds, 60, 60, "us")
    yield Row("an event that follow catches up with, files", catching_up(), 4, 2, "us")


CASES: dict[str, Callable[[int], Iterator[Row]]] = {
    "replay": replay_rows,
    "reduce": reduce_rows,
    "settle": settle_rows,
    "policy": policy_rows,
    "memory": memory_rows,
    "sweep": sweep_rows,
    "view": view_rows,
    "view-browser": browser_rows,
    "sdk": sdk_rows,
    "server": server_rows,
    "journal": journal_rows,
    "growth": growth_rows,
    "delivery": delivery_rows,
}
"""Every group of rows by name."""
