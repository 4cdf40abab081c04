"""The data of a page: how long they take, how large they are, and how both grow."""

from __future__ import annotations

import gc
import io
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.logs import long_log
from chatkit_reducer.events import Event
from chatkit_reducer.logs import read, read_records
from chatkit_reducer.testing.examples import (
    added,
    done,
    message,
    task_added,
    task_updated,
    text_delta,
    workflow,
)
from chatkit_reducer.view import view
from chatkit_reducer.view.recorded_thread import RecordedThread
from chatkit_reducer.view.recording import Recording, json_text

if TYPE_CHECKING:
    from benchmarks.cases import Row

__all__ = ["view_rows"]

_DELTAS = 100_000
_RECORDING = Path(__file__).parents[1] / "docs" / "recordings" / "streamed-widget.sse"
_ROUNDS = 3


def _task(number: int, **fields: Any) -> dict[str, Any]:
    return {"type": "custom", "title": f"Step {number}", "icon": None, **fields}


def workflow_stream(tasks: int) -> list[Event]:
    """Return a workflow whose tasks are added one by one, each updated once."""
    events: list[Event] = [added(workflow("w"))]
    for number in range(tasks):
        finished = _task(number, status_indicator="complete", content=f"The result of {number}")
        events.append(task_added("w", _task(number, status_indicator="loading"), number))
        events.append(task_updated("w", finished, number))
    return events


def short_messages(count: int) -> list[Event]:
    """Return so many messages of one delta."""
    events: list[Event] = []
    for number in range(count):
        item_id, text = f"m{number}", f"Message number {number}"
        events += [added(message(item_id, "")), text_delta(item_id, text)]
        events.append(done(message(item_id, text)))
    return events


def _text_of(events: Iterable[Event]) -> str:
    recording = Recording()
    for event in events:
        recording.take(event)
    return json_text(recording.data("log"))


def _text_of_log(log: bytes) -> str:
    recording = Recording()
    for record in read_records(io.BytesIO(log)):
        recording.take_record(record)
    return json_text(recording.data("log"))


def _seconds(call: Callable[[], object]) -> float:
    """Return the time of the quickest of several calls: other programs can only add to it."""
    times = []
    for _ in range(_ROUNDS):
        gc.collect()
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def _microseconds_of_a_delta() -> float:
    events = [event for event in read(io.BytesIO(long_log(_DELTAS))) if isinstance(event, Event)]

    def run() -> None:
        thread = RecordedThread(None, ())
        for position, event in enumerate(events, 1):
            thread.take(event, position)

    return _seconds(run) / len(events) * 1e6


def view_rows(_: int) -> Iterator[Row]:
    """Yield the time and the size of the data of each kind of log, and their growth."""
    from benchmarks.cases import Row  # which names this function in its table

    yield Row("take, a delta", _microseconds_of_a_delta(), 4, 2, "us")
    page = str(view(_RECORDING)).encode()
    yield Row("size of the page of a recording", len(page) / 1e3, 110, 100, "kB")
    recorded = _RECORDING.read_bytes()
    cases: dict[str, tuple[Callable[[], str], tuple[float, float] | None, float]] = {
        "a recording": (lambda: _text_of_log(recorded), None, 20),
        "100,000 deltas": (lambda: _text_of_log(long_log(_DELTAS)), (2, 1), 900),
        "a workflow of 300 tasks": (lambda: _text_of(workflow_stream(300)), (1, 0.5), 1000),
        "2,000 items": (lambda: _text_of(short_messages(2_000)), (3, 1), 2000),
    }
    for name, (make, limits, size) in cases.items():
        if limits is not None:
            yield Row(f"data of {name}", _seconds(make), *limits, "s")
        yield Row(f"size of {name}", len(make().encode()) / 1e3, size, None, "kB")
    yield from _growth_rows()


def _growth_rows() -> Iterator[Row]:
    """Yield the ratio for ten times the input: of the time, and of the size."""
    from benchmarks.cases import Row

    makes: dict[str, Callable[[int], str]] = {
        "deltas": lambda n: _text_of_log(long_log(n * 10)),
        "items": lambda n: _text_of(short_messages(n)),
    }
    for name, make in makes.items():
        before, after = _seconds(partial(make, 300)), _seconds(partial(make, 3_000))
        yield Row(f"ten times the {name}", after / before, 40)
        yield Row(f"size of ten times the {name}", len(make(3_000)) / len(make(300)), 12)
