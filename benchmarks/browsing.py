"""The page in a browser: the cost of a step and of a frame of a drag, for three large logs.

It is the mean time that the main thread of a Chromium without a window computes: script, style and
layout, and for a frame also what paints it. Other programs do not add to it. The note has the
median on the clock; a frame waits for its turn, and so takes 16.7 ms on it at best.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.logs import long_log
from benchmarks.viewing import short_messages, workflow_stream
from chatkit_reducer.events import Event, Unreadable
from chatkit_reducer.logs import read
from chatkit_reducer.view import view
from tests.support.chromium import Browser, Tab, running_chromium

if TYPE_CHECKING:
    from benchmarks.cases import Row

__all__ = ["browser_rows"]

_STEPS = """
(() => {
  const times = [], { page, show } = chatkitView;
  let step = Math.floor(page.thread.last / 2);
  for (let i = 0; i < 200; i++) {
    const start = performance.now();
    show(++step);
    document.body.getBoundingClientRect();
    times.push(performance.now() - start);
  }
  return times;
})()
"""
_FRAMES = """
(async () => {
  const times = [], { page, drag } = chatkitView, by = Math.ceil(page.thread.last / 60);
  const drawn = () => new Promise((done) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = done;
    requestAnimationFrame(() => channel.port2.postMessage(0));
  });
  let step = 0;
  for (let i = 0; i < 100; i++) {
    step = (step + by) % page.thread.last;
    const start = performance.now();
    drag(step);
    await drawn();
    times.push(performance.now() - start);
  }
  return times;
})()
"""


def browser_rows(_: int) -> Iterator[Row]:
    """Yield the time of a step and of a frame of a drag; nothing if there is no Chromium."""
    from benchmarks.cases import Row  # which names this function in its table

    logs: dict[str, tuple[Iterable[Event | Unreadable], float]] = {
        "100,000 deltas": (read(io.BytesIO(long_log(100_000))), 5),
        "a workflow of 300 tasks": (workflow_stream(300), 8),
        "2,000 items": (short_messages(2_000), 8),
    }
    try:
        with running_chromium() as browser:
            for name, (events, goal) in logs.items():
                step, frame, size = _measured(browser, events)
                note = f"{step.on_clock:.1f} ms on the clock, page {size / 1e6:.2f} MB"
                yield Row(f"step, {name}", step.computed, 2 * goal, goal, "ms", note)
                note = f"{frame.on_clock:.1f} ms on the clock"
                yield Row(f"drag frame, {name}", frame.computed, 33.4, 16.7, "ms", note)
    except FileNotFoundError as missing:
        print(missing)


class _Cost(NamedTuple):
    """Milliseconds of one step, or of one frame."""

    computed: float
    on_clock: float


def _measured(browser: Browser, events: Iterable[Event | Unreadable]) -> tuple[_Cost, _Cost, int]:
    """Return the cost of a step, that of a frame, and the size of the page in bytes."""
    with tempfile.TemporaryDirectory() as folder, browser.tab() as tab:
        file = Path(folder) / "page.html"
        view(events).save(file)
        tab.open(file.as_uri())
        tab.call("Performance.enable", timeDomain="threadTicks")
        return _cost(tab, _STEPS), _cost(tab, _FRAMES), file.stat().st_size


def _cost(tab: Tab, script: str) -> _Cost:
    """Run a script that returns a list of times."""
    before = _computed(tab)
    times = sorted(tab.evaluate(script))
    return _Cost((_computed(tab) - before) / len(times), times[len(times) // 2])


def _computed(tab: Tab) -> float:
    metrics = tab.call("Performance.getMetrics")["metrics"]
    values: dict[str, float] = {each["name"]: each["value"] for each in metrics}
    return values["TaskDuration"] * 1e3
