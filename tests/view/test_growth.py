"""No list of an item costs more than what is new in it: the calls of functions are counted.

A view that looks at all parts, tasks or components again at each event makes four times as many
calls for twice as many of them.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from cProfile import Profile

import pytest

from benchmarks.growing import KINDS, Stream
from benchmarks.viewing import LISTS
from chatkit_reducer import ThreadState
from chatkit_reducer.view.recording import Recording, json_text

N = 100

# Where the size of the data cannot but grow faster than the log.
RENUMBERED = {"citations at the beginning"}
DEEP = {"each component inside of the one before"}
IN_TURN = {"text deltas of two messages of many parts"}

EVERY = {**KINDS, **LISTS}


def recorded(stream: Stream) -> Recording:
    stored, events = stream
    recording = Recording(ThreadState.from_items(stored) if stored else None)
    for event in events:
        recording.take(event)
    return recording


def calls_for(stream: Stream) -> int:
    """How many functions are called, those of C included."""
    profile = Profile()
    gc.disable()  # what it calls is not of the recording
    profile.enable()
    try:
        recorded(stream).data("log")
    finally:
        profile.disable()
        gc.enable()
    return sum(entry.callcount for entry in profile.getstats())


@pytest.mark.parametrize("name", sorted(EVERY.keys() - RENUMBERED - DEEP))
def test_twice_the_events_cost_twice_the_calls(name: str) -> None:
    make: Callable[[int], Stream] = EVERY[name]
    assert calls_for(make(2 * N)) < 2.5 * calls_for(make(N))


@pytest.mark.parametrize("name", sorted(EVERY.keys() - IN_TURN))
def test_twice_the_events_make_a_page_twice_as_large(name: str) -> None:
    make: Callable[[int], Stream] = EVERY[name]
    small, large = (len(json_text(recorded(make(size)).data("log"))) for size in (2 * N, 4 * N))
    assert large < 2.5 * small
