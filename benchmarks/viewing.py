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
from chatkit_reducer.events import Event, Json
from chatkit_reducer.logs import read, read_records
from chatkit_reducer.testing.examples import (
    added,
    annotation_added,
    citation,
    component_updated,
    done,
    message,
    part,
    part_added,
    root_updated,
    task_added,
    task_updated,
    text_delta,
    value_delta,
    widget,
    workflow,
)
from chatkit_reducer.view import view
from chatkit_reducer.view.recorded_thread import RecordedThread
from chatkit_reducer.view.recording import Recording, json_text

if TYPE_CHECKING:
    from benchmarks.cases import Row
    from benchmarks.growing import Stream

__all__ = ["LISTS", "short_messages", "view_rows", "workflow_stream"]

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


# --- lists, one item each -------------------------------------------------------------------------


def _parts(count: int) -> Iterator[Event]:
    """Yield the parts of a message, each added, and then with deltas."""
    yield added(message("m"))
    for number in range(count):
        yield part_added("m", part(""), number)
        for piece in ("Some ", "more ", "words"):
            yield text_delta("m", piece, number)


def _cited_parts(count: int) -> Iterator[Event]:
    """Yield the parts of a message, each with a citation."""
    yield added(message("m"))
    for number in range(count):
        yield part_added("m", part(""), number)
        yield text_delta("m", "A fact", number)
        yield annotation_added("m", citation(str(number), at=6), 0, number)


def _citations(count: int) -> Iterator[Event]:
    """Yield the citations of a text, each behind the words that it is for."""
    yield added(message("m", ""))
    for number in range(count):
        yield text_delta("m", "A fact")
        yield annotation_added("m", citation(str(number), at=6 * number), number)


def _row(number: int, value: str = "") -> Json:
    text = {"type": "Text", "id": f"t{number}", "value": value, "streaming": True}
    return {"type": "ListViewItem", "id": f"r{number}", "children": [text]}


def _list_of(rows: list[Json]) -> Json:
    return {"type": "Card", "id": "c", "children": [{"type": "ListView", "children": rows}]}


def _replaced_rows(count: int) -> Iterator[Event]:
    """Yield the rows of a widget, each replaced."""
    yield added(widget("w", _list_of([_row(number) for number in range(count)])))
    for number in range(count):
        yield component_updated("w", f"r{number}", _row(number, "x"))


def _texts_in_turn(count: int) -> Iterator[Event]:
    """Yield the texts of the rows of a widget, filled in turn, and ended in turn."""
    yield added(widget("w", _list_of([_row(number) for number in range(count)])))
    for is_end in (False, True):
        for number in range(count):
            yield value_delta("w", f"t{number}", "x", done=is_end)


def _replaced_roots(count: int) -> Iterator[Event]:
    """Yield the root of a widget again and again, each time with another row filled."""
    yield added(widget("w", _list_of([_row(number) for number in range(count)])))
    for filled in range(20):
        rows = [_row(number, "x" * (number <= filled)) for number in range(count)]
        yield root_updated("w", _list_of(rows))


LISTS: dict[str, Callable[[int], Stream]] = {
    "parts of a message, with deltas": lambda n: ([], [*_parts(n)]),
    "parts of a message, each cited": lambda n: ([], [*_cited_parts(n)]),
    "citations of a text": lambda n: ([], [*_citations(n)]),
    "rows of a widget, replaced": lambda n: ([], [*_replaced_rows(n)]),
    "texts of a widget, in turn": lambda n: ([], [*_texts_in_turn(n)]),
    "rows of a root that is replaced": lambda n: ([], [*_replaced_roots(n)]),
    "tasks of a workflow": lambda n: ([], workflow_stream(n)),
}
"""Streams of one item with a long list, by what there are so many of."""


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
    yield from _list_rows()


def _list_rows() -> Iterator[Row]:
    """Yield for each list of an item the time, and the ratio of time and size for twice as much."""
    from benchmarks.cases import Row

    for name, make in LISTS.items():
        few, many = make(1_000)[1], make(2_000)[1]
        before, after = _seconds(partial(_text_of, few)), _seconds(partial(_text_of, many))
        size = len(_text_of(many)) / len(_text_of(few))
        yield Row(f"1,000 {name}", before * 1e3, None, None, "ms")
        yield Row(f"twice the {name}", after / before, 3.5, 2.5, note=f"size {size:.2f}")


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
