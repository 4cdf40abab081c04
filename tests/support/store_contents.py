"""Streams that stopped, with any content of their store: for tests of `settle`."""

from __future__ import annotations

from functools import partial

from hypothesis import strategies as st

from chatkit_reducer import policies
from chatkit_reducer.core.items import ItemState
from chatkit_reducer.events import Json
from chatkit_reducer.testing import strategies as chatkit

__all__ = ["POLICIES", "STOPS", "known_copies", "stores"]

STREAMS = chatkit.streams(max_items=4) | chatkit.adversarial_streams(max_events=16)
STOPS = chatkit.stops(streams=STREAMS)
POLICIES = chatkit.policies(ids=True) | st.sampled_from(list(policies.PRESETS.values()))


def known_copies(stop: chatkit.StoppedStream, item_id: str) -> list[ItemState]:
    """The copies of an item that the stream knows of."""
    states = (stop.delivered, stop.state)
    bases = [state.bases[item_id] for state in states if item_id in state.bases]
    return [state.items[item_id] for state in states if item_id in state.items] + bases


def with_id(item_id: str, json: Json) -> Json:
    return {**json, "id": item_id}


@st.composite
def stores(draw: st.DrawFn) -> tuple[chatkit.StoppedStream, dict[str, Json | None], set[str]]:
    """A stream that stopped, what its store says of some items, and what it refused."""
    stop = draw(STOPS)
    ids = sorted({*stop.state.items, *stop.delivered.items})
    stored: dict[str, Json | None] = {}
    for item_id in ids:
        copies = [copy.to_json() for copy in known_copies(stop, item_id)]
        copies += [{**copy, "further": None} for copy in copies]
        others = chatkit.items().map(partial(with_id, item_id))
        answer = draw(st.just("unknown") | st.none() | st.sampled_from(copies) | others)
        if not isinstance(answer, str):
            stored[item_id] = answer
    refused = draw(st.sets(st.sampled_from(ids), max_size=2)) if ids else set[str]()
    return stop, stored, refused
